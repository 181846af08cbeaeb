//! The media plane with real sockets on loopback when things go wrong: a stranger is quicker than
//! the peer, a thread falls behind, a thread dies.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{CALL, Peer, Tapped, World, leg};
use media::Settings;
use media::rtp::Header;
use vocab::media::{Codec, Law, MediaCommand, MediaEvent, RecordingKey};

const KEY: RecordingKey = RecordingKey {
    call: CALL,
    segment: 1,
};
/// Long enough for a packet on loopback that is wrongly sent to arrive.
const SOON: Duration = Duration::from_millis(60);
/// The leg at whose opening something happens to the thread.
const TRAP: u32 = 99;

fn trapped(event: &MediaEvent) -> bool {
    matches!(event, MediaEvent::Closed { leg: closed, .. } if *closed == leg(TRAP))
}

#[test]
fn a_stranger_who_speaks_first_does_not_keep_the_peer_out() {
    let world = World::new();
    let mut caller = world.connect(1, Codec::Pcma);
    let mut operator = world.connect(2, Codec::Pcma);
    let stranger = Peer::new(caller.at_leg, Codec::Pcma);
    world.bridge(None);
    world.settle();
    let intrude = |sequence: u16| {
        let header = Header::new(8, sequence, u32::from(sequence) * 160, 0xbad);
        stranger.send(&[header.to_bytes().as_slice(), &[66; 160]].concat());
    };
    intrude(1);
    intrude(2);
    assert_eq!(operator.hear().1, [66; 160], "it is taken for the peer");
    // The peer's first packet, and from now on nobody else is heard or told anything.
    for code in 0..5 {
        caller.say(code);
        assert_eq!(operator.hear().1, [code; 160]);
        operator.say(100 + code);
        assert_eq!(caller.hear().1, [100 + code; 160]);
        // The system may answer that nobody is there for it.
        let header = Header::new(8, 3 + u16::from(code), 0, 0xbad);
        let packet = [header.to_bytes().as_slice(), &[66; 160]].concat();
        let _ = stranger.socket.send_to(&packet, stranger.at_leg);
    }
    assert!(stranger.try_hear(SOON).is_none());
    assert!(operator.try_hear(SOON).is_none());
}

/// Audio that a stranger got who sends good RTP to every leg 500 times a second, from before the
/// peers speak until long after. rtpengine of Debian 12 gave one 2,281 packets in 9 s.
fn sprayed() -> usize {
    const SPRAYS: u16 = 500;
    let world = World::new();
    let mut peers = [1, 2].map(|number| world.connect(number, Codec::Pcma));
    let legs = [peers[0].at_leg, peers[1].at_leg];
    world.bridge(None);
    world.settle();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let (mut got, mut heard) = (0, 0);
    let mut octets = [0; 2_000];
    for sequence in 0..SPRAYS {
        let header = Header::new(8, sequence, u32::from(sequence) * 160, 0xbad);
        let packet = [header.to_bytes().as_slice(), &[66; 160]].concat();
        for leg in legs {
            // The system may say that nobody is there for it.
            let _ = stranger.send_to(&packet, leg);
        }
        std::thread::sleep(Duration::from_millis(2));
        // The peers begin 30 ms later and speak every 20 ms.
        if sequence >= 15 && sequence % 10 == 0 {
            for peer in &mut peers {
                peer.say(1);
            }
            heard += peers
                .iter()
                .filter(|peer| peer.try_hear(SOON).is_some())
                .count();
        }
        while stranger.recv(&mut octets).is_ok() {
            got += 1;
        }
    }
    assert!(heard > 80, "the peers heard each other {heard} times");
    got
}

#[test]
fn a_stranger_who_sprays_all_ports_gets_next_to_nothing() {
    let got = sprayed();
    assert!(got <= 5, "{got} packets before the peers were known");
}

#[test]
fn a_bridge_and_a_play_that_find_the_ring_full_are_obeyed() {
    const RING: usize = 8;
    let gate = Arc::<Mutex<()>>::default();
    let shut = gate.lock().unwrap();
    let gate = Arc::clone(&gate);
    let settings = Settings {
        ring: RING,
        ..Settings::default()
    };
    let world = World::with_hook(settings, move |event| {
        if trapped(event) {
            drop(gate.lock());
        }
    });
    let mut caller = world.connect(1, Codec::Pcma);
    let operator = world.connect(2, Codec::Pcma);
    let waiting = world.connect(3, Codec::Pcma);
    world.open(TRAP);
    world.close(TRAP);
    world.event_that(trapped);
    // The thread stands still now.
    for _ in 0..RING {
        let (call, leg) = (CALL, leg(1));
        world.media.send(MediaCommand::Stop { call, leg });
    }
    assert_eq!(world.media.overflows(), 0);
    world.bridge(Some(KEY));
    world.play(3, false, 7);
    let (call, leg) = (CALL, leg(4));
    world.media.send(MediaCommand::Open { call, leg });
    let refused = world.event();
    assert!(
        matches!(refused, MediaEvent::OpenFailed { leg: failed, .. } if failed == leg),
        "{refused:?}"
    );
    assert_eq!(world.media.overflows(), 3);
    drop(shut);
    let ended = MediaEvent::PlayEnded {
        call,
        leg: common::leg(3),
        token: 7,
    };
    world.event_that(|event| *event == ended);
    assert_eq!(waiting.hear().1, world.prompt.codes(Law::Pcma)[..160]);
    caller.say(5);
    assert_eq!(operator.hear().1, [5; 160]);
    world.close(1);
    world.event_that(|event| matches!(event, MediaEvent::Closed { .. }));
    let notes = world.notes.0.lock().unwrap();
    assert_eq!(notes.first(), Some(&Tapped::Start(KEY)));
    assert_eq!(notes.last(), Some(&Tapped::Stop(KEY)));
    assert_eq!(notes.len(), 3, "the start, a packet, the end");
}

#[test]
fn a_thread_that_dies_is_noticed_and_calls_nothing_over() {
    let settings = Settings {
        threads: 2,
        ..Settings::default()
    };
    let world = World::with_hook(settings, |event| assert!(!trapped(event), "as wanted"));
    world.connect(1, Codec::Pcma);
    world.connect(2, Codec::Pcma);
    world.bridge(Some(KEY));
    world.settle();
    assert!(world.media.is_alive());
    world.open(TRAP);
    world.close(TRAP);
    let end = Instant::now() + common::PATIENCE;
    while world.media.is_alive() {
        assert!(Instant::now() < end, "not noticed");
        std::thread::yield_now();
    }
    let last = world.event();
    assert!(trapped(&last), "{last:?}");
    assert!(world.events.try_recv().is_err(), "no other leg was closed");
    assert_eq!(*world.notes.0.lock().unwrap(), [Tapped::Start(KEY)]);
    // An answer in its place, so that nobody waits for one.
    let (call, leg) = (CALL, leg(5));
    world.media.send(MediaCommand::Open { call, leg });
    assert!(matches!(world.event(), MediaEvent::OpenFailed { .. }));
    assert!(!world.media.is_alive());
}
