//! Owns the parts of a body (RFC 5621, RFC 2046 §5.1) and which of them is meant. Reads no session
//! description.
//!
//! A body that must be understood and is not makes the whole message fail with 415 (RFC 3261
//! §20.11). One departure: a part beside others that says nothing of its disposition may be ignored.
//! Locations and company data stand there in messages of equipment that is in use, and calls matter more.

use std::borrow::Cow;

use super::fields::{Fields, split_field};
use super::header_name::HeaderName;
use super::limits;
use super::message::Message;
use super::params::Params;
use super::scan::{trim, unquote};

/// Why a body cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// A body that has to be understood is of an unknown type, disposition or encoding.
    Unsupported,
    /// The parts cannot be told from each other, or there are too many.
    Malformed,
}

impl BodyFault {
    /// The status code that answers a request with this body.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Unsupported => 415,
            Self::Malformed => 400,
        }
    }
}

/// The types that may describe a session, for Accept.
pub const ACCEPTED_BODIES: &str =
    "application/sdp, multipart/mixed, multipart/alternative, multipart/related";

const SDP: &str = "application/sdp";
const SIPFRAG: &str = "message/sipfrag";

impl Message {
    /// The session description in the body: the body itself, or a part of it at any depth.
    /// `None` if there is none.
    ///
    /// # Errors
    /// If something else in the body has to be understood, or the parts are faulty.
    pub fn session_description(&self) -> Result<Option<&[u8]>, BodyFault> {
        self.find_body(SDP)
    }

    /// The `message/sipfrag` in the body (RFC 3420), as for
    /// [`session_description`](Self::session_description).
    ///
    /// # Errors
    /// As for [`session_description`](Self::session_description).
    pub fn sipfrag(&self) -> Result<Option<&[u8]>, BodyFault> {
        self.find_body(SIPFRAG)
    }

    /// Leaves the session description as the only body, or none.
    ///
    /// # Errors
    /// As for [`session_description`](Self::session_description); the body is empty then.
    pub fn keep_session_description(&mut self) -> Result<(), BodyFault> {
        if self.body.is_empty() {
            return Ok(());
        }
        let found = self
            .session_description()
            .map(|found| found.map(<[u8]>::len));
        if found == Ok(Some(self.body.len())) {
            return Ok(());
        }
        let body = self
            .session_description()
            .map(|found| found.map(<[u8]>::to_vec));
        self.headers.remove(&HeaderName::ContentType);
        self.headers.remove(&HeaderName::ContentDisposition);
        self.body.clear();
        if let Some(body) = body? {
            self.headers.push(HeaderName::ContentType, SDP);
            self.body = body;
        }
        Ok(())
    }

    fn find_body(&self, wanted: &'static str) -> Result<Option<&[u8]>, BodyFault> {
        if self.body.is_empty() {
            return Ok(None);
        }
        let text = |name| self.headers.first(&name).unwrap_or_default();
        let mut content_type = text(HeaderName::ContentType);
        if content_type.is_empty() && self.body.starts_with(b"v=0") {
            // RFC 3261 §20.15 asks for the type; what this is can be seen without it.
            content_type = SDP;
        }
        let entity = Entity {
            content_type: content_type.into(),
            disposition: text(HeaderName::ContentDisposition).into(),
            encoding: text(HeaderName::ContentEncoding).into(),
            id: "".into(),
            body: &self.body,
        };
        let mut search = Search {
            wanted,
            parts_left: limits::BODY_PARTS,
        };
        match search.look(&entity, limits::BODY_DEPTH)? {
            Found::Wanted(body) => Ok(Some(body)),
            Found::Passed => Ok(None),
            Found::Unknown if entity.is_optional() => Ok(None),
            Found::Unknown => Err(BodyFault::Unsupported),
        }
    }
}

/// A body or a part of one, with the fields that describe it; an empty text stands for no field.
struct Entity<'a> {
    content_type: Cow<'a, str>,
    disposition: Cow<'a, str>,
    encoding: Cow<'a, str>,
    id: Cow<'a, str>,
    body: &'a [u8],
}

