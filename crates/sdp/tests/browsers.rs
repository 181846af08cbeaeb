//! Offer and answer with browsers: what Chrome and Firefox say, cut to what matters, and what nobody should.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::net::IpAddr;

use sdp::{Browser, Local, Refusal, accept, answer, ice_name, offer, offer_again};
use vocab::browser::{BrowserPeer, Fingerprint, IceCredentials};
use vocab::media::{Codec, EventTypes, Rtcp};

const ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)),
];
const THEIRS: Fingerprint = Fingerprint([0xab; 32]);

fn browser() -> Browser<'static> {
    Browser {
        port: 40_000,
        addresses: &ADDRESSES,
        ice: IceCredentials::new([9; IceCredentials::OCTETS]),
        certificate: Fingerprint([0x5a; 32]),
    }
}

fn local() -> Local<'static> {
    Local {
        address: ADDRESSES[0],
        port: 20_000,
        session_id: 42,
        version: 3,
        codecs: &[Codec::Pcma, Codec::Pcmu],
        dtmf: Some(101),
        srtp: None,
        browser: Some(browser()),
    }
}

/// Chrome's offer of a microphone and a camera, with a name of mDNS as candidate.
fn chrome() -> String {
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
         a=group:BUNDLE 0 1\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\n\
         a=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=candidate:1 1 udp 2113937151 4d1f4e0a-0c7b-4b1c-9a7e-3f1b6d1b2f0c.local 54321 typ host \
         generation 0 network-cost 999\r\n\
         a=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlAB\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {THEIRS}\r\na=setup:actpass\r\na=mid:0\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\n\
         a=msid:stream track\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\n\
         a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
         a=rtpmap:63 red/48000/2\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
         a=rtpmap:126 telephone-event/8000\r\na=ssrc:1 cname:x\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtcp-mux\r\n\
         a=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlAB\r\na=rtpmap:96 VP8/90000\r\n"
    )
}

fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines()
        .filter(|line| line.starts_with(start))
        .collect()
}

#[test]
fn chrome_is_answered_with_pcma_its_keys_at_8000_and_where_we_are() {
    let (said, remote) = answer(chrome().as_bytes(), &local()).unwrap();
    assert_eq!(remote.codec, Codec::Pcma);
    assert_eq!(
        (remote.dtmf_send, remote.dtmf_receive),
        (EventTypes::narrow(126), EventTypes::narrow(126))
    );
    assert_eq!(remote.rtcp, Rtcp::Muxed);
    assert!(remote.send && remote.receive, "0.0.0.0 is no hold here");
    let peer = BrowserPeer {
        ours: browser().ice,
        certificate: THEIRS,
    };
    assert_eq!(remote.browser, Some(peer));
    assert!(
        remote.address.ip().is_unspecified(),
        "only checks tell where it is"
    );
    let streams = [
        "m=audio 40000 UDP/TLS/RTP/SAVPF 8 126",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
    ];
    assert_eq!(lines(&said, "m="), streams);
    assert_eq!(lines(&said, "a=group:"), ["a=group:BUNDLE 0"]);
    assert_eq!(lines(&said, "a=mid:"), ["a=mid:0", "a=mid:1"]);
    assert_eq!(lines(&said, "a=setup:"), ["a=setup:passive"]);
    let candidates = [
        "a=candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::7 40000 typ host",
    ];
    assert_eq!(lines(&said, "a=candidate:"), candidates);
    for line in [
        "a=ice-lite",
        "a=rtcp-mux",
        "a=end-of-candidates",
        "a=sendrecv",
    ] {
        assert_eq!(lines(&said, line), [line]);
    }
}

