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
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            help,
        } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        match help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Diagnostic {}

/// A place in a file, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

#[derive(Debug)]
struct Mistake {
    offset: usize,
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

    /// Where a byte of the text stands.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        Place {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: in_line.chars().count() + 1,
        }
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
            offset: at.start,
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
        found.sort_by_key(|mistake| mistake.offset);
        found.truncate(limits::MISTAKES);
        let diagnostic = |Mistake {
                              offset,
                              message,
                              help,
                          }| {
            let Place { line, column } = self.place(offset);
            Diagnostic {
                file: self.file.to_owned(),
                line,
                column,
                message,
                help,
            }
        };
        found.into_iter().map(diagnostic).collect()
    }
}
