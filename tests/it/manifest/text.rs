//! Files that are no YAML, and forms of YAML that other tools than Kubernetes know.

use tagboat::image::Tag;
use tagboat::manifest::{Edit, EditError, Format, Formats, MissReason, Search, Site, Unreadable, Watch, Why, apply, scan};

use super::{describe, digest, watch};

const API: &str = "ghcr.io/acme/api";

fn formats(regexes: &[&str], repository: Option<&str>) -> Formats {
    let regexes: Vec<String> = regexes.iter().map(ToString::to_string).collect();
    Formats::new([Search::new(&regexes, repository, |_| true).unwrap()])
}

/// Searches a text of no known kind.
fn searched(formats: &Formats, text: &str) -> Result<Vec<Site>, Unreadable> {
    formats.scan(text.as_bytes(), formats.of("a.env").unwrap(), &watch(&[API]))
}

fn found(text: &str, format: Format) -> Vec<String> {
    scan(text.as_bytes(), format, &watch(&[API])).unwrap().iter().map(describe).collect()
}

fn moved<'a>(site: &'a Site, tag: &str) -> Edit<'a> {
    Edit { site, tag: Tag::parse(tag).unwrap(), digest: site.digest.as_ref().map(|_| digest('b')) }
}

#[test]
fn sites_of_a_dockerfile_tell_their_line_and_stage() {
    let text =
        "# syntax=ghcr.io/acme/api:1\nFROM ghcr.io/acme/api:2 AS build\nFROM ghcr.io/acme/api\nCOPY --from=ghcr.io/acme/api:3 /a /b\n";
    assert_eq!(
        found(text, Format::Dockerfile),
        [
            "1:10 dockerfile # syntax ghcr.io/acme/api 1",
            "2:6 dockerfile FROM as build ghcr.io/acme/api 2",
            "3:6 dockerfile FROM ghcr.io/acme/api -",
            "4:13 dockerfile COPY --from ghcr.io/acme/api 3",
        ]
    );
    // What is put together stands at its instruction, and what an argument holds as a whole stands there.
    let arguments = "ARG P=ghcr.io/\nARG I=ghcr.io/acme/api:2\nFROM ${P}acme/api:1\nFROM $I\n";
    assert_eq!(found(arguments, Format::Dockerfile), ["2:7 dockerfile FROM ghcr.io/acme/api 2", "3:6 dockerfile FROM ghcr.io/acme/api 1"]);
    let sites = scan(text.as_bytes(), Format::Dockerfile, &watch(&[API])).unwrap();
    let keys: Vec<&str> = sites.iter().map(|site| &*site.key).collect();
    assert_eq!(
        keys,
        ["#_syntax:ghcr.io/acme/api", "FROM_as_build:ghcr.io/acme/api", "FROM:ghcr.io/acme/api", "COPY_--from:ghcr.io/acme/api"]
    );
}

#[test]
fn arguments_of_a_dockerfile_are_locked_where_they_serve_others() {
    let locked = |text: &str| {
        let sites = scan(text.as_bytes(), Format::Dockerfile, &watch(&[API])).unwrap();
        sites.iter().map(|site| site.locked.as_ref().map(ToString::to_string)).collect::<Vec<_>>()
    };
    let shared = Some("it shares its tag or digest with ghcr.io/acme/web, which would move along".to_owned());
    let assembled = Some("its tag or digest is put together from variables, or stands in one that is also used otherwise".to_owned());
    assert_eq!(locked("ARG V=1\nFROM ghcr.io/acme/api:$V"), [None]);
    assert_eq!(locked("ARG V=1\nFROM ghcr.io/acme/api:$V\nFROM ghcr.io/acme/web:$V"), [shared]);
    assert_eq!(locked("ARG V=1\nFROM ghcr.io/acme/api:$V-a"), std::slice::from_ref(&assembled));
    assert_eq!(locked("ARG V=1\nFROM ghcr.io/acme/api:$V\nFROM ghcr.io/acme/api:$V-a"), [assembled.clone(), assembled.clone()]);
    assert_eq!(locked("ARG V=1\nFROM ghcr.io/acme/api:$V\nFROM x:$V$W"), [assembled]);
    assert_eq!(locked("ARG R=ghcr.io/acme\nFROM $R/api:1\nFROM $R/web:1"), [None]);
    assert_eq!(locked("ARG W=1\nARG V=$W\nFROM ghcr.io/acme/api:$V"), [] as [Option<String>; 0]);
}

