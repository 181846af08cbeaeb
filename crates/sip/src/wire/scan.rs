//! Owns the lexical level of the grammar (RFC 3261 §25.1): tokens, white space, quoted strings,
//! lists and parameters, all on borrowed text. Knows no header field.

use std::borrow::Cow;

use super::error::{ParseError, malformed};
use super::limits;

const TOKEN: u8 = 1;
const PARAM: u8 = 2;

/// What each octet may be part of; one look-up instead of a dozen comparisons.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut octet: u8 = 0;
    let mut rest: &mut [u8] = &mut classes;
    while let Some((class, tail)) = rest.split_first_mut() {
        *class = class_of(octet);
        rest = tail;
        octet = octet.wrapping_add(1);
    }
    classes
}

const fn class_of(octet: u8) -> u8 {
    match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => TOKEN | PARAM,
        b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~' => TOKEN | PARAM,
        // The union of what the URI grammar allows in its parameters (`paramchar`), of hosts and
        // of bare IPv6 addresses (RFC 5118 §4.5); and UTF-8.
        b'[' | b']' | b'/' | b':' | b'&' | b'$' | b'(' | b')' | b'@' | b'?' | b'#' => PARAM,
        0x80.. => PARAM,
        _ => 0,
    }
}

fn is_token_octet(octet: u8) -> bool {
    CLASSES
        .get(usize::from(octet))
        .is_some_and(|class| class & TOKEN != 0)
}

fn is_param_octet(octet: u8) -> bool {
    CLASSES
        .get(usize::from(octet))
        .is_some_and(|class| class & PARAM != 0)
}

/// True if the text is a token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_octet)
}

/// Linear white space, folding undone.
pub(super) const fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Without white space at both ends.
pub(super) fn trim(text: &str) -> &str {
    let octets = text.as_bytes();
    let Some(begin) = octets.iter().position(|octet| !is_space(*octet)) else {
        return "";
    };
    let end = octets
        .iter()
        .rposition(|octet| !is_space(*octet))
        .unwrap_or(begin);
    text.get(begin..=end).unwrap_or(text)
}

/// The text before and after the octet at `at`. Cannot fail for positions of ASCII octets.
pub(super) fn cut(text: &str, at: usize) -> (&str, &str) {
    (
        text.get(..at).unwrap_or(text),
        text.get(at.saturating_add(1)..).unwrap_or(""),
    )
}

/// A decimal number without sign; leading zeros are fine, a value above `max` is not.
pub(super) fn number(text: &str, max: u64) -> Option<u64> {
    let mut value: u64 = 0;
    for octet in text.bytes() {
        let digit = octet.is_ascii_digit().then(|| u64::from(octet - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    (!text.is_empty() && value <= max).then_some(value)
}

/// Position of the `"` that closes the quoted string at the beginning of `text`.
pub(super) fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// The value of a parameter without its quotes and escapes; other text comes back as it is.
#[must_use]
pub fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for character in inner.chars() {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The text as a quoted string. CR, LF and NUL become spaces: they cannot stand in a header.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            '\r' | '\n' | '\0' => out.push(' '),
            control if control.is_ascii_control() && control != '\t' => {
                out.push('\\');
                out.push(control);
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Position of the first `needle` outside of quotes and, if `angles`, of `<>`.
/// An unterminated quote or bracket reaches to the end of the text.
fn find_outside(text: &str, needle: u8, angles: bool) -> Option<usize> {
    // Most texts hold no needle, or nothing that could hide it.
    let first = memchr::memchr(needle, text.as_bytes())?;
    let before = text.as_bytes().get(..first)?;
    let hidden = memchr::memchr2(b'"', if angles { b'<' } else { b'"' }, before).is_some();
    if !hidden {
        return Some(first);
    }
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, octet) in text.bytes().enumerate() {
        if quoted {
            match octet {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if bracketed {
            bracketed = octet != b'>';
        } else if octet == needle {
            return Some(at);
        } else {
            quoted = octet == b'"';
            bracketed = angles && octet == b'<';
        }
    }
    None
}

/// Splits a header value at commas outside of quotes and `<>` (RFC 3261 §7.3.1). Values are
/// trimmed; an empty one is given as such. At most [`limits::FIELD_VALUES`], the last of which
/// then holds the rest.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    rest: Option<&'a str>,
    left: usize,
}

impl<'a> Values<'a> {
    /// Splits this value.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self {
            rest: Some(text),
            left: limits::FIELD_VALUES,
        }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.take()?;
        self.left = self.left.saturating_sub(1);
        let comma = if self.left == 0 {
            None
        } else {
            find_outside(text, b',', true)
        };
        let (value, rest) = match comma {
            Some(at) => {
                let (value, rest) = cut(text, at);
                (value, Some(rest))
            }
            None => (text, None),
        };
        self.rest = rest;
        Some(trim(value))
    }
}

/// Walks over `;name=value;name`, checking the grammar as it goes (RFC 3261 §25.1
/// generic-param). Values come raw, quotes kept; white space around `;` and `=` is allowed.
#[derive(Debug, Clone)]
pub(super) struct ParamScan<'a> {
    rest: &'a str,
    part: &'static str,
    left: usize,
}

impl<'a> ParamScan<'a> {
    /// `text` begins at the first `;`, or is empty. `part` names it in errors.
    pub(super) fn new(text: &'a str, part: &'static str) -> Self {
        Self {
            rest: trim(text),
            part,
            left: limits::PARAMS,
        }
    }

    fn step(&mut self) -> Result<(&'a str, Option<&'a str>), ParseError> {
        let part = self.part;
        self.left = self.left.checked_sub(1).ok_or(ParseError::TooLong {
            part: "parameters",
            limit: limits::PARAMS,
        })?;
        let rest = self
            .rest
            .strip_prefix(';')
            .ok_or(malformed(part, "';' expected before a parameter"))?;
        let end = find_outside(rest, b';', false);
        let (param, rest) = match end {
            Some(at) => (rest.get(..at).unwrap_or(rest), rest.get(at..).unwrap_or("")),
            None => (rest, ""),
        };
        self.rest = rest;
        let param = trim(param);
        match param.bytes().position(|octet| octet == b'=') {
            None if is_param_name(param) => Ok((param, None)),
            None => Err(malformed(part, "parameter name expected after ';'")),
            Some(at) => {
                let (name, value) = cut(param, at);
                let (name, value) = (trim(name), trim(value));
                if !is_param_name(name) {
                    return Err(malformed(part, "parameter name expected before '='"));
                }
                if !is_param_value(value) {
                    return Err(malformed(
                        part,
                        "parameter value is no token, host or quoted string",
                    ));
                }
                Ok((name, Some(value)))
            }
        }
    }
}

impl<'a> Iterator for ParamScan<'a> {
    type Item = Result<(&'a str, Option<&'a str>), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.rest = "";
        }
        Some(step)
    }
}