#[test]
fn our_offer_is_answered_by_ourselves_in_the_part_of_a_browser() {
    let ours = offer(&local());
    assert!(
        ours.contains("m=audio 40000 UDP/TLS/RTP/SAVPF 8 0 101\r\n"),
        "{ours}"
    );
    assert_eq!(lines(&ours, "a=setup:"), ["a=setup:actpass"]);
    // A browser's answer: ours with its own names, as the client.
    let theirs = ours
        .replace("a=setup:actpass", "a=setup:active")
        .replace(&browser().certificate.to_string(), &THEIRS.to_string());
    let remote = accept(theirs.as_bytes(), &local()).unwrap();
    assert_eq!(remote.codec, Codec::Pcma);
    assert_eq!(remote.browser.unwrap().certificate, THEIRS);
    assert_eq!(remote.dtmf_receive, EventTypes::narrow(101));
}

#[test]
fn an_offer_in_mid_call_keeps_the_names_of_streams() {
    let (said, _) = answer(chrome().as_bytes(), &local()).unwrap();
    let again = offer_again(said.as_bytes(), &local());
    assert_eq!(lines(&again, "a=mid:"), ["a=mid:0", "a=mid:1"]);
    assert_eq!(lines(&again, "a=group:"), ["a=group:BUNDLE 0"]);
    assert_eq!(lines(&again, "a=setup:"), ["a=setup:actpass"]);
    assert_eq!(
        lines(&again, "m=audio"),
        ["m=audio 40000 UDP/TLS/RTP/SAVPF 8 0 101"]
    );
}

#[test]
fn hold_is_by_direction_and_a_restart_by_the_name() {
    let held = chrome().replace("a=sendrecv", "a=sendonly");
    let (said, remote) = answer(held.as_bytes(), &local()).unwrap();
    assert!(!remote.send);
    assert_eq!(lines(&said, "a=recvonly"), ["a=recvonly"]);
    let named = ice_name(chrome().as_bytes()).unwrap();
    assert_eq!(ice_name(held.as_bytes()).as_ref(), Some(&named));
    let restarted = chrome().replace("a=ice-ufrag:4ZcD", "a=ice-ufrag:9999");
    assert_ne!(ice_name(restarted.as_bytes()), Some(named));
    assert_eq!(
        ice_name(b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n"),
        None
    );
}

#[test]
fn a_stream_that_lacks_what_it_needs_is_refused_with_what_it_lacks() {
    let without = |start: &str| {
        let kept = chrome();
        let kept = kept
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with(start));
        kept.collect::<String>()
    };
    let cases = [
        (without("a=ice-ufrag"), "a=ice-ufrag and a=ice-pwd"),
        (without("a=ice-pwd"), "a=ice-ufrag and a=ice-pwd"),
        (without("a=rtcp-mux"), "a=rtcp-mux"),
        (without("a=fingerprint"), "a=fingerprint:sha-256"),
        (
            chrome().replace("sha-256", "sha-1"),
            "a=fingerprint:sha-256",
        ),
        (chrome().replace("AB:AB", "AB-AB"), "a=fingerprint:sha-256"),
        (chrome().replace("actpass", "passive"), "a=setup:active"),
    ];
    for (text, lacks) in cases {
        match answer(text.as_bytes(), &local()) {
            Err(Refusal::NothingInCommon(reason)) => assert!(reason.contains(lacks), "{reason}"),
            other => panic!("{lacks}: {other:?}"),
        }
    }
    let telephone = Local {
        browser: None,
        ..local()
    };
    assert!(answer(chrome().as_bytes(), &telephone).is_err());
}

#[test]
fn an_answer_of_another_profile_than_our_offer_is_none() {
    let plain = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                 m=audio 4000 RTP/AVP 8\r\n";
    assert!(accept(plain.as_bytes(), &local()).is_err());
    // As an offer it is a telephone's, though it came by WebSocket.
    let (said, remote) = answer(plain.as_bytes(), &local()).unwrap();
    assert_eq!(remote.browser, None);
    assert!(
        said.contains("m=audio 20000 RTP/AVP 8\r\n") && !said.contains("ice"),
        "{said}"
    );
}
