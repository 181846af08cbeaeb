//! Streams of messages: the same frames however the octets are fragmented, bounds on memory and
//! time, and faults after which the connection is lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use sip::wire::{
    Datagram, Frame, Malformed, Opener, ParseError, StreamFramer, frame_of_websocket, limits,
    parse_datagram,
};

/// All frames of these fragments, and the fault that ended them.
fn frames(opener: Opener, fragments: &[&[u8]]) -> (Vec<Frame>, Option<Malformed>, StreamFramer) {
    let mut framer = StreamFramer::new(opener);
    let mut frames = Vec::new();
    for fragment in fragments {
        let mut octets = *fragment;
        loop {
            match framer.take(&mut octets) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault), framer),
            }
        }
        assert!(octets.is_empty());
    }
    (frames, None, framer)
}

fn whole(octets: &[u8]) -> (Vec<Frame>, Option<Malformed>, StreamFramer) {
    frames(Opener::Peer, &[octets])
}

fn request(method: &str, length_field: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} sip:1300@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.2:5060;branch=z9hG4bK1\r\n\
         From: <sip:a@h>;tag=1\r\nTo: <sip:1300@h>\r\nCall-ID: x\r\nCSeq: 1 {method}\r\n\
         {length_field}\r\n{body}"
    )
    .into_bytes()
}

fn options() -> Vec<u8> {
    request("OPTIONS", "Content-Length: 0\r\n", "")
}

#[test]
fn every_spelling_of_content_length_frames_the_body() {
    for field in [
        "Content-Length: 4\r\n",
        "content-length:4\r\n",
        "CONTENT-LENGTH : \t 0004 \r\n",
        "l:4\r\n",
        "L\t:\r\n  4\r\n",
        "Content-Length:\r\n \r\n\t4\r\n",
        "l: 4\r\nContent-Length: 04\r\n",
        "Content-Length: 4\n",
        "Content-Language: 9\r\nl: 4\r\n",
    ] {
        let message = request("INFO", field, "abcd");
        let mut stream = message.clone();
        stream.extend(options());
        let (frames, fault, _) = whole(&stream);
        assert_eq!(fault, None, "{field:?}");
        let expected = [message.clone(), options()].map(Frame::Message);
        assert_eq!(frames, expected, "{field:?}");
        let Ok(Datagram::Message(read)) = parse_datagram(&message) else {
            panic!("{field:?}")
        };
        assert_eq!(read.body, b"abcd", "{field:?}");
    }
}

#[test]
fn a_length_that_cannot_be_told_is_answered_400_and_loses_the_connection() {
    let one_mebibyte = "Content-Length: 1048576\r\n";
    for (field, status) in [
        ("", 400),
        ("X: 4\r\n", 400),
        ("Content-Length: -1\r\n", 400),
        ("Content-Length: 4x\r\n", 400),
        ("Content-Length: 0x4\r\n", 400),
        ("Content-Length: 1\r\n 2\r\n", 400),
        ("Content-Length:\r\n", 400),
        ("Content-Length: 4, 4\r\n", 400),
        ("Content-Length: 4\r\nl: 5\r\n", 400),
        ("Content-Length: 4294967296\r\n", 400),
        ("Content-Length: 99999999999999999999999\r\n", 400),
        ("Content-Length: 4294967295\r\n", 513),
        (one_mebibyte, 513),
    ] {
        let (frames, fault, mut framer) = whole(&request("INFO", field, "abcd"));
        assert_eq!(frames, [], "{field:?}");
        let answer = fault.unwrap().answer.unwrap();
        assert_eq!(answer.status(), Some(status), "{field:?}");
        assert_eq!(answer.call_id(), Ok("x"));
        let more = options();
        let mut more = more.as_slice();
        assert_eq!(framer.take(&mut more), Ok(None), "nothing is read any more");
        assert!(more.is_empty() && !framer.is_within_message());
    }
}

