//! Why something could not be done: every reason, with its verdict and its hint.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::refusal::{Refusal, Server};
use super::wrapped::{BadJson, Innermost};
use crate::error::{Classified, Verdict};
use crate::image::{Digest, Registry};
use crate::redact::{SecretError, one_line};
use crate::registry::cloud::CloudError;
use crate::registry::config::Mirror;
use crate::registry::helper::{Helper, HelperError};

/// Why something could not be done at a registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The answer was a refusal or a failure.
    #[error("{0}")]
    Answer(Refusal),
    /// The registry asked for patience a while ago; it has not been asked again.
    #[error("the registry asked to wait another {} s before the next request", after.as_secs())]
    Throttled {
        /// How long it still wants to be left alone.
        after: Duration,
    },
    /// The host failed again and again; it has not been asked again.
    #[error("the registry is left alone for a while after failing again and again, last so: {reason}")]
    Open {
        /// When the failures began.
        since: Timestamp,
        /// The last failure.
        reason: Arc<str>,
        /// When it is tried again.
        after: Duration,
    },
    /// The registry's limit of pulls is used up, and this would have been one.
    #[error("the registry's limit of pulls is used up")]
    PullsSpent {
        /// When there may be more.
        after: Duration,
    },
    /// It failed at the mirror, which stands for the registry itself.
    #[error("at the mirror {mirror}")]
    Mirror {
        /// The mirror.
        mirror: Mirror,
        /// What failed.
        #[source]
        cause: Arc<Cause>,
    },
    /// No connection, or one that broke.
    #[error("no answer from {host}")]
    Network {
        /// The host that was spoken to.
        host: String,
        /// What happened.
        #[source]
        source: Innermost,
    },
    /// The host's certificate is not trusted.
    #[error("the certificate of {host} is not trusted")]
    Certificate {
        /// The host that was spoken to.
        host: String,
        /// What is wrong with it.
        #[source]
        source: Innermost,
    },
    /// The host lets nobody in without a client certificate, or knows another one.
    #[error("{host} wants a client certificate that it knows")]
    ClientCertificate {
        /// The host that was spoken to.
        host: String,
        /// How it says so.
        #[source]
        source: Innermost,
    },
    /// It speaks plain HTTP where TLS is wanted.
    #[error("{host} does not speak TLS")]
    NotTls {
        /// The host that was spoken to.
        host: String,
    },
    /// The deadline passed.
    #[error("{host} did not answer in full within {} s", after.as_secs_f32())]
    Timeout {
        /// The host that was spoken to.
        host: String,
        /// The deadline.
        after: Duration,
    },
    /// An answer is longer than any honest one.
    #[error("{what} is longer than {limit} bytes")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// The most that is read of it.
        limit: usize,
    },
    /// An answer is a web page, as log-in pages and proxies give it.
    #[error("the registry answered with a web page instead of {expected}")]
    WebPage {
        /// What was expected.
        expected: &'static str,
    },
    /// An answer is not the JSON that it should be.
    #[error("the answer is not {expected}")]
    Json {
        /// What was expected.
        expected: &'static str,
        /// What is wrong with it.
        #[source]
        source: BadJson,
    },
    /// The listing does not end.
    #[error("the listing does not end: {0}")]
    Endless(&'static str),
    /// The manifest is of a kind that has no use here.
    #[error("the registry answered with `{0}` instead of an image manifest or index")]
    MediaType(String),
    /// The content is not what its digest says.
    #[error("the manifest's own digest is {actual}, but the registry says {claimed}")]
    DigestMismatch {
        /// What the registry says.
        claimed: String,
        /// What was computed.
        actual: String,
    },
    /// What was asked for by its digest is something else.
    #[error("{what} has the digest {actual}, but {asked} was asked for")]
    WrongContent {
        /// What was being read.
        what: &'static str,
        /// The digest that was asked for.
        asked: Digest,
        /// What was computed.
        actual: Digest,
    },
    /// A manifest cannot mean one thing only, or is beyond what one may hold.
    #[error("the manifest cannot be used: {0}")]
    BadManifest(&'static str),
    /// A redirect that must not be followed.
    #[error("the redirect to {to} was not followed: {reason}")]
    Redirect {
        /// Where it leads, cleaned for printing.
        to: String,
        /// Why not.
        reason: &'static str,
    },
    /// The registry names a token server that must not be asked.
    #[error("the registry sends for a token to {realm}: {reason}")]
    Realm {
        /// The token server as named, cleaned for printing.
        realm: String,
        /// Why it is not asked.
        reason: &'static str,
        /// Whether `token_hosts` would help.
        listable: bool,
    },
    /// The registry wants an authentication that is not known.
    #[error("the registry wants an authentication that is neither Basic nor Bearer")]
    Challenge,
    /// The token server's answer holds no token.
    #[error("the token server {host} answered without a token")]
    NoToken {
        /// The token server.
        host: String,
    },
    /// A secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A cloud gave no login.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// A credential holds what cannot be sent.
    #[error("the credential holds characters that cannot be sent in a header")]
    Unsendable,
    /// Docker's config file could not be read.
    #[error("reading Docker's config file {}", path.display())]
    DockerConfig {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// Docker's config file names a helper program that may not be run.
    #[error("Docker's config file {} names the credential helper `{}`", path.display(), one_line(helper, 60))]
    CredentialHelperName {
        /// The file.
        path: PathBuf,
        /// The helper's name, as written.
        helper: String,
        /// What is wrong with it.
        #[source]
        cause: HelperError,
    },
    /// A helper program gave no credential.
    #[error("asking the helper program {helper} for the credential of {registry}")]
    CredentialHelper {
        /// The registry.
        registry: Registry,
        /// The helper.
        helper: Helper,
        /// Why not.
        #[source]
        cause: HelperError,
    },
    /// A certificate file could not be used.
    #[error("reading the certificates in {}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// A client certificate or its key could not be used.
    #[error("reading the client certificate in {}", path.display())]
    ClientCert {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be built")]
    Client(#[source] Innermost),
    /// A host that does not make a URL.
    #[error("`{0}` does not make a URL")]
    Url(String),
    /// A failure that was met while another request of the same kind was waited for.
    #[error(transparent)]
    Shared(Arc<Cause>),
}

impl Cause {
    /// Returns the refusal that it is, if it is one.
    pub(in crate::registry) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Answer(refusal) => Some(refusal),
            Self::Shared(cause) => cause.refusal(),
            _ => None,
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Answer(refusal) if refusal.may_pass() => Verdict::Retry { after: refusal.after },
            Self::Throttled { after } | Self::Open { after, .. } | Self::PullsSpent { after } => Verdict::Retry { after: Some(*after) },
            Self::Network { .. } | Self::Timeout { .. } | Self::DigestMismatch { .. } | Self::WrongContent { .. } => Verdict::RETRY,
            Self::Json { source, .. } if source.0.is_eof() => Verdict::RETRY,
            Self::Cloud(error) => error.verdict(),
            Self::CredentialHelper { cause, .. } => cause.verdict(),
            Self::Shared(cause) | Self::Mirror { cause, .. } => cause.verdict(),
            _ => Verdict::Stalled,
        }
    }

    pub(super) fn is_of_the_host(&self) -> bool {
        match self {
            Self::Answer(refusal) => refusal.may_pass() || matches!(refusal.server, Server::TokenServer(_)),
            Self::Throttled { .. } | Self::Open { .. } | Self::Network { .. } | Self::Timeout { .. } => true,
            Self::Certificate { .. } | Self::ClientCertificate { .. } | Self::NotTls { .. } | Self::CaFile { .. } => true,
            Self::ClientCert { .. } | Self::Client(_) | Self::Url(_) => true,
            Self::Cloud(_) | Self::Secret(_) | Self::Unsendable | Self::DockerConfig { .. } => true,
            Self::CredentialHelper { .. } | Self::CredentialHelperName { .. } => true,
            Self::Shared(cause) | Self::Mirror { cause, .. } => cause.is_of_the_host(),
            _ => false,
        }
    }

    pub(super) fn hint(&self, registry: &str) -> Option<String> {
        let hint = match self {
            Self::Answer(refusal) => return refusal.hint(registry),
            Self::Throttled { .. } => format!("lower `rate` or `concurrency` of [registry.\"{registry}\"], or lengthen `interval`"),
            Self::PullsSpent { .. } => "signing in often raises the limit; so does a mirror".to_owned(),
            // Over HTTP/2 a server's refusal of a missing certificate often shows as no more than this.
            Self::Network { source, .. } if !source.is_connect() => {
                format!(
                    "see whether a proxy or firewall cuts connections to {registry}, or whether it wants a client certificate (`client_cert`, `client_key`)"
                )
            }
            Self::Network { .. } | Self::Timeout { .. } | Self::Open { .. } => {
                format!("see whether {registry} can be reached from here (name, port, firewall, proxy)")
            }
            Self::Certificate { .. } => format!("name the authority that signed it as `ca_file` of [registry.\"{registry}\"]"),
            Self::ClientCertificate { .. } => {
                format!("give the certificate that it knows and its key as `client_cert` and `client_key` of [registry.\"{registry}\"]")
            }
            Self::NotTls { .. } => format!("if it is meant to speak plain HTTP, set `plain_http = true` in [registry.\"{registry}\"]"),
            Self::WebPage { .. } => {
                format!("see whether {registry} is a registry's host, and whether a log-in page or proxy stands before it")
            }
            Self::Realm { listable: true, .. } => {
                format!("if it may have the credential, add it to `token_hosts` of [registry.\"{registry}\"]")
            }
            Self::CredentialHelper { helper, cause, .. } => cause.hint(helper, registry),
            Self::Secret(SecretError::File { .. }) => "see whether the file is mounted and may be read".to_owned(),
            Self::Secret(SecretError::Unset { name }) => format!("set {name}"),
            Self::CaFile { .. } => "it must hold certificates in PEM form".to_owned(),
            Self::Cloud(error) => return error.hint(),
            Self::ClientCert { .. } => {
                "`client_cert` must hold a certificate, and `client_key` its unencrypted private key, both in PEM form".to_owned()
            }
            Self::Shared(cause) => return cause.hint(registry),
            Self::Mirror { mirror, cause } => return cause.hint(mirror.registry.as_str()),
            _ => return None,
        };
        Some(hint)
    }
}
