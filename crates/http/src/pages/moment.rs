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

    /// "on 19 November", with the year where it is not this one.
    pub(super) fn on_day(language: Language, now: Timestamp, then: Timestamp) -> Self {
        let zoned = |instant: Timestamp| {
            let instant = jiff::Timestamp::from_millisecond(instant.as_unix_ms());
            instant.unwrap_or(jiff::Timestamp::MAX).to_zoned(TimeZone::UTC)
        };
        let (now, instant) = (zoned(now), zoned(then));
        let month = usize::try_from(instant.month()).ok().and_then(|month| MONTHS.get(month - 1));
        let arguments = [("day", &*instant.day().to_string()), ("month", month.copied().unwrap_or_default())];
        let mut words = language.text("on_day", &arguments);
        if instant.year() != now.year() {
            let year = instant.year().to_string();
            words = language.text("on_day.with_year", &[("on_day", &words), ("year", &year)]);
        }
        Self { words, exact: then.to_string() }
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
        let day = std::time::Duration::from_hours(24);
        // 31 December of the same year, and the day after it.
        let (same, next) = (then + day * 47, then + day * 48);
        let words = |language, now| Moment::on_day(language, now, then).words;
        assert_eq!(words(Language::English, same), "on 14\u{a0}November");
        assert_eq!(words(Language::Estonian, same), "14.\u{a0}novembril");
        assert_eq!(words(Language::English, next), "on 14\u{a0}November 2023");
        assert_eq!(words(Language::Estonian, next), "14.\u{a0}novembril 2023");
        assert_eq!(Moment::on_day(Language::English, then, then).exact, "2023-11-14T22:13:20.000Z");
    }
}
