//! A corpus of our own: one message for each class of fault; the file name begins with the verdict.
//! README.md says what the verdicts mean and which classes there are.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sip::wire::{
    Datagram, Frame, HeaderName, Malformed, Message, Opener, StreamFramer, limits, parse_datagram,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    files("messages")
}

fn files(kind: &str) -> Vec<(String, Vec<u8>)> {
    let mut corpus: Vec<_> = std::fs::read_dir(folder().join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_stem().unwrap().to_str().unwrap().to_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    corpus.sort();
    corpus
}

#[test]
fn every_message_gets_the_verdict_in_its_name() {
    let corpus = corpus();
    assert!(corpus.len() >= 130, "{} messages", corpus.len());
    let mut wrong = Vec::new();
    for (name, bytes) in corpus {
        let (got, why) = match parse_datagram(&bytes) {
            Ok(Datagram::Message(_)) => ("parse".to_owned(), String::new()),
            Ok(Datagram::KeepAlive) => ("keepalive".to_owned(), String::new()),
            Err(malformed) => (refusal(&malformed), malformed.problem.to_string()),
        };
        if name.split('-').next() != Some(got.as_str()) {
            wrong.push(format!("{name}: {got} ({why})"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn refusal(malformed: &Malformed) -> String {
    let status = malformed.answer.as_ref().and_then(Message::status);
    status.map_or("drop".to_owned(), |status| status.to_string())
}

/// The end of a stream cut in pieces of so many octets, in the words of the file names, and its messages.
fn on_stream(bytes: &[u8], piece: usize) -> (String, Vec<Vec<u8>>) {
    let mut framer = StreamFramer::new(Opener::Peer);
    let mut messages = Vec::new();
    for mut octets in bytes.chunks(piece) {
        loop {
            match framer.take(&mut octets) {
                Ok(Some(Frame::Message(message))) => messages.push(message),
                Ok(Some(Frame::Ping | Frame::Pong)) => {}
                Ok(None) => break,
                Err(fault) => return (format!("close-{}", refusal(&fault)), messages),
            }
        }
    }
    let end = match framer.give_up() {
        Some(fault) => format!("wait-{}", refusal(&fault)),
        None => "open".to_owned(),
    };
    (end, messages)
}

#[test]
fn every_stream_ends_as_its_name_says_however_it_is_cut() {
    let streams = files("streams");
    assert!(streams.len() >= 20, "{} streams", streams.len());
    for (name, bytes) in streams {
        let (end, messages) = on_stream(&bytes, bytes.len());
        assert!(name.starts_with(&end), "{name}: {end}");
        if end == "open" {
            assert_eq!(messages.len(), 2, "{name}");
            let last = parse_datagram(&messages[1]);
            assert!(matches!(last, Ok(Datagram::Message(_))), "{name}: {last:?}");
        }
        for piece in [1, 2, 3, 100] {
            assert_eq!(
                on_stream(&bytes, piece),
                (end.clone(), messages.clone()),
                "{name}"
            );
        }
    }
}

#[test]
fn every_body_is_what_its_name_says() {
    let bodies = files("bodies");
    assert!(bodies.len() >= 20, "{} bodies", bodies.len());
    for (name, bytes) in bodies {
        let Ok(Datagram::Message(message)) = parse_datagram(&bytes) else {
            panic!("{name}: {:?}", parse_datagram(&bytes))
        };
        let got = match message.session_description() {
            Ok(Some(description)) => {
                assert_eq!(description, b"v=0\r\n", "{name}");
                "sdp".to_owned()
            }
            Ok(None) => "none".to_owned(),
            Err(fault) => fault.status().to_string(),
        };
        assert_eq!(name.split('-').next(), Some(got.as_str()), "{name}");
    }
}

#[test]
fn every_class_of_fault_has_a_file_and_every_file_a_class() {
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let marks: Vec<&str> = readme
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| ")?
                .strip_suffix(" |")?
                .split_once(" | ")
        })
        .skip(1)
        .flat_map(|(_, marks)| marks.split(", "))
        .collect();
    assert!(marks.len() > 60, "{marks:?}");
    let names: Vec<String> = ["messages", "streams", "bodies"]
        .into_iter()
        .flat_map(files)
        .map(|(name, _)| name)
        .collect();
    for mark in &marks {
        assert!(
            names.iter().any(|name| name.contains(mark)),
            "no file for {mark}"
        );
    }
    for name in &names {
        assert!(
            marks.iter().any(|mark| name.contains(mark)),
            "no class for {name}"
        );
    }
}

#[test]
fn answers_can_be_sent_back_and_read() {
    for (name, bytes) in corpus() {
        let Some(answer) = parse_datagram(&bytes).err().and_then(|m| m.answer) else {
            continue;
        };
        assert!(answer.call_id().is_ok(), "{name}");
        assert_eq!(answer.via().unwrap().port, Some(5060), "{name}");
        let text = String::from_utf8(answer.to_bytes()).unwrap();
        assert!(
            !text.replace("\r\n", "").contains(['\r', '\n', '\0']),
            "{name}: {text}"
        );
        assert!(
            text.ends_with("Content-Length: 0\r\n\r\n"),
            "{name}: {text}"
        );
    }
}

#[test]
fn the_same_fault_gets_the_same_octets() {
    for (name, bytes) in corpus() {
        let answer = || {
            parse_datagram(&bytes)
                .err()
                .and_then(|m| m.answer)
                .map(|a| a.to_bytes())
        };
        assert_eq!(answer(), answer(), "{name}");
    }
}

#[test]
fn a_bare_cr_makes_no_header() {
    for (name, bytes) in corpus() {
        if let Ok(Datagram::Message(message)) = parse_datagram(&bytes) {
            for (header, value) in message.headers.iter() {
                assert!(!value.contains(['\r', '\n']), "{name}");
                assert!(!value.contains("evil"), "{name}: {header}");
            }
            let printed = String::from_utf8_lossy(&message.to_bytes()).into_owned();
            let lengths = printed.matches("Content-Length:").count();
            assert_eq!(
                lengths,
                1,
                "{name}: {:?}",
                message.headers.first(&HeaderName::ContentLength)
            );
        }
    }
}

/// 64 KiB of what would make a careless parser look again and again at the same octets. A
/// quadratic one needs seconds for them; the bound is far above what a busy machine takes.
#[test]
fn time_is_linear_in_the_octets() {
    let fill = |pattern: &str, octets: usize| pattern.repeat(octets / pattern.len());
    let head =
        "INVITE sip:1300@127.0.0.1 SIP/2.0\r\nTo: <sip:1300@h>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n";
    let mut hostile = vec![fill("\r\n", 65_000), fill("a", 65_000), fill("\n ", 65_000)];
    for name in ["Contact", "Via", "Route", "From", "X"] {
        for pattern in [
            ",",
            ";",
            ";a=\"",
            "\"\\",
            "<",
            "<sip:a@h>,",
            ";a=b",
            " \r\n ",
            "%",
        ] {
            let line = fill(pattern, limits::LINE_OCTETS - 100);
            hostile.push(format!(
                "{head}{}\r\n",
                format!("{name}: {line}\r\n").repeat(7)
            ));
            hostile.push(format!("{head}{name}: {}\r\n\r\n", fill(pattern, 60_000)));
        }
    }
    for text in hostile {
        let begin = Instant::now();
        let _ = parse_datagram(text.as_bytes());
        let mut not_text = text.clone().into_bytes();
        not_text.push(0xff);
        let _ = parse_datagram(&not_text);
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(500), "{took:?}: {:.60}", text);
    }
}
