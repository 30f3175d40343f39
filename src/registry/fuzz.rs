//! What must hold of all that a registry may say, as functions over bytes.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK, WWW_AUTHENTICATE};
use url::{Host, Url};

use super::challenge::{self, Challenge};
use super::error::Cause;
use super::wire::Answer;
use super::{docker_config, link, listing, manifest, token, trust};
use crate::fuzz::message;

/// A registry's root as [`super::Client`] makes it.
const REGISTRY: &str = "https://registry.example.com/v2/";
/// … and one that is configured plain.
const PLAIN: &str = "http://registry.example.com:5000/v2/";

/// `WWW-Authenticate`, a line each: the choice is stable, and a realm that is let through is safe to ask.
pub fn challenge(data: &[u8]) {
    let headers = lines(data, &WWW_AUTHENTICATE);
    let chosen = challenge::choose(&headers);
    assert_eq!(chosen, challenge::choose(&headers));
    let Some(Challenge::Bearer { realm, service }) = &chosen else { return };
    assert!(!realm.is_empty() && service.as_deref() != Some(""));
    let mut more = lines(b"Basic realm=\"before\"", &WWW_AUTHENTICATE);
    more.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    assert_eq!(challenge::choose(&more), chosen, "Bearer comes before Basic wherever they stand");
    for (registry, secret) in [(REGISTRY, false), (REGISTRY, true), (PLAIN, true)] {
        let registry = url(registry);
        match trust::realm(realm, &registry, &[], secret) {
            Err(cause) => harmless(&cause),
            Ok(realm) => {
                assert!(realm.scheme() == "https" || (realm.scheme() == "http" && realm.host() == registry.host()), "{realm}");
                assert!(realm.username().is_empty() && realm.password().is_none(), "{realm}");
                // A dot at the end names the same host, outright.
                let host = realm.host_str().unwrap_or_default().trim_end_matches('.');
                assert!(!secret || host == "example.com" || host.ends_with(".example.com"), "{realm} is of another site");
            }
        }
    }
}

/// `Link`, a line each: the next page is another page of the same listing.
pub fn link(data: &[u8]) {
    let page = url("https://registry.example.com/v2/acme/api/tags/list?n=1000");
    if let Some(next) = link::next(&page, &lines(data, &LINK)) {
        assert_eq!((next.origin(), next.path()), (page.origin(), page.path()));
        assert!(next.username().is_empty() && next.password().is_none() && next.fragment().is_none(), "{next}");
    }
}

/// `Location`: a redirect keeps TLS and leads to no address that nobody should be sent to.
pub fn redirect(data: &[u8]) {
    let Ok(location) = std::str::from_utf8(data) else { return };
    for registry in [REGISTRY, PLAIN] {
        let registry = url(registry);
        match trust::redirect(&registry, location, &registry) {
            Err(cause) => harmless(&cause),
            Ok(to) => {
                assert!(to.scheme() == "https" || (to.scheme() == "http" && registry.scheme() == "http"), "{to}");
                assert!(to.username().is_empty() && to.password().is_none(), "{to}");
                let harmful = match to.host() {
                    Some(Host::Domain(name)) => {
                        let name = name.trim_end_matches('.');
                        name.is_empty() || name == "localhost" || name.ends_with(".localhost")
                    }
                    Some(Host::Ipv4(v4)) => v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
                    Some(Host::Ipv6(v6)) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified(),
                    None => true,
                };
                assert!(!harmful, "{to}");
            }
        }
    }
}

/// A page of tags.
pub fn listing(data: &[u8]) {
    if let Err(cause) = listing::fuzz(&answer(data)) {
        harmless(&cause);
    }
}

/// A token server's answer.
pub fn token(data: &[u8]) {
    token::fuzz(data);
}

/// A manifest or an index, its headers before it.
pub fn manifest(data: &[u8]) {
    if let Err(cause) = manifest::fuzz(&mut answer(data)) {
        harmless(&cause);
    }
}

/// Docker's config file.
pub fn docker_config(data: &[u8]) {
    docker_config::fuzz(data);
}

fn answer(data: &[u8]) -> Answer {
    let (headers, body) = message(data);
    Answer::good(headers, body.to_vec(), url(REGISTRY))
}

fn lines(data: &[u8], name: &HeaderName) -> HeaderMap {
    let values = data.split(|&byte| byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    values.fold(HeaderMap::new(), |mut headers, value| {
        headers.append(name, value);
        headers
    })
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a constant")
}

fn harmless(cause: &Cause) {
    crate::fuzz::harmless(&crate::error::chain(cause).to_string());
}
