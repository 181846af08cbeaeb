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
use sip::wire::{Datagram, HeaderName, Host, Message, Method, Scheme, parse_datagram};

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
        Err(malformed) => malformed.answer.map_or("drop".to_owned(), |answer| {
            answer.status().unwrap().to_string()
        }),
    }
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