#[test]
fn a_pin_of_an_argument_is_written_behind_it_and_found_again() {
    let text = "ARG V=1.4.1\nFROM ghcr.io/acme/api:${V} AS a\n";
    let watch = watch(&[API]);
    let sites = scan(text.as_bytes(), Format::Dockerfile, &watch).unwrap();
    let new = apply(text.as_bytes(), &[Edit { site: &sites[0], tag: Tag::parse("1.5.0").unwrap(), digest: Some(digest('b')) }]).unwrap();
    let new = String::from_utf8(new).unwrap();
    assert_eq!(new, format!("ARG V=1.5.0@{}\nFROM ghcr.io/acme/api:${{V}} AS a\n", digest('b')));
    let again = scan(new.as_bytes(), Format::Dockerfile, &watch).unwrap();
    assert_eq!((again[0].digest.clone(), again[0].tag.as_ref().map(Tag::as_str)), (Some(digest('b')), Some("1.5.0")));
}

#[test]
fn where_everything_is_looked_for_a_string_of_terraform_must_be_an_image_for_sure() {
    let text = "a = \"b:1\"\nimage = \"b:1\"\nx = \"quay.io/b:1\"\naddress = \"10.0.0.1:8080\"\nimage = \"c\"\n";
    let sites = scan(text.as_bytes(), Format::Terraform, &Watch::everything()).unwrap();
    assert_eq!(
        sites.iter().map(describe).collect::<Vec<_>>(),
        ["2:10 terraform image docker.io/library/b 1", "3:6 terraform x quay.io/b 1", "5:10 terraform image docker.io/library/c -",]
    );
}

#[test]
fn a_variable_of_terraform_is_named_by_its_block() {
    let text = "variable \"web_image\" {\n  default = \"nginx:1\"\n  m { default = \"a:1\" }\n}\nvariable \"image\" { default = \"b:1\" }\n\
                locals { default = \"c:1\" }\nvariable \"x\" { default = \"d:1\" }\ndefault = \"e:1\"\n";
    let sites = scan(text.as_bytes(), Format::Terraform, &Watch::everything()).unwrap();
    assert_eq!(
        sites.iter().map(describe).collect::<Vec<_>>(),
        ["2:14 terraform web_image docker.io/library/nginx 1", "5:31 terraform image docker.io/library/b 1"]
    );
}

#[test]
fn images_of_jobs_are_sure_by_their_place() {
    let text = "container: node:20\nservices: [postgres:16, {name: 'redis:7'}]\nimage: {name: 'alpine:3'}\nuses: docker://busybox:1\nother: foo:1\n";
    let sites = scan(text.as_bytes(), Format::Yaml, &Watch::everything()).unwrap();
    let names: Vec<String> = sites.iter().map(|site| format!("{}={}", site.path, site.repository)).collect();
    assert_eq!(
        names,
        [
            "container=docker.io/library/node",
            "services[0]=docker.io/library/postgres",
            "services[1].name=docker.io/library/redis",
            "image.name=docker.io/library/alpine",
            "uses=docker.io/library/busybox",
        ]
    );
}

