//! What the OpenSSH client's words mean.
//!
//! `ssh` tells its failures in English text and one exit status (255); there is no other way to learn them. This is
//! the one place that reads them, after OpenSSH 8 to 10 with `LC_ALL=C`. A text that is not known stays a general error.

use crate::environment::error::{Fault, Foreign};

/// Tells what `ssh` died of, from what it and the remote's command wrote to standard error.
pub(super) fn diagnose(stderr: &str, cleaned: Foreign) -> Fault {
    let says = |words: &[&str]| words.iter().any(|words| stderr.contains(words));
    // Several lines come together, so the order matters: the cause before its consequence.
    if says(&["REMOTE HOST IDENTIFICATION HAS CHANGED", "POSSIBLE DNS SPOOFING"]) {
        Fault::HostKeyChanged
    } else if says(&["Host key verification failed", "host key is known for"]) {
        Fault::HostKeyUnknown
    } else if says(&["UNPROTECTED PRIVATE KEY FILE", "bad permissions", "Load key \"", "no such identity"]) {
        Fault::KeyUnusable(cleaned)
    } else if says(&["Permission denied (", "Too many authentication failures"]) {
        Fault::KeyRefused
    } else if says(&["No user exists for uid"]) {
        Fault::NoSshUser
    } else if says(&[
        "does not appear to be a git repository",
        "Repository not found",
        "repository not found",
        "project you were looking for",
    ]) {
        Fault::NotFound
    } else if says(&[
        "Could not resolve hostname",
        "Connection refused",
        "Connection timed out",
        "No route to host",
        "Network is unreachable",
        "kex_exchange_identification",
        "Connection closed by",
        "Connection reset by",
    ]) {
        Fault::Unreachable(cleaned)
    } else {
        Fault::Ssh(cleaned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_have_a_meaning() {
        let meaning = |text: &str| format!("{:?}", diagnose(text, Foreign::new("x"))).split(['(', ' ']).next().unwrap().to_owned();
        for (text, expected) in [
            ("@  WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!  @\r\nHost key verification failed.\r\n", "HostKeyChanged"),
            (
                "No ED25519 host key is known for [h]:22 and you have requested strict checking.\r\nHost key verification failed.",
                "HostKeyUnknown",
            ),
            (
                "@ WARNING: UNPROTECTED PRIVATE KEY FILE! @\nThis private key will be ignored.\ngit@h: Permission denied (publickey).",
                "KeyUnusable",
            ),
            ("Load key \"k\": error in libcrypto\ngit@h: Permission denied (publickey).", "KeyUnusable"),
            ("git@h: Permission denied (publickey,password).", "KeyRefused"),
            ("No user exists for uid 1234", "NoSshUser"),
            ("ssh: connect to host h port 22: Connection refused", "Unreachable"),
            ("fatal: '/x' does not appear to be a git repository", "NotFound"),
            ("ERROR: Repository not found.", "NotFound"),
            ("something new", "Ssh"),
        ] {
            assert_eq!(meaning(text), expected, "{text}");
        }
    }
}
