//! Descriptions in the manner of real telephones, and what must come of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use sdp::{Local, Refusal, accept, answer, offer};
use vocab::media::{Codec, EventTypes, Remote, Rtcp};

const BOTH: &[Codec] = &[Codec::Pcma, Codec::Pcmu];

fn local() -> Local<'static> {
    Local {
        address: "192.0.2.1".parse().unwrap(),
        port: 20_000,
        session_id: 42,
        version: 3,
        codecs: BOTH,
        dtmf: Some(101),
        srtp: None,
        browser: None,
    }
}

/// Session lines of a peer at 198.51.100.7, then these stream lines.
fn body(streams: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n{streams}"
    )
}

fn answered(streams: &str) -> (String, Remote) {
    answer(body(streams).as_bytes(), &local()).unwrap()
}

fn refusal(text: &str) -> Refusal {
    answer(text.as_bytes(), &local()).unwrap_err()
}

#[test]
fn our_offer_is_what_telephones_expect() {
    assert_eq!(
        offer(&local()),
        "v=0\r\no=- 42 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=rtcp-mux\r\na=sendrecv\r\n"
    );
    let silent = Local {
        dtmf: None,
        codecs: &[Codec::Pcmu],
        ..local()
    };
    assert!(offer(&silent).contains("m=audio 20000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime"));
}

#[test]
fn rtcp_goes_where_the_peer_says() {
    let rtcp = |attributes: &str| {
        let (text, remote) = answered(&format!("m=audio 4000 RTP/AVP 8\r\n{attributes}"));
        let muxed = text.contains("a=rtcp-mux\r\n");
        assert_eq!(remote.rtcp == Rtcp::Muxed, muxed, "{text}");
        remote.rtcp
    };
    let at = |text: &str| Rtcp::Apart(text.parse().unwrap());
    assert_eq!(rtcp(""), at("198.51.100.7:4001"));
    assert_eq!(rtcp("a=rtcp:5005\r\n"), at("198.51.100.7:5005"));
    let elsewhere = "a=rtcp:5005 IN IP4 203.0.113.9\r\n";
    assert_eq!(rtcp(elsewhere), at("203.0.113.9:5005"));
    assert_eq!(rtcp("a=rtcp:5005\r\na=rtcp-mux\r\n"), Rtcp::Muxed);
    for no_place in [
        "0",
        "9 IN IP4 0.0.0.0",
        "x",
        "70000",
        "5 IN IP6 2001:db8::1",
        "5 IN IP4 x",
    ] {
        let said = rtcp(&format!("a=rtcp:{no_place}\r\n"));
        assert_eq!(said, at("198.51.100.7:4001"), "{no_place}");
    }
}

#[test]
fn our_offer_of_one_port_counts_only_if_it_is_taken() {
    let plain = body("m=audio 4000 RTP/AVP 8\r\n");
    let muxed = body("m=audio 4000 RTP/AVP 8\r\na=rtcp-mux\r\n");
    let rtcp = |text: &str| accept(text.as_bytes(), &local()).unwrap().rtcp;
    assert_eq!(
        rtcp(&plain),
        Rtcp::Apart("198.51.100.7:4001".parse().unwrap())
    );
    assert_eq!(rtcp(&muxed), Rtcp::Muxed);
}

#[test]
fn audio_is_owed_by_who_neither_holds_nor_is_held() {
    for (said, owed) in [
        ("sendrecv", true),
        ("sendonly", false),
        ("recvonly", false),
        ("inactive", false),
    ] {
        let (_, remote) = answered(&format!("m=audio 4000 RTP/AVP 8\r\na={said}\r\n"));
        assert_eq!(remote.receive, owed, "{said}");
    }
}

