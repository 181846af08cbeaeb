//! Owns one mix: who is in it, what each says and hears, what of it is recorded. A pure function of the
//! packets and the beats; nothing is allocated but when somebody comes.
//!
//! On each beat a frame of 20 ms is taken of every party ([`Mix::beat`]); then each is given the sum of
//! those whom it hears ([`Mix::hear`]), as linear samples, limited, and never itself.

mod inlet;

use udp_io::SocketId;
use vocab::media::{Codec, Law, MIX_PARTIES_MAX, MixRole, RecordingKey, Remote, Side};

use crate::audio::FRAME_SAMPLES;
use crate::ear::Ear;
use crate::incoming::MISORDER_MAX;
use crate::metronome::SlotId;
use crate::rtp::{HEADER_BYTES, Header};
use crate::speaker::Speaker;
use inlet::Inlet;

/// A frame as it is recorded: RTP with A-law.
pub(crate) const RECORDED_BYTES: usize = HEADER_BYTES + FRAME_SAMPLES;
/// The law of what is recorded.
const RECORDED_LAW: Law = Law::Pcma;
/// The highest sample that a sum may have, a little below full scale.
const CEILING: f32 = 31_000.0;
/// After a loud frame the gain comes back by so much in each frame: in a second.
const RECOVERY: f32 = 0.02;
/// Samples over which the gain goes down: 2 ms. What is above full scale meanwhile is cut.
const ATTACK: usize = 16;

/// 20 ms at 8 kHz.
pub(crate) type Frame = [i16; FRAME_SAMPLES];
type Sum = [i32; FRAME_SAMPLES];

/// The parties of one mix.
pub(crate) struct Mix {
    seats: Vec<Seat>,
    /// What is recorded, if something is.
    pub(crate) record: Option<RecordingKey>,
    /// Its beat.
    pub(crate) slot: SlotId,
    tracks: [Track; 2],
}

/// One party.
struct Seat {
    socket: SocketId,
    role: MixRole,
    inlet: Inlet,
    /// Decodes what is not G.711; made when such a packet comes.
    decoder: Option<Box<Ear>>,
    /// The newest packet that it decoded: source and number.
    decoded: Option<(u32, u16)>,
    /// Encodes for a peer whose codec is not G.711; made when it is first spoken to.
    speaker: Option<Box<Speaker>>,
    /// What it said in the last beat, and whether it said anything.
    said: Frame,
    speaks: bool,
    ear: Limiter,
}

/// What is recorded of one side: a stream of its own.
struct Track {
    side: Side,
    header: Header,
    limiter: Limiter,
}

impl Mix {
    /// A mix without parties; `ssrc` names its recorded streams.
    pub(crate) fn new(slot: SlotId, ssrc: u32) -> Self {
        let track = |side, ssrc| Track {
            side,
            header: Header::new(RECORDED_LAW.payload_type(), 0, 0, ssrc),
            limiter: Limiter::default(),
        };
        Self {
            seats: Vec::with_capacity(MIX_PARTIES_MAX),
            record: None,
            slot,
            tracks: [
                track(Side::Caller, ssrc),
                track(Side::Operator, ssrc.wrapping_add(1)),
            ],
        }
    }

