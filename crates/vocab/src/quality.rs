//! Owns what is measured of one leg's audio, as the media plane tells it and the journal keeps it.

use serde::{Deserialize, Serialize};

use crate::media::Codec;

/// What came and went on a leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegCounts {
    /// RTP packets from the peer.
    pub received: u64,
    /// RTP packets to the peer.
    pub sent: u64,
    /// Packets missing in the peer's sequence numbers.
    pub lost: u64,
    /// Packets that came after one with a higher number.
    pub reordered: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets from strangers, or that are not what was agreed on; thrown away.
    pub refused: u64,
}

/// How good a leg's audio was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegQuality {
    /// The codec that was negotiated last; none if there was no session.
    pub codec: Option<Codec>,
    /// What the peer sent, as it reached us; none if nothing came.
    pub from_peer: Option<PathQuality>,
    /// What we sent, as the peer reports it (RTCP); none if it reports nothing.
    pub to_peer: Option<PathQuality>,
    /// The mean round trip between us and the peer, microseconds; none if the peer's reports do
    /// not give it.
    pub round_trip_us: Option<u32>,
    /// How the peer says that it hears us, with all that its own buffer makes of it; none if it sends
    /// no extended reports (RFC 3611).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_by_peer: Option<HeardByPeer>,
}

/// A peer's VoIP metrics of what we sent (RFC 3611 §4.7), as it told them last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardByPeer {
    /// Share of our packets that did not reach it.
    pub lost_permille: u16,
    /// Share that came too late for its buffer.
    pub discarded_permille: u16,
    /// Share of what is missing within bursts.
    pub burst_permille: u16,
    /// How long a burst lasts on average, milliseconds.
    pub burst_ms: u16,
    /// What its own buffer and audio add, milliseconds.
    pub delay_ms: u16,
    /// R by the E-model, 0 to 100; none if it does not say.
    pub r_factor: Option<u8>,
    /// Hundredths of a MOS, of listening alone.
    pub mos_listening: Option<u16>,
    /// Hundredths of a MOS, with the delay.
    pub mos_conversation: Option<u16>,
}

impl LegQuality {
    /// The worse of both directions, hundredths of a MOS.
    #[must_use]
    pub fn mos_worse(&self) -> Option<u16> {
        let both = [self.from_peer, self.to_peer];
        both.into_iter().flatten().map(|path| path.mos).min()
    }
}

/// One direction between us and a leg's peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathQuality {
    /// Packets that should have come.
    pub expected: u64,
    /// Those of them that did not.
    pub lost: u64,
    /// Mean interarrival jitter (RFC 3550 §6.4.1), microseconds.
    pub jitter_us: u32,
    /// The highest that it was.
    pub jitter_max_us: u32,
    /// What a listener makes of it by the E-model (ITU-T G.107), hundredths of a MOS: 100, bad, to
    /// 450, excellent.
    pub mos: u16,
}
