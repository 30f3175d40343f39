//! How tags are read.

use tagboat::policy::{Reading, Scheme, Unreadable};

/// tag, prefix, numbers, prerelease, build, variant, tail
#[test]
fn tags_taken_apart() {
    for (tag, parts) in [
        ("1.2.3", ["", "1.2.3", "", "", "", ""]),
        ("v1.2.3", ["v", "1.2.3", "", "", "", ""]),
        ("V1", ["V", "1", "", "", "", ""]),
        ("release-1.2", ["release-", "1.2", "", "", "", ""]),
        ("release-v1.2", ["release-v", "1.2", "", "", "", ""]),
        ("acme-api-1.2.3", ["acme-api-", "1.2.3", "", "", "", ""]),
        ("go1.21.3", ["go", "1.21.3", "", "", "", ""]),
        ("1.2.3-rc.1", ["", "1.2.3", "rc.1", "", "", ""]),
        ("1.2.3-beta2", ["", "1.2.3", "beta2", "", "", ""]),
        ("1.2.3b1", ["", "1.2.3", "b1", "", "", ""]),
        ("1.2.3rc1-alpine", ["", "1.2.3", "rc1", "", "alpine", ""]),
        ("1.2.3-SNAPSHOT", ["", "1.2.3", "SNAPSHOT", "", "", ""]),
        ("1.2.3-snapshot-20240101", ["", "1.2.3", "snapshot-20240101", "", "", ""]),
        ("1.2.3-dev-abc1234", ["", "1.2.3", "dev-abc1234", "", "", ""]),
        ("1.2.3-rc-1", ["", "1.2.3", "rc-1", "", "", ""]),
        ("1.2.3-rc1-2", ["", "1.2.3", "rc1", "2", "", ""]),
        ("1.2.3.M1", ["", "1.2.3", "M1", "", "", ""]),
        ("1.2.3.Final", ["", "1.2.3", "", "", "Final", ""]),
        ("2.4.beta", ["", "2.4", "beta", "", "", ""]),
        ("1.2.3-m", ["", "1.2.3", "", "", "m", ""]),
        ("2.1.3-ls45", ["", "2.1.3", "", "ls45", "", ""]),
        ("1.2.3_4", ["", "1.2.3", "", "4", "", ""]),
        ("1.2.3-r12", ["", "1.2.3", "", "r12", "", ""]),
        ("1.2.3-1", ["", "1.2.3", "", "1", "", ""]),
        ("9.8p1", ["", "9.8", "", "p1", "", ""]),
        ("1.2.3-alpine3.18", ["", "1.2.3", "", "", "alpine3.18", ""]),
        ("1.2.3-debian-11", ["", "1.2.3", "", "", "debian-11", ""]),
        ("1.2.3-debian-11-r12", ["", "1.2.3", "", "r12", "debian-11", ""]),
        ("1.2.3-alpine3.18-ls45", ["", "1.2.3", "", "ls45", "alpine3.18", ""]),
        ("1.2.3-slim-bookworm", ["", "1.2.3", "", "", "slim-bookworm", ""]),
        ("1.2.3-4_base", ["", "1.2.3", "", "4", "base", ""]),
        ("21.0.11_10-jre", ["", "21.0.11", "", "10", "jre", ""]),
        ("7.9.1-1-ubi8", ["", "7.9.1", "", "1", "ubi8", ""]),
        ("1.2.3-alpine-r1-slim", ["", "1.2.3", "", "r1", "alpine", "slim"]),
        ("v2.3.0-rc.0.18.g1abb7b5dd-ppc64le", ["v", "2.3.0", "rc.0.18.g1abb7b5dd", "", "ppc64le", ""]),
        ("x86_64-v17.5.0", ["x86_64-v", "17.5.0", "", "", "", ""]),
        ("version-1.26.2-2.1", ["version-", "1.26.2", "", "2.1", "", ""]),
        ("ubuntu-22.04", ["ubuntu-", "22.04", "", "", "", ""]),
        ("cli-2.11-php8.2", ["cli-", "2.11", "", "", "php8.2", ""]),
        ("8u432-b06-jre", ["", "8", "", "u432-b06", "jre", ""]),
        ("1.26.2-r0-ls300", ["", "1.26.2", "", "r0-ls300", "", ""]),
        ("1.29.4-rc1-k3s1", ["", "1.29.4", "rc1", "k3s1", "", ""]),
        ("v1.31.3-rke2r10", ["v", "1.31.3", "", "rke2r10", "", ""]),
        ("2022-CU12-ubuntu-22.04", ["", "2022", "", "CU12", "ubuntu-22.04", ""]),
        ("12.4.1-cudnn-devel-ubuntu22.04", ["", "12.4.1", "", "", "cudnn-devel-ubuntu22.04", ""]),
        ("amd64-1.2.3", ["amd64-", "1.2.3", "", "", "", ""]),
        ("20240101", ["", "20240101", "", "", "", ""]),
        ("20240101.2", ["", "20240101.2", "", "", "", ""]),
        ("20240101T120000Z", ["", "20240101T120000Z", "", "", "", ""]),
        ("bookworm-20240101", ["bookworm-", "20240101", "", "", "", ""]),
        ("2024-01-15", ["", "2024-01-15", "", "", "", ""]),
        ("2024-01-15-slim", ["", "2024-01-15", "", "", "slim", ""]),
        ("2024-13-15", ["", "2024", "", "13-15", "", ""]),
        ("RELEASE.2023-01-01T00-00-00Z", ["RELEASE.", "2023-01-01T00-00-00Z", "", "", "", ""]),
        ("2022-latest", ["", "2022", "", "", "latest", ""]),
        ("99999999999999999999999.1", ["", "99999999999999999999999.1", "", "", "", ""]),
    ] {
        let r = Reading::of(tag).unwrap_or_else(|why| panic!("{tag}: {why}"));
        assert_eq!([r.prefix(), r.numbers(), r.prerelease(), r.build(), r.variant(), r.tail()], parts, "{tag}");
    }
}

