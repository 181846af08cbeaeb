//! Owns how a mistake in a file is told: where it is, what was expected, what came, what to do.

use core::fmt;
use core::ops::Range;

use crate::plan::limits;

/// One mistake in one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file as it was named to the parser.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong: what was expected and what came.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The line itself.
    pub source: String,
    /// How many of its characters are meant, at least one.
    pub width: usize,
}

impl Diagnostic {
    /// The mistake with the line it stands on and a mark below it, in the manner of rustc.
    #[must_use]
    pub fn snippet(&self) -> String {
        let Self {
            file,
            line,
            column,
            message,
            help,
            source,
            width,
        } = self;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // What stands before the mark keeps its tabs, so that the mark stands right below.
        let before: String = source
            .chars()
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let mark = "^".repeat(*width);
        let mut text = format!(
            "error: {message}\n{margin}--> {file}:{line}:{column}\n{margin} |\n{number} | {source}\n\
             {margin} | {before}{mark}\n"
        );
        if let Some(help) = help {
            text.push_str(&format!("{margin} = help: {help}\n"));
        }
        text
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            help,
            ..
        } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        match help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Diagnostic {}

/// A place in a file, with the text that stands there: kept with a plan for the mistakes that are
/// seen only later, when its file is not at hand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: usize,
    /// From 1.
    pub(crate) column: usize,
    source: String,
    width: usize,
}

impl Place {
    pub(crate) fn diagnostic(
        &self,
        file: &str,
        message: String,
        help: Option<String>,
    ) -> Diagnostic {
        Diagnostic {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            message,
            help,
            source: self.source.clone(),
            width: self.width,
        }
    }
}

#[derive(Debug)]
struct Mistake {
    at: Range<usize>,
    message: String,
    help: Option<String>,
}

/// Collects the mistakes of one file.
#[derive(Debug)]
pub(crate) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    found: Vec<Mistake>,
}

impl<'t> Report<'t> {
    pub(crate) const fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            found: Vec::new(),
        }
    }

    /// Where a part of the text stands. A part of several lines is marked on its first.
    pub(crate) fn place(&self, at: &Range<usize>) -> Place {
        /// Characters of a line that are shown: a long text is not to fill the screen.
        const SHOWN: usize = 160;
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        let from_line = self.text.get(line_start..).unwrap_or_default();
        let source = from_line.lines().next().unwrap_or_default();
        let column = in_line.chars().count() + 1;
        let meant = self.text.get(at.clone()).unwrap_or_default();
        let width = meant.lines().next().map_or(0, |line| line.chars().count());
        let shown = SHOWN.max(column);
        Place {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column,
            source: source
                .chars()
                .take(shown)
                .collect::<String>()
                .trim_end()
                .to_owned(),
            width: width.clamp(1, shown - column + 1),
        }
    }

    /// The line on which a byte stands.
    pub(crate) fn line(&self, at: &Range<usize>) -> usize {
        self.place(at).line
    }

    pub(crate) fn mistake(&mut self, at: &Range<usize>, message: impl Into<String>) {
        self.push(at, message.into(), None);
    }

    pub(crate) fn mistake_with_help(
        &mut self,
        at: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(at, message.into(), Some(help.into()));
    }

    fn push(&mut self, at: &Range<usize>, message: String, help: Option<String>) {
        self.found.push(Mistake {
            at: at.clone(),
            message,
            help,
        });
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// The first mistakes in the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        let mut found = core::mem::take(&mut self.found);
        found.sort_by_key(|mistake| mistake.at.start);
        found.truncate(limits::MISTAKES);
        let told =
            |Mistake { at, message, help }| self.place(&at).diagnostic(self.file, message, help);
        found.into_iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_marks_what_is_meant_below_its_line() {
        let text = "name = \"a\"\n\tstep = \"привет\"\n";
        let mut report = Report::new("a.toml", text);
        let at = text.find("\"при").unwrap();
        report.mistake_with_help(&(at..at + 14), "expected a list", "write `[[step]]`");
        let told = report.finish();
        assert_eq!(
            told[0].snippet(),
            "error: expected a list\n --> a.toml:2:9\n  |\n2 | \tstep = \"привет\"\n  | \
             \t       ^^^^^^^^\n  = help: write `[[step]]`\n"
        );
    }

    #[test]
    fn a_mark_of_many_lines_ends_with_the_first_and_one_at_the_end_is_there() {
        let report = Report::new("a.toml", "ab\ncd");
        assert_eq!(report.place(&(0..5)).width, 2);
        let end = report.place(&(5..5));
        assert_eq!((end.line, end.column, end.width), (2, 3, 1));
    }
}
