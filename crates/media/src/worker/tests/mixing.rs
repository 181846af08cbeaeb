//! Owns the tests of mixes on simulated sockets: relay to mix and back, who is recorded, keys.

use core::f32::consts::TAU;

use vocab::media::{Law, MixParty, MixRole, OpusWish};

use super::*;
use crate::codec::Encoder;

/// A telephone that hums a tone of its own, one packet in 20 ms, at its own moment of them.
struct Hummer {
    peer: SocketId,
    at_leg: SocketAddr,
    tone: f32,
    sequence: u16,
    moment: u64,
    /// Of another codec than A-law.
    encoder: Option<Encoder>,
    heard: Vec<(Header, Vec<u8>)>,
}

impl Hummer {
    fn packet(&mut self) -> Vec<u8> {
        let rate = self.encoder.as_ref().map_or(8_000, Encoder::rate);
        let at = u32::from(self.sequence) * rate / 50;
        let sample = |n: u32| {
            let turn = f64::from(self.tone) * f64::from(at + n) / f64::from(rate);
            (6_000.0 * (turn.fract() * f64::from(TAU)).sin()) as i16
        };
        let samples: Vec<i16> = (0..rate / 50).map(sample).collect();
        let codec = self.encoder.as_ref().map_or(Codec::Pcma, Encoder::codec);
        let mut payload = vec![0; 480];
        let octets = match &mut self.encoder {
            Some(encoder) => encoder.encode(&samples, &mut payload).unwrap(),
            None => {
                for (code, sample) in payload.iter_mut().zip(&samples) {
                    *code = g711::encode(Law::Pcma, *sample);
                }
                samples.len()
            }
        };
        let at = u32::from(self.sequence) * (codec.clock_rate() / 50);
        let header = Header::new(codec.payload_type(), self.sequence, at, 5);
        [header.to_bytes().as_slice(), &payload[..octets]].concat()
    }
}

impl World {
    fn hummers(&mut self, count: u32) -> Vec<Hummer> {
        (1..=count)
            .map(|number| {
                let (peer, at_leg) = self.connect(number);
                Hummer {
                    peer,
                    at_leg,
                    tone: 200.0 + 200.0 * number as f32,
                    sequence: 9_000 * number as u16,
                    moment: u64::from(number) * 7 % 20,
                    encoder: None,
                    heard: Vec::new(),
                }
            })
            .collect()
    }

    /// A telephone that speaks and hears this codec from now on.
    fn turn_to(&mut self, hummers: &mut [Hummer], number: u32, codec: Codec) {
        let address = SocketAddr::from(([10, 0, 0, 2], 4_000 + 2 * number as u16));
        self.tell(MediaCommand::SetRemote {
            call: CALL,
            leg: leg(number),
            remote: Remote::new(address, codec),
        });
        let encoder = Encoder::new(codec, 16_000, OpusWish::default()).unwrap();
        hummers[number as usize - 1].encoder = Some(encoder);
    }

    fn mix(&mut self, roles: &[(u32, MixRole)], record: Option<RecordingKey>) {
        let party = |(number, role): &(u32, MixRole)| MixParty {
            leg: leg(*number),
            role: *role,
        };
        self.tell(MediaCommand::Mix {
            call: CALL,
            parties: roles.iter().map(party).collect(),
            record,
        });
    }

    /// All hum; each keeps what it hears from now on.
    fn hum(&mut self, hummers: &mut [Hummer], ms: u64) {
        for _ in 0..ms {
            self.pass_ms(1);
            for hummer in &mut *hummers {
                if self.now.as_millis() % 20 == hummer.moment {
                    let packet = hummer.packet();
                    let to = Some(hummer.at_leg);
                    self.peers.send(hummer.peer, to, &packet).unwrap();
                    hummer.sequence += 1;
                    self.turn();
                }
            }
            for (socket, header, payload) in self.heard() {
                let hummer = hummers.iter_mut().find(|one| one.peer == socket);
                hummer.unwrap().heard.push((header, payload));
            }
        }
    }

