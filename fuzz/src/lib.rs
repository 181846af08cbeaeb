//! What each fuzz target does with its octets: not only "no panic", but what must hold for any.
//!
//! The targets of this folder run these under libFuzzer; `crates/switch/tests/fuzz_targets.rs`
//! runs the same ones over mutated seeds with every test run.

use sdp::{Local, Srtp};
use sip::wire::{Values, limits, quote, unquote};
use sip::{
    Authenticator, CSeq, Datagram, Frame, HeaderName, Host, Message, Method, NameAddr, Opener,
    Params, Secrets, StreamFramer, Uri, Via, authorize, frame_of_websocket, parse_datagram,
};
use vocab::Time;
use vocab::media::Codec;
use vocab::srtp::MasterKey;

fn read(octets: &[u8]) -> Option<Message> {
    match parse_datagram(octets) {
        Ok(Datagram::Message(message)) => Some(message),
        Ok(Datagram::KeepAlive) | Err(_) => None,
    }
}

/// A datagram: what is read is printed and read again, and so are the answers to it.
pub fn message(octets: &[u8]) {
    match parse_datagram(octets) {
        Ok(Datagram::KeepAlive) => {}
        Ok(Datagram::Message(message)) => understood(&message),
        Err(malformed) => {
            if let Some(answer) = malformed.answer {
                // What cannot be read of the request is copied as it came, so the answer need not
                // be readable; it is one message and finds its way.
                assert_eq!(answer.status(), Some(malformed.problem.status()));
                assert!(answer.via().is_ok());
                let printed = answer.to_bytes();
                let ends = printed.windows(4).filter(|four| four == b"\r\n\r\n");
                assert_eq!(ends.count(), 1);
            }
        }
    }
}

fn understood(message: &Message) {
    assert!(message.via().is_ok() && message.from().is_ok() && message.to().is_ok());
    assert!(message.call_id().is_ok() && message.cseq().is_ok());
    assert!(message.contacts().is_ok() && message.routes().is_ok());
    assert!(message.record_routes().is_ok());
    let _ = (
        message.expires(),
        message.max_forwards(),
        message.content_type(),
    );
    let printed = message.to_bytes();
    let again = read(&printed).expect("what is printed is read");
    assert_eq!(again.start, message.start);
    assert_eq!(again.body, message.body);
    assert_eq!(again.to_bytes(), printed);
    if message.is_request() {
        let response = message.respond(486, Some("tag"));
        let again = read(&response.to_bytes()).expect("a response is read");
        assert!(again.to().expect("To was read before").tag().is_some());
        assert_eq!(again.call_id(), message.call_id());
    }
    let mut kept = message.clone();
    if kept.keep_session_description().is_ok() {
        assert!(kept.body.len() <= message.body.len());
    }
}

/// A stream; the first octet says into what pieces it is cut. The pieces make no difference, and
/// the parser sees the same ends of messages.
pub fn framing(octets: &[u8]) {
    let Some((piece, stream)) = octets.split_first() else {
        return;
    };
    let opener = if piece & 0x80 == 0 {
        Opener::Peer
    } else {
        Opener::Ourselves
    };
    let piece = usize::from(piece & 0x7f).max(1);
    let (whole, lost, given_up) = cut(opener, stream, stream.len().max(1));
    assert_eq!((&whole, lost, given_up), {
        let (pieces, lost, given_up) = cut(opener, stream, piece);
        assert_eq!(pieces, whole);
        (&whole, lost, given_up)
    });
    for frame in whole {
        let Frame::Message(octets) = frame else {
            continue;
        };
        assert!(octets.len() <= limits::MESSAGE_OCTETS);
        if let Some(message) = read(&octets) {
            assert!(octets.ends_with(&message.body));
            let longer = [&octets[..], b"tail"].concat();
            assert_eq!(
                read(&longer),
                Some(message),
                "the frame ends with the message"
            );
        }
    }
    let _ = frame_of_websocket(opener, stream.to_vec());
}

/// Frames, whether framing was lost, whether a message was left incomplete.
fn cut(opener: Opener, stream: &[u8], piece: usize) -> (Vec<Frame>, bool, bool) {
    let mut framer = StreamFramer::new(opener);
    let mut frames = Vec::new();
    for mut octets in stream.chunks(piece) {
        loop {
            match framer.take(&mut octets) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true, false),
            }
        }
    }
    let within = framer.is_within_message();
    let _ = framer.give_up();
    (frames, false, within)
}

