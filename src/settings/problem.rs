//! Owns how a mistake in the settings is shown: where, what was expected, what to do.

use std::collections::BTreeMap;
use std::fmt;

/// One mistake (or one warning), at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// Line and column, from 1; none when the file as a whole is meant.
    pub place: Option<(usize, usize)>,
    /// What is wrong: what was expected and what was found.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Where the settings stand in their file, by path: `sip.listen`, `trunk[0].name`, `sip`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) file: String,
    pub(super) all: BTreeMap<String, (usize, usize)>,
}

impl Places {
    /// A problem at a setting, else at its table, else in the file as a whole.
    pub(super) fn problem(&self, path: &str, message: String) -> Problem {
        let table = path.rsplit_once('.').map_or(path, |(table, _)| table);
        let place = self.all.get(path).or_else(|| self.all.get(table));
        Problem {
            file: self.file.clone(),
            place: place.copied(),
            message,
            help: None,
        }
    }
}

/// Line and column, from 1, of a byte offset in a text. Columns count characters.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    let column = before
        .get(line_start..)
        .map_or(0, |rest| rest.chars().count())
        + 1;
    (line, column)
}

/// What the TOML reader says is wrong; of a key that stands twice it leaves out which.
pub(super) fn syntax(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    let written = error.span().and_then(|span| text.get(span));
    match (message.as_str(), written) {
        ("duplicate key", Some(key)) => format!("duplicate key {key:?}: it stands here twice"),
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a = 1\nимя = \"x\"\n";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, 6), (2, 1));
        assert_eq!(place(text, text.find('"').unwrap()), (2, 7));
        assert_eq!(place(text, 9_999), (3, 1));
    }
}
