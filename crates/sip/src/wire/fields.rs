//! Owns the lines of a head and the header fields that they make, as they stand.

use std::borrow::Cow;

use super::error::{ParseError, malformed};
use super::header_name::HeaderName;
use super::limits;
use super::scan::{is_space, is_token, trim};

/// Walks over the header fields of a head up to the empty line. The framing of streams uses it too,
/// so that both see the same fields.
pub(super) struct Fields<'a> {
    /// What was not walked over yet; behind the empty line at the end.
    pub(super) rest: &'a str,
    /// The empty line was there.
    pub(super) closed: bool,
}

impl<'a> Fields<'a> {
    /// `text`: what follows the start line.
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            closed: false,
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        if self.closed || self.rest.is_empty() {
            return None;
        }
        let begin = self.rest;
        let (line, mut rest) = next_line(begin);
        if line.is_empty() {
            self.closed = true;
            self.rest = rest;
            return None;
        }
        let mut folded = false;
        while rest.as_bytes().first().copied().is_some_and(is_space) {
            (_, rest) = next_line(rest);
            folded = true;
        }
        self.rest = rest;
        let whole = begin.get(..begin.len() - rest.len()).unwrap_or(line);
        Some(Field {
            line,
            whole,
            folded,
        })
    }
}

/// One header field as it stands.
pub(super) struct Field<'a> {
    /// The first line, without its end.
    line: &'a str,
    /// All lines, ends included.
    whole: &'a str,
    folded: bool,
}

impl Field<'_> {
    /// Whether the name may be that of Content-Length, long or compact.
    pub(super) fn may_be_length(&self) -> bool {
        matches!(self.line.as_bytes(), [b'c' | b'C' | b'l' | b'L', ..])
    }

    /// `text`: of this field.
    pub(super) fn read<'t>(&self, text: &'t str) -> Result<(HeaderName, &'t str), ParseError> {
        if self.whole.len() > limits::LINE_OCTETS {
            return Err(ParseError::TooLong {
                part: "header octets",
                limit: limits::LINE_OCTETS,
            });
        }
        read_field(text)
    }

    /// The field in one line.
    pub(super) fn text(&self) -> Cow<'_, str> {
        if self.folded {
            Cow::Owned(unfold(self.whole))
        } else {
            Cow::Borrowed(self.line)
        }
    }
}

/// A line without its end (CRLF or LF), and the rest.
pub(super) fn next_line(text: &str) -> (&str, &str) {
    let Some(at) = memchr::memchr(b'\n', text.as_bytes()) else {
        return (text, "");
    };
    let (line, rest) = super::scan::cut(text, at);
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

/// RFC 3261 §7.3.1: a line end with the white space around it is one space.
fn unfold(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    for (at, line) in field.lines().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(trim(line));
    }
    out
}

fn read_field(line: &str) -> Result<(HeaderName, &str), ParseError> {
    let (name, value) =
        split_field(line).ok_or(malformed("header field", "name expected before ':'"))?;
    if !is_token(name) {
        return Err(malformed("header field", "name is no token"));
    }
    Ok((HeaderName::parse(name), value))
}

/// Refuses a value with control characters that are not escaped.
pub(super) fn without_controls(value: &str) -> Result<(), ParseError> {
    if has_control(value) && !controls_are_escaped(value) {
        return Err(malformed("header field", "control character"));
    }
    Ok(())
}

/// Whether no value of a head can hold a control character: there is none but tabs and line ends.
/// Told once for all, that is cheaper than for each value.
pub(super) fn has_no_controls(head: &str) -> bool {
    let octets = head.as_bytes();
    // The last octet has no next one.
    let last = octets
        .last()
        .is_none_or(|octet| *octet == b'\n' || (b' '..0x7f).contains(octet));
    let next = octets.get(1..).unwrap_or_default();
    last && !octets.iter().zip(next).fold(false, |found, (octet, next)| {
        let line_end = (*octet == b'\n') | ((*octet == b'\r') & (*next == b'\n'));
        found | ((*octet < b' ') & (*octet != b'\t') & !line_end) | (*octet == 0x7f)
    })
}

/// Name and value, without the white space around them.
pub(super) fn split_field(line: &str) -> Option<(&str, &str)> {
    let colon = memchr::memchr(b':', line.as_bytes())?;
    let (name, value) = super::scan::cut(line, colon);
    Some((name.trim_end_matches([' ', '\t']), trim(value)))
}

/// No early return, so that the compiler makes wide comparisons of it.
pub(super) fn has_control(value: &str) -> bool {
    value.bytes().fold(false, |found, octet| {
        found | ((octet < b' ') & (octet != b'\t')) | (octet == 0x7f)
    })
}

/// Control characters may stand in quoted strings after a backslash, CR and LF never
/// (RFC 3261 §25.1 quoted-pair).
fn controls_are_escaped(value: &str) -> bool {
    let mut escaped = false;
    for octet in value.bytes() {
        match octet {
            b'\r' | b'\n' => return false,
            b'\t' => escaped = false,
            0..b' ' | 0x7f if !escaped => return false,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    true
}
