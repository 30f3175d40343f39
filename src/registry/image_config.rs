//! What an image says of itself in its configuration: platform, time of the build, labels.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;

use crate::image::{Digest, Platform};
use crate::redact::one_line;

use super::error::{BadJson, Cause};
use super::index::WrittenPlatform;
use super::manifest::{self, Content, Descriptor};
use super::session::Session;
use super::times::{plausible, read_time};
use super::wire::Request;

/// Configurations hold an image's history and labels: some kilobytes.
const LARGEST: usize = 8 * 1024 * 1024;
/// Bounds on labels, for they are kept.
const MOST_LABELS: usize = 64;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;
/// The kinds of configuration that are of images; charts and other artifacts have their own.
const KINDS: [&str; 2] = ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The platforms it runs on, sorted.
    pub platforms: Vec<Platform>,
    /// When it was built; none if it does not say, or says what cannot be (reproducible builds are of 1970 or 1980).
    pub created: Option<Timestamp>,
    /// Its labels: at most 64, in one printable line each.
    pub labels: BTreeMap<String, String>,
}

/// Reads the image of this digest. Of an index, time and labels are those of its first image: one build makes all of them.
pub(super) async fn read(session: &Session<'_>, digest: &Digest) -> Result<Image, Cause> {
    let manifest = manifest::by_digest(session, digest).await?;
    match manifest.content() {
        Content::Image { config } => of_config(session, config.as_ref()).await,
        Content::Index(index) => {
            let Some(first) = index.children().first() else { return Ok(Image::default()) };
            let child = manifest::by_digest(session, &first.digest).await?;
            if child.bytes().len() as u64 != first.size {
                return Err(Cause::BadManifest("it is not as long as its index says"));
            }
            let mut image = match child.content() {
                Content::Image { config } => of_config(session, config.as_ref()).await?,
                // One level is what builders make; more would be a way to keep this client busy.
                Content::Index(_) => Image::default(),
            };
            let platforms = index.platforms();
            if !platforms.is_empty() {
                image.platforms = platforms;
            }
            Ok(image)
        }
    }
}

async fn of_config(session: &Session<'_>, config: Option<&Descriptor>) -> Result<Image, Cause> {
    const WHAT: &str = "the image's configuration";
    let Some(config) = config.filter(|config| KINDS.contains(&config.media_type.as_str())) else { return Ok(Image::default()) };
    if config.size > LARGEST as u64 {
        return Err(Cause::TooLong { what: WHAT, limit: LARGEST });
    }
    let url = session.url(&format!("blobs/{}", config.digest));
    let request =
        Request { method: Method::GET, url, accept: "*/*", what: WHAT, limit: LARGEST, follow_redirects: true, if_none_match: None };
    let answer = session.send(&request).await?;
    if !answer.status.is_success() {
        return Err(answer.refused());
    }
    manifest::check_content(WHAT, &config.digest, &answer.body)?;
    parse(&answer.body, Timestamp::now()).map_err(|error| Cause::Json { expected: "an image's configuration", source: BadJson(error) })
}

/// A configuration as far as it is read (OCI image-spec, "Image Configuration").
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    created: Option<Lenient>,
    #[serde(default)]
    config: Option<Settings>,
    #[serde(flatten)]
    platform: WrittenPlatform,
}

#[derive(Deserialize)]
struct Settings {
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, Lenient>>,
}

/// A text; anything else in its place counts as none.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Text(String),
    Other(serde::de::IgnoredAny),
}

impl Lenient {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

fn parse(body: &[u8], now: Timestamp) -> Result<Image, serde_json::Error> {
    let written: Written = serde_json::from_slice(body)?;
    let created = written.created.as_ref().and_then(Lenient::text).and_then(read_time).and_then(|at| plausible(at, now));
    let labels = written.config.and_then(|config| config.labels).unwrap_or_default();
    let labels = labels.iter().filter_map(|(key, value)| {
        let whole = key.len() <= LONGEST_KEY && one_line(key, LONGEST_KEY) == *key;
        whole.then(|| Some((key.clone(), one_line(value.text()?, LONGEST_VALUE))))?
    });
    Ok(Image { platforms: written.platform.read().into_iter().collect(), created, labels: labels.take(MOST_LABELS).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: &str = "2026-07-01T00:00:00Z";

    fn read(body: &str) -> Result<Image, serde_json::Error> {
        parse(body.as_bytes(), NOW.parse().unwrap())
    }

    #[test]
    fn m10_a_time_that_cannot_be_is_unknown() {
        let created = |value: &str| read(&format!(r#"{{"os":"linux","architecture":"amd64","created":{value}}}"#)).unwrap().created;
        for good in [r#""2024-03-01T12:00:00.123456789Z""#, r#""2024-03-01T13:00:00+01:00""#, r#""2026-07-01T20:00:00Z""#] {
            assert!(created(good).is_some(), "{good}");
        }
        for bad in [
            r#""0001-01-01T00:00:00Z""#,
            r#""1970-01-01T00:00:00Z""#,
            r#""1980-01-01T00:00:01Z""#,
            r#""2026-07-03T00:00:00Z""#,
            r#""9999-12-31T23:59:59Z""#,
            r#""-9999-01-01T00:00:00Z""#,
            r#""yesterday""#,
            r#""2024-13-01T00:00:00Z""#,
            r#""""#,
            "null",
            "5",
            "{}",
        ] {
            assert_eq!(created(bad), None, "{bad}");
        }
        assert_eq!(read("{}").unwrap(), Image::default());
    }

    #[test]
    fn m10_labels_are_printable_and_few() {
        let labels = |labels: &str| read(&format!(r#"{{"config":{{"Labels":{labels}}}}}"#)).unwrap().labels;
        assert_eq!(labels("null"), BTreeMap::new());
        assert_eq!(read(r#"{"config":null}"#).unwrap().labels, BTreeMap::new());
        let odd = labels(r#"{"a":"x\n[fake] \u001b[31m\u202e","b\n":"x","c":5,"d":null,"e":""}"#);
        assert_eq!(odd.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "e"], "what is no text under a plain key is left out");
        assert!(!odd["a"].contains(['\n', '\u{1b}', '\u{202e}']), "{odd:?}");
        let many = (0..1000).map(|n| (format!("k{n}"), "x".repeat(10_000))).collect::<BTreeMap<_, _>>();
        let kept = labels(&serde_json::to_string(&many).unwrap());
        assert_eq!(kept.len(), MOST_LABELS);
        assert!(kept.values().all(|value| value.chars().count() <= LONGEST_VALUE + 1));
    }

    #[test]
    fn a_platform_has_its_variant() {
        let platforms = |body: &str| read(body).unwrap().platforms.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(platforms(r#"{"os":"linux","architecture":"arm","variant":"v7"}"#), ["linux/arm/v7"]);
        assert_eq!(platforms(r#"{"os":"linux","architecture":"amd64","variant":""}"#), ["linux/amd64"]);
        assert_eq!(platforms(r#"{"os":"li\nnux","architecture":"amd64"}"#), [""; 0]);
    }

    #[test]
    fn m10_what_is_no_configuration_is_an_error() {
        for bad in ["", "hello", "[]", "null", r#"{"os":5}"#, r#"{"config":5}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_configuration_makes_it_panic(body in r#"\{("(os|created|config|Labels)":(2|\[\]|\{("Labels":\{"a":"[^"\\]{0,5}"\})?\}|null|"x"),?){0,4}\}"#) {
            let _ = read(&body);
        }
    }
}
