//! Owns the tests of the listener: loss, order, clocks that are off.

use core::f64::consts::TAU;

use proptest::prelude::*;
use vocab::media::OpusWish;

use super::*;
use crate::codec::{Encoder, PAYLOAD_MAX};

/// A tone of 400 Hz in packets of 20 ms: when each comes, if it does.
struct Sender {
    codec: Codec,
    encoder: Encoder,
    number: u16,
    at: usize,
}

impl Sender {
    fn new(codec: Codec) -> Self {
        let wish = OpusWish {
            fec: true,
            ..OpusWish::default()
        };
        Self {
            codec,
            encoder: Encoder::new(codec, 16_000, wish).unwrap(),
            number: 65_500,
            at: 0,
        }
    }

    fn next(&mut self) -> (Header, Vec<u8>) {
        let rate = self.encoder.rate();
        let sample = |n: usize| (8_000.0 * (TAU * 400.0 * n as f64 / f64::from(rate)).sin()) as i16;
        let frame: Vec<i16> = (self.at..self.at + samples_in(rate, 20))
            .map(sample)
            .collect();
        self.at += frame.len();
        let mut payload = [0; PAYLOAD_MAX];
        let octets = self.encoder.encode(&frame, &mut payload).unwrap();
        let units = self.codec.clock_rate() / 50;
        let count = u32::from(self.number.wrapping_sub(65_500));
        let header = Header::new(8, self.number, (count * units).wrapping_sub(99_999), 5);
        self.number = self.number.wrapping_add(1);
        (header, payload[..octets].to_vec())
    }
}

/// What is heard in so many seconds of a stream, each packet of which has a fate: how many ms late
/// it is, or that it is lost. Gives the frames from the first that is heard.
fn heard(codec: Codec, seconds: u64, fate: impl Fn(u64) -> Option<u64>) -> (Vec<Vec<i16>>, Counts) {
    let mut sender = Sender::new(codec);
    let mut listener = Listener::new(codec, 16_000).unwrap();
    let mut way: Vec<(u64, Header, Vec<u8>)> = Vec::new();
    for number in 0..seconds * 50 {
        let (header, payload) = sender.next();
        if let Some(late) = fate(number) {
            way.push((5 + number * 20 + late, header, payload));
        }
    }
    way.sort_by_key(|(at, ..)| *at);
    let mut way = way.into_iter().peekable();
    let mut frames = Vec::new();
    for now in 0..seconds * 1_000 {
        while let Some((_, header, payload)) = way.next_if(|(at, ..)| *at <= now) {
            listener.put(Time::from_millis(now), &header, Some(&payload));
        }
        if now % 20 == 13 {
            let mut frame = vec![0; samples_in(listener.rate(), 20)];
            let there = listener.fill(Time::from_millis(now), &mut frame);
            assert!(there || frames.is_empty());
            if there {
                frames.push(frame);
            }
        }
    }
    (frames, listener.counts())
}

fn loud(frame: &[i16]) -> f64 {
    let sum: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (sum / frame.len() as f64).sqrt()
}

#[test]
fn a_steady_stream_is_heard_whole_and_soon() {
    for codec in Codec::ALL {
        let (frames, counts) = heard(codec, 10, |_| Some(0));
        assert_eq!(counts, Counts::default(), "{codec:?}");
        let silent = frames
            .iter()
            .skip(5)
            .filter(|frame| loud(frame) < 3_000.0)
            .count();
        assert_eq!(silent, 0, "{codec:?}");
        assert!(frames.len() >= 498, "{codec:?}: {}", frames.len());
    }
}

#[test]
fn loss_and_reorder_of_5_percent_leave_no_hole() {
    for codec in Codec::ALL {
        let fate = |number: u64| match number * 7_919 % 100 {
            0..5 => None,
            5..10 => Some(35),
            _ => Some(number * 31 % 5),
        };
        let (frames, counts) = heard(codec, 20, fate);
        assert!(
            (40..70).contains(&counts.concealed),
            "{codec:?}: {counts:?}"
        );
        let silent = frames
            .iter()
            .skip(10)
            .filter(|frame| loud(frame) < 1_000.0)
            .count();
        assert!(silent <= 2, "{codec:?}: {silent} silent, {counts:?}");
        assert!(frames.len() >= 990, "{codec:?}: {}", frames.len());
    }
}

#[test]
fn a_burst_is_caught_up_with_and_a_stop_is_silence() {
    // Two seconds arrive half a second late, the rest in time.
    let late = |number: u64| {
        Some(if (100..125).contains(&number) {
            500 - (number - 100) * 20
        } else {
            0
        })
    };
    let (frames, counts) = heard(Codec::Pcma, 20, late);
    assert!(counts.shortened > 0 || counts.concealed > 0, "{counts:?}");
    let end = frames.len() - 20;
    assert!(frames[end..].iter().all(|frame| loud(frame) > 3_000.0));
    let (frames, _) = heard(Codec::Pcma, 8, |number| (number < 100).then_some(0));
    assert!(frames[130..].iter().all(|frame| loud(frame) < 1.0));
}

#[test]
fn a_clock_that_is_a_little_fast_or_slow_is_followed() {
    for (codec, step) in [(Codec::Pcma, 20_010), (Codec::Pcma, 19_990)] {
        let mut sender = Sender::new(codec);
        let mut listener = Listener::new(codec, 16_000).unwrap();
        let (mut next, mut frame) = (0, vec![0; 160]);
        let mut waits = Vec::new();
        for beat in 1..6_000_u64 {
            let now = beat * 20_000 + 7_000;
            while next <= now {
                let (header, payload) = sender.next();
                listener.put(Time::from_micros(next), &header, Some(&payload));
                next += step;
            }
            listener.fill(Time::from_micros(now), &mut frame);
            waits.push(listener.jitter.waiting());
        }
        assert!(
            waits.iter().all(|waits| *waits <= 5),
            "{:?}",
            waits.iter().max()
        );
        let counts = listener.counts();
        assert!(counts.shortened + counts.lengthened <= 20, "{counts:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_packets_at_any_time_give_whole_frames(
        codec in prop::sample::select(Codec::ALL.to_vec()),
        packets in prop::collection::vec(
            (any::<u16>(), any::<u32>(), 0_u32..2, prop::collection::vec(any::<u8>(), 0..500), 0_u64..90), 1..80),
    ) {
        let mut listener = Listener::new(codec, 8_000).unwrap();
        let (mut now, capacity) = (0, listener.samples.capacity());
        let mut frame = vec![0; samples_in(listener.rate(), 20)];
        for (number, timestamp, source, payload, pause) in packets {
            now += pause;
            let header = Header::new(8, number % 50, timestamp % 9_000, source);
            let payload = (!payload.len().is_multiple_of(5)).then_some(payload.as_slice());
            listener.put(Time::from_millis(now), &header, payload);
            listener.fill(Time::from_millis(now), &mut frame);
            prop_assert_eq!(listener.samples.capacity(), capacity, "nothing was allocated");
        }
    }
}
