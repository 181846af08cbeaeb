//! The relay without sockets: what it must do, and that no bytes can disturb it.

use proptest::prelude::*;
use vocab::media::{Codec, EventTypes, Events, Law};

use super::*;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

fn remote(port: u16, codec: Codec, dtmf: (Option<u8>, Option<u8>)) -> Remote {
    let narrow = |kind: Option<u8>| kind.map_or(EventTypes::NONE, EventTypes::narrow);
    let (send, receive) = dtmf;
    Remote {
        dtmf_send: narrow(send),
        dtmf_receive: narrow(receive),
        ..Remote::new(at(port), codec)
    }
}

fn party(remote: Remote) -> Party {
    let mut party = Party::new([0x1234_5678_9abc_def0, 1, 2]);
    assert!(party.set_remote(Time::ZERO, remote));
    party
}

fn packet(payload_type: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header::new(payload_type, sequence, u32::from(sequence) * 160, 99);
    [header.to_bytes().as_slice(), payload].concat()
}

/// Sends a packet from one party to the other; what the other gets.
fn pass(from: &mut Party, port: u16, to: &mut Party, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let arrival = receive(from, Time::ZERO, at(port), &bytes, Latching::FirstSource)?;
    forward(to, Time::ZERO, &arrival, &mut bytes).map(|part| bytes[part].to_vec())
}

#[test]
fn audio_passes_with_a_new_source_and_the_same_payload() {
    let mut caller = party(remote(1, Codec::Pcma, (None, None)));
    let mut operator = party(remote(2, Codec::Pcma, (None, None)));
    let out = pass(&mut caller, 1, &mut operator, packet(8, 5, &[7; 160])).unwrap();
    let header = Header::parse(&out).unwrap();
    assert_eq!(out[header.payload()], [7; 160]);
    assert_eq!(header.payload_type, 8);
    assert_ne!(header.ssrc, 99);
    assert_eq!(caller.counts().received, 1);
}

#[test]
fn laws_are_translated_only_when_they_differ() {
    let mut caller = party(remote(1, Codec::Pcmu, (None, None)));
    let mut operator = party(remote(2, Codec::Pcma, (None, None)));
    let loud = g711::encode(Law::Pcmu, 8_000);
    let out = pass(&mut caller, 1, &mut operator, packet(0, 5, &[loud, 0xff])).unwrap();
    let header = Header::parse(&out).unwrap();
    assert_eq!(header.payload_type, 8);
    assert_eq!(
        out[header.payload()],
        [g711::encode(Law::Pcma, 7_932), 0xd5]
    );
    // The operator's telephone changes its law by itself: understood all the same.
    pass(&mut operator, 2, &mut caller, packet(8, 1, &[1; 160])).unwrap();
    let out = pass(&mut operator, 2, &mut caller, packet(0, 2, &[1; 160])).unwrap();
    assert_eq!(out[HEADER_BYTES..], [1; 160]);
}

#[test]
fn events_change_their_payload_type_per_direction_and_are_reported() {
    let mut caller = party(remote(1, Codec::Pcma, (Some(96), Some(97))));
    let mut operator = party(remote(2, Codec::Pcma, (Some(101), Some(102))));
    let mut bytes = packet(97, 5, &[4, 10, 0, 160]);
    let arrival = receive(&mut caller, Time::ZERO, at(1), &bytes, Latching::SdpAddress).unwrap();
    assert_eq!((arrival.kind, arrival.digit), (Kind::Event, Some('4')));
    let part = forward(&mut operator, Time::ZERO, &arrival, &mut bytes).unwrap();
    let out = &bytes[part];
    assert_eq!(Header::parse(out).unwrap().payload_type, 101);
    assert_eq!(out[HEADER_BYTES..], [4, 10, 0, 160]);
    let back = pass(
        &mut operator,
        2,
        &mut caller,
        packet(102, 9, &[4, 10, 0, 160]),
    )
    .unwrap();
    assert_eq!(Header::parse(&back).unwrap().payload_type, 96);
}

/// A peer with Opus before A-law, which agreed on events of both clocks; ours are 3 lower.
fn opus_first(port: u16, codec: Codec) -> Remote {
    let both = |narrow, wide| {
        EventTypes::narrow(narrow).with(Events {
            payload_type: wide,
            clock: 48_000,
        })
    };
    let plain = Remote::new(at(port), codec);
    Remote {
        agreed: plain.agreed.with(Codec::Pcma).with(Codec::Opus),
        takes: plain.takes.with(Codec::Opus, 111),
        dtmf_send: both(104, 113),
        dtmf_receive: both(101, 110),
        ..plain
    }
}

