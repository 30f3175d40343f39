//! `[webhook.NAME]`: who may send push events.

use serde_json::{Value as Json, json};
use url::Url;

use super::environments::check_name;
use super::hosts::registry_host;
use super::read::{Context, Keys, Located, Read, ReadTable, suggest};
use super::source::{Node, Span};
use super::values::{Choice, OneOf, parsed};
use crate::http::webhook::{Auth, Config, Expected, GOOGLE_KEYS, Kind, Pointers, Sender};
use crate::image::Registry;
use crate::redact::SecretSource;

impl Choice for Kind {
    const CHOICES: &'static [(&'static str, Self)] = Self::WORDS;
}

/// A webhook as it is written; what its keys mean together shows only with its name.
pub(super) struct Webhook {
    kind: Option<OneOf<Kind>>,
    /// Whether a kind is written, be it one or not.
    names_kind: bool,
    host: Option<Registry>,
    virtual_repository: Option<Located<String>>,
    repository: Option<Located<Pointer>>,
    tag: Option<Located<Pointer>>,
    auth: Option<Auth>,
    /// Where each of these keys stands, or the table where it does not.
    places: Places,
}

struct Places {
    host: Option<Span>,
    google: Option<Span>,
    secret: Option<Span>,
}

impl ReadTable for Webhook {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let kind = keys.optional::<OneOf<Kind>>(
            "kind",
            "The product that sends. Default: the webhook's name, if it is one of these.",
            r#""harbor""#,
        );
        let secret = keys.optional::<SecretSource>(
            "secret",
            "What the sender signs with or sends along, in a header or in the URL.",
            r#"{ file = "/run/secrets/webhook" }"#,
        );
        let unauthenticated =
            keys.optional::<Located<bool>>("unauthenticated", "Take events from whoever can reach the port, in place of a secret.", "true");
        let audience = keys.optional::<String>(
            "audience",
            "gar: the audience of the subscription's identity tokens, in place of a secret.",
            r#""https://tagboat.example.com/webhook/gar""#,
        );
        let email = keys.optional::<String>(
            "email",
            "gar: the service account that the subscription pushes as.",
            r#""pubsub@acme.iam.gserviceaccount.com""#,
        );
        let google_keys = keys.optional::<Located<String>>(
            "keys_url",
            "gar: where the keys for identity tokens are published. Default: Google's own URL.",
            r#""https://mirror.example.com/oauth2/v3/certs""#,
        );
        let host = keys.optional::<Located<String>>(
            "host",
            "The registry that the sender's names belong to; events of another one are ignored. nexus, gitea and zot need it.",
            r#""harbor.example.com""#,
        );
        let virtual_repository = keys.optional(
            "virtual_repository",
            "artifactory: the virtual repository that images are pulled from, if it is not the one that they are pushed to.",
            r#""docker""#,
        );
        let repository = keys.optional("repository", "generic: the JSON pointer to the repository's name.", r#""/image/name""#);
        let tag = keys.optional("tag", "generic: the JSON pointer to the tag. Default: every event counts.", r#""/image/tag""#);
        let proof = keys.one_of(&[&["secret"], &["unauthenticated"], &["audience", "email"]]);
        if keys.has("keys_url") && !keys.has("audience") {
            keys.mistake::<()>("keys_url", "`keys_url` is of use with `audience` and `email` only", None);
        }
        let keys_url = match &google_keys {
            Some(url) => parsed(url, keys_at, keys.context),
            None => Url::parse(GOOGLE_KEYS).ok(),
        };
        let auth = match proof {
            Some(0) => secret.map(Auth::Secret),
            Some(1) => match unauthenticated {
                Some(Located { value: true, .. }) => Some(Auth::Unauthenticated),
                Some(_) => keys.mistake("unauthenticated", "`unauthenticated` is true or left out", Some("give a `secret`".to_owned())),
                None => None,
            },
            Some(_) => audience
                .zip(email)
                .zip(keys_url)
                .map(|((audience, email), keys)| Auth::Google { expected: Expected { audience, email }, keys }),
            None => None,
        };
        let at = |name| keys.has(name).then(|| keys.key(name));
        let places = Places { host: at("host"), google: at("audience").or_else(|| at("email")), secret: at("secret") };
        Some(Self {
            names_kind: keys.has("kind"),
            host: host.and_then(|host| registry_host(&host, keys.context)),
            kind,
            virtual_repository,
            repository,
            tag,
            auth,
            places,
        })
    }
}

/// Reads where keys are published: over TLS, since whoever gives the keys can send anything.
fn keys_at(text: &str) -> Result<Url, &'static str> {
    const FORM: &str = "expected a URL with https, such as \"https://mirror.example.com/certs\"";
    let url = Url::parse(text).map_err(|_| FORM)?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let plain = url.username().is_empty() && url.password().is_none();
    if plain && (url.scheme() == "https" || url.scheme() == "http" && loopback) { Ok(url) } else { Err(FORM) }
}

