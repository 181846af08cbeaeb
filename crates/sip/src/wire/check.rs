//! Owns what every message must hold, and the answer to a request that does not.

use super::cseq;
use super::error::{ParseError, malformed};
use super::header_name::HeaderName;
use super::headers::Headers;
use super::message::{Message, tagged};
use super::name_addr::NameAddrRef;
use super::octets;
use super::scan::{Values, number};
use super::via::ViaRef;

/// Checks the fields that RFC 3261 §8.1.1 asks for and those that decide where messages go.
/// `method`: of a request. Returns the Content-Length.
pub(super) fn fields(headers: &Headers, method: Option<&str>) -> Result<Option<usize>, ParseError> {
    let mut seen = Seen::default();
    for (name, value) in headers.iter() {
        match name {
            HeaderName::Via => {
                seen.via = true;
                each(value, via)?;
            }
            HeaderName::From => {
                once(&mut seen.from, "From")?;
                NameAddrRef::parse(value, "From")?;
            }
            HeaderName::To => {
                once(&mut seen.to, "To")?;
                NameAddrRef::parse(value, "To")?.with_room_for_tag()?;
            }
            HeaderName::CallId => {
                once(&mut seen.call_id, "Call-ID")?;
                // An escaped control character has a place in quoted strings only.
                if value.is_empty() || octets::blank(value.as_bytes()).is_some() {
                    return Err(malformed("Call-ID", "one word expected"));
                }
            }
            HeaderName::CSeq => {
                once(&mut seen.cseq, "CSeq")?;
                let (_, named) = cseq::split(value)?;
                if method.is_some_and(|method| method != named) {
                    return Err(malformed("CSeq", "method is not that of the request"));
                }
            }
            HeaderName::MaxForwards => {
                once(&mut seen.max_forwards, "Max-Forwards")?;
                number(value, u64::from(u8::MAX))
                    .ok_or(malformed("Max-Forwards", "number from 0 to 255 expected"))?;
            }
            HeaderName::Contact if value == "*" => {}
            HeaderName::Contact => addresses(value, "Contact")?,
            HeaderName::Route => addresses(value, "Route")?,
            HeaderName::RecordRoute => addresses(value, "Record-Route")?,
            HeaderName::Path => addresses(value, "Path")?,
            HeaderName::ContentLength => seen.length.note(value)?,
            _ => {}
        }
    }
    seen.complete()?;
    Ok(seen.length.value())
}

/// Which fields were seen.
#[derive(Default)]
struct Seen {
    via: bool,
    from: bool,
    to: bool,
    call_id: bool,
    cseq: bool,
    max_forwards: bool,
    length: Length,
}

impl Seen {
    fn complete(&self) -> Result<(), ParseError> {
        let there = [
            (self.via, "Via"),
            (self.from, "From"),
            (self.to, "To"),
            (self.call_id, "Call-ID"),
            (self.cseq, "CSeq"),
        ];
        match there.iter().find(|(seen, _)| !seen) {
            Some((_, name)) => Err(ParseError::Missing(name)),
            None => Ok(()),
        }
    }
}

/// The Content-Length.
#[derive(Default)]
pub(super) struct Length(Option<usize>);

impl Length {
    /// The same value twice does no harm; two values do (request smuggling).
    pub(super) fn note(&mut self, value: &str) -> Result<(), ParseError> {
        let length = number(value, u64::from(u32::MAX))
            .and_then(|length| usize::try_from(length).ok())
            .ok_or(malformed("Content-Length", "number expected"))?;
        if self.0.is_some_and(|before| before != length) {
            return Err(ParseError::Repeated("Content-Length"));
        }
        self.0 = Some(length);
        Ok(())
    }

    pub(super) const fn value(&self) -> Option<usize> {
        self.0
    }
}

fn once(seen: &mut bool, name: &'static str) -> Result<(), ParseError> {
    if *seen {
        return Err(ParseError::Repeated(name));
    }
    *seen = true;
    Ok(())
}

fn via(value: &str) -> Result<(), ParseError> {
    if ViaRef::parse(value)?.bare_cookie {
        return Err(malformed(
            "Via",
            "branch holds nothing but the magic cookie",
        ));
    }
    Ok(())
}

fn addresses(value: &str, part: &'static str) -> Result<(), ParseError> {
    each(value, |address| {
        NameAddrRef::parse(address, part).map(|_| ())
    })
}

fn each(list: &str, check: impl Fn(&str) -> Result<(), ParseError>) -> Result<(), ParseError> {
    // The last of too many values holds the rest, commas included, and is refused by `check`.
    Values::new(list).try_for_each(check)
}

/// The response to a faulty request, if enough of it can be copied. An ACK is never answered
/// (RFC 3261 §17.1.1.3). No state is needed: the same request gets the same octets.
pub(super) fn answer(headers: &Headers, method: &str, problem: &ParseError) -> Option<Message> {
    if method == "ACK" {
        return None;
    }
    let mut copied = Message::response(problem.status(), &problem.to_string());
    let mut vias = headers.all(&HeaderName::Via);
    let first = vias.next()?;
    match Values::new(first).try_for_each(|via| ViaRef::parse(via).map(|_| ())) {
        Ok(()) => copied.headers.push(HeaderName::Via, first),
        Err(_) => copied
            .headers
            .push(HeaderName::Via, ViaRef::salvage(first)?.to_string()),
    }
    for via in vias {
        copied.headers.push(HeaderName::Via, via);
    }
    for name in [
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ] {
        let value = headers.first(&name)?;
        copied.headers.push(name, value);
    }
    Some(with_tag(copied))
}

/// A response has a To tag (RFC 3261 §8.2.6.2); without state it is made of what identifies the
/// request, so that a retransmission gets the same one.
fn with_tag(mut answer: Message) -> Message {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for (_, value) in answer.headers.iter() {
        for octet in value.bytes() {
            // FNV-1a: no secret is needed for a tag that no dialog will have.
            hash = (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    if let Some(to) = answer.headers.first(&HeaderName::To) {
        let to = tagged(to, &format!("{hash:016x}"));
        answer.headers.set(HeaderName::To, to);
    }
    answer
}
