//! Owns the question where a leg's peer really is: symmetric RTP (RFC 4961), safe against strangers.
//!
//! | state   | from the SDP address   | from elsewhere, `FirstSource`        | elsewhere, `SdpAddress` |
//! |---------|------------------------|--------------------------------------|-------------------------|
//! | Deaf    | refused                | refused                              | refused                 |
//! | Open    | → Locked               | second packet in sequence → Locked   | refused                 |
//! | Locked  | accepted if it is the peer, else refused | the same           | the same                |
//!
//! `aim` at another address leads to Open from any state.

use core::net::SocketAddr;
use core::time::Duration;

use vocab::Time;

use crate::rtp::Header;

/// Whose packets a leg may take for its peer's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Latching {
    /// Only those from the address in the peer's SDP.
    SdpAddress,
    /// Also the first source that sends two packets in sequence with the negotiated payload type:
    /// a peer behind NAT does not know its own address.
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
    /// The peer was heard.
    Locked { sdp: SocketAddr, peer: SocketAddr },
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
    /// The peer.
    Accepted,
    /// The peer, now known for the first time.
    Locked,
}

impl Latch {
    /// The SDP names the peer's address. True if this is news and the latch is open again.
    pub(crate) fn aim(&mut self, now: Time, address: SocketAddr) -> bool {
        let (known, former) = match self.state {
            State::Deaf => (None, None),
            State::Open { sdp, .. } => (Some(sdp), None),
            State::Locked { sdp, peer } => (Some(sdp), Some(peer)),
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

    /// Where to send: to the peer heard, else to its SDP address.
    pub(crate) const fn target(&self) -> Option<SocketAddr> {
        match self.state {
            State::Deaf => None,
            State::Open { sdp, .. } => Some(sdp),
            State::Locked { peer, .. } => Some(peer),
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
            State::Locked { peer, .. } if *peer == from => Admission::Accepted,
            State::Locked { .. } => Admission::Refused,
            State::Open { .. } if !fits => Admission::Refused,
            State::Open { sdp, .. } if *sdp == from => self.lock(from),
            State::Open { candidate, .. } => {
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
                *candidate = Some(Candidate {
                    source: from,
                    ssrc: header.ssrc,
                    next: header.sequence.wrapping_add(1),
                });
                if proven {
                    self.lock(from)
                } else {
                    Admission::Refused
                }
            }
        }
    }

    fn lock(&mut self, peer: SocketAddr) -> Admission {
        match self.state {
            State::Open { sdp, .. } | State::Locked { sdp, .. } => {
                self.state = State::Locked { sdp, peer };
                Admission::Locked
            }
            State::Deaf => Admission::Refused,
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
        assert_eq!(from("10.0.0.1:4000", 14), Admission::Locked);
        assert_eq!(from("192.168.0.5:4000", 15), Admission::Refused);
        assert_eq!(latch.target(), Some(at("10.0.0.1:4000")));
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
