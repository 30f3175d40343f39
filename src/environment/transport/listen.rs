//! What a remote says before and after the pack: its branches, and what became of a push.
//!
//! We listen to the bytes on their way to libgit2. Its own account is not enough: it takes a refused push for a
//! success, cannot say whether a server knows shallow fetches, and its binding panics on names that are no UTF-8.
//! Formats: gitprotocol-common (pkt-line), gitprotocol-pack (advertisement, report-status, side-band).

use std::collections::BTreeMap;

use git2::Oid;

/// Collects bytes into pkt-lines.
#[derive(Default)]
struct Lines {
    pending: Vec<u8>,
}

/// A pkt-line: data, or one of the delimiters.
enum Line<'a> {
    Data(&'a [u8]),
    Flush,
}

impl Lines {
    /// Takes the next bytes and gives each line that they complete to `take`, until that returns false.
    ///
    /// A length that is not well formed ends the line of sight: libgit2 reports it.
    fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(Line<'_>) -> bool) {
        self.pending.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = length(&self.pending[at..]) {
            let (line, size) = match length {
                0..4 => (Line::Flush, 4),
                size => match self.pending.get(at + 4..at + size) {
                    Some(data) => (Line::Data(data), size),
                    None => break,
                },
            };
            at += size;
            if !take(line) {
                break;
            }
        }
        self.pending.drain(..at);
    }
}

/// Reads the four hexadecimal digits of a length.
fn length(bytes: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(bytes.get(..4)?).ok()?;
    usize::from_str_radix(digits, 16).ok()
}

/// The branches that a remote offers.
#[derive(Default, Debug)]
pub(in crate::environment) struct Advertisement {
    /// The branch that HEAD stands for, as the remote says it: `refs/heads/main`.
    pub(in crate::environment) head: Option<Vec<u8>>,
    /// The commit of HEAD.
    pub(in crate::environment) head_id: Option<Oid>,
    /// The branches by their full names.
    pub(in crate::environment) branches: BTreeMap<Vec<u8>, Oid>,
    /// Whether there is any reference at all.
    pub(in crate::environment) any: bool,
    /// Whether the remote can cut a history short.
    pub(in crate::environment) shallow: bool,
}

impl Advertisement {
    fn take(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (reference, capabilities) = match line.iter().position(|&b| b == 0) {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &line[line.len()..]),
        };
        for capability in capabilities.split(|&b| b == b' ') {
            match capability.strip_prefix(b"symref=HEAD:") {
                Some(target) => self.head = Some(target.to_vec()),
                None => self.shallow |= capability == b"shallow",
            }
        }
        let Some((id, name)) = reference.split_at_checked(40) else { return };
        let id = std::str::from_utf8(id).ok().and_then(|id| Oid::from_str(id).ok());
        let (Some(id), Some(name)) = (id.filter(|id| !id.is_zero()), name.strip_prefix(b" ")) else { return };
        self.any = true;
        if name == b"HEAD" {
            self.head_id = Some(id);
        } else if name.starts_with(b"refs/heads/") {
            self.branches.insert(name.to_vec(), id);
        }
    }
}

/// What became of a push.
#[derive(Default, Debug, Clone)]
pub(in crate::environment) struct Report {
    /// Whether the remote could store the objects: `ok`, or why not.
    pub(in crate::environment) unpack: Option<String>,
    /// What became of each reference; none as the reason means that it was updated.
    pub(in crate::environment) references: Vec<(String, Option<String>)>,
}

impl Report {
    fn take(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
        if let Some(result) = line.strip_prefix("unpack ") {
            self.unpack = Some(result.to_owned());
        } else if let Some(name) = line.strip_prefix("ok ") {
            self.references.push((name.to_owned(), None));
        } else if let Some(rest) = line.strip_prefix("ng ") {
            let (name, reason) = rest.split_once(' ').unwrap_or((rest, "no reason given"));
            self.references.push((name.to_owned(), Some(reason.to_owned())));
        }
    }
}

/// Listens to one operation.
#[derive(Default)]
pub(in crate::environment) struct Listener {
    stage: Stage,
    outer: Lines,
    inner: Lines,
    pub(in crate::environment) advertisement: Advertisement,
    pub(in crate::environment) report: Report,
    /// What the remote wrote for people (`remote: …`), its first part.
    pub(in crate::environment) text: Vec<u8>,
    /// The remote's last word, if it ended the conversation with an error.
    pub(in crate::environment) error: Option<Vec<u8>>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Advertisement,
    /// Bytes of a pack, which are none of our business.
    Pack,
    Report,
}

impl Listener {
    /// More of the remote's text than this is not kept.
    const LONGEST_TEXT: usize = 8 * 1024;

