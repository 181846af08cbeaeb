//! SRTP under keys in the description (RFC 4568): who agrees with whom, and on what.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use sdp::{Local, Refusal, Srtp, accept, answer, offer, offer_again};
use vocab::media::Codec;
use vocab::srtp::{MasterKey, Suite};

fn local(octet: u8, srtp: Option<bool>) -> Local<'static> {
    Local {
        address: "192.0.2.1".parse().unwrap(),
        port: 20_000,
        session_id: 42,
        version: 3,
        codecs: &[Codec::Pcma],
        dtmf: None,
        srtp: srtp.map(|required| Srtp {
            key: MasterKey::new([octet; MasterKey::OCTETS]),
            required,
        }),
        browser: None,
    }
}

const OFF: Option<bool> = None;
const OFFERED: Option<bool> = Some(false);
const REQUIRED: Option<bool> = Some(true);

/// Whether the audio of two who negotiate is protected; `Err` if they cannot agree.
fn agreed(offerer: Option<bool>, answerer: Option<bool>) -> Result<bool, Refusal> {
    let (ours, theirs) = (local(1, offerer), local(2, answerer));
    let said = offer(&ours);
    let (text, at_answerer) = answer(said.as_bytes(), &theirs)?;
    let at_offerer = accept(text.as_bytes(), &ours)?;
    let keys = at_offerer.crypto.zip(at_answerer.crypto);
    assert_eq!(at_offerer.crypto.is_some(), at_answerer.crypto.is_some());
    if let Some((one, other)) = keys {
        assert_eq!(one.suite, Suite::ALL[0], "the first of the offer");
        let octets = |key: MasterKey| key.octets(one.suite).unwrap().to_vec();
        assert_eq!(octets(one.ours), octets(other.theirs));
        assert_eq!(octets(one.theirs), octets(other.ours));
        assert_ne!(octets(one.ours), octets(one.theirs));
    }
    Ok(keys.is_some())
}

#[test]
fn two_sides_agree_as_their_settings_say() {
    for offerer in [OFFERED, REQUIRED] {
        for answerer in [OFFERED, REQUIRED] {
            assert_eq!(agreed(offerer, answerer), Ok(true));
        }
    }
    for (offerer, answerer) in [(OFF, OFF), (OFF, OFFERED), (OFFERED, OFF)] {
        assert_eq!(agreed(offerer, answerer), Ok(false));
    }
    for (offerer, answerer) in [(OFF, REQUIRED), (REQUIRED, OFF)] {
        let refusal = agreed(offerer, answerer).unwrap_err();
        assert_eq!(refusal.warning_code(), Some(305), "{refusal}");
    }
}

fn body(streams: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n{streams}"
    )
}

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

#[test]
fn a_telephone_that_insists_is_answered_with_its_tag_suite_and_profile() {
    for profile in ["RTP/SAVP", "RTP/SAVPF"] {
        let text = body(&format!(
            "m=audio 4000 {profile} 8\r\na=crypto:7 F8_128_HMAC_SHA1_80 inline:{KEY}\r\n\
             a=crypto:8 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^31\r\n\
             a=crypto:9 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"
        ));
        let (said, remote) = answer(text.as_bytes(), &local(2, OFFERED)).unwrap();
        let crypto = remote.crypto.unwrap();
        assert_eq!(crypto.suite, Suite::AesCm128HmacSha1_32);
        assert!(
            said.contains(&format!("m=audio 20000 {profile} 8\r\n")),
            "{said}"
        );
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("crypto"))
            .collect();
        assert_eq!(
            lines,
            ["a=crypto:8 AES_CM_128_HMAC_SHA1_32 inline:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC"]
        );
        let refusal = answer(text.as_bytes(), &local(2, OFF)).unwrap_err();
        assert!(
            refusal.to_string().contains("RTP/AVP expected"),
            "{refusal}"
        );
    }
}

#[test]
fn of_two_streams_the_one_that_can_be_protected_is_taken() {
    let text = body(&format!(
        "m=audio 4000 RTP/AVP 8\r\nm=audio 4002 RTP/SAVP 8\r\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"
    ));
    let (said, remote) = answer(text.as_bytes(), &local(2, OFFERED)).unwrap();
    assert_eq!(remote.address.port(), 4_002);
    assert!(said.contains("m=audio 0 RTP/AVP 8\r\n"), "{said}");
    let (said, remote) = answer(text.as_bytes(), &local(2, OFF)).unwrap();
    assert_eq!((remote.address.port(), remote.crypto), (4_000, None));
    assert!(said.contains("m=audio 0 RTP/SAVP 8\r\n"), "{said}");
}

#[test]
fn an_answer_that_names_no_line_of_ours_is_none() {
    let ours = local(1, REQUIRED);
    for line in [
        // The tag of another suite.
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
        format!("9 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
        "3 AES_CM_128_HMAC_SHA1_80 inline:AAAA".to_owned(),
    ] {
        let text = body(&format!("m=audio 4000 RTP/SAVP 8\r\na=crypto:{line}\r\n"));
        assert!(accept(text.as_bytes(), &ours).is_err(), "{line}");
    }
    let right = body(&format!(
        "m=audio 4000 RTP/SAVP 8\r\na=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"
    ));
    assert!(accept(right.as_bytes(), &ours).unwrap().crypto.is_some());
}

#[test]
fn a_later_offer_has_the_same_key() {
    let ours = local(1, REQUIRED);
    let first = offer(&ours);
    let again = offer_again(first.as_bytes(), &ours);
    assert_eq!(first, again);
    assert_eq!(first.matches("a=crypto:").count(), Suite::ALL.len());
    assert!(first.contains("m=audio 20000 RTP/SAVP 8\r\n"));
}
