//! Through which proxy a request goes: the policy file's word, else the environment's. Pure.
//!
//! Through a proxy (but for `socks5`) names are resolved by the proxy, so the filter of addresses in `tls` does not see
//! them: where such a name leads is the proxy's to allow. Literal addresses are checked before, by `trust`, as ever.

use std::net::IpAddr;

use url::{Host, Url};

use crate::redact::{SafeUrl, SecretSource};

use super::config::Mirror;

/// How a registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// As the environment says.
    #[default]
    Environment,
    /// Directly, whatever the environment says.
    Direct,
    /// Through this proxy, whatever the environment says.
    Through {
        /// Its URL, without user and password.
        url: SafeUrl,
        /// Its credential.
        auth: Option<ProxyAuth>,
    },
}

/// The credential of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAuth {
    /// The user.
    pub username: String,
    /// The password.
    pub password: SecretSource,
}

/// Why a text names no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProxy {
    /// It is no URL of a proxy.
    #[error("a proxy is written as `http://`, `https://`, `socks5://` or `socks5h://` with a host, and a port if it needs one")]
    Url,
    /// It goes on where a proxy's URL ends.
    #[error("a proxy's URL ends after the port")]
    Path,
    /// It holds a credential.
    #[error("the proxy's URL holds a user name or password")]
    Credential,
}

/// Reads a proxy's URL as the policy file writes it: whole, and without a credential.
///
/// # Errors
/// If it is anything else.
pub fn parse(text: &str) -> Result<SafeUrl, BadProxy> {
    let url = url(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadProxy::Credential);
    }
    Ok(SafeUrl::new(url))
}

fn url(text: &str) -> Result<Url, BadProxy> {
    let mut url = Url::parse(text).map_err(|_| BadProxy::Url)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(BadProxy::Url);
    }
    match url.scheme() {
        "http" | "https" => {}
        // Their own port, which no URL library knows.
        "socks5" | "socks5h" if url.port().is_none() => url.set_port(Some(1080)).map_err(|()| BadProxy::Url)?,
        "socks5" | "socks5h" => {}
        _ => return Err(BadProxy::Url),
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(BadProxy::Path);
    }
    Ok(url)
}

/// The proxies of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentProxies {
    http: Option<SafeUrl>,
    https: Option<SafeUrl>,
    except: Vec<Exception>,
}

impl EnvironmentProxies {
    /// Reads the variables; a variable that is set to nothing is as good as not set.
    ///
    /// # Errors
    /// The name of the first variable that names no proxy, and why not.
    pub fn read<'v>(variable: impl Fn(&str) -> Option<&'v str>) -> Result<Self, (&'static str, BadProxy)> {
        let set = |name: &'static str, small: &'static str| {
            let read = |name| Some((name, variable(name)?.trim())).filter(|(_, text)| !text.is_empty());
            read(name).or_else(|| read(small))
        };
        let proxy = |name, small| {
            let read = |(name, text): (&'static str, &str)| {
                // Without a scheme `http` is meant, as curl has it.
                let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
                url(&whole).map(SafeUrl::new).map_err(|reason| (name, reason))
            };
            set(name, small).map(read).transpose()
        };
        let all = proxy("ALL_PROXY", "all_proxy")?;
        Ok(Self {
            http: proxy("HTTP_PROXY", "http_proxy")?.or_else(|| all.clone()),
            https: proxy("HTTPS_PROXY", "https_proxy")?.or(all),
            except: set("NO_PROXY", "no_proxy").map(|(_, list)| exceptions(list)).unwrap_or_default(),
        })
    }

    fn pick(&self, to: &Url) -> Option<&SafeUrl> {
        let proxy = if to.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.except.iter().any(|exception| exception.covers(to)))
    }
}

/// An entry of `NO_PROXY`: a host and those below it, an address, a network, or `*`; and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// In lower case; `.example.com` and `*.example.com` are the same as `example.com`, as curl has it.
    Below(String),
    /// Those whose first bits are these. Only literal addresses are compared: a name is not resolved for this.
    Network(IpAddr, u8),
}

fn exceptions(list: &str) -> Vec<Exception> {
    list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).filter_map(exception).collect()
}

