//! Owns the walk over a parsed file: finds keys, remembers places, collects every mistake.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::define::{Preset, Section, Table};
use super::problem::{Places, Problem, place};
use super::sections::SECTIONS;
use super::value::{Fault, Value};

/// The walk over one file.
pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    base: &'a Path,
    root: &'a DeTable<'a>,
    places: BTreeMap<String, Range<usize>>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, base: &'a Path, root: &'a DeTable<'a>) -> Self {
        Self {
            file,
            text,
            base,
            root,
            places: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Reads the table of a section that stands once; its defaults when it is absent.
    pub(super) fn one<T: Table>(&mut self) -> Option<T> {
        T::read(self, T::SECTION.name)
    }

    /// Reads the tables of a section that may stand several times.
    pub(super) fn many<T: Table>(&mut self) -> Option<Vec<T>> {
        let Some(value) = self.root.get(T::SECTION.name) else {
            return Some(Vec::new());
        };
        let array = value.get_ref().as_array()?;
        let read: Vec<_> = (0..array.len())
            .map(|at| T::read(self, &path_of(T::SECTION.name, at)))
            .collect();
        read.into_iter().collect()
    }

    /// Notes sections that do not exist, and sections that are not tables.
    pub(super) fn refuse_unknown_sections(&mut self, sections: &[Section]) {
        for (key, value) in self.root {
            let Some(section) = sections.iter().find(|s| s.name == key.get_ref().as_ref()) else {
                let known: Vec<&str> = sections.iter().map(|section| section.name).collect();
                let message = format!("unknown section {:?}", key.get_ref());
                self.note(key.span(), message, Some(nearest(key.get_ref(), &known)));
                continue;
            };
            let written = if section.repeated { "[[" } else { "[" };
            let closed = if section.repeated { "]]" } else { "]" };
            let fits = match value.get_ref() {
                DeValue::Table(_) => !section.repeated,
                DeValue::Array(list) => {
                    section.repeated && list.iter().all(|one| one.get_ref().is_table())
                }
                _ => false,
            };
            if !fits {
                let message = format!("expected {written}{}{closed}", section.name);
                self.note(key.span(), message, None);
            }
        }
    }

    /// Notes keys that a section does not have.
    pub(super) fn refuse_unknown(&mut self, section: &Section, path: &str) {
        let Some(table) = self.table(path) else {
            return;
        };
        for (key, _) in table {
            let key_text = key.get_ref().as_ref();
            if section.fields.iter().any(|field| field.key == key_text) {
                continue;
            }
            let message = format!("unknown key {key_text:?} in {}", heading(section));
            self.note(key.span(), message, Some(advice(section, key_text)));
        }
    }

    /// Reads one setting, or its default.
    pub(super) fn field<T: Value>(
        &mut self,
        section: &Section,
        path: &str,
        key: &str,
    ) -> Option<T> {
        let field = section.fields.iter().find(|field| field.key == key)?;
        let Some(table) = self.table(path) else {
            return self.preset(field.preset, path, section, key);
        };
        let Some(value) = table.get(key) else {
            return self.preset(field.preset, path, section, key);
        };
        self.places.insert(format!("{path}.{key}"), value.span());
        let mut faults = Vec::new();
        let read = T::read(value, self.base, &mut faults);
        for Fault { span, message } in faults {
            self.note(span, format!("{key}: {message}"), None);
        }
        read
    }

    /// Checks a value against its range.
    pub(super) fn within<T: Value + PartialOrd>(
        &mut self,
        value: Option<T>,
        path: &str,
        key: &str,
        low: &str,
        high: &str,
    ) -> Option<T> {
        let value = value?;
        // An absent value has no range to be in.
        if T::absent().is_some_and(|absent| absent == value) {
            return Some(value);
        }
        let (Some(least), Some(most)) = (self.literal::<T>(low), self.literal::<T>(high)) else {
            return Some(value);
        };
        if value >= least && value <= most {
            return Some(value);
        }
        let place = format!("{path}.{key}");
        let written = self
            .places
            .get(&place)
            .and_then(|span| self.text.get(span.clone()));
        let message = format!(
            "{key}: expected {low} to {high}, found {}",
            written.unwrap_or("the default")
        );
        self.note_at(&place, message, None);
        None
    }

    /// Notes a mistake at the place of a setting that was read, or at its section.
    pub(super) fn note_at(&mut self, path: &str, message: String, help: Option<String>) {
        let problem = self.problem_at(path, message, help);
        self.problems.push(problem);
    }

    /// A problem at the place of a setting that was read, or at its section.
    pub(super) fn problem_at(&self, path: &str, message: String, help: Option<String>) -> Problem {
        let section = path.rsplit_once('.').map_or(path, |(section, _)| section);
        let span = self
            .places
            .get(path)
            .cloned()
            .or_else(|| self.section_span(section));
        let place = span.map(|span| place(self.text, span.start));
        Problem {
            file: self.file.to_owned(),
            place,
            message,
            help,
        }
    }

    /// Where everything stands, for mistakes that only come to light beside the file.
    pub(super) fn places(&self) -> Places {
        let mut all = BTreeMap::new();
        for (key, value) in self.root {
            all.insert(
                key.get_ref().to_string(),
                place(self.text, key.span().start),
            );
            let tables = value
                .get_ref()
                .as_array()
                .into_iter()
                .flat_map(|a| a.iter());
            for (at, table) in tables.enumerate() {
                let path = path_of(key.get_ref(), at);
                all.insert(path, place(self.text, table.span().start));
            }
        }
        for (path, span) in &self.places {
            all.insert(path.clone(), place(self.text, span.start));
        }
        Places {
            file: self.file.to_owned(),
            all,
        }
    }

    /// The mistakes found, by place.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.place);
        self.problems
    }

    fn note(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let place = Some(place(self.text, span.start));
        self.problems.push(Problem {
            file: self.file.to_owned(),
            place,
            message,
            help,
        });
    }

    fn preset<T: Value>(
        &mut self,
        preset: Preset,
        path: &str,
        section: &Section,
        key: &str,
    ) -> Option<T> {
        match preset {
            Preset::Default(text) => self.literal(text),
            Preset::Empty(_) => T::absent(),
            Preset::Required(example) => {
                let message = format!("{} has no {key}", heading(section));
                let help = Some(format!("for example {key} = {example}"));
                self.note_at(&format!("{path}.{key}"), message, help);
                None
            }
        }
    }

    /// A value of a definition. The test `definitions_hold` sees to it that all can be read.
    fn literal<T: Value>(&self, text: &str) -> Option<T> {
        let value = DeValue::parse(text).ok()?;
        T::read(&value, self.base, &mut Vec::new())
    }

    fn table(&self, path: &str) -> Option<&'a DeTable<'a>> {
        self.section_value(path)?.get_ref().as_table()
    }

    fn section_span(&self, path: &str) -> Option<Range<usize>> {
        self.section_value(path).map(Spanned::span)
    }

    fn section_value(&self, path: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        match path.split_once('[') {
            None => self.root.get(path),
            Some((name, rest)) => {
                let at: usize = rest.trim_end_matches(']').parse().ok()?;
                self.root.get(name)?.get_ref().as_array()?.get(at)
            }
        }
    }
}

