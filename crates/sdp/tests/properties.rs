//! What holds for any description: no panic, answers that can be read, both sides agreeing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use sdp::{Local, accept, answer, offer};
use vocab::media::Codec;

const ORDERS: [&[Codec]; 4] = [
    &[Codec::Pcma, Codec::Pcmu],
    &[Codec::Pcmu, Codec::Pcma],
    &[Codec::Pcma],
    &[Codec::Pcmu],
];

fn local() -> impl Strategy<Value = Local<'static>> {
    let address = any::<[u8; 4]>().prop_map(|[_, b, c, d]| [10, b, c, d].into());
    (
        address,
        1_u16..,
        any::<u64>(),
        any::<u64>(),
        0..4_usize,
        prop::option::of(96_u8..128),
    )
        .prop_map(|(address, port, session_id, version, order, dtmf)| Local {
            address,
            port,
            session_id,
            version,
            codecs: ORDERS[order],
            dtmf,
            srtp: None,
            browser: None,
        })
}

/// Lines that look like SDP, in any order and number.
fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("v=0".to_owned()),
        Just("c=IN IP4 10.0.0.9".to_owned()),
        Just("c=IN IP4 0.0.0.0".to_owned()),
        Just("a=sendonly".to_owned()),
        Just("a=rtpmap:101 telephone-event/8000".to_owned()),
        "m=(audio|video|image) (0|4000|9) (RTP/AVP|RTP/SAVP|udptl)( [0-9]{1,3}){1,4}",
        "a=rtpmap:[0-9]{1,3} [A-Za-z0-9-]{1,8}/(8000|48000|x)(/[12])?",
        "a=crypto:[0-9]{1,3} (AES_CM_128_HMAC_SHA1_80|AEAD_AES_128_GCM) [inle:]{0,9}[A-Za-z0-9+/=|:;]{0,60}",
        "[a-z]=\\PC{0,20}",
    ];
    vec(line, 0..20).prop_map(|lines| format!("v=0\r\n{}\r\n", lines.join("\r\n")))
}

proptest! {
    #[test]
    fn random_octets_never_panic(bytes in vec(any::<u8>(), 0..400), local in local()) {
        let _ = (answer(&bytes, &local), accept(&bytes, &local));
    }

    #[test]
    fn every_answer_has_a_line_for_every_stream_and_is_read(text in lines(), local in local()) {
        let streams = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
        if let Ok((answer, remote)) = answer(text.as_bytes(), &local) {
            prop_assert_eq!(streams(&answer), streams(&text));
            let peer = accept(answer.as_bytes(), &local).unwrap();
            prop_assert_eq!(peer.codec, remote.codec);
            prop_assert_eq!(peer.dtmf_send, remote.dtmf_receive);
            prop_assert!(answer.split("\r\n").all(|line| !line.contains(['\r', '\n', '\0'])));
            prop_assert!(remote.address.port() != 0);
        }
    }

    #[test]
    fn two_of_us_agree(ours in local(), theirs in local()) {
        let offered = offer(&ours);
        let common = ours.codecs.iter().any(|codec| theirs.codecs.contains(codec));
        match answer(offered.as_bytes(), &theirs) {
            Ok((text, at_theirs)) => {
                let at_ours = accept(text.as_bytes(), &ours).unwrap();
                prop_assert!(common);
                prop_assert_eq!(at_ours.codec, at_theirs.codec);
                prop_assert_eq!(at_theirs.address, (ours.address, ours.port).into());
                prop_assert_eq!(at_ours.address, (theirs.address, theirs.port).into());
                prop_assert_eq!(at_ours.dtmf_send, at_theirs.dtmf_receive);
                prop_assert_eq!(at_ours.dtmf_receive, at_theirs.dtmf_send);
                prop_assert!(at_ours.send && at_theirs.send);
            }
            Err(_) => prop_assert!(!common),
        }
    }
}

#[test]
fn the_largest_descriptions_cost_no_time() {
    let local = Local {
        address: [10, 0, 0, 1].into(),
        port: 4000,
        session_id: 1,
        version: 1,
        codecs: ORDERS[0],
        dtmf: Some(101),
        srtp: None,
        browser: None,
    };
    let head = "v=0\r\nc=IN IP4 10.0.0.9\r\nm=audio 4000 RTP/AVP";
    for text in [
        format!("{head}{}\r\n", " 101".repeat(4000)),
        format!(
            "{head} 3\r\n{}",
            "a=rtpmap:101 telephone-event/8000\r\n".repeat(400)
        ),
        format!(
            "{head} 3{}\r\n{}",
            " 5".repeat(3000),
            "a=rtpmap:9 x/8\r\n".repeat(500)
        ),
        "\n".repeat(16_000),
        "v=0\n".repeat(4_000),
    ] {
        let begin = Instant::now();
        let _ = answer(text.as_bytes(), &local);
        assert!(begin.elapsed() < Duration::from_millis(300), "{:.40}", text);
    }
}
