//! A peer may send any codec that was agreed on (RFC 3264 §5.1), and presses keys with the events of
//! that one's clock.

use std::f64::consts::TAU;

use vocab::media::{Codec, Codecs, EventTypes, Events, Law};

use super::*;
use crate::codec::{Decoder, Encoder, SAMPLES_MAX};

/// Where somebody speaks from, the leg that hears it.
type Place = (SocketId, SocketAddr);

struct Talk {
    world: World,
    caller: Place,
    operator: Place,
}

/// A caller with one codec, and an operator who agreed on Opus before A-law, with these events.
fn talk(caller: Codec, events: EventTypes) -> Talk {
    let mut world = World::new();
    let sides = [world.connect(1), world.connect(2)];
    let place = |number: u16| SocketAddr::from(([10, 0, 0, 2], 4_000 + 2 * number));
    let at_caller = Remote {
        dtmf_send: EventTypes::narrow(96),
        dtmf_receive: EventTypes::narrow(96),
        ..Remote::new(place(1), caller)
    };
    let plain = Remote::new(place(2), Codec::Opus);
    let at_operator = Remote {
        agreed: Codecs::default().with(Codec::Opus).with(Codec::Pcma),
        dtmf_send: events,
        dtmf_receive: events,
        ..plain
    };
    for (number, remote) in [(1, at_caller), (2, at_operator)] {
        world.tell(MediaCommand::SetRemote {
            call: CALL,
            leg: leg(number),
            remote,
        });
    }
    world.bridge(Some(KEY));
    let [caller, operator] = sides;
    Talk {
        world,
        caller,
        operator,
    }
}

fn both_clocks() -> EventTypes {
    EventTypes::narrow(101).with(Events {
        payload_type: 110,
        clock: 48_000,
    })
}

impl Talk {
    /// The operator sends a packet of 20 ms.
    fn send(&mut self, kind: u8, timestamp: u32, payload: &[u8]) {
        self.world.sequence += 1;
        let header = Header::new(kind, self.world.sequence, timestamp, 5);
        let packet = [header.to_bytes().as_slice(), payload].concat();
        let (from, to) = self.operator;
        self.world.peers.send(from, Some(to), &packet).unwrap();
        self.world.pass_ms(20);
    }

    /// The operator says a second of these tones: in A-law, then in Opus, then in A-law.
    fn says(&mut self, tones: &[f64], codecs: &[Codec]) {
        let mut opus = Encoder::new(Codec::Opus, 8_000, Default::default()).unwrap();
        for (part, codec) in (0_u32..).zip(codecs) {
            for frame in 0..50_u32 {
                let at = part * 50 + frame;
                let sample = |n: u32| {
                    let time = f64::from(at * 160 + n) / 8_000.0;
                    let sum: f64 = tones.iter().map(|tone| (TAU * tone * time).sin()).sum();
                    (6_000.0 * sum) as i16
                };
                let samples: Vec<i16> = (0..160).map(sample).collect();
                match codec.law() {
                    Some(law) => {
                        let codes: Vec<u8> =
                            samples.iter().map(|one| g711::encode(law, *one)).collect();
                        self.send(law.payload_type(), at * 160, &codes);
                    }
                    None => {
                        let mut room = [0; 400];
                        let length = opus.encode(&samples, &mut room).unwrap();
                        self.send(111, at * 960, &room[..length]);
                    }
                }
            }
        }
    }

    /// What the caller was sent of a codec, as samples of 8 kHz.
    fn caller_heard(&mut self, codec: Codec) -> Vec<i16> {
        let mut decoder = Decoder::new(codec, 8_000).unwrap();
        let mut room = [0; SAMPLES_MAX];
        let mut heard = Vec::new();
        for (to, header, payload) in self.world.heard() {
            if to == self.caller.0 && header.payload_type == codec.payload_type() {
                let length = decoder.decode(&payload, &mut room).unwrap();
                let narrow = decoder.rate() as usize / 8_000;
                heard.extend(room[..length].iter().step_by(narrow).copied());
            }
        }
        heard
    }

    fn digits(&self) -> String {
        let events = self.world.events().into_iter();
        let digits = events.filter_map(|event| match event {
            MediaEvent::Digit { leg: of, digit, .. } if of == leg(2) => Some(digit),
            _ => None,
        });
        digits.collect()
    }
}

