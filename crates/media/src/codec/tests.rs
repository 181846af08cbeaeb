//! Owns the tests of codecs: what each keeps of a voice, and at which rates.

use proptest::prelude::*;

use super::*;

/// Something like speech: three tones of 200 to 3,000 Hz that come and go.
fn speech(rate: u32, seconds: u32) -> Vec<i16> {
    let sample = |n: u32| {
        let time = f64::from(n) / f64::from(rate);
        let tone = |frequency: f64| (core::f64::consts::TAU * frequency * time).sin();
        let swell = 0.6 + 0.4 * (core::f64::consts::TAU * 3.0 * time).sin();
        (swell * (4_000.0 * tone(210.0) + 2_000.0 * tone(930.0) + 800.0 * tone(2_700.0))) as i16
    };
    (0..rate * seconds).map(sample).collect()
}

/// What comes out of a codec, frame by frame of so many milliseconds.
fn through(codec: Codec, rate: u32, ms: u32, wish: OpusWish) -> (Vec<i16>, Vec<i16>) {
    let mut encoder = Encoder::new(codec, rate, wish).unwrap();
    let mut decoder = Decoder::new(codec, rate).unwrap();
    assert_eq!(encoder.rate(), decoder.rate());
    let said = speech(encoder.rate(), 2);
    let mut heard = Vec::new();
    let mut room = vec![0; SAMPLES_MAX];
    for frame in said.chunks_exact(samples_in(encoder.rate(), ms)) {
        let mut payload = [0; PAYLOAD_MAX];
        let octets = encoder.encode(frame, &mut payload).unwrap();
        let units = Decoder::units(codec, &payload[..octets]).unwrap();
        assert_eq!(units, codec.clock_rate() / 1_000 * ms);
        let samples = decoder.decode(&payload[..octets], &mut room).unwrap();
        assert_eq!(samples, frame.len());
        heard.extend(&room[..samples]);
    }
    (said, heard)
}

/// The best correlation of two pieces with up to 20 ms between them.
fn likeness(said: &[i16], heard: &[i16], rate: u32) -> f64 {
    let product = |a: &[i16], b: &[i16]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let length = heard.len() - samples_in(rate, 20);
    let said = &said[..length];
    (0..samples_in(rate, 20))
        .map(|late| {
            let heard = &heard[late..late + length];
            product(said, heard) / (product(said, said) * product(heard, heard)).sqrt()
        })
        .fold(0.0, f64::max)
}

#[test]
fn what_was_said_is_heard_through_every_codec() {
    let fec = OpusWish {
        fec: true,
        ..OpusWish::default()
    };
    for (codec, rates) in [
        (Codec::Pcma, &[8_000][..]),
        (Codec::Pcmu, &[8_000]),
        (Codec::G722, &[16_000]),
        (Codec::Opus, &[8_000, 16_000]),
    ] {
        for rate in rates {
            for ms in [10, 20, 40, 60] {
                let (said, heard) = through(codec, *rate, ms, fec);
                let likeness = likeness(&said, &heard, *rate);
                // Opus keeps what is heard, not the wave.
                let least = if codec == Codec::Opus { 0.85 } else { 0.99 };
                assert!(likeness > least, "{codec:?} {rate} {ms} ms: {likeness}");
            }
        }
    }
}

#[test]
fn opus_recovers_a_lost_frame_from_the_next_and_goes_on_without_it() {
    let wish = OpusWish {
        fec: true,
        ..OpusWish::default()
    };
    let mut encoder = Encoder::new(Codec::Opus, 16_000, wish).unwrap();
    let mut decoder = Decoder::new(Codec::Opus, 16_000).unwrap();
    let payloads: Vec<Vec<u8>> = speech(16_000, 1)
        .chunks_exact(320)
        .map(|frame| {
            let mut payload = [0; PAYLOAD_MAX];
            let octets = encoder.encode(frame, &mut payload).unwrap();
            payload[..octets].to_vec()
        })
        .collect();
    let loud = |frame: &[i16]| frame.iter().map(|s| i64::from(*s).pow(2)).sum::<i64>() / 320;
    let mut out = [0; 320];
    for payload in &payloads[..20] {
        decoder.decode(payload, &mut out).unwrap();
    }
    assert_eq!(decoder.recover(&payloads[21], &mut out), Some(320));
    assert!(loud(&out) > 1_000_000, "{}", loud(&out));
    assert_eq!(decoder.conceal(&mut out), Some(320));
    assert!(loud(&out) > 1_000_000, "{}", loud(&out));
    assert_eq!(
        Decoder::new(Codec::G722, 16_000).unwrap().conceal(&mut out),
        None
    );
}

/// Octets of each payload of Opus that 10 s of speech make, in 20 ms each.
fn octets(rate: u32, wish: OpusWish) -> Vec<usize> {
    let mut encoder = Encoder::new(Codec::Opus, rate, wish).unwrap();
    let said = speech(rate, 10);
    let frames = said.chunks_exact(samples_in(rate, 20));
    frames
        .map(|frame| encoder.encode(frame, &mut [0; PAYLOAD_MAX]).unwrap())
        .collect()
}

#[test]
fn opus_keeps_to_the_bit_rate_that_the_peer_wants_at_most() {
    let plain = OpusWish::default();
    let bits = |most| {
        let wish = OpusWish {
            bit_rate_max: most,
            ..plain
        };
        octets(16_000, wish).iter().sum::<usize>() * 8 / 10
    };
    let usual = bits(plain.bit_rate_max);
    assert!((20_000..=31_000).contains(&usual), "{usual}");
    for most in [6_000, 10_000, 16_000] {
        let made = bits(most);
        let most = most as usize;
        assert!((most / 2..=most).contains(&made), "{most}: {made}");
    }
}

#[test]
fn opus_makes_packets_of_one_length_for_who_wants_them_and_pauses_for_who_takes_them() {
    let plain = OpusWish::default();
    let constant = octets(
        8_000,
        OpusWish {
            constant: true,
            bit_rate_max: 12_000,
            ..plain
        },
    );
    assert!(
        constant.iter().all(|one| *one == 12_000 / 8 / 50),
        "{constant:?}"
    );
    let varying = octets(8_000, plain);
    assert!(varying.iter().any(|one| *one != varying[0]));
}

#[test]
fn a_rate_that_opus_has_not_is_named() {
    let problem = Decoder::new(Codec::Opus, 44_100).unwrap_err().to_string();
    assert!(problem.contains("44100 Hz"), "{problem}");
}

proptest! {
    #[test]
    fn octets_of_a_stranger_are_samples_or_none(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 1..8),
    ) {
        for codec in Codec::ALL {
            let mut decoder = Decoder::new(codec, 16_000).unwrap();
            let mut out = vec![0; SAMPLES_MAX];
            for payload in &payloads {
                let units = Decoder::units(codec, payload);
                if let Some(samples) = decoder.decode(payload, &mut out) {
                    let ms = units.unwrap() as f64 * 1_000.0 / f64::from(codec.clock_rate());
                    prop_assert_eq!(samples, (ms * f64::from(decoder.rate()) / 1_000.0) as usize);
                }
            }
        }
    }
}