/// A URI and an address: what is read is printed and read again as the same.
pub fn uri(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    if let Ok(uri) = Uri::parse(&text) {
        let printed = uri.to_string();
        assert_eq!(Uri::parse(&printed).as_ref(), Ok(&uri), "{printed}");
        assert!(uri.equivalent(&uri));
        let _ = uri.socket_addr();
    }
    if let Ok(address) = NameAddr::parse(&text) {
        let printed = address.to_string();
        let again = NameAddr::parse(&printed).expect("a printed address is read");
        assert_eq!(again.to_string(), printed);
        assert_eq!(again.uri, address.uri);
        if address.params.len() < limits::PARAMS {
            let tagged = address.with_tag("t").to_string();
            assert!(NameAddr::parse(&tagged).is_ok_and(|address| address.tag() == Some("t")));
        }
    }
}

/// A Via, and the smaller things that header fields are made of.
pub fn via(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    if let Ok(via) = Via::parse(&text) {
        let printed = via.to_string();
        assert_eq!(Via::parse(&printed).as_ref(), Ok(&via), "{printed}");
        let _ = (via.branch(), via.received(), via.rport());
    }
    if let Ok(cseq) = CSeq::parse(&text) {
        assert_eq!(CSeq::parse(&cseq.to_string()), Ok(cseq));
    }
    if let Ok(params) = Params::parse(&text) {
        assert!(params.len() <= limits::PARAMS);
        assert_eq!(Params::parse(&params.to_string()), Ok(params));
    }
    if let Ok(host) = Host::parse(&text) {
        assert_eq!(Host::parse(&host.to_string()), Ok(host));
    }
    assert!(Values::new(&text).count() <= limits::FIELD_VALUES);
    if !text.contains(['\r', '\n', '\0']) {
        assert_eq!(unquote(&quote(&text)), text);
    }
}

/// Credentials and challenges. Nobody gets in with octets of chance.
pub fn auth(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let Ok(target) = Uri::parse("sip:hotline.example.com") else {
        return;
    };
    let mut request = Message::request(Method::Register, target);
    request
        .headers
        .push(HeaderName::Authorization, text.as_ref());
    let mut authenticator = Authenticator::new("hotline", [7; 32]);
    let source = [192, 0, 2, 9].into();
    let now = Time::from_millis(1_000);
    let verdict = authenticator.check(now, source, &request, |user| {
        (user == "ann")
            .then(|| Secrets::new("ann", "hotline", "a secret of forty octets, not guessed"))
    });
    assert!(!matches!(verdict, sip::Verdict::Accepted { .. }));

    let mut challenge = Message::response(401, "");
    challenge
        .headers
        .push(HeaderName::WwwAuthenticate, text.as_ref());
    if authorize(&mut request, &challenge, "ann", "secret", "0a4f", 1).is_ok() {
        let printed = request.headers.first(&HeaderName::Authorization);
        let printed = printed.expect("credentials were added");
        assert!(printed.starts_with("Digest "), "{printed}");
        let head = String::from_utf8(request.to_bytes()).expect("text stays text");
        assert_eq!(head.matches("\r\nAuthorization: ").count(), 1);
    }
}

/// A session description: an answer to it has its streams and can be read.
pub fn sdp(octets: &[u8]) {
    let local = Local {
        address: [192, 0, 2, 1].into(),
        port: 20_000,
        session_id: 7,
        version: 1,
        codecs: &[Codec::Pcma, Codec::Pcmu],
        dtmf: Some(101),
        srtp: None,
        browser: None,
    };
    let secured = Local {
        srtp: Some(Srtp {
            key: MasterKey::new([7; MasterKey::OCTETS]),
            required: false,
        }),
        ..local
    };
    let _ = sdp::accept(octets, &local);
    let _ = sdp::accept(octets, &secured);
    if let Ok((answer, remote)) = sdp::answer(octets, &secured) {
        assert_eq!(answer.contains("a=crypto:"), remote.crypto.is_some());
    }
    if let Ok((answer, remote)) = sdp::answer(octets, &local) {
        let peer = sdp::accept(answer.as_bytes(), &local).expect("our answer is read");
        assert_eq!(peer.codec, remote.codec);
        assert_ne!(remote.address.port(), 0);
    }
}

/// A body; its first line is the Content-Type.
pub fn body(octets: &[u8]) {
    let at = octets.iter().position(|octet| *octet == b'\n');
    let (kind, body) = octets.split_at(at.unwrap_or(0));
    let kind = String::from_utf8_lossy(kind);
    let message = Message::response(200, "").with_body(kind.trim(), body.to_vec());
    let found = message
        .session_description()
        .map(|found| found.map(<[u8]>::to_vec));
    let _ = message.sipfrag();
    let mut kept = message.clone();
    assert_eq!(
        kept.keep_session_description(),
        found.as_ref().map(|_| ()).map_err(|fault| *fault)
    );
    match found {
        Ok(Some(found)) => assert_eq!(
            (&kept.body, kept.session_description()),
            (&found, Ok(Some(&found[..])))
        ),
        Ok(None) | Err(_) => assert!(kept.body.is_empty()),
    }
}