/// How much of a sound is one tone.
fn share(samples: &[i16], tone: f64) -> f64 {
    let (mut sine, mut cosine, mut energy) = (0.0, 0.0, 0.0);
    for (n, sample) in (0_u32..).zip(samples) {
        let (sample, phase) = (f64::from(*sample), TAU * tone * f64::from(n) / 8_000.0);
        sine += sample * phase.sin();
        cosine += sample * phase.cos();
        energy += sample * sample;
    }
    2.0 * (sine * sine + cosine * cosine) / (energy * samples.len() as f64)
}

#[test]
fn whatever_agreed_codec_comes_is_heard_by_the_other_party_and_recorded() {
    let codecs = [Codec::Pcma, Codec::Opus, Codec::Pcma];
    for caller in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
        let mut talk = talk(caller, EventTypes::NONE);
        for (number, codec) in codecs.iter().enumerate() {
            talk.says(&[1_000.0], &[*codec]);
            let heard = talk.caller_heard(caller);
            let seconds = heard.len() as f64 / 8_000.0;
            assert!(
                (0.75..=1.1).contains(&seconds),
                "{caller:?} {number}: {seconds} s"
            );
            // Every quarter of a second but the first, in which the codec changes.
            for quarter in heard.chunks_exact(2_000).skip(1) {
                let share = share(quarter, 1_000.0);
                assert!(share > 0.9, "{caller:?} {number}: {share}");
            }
        }
        let notes = talk.world.notes.0.lock().unwrap();
        let kinds = notes.iter().filter_map(|one| match one {
            Tapped::Packet(KEY, Side::Operator, bytes) => Some(bytes[1] & 0x7f),
            _ => None,
        });
        let wanted = [8, 111, 8].into_iter().flat_map(|kind| [kind; 50]);
        assert!(kinds.eq(wanted), "all of it is recorded as it came");
    }
}

#[test]
fn keys_of_both_clocks_are_reported_and_pressed_to_the_caller() {
    let mut talk = talk(Codec::Pcma, both_clocks());
    for (digit, (audio, events, clock)) in (1_u8..).zip([
        (Codec::Pcma, 101, 8_000_u32),
        (Codec::Opus, 110, 48_000),
        (Codec::Pcma, 101, 8_000),
    ]) {
        talk.says(&[400.0], &[audio]);
        talk.world.heard();
        let start = u32::from(digit) * clock;
        for step in 1..=5_u32 {
            let [high, low] = ((step * clock / 50) as u16).to_be_bytes();
            let end = if step == 5 { 0x80 } else { 0 };
            talk.send(events, start, &[digit, end | 10, high, low]);
        }
        talk.world.pass_ms(400);
        let heard = talk.world.heard();
        let pressed: Vec<u8> = heard
            .iter()
            .filter(|(to, header, _)| *to == talk.caller.0 && header.payload_type == 96)
            .map(|(_, _, payload)| payload[0])
            .collect();
        assert!(pressed.len() >= 5, "{audio:?}: {pressed:?}");
        assert!(pressed.iter().all(|event| *event == digit), "{pressed:?}");
    }
    assert_eq!(talk.digits(), "123");
}

#[test]
fn keys_in_the_audio_are_heard_in_each_codec_that_has_no_events_of_its_own() {
    for (events, wanted) in [
        (EventTypes::NONE, "555"),
        // Those of 8,000 Hz go with Opus as well, where it has none of its own.
        (EventTypes::narrow(101), ""),
        // No telephone that sends A-law can press with these.
        (
            EventTypes::NONE.with(Events {
                payload_type: 110,
                clock: 48_000,
            }),
            "55",
        ),
    ] {
        let mut talk = talk(Codec::Pcma, events);
        for codec in [Codec::Pcma, Codec::Opus, Codec::Pcma] {
            talk.says(&[770.0, 1_336.0], &[codec]);
            let silence = [g711::encode(Law::Pcma, 0); 160];
            for _ in 0..100 {
                talk.send(8, 0, &silence);
            }
        }
        assert_eq!(talk.digits(), wanted, "{events:?}");
    }
}
