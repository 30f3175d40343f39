//! What a registry wants: its `WWW-Authenticate` challenges (RFC 9110, 11.6.1; distribution's token specification).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

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
                found.map(|(_, value)| value.to_unescaped()).filter(|value| !value.is_empty())
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
    fn forms_seen_at_real_registries() {
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
