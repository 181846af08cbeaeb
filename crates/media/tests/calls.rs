//! The whole media plane with real sockets on loopback: what peers hear, and what is reported.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use common::{CALL, Notes, Peer, Tapped, World, leg};
use media::{Audio, Media, Settings, StartError};
use vocab::media::{Codec, EventTypes, Law, MediaCommand, MediaEvent, RecordingKey, Remote, Side};

const KEY: RecordingKey = RecordingKey {
    call: CALL,
    segment: 1,
};
/// Long enough for a packet on loopback that is wrongly sent to arrive.
const SOON: Duration = Duration::from_millis(60);

#[test]
fn a_prompt_arrives_intact_and_paced() {
    let world = World::new();
    let peers = [world.connect(1, Codec::Pcma), world.connect(2, Codec::Pcmu)];
    world.play(1, false, 7);
    world.play(2, false, 8);
    for peer in &peers {
        let (mut payload, mut last) = (Vec::new(), None);
        for number in 0..50 {
            let (header, frame) = peer.hear();
            payload.extend(frame);
            assert_eq!(header.marker, number == 0);
            assert_eq!(header.payload_type, peer.codec.payload_type());
            if let Some((sequence, timestamp)) = last {
                assert_eq!(header.sequence, u16::wrapping_add(sequence, 1));
                assert_eq!(header.timestamp, u32::wrapping_add(timestamp, 160));
            }
            last = Some((header.sequence, header.timestamp));
        }
        assert_eq!(payload, world.prompt.codes(peer.codec.law().unwrap()));
    }
    let ended = |token| MediaEvent::PlayEnded {
        call: CALL,
        leg: leg(token - 6),
        token,
    };
    let mut events = [world.event(), world.event()];
    events.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(events, [ended(7), ended(8)]);
    world.settle();
    assert!(peers[0].try_hear(SOON).is_none(), "nothing after the end");
}

#[test]
fn prompt_frames_keep_their_absolute_schedule() {
    let world = World::new();
    let peer = world.connect(1, Codec::Pcma);
    let began = Instant::now();
    world.play(1, true, 1);
    peer.hear();
    let first = Instant::now();
    for _ in 0..100 {
        peer.hear();
    }
    let took = first.elapsed();
    assert!(first.duration_since(began) < Duration::from_secs(1));
    // 100 frames of 20 ms. A busy machine may delay the first or the last, not lose beats.
    assert!(
        took > Duration::from_millis(1_800) && took < Duration::from_millis(2_400),
        "{took:?}"
    );
}

#[test]
fn a_bridge_relays_both_ways_with_its_own_source() {
    let world = World::new();
    let mut caller = world.connect(1, Codec::Pcma);
    let mut operator = world.connect(2, Codec::Pcma);
    world.bridge(None);
    world.settle();
    let (mut to_operator, mut to_caller) = (Vec::new(), Vec::new());
    for code in 0..20 {
        caller.say(code);
        operator.say(100 + code);
        let (at_operator, payload) = operator.hear();
        assert_eq!(payload, [code; 160]);
        let (at_caller, payload) = caller.hear();
        assert_eq!(payload, [100 + code; 160]);
        to_operator.push(at_operator);
        to_caller.push(at_caller);
    }
    for stream in [&to_operator, &to_caller] {
        assert!(
            stream
                .iter()
                .all(|header| header.ssrc == stream[0].ssrc && header.ssrc != 0xfeed)
        );
        let steps = stream.windows(2).map(|pair| {
            let by = pair[1].sequence.wrapping_sub(pair[0].sequence);
            (by, pair[1].timestamp.wrapping_sub(pair[0].timestamp))
        });
        assert!(
            steps.clone().all(|step| step == (1, 160)),
            "{:?}",
            steps.collect::<Vec<_>>()
        );
    }
    assert_ne!(to_operator[0].ssrc, to_caller[0].ssrc);
}

#[test]
fn music_then_bridge_then_music_is_one_stream() {
    let world = World::new();
    let caller = world.connect(1, Codec::Pcma);
    let mut operator = world.connect(2, Codec::Pcma);
    world.play(1, true, 1);
    let mut stream: Vec<_> = (0..5).map(|_| caller.hear().0).collect();
    world.bridge(None);
    world.settle();
    while let Some((header, _)) = caller.try_hear(SOON) {
        stream.push(header);
    }
    let music = stream.len();
    for code in 0..5 {
        operator.say(code);
        stream.push(caller.hear().0);
    }
    world.media.send(MediaCommand::Unbridge {
        call: CALL,
        leg: leg(1),
    });
    world.play(1, true, 2);
    stream.extend((0..5).map(|_| caller.hear().0));
    for (index, pair) in stream.windows(2).enumerate() {
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!((160..80_000).contains(&step), "{step}");
        let changes = [music, music + 5].contains(&(index + 1));
        assert_eq!(pair[1].marker, changes, "a marker where the source changes");
    }
}

