//! Owns the reading of transfers: Refer-To (RFC 3515), Replaces (RFC 3891), Refer-Sub (RFC 4488), and
//! the body that reports how one goes (RFC 3420). Refuses to know who may transfer what.

use crate::dialog::DialogId;
use crate::wire::{self, HeaderName, Message, NameAddr, ParseError, Scheme, Uri, reason_phrase};

/// The option tag of RFC 3891.
pub const REPLACES: &str = "replaces";

/// The option tag of RFC 4488.
pub const NO_REFER_SUB: &str = "norefersub";

/// What a REFER asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refer {
    /// Whom to call, without headers.
    pub target: Uri,
    /// The dialog whose place is to be taken, if there is one.
    pub replaces: Option<Replaces>,
    /// Who refers, as the referrer says (RFC 3892 §3). Not to be believed.
    pub referred_by: Option<NameAddr>,
    /// Whether the referrer wants to hear how it goes: not with `Refer-Sub: false`.
    pub wants_events: bool,
}

impl Refer {
    /// Reads a REFER. Headers of the Refer-To URI other than Replaces are left out: a peer has no
    /// business with what our requests say.
    ///
    /// # Errors
    /// The status to answer with: 400 without exactly one Refer-To that can be read (RFC 3515
    /// §2.4.2), 416 for a scheme that is no telephone's, 501 for a method other than INVITE.
    pub fn of(request: &Message) -> Result<Self, u16> {
        let mut values = request.headers.values(&HeaderName::ReferTo);
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(400);
        };
        let mut target = NameAddr::parse(value).map_err(|_| 400_u16)?.uri;
        if matches!(target.scheme, Scheme::Other(_)) {
            return Err(416);
        }
        let method = target.params.value("method").unwrap_or("INVITE");
        if !method.eq_ignore_ascii_case("INVITE") {
            return Err(501);
        }
        target.params.remove("method");
        let replaces = match target.headers.take() {
            Some(headers) => replaces_of(&headers)?,
            None => None,
        };
        let referred_by = request
            .headers
            .first(&HeaderName::ReferredBy)
            .and_then(|value| NameAddr::parse(value).ok());
        Ok(Self {
            target,
            replaces,
            referred_by,
            wants_events: !refuses_events(request),
        })
    }
}

/// The Replaces among the headers of a URI.
fn replaces_of(headers: &str) -> Result<Option<Replaces>, u16> {
    let mut found = None;
    for header in headers.split('&') {
        let (name, value) = header.split_once('=').unwrap_or((header, ""));
        if !name.eq_ignore_ascii_case("Replaces") {
            continue;
        }
        let value = wire::unescape(value).ok_or(400_u16)?;
        let replaces = Replaces::parse(&value).map_err(|_| 400_u16)?;
        if found.replace(replaces).is_some() {
            return Err(400);
        }
    }
    Ok(found)
}

fn refuses_events(request: &Message) -> bool {
    let name = HeaderName::Other("Refer-Sub".into());
    request.headers.first(&name).is_some_and(|value| {
        let value = value.split(';').next().unwrap_or_default();
        value.trim().eq_ignore_ascii_case("false")
    })
}

/// Whose place an INVITE takes (RFC 3891 §6.1). The tags are as the recipient has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID of the dialog.
    pub call_id: String,
    /// Tag of the recipient.
    pub to_tag: String,
    /// Tag of the other side.
    pub from_tag: String,
    /// Only if the dialog is not confirmed yet.
    pub early_only: bool,
}

impl Replaces {
    /// Reads the value of the header.
    ///
    /// # Errors
    /// If it is not a Call-ID with both tags.
    pub fn parse(value: &str) -> Result<Self, ParseError> {
        let (call_id, params) = value.split_once(';').unwrap_or((value, ""));
        let call_id = call_id.trim();
        let params = crate::wire::Params::parse(&format!(";{params}"))?;
        let tag = |name| params.value(name).map(str::to_owned);
        let (Some(to_tag), Some(from_tag), false) =
            (tag("to-tag"), tag("from-tag"), call_id.is_empty())
        else {
            return Err(ParseError::Missing("Call-ID or tag of Replaces"));
        };
        Ok(Self {
            call_id: call_id.to_owned(),
            to_tag,
            from_tag,
            early_only: params.has("early-only"),
        })
    }

    /// The Replaces of an INVITE, if it has one.
    ///
    /// # Errors
    /// 400 for more than one, beside a Join, or for one that cannot be read (RFC 3891 §3).
    pub fn of(request: &Message) -> Result<Option<Self>, u16> {
        let mut values = request.headers.all(&HeaderName::Replaces);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let join = HeaderName::Other("Join".into());
        if values.next().is_some() || request.headers.first(&join).is_some() {
            return Err(400);
        }
        Self::parse(value).map(Some).map_err(|_| 400)
    }

