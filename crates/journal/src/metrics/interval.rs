//! Owns the cutting of time into intervals of the installation's zone.
//!
//! Quarters, halves and hours are cut along the local clock: in the hour that comes twice in autumn
//! each of the two has intervals of its own, and a day of 23 or 25 hours has as many hours.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// How long an interval of a report is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Interval {
    /// 15 minutes.
    Quarter,
    /// 30 minutes.
    Half,
    /// An hour.
    #[default]
    Hour,
    /// A day of the local calendar.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A month of the local calendar.
    Month,
    /// The whole range, uncut.
    Whole,
}

impl Interval {
    /// All, with their names.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("15min", Self::Quarter),
        ("30min", Self::Half),
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
        ("whole", Self::Whole),
    ];

    const fn minutes(self) -> Option<i64> {
        match self {
            Self::Quarter => Some(15),
            Self::Half => Some(30),
            Self::Hour => Some(60),
            Self::Day | Self::Week | Self::Month | Self::Whole => None,
        }
    }

    /// The start of the interval in which a moment (UTC ms) lies, UTC ms. Of the whole range that is
    /// `from`. A moment that no calendar has is its own interval.
    #[must_use]
    pub fn start(self, at: i64, from: i64, zone: &TimeZone) -> i64 {
        if self == Self::Whole {
            return from;
        }
        self.start_in(at, zone).unwrap_or(at)
    }

    fn start_in(self, at: i64, zone: &TimeZone) -> Option<i64> {
        let moment = Timestamp::from_millisecond(at).ok()?;
        let local = moment.to_zoned(zone.clone());
        if let Some(minutes) = self.minutes() {
            let (length, offset) = (
                minutes * 60_000,
                i64::from(local.offset().seconds()) * 1_000,
            );
            return Some((at + offset).div_euclid(length) * length - offset);
        }
        let day = match self {
            Self::Week => {
                let back = local.weekday().since(Weekday::Monday);
                local.checked_sub(i64::from(back).days()).ok()?
            }
            Self::Month => local.first_of_month().ok()?,
            Self::Day | Self::Quarter | Self::Half | Self::Hour | Self::Whole => local,
        };
        let start: Zoned = day.start_of_day().ok()?;
        Some(start.timestamp().as_millisecond())
    }

    /// The starts of all intervals from `from` to before `to`; the first may begin before `from`.
    /// At most `most` of them.
    #[must_use]
    pub fn starts(self, from: i64, to: i64, zone: &TimeZone, most: usize) -> Vec<i64> {
        let mut starts = Vec::new();
        let mut at = self.start(from, from, zone);
        while at < to && starts.len() < most {
            starts.push(at);
            if self == Self::Whole {
                break;
            }
            at = self.next(at, zone);
        }
        starts
    }

    /// The start of the interval after the one that begins at `start`.
    fn next(self, start: i64, zone: &TimeZone) -> i64 {
        const HOUR: i64 = 3_600_000;
        if let Some(minutes) = self.minutes() {
            return start + minutes * 60_000;
        }
        // Beyond its end by less than a whole one: days have 23 to 25 hours, months 28 to 31 days.
        let beyond = match self {
            Self::Week => 7 * 24 * HOUR + 12 * HOUR,
            Self::Month => 31 * 24 * HOUR + 12 * HOUR,
            Self::Day | Self::Quarter | Self::Half | Self::Hour | Self::Whole => 36 * HOUR,
        };
        self.start(start + beyond, start, zone).max(start + HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn local(at: i64, zone: &TimeZone) -> String {
        let at = Timestamp::from_millisecond(at).unwrap();
        at.to_zoned(zone.clone())
            .strftime("%F %H:%M %z")
            .to_string()
    }

    #[test]
    fn the_hour_that_comes_twice_has_two_intervals_and_the_day_25_hours() {
        let kyiv = zone("Europe/Kyiv"); // 2026-10-25, 04:00 +0300 becomes 03:00 +0200
        let first = ms("2026-10-25T03:30:00+03:00");
        let second = ms("2026-10-25T03:30:00+02:00");
        let hour = |at| local(Interval::Hour.start(at, 0, &kyiv), &kyiv);
        assert_eq!(hour(first), "2026-10-25 03:00 +0300");
        assert_eq!(hour(second), "2026-10-25 03:00 +0200");
        let (from, to) = (
            ms("2026-10-25T00:00:00+03:00"),
            ms("2026-10-26T00:00:00+02:00"),
        );
        assert_eq!(Interval::Hour.starts(from, to, &kyiv, 99).len(), 25);
        assert_eq!(Interval::Quarter.starts(from, to, &kyiv, 999).len(), 100);
        assert_eq!(Interval::Day.starts(from, to, &kyiv, 99), [from]);
    }

    #[test]
    fn the_hour_that_is_left_out_has_no_interval() {
        let kyiv = zone("Europe/Kyiv"); // 2026-03-29, 03:00 +0200 becomes 04:00 +0300
        let (from, to) = (
            ms("2026-03-29T00:00:00+02:00"),
            ms("2026-03-30T00:00:00+03:00"),
        );
        let hours = Interval::Hour.starts(from, to, &kyiv, 99);
        assert_eq!(hours.len(), 23);
        assert!(hours.iter().all(|at| !local(*at, &kyiv).contains(" 03:")));
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let sakhalin = zone("Asia/Sakhalin");
        let at = ms("2026-11-22T10:00:00+11:00"); // a Sunday
        let week = Interval::Week.start(at, 0, &sakhalin);
        assert_eq!(local(week, &sakhalin), "2026-11-16 00:00 +1100");
        let month = Interval::Month.start(at, 0, &sakhalin);
        assert_eq!(local(month, &sakhalin), "2026-11-01 00:00 +1100");
        let (from, to) = (
            ms("2026-01-15T00:00:00+11:00"),
            ms("2027-01-01T00:00:00+11:00"),
        );
        assert_eq!(Interval::Month.starts(from, to, &sakhalin, 99).len(), 12);
        assert_eq!(
            Interval::Week
                .starts(week, week + 14 * 86_400_000, &sakhalin, 99)
                .len(),
            2
        );
    }

    #[test]
    fn every_moment_of_a_year_lies_in_the_interval_that_is_listed_for_it() {
        let lord_howe = zone("Australia/Lord_Howe"); // its summer time is half an hour
        let (from, to) = (ms("2026-01-01T00:00:00Z"), ms("2027-01-01T00:00:00Z"));
        for (_, interval) in Interval::NAMES {
            let starts = interval.starts(from, to, &lord_howe, 40_000);
            let mut at = from;
            while at < to {
                let start = interval.start(at, from, &lord_howe);
                let listed = starts.binary_search(&start).is_ok();
                // The half hour by which that clock moves is the one odd case.
                assert!(listed || interval == Interval::Hour, "{interval:?} {at}");
                assert!(start <= at);
                at += 7 * 60_000 * 13;
            }
        }
    }
}
