//! Sides that speak in more than a telephone's band: G.722 and Opus, encoded for real, beside each
//! other and beside G.711.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod common;

use std::f64::consts::TAU;
use std::time::Duration;

use audio_codec::Encoder as _;
use audio_codec::g722::G722Encoder;
use common::{Bench, Stream, key, read, spool_files, stored, until};
use recorder::{AudioCodec, Payloads, Tap};
use vocab::Time;
use vocab::media::Side;

const START: Time = Time::from_millis(5_000);
/// Packets of 20 ms: four seconds.
const COUNT: usize = 200;
/// Above what a telephone carries.
const HIGH: f64 = 5_200.0;

fn sample(hz: f64, n: usize) -> i16 {
    (9_000.0 * (TAU * hz * n as f64 / 16_000.0).sin()) as i16
}

fn rtp(kind: u8, n: usize, units: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80, kind];
    out.extend((n as u16).to_be_bytes());
    out.extend(
        (u32::MAX - 5_000)
            .wrapping_add(n as u32 * units)
            .to_be_bytes(),
    );
    out.extend([0, 0, 1, kind]);
    out.extend(payload);
    out
}

fn g722(hz: f64) -> Vec<Vec<u8>> {
    let mut encoder = G722Encoder::new();
    let packet = |n: usize| {
        let samples: Vec<i16> = (0..320).map(|i| sample(hz, n * 320 + i)).collect();
        let mut payload = [0; 200];
        let length = encoder.encode_into(&samples, &mut payload).unwrap();
        rtp(9, n, 160, &payload[..length])
    };
    (0..COUNT).map(packet).collect()
}

fn opus(kind: u8, hz: f64) -> Vec<Vec<u8>> {
    let (mono, voice) = (opus::Channels::Mono, opus::Application::Voip);
    let mut encoder = opus::Encoder::new(16_000, mono, voice).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(48_000)).unwrap();
    let packet = |n: usize| {
        let samples: Vec<i16> = (0..320).map(|i| sample(hz, n * 320 + i)).collect();
        rtp(kind, n, 960, &encoder.encode_vec(&samples, 1_500).unwrap())
    };
    (0..COUNT).map(packet).collect()
}

fn talk(tap: &mut Tap, sides: [&[Vec<u8>]; 2]) {
    let [caller, operator] = sides;
    for (n, (left, right)) in caller.iter().zip(operator).enumerate() {
        let at = START + Duration::from_millis(20 * n as u64);
        tap.packet(key(1), Side::Caller, at, left);
        tap.packet(key(1), Side::Operator, at, right);
    }
    tap.stop(key(1), START + Duration::from_secs(4));
}

/// How much of a second of a channel is a tone of this pitch, whatever its phase: 1 is all.
fn share(channel: &[i16], rate: f64, hz: f64) -> f64 {
    let second = &channel[2 * rate as usize..3 * rate as usize];
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in second.iter().enumerate() {
        let (value, angle) = (f64::from(*sample), TAU * hz * n as f64 / rate);
        re += value * angle.cos();
        im += value * angle.sin();
        power += value * value;
    }
    2.0 * (re * re + im * im) / (power * rate).max(1.0)
}

#[test]
fn wideband_on_either_side_makes_a_file_of_16_khz_with_all_of_its_band() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    let tap = &mut taps[0];
    tap.start(key(1), START);
    // 111 is what was negotiated; 9 is G.722 without a word.
    let told = Payloads::of(&[(111, AudioCodec::Opus)]);
    tap.codecs(key(1), Side::Operator, START, told);
    talk(tap, [&g722(HIGH), &opus(111, 1_100.0)]);
    recorder.stop();
    let file = stored(seen);
    let ([left, right], manifest) = read(&bench.settings.root, &file);
    assert_eq!(
        (manifest.sample_rate, manifest.encoding.as_str()),
        (16_000, "pcm_s16le")
    );
    assert_eq!((file.duration_ms, left.len()), (4_000, 64_000));
    assert_eq!((file.caller_packets, file.operator_packets), (200, 200));
    let codecs = (&manifest.caller.codecs[..], &manifest.operator.codecs[..]);
    assert_eq!(codecs, (&["G722".to_owned()][..], &["opus".to_owned()][..]));
    assert!(
        share(&left, 16_000.0, HIGH) > 0.95,
        "{}",
        share(&left, 16_000.0, HIGH)
    );
    assert!(share(&right, 16_000.0, 1_100.0) > 0.95);
    assert!(
        share(&left, 16_000.0, 1_100.0) < 0.01,
        "each in its own channel"
    );
    let heard = manifest.heard.unwrap();
    assert!(heard.caller.speech_ms.abs_diff(4_000) < 200, "{heard:?}");
}

