//! What lines look like, captured from real events.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

/// Collects what is written.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `work` with logs in this form and returns the lines.
fn lines(style: (Format, bool), directives: &str, work: impl FnOnce()) -> Vec<String> {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = subscriber(style.0, style.1, filter(directives).unwrap(), move || writer.clone());
    tracing::subscriber::with_default(subscriber, work);
    let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.split_terminator('\n').map(str::to_owned).collect()
}

/// Takes the time off a text line, after a look at its form.
fn after_time(line: &str) -> &str {
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == "2026-11-22T10:00:00Z".len(), "{time}");
    rest
}

const TEXT: (Format, bool) = (Format::Text, false);
const JSON: (Format, bool) = (Format::Json, false);

#[test]
fn a_text_line_reads_alone() {
    let lines = lines(TEXT, "info", || {
        tracing::info!(environment = "prod", commit = "1a2b3c4", changes = 3, "pushed");
        tracing::warn!(reason = "no such branch", ratio = 0.5, ok = false, empty = "", "failing");
    });
    assert_eq!(after_time(&lines[0]), "INFO  pushed environment=prod commit=1a2b3c4 changes=3");
    assert_eq!(after_time(&lines[1]), r#"WARN  failing reason="no such branch" ratio=0.5 ok=false empty="""#);
}

#[test]
fn fields_of_spans_stand_on_the_lines_inside_them() {
    let lines = lines(TEXT, "info", || {
        let outer = tracing::info_span!("environment", environment = "prod", commit = tracing::field::Empty);
        let _outer = outer.enter();
        let _inner = tracing::info_span!("file", file = "a.yaml", reason = "span").entered();
        outer.record("commit", "1a2b3c4");
        tracing::info!(reason = "event", "skipped");
    });
    assert_eq!(after_time(&lines[0]), "INFO  skipped environment=prod commit=1a2b3c4 file=a.yaml reason=event");
}

#[test]
fn a_warning_keeps_its_spans_fields_where_only_warnings_are_written() {
    let lines = lines(TEXT, "warn", || {
        let _span = tracing::info_span!("environment", environment = "prod").entered();
        tracing::info!("fetched");
        tracing::warn!("failing");
    });
    assert_eq!(lines.iter().map(|line| after_time(line)).collect::<Vec<_>>(), ["WARN  failing environment=prod"]);
}

#[test]
fn an_error_is_told_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("listing tags of ghcr.io/acme/api")]
    struct Listing(#[source] std::fmt::Error);
    let lines = lines(TEXT, "info", || {
        let error: &(dyn std::error::Error + 'static) = &Listing(std::fmt::Error);
        tracing::warn!(error, "failing");
    });
    let cause = std::fmt::Error.to_string();
    assert_eq!(after_time(&lines[0]), format!(r#"WARN  failing error="listing tags of ghcr.io/acme/api: {cause}""#));
}

/// Each breaks something where it is not escaped: a line, a quote, a terminal, a reader's eye.
const HOSTILE: &str = "1.0\n2026-11-22T10:00:00Z INFO  pushed \"x\" \\ a=b \u{1b}[31m\u{85}\u{2028}\u{202e}\u{0}\r\u{9b}";

#[test]
fn a_hostile_value_never_ends_a_text_line_or_forges_a_field() {
    let lines = lines(TEXT, "info", || {
        tracing::info!(tag = HOSTILE, plain = "a=b", after = 1, "saw a tag");
        tracing::info!("{HOSTILE}");
    });
    assert_eq!(lines.len(), 2);
    assert_eq!(
        after_time(&lines[0]),
        concat!(
            r#"INFO  saw a tag tag="1.0\n2026-11-22T10:00:00Z INFO  pushed \"x\" \\ a=b "#,
            r#"\u{1b}[31m\u{85}\u{2028}\u{202e}\0\r\u{9b}" plain="a=b" after=1"#
        )
    );
    assert!(lines[1].chars().all(|c| !c.is_control() && c != '\u{2028}' && c != '\u{202e}'), "{:?}", lines[1]);
}

#[test]
fn a_hostile_value_stays_one_json_line_and_comes_back_whole() {
    let lines = lines(JSON, "info", || tracing::info!(tag = HOSTILE, emoji = "a\u{1f6a2}\u{e0001}", "saw a tag"));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].chars().all(is_plain), "{:?}", lines[0]);
    let object: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(object["tag"], HOSTILE);
    assert_eq!(object["emoji"], "a\u{1f6a2}\u{e0001}");
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{202e}' | '\u{e0001}')
}

#[test]
fn a_json_line_is_one_flat_object() {
    let lines = lines(JSON, "info", || {
        let _span = tracing::info_span!("environment", environment = "prod").entered();
        tracing::info!(changes = 3, level = "forged", big = u64::MAX, "pushed");
    });
    let (time, rest) = lines[0].split_once(',').unwrap();
    assert_eq!(rest, format!(r#""level":"INFO","message":"pushed","environment":"prod","changes":3,"big":{}}}"#, u64::MAX));
    let time: String = serde_json::from_str(time.strip_prefix(r#"{"timestamp":"#).unwrap()).unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == "2026-11-22T10:00:00.000Z".len(), "{time}");
}

#[test]
fn colours_only_where_wanted() {
    let work = || tracing::info!(tag = "1.0", "found");
    let coloured = lines((Format::Text, true), "info", work);
    assert!(coloured[0].contains("\u{1b}[32mINFO \u{1b}[0m found \u{1b}[2mtag=\u{1b}[0m1.0"), "{:?}", coloured[0]);
    assert!(!lines(TEXT, "info", work)[0].contains('\u{1b}'));
    assert!(!lines((Format::Json, true), "info", work)[0].contains('\u{1b}'));
}

#[test]
fn a_document_in_a_value_is_cut() {
    let long = "é".repeat(10_000);
    let lines = lines(TEXT, "info", || tracing::info!(body = long, "answered"));
    assert!(lines[0].len() < 5_000 && lines[0].ends_with("é…"), "{}", lines[0].len());
}

#[test]
fn a_level_is_about_tagboat_and_libraries_stay_quiet() {
    let work = || {
        tracing::debug!("ours");
        tracing::debug!(target: "hyper::client", "theirs");
        tracing::warn!(target: "hyper::client", "in trouble");
    };
    let messages = |directives| lines(TEXT, directives, work).iter().map(|line| after_time(line).to_owned()).collect::<Vec<_>>();
    assert_eq!(messages("debug"), ["DEBUG ours", "WARN  in trouble target=hyper::client"]);
    assert_eq!(messages(""), ["WARN  in trouble target=hyper::client"]);
    assert_eq!(messages("error"), Vec::<String>::new());
    assert_eq!(messages("warn,hyper=debug"), ["DEBUG theirs target=hyper::client", "WARN  in trouble target=hyper::client"]);
}

#[test]
fn a_filter_that_is_none_is_an_error_that_names_it() {
    assert_eq!(filter("tagboat=loud").unwrap_err().to_string(), "the log filter `tagboat=loud` cannot be read");
}
