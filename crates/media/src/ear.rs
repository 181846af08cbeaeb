//! Owns the decoding of single packets where only a hint of what they hold is wanted: keys in the audio,
//! whether somebody speaks. Refuses to put them into order: what is heard here nobody listens to.

use vocab::media::{Codec, Law};

use crate::codec::{Decoder, Resampler, SAMPLES_MAX};

/// Decodes to samples at 8 kHz.
pub(crate) struct Ear {
    /// Of what is not G.711, which needs nothing.
    wide: Option<Wide>,
    samples: Box<[i16]>,
}

struct Wide {
    decoder: Decoder,
    down: Resampler,
    room: Box<[i16]>,
}

impl Ear {
    /// For a codec, and for both laws.
    pub(crate) fn new(codec: Codec) -> Self {
        let wide = codec.is_wideband().then(|| {
            let decoder = Decoder::new(codec, g711::RATE).ok()?;
            let down = Resampler::new(decoder.rate(), g711::RATE)?;
            let room = core::iter::repeat_n(0, SAMPLES_MAX).collect();
            Some(Wide {
                decoder,
                down,
                room,
            })
        });
        Self {
            wide: wide.flatten(),
            samples: core::iter::repeat_n(0, SAMPLES_MAX).collect(),
        }
    }

    /// Whether it understands a codec.
    pub(crate) fn knows(&self, codec: Codec) -> bool {
        let wide = self.wide.as_ref().map(|wide| wide.decoder.codec());
        !codec.is_wideband() || wide == Some(codec)
    }

    /// The samples of a payload at 8 kHz; none of what it does not understand.
    pub(crate) fn hear(&mut self, codec: Codec, payload: &[u8]) -> &[i16] {
        let length = match (codec.law(), &mut self.wide) {
            (Some(law), _) => self.codes(law, payload),
            (None, Some(wide)) if wide.decoder.codec() == codec => {
                let length = wide
                    .decoder
                    .decode(payload, &mut wide.room)
                    .unwrap_or_default();
                let heard = wide.room.get(..length).unwrap_or_default();
                wide.down.change(heard, &mut self.samples)
            }
            (None, _) => 0,
        };
        self.samples.get(..length).unwrap_or_default()
    }

    fn codes(&mut self, law: Law, codes: &[u8]) -> usize {
        for (sample, code) in self.samples.iter_mut().zip(codes) {
            *sample = g711::decode(law, *code);
        }
        codes.len().min(self.samples.len())
    }
}

impl core::fmt::Debug for Ear {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let codec = self.wide.as_ref().map(|wide| wide.decoder.codec());
        write!(f, "Ear({codec:?})")
    }
}
