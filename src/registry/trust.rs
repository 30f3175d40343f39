//! Where a request may go and who may be sent a credential. Pure.
//!
//! Realm, redirect and next-page URLs come from the other side and are taken for hostile: this is the
//! class of CVE-2020-15157, CVE-2026-33540 and GHSA-h7vf-4x9w-h99v.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::redact::{SafeUrl, one_line};

use super::error::Cause;

/// Registries whose token server lives at another site, or that is worth saying outright.
const TOKEN_SERVERS: [(&str, &str); 3] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("registry.digitalocean.com", "api.digitalocean.com"),
];

/// Where clouds give out credentials to whoever asks from inside.
const METADATA: [IpAddr; 9] = [
    // nearly all
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    // AWS: containers, pods, IPv6
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    // Google, IPv6
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    // Alibaba
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Azure's host agent
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // Oracle
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// Their names. Look-ups leave out the addresses above, but behind a proxy it is the proxy that looks a name up.
const METADATA_NAMES: [&str; 5] =
    ["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal", "metadata.tencentyun.com", "metadata"];

/// Says whether clouds give out credentials at this address.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&plain(address))
}

/// Says whether no registry can name this address in good faith: link-local, unspecified or a metadata service.
///
/// Private networks are fine: that is where people host their own.
pub(super) fn is_forbidden(address: IpAddr) -> bool {
    let address = plain(address);
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    link_local || address.is_unspecified() || is_metadata(address)
}

/// Takes an IPv4 address out of its IPv6 disguises: v4-mapped, v4-compatible, v4-translated, NAT64 (well-known and local) and 6to4.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let (high, low) = match v6.segments() {
        // `::` and `::1` are no disguises.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => (high, low),
        _ => return address,
    };
    IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(v4) => Some(IpAddr::V4(v4)),
        Host::Ipv6(v6) => Some(IpAddr::V6(v6)),
        Host::Domain(_) => None,
    }
}

