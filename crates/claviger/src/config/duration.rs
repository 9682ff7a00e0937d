//! Durations as an operator writes them.

use std::time::Duration;

use serde::Deserialize;

/// A duration as an operator writes it: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HumanDuration(pub Duration);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no duration; write a whole number and ms, s, m, h or d: \"30s\", \"10m\", \"24h\"")]
pub struct InvalidDuration(String);

impl TryFrom<String> for HumanDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let ms = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(InvalidDuration(text)),
        };
        let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(ms));
        // A hundred years: beyond that it is a mistake, and sums of instants could overflow.
        let ms = number.filter(|ms| *ms <= 100 * 366 * 86_400_000);
        ms.map(|ms| Self(Duration::from_millis(ms))).ok_or(InvalidDuration(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        assert_eq!(HumanDuration::try_from("10m".to_owned()).unwrap().0, Duration::from_mins(10));
        assert_eq!(HumanDuration::try_from("2d".to_owned()).unwrap().0, Duration::from_hours(48));
        for bad in ["", "10", "m", "-1s", "1.5h", "10 m", "99999999999999999999s", "99999999999d"] {
            assert!(HumanDuration::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