fn exception(entry: &str) -> Option<Exception> {
    let whole = |hosts| Some(Exception { hosts, port: None });
    if entry == "*" {
        return whole(Hosts::All);
    }
    if let Some((address, bits)) = entry.split_once('/') {
        let (address, bits) = (address.parse().ok()?, bits.parse().ok()?);
        return whole(Hosts::Network(address, bits)).filter(|_| bits <= width(address));
    }
    let address = |text: &str| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    if let Some(address) = address(entry) {
        return whole(Hosts::Network(address, width(address)));
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (entry, None),
    };
    let hosts = match address(host) {
        Some(address) => Hosts::Network(address, width(address)),
        None => Hosts::Below(host.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase()),
    };
    Some(Exception { hosts, port })
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Exception {
    fn covers(&self, to: &Url) -> bool {
        let host = match (&self.hosts, to.host()) {
            (Hosts::All, _) => true,
            (Hosts::Below(name), Some(Host::Domain(host))) => {
                let host = host.trim_end_matches('.');
                host.strip_suffix(name.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
            (Hosts::Network(network, bits), Some(Host::Ipv4(v4))) => shares(*network, IpAddr::V4(v4), *bits),
            (Hosts::Network(network, bits), Some(Host::Ipv6(v6))) => shares(*network, IpAddr::V6(v6), *bits),
            _ => false,
        };
        host && (self.port.is_none() || self.port == to.port_or_known_default())
    }
}

/// Says whether two addresses of the same kind share their first bits.
fn shares(a: IpAddr, b: IpAddr, bits: u8) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits),
        _ => false,
    }
}

/// How the requests of one registry go: with all secrets at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Direct,
    Through(SafeUrl),
    Environment(EnvironmentProxies),
}

impl Route {
    /// Returns the proxy for a request, with its credential.
    pub(super) fn proxy(&self, to: &Url) -> Option<&SafeUrl> {
        match self {
            Self::Direct => None,
            Self::Through(proxy) => Some(proxy),
            Self::Environment(proxies) => proxies.pick(to),
        }
    }
}

impl Mirror {
    /// Reads `mirror.example.com/dockerhub`: a host, and a prefix of names if it has one.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn parse(text: &str) -> Result<Self, crate::image::ParseError> {
        let (host, prefix) = text.split_once('/').map_or((text, None), |(host, prefix)| (host, Some(prefix)));
        let registry = crate::image::Registry::parse(host)?;
        if let Some(prefix) = prefix {
            // The prefix of a name is made as a name is.
            crate::image::Repository::parse(&format!("localhost/{prefix}"))?;
        }
        Ok(Self { registry, prefix: prefix.map(str::to_owned) })
    }

    /// Returns what a repository is called there.
    pub(super) fn name(&self, name: &str) -> String {
        self.prefix.as_ref().map_or_else(|| name.to_owned(), |prefix| format!("{prefix}/{name}"))
    }
}

