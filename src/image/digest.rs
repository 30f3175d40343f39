//! Content digests.

use std::fmt;
use std::sync::Arc;

use super::{ParseError, Pool};

/// A content digest such as `sha256:` and 64 hexadecimal digits (OCI image-spec, descriptor, "Digests").
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Arc<str>);

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

    /// Makes the digest of these bytes, which SHA-256 computed.
    #[must_use]
    pub fn sha256(bytes: &[u8; 32]) -> Self {
        Self(written("sha256:", bytes))
    }

    /// Makes the digest of these bytes, which SHA-512 computed.
    #[must_use]
    pub fn sha512(bytes: &[u8; 64]) -> Self {
        Self(written("sha512:", bytes))
    }

    /// Returns the bytes of a SHA-256 digest, half as long as its text; none for another algorithm.
    #[must_use]
    pub fn to_sha256(&self) -> Option<[u8; 32]> {
        let hex = self.0.strip_prefix("sha256:")?.as_bytes();
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0, |byte, &digit| Some(byte << 4 | u8::try_from(char::from(digit).to_digit(16)?).ok()?))?;
        }
        Some(bytes)
    }

    /// Returns the digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Holds its text in common with others.
    pub fn share(&mut self, pool: &mut Pool) {
        pool.share(&mut self.0);
    }

    /// Returns the name of the algorithm, `sha256` or `sha512`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
    }
}

fn written(algorithm: &str, bytes: &[u8]) -> Arc<str> {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let hex = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    algorithm.chars().chain(hex).collect::<String>().into()
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
    #[test]
    fn bytes_round_trip() {
        let bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 8).unwrap());
        let digest = Digest::sha256(&bytes);
        assert!(digest.as_str().starts_with("sha256:00081018"), "{digest}");
        assert_eq!(Digest::parse(digest.as_str()).unwrap(), digest);
        assert_eq!(digest.to_sha256(), Some(bytes));
        let long = Digest::sha512(&[0xf0; 64]);
        assert_eq!(Digest::parse(long.as_str()).unwrap(), long);
        assert_eq!(long.to_sha256(), None);
    }
}
