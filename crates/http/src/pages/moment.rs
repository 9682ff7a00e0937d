//! When something was: how long ago, or on which day, and exactly for whoever points at it.

use jiff::tz::TimeZone;
use model::Timestamp;

use crate::letters::MONTHS;
use crate::messages::Language;

/// An instant as a page shows it.
pub(super) struct Moment {
    /// In words.
    pub(super) words: String,
    /// RFC 3339, in UTC.
    pub(super) exact: String,
}

impl Moment {
    /// "2 min ago".
    pub(super) fn ago(language: Language, now: Timestamp, then: Timestamp) -> Self {
        let minutes = now.since(then).as_secs() / 60;
        let (name, number) = match minutes {
            0 => ("just_now", 0),
            1..60 => ("minutes_ago", minutes),
            60..1440 => ("hours_ago", minutes / 60),
            _ => ("days_ago", minutes / 1440),
        };
        let words = language.text(name, &[("number", &number.to_string())]);
        Self { words, exact: then.to_string() }
    }

    /// "on 19 November".
    pub(super) fn on_day(language: Language, then: Timestamp) -> Self {
        let instant = jiff::Timestamp::from_millisecond(then.as_unix_ms()).unwrap_or(jiff::Timestamp::MAX);
        let instant = instant.to_zoned(TimeZone::UTC);
        let month = usize::try_from(instant.month()).ok().and_then(|month| MONTHS.get(month - 1));
        let arguments = [("day", &*instant.day().to_string()), ("month", month.copied().unwrap_or_default())];
        Self { words: language.text("on_day", &arguments), exact: then.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_by_the_unit_that_fits() {
        let then = Timestamp::from_unix_ms(1_700_000_000_000);
        for (seconds, english, estonian) in [
            (0, "just now", "just praegu"),
            (59, "just now", "just praegu"),
            (60, "1 min ago", "1 min tagasi"),
            (3599, "59 min ago", "59 min tagasi"),
            (3600, "1 h ago", "1 h tagasi"),
            (86_399, "23 h ago", "23 h tagasi"),
            (86_400, "1 d ago", "1 p tagasi"),
        ] {
            let now = then + std::time::Duration::from_secs(seconds);
            assert_eq!(Moment::ago(Language::English, now, then).words, english);
            assert_eq!(Moment::ago(Language::Estonian, now, then).words, estonian);
        }
        assert_eq!(Moment::on_day(Language::English, then).words, "on 14\u{a0}November");
        assert_eq!(Moment::on_day(Language::Estonian, then).words, "14.\u{a0}novembril");
        assert_eq!(Moment::on_day(Language::English, then).exact, "2023-11-14T22:13:20.000Z");
    }
}
