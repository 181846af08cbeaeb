//! Keys on their way from one party to the plan and to the other party: each press once, whichever ways
//! it came, and as the other party takes it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::f64::consts::TAU;
use std::time::Duration;

use common::{CALL, Peer, World, leg};
use media::rtp::Header;
use vocab::media::{Codec, EventTypes, Law, MediaCommand, MediaEvent, Remote};

/// Longer than a key that is pressed towards a peer takes.
const SOON: Duration = Duration::from_millis(400);

/// Two legs in a bridge; `events`: which of them have telephone-events.
fn bridged(world: &World, events: [bool; 2]) -> [Peer; 2] {
    let peers = [1, 2].map(|number| world.connect(number, Codec::Pcma));
    for ((number, peer), events) in (1..).zip(&peers).zip(events) {
        let event = match events {
            true => EventTypes::narrow(101),
            false => EventTypes::NONE,
        };
        let remote = Remote {
            dtmf_send: event,
            dtmf_receive: event,
            ..peer.remote()
        };
        world.set_remote(number, remote);
    }
    world.bridge(None);
    world.settle();
    peers
}

fn info(world: &World, number: u32, digit: char) {
    let (call, leg) = (CALL, leg(number));
    world.media.send(MediaCommand::Key { call, leg, digit });
}

/// The digits that are reported until nothing more comes.
fn digits(world: &World) -> String {
    let mut digits = String::new();
    while let Ok(event) = world.events.recv_timeout(SOON) {
        if let MediaEvent::Digit { digit, .. } = event {
            digits.push(digit);
        }
    }
    digits
}

/// What a peer gets until nothing more comes.
fn heard(peer: &Peer) -> Vec<(Header, Vec<u8>)> {
    std::iter::from_fn(|| peer.try_hear(SOON)).collect()
}

fn event(peer: &mut Peer, payload: [u8; 4], timestamp: u32) {
    let mut header = Header::new(101, peer.sequence, timestamp, 0xfeed);
    header.marker = payload[3] == 160 && payload[1] & 0x80 == 0;
    peer.sequence += 1;
    peer.send(&[header.to_bytes().as_slice(), &payload].concat());
}

/// A second of audio at 8 kHz in which a key of these tones is pressed twice, in packets of 20 ms.
fn press_inband(peer: &mut Peer, tones: [f64; 2]) {
    for frame in 0..20 {
        let loud = if (2..7).contains(&frame) || (11..16).contains(&frame) {
            6_000.0
        } else {
            0.0
        };
        let code = |sample: usize| {
            let time = (frame * 160 + sample) as f64 / 8_000.0;
            let sum: f64 = tones.iter().map(|tone| (TAU * tone * time).sin()).sum();
            g711::encode(Law::Pcma, (loud * sum) as i16)
        };
        let payload: Vec<u8> = (0..160).map(code).collect();
        peer.send(&peer.packet(8, &payload));
        peer.sequence += 1;
    }
}

/// Whether a frame of A-law holds this tone.
fn holds(frame: &[u8], tone: f64) -> bool {
    let (mut sine, mut cosine, mut energy) = (0.0, 0.0, 0.0);
    for (code, at) in frame.iter().zip(0_u32..) {
        let (sample, phase) = (
            f64::from(g711::decode(Law::Pcma, *code)),
            TAU * tone * f64::from(at) / 8_000.0,
        );
        sine += sample * phase.sin();
        cosine += sample * phase.cos();
        energy += sample * sample;
    }
    (sine * sine + cosine * cosine) > 0.2 * energy * frame.len() as f64 / 2.0
}

#[test]
fn a_key_by_info_is_reported_and_pressed_as_events_with_three_ends() {
    let world = World::new();
    let [mut caller, operator] = bridged(&world, [true, true]);
    caller.say(1);
    operator.hear();
    info(&world, 1, '#');
    assert_eq!(digits(&world), "#");
    let got = heard(&operator);
    let payloads: Vec<&[u8]> = got.iter().map(|(_, payload)| payload.as_slice()).collect();
    let durations = [160_u16, 320, 480, 640, 800, 800, 800];
    assert_eq!(got.len(), durations.len(), "{payloads:?}");
    for (at, ((header, payload), duration)) in got.iter().zip(durations).enumerate() {
        let [high, low] = duration.to_be_bytes();
        let end = if at >= 4 { 0x80 } else { 0 };
        assert_eq!(payload[..], [11, end | 10, high, low]);
        assert_eq!((header.payload_type, header.marker), (101, at == 0));
        assert_eq!(
            header.timestamp, got[0].0.timestamp,
            "that of the beginning"
        );
        assert_eq!(header.sequence, got[0].0.sequence.wrapping_add(at as u16));
    }
    caller.say(2);
    assert_eq!(operator.hear().1, [2; 160], "the caller is heard again");
}