#[test]
fn events_of_either_clock_are_presses_and_go_on_in_the_clock_of_what_the_other_is_sent() {
    for (came, clock) in [(101, 8_000_u32), (110, 48_000)] {
        for (codec, goes_on) in [
            (Codec::Pcma, (104, 8_000_u32)),
            (Codec::Opus, (113, 48_000)),
        ] {
            let mut caller = party(opus_first(1, Codec::Opus));
            let mut operator = party(opus_first(2, codec));
            let duration = (clock / 50) as u16;
            let [high, low] = duration.to_be_bytes();
            let mut bytes = packet(came, 5, &[4, 10, high, low]);
            let latching = Latching::SdpAddress;
            let arrival = receive(&mut caller, Time::ZERO, at(1), &bytes, latching).unwrap();
            assert_eq!((arrival.kind, arrival.digit), (Kind::Event, Some('4')));
            let part = forward(&mut operator, Time::ZERO, &arrival, &mut bytes).unwrap();
            let out = &bytes[part];
            assert_eq!(Header::parse(out).unwrap().payload_type, goes_on.0);
            let [high, low] = ((goes_on.1 / 50) as u16).to_be_bytes();
            assert_eq!(out[HEADER_BYTES..], [4, 10, high, low], "20 ms");
        }
    }
}

#[test]
fn a_key_is_pressed_with_the_events_of_the_audio_that_the_peer_is_sent() {
    for (codec, kind, first) in [(Codec::Pcma, 104, 160_u16), (Codec::Opus, 113, 960)] {
        let mut peer = party(opus_first(1, codec));
        let mut room = [0; FRAME_BYTES];
        let frame = key(&mut peer, Time::ZERO, ('7', 0), &mut room).unwrap();
        let [high, low] = first.to_be_bytes();
        assert_eq!(Header::parse(frame).unwrap().payload_type, kind);
        assert_eq!(frame[HEADER_BYTES..], [7, 10, high, low]);
    }
}

#[test]
fn a_peer_may_begin_with_any_codec_that_was_agreed_on_and_with_no_other() {
    let audio = |kind| packet(kind, 5, &[7; 160]);
    let mut peer = party(opus_first(1, Codec::Opus));
    let arrival = receive(
        &mut peer,
        Time::ZERO,
        at(1),
        &audio(8),
        Latching::SdpAddress,
    )
    .unwrap();
    assert_eq!(
        (arrival.kind, arrival.locked),
        (Kind::Audio(Codec::Pcma), Some(at(1)))
    );
    let mut peer = party(opus_first(1, Codec::Opus));
    let refused = receive(
        &mut peer,
        Time::ZERO,
        at(1),
        &audio(0),
        Latching::SdpAddress,
    );
    assert_eq!(refused, None, "it says nothing of who that is");
}

#[test]
fn an_event_is_kept_from_a_peer_that_does_not_take_it() {
    let mut caller = party(remote(1, Codec::Pcma, (Some(101), Some(101))));
    let mut operator = party(remote(2, Codec::Pcma, (None, None)));
    let first = pass(&mut caller, 1, &mut operator, packet(8, 5, &[7; 160])).unwrap();
    assert_eq!(
        pass(
            &mut caller,
            1,
            &mut operator,
            packet(101, 6, &[4, 10, 0, 160])
        ),
        None
    );
    let next = pass(&mut caller, 1, &mut operator, packet(8, 7, &[7; 160])).unwrap();
    let sequence = |bytes: &[u8]| Header::parse(bytes).unwrap().sequence;
    assert_eq!(sequence(&next), sequence(&first).wrapping_add(1));
}

#[test]
fn a_peer_on_hold_gets_nothing_and_is_still_heard() {
    let mut caller = party(remote(1, Codec::Pcma, (None, None)));
    let mut operator = party(remote(2, Codec::Pcma, (None, None)));
    operator.set_remote(
        Time::ZERO,
        Remote {
            send: false,
            ..remote(2, Codec::Pcma, (None, None))
        },
    );
    assert_eq!(
        pass(&mut caller, 1, &mut operator, packet(8, 5, &[7; 160])),
        None
    );
    assert_eq!(prompt_law(&operator), None);
    assert!(pass(&mut operator, 2, &mut caller, packet(8, 1, &[7; 160])).is_some());
    operator.set_remote(Time::ZERO, remote(2, Codec::Pcma, (None, None)));
    let out = pass(&mut caller, 1, &mut operator, packet(8, 6, &[7; 160])).unwrap();
    assert!(Header::parse(&out).unwrap().marker);
}

