//! Platforms of an image index.

use std::fmt;

use super::ParseError;

/// An operating system and architecture, with a variant where there is one: `linux/arm64/v8`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Platform {
    /// The operating system, as Go's `GOOS` names it.
    pub os: String,
    /// The processor architecture, as Go's `GOARCH` names it.
    pub architecture: String,
    /// The architecture's variant, such as `v7` of `arm`.
    pub variant: Option<String>,
}

impl Platform {
    /// Reads `os/architecture` or `os/architecture/variant` (OCI image-spec, image index, "platform").
    ///
    /// # Errors
    /// If `text` does not have two or three non-empty parts.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let parts: Vec<&str> = text.split('/').collect();
        let ok = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        match parts.as_slice() {
            [os, architecture, rest @ ..] if rest.len() < 2 && parts.iter().all(ok) => {
                Ok(Self { os: (*os).to_owned(), architecture: (*architecture).to_owned(), variant: rest.first().map(|v| (*v).to_owned()) })
            }
            _ => Err(ParseError::new(text, "a platform", "it is written os/architecture or os/architecture/variant")),
        }
    }

    /// Says whether this platform is `wanted`: the same operating system and architecture and, if one is wanted, variant.
    #[must_use]
    pub fn is(&self, wanted: &Self) -> bool {
        let same = self.os == wanted.os && self.architecture == wanted.architecture;
        same && (wanted.variant.is_none() || self.effective_variant() == wanted.effective_variant())
    }

    /// The variant that is meant where none is written: builders leave out that all 64-bit ARM is v8.
    fn effective_variant(&self) -> Option<&str> {
        let implied = (self.architecture == "arm64").then_some("v8");
        self.variant.as_deref().or(implied)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_errors() {
        for good in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(Platform::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/amd 64"] {
            assert!(Platform::parse(bad).is_err(), "{bad}");
        }
    }
    #[test]
    fn a_wanted_platform_without_a_variant_takes_any() {
        let is = |a: &str, b: &str| Platform::parse(a).unwrap().is(&Platform::parse(b).unwrap());
        for (found, wanted) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/arm/v7", "linux/arm"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm64", "linux/arm64/v8"),
        ] {
            assert!(is(found, wanted), "{found} is {wanted}");
        }
        for (found, wanted) in [
            ("linux/arm/v6", "linux/arm/v7"),
            ("linux/arm", "linux/arm/v7"),
            ("windows/amd64", "linux/amd64"),
            ("linux/amd64", "linux/amd64/v3"),
        ] {
            assert!(!is(found, wanted), "{found} is not {wanted}");
        }
    }
}
