//! Which files of a tree are looked at.

use globset::{GlobBuilder, GlobMatcher};

/// An ordered list of path patterns; a pattern with `!` in front takes out what earlier ones took in.
///
/// The last pattern that matches decides. An empty list accepts everything; a list that starts with `!` starts from everything.
#[derive(Clone, Debug, Default)]
pub struct Paths(Vec<(bool, GlobMatcher)>);

/// A pattern that is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PatternError {
    /// Which entry of the list.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Paths {
    /// Reads a list of patterns: `*` within a folder, `**` across folders, `{a,b}`, `[ab]`, a leading `!` to exclude.
    ///
    /// # Errors
    /// For the first pattern that is not well formed.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, PatternError> {
        let read = |(index, pattern): (usize, &S)| {
            let pattern = pattern.as_ref();
            let (accept, glob) = pattern.strip_prefix('!').map_or((true, pattern), |rest| (false, rest));
            let glob = glob.strip_prefix("./").unwrap_or(glob);
            let fail = |reason: String| PatternError { index, reason };
            if glob.is_empty() {
                return Err(fail("an empty pattern matches nothing".to_owned()));
            }
            if glob.starts_with('/') {
                return Err(fail("paths start at the repository's root, without `/` in front".to_owned()));
            }
            let glob = if glob.ends_with('/') { format!("{glob}**") } else { glob.to_owned() };
            let glob = GlobBuilder::new(&glob).literal_separator(true).build().map_err(|e| fail(e.kind().to_string()))?;
            Ok((accept, glob.compile_matcher()))
        };
        patterns.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Says whether the file at `path` is looked at.
    #[must_use]
    pub fn accept(&self, path: &str) -> bool {
        let start = self.0.first().is_none_or(|(accept, _)| !accept);
        self.0.iter().rev().find(|(_, glob)| glob.is_match(path)).map_or(start, |(accept, _)| *accept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(patterns: &[&str], path: &str) -> bool {
        Paths::new(patterns).unwrap().accept(path)
    }

    #[test]
    fn the_last_match_decides() {
        assert!(accept(&[], "a/b.yaml"));
        assert!(accept(&["clusters/prod/**", "!**/vendor/**"], "clusters/prod/api/x.yaml"));
        assert!(!accept(&["clusters/prod/**", "!**/vendor/**"], "clusters/prod/vendor/x.yaml"));
        assert!(!accept(&["clusters/prod/**"], "clusters/staging/x.yaml"));
        assert!(accept(&["!**/vendor/**"], "x.yaml"));
        assert!(!accept(&["!**/vendor/**"], "a/vendor/x.yaml"));
        assert!(accept(&["!a/**", "a/keep.yaml"], "a/keep.yaml"));
        assert!(!accept(&["*.yaml"], "a/b.yaml"));
        assert!(accept(&["./apps/"], "apps/x/y.yaml"));
    }

    #[test]
    fn mistakes_name_their_entry() {
        assert_eq!(Paths::new(&["a", "["]).unwrap_err().index, 1);
        assert_eq!(Paths::new(&["/a"]).unwrap_err().index, 0);
        assert!(Paths::new(&[""]).is_err());
    }
}