#[test]
fn a_faulty_message_with_a_good_length_leaves_the_connection_whole() {
    let mut faulty = request("INFO", "Content-Length: 2\r\nCSeq: 7 BYE\r\n", "ab");
    let alone = faulty.clone();
    faulty.extend(options());
    let (frames, fault, _) = whole(&faulty);
    assert_eq!(fault, None);
    assert_eq!(frames, [alone.clone(), options()].map(Frame::Message));
    let refused = parse_datagram(&alone).unwrap_err();
    assert_eq!(refused.answer.unwrap().status(), Some(400));
}

#[test]
fn what_is_no_sip_loses_the_connection_with_its_first_line_and_gets_no_answer() {
    for text in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
        b"HELO example.com\r\n",
        b"\xff\xfe\xfd\r\n",
        b"INVITE\r\n",
    ] {
        let fault = whole(text).1.unwrap();
        assert_eq!(fault.answer, None, "{text:?}");
    }
    // A TLS record without any line end is not waited for longer than a start line may be.
    let fault = whole(&[0x16; limits::LINE_OCTETS + 1]).1.unwrap();
    assert!(matches!(fault.problem, ParseError::TooLong { .. }));
    assert_eq!(fault.answer, None);
}

#[test]
fn heads_and_messages_have_a_bound() {
    let line = format!("X: {}\r\n", "a".repeat(1_000));
    let long = request("INFO", &line.repeat(40), "");
    let fault = whole(&long).1.unwrap();
    assert_eq!(fault.answer.unwrap().status(), Some(400));
    let body = "b".repeat(limits::MESSAGE_OCTETS - 1_000);
    let field = format!("Content-Length: {}\r\n", body.len());
    let largest = request("INFO", &field, &body);
    assert_eq!(whole(&largest).0, [Frame::Message(largest)]);
}

#[test]
fn pings_are_two_line_ends_on_a_connection_that_the_peer_opened() {
    let mut stream = b"\r\n\r\n\r\n".to_vec();
    stream.extend(options());
    stream.extend(b"\r\n\r\n\n\n\r\n\0 \r\n");
    let (frames, fault, framer) = whole(&stream);
    assert_eq!(fault, None);
    let message = Frame::Message(options());
    assert_eq!(frames, [Frame::Ping, message, Frame::Ping, Frame::Ping]);
    assert!(!framer.is_within_message());
}

#[test]
fn pongs_are_line_ends_on_a_connection_that_we_opened() {
    let mut stream = b"\r\n".to_vec();
    stream.extend(options());
    stream.extend(b"\r\n");
    let (frames, fault, _) = frames(Opener::Ourselves, &[&stream]);
    assert_eq!(fault, None);
    assert_eq!(
        frames,
        [Frame::Pong, Frame::Message(options()), Frame::Pong]
    );
}

#[test]
fn half_a_message_is_answered_when_it_is_given_up() {
    let message = request("INFO", "Content-Length: 9\r\n", "abcd");
    let (frames, fault, mut framer) = whole(&message);
    assert_eq!((frames, fault), (vec![], None));
    assert!(framer.is_within_message());
    let answer = framer.give_up().unwrap().answer.unwrap();
    assert_eq!(answer.status(), Some(400));
    assert_eq!(framer.give_up(), None);
    let (.., mut framer) = whole(b"INVITE sip:a@h SI");
    assert_eq!(framer.give_up().unwrap().answer, None);
    let (.., mut framer) = whole(&options());
    assert_eq!(framer.give_up(), None, "nothing had begun");
}

#[test]
fn a_websocket_message_is_one_message_without_need_of_a_length() {
    let message = request("INFO", "", "abcd");
    let frame = frame_of_websocket(Opener::Peer, message.clone());
    assert_eq!(frame, Ok(Some(Frame::Message(message))));
    let filler = |opener, text: &str| frame_of_websocket(opener, text.into()).unwrap();
    assert_eq!(filler(Opener::Peer, "\r\n\r\n"), Some(Frame::Ping));
    assert_eq!(filler(Opener::Peer, "\r\n"), None);
    assert_eq!(filler(Opener::Ourselves, "\r\n"), Some(Frame::Pong));
    assert_eq!(filler(Opener::Peer, ""), None);
    let large = vec![b'a'; limits::MESSAGE_OCTETS + 1];
    assert!(frame_of_websocket(Opener::Peer, large).is_err());
}

