//! Which day and which instant a record belongs to, also where its clock is wrong.

/// 2020-01-01T00:00:00Z: no LLM telemetry is older.
const EARLIEST_UNIX_NANO: u64 = 1_577_836_800 * NANOS;
const DAY_NANOS: u64 = 86_400 * NANOS;
const NANOS: u64 = 1_000_000_000;

/// The times of a record after judging them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// Days since 1970-01-01 (UTC) of the end, or of the receipt.
    pub(crate) date: i32,
    /// The start, or the receipt: prices are chosen by it.
    pub(crate) priced_at_unix_nano: i64,
    /// The times as sent, where they can be written at all.
    pub(crate) start_unix_nano: Option<i64>,
    pub(crate) end_unix_nano: Option<i64>,
    /// The times are impossible and the receipt stands for them.
    pub(crate) impossible: bool,
}

/// Judges the times of a record: zero, end before start, more than a day ahead of the receipt or before 2020 is impossible.
pub(crate) fn judge(start: u64, end: u64, received: u64) -> Times {
    let latest = received.saturating_add(DAY_NANOS);
    let impossible = start < EARLIEST_UNIX_NANO || end < start || end > latest || start > latest;
    let (priced_at, dated) = if impossible { (received, received) } else { (start, end) };
    let as_sent = |time: u64| i64::try_from(time).ok().filter(|time| *time > 0);
    Times {
        date: i32::try_from(dated / DAY_NANOS).unwrap_or(0),
        priced_at_unix_nano: i64::try_from(priced_at).unwrap_or(i64::MAX),
        start_unix_nano: as_sent(start),
        end_unix_nano: as_sent(end),
        impossible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_times_are_dated_by_the_receipt() {
        let received = 20_000 * DAY_NANOS + 5;
        let good = received - DAY_NANOS;
        for (start, end, impossible) in [
            (good, good + 1, false),
            (good, good, false),
            (0, good, true),
            (good, 0, true),
            (0, 0, true),
            (good, good - 1, true),
            (good, received + DAY_NANOS, false),
            (good, received + DAY_NANOS + 1, true),
            (EARLIEST_UNIX_NANO, good, false),
            (EARLIEST_UNIX_NANO - 1, good, true),
            (u64::MAX, u64::MAX, true),
        ] {
            let times = judge(start, end, received);
            assert_eq!(times.impossible, impossible, "{start} {end}");
            if impossible {
                assert_eq!(
                    (times.date, times.priced_at_unix_nano),
                    (20_000, received as i64),
                    "{start} {end}"
                );
            }
        }
    }

    #[test]
    fn a_call_over_midnight_is_dated_by_its_end_and_priced_by_its_start() {
        let midnight = 20_000 * DAY_NANOS;
        let times = judge(midnight - 1, midnight + 1, midnight + 2);
        assert_eq!((times.date, times.priced_at_unix_nano), (20_000, midnight as i64 - 1));
    }
}