    /// What was recorded since this was asked last: the codes of each side.
    fn recorded(&mut self) -> [Vec<u8>; 2] {
        let mut sides = [Vec::new(), Vec::new()];
        for note in core::mem::take(&mut *self.notes.0.lock().unwrap()) {
            if let Tapped::Packet(_, side, rtp) = note {
                sides[side as usize].extend(&rtp[Header::parse(&rtp).unwrap().payload()]);
            }
        }
        sides
    }
}

/// Whose tones are in these codes, by number from 1.
fn whose(hummers: &[Hummer], codes: &[u8]) -> Vec<u32> {
    let height = |tone: f32| {
        let turn = 2.0 * (TAU * tone / 8_000.0).cos();
        let (mut one, mut two) = (0.0_f32, 0.0_f32);
        for code in codes {
            let sample = f32::from(g711::decode(Law::Pcma, *code));
            (one, two) = (sample + turn * one - two, one);
        }
        let power = one * one + two * two - turn * one * two;
        2.0 * power.max(0.0).sqrt() / codes.len().max(1) as f32
    };
    let there = |(_, hummer): &(u32, &Hummer)| height(hummer.tone) > 1_500.0;
    let found = (1..).zip(hummers).filter(there);
    found.map(|(number, _)| number).collect()
}

fn heard_by(hummers: &[Hummer], number: usize) -> Vec<u32> {
    let codes: Vec<u8> = hummers[number - 1]
        .heard
        .iter()
        .flat_map(|(_, payload)| payload.clone())
        .collect();
    whose(hummers, &codes)
}

#[test]
fn a_relay_becomes_a_mix_and_a_relay_again_in_one_stream_and_one_recording() {
    let mut world = World::new();
    let mut hummers = world.hummers(3);
    let three = [
        (1, MixRole::Caller),
        (2, MixRole::Operator),
        (3, MixRole::Operator),
    ];
    let mut heard = vec![Vec::new(), Vec::new()];
    world.bridge(Some(KEY));
    for (mixed, others) in [(false, [2, 1]), (true, [0, 0]), (false, [2, 1])] {
        if mixed {
            world.mix(&three, Some(KEY));
        } else {
            world.bridge(Some(KEY));
        }
        world.hum(&mut hummers, 1_000);
        for number in [1, 2] {
            let expected = match mixed {
                false => vec![others[number - 1]],
                true => (1..=3).filter(|other| *other != number as u32).collect(),
            };
            assert_eq!(heard_by(&hummers, number), expected, "{number}");
            heard[number - 1].append(&mut hummers[number - 1].heard);
        }
        let theirs = heard_by(&hummers, 3);
        assert_eq!(theirs, if mixed { vec![1, 2] } else { vec![] });
        hummers[2].heard.clear();
        let [caller, operators] = world.recorded();
        assert_eq!(whose(&hummers, &caller), [1]);
        assert_eq!(
            whose(&hummers, &operators),
            if mixed { vec![2, 3] } else { vec![2] }
        );
        assert!((7_360..=8_160).contains(&caller.len()), "{}", caller.len());
    }
    for stream in heard {
        let mut caught_up = 0;
        for pair in stream.windows(2) {
            let (before, after) = (pair[0].0, pair[1].0);
            assert_eq!(after.ssrc, before.ssrc);
            assert_eq!(after.sequence, before.sequence.wrapping_add(1));
            let step = after.timestamp.wrapping_sub(before.timestamp);
            assert!((160..=320).contains(&step), "{step}");
            caught_up += u32::from(step != 160);
            assert_eq!(after.marker, step != 160 || after.marker);
        }
        assert!(caught_up <= 2, "only where the source changes: {caught_up}");
        assert!((146..=152).contains(&stream.len()), "{}", stream.len());
    }
    world.tell(MediaCommand::Unbridge {
        call: CALL,
        leg: leg(2),
    });
    assert_eq!(*world.notes.0.lock().unwrap(), [Tapped::Stop(KEY)]);
}