/// Octet by octet, and in large pieces: what hurts a framer that begins again with each piece. A
/// quadratic one needs minutes for it; the bound is far above what a busy machine takes.
#[test]
fn time_is_linear_however_fragmented() {
    let head = "INFO sip:a@h SIP/2.0\r\n";
    let hostile = [
        format!("{head}{}", "X: a\r\n".repeat(5_000)),
        format!("{head}X: {}", "\r\n a".repeat(8_000)),
        format!("{head}{}", "l: 1\r\n".repeat(5_000)),
        format!("{head}l: 60000\r\n\r\n{}", "\r\n".repeat(29_990)),
        "\r\n".repeat(32_000),
        String::from_utf8(options().repeat(250)).unwrap(),
    ];
    for text in hostile {
        let begin = Instant::now();
        let octets: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        let (single, fault, _) = frames(Opener::Peer, &octets);
        let (at_once, fault_at_once, _) = whole(text.as_bytes());
        assert_eq!((single, fault), (at_once, fault_at_once));
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(500), "{took:?}: {text:.60}");
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let valid = (vec(any::<u8>(), 0..80), 0..5_usize).prop_map(|(body, spelling)| {
        let length = body.len();
        let field = match spelling {
            0 => format!("l: {length}\r\n"),
            1 => format!("Content-Length\t:\r\n {length}\r\n"),
            2 => format!("X: y\r\n z\r\ncontent-length: {length}\r\n"),
            3 => format!("Content-Length: {length}\n"),
            _ => format!("Content-Length: {length}\r\n"),
        };
        let mut message = request("INFO", &field, "");
        message.extend(body);
        message
    });
    prop_oneof![
        6 => valid,
        2 => Just(b"\r\n".to_vec()),
        2 => Just(b"\r\n\r\n".to_vec()),
        1 => Just(b"\0".to_vec()),
        1 => Just(request("INFO", "Content-Length: 2\r\n\r\nab\r\nl: 3\r\n", "abc")),
        1 => vec(any::<u8>(), 1..40),
        1 => "[\r\n:lL0-9 -a]{1,40}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn any_fragmentation_gives_the_same_frames(
        pieces in vec(piece(), 0..8),
        cuts in vec(any::<prop::sample::Index>(), 0..40),
        peer in any::<bool>(),
    ) {
        let opener = if peer { Opener::Peer } else { Opener::Ourselves };
        let stream = pieces.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.push(0);
        cuts.push(stream.len());
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        let (expected, fault, mut at_once) = frames(opener, &[&stream]);
        let (cut, cut_fault, mut in_parts) = frames(opener, &parts);
        prop_assert_eq!(&cut, &expected);
        prop_assert_eq!(&cut_fault, &fault);
        prop_assert_eq!(in_parts.is_within_message(), at_once.is_within_message());
        prop_assert_eq!(in_parts.give_up(), at_once.give_up());
    }

    /// The parser may refuse what was cut out, but it must not see another end of the message.
    #[test]
    fn the_parser_sees_the_same_bodies(pieces in vec(piece(), 1..4)) {
        for frame in whole(&pieces.concat()).0 {
            let Frame::Message(octets) = frame else { continue };
            if let Ok(Datagram::Message(message)) = parse_datagram(&octets) {
                prop_assert!(octets.ends_with(&message.body));
                let head = octets.len() - message.body.len();
                prop_assert!(octets[..head].ends_with(b"\n"));
                let mut longer = octets.clone();
                longer.extend(b"tail");
                let again = parse_datagram(&longer);
                prop_assert_eq!(again, Ok(Datagram::Message(message)));
            }
        }
    }
}
