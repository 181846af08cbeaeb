//! Owns typed reading of TOML tables: a value of the wrong kind or an unknown key becomes a mistake
//! with its place, and reading goes on.

use core::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Report;
use crate::spelling::advice;

pub(crate) type Span = Range<usize>;

/// A table and how it is called in messages.
#[derive(Clone, Copy)]
pub(crate) struct Table<'t> {
    entries: &'t DeTable<'t>,
    what: &'t str,
}

/// A value with its place.
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

    /// Reports every key: the table has none yet.
    pub(crate) fn allow_none(&self, report: &mut Report<'_>) {
        for key in self.keys() {
            let message = format!("unknown key `{}` in {}", key.value, self.what);
            report.mistake_with_help(&key.span, message, "expected no keys");
        }
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