#[test]
fn variables_with_defaults_are_locked_where_the_tag_is_in_pieces() {
    let sites = |value: &str| found(&format!("image: {value}\n"), Format::Yaml);
    assert_eq!(sites("ghcr.io/acme/api:${T:-1}"), ["1:8 variable image ghcr.io/acme/api 1"]);
    assert_eq!(sites("ghcr.io/acme/api:${T:-1}-x"), ["1:8 variable image ghcr.io/acme/api 1-x Assembled"]);
    assert!(sites("ghcr.io/acme/api:${T}").is_empty());
    assert!(sites("${{ ghcr.io/acme/api:1 }}").is_empty());
}

#[test]
fn a_search_finds_what_its_groups_say() {
    let text = "A=ghcr.io/acme/api:1\nB=ghcr.io/acme/api:2@nope\nC=x y:3\nD=ghcr.io/acme/api:\n";
    let formats = formats(&[r"^\w=(?<repository>[^:\n]+):(?<tag>[^\s@]*)(@(?<digest>\S+))?"], None);
    let sites = searched(&formats, text).unwrap();
    assert_eq!(sites.iter().map(describe).collect::<Vec<_>>(), ["1:20 regex A ghcr.io/acme/api 1"]);
    let misses = formats.missed(text.as_bytes(), formats.of("a.env").unwrap(), &Watch::everything(), &sites);
    let miss = |line, written: &str, reason| (line, 1, written.to_owned(), Why::Searched(reason));
    assert_eq!(
        misses.into_iter().map(|miss| (miss.line, miss.column, miss.shown, miss.why)).collect::<Vec<_>>(),
        [
            miss(2, "B=ghcr.io/acme/api:2@nope", MissReason::NoDigest),
            miss(3, "C=x y:3", MissReason::NoRepository),
            miss(4, "D=ghcr.io/acme/api:", MissReason::NoTag),
        ]
    );
}

#[test]
fn near_misses_of_built_in_formats_say_why() {
    let formats = Formats::default();
    let misses = |text: &str, format| {
        let missed = formats.missed(text.as_bytes(), format, &Watch::everything(), &[]);
        missed.into_iter().map(|miss| (miss.line, miss.why)).collect::<Vec<_>>()
    };
    assert_eq!(
        misses("FROM a\nFROM $X\nFROM A:1\n", Format::Dockerfile),
        [(2, Why::Searched(MissReason::Variable)), (3, Why::Searched(MissReason::NoReference))]
    );
    assert_eq!(misses("image = \"a:${b}\"\nx = \"${y}\"\n", Format::Terraform), [(1, Why::Searched(MissReason::Variable))]);
}

#[test]
fn a_search_with_its_own_repository_needs_no_name_in_the_text() {
    let formats = formats(&["VERSION=(?<tag>\\S+)"], Some(API));
    assert_eq!(searched(&formats, "VERSION=1").unwrap().len(), 1);
    let other = formats.scan(b"VERSION=1", formats.of("x").unwrap(), &watch(&["ghcr.io/acme/web"])).unwrap();
    assert!(other.is_empty());
}

