//! Owns option tags (RFC 3261 §19.2): which extensions we know for which method, and what is said
//! when more is required.

use crate::wire::{HeaderName, Message, Method};

/// What a request of this method may require of us.
const fn known(method: &Method) -> &'static [&'static str] {
    match method {
        // RFC 3262, RFC 4028.
        Method::Invite => &["100rel", "timer", "replaces"],
        Method::Update => &["timer"],
        // RFC 5626, RFC 3327: the registrar keeps Path, and flows are where they came from.
        Method::Register => &["path", "outbound"],
        Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Options
        | Method::Info
        | Method::Prack
        | Method::Refer
        | Method::Notify
        | Method::Subscribe
        | Method::Message
        | Method::Publish
        | Method::Other(_) => &[],
    }
}

/// What of its Require we do not know, as the value of Unsupported for a 420 (RFC 3261 §8.2.2.3);
/// `None` if we know all of it. ACK and CANCEL require nothing that could be refused.
#[must_use]
pub fn unsupported(request: &Message) -> Option<String> {
    let method = request.method()?;
    if matches!(method, Method::Ack | Method::Cancel) {
        return None;
    }
    let known = known(method);
    let unknown: Vec<&str> = request
        .headers
        .values(&HeaderName::Require)
        .filter(|tag| !tag.is_empty())
        .filter(|tag| !known.iter().any(|known| known.eq_ignore_ascii_case(tag)))
        .collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

/// Whether the sender of a message knows an extension: it supports or requires it.
#[must_use]
pub fn supports(message: &Message, tag: &str) -> bool {
    let headers = &message.headers;
    headers.lists(&HeaderName::Supported, tag) || headers.lists(&HeaderName::Require, tag)
}

/// Adds a tag to the Require of a message of ours.
pub fn require(message: &mut Message, tag: &str) {
    if !message.headers.lists(&HeaderName::Require, tag) {
        message.headers.push(HeaderName::Require, tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Uri;

    fn requiring(method: Method, tags: &[&str]) -> Message {
        let mut request = Message::request(method, Uri::parse("sip:a@192.0.2.1").unwrap());
        for tag in tags {
            request.headers.push(HeaderName::Require, *tag);
        }
        request
    }

    #[test]
    fn only_what_is_not_known_for_the_method_is_unsupported() {
        let of = |method, tags: &[&str]| unsupported(&requiring(method, tags));
        assert_eq!(of(Method::Invite, &[]), None);
        assert_eq!(of(Method::Invite, &["100rel", "Timer"]), None);
        assert_eq!(of(Method::Invite, &[""]), None);
        assert_eq!(
            of(Method::Invite, &["100rel, foo", "bar"]).as_deref(),
            Some("foo, bar")
        );
        assert_eq!(of(Method::Bye, &["100rel"]).as_deref(), Some("100rel"));
        assert_eq!(of(Method::Register, &["path"]), None);
        assert_eq!(of(Method::Ack, &["foo"]), None);
        assert_eq!(of(Method::Cancel, &["foo"]), None);
    }

    #[test]
    fn who_requires_an_extension_supports_it() {
        assert!(supports(&requiring(Method::Invite, &["100rel"]), "100REL"));
        assert!(!supports(&requiring(Method::Invite, &["timer"]), "100rel"));
    }
}
