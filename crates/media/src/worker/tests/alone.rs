//! Owns the tests of messages: one leg recorded alone.

use core::time::Duration;

use super::*;

const OTHER: RecordingKey = RecordingKey {
    call: CALL,
    segment: 2,
};

impl World {
    fn record(&mut self, record: RecordingKey) {
        self.tell(MediaCommand::Record {
            call: CALL,
            leg: leg(1),
            record,
            least: Duration::from_millis(500),
            silence: Duration::from_secs(2),
        });
    }

    /// Speaks for so many packets: words of 200 ms with 100 ms between them.
    fn speak(&mut self, from: SocketId, to: SocketAddr, packets: u16) {
        for number in 0..packets {
            self.pass_ms(20);
            // A-law: 0x2a and 0xaa are some -14 dBov, 0x55 and 0xd5 are nothing.
            let code = if number % 15 < 10 { 0x2a } else { 0xd5 };
            self.sequence += 1;
            self.say(from, to, self.sequence, code);
        }
    }

    fn of_message(&self) -> Vec<MediaEvent> {
        let of = |event: &MediaEvent| {
            matches!(event, MediaEvent::Spoken { .. } | MediaEvent::Quiet { .. })
        };
        self.events().into_iter().filter(of).collect()
    }

    fn taps(&self) -> Vec<Tapped> {
        let taps = core::mem::take(&mut *self.notes.0.lock().unwrap());
        let packet = |tapped: &Tapped| matches!(tapped, Tapped::Packet(..));
        taps.into_iter().filter(|one| !packet(one)).collect()
    }
}

#[test]
fn a_message_is_the_callers_side_of_its_recording() {
    let mut world = World::new();
    let (peer, at) = world.connect(1);
    world.say(peer, at, 1, 0xd5);
    world.record(KEY);
    world.sequence = 1;
    world.speak(peer, at, 10);
    world.tell(MediaCommand::EndRecord {
        call: CALL,
        leg: leg(1),
        keep: true,
    });
    world.speak(peer, at, 5);
    let taps = world.notes.0.lock().unwrap().clone();
    assert_eq!(taps.first(), Some(&Tapped::Start(KEY)));
    assert_eq!(taps.last(), Some(&Tapped::Stop(KEY)));
    let of_caller = |one: &&Tapped| matches!(one, Tapped::Packet(KEY, Side::Caller, _));
    assert_eq!(taps.iter().filter(of_caller).count(), 10);
    assert_eq!(taps.len(), 12, "nothing before it and nothing after it");
}

#[test]
fn enough_and_no_more_are_told_once_each() {
    let mut world = World::new();
    let (peer, at) = world.connect(1);
    world.record(KEY);
    world.speak(peer, at, 20);
    assert_eq!(world.of_message(), [], "400 ms were said");
    world.speak(peer, at, 20);
    let spoken = MediaEvent::Spoken {
        call: CALL,
        leg: leg(1),
    };
    assert_eq!(world.of_message(), [spoken]);
    // Not a packet comes: the look once a second finds it.
    world.pass_ms(1_800);
    assert_eq!(world.of_message(), []);
    world.pass_ms(1_400);
    let quiet = MediaEvent::Quiet {
        call: CALL,
        leg: leg(1),
    };
    assert_eq!(world.of_message(), [quiet]);
    world.pass_ms(5_000);
    assert_eq!(world.of_message(), []);
}

#[test]
fn a_message_thrown_away_is_discarded_and_one_cut_off_is_kept() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    world.record(KEY);
    world.tell(MediaCommand::EndRecord {
        call: CALL,
        leg: leg(1),
        keep: false,
    });
    assert_eq!(world.taps(), [Tapped::Start(KEY), Tapped::Discard(KEY)]);
    world.record(KEY);
    world.bridge(Some(OTHER));
    let both = [Tapped::Start(KEY), Tapped::Stop(KEY), Tapped::Start(OTHER)];
    assert_eq!(world.taps(), both, "a talk ends it");
    world.close(2);
    world.taps();
    world.record(KEY);
    world.close(1);
    assert_eq!(world.taps(), [Tapped::Start(KEY), Tapped::Stop(KEY)]);
    world.record(KEY);
    let empty = [Tapped::Start(KEY), Tapped::Stop(KEY)];
    assert_eq!(world.taps(), empty, "the leg is gone: it is accounted for");
}

#[test]
fn a_recorded_wait_has_what_is_said_and_what_is_played() {
    let mut world = World::new();
    let (peer, at) = world.connect(1);
    world.say(peer, at, 1, 0xd5);
    world.tell(MediaCommand::RecordWait {
        call: CALL,
        leg: leg(1),
        record: KEY,
    });
    world.play(1, true, 7);
    world.sequence = 1;
    world.speak(peer, at, 50);
    world.tell(MediaCommand::Stop {
        call: CALL,
        leg: leg(1),
    });
    world.speak(peer, at, 50);
    world.play(1, true, 8);
    world.speak(peer, at, 50);
    world.tell(MediaCommand::EndRecord {
        call: CALL,
        leg: leg(1),
        keep: true,
    });
    world.speak(peer, at, 5);
    let taps = world.notes.0.lock().unwrap().clone();
    assert_eq!(taps.first(), Some(&Tapped::Start(KEY)));
    assert_eq!(taps.last(), Some(&Tapped::Stop(KEY)));
    let of = |side| {
        taps.iter()
            .filter_map(move |one| match one {
                Tapped::Packet(KEY, of, packet) if *of == side => Some(packet),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Side::Caller).len(), 150);
    let played = of(Side::Operator);
    assert!((98..=102).contains(&played.len()), "{}", played.len());
    let header = |packet: &[u8]| {
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let timestamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        (sequence, timestamp)
    };
    let headers: Vec<_> = played.iter().map(|packet| header(packet)).collect();
    let mut pauses = 0;
    for pair in headers.windows(2) {
        assert_eq!(pair[1].0, pair[0].0 + 1, "no packet is missed");
        let step = pair[1].1 - pair[0].1;
        if step != 160 {
            pauses += 1;
            assert!(
                (7_600..=8_400).contains(&step),
                "a second of nothing: {step}"
            );
        }
    }
    assert_eq!(pauses, 1);
    assert!(world.of_message().is_empty(), "nobody listens to a wait");
}