#[test]
fn of_overlapping_matches_the_first_expression_counts() {
    let formats = formats(&["A=(?<tag>\\d)", "A=(?<tag>\\d\\.\\d)", "B=(?<tag>\\S+)"], Some(API));
    let sites = searched(&formats, "A=1.4 B=2").unwrap();
    assert_eq!(sites.iter().map(|site| site.tag.as_ref().unwrap().as_str()).collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn a_new_value_that_would_be_read_otherwise_is_refused() {
    // The expression takes one-digit versions only, so the new one would no longer be found.
    let formats = formats(&["V=(?<tag>\\d)$"], Some(API));
    let text = "V=1\nV=2\n";
    let sites = searched(&formats, text).unwrap();
    assert!(apply(text.as_bytes(), &[moved(&sites[0], "3")]).is_ok());
    assert!(matches!(apply(text.as_bytes(), &[moved(&sites[0], "10")]), Err(EditError::Unproved { .. })));
    // And one that takes what stands around into account would find more than before.
    let formats = self::formats(&["V=(?<tag>\\d+)( (?<digest>sha256:\\S+))?", "10\nW=(?<tag>\\d)"], Some(API));
    let text = "V=1\nW=2\n";
    let sites = searched(&formats, text).unwrap();
    assert_eq!(sites.len(), 1);
    assert!(matches!(apply(text.as_bytes(), &[moved(&sites[0], "10")]), Err(EditError::Unproved { .. })));
}

#[test]
fn a_site_of_another_text_is_stale() {
    let sites = scan(b"FROM ghcr.io/acme/api:1", Format::Dockerfile, &watch(&[API])).unwrap();
    assert!(matches!(apply(b"FROM ghcr.io/acme/api:2", &[moved(&sites[0], "3")]), Err(EditError::Stale { .. })));
}

#[test]
fn an_expression_without_a_group_for_it_takes_no_digest() {
    let formats = formats(&["V=(?<tag>\\S+)"], Some(API));
    let sites = searched(&formats, "V=1").unwrap();
    let edit = Edit { site: &sites[0], tag: Tag::parse("2").unwrap(), digest: Some(digest('b')) };
    assert!(matches!(apply(b"V=1", &[edit]), Err(EditError::NoDigest { .. })));
}

#[test]
fn what_is_no_text_is_refused_by_every_reader() {
    let formats = formats(&["(?<repository>\\S+):(?<tag>\\S+)"], None);
    let own = formats.of("x").unwrap();
    for (bytes, reason) in
        [(&b"FROM ghcr.io/acme/api:1\0"[..], "binary"), (b"FROM ghcr.io/acme/api:1\xff", "UTF-8"), (b"\xff\xfeF\0R\0O\0M\0", "UTF-16")]
    {
        for format in [Format::Dockerfile, Format::Terraform, Format::Template, Format::Json, own] {
            let error = formats.scan(bytes, format, &watch(&[API])).unwrap_err().to_string();
            assert!(error.contains(reason), "{format:?}: {error}");
        }
    }
}

#[test]
fn expressions_that_match_everywhere_are_bounded() {
    let text = "a".repeat(1 << 20);
    for regex in ["(?<tag>a)", "(?<tag>a?)", "(?<tag>)"] {
        let formats = formats(&[regex], Some(API));
        assert!(matches!(searched(&formats, &text), Err(Unreadable::TooManySites { .. })), "{regex}");
    }
    let slow = formats(&["(?s)a.*z|(?<tag>a)"], Some(API));
    assert!(matches!(searched(&slow, &text), Err(Unreadable::TooManySites { .. })));
}

#[test]
fn a_large_text_of_many_matches_is_read_as_a_small_one_is() {
    let line = |index: usize| format!("# {}\n{}", "x".repeat(index % 300), if index.is_multiple_of(4) { "api:\n1\r\n" } else { "\n" });
    let text: String = (0..16_000).map(line).collect();
    assert!(text.len() > 2 << 20);
    let formats = formats(&[r"^api:\n(?<tag>\d+)$"], Some(API));
    let sites = searched(&formats, &text).unwrap();
    let lines: Vec<usize> = sites.iter().map(|site| site.line).collect();
    let wanted: Vec<usize> = text.split('\n').enumerate().filter(|(_, line)| *line == "1\r").map(|(index, _)| index + 1).collect();
    assert_eq!((lines.len(), lines), (4_000, wanted));
}

#[test]
fn a_match_of_some_lines_is_found_wherever_it_stands() {
    let formats = formats(&[r"(?s)<(?<tag>\d+)[^>]*>", "(?<tag>9)$"], Some(API));
    for before in (0..10_000).step_by(617) {
        for length in [0, 1, 300, 4_000] {
            let text = format!("{}<1{}>{}9", "a\n".repeat(before), "\n".repeat(length), " \n".repeat(before));
            let found = searched(&formats, &text).unwrap();
            let tags: Vec<_> = found.iter().map(|site| site.tag.as_ref().unwrap().as_str()).collect();
            assert_eq!(tags, ["1", "9"], "{before} {length}");
        }
    }
}

#[test]
fn hostile_texts_are_read_in_one_go() {
    let unit = |unit: &str| unit.repeat((128 << 10) / unit.len()) + "\nghcr.io/acme/api";
    for text in [
        unit("FROM a\n"),
        unit("FROM ghcr.io/acme/api:1 \\\n"),
        unit("ARG A=1\n"),
        unit("RUN <<A\n"),
        unit("RUN <<A <<B "),
        unit("<<<<<<<<"),
        unit("<<-"),
        unit("$A${B:-"),
        unit("FROM ${A:-${A"),
        unit("\"\\\""),
        unit("\"${\"${"),
        unit("image = \"a:1\" /*"),
        unit("a=\"a:1\","),
        unit("#"),
        unit("\r"),
        unit("ä="),
        unit("{\"a\":["),
        unit("\t"),
    ] {
        for format in [Format::Dockerfile, Format::Terraform, Format::Template, Format::Json] {
            // Any outcome but a panic or a long run; the runner has a deadline.
            let _ = scan(text.as_bytes(), format, &watch(&[API]));
        }
    }
}

#[test]
fn many_arguments_used_by_many_images_cost_no_more_than_their_number() {
    let mut text = String::from("ARG V=1\n");
    for index in 0..15_000 {
        text.push_str(&format!("FROM ghcr.io/acme/{}:$V\n", if index == 14_999 { "web" } else { "api" }));
    }
    let sites = scan(text.as_bytes(), Format::Dockerfile, &watch(&[API])).unwrap();
    assert_eq!(sites.len(), 14_999);
    assert!(sites.iter().all(|site| site.locked.is_some()));
}

#[test]
fn json_stays_json() {
    assert_eq!(
        found("{\"image\": {\"repository\": \"ghcr.io/acme/api\", \"tag\": 1.4}, \"a\": \"ghcr.io/acme/api:1\"}", Format::Json),
        ["1:53 split image.tag ghcr.io/acme/api 1.4 Malformed", "1:65 scalar a ghcr.io/acme/api 1"]
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_stands_in_a_text_an_edit_changes_its_value_alone(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "FROM ", "ghcr.io/acme/api:1", "ghcr.io/acme/web:1", "\n", "\r\n", " ", " AS b", "ARG V=", "1", "$V", "${V:-1}", "\\\n", "COPY --from=", "image = \"",
            "\"", "<<E", "\nE\n", "# ", "syntax=", "{", "}", "IMAGE=", "@", "ä", "/*", "*/", "${", ":", "-", "RUN --mount=from=",
        ]), 0..40),
    ) {
        let text = parts.concat();
        let formats = formats(&[r"IMAGE=(?<repository>[^:\s]+):(?<tag>[^\s@]+)(@(?<digest>\S+))?"], None);
        let watch = watch(&[API]);
        for format in [Format::Dockerfile, Format::Terraform, formats.of("x").unwrap(), formats.of("a.yaml").unwrap()] {
            let Ok(sites) = formats.scan(text.as_bytes(), format, &watch) else { continue };
            for site in sites.iter().filter(|site| site.locked.is_none() && site.tag.is_some()) {
                let Ok(new) = apply(text.as_bytes(), &[moved(site, "77.88")]) else { continue };
                let new = String::from_utf8(new).unwrap();
                let again = formats.scan(new.as_bytes(), format, &watch).unwrap();
                proptest::prop_assert_eq!(again.len(), sites.len());
                let same = again.iter().find(|other| other.key == site.key).unwrap();
                proptest::prop_assert_eq!(same.tag.as_ref().unwrap().as_str(), "77.88");
                if format != formats.of("a.yaml").unwrap() {
                    proptest::prop_assert_eq!(new.replacen("77.88", site.tag.as_ref().unwrap().as_str(), 1), text.clone());
                }
            }
        }
    }
}
