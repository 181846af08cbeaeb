//! Owns the decoding of single packets, each as it comes: for a hint of what they hold (keys in the
//! audio, whether somebody speaks) and for a mix. Refuses to put them into order, and to fill gaps.

use vocab::media::{Codec, Law};

use crate::codec::{Decoder, Resampler, SAMPLES_MAX};

/// Samples that a filter upwards remembers.
const REMEMBERED: usize = 32;

/// Decodes to samples at one rate, 8 or 16 kHz.
pub(crate) struct Ear {
    /// Of what is not G.711.
    wide: Option<Box<Wide>>,
    /// Of G.711, which needs nothing at 8 kHz.
    up: Option<Box<Resampler>>,
    /// Whether the packet before was G.711, too, so that `up` remembers it.
    goes_on: bool,
    samples: Box<[i16]>,
    /// What is decoded before its rate is changed.
    room: Box<[i16]>,
}

struct Wide {
    decoder: Decoder,
    down: Resampler,
}

impl Ear {
    /// For a codec, and for both laws.
    pub(crate) fn new(codec: Codec, rate: u32) -> Self {
        let wide = codec.is_wideband().then(|| {
            let decoder = Decoder::new(codec, rate).ok()?;
            let down = Resampler::new(decoder.rate(), rate)?;
            Some(Box::new(Wide { decoder, down }))
        });
        let wide = wide.flatten();
        let up = (rate > g711::RATE).then(|| Resampler::new(g711::RATE, rate));
        let up = up.flatten().map(Box::new);
        let room = usize::from(wide.is_some() || up.is_some()) * SAMPLES_MAX;
        Self {
            wide,
            up,
            goes_on: false,
            samples: core::iter::repeat_n(0, SAMPLES_MAX).collect(),
            room: core::iter::repeat_n(0, room).collect(),
        }
    }

    /// Whether it understands a codec.
    pub(crate) fn knows(&self, codec: Codec) -> bool {
        let wide = self.wide.as_ref().map(|wide| wide.decoder.codec());
        !codec.is_wideband() || wide == Some(codec)
    }

    /// The samples of a payload; none of what it does not understand.
    pub(crate) fn hear(&mut self, codec: Codec, payload: &[u8]) -> &[i16] {
        let goes_on = core::mem::replace(&mut self.goes_on, codec.law().is_some());
        let length = match (codec.law(), &mut self.wide) {
            (Some(law), _) => self.codes(law, payload, goes_on),
            (None, Some(wide)) if wide.decoder.codec() == codec => {
                let length = wide
                    .decoder
                    .decode(payload, &mut self.room)
                    .unwrap_or_default();
                let heard = self.room.get(..length).unwrap_or_default();
                wide.down.change(heard, &mut self.samples)
            }
            (None, _) => 0,
        };
        self.samples.get(..length).unwrap_or_default()
    }

    fn codes(&mut self, law: Law, codes: &[u8], goes_on: bool) -> usize {
        let Some(up) = &mut self.up else {
            return decode(law, codes, &mut self.samples);
        };
        let length = decode(law, codes, &mut self.room);
        let heard = self.room.get(..length).unwrap_or_default();
        if !goes_on && let [first, ..] = heard {
            // What it has not heard it takes for a mirror of what it hears: a silence before would be
            // an edge.
            up.forget();
            let before = heard.iter().skip(1).take(REMEMBERED).rev();
            for sample in before {
                up.change(&[first.saturating_mul(2).saturating_sub(*sample)], &mut []);
            }
        }
        up.change(heard, &mut self.samples)
    }
}

fn decode(law: Law, codes: &[u8], samples: &mut [i16]) -> usize {
    for (sample, code) in samples.iter_mut().zip(codes) {
        *sample = g711::decode(law, *code);
    }
    codes.len().min(samples.len())
}

impl core::fmt::Debug for Ear {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let codec = self.wide.as_ref().map(|wide| wide.decoder.codec());
        write!(f, "Ear({codec:?})")
    }
}
