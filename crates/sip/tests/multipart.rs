//! Which part of a body is the session description (RFC 5621), and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::collection::vec;
use proptest::prelude::*;
use sip::wire::limits;
use sip::{BodyFault, HeaderName, Host, Message, Method, Uri};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";

fn invite(content_type: &str, body: &str) -> Message {
    let uri = Uri::sip(Some("1300"), Host::Name("h".to_owned()), None);
    Message::request(Method::Invite, uri).with_body(content_type, body.into())
}

/// A part with these header fields.
fn part(fields: &str, body: &str) -> String {
    format!("{fields}\r\n{body}")
}

fn sdp_part() -> String {
    part("Content-Type: application/sdp\r\n", SDP)
}

/// Parts between delimiters.
fn joined(boundary: &str, parts: &[String]) -> String {
    let mut body = "a preamble\r\n".to_owned();
    for part in parts {
        body.push_str(&format!("--{boundary}\r\n{part}\r\n"));
    }
    body + &format!("--{boundary}--\r\nan epilogue")
}

fn found(message: &Message) -> Result<Option<String>, BodyFault> {
    let found = message.session_description();
    found.map(|body| body.map(|body| String::from_utf8(body.to_vec()).unwrap()))
}

/// What is found in a multipart body of this subtype.
fn in_parts(subtype: &str, parts: &[String]) -> Result<Option<String>, BodyFault> {
    let kind = format!("multipart/{subtype};boundary=\"b 1\"");
    found(&invite(&kind, &joined("b 1", parts)))
}

const ISUP: &str = "Content-Type: application/ISUP;version=itu-t92+\r\n\
    Content-Disposition: signal;handling=optional\r\n";
const SIGNATURE: &str = "Content-Type: application/pkcs7-signature\r\n\
    Content-Disposition: attachment; handling=required\r\n";
const LOCATION: &str = "Content-Type: application/pidf+xml\r\nContent-ID: <place@h>\r\n";

#[test]
fn a_single_body_is_found_or_refused_by_type_and_disposition() {
    let sdp = Ok(Some(SDP.to_owned()));
    assert_eq!(found(&invite("application/sdp", SDP)), sdp);
    assert_eq!(found(&invite("Application/SDP; charset=utf-8", SDP)), sdp);
    assert_eq!(found(&invite("application/sdp", "")), Ok(None));
    assert_eq!(found(&invite("", SDP)), sdp, "the type can be seen");
    let unsupported = Err(BodyFault::Unsupported);
    assert_eq!(found(&invite("text/plain", "hello")), unsupported);
    assert_eq!(found(&invite("", "hello")), unsupported);
    for (kind, disposition, expected) in [
        ("application/sdp", "session", sdp.clone()),
        ("application/sdp", "session;handling=required", sdp.clone()),
        ("application/sdp", "early-session", unsupported.clone()),
        (
            "application/sdp",
            "early-session;handling=optional",
            Ok(None),
        ),
        ("text/plain", "render", unsupported.clone()),
        (
            "text/plain",
            "render;handling=required",
            unsupported.clone(),
        ),
        ("text/plain", "render; handling = Optional", Ok(None)),
        ("text/plain", "render;handling=\"optional\"", Ok(None)),
    ] {
        let mut message = invite(kind, SDP);
        let name = HeaderName::ContentDisposition;
        message.headers.push(name, disposition);
        assert_eq!(found(&message), expected, "{kind} {disposition}");
    }
    let mut packed = invite("application/sdp", SDP);
    packed.headers.push(HeaderName::ContentEncoding, "gzip");
    assert_eq!(found(&packed), unsupported);
}

#[test]
fn the_session_is_found_beside_what_may_be_ignored() {
    let sdp = Ok(Some(SDP.to_owned()));
    let isup = part(ISUP, "\u{1}\u{2}\r\n--b 2\r\n");
    let location = part(LOCATION, "<presence/>");
    for subtype in ["mixed", "MIXED", "x-unknown", "signed"] {
        assert_eq!(in_parts(subtype, &[isup.clone(), sdp_part()]), sdp);
        assert_eq!(in_parts(subtype, &[sdp_part(), location.clone()]), sdp);
    }
    assert_eq!(in_parts("mixed", &[isup, location]), Ok(None));
}

#[test]
fn a_required_part_that_is_unknown_is_415() {
    let signature = part(SIGNATURE, "x");
    let unsaid = part("Content-Type: a/b\r\nContent-Disposition: render\r\n", "x");
    let encoded = "Content-Transfer-Encoding: base64\r\nContent-Disposition: session\r\n";
    let encoded = part(
        &format!("Content-Type: application/sdp\r\n{encoded}"),
        "dj0w",
    );
    for odd in [signature, unsaid, encoded] {
        let parts = [sdp_part(), odd];
        assert_eq!(in_parts("mixed", &parts), Err(BodyFault::Unsupported));
    }
    assert_eq!(BodyFault::Unsupported.status(), 415);
}

#[test]
fn of_alternatives_the_last_that_is_understood_counts() {
    let other = SDP.replace("192.0.2.1", "192.0.2.2");
    let better = part("Content-Type: application/sdp\r\n", &other);
    let html = part("Content-Type: text/html\r\n", "<p>");
    let parts = [sdp_part(), better, html.clone()];
    assert_eq!(in_parts("alternative", &parts), Ok(Some(other)));
    assert_eq!(
        in_parts("alternative", &[html]),
        Err(BodyFault::Unsupported)
    );
}