    /// Hears the next bytes that the remote sent. `pushing` says what comes after the advertisement.
    pub(in crate::environment) fn hear(&mut self, bytes: &[u8], pushing: bool) {
        let Self { stage, outer, inner, advertisement, report, text, error } = self;
        if *stage == Stage::Advertisement {
            outer.feed(bytes, |line| match line {
                Line::Data(line) => {
                    if let Some(message) = line.strip_prefix(b"ERR ") {
                        *error = Some(message.iter().copied().take(Self::LONGEST_TEXT).collect());
                    } else if !line.starts_with(b"#") {
                        advertisement.take(line);
                    }
                    true
                }
                // Over HTTP a flush also stands behind the line with the service's name.
                Line::Flush => true,
            });
            return;
        }
        if *stage == Stage::Report && pushing {
            outer.feed(bytes, |line| {
                let Line::Data(line) = line else { return true };
                match line.split_first() {
                    Some((1, data)) => inner.feed(data, |line| {
                        if let Line::Data(line) = line {
                            report.take(line);
                        }
                        true
                    }),
                    Some((2 | 3, words)) => {
                        let room = Self::LONGEST_TEXT.saturating_sub(text.len());
                        text.extend(words.iter().take(room));
                    }
                    _ => report.take(line),
                }
                true
            });
        }
    }

    /// Notes that we have begun to answer the advertisement.
    pub(in crate::environment) fn answered(&mut self, pushing: bool) {
        if self.stage == Stage::Advertisement {
            self.stage = if pushing { Stage::Report } else { Stage::Pack };
            self.outer.pending = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1111111111111111111111111111111111111111";

    fn pkt(data: &[u8]) -> Vec<u8> {
        let mut line = format!("{:04x}", data.len() + 4).into_bytes();
        line.extend_from_slice(data);
        line
    }

    /// Hears `bytes` in pieces of every size.
    fn each_way(bytes: &[u8], answered: bool, check: impl Fn(&Listener)) {
        for size in [1, 2, 3, 5, 64, bytes.len()] {
            let mut listener = Listener::default();
            if answered {
                listener.answered(true);
            }
            for piece in bytes.chunks(size) {
                listener.hear(piece, true);
            }
            check(&listener);
        }
    }

    #[test]
    fn an_advertisement_over_http_and_over_ssh() {
        let first = format!("{ID} HEAD\0multi_ack shallow symref=HEAD:refs/heads/main agent=git/2\n");
        let refs = [
            pkt(first.as_bytes()),
            pkt(format!("{ID} refs/heads/main\n").as_bytes()),
            pkt(&[ID.as_bytes(), b" refs/heads/\xff\n"].concat()),
        ];
        let ssh = [refs.concat(), b"0000".to_vec()].concat();
        let http = [pkt(b"# service=git-upload-pack\n"), b"0000".to_vec(), ssh.clone()].concat();
        for bytes in [ssh, http] {
            each_way(&bytes, false, |heard| {
                let told = &heard.advertisement;
                assert_eq!(told.head.as_deref(), Some(&b"refs/heads/main"[..]));
                assert_eq!(told.head_id.unwrap().to_string(), ID);
                assert!(told.shallow && told.any);
                assert_eq!(told.branches.len(), 2);
            });
        }
    }

    #[test]
    fn an_empty_repository_offers_capabilities_only() {
        let line = pkt(format!("{} capabilities^{{}}\0report-status\n", "0".repeat(40)).as_bytes());
        each_way(&line, false, |heard| assert!(!heard.advertisement.any && !heard.advertisement.shallow));
    }

    #[test]
    fn an_error_in_place_of_the_advertisement_is_heard() {
        each_way(&pkt(b"ERR access denied"), false, |heard| assert_eq!(heard.error.as_deref(), Some(&b"access denied"[..])));
    }

    #[test]
    fn a_report_in_a_side_band_split_anywhere() {
        let inner = [pkt(b"unpack ok\n"), pkt(b"ng refs/heads/main pre-receive hook declined\n"), b"0000".to_vec()].concat();
        let (a, b) = inner.split_at(17);
        let bytes = [pkt(b"\x02no, thanks\n"), pkt(&[b"\x01", a].concat()), pkt(&[b"\x01", b].concat()), b"0000".to_vec()].concat();
        each_way(&bytes, true, |heard| {
            assert_eq!(heard.report.unpack.as_deref(), Some("ok"));
            assert_eq!(heard.report.references, [("refs/heads/main".to_owned(), Some("pre-receive hook declined".to_owned()))]);
            assert_eq!(heard.text, b"no, thanks\n");
        });
    }

    #[test]
    fn a_report_without_side_band() {
        let bytes = [pkt(b"unpack ok\n"), pkt(b"ok refs/heads/main\n"), b"0000".to_vec()].concat();
        each_way(&bytes, true, |heard| assert_eq!(heard.report.references, [("refs/heads/main".to_owned(), None)]));
    }

    #[test]
    fn what_is_no_pkt_line_is_not_kept_for_ever() {
        let mut listener = Listener::default();
        listener.answered(true);
        let chatter = pkt(&[b"\x02", &[b'x'; 1000][..]].concat());
        for _ in 0..100 {
            listener.hear(&chatter, true);
        }
        assert_eq!(listener.text.len(), Listener::LONGEST_TEXT);
        assert!(listener.outer.pending.is_empty());
    }
}
