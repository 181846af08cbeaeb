//! Audio of the tests: WAV files and pcap files read by hand, so that the engine's own reader
//! cannot hide its writer's faults; and likeness by normalised cross-correlation.

use std::path::Path;

/// Samples a second of everything here.
pub const RATE: usize = 8_000;

/// A sine of so many milliseconds, as a WAV file of 16 bits.
pub fn write_tone(path: &Path, hertz: f64, ms: usize) {
    let step = std::f64::consts::TAU * hertz / RATE as f64;
    let samples: Vec<i16> = (0..RATE * ms / 1_000)
        .map(|n| ((n as f64 * step).sin() * 8_000.0) as i16)
        .collect();
    write_mono(path, &samples);
}

/// A mono WAV file of 16 bits.
pub fn write_mono(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    samples
        .iter()
        .for_each(|sample| wav.write_sample(*sample).unwrap());
    wav.finalize().unwrap();
}

/// ITU-T G.711 A-law to 16-bit linear.
pub fn alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let mantissa = i32::from(code & 0x0f) * 16 + 8;
    let magnitude = match (code >> 4) & 7 {
        0 => mantissa,
        segment => (mantissa + 256) << (segment - 1),
    };
    (if code >= 0x80 { magnitude } else { -magnitude }) as i16
}

/// A stereo recording: caller left, operator right.
#[derive(Debug)]
pub struct Recording {
    pub caller: Vec<i16>,
    pub operator: Vec<i16>,
}

impl Recording {
    /// Reads a stereo WAV file of 8 or 16 kHz, A-law (format 6) or 16-bit linear (format 1). Of one of
    /// 16 kHz every two samples become one.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(&bytes[..4], b"RIFF");
        assert_eq!(&bytes[8..12], b"WAVE");
        let size = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        assert_eq!(size + 8, bytes.len(), "the RIFF size fits the file");
        let (mut at, mut format, mut samples, mut wide) = (12, None, None, false);
        while at + 8 <= bytes.len() {
            let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
            let chunk = &bytes[at + 8..at + 8 + length];
            match &bytes[at..at + 4] {
                b"fmt " => {
                    let number = |at| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
                    assert_eq!(number(2), 2, "two channels");
                    let rate = usize::from(number(4));
                    assert!([RATE, 2 * RATE].contains(&rate), "8 or 16 kHz, not {rate}");
                    wide = rate > RATE;
                    format = Some(number(0));
                }
                b"data" => samples = Some(chunk),
                _ => {}
            }
            at += 8 + length + length % 2;
        }
        let data = samples.expect("a data chunk");
        let all: Vec<i16> = match format.expect("a fmt chunk") {
            6 => data.iter().map(|code| alaw(*code)).collect(),
            1 => data
                .chunks_exact(2)
                .map(|two| i16::from_le_bytes([two[0], two[1]]))
                .collect(),
            other => panic!("WAV format {other}"),
        };
        let side = |first: usize| {
            let samples: Vec<i16> = all.iter().skip(first).step_by(2).copied().collect();
            if wide { halved(&samples) } else { samples }
        };
        Self {
            caller: side(0),
            operator: side(1),
        }
    }

    pub fn ms(&self) -> usize {
        self.caller.len() * 1_000 / RATE
    }
}

/// Samples of 16 kHz at 8 kHz.
fn halved(samples: &[i16]) -> Vec<i16> {
    let mean = |two: &[i16]| ((i32::from(two[0]) + i32::from(two[1])) / 2) as i16;
    samples.chunks_exact(2).map(mean).collect()
}

/// A WAV file of 16 bits, as another program wrote it: the mean of its channels at 8 kHz.
pub fn read_mono(path: &Path) -> Vec<i16> {
    let mut wav = hound::WavReader::open(path).unwrap();
    let spec = wav.spec();
    let each = spec.sample_rate as usize / RATE * usize::from(spec.channels);
    let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
    let mean = |some: &[i16]| {
        let sum: i32 = some.iter().map(|sample| i32::from(*sample)).sum();
        (sum / some.len() as i32) as i16
    };
    samples.chunks_exact(each).map(mean).collect()
}

