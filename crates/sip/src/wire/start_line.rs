//! Owns the start line of a message (RFC 3261 §7.1, §7.2).

use super::error::{ParseError, malformed};
use super::fields::has_control;
use super::limits;
use super::message::Start;
use super::method::Method;
use super::octets;
use super::scan::{is_token, number};
use super::uri_ref::UriRef;

/// What a start line begins.
pub(super) enum Kind<'a> {
    Request { method: &'a str },
    Response,
}

/// The three parts of a start line, not checked.
pub(super) struct StartLine<'a> {
    first: &'a str,
    middle: &'a str,
    last: &'a str,
    whole: &'a str,
}

impl<'a> StartLine<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        let (first, rest) = match octets::find(b' ', line.as_bytes()) {
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

    pub(super) fn kind(&self) -> Option<Kind<'a>> {
        if self.first.len() >= 4 && self.first.get(..4)?.eq_ignore_ascii_case("SIP/") {
            return Some(Kind::Response);
        }
        // Anything may come to the port; only what looks like a request of SIP gets an answer.
        let versioned = self.last == "SIP/2.0" || {
            let sip = self.whole.trim_end().rsplit(' ').next()?;
            sip.get(..4)
                .is_some_and(|text| text.eq_ignore_ascii_case("SIP/"))
        };
        (is_token(self.first) && versioned).then_some(Kind::Request { method: self.first })
    }

    /// `kind`: of this line.
    pub(super) fn parse(&self, kind: &Kind<'_>) -> Result<Start, ParseError> {
        if self.whole.len() > limits::LINE_OCTETS {
            return Err(ParseError::TooLong {
                part: "start line octets",
                limit: limits::LINE_OCTETS,
            });
        }
        match kind {
            Kind::Request { method } => self.parse_request(method),
            Kind::Response => self.parse_response(),
        }
    }

    fn parse_request(&self, method: &str) -> Result<Start, ParseError> {
        let last = if self.last.is_empty() {
            self.whole.trim_end()
        } else {
            self.last
        };
        let version = || last.rsplit(' ').next().unwrap_or(last);
        if last != "SIP/2.0" && !version().eq_ignore_ascii_case("SIP/2.0") {
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
