//! Owns the way from the octets of a datagram to a message: framing, lines, header fields.

use std::borrow::Cow;

use super::error::{Malformed, ParseError, malformed};
use super::header_name::HeaderName;
use super::headers::Headers;
use super::message::{Message, Start};
use super::method::Method;
use super::scan::{is_space, is_token, number, trim};
use super::uri_ref::UriRef;
use super::{check, limits};

/// What a datagram holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are messages; a box would cost each one"
)]
pub enum Datagram {
    /// A message.
    Message(Message),
    /// Nothing but line ends, spaces and NULs: keeps a NAT binding open. No answer.
    KeepAlive,
}

/// Reads one datagram (RFC 3261 §18.3). Octets after Content-Length are ignored.
///
/// # Errors
/// If it is no well-formed message; the error holds the answer, if there is one.
#[allow(
    clippy::result_large_err,
    reason = "no larger than what comes back when all is well"
)]
pub fn parse_datagram(bytes: &[u8]) -> Result<Datagram, Malformed> {
    let Some(begin) = bytes.iter().position(|octet| !is_filler(*octet)) else {
        return Ok(Datagram::KeepAlive);
    };
    let drop = |problem| Malformed {
        problem,
        answer: None,
    };
    if bytes.len() > limits::MESSAGE_OCTETS {
        return Err(drop(ParseError::TooLarge {
            limit: limits::MESSAGE_OCTETS,
        }));
    }
    let bytes = bytes.get(begin..).unwrap_or(bytes);
    let valid = match core::str::from_utf8(bytes) {
        Ok(text) => text,
        // Only the head has to be text; a binary body is cut off first.
        Err(_) => {
            let (head, body) = split_head(bytes);
            let head = String::from_utf8_lossy(head);
            return Reader::default().read(&head, Some(body));
        }
    };
    Reader::default().read(valid, None)
}

/// What may stand between messages.
pub(super) const fn is_filler(octet: u8) -> bool {
    matches!(octet, b'\r' | b'\n' | b' ' | b'\t' | b'\0')
}

/// Whether a line, with or without its end, may be the start line of a message.
pub(super) fn looks_like_sip(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    StartLine::of(next_line(&line).0).kind().is_some()
}

/// The Content-Length of a complete head, as the parser will read it.
///
/// # Errors
/// If it is missing, no number, or there are two that differ.
pub(super) fn length_of_head(head: &[u8]) -> Result<usize, ParseError> {
    let head = String::from_utf8_lossy(head);
    let mut length = check::Length::default();
    for field in Fields::new(next_line(&head).1) {
        if !field.may_be_length() {
            continue;
        }
        // Whatever else is wrong with the fields is found when the message is read.
        let text = field.text();
        if let Some((name, value)) = split_field(&text)
            && HeaderName::parse(name) == HeaderName::ContentLength
        {
            length.note(value)?;
        }
    }
    length.value().ok_or(ParseError::Missing("Content-Length"))
}

/// The answer to a head that cannot be framed, for `problem`.
pub(super) fn refuse_head(head: &[u8], problem: ParseError) -> Malformed {
    let head = String::from_utf8_lossy(head);
    let reader = Reader {
        fault: Some(problem),
    };
    let answer = reader.read(&head, Some(&[])).err().and_then(|m| m.answer);
    Malformed { problem, answer }
}

/// Head with its closing empty line, and body.
fn split_head(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'\n', bytes.get(from..).unwrap_or_default()) {
        from += at + 1;
        let rest = bytes.get(from..).unwrap_or(&[]);
        let blank = if rest.starts_with(b"\r\n") {
            2
        } else {
            usize::from(rest.starts_with(b"\n"))
        };
        if blank > 0 {
            return bytes.split_at_checked(from + blank).unwrap_or((bytes, &[]));
        }
    }
    (bytes, &[])
}

/// Reads on after the first fault, so that there is something to answer with.
#[derive(Default)]
struct Reader {
    fault: Option<ParseError>,
}

impl Reader {
    fn note<T>(&mut self, result: Result<T, ParseError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.fault.get_or_insert(problem);
                None
            }
        }
    }

    /// `body`: if it was cut off already.
    #[allow(clippy::result_large_err, reason = "as for `parse_datagram`")]
    fn read(mut self, text: &str, body: Option<&[u8]>) -> Result<Datagram, Malformed> {
        let (line, rest) = next_line(text);
        let start = StartLine::of(line);
        let Some(kind) = start.kind() else {
            let problem = malformed("start line", "neither a request nor a response of SIP");
            return Err(Malformed {
                problem,
                answer: None,
            });
        };
        let parsed = start.parse();
        let parsed = self.note(parsed);
        let (headers, rest) = self.read_headers(rest);
        if text.len() - rest.len() > limits::HEAD_OCTETS {
            self.note::<()>(Err(ParseError::TooLong {
                part: "head octets",
                limit: limits::HEAD_OCTETS,
            }));
        }
        let method = match kind {
            Kind::Request { method } => Some(method),
            Kind::Response => None,
        };
        let length = self.note(check::fields(&headers, method)).flatten();
        let available = body.unwrap_or(rest.as_bytes());
        let body = match length {
            None => available,
            Some(length) => match available.get(..length) {
                Some(body) => body,
                None => {
                    let why = "larger than what came";
                    self.note::<()>(Err(malformed("Content-Length", why)));
                    &[]
                }
            },
        };
        match (self.fault, parsed) {
            (None, Some(start)) => Ok(Datagram::Message(Message {
                start,
                headers,
                body: body.to_vec(),
            })),
            (fault, _) => {
                let problem = fault.unwrap_or(malformed("start line", "unreadable"));
                let answer = method.and_then(|method| check::answer(&headers, method, &problem));
                Err(Malformed { problem, answer })
            }
        }
    }

    /// Header fields up to the empty line, and what follows it.
    fn read_headers<'a>(&mut self, text: &'a str) -> (Headers, &'a str) {
        let mut headers = Headers::with_capacity(24, text.len().min(limits::HEAD_OCTETS));
        // With a text body behind it, mostly; a binary one only costs the look at each value.
        let plain = has_no_controls(text);
        let mut fields = Fields::new(text);
        for field in fields.by_ref() {
            if headers.len() >= limits::HEADER_FIELDS {
                self.note::<()>(Err(ParseError::TooLong {
                    part: "header fields",
                    limit: limits::HEADER_FIELDS,
                }));
                return (headers, "");
            }
            let text = field.text();
            let Some((name, value)) = self.note(field.read(&text)) else {
                continue;
            };
            if plain || self.note(without_controls(value)).is_some() {
                headers.push(name, value);
            }
        }
        if !fields.closed {
            let why = "closing empty line expected";
            self.note::<()>(Err(malformed("header section", why)));
        }
        (headers, fields.rest)
    }
}

