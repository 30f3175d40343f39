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
}
