//! Owns the lexical level of the grammar (RFC 3261 §25.1): tokens, white space, quoted strings,
//! lists and parameters, all on borrowed text. Knows no header field.

use core::ops::Range;
use std::borrow::Cow;

use super::error::{ParseError, malformed};
use super::{limits, octets};

/// What tokens are made of; the classes of octets are bits of their own.
const TOKEN: u8 = 1;
/// Names of parameters.
const PARAM: u8 = 2;
/// Host names and IPv4 addresses.
pub(super) const NAME: u8 = 4;
/// Values of parameters that are not quoted.
const VALUE: u8 = 8;
/// Numbers.
pub(super) const DIGIT: u8 = 16;

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
        b'a'..=b'z' | b'A'..=b'Z' => TOKEN | PARAM | VALUE | NAME,
        b'0'..=b'9' => TOKEN | PARAM | VALUE | NAME | DIGIT,
        // '_' is not in the grammar of hosts but stands in host names that are in use.
        b'-' | b'.' | b'_' => TOKEN | PARAM | VALUE | NAME,
        b'!' | b'%' | b'*' | b'+' | b'`' | b'\'' | b'~' => TOKEN | PARAM | VALUE,
        // The union of what the URI grammar allows in its parameters (`paramchar`), of hosts and
        // of bare IPv6 addresses (RFC 5118 §4.5); and UTF-8.
        b'[' | b']' | b'/' | b':' | b'&' | b'$' | b'(' | b')' | b'@' | b'?' | b'#' => PARAM | VALUE,
        0x80.. => PARAM | VALUE,
        // Not in the grammar, but base64 in unquoted values is seen (`+sip.instance`, opaque).
        b'=' => VALUE,
        _ => 0,
    }
}

fn classes_of(octet: u8) -> u8 {
    CLASSES.get(usize::from(octet)).copied().unwrap_or_default()
}

/// Whether the text is made of octets of this class, and not empty.
pub(super) fn is_run(text: &str, class: u8) -> bool {
    let (run, after) = split_run(text.as_bytes(), class);
    !run.is_empty() && after.is_empty()
}

/// True if the text is a token.
pub(crate) fn is_token(text: &str) -> bool {
    is_run(text, TOKEN)
}

/// Linear white space, folding undone.
pub(super) const fn is_space(octet: u8) -> bool {
    // Nearly all octets are told by the first comparison.
    octet <= b' ' && matches!(octet, b' ' | b'\t')
}

/// Without white space at both ends.
#[inline]
pub(super) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if !is_space(*first) && !is_space(*last) => text,
        _ => text.trim_matches([' ', '\t']),
    }
}

/// Without white space at the beginning.
#[inline]
pub(super) fn after_space(octets: &[u8]) -> &[u8] {
    match octets {
        [first, ..] if is_space(*first) => {
            let begin = octets.iter().position(|octet| !is_space(*octet));
            octets
                .get(begin.unwrap_or(octets.len())..)
                .unwrap_or_default()
        }
        // Mostly there is none.
        _ => octets,
    }
}

/// Without white space at the end.
#[inline]
pub(super) fn before_space(octets: &[u8]) -> &[u8] {
    match octets {
        [.., last] if is_space(*last) => {
            let last = octets.iter().rposition(|octet| !is_space(*octet));
            last.and_then(|last| octets.get(..=last))
                .unwrap_or_default()
        }
        _ => octets,
    }
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

/// Position of the `"` that closes the quoted string at the beginning of `octets`.
pub(super) fn closing_quote(octets: &[u8]) -> Option<usize> {
    let inner = octets.get(1..)?;
    let first = octets::find2(*b"\"\\", inner)?;
    if inner.get(first) == Some(&b'"') {
        return Some(first + 1);
    }
    let mut escaped = false;
    for (at, octet) in octets.iter().enumerate().skip(first + 1) {
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
    let first = octets::find(needle, text.as_bytes())?;
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
/// generic-param). White space around `;` and `=` is allowed.
#[derive(Debug, Clone)]
pub(super) struct ParamScan<'a> {
    text: &'a str,
    /// The end of the text that was not walked over yet.
    rest: &'a [u8],
    part: &'static str,
    left: usize,
}

/// Where in a list name and value of a parameter stand, quotes and escapes kept.
#[derive(Debug, Clone)]
pub(super) struct Param {
    pub(super) name: Range<usize>,
    pub(super) value: Option<Range<usize>>,
}

impl Param {
    /// `list`: that holds this parameter.
    pub(super) fn name_in<'a>(&self, list: &'a str) -> &'a str {
        list.get(self.name.clone()).unwrap_or_default()
    }

    pub(super) fn value_in<'a>(&self, list: &'a str) -> Option<&'a str> {
        list.get(self.value.clone()?)
    }
}