#[test]
fn different_laws_are_translated() {
    let world = World::new();
    let mut caller = world.connect(1, Codec::Pcmu);
    let mut operator = world.connect(2, Codec::Pcma);
    world.bridge(None);
    world.settle();
    let linear = |law, code| i32::from(g711::decode(law, code));
    for code in [0x00, 0x25, 0x60, 0x8a, 0xff] {
        caller.say(code);
        let (header, payload) = operator.hear();
        assert_eq!((header.payload_type, payload.len()), (8, 160));
        let (was, is) = (linear(Law::Pcmu, code), linear(Law::Pcma, payload[0]));
        assert!(
            (was - is).abs() <= (was.abs() / 16).max(16),
            "{was} became {is}"
        );
        operator.say(code);
        let (header, payload) = caller.hear();
        assert_eq!(header.payload_type, 0);
        let (was, is) = (linear(Law::Pcma, code), linear(Law::Pcmu, payload[0]));
        assert!(
            (was - is).abs() <= (was.abs() / 16).max(16),
            "{was} became {is}"
        );
    }
}

#[test]
fn a_stranger_is_refused_and_hears_nothing() {
    let world = World::strict();
    let mut caller = world.connect(1, Codec::Pcma);
    let operator = world.connect(2, Codec::Pcma);
    let mut stranger = Peer::new(caller.at_leg, Codec::Pcma);
    world.bridge(None);
    world.settle();
    for _ in 0..10 {
        stranger.say(66);
    }
    // Through the same socket, so it comes after all that the stranger sent.
    caller.say(1);
    assert_eq!(
        operator.hear().1,
        [1; 160],
        "what the stranger said is not passed on"
    );
    for _ in 0..10 {
        let _ = stranger
            .socket
            .send_to(&stranger.packet(8, &[66; 160]), stranger.at_leg);
    }
    caller.say(2);
    assert_eq!(operator.hear().1, [2; 160]);
    world.play(1, true, 1);
    assert!(stranger.try_hear(SOON).is_none());
    world.close(1);
    let closed = world.event_that(|event| matches!(event, MediaEvent::Closed { .. }));
    let MediaEvent::Closed { counts, .. } = closed else {
        panic!("{closed:?}")
    };
    // Those after the lock do not even reach us.
    assert_eq!((counts.received, counts.refused), (2, 10));
}

#[test]
fn a_peer_behind_nat_is_found_and_then_locked() {
    let world = World::new();
    let mut caller = world.connect(1, Codec::Pcma);
    let mut operator = world.connect(2, Codec::Pcma);
    // The caller's SDP names a place from which nothing comes.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    world.set_remote(
        1,
        Remote {
            address,
            ..caller.remote()
        },
    );
    world.bridge(None);
    world.settle();
    caller.say(1);
    caller.say(2);
    assert_eq!(operator.hear().1, [2; 160]);
    operator.say(3);
    assert_eq!(caller.hear().1, [3; 160], "answered where it really is");
    let mut stranger = Peer::new(caller.at_leg, Codec::Pcma);
    stranger.say(66);
    stranger.say(66);
    operator.say(4);
    assert_eq!(caller.hear().1, [4; 160]);
    assert!(stranger.try_hear(SOON).is_none());
}

