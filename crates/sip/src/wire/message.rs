//! Owns one SIP message and the typed views of its header fields, which read on demand.

use super::cseq::CSeq;
use super::error::ParseError;
use super::header_name::HeaderName;
use super::headers::Headers;
use super::method::Method;
use super::name_addr::{NameAddr, NameAddrRef};
use super::reason::reason_phrase;
use super::scan::number;
use super::uri::Uri;
use super::via::{Via, ViaRef};

/// The first line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request {
        /// What is asked.
        method: Method,
        /// Of whom: the Request-URI.
        uri: Uri,
    },
    /// A response.
    Response {
        /// 100 to 699.
        status: u16,
        /// For people; may be empty.
        reason: String,
    },
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Request or response.
    pub start: Start,
    /// The header fields in order. Content-Length is written from the body when printed.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// A request without header fields.
    #[must_use]
    pub const fn request(method: Method, uri: Uri) -> Self {
        Self {
            start: Start::Request { method, uri },
            headers: Headers::new(),
            body: Vec::new(),
        }
    }

    /// A response without header fields; an empty `reason` stands for the default phrase.
    #[must_use]
    pub fn response(status: u16, reason: &str) -> Self {
        let reason = if reason.is_empty() {
            reason_phrase(status)
        } else {
            reason
        };
        Self {
            start: Start::Response {
                status,
                reason: reason.to_owned(),
            },
            headers: Headers::new(),
            body: Vec::new(),
        }
    }

    /// True for a request.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method of a request.
    #[must_use]
    pub const fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The status code of a response.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match &self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(*status),
        }
    }

    /// The Request-URI of a request.
    #[must_use]
    pub const fn request_uri(&self) -> Option<&Uri> {
        match &self.start {
            Start::Request { uri, .. } => Some(uri),
            Start::Response { .. } => None,
        }
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// If there is none, or it is faulty.
    pub fn via(&self) -> Result<Via, ParseError> {
        Via::parse(
            self.headers
                .values(&HeaderName::Via)
                .next()
                .ok_or(ParseError::Missing("Via"))?,
        )
    }

    /// The branch of the topmost Via: [`Self::via`] without a copy of it.
    ///
    /// # Errors
    /// If there is no Via, or it is faulty.
    pub fn branch(&self) -> Result<Option<&str>, ParseError> {
        let via = self.headers.values(&HeaderName::Via).next();
        let via = ViaRef::parse(via.ok_or(ParseError::Missing("Via"))?)?;
        Ok(via.branch())
    }

    /// The tag of From: [`Self::from`] without a copy of it.
    ///
    /// # Errors
    /// If there is no From, or it is faulty.
    pub fn from_tag(&self) -> Result<Option<&str>, ParseError> {
        let from = self.mandatory(&HeaderName::From, "From")?;
        Ok(NameAddrRef::parse(from, "From")?.tag())
    }

    /// The tag of To: [`Self::to`] without a copy of it.
    ///
    /// # Errors
    /// If there is no To, or it is faulty.
    pub fn to_tag(&self) -> Result<Option<&str>, ParseError> {
        let to = self.mandatory(&HeaderName::To, "To")?;
        Ok(NameAddrRef::parse(to, "To")?.tag())
    }

    /// The From field.
    ///
    /// # Errors
    /// If there is none, or it is faulty.
    pub fn from(&self) -> Result<NameAddr, ParseError> {
        NameAddr::parse_in(self.mandatory(&HeaderName::From, "From")?, "From")
    }

    /// The To field.
    ///
    /// # Errors
    /// If there is none, or it is faulty.
    pub fn to(&self) -> Result<NameAddr, ParseError> {
        NameAddr::parse_in(self.mandatory(&HeaderName::To, "To")?, "To")
    }

    /// The Call-ID.
    ///
    /// # Errors
    /// If there is none.
    pub fn call_id(&self) -> Result<&str, ParseError> {
        self.mandatory(&HeaderName::CallId, "Call-ID")
    }

    /// The CSeq field.
    ///
    /// # Errors
    /// If there is none, or it is faulty.
    pub fn cseq(&self) -> Result<CSeq, ParseError> {
        CSeq::parse(self.mandatory(&HeaderName::CSeq, "CSeq")?)
    }

    fn mandatory(&self, name: &HeaderName, text: &'static str) -> Result<&str, ParseError> {
        self.headers.first(name).ok_or(ParseError::Missing(text))
    }

    /// All Contact addresses; none if the field is `*`.
    ///
    /// # Errors
    /// If one is faulty.
    pub fn contacts(&self) -> Result<Vec<NameAddr>, ParseError> {
        if self.is_contact_star() {
            return Ok(Vec::new());
        }
        self.addresses(&HeaderName::Contact, "Contact")
    }

    /// True if Contact is `*`: a REGISTER that removes all bindings (RFC 3261 §10.2.2).
    #[must_use]
    pub fn is_contact_star(&self) -> bool {
        self.headers.first(&HeaderName::Contact) == Some("*")
    }

    /// The Route set, topmost first.
    ///
    /// # Errors
    /// If one is faulty.
    pub fn routes(&self) -> Result<Vec<NameAddr>, ParseError> {
        self.addresses(&HeaderName::Route, "Route")
    }

    /// The Record-Route set, topmost first.
    ///
    /// # Errors
    /// If one is faulty.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, ParseError> {
        self.addresses(&HeaderName::RecordRoute, "Record-Route")
    }

    /// All addresses of a field that is a list of them: Path, P-Asserted-Identity, Diversion.
    ///
    /// # Errors
    /// If one is faulty.
    pub fn addresses(
        &self,
        name: &HeaderName,
        part: &'static str,
    ) -> Result<Vec<NameAddr>, ParseError> {
        self.headers
            .values(name)
            .map(|value| NameAddr::parse_in(value, part))
            .collect()
    }

    /// The Expires field in seconds; `None` if there is none or it is faulty (RFC 3261 §20.19).
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        let value = number(
            self.headers.first(&HeaderName::Expires)?,
            u64::from(u32::MAX),
        )?;
        u32::try_from(value).ok()
    }

    /// The Max-Forwards field; `None` stands for 70 (RFC 3261 §16.6 step 3).
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        let value = number(
            self.headers.first(&HeaderName::MaxForwards)?,
            u64::from(u8::MAX),
        )?;
        u8::try_from(value).ok()
    }

    /// The Content-Type without parameters, in lower case.
    #[must_use]
    pub fn content_type(&self) -> Option<String> {
        let value = self.headers.first(&HeaderName::ContentType)?;
        let end = value.find(';').unwrap_or(value.len());
        let kind: String = value
            .get(..end)?
            .chars()
            .filter(|c| !c.is_ascii_whitespace())
            .collect();
        Some(kind.to_ascii_lowercase())
    }

    /// A response to this request: Via, From, To, Call-ID and CSeq are copied
    /// (RFC 3261 §8.2.6.2), Timestamp into a 100 (§8.2.6.1), Record-Route into what makes a
    /// dialog (§12.1.1). `to_tag` is added to To if that has no tag.
    #[must_use]
    pub fn respond(&self, status: u16, to_tag: Option<&str>) -> Self {
        let mut response = Self::response(status, "");
        let makes_dialog = matches!(
            self.method(),
            Some(Method::Invite | Method::Subscribe | Method::Refer)
        ) && (101..=299).contains(&status);
        let mut mandatory = Mandatory::default();
        for (name, value) in self.headers.iter() {
            let copied = match name {
                HeaderName::Via => true,
                HeaderName::From => mandatory.from.first_time(),
                HeaderName::To => mandatory.to.first_time(),
                HeaderName::CallId => mandatory.call_id.first_time(),
                HeaderName::CSeq => mandatory.cseq.first_time(),
                HeaderName::Timestamp => status == 100,
                HeaderName::RecordRoute => makes_dialog,
                _ => false,
            };
            if !copied {
                continue;
            }
            match (name, to_tag) {
                (HeaderName::To, Some(tag)) => {
                    response.headers.push(HeaderName::To, tagged(value, tag));
                }
                _ => response.headers.push(name.clone(), value),
            }
        }
        response
    }

    /// The same message with this body.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body;
        self
    }
}

/// Which of the fields that a response holds once were copied.
#[derive(Default)]
struct Mandatory {
    from: Once,
    to: Once,
    call_id: Once,
    cseq: Once,
}

#[derive(Default)]
struct Once(bool);

impl Once {
    const fn first_time(&mut self) -> bool {
        let first = !self.0;
        self.0 = true;
        first
    }
}

/// A To value with a tag, if it is well-formed and has none yet. Text is kept as it came
/// otherwise: some peers compare it.
pub(super) fn tagged(value: &str, tag: &str) -> String {
    match NameAddrRef::parse(value, "To") {
        Ok(address) if address.tag().is_none() => [value, ";tag=", tag].concat(),
        Ok(_) | Err(_) => value.to_owned(),
    }
}
