//! Times as a person says them.

use std::time::Duration;

use model::Timestamp;

/// `in 12 min`, or `3 h ago`.
pub(super) fn relative(now: Timestamp, at: Timestamp) -> String {
    if at > now {
        format!("in {}", span(at.since(now)))
    } else {
        match now.since(at) {
            age if age < Duration::from_secs(1) => "just now".to_owned(),
            age => format!("{} ago", span(age)),
        }
    }
}

/// The same with the exact time behind it.
pub(super) fn with_exact(now: Timestamp, at: Timestamp) -> String {
    format!("{} ({at})", relative(now, at))
}

/// `45 s`, `12 min`, `3 h`, `8 days`: the largest unit of which there is at least one, rounded down.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `412 ms`, `1.2 s`, `3 min`.
pub(super) fn millis(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => span(Duration::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_their_largest_unit() {
        let now = Timestamp::from_unix_ms(1_000_000_000_000);
        let cases = [
            (0, "just now"),
            (59, "in 59 s"),
            (60, "in 1 min"),
            (7199, "in 1 h"),
            (172_800, "in 2 days"),
            (-1, "1 s ago"),
            (-3600, "1 h ago"),
            (-86_400, "24 h ago"),
        ];
        for (seconds, said) in cases {
            let at = Timestamp::from_unix_ms(now.as_unix_ms() + seconds * 1000);
            assert_eq!(relative(now, at), said);
        }
        assert_eq!(
            (millis(999), millis(1250), millis(61_000)),
            ("999 ms".into(), "1.2 s".into(), "1 min".into())
        );
    }
}
