//! Keel's schedules: `@every 5m`, `@hourly`, and cron lines, of which there is no equal.

/// Milliseconds of Go's units, longer names first.
const UNITS: [(&str, f64); 7] =
    [("ms", 1.0), ("us", 0.001), ("µs", 0.001), ("ns", 0.000_001), ("h", 3_600_000.0), ("m", 60_000.0), ("s", 1000.0)];

/// The least and the greatest interval that the policy file takes, in seconds.
const BOUNDS: (u64, u64) = (1, 365 * 86_400);

/// Gives the interval of a schedule as the policy file writes it; none of one that has a time of day.
pub(super) fn interval(schedule: &str) -> Option<String> {
    let schedule = schedule.trim();
    let seconds = match schedule {
        "@hourly" => 3600,
        "@daily" | "@midnight" => 86_400,
        "@weekly" => 7 * 86_400,
        "@monthly" => 30 * 86_400,
        "@yearly" | "@annually" => 365 * 86_400,
        _ => duration(schedule.strip_prefix("@every ")?.trim())?,
    };
    Some(written(seconds.clamp(BOUNDS.0, BOUNDS.1)))
}

/// Reads Go's durations, such as `1h30m` and `1.5h`, as seconds.
fn duration(text: &str) -> Option<u64> {
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at_checked(end)?;
        let (unit, size) = UNITS.iter().find(|(unit, _)| behind.starts_with(unit))?;
        sum += number.parse::<f64>().ok()? * size;
        rest = behind.strip_prefix(unit)?;
    }
    // A float beyond the bounds becomes the greatest number, which is brought within them.
    (!text.is_empty()).then_some((sum / 1000.0).ceil() as u64)
}

fn written(seconds: u64) -> String {
    let parts = [(seconds / 86_400, 'd'), (seconds / 3600 % 24, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    parts.into_iter().filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number}{unit}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_become_intervals() {
        for (schedule, wanted) in [
            ("@every 5m", Some("5m")),
            ("@every 1h30m", Some("1h30m")),
            ("@every 1.5h", Some("1h30m")),
            ("@every 90s", Some("1m30s")),
            ("@every 100ms", Some("1s")),
            ("@every 48h", Some("2d")),
            ("@every 99999999999999999h", Some("365d")),
            ("@hourly", Some("1h")),
            ("@midnight", Some("1d")),
            ("@weekly", Some("7d")),
            ("@every", None),
            ("@every ", None),
            ("@every 5", None),
            ("@every 5 minutes", None),
            ("@every µ", None),
            ("0 */5 * * * *", None),
            ("", None),
        ] {
            assert_eq!(interval(schedule).as_deref(), wanted, "{schedule}");
        }
    }
}
