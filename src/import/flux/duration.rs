//! Go's durations, in the policy file's form.

/// The units that Flux takes, with their milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

/// Reads a duration such as `1.5h` or `1m0s` and writes it with whole numbers, greatest unit first: `1h30m`, `1m`. None if it is no
/// duration, is zero, or is not a whole number of milliseconds.
pub(super) fn translate(text: &str) -> Option<String> {
    let (mut rest, mut sum) = (text, 0u64);
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, after) = rest.split_at(number);
        let unit = after.len() - after.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let (unit, after) = after.split_at(unit);
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(milliseconds(number, *length)?)?;
        rest = after;
    }
    (sum > 0).then(|| write(sum))
}

fn milliseconds(number: &str, unit: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let mut scale = 1u64;
    for _ in part.bytes() {
        scale = scale.checked_mul(10)?;
    }
    let part = if part.is_empty() { 0 } else { part.parse::<u64>().ok()?.checked_mul(unit)? };
    (part % scale == 0).then(|| whole.checked_add(part / scale))?
}

fn write(mut left: u64) -> String {
    let mut text = String::new();
    for (unit, length) in UNITS.iter().rev() {
        if left >= *length {
            text.push_str(&format!("{}{unit}", left / length));
            left %= length;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations() {
        for (go, ours) in [
            ("5m", Some("5m")),
            ("1m0s", Some("1m")),
            ("1.5h", Some("1h30m")),
            ("90s", Some("1m30s")),
            ("24h", Some("24h")),
            ("1h1h", Some("2h")),
            ("0.5s", Some("500ms")),
            ("", None),
            ("0s", None),
            ("5", None),
            ("5 m", None),
            ("1d", None),
            (".5m", None),
            ("1..5m", None),
            ("1.0001s", None),
            ("-5m", None),
            ("99999999999999999999h", None),
            ("9999999999999999999h", None),
        ] {
            assert_eq!(translate(go).as_deref(), ours, "{go}");
        }
    }
}