fn is_param_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_param_octet)
}

pub(super) fn is_param_value(text: &str) -> bool {
    if text.starts_with('"') {
        return closing_quote(text).is_some_and(|at| at + 1 == text.len());
    }
    // '=' is not in the grammar, but base64 in unquoted values is seen (`+sip.instance`, opaque).
    !text.is_empty()
        && text
            .bytes()
            .all(|octet| is_param_octet(octet) || octet == b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_bounded_and_may_begin_with_zeros() {
        assert_eq!(number("0009", 10), Some(9));
        assert_eq!(number("4294967296", u64::from(u32::MAX)), None);
        assert_eq!(number("36893488147419103232", u64::MAX), None);
        for text in ["", "-1", "+1", "1 ", "٣"] {
            assert_eq!(number(text, u64::MAX), None, "{text:?}");
        }
    }

    #[test]
    fn quoting_is_undone_by_unquoting() {
        for text in ["", "plain", "a \"b\" \\ c", "tab\there", "bel\u{7}"] {
            assert_eq!(unquote(&quote(text)), text);
        }
        assert_eq!(unquote("token"), "token");
        assert_eq!(quote("a\r\nb\0"), "\"a  b \"");
    }

    #[test]
    fn values_are_split_outside_of_quotes_and_brackets() {
        let text = r#""a,\",b" <sip:x,y@h>;p="1,2" , c,,d"#;
        let values: Vec<_> = Values::new(text).collect();
        assert_eq!(values, [r#""a,\",b" <sip:x,y@h>;p="1,2""#, "c", "", "d"]);
    }

    #[test]
    fn the_last_value_holds_what_is_above_the_limit() {
        let text = vec!["a"; limits::FIELD_VALUES + 5].join(",");
        let values: Vec<_> = Values::new(&text).collect();
        assert_eq!(values.len(), limits::FIELD_VALUES);
        assert_eq!(values.last(), Some(&"a,a,a,a,a,a"));
    }

    #[test]
    fn parameters_are_read_with_space_and_quotes() {
        let params: Result<Vec<_>, _> =
            ParamScan::new(" ; a = 1;b; c=\"x;y=\\\"z\" ;d=[::1]:5060", "test").collect();
        assert_eq!(
            params.unwrap(),
            [
                ("a", Some("1")),
                ("b", None),
                ("c", Some("\"x;y=\\\"z\"")),
                ("d", Some("[::1]:5060"))
            ]
        );
    }

    #[test]
    fn faulty_parameters_are_refused() {
        for text in [
            ";;",
            ";",
            ";a=",
            ";=1",
            ";a b",
            ";a=\"b",
            ";a=b c",
            "a=b",
            ";a=\"b\"c",
            ";a=<b>",
        ] {
            assert!(ParamScan::new(text, "test").any(|p| p.is_err()), "{text:?}");
        }
    }

    #[test]
    fn parameters_above_the_limit_are_refused() {
        let text = ";a".repeat(limits::PARAMS + 1);
        assert!(ParamScan::new(&text, "test").any(|p| p.is_err()));
        let text = ";a".repeat(limits::PARAMS);
        assert!(ParamScan::new(&text, "test").all(|p| p.is_ok()));
    }
}