#[test]
fn sipp_is_answered() {
    let sipp = "v=0\no=user1 53655765 2353687637 IN IP4 127.0.0.2\ns=-\nc=IN IP4 127.0.0.2\n\
                t=0 0\nm=audio 6000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\n";
    let (text, remote) = answer(sipp.as_bytes(), &local()).unwrap();
    assert_eq!(remote.address, "127.0.0.2:6000".parse().unwrap());
    assert_eq!((remote.codec, remote.send), (Codec::Pcma, true));
    let events = (remote.dtmf_send, remote.dtmf_receive);
    assert_eq!(events, (EventTypes::NONE, EventTypes::NONE));
    assert!(text.ends_with(
        "m=audio 20000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    ));
}

#[test]
fn baresip_is_answered_on_its_own_event_type() {
    let (text, remote) = answered(
        "a=tool:baresip 3.9.0\r\nm=audio 10042 RTP/AVP 96 97 0 8 100\r\nb=AS:125\r\n\
         a=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1;sprop-stereo=1\r\na=rtpmap:97 G722/8000\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:100 telephone-event/8000\r\n\
         a=fmtp:100 0-15\r\na=rtcp:10043\r\na=sendrecv\r\na=label:1\r\na=rtcp-rsize\r\n\
         a=ssrc:2093 cname:sip:1@h\r\na=ptime:20\r\n",
    );
    assert_eq!(
        (remote.codec, remote.dtmf_send, remote.dtmf_receive),
        (
            Codec::Pcma,
            EventTypes::narrow(100),
            EventTypes::narrow(100)
        )
    );
    assert!(text.contains("m=audio 20000 RTP/AVP 8 100\r\n"), "{text}");
    assert!(
        text.contains("a=rtpmap:100 telephone-event/8000\r\n"),
        "{text}"
    );
}

#[test]
fn linphone_with_feedback_and_video_is_answered() {
    let (text, remote) = answered(
        "a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\n\
         m=audio 7078 RTP/AVPF 96 8 101 97\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
         a=rtpmap:101 telephone-event/48000\r\na=rtpmap:97 telephone-event/8000\r\n\
         a=rtcp-fb:* trr-int 5000\r\na=rtcp-fb:* ccm tmmbr\r\n\
         m=video 9078 RTP/AVPF 98\r\na=rtpmap:98 VP8/90000\r\n",
    );
    assert_eq!(
        (remote.codec, remote.dtmf_send),
        (Codec::Pcma, EventTypes::narrow(97)),
        "48 kHz events are not ours"
    );
    assert!(text.contains("m=audio 20000 RTP/AVPF 8 97\r\n"), "{text}");
    assert!(text.ends_with("m=video 0 RTP/AVPF 98\r\n"), "{text}");
}

#[test]
fn asterisk_static_types_and_maxptime_are_answered() {
    let (_, remote) = answered(
        "m=audio 14000 RTP/AVP 0 8 3 101\r\na=rtpmap:0 pcmu/8000\r\na=rtpmap:8 pcma/8000/1\r\n\
         a=rtpmap:3 GSM/8000\r\na=rtpmap:101 Telephone-Event/8000\r\na=fmtp:101 0-16\r\na=maxptime:150\r\n",
    );
    assert_eq!(
        (remote.codec, remote.dtmf_send),
        (Codec::Pcma, EventTypes::narrow(101))
    );
    let (_, remote) = answered("m=audio 14000 RTP/AVP 0\r\n");
    assert_eq!(remote.codec, Codec::Pcmu, "static types need no rtpmap");
}

#[test]
fn a_browser_is_refused_until_there_is_srtp() {
    let chromium = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
         a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n\
         m=audio 58779 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 203.0.113.5\r\n\
         a=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:Xy1z\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\n\
         a=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:126 telephone-event/8000\r\n";
    let refused = refusal(chromium);
    assert_eq!(refused.warning_code(), Some(305));
    assert!(
        refused.to_string().contains("UDP/TLS/RTP/SAVPF"),
        "{refused}"
    );
    let savp = refusal(&body(
        "m=audio 5000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
    ));
    assert_eq!(savp.warning_code(), Some(305));
}

#[test]
fn plain_audio_beside_encrypted_audio_is_taken() {
    let (text, remote) = answered("m=audio 5000 RTP/SAVP 8\r\nm=audio 5002 RTP/AVP 0 8\r\n");
    assert_eq!(remote.address.port(), 5002);
    assert!(
        text.contains("m=audio 0 RTP/SAVP 8\r\nm=audio 20000 RTP/AVP 8\r\n"),
        "{text}"
    );
}

#[test]
fn hold_in_its_spellings_stops_our_audio_and_is_mirrored() {
    for (lines, send, mirrored) in [
        (
            "m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n",
            false,
            "recvonly",
        ),
        (
            "m=audio 4000 RTP/AVP 8\r\na=inactive\r\n",
            false,
            "inactive",
        ),
        (
            "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\n",
            false,
            "recvonly",
        ),
        (
            "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\na=recvonly\r\n",
            false,
            "inactive",
        ),
        ("m=audio 4000 RTP/AVP 8\r\na=recvonly\r\n", true, "sendonly"),
        ("m=audio 4000 RTP/AVP 8\r\na=SendRecv\r\n", true, "sendrecv"),
        (
            "a=sendonly\r\nm=audio 4000 RTP/AVP 8\r\n",
            false,
            "recvonly",
        ),
        (
            "a=inactive\r\nm=audio 4000 RTP/AVP 8\r\na=sendrecv\r\n",
            true,
            "sendrecv",
        ),
    ] {
        let (text, remote) = answered(lines);
        assert_eq!(remote.send, send, "{lines}");
        assert!(
            text.ends_with(&format!("a={mirrored}\r\n")),
            "{lines} {text}"
        );
    }
}

#[test]
fn an_offer_in_mid_call_keeps_each_stream_in_its_place() {
    let (last, _) = answered(
        "m=video 5000 RTP/AVP 96\r\nm=audio 5002 RTP/AVP 0 8\r\nm=image 5004 udptl t38\r\n",
    );
    let again = sdp::offer_again(last.as_bytes(), &local());
    let streams: Vec<&str> = again
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert_eq!(
        streams,
        [
            "m=video 0 RTP/AVP 96",
            "m=audio 20000 RTP/AVP 8 0 101",
            "m=image 0 udptl t38"
        ]
    );
    assert!(again.ends_with("a=sendrecv\r\n") || again.contains("a=sendrecv\r\nm=image"));
    assert_eq!(
        sdp::offer_again(b"nonsense", &local()),
        sdp::offer(&local())
    );
}

#[test]
fn the_stream_address_wins_over_the_session_address() {
    let (_, remote) = answered("m=audio 4000/2 RTP/AVP 8\r\nc=IN IP4 198.51.100.99\r\n");
    assert_eq!(remote.address, "198.51.100.99:4000".parse().unwrap());
    let only = "v=0\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\nc=IN IP4 198.51.100.98\r\n";
    let (_, remote) = answer(only.as_bytes(), &local()).unwrap();
    assert_eq!(remote.address, "198.51.100.98:4000".parse().unwrap());
}

#[test]
fn ipv6_goes_to_ipv6_only() {
    let six = Local {
        address: "2001:db8::1".parse().unwrap(),
        ..local()
    };
    let both = "v=0\r\no=- 1 1 IN IP6 2001:db8::20\r\ns=-\r\nt=0 0\r\n\
                m=audio 4000 RTP/AVP 0\r\nc=IN IP4 198.51.100.7\r\n\
                m=audio 6000 RTP/AVP 0\r\nc=IN IP6 2001:db8::20\r\n";
    let (text, remote) = answer(both.as_bytes(), &six).unwrap();
    assert_eq!(remote.address, "[2001:db8::20]:6000".parse().unwrap());
    assert!(text.contains("c=IN IP6 2001:db8::1\r\n") && text.contains("m=audio 0 RTP/AVP 0\r\n"));
    let (_, remote) = answer(both.as_bytes(), &local()).unwrap();
    assert_eq!(remote.address, "198.51.100.7:4000".parse().unwrap());
    let mapped = "v=0\r\nc=IN IP6 ::ffff:192.0.2.10\r\nm=audio 4000 RTP/AVP 0\r\n";
    let (_, remote) = answer(mapped.as_bytes(), &local()).unwrap();
    assert_eq!(remote.address, "192.0.2.10:4000".parse().unwrap());
    let held = "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert!(!answer(held.as_bytes(), &six).unwrap().1.send);
}

#[test]
fn what_we_lack_is_refused_with_a_warning() {
    for (streams, code) in [
        ("", 304),
        ("m=audio 0 RTP/AVP 8\r\n", 304),
        ("m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\n", 304),
        ("m=video 4000 RTP/AVP 31\r\n", 304),
        (
            "m=video 4000 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 18\r\n",
            305,
        ),
        (
            "m=audio 4000 RTP/AVP 18 101\r\na=rtpmap:18 G729/8000\r\n",
            305,
        ),
        ("m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 L16/8000\r\n", 305),
        ("m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/16000\r\n", 305),
        (
            "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 phone.example.com\r\n",
            305,
        ),
        ("m=audio 4000 RTP/AVP 8\r\nc=IN IP4 224.2.1.1/127\r\n", 305),
    ] {
        assert_eq!(
            refusal(&body(streams)).warning_code(),
            Some(code),
            "{streams}"
        );
    }
    assert_eq!(
        refusal("v=0\r\nm=audio 4000 RTP/AVP 8\r\n").warning_code(),
        Some(305)
    );
    assert_eq!(refusal("nonsense").warning_code(), None);
}

#[test]
fn odd_lines_that_do_not_matter_are_forgiven() {
    let odd = "v=0\r\no=Иван Петров 1 x IN IP4 198.51.100.7\r\ns=\r\ni=a\r\ni=b\r\nb=AS:64 kbit\r\n\
               c=IN IP4  198.51.100.7 \r\nc=IN IP4 203.0.113.1\r\nt=now\r\nz=x\r\nk=\r\n\r\n\
               m=audio  4000 RTP/AVP  8 101 \r\na=rtpmap:101  telephone-event/8000 \r\na=\r\nq\r\n\0";
    let (_, remote) = answer(odd.as_bytes(), &local()).unwrap();
    assert_eq!(remote.address, "198.51.100.7:4000".parse().unwrap());
    assert_eq!(remote.dtmf_send, EventTypes::narrow(101));
    let mut cp1251 = b"v=0\r\ns=\xc8\xe2\xe0\xed\r\nc=IN IP4 198.51.100.7\r\n".to_vec();
    cp1251.extend_from_slice(b"m=audio 4000 RTP/AVP 8\r\na=label:\xff\r\n");
    assert!(answer(&cp1251, &local()).is_ok());
}

#[test]
fn our_order_of_codecs_decides_when_we_answer() {
    let ulaw = Local {
        codecs: &[Codec::Pcmu, Codec::Pcma],
        ..local()
    };
    let offer = body("m=audio 4000 RTP/AVP 8 0\r\n");
    assert_eq!(
        answer(offer.as_bytes(), &ulaw).unwrap().1.codec,
        Codec::Pcmu
    );
    assert_eq!(
        answer(offer.as_bytes(), &local()).unwrap().1.codec,
        Codec::Pcma
    );
}

#[test]
fn answers_to_our_offer_are_accepted_in_their_order() {
    let accepted = |streams: &str| accept(body(streams).as_bytes(), &local());
    let remote =
        accepted("m=audio 4000 RTP/AVP 0 8 96\r\na=rtpmap:96 telephone-event/8000\r\n").unwrap();
    assert_eq!(
        (remote.codec, remote.dtmf_send, remote.dtmf_receive),
        (Codec::Pcmu, EventTypes::narrow(96), EventTypes::narrow(101))
    );
    let remote = accepted("m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n").unwrap();
    assert_eq!(
        (remote.dtmf_send, remote.dtmf_receive, remote.send),
        (EventTypes::NONE, EventTypes::NONE, false)
    );
    for streams in ["m=audio 0 RTP/AVP 8\r\n", "m=audio 4000 RTP/AVP 3\r\n", ""] {
        assert!(
            matches!(accepted(streams), Err(Refusal::NothingInCommon(_))),
            "{streams}"
        );
    }
}

#[test]
fn events_on_the_type_of_the_codec_are_ignored() {
    let (_, remote) = answered("m=audio 4000 RTP/AVP 8 0\r\na=rtpmap:0 telephone-event/8000\r\n");
    assert_eq!(
        (remote.codec, remote.dtmf_send),
        (Codec::Pcma, EventTypes::narrow(0))
    );
    let (_, remote) = answered("m=audio 4000 RTP/AVP 8\r\na=rtpmap:101 telephone-event/8000\r\n");
    assert_eq!(
        remote.dtmf_send,
        EventTypes::NONE,
        "101 is not listed in the m= line"
    );
    let mute = Local {
        dtmf: None,
        ..local()
    };
    let offer = body("m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    let (text, remote) = answer(offer.as_bytes(), &mute).unwrap();
    let events = (remote.dtmf_send, remote.dtmf_receive);
    assert_eq!(events, (EventTypes::NONE, EventTypes::NONE));
    assert!(text.contains("m=audio 20000 RTP/AVP 8\r\n"), "{text}");
}
