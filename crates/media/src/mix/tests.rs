//! Tones of several parties: who hears whom, what is recorded, how loud it is.

use core::f32::consts::TAU;

use udp_io::{SimNet, Udp};
use vocab::Time;
use vocab::media::MixRole::{Barging, Caller, Guest, Listening, Operator, Whispering};
use vocab::media::OpusWish;

use super::*;
use crate::codec::Encoder;
use crate::metronome::{Metronome, Player};

/// A party that hums one tone.
struct Hummer {
    socket: SocketId,
    tone: f32,
    height: f32,
    law: Law,
    at: u32,
    heard: Vec<i16>,
}

struct Room {
    mix: Mix,
    hummers: Vec<Hummer>,
    recorded: [Vec<i16>; 2],
    /// Of one who would like to come.
    spare: SocketId,
}

impl Room {
    /// Each hums a tone of its own: 300 Hz, 400 Hz, 500 Hz ...
    fn of(roles: &[MixRole]) -> Self {
        let mut sockets = SimNet::new().sockets();
        let mut metronome = Metronome::new();
        let hummers: Vec<Hummer> = (0..roles.len())
            .map(|number| Hummer {
                socket: sockets.bind("10.0.0.1:0".parse().unwrap()).unwrap(),
                tone: 300.0 + 100.0 * number as f32,
                height: 4_000.0,
                law: [Law::Pcma, Law::Pcmu][number % 2],
                at: 7_000 * number as u32,
                heard: Vec::new(),
            })
            .collect();
        let slot = metronome.add(Time::ZERO, Player::Leg(hummers[0].socket));
        let mut mix = Mix::new(slot, 99);
        for (hummer, role) in hummers.iter().zip(roles) {
            assert!(mix.seat(hummer.socket, *role));
        }
        Self {
            mix,
            hummers,
            recorded: [Vec::new(), Vec::new()],
            spare: sockets.bind("10.0.0.2:0".parse().unwrap()).unwrap(),
        }
    }

    /// All hum for so many beats.
    fn hum(&mut self, beats: usize) {
        for _ in 0..beats {
            for hummer in &mut self.hummers {
                let codes: Vec<u8> = (0..160)
                    .map(|at| {
                        let turn = (hummer.at + at) as f32 * hummer.tone / 8_000.0;
                        let sample = hummer.height * (TAU * turn).sin();
                        g711::encode(hummer.law, sample as i16)
                    })
                    .collect();
                let header = Header::new(hummer.law.payload_type(), 0, hummer.at, 1);
                hummer.at += 160;
                self.mix
                    .say(hummer.socket, &header, hummer.law.into(), &codes);
            }
            self.mix.beat();
            for number in 0..self.mix.len() {
                let (socket, _) = self.mix.party(number).unwrap();
                let hummer = self.hummers.iter_mut().find(|one| one.socket == socket);
                let hummer = hummer.unwrap();
                hummer.heard.extend(self.mix.hear(number));
            }
            let sides = [Side::Caller, Side::Operator];
            for (side, recorded) in sides.into_iter().zip(&mut self.recorded) {
                let mut room = [0; RECORDED_BYTES];
                let packet = self.mix.recorded(side, &mut room);
                let codes = packet.map_or(&[][..], |packet| &packet[HEADER_BYTES..]);
                recorded.extend(codes.iter().map(|code| g711::decode(Law::Pcma, *code)));
            }
        }
    }

    /// Whose tones are in what one of them heard in the last half second.
    fn heard_by(&self, number: usize) -> Vec<usize> {
        self.whose(&self.hummers[number].heard)
    }

    fn whose(&self, samples: &[i16]) -> Vec<usize> {
        let last = &samples[samples.len().saturating_sub(4_000)..];
        (0..self.hummers.len())
            .filter(|number| height(last, self.hummers[*number].tone) > 400.0)
            .collect()
    }
}

/// Goertzel: how high a tone stands in samples.
fn height(samples: &[i16], tone: f32) -> f32 {
    let turn = 2.0 * (TAU * tone / 8_000.0).cos();
    let (mut one, mut two) = (0.0_f32, 0.0_f32);
    for sample in samples {
        (one, two) = (f32::from(*sample) + turn * one - two, one);
    }
    let power = one * one + two * two - turn * one * two;
    2.0 * power.max(0.0).sqrt() / samples.len().max(1) as f32
}

#[test]
fn each_of_eight_hears_the_seven_others_and_not_itself() {
    let mut roles = [Operator; 8];
    roles[0] = Caller;
    let mut room = Room::of(&roles);
    room.hum(50);
    for number in 0..8 {
        let others: Vec<usize> = (0..8).filter(|other| *other != number).collect();
        assert_eq!(room.heard_by(number), others);
    }
    let ninth = room.spare;
    assert!(!room.mix.seat(ninth, Guest), "it is full");
}

