//! Content digests.

use std::fmt;

use super::ParseError;

/// A content digest such as `sha256:` and 64 hexadecimal digits (OCI image-spec, descriptor, "Digests").
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Box<str>);

impl Digest {
    /// Reads a digest.
    ///
    /// # Errors
    /// If `text` is not of the algorithms sha256 or sha512 with its lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let fail = |reason| Err(ParseError::new(text, "a digest", reason));
        let Some((algorithm, hex)) = text.split_once(':') else {
            return fail("it has no `:` behind the algorithm");
        };
        let length = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => return fail("only sha256 and sha512 are registered algorithms"),
        };
        if hex.len() != length || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return fail("sha256 takes 64 and sha512 takes 128 lower-case hexadecimal digits");
        }
        Ok(Self(text.into()))
    }

    /// Returns the digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of the algorithm, `sha256` or `sha512`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        let good = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(Digest::parse(&good).unwrap().as_str(), good);
        assert_eq!(Digest::parse(&good).unwrap().algorithm(), "sha256");
        for bad in ["", "sha256", "sha256:", "md5:00", &good.to_uppercase(), &good[..70], &format!("{good}0")] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
    }
}