#[test]
fn a_telephone_beside_wideband_is_heard_in_its_place_and_pitch() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    taps[0].start(key(1), START);
    let telephone = Stream::new(Side::Caller, 8, 440.0);
    let narrow: Vec<_> = (0..COUNT).map(|n| telephone.packet(n)).collect();
    talk(&mut taps[0], [&narrow, &g722(HIGH)]);
    recorder.stop();
    let ([left, right], manifest) = read(&bench.settings.root, &stored(seen));
    assert_eq!(manifest.sample_rate, 16_000);
    assert!(share(&right, 16_000.0, HIGH) > 0.95);
    // Every second sample is one of the telephone's, in its place.
    let every_second: Vec<i16> = left.iter().step_by(2).copied().collect();
    assert!(common::likeness(&every_second, 0, 440.0, 31_000) > 0.99);
}

#[test]
fn a_type_that_means_another_codec_after_an_offer_is_decoded_as_that() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    let tap = &mut taps[0];
    tap.start(key(1), START);
    let (before, after) = (g722(HIGH), opus(96, 1_100.0));
    let as_96 = |packet: &Vec<u8>| {
        let mut packet = packet.clone();
        packet[1] = 96;
        packet
    };
    tap.codecs(
        key(1),
        Side::Caller,
        START,
        Payloads::of(&[(96, AudioCodec::G722)]),
    );
    for n in 0..COUNT {
        let at = START + Duration::from_millis(20 * n as u64);
        if n == 75 {
            tap.codecs(
                key(1),
                Side::Caller,
                at,
                Payloads::of(&[(96, AudioCodec::Opus)]),
            );
        }
        let packet = if n < 75 {
            as_96(&before[n])
        } else {
            after[n].clone()
        };
        tap.packet(key(1), Side::Caller, at, &packet);
    }
    until("it is in the spool", || {
        let counts = recorder.counts();
        counts.packets == 200 && counts.spool_bytes > 20_000
    });
    std::thread::sleep(Duration::from_millis(200)); // the last block, for the copy
    let copy = bench.copy_spool();
    tap.stop(key(1), START + Duration::from_secs(4));
    recorder.stop();
    let check = |root: &std::path::Path, file: &vocab::RecordingFile| {
        let ([left, _], manifest) = read(root, file);
        assert_eq!(manifest.caller.codecs, ["G722", "opus"]);
        assert_eq!(file.caller_packets, 200);
        assert!(share(&left, 16_000.0, 1_100.0) > 0.95);
        // The second before the change, moved to where `share` listens.
        let before = [vec![0; 28_000], left].concat();
        assert!(share(&before, 16_000.0, HIGH) > 0.95);
    };
    check(&bench.settings.root, &stored(seen));
    // The spool alone knows it as well.
    let (dir, reports) = Bench::repair(copy.path());
    check(&dir.path().join("recordings"), &stored(reports));
    assert!(spool_files(copy.path()).is_empty());
}

#[test]
fn what_is_no_opus_is_no_audio_and_stops_nothing() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    let tap = &mut taps[0];
    tap.start(key(1), START);
    tap.codecs(
        key(1),
        Side::Caller,
        START,
        Payloads::of(&[(111, AudioCodec::Opus)]),
    );
    let mut broken = opus(111, 1_100.0);
    for n in (10..60).step_by(10) {
        broken[n].truncate(12);
        broken[n].extend([0x03; 1]);
    }
    talk(tap, [&broken, &g722(HIGH)]);
    recorder.stop();
    let file = stored(seen);
    let (_, manifest) = read(&bench.settings.root, &file);
    assert_eq!((file.caller_packets, manifest.caller.other), (195, 5));
}
