//! Owns one party of a mix: what it says, in the band of its codec and, where somebody listens in the
//! other, in that one too. Refuses to know who hears whom.
//!
//! | band   | packet of G.711                                             | of G.722 or Opus |
//! |--------|-------------------------------------------------------------|------------------|
//! | Narrow | as it is                                                    | → Wide: what waits is brought to 16 kHz |
//! | Wide   | brought to 16 kHz; after a pause → Narrow, since nothing waits | as it is      |

use udp_io::SocketId;
use vocab::media::{Codec, Law, MixRole, Remote};

use super::band::{Band, WideFrame};
use super::inlet::Inlet;
use super::limiter::Limiter;
use crate::audio::FRAME_SAMPLES;
use crate::codec::Resampler;
use crate::ear::Ear;
use crate::incoming::MISORDER_MAX;
use crate::rtp::Header;
use crate::speaker::Speaker;

/// One party.
pub(super) struct Seat {
    pub(super) socket: SocketId,
    pub(super) role: MixRole,
    inlet: Inlet,
    /// Decodes for a wide inlet; made when a packet comes whose codec is not G.711.
    ear: Option<Box<Ear>>,
    /// The newest packet that it decoded: source and number.
    decoded: Option<(u32, u16)>,
    /// Of the newest packet.
    codec: Option<Codec>,
    /// What is added to the times of packets to have them on the inlet's line.
    offset: u32,
    /// What it said in the last beat, in which band, and whether it said anything.
    said: WideFrame,
    pub(super) band: Band,
    pub(super) speaks: bool,
    other: Other,
    pub(super) limiter: Limiter,
    /// Encodes for a peer whose codec is not G.711; made when it is first spoken to.
    speaker: Option<Box<Speaker>>,
}

/// The same in the other band.
struct Other {
    said: WideFrame,
    /// Whether it was asked for in the last beat.
    is_made: bool,
    /// Made when it is first asked for.
    change: Option<Box<Resampler>>,
    /// What was heard last in this band before the party went over to the other.
    seam: Option<i16>,
}

impl Seat {
    pub(super) fn new(socket: SocketId, role: MixRole) -> Self {
        Self {
            socket,
            role,
            inlet: Inlet::new(),
            ear: None,
            decoded: None,
            codec: None,
            offset: 0,
            said: [0; 2 * FRAME_SAMPLES],
            band: Band::Narrow,
            speaks: false,
            other: Other {
                said: [0; 2 * FRAME_SAMPLES],
                is_made: false,
                change: None,
                seam: None,
            },
            limiter: Limiter::default(),
            speaker: None,
        }
    }

    /// Whether a whole frame waits.
    pub(super) fn is_ready(&self) -> bool {
        self.inlet.is_ready()
    }

    /// The audio of a packet.
    pub(super) fn say(&mut self, header: &Header, codec: Codec, payload: &[u8]) {
        match (self.inlet.band(), codec.law()) {
            (Band::Narrow, Some(law)) => self.take_in(header, codec, law, payload),
            (Band::Wide, Some(law)) if self.inlet.is_idle() => {
                self.inlet.narrow();
                self.take_in(header, codec, law, payload);
            }
            (Band::Narrow, None) => {
                self.inlet.widen();
                self.offset = self.offset.wrapping_mul(2);
                self.decode(header, codec, payload);
            }
            (Band::Wide, _) => self.decode(header, codec, payload),
        }
    }

    /// G.711 as it is.
    fn take_in(&mut self, header: &Header, codec: Codec, law: Law, payload: &[u8]) {
        let place = self.place(header, codec);
        self.codec = Some(codec);
        let samples = payload.iter().map(|code| g711::decode(law, *code));
        self.inlet.push(header.ssrc, place, samples);
    }

