//! Owns the equal parts of time by which the database adds up: as long as they can be, so that there are
//! few of them.

use super::{INTERVALS_MAX, Wanted};
use crate::metrics::Interval;

/// Intervals begin and end with quarters of an hour in every zone of today.
const QUARTER_MS: i64 = 900_000;

/// Equal parts of time, of which each interval of a report is made, without a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grain {
    /// Where one of them begins, UTC ms.
    from: i64,
    length_ms: i64,
}

impl Grain {
    /// For a report that is cut by intervals. A day of the local calendar may have 23 or 25 hours, a
    /// month any number of days, so what divides all of them is looked for.
    pub(super) fn of(interval: Interval, wanted: &Wanted) -> Self {
        let quarters = Self {
            from: 0,
            length_ms: QUARTER_MS,
        };
        let (from, to, zone) = (wanted.from, wanted.to, &wanted.zone);
        let starts = interval.starts(from, to, zone, INTERVALS_MAX);
        let Some(first) = starts.first() else {
            return quarters;
        };
        // Not so where a clock is put on by half an hour: its hours begin elsewhere afterwards.
        let equal = |start: &i64| interval.start(*start, from, zone) == *start;
        if starts.len() == INTERVALS_MAX || !starts.iter().all(equal) {
            return quarters;
        }
        let lengths = starts.windows(2).filter_map(|pair| match pair {
            [start, next] => Some(next - start),
            _ => None,
        });
        let length_ms = match lengths.fold(0, divisor) {
            0 => to.saturating_sub(*first),
            length => length,
        };
        Self {
            from: *first,
            length_ms: length_ms.max(1),
        }
    }

    /// The number of the part in which a column's moment lies, as SQL.
    pub(super) fn sql(self, column: &str) -> String {
        format!("({column} - {}) / {}", self.from, self.length_ms)
    }

    /// A moment of a part that lies in the range.
    pub(super) fn moment(self, part: i64, wanted: &Wanted) -> i64 {
        let start = self
            .from
            .saturating_add(part.saturating_mul(self.length_ms));
        start.max(wanted.from)
    }
}

/// The greatest divisor of both.
const fn divisor(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::report::Kind;

    const HOUR: i64 = 3_600_000;

    /// From one local midnight to another.
    fn wanted(zone: &str, from: &str, to: &str) -> Wanted {
        let zone = TimeZone::get(zone).unwrap();
        let [from, to] = [from, to].map(|day| {
            let day: jiff::civil::Date = day.parse().unwrap();
            let midnight = day.to_zoned(zone.clone()).unwrap();
            midnight.timestamp().as_millisecond()
        });
        Wanted::new(Kind::Queue, (from, to), to, zone)
    }

    fn length(interval: Interval, wanted: &Wanted) -> i64 {
        Grain::of(interval, wanted).length_ms
    }

    #[test]
    fn the_longest_parts_are_taken_that_make_up_every_interval() {
        let november = wanted("Asia/Sakhalin", "2026-11-01", "2026-12-01");
        for (interval, hours) in [
            (Interval::Hour, 1),
            (Interval::Day, 24),
            (Interval::Week, 7 * 24),
            (Interval::Month, 30 * 24),
            (Interval::Whole, 30 * 24),
        ] {
            let expected = hours * HOUR;
            assert_eq!(length(interval, &november), expected, "{interval:?}");
        }
        assert_eq!(length(Interval::Quarter, &november), QUARTER_MS);
        let half_a_year = wanted("Asia/Sakhalin", "2026-07-01", "2027-01-01");
        assert_eq!(length(Interval::Month, &half_a_year), 24 * HOUR);
    }

    #[test]
    fn a_day_of_25_hours_is_cut_by_hours_and_a_clock_put_on_by_half_an_hour_by_quarters() {
        let october = wanted("Europe/Kyiv", "2026-10-20", "2026-10-30");
        assert_eq!(length(Interval::Day, &october), HOUR);
        let lord_howe = wanted("Australia/Lord_Howe", "2026-10-01", "2026-10-07");
        assert_eq!(length(Interval::Hour, &lord_howe), QUARTER_MS);
    }

    #[test]
    fn every_moment_lies_in_the_interval_of_its_part() {
        for zone in ["Europe/Kyiv", "Australia/Lord_Howe", "Asia/Kathmandu"] {
            let mut wanted = wanted(zone, "2026-09-15", "2026-11-15");
            wanted.from += 7 * HOUR + 1;
            for (_, interval) in Interval::NAMES {
                let grain = Grain::of(interval, &wanted);
                let start = |at| interval.start(at, wanted.from, &wanted.zone);
                let mut at = wanted.from;
                while at < wanted.to {
                    let part = (at - grain.from) / grain.length_ms;
                    let moment = grain.moment(part, &wanted);
                    assert_eq!(start(moment), start(at), "{zone} {interval:?} {at}");
                    at += 599_999;
                }
            }
        }
    }
}
