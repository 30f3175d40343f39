//! The words of tags that carry meaning: kinds of prereleases, builds, base systems and architectures.
//!
//! Owns the tables; everything not in them is a name that has to stay the same.

/// A kind of prerelease: its canonical name, and how near to the release it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Greater is nearer to the release. Kinds of equal maturity run beside each other.
    pub(super) maturity: u8,
    /// The name in policy files.
    pub(super) name: &'static str,
}

/// The kinds that run beside the releases rather than towards one.
const STREAM: u8 = 2;

/// All canonical names of prerelease kinds, for messages.
pub(super) const KINDS: &str =
    "alpha, beta, canary, dev, ea, edge, experimental, insider, milestone, next, nightly, pre, rc, snapshot, unstable";

/// The longest word of the tables below.
const LONGEST: usize = 13;

fn lower_case(word: &str) -> Option<([u8; LONGEST], usize)> {
    let mut buffer = [0; LONGEST];
    let room = buffer.get_mut(..word.len())?;
    room.copy_from_slice(word.as_bytes());
    room.make_ascii_lowercase();
    Some((buffer, word.len()))
}

/// Returns the kind of prerelease that `word` stands for; `numbered` says that a digit follows, which single letters need.
pub(super) fn prerelease(word: &str, numbered: bool) -> Option<Kind> {
    let (buffer, length) = lower_case(word)?;
    let (maturity, name) = match &buffer[..length] {
        // Not `devel`: in `12.4.1-cudnn-devel-ubuntu22.04` it is an image with compilers.
        b"dev" => (STREAM, "dev"),
        b"nightly" => (STREAM, "nightly"),
        b"snapshot" => (STREAM, "snapshot"),
        b"canary" => (STREAM, "canary"),
        b"edge" => (STREAM, "edge"),
        b"next" => (STREAM, "next"),
        b"unstable" => (STREAM, "unstable"),
        b"experimental" => (STREAM, "experimental"),
        b"insider" | b"insiders" => (STREAM, "insider"),
        b"alpha" => (3, "alpha"),
        b"a" if numbered => (3, "alpha"),
        b"beta" => (4, "beta"),
        b"b" if numbered => (4, "beta"),
        b"milestone" => (5, "milestone"),
        b"m" if numbered => (5, "milestone"),
        b"ea" | b"eap" => (5, "ea"),
        b"pre" | b"preview" | b"prerelease" => (6, "pre"),
        b"rc" => (7, "rc"),
        b"c" | b"cr" if numbered => (7, "rc"),
        _ => return None,
    };
    Some(Kind { maturity, name })
}

/// Says whether `word` before a number counts rebuilds and fixes of one version: `r12`, `ls45`, `security-01`.
pub(super) fn is_build(word: &str) -> bool {
    lower_case(word).is_some_and(|(buffer, length)| {
        matches!(
            &buffer[..length],
            b"r" | b"ls"
                | b"build"
                | b"rev"
                | b"revision"
                | b"p"
                | b"pl"
                | b"patch"
                | b"post"
                | b"security"
                // Of Rancher's charts, before the version that they package: `104.0.0_up1.0.0`.
                | b"up"
                | b"hotfix"
                | b"fix"
                | b"sp"
                | b"u"
                | b"update"
                | b"cu"
        )
    })
}

/// Says whether `word` names a base system, whose number may grow under an image without it becoming another product.
///
/// The number of anything else (`pg15`, `jdk17`, `cuda12`, `ltsc2022`) names a line that is published beside other lines;
/// to go from one to the other is a person's decision.
pub(super) fn is_base_system(word: &str) -> bool {
    lower_case(word).is_some_and(|(buffer, length)| {
        matches!(
            &buffer[..length],
            b"alpine"
                | b"debian"
                | b"ubuntu"
                | b"ubi"
                | b"micro"
                | b"minimal"
                | b"el"
                | b"rhel"
                | b"centos"
                | b"rocky"
                | b"rockylinux"
                | b"alma"
                | b"almalinux"
                | b"ol"
                | b"oraclelinux"
                | b"fedora"
                | b"fc"
                | b"photon"
                | b"amazonlinux"
                | b"al"
                | b"amzn"
                | b"suse"
                | b"sles"
                | b"leap"
                | b"bci"
                | b"distroless"
                | b"deb"
                | b"busybox"
                | b"bookworm"
                | b"bullseye"
                | b"buster"
                | b"trixie"
                | b"jammy"
                | b"focal"
                | b"noble"
                | b"slim"
        )
    })
}

