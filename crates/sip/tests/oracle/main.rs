//! rsip 0.4 as a second reader: what both read of a message must be the same, or the message has
//! something that rsip is known not to read. That we refuse what rsip takes is no disagreement; the corpus
//! has the verdicts for that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod reading;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use reading::{Answer, ours, theirs};

/// Whether a message, and what we disagree about, show the fault.
type Shows = fn(&[u8], &str) -> bool;

/// What rsip does not read as RFC 3261 has it, and how a message shows it.
const FAULTS: &[(&str, Shows)] = &[
    ("octets that are no UTF-8", |bytes, _| {
        std::str::from_utf8(bytes).is_err()
    }),
    ("compact names", |_, text| {
        text.lines()
            .any(|line| line.as_bytes().get(1) == Some(&b':'))
    }),
    ("folded fields", |_, text| {
        text.contains("\n ") || text.contains("\n\t")
    }),
    ("a space before the colon", |_, text| {
        text.contains(" :") || text.contains("\t:")
    }),
    ("LF line ends", |_, text| {
        text.replace("\r\n", "").contains('\n')
    }),
    ("empty lines before the message", |_, text| {
        text.starts_with("\r\n")
    }),
    ("the version in lower case", |_, text| {
        text.contains("sip/2.0")
    }),
    ("a status line without a reason", |_, text| {
        text.lines()
            .next()
            .is_some_and(|line| line.split(' ').count() == 2)
    }),
    ("methods it does not know", |_, text| {
        let method = text.split(' ').next().unwrap_or_default();
        !method.starts_with("SIP/") && method.parse::<rsip::Method>().is_err()
    }),
    ("URIs that are neither sip nor sips", |_, text| {
        let request_uri = text.split(' ').nth(1).unwrap_or_default();
        !text.starts_with("SIP/") && !request_uri.to_ascii_lowercase().starts_with("sip")
            || text.contains("<isbn:")
    }),
    ("IPv6 addresses", |_, text| text.contains('[')),
    ("escaped octets in a user", |_, text| {
        text.contains('%') || text.contains('#')
    }),
    ("several values in a field", |_, text| {
        text.contains(">, <") || text.contains(", <")
    }),
    ("a Contact of *", |_, text| text.contains("Contact: *")),
    ("octets behind the body", |_, text| {
        text.contains("GARBAGE") || text.matches(" SIP/2.0\r\n").count() > 1
    }),
    ("a semicolon in a user", |_, text| {
        text.lines()
            .next()
            .is_some_and(|line| line.find(';') < line.find('@') && line.contains(';'))
    }),
];

/// Longer messages are not shown to rsip: its time grows with the square of a parameter.
const LONGEST: usize = 16_384;

fn corpora() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("HOTLINE_TESTDATA")
        .map_or_else(|| root.join("../../../shared/testdata"), PathBuf::from);
    let mut paths = Vec::new();
    for (folder, extension) in [
        (root.join("tests/corpus/messages"), "sip"),
        (shared.join("sip-torture"), "dat"),
    ] {
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("no {}", folder.display()));
        let files = files.map(|file| file.unwrap().path());
        paths.extend(files.filter(|path| path.extension().is_some_and(|e| e == extension)));
    }
    paths
}

/// URIs may differ in the case of what knows no case.
fn same((question, ours): &Answer, (_, theirs): &Answer) -> bool {
    match (ours, theirs) {
        (Ok(a), Ok(b)) if question.contains("URI") || *question == "Contact" => {
            a.eq_ignore_ascii_case(b)
        }
        (ours, theirs) => ours == theirs,
    }
}

#[test]
fn both_read_the_corpora_alike_but_for_known_faults_of_rsip() {
    let (mut alike, mut faulty, mut only_theirs, mut neither) = (0, 0, 0, 0);
    let (mut unexplained, mut seen) = (Vec::new(), BTreeSet::new());
    for path in corpora() {
        let bytes = std::fs::read(&path).unwrap();
        if bytes.len() > LONGEST {
            continue;
        }
        let (ours, theirs) = match (ours(&bytes), theirs(&bytes)) {
            (Some(ours), theirs) => (ours, theirs),
            (None, Ok(_)) => {
                only_theirs += 1;
                continue;
            }
            (None, Err(_)) => {
                neither += 1;
                continue;
            }
        };
        let differing = match &theirs {
            Err(why) => vec![why.clone()],
            Ok(theirs) => ours
                .iter()
                .zip(theirs)
                .filter(|(ours, theirs)| !same(ours, theirs))
                .map(|pair| format!("{pair:?}"))
                .collect(),
        };
        if differing.is_empty() {
            alike += 1;
            continue;
        }
        faulty += 1;
        let text = String::from_utf8_lossy(&bytes);
        let shown = FAULTS.iter().filter(|(_, shows)| shows(&bytes, &text));
        let shown: Vec<&str> = shown.map(|(name, _)| *name).collect();
        seen.extend(shown.iter().copied());
        if shown.is_empty() {
            unexplained.push(format!("{}: {differing:?}", path.display()));
        }
    }
    println!(
        "alike {alike}, faults of rsip {faulty}, only rsip takes {only_theirs}, neither {neither}"
    );
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    for (name, _) in FAULTS {
        assert!(seen.contains(name), "nothing shows: {name}");
    }
    assert!(alike >= 20 && faulty >= 30, "{alike} alike, {faulty} not");
}

prop_compose! {
    /// A message without anything that rsip is known not to read.
    fn plain()(
        method in prop::sample::select(vec!["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "REFER", "UPDATE", "INFO"]),
        status in prop::option::of(100_u16..700),
        transport in prop::sample::select(vec!["UDP", "TCP", "TLS", "WS", "WSS"]),
        (user, host, port) in ("[a-z0-9+_-]{1,12}", "[a-z][a-z0-9]{0,8}\\.example", 1_u16..),
        address in any::<[u8; 4]>().prop_map(std::net::Ipv4Addr::from),
        (branch, from_tag) in ("z9hG4bK[A-Za-z0-9.-]{1,30}", "[A-Za-z0-9.~-]{1,30}"),
        to_tag in prop::option::of("[A-Za-z0-9]{1,12}"),
        call_id in "[A-Za-z0-9.-]{1,30}(@[a-z0-9.]{1,12})?",
        number in any::<u32>(),
        display in prop::sample::select(vec!["", "\"Ivan P.\" ", "Maria "]),
        body in "[ -~\r\n]{0,80}",
    ) -> String {
        let start = status.map_or_else(
            || format!("{method} sip:{user}@{host}:{port};transport=tcp SIP/2.0"),
            |status| format!("SIP/2.0 {status} Whatever"),
        );
        let to_tag = to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let length = body.len();
        format!(
            "{start}\r\nVia: SIP/2.0/{transport} {address}:{port};branch={branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: {display}<sip:{user}@{address}>;tag={from_tag}\r\n\
             To: <sip:{user}@{host};user=phone>{to_tag}\r\nCall-ID: {call_id}\r\n\
             CSeq: {number} {method}\r\nContact: {display}<sip:{user}@{address}:{port}>\r\n\
             Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }
}

proptest! {
    #[test]
    fn both_read_plain_messages_alike(message in plain()) {
        let ours = ours(message.as_bytes()).ok_or_else(|| TestCaseError::fail("we refuse it"))?;
        let theirs = theirs(message.as_bytes()).map_err(TestCaseError::fail)?;
        for (ours, theirs) in ours.iter().zip(&theirs) {
            prop_assert!(same(ours, theirs), "{:?} / {:?} in {}", ours, theirs, message);
        }
    }
}
