//! What one peer gets through holds, transfers, prompts, keys and the faults of networks is one stream:
//! one source, no number twice, timestamps that go on with the time (RFC 3550 §5.1).

use std::collections::BTreeMap;

use proptest::prelude::*;
use vocab::media::{Codec, EventTypes, Law, Remote};

use super::*;

/// A telephone that speaks, and the network that carries it.
#[derive(Debug, Clone, Copy)]
struct Speaker {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Milliseconds in a packet.
    ptime: u64,
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The other party speaks for so many packets; each suffers its fate.
    Speak(u8, u32),
    /// Nothing comes for a while, as when silence is not sent (DTX).
    Pause(u16),
    /// Frames of a prompt.
    Prompt(u8),
    /// A key is pressed towards the peer.
    Key,
    /// The other party is another one from now on: a transfer, a new device.
    Transfer {
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        ptime: u8,
    },
    /// The speaker's clock jumps.
    Jump(u32),
    /// The speaker's numbers jump.
    Renumber(u16),
    /// The peer puts us on hold and takes us back.
    Hold(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u8..60, any::<u32>()).prop_map(|(count, fates)| Step::Speak(count, fates)),
        2 => (1_u16..9_000).prop_map(Step::Pause),
        2 => (1_u8..40).prop_map(Step::Prompt),
        1 => Just(Step::Key),
        1 => any::<(u32, u16, u32, u8)>().prop_map(|(ssrc, sequence, timestamp, ptime)| {
            Step::Transfer { ssrc, sequence, timestamp, ptime }
        }),
        1 => any::<u32>().prop_map(Step::Jump),
        1 => any::<u16>().prop_map(Step::Renumber),
        1 => (1_u16..3_000).prop_map(Step::Hold),
    ]
}

/// The peer whose stream is looked at, and who speaks to it.
struct World {
    peer: Party,
    other: Party,
    speaker: Speaker,
    now: u64,
    got: Vec<(u64, Header, usize)>,
}

const PTIMES: [u64; 5] = [10, 20, 30, 40, 60];

impl World {
    fn new() -> Self {
        let party = |port, random| {
            let mut party = Party::new([random, 1, 2]);
            party.set_remote(Time::ZERO, remote(port, true));
            party
        };
        Self {
            peer: party(1, 0x1234_fff0_8765_4321),
            other: party(2, 9),
            speaker: Speaker {
                ssrc: 5,
                sequence: 65_500,
                timestamp: u32::MAX - 900,
                ptime: 20,
            },
            now: 0,
            got: Vec::new(),
        }
    }

    fn at(&self) -> Time {
        Time::from_millis(self.now)
    }

    fn take(&mut self, bytes: &[u8]) {
        let header = Header::parse(bytes).unwrap();
        self.got.push((self.now, header, header.payload().len()));
    }

    fn packet(&mut self) -> Vec<u8> {
        let Speaker {
            ssrc,
            sequence,
            timestamp,
            ptime,
            ..
        } = self.speaker;
        let samples = ptime as usize * 8;
        self.speaker.sequence = sequence.wrapping_add(1);
        self.speaker.timestamp = timestamp.wrapping_add(samples as u32);
        let header = Header::new(8, sequence, timestamp, ssrc);
        [header.to_bytes().as_slice(), &vec![0x55; samples]].concat()
    }

    fn carry(&mut self, mut bytes: Vec<u8>) {
        let now = self.at();
        let from = SocketAddr::from(([10, 0, 0, 1], 2));
        let arrival = receive(&mut self.other, now, from, &bytes, Latching::SdpAddress);
        let Some(arrival) = arrival else { return };
        let out =
            forward(&mut self.peer, now, &arrival, &mut bytes).map(|part| bytes[part].to_vec());
        if let Some(out) = out {
            self.take(&out);
        }
    }

