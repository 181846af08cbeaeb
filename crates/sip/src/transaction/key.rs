//! Owns the texts by which messages find their transactions (RFC 3261 §17.1.3, §17.2.3, §8.2.2.2).

use core::fmt::Write as _;
use core::net::IpAddr;

use crate::wire::{
    CSeq, HeaderName, Host, Message, Method, ParseError, Via, write_decimal, write_ip,
};

/// Writes the key of the server transaction to which a request belongs (RFC 3261 §17.2.3).
/// ACK and CANCEL get the key of the INVITE.
pub(super) fn server(
    key: &mut String,
    request: &Message,
    via: &Via,
    cseq: &CSeq,
) -> Result<(), ParseError> {
    key.clear();
    let method = match &cseq.method {
        Method::Ack | Method::Cancel => Method::Invite.as_str(),
        other => other.as_str(),
    };
    match via.branch().filter(|branch| is_unique(branch)) {
        Some(branch) => {
            push_all(key, &["3261 ", method, "\n", branch, "\n"]);
            // sent-by belongs to the key: "in order to prevent accidental or malicious
            // duplication of branch parameters from different clients".
            match &via.host {
                Host::Ip(address @ IpAddr::V4(_)) => {
                    let _ = write_ip(key, *address);
                }
                other => {
                    let _ = write!(key, "{other}");
                }
            }
            key.push(':');
            let _ = write_decimal(key, u32::from(via.port.unwrap_or(5060)));
            // Tokens and host names are compared without regard to case (§7.3.1).
            key.make_ascii_lowercase();
        }
        None => {
            // RFC 2543: no unique branch. The To tag is left out; it cannot differ between a
            // request and its copies, and the CSeq tells requests of one dialog apart.
            push_all(key, &["2543 ", method, "\n"]);
            if let Some(uri) = request.request_uri() {
                let _ = write!(key, "{uri}");
            }
            let tag = request.from_tag()?.unwrap_or("");
            push_all(key, &["\n", tag, "\n", request.call_id()?]);
            let top = request
                .headers
                .values(&HeaderName::Via)
                .next()
                .unwrap_or("");
            let _ = write!(key, "\n{}\n{top}", cseq.number);
        }
    }
    Ok(())
}

/// Writes the key under which a merged request is found: same From tag, Call-ID and CSeq, no
/// matter which branch (RFC 3261 §8.2.2.2). False if the request has a To tag: it cannot be merged.
pub(super) fn merged(key: &mut String, request: &Message, cseq: &CSeq) -> Result<bool, ParseError> {
    if request.to_tag()?.is_some() {
        return Ok(false);
    }
    key.clear();
    let tag = request.from_tag()?.unwrap_or("");
    push_all(
        key,
        &[
            cseq.method.as_str(),
            "\n",
            tag,
            "\n",
            request.call_id()?,
            "\n",
        ],
    );
    let _ = write_decimal(key, cseq.number);
    Ok(true)
}

/// The Call-ID in the key of a request that can be merged, if that is an INVITE.
pub(super) fn merged_invite(key: &str) -> Option<&str> {
    let mut parts = key.split('\n');
    let method = parts.next()?;
    (method == Method::Invite.as_str()).then(|| parts.nth(1))?
}

/// Writes the key under which the ACK for a 2xx finds the INVITE: the ACK is a transaction of its
/// own with another branch (RFC 3261 §13.2.2.4), only the dialog and the CSeq are the same.
/// Gives the same text for our 2xx and for the peer's ACK.
pub(super) fn acknowledged(
    key: &mut String,
    message: &Message,
    cseq: &CSeq,
) -> Result<(), ParseError> {
    key.clear();
    let from = message.from_tag()?.unwrap_or("");
    let to = message.to_tag()?.unwrap_or("");
    push_all(key, &[from, "\n", to, "\n", message.call_id()?, "\n"]);
    let _ = write_decimal(key, cseq.number);
    Ok(())
}

/// Writes the key of a client transaction (RFC 3261 §17.1.3).
pub(super) fn client(key: &mut String, branch: &str, method: &Method) {
    key.clear();
    push_all(key, &[method.as_str(), "\n", branch]);
    key.make_ascii_lowercase();
}

/// A To tag for answers given without state: the same for each copy of a request, as RFC 3261
/// §8.2.7 wants it.
#[must_use]
pub fn stateless_tag(request: &Message) -> String {
    let mut hash = Fnv::new();
    for field in [HeaderName::CallId, HeaderName::From, HeaderName::CSeq] {
        hash.add(request.headers.first(&field).unwrap_or(""));
    }
    // The topmost Via was completed with what the network showed; only its branch stays the same.
    if let Ok(branch) = request.branch() {
        hash.add(branch.unwrap_or(""));
    }
    format!("h{:016x}", hash.0)
}

/// FNV-1a: a fixed, well-spread hash; nothing is to be kept secret here.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, text: &str) {
        for octet in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// True for a branch with the magic cookie and something behind it. The bare cookie identifies
/// nothing (RFC 4475 §3.2.1), so it is treated like a branch of RFC 2543.
fn is_unique(branch: &str) -> bool {
    const COOKIE: &str = "z9hG4bK";
    branch.len() > COOKIE.len()
        && branch
            .get(..COOKIE.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
}

fn push_all(key: &mut String, parts: &[&str]) {
    for part in parts {
        key.push_str(part);
    }
}
