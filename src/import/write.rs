//! From a draft to the text of a policy file, in the style of `config/tagboat.toml`.

use std::fmt::Write;

use super::{Draft, ImageDraft, Line, Remark, Severity, by_kind, shown};

/// Where comments are broken, in characters.
const WIDTH: usize = 120;
/// How long a policy may be to stand on one line.
const LONGEST_INLINE: usize = 100;
const RULE: &str = "# ---------------------------------------------------------------------------------------------------------------";

/// Writes a draft as a policy file with comments; `from` is the word of the command, such as `flux`.
#[must_use]
pub fn write(draft: &Draft, from: &str) -> String {
    let mut text = String::new();
    comment(&mut text, &format!("Made by `tagboat import {from}`. Read it through, then try: tagboat check --connect, tagboat plan"));
    if let Some(summary) = summary(draft) {
        comment(&mut text, &format!("{summary}; the end of this file says which and why."));
    }
    for registry in &draft.registries {
        let _ = writeln!(text, "\n[registry.{}]", quoted(&registry.host));
        lines(&mut text, &registry.lines);
    }
    for environment in &draft.environments {
        text.push('\n');
        environment.comments.iter().for_each(|line| comment(&mut text, line));
        let _ = writeln!(text, "[environment.{}]", key(&environment.name));
        lines(&mut text, &environment.lines);
    }
    for draft in &draft.images {
        text.push('\n');
        draft.comments.iter().for_each(|line| comment(&mut text, line));
        image(&mut text, draft);
    }
    for severity in [Severity::Broken, Severity::Lost, Severity::Note] {
        let remarks = draft.remarks.iter().filter(|remark| remark.severity == severity).map(remark_text).collect::<Vec<_>>();
        let title = match severity {
            Severity::Broken => "Left out, because it is broken or contradicts itself:",
            Severity::Lost => "Not carried over:",
            Severity::Note => "To know and to do:",
        };
        section(&mut text, title, &remarks);
        if severity == Severity::Broken {
            section(&mut text, &format!("Skipped, because `tagboat import {from}` reads nothing of their kind:"), &by_kind(&draft.foreign));
        }
    }
    text
}

/// Writes a list in comments, if there is something in it.
fn section(text: &mut String, title: &str, items: &[String]) {
    if !items.is_empty() {
        let _ = write!(text, "\n{RULE}\n# {title}\n#\n");
        items.iter().for_each(|line| item(text, line));
    }
}

/// Counts what was not carried over: `2 settings are lost, 1 is broken`.
fn summary(draft: &Draft) -> Option<String> {
    let count = |number: usize, one: &str, many: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {many}")),
    };
    let told = |severity| draft.remarks.iter().filter(|remark| remark.severity == severity).count();
    let parts = [
        count(told(Severity::Broken), "thing is broken", "things are broken"),
        count(draft.foreign.len(), "object was skipped", "objects were skipped"),
        count(told(Severity::Lost), "setting is not carried over", "settings are not carried over"),
        count(told(Severity::Note), "thing is to be known", "things are to be known"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn remark_text(remark: &Remark) -> String {
    match &remark.origin {
        Some(origin) if remark.object.is_empty() => format!("{origin}: {remark}"),
        _ => remark.to_string(),
    }
}

/// Writes an image: its keys, with the policy among them if it is short and has no comments of its own.
fn image(text: &mut String, image: &ImageDraft) {
    let inline: Vec<String> = image.policy.iter().map(|line| format!("{} = {}", key(&line.key), line.value)).collect();
    let inline = format!("{{ {} }}", inline.join(", "));
    let is_short = inline.chars().count() <= LONGEST_INLINE && image.policy.iter().all(|line| line.comment.is_none());
    let mut keys = vec![Line::text("repository", &image.repository)];
    if is_short && !image.policy.is_empty() {
        keys.push(Line::new("policy", inline));
    }
    keys.extend(image.lines.iter().cloned());
    text.push_str("[[image]]\n");
    lines(text, &keys);
    if !is_short {
        text.push_str("\n[image.policy]\n");
        lines(text, &image.policy);
    }
}

/// Writes keys and values, with the values below each other.
fn lines(text: &mut String, lines: &[Line]) {
    let keys: Vec<String> = lines.iter().map(|line| key(&line.key)).collect();
    let width = keys.iter().map(|key| key.chars().count()).max().unwrap_or(0);
    for (key, line) in keys.iter().zip(lines) {
        let _ = write!(text, "{key:width$} = {}", line.value);
        if let Some(comment) = &line.comment {
            let _ = write!(text, " # {}", shown(comment));
        }
        text.push('\n');
    }
}

/// Writes a comment, broken between words.
fn comment(text: &mut String, comment: &str) {
    broken(text, "# ", "# ", comment);
}

/// Writes an entry of a list in comments.
fn item(text: &mut String, comment: &str) {
    broken(text, "# - ", "#   ", comment);
}

fn broken(text: &mut String, first: &str, next: &str, comment: &str) {
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in comment.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            next.clone_into(&mut line);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Writes a key as TOML, with quotes only if it needs them.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// Writes a text as a TOML string on one line, without escapes where it can do so: `"a"`, `'\d'`.
#[must_use]
pub fn quoted(text: &str) -> String {
    let is_odd = |c: char| c.is_control() || c == '\u{feff}';
    if text.contains(['\\', '"']) && !text.contains('\'') && !text.contains(is_odd) {
        return format!("'{text}'");
    }
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if is_odd(character) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_need_few_escapes() {
        for (text, written) in [
            ("a", r#""a""#),
            (r"\d", r"'\d'"),
            (r#"say "hi""#, r#"'say "hi"'"#),
            (r"it's \d", r#""it's \\d""#),
            ("a\tb\u{7f}", r#""a\u0009b\u007f""#),
            ("", r#""""#),
        ] {
            assert_eq!(quoted(text), written);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in any::<String>(), name in any::<String>()) {
            let read: toml::Table = toml::from_str(&format!("{} = {}", key(&name), quoted(&text))).unwrap();
            prop_assert_eq!(read.get(&name).and_then(toml::Value::as_str), Some(text.as_str()));
        }

        #[test]
        fn a_comment_never_ends_early(text in any::<String>()) {
            let mut written = String::new();
            item(&mut written, &text);
            comment(&mut written, &text);
            prop_assert!(toml::from_str::<toml::Table>(&written).unwrap().is_empty());
        }
    }
}