    /// The dialog meant, seen from our side.
    #[must_use]
    pub fn dialog(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: self.to_tag.clone(),
            remote_tag: self.from_tag.clone(),
        }
    }

    /// The same with the tags the other way round: some telephones write them so.
    #[must_use]
    pub fn dialog_mirrored(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: self.from_tag.clone(),
            remote_tag: self.to_tag.clone(),
        }
    }
}

/// The body of a NOTIFY: how far the transfer has come (RFC 3515 §2.4.5).
#[must_use]
pub fn status_fragment(status: u16) -> Vec<u8> {
    format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into_bytes()
}

/// What the body of a NOTIFY says of how far the transfer has come: the status in its first line.
#[must_use]
pub fn fragment_status(body: &[u8]) -> Option<u16> {
    let line = body.split(|octet| matches!(octet, b'\r' | b'\n')).next()?;
    let rest = core::str::from_utf8(line)
        .ok()?
        .trim()
        .strip_prefix("SIP/2.0 ")?;
    let status = rest.split(' ').next()?.parse().ok()?;
    (100..=699).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Method;

    fn refer(to: &[&str]) -> Message {
        let mut request = Message::request(Method::Refer, Uri::parse("sip:e@192.0.2.1").unwrap());
        for value in to {
            request.headers.push(HeaderName::ReferTo, *value);
        }
        request
    }

    #[test]
    fn the_dialog_to_replace_is_read_with_its_escapes() {
        let request = refer(&[
            "<sip:102@192.0.2.1?Replaces=12%40x%3Bto-tag%3Db%3Bfrom-tag%3Da&Require=replaces>",
        ]);
        let refer = Refer::of(&request).unwrap();
        assert_eq!(refer.target.to_string(), "sip:102@192.0.2.1");
        let replaces = refer.replaces.unwrap();
        assert_eq!(
            replaces.dialog(),
            DialogId {
                call_id: "12@x".into(),
                local_tag: "b".into(),
                remote_tag: "a".into()
            }
        );
        assert!(!replaces.early_only && refer.wants_events);
    }

    #[test]
    fn what_cannot_be_carried_out_has_its_status() {
        for (values, status) in [
            (&[][..], 400),
            (&["<sip:a@x>", "<sip:b@x>"], 400),
            (&["<sip:a@x>, <sip:b@x>"], 400),
            (&["<sip:a"], 400),
            (&["<http://example.com>"], 416),
            (&["<sip:a@x;method=BYE>"], 501),
            (&["<sip:a@x?Replaces=1>"], 400),
            (&["<sip:a@x?Replaces=1%ZZ>"], 400),
        ] {
            assert_eq!(Refer::of(&refer(values)), Err(status), "{values:?}");
        }
    }

    #[test]
    fn other_headers_of_the_target_are_left_out_and_a_telephone_number_is_a_target() {
        let refer_to = Refer::of(&refer(&["<sip:a@x?Subject=hi&Route=%3Csip:evil%3E>"])).unwrap();
        assert_eq!(refer_to.target.to_string(), "sip:a@x");
        let tel = Refer::of(&refer(&["tel:+74242123456"])).unwrap();
        assert_eq!(tel.target.user.as_deref(), Some("+74242123456"));
    }

    #[test]
    fn a_referrer_may_want_to_hear_nothing() {
        let mut request = refer(&["sip:a@x"]);
        request
            .headers
            .push(HeaderName::Other("Refer-Sub".into()), "false");
        assert!(!Refer::of(&request).unwrap().wants_events);
    }

    #[test]
    fn a_replaces_alone_is_read_and_two_are_refused() {
        let mut invite = Message::request(Method::Invite, Uri::parse("sip:e@192.0.2.1").unwrap());
        assert_eq!(Replaces::of(&invite), Ok(None));
        let value = "c1;from-tag=a;to-tag=b;early-only";
        invite.headers.push(HeaderName::Replaces, value);
        assert!(Replaces::of(&invite).unwrap().unwrap().early_only);
        invite.headers.push(HeaderName::Replaces, value);
        assert_eq!(Replaces::of(&invite), Err(400));
    }

    #[test]
    fn the_fragment_is_a_status_line() {
        assert_eq!(status_fragment(180), b"SIP/2.0 180 Ringing\r\n");
        assert_eq!(fragment_status(&status_fragment(603)), Some(603));
        assert_eq!(fragment_status(b"SIP/2.0 200 OK\nServer: x"), Some(200));
        assert_eq!(fragment_status(b"SIP/2.0 200"), Some(200));
        for none in [&b""[..], b"200 OK", b"SIP/2.0 OK", b"SIP/2.0 20", b"\xff"] {
            assert_eq!(fragment_status(none), None);
        }
    }
}
