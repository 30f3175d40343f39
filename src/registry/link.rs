//! The next page of a listing (RFC 8288 `Link`, as registries really write it). Pure.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

use super::error::Cause;
use super::trust;

/// Finds the next page, if the answer from `page` names one.
///
/// Only the query of the link is taken, verbatim, for it holds the cursor; the path stays that of `page`. Some
/// registries behind a proxy (Artifactory, Nexus, anything below a path prefix) name a path that does not
/// work, and no other path has any business in the listing of this repository. Another origin is an error.
pub(super) fn next(page: &Url, headers: &HeaderMap) -> Result<Option<Url>, Cause> {
    let targets = headers.get_all(LINK).iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    let Some(target) = targets.flat_map(links).find(Link::is_next).map(|link| link.target) else {
        return Ok(None);
    };
    let link = page.join(target).map_err(|_| Cause::Endless("the link to the next page is no web address"))?;
    if link.origin() != page.origin() || !link.username().is_empty() || link.password().is_some() {
        return Err(Cause::ForeignLink { link: trust::show(link.as_str()) });
    }
    let mut next = page.clone();
    next.set_query(link.query());
    Ok(Some(next))
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

    fn read(lines: &[&str]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(LINK, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        next(&Url::parse(PAGE).unwrap(), &headers).map(|url| url.map(|url| url.to_string())).map_err(|cause| cause.to_string())
    }

    #[test]
    fn forms_seen_at_real_registries() {
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
            assert_eq!(read(&[line]), Ok(Some(format!("https://r.example/v2/a/b/tags/list?{query}"))), "{line}");
        }
        assert_eq!(
            read(&[r#"</v2/x>; rel="prev""#, r#"<?last=y>; rel="next""#]),
            Ok(Some("https://r.example/v2/a/b/tags/list?last=y".into()))
        );
    }

    #[test]
    fn no_next_page() {
        for lines in [&[][..], &[""], &[r#"</v2/x>; rel="prev""#], &["</v2/x>"], &["<"], &[r#"</v2/x; rel="next""#], &[",,;"]] {
            assert_eq!(read(lines), Ok(None), "{lines:?}");
        }
    }

    #[test]
    fn a_next_link_to_another_host_port_or_scheme_is_refused() {
        for target in [
            "https://evil.example/v2/a/b/tags/list?last=x",
            "https://r.example:444/v2/a/b/tags/list?last=x",
            "http://r.example/v2/a/b/tags/list?last=x",
            "//evil.example/v2/a/b/tags/list",
            "\\\\evil.example\\v2",
            "https://user@r.example/v2/a/b/tags/list",
            "file:///etc/passwd",
        ] {
            let error = read(&[&format!(r#"<{target}>; rel="next""#)]).unwrap_err();
            assert!(error.contains("not where it began"), "{target}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic_or_leave_the_origin(line in r#"[ -~]{0,60}|<[^\n]{0,30}>; ?rel="?next"?"#) {
            if HeaderValue::from_bytes(line.as_bytes()).is_ok()
                && let Ok(Some(next)) = read(&[&line])
            {
                prop_assert!(next.starts_with("https://r.example/v2/a/b/tags/list"), "{next}");
            }
        }
    }
}
