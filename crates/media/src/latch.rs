//! Owns the question where a leg's peer really is: symmetric RTP (RFC 4961), safe against strangers.
//!
//! | state   | from the SDP address | from elsewhere, `FirstSource`       | elsewhere, `SdpAddress` |
//! |---------|----------------------|-------------------------------------|-------------------------|
//! | Deaf    | refused              | refused                             | refused                 |
//! | Open    | → Locked             | second packet in sequence → Guessed | refused                 |
//! | Guessed | → Locked             | accepted from the source guessed, else refused | refused      |
//! | Locked  | accepted             | refused                             | refused                 |
//! | Proven  | accepted, from wherever it comes: ICE knows where a browser is, its key proves each packet |||
//!
//! `aim` at another address leads to Open from any state but Proven, `prove` to Proven from any,
//! `deafen` to Deaf. Packets from the SDP address need the
//! negotiated payload type to lock; a source is guessed by it as well.
//!
//! A guess is never final, however old: a stranger who finds the port before the peer speaks (it
//! may be silent for long, ringing or on hold) has the leg until the peer's first packet and no
//! longer. So the socket is connected in Locked only, where the system keeps strangers away; a
//! peer behind NAT costs a look at the address per packet instead. States go forward only: a
//! stranger cannot make a leg flap, as from Locked no packet leads anywhere. Who can forge the
//! peer's very address is not kept away by addresses at all; that is SRTP's matter.

use core::net::SocketAddr;
use core::time::Duration;

use vocab::Time;

use crate::rtp::Header;

/// Whose packets a leg may take for its peer's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Latching {
    /// Only those from the address in the peer's SDP.
    SdpAddress,
    /// Also the first source that sends two packets in sequence with the negotiated payload type,
    /// until one comes from the address in the SDP: a peer behind NAT does not know its own.
    #[default]
    FirstSource,
}

/// After a change of the peer's address its former source is not latched again for so long: its
/// last packets are still on the way.
const FORMER_SOURCE_BARRED: Duration = Duration::from_secs(1);

/// Where one leg's peer is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Latch {
    state: State,
    /// Where the peer was before, and until when that is not latched.
    former: Option<(SocketAddr, Time)>,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// The peer's address is not known; nobody is heard.
    #[default]
    Deaf,
    /// The SDP says where the peer should be; it has not been heard yet.
    Open {
        sdp: SocketAddr,
        candidate: Option<Candidate>,
    },
    /// Somebody else was heard first: the peer behind NAT, or a stranger.
    Guessed { sdp: SocketAddr, peer: SocketAddr },
    /// The peer was heard where the SDP says.
    Locked { sdp: SocketAddr },
    /// Who is there has shown the key of the peer's certificate, and so does each packet.
    Proven { peer: SocketAddr },
}

/// A source on probation (RFC 3550 §A.1): one packet can be a blind shot.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    next: u16,
}

/// What became of a packet's sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// A stranger, or not proven yet.
    Refused,
    /// The peer, or who is taken for it.
    Accepted,
    /// The peer, from now on the only one there can be.
    Locked,
}

impl Latch {
    /// The SDP names the peer's address. True if this is news and the latch is open again.
    pub(crate) fn aim(&mut self, now: Time, address: SocketAddr) -> bool {
        let (known, former) = match self.state {
            State::Deaf => (None, None),
            State::Open { sdp, .. } => (Some(sdp), None),
            State::Guessed { sdp, peer } => (Some(sdp), Some(peer)),
            State::Locked { sdp } => (Some(sdp), Some(sdp)),
            // What the SDP says of a browser's address is of no interest.
            State::Proven { .. } => return false,
        };
        // `c=0.0.0.0` (RFC 2543 hold) and port 0 name no place: the peer is where it was.
        if address.ip().is_unspecified() || address.port() == 0 || known == Some(address) {
            return false;
        }
        if let Some(former) = former {
            self.former = Some((former, now + FORMER_SOURCE_BARRED));
        }
        self.state = State::Open {
            sdp: address,
            candidate: None,
        };
        true
    }