#[test]
fn a_digit_is_reported_once_and_passed_on() {
    let world = World::new();
    let mut caller = world.connect(1, Codec::Pcma);
    let operator = world.connect(2, Codec::Pcma);
    world.set_remote(
        2,
        Remote {
            dtmf_send: EventTypes::narrow(96),
            ..operator.remote()
        },
    );
    world.bridge(None);
    world.settle();
    let timestamp = 160_000;
    for (number, (flags, duration)) in [
        (10_u8, 160_u16),
        (10, 320),
        (0x8a, 480),
        (0x8a, 480),
        (0x8a, 480),
    ]
    .into_iter()
    .enumerate()
    {
        let [high, low] = duration.to_be_bytes();
        let mut header = media::rtp::Header::new(101, caller.sequence, timestamp, 0xfeed);
        header.marker = number == 0;
        let packet = [header.to_bytes().as_slice(), &[9, flags, high, low]].concat();
        caller.send(&packet);
        caller.sequence += 1;
        let (header, payload) = operator.hear();
        assert_eq!((header.payload_type, header.marker), (96, number == 0));
        assert_eq!(payload, [9, flags, high, low]);
    }
    world.close(1);
    let mut digits = 0;
    loop {
        match world.event() {
            MediaEvent::Digit {
                digit, leg: from, ..
            } => {
                assert_eq!((digit, from), ('9', leg(1)));
                digits += 1;
            }
            MediaEvent::Closed { .. } => break,
            _ => {}
        }
    }
    assert_eq!(digits, 1);
}

#[test]
fn the_tap_sees_every_packet_as_the_peer_sent_it() {
    let world = World::new();
    let mut caller = world.connect(1, Codec::Pcma);
    let mut operator = world.connect(2, Codec::Pcmu);
    world.bridge(Some(KEY));
    world.settle();
    let mut sent = Vec::new();
    for code in 0..50 {
        sent.push((Side::Caller, caller.packet(8, &[code; 160])));
        caller.say(code);
        operator.hear();
        // From half-time on the operator is silent, and the recording goes on.
        if code < 25 {
            sent.push((Side::Operator, operator.packet(0, &[code; 160])));
            operator.say(code);
            caller.hear();
        }
    }
    world.close(2);
    world.event_that(|event| matches!(event, MediaEvent::Closed { .. }));
    let Notes(notes) = &world.notes;
    let notes = notes.lock().unwrap();
    assert_eq!(notes.first(), Some(&Tapped::Start(KEY)));
    assert_eq!(notes.last(), Some(&Tapped::Stop(KEY)));
    let packets = notes.iter().filter_map(|note| match note {
        Tapped::Packet(key, side, _, rtp) if *key == KEY => Some((*side, rtp.clone())),
        _ => None,
    });
    assert_eq!(packets.collect::<Vec<_>>(), sent);
    let times: Vec<_> = notes
        .iter()
        .filter_map(|note| {
            if let Tapped::Packet(_, _, at, _) = note {
                Some(*at)
            } else {
                None
            }
        })
        .collect();
    assert!(times.is_sorted() && times[0] > vocab::Time::ZERO);
}