impl std::fmt::Display for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.registry)?;
        self.prefix.iter().try_for_each(|prefix| write!(f, "/{prefix}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(variables: &[(&str, &'static str)]) -> Result<EnvironmentProxies, (&'static str, BadProxy)> {
        EnvironmentProxies::read(|name| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| *value))
    }

    fn pick(variables: &[(&str, &'static str)], to: &str) -> Option<String> {
        let proxies = environment(variables).unwrap();
        proxies.pick(&Url::parse(to).unwrap()).map(|proxy| proxy.expose().to_string())
    }

    #[test]
    fn the_environment_names_a_proxy_for_each_scheme() {
        let some = |text: &str| Some(text.to_owned());
        let both = [("HTTPS_PROXY", "http://s:3128"), ("http_proxy", "p:8080"), ("ALL_PROXY", "socks5h://all")];
        assert_eq!(pick(&both, "https://ghcr.io/"), some("http://s:3128/"));
        assert_eq!(pick(&both, "http://ghcr.io/"), some("http://p:8080/"));
        assert_eq!(pick(&both[2..], "https://ghcr.io/"), some("socks5h://all:1080"));
        assert_eq!(pick(&[("HTTP_PROXY", ""), ("http_proxy", "http://small/")], "http://ghcr.io/"), some("http://small/"));
        assert_eq!(pick(&[("HTTP_PROXY", "http://p")], "https://ghcr.io/"), None);
        assert_eq!(pick(&[], "https://ghcr.io/"), None);
        assert_eq!(pick(&[("HTTPS_PROXY", "http://bot:p%40ss@s:1")], "https://ghcr.io/"), some("http://bot:p%40ss@s:1/"));
        assert_eq!(environment(&[("HTTPS_PROXY", "ftp://s")]), Err(("HTTPS_PROXY", BadProxy::Url)));
        assert_eq!(environment(&[("all_proxy", "http://")]), Err(("all_proxy", BadProxy::Url)));
    }

    #[test]
    fn no_proxy_as_curl_and_go_understand_it() {
        for (list, to, direct) in [
            ("*", "https://ghcr.io/", true),
            ("example.com", "https://example.com/", true),
            ("example.com", "https://r.Example.com./", true),
            (".example.com", "https://r.example.com/", true),
            ("*.example.com", "https://r.example.com/", true),
            (".example.com", "https://example.com/", true),
            ("EXAMPLE.com", "https://example.com/", true),
            ("example.com", "https://notexample.com/", false),
            ("example.com", "https://example.com.evil.org/", false),
            ("a.org, example.com ,b.org", "https://example.com/", true),
            ("a.org example.com", "https://example.com/", true),
            ("example.com:8443", "https://example.com:8443/", true),
            ("example.com:8443", "https://example.com/", false),
            ("example.com:443", "https://example.com/", true),
            ("10.0.0.0/8", "https://10.1.2.3:5000/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("0.0.0.0/0", "https://11.1.2.3/", true),
            ("0.0.0.0/0", "https://[::1]/", false),
            ("10.0.0.1", "https://10.0.0.1/", true),
            ("10.0.0.1:5000", "https://10.0.0.1:5000/", true),
            ("10.0.0.1:5000", "https://10.0.0.1:5001/", false),
            ("10.0.0.0/8", "https://r.example.com/", false),
            ("fd00::/8", "https://[fd12::1]:5000/", true),
            ("fd00::/8", "https://[fe80::1]/", false),
            ("::1", "http://[::1]:5000/", true),
            ("[::1]", "http://[::1]:5000/", true),
            ("[::1]:5000", "http://[::1]:5000/", true),
            ("[::1]:5000", "http://[::1]:5001/", false),
            ("10.0.0.0/33", "https://10.1.2.3/", false),
            ("10.0.0.0/-1", "https://10.1.2.3/", false),
            ("localhost", "http://localhost:5000/", true),
            (",,", "https://example.com/", false),
        ] {
            let entries = exceptions(list);
            assert_eq!(entries.iter().any(|entry| entry.covers(&Url::parse(to).unwrap())), direct, "{list:?} {to}");
        }
    }

    #[test]
    fn a_proxy_in_the_policy_file_has_no_credential_and_no_path() {
        for (text, expected) in [
            ("http://proxy.example.com:3128", Ok("http://proxy.example.com:3128/")),
            ("https://proxy.example.com", Ok("https://proxy.example.com/")),
            ("socks5://[::1]", Ok("socks5://[::1]:1080")),
            ("socks5h://proxy:1081", Ok("socks5h://proxy:1081")),
            ("http://bot:secret@proxy", Err(BadProxy::Credential)),
            ("http://bot@proxy", Err(BadProxy::Credential)),
            ("http://proxy/path", Err(BadProxy::Path)),
            ("http://proxy?x", Err(BadProxy::Path)),
            ("proxy:3128", Err(BadProxy::Url)),
            ("proxy", Err(BadProxy::Url)),
            ("socks4://proxy", Err(BadProxy::Url)),
            ("socks5:proxy", Err(BadProxy::Url)),
            ("", Err(BadProxy::Url)),
        ] {
            assert_eq!(parse(text).map(|url| url.to_string()), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn mirrors() {
        let read = |text| Mirror::parse(text).map(|mirror| (mirror.registry.to_string(), mirror.name("library/nginx"), mirror.to_string()));
        let some = |host: &str, name: &str, text: &str| Ok((host.to_owned(), name.to_owned(), text.to_owned()));
        assert_eq!(read("mirror.example.com"), some("mirror.example.com", "library/nginx", "mirror.example.com"));
        assert_eq!(read("[::1]:5000/a/b"), some("[::1]:5000", "a/b/library/nginx", "[::1]:5000/a/b"));
        for wrong in [
            "",
            "/a",
            "m.example.com/",
            "m.example.com/A",
            "m.example.com/a//b",
            "https://m.example.com",
            "m.example.com/a:1",
            "m.example.com/../a",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_list_of_exceptions_makes_the_reader_panic(list in ".{0,60}", host in "[a-z.]{1,20}") {
            let to = Url::parse(&format!("https://{host}/"));
            prop_assume!(to.is_ok());
            let _ = exceptions(&list).iter().any(|entry| entry.covers(to.as_ref().unwrap()));
        }
    }
}
