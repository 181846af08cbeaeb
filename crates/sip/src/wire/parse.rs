//! Owns the way from the octets of a datagram to a message.

use super::error::{Malformed, ParseError, malformed};
use super::fields::{Fields, next_line, split_field};
use super::header_name::HeaderName;
use super::headers::{HeadFields, Headers};
use super::message::Message;
use super::start_line::{Kind, StartLine};
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
        let parsed = start.parse(&kind);
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
        let mut head = HeadFields::of(text);
        let mut fields = Fields::new(text);
        while let Some(field) = fields.next() {
            if head.len() >= limits::HEADER_FIELDS {
                self.note::<()>(Err(ParseError::TooLong {
                    part: "header fields",
                    limit: limits::HEADER_FIELDS,
                }));
                return (head.finish(fields.at), "");
            }
            let read = field.read_into(&mut head);
            self.note(read);
        }
        if !fields.closed {
            let why = "closing empty line expected";
            self.note::<()>(Err(malformed("header section", why)));
        }
        let rest = text.get(fields.at..).unwrap_or_default();
        (head.finish(fields.at), rest)
    }
}
