//! Owns the calendar of a country and year: holidays, short days, days of work at a weekend.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use toml::de::DeTable;

use crate::diagnostic::{Diagnostic, Report};
use crate::plan::limits;
use crate::read::{Table, syntax_mistakes};

/// One calendar file: a country in one year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// The country as plans name it, such as `ru`.
    pub country: String,
    /// The year.
    pub year: i16,
    holidays: BTreeSet<Date>,
    short: BTreeSet<Date>,
    workdays: BTreeSet<Date>,
}

/// What a day is by a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// As its weekday says.
    Usual,
    /// Nobody works.
    Holiday,
    /// Work ends earlier.
    Short,
    /// A Saturday or Sunday on which is worked as on a Monday.
    Workday,
}

impl Calendar {
    /// Reads a calendar file. `file` names it in diagnostics.
    ///
    /// # Errors
    /// Every mistake of the file, in its order.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut report = Report::new(file, text);
        if text.len() > limits::FILE_BYTES {
            let most = limits::FILE_BYTES;
            report.mistake(&(0..0), format!("a calendar has at most {most} bytes"));
            return Err(report.finish());
        }
        let (root, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(syntax_mistakes(report, text, errors));
        }
        let root = Table::new(root.get_ref(), "a calendar");
        root.allow(
            &mut report,
            &["country", "year", "holidays", "short", "workdays"],
        );
        root.need(&mut report, "country", &(0..0), "country = \"ru\"");
        root.need(&mut report, "year", &(0..0), "year = 2026");
        let country = root.text(&mut report, "country");
        let year = root.number(&mut report, "year", 2000..=2199);
        let year = year.map(|year| i16::try_from(year.value).unwrap_or(i16::MAX));
        let mut calendar = Self {
            country: country
                .map(|country| country.value.to_owned())
                .unwrap_or_default(),
            year: year.unwrap_or_default(),
            holidays: BTreeSet::new(),
            short: BTreeSet::new(),
            workdays: BTreeSet::new(),
        };
        let mut seen: BTreeMap<Date, &str> = BTreeMap::new();
        for key in ["holidays", "short", "workdays"] {
            let days = calendar.days(&mut report, root, key, &mut seen);
            match key {
                "holidays" => calendar.holidays = days,
                "short" => calendar.short = days,
                _ => calendar.workdays = days,
            }
        }
        if report.is_clean() {
            Ok(calendar)
        } else {
            Err(report.finish())
        }
    }

    fn days<'k>(
        &self,
        report: &mut Report<'_>,
        root: Table<'_>,
        key: &'k str,
        seen: &mut BTreeMap<Date, &'k str>,
    ) -> BTreeSet<Date> {
        let mut days = BTreeSet::new();
        for day in root
            .texts(report, key)
            .map(|all| all.value)
            .unwrap_or_default()
        {
            let Some(date) = crate::read::date(report, &day) else {
                continue;
            };
            if self.year != 0 && date.year() != self.year {
                let message = format!("expected a day of {}, found \"{}\"", self.year, day.value);
                report.mistake(&day.span, message);
            } else if let Some(before) = seen.insert(date, key) {
                let message = format!("\"{}\" stands here twice", day.value);
                report.mistake_with_help(&day.span, message, format!("first in `{before}`"));
            }
            days.insert(date);
        }
        days
    }

    fn day(&self, date: Date) -> Day {
        if self.holidays.contains(&date) {
            Day::Holiday
        } else if self.short.contains(&date) {
            Day::Short
        } else if self.workdays.contains(&date) {
            Day::Workday
        } else {
            Day::Usual
        }
    }
}

/// All calendars of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendars {
    by_year: BTreeMap<(String, i16), Calendar>,
}

impl Calendars {
    /// Puts calendars together; of two for one country and year the later one counts.
    #[must_use]
    pub fn new(calendars: Vec<Calendar>) -> Self {
        let keyed = calendars
            .into_iter()
            .map(|one| ((one.country.clone(), one.year), one));
        Self {
            by_year: keyed.collect(),
        }
    }

    /// The countries that have a calendar.
    #[must_use]
    pub fn countries(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self
            .by_year
            .keys()
            .map(|(country, _)| country.as_str())
            .collect();
        all.dedup();
        all
    }

    /// What a day is in a country; `None` where there is no calendar of that year.
    #[must_use]
    pub fn day(&self, country: &str, date: Date) -> Option<Day> {
        let calendar = self.by_year.get(&(country.to_owned(), date.year()))?;
        Some(calendar.day(date))
    }

    /// Those of one country.
    #[must_use]
    pub fn of(&self, country: &str) -> Self {
        let ours = self.by_year.iter().filter(|((one, _), _)| one == country);
        Self {
            by_year: ours.map(|(key, one)| (key.clone(), one.clone())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_calendar_knows_holidays_short_days_and_workdays_and_other_days_are_usual() {
        let text = "country = \"ru\"\nyear = 2024\nholidays = [\"2024-05-01\"]\n\
                    short = [\"2024-11-02\"]\nworkdays = [\"2024-04-27\"]\n";
        let calendars = Calendars::new(vec![Calendar::parse("ru-2024.toml", text).unwrap()]);
        let day = |month, day| calendars.day("ru", date(2024, month, day));
        assert_eq!(day(5, 1), Some(Day::Holiday));
        assert_eq!(day(11, 2), Some(Day::Short));
        assert_eq!(day(4, 27), Some(Day::Workday));
        assert_eq!(day(5, 2), Some(Day::Usual));
        assert_eq!(calendars.day("ru", date(2025, 5, 1)), None);
        assert_eq!(calendars.day("ua", date(2024, 5, 1)), None);
    }

    #[test]
    fn a_day_of_another_year_and_a_day_twice_are_refused() {
        let text = "country = \"ru\"\nyear = 2024\nholidays = [\"2025-05-01\", \"2024-05-01\", \
                    \"1 May\"]\nshort = [\"2024-05-01\"]\n";
        let told: Vec<String> = Calendar::parse("c.toml", text)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "c.toml:3:13: expected a day of 2024, found \"2025-05-01\"",
                "c.toml:3:41: expected a day such as \"2026-05-09\", found \"1 May\"",
                "c.toml:4:10: \"2024-05-01\" stands here twice (first in `holidays`)",
            ]
        );
    }
}