#[test]
fn a_supervisor_hears_all_and_is_heard_as_the_role_says() {
    let heard = |role| {
        let mut room = Room::of(&[Caller, Operator, role]);
        room.hum(30);
        [0, 1, 2].map(|number| room.heard_by(number))
    };
    let pair = |one: &[usize], two: &[usize]| [one.to_vec(), two.to_vec(), vec![0, 1]];
    assert_eq!(heard(Listening), pair(&[1], &[0]));
    assert_eq!(heard(Whispering), pair(&[1], &[0, 2]));
    assert_eq!(heard(Barging), pair(&[1, 2], &[0, 2]));
}

#[test]
fn a_guest_hears_no_whisper() {
    let mut room = Room::of(&[Caller, Operator, Guest, Whispering]);
    room.hum(30);
    assert_eq!(room.heard_by(0), [1, 2]);
    assert_eq!(room.heard_by(1), [0, 2, 3]);
    assert_eq!(room.heard_by(2), [0, 1]);
    assert_eq!(room.heard_by(3), [0, 1, 2]);
}

#[test]
fn the_recording_has_the_caller_left_all_others_right_and_no_whisper() {
    let mut room = Room::of(&[Caller, Operator, Guest, Whispering]);
    room.hum(30);
    assert_eq!(room.whose(&room.recorded[0]), [0]);
    assert_eq!(room.whose(&room.recorded[1]), [1, 2]);
    let supervisor = room.hummers[3].socket;
    assert!(room.mix.seat(supervisor, Barging), "the role changes");
    room.hum(40);
    assert_eq!(room.whose(&room.recorded[0]), [0]);
    assert_eq!(room.whose(&room.recorded[1]), [1, 2, 3]);
    assert_eq!(room.heard_by(0), [1, 2, 3]);
}

#[test]
fn who_goes_is_not_heard_any_more() {
    let mut room = Room::of(&[Caller, Operator, Guest]);
    room.hum(10);
    room.mix.unseat(room.hummers[2].socket);
    room.hum(30);
    assert_eq!(room.heard_by(0), [1]);
    assert_eq!(room.heard_by(1), [0]);
}

#[test]
fn one_who_speaks_alone_is_as_loud_as_before() {
    let mut room = Room::of(&[Caller, Operator, Guest]);
    room.hummers[1].height = 0.0;
    room.hummers[2].height = 0.0;
    room.hum(30);
    let heard = height(&room.hummers[1].heard[800..], 300.0);
    assert!((3_900.0..4_100.0).contains(&heard), "{heard}");
}

#[test]
fn loud_voices_together_are_limited_and_not_cut() {
    let mut room = Room::of(&[Caller, Operator, Operator, Operator, Operator]);
    for hummer in &mut room.hummers {
        hummer.height = 15_000.0;
    }
    room.hum(50);
    let heard = &room.hummers[0].heard;
    // All four are there, as loud as each other, and nothing that no one hums.
    let heights: Vec<f32> = (4..8)
        .map(|tone| height(&heard[4_000..], tone as f32 * 100.0))
        .collect();
    assert!(
        heights.iter().all(|one| (5_000.0..15_000.0).contains(one)),
        "{heights:?}"
    );
    let beside = height(&heard[4_000..], 1_250.0);
    assert!(beside < 300.0, "distorted: {beside}");
    // It comes back once the others are silent.
    for hummer in &mut room.hummers[2..] {
        hummer.height = 0.0;
    }
    room.hum(60);
    let heard = &room.hummers[0].heard;
    let alone = height(&heard[heard.len() - 1_600..], 400.0);
    assert!((14_000.0..16_000.0).contains(&alone), "{alone}");
}

#[test]
fn an_overtaken_packet_of_a_codec_with_a_memory_is_as_one_that_was_lost() {
    let said = |order: &[u16]| {
        let mut room = Room::of(&[MixRole::Caller, MixRole::Operator]);
        let mut encoder = Encoder::new(Codec::G722, 16_000, OpusWish::default()).unwrap();
        let payloads: Vec<Vec<u8>> = (0..20)
            .map(|number| {
                let sample = |n: u32| {
                    let time = f64::from(number * 320 + n) / 16_000.0;
                    (8_000.0 * (time * 700.0 * core::f64::consts::TAU).sin()) as i16
                };
                let samples: Vec<i16> = (0..320).map(sample).collect();
                let mut payload = vec![0; 160];
                encoder.encode(&samples, &mut payload).unwrap();
                payload
            })
            .collect();
        let socket = room.hummers[0].socket;
        let mut heard = Vec::new();
        for (at, number) in order.iter().enumerate() {
            let header = Header::new(9, *number, u32::from(*number) * 160, 5);
            let payload = &payloads[usize::from(*number)];
            room.mix.say(socket, &header, Codec::G722, payload);
            // The overtaken one brings no beat of its own.
            if at == 0 || *number > order[at - 1] {
                room.mix.beat();
                heard.extend(room.mix.hear(1));
            }
        }
        heard
    };
    let lost: Vec<u16> = (0..20).filter(|number| *number != 10).collect();
    let mut overtaken = lost.clone();
    overtaken.insert(11, 10);
    let heard = said(&lost);
    assert!(heard.iter().any(|sample| sample.abs() > 7_000));
    assert_eq!(said(&overtaken), heard);
}

mod wide;
