//! Owns the answers to a REGISTER: the list of contacts, and the refusals.

use core::time::Duration;

use vocab::Time;

use super::Binding;
use super::request::Parsed;
use crate::wire::{HeaderName, Message, NameAddr, Start};

/// Seconds within which a telephone is to show that its flow lives (RFC 5626 §4.4.1 recommends 120).
const FLOW_TIMER: u32 = 120;

/// Why a REGISTER was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The peer sent what cannot be understood.
    Bad(&'static str),
    /// A wish below the minimum.
    TooBrief { min: Duration },
    /// More contacts than a user may have.
    TooMany,
    /// The telephone wants flows kept, and the first proxy on its way does not keep them.
    NoOutbound,
    /// The user registers too often.
    TooOften { wait: Duration },
    /// The binding was made by a newer request of the same Call-ID.
    Overtaken,
}

impl Refusal {
    pub(super) fn respond(self, request: &Message, tag: &str) -> Message {
        let (status, reason) = match self {
            Self::Bad(reason) => (400, reason),
            Self::TooBrief { .. } => (423, ""),
            Self::NoOutbound => (439, "First Hop Lacks Outbound Support"),
            Self::TooOften { .. } => (503, ""),
            Self::TooMany => (403, "Too Many Contacts"),
            // §10.3 step 6: "the request fails", by a 500.
            Self::Overtaken => (500, "CSeq Out of Order"),
        };
        let mut response = request.respond(status, Some(tag));
        if let (Start::Response { reason: phrase, .. }, false) =
            (&mut response.start, reason.is_empty())
        {
            reason.clone_into(phrase);
        }
        match self {
            Self::TooBrief { min } => {
                let min = seconds_up(min).to_string();
                response.headers.push(HeaderName::MinExpires, min);
            }
            Self::TooOften { wait } => {
                let wait = seconds_up(wait).to_string();
                response.headers.push(HeaderName::RetryAfter, wait);
            }
            Self::Bad(_) | Self::NoOutbound | Self::TooMany | Self::Overtaken => {}
        }
        response
    }
}

/// 200 with all current contacts (RFC 3261 §10.3 step 8).
pub(super) fn listing(
    now: Time,
    bindings: &[Binding],
    parsed: &Parsed,
    request: &Message,
    tag: &str,
) -> Message {
    let mut response = request.respond(200, Some(tag));
    for binding in bindings {
        let mut contact = NameAddr::new(binding.contact.clone());
        contact.params = binding.params.clone();
        let left = seconds_up(binding.expires_at.since(now));
        contact.params.set("expires", Some(&left.to_string()));
        if binding.q != 1000 {
            contact
                .params
                .set("q", Some(&format!("0.{:03}", binding.q)));
        }
        response.headers.print(HeaderName::Contact, &contact);
    }
    if parsed.outbound {
        // RFC 5626 §6: so the telephone knows that its flows are kept, and how often to show that
        // it is there (§4.4.1).
        response.headers.push(HeaderName::Require, "outbound");
        let timer = HeaderName::parse("Flow-Timer");
        response.headers.push(timer, FLOW_TIMER.to_string());
    }
    response
        .headers
        .push(HeaderName::Supported, "path, outbound");
    // RFC 3327 §5.3: the Path that was stored is shown.
    for path in &parsed.path {
        response.headers.push(HeaderName::Path, path.to_string());
    }
    response
}

/// Whole seconds, rounded up: what was granted is shown as granted.
fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