    /// Anything, at 16 kHz.
    fn decode(&mut self, header: &Header, codec: Codec, payload: &[u8]) {
        // These codecs go on from the packet before: one that was overtaken would spoil those after it.
        let newest = self.decoded.replace((header.ssrc, header.sequence));
        if let Some((ssrc, newest)) = newest
            && ssrc == header.ssrc
            && (1..=MISORDER_MAX).contains(&newest.wrapping_sub(header.sequence))
        {
            self.decoded = Some((ssrc, newest));
            return;
        }
        let place = self.place(header, codec);
        let is_other = self.codec.replace(codec) != Some(codec);
        let fitting = self.ear.take().filter(|ear| ear.knows(codec));
        let mut ear = fitting.unwrap_or_else(|| Box::new(Ear::new(codec, Band::Wide.rate())));
        let end = self.inlet.end(header.ssrc);
        let end = end.filter(|end| *end == place && is_other);
        let samples = ear.hear(codec, payload);
        let step = end.map_or(0, |end| {
            let last = self.inlet.at(end.wrapping_sub(1));
            i32::from(last) - i32::from(samples.first().copied().unwrap_or(last))
        });
        let bent = |(at, sample): (usize, &i16)| Band::Wide.bend(step, at, *sample);
        let samples = samples.iter().enumerate().map(bent);
        self.inlet.push(header.ssrc, place, samples);
        self.ear = Some(ear);
    }

    /// Where a packet begins on the inlet's line.
    fn place(&mut self, header: &Header, codec: Codec) -> u32 {
        let (clock, rate) = (codec.clock_rate(), self.inlet.band().rate());
        let place = if clock > rate {
            header.timestamp / (clock / rate)
        } else {
            header.timestamp.wrapping_mul(rate / clock)
        };
        // Another clock has other times: what comes follows what waits.
        let before = self.codec.map(Codec::clock_rate);
        if before.is_some_and(|before| before != clock)
            && let Some(end) = self.inlet.end(header.ssrc)
        {
            self.offset = end.wrapping_sub(place);
        }
        place.wrapping_add(self.offset)
    }

    /// 20 ms have passed: what it says in them.
    pub(super) fn beat(&mut self) {
        if self.inlet.band() != self.band {
            self.go_over();
        } else if !self.other.is_made
            && let Some(change) = &mut self.other.change
        {
            change.forget();
        }
        self.other.is_made = false;
        let frame = self.said.get_mut(..self.band.frame()).unwrap_or_default();
        self.speaks = self.inlet.take(frame);
    }

    /// It speaks in the other band from now on.
    fn go_over(&mut self) {
        let last = self.said.get(self.band.frame() - 1).copied();
        self.band = self.band.other();
        self.other.change = None;
        self.other.seam = None;
        if self.speaks && self.band == Band::Wide {
            let mut before = [0; 2 * FRAME_SAMPLES];
            self.inlet.before(&mut before);
            if let Some(change) = self.other.change(self.band) {
                change.change(&before, &mut [0; FRAME_SAMPLES]);
            }
            self.other.seam = last;
        }
    }

    /// What it said in the last beat, in a band.
    pub(super) fn said_in(&mut self, band: Band) -> &[i16] {
        let said = self.said.get(..self.band.frame()).unwrap_or_default();
        if band == self.band {
            return said;
        }
        self.other.make(said, self.band);
        self.other.said.get(..band.frame()).unwrap_or_default()
    }

    /// Who speaks to it, if its codec is not G.711: of samples at 16 kHz, also where all others speak
    /// at 8. Opus would need ten seconds to become wide when one comes who does not.
    pub(super) fn speaker(&mut self, remote: &Remote) -> Option<&mut Speaker> {
        let fitting = self.speaker.take().filter(|one| one.fits(remote));
        self.speaker = match fitting {
            Some(speaker) => Some(speaker),
            None => Speaker::new(remote, Band::Wide.rate()).ok().map(Box::new),
        };
        self.speaker.as_deref_mut()
    }
}

impl Other {
    fn change(&mut self, from: Band) -> Option<&mut Resampler> {
        if self.change.is_none() {
            self.change = Resampler::new(from.rate(), from.other().rate()).map(Box::new);
        }
        self.change.as_deref_mut()
    }

    fn make(&mut self, said: &[i16], from: Band) {
        if core::mem::replace(&mut self.is_made, true) {
            return;
        }
        let mut frame = [0; 2 * FRAME_SAMPLES];
        if let Some(change) = self.change(from) {
            change.change(said, &mut frame);
        }
        if let (Some(last), [first, ..]) = (self.seam.take(), frame) {
            let step = i32::from(last) - i32::from(first);
            for (at, sample) in frame.iter_mut().enumerate() {
                *sample = from.other().bend(step, at, *sample);
            }
        }
        self.said = frame;
    }
}