#[test]
fn a_party_that_turns_to_a_wide_codec_breaks_no_stream_and_no_recording() {
    let mut world = World::new();
    let mut hummers = world.hummers(3);
    let three = [
        (1, MixRole::Caller),
        (2, MixRole::Operator),
        (3, MixRole::Guest),
    ];
    world.mix(&three, Some(KEY));
    let mut streams = vec![Vec::new(); 3];
    let changes = [(2, Codec::G722), (3, Codec::G722), (2, Codec::Opus)];
    for change in core::iter::once(None).chain(changes.map(Some)) {
        if let Some((number, codec)) = change {
            world.turn_to(&mut hummers, number, codec);
        }
        world.hum(&mut hummers, 1_000);
        // Whoever has G.711 hears both others, and so does the recording.
        assert_eq!(heard_by(&hummers, 1), [2, 3], "{change:?}");
        let [caller, others] = world.recorded();
        assert_eq!(whose(&hummers, &caller), [1], "{change:?}");
        assert_eq!(whose(&hummers, &others), [2, 3], "{change:?}");
        assert!((7_360..=8_160).contains(&others.len()), "{}", others.len());
        for (hummer, stream) in hummers.iter_mut().zip(&mut streams) {
            stream.append(&mut hummer.heard);
        }
    }
    for (stream, types) in streams.iter().zip([vec![8], vec![8, 9, 111], vec![8, 9]]) {
        let mut heard: Vec<u8> = stream
            .iter()
            .map(|(header, _)| header.payload_type)
            .collect();
        heard.dedup();
        assert_eq!(heard, types);
        for pair in stream.windows(2) {
            let (before, after) = (pair[0].0, pair[1].0);
            assert_eq!(after.ssrc, before.ssrc);
            assert_eq!(after.sequence, before.sequence.wrapping_add(1));
            let step = after.timestamp.wrapping_sub(before.timestamp);
            let expected = [160, 960];
            let changed = before.payload_type != after.payload_type;
            assert!(
                expected.contains(&step) || changed && step <= 1_920,
                "{step}"
            );
        }
        assert!((195..=201).contains(&stream.len()), "{}", stream.len());
    }
}

#[test]
fn a_supervisor_comes_whispers_and_goes_and_the_caller_hears_nothing_of_it() {
    let mut world = World::new();
    let mut hummers = world.hummers(3);
    world.bridge(Some(KEY));
    world.hum(&mut hummers, 200);
    let roles = [MixRole::Listening, MixRole::Whispering, MixRole::Barging];
    let at_caller: [&[u32]; 3] = [&[2], &[2], &[2, 3]];
    let at_operator: [&[u32]; 3] = [&[1], &[1, 3], &[1, 3]];
    for (number, role) in roles.into_iter().enumerate() {
        let all = [(1, MixRole::Caller), (2, MixRole::Operator), (3, role)];
        world.mix(&all, Some(KEY));
        world.hum(&mut hummers, 60);
        for hummer in &mut hummers {
            hummer.heard.clear();
        }
        world.recorded();
        world.hum(&mut hummers, 500);
        assert_eq!(heard_by(&hummers, 1), at_caller[number]);
        assert_eq!(heard_by(&hummers, 2), at_operator[number]);
        assert_eq!(heard_by(&hummers, 3), [1, 2]);
        let [caller, operators] = world.recorded();
        assert_eq!(whose(&hummers, &caller), [1], "{role:?}");
        assert_eq!(whose(&hummers, &operators), at_caller[number], "{role:?}");
    }
    world.close(3);
    world.bridge(Some(KEY));
    for hummer in &mut hummers {
        hummer.heard.clear();
    }
    world.hum(&mut hummers, 500);
    assert_eq!(heard_by(&hummers, 1), [2]);
    assert_eq!(heard_by(&hummers, 2), [1]);
}

