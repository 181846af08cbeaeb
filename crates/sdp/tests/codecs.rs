//! Which codec two sides come to, on which payload types, and what is said of it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use sdp::{Local, Refusal, accept, answer, in_common, offer};
use vocab::media::{Codec, Codecs, EventTypes, Events, OpusWish, Remote};

const DEFAULT: &[Codec] = &[Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];

fn local(codecs: &[Codec]) -> Local<'_> {
    Local {
        address: "192.0.2.1".parse().unwrap(),
        port: 20_000,
        session_id: 7,
        version: 1,
        codecs,
        dtmf: Some(101),
        srtp: None,
        browser: None,
    }
}

fn described(media: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{media}")
}

fn answered(media: &str, codecs: &[Codec]) -> (String, Remote) {
    answer(described(media).as_bytes(), &local(codecs)).unwrap()
}

/// Telephone-events of the clock of Opus.
fn wide(payload_type: u8) -> EventTypes {
    EventTypes::NONE.with(Events {
        payload_type,
        clock: 48_000,
    })
}

#[test]
fn opus_is_answered_on_the_offerers_type_with_its_wishes_read() {
    let (text, remote) = answered(
        "m=audio 4000 RTP/AVP 96 97 98\r\na=rtpmap:96 opus/48000/2\r\n\
         a=fmtp:96 maxplaybackrate=16000; useinbandfec=1;usedtx=1\r\n\
         a=rtpmap:97 telephone-event/8000\r\na=rtpmap:98 telephone-event/48000\r\na=ptime:40\r\n",
        DEFAULT,
    );
    assert!(text.contains("m=audio 20000 RTP/AVP 96 98\r\n"), "{text}");
    assert!(
        text.contains(
            "a=rtpmap:96 opus/48000/2\r\n\
             a=fmtp:96 useinbandfec=1;usedtx=0;stereo=0;sprop-stereo=0\r\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("a=rtpmap:98 telephone-event/48000\r\n"),
        "{text}"
    );
    assert_eq!((remote.codec, remote.payload_type), (Codec::Opus, 96));
    assert_eq!(remote.takes.codec(96), Some(Codec::Opus));
    assert_eq!(remote.dtmf_send, wide(98));
    let wish = OpusWish {
        fec: true,
        dtx: true,
        playback_rate: 16_000,
        ..OpusWish::default()
    };
    assert_eq!((remote.opus, remote.packet_ms), (wish, 40));
}

#[test]
fn what_a_peer_wants_of_opus_is_read_and_nonsense_counts_for_nothing() {
    let plain = OpusWish::default();
    for (said, wish) in [
        ("stereo=1;sprop-stereo=1", plain),
        (
            "CBR=1; maxaveragebitrate=20000",
            OpusWish {
                bit_rate_max: 20_000,
                constant: true,
                ..plain
            },
        ),
        (
            "maxplaybackrate=8000;maxaveragebitrate=6000;cbr=0",
            OpusWish {
                playback_rate: 8_000,
                bit_rate_max: 6_000,
                ..plain
            },
        ),
        // RFC 7587 §6.1: 6,000 to 510,000.
        ("maxaveragebitrate=5999", plain),
        ("maxaveragebitrate=510001", plain),
        ("maxaveragebitrate=x;maxplaybackrate=;cbr", plain),
    ] {
        let (_, remote) = answered(
            &format!("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 {said}\r\n"),
            DEFAULT,
        );
        assert_eq!(remote.opus, wish, "{said}");
    }
}

#[test]
fn g722_has_the_clock_of_8000_and_one_who_writes_16000_is_understood() {
    for map in [
        "",
        "a=rtpmap:9 G722/8000\r\n",
        "a=rtpmap:9 G722/16000/1\r\n",
    ] {
        let (text, remote) = answered(&format!("m=audio 4000 RTP/AVP 9\r\n{map}"), DEFAULT);
        assert!(
            text.contains("m=audio 20000 RTP/AVP 9\r\na=rtpmap:9 G722/8000\r\n"),
            "{text}"
        );
        assert_eq!((remote.codec, remote.payload_type), (Codec::G722, 9));
    }
}

#[test]
fn a_codec_on_an_unusual_type_is_that_codec_and_its_usual_type_is_free() {
    let (text, remote) = answered(
        "m=audio 4000 RTP/AVP 0 120\r\na=rtpmap:0 speex/8000\r\na=rtpmap:120 PCMA/8000\r\n",
        DEFAULT,
    );
    assert!(
        text.contains("m=audio 20000 RTP/AVP 120\r\na=rtpmap:120 PCMA/8000\r\n"),
        "{text}"
    );
    assert_eq!((remote.codec, remote.payload_type), (Codec::Pcma, 120));
    assert_eq!(remote.takes.codec(120), Some(Codec::Pcma));
    assert_eq!(remote.takes.codec(8), None);
}

#[test]
fn our_offer_names_all_and_the_types_may_differ_by_direction() {
    let text = offer(&local(DEFAULT));
    assert!(
        text.contains("m=audio 20000 RTP/AVP 8 0 9 111 101 110\r\n"),
        "{text}"
    );
    let answer = described(
        "m=audio 4000 RTP/AVP 99 100\r\na=rtpmap:99 opus/48000/2\r\n\
         a=rtpmap:100 telephone-event/48000\r\na=maxptime:10\r\n",
    );
    let remote = accept(answer.as_bytes(), &local(DEFAULT)).unwrap();
    assert_eq!(
        (remote.payload_type, remote.takes.codec(111)),
        (99, Some(Codec::Opus))
    );
    assert_eq!(
        (remote.dtmf_send, remote.dtmf_receive),
        (wide(100), wide(110))
    );
    assert_eq!(remote.packet_ms, 10);
    let narrow = described(
        "m=audio 4000 RTP/AVP 111 96\r\na=rtpmap:111 opus/48000/2\r\n\
         a=rtpmap:96 telephone-event/8000\r\n",
    );
    let remote = accept(narrow.as_bytes(), &local(DEFAULT)).unwrap();
    assert_eq!(
        (remote.dtmf_send, remote.dtmf_receive),
        (EventTypes::narrow(96), EventTypes::narrow(101))
    );
    let events = remote
        .events()
        .map(|events| (events.payload_type, events.clock));
    assert_eq!(events, Some((96, 8_000)));
}

#[test]
fn an_answer_with_two_clocks_has_events_for_both_and_all_its_codecs_may_come() {
    let wide_and_narrow = |wide_kind, narrow| match wide(wide_kind).of_type(wide_kind) {
        Some(events) => EventTypes::narrow(narrow).with(events),
        None => EventTypes::NONE,
    };
    let order = &[Codec::Opus, Codec::Pcma, Codec::Pcmu];
    for (formats, first, pressed) in [
        ("96 8 110 126", Codec::Opus, (110, 48_000)),
        ("8 96 126 110", Codec::Pcma, (126, 8_000)),
    ] {
        let text = described(&format!(
            "m=audio 4000 RTP/AVP {formats}\r\na=rtpmap:96 opus/48000/2\r\n\
             a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n"
        ));
        let remote = accept(text.as_bytes(), &local(order)).unwrap();
        assert_eq!(remote.codec, first);
        let agreed = Codec::ALL.map(|codec| remote.agreed.contains(codec));
        assert_eq!(agreed, [false, true, false, true], "PCMU was not answered");
        assert_eq!(remote.dtmf_send, wide_and_narrow(110, 126));
        assert_eq!(remote.dtmf_receive, wide_and_narrow(110, 101));
        let events = remote.events().unwrap();
        assert_eq!(
            (events.payload_type, events.clock),
            pressed,
            "of what we send"
        );
        // What they press comes on our types.
        assert_eq!(remote.events_of(101).map(|one| one.clock), Some(8_000));
        assert_eq!(remote.events_of(110).map(|one| one.clock), Some(48_000));
    }
}

#[test]
fn of_an_offer_one_codec_is_answered_and_the_events_of_its_clock() {
    for (codecs, types, events) in [
        (DEFAULT, "8 126", EventTypes::narrow(126)),
        (&[Codec::Opus][..], "96 110", wide(110)),
    ] {
        let (text, remote) = answered(
            "m=audio 4000 RTP/AVP 96 8 110 126\r\na=rtpmap:96 opus/48000/2\r\n\
             a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n",
            codecs,
        );
        assert!(
            text.contains(&format!("m=audio 20000 RTP/AVP {types}\r\n")),
            "{text}"
        );
        assert_eq!((remote.dtmf_send, remote.dtmf_receive), (events, events));
        let agreed = Codec::ALL.map(|codec| remote.agreed.contains(codec));
        assert_eq!(agreed.iter().filter(|agreed| **agreed).count(), 1);
    }
}

#[test]
fn g729_alone_and_fax_alone_are_no_session_and_beside_audio_they_are_refused() {
    for media in [
        "m=audio 4000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n",
        "m=image 4000 udptl t38\r\n",
    ] {
        let refusal = answer(described(media).as_bytes(), &local(DEFAULT)).unwrap_err();
        assert!(matches!(refusal, Refusal::NothingInCommon(_)), "{refusal}");
    }
    let (text, _) = answered(
        "m=audio 4000 RTP/AVP 18 8\r\nm=image 4002 udptl t38\r\n",
        DEFAULT,
    );
    assert!(text.contains("m=audio 20000 RTP/AVP 8\r\n"), "{text}");
    assert!(text.contains("m=image 0 udptl t38\r\n"), "{text}");
}

#[test]
fn what_an_offer_has_in_common_is_that_of_the_stream_which_is_answered() {
    let opus = "a=rtpmap:96 opus/48000/2\r\n";
    let both = Codecs::default().with(Codec::Pcma).with(Codec::Opus);
    for (media, codecs, common) in [
        ("m=audio 4000 RTP/AVP 96 8 18\r\n", DEFAULT, both),
        (
            "m=audio 4000 RTP/AVP 96 8\r\n",
            &[Codec::Opus, Codec::G722][..],
            Codecs::default().with(Codec::Opus),
        ),
        (
            "m=audio 0 RTP/AVP 9\r\nm=audio 4000 RTP/AVP 8\r\n",
            DEFAULT,
            Codecs::default().with(Codec::Pcma),
        ),
        ("m=audio 4000 RTP/AVP 18\r\n", DEFAULT, Codecs::default()),
        ("m=", DEFAULT, Codecs::default()),
    ] {
        let offer = described(&format!("{media}{opus}"));
        assert_eq!(
            in_common(offer.as_bytes(), &local(codecs)),
            common,
            "{media}"
        );
    }
}

#[test]
fn packet_times_are_whole_tens_within_10_and_60() {
    for (said, made) in [
        ("5", 10),
        ("20", 20),
        ("30", 30),
        ("35.5", 30),
        ("200", 60),
        ("x", 20),
    ] {
        let (_, remote) = answered(
            &format!("m=audio 4000 RTP/AVP 8\r\na=ptime:{said}\r\n"),
            DEFAULT,
        );
        assert_eq!(remote.packet_ms, made, "{said}");
    }
}