#[test]
fn strangers_and_other_payload_types_are_refused_and_counted() {
    let mut caller = party(remote(1, Codec::Pcma, (None, None)));
    let mut operator = party(remote(2, Codec::Pcma, (None, None)));
    assert!(pass(&mut caller, 1, &mut operator, packet(8, 5, &[7; 160])).is_some());
    assert_eq!(
        pass(&mut caller, 3, &mut operator, packet(8, 6, &[7; 160])),
        None
    );
    assert_eq!(
        pass(&mut caller, 1, &mut operator, packet(18, 6, &[7; 20])),
        None
    );
    assert_eq!(
        pass(&mut caller, 1, &mut operator, b"INVITE sip:".to_vec()),
        None
    );
    let counts = caller.counts();
    assert_eq!((counts.received, counts.refused, counts.lost), (1, 3, 0));
}

#[test]
fn header_extension_and_padding_do_not_reach_the_other_side() {
    let mut caller = party(remote(1, Codec::Pcma, (None, None)));
    let mut operator = party(remote(2, Codec::Pcma, (None, None)));
    let mut bytes = packet(8, 5, &[0xbe, 0xde, 0, 1, 9, 9, 9, 9, 7, 7, 7, 0, 2]);
    bytes[0] |= 0x30;
    let out = pass(&mut caller, 1, &mut operator, bytes).unwrap();
    assert_eq!(out[0], 0x80);
    assert_eq!(out[HEADER_BYTES..], [7, 7, 7]);
}

#[test]
fn an_empty_packet_proves_the_peer_and_is_not_passed_on() {
    let mut caller = party(remote(1, Codec::Pcma, (None, None)));
    let mut operator = party(remote(2, Codec::Pcma, (None, None)));
    let bytes = packet(8, 5, &[]);
    let arrival = receive(&mut caller, Time::ZERO, at(1), &bytes, Latching::SdpAddress).unwrap();
    assert_eq!((arrival.kind, arrival.locked), (Kind::Empty, Some(at(1))));
    assert_eq!(pass(&mut caller, 1, &mut operator, packet(8, 6, &[])), None);
}

proptest! {
    #[test]
    fn any_bytes_from_anybody_are_handled(
        packets in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..60), 1_u16..4, 0_u64..5_000, any::<bool>()),
            0..60,
        ),
        codecs in (any::<bool>(), any::<bool>()),
    ) {
        let codec = |alaw| if alaw { Codec::Pcma } else { Codec::Pcmu };
        let mut caller = party(remote(1, codec(codecs.0), (Some(96), Some(97))));
        let mut operator = party(remote(2, codec(codecs.1), (None, Some(101))));
        let (mut now, mut total) = (0, 0);
        for (mut bytes, port, pause, rtp) in packets {
            now += pause;
            // Half of them look like RTP, or nothing would get past the first check.
            if rtp && bytes.len() >= 2 {
                bytes[0] = bytes[0] & 0x3f | 0x80;
                bytes[1] = [0, 8, 0x88, 97][usize::from(bytes[1] % 4)];
            }
            let (length, time) = (bytes.len(), Time::from_millis(now));
            total += 1;
            if let Some(arrival) =
                receive(&mut caller, time, at(port), &bytes, Latching::FirstSource)
                && let Some(part) = forward(&mut operator, time, &arrival, &mut bytes)
            {
                let out = &bytes[part];
                prop_assert!(out.len() > HEADER_BYTES && out.len() <= length);
                prop_assert!(Header::parse(out).is_some());
            }
        }
        let counts = caller.counts();
        prop_assert_eq!(counts.received + counts.refused, total);
    }

    #[test]
    fn a_prompt_frame_is_a_plain_packet(now in 0_u64..100_000, random: u64) {
        let mut party = Party::new([random, 1, 2]);
        let mut frame = [9; FRAME_BYTES];
        prompt(&mut party, Time::from_millis(now), Law::Pcmu, &mut frame);
        let header = Header::parse(&frame).unwrap();
        prop_assert_eq!(header.payload_type, 0);
        prop_assert_eq!(&frame[header.payload()], &[9; FRAME_SAMPLES]);
    }
}