    /// Somebody comes, or has another role from now on. False: it is full.
    pub(crate) fn seat(&mut self, socket: SocketId, role: MixRole) -> bool {
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.socket == socket) {
            seat.role = role;
            return true;
        }
        if self.seats.len() >= MIX_PARTIES_MAX {
            return false;
        }
        self.seats.push(Seat {
            socket,
            role,
            inlet: Inlet::new(),
            decoder: None,
            decoded: None,
            speaker: None,
            said: [0; FRAME_SAMPLES],
            speaks: false,
            ear: Limiter::default(),
        });
        true
    }

    /// Somebody goes.
    pub(crate) fn unseat(&mut self, socket: SocketId) {
        self.seats.retain(|seat| seat.socket != socket);
    }

    /// The party with this number, from 0.
    pub(crate) fn party(&self, number: usize) -> Option<(SocketId, MixRole)> {
        self.seats.get(number).map(|seat| (seat.socket, seat.role))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether a frame of each of them waits.
    pub(crate) fn is_ready(&self) -> bool {
        self.seats.iter().all(|seat| seat.inlet.is_ready())
    }

    /// The audio of a packet of a party.
    pub(crate) fn say(&mut self, socket: SocketId, header: &Header, codec: Codec, payload: &[u8]) {
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.socket == socket) else {
            return;
        };
        if let Some(law) = codec.law() {
            let samples = payload.iter().map(|code| g711::decode(law, *code));
            seat.inlet.push(header, samples);
            return;
        }
        // These codecs go on from the packet before: one that was overtaken would spoil those after it.
        let newest = seat.decoded.replace((header.ssrc, header.sequence));
        if let Some((ssrc, newest)) = newest
            && ssrc == header.ssrc
            && (1..=MISORDER_MAX).contains(&newest.wrapping_sub(header.sequence))
        {
            seat.decoded = Some((ssrc, newest));
            return;
        }
        let fitting = seat.decoder.take().filter(|decoder| decoder.knows(codec));
        let mut decoder = fitting.unwrap_or_else(|| Box::new(Ear::new(codec)));
        // The inlet counts samples of 8 kHz, whatever the clock of the codec.
        let clock = (codec.clock_rate() / g711::RATE).max(1);
        let mut timed = *header;
        timed.timestamp /= clock;
        let samples = decoder.hear(codec, payload).iter().copied();
        seat.inlet.push(&timed, samples);
        seat.decoder = Some(decoder);
    }

    /// 20 ms have passed: what each says in them.
    pub(crate) fn beat(&mut self) {
        for seat in &mut self.seats {
            seat.speaks = seat.inlet.take(&mut seat.said);
        }
    }

    /// Who speaks to the party with this number, if its codec is not G.711.
    pub(crate) fn speaker(&mut self, number: usize, remote: &Remote) -> Option<&mut Speaker> {
        let seat = self.seats.get_mut(number)?;
        let fitting = seat.speaker.take().filter(|one| one.fits(remote));
        seat.speaker = match fitting {
            Some(speaker) => Some(speaker),
            None => Speaker::new(remote, g711::RATE).ok().map(Box::new),
        };
        seat.speaker.as_deref_mut()
    }

    /// What the party with this number hears in this beat.
    pub(crate) fn hear(&mut self, number: usize) -> Frame {
        let (mut sum, mut heard) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
        let Some((socket, role)) = self.party(number) else {
            return heard;
        };
        add(&mut sum, &self.seats, |seat| {
            seat.socket != socket && seat.role.is_heard_by(role)
        });
        if let Some(seat) = self.seats.get_mut(number) {
            seat.ear.limit(&sum, &mut heard);
        }
        heard
    }

    /// What is recorded of a side in this beat, as a packet made in `room`; `None` if nobody there
    /// says anything.
    pub(crate) fn recorded<'room>(
        &mut self,
        side: Side,
        room: &'room mut [u8; RECORDED_BYTES],
    ) -> Option<&'room [u8]> {
        let mut sum = [0; FRAME_SAMPLES];
        let anybody = add(&mut sum, &self.seats, |seat| seat.role.side() == Some(side));
        let track = self.tracks.iter_mut().find(|track| track.side == side)?;
        let header = track.header;
        track.header.timestamp = header.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        if !anybody {
            return None;
        }
        track.header.sequence = header.sequence.wrapping_add(1);
        let (head, codes) = room.split_at_mut(HEADER_BYTES);
        for (place, octet) in head.iter_mut().zip(header.to_bytes()) {
            *place = octet;
        }
        let mut samples = [0; FRAME_SAMPLES];
        track.limiter.limit(&sum, &mut samples);
        encode(RECORDED_LAW, &samples, codes);
        Some(room)
    }
}

/// Adds up what some of the parties said; false if none of them said anything.
fn add(sum: &mut Sum, seats: &[Seat], of: impl Fn(&Seat) -> bool) -> bool {
    let mut anybody = false;
    for seat in seats.iter().filter(|seat| seat.speaks && of(seat)) {
        anybody = true;
        for (place, sample) in sum.iter_mut().zip(&seat.said) {
            *place += i32::from(*sample);
        }
    }
    anybody
}

/// Samples as codes of a law.
pub(crate) fn encode(law: Law, samples: &Frame, codes: &mut [u8]) {
    for (code, sample) in codes.iter_mut().zip(samples) {
        *code = g711::encode(law, *sample);
    }
}

/// Keeps a sum within what a sample can be: the gain goes down at once and comes back slowly.
struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    fn limit(&mut self, sum: &Sum, limited: &mut Frame) {
        let peak = sum.iter().map(|sample| sample.unsigned_abs()).max();
        let peak = peak.unwrap_or_default() as f32;
        let fits = if peak > CEILING { CEILING / peak } else { 1.0 };
        let before = self.gain;
        self.gain = fits.min(before + RECOVERY);
        let steps = if self.gain < before {
            ATTACK
        } else {
            FRAME_SAMPLES
        };
        let step = (self.gain - before) / steps as f32;
        for (at, (place, sample)) in limited.iter_mut().zip(sum).enumerate() {
            let gain = before + step * (at + 1).min(steps) as f32;
            // Cut at full scale: a conversion to an integer saturates.
            *place = (*sample as f32 * gain) as i16;
        }
    }
}

#[cfg(test)]
mod tests;