    /// The peer is there: ICE and DTLS say so.
    pub(crate) const fn prove(&mut self, peer: SocketAddr) {
        self.state = State::Proven { peer };
    }

    /// Nobody is the peer until another word.
    pub(crate) const fn deafen(&mut self) {
        self.state = State::Deaf;
    }

    /// Whether RTCP from there, on the port of RTP, is the peer's.
    pub(crate) fn is_from_peer(&self, from: SocketAddr) -> bool {
        matches!(self.state, State::Proven { .. }) || self.target() == Some(from)
    }

    /// Where to send: to the peer heard, else to its SDP address.
    pub(crate) const fn target(&self) -> Option<SocketAddr> {
        match self.state {
            State::Deaf => None,
            State::Open { sdp, .. } | State::Locked { sdp } => Some(sdp),
            State::Guessed { peer, .. } | State::Proven { peer } => Some(peer),
        }
    }

    /// Judges the sender of a valid RTP packet. `fits`: it has a negotiated payload type.
    pub(crate) fn admit(
        &mut self,
        now: Time,
        from: SocketAddr,
        header: &Header,
        fits: bool,
        latching: Latching,
    ) -> Admission {
        match &mut self.state {
            State::Deaf => Admission::Refused,
            State::Proven { .. } => Admission::Accepted,
            State::Locked { sdp } if *sdp == from => Admission::Accepted,
            State::Locked { .. } => Admission::Refused,
            State::Guessed { peer, .. } if *peer == from => Admission::Accepted,
            State::Open { .. } | State::Guessed { .. } if !fits => Admission::Refused,
            State::Open { sdp, .. } | State::Guessed { sdp, .. } if *sdp == from => {
                self.state = State::Locked { sdp: from };
                Admission::Locked
            }
            State::Guessed { .. } => Admission::Refused,
            State::Open { sdp, candidate } => {
                let barred = self
                    .former
                    .is_some_and(|(who, until)| who == from && now < until);
                if latching == Latching::SdpAddress || barred {
                    return Admission::Refused;
                }
                let proven = candidate.is_some_and(|candidate| {
                    candidate.source == from
                        && candidate.ssrc == header.ssrc
                        && candidate.next == header.sequence
                });
                if proven {
                    let sdp = *sdp;
                    self.state = State::Guessed { sdp, peer: from };
                    return Admission::Accepted;
                }
                *candidate = Some(Candidate {
                    source: from,
                    ssrc: header.ssrc,
                    next: header.sequence.wrapping_add(1),
                });
                Admission::Refused
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn try_from(latch: &mut Latch, from: &str, sequence: u16, latching: Latching) -> Admission {
        latch.admit(
            Time::ZERO,
            at(from),
            &Header::new(8, sequence, 0, 7),
            true,
            latching,
        )
    }

    #[test]
    fn nobody_is_heard_before_the_address_is_known() {
        let mut latch = Latch::default();
        for sequence in 0..5 {
            let admission = try_from(&mut latch, "10.0.0.1:4000", sequence, Latching::FirstSource);
            assert_eq!(admission, Admission::Refused);
        }
        assert_eq!(latch.target(), None);
    }

    #[test]
    fn the_sdp_address_is_latched_at_once_and_locked() {
        let mut latch = Latch::default();
        assert!(latch.aim(Time::ZERO, at("10.0.0.1:4000")));
        assert_eq!(latch.target(), Some(at("10.0.0.1:4000")));
        let mut from = |who, sequence| try_from(&mut latch, who, sequence, Latching::FirstSource);
        assert_eq!(from("10.0.0.9:4000", 1), Admission::Refused);
        assert_eq!(from("10.0.0.1:4000", 500), Admission::Locked);
        assert_eq!(from("10.0.0.1:4000", 501), Admission::Accepted);
        assert_eq!(from("10.0.0.9:4000", 2), Admission::Refused);
        assert_eq!(from("10.0.0.9:4000", 3), Admission::Refused);
    }

    #[test]
    fn a_source_behind_nat_needs_two_packets_in_sequence() {
        let mut latch = Latch::default();
        latch.aim(Time::ZERO, at("192.168.0.5:4000"));
        let mut from = |who, sequence| try_from(&mut latch, who, sequence, Latching::FirstSource);
        assert_eq!(from("10.0.0.1:4000", 10), Admission::Refused);
        assert_eq!(from("10.0.0.1:4000", 13), Admission::Refused);
        assert_eq!(from("10.0.0.1:4000", 14), Admission::Accepted);
        assert_eq!(from("10.0.0.1:4000", 17), Admission::Accepted);
        assert_eq!(from("10.0.0.9:4000", 18), Admission::Refused);
        assert_eq!(from("10.0.0.9:4000", 19), Admission::Refused);
        assert_eq!(latch.target(), Some(at("10.0.0.1:4000")));
    }

    #[test]
    fn a_stranger_heard_first_yields_to_the_sdp_address_for_good() {
        let mut latch = Latch::default();
        latch.aim(Time::ZERO, at("10.0.0.1:4000"));
        let (peer, stranger) = ("10.0.0.1:4000", "10.0.0.9:4000");
        let late = Time::from_millis(3_600_000);
        let mut say = |now, who, sequence, fits| {
            let header = Header::new(8, sequence, 0, 7);
            let admission = latch.admit(now, at(who), &header, fits, Latching::FirstSource);
            (admission, latch.target())
        };
        say(Time::ZERO, stranger, 1, true);
        let guessed = (Admission::Accepted, Some(at(stranger)));
        assert_eq!(say(Time::ZERO, stranger, 2, true), guessed);
        // What was not agreed on proves nothing, from the peer's address either.
        let refused = (Admission::Refused, Some(at(stranger)));
        assert_eq!(say(late, peer, 500, false), refused);
        let locked = (Admission::Locked, Some(at(peer)));
        assert_eq!(say(late, peer, 501, true), locked, "however long it waited");
        for sequence in 3..9 {
            let refused = (Admission::Refused, Some(at(peer)));
            assert_eq!(say(late, stranger, sequence, true), refused);
            let accepted = (Admission::Accepted, Some(at(peer)));
            assert_eq!(say(late, peer, 500 + sequence, true), accepted);
        }
    }

    #[test]
    fn a_strict_leg_takes_its_sdp_address_only() {
        let mut latch = Latch::default();
        latch.aim(Time::ZERO, at("10.0.0.1:4000"));
        let mut from = |who, sequence| try_from(&mut latch, who, sequence, Latching::SdpAddress);
        assert_eq!(from("10.0.0.2:4000", 1), Admission::Refused);
        assert_eq!(from("10.0.0.2:4000", 2), Admission::Refused);
        assert_eq!(from("10.0.0.1:4000", 3), Admission::Locked);
    }

    #[test]
    fn another_payload_type_does_not_latch() {
        let mut latch = Latch::default();
        latch.aim(Time::ZERO, at("10.0.0.1:4000"));
        let header = Header::new(18, 1, 0, 7);
        let from = at("10.0.0.1:4000");
        let admission = latch.admit(Time::ZERO, from, &header, false, Latching::FirstSource);
        assert_eq!(admission, Admission::Refused);
    }

    #[test]
    fn another_address_latches_anew_and_bars_the_former_source() {
        let mut latch = Latch::default();
        latch.aim(Time::ZERO, at("10.0.0.1:4000"));
        assert_eq!(
            try_from(&mut latch, "10.0.0.1:4000", 1, Latching::FirstSource),
            Admission::Locked
        );
        assert!(
            !latch.aim(Time::ZERO, at("10.0.0.1:4000")),
            "the same address is no news"
        );
        assert!(
            !latch.aim(Time::ZERO, at("0.0.0.0:4000")),
            "hold does not move the peer"
        );
        assert!(latch.aim(Time::ZERO, at("10.0.0.2:4000")));
        for sequence in 2..6 {
            let admission = try_from(&mut latch, "10.0.0.1:4000", sequence, Latching::FirstSource);
            assert_eq!(admission, Admission::Refused);
        }
        assert_eq!(
            try_from(&mut latch, "10.0.0.2:4000", 1, Latching::FirstSource),
            Admission::Locked
        );
    }
}