/// What came of looking at an entity.
enum Found<'a> {
    Wanted(&'a [u8]),
    /// Known and not wanted now, or unknown and to be ignored.
    Passed,
    /// Not understood. Whether that matters is for the one who holds it to decide.
    Unknown,
}

impl<'a> Entity<'a> {
    /// Reads the head of a part.
    fn of_part(part: &'a [u8]) -> Result<Self, BodyFault> {
        let (head, body) = split_head(part);
        let head = core::str::from_utf8(head).map_err(|_| BodyFault::Malformed)?;
        let mut entity = Self {
            content_type: "".into(),
            disposition: "".into(),
            encoding: "".into(),
            id: "".into(),
            body,
        };
        for (count, field) in Fields::new(head).enumerate() {
            let text = field.text();
            let (name, value) = split_field(&text).ok_or(BodyFault::Malformed)?;
            if count >= limits::PART_FIELDS {
                return Err(BodyFault::Malformed);
            }
            let place = match HeaderName::parse(name) {
                HeaderName::ContentType => &mut entity.content_type,
                HeaderName::ContentDisposition => &mut entity.disposition,
                HeaderName::Other(name)
                    if name.eq_ignore_ascii_case("Content-Transfer-Encoding") =>
                {
                    &mut entity.encoding
                }
                HeaderName::Other(name) if name.eq_ignore_ascii_case("Content-ID") => {
                    &mut entity.id
                }
                _ => continue,
            };
            *place = value.to_owned().into();
        }
        Ok(entity)
    }

    /// RFC 3261 §20.11: required, if nothing is said.
    fn is_optional(&self) -> bool {
        split_value(&self.disposition)
            .1
            .value("handling")
            .is_some_and(|handling| unquote(handling).eq_ignore_ascii_case("optional"))
    }

    /// The octets are the text itself.
    fn is_plain(&self) -> bool {
        ["", "identity", "binary", "8bit", "7bit"]
            .iter()
            .any(|plain| self.encoding.eq_ignore_ascii_case(plain))
    }

    /// A session description of another session (RFC 3959, say) is not the one of the call.
    fn is_of_the_session(&self) -> bool {
        let kind = split_value(&self.disposition).0;
        kind.is_empty() || kind.eq_ignore_ascii_case("session")
    }
}

/// The first word of a field's value, and its parameters. Faulty parameters are none.
fn split_value(value: &str) -> (&str, Params) {
    let end = value.find(';').unwrap_or(value.len());
    let (word, params) = value.split_at_checked(end).unwrap_or((value, ""));
    (trim(word), Params::parse(params).unwrap_or_default())
}

/// One search through a body.
struct Search {
    wanted: &'static str,
    /// Bounds the work, whatever the nesting.
    parts_left: usize,
}

