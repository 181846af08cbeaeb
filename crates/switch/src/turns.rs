//! Owns the recognition of calls that come back: what we sent out returns to us through other exchanges,
//! because a line is forwarded or a route is wrong, and would be queued, sent out, and return again.
//!
//! Our own Via tells of it behind proxies only (RFC 3261 §16.3 step 4): another exchange makes a new
//! call with a new Call-ID and no Via of ours, and drops a header that it does not know. What exchanges
//! hand on is Session-ID (RFC 7989), which was made to name a call across them, so that is what our
//! INVITEs carry: the caller's own, or one that we draw. Of RFC 7989 there is no more here than that.
//! Where nobody hands it on, Max-Forwards bounds the turns.

use sip::{HeaderName, Message};

/// As often a call may come back under ever other numbers: a forward to another number of ours is no
/// loop, and nobody needs many.
pub(crate) const TURNS_MAX: usize = 3;
/// A UUID without hyphens (RFC 7989 §5).
const LENGTH: usize = 32;

/// The session that an INVITE says it belongs to.
pub(crate) fn session_of(invite: &Message) -> Option<String> {
    let value = invite.headers.first(&name())?;
    let uuid = value.split(';').next().unwrap_or_default().trim();
    let legal = uuid.len() == LENGTH && uuid.bytes().all(|octet| octet.is_ascii_hexdigit());
    // All zeros: not known yet (RFC 7989 §5).
    let known = uuid.bytes().any(|octet| octet != b'0');
    (legal && known).then(|| uuid.to_ascii_lowercase())
}

/// Says which session an INVITE of ours belongs to; the other end's is not known yet.
pub(crate) fn tell(session: &str, invite: &mut Message) {
    let value = format!("{session};remote={:0LENGTH$}", 0);
    invite.headers.set(name(), value);
}

fn name() -> HeaderName {
    HeaderName::parse("Session-ID")
}

#[cfg(test)]
mod tests {
    use sip::{Method, Uri};

    use super::*;

    #[test]
    fn what_is_told_is_read_and_what_is_no_uuid_or_nil_is_not() {
        let uri = Uri::parse("sip:1300@192.0.2.1").unwrap();
        let mut invite = Message::request(Method::Invite, uri);
        assert_eq!(session_of(&invite), None);
        let uuid = "ab30317f1a784dc48ff824d0d3715d86";
        tell(uuid, &mut invite);
        assert_eq!(session_of(&invite).as_deref(), Some(uuid));
        for other in [
            "",
            "ab30",
            "00000000000000000000000000000000;remote=0",
            "zz30317f1a784dc48ff824d0d3715d86",
        ] {
            invite.headers.set(name(), other);
            assert_eq!(session_of(&invite), None, "{other}");
        }
        invite.headers.set(name(), uuid.to_ascii_uppercase());
        assert_eq!(session_of(&invite).as_deref(), Some(uuid));
    }
}
