//! Owns the making of packets for a peer whose codec is not what we have: samples in, payloads of
//! the codec and the length that the peer wants out. Refuses to know headers and times.

use vocab::media::{Codec, OpusWish, Remote};

use crate::codec::{self, Encoder, Resampler, Unavailable, samples_in};

/// Samples that may be gathered: 60 ms and a frame more, at 16 kHz.
const GATHERED_MAX: usize = 1_280;
/// A frame of 20 ms at 16 kHz.
const FRAME_MAX: usize = 320;

/// Speaks to one peer.
pub(crate) struct Speaker {
    encoder: Encoder,
    resampler: Resampler,
    packet_ms: u32,
    wish: OpusWish,
    gathered: Vec<i16>,
}

/// A payload that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// Octets; zero if it is a pause that is not sent.
    pub(crate) octets: usize,
    /// Units of the RTP clock.
    pub(crate) units: u32,
}

impl Speaker {
    /// To a peer, of samples of this rate.
    ///
    /// # Errors
    /// If there is no way from this rate to the peer's.
    pub(crate) fn new(remote: &Remote, rate: u32) -> Result<Self, Unavailable> {
        let encoder = Encoder::new(remote.codec, rate, remote.opus)?;
        let resampler = Resampler::new(rate, encoder.rate()).ok_or_else(|| Unavailable {
            codec: remote.codec,
            rate,
            problem: "no whole ratio of rates".to_owned(),
        })?;
        Ok(Self {
            encoder,
            resampler,
            packet_ms: packet_ms(remote),
            wish: remote.opus,
            gathered: Vec::with_capacity(GATHERED_MAX),
        })
    }

    /// Whether it speaks as this peer wants it.
    pub(crate) fn fits(&self, remote: &Remote) -> bool {
        self.encoder.codec() == remote.codec
            && self.wish == remote.opus
            && self.packet_ms == packet_ms(remote)
    }

    /// Takes a frame of 20 ms at most.
    pub(crate) fn say(&mut self, samples: &[i16]) {
        let mut room = [0; FRAME_MAX];
        let count = self.resampler.change(samples, &mut room);
        let free = self.gathered.capacity() - self.gathered.len();
        let samples = room.get(..count.min(free)).unwrap_or_default();
        self.gathered.extend_from_slice(samples);
    }

    /// Makes the next payload, if enough was said for one. Call until `None`.
    pub(crate) fn payload(&mut self, room: &mut [u8]) -> Option<Spoken> {
        let length = samples_in(self.encoder.rate(), self.packet_ms);
        let frame = self.gathered.get(..length)?;
        let octets = self.encoder.encode(frame, room).unwrap_or_default();
        self.gathered.drain(..length);
        let is_pause = self.encoder.codec() == Codec::Opus && octets <= codec::OPUS_PAUSE_MAX;
        Some(Spoken {
            octets: if is_pause { 0 } else { octets },
            units: self.encoder.codec().clock_rate() / 1_000 * self.packet_ms,
        })
    }
}

/// Opus has frames of 10, 20, 40 and 60 ms (RFC 6716 §2.1.4); of the others each ten is a packet.
fn packet_ms(remote: &Remote) -> u32 {
    let ms = u32::from(remote.packet_ms);
    match remote.codec {
        Codec::Opus if !ms.is_multiple_of(20) && ms > 10 => ms - 10,
        _ => ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(codec: Codec, packet_ms: u8) -> Remote {
        Remote {
            packet_ms,
            ..Remote::new("10.0.0.1:4000".parse().unwrap(), codec)
        }
    }

    #[test]
    fn packets_are_as_long_as_the_peer_wants_and_nothing_is_lost() {
        for codec in Codec::ALL {
            for ms in [10, 20, 30, 40, 50, 60] {
                let mut speaker = Speaker::new(&remote(codec, ms), 8_000).unwrap();
                let mut units = 0;
                for _ in 0..60 {
                    speaker.say(&[500; 160]);
                    let mut room = [0; codec::PAYLOAD_MAX];
                    while let Some(spoken) = speaker.payload(&mut room) {
                        assert!(spoken.octets > 0);
                        units += spoken.units;
                    }
                }
                let all = codec.clock_rate() / 1_000 * 20 * 60;
                let short = codec.clock_rate() / 1_000 * 60;
                assert!(
                    units <= all && units + short >= all,
                    "{codec:?} {ms}: {units}"
                );
            }
        }
    }

    #[test]
    fn a_pause_is_not_sent_to_who_wants_none() {
        let mut wanted = remote(Codec::Opus, 20);
        wanted.opus.dtx = true;
        let mut speaker = Speaker::new(&wanted, 8_000).unwrap();
        assert!(speaker.fits(&wanted) && !speaker.fits(&remote(Codec::Opus, 20)));
        let mut sent = 0;
        for _ in 0..100 {
            speaker.say(&[0; 160]);
            let spoken = speaker.payload(&mut [0; codec::PAYLOAD_MAX]).unwrap();
            sent += u32::from(spoken.octets > 0);
        }
        assert!(sent < 40, "{sent}");
    }
}