/// Says whether `segment` names a processor architecture, whose digits are part of the name.
pub(super) fn is_architecture(segment: &str) -> bool {
    lower_case(segment).is_some_and(|(buffer, length)| {
        matches!(
            &buffer[..length],
            b"amd64"
                | b"arm64"
                | b"arm64v8"
                | b"arm32v5"
                | b"arm32v6"
                | b"arm32v7"
                | b"armv5"
                | b"armv6"
                | b"armv7"
                | b"armv7l"
                | b"armv8"
                | b"armhf"
                | b"arm"
                | b"aarch64"
                | b"i386"
                | b"i486"
                | b"i686"
                | b"386"
                | b"x86"
                | b"x64"
                | b"ppc64le"
                | b"ppc64"
                | b"s390x"
                | b"riscv64"
                | b"mips64le"
                | b"mips64"
                | b"loong64"
                | b"loongarch64"
        )
    })
}

/// What a word before a number says that the number is, where it is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A commit or a digest.
    Commit,
    /// The number of a proposed change.
    Request,
}

/// Returns what `word` before a number says that the number is, where it is no version.
pub(super) fn named(word: &str) -> Option<Named> {
    let (buffer, length) = lower_case(word)?;
    match &buffer[..length] {
        b"sha" | b"git" | b"commit" | b"gitsha" => Some(Named::Commit),
        b"pr" | b"mr" | b"pull" => Some(Named::Request),
        _ => None,
    }
}

/// Says whether `word` before a number says that the number is the version of the image itself.
pub(super) fn is_version_word(word: &str) -> bool {
    lower_case(word).is_some_and(|(buffer, length)| matches!(&buffer[..length], b"version" | b"release" | b"ver" | b"rel" | b"v"))
}

/// Says whether `segment` reads as an abbreviated or whole commit hash (also as `git describe` writes it, with a `g` before it).
///
/// Hashes have lower-case hex digits. Seven digits alone are Git's own abbreviation: one hash in thirty has no letter in it.
pub(super) fn is_commit(segment: &str) -> bool {
    let hex = |s: &str| {
        (7..=40).contains(&s.len())
            && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            && s.bytes().any(|b| b.is_ascii_digit())
            && (s.len() == 7 || s.len() == 40 || s.bytes().any(|b| !b.is_ascii_digit()))
    };
    hex(segment) || segment.strip_prefix('g').is_some_and(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_told_to_people_are_the_kinds_that_are_known() {
        for name in KINDS.split(", ") {
            assert_eq!(prerelease(name, false).map(|kind| kind.name), Some(name));
        }
        for (word, numbered, expected) in [
            ("RC", false, Some("rc")),
            ("b", true, Some("beta")),
            ("b", false, None),
            ("premium", true, None),
            ("devcontainer", false, None),
            ("experimentally", false, None),
        ] {
            assert_eq!(prerelease(word, numbered).map(|kind| kind.name), expected, "{word}");
        }
    }

    #[test]
    fn what_reads_as_a_commit() {
        for good in
            ["0a1b2c3", "1234567", "gabc1234", "0123456789abcdef0123456789abcdef01234567", "0123456789012345678901234567890123456789"]
        {
            assert!(is_commit(good), "{good}");
        }
        for bad in
            ["abc123", "12345678", "20240101", "0A1B2C3", "defaced", "g123456", "0z1b2c3", "", "0123456789abcdef0123456789abcdef012345678"]
        {
            assert!(!is_commit(bad), "{bad}");
        }
    }
}
