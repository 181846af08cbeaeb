//! What a message costs: `cargo bench -p sip`. The goal is 2 µs for the parse of a 1.2 KB INVITE.
//!
//! docs/benchmarks.md has the command that counts instructions.
#![allow(
    clippy::panic,
    clippy::result_large_err,
    reason = "a benchmark that fails is to stop"
)]

use divan::{Bencher, black_box};
use sip::{Datagram, Frame, Message, Opener, StreamFramer, parse_datagram};

fn main() {
    divan::main();
}

/// As an office telephone sends it through a proxy: 1.2 KB with the session description.
const INVITE: &str = "INVITE sip:88003019191@pbx.example.com;user=phone;transport=udp SIP/2.0\r\n\
    Via: SIP/2.0/UDP 203.0.113.20:5060;branch=z9hG4bK-524287-1---d8754z-4a3f2c9b1;rport\r\n\
    Via: SIP/2.0/UDP 192.168.10.31:5062;branch=z9hG4bK1489239011;received=203.0.113.31;rport=5062\r\n\
    Max-Forwards: 69\r\n\
    Record-Route: <sip:203.0.113.20;lr;ftag=2089125371>\r\n\
    From: \"Anna Petrova\" <sip:+74242123456@pbx.example.com;user=phone>;tag=2089125371\r\n\
    To: <sip:88003019191@pbx.example.com;user=phone>\r\n\
    Call-ID: 0_1847593201@192.168.10.31\r\n\
    CSeq: 102 INVITE\r\n\
    Contact: <sip:+74242123456@192.168.10.31:5062;transport=udp>\r\n\
    Allow: INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, NOTIFY, SUBSCRIBE, REFER, UPDATE\r\n\
    Supported: replaces, 100rel, timer\r\n\
    Accept: application/sdp\r\n\
    Min-SE: 90\r\n\
    Session-Expires: 1800;refresher=uac\r\n\
    User-Agent: Example T46S 66.86.0.15\r\n\
    P-Asserted-Identity: \"Anna Petrova\" <sip:+74242123456@pbx.example.com>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length:   259\r\n\
    \r\n\
    v=0\r\no=- 20083 20083 IN IP4 203.0.113.31\r\ns=SDP data\r\nc=IN IP4 203.0.113.31\r\nt=0 0\r\n\
    m=audio 11796 RTP/AVP 8 0 9 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:9 G722/8000\r\na=fmtp:101 0-15\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n\
    a=sendrecv\r\n";

fn invite() -> Message {
    match parse_datagram(INVITE.as_bytes()) {
        Ok(Datagram::Message(message)) => message,
        other => panic!("the sample is a message: {other:?}"),
    }
}

#[divan::bench]
fn parse_invite(bencher: Bencher) {
    let octets = INVITE.as_bytes();
    bencher
        .counter(divan::counter::BytesCount::of_slice(octets))
        .bench(|| parse_datagram(black_box(octets)));
}

#[divan::bench]
fn print_invite(bencher: Bencher) {
    let message = invite();
    bencher.bench(|| black_box(&message).to_bytes());
}

/// What is read anew of most requests: branch, tags, CSeq, Contact.
#[divan::bench]
fn read_fields_of_invite(bencher: Bencher) {
    let message = invite();
    bencher.bench(|| {
        let message = black_box(&message);
        (
            message.via(),
            message.from(),
            message.to(),
            message.cseq(),
            message.contacts(),
        )
    });
}

#[divan::bench]
fn respond_to_invite(bencher: Bencher) {
    let message = invite();
    bencher.bench(|| {
        black_box(&message)
            .respond(180, Some("8f14e45f"))
            .to_bytes()
    });
}

#[divan::bench]
fn parse_response(bencher: Bencher) {
    let octets = invite().respond(180, Some("8f14e45f")).to_bytes();
    bencher.bench(|| parse_datagram(black_box(&octets)));
}

#[divan::bench]
fn cut_invite_out_of_a_stream(bencher: Bencher) {
    let octets = INVITE.as_bytes();
    bencher.bench(|| {
        let mut framer = StreamFramer::new(Opener::Peer);
        let frame = framer.take(&mut black_box(octets));
        assert!(matches!(frame, Ok(Some(Frame::Message(_)))));
        frame
    });
}