impl Search {
    fn look<'a>(&mut self, entity: &Entity<'a>, depth: usize) -> Result<Found<'a>, BodyFault> {
        let (kind, params) = split_value(&entity.content_type);
        let is = |known: &str| kind.eq_ignore_ascii_case(known);
        let many = kind
            .get(..10)
            .is_some_and(|begin| begin.eq_ignore_ascii_case("multipart/"));
        if !entity.is_plain() {
            return Ok(Found::Unknown);
        }
        if is(SDP) && !entity.is_of_the_session() {
            return Ok(Found::Unknown);
        }
        if is(self.wanted) && !entity.body.is_empty() {
            return Ok(Found::Wanted(entity.body));
        }
        if is(SDP) || is(SIPFRAG) {
            return Ok(Found::Passed);
        }
        if !many {
            return Ok(Found::Unknown);
        }
        let depth = depth.checked_sub(1).ok_or(BodyFault::Malformed)?;
        let parts = self.parts(entity.body, &params)?;
        if is("multipart/alternative") {
            self.alternative(&parts, depth)
        } else if is("multipart/related") {
            self.related(&parts, &params, depth)
        } else {
            // RFC 2046 §5.1.3: an unknown kind of multipart is a mixed one.
            self.mixed(&parts, depth)
        }
    }

    /// All parts count.
    fn mixed<'a>(&mut self, parts: &[Entity<'a>], depth: usize) -> Result<Found<'a>, BodyFault> {
        let mut found = Found::Passed;
        for part in parts {
            match (self.look(part, depth)?, &found) {
                (Found::Wanted(body), Found::Passed) => found = Found::Wanted(body),
                // Of two session descriptions the first one is the call's.
                (Found::Wanted(_), _) | (Found::Passed, _) => {}
                (Found::Unknown, _) if part.disposition.is_empty() || part.is_optional() => {}
                (Found::Unknown, _) => return Ok(Found::Unknown),
            }
        }
        Ok(found)
    }

    /// The last part that is understood counts (RFC 2046 §5.1.4).
    fn alternative<'a>(
        &mut self,
        parts: &[Entity<'a>],
        depth: usize,
    ) -> Result<Found<'a>, BodyFault> {
        let mut best = Found::Unknown;
        for part in parts {
            match (self.look(part, depth)?, &best) {
                (Found::Wanted(body), _) => best = Found::Wanted(body),
                (Found::Passed, Found::Unknown) => best = Found::Passed,
                (Found::Passed | Found::Unknown, _) => {}
            }
        }
        Ok(best)
    }

    /// The root counts, the others are for it to use (RFC 2387 §3).
    fn related<'a>(
        &mut self,
        parts: &[Entity<'a>],
        params: &Params,
        depth: usize,
    ) -> Result<Found<'a>, BodyFault> {
        let start = params.value("start").map(unquote);
        let named = parts.iter().find(|part| Some(&part.id) == start.as_ref());
        match named.or_else(|| parts.first()) {
            Some(root) => self.look(root, depth),
            None => Err(BodyFault::Malformed),
        }
    }

    /// Cuts a multipart body. Text before the first and after the last delimiter is ignored.
    fn parts<'a>(&mut self, body: &'a [u8], params: &Params) -> Result<Vec<Entity<'a>>, BodyFault> {
        let boundary = params.value("boundary").map(unquote).unwrap_or_default();
        // RFC 2046 §5.1.1: 1 to 70 characters.
        if boundary.is_empty() || boundary.len() > 70 {
            return Err(BodyFault::Malformed);
        }
        let mut parts = Vec::new();
        let mut begin = None;
        let mut at = 0;
        for line in body.split_inclusive(|octet| *octet == b'\n') {
            let line_at = at;
            at += line.len();
            let Some(last) = delimiter(line, &boundary) else {
                continue;
            };
            if let Some(begin) = begin.take() {
                self.parts_left = self.parts_left.checked_sub(1).ok_or(BodyFault::Malformed)?;
                let part = body.get(begin..line_at).unwrap_or_default();
                parts.push(Entity::of_part(without_line_end(part))?);
            }
            if last {
                return Ok(parts);
            }
            begin = Some(at);
        }
        // The closing delimiter is missing: who can say what else is?
        Err(BodyFault::Malformed)
    }
}

/// Whether a line is a delimiter, and then whether it is the closing one.
fn delimiter(line: &[u8], boundary: &str) -> Option<bool> {
    let rest = line
        .strip_prefix(b"--")?
        .strip_prefix(boundary.as_bytes())?;
    let blank = |text: &[u8]| text.iter().all(u8::is_ascii_whitespace);
    match rest.strip_prefix(b"--") {
        Some(rest) if blank(rest) => Some(true),
        _ => blank(rest).then_some(false),
    }
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// Head with its empty line, and body; a part may begin with the empty line.
fn split_head(part: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    for line in part.split_inclusive(|octet| *octet == b'\n') {
        end += line.len();
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
    }
    part.split_at_checked(end).unwrap_or((part, &[]))
}
