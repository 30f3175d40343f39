//! The next page of a listing (RFC 8288 `Link`, as registries really write it). Pure.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// Every answer of Artifactory carries it.
const ARTIFACTORY: &str = "x-jfrog-version";

/// Finds the next page, if the answer from `page` names one.
///
/// Only the query of the link is taken, verbatim, for it holds the cursor; scheme, host and path stay those of `page`.
/// Registries behind a proxy or a path prefix name another host (Quay), scheme or path (Artifactory, Nexus) than the
/// one that works, and no other place has any business in this listing: nobody can send the client elsewhere by a link.
pub(super) fn next(page: &Url, headers: &HeaderMap) -> Option<Url> {
    let lines = headers.get_all(LINK).iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    let target = lines.flat_map(links).find(Link::is_next)?.target;
    let target = target.split_once('#').map_or(target, |(target, _)| target);
    let query = target.split_once('?').map(|(_, query)| query);
    let mut next = page.clone();
    if let Some(last) = query.and_then(last)
        && headers.contains_key(ARTIFACTORY)
    {
        // The rest of its query is not to be relied on.
        let kept = page.query().unwrap_or_default().split('&').filter(|param| !param.is_empty() && !param.starts_with("last="));
        next.set_query(Some(&kept.chain([last]).collect::<Vec<_>>().join("&")));
    } else {
        next.set_query(query);
    }
    Some(next)
}

/// Finds the cursor of a query, as `last=…`.
fn last(query: &str) -> Option<&str> {
    query.split('&').find(|param| param.starts_with("last="))
}

struct Link<'a> {
    target: &'a str,
    params: &'a str,
}

impl Link<'_> {
    fn is_next(&self) -> bool {
        self.params.split(';').any(|param| {
            let Some((name, value)) = param.split_once('=') else { return false };
            let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
            name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        })
    }
}

/// Splits a header value into its links. Very old registries leave the angle brackets out.
fn links(value: &str) -> impl Iterator<Item = Link<'_>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return None;
        }
        let (target, after) = match rest.strip_prefix('<') {
            Some(inner) => inner.split_once('>')?,
            None => rest.split_at(rest.find(';').unwrap_or(rest.len())),
        };
        let end = end_of_params(after);
        let params = &after[..end];
        rest = &after[end..];
        Some(Link { target: target.trim(), params })
    })
}

/// Finds the comma that ends a link's parameters: the first outside quotes.
fn end_of_params(text: &str) -> usize {
    let mut quoted = false;
    text.find(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    const PAGE: &str = "https://r.example/v2/a/b/tags/list?n=2";

    fn read(lines: &[&str]) -> Option<String> {
        read_with(lines, HeaderMap::new())
    }

    fn read_with(lines: &[&str], mut headers: HeaderMap) -> Option<String> {
        for line in lines {
            headers.append(LINK, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        next(&Url::parse(PAGE).unwrap(), &headers).map(|url| url.to_string())
    }

    #[test]
    fn t1_forms_seen_at_real_registries() {
        for (line, query) in [
            (r#"</v2/a/b/tags/list?last=x&n=2>; rel="next""#, "last=x&n=2"),
            (r#"<tags/list?last=x>; rel="next""#, "last=x"),
            (r#"<?last=x>; rel=next"#, "last=x"),
            (r#"<https://r.example/v2/a/b/tags/list?last=OPAQUE%2F%2B==>;Rel="NEXT""#, "last=OPAQUE%2F%2B=="),
            (r#"<https://R.example:443/v2/a/b/tags/list?last=x>; rel="next""#, "last=x"),
            (r#"</v2/a/b/tags/list?last=x&n=2&orderby=>; rel="next""#, "last=x&n=2&orderby="),
            (r#"</v2/a/b/tags/list?last=a+b%20c/d,e;f>; rel="next""#, "last=a+b%20c/d,e;f"),
            (r#"</v2/a/b/tags/list?last=a b>; rel="next""#, "last=a%20b"),
            (r#"/v2/a/b/tags/list?next_page=x; rel="next""#, "next_page=x"),
            (r#"</first>; rel="prev", </v2/a/b/tags/list?last=x>; title="a, b"; rel="last next""#, "last=x"),
            (r#"</wrong/path/tags/list?last=x>; rel="next""#, "last=x"),
        ] {
            assert_eq!(read(&[line]), Some(format!("https://r.example/v2/a/b/tags/list?{query}")), "{line}");
        }
        assert_eq!(read(&[r#"</v2/x>; rel="prev""#, r#"<?last=y>; rel="next""#]), Some("https://r.example/v2/a/b/tags/list?last=y".into()));
    }

    #[test]
    fn no_next_page() {
        for lines in [&[][..], &[""], &[r#"</v2/x>; rel="prev""#], &["</v2/x>"], &["<"], &[r#"</v2/x; rel="next""#], &[",,;"]] {
            assert_eq!(read(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn t1_whatever_place_a_link_names_the_listing_stays_where_it_began() {
        for place in [
            "https://evil.example/v2/a/b/tags/list",
            "https://r.example:444/v2/a/b/tags/list",
            "http://r.example/v2/a/b/tags/list",
            "//evil.example/v2/a/b/tags/list",
            "\\\\evil.example\\v2",
            "https://user@r.example/v2/a/b/tags/list",
            "file:///etc/passwd",
            "/repository/docker/v2/a/b/tags/list",
            "../../../other/tags/list",
            "http://[::bad",
        ] {
            let next = read(&[&format!(r#"<{place}?last=x#frag>; rel="next""#)]);
            assert_eq!(next.as_deref(), Some("https://r.example/v2/a/b/tags/list?last=x"), "{place}");
        }
    }

    #[test]
    fn t22_of_artifactory_only_the_cursor_is_taken() {
        let artifactory = || HeaderMap::from_iter([(ARTIFACTORY.parse().unwrap(), HeaderValue::from_static("7.90.1"))]);
        for (line, query) in [
            (r#"</v2/wrong/tags/list?last=x%2F&n=50>; rel="next""#, "n=2&last=x%2F"),
            (r#"</artifactory/api/docker/a/v2/b/tags/list?n=50&last=10000>; rel="next""#, "n=2&last=10000"),
            (r#"</v2/wrong/tags/list?next_page=x>; rel="next""#, "next_page=x"),
        ] {
            let next = read_with(&[line], artifactory());
            assert_eq!(next, Some(format!("https://r.example/v2/a/b/tags/list?{query}")), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic_or_leave_the_place(line in r#"[ -~]{0,60}|<[^\n]{0,30}>; ?rel="?next"?"#) {
            if HeaderValue::from_bytes(line.as_bytes()).is_ok()
                && let Some(next) = read(&[&line])
            {
                prop_assert!(next.starts_with("https://r.example/v2/a/b/tags/list"), "{next}");
            }
        }
    }
}
