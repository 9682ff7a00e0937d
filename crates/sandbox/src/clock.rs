//! Time, as an argument: a test moves it, nobody waits for it.

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }
}

/// The instant in RFC 3339, UTC, to the millisecond.
pub(crate) fn rfc3339(ms: i64) -> String {
    // Beyond the years that jiff knows, the nearest one that it does: a log row never fails.
    let nearest = if ms < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    format!("{:.3}", jiff::Timestamp::from_millisecond(ms).unwrap_or(nearest))
}

/// The instant `seconds` after `ms`, saturating.
pub(crate) fn after(ms: i64, seconds: u64) -> i64 {
    ms.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_rfc_3339_in_utc() {
        assert_eq!(rfc3339(1_795_246_200_123), "2026-11-21T07:30:00.123Z");
        assert!(rfc3339(i64::MAX).starts_with("9999-"));
    }

    #[test]
    fn a_far_future_does_not_wrap() {
        assert_eq!(after(1, u64::MAX), i64::MAX);
        assert_eq!(after(500, 2), 2500);
    }
}
