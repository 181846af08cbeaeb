//! Owns what both parsers are asked of a message, in one form that can be compared.

use std::panic::catch_unwind;

use rsip::prelude::{HeadersExt, ToTypedHeader, UntypedHeader};
use sip::wire::{Datagram, HeaderName, Message, NameAddr, Start, parse_datagram};

/// One question: its name, and the answer in text or that there is none.
pub(crate) type Answer = (&'static str, Result<String, String>);

/// The answers to all questions, in the same order from both.
pub(crate) type Reading = Vec<Answer>;

/// What our parser reads; `None` if it takes the datagram for no message.
pub(crate) fn ours(bytes: &[u8]) -> Option<Reading> {
    let Ok(Datagram::Message(message)) = parse_datagram(bytes) else {
        return None;
    };
    let (what, uri) = match &message.start {
        Start::Request { method, uri } => (method.as_str().to_owned(), uri.to_string()),
        Start::Response { status, .. } => (status.to_string(), String::new()),
    };
    let Message { headers, body, .. } = &message;
    let via = message.via().unwrap();
    let cseq = message.cseq().unwrap();
    let tag = |address: NameAddr| address.tag().unwrap_or_default().to_owned();
    let contacts = message.contacts().unwrap();
    Some(vec![
        ("start", Ok(what)),
        ("Request-URI", Ok(uri)),
        ("Via transport", Ok(via.transport.to_ascii_uppercase())),
        (
            "Via sent-by",
            Ok(host_port(&via.host.to_string(), via.port)),
        ),
        (
            "Via branch",
            Ok(via.branch().unwrap_or_default().to_owned()),
        ),
        ("From tag", Ok(tag(message.from().unwrap()))),
        ("To tag", Ok(tag(message.to().unwrap()))),
        ("To URI", Ok(message.to().unwrap().uri.to_string())),
        ("Call-ID", Ok(message.call_id().unwrap().to_owned())),
        ("CSeq", Ok(format!("{} {}", cseq.number, cseq.method))),
        (
            "Contact",
            Ok(contacts
                .first()
                .map(|c| c.uri.to_string())
                .unwrap_or_default()),
        ),
        (
            "Content-Length",
            Ok(headers
                .first(&HeaderName::ContentLength)
                .unwrap_or_default()
                .to_owned()),
        ),
        ("body", Ok(format!("{body:02x?}"))),
    ])
}

fn host_port(host: &str, port: Option<u16>) -> String {
    port.map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

/// What rsip reads; the reason if it reads nothing. A panic of its is a fault like others.
pub(crate) fn theirs(bytes: &[u8]) -> Result<Reading, String> {
    catch_unwind(|| read(bytes)).unwrap_or_else(|_| Err("panic".to_owned()))
}

fn read(bytes: &[u8]) -> Result<Reading, String> {
    let message = rsip::SipMessage::try_from(bytes).map_err(text)?;
    let (what, uri) = match &message {
        rsip::SipMessage::Request(r) => (r.method.to_string(), r.uri.to_string()),
        rsip::SipMessage::Response(r) => (r.status_code.code().to_string(), String::new()),
    };
    let via = message.via_header().map_err(text).and_then(typed);
    let from = message.from_header().map_err(text).and_then(typed);
    let to = message.to_header().map_err(text).and_then(typed);
    let cseq = message.cseq_header().map_err(text).and_then(typed);
    let contact = message
        .contact_headers()
        .first()
        .map(|c| typed(*c))
        .transpose();
    let length = message_length(&message);
    let body = format!("{:02x?}", message.body());
    Ok(vec![
        ("start", Ok(what)),
        ("Request-URI", Ok(uri)),
        (
            "Via transport",
            via.clone().map(|via| via.transport.to_string()),
        ),
        (
            "Via sent-by",
            via.clone().map(|via| via.uri.host_with_port.to_string()),
        ),
        (
            "Via branch",
            via.map(|via| {
                via.branch()
                    .map(|b| b.value().to_owned())
                    .unwrap_or_default()
            }),
        ),
        (
            "From tag",
            from.map(|from| {
                from.tag()
                    .map(|tag| tag.value().to_owned())
                    .unwrap_or_default()
            }),
        ),
        (
            "To tag",
            to.clone().map(|to| {
                to.tag()
                    .map(|tag| tag.value().to_owned())
                    .unwrap_or_default()
            }),
        ),
        ("To URI", to.map(|to| to.uri.to_string())),
        (
            "Call-ID",
            message
                .call_id_header()
                .map(|id| id.value().to_owned())
                .map_err(text),
        ),
        ("CSeq", cseq.map(|cseq| cseq.to_string())),
        (
            "Contact",
            contact.map(|c| c.map(|c| c.uri.to_string()).unwrap_or_default()),
        ),
        ("Content-Length", Ok(length)),
        ("body", Ok(body)),
    ])
}

fn message_length(message: &rsip::SipMessage) -> String {
    use rsip::prelude::HasHeaders;
    let length = message.headers().iter().find_map(|header| match header {
        rsip::Header::ContentLength(length) => Some(length.value().to_owned()),
        _ => None,
    });
    length.unwrap_or_default()
}

fn typed<'a, H: ToTypedHeader<'a> + Clone>(header: &H) -> Result<H::Typed, String> {
    header.clone().typed().map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
