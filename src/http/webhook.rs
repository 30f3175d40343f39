//! Push events: a registry says that a repository has a new tag, and that repository is listed now rather than later.
//!
//! Owns who may send what: each sender's way to prove itself, the form of its payload, and the answer that it needs. Hides
//! keys, signatures and JSON. A payload is a hint and nothing more: all that it can bring about is a listing of a
//! repository that is watched anyway. Nothing that it names is ever fetched.

mod auth;
mod deliver;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod google;
mod keys;
mod read;
mod senders;
mod tell;

use url::Url;

use crate::image::{Registry, Repository, Tag};
use crate::redact::SecretSource;

pub(super) use deliver::{Webhooks, deliver};
pub use google::{Expected, JwtError, Key, verify};
pub use read::{Reading, Unreadable, parse};

/// Where Google publishes the keys that it signs identity tokens with.
pub const GOOGLE_KEYS: &str = "https://www.googleapis.com/oauth2/v3/certs";

/// A webhook of the policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The last part of its path: `/webhook/NAME`.
    pub name: String,
    /// Who sends, and what the payloads mean.
    pub sender: Sender,
    /// How the sender proves itself.
    pub auth: Auth,
}

/// Who sends, and what is needed to understand it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The form of the payloads.
    pub kind: Kind,
    /// The registry that the names belong to. Events of another one are ignored where the payload says which.
    pub host: Option<Registry>,
    /// Artifactory: the virtual repository that images are pulled from, if it is not the one that they are pushed to.
    pub virtual_repository: Option<String>,
    /// Generic: where repository and tag stand.
    pub pointers: Option<Pointers>,
}

/// Where a payload of no known form names its repository and its tag, as JSON pointers (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointers {
    /// The repository, with or without its host.
    pub repository: String,
    /// The tag; without it every delivery counts.
    pub tag: Option<String>,
}

/// How a sender proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not at all: whoever reaches the port may send.
    Unauthenticated,
    /// By a secret; whether it is sent or signed with is the sender's kind.
    Secret(SecretSource),
    /// By an identity token that Google signed.
    Google {
        /// What the token must be for and about.
        expected: Expected,
        /// Where the keys are published.
        keys: Url,
    },
}

/// The form of payloads, by the product that sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Docker Hub.
    DockerHub,
    /// GitHub's packages: `package` and `registry_package`.
    GitHub,
    /// CNCF distribution 2.8 and 3, and GitLab's own registry.
    Distribution,
    /// Harbor, in its default form and as CloudEvents.
    Harbor,
    /// Quay.
    Quay,
    /// Azure: the registry's webhooks, and Event Grid in both of its schemas.
    Acr,
    /// AWS: EventBridge, as it is or made a CloudEvent.
    Ecr,
    /// Google: Pub/Sub push.
    Gar,
    /// Nexus.
    Nexus,
    /// Artifactory.
    Artifactory,
    /// Gitea and Forgejo.
    Gitea,
    /// zot.
    Zot,
    /// Aliyun's container registry.
    Aliyun,
    /// Any JSON, by pointers.
    Generic,
}

/// What a sender does with its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// It is sent along: in `Authorization`, in `X-Webhook-Secret` or in the URL.
    Token,
    /// `X-Hub-Signature-256`.
    GitHub,
    /// `X-Gitea-Signature` and its likes.
    Gitea,
    /// `X-Nexus-Webhook-Signature`.
    Nexus,
    /// `X-JFrog-Event-Auth`, which is a signature or the secret.
    Artifactory,
}

impl Kind {
    /// The words that stand for kinds in the policy file; the first of each kind is its own.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("dockerhub", Self::DockerHub),
        ("github", Self::GitHub),
        ("distribution", Self::Distribution),
        ("gitlab", Self::Distribution),
        ("harbor", Self::Harbor),
        ("quay", Self::Quay),
        ("acr", Self::Acr),
        ("ecr", Self::Ecr),
        ("gar", Self::Gar),
        ("nexus", Self::Nexus),
        ("artifactory", Self::Artifactory),
        ("gitea", Self::Gitea),
        ("forgejo", Self::Gitea),
        ("zot", Self::Zot),
        ("aliyun", Self::Aliyun),
        ("generic", Self::Generic),
    ];

    /// Says whether payloads name no registry, so that the policy file has to.
    #[must_use]
    pub fn needs_host(self) -> bool {
        matches!(self, Self::Nexus | Self::Gitea | Self::Zot)
    }

    fn proof(self) -> Proof {
        match self {
            Self::GitHub => Proof::GitHub,
            Self::Gitea => Proof::Gitea,
            Self::Nexus => Proof::Nexus,
            Self::Artifactory => Proof::Artifactory,
            Self::DockerHub
            | Self::Distribution
            | Self::Harbor
            | Self::Quay
            | Self::Acr
            | Self::Ecr
            | Self::Gar
            | Self::Zot
            | Self::Aliyun
            | Self::Generic => Proof::Token,
        }
    }
}

/// A repository may have a new tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The repository.
    pub repository: Repository,
    /// The tag, where the sender names it; for the log alone.
    pub tag: Option<Tag>,
}