    fn speak(&mut self, count: u8, mut fates: u32) {
        let mut held_back = None;
        for _ in 0..count {
            fates = fates.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let bytes = self.packet();
            self.now += self.speaker.ptime;
            match fates >> 28 {
                0 => {}
                1 => {
                    self.carry(bytes.clone());
                    self.carry(bytes);
                }
                2 if held_back.is_none() => held_back = Some(bytes),
                _ => {
                    self.carry(bytes);
                    if let Some(late) = held_back.take() {
                        self.carry(late);
                    }
                }
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Speak(count, fates) => self.speak(count, fates),
            Step::Pause(ms) => self.pause(u64::from(ms)),
            Step::Prompt(frames) => {
                self.peer.interrupt();
                for _ in 0..frames {
                    self.pause(20);
                    let (now, mut frame) = (self.at(), [0x55; FRAME_BYTES]);
                    prompt(&mut self.peer, now, Law::Pcma, &mut frame);
                    self.take(&frame);
                }
                self.peer.interrupt();
            }
            Step::Key => {
                for frame in 0..KEY_FRAMES {
                    self.pause(20);
                    let (now, mut room) = (self.at(), [0; FRAME_BYTES]);
                    if let Some(bytes) = key(&mut self.peer, now, ('5', frame), &mut room) {
                        let bytes = bytes.to_vec();
                        self.take(&bytes);
                    }
                }
                self.peer.interrupt();
            }
            Step::Transfer {
                ssrc,
                sequence,
                timestamp,
                ptime,
            } => {
                self.peer.interrupt();
                let ptime = PTIMES[usize::from(ptime) % PTIMES.len()];
                self.speaker = Speaker {
                    ssrc,
                    sequence,
                    timestamp,
                    ptime,
                };
            }
            Step::Jump(by) => self.speaker.timestamp = self.speaker.timestamp.wrapping_add(by),
            Step::Renumber(by) => self.speaker.sequence = self.speaker.sequence.wrapping_add(by),
            Step::Hold(ms) => {
                self.peer.set_remote(self.at(), remote(1, false));
                self.speak(2, 0xffff_ffff);
                self.pause(u64::from(ms));
                self.peer.set_remote(self.at(), remote(1, true));
            }
        }
    }

    /// Time in which the speaker's clock goes on.
    fn pause(&mut self, ms: u64) {
        self.now += ms;
        self.speaker.timestamp = self.speaker.timestamp.wrapping_add(ms as u32 * 8);
    }
}

fn remote(port: u16, send: bool) -> Remote {
    let address = SocketAddr::from(([10, 0, 0, 1], port));
    Remote {
        dtmf_send: EventTypes::narrow(101),
        dtmf_receive: EventTypes::narrow(101),
        send,
        ..Remote::new(address, Codec::Pcma)
    }
}

/// A number with the times it went round, from one near it.
fn unwrapped(number: u64, near: i64, bits: u32) -> i64 {
    let round = 1_i64 << bits;
    let ahead = (number as i64 - near).rem_euclid(round);
    if ahead < round / 2 {
        near + ahead
    } else {
        near + ahead - round
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_peer_hears_one_stream(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        let Some((start, first, _)) = world.got.first().copied() else { return Ok(()) };
        let mut by_number = BTreeMap::new();
        let (mut near, mut clock) = (i64::from(first.sequence), i64::from(first.timestamp));
        for (at, header, length) in &world.got {
            prop_assert_eq!(header.ssrc, first.ssrc);
            near = unwrapped(u64::from(header.sequence), near, 16);
            let before = by_number.insert(near, (*at, *header, *length));
            prop_assert!(before.is_none(), "number {} twice", near);
        }
        // In the order of numbers, as a telephone plays it.
        let mut end = i64::MIN;
        for (number, (at, header, length)) in by_number {
            let time = unwrapped(u64::from(header.timestamp), clock, 32);
            if header.payload_type != 8 {
                prop_assert!(time >= clock - 8 * 1_000, "an event of long ago");
                continue;
            }
            prop_assert!(time >= end, "{} begins within the one before it: {} < {}", number, time, end);
            clock = time;
            end = time + length as i64;
            // It keeps pace with the time: within a packet's length and what the network held back.
            let passed = (at - start) as i64 * 8;
            let pace = time - i64::from(first.timestamp) - passed;
            prop_assert!(pace.abs() < 8 * 400, "{} samples off after {} ms", pace, at - start);
        }
    }
}

#[test]
fn a_source_whose_clock_stands_still_or_goes_back_is_put_right() {
    let mut world = World::new();
    for timestamp in [840, 1_000, 1_000, 1_000, 840, 680, 840, 1_000] {
        world.speaker.timestamp = timestamp;
        let bytes = world.packet();
        world.now += 20;
        world.carry(bytes);
    }
    let stamps: Vec<u32> = world
        .got
        .iter()
        .map(|(_, header, _)| header.timestamp)
        .collect();
    let steps: Vec<u32> = stamps
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    assert_eq!(steps, [160; 7]);
}
