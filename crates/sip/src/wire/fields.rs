//! Owns the lines of a head and the header fields that they make, as they stand.

use core::ops::Range;
use std::borrow::Cow;

use super::error::{ParseError, malformed};
use super::header_name::HeaderName;
use super::headers::HeadFields;
use super::scan::{after_space, before_space, is_space, is_token, trim};
use super::{limits, octets};

/// Walks over the header fields of a head up to the empty line. The framing of streams uses it too,
/// so that both see the same fields.
pub(super) struct Fields<'a> {
    text: &'a str,
    /// Where the next field begins; behind the empty line at the end.
    pub(super) at: usize,
    /// The empty line was there.
    pub(super) closed: bool,
}

impl<'a> Fields<'a> {
    /// `text`: what follows the start line.
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            closed: false,
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let octets = self.text.as_bytes();
        let begin = self.at;
        if self.closed || begin >= octets.len() {
            return None;
        }
        let line = Line::at(begin, octets);
        let mut next = line.next;
        if line.end == begin {
            self.closed = true;
            self.at = next;
            return None;
        }
        let mut folded = false;
        while octets.get(next).copied().is_some_and(is_space) {
            next = Line::at(next, octets).next;
            folded = true;
        }
        self.at = next;
        Some(Field {
            head: self.text,
            begin,
            line,
            next,
            folded,
        })
    }
}

/// One header field as it stands.
pub(super) struct Field<'a> {
    /// The text that holds this field and the others.
    head: &'a str,
    begin: usize,
    /// The first line.
    line: Line,
    /// Behind the end of the last line.
    next: usize,
    folded: bool,
}

impl<'a> Field<'a> {
    /// Whether the name may be that of Content-Length, long or compact.
    pub(super) fn may_be_length(&self) -> bool {
        let first = self.head.as_bytes().get(self.begin);
        matches!(first, Some(b'c' | b'C' | b'l' | b'L'))
    }

    /// Name and checked value, which goes to `head`.
    #[inline]
    pub(super) fn read_into(&self, head: &mut HeadFields<'_>) -> Result<(), ParseError> {
        if self.next - self.begin > limits::LINE_OCTETS {
            return Err(ParseError::TooLong {
                part: "header octets",
                limit: limits::LINE_OCTETS,
            });
        }
        if self.folded {
            return self.unfold_into(head);
        }
        let line = self.line();
        let split = Split::of(line.as_bytes())?;
        let name = split.name_of(line)?;
        if !self.line.plain {
            without_controls(split.value_of(line))?;
        }
        let value = self.begin + split.value.start..self.begin + split.value.end;
        head.push(name, value);
        Ok(())
    }

    #[cold]
    fn unfold_into(&self, head: &mut HeadFields<'_>) -> Result<(), ParseError> {
        let text = self.text();
        let split = Split::of(text.as_bytes())?;
        let value = split.value_of(&text);
        let name = split.name_of(&text)?;
        without_controls(value)?;
        head.push_unfolded(name, value);
        Ok(())
    }

    /// The field in one line.
    pub(super) fn text(&self) -> Cow<'a, str> {
        if self.folded {
            let whole = self.head.get(self.begin..self.next);
            Cow::Owned(unfold(whole.unwrap_or_default()))
        } else {
            Cow::Borrowed(self.line())
        }
    }

    /// The first line, without its end.
    fn line(&self) -> &'a str {
        self.head.get(self.begin..self.line.end).unwrap_or_default()
    }
}

/// Where a line ends.
struct Line {
    /// Before the line end (CRLF or LF).
    end: usize,
    /// Behind it.
    next: usize,
    /// Printable ASCII and nothing else is in it.
    plain: bool,
}

impl Line {
    /// The line that begins at `begin`.
    #[inline]
    fn at(begin: usize, octets: &[u8]) -> Self {
        let rest = octets.get(begin..).unwrap_or_default();
        let plain = octets::unprintable(rest).unwrap_or(rest.len());
        let end = begin + plain;
        let (next, plain) = match rest.get(plain..) {
            Some([b'\r', b'\n', ..]) => (end + 2, true),
            Some([b'\n', ..]) => (end + 1, true),
            None | Some([]) => (end, true),
            Some(_) => return Self::with_any_octets(begin, octets),
        };
        Self { end, next, plain }
    }

    #[cold]
    fn with_any_octets(begin: usize, octets: &[u8]) -> Self {
        let rest = octets.get(begin..).unwrap_or_default();
        let (end, next) = match memchr::memchr(b'\n', rest) {
            None => (rest.len(), rest.len()),
            Some(at) => {
                let line = rest.get(..at).unwrap_or_default();
                (line.strip_suffix(b"\r").unwrap_or(line).len(), at + 1)
            }
        };
        Self {
            end: begin + end,
            next: begin + next,
            plain: false,
        }
    }
}

/// A line without its end (CRLF or LF), and the rest.
pub(super) fn next_line(text: &str) -> (&str, &str) {
    let line = Line::at(0, text.as_bytes());
    (
        text.get(..line.end).unwrap_or(text),
        text.get(line.next..).unwrap_or_default(),
    )
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

/// Where name and value stand in the line of a field, without the white space around them.
struct Split {
    /// The end of the name.
    name: usize,
    value: Range<usize>,
}

impl Split {
    #[inline]
    fn of(octets: &[u8]) -> Result<Self, ParseError> {
        let (name, value) = octets::find(b':', octets)
            .and_then(|colon| octets.split_at_checked(colon))
            .ok_or(malformed("header field", "name expected before ':'"))?;
        let value = match value {
            // Nearly all write one space.
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            _ => &[],
        };
        let begin = octets.len() - after_space(value).len();
        Ok(Self {
            name: before_space(name).len(),
            value: begin..begin.max(before_space(octets).len()),
        })
    }

    #[inline]
    fn name_of(&self, line: &str) -> Result<HeaderName, ParseError> {
        let name = line.get(..self.name).unwrap_or_default();
        match HeaderName::known(name) {
            Some(known) => Ok(known),
            None if is_token(name) => Ok(HeaderName::Other(name.to_owned())),
            None => Err(malformed("header field", "name is no token")),
        }
    }

    fn value_of<'a>(&self, line: &'a str) -> &'a str {
        line.get(self.value.clone()).unwrap_or_default()
    }
}

/// Refuses a value with control characters that are not escaped.
fn without_controls(value: &str) -> Result<(), ParseError> {
    if has_control(value) && !controls_are_escaped(value) {
        return Err(malformed("header field", "control character"));
    }
    Ok(())
}

/// Name and value, without the white space around them.
pub(super) fn split_field(line: &str) -> Option<(&str, &str)> {
    let split = Split::of(line.as_bytes()).ok()?;
    Some((
        line.get(..split.name).unwrap_or_default(),
        split.value_of(line),
    ))
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