/// The path of a table in a repeated section.
pub(super) fn path_of(section: &str, at: usize) -> String {
    format!("{section}[{at}]")
}

/// How a section's heading is written.
pub(super) fn heading(section: &Section) -> String {
    if section.repeated {
        format!("[[{}]]", section.name)
    } else {
        format!("[{}]", section.name)
    }
}

/// What to do about a key that a section does not have.
fn advice(section: &Section, key: &str) -> String {
    if ["password", "secret", "passwd"].contains(&key) {
        return "passwords do not stand in this file: name a file in secret_file or an \
                environment variable in secret_env"
            .to_owned();
    }
    let keys: Vec<&str> = section.fields.iter().map(|field| field.key).collect();
    let elsewhere = SECTIONS
        .iter()
        .find(|other| other.fields.iter().any(|f| f.key == key))
        .map(|other| format!("{key} belongs to {}", heading(other)));
    let near = dialplan::nearest(key, &keys).is_some_and(|(_, near)| near);
    match elsewhere {
        // Misspelt, or in the wrong place: only the writer knows.
        Some(elsewhere) if near => format!("{} {elsewhere}", nearest(key, &keys)),
        Some(elsewhere) => elsewhere,
        None => nearest(key, &keys),
    }
}

/// The known name most like a given one; all known names where even that one is not like it.
fn nearest(given: &str, known: &[&str]) -> String {
    match dialplan::nearest(given, known) {
        Some((name, true)) => format!("did you mean {name}?"),
        Some((name, false)) => format!("known: {}; the nearest is {name}", known.join(", ")),
        None => "none are known here".to_owned(),
    }
}