/// The A-law audio of a pcap file of RTP packets (Ethernet, IPv4, UDP; no CSRC).
pub fn pcap_audio(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap();
    let mut samples = Vec::new();
    let mut at = 24;
    while at + 16 <= bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        let packet = &bytes[at + 16..at + 16 + length];
        // 14 Ethernet, 20 IPv4, 8 UDP (its length counts itself), 12 RTP.
        let udp = u16::from_be_bytes([packet[38], packet[39]]) as usize;
        samples.extend(packet[54..34 + udp].iter().map(|code| alaw(*code)));
        at += 16 + length;
    }
    assert!(samples.len() > RATE, "{} holds audio", path.display());
    samples
}

/// Where in `heard` the stretch `said` begins, and how like it is there (1 = the same up to
/// loudness). Found with the loudest second of `said`, measured over all of it that overlaps.
pub fn likeness(said: &[i16], heard: &[i16]) -> (isize, f64) {
    let window = RATE.min(said.len());
    let (start, _) = (0..=said.len() - window)
        .step_by(RATE / 10)
        .map(|start| (start, energy(&said[start..start + window])))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap();
    let key = &said[start..start + window];
    if heard.len() < window {
        return (0, 0.0);
    }
    let (at, _) = (0..=heard.len() - window)
        .map(|at| (at, correlation(key, &heard[at..at + window])))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap();
    let offset = at as isize - start as isize;
    let from = offset.max(0) as usize;
    let skipped = (from as isize - offset) as usize;
    let length = (said.len() - skipped).min(heard.len() - from);
    (
        offset,
        correlation(
            &said[skipped..skipped + length],
            &heard[from..from + length],
        ),
    )
}

/// The share of what was said that is heard, in pieces of 400 ms, each of which may lie up to 250 ms
/// beside its place: a jitter buffer moves audio when packets come late.
pub fn share_heard(said: &[i16], heard: &[i16]) -> f64 {
    const PIECE: usize = RATE * 4 / 10;
    const BESIDE: usize = RATE / 4;
    let (at, _) = likeness(said, heard);
    let mean = energy(said) / (said.len() / PIECE).max(1) as f64;
    let (mut pieces, mut found) = (0, 0);
    for (number, piece) in said.chunks_exact(PIECE).enumerate() {
        let place = at + (number * PIECE) as isize;
        // What was not sent, or is hardly more than the silence between words, tells nothing.
        let Ok(place) = usize::try_from(place) else {
            continue;
        };
        if energy(piece) < mean / 4.0 || place + PIECE + BESIDE > heard.len() {
            continue;
        }
        pieces += 1;
        let best = (place.saturating_sub(BESIDE)..=place + BESIDE)
            .map(|from| {
                heard
                    .get(from..from + PIECE)
                    .map_or(0.0, |part| correlation(piece, part))
            })
            .fold(0.0, f64::max);
        found += usize::from(best > 0.8);
    }
    assert!(pieces >= 5, "only {pieces} pieces of audio to compare");
    found as f64 / pieces as f64
}

/// How much of the sound is at a frequency, by its energy (Goertzel).
pub fn share_of_tone(samples: &[i16], hertz: f64) -> f64 {
    let whole = energy(samples);
    if whole == 0.0 {
        return 0.0;
    }
    // Over a twentieth of a second at a time, so that a clock that is a little off does not matter.
    let block = RATE / 20;
    let factor = 2.0 * (std::f64::consts::TAU * hertz / RATE as f64).cos();
    let at_tone = samples.chunks_exact(block).map(|block| {
        let (one, two) = block.iter().fold((0.0, 0.0), |(one, two), sample| {
            (f64::from(*sample) + factor * one - two, one)
        });
        (one * one + two * two - factor * one * two) * 2.0 / block.len() as f64
    });
    at_tone.sum::<f64>() / whole
}

fn energy(samples: &[i16]) -> f64 {
    samples
        .iter()
        .map(|sample| f64::from(*sample) * f64::from(*sample))
        .sum()
}

/// How like two sounds are, up to loudness.
pub fn correlation(a: &[i16], b: &[i16]) -> f64 {
    let product: i64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| i64::from(*a) * i64::from(*b))
        .sum();
    let size = (energy(a) * energy(b)).sqrt();
    if size == 0.0 {
        0.0
    } else {
        product as f64 / size
    }
}
