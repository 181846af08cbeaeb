//! Owns typed reading of TOML tables: a value of the wrong kind or an unknown key becomes a mistake
//! with its place, and reading goes on.

use core::ops::{Range, RangeInclusive};
use core::time::Duration;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Report};
use crate::spelling::advice;

pub(crate) type Span = Range<usize>;

/// A table and how it is called in messages.
#[derive(Clone, Copy)]
pub(crate) struct Table<'t> {
    entries: &'t DeTable<'t>,
    what: &'t str,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<'t> Table<'t> {
    pub(crate) const fn new(entries: &'t DeTable<'t>, what: &'t str) -> Self {
        Self { entries, what }
    }

    /// Keys with their places, in the order of the file.
    pub(crate) fn keys(&self) -> Vec<At<&'t str>> {
        let mut keys: Vec<At<&str>> = self
            .entries
            .keys()
            .map(|key| At {
                value: key.get_ref().as_ref(),
                span: key.span(),
            })
            .collect();
        keys.sort_by_key(|key| key.span.start);
        keys
    }

    /// Reports every key that is not among those known.
    pub(crate) fn allow(&self, report: &mut Report<'_>, known: &[&str]) {
        for key in self.keys() {
            if !known.contains(&key.value) {
                let message = format!("unknown key `{}` in {}", key.value, self.what);
                report.mistake_with_help(&key.span, message, advice(key.value, known));
            }
        }
    }

    /// Reports a key that is not there.
    pub(crate) fn need(
        &self,
        report: &mut Report<'_>,
        key: &str,
        at: &Span,
        example: &str,
    ) -> bool {
        let there = self.value(key).is_some();
        if !there {
            let message = format!("{} needs `{key}`", self.what);
            report.mistake_with_help(at, message, format!("add `{example}`"));
        }
        there
    }

    pub(crate) fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.entries.get(key)
    }

    pub(crate) fn text(&self, report: &mut Report<'_>, key: &str) -> Option<At<&'t str>> {
        text(report, key, self.value(key)?)
    }

    pub(crate) fn flag(&self, report: &mut Report<'_>, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            wrong_kind(report, key, "`true` or `false`", value);
        }
        flag
    }

    /// An integer within a range.
    pub(crate) fn number(
        &self,
        report: &mut Report<'_>,
        key: &str,
        range: RangeInclusive<u16>,
    ) -> Option<At<u16>> {
        let value = self.value(key)?;
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(integer) = value.get_ref().as_integer() else {
            wrong_kind(report, key, &expected, value);
            return None;
        };
        match u16::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => Some(At {
                value: number,
                span: value.span(),
            }),
            Ok(_) | Err(_) => {
                let message = format!("`{key}` must be {expected}, found {integer}");
                report.mistake(&value.span(), message);
                None
            }
        }
    }

    /// A time such as `"10s"`, within a range.
    pub(crate) fn time(
        &self,
        report: &mut Report<'_>,
        key: &str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let given = self.text(report, key)?;
        let Some(time) = duration(given.value) else {
            let message = format!("`{key}` must be a time, found \"{}\"", given.value);
            let help = "write a whole number and a unit: \"500ms\", \"10s\", \"2min\", \"1h\"";
            report.mistake_with_help(&given.span, message, help);
            return None;
        };
        if !range.contains(&time) {
            let (low, high) = (written(*range.start()), written(*range.end()));
            let message = format!(
                "`{key}` must be from {low} to {high}, found {}",
                given.value
            );
            report.mistake(&given.span, message);
            return None;
        }
        Some(time)
    }

    pub(crate) fn table(&self, report: &mut Report<'_>, key: &str) -> Option<&'t DeTable<'t>> {
        let value = self.value(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            wrong_kind(report, key, "a table `{ … }`", value);
        }
        table
    }

    /// A list of texts. Members of another kind are reported and left out.
    pub(crate) fn texts(&self, report: &mut Report<'_>, key: &str) -> Option<At<Vec<At<&'t str>>>> {
        let value = self.value(key)?;
        let Some(array) = value.get_ref().as_array() else {
            wrong_kind(report, key, "a list `[\"…\"]`", value);
            return None;
        };
        let members = array
            .iter()
            .filter_map(|member| text(report, key, member))
            .collect();
        Some(At {
            value: members,
            span: value.span(),
        })
    }
}

/// A whole number and its unit.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text.get(..unit)?.parse().ok()?;
    let ms: u64 = match text.get(unit..)? {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(ms)?))
}

/// A time as a file has it.
pub(crate) fn written(time: Duration) -> String {
    let ms = time.as_millis();
    for (unit, of_it) in [("h", 3_600_000), ("min", 60_000), ("s", 1_000)] {
        if ms >= of_it && ms.is_multiple_of(of_it) {
            return format!("{}{unit}", ms / of_it);
        }
    }
    match ms {
        0 => "0s".to_owned(),
        ms => format!("{ms}ms"),
    }
}

/// A day, or a mistake.
pub(crate) fn date(report: &mut Report<'_>, given: &At<&str>) -> Option<Date> {
    let date = given.value.parse::<Date>().ok();
    // jiff takes more ways of writing than a reader expects.
    let date = date.filter(|date| date.to_string() == given.value);
    if date.is_none() {
        let message = format!(
            "expected a day such as \"2026-05-09\", found \"{}\"",
            given.value
        );
        report.mistake(&given.span, message);
    }
    date
}

/// How the TOML reader tells of a key that stands twice; it leaves out which.
const DUPLICATE_KEY: &str = "duplicate key";

/// The mistakes of a file that is not TOML.
pub(crate) fn syntax_mistakes(
    mut report: Report<'_>,
    text: &str,
    errors: Vec<toml::de::Error>,
) -> Vec<Diagnostic> {
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        if let (DUPLICATE_KEY, Some(key)) = (message.as_str(), text.get(at.clone())) {
            let message = format!("the key `{key}` stands twice in one table");
            report.mistake_with_help(&at, message, "keep one of the two");
        } else {
            report.mistake(&at, format!("not TOML: {message}"));
        }
    }
    report.finish()
}

/// A text, or a mistake.
pub(crate) fn text<'t>(
    report: &mut Report<'_>,
    key: &str,
    value: &'t Spanned<DeValue<'t>>,
) -> Option<At<&'t str>> {
    let Some(text) = value.get_ref().as_str() else {
        wrong_kind(report, key, "text in quotes", value);
        return None;
    };
    Some(At {
        value: text,
        span: value.span(),
    })
}

/// Reports a value of another kind than expected.
pub(crate) fn wrong_kind(
    report: &mut Report<'_>,
    key: &str,
    expected: &str,
    value: &Spanned<DeValue<'_>>,
) {
    let found = match value.get_ref() {
        DeValue::String(text) => format!("the text \"{text}\""),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    };
    report.mistake(
        &value.span(),
        format!("`{key}` must be {expected}, found {found}"),
    );
}