#[test]
fn an_event_reaches_a_party_without_events_as_tones() {
    let world = World::new();
    let [mut caller, operator] = bridged(&world, [true, false]);
    caller.say(1);
    operator.hear();
    let timestamp = 160_000;
    for (flags, duration) in [(10, 160_u16), (10, 320), (0x8a, 480), (0x8a, 480)] {
        let [high, low] = duration.to_be_bytes();
        event(&mut caller, [5, flags, high, low], timestamp);
    }
    assert_eq!(digits(&world), "5");
    let got = heard(&operator);
    assert_eq!(got.len(), 8, "100 ms of tone and 60 of silence");
    for (_, frame) in &got[..5] {
        assert!(holds(frame, 770.0) && holds(frame, 1_336.0) && !holds(frame, 697.0));
    }
    assert!(got[5..].iter().all(|(_, frame)| *frame == [0xd5; 160]));
    assert!(got.iter().all(|(header, _)| header.payload_type == 8));
}

#[test]
fn keys_for_who_is_told_by_signalling_are_said_and_pressed_in_the_audio_only_if_asked() {
    let world = World::new();
    let [mut caller, operator] = bridged(&world, [true, false]);
    let by_signalling = Remote {
        keys_by_signalling: true,
        dtmf_send: EventTypes::NONE,
        dtmf_receive: EventTypes::NONE,
        ..operator.remote()
    };
    world.set_remote(2, by_signalling);
    caller.say(1);
    operator.hear();
    let told = |world: &World| {
        let mut told = String::new();
        while let Ok(event) = world.events.recv_timeout(SOON) {
            if let MediaEvent::Press { leg: of, digit, .. } = event {
                assert_eq!(of, leg(2));
                told.push(digit);
            }
        }
        told
    };
    event(&mut caller, [5, 10, 0, 160], 160_000);
    event(&mut caller, [5, 0x8a, 1, 64], 160_000);
    info(&world, 1, '#');
    assert_eq!(told(&world), "5#");
    assert_eq!(heard(&operator).len(), 0, "nothing of it in the audio");
    let (call, digit) = (CALL, '#');
    world.media.send(MediaCommand::Press {
        call,
        leg: leg(2),
        digit,
    });
    assert_eq!(told(&world), "");
    let got = heard(&operator);
    assert!(holds(&got[0].1, 941.0) && holds(&got[0].1, 1_477.0));
    // Who is on hold is told of none.
    world.set_remote(
        2,
        Remote {
            send: false,
            ..by_signalling
        },
    );
    info(&world, 1, '9');
    assert_eq!(told(&world), "");
}

#[test]
fn tones_of_a_peer_without_events_are_keys_and_stay_audio() {
    let world = World::new();
    let [mut caller, operator] = bridged(&world, [false, true]);
    press_inband(&mut caller, [852.0, 1_477.0]);
    assert_eq!(digits(&world), "99");
    let got = heard(&operator);
    assert_eq!(got.len(), 20);
    assert!(
        got.iter().all(|(header, _)| header.payload_type == 8),
        "nothing is pressed besides"
    );
}

#[test]
fn tones_of_a_peer_with_events_are_not_listened_to() {
    let world = World::new();
    let [mut caller, _operator] = bridged(&world, [true, true]);
    press_inband(&mut caller, [852.0, 1_477.0]);
    assert_eq!(digits(&world), "");
}

#[test]
fn a_press_that_comes_by_event_and_info_is_reported_and_passed_on_once() {
    let world = World::new();
    let [mut caller, operator] = bridged(&world, [true, true]);
    event(&mut caller, [7, 10, 0, 160], 8_000);
    event(&mut caller, [7, 0x8a, 1, 64], 8_000);
    operator.hear();
    info(&world, 1, '7');
    assert_eq!(digits(&world), "7");
    assert_eq!(
        heard(&operator).len(),
        1,
        "the second packet of the event and no more"
    );
    // The other way round: the INFO was quicker, and was pressed; the event goes no further.
    info(&world, 1, '8');
    assert_eq!(digits(&world), "8");
    assert_eq!(heard(&operator).len(), 7);
    event(&mut caller, [8, 10, 0, 160], 24_000);
    event(&mut caller, [8, 0x8a, 1, 64], 24_000);
    assert_eq!(digits(&world), "");
    assert_eq!(heard(&operator).len(), 0);
    // The same key anew is another press.
    std::thread::sleep(Duration::from_millis(1_500));
    event(&mut caller, [8, 10, 0, 160], 48_000);
    assert_eq!(digits(&world), "8");
}

#[test]
fn who_is_on_hold_or_hears_music_gets_no_keys_and_too_many_are_left_out() {
    let world = World::new();
    let [mut caller, operator] = bridged(&world, [true, true]);
    caller.say(1);
    operator.hear();
    world.set_remote(
        2,
        Remote {
            send: false,
            ..operator.remote()
        },
    );
    info(&world, 1, '1');
    assert_eq!(digits(&world), "1", "the plan hears it all the same");
    assert_eq!(heard(&operator).len(), 0);
    world.set_remote(2, operator.remote());
    for key in "0123456789ABCD*#0123".chars() {
        info(&world, 1, key);
    }
    assert_eq!(digits(&world).len(), 20);
    let begun = heard(&operator)
        .iter()
        .filter(|(header, _)| header.marker)
        .count();
    assert!((16..=18).contains(&begun), "{begun} of 20 pressed");
}
