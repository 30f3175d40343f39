//! The HTTP client under everything: TLS with its certificates, name resolution, no redirects of its own.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Identity, Proxy};
use rustls::AlertDescription;

use super::config::ClientCert;
use super::error::{Cause, Innermost};
use super::proxy::Route;
use super::trust;

/// How long a connection may take to be made; a whole request has its own deadline.
const CONNECT: Duration = Duration::from_secs(10);
/// A bundle of all public authorities is 250 KB.
const LARGEST_PEM_FILE: u64 = 4 * 1024 * 1024;

/// Makes *ring* the process's cryptography; does nothing the second time.
pub fn install_crypto_provider() {
    // The error means that a provider is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Builds a client that trusts the system's authorities and these, shows `identity` to who asks for one, and goes by `route`.
pub(super) fn client(authorities: &[Certificate], identity: Option<Identity>, route: &Arc<Route>) -> Result<reqwest::Client, Cause> {
    install_crypto_provider();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("tagboat/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        // Followed by hand, so that every hop is checked and no credential goes along.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .dns_resolver(Resolver(system))
        // Not the environment's, which the library would read by itself.
        .no_proxy();
    if **route != Route::Direct {
        let route = Arc::clone(route);
        builder = builder.proxy(Proxy::custom(move |to| route.proxy(to).map(|proxy| proxy.expose().clone())));
    }
    if !authorities.is_empty() {
        builder = builder.tls_certs_merge(authorities.iter().cloned());
    }
    if let Some(identity) = identity {
        builder = builder.identity(identity);
    }
    builder.build().map_err(|error| Cause::Client(Innermost::new(error)))
}

/// Reads a file of certificates.
pub(super) fn certificates(path: &Path) -> Result<Vec<Certificate>, Cause> {
    let read = || {
        let certificates = Certificate::from_pem_bundle(&pem(path)?).map_err(|_| invalid("it is not in PEM form"))?;
        if certificates.is_empty() { Err(invalid("it holds no certificate")) } else { Ok(certificates) }
    };
    read().map_err(|cause| Cause::CaFile { path: path.to_owned(), cause })
}

/// Reads a client certificate and its key.
pub(super) fn identity(pair: &ClientCert) -> Result<Identity, Cause> {
    let fail = |path: &Path, cause| Cause::ClientCert { path: path.to_owned(), cause };
    let read = |path: &Path, kind: &str, missing: &str| {
        let pem = pem(path).map_err(|cause| fail(path, cause))?;
        // The library names neither the file nor what is wrong with it.
        let there = String::from_utf8_lossy(&pem).lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(kind));
        if there { Ok(pem) } else { Err(fail(path, invalid(missing))) }
    };
    let mut both = read(&pair.key, "PRIVATE KEY-----", "it holds no private key in PEM form")?;
    both.push(b'\n');
    both.extend(read(&pair.cert, "CERTIFICATE-----", "it holds no certificate in PEM form")?);
    Identity::from_pem(&both).map_err(|_| fail(&pair.cert, invalid("it or its key is not in PEM form")))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

fn pem(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(path)?, LARGEST_PEM_FILE + 1), &mut pem)?;
    if pem.len() as u64 > LARGEST_PEM_FILE { Err(invalid("it is larger than 4 MiB")) } else { Ok(pem) }
}

type Lookup = fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Name resolution without the addresses that no registry has: those at which clouds give out credentials, link-local
/// ones and the like. A registry may name any host as its token server or as the target of a redirect.
///
/// A registry that is configured by such an address is not resolved and so not affected. Nor are names that a proxy resolves.
struct Resolver(Lookup);

fn system(name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        // Brackets come along where an IPv6 address is to be told to a SOCKS proxy.
        let found = (self.0)(name.as_str().trim_start_matches('[').trim_end_matches(']').to_owned());
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.into_iter().filter(|address| !trust::is_forbidden(address.ip())).collect();
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name leads to no address that may be used").into());
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

/// What a transport error says about TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The other side's certificate is not trusted.
    Certificate,
    /// The other side wants a certificate of ours, or another one.
    ClientCertificate,
    /// The other side does not speak TLS.
    NotTls,
    /// It is not about TLS.
    Other,
}

/// Says whether an alert (RFC 8446, 6.2) judges the certificate that we sent or did not send: servers choose among these freely.
fn is_about_our_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
    )
}

/// Finds out what a transport error is about.
pub(super) fn fault(error: &reqwest::Error) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(mut error) = cause {
        // An `io::Error` names its inner error's source as its own, so the inner one has to be asked for; they come nested.
        while let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            error = inner;
        }
        match error.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => return Fault::Certificate,
            Some(rustls::Error::AlertReceived(alert)) if is_about_our_certificate(*alert) => return Fault::ClientCertificate,
            Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => return Fault::NotTls,
            _ => {}
        }
        cause = error.source();
    }
    Fault::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(lookup: Lookup) -> Result<Vec<String>, String> {
        let name = "registry.example.com".parse().unwrap();
        let found = Resolver(lookup).resolve(name).await.map_err(|error| error.to_string())?;
        Ok(found.map(|address| address.ip().to_string()).collect())
    }

    #[tokio::test]
    async fn a_name_that_leads_to_metadata_or_link_local_addresses_is_not_followed_there() {
        let addresses = |_: String| -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
            let forbidden = [
                "169.254.169.254",
                "169.254.0.1",
                "fe80::1",
                "fd00:ec2::254",
                "::ffff:169.254.169.254",
                "0.0.0.0",
                "::",
                "100.100.100.200",
            ];
            Box::pin(std::future::ready(Ok(forbidden.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect())))
        };
        assert_eq!(resolve(addresses).await, Err("the name leads to no address that may be used".to_owned()));
    }

    #[tokio::test]
    async fn private_and_loopback_addresses_are_where_people_host_their_own() {
        let addresses = |name: String| -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
            assert_eq!(name, "registry.example.com");
            let mixed = ["10.0.0.1", "169.254.169.254", "fd12::1", "127.0.0.1", "192.0.2.1"];
            Box::pin(std::future::ready(Ok(mixed.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect())))
        };
        assert_eq!(resolve(addresses).await.unwrap(), ["10.0.0.1", "fd12::1", "127.0.0.1", "192.0.2.1"]);
    }
}