impl<'a> ParamScan<'a> {
    /// `text` begins at the first `;`, or is empty. `part` names it in errors.
    #[inline]
    pub(super) fn new(text: &'a str, part: &'static str) -> Self {
        Self {
            text,
            rest: after_space(text.as_bytes()),
            part,
            left: limits::PARAMS,
        }
    }

    /// The value of a parameter that has one, up to the first fault.
    pub(super) fn value(self, name: &str) -> Option<&'a str> {
        let text = self.text;
        let named = |param: &Param| param.name_in(text).eq_ignore_ascii_case(name);
        let mut sound = self.map_while(Result::ok);
        sound.find(named)?.value_in(text)
    }

    /// Looks whether these are parameters.
    pub(super) fn check(text: &'a str, part: &'static str) -> Result<(), ParseError> {
        Self::new(text, part).try_for_each(|param| param.map(|_| ()))
    }

    #[inline]
    fn step(&mut self) -> Result<Param, ParseError> {
        self.left = self.left.checked_sub(1).ok_or(ParseError::TooLong {
            part: "parameters",
            limit: limits::PARAMS,
        })?;
        let [b';', rest @ ..] = self.rest else {
            return Err(malformed(self.part, "';' expected before a parameter"));
        };
        let begin = after_space(rest);
        let (name, after) = split_run(begin, PARAM);
        let name = self.place(begin, name);
        let (value, after) = match after_space(after) {
            [b'=', value @ ..] => {
                let begin = after_space(value);
                let (value, after) = split_value(begin).ok_or_else(|| self.fault())?;
                (Some(self.place(begin, value)), after_space(after))
            }
            after => (None, after),
        };
        if name.is_empty() || !matches!(after, [] | [b';', ..]) {
            return Err(self.fault());
        }
        self.rest = after;
        Ok(Param { name, value })
    }

    /// Where in the text `piece` stands, `from` being the end of the text from there on.
    #[inline]
    const fn place(&self, from: &[u8], piece: &[u8]) -> Range<usize> {
        let begin = self.text.len() - from.len();
        begin..begin + piece.len()
    }

    /// What is wrong with the next parameter.
    #[cold]
    fn fault(&self) -> ParseError {
        let begin = self.text.len() - self.rest.len();
        let rest = self.text.get(begin + 1..).unwrap_or_default();
        let end = find_outside(rest, b';', false).unwrap_or(rest.len());
        let why = match rest.get(..end).unwrap_or(rest).split_once('=') {
            None => "parameter name expected after ';'",
            Some((name, _)) if is_run(trim(name), PARAM) => {
                "parameter value is no token, host or quoted string"
            }
            Some(_) => "parameter name expected before '='",
        };
        malformed(self.part, why)
    }
}

impl Iterator for ParamScan<'_> {
    type Item = Result<Param, ParseError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.rest = &[];
        }
        Some(step)
    }
}

/// The longest beginning made of octets of this class, and what follows.
#[inline]
pub(super) fn split_run(octets: &[u8], class: u8) -> (&[u8], &[u8]) {
    let end = octets
        .iter()
        .position(|octet| classes_of(*octet) & class == 0);
    octets
        .split_at_checked(end.unwrap_or(octets.len()))
        .unwrap_or((octets, &[]))
}

/// The value of a parameter at the beginning of a text, and what follows.
#[inline]
fn split_value(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    if let [b'"', ..] = octets {
        return octets.split_at_checked(closing_quote(octets)? + 1);
    }
    let (value, after) = split_run(octets, VALUE);
    (!value.is_empty()).then_some((value, after))
}

pub(super) fn is_param_value(text: &str) -> bool {
    if text.starts_with('"') {
        return closing_quote(text.as_bytes()).is_some_and(|at| at + 1 == text.len());
    }
    is_run(text, VALUE)
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
        let text = " ; a = 1;b; c=\"x;y=\\\"z\" ;d=[::1]:5060";
        let params: Result<Vec<_>, _> = ParamScan::new(text, "test")
            .map(|param| param.map(|param| (param.name_in(text), param.value_in(text))))
            .collect();
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
