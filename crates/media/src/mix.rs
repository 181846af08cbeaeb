//! Owns one mix: who is in it, what each says and hears, what of it is recorded. A pure function of the
//! packets and the beats; nothing is allocated but when somebody comes, or comes to have another codec.
//!
//! On each beat a frame of 20 ms is taken of every party ([`Mix::beat`]); then each is given the sum of
//! those whom it hears ([`Mix::hear`]), as linear samples, limited, and never itself.
//!
//! There are two bands, 8 kHz and 16 kHz. Each speaks in that of its codec; each hears, and the recording
//! has, a sum in its own band of what all say in it. Who speaks in the other band is brought into it, once
//! for all and only while somebody asks. So a mix has no rate of its own that could change: whoever comes
//! or goes changes nothing in what the others are sent of each other.

mod band;
mod inlet;
mod limiter;
mod seat;

use udp_io::SocketId;
use vocab::media::{Codec, Law, MIX_PARTIES_MAX, MixRole, RecordingKey, Remote, Side};

use crate::audio::FRAME_SAMPLES;
use crate::metronome::SlotId;
use crate::rtp::{HEADER_BYTES, Header};
use crate::speaker::Speaker;
use band::Band;
pub(crate) use band::{Frame, WideFrame};
use limiter::Limiter;
use seat::Seat;

/// A frame as it is recorded: RTP with A-law.
pub(crate) const RECORDED_BYTES: usize = HEADER_BYTES + FRAME_SAMPLES;
/// The law of what is recorded.
const RECORDED_LAW: Law = Law::Pcma;
/// Samples of a frame in the wider band.
const FRAME_MAX: usize = Band::Wide.frame();

/// The parties of one mix.
pub(crate) struct Mix {
    seats: Vec<Seat>,
    /// What is recorded, if something is.
    pub(crate) record: Option<RecordingKey>,
    /// Its beat.
    pub(crate) slot: SlotId,
    tracks: [Track; 2],
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
        self.seats.push(Seat::new(socket, role));
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
        self.seats.iter().all(Seat::is_ready)
    }

    /// The audio of a packet of a party.
    pub(crate) fn say(&mut self, socket: SocketId, header: &Header, codec: Codec, payload: &[u8]) {
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.socket == socket) {
            seat.say(header, codec, payload);
        }
    }

    /// 20 ms have passed: what each says in them.
    pub(crate) fn beat(&mut self) {
        self.seats.iter_mut().for_each(Seat::beat);
    }

    /// Who speaks to the party with this number, if its codec is not G.711; of samples at 16 kHz.
    pub(crate) fn speaker(&mut self, number: usize, remote: &Remote) -> Option<&mut Speaker> {
        self.seats.get_mut(number)?.speaker(remote)
    }

    /// What the party with this number hears in this beat, at 8 kHz.
    pub(crate) fn hear(&mut self, number: usize) -> Frame {
        let mut heard = [0; FRAME_SAMPLES];
        self.hear_in(Band::Narrow, number, &mut heard);
        heard
    }

    /// The same at 16 kHz.
    pub(crate) fn hear_wide(&mut self, number: usize) -> WideFrame {
        let mut heard = [0; FRAME_MAX];
        self.hear_in(Band::Wide, number, &mut heard);
        heard
    }

    fn hear_in(&mut self, band: Band, number: usize, heard: &mut [i16]) {
        let Some((socket, role)) = self.party(number) else {
            return;
        };
        let mut room = [0; FRAME_MAX];
        let sum = room.get_mut(..heard.len()).unwrap_or_default();
        add(sum, &mut self.seats, band, |seat| {
            seat.socket != socket && seat.role.is_heard_by(role)
        });
        if let Some(seat) = self.seats.get_mut(number) {
            seat.limiter.limit(sum, heard);
        }
    }

    /// What is recorded of a side in this beat, as a packet made in `room`; `None` if nobody there
    /// says anything.
    pub(crate) fn recorded<'room>(
        &mut self,
        side: Side,
        room: &'room mut [u8; RECORDED_BYTES],
    ) -> Option<&'room [u8]> {
        let mut sum = [0; FRAME_SAMPLES];
        let anybody = add(&mut sum, &mut self.seats, Band::Narrow, |seat| {
            seat.role.side() == Some(side)
        });
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
fn add(sum: &mut [i32], seats: &mut [Seat], band: Band, of: impl Fn(&Seat) -> bool) -> bool {
    let mut anybody = false;
    for seat in seats.iter_mut().filter(|seat| seat.speaks && of(seat)) {
        anybody = true;
        for (place, sample) in sum.iter_mut().zip(seat.said_in(band)) {
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

#[cfg(test)]
mod tests;