/// Walks over the header fields of a head up to the empty line. The framing of streams uses it too,
/// so that both see the same fields.
pub(super) struct Fields<'a> {
    /// What was not walked over yet; behind the empty line at the end.
    rest: &'a str,
    /// The empty line was there.
    closed: bool,
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
    fn read<'t>(&self, text: &'t str) -> Result<(HeaderName, &'t str), ParseError> {
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
fn without_controls(value: &str) -> Result<(), ParseError> {
    if has_control(value) && !controls_are_escaped(value) {
        return Err(malformed("header field", "control character"));
    }
    Ok(())
}

/// Whether no value of a head can hold a control character: there is none but tabs and line ends.
/// Told once for all, that is cheaper than for each value.
fn has_no_controls(head: &str) -> bool {
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
fn has_control(value: &str) -> bool {
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

enum Kind<'a> {
    Request { method: &'a str },
    Response,
}

/// The three parts of a start line, not checked.
struct StartLine<'a> {
    first: &'a str,
    middle: &'a str,
    last: &'a str,
    whole: &'a str,
}

impl<'a> StartLine<'a> {
    fn of(line: &'a str) -> Self {
        let (first, rest) = match line.bytes().position(|octet| octet == b' ') {
            Some(at) => super::scan::cut(line, at),
            None => (line, ""),
        };
        let (middle, last) = match rest.bytes().rposition(|octet| octet == b' ') {
            Some(at) => super::scan::cut(rest, at),
            None => (rest, ""),
        };
        Self {
            first,
            middle,
            last,
            whole: line,
        }
    }

    fn kind(&self) -> Option<Kind<'a>> {
        if self.first.len() >= 4 && self.first.get(..4)?.eq_ignore_ascii_case("SIP/") {
            return Some(Kind::Response);
        }
        // Anything may come to the port; only what looks like a request of SIP gets an answer.
        let sip = self.whole.trim_end().rsplit(' ').next()?;
        let versioned = sip
            .get(..4)
            .is_some_and(|text| text.eq_ignore_ascii_case("SIP/"));
        (is_token(self.first) && versioned).then_some(Kind::Request { method: self.first })
    }

    fn parse(&self) -> Result<Start, ParseError> {
        if self.whole.len() > limits::LINE_OCTETS {
            return Err(ParseError::TooLong {
                part: "start line octets",
                limit: limits::LINE_OCTETS,
            });
        }
        match self.kind() {
            Some(Kind::Request { method }) => self.parse_request(method),
            Some(Kind::Response) => self.parse_response(),
            None => Err(malformed(
                "start line",
                "neither a request nor a response of SIP",
            )),
        }
    }

    fn parse_request(&self, method: &str) -> Result<Start, ParseError> {
        let last = if self.last.is_empty() {
            self.whole.trim_end()
        } else {
            self.last
        };
        let version = last.rsplit(' ').next().unwrap_or(last);
        if !version.eq_ignore_ascii_case("SIP/2.0") {
            return Err(ParseError::Version);
        }
        if self.last.is_empty() {
            return Err(malformed(
                "Request-Line",
                "method, URI and version with one space between",
            ));
        }
        let method = Method::parse(method).ok_or(malformed("Request-Line", "method expected"))?;
        let uri = UriRef::parse(self.middle, "Request-URI")?;
        // RFC 3261 §19.1.1, table 1: no headers in a Request-URI.
        if uri.has_headers() {
            return Err(malformed("Request-URI", "headers are not allowed"));
        }
        Ok(Start::Request {
            method,
            uri: uri.into(),
        })
    }

    fn parse_response(&self) -> Result<Start, ParseError> {
        if !self.first.eq_ignore_ascii_case("SIP/2.0") {
            return Err(ParseError::Version);
        }
        let rest = self.whole.get(self.first.len()..).unwrap_or("");
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let (code, reason) = match rest.bytes().position(|octet| octet == b' ') {
            Some(at) => super::scan::cut(rest, at),
            None => (rest, ""),
        };
        let status = (code.len() == 3)
            .then(|| number(code, 699))
            .flatten()
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| *status >= 100)
            .ok_or(malformed("Status-Line", "status from 100 to 699 expected"))?;
        if has_control(reason) {
            return Err(malformed("Status-Line", "control character"));
        }
        Ok(Start::Response {
            status,
            reason: reason.to_owned(),
        })
    }
}
