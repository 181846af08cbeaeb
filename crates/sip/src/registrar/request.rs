//! Owns what a REGISTER asks for, read once and checked. Refuses to know the bindings.

use core::time::Duration;

use super::answer::Refusal;
use super::{Binding, RegistrarSettings};
use crate::wire::{HeaderName, Message, NameAddr, Params, Uri};

/// What the request says, in terms of the registrar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) path: Vec<NameAddr>,
    /// A flow is to be kept (RFC 5626 §6).
    pub(super) outbound: bool,
    pub(super) wanted: Change,
}

/// What is to become of the bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// No Contact: only the list is asked for.
    Nothing,
    /// `Contact: *` with `Expires: 0`.
    RemoveAll,
    /// Each is added, refreshed or removed.
    Contacts(Vec<Contact>),
}

/// One contact of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) uri: Uri,
    /// Zero: remove.
    pub(super) expires: Duration,
    pub(super) q: u16,
    /// Without `expires` and `q`.
    pub(super) params: Params,
}

impl Contact {
    /// Whether a binding is the one that this contact means: the same flow of the same instance
    /// (RFC 5626 §6), the same URI, or the same instance at a new address.
    pub(super) fn is_of(&self, binding: &Binding) -> bool {
        let (ours, theirs) = (self.params.value(INSTANCE), binding.params.value(INSTANCE));
        let (flow, other) = (self.params.value(REG_ID), binding.params.value(REG_ID));
        let instance = ours.is_some() && ours == theirs;
        match (flow, other) {
            (Some(flow), Some(other)) if instance => flow == other,
            (None, None) if instance => true,
            (Some(_) | None, Some(_) | None) => self.uri.equivalent(&binding.contact),
        }
    }
}

pub(super) const INSTANCE: &str = "+sip.instance";
pub(super) const REG_ID: &str = "reg-id";

/// RFC 3261 §20.10: a malformed `expires` counts as this.
const MALFORMED_EXPIRES: u32 = 3600;

pub(super) fn parse(settings: &RegistrarSettings, request: &Message) -> Result<Parsed, Refusal> {
    let call_id = request
        .call_id()
        .map_err(|_| Refusal::Bad("Call-ID expected"))?
        .to_owned();
    let cseq = request
        .cseq()
        .map_err(|_| Refusal::Bad("CSeq expected"))?
        .number;
    let path = request
        .addresses(&HeaderName::Path, "Path")
        .map_err(|_| Refusal::Bad("Path is malformed"))?;
    let mut wanted = wanted(settings, request)?;
    let outbound = outbound(request, &path, &mut wanted)?;
    Ok(Parsed {
        call_id,
        cseq,
        path,
        outbound,
        wanted,
    })
}

/// Whether the telephone wants its flow kept: `reg-id` counts only with an instance and with
/// `outbound` among what the telephone supports, and is else as if it were not there.
fn outbound(request: &Message, path: &[NameAddr], wanted: &mut Change) -> Result<bool, Refusal> {
    let Change::Contacts(contacts) = wanted else {
        return Ok(false);
    };
    let supported = request.headers.lists(&HeaderName::Supported, "outbound");
    let mut flows = 0;
    for contact in contacts {
        if !supported || contact.params.value(INSTANCE).is_none() {
            contact.params.remove(REG_ID);
        } else if contact.params.value(REG_ID).is_some() && !contact.expires.is_zero() {
            flows += 1;
        }
    }
    if flows > 1 {
        return Err(Refusal::Bad("One REGISTER makes one flow"));
    }
    // Who is not the telephone's neighbour relies on the proxy that is: its Path is the last one.
    let direct = request.headers.values(&HeaderName::Via).count() <= 1;
    let edge = path.last().is_some_and(|edge| edge.uri.params.has("ob"));
    if flows == 1 && !direct && !edge {
        return Err(Refusal::NoOutbound);
    }
    Ok(flows == 1)
}

fn wanted(settings: &RegistrarSettings, request: &Message) -> Result<Change, Refusal> {
    // The star may be hidden behind other contacts.
    let values: Vec<&str> = request.headers.values(&HeaderName::Contact).collect();
    if values.contains(&"*") {
        // §10.3 step 6: alone, and with Expires 0.
        let alone = values.len() == 1;
        return match request.expires() {
            Some(0) if alone => Ok(Change::RemoveAll),
            Some(_) | None => Err(Refusal::Bad(
                "Contact * needs Expires 0 and no other Contact",
            )),
        };
    }
    let contacts = request
        .contacts()
        .map_err(|_| Refusal::Bad("Contact is malformed"))?;
    if contacts.is_empty() {
        return Ok(Change::Nothing);
    }
    let header = request.headers.first(&HeaderName::Expires);
    let header = header.map(|_| request.expires().unwrap_or(MALFORMED_EXPIRES));
    contacts
        .into_iter()
        .map(|contact| checked(settings, header, contact))
        .collect::<Result<_, _>>()
        .map(Change::Contacts)
}

fn checked(
    settings: &RegistrarSettings,
    header: Option<u32>,
    contact: NameAddr,
) -> Result<Contact, Refusal> {
    let NameAddr {
        uri, mut params, ..
    } = contact;
    // The parameter of the contact goes before the header field.
    let wish = match params.get("expires") {
        Some(text) => Some(
            text.and_then(|t| t.parse().ok())
                .unwrap_or(MALFORMED_EXPIRES),
        ),
        None => header,
    };
    let wish = wish.map_or(settings.default_expires, |s| Duration::from_secs(s.into()));
    if !wish.is_zero() && wish < settings.min_expires {
        return Err(Refusal::TooBrief {
            min: settings.min_expires,
        });
    }
    let q = params.value("q").and_then(thousandths).unwrap_or(1000);
    params.remove("expires");
    params.remove("q");
    Ok(Contact {
        uri,
        expires: wish.min(settings.max_expires),
        q,
        params,
    })
}

/// `qvalue` of RFC 3261 §25.1: 0 to 1 with at most three decimals. A faulty one counts as none.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|octet| octet.is_ascii_digit());
    let base = match whole {
        "0" | "" if text != "." && !text.is_empty() => 0,
        "1" => 1000,
        _ => return None,
    };
    let fraction: u16 = format!("{decimals:0<3}").parse().ok()?;
    let value: u16 = base + fraction;
    (digits && value <= 1000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_values_are_read_in_thousandths() {
        for (text, value) in [
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0", Some(0)),
            ("0.5", Some(500)),
            (".25", Some(250)),
            ("0.001", Some(1)),
            ("1.001", None),
            ("0.1234", None),
            ("2", None),
            ("", None),
            (".", None),
            ("0.+1", None),
            ("-1", None),
        ] {
            assert_eq!(thousandths(text), value, "{text:?}");
        }
    }
}
