//! What a push came to.

use git2::{PushOptions, Remote, RemoteCallbacks};

use super::Push;
use super::changeset::Commit;
use super::error::{Error, Fault, Foreign, LONGEST_TEXT};
use super::transport::{Open, Report};
use crate::redact::one_line;

/// Pushes a commit over the network, only if the branch still stands at the commit's base.
pub(super) fn push(commit: &Commit, remote: &str, session: &Open) -> Result<Push, Error> {
    let reference = format!("refs/heads/{}", commit.branch);
    let fail = |cause| Error::Push { remote: remote.to_owned(), branch: commit.branch.clone(), cause };
    let mut raced = false;
    let sent = {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_negotiation(|updates| {
            raced = !updates.iter().all(|update| update.src() == commit.base);
            if raced { Err(git2::Error::from_str("the branch has moved")) } else { Ok(()) }
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks).packbuilder_parallelism(1);
        let mut remote: Remote<'_> = commit.repository.remote_anonymous(&session.url()).map_err(|e| fail(Fault::Git(e.into())))?;
        remote.push(&[format!("{}:{reference}", commit.id)], Some(&mut options))
    };
    let (report, text) = session.report();
    if let Some(push) = judge(&report, &reference, &text, |words| session.clean(words)) {
        return Ok(push);
    }
    let error = match sent {
        Ok(()) => Fault::NoStatus,
        Err(e) if raced || e.code() == git2::ErrorCode::NotFastForward => return Ok(Push::Raced),
        Err(e) => session.fault(e),
    };
    if session.sent() && error.leaves_open() {
        Err(Error::OutcomeUnknown { remote: remote.to_owned(), branch: commit.branch.clone(), cause: error })
    } else {
        Err(fail(error))
    }
}

/// Judges by the server's report alone; none if it has not said what became of the branch.
fn judge(report: &Report, reference: &str, text: &Foreign, clean: impl Fn(&str) -> Foreign) -> Option<Push> {
    let refused = |reason: &str| {
        let reason = clean(reason);
        let Foreign(text) = text;
        let reason = if text.is_empty() { reason.0 } else { format!("{reason}: {text}") };
        Push::Refused { reason: one_line(&reason, LONGEST_TEXT) }
    };
    // Without its objects no branch moves.
    if let Some(failure) = report.unpack.as_deref().filter(|result| *result != "ok") {
        return Some(refused(&format!("the objects could not be stored ({failure})")));
    }
    let (_, status) = report.references.iter().find(|(name, _)| name == reference)?;
    Some(match status {
        None => Push::Pushed,
        Some(reason) if is_race(reason) => Push::Raced,
        Some(reason) => refused(reason),
    })
}

/// Says whether a server refused a branch because it had moved.
///
/// The protocol has free text here (gitprotocol-pack, report-status). These are the words of `git receive-pack` through its
/// versions, and of the servers that have their own: JGit (Gerrit, Bitbucket) says `non-fast-forward` and `failed to lock`.
fn is_race(reason: &str) -> bool {
    const RACES: [&str; 9] = [
        "failed to update ref",
        "non-fast-forward",
        "non-fast forward",
        "fetch first",
        "stale info",
        "cannot lock ref",
        "failed to lock",
        "incorrect old value provided",
        "lock error",
    ];
    RACES.iter().any(|race| reason.contains(race))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(unpack: &str, status: Option<Option<&str>>) -> Option<Push> {
        let references = status.map(|status| ("refs/heads/main".to_owned(), status.map(str::to_owned)));
        let report = Report { unpack: Some(unpack.to_owned()), references: references.into_iter().collect() };
        judge(&report, "refs/heads/main", &Foreign::new("see the rules"), Foreign::new)
    }

    fn refused(reason: &str) -> Option<Push> {
        Some(Push::Refused { reason: reason.to_owned() })
    }

    #[test]
    fn only_the_servers_word_on_our_branch_counts() {
        assert_eq!(judged("ok", Some(None)), Some(Push::Pushed));
        assert_eq!(judged("ok", None), None);
        let other = Report { unpack: Some("ok".to_owned()), references: vec![("refs/heads/other".to_owned(), None)] };
        assert_eq!(judge(&other, "refs/heads/main", &Foreign::new(""), Foreign::new), None);
        assert_eq!(judge(&Report::default(), "refs/heads/main", &Foreign::new(""), Foreign::new), None);
    }

    #[test]
    fn a_refusal_is_a_race_or_has_a_reason() {
        for race in ["failed to update ref", "non-fast-forward", "cannot lock ref 'refs/heads/main': is at a but expected b"] {
            assert_eq!(judged("ok", Some(Some(race))), Some(Push::Raced), "{race}");
        }
        assert_eq!(judged("ok", Some(Some("pre-receive hook declined"))), refused("pre-receive hook declined: see the rules"));
        let full = judged("unpacker error", Some(Some("unpacker error")));
        assert_eq!(full, refused("the objects could not be stored (unpacker error): see the rules"));
    }
}