/// Returns the host's name without the dot at its end; none for an address.
fn host_name(url: &Url) -> Option<&str> {
    match url.host()? {
        Host::Domain(name) => Some(name.trim_end_matches('.')),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

fn is_loopback(url: &Url) -> bool {
    match host_name(url) {
        Some(name) => name == "localhost" || name.ends_with(".localhost"),
        None => address(url).is_some_and(|address| plain(address).is_loopback()),
    }
}

/// Checks what is common to realms and redirects: where nobody should be sent at all.
fn check_target(target: &Url, registry: &Url) -> Result<(), &'static str> {
    if !matches!(target.scheme(), "https" | "http") || target.host_str().is_none_or(str::is_empty) {
        return Err("it is no web address");
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err("it holds a user name");
    }
    if address(target).is_some_and(is_forbidden) || host_name(target).is_some_and(|name| METADATA_NAMES.contains(&name)) {
        return Err("it is a link-local or metadata address");
    }
    if is_loopback(target) && !is_loopback(registry) {
        return Err("it is this machine itself");
    }
    Ok(())
}

/// Reads where a redirect leads and says whether it may be followed. Never with a credential, unless it stays at the same origin.
pub(super) fn redirect(from: &Url, location: &str, registry: &Url) -> Result<Url, Cause> {
    let refuse = |reason| Cause::Redirect { to: show(location), reason };
    let to = from.join(location).map_err(|_| refuse("it is no web address"))?;
    check_target(&to, registry).map_err(refuse)?;
    if from.scheme() == "https" && to.scheme() != "https" {
        return Err(refuse("it gives up TLS"));
    }
    Ok(to)
}

/// Reads a challenge's realm and says whether the token server may be asked, with a credential if `secret`.
///
/// It has to be a whole URL, as the token specification has it: a relative one is no address that anybody meant.
pub(super) fn realm(text: &str, registry: &Url, token_hosts: &[String], secret: bool) -> Result<Url, Cause> {
    let refuse = |reason, listable| Cause::Realm { realm: show(text), reason, listable };
    let realm = Url::parse(text).map_err(|_| refuse("it is no web address", false))?;
    check_target(&realm, registry).map_err(|reason| refuse(reason, false))?;
    if realm.scheme() != "https" && !(registry.scheme() == "http" && realm.host() == registry.host()) {
        return Err(refuse("it is without TLS", false));
    }
    if secret && !may_have_credential(&realm, registry, token_hosts) {
        return Err(refuse("this host is not known to belong to the registry, so the credential was not sent", true));
    }
    Ok(realm)
}

/// Says whether a token server may be sent the registry's credential.
fn may_have_credential(realm: &Url, registry: &Url, token_hosts: &[String]) -> bool {
    let (Some(realm_host), Some(registry_host)) = (realm.host_str(), registry.host_str()) else { return false };
    let same = realm_host == registry_host && realm.port_or_known_default() == registry.port_or_known_default();
    same || TOKEN_SERVERS.contains(&(registry_host, realm_host)) && realm.port().is_none()
        || token_hosts.iter().any(|host| is_host(realm, host))
        || same_site(realm, registry)
}

/// Compares with a host as the policy file writes it: without a port, the scheme's own is meant.
fn is_host(url: &Url, host: &str) -> bool {
    let written = match (url.host_str(), url.port()) {
        (Some(name), Some(port)) => format!("{name}:{port}"),
        (Some(name), None) => name.to_owned(),
        (None, _) => return false,
    };
    written.eq_ignore_ascii_case(host.trim())
}

/// Says whether two hosts lie below the same registrable domain, such as `registry.example.co.uk` and `auth.example.co.uk`.
fn same_site(a: &Url, b: &Url) -> bool {
    match (a.host(), b.host()) {
        (Some(Host::Domain(a)), Some(Host::Domain(b))) => psl::domain_str(a).is_some_and(|site| psl::domain_str(b) == Some(site)),
        _ => false,
    }
}

/// Shows a URL that may be hostile, or not even one.
pub(super) fn show(text: &str) -> String {
    Url::parse(text).map_or_else(|_| one_line(text, 100), |url| one_line(&SafeUrl::new(url).to_string(), 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str, registry: &str, secret: bool) -> Result<(), String> {
        let listed = ["auth.example.org".to_owned(), "login.example.org:8443".to_owned()];
        realm(text, &Url::parse(registry).unwrap(), &listed, secret).map(|_| ()).map_err(|cause| cause.to_string())
    }

    #[test]
    fn a9_a_credential_goes_only_to_token_servers_of_the_registry() {
        for (realm, registry) in [
            ("https://ghcr.io/token", "https://ghcr.io/v2/"),
            ("https://auth.docker.io/token", "https://registry-1.docker.io/v2/"),
            ("https://gitlab.com/jwt/auth", "https://registry.gitlab.com/v2/"),
            ("https://gitlab.example.co.uk/jwt/auth", "https://registry.example.co.uk/v2/"),
            ("https://AUTH.example.org/token", "https://registry.example.com/v2/"),
            ("https://login.example.org:8443/token", "https://registry.example.com/v2/"),
            ("http://10.0.0.5:5000/token", "http://10.0.0.5:5000/v2/"),
            ("https://10.0.0.5:5000/token", "https://10.0.0.5:5000/v2/"),
            ("https://[fd12::1]:5000/token", "https://[fd12::1]:5000/v2/"),
        ] {
            assert_eq!(ask(realm, registry, true), Ok(()), "{realm} for {registry}");
        }
        for (realm, registry) in [
            ("https://evil.example/token", "https://ghcr.io/v2/"),
            ("https://evil.co.uk/token", "https://registry.co.uk/v2/"),
            ("https://ghcr.io.evil.example/token", "https://ghcr.io/v2/"),
            ("https://evilghcr.io/token", "https://ghcr.io/v2/"),
            ("https://auth.docker.io:444/token", "https://registry-1.docker.io.evil.example/v2/"),
            ("https://auth.docker.io/token", "https://quay.io/v2/"),
            ("https://auth.example.org:444/token", "https://registry.example.com/v2/"),
            ("https://login.example.org/token", "https://registry.example.com/v2/"),
            ("http://10.0.0.5:5001/token", "http://10.0.0.5:5000/v2/"),
            ("https://10.0.1.5/token", "https://10.0.0.5/v2/"),
        ] {
            let message = ask(realm, registry, true).unwrap_err();
            assert!(message.contains("credential was not sent"), "{realm} for {registry}: {message}");
        }
    }

    #[test]
    fn an_anonymous_token_may_come_from_any_honest_server() {
        assert_eq!(ask("https://elsewhere.example/token", "https://ghcr.io/v2/", false), Ok(()));
        assert_eq!(ask("https://192.168.7.7/token", "https://registry.example.com/v2/", false), Ok(()));
    }

    #[test]
    fn a9_a_realm_at_a_bad_place_is_refused_with_and_without_credential() {
        for bad in [
            "",
            "/token",
            "token",
            "ftp://ghcr.io/token",
            "file:///etc/passwd",
            "http://ghcr.io/token",
            "http://elsewhere.example/token",
            "https://user@ghcr.io/token",
            "https://user:pass@ghcr.io/token",
            "https://169.254.169.254/latest",
            "https://[::ffff:169.254.169.254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://2852039166/",
            "https://0.0.0.0/",
            "https://[::]/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://[fd00:ec2::23]/",
            "https://[fd20:ce::254]/",
            "https://[::169.254.169.254]/",
            "https://[::ffff:0:169.254.169.254]/",
            "https://[64:ff9b:1::a9fe:a9fe]/",
            "https://[2002:a9fe:a9fe::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[2002:7f00:1::]/",
            "https://[fe80::1%25eth0]/",
            "https://[fe80::1%eth0]/",
            "https://168.63.129.16/",
            "https://192.0.0.192/",
            "https://169.254.170.23/",
            "https://0xa9fea9fe/",
            "https://0251.0376.0251.0376/",
            "https://metadata.google.internal/computeMetadata/v1/",
            "https://METADATA.google.internal./",
            "https://metadata/",
            "//ghcr.io/token",
            "https:ghcr.io@evil.example/token",
            "https://100.100.100.200/",
            "https://127.0.0.1/token",
            "https://[::1]/token",
            "https://localhost/token",
            "https://a.localhost./token",
        ] {
            for secret in [true, false] {
                let message = ask(bad, "https://ghcr.io/v2/", secret).unwrap_err();
                assert!(!message.contains("credential was not sent"), "{bad}: {message}");
            }
        }
    }

    /// What the resolver leaves out of what a name leads to.
    #[test]
    fn metadata_addresses_are_known_in_every_disguise() {
        for metadata in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
        ] {
            assert!(is_metadata(metadata.parse().unwrap()), "{metadata}");
        }
        for other in ["::", "::1", "127.0.0.1", "10.0.0.5", "169.254.1.1", "fd12::1", "2001:db8::1", "64:ff9b::10.0.0.5"] {
            assert!(!is_metadata(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn redirects() {
        let registry = Url::parse("https://registry.example.com/v2/").unwrap();
        let from = registry.join("/v2/a/manifests/1").unwrap();
        let go = |to: &str| redirect(&from, to, &registry).map(|url| url.to_string()).map_err(|cause| cause.to_string());
        assert_eq!(go("/other").unwrap(), "https://registry.example.com/other");
        assert_eq!(go("https://cdn.example.net/x?sig=1").unwrap(), "https://cdn.example.net/x?sig=1");
        for (bad, why) in [
            ("http://registry.example.com/x", "gives up TLS"),
            ("https://169.254.169.254/x", "metadata"),
            ("https://127.0.0.1/x", "this machine"),
            ("https://u:p@cdn.example.net/", "user name"),
            ("ftp://cdn.example.net/", "no web address"),
            ("https://", "no web address"),
        ] {
            let message = go(bad).unwrap_err();
            assert!(message.contains(why), "{bad}: {message}");
            assert!(!message.contains("u:p"), "{message}");
        }
    }
}
