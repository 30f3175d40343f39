//! What a registry wants: its `WWW-Authenticate` challenges (RFC 9110, 11.6.1; distribution's token specification).

use std::collections::HashMap;

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// No address of a token server is longer; what is learned is remembered, so it has to be short.
const LONGEST_PARAM: usize = 2048;

/// An authentication that the registry offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token from a token server.
    Bearer {
        /// The token server's URL, as it came: not trusted yet.
        realm: String,
        /// The name under which the token server knows the registry.
        service: Option<String>,
    },
    /// User name and password with each request.
    Basic,
}

/// What a registry asked for last, so that it need not be asked again.
///
/// A registry may have a token server for each group of repositories (GitLab), or show some to all and others to none.
/// What it asked for first is tried for all; a repository for which it asks for something else is remembered by name.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    first: Option<Challenge>,
    others: HashMap<String, Challenge>,
}

impl Challenges {
    /// Returns what is likely asked for a repository, or for the registry as a whole.
    pub(super) fn get(&self, name: Option<&str>) -> Option<&Challenge> {
        name.and_then(|name| self.others.get(name)).or(self.first.as_ref())
    }

    /// Remembers what was asked for.
    pub(super) fn learn(&mut self, name: Option<&str>, challenge: Challenge) {
        match (&self.first, name) {
            (Some(first), Some(name)) if *first != challenge => drop(self.others.insert(name.to_owned(), challenge)),
            (Some(_), Some(name)) => drop(self.others.remove(name)),
            _ => self.first = Some(challenge),
        }
    }

    /// Forgets what did not work.
    pub(super) fn forget(&mut self, name: Option<&str>) {
        if name.and_then(|name| self.others.remove(name)).is_none() {
            self.first = None;
        }
    }
}

/// Says whether a refusal tells that the token lacks the right (RFC 6750, 3.1), rather than that it is not taken at all.
pub(super) fn lacks_right(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut challenges = lines.flat_map(|line| http_auth::parser::ChallengeParser::new(line).map_while(Result::ok));
    challenges.any(|challenge| {
        let is_it = |(name, value): &(&str, http_auth::ParamValue<'_>)| {
            name.eq_ignore_ascii_case("error") && value.to_unescaped() == "insufficient_scope"
        };
        challenge.scheme.eq_ignore_ascii_case("bearer") && challenge.params.iter().any(is_it)
    })
}

/// Finds the best challenge that can be answered: Bearer before Basic, wherever they stand.
///
/// Several may come as several header lines or merged on one. A challenge's `scope` is not read: some
/// registries give a literal example there, so the scope is always made from the repository asked for.
pub(super) fn choose(headers: &HeaderMap) -> Option<Challenge> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut basic = None;
    for line in lines {
        // What stands behind a syntax error is not read; what stands before it is good.
        for challenge in http_auth::parser::ChallengeParser::new(line).map_while(Result::ok) {
            let param = |wanted: &str| {
                let found = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                let found = found.map(|(_, value)| value.to_unescaped());
                found.filter(|value| !value.is_empty() && value.len() <= LONGEST_PARAM)
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = param("realm")
            {
                return Some(Challenge::Bearer { realm, service: param("service") });
            }
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    fn read(lines: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
        }
        choose(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
    }

    #[test]
    fn a6_forms_seen_at_real_registries() {
        let token = "https://r.example/token";
        for (lines, expected) in [
            (&[r#"Bearer realm="https://r.example/token",service="r",scope="repository:a/b:pull,push""#][..], bearer(token, Some("r"))),
            (&[r#"BEARER Realm="https://r.example/token" , SERVICE=r"#], bearer(token, Some("r"))),
            (&[r#"Bearer realm="https://r.example/token",service="""#], bearer(token, None)),
            (&[r#"Bearer realm="https://r.example/token?x=1&y=\"2\"""#], bearer(r#"https://r.example/token?x=1&y="2""#, None)),
            (&[r#"Bearer realm="https://r.example/token",service="s""#, r#"Basic realm="r""#], bearer(token, Some("s"))),
            (&[r#"Basic realm="r""#, r#"Bearer realm="https://r.example/token",service="s""#], bearer(token, Some("s"))),
            (&[r#"Bearer realm="https://r.example/token",service="s",scope="*",Basic realm="r""#], bearer(token, Some("s"))),
            (&[r#"Basic realm="r",Bearer realm="https://r.example/token",service="s",scope="*""#], bearer(token, Some("s"))),
            (&["Negotiate", r#"Basic realm="r""#], Some(Challenge::Basic)),
            (&[r#"Negotiate, Basic realm="r""#], Some(Challenge::Basic)),
            (&["Basic"], Some(Challenge::Basic)),
            (&[r#"Bearer service="s""#, "Basic"], Some(Challenge::Basic)),
            (&["Negotiate"], None),
            (&[r#"Bearer service="s""#], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(read(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_challenge_too_long_to_be_honest_is_not_remembered() {
        let long = format!(r#"Bearer realm="https://r.example/{}""#, "x".repeat(LONGEST_PARAM));
        assert_eq!(read(&[&long]), None);
        assert_eq!(read(&[&long, "Basic"]), Some(Challenge::Basic));
    }

    #[test]
    fn what_is_asked_for_one_repository_does_not_push_out_what_is_asked_for_another() {
        let [one, two] = ["https://one.example/", "https://two.example/"].map(|realm| bearer(realm, None).unwrap());
        let mut learned = Challenges::default();
        assert_eq!(learned.get(Some("a")), None);
        learned.learn(Some("a"), one.clone());
        assert_eq!([learned.get(Some("b")), learned.get(None)], [Some(&one), Some(&one)]);
        learned.learn(Some("b"), two.clone());
        assert_eq!([learned.get(Some("a")), learned.get(Some("b"))], [Some(&one), Some(&two)]);
        learned.forget(Some("b"));
        assert_eq!(learned.get(Some("b")), Some(&one));
        learned.learn(Some("b"), two.clone());
        learned.learn(Some("b"), one.clone());
        assert!(learned.others.is_empty());
        learned.forget(Some("a"));
        assert_eq!(learned.get(Some("a")), None);
        learned.learn(None, two.clone());
        assert_eq!(learned.get(Some("a")), Some(&two));
    }

    #[test]
    fn a_token_without_the_right_is_told_from_a_bad_one() {
        for (line, expected) in [
            (r#"Bearer realm="https://r.example/",error="insufficient_scope""#, true),
            (r#"Basic realm="r", bearer realm="https://r.example/", Error=insufficient_scope"#, true),
            (r#"Bearer realm="https://r.example/",error="invalid_token""#, false),
            (r#"Bearer realm="insufficient_scope""#, false),
            (r#"Basic error="insufficient_scope""#, false),
        ] {
            let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap())]);
            assert_eq!(lacks_right(&headers), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(line in "[ -~\t]{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&[&line]);
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = choose(&HeaderMap::from_iter([(WWW_AUTHENTICATE, value)]));
            }
        }
    }
}