#[test]
fn what_the_numbers_count() {
    for (tag, scheme) in [
        ("20240101", Scheme::Date),
        ("202401011230", Scheme::Date),
        ("20240101-slim", Scheme::Date),
        ("2024-01", Scheme::Date),
        ("2024-01-15T10-20-30Z", Scheme::Date),
        ("2024.01.15", Scheme::Version),
        ("2024", Scheme::Version),
        ("2024-1", Scheme::Version),
        ("3050", Scheme::Version),
    ] {
        assert_eq!(Reading::of(tag).unwrap().scheme(), scheme, "{tag}");
    }
}

#[test]
fn why_a_tag_is_not_read() {
    for (tag, why) in [
        ("", Unreadable::NoNumber),
        ("latest", Unreadable::NoNumber),
        ("main-dev", Unreadable::NoNumber),
        ("0a1b2c3", Unreadable::Commit),
        ("abc1234", Unreadable::Commit),
        ("abc1234-dirty", Unreadable::Commit),
        ("main-abc1234-1700000000", Unreadable::Commit),
        ("main-0a1b2c3", Unreadable::Commit),
        ("sha-1234567", Unreadable::Commit),
        ("sha256-0123456789abcdef.sig", Unreadable::Commit),
        ("1234567", Unreadable::Serial),
        ("123456", Unreadable::Serial),
        ("20241301", Unreadable::Serial),
        ("1700000000", Unreadable::Serial),
        ("main-1700000000", Unreadable::Serial),
        ("1.2.3-", Unreadable::Unclear),
        ("1.2.3.", Unreadable::Unclear),
        ("1.2.3--rc", Unreadable::Unclear),
        ("0.2.-alpha", Unreadable::Unclear),
        ("0z1b2c3", Unreadable::Unclear),
        ("pg15-2.14.1", Unreadable::Unclear),
        ("alpine3.19-v17.5.0", Unreadable::Unclear),
        ("ubuntu-22.04-1.2.3", Unreadable::Unclear),
        ("debian-12-1.2.3", Unreadable::Unclear),
        ("php-8.2-1.0", Unreadable::Unclear),
        ("rocm6.2.4_ubuntu22.04_py3.10_pytorch_release_2.3.0", Unreadable::Unclear),
        ("pr-14301", Unreadable::Request),
        ("app-pr-7", Unreadable::Request),
        ("MR-7-alpine", Unreadable::Request),
        ("1.2.3+5", Unreadable::Unclear),
        ("1.2.3é", Unreadable::Unclear),
    ] {
        assert_eq!(Reading::of(tag), Err(why), "{tag}");
    }
}
