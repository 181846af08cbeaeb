//! The torture messages of RFC 4475 and RFC 5118 against the parser's part of their verdicts.
//!
//! Reads `sip-torture` in place: `../shared/testdata` beside the checkout, or the folder that
//! `HOTLINE_TESTDATA` names. Fails if it is not there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;

use sha2::{Digest, Sha256};
use sip::wire::{
    Datagram, Frame, HeaderName, Host, Malformed, Message, Method, Opener, Scheme, StreamFramer,
    parse_datagram,
};

fn folder() -> PathBuf {
    let root = std::env::var_os("HOTLINE_TESTDATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/testdata"),
        PathBuf::from,
    );
    let folder = root.join("sip-torture");
    assert!(
        folder.join("INDEX.tsv").is_file(),
        "the torture messages are not at {}: put the shared folder beside the checkout or set \
         HOTLINE_TESTDATA to its testdata folder",
        folder.display()
    );
    folder
}

struct Case {
    name: String,
    valid: bool,
    verdict: String,
    bytes: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let folder = folder();
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    index
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let bytes = std::fs::read(folder.join(columns[0])).unwrap();
            let sum: String = Sha256::digest(&bytes)
                .iter()
                .map(|o| format!("{o:02x}"))
                .collect();
            assert_eq!(
                sum, columns[7],
                "{} is not the file of the index",
                columns[0]
            );
            Case {
                name: columns[0].to_owned(),
                valid: columns[2] == "valid",
                verdict: columns[4].to_owned(),
                bytes,
            }
        })
        .collect()
}

/// What the parser made of a datagram, in the words of the index.
fn outcome(bytes: &[u8]) -> String {
    match parse_datagram(bytes) {
        Ok(Datagram::Message(_)) => "parse".to_owned(),
        Ok(Datagram::KeepAlive) => "keepalive".to_owned(),
        Err(malformed) => refusal(&malformed),
    }
}

fn refusal(malformed: &Malformed) -> String {
    let status = malformed.answer.as_ref().and_then(Message::status);
    status.map_or("drop".to_owned(), |status| status.to_string())
}

/// What became of a message on a connection.
#[derive(Debug, PartialEq)]
enum End {
    /// It was cut out, and so was what came after it.
    Open,
    /// Framing was lost.
    Closed,
    /// More octets were waited for, and did not come.
    GivenUp,
}

/// The outcome of a message on a connection, in pieces of so many octets, and what became of the
/// connection. `next` is sent behind it.
fn on_stream(bytes: &[u8], next: &[u8], piece: usize) -> (String, End) {
    let stream = [bytes, next].concat();
    let mut framer = StreamFramer::new(Opener::Peer);
    let mut messages = Vec::new();
    let mut fault = None;
    for mut octets in stream.chunks(piece) {
        while fault.is_none() {
            match framer.take(&mut octets) {
                Ok(Some(Frame::Message(message))) => messages.push(message),
                Ok(Some(Frame::Ping | Frame::Pong)) => {}
                Ok(None) => break,
                Err(malformed) => fault = Some(malformed),
            }
        }
    }
    let lost = fault.as_ref().map(refusal);
    let given_up = framer.give_up().as_ref().map(refusal);
    let end = match (&lost, &given_up) {
        (Some(_), _) => End::Closed,
        (None, Some(_)) => End::GivenUp,
        (None, None) => End::Open,
    };
    if end == End::Open && !next.is_empty() {
        let last = messages.last().unwrap();
        assert_eq!(last, next, "the next message was swallowed");
    }
    let first = messages.first().map(|message| outcome(message));
    (first.or(lost).or(given_up).unwrap(), end)
}

/// The verdicts of the index that a parser can reach.
fn allowed(case: &Case) -> Vec<String> {
    let datagram = case.verdict.split(';').next().unwrap().trim();
    datagram
        .split('|')
        .map(|verdict| match verdict {
            // Well-formed, and dropped as it belongs to no transaction: not the parser's part.
            "drop" if case.valid => "parse".to_owned(),
            // `parse:501` and the like: what is answered is decided above the parser.
            other => other.split(':').next().unwrap().to_owned(),
        })
        .collect()
}

