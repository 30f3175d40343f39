//! The HTTP client under everything: TLS with its certificates, name resolution, no redirects of its own.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::AlertDescription;

use super::error::{Cause, Innermost};
use super::trust;

/// How long a connection may take to be made; a whole request has its own deadline.
const CONNECT: Duration = Duration::from_secs(10);
/// A bundle of all public authorities is 250 KB.
const LARGEST_CA_FILE: u64 = 4 * 1024 * 1024;

/// Makes *ring* the process's cryptography; does nothing the second time.
pub fn install_crypto_provider() {
    // The error means that a provider is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Builds a client that trusts the system's authorities and those in `ca_file`.
pub(super) fn client(ca_file: Option<&Path>) -> Result<reqwest::Client, Cause> {
    install_crypto_provider();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("tagboat/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        // Followed by hand, so that every hop is checked and no credential goes along.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .dns_resolver(Resolver);
    if let Some(path) = ca_file {
        builder = builder.tls_certs_merge(certificates(path).map_err(|cause| Cause::CaFile { path: path.to_owned(), cause })?);
    }
    builder.build().map_err(|error| Cause::Client(Innermost::new(error)))
}

fn certificates(path: &Path) -> io::Result<Vec<Certificate>> {
    let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
    let mut pem = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(path)?, LARGEST_CA_FILE + 1), &mut pem)?;
    if pem.len() as u64 > LARGEST_CA_FILE {
        return Err(invalid("it is larger than 4 MiB"));
    }
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| invalid("it is not in PEM form"))?;
    if certificates.is_empty() { Err(invalid("it holds no certificate")) } else { Ok(certificates) }
}

/// The system's name resolution, without the addresses at which clouds give out credentials:
/// a registry may name any host as its token server or the target of a redirect.
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.filter(|address| !trust::is_metadata(address.ip())).collect();
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
