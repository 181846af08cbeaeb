//! Owns audio codecs: payloads to linear samples and back. Refuses to know packets, time and loss;
//! of what is lost it only asks the codec itself.
//!
//! Contract: whatever is allocated is allocated by `new`; a frame costs none, no lock and no panic,
//! whatever the octets are. Samples are 16 bits, one channel.
//!
//! ```
//! use media::codec::{Decoder, Encoder, samples_in};
//! use vocab::media::{Codec, OpusWish};
//!
//! let mut encoder = Encoder::new(Codec::G722, 16_000, OpusWish::default())?;
//! let mut decoder = Decoder::new(Codec::G722, 16_000)?;
//! let (samples, mut payload) = ([0; 320], [0; 160]);
//! let octets = encoder.encode(&samples, &mut payload).unwrap();
//! let mut heard = [0; 320];
//! assert_eq!(decoder.decode(&payload[..octets], &mut heard), Some(samples_in(16_000, 20)));
//! # Ok::<(), media::codec::Unavailable>(())
//! ```

mod resample;

use audio_codec::Encoder as _;
use audio_codec::g722::{G722Decoder, G722Encoder};
use vocab::media::{Codec, Law, OpusWish};

pub use resample::Resampler;

/// Samples of the longest payload that is decoded: 120 ms (RFC 6716 §3.2.5) at 48 kHz.
pub const SAMPLES_MAX: usize = 5_760;
/// Octets of the longest payload that is made: 60 ms of G.711 or G.722. Opus is held below.
pub const PAYLOAD_MAX: usize = 480;
/// What Opus makes of a pause that need not be sent has so many octets at most (RFC 6716 §3.1).
pub const OPUS_PAUSE_MAX: usize = 2;
/// Samples a second of G.722.
const G722_RATE: u32 = 16_000;
/// How hard the encoder of Opus tries, of 10. At 5 speech is as good as at 10 to most ears and costs
/// half.
const OPUS_COMPLEXITY: i32 = 5;
/// The loss that Opus prepares for where the peer can make use of it: on average lines much less, in
/// bursts about this.
const OPUS_LOSS_PERCENT: i32 = 5;

/// A codec that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{codec:?} at {rate} Hz cannot be had: {problem}", codec = .codec.name())]
pub struct Unavailable {
    /// Which.
    pub codec: Codec,
    /// At which rate.
    pub rate: u32,
    /// What it said.
    pub problem: String,
}

/// Samples in so many milliseconds.
#[must_use]
pub const fn samples_in(rate: u32, ms: u32) -> usize {
    (rate / 1_000 * ms) as usize
}

/// The rate at which a codec is best taken where the other side has `wanted`: Opus has any of 8, 12,
/// 16, 24 and 48 kHz by itself, the others have their own.
#[must_use]
pub const fn rate_of(codec: Codec, wanted: u32) -> u32 {
    match codec {
        Codec::Pcmu | Codec::Pcma => g711::RATE,
        Codec::G722 => G722_RATE,
        Codec::Opus => wanted,
    }
}

/// Makes samples of payloads, in their order.
pub struct Decoder {
    codec: Codec,
    rate: u32,
    how: Decoding,
}

enum Decoding {
    G711(Law),
    G722(Box<G722Decoder>),
    Opus(opus::Decoder),
}

impl Decoder {
    /// A decoder that knows nothing yet. Its rate is that of [`rate_of`].
    ///
    /// # Errors
    /// If Opus has no such rate.
    pub fn new(codec: Codec, wanted: u32) -> Result<Self, Unavailable> {
        let rate = rate_of(codec, wanted);
        let how = match codec {
            Codec::Pcmu => Decoding::G711(Law::Pcmu),
            Codec::Pcma => Decoding::G711(Law::Pcma),
            Codec::G722 => Decoding::G722(Box::default()),
            Codec::Opus => {
                let made = opus::Decoder::new(rate, opus::Channels::Mono);
                Decoding::Opus(made.map_err(|problem| unavailable(codec, rate, &problem))?)
            }
        };
        Ok(Self { codec, rate, how })
    }

    /// What it decodes.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Samples a second.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// Decodes a payload into the beginning of `out` and says how many samples it was. `None`: it is
    /// none, or `out` has no room for it ([`SAMPLES_MAX`] always has).
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Option<usize> {
        if payload.is_empty() {
            return None;
        }
        match &mut self.how {
            Decoding::G711(law) => {
                let out = out.get_mut(..payload.len())?;
                for (sample, code) in out.iter_mut().zip(payload) {
                    *sample = g711::decode(*law, *code);
                }
                Some(payload.len())
            }
            Decoding::G722(decoder) => decoder.decode_frame_into(payload, out).ok(),
            Decoding::Opus(decoder) => decoder.decode(payload, out, false).ok(),
        }
    }

    /// Fills `out` with what a lost payload may have been, if the codec itself knows: Opus does, and
    /// goes on with the noise of a pause (RFC 6716 §4.4). `out` is whole 2.5 ms, 60 at most.
    pub fn conceal(&mut self, out: &mut [i16]) -> Option<usize> {
        match &mut self.how {
            Decoding::G711(_) | Decoding::G722(_) => None,
            Decoding::Opus(decoder) => decoder.decode(&[], out, false).ok(),
        }
    }