/// A JSON pointer (RFC 6901) to something within a payload.
struct Pointer(String);

impl Read for Pointer {
    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^/" })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let text = String::read(node, context)?;
        if text.starts_with('/') {
            return Some(Self(text));
        }
        context.mistake(
            node.at,
            "expected a JSON pointer",
            Some(format!("one starts with a slash, such as \"/{}\"", text.replace('.', "/"))),
        )
    }
}

/// Puts names and tables together.
pub(super) fn webhooks(named: Vec<(Located<String>, Option<Webhook>)>, context: &mut Context<'_>) -> Vec<Config> {
    let mut configs = Vec::new();
    for (name, webhook) in named {
        parsed(&name, check_name, context);
        let Some(webhook) = webhook else { continue };
        let Some(kind) = kind(&name, &webhook, context) else { continue };
        check(&name, kind, &webhook, context);
        let Webhook { host, virtual_repository, repository, tag, auth, .. } = webhook;
        let tag = tag.map(|tag| tag.value.0);
        let pointers = repository.map(|repository| Pointers { repository: repository.value.0, tag });
        let sender = Sender { kind, host, virtual_repository: virtual_repository.map(|name| name.value), pointers };
        configs.extend(auth.map(|auth| Config { name: name.value, sender, auth }));
    }
    configs
}

fn kind(name: &Located<String>, webhook: &Webhook, context: &mut Context<'_>) -> Option<Kind> {
    if webhook.names_kind {
        return webhook.kind.as_ref().map(|kind| kind.0);
    }
    let word = Kind::WORDS.iter().find(|(word, _)| *word == name.value);
    let help = || suggest(&name.value, Kind::WORDS.iter().map(|(word, _)| *word));
    match word {
        Some((_, kind)) => Some(*kind),
        None => context.mistake(name.at, "`kind` is missing, and the webhook is not named after one", help()),
    }
}

/// Checks what a kind needs and what it has no use for.
fn check(name: &Located<String>, kind: Kind, webhook: &Webhook, context: &mut Context<'_>) {
    let mut mistake = |at: Option<Span>, message: &str| {
        context.mistake::<()>(at.unwrap_or(name.at), message, None);
    };
    match webhook.places.host {
        None if kind.needs_host() => mistake(None, "`host` is missing: what this kind sends names no registry"),
        Some(at) if kind == Kind::DockerHub => mistake(Some(at), "`host` is of no use here: all that Docker Hub sends is about docker.io"),
        _ => {}
    }
    match kind {
        Kind::Gar if webhook.places.secret.is_some() => {
            mistake(webhook.places.secret, "Pub/Sub has no secret: give the `audience` and the `email` of its identity tokens");
        }
        Kind::Gar => {}
        _ if webhook.places.google.is_some() => mistake(webhook.places.google, "identity tokens are sent by `gar` only"),
        _ => {}
    }
    if let Some(virtual_repository) = webhook.virtual_repository.as_ref().filter(|_| kind != Kind::Artifactory) {
        mistake(Some(virtual_repository.at), "virtual repositories are a thing of `artifactory` only");
    }
    for pointer in [&webhook.repository, &webhook.tag].into_iter().flatten().filter(|_| kind != Kind::Generic) {
        mistake(Some(pointer.at), "pointers are of use with the kind `generic` only");
    }
    if kind == Kind::Generic && webhook.repository.is_none() {
        mistake(None, "`repository` is missing: it says where the repository's name stands in what is sent");
    }
}