#[test]
fn nothing_is_sent_before_there_is_something_to_send() {
    let world = World::new();
    let mut caller = world.connect(1, Codec::Pcma);
    // Who speaks before the address is obeyed is refused, and says nothing more here.
    world.settle();
    caller.say(1);
    world.event_that(|event| matches!(event, MediaEvent::AudioStarted { .. }));
    world.settle();
    assert!(caller.try_hear(SOON).is_none());
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Sockets bound to loopback in a range of their own, so that other tests of this process do not
/// disturb the count.
fn sockets_in(range: std::ops::RangeInclusive<u16>) -> usize {
    let table = std::fs::read_to_string("/proc/self/net/udp").unwrap();
    let ports = table.lines().skip(1).filter_map(|line| {
        let local = line.split_whitespace().nth(1)?;
        u16::from_str_radix(local.rsplit(':').next()?, 16).ok()
    });
    ports.filter(|port| range.contains(port)).count()
}

/// A range below the ephemeral ports that is free now.
fn free_range(length: u16) -> std::ops::RangeInclusive<u16> {
    let start = 10_000 + (std::process::id() % 10_000) as u16;
    let mut ranges = (start..30_000)
        .step_by(usize::from(length))
        .map(|at| at..=at + length - 1);
    ranges.find(|range| sockets_in(range.clone()) == 0).unwrap()
}

/// Sockets of the pairs that a thread binds before a leg wants them.
const AHEAD: usize = 32;

#[test]
fn two_hundred_legs_leak_no_descriptor() {
    let ports = free_range(800);
    let world = World::with(Settings {
        ports: Some(ports.clone()),
        ..Settings::default()
    });
    for round in 0..3 {
        let legs = round * 200..(round + 1) * 200;
        for number in legs.clone() {
            let at = world.open(number);
            assert!(ports.contains(&at.port()) && at.port().is_multiple_of(2));
        }
        // An RTP and an RTCP port for each, and those that are bound ahead.
        let bound = sockets_in(ports.clone());
        assert!((400..=400 + AHEAD).contains(&bound), "{bound}");
        assert!(descriptors() >= 400);
        for number in legs {
            world.play(number, true, 1);
            world.close(number);
            world.close(number);
        }
        for _ in 0..200 {
            assert!(matches!(world.event(), MediaEvent::Closed { .. }));
        }
        let bound = sockets_in(ports.clone());
        assert!(bound <= AHEAD, "{bound}");
    }
    world.settle();
    assert!(world.events.try_recv().is_err(), "closed once each");
}

#[test]
fn used_up_ports_are_said_plainly_and_come_back() {
    let ports = free_range(4);
    let world = World::with(Settings {
        ports: Some(ports),
        ..Settings::default()
    });
    let first = world.open(1).port();
    let open = |number| {
        world.media.send(MediaCommand::Open {
            call: CALL,
            leg: leg(number),
        })
    };
    open(2);
    let second = world.event();
    open(3);
    let third = world.event();
    let failed = [&second, &third].into_iter().find_map(|event| match event {
        MediaEvent::OpenFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(failed.unwrap().contains("range"));
    world.close(1);
    world.event_that(|event| matches!(event, MediaEvent::Closed { .. }));
    assert_eq!(world.open(4).port(), first);
}

#[test]
fn stopping_closes_all_and_ends_recordings() {
    let world = World::with(Settings {
        threads: 2,
        ..Settings::default()
    });
    world.connect(1, Codec::Pcma);
    world.connect(2, Codec::Pcma);
    world.bridge(Some(KEY));
    let World {
        media,
        events,
        notes,
        ..
    } = world;
    media.stop();
    let closed = events
        .iter()
        .filter(|event| matches!(event, MediaEvent::Closed { .. }))
        .count();
    assert_eq!(closed, 2);
    assert_eq!(
        *notes.0.lock().unwrap(),
        [Tapped::Start(KEY), Tapped::Stop(KEY)]
    );
}

#[test]
fn a_full_ring_refuses_opens_and_still_closes_everything() {
    let world = World::with(Settings {
        ring: 8,
        ..Settings::default()
    });
    let at = Instant::now();
    for number in 0..5_000 {
        world.media.send(MediaCommand::Open {
            call: CALL,
            leg: leg(number),
        });
        world.close(number);
    }
    assert!(at.elapsed() < common::PATIENCE, "never blocks");
    let (mut opened, mut failed, mut closed) = (0, 0, 0);
    while opened + failed < 5_000 || closed < opened {
        match world.event() {
            MediaEvent::Opened { .. } => opened += 1,
            MediaEvent::OpenFailed { .. } => failed += 1,
            MediaEvent::Closed { .. } => closed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(closed, opened);
    assert!(opened > 0);
    assert!(
        world.media.overflows() >= failed,
        "what was refused was counted"
    );
}

#[test]
fn new_prompts_are_heard() {
    let world = World::new();
    let peer = world.connect(1, Codec::Pcma);
    let (prompt, audio) = (vocab::media::PromptId(9), Audio::from_pcm(&[1_000; 160]));
    world.media.add_prompts(&[(prompt, audio.clone())].into());
    let (call, leg) = (CALL, leg(1));
    world.media.send(MediaCommand::Play {
        call,
        leg,
        prompt,
        repeat: false,
        token: 1,
    });
    assert_eq!(peer.hear().1, *audio.alaw);
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let start = |settings: Settings, taps: usize| {
        let taps = (0..taps)
            .map(|_| Box::new(media::NoTap) as Box<dyn media::Tap>)
            .collect();
        Media::start(settings, Instant::now(), [].into(), taps, |_| {}).err()
    };
    let local = Settings {
        address: "127.0.0.1".parse().unwrap(),
        ..Settings::default()
    };
    assert!(matches!(
        start(local.clone(), 2),
        Some(StartError::Taps {
            threads: 1,
            taps: 2
        })
    ));
    let none = Settings {
        threads: 0,
        ..local.clone()
    };
    assert!(matches!(start(none, 0), Some(StartError::Taps { .. })));
    let narrow = Settings {
        ports: Some(30_001..=30_002),
        ..local.clone()
    };
    assert!(matches!(start(narrow, 1), Some(StartError::Ports { .. })));
    let foreign = Settings {
        address: "192.0.2.1".parse().unwrap(),
        ..local
    };
    assert!(matches!(
        start(foreign, 1),
        Some(StartError::Address { .. })
    ));
}