#[test]
fn of_related_parts_the_root_counts() {
    let named = part(
        "Content-Type: application/sdp\r\nContent-ID: <root@h>\r\n",
        SDP,
    );
    let html = part("Content-Type: text/html\r\n", "<p>");
    let sdp = Ok(Some(SDP.to_owned()));
    assert_eq!(in_parts("related", &[sdp_part(), html.clone()]), sdp);
    assert_eq!(
        in_parts("related", &[html.clone(), named.clone()]),
        Err(BodyFault::Unsupported)
    );
    let start = "related;start=\"<root@h>\"";
    assert_eq!(in_parts(start, &[html, named]), sdp);
}

#[test]
fn parts_are_found_in_parts_of_parts_down_to_a_bound() {
    let nest = |depth: usize| {
        (1..depth).fold(joined("b0", &[sdp_part()]), |body, level| {
            let kind = format!("multipart/mixed;boundary=b{}", level - 1);
            let fields = format!("Content-Type: {kind}\r\n");
            joined(&format!("b{level}"), &[part(&fields, &body)])
        })
    };
    for depth in 1..=limits::BODY_DEPTH + 1 {
        let kind = format!("multipart/mixed;boundary=b{}", depth - 1);
        let expected = if depth <= limits::BODY_DEPTH {
            Ok(Some(SDP.to_owned()))
        } else {
            Err(BodyFault::Malformed)
        };
        assert_eq!(found(&invite(&kind, &nest(depth))), expected, "{depth}");
    }
}

#[test]
fn parts_and_their_fields_are_counted() {
    let many = vec![part(ISUP, ""); limits::BODY_PARTS];
    assert_eq!(in_parts("mixed", &many), Ok(None));
    let more = vec![part(ISUP, ""); limits::BODY_PARTS + 1];
    assert_eq!(in_parts("mixed", &more), Err(BodyFault::Malformed));
    let fields = "X: y\r\n".repeat(limits::PART_FIELDS + 1);
    assert_eq!(
        in_parts("mixed", &[part(&fields, "")]),
        Err(BodyFault::Malformed)
    );
}

#[test]
fn what_cannot_be_cut_is_400() {
    let body = joined("b", &[sdp_part()]);
    for kind in [
        "multipart/mixed".to_owned(),
        "multipart/mixed;boundary=".to_owned(),
        "multipart/mixed;boundary=\"\"".to_owned(),
        "multipart/mixed;boundary=other".to_owned(),
        format!("multipart/mixed;boundary={}", "b".repeat(71)),
    ] {
        assert_eq!(
            found(&invite(&kind, &body)),
            Err(BodyFault::Malformed),
            "{kind}"
        );
    }
    let open = body.split("--b--").next().unwrap();
    let kind = "multipart/mixed;boundary=b";
    assert_eq!(found(&invite(kind, open)), Err(BodyFault::Malformed));
    let no_colon = joined("b", &[part("nonsense\r\n", SDP)]);
    assert_eq!(found(&invite(kind, &no_colon)), Err(BodyFault::Malformed));
    assert_eq!(BodyFault::Malformed.status(), 400);
}

#[test]
fn an_empty_part_is_no_description() {
    let empty = part("Content-Type: application/sdp\r\n", "");
    assert_eq!(in_parts("mixed", &[empty]), Ok(None));
}

#[test]
fn a_delimiter_begins_a_line_and_ends_it() {
    let tricky = format!("{SDP}a=--b\r\n--bb\r\n --b\r\n");
    let body = format!("--b \t\r\nContent-Type: application/sdp\r\n\r\n{tricky}\r\n--b--");
    let kind = "multipart/mixed;boundary=b";
    assert_eq!(found(&invite(kind, &body)), Ok(Some(tricky)));
    let line_feeds = body.replace("\r\n", "\n");
    assert!(found(&invite(kind, &line_feeds)).unwrap().is_some());
    let no_head = "--b\r\n\r\nplain text\r\n--b--";
    assert_eq!(found(&invite(kind, no_head)), Ok(None));
}

#[test]
fn the_state_of_a_transfer_is_found_as_well() {
    let message = invite("message/sipfrag;version=2.0", "SIP/2.0 200 OK\r\n");
    assert_eq!(message.sipfrag(), Ok(Some(&b"SIP/2.0 200 OK\r\n"[..])));
    assert_eq!(message.session_description(), Ok(None));
    assert_eq!(invite("application/sdp", SDP).sipfrag(), Ok(None));
}

#[test]
fn keeping_the_description_throws_the_rest_away() {
    let body = joined("b", &[part(ISUP, "x"), sdp_part()]);
    let mut message = invite("multipart/mixed;boundary=b", &body);
    message
        .headers
        .push(HeaderName::ContentDisposition, "session");
    assert_eq!(message.keep_session_description(), Ok(()));
    assert_eq!(message, invite("application/sdp", SDP));
    let mut odd = invite("text/plain", "x");
    assert_eq!(odd.keep_session_description(), Err(BodyFault::Unsupported));
    assert!(odd.body.is_empty());
}

proptest! {
    /// Any octets where parts should be: found within the body, refused, or nothing. Never a panic.
    #[test]
    fn whatever_stands_in_a_body_is_looked_at(
        pieces in vec(prop_oneof![
            Just(b"--b".to_vec()), Just(b"--b--".to_vec()), Just(b"\r\n".to_vec()),
            Just(b"Content-Type: multipart/alternative;boundary=b\r\n\r\n".to_vec()),
            Just(b"Content-Type: application/sdp\r\n\r\n".to_vec()),
            vec(any::<u8>(), 0..20),
        ], 0..40),
    ) {
        let mut message = invite("multipart/mixed;boundary=b", "");
        message.body = pieces.concat();
        if let Ok(Some(found)) = message.session_description() {
            prop_assert!(found.len() < message.body.len());
        }
        let mut kept = message.clone();
        if kept.keep_session_description().is_err() {
            prop_assert!(kept.body.is_empty());
        }
    }
}