    /// Fills `out`, which is as long as the lost payload, with what the one after it repeats of it.
    pub fn recover(&mut self, after: &[u8], out: &mut [i16]) -> Option<usize> {
        match &mut self.how {
            Decoding::G711(_) | Decoding::G722(_) => None,
            Decoding::Opus(decoder) => decoder.decode(after, out, true).ok(),
        }
    }

    /// How long a payload lasts, in units of the RTP clock; `None` if it is no audio. Knows only the
    /// octets, and is cheap.
    #[must_use]
    pub fn units(codec: Codec, payload: &[u8]) -> Option<u32> {
        let units = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => payload.len(),
            // libopus says a negative number, which is an enormous one here, of what is no packet.
            Codec::Opus => {
                opus::packet::get_nb_samples(payload, codec.clock_rate()).unwrap_or_default()
            }
        };
        let max = SAMPLES_MAX;
        (1..=max).contains(&units).then_some(units as u32)
    }
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Decoder({} at {} Hz)", self.codec.name(), self.rate)
    }
}

/// Makes payloads of samples.
pub struct Encoder {
    codec: Codec,
    rate: u32,
    how: Encoding,
}

enum Encoding {
    G711(Law),
    G722(Box<G722Encoder>),
    Opus(opus::Encoder),
}

impl Encoder {
    /// An encoder that has heard nothing yet. Its rate is that of [`rate_of`].
    ///
    /// # Errors
    /// If Opus has no such rate.
    pub fn new(codec: Codec, wanted: u32, wish: OpusWish) -> Result<Self, Unavailable> {
        let rate = rate_of(codec, wanted);
        let how = match codec {
            Codec::Pcmu => Encoding::G711(Law::Pcmu),
            Codec::Pcma => Encoding::G711(Law::Pcma),
            Codec::G722 => Encoding::G722(Box::default()),
            Codec::Opus => {
                let made = opus_encoder(rate, wish);
                Encoding::Opus(made.map_err(|problem| unavailable(codec, rate, &problem))?)
            }
        };
        Ok(Self { codec, rate, how })
    }

    /// What it encodes to.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Samples a second.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// Encodes a frame (10, 20, 40 or 60 ms for Opus) into the beginning of `out` and says how many
    /// octets it was. `None`: there is no room ([`PAYLOAD_MAX`] has it for 60 ms), or the codec has
    /// no such frame. [`OPUS_PAUSE_MAX`] octets of Opus or less are a pause that need not be sent.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Option<usize> {
        match &mut self.how {
            Encoding::G711(law) => {
                let out = out.get_mut(..samples.len())?;
                for (code, sample) in out.iter_mut().zip(samples) {
                    *code = g711::encode(*law, *sample);
                }
                Some(samples.len())
            }
            Encoding::G722(encoder) => encoder.encode_into(samples, out).ok(),
            Encoding::Opus(encoder) => encoder.encode(samples, out).ok(),
        }
    }
}

impl core::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Encoder({} at {} Hz)", self.codec.name(), self.rate)
    }
}

fn opus_encoder(rate: u32, wish: OpusWish) -> Result<opus::Encoder, opus::Error> {
    let (mono, voice) = (opus::Channels::Mono, opus::Application::Voip);
    let mut encoder = opus::Encoder::new(rate, mono, voice)?;
    // RFC 7587 §3.1.1: speech is well served by 8 to 12 kbit/s narrow, 16 to 20 wide, 28 to 40 full;
    // what was coded once before needs more.
    let bits = match rate {
        0..=8_000 => 20_000,
        8_001..=16_000 => 28_000,
        _ => 40_000,
    };
    let most = i32::try_from(wish.bit_rate_max).unwrap_or(bits);
    encoder.set_bitrate(opus::Bitrate::Bits(bits.min(most)))?;
    // A rate that varies is above the mean by a third now and then: not where the peer has a limit.
    encoder.set_vbr(!wish.constant && bits <= most)?;
    encoder.set_complexity(OPUS_COMPLEXITY)?;
    encoder.set_inband_fec(wish.fec)?;
    encoder.set_packet_loss_perc(if wish.fec { OPUS_LOSS_PERCENT } else { 0 })?;
    encoder.set_dtx(wish.dtx)?;
    let band = match wish.playback_rate {
        0..12_000 => opus::Bandwidth::Narrowband,
        12_000..16_000 => opus::Bandwidth::Mediumband,
        16_000..24_000 => opus::Bandwidth::Wideband,
        24_000..48_000 => opus::Bandwidth::Superwideband,
        _ => opus::Bandwidth::Fullband,
    };
    encoder.set_max_bandwidth(band)?;
    Ok(encoder)
}

fn unavailable(codec: Codec, rate: u32, problem: &opus::Error) -> Unavailable {
    Unavailable {
        codec,
        rate,
        problem: problem.description().to_owned(),
    }
}

#[cfg(test)]
mod tests;