#[test]
fn every_message_gets_its_verdict() {
    let cases = cases();
    assert_eq!(
        cases.len(),
        61,
        "49 messages of RFC 4475 and 12 of RFC 5118"
    );
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let (got, allowed) = (outcome(&case.bytes), allowed(case));
            let why = parse_datagram(&case.bytes)
                .err()
                .map(|m| m.problem.to_string());
            (!allowed.contains(&got))
                .then(|| format!("{}: {got} ({why:?}), not {allowed:?}", case.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const NEXT: &[u8] = b"OPTIONS sip:1300@127.0.0.1 SIP/2.0\r\n\
    Via: SIP/2.0/TCP 127.0.0.2:5060;branch=z9hG4bKnext\r\nFrom: <sip:a@h>;tag=1\r\n\
    To: <sip:1300@h>\r\nCall-ID: next\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

/// Whole, octet by octet, in pieces, with and without a next message behind it. Without a next one
/// the connection of a message that is too short waits; with one, the next one is taken for the rest.
#[test]
fn every_message_gets_its_verdict_on_a_stream() {
    let mut wrong = Vec::new();
    for case in cases() {
        let stream = case.verdict.split(';').nth(1).map(str::trim);
        let end = match (stream, case.name.as_str()) {
            (Some("stream:close"), _) => End::Closed,
            (Some("stream:wait-close"), _) => End::GivenUp,
            (Some(other), name) => panic!("{name}: {other}"),
            // RFC 3261 §18.3: without Content-Length a stream has no frames; 400 is allowed.
            (None, "inv2543.dat") => End::Closed,
            // The second message, which only a stream has, is longer than its Content-Length.
            (None, "dblreq.dat") => End::Closed,
            // The blank line is missing.
            (None, "baddn.dat") => End::GivenUp,
            (None, _) => End::Open,
        };
        for (piece, next) in [
            (usize::MAX, false),
            (1, false),
            (7, false),
            (1, true),
            (usize::MAX, true),
        ] {
            if next && end == End::GivenUp {
                continue;
            }
            let got = on_stream(&case.bytes, if next { NEXT } else { b"" }, piece);
            if !allowed(&case).contains(&got.0) || got.1 != end {
                wrong.push(format!(
                    "{}: {got:?}, not {:?} {end:?}",
                    case.name,
                    allowed(&case)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_parsed_is_printed_and_parsed_again() {
    for case in cases() {
        let Ok(Datagram::Message(message)) = parse_datagram(&case.bytes) else {
            continue;
        };
        let printed = message.to_bytes();
        let Ok(Datagram::Message(again)) = parse_datagram(&printed) else {
            panic!("{}: printed message is refused", case.name)
        };
        assert_eq!(again.start, message.start, "{}", case.name);
        assert_eq!(again.body, message.body, "{}", case.name);
        assert_eq!(again.to_bytes(), printed, "{}", case.name);
    }
}

#[test]
fn every_answer_is_a_message() {
    let mut answers = 0;
    for case in cases() {
        let Some(answer) = parse_datagram(&case.bytes).err().and_then(|m| m.answer) else {
            continue;
        };
        answers += 1;
        let text = String::from_utf8(answer.to_bytes()).unwrap();
        assert!(
            text.starts_with("SIP/2.0 400 ") || text.starts_with("SIP/2.0 505 "),
            "{text}"
        );
        assert_eq!(text.matches("\r\n\r\n").count(), 1, "{text}");
        assert!(
            text.split("\r\n")
                .all(|line| !line.contains(['\r', '\n', '\0'])),
            "{text}"
        );
        assert!(answer.via().is_ok(), "{}: no way back", case.name);
    }
    assert!(answers >= 14, "{answers} answers");
}

fn message(name: &str) -> Message {
    let bytes = std::fs::read(folder().join(name)).unwrap();
    match parse_datagram(&bytes) {
        Ok(Datagram::Message(message)) => message,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn the_tortuous_invite_is_understood() {
    let m = message("wsinv.dat");
    assert_eq!(m.method(), Some(&Method::Invite));
    assert_eq!(m.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(
        m.from().unwrap().display.as_deref(),
        Some("J Rosenberg \\\"")
    );
    assert_eq!(m.from().unwrap().tag(), Some("98asjd8"));
    assert_eq!((m.max_forwards(), m.cseq().unwrap().number), (Some(68), 9));
    assert_eq!(m.via().unwrap().branch(), Some("390skdjuw"));
    assert_eq!(m.headers.values(&HeaderName::Via).count(), 3);
    assert_eq!(m.headers.first(&HeaderName::Subject), Some(""));
    let unusual = HeaderName::parse("UnknownHeaderWithUnusualValue");
    assert_eq!(m.headers.first(&unusual), Some(";;,,;;,;"));
    let routes = m.routes().unwrap();
    assert!(routes[0].uri.params.has("lr"));
    let contact = &m.contacts().unwrap()[0];
    assert_eq!(contact.params.value("q"), Some("0.33"));
    assert_eq!(contact.params.value("newparam"), Some("newvalue"));
    assert_eq!(m.body.len(), 150);
}

#[test]
fn escapes_mean_what_the_rfc_says() {
    let uri = message("esc01.dat").request_uri().unwrap().clone();
    assert_eq!(uri.user.as_deref(), Some("sips:user@example.com"));
    let users: Vec<_> = message("escnull.dat")
        .contacts()
        .unwrap()
        .into_iter()
        .map(|c| c.uri.user)
        .collect();
    assert_eq!(users, [Some("\0".to_owned()), Some("\0\0".to_owned())]);
    let m = message("esc02.dat");
    assert_eq!(m.method(), Some(&Method::Other("RE%47IST%45R".to_owned())));
    assert_eq!(m.to().unwrap().display.as_deref(), Some("%Z%45"));
    assert_eq!(m.contacts().unwrap().len(), 2);
    let uri = message("semiuri.dat").request_uri().unwrap().clone();
    assert_eq!(uri.user.as_deref(), Some("user;par=u@example.net"));
    assert_eq!(uri.host, Host::Name("example.com".to_owned()));
}

#[test]
fn bodies_end_at_content_length() {
    assert!(message("dblreq.dat").body.is_empty());
    let body = message("mpart01.dat").body;
    assert!(body.contains(&0), "the second MIME part is binary");
}

#[test]
fn contact_and_uri_parameters_are_told_apart() {
    let contact = message("cparam01.dat").contacts().unwrap().remove(0);
    assert!(contact.params.has("unknownparam") && !contact.uri.params.has("unknownparam"));
    let contact = message("cparam02.dat").contacts().unwrap().remove(0);
    assert!(!contact.params.has("unknownparam") && contact.uri.params.has("unknownparam"));
    let contact = message("regescrt.dat").contacts().unwrap().remove(0);
    assert!(contact.uri.to_string().contains("?Route=%3C"), "{contact}");
}

#[test]
fn ipv6_hosts_and_ports_are_told_apart() {
    let uri = message("port-ambiguous.dat").request_uri().unwrap().clone();
    assert_eq!(
        (uri.port, uri.host),
        (None, Host::Ip("2001:db8::10:5070".parse().unwrap()))
    );
    let uri = message("port-unambiguous.dat")
        .request_uri()
        .unwrap()
        .clone();
    assert_eq!(
        (uri.port, uri.host),
        (Some(5070), Host::Ip("2001:db8::10".parse().unwrap()))
    );
    let received = Some("2001:db8::9:255".parse().unwrap());
    for name in [
        "via-received-param-with-delim.dat",
        "via-received-param-no-delim.dat",
    ] {
        assert_eq!(message(name).via().unwrap().received(), received, "{name}");
    }
    let uri = message("ipv6-bug-abnf-3-colons.dat")
        .request_uri()
        .unwrap()
        .clone();
    assert_eq!(uri.host, Host::Ip("2001:db8::192.0.2.1".parse().unwrap()));
}

#[test]
fn unknown_schemes_are_kept_opaque() {
    let uri = message("unkscm.dat").request_uri().unwrap().clone();
    assert_eq!(
        uri.scheme,
        Scheme::Other("nobodyknowsthisscheme".to_owned())
    );
    assert_eq!(uri.user.as_deref(), Some("totallyopaquecontent"));
    let uri = message("novelsc.dat").request_uri().unwrap().clone();
    assert_eq!(uri.to_string(), "soap.beep://192.0.2.103:3002");
}
