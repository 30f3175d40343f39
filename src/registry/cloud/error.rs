//! Why a cloud gave no login.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;

use crate::error::{Classified, Verdict};

use super::super::error::{Innermost, is_temporary};
use super::call::LARGEST_ANSWER;

/// A cloud gave no login; the step that failed and its cause are the sources.
#[derive(Debug, thiserror::Error)]
#[error("getting a login from {cloud}")]
pub struct CloudError {
    cloud: &'static str,
    #[source]
    problem: Box<Problem>,
}

/// What went wrong on the way to a login.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// There is no identity; the last place to look, a metadata service, was asked in vain.
    #[error("no identity was found; looked for {}", looked_for.join(", "))]
    Nowhere {
        looked_for: Vec<String>,
        #[source]
        last: Option<CallError>,
    },
    /// A call failed.
    #[error("{step}")]
    Call {
        step: String,
        #[source]
        cause: CallError,
    },
    /// A file cannot be read.
    #[error("reading {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// Something that was set has no use.
    #[error("{place}: {reason}")]
    Setting { place: String, reason: String },
    /// What was given is too old already.
    #[error("{0} has expired already")]
    Expired(&'static str),
    /// The code for this cloud was left out.
    #[cfg_attr(all(feature = "aws", feature = "gcp", feature = "azure"), expect(dead_code))]
    #[error("this tagboat is built without it")]
    NotBuilt,
    /// The client for metadata services cannot be made.
    #[error("the HTTP client cannot be built")]
    Client(#[source] Innermost),
}

/// Why a call to a cloud failed; no answer's text is in it, since it may repeat credentials.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("no answer in full within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("no answer")]
    Network(#[source] Innermost),
    #[error("the certificate is not trusted")]
    Certificate(#[source] Innermost),
    #[error("the answer was {}", Refused(*status, code.as_deref()))]
    Refused { status: StatusCode, code: Option<String>, after: Option<Duration> },
    #[error("the answer is longer than {LARGEST_ANSWER} bytes")]
    TooLong,
    #[error("the answer holds no {0}")]
    Without(&'static str),
    #[error("the header `{0}` would hold what cannot be sent")]
    Unsendable(String),
}

struct Refused<'a>(StatusCode, Option<&'a str>);

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        self.1.iter().try_for_each(|code| write!(f, " ({code})"))
    }
}

/// How AWS says that it was asked too often, with status 400.
const THROTTLED: [&str; 4] = ["Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"];

impl CallError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused { status, code, after } => {
                let throttled = code.as_deref().is_some_and(|code| THROTTLED.contains(&code));
                // Azure's metadata service says 410 while it is being updated.
                let passes = is_temporary(*status) || *status == StatusCode::GONE || throttled;
                if passes { Verdict::Retry { after: *after } } else { Verdict::Stalled }
            }
            Self::Timeout(_) | Self::Network(_) => Verdict::RETRY,
            Self::Certificate(_) | Self::TooLong | Self::Without(_) | Self::Unsendable(_) => Verdict::Stalled,
        }
    }
}

impl Problem {
    pub(super) fn setting(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Setting { place: place.into(), reason: reason.into() }
    }

    /// Makes an answer's lack of something the problem of a step.
    pub(super) fn without(what: &'static str, step: impl Into<String>) -> Self {
        Self::Call { step: step.into(), cause: CallError::Without(what) }
    }
}

impl CloudError {
    pub(super) fn new(cloud: &'static str, problem: Problem) -> Self {
        Self { cloud, problem: Box::new(problem) }
    }
}

impl Classified for CloudError {
    fn verdict(&self) -> Verdict {
        match &*self.problem {
            // A metadata service that is slow at the pod's start, or was not there this time, may well answer later.
            Problem::Nowhere { last, .. } => last.as_ref().map_or(Verdict::Stalled, CallError::verdict),
            Problem::Call { cause, .. } => cause.verdict(),
            // The next one may be new.
            Problem::Expired(_) => Verdict::RETRY,
            Problem::File { .. } | Problem::Setting { .. } | Problem::Client(_) | Problem::NotBuilt => Verdict::Stalled,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &*self.problem {
            Problem::Nowhere { .. } => match self.cloud {
                "AWS" => "give the workload a role (EKS Pod Identity, IRSA, an instance or task role), or set AWS_PROFILE or access keys",
                "GCP" => "give the workload a service account (Workload Identity Federation), or name a `key_file`",
                _ => "give the workload a managed identity, or Workload ID with its label and service account",
            },
            Problem::Call { cause: CallError::Refused { status, .. }, .. } if status.is_client_error() => match self.cloud {
                "AWS" => "see whether the role may be assumed from here and allows ecr:GetAuthorizationToken",
                "GCP" => "see whether the key is still valid, or whether the service account may be used from here",
                _ => "see whether the identity is bound to this workload and has the role AcrPull at the registry",
            },
            Problem::File { .. } => "see whether the file is mounted and may be read",
            Problem::Call { cause: CallError::Timeout(_) | CallError::Network(_), .. } => {
                "see whether the cloud's endpoint can be reached from here (name, port, firewall, proxy)"
            }
            Problem::Expired(_) => "see whether this machine's clock is right",
            Problem::Call { .. } | Problem::Setting { .. } | Problem::Client(_) | Problem::NotBuilt => return None,
        };
        Some(hint.to_owned())
    }
}