#[test]
fn who_is_on_hold_hears_music_in_a_mix_as_well_and_one_who_comes_is_played_nothing() {
    let mut world = World::new();
    let mut hummers = world.hummers(3);
    world.bridge(None);
    world.play(1, true, 1);
    world.play(3, true, 2);
    world.mix(
        &[
            (1, MixRole::Caller),
            (2, MixRole::Operator),
            (3, MixRole::Listening),
        ],
        None,
    );
    world.hum(&mut hummers, 500);
    let music = world.worker.prompts[&PromptId(1)].alaw.clone();
    let at = |number: usize| hummers[number - 1].heard[3].1.clone();
    assert_eq!(
        at(1),
        music
            .iter()
            .copied()
            .cycle()
            .skip(480)
            .take(160)
            .collect::<Vec<_>>()
    );
    assert_eq!(heard_by(&hummers, 3), [1, 2]);
    world.tell(MediaCommand::Stop {
        call: CALL,
        leg: leg(1),
    });
    hummers[0].heard.clear();
    world.hum(&mut hummers, 500);
    assert_eq!(heard_by(&hummers, 1), [2]);
}

#[test]
fn a_key_of_a_party_is_pressed_to_the_others_and_one_of_a_supervisor_to_nobody() {
    let mut world = World::new();
    let hummers = world.hummers(4);
    world.mix(
        &[
            (1, MixRole::Caller),
            (2, MixRole::Operator),
            (3, MixRole::Guest),
            (4, MixRole::Barging),
        ],
        None,
    );
    for (number, expected) in [(2, vec![1, 3]), (4, vec![])] {
        let mut header = Header::new(101, 1, 160, 5);
        header.marker = true;
        let packet = [header.to_bytes().as_slice(), &[5, 10, 0, 160]].concat();
        let from: &Hummer = &hummers[number - 1];
        let to = Some(from.at_leg);
        world.peers.send(from.peer, to, &packet).unwrap();
        world.pass_ms(300);
        let mut pressed: Vec<usize> = world
            .heard()
            .iter()
            .filter(|(_, header, _)| header.payload_type == 101 && header.marker)
            .filter_map(|(socket, ..)| hummers.iter().position(|one| one.peer == *socket))
            .map(|at| at + 1)
            .collect();
        pressed.sort_unstable();
        assert_eq!(pressed, expected);
        let digits = world.events().into_iter();
        let digits = digits.filter(|event| matches!(event, MediaEvent::Digit { .. }));
        assert_eq!(digits.count(), 1);
    }
}

#[test]
fn a_leg_that_closes_leaves_the_others_and_their_recording_until_the_last_is_gone() {
    let mut world = World::new();
    let mut hummers = world.hummers(3);
    let three = [
        (1, MixRole::Caller),
        (2, MixRole::Operator),
        (3, MixRole::Guest),
    ];
    world.mix(&three, Some(KEY));
    world.hum(&mut hummers, 200);
    world.close(1);
    hummers[1].heard.clear();
    world.hum(&mut hummers, 300);
    assert_eq!(heard_by(&hummers, 2), [3]);
    let reason = PauseReason::Card;
    world.tell(MediaCommand::PauseRecording {
        call: CALL,
        leg: leg(3),
        reason,
    });
    world.recorded();
    world.close(3);
    assert_eq!(*world.notes.0.lock().unwrap(), []);
    world.close(2);
    assert_eq!(*world.notes.0.lock().unwrap(), [Tapped::Stop(KEY)]);
    // The same recording in another talk ends the first.
    world.recorded();
    for number in [4, 5, 6] {
        world.connect(number);
    }
    let two = [(4, MixRole::Caller), (5, MixRole::Operator)];
    world.mix(&two, Some(KEY));
    world.mix(&[(6, MixRole::Caller)], Some(KEY));
    let notes = world.notes.0.lock().unwrap().clone();
    let expected = [Tapped::Start(KEY), Tapped::Stop(KEY), Tapped::Start(KEY)];
    assert_eq!(notes, expected);
}
