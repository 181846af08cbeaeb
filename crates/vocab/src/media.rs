//! Owns what the switch and the media plane say to each other.
//!
//! The switch decides; the media plane owns sockets and clocks. Commands for one call must reach
//! one media thread in the order they were given.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::srtp::Crypto;
use crate::{CallId, LegId};

/// A G.711 law (RFC 3551 §4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// µ-law, static payload type 0.
    Pcmu,
    /// A-law, static payload type 8.
    Pcma,
}

impl Codec {
    /// The static RTP payload type (RFC 3551 §6).
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }
}

/// Where and how a leg's peer wants its audio, as negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Remote {
    /// The peer's RTP address from its SDP.
    pub address: SocketAddr,
    /// The codec of both directions.
    pub codec: Codec,
    /// The payload type on which the peer takes telephone-events (RFC 4733), if it does.
    pub dtmf_send: Option<u8>,
    /// The payload type on which we said we take telephone-events, if we did.
    pub dtmf_receive: Option<u8>,
    /// Audio we may send: false when the peer said `sendonly`, `inactive` or `c=0.0.0.0`.
    pub send: bool,
    /// How its packets and ours are protected; `None`: they are in clear. Never written down.
    #[serde(skip)]
    pub crypto: Option<Crypto>,
}

/// An audio source known to the media plane: a prompt or a piece of music.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptId(pub u32);

/// Which side of a recording a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The left channel.
    Caller,
    /// The right channel.
    Operator,
}

/// One recording: a segment of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordingKey {
    /// Which call.
    pub call: CallId,
    /// Which segment of it, from 1.
    pub segment: u16,
}

/// What the switch wants of the media plane. All name the call, which picks the thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaCommand {
    /// Bind a socket for a leg. Answered by `Opened` or `OpenFailed`.
    Open {
        /// The call of the leg.
        call: CallId,
        /// The new leg.
        leg: LegId,
    },
    /// Say where a leg's peer is and what it speaks. May be given again at any time.
    SetRemote {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// Where and how.
        remote: Remote,
    },
    /// Play to the peer of a leg; replaces what is playing, and in a bridge what the other party
    /// says, which is still recorded. Ends with `PlayEnded` carrying `token` unless `repeat`, a `Stop`, another `Play`, or a
    /// `Bridge` came first.
    Play {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// What to play.
        prompt: PromptId,
        /// Start again at the end, for ever.
        repeat: bool,
        /// Comes back in `PlayEnded`.
        token: u32,
    },
    /// Stop playing to a leg's peer.
    Stop {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
    },
    /// Relay audio between two legs, both ways, from now on; stops what they play.
    Bridge {
        /// The call of the legs.
        call: CallId,
        /// The caller's leg.
        caller: LegId,
        /// The operator's leg.
        operator: LegId,
        /// Copy what both peers send into this recording.
        record: Option<RecordingKey>,
    },
    /// Stop relaying between the legs of a call and end its recording.
    Unbridge {
        /// The call.
        call: CallId,
        /// Either leg of the bridge.
        leg: LegId,
    },
    /// Close a leg's socket; unbridges it first. Answered by `Closed`.
    Close {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
    },
}

impl MediaCommand {
    /// The call the command is about.
    #[must_use]
    pub const fn call(&self) -> CallId {
        match self {
            Self::Open { call, .. }
            | Self::SetRemote { call, .. }
            | Self::Play { call, .. }
            | Self::Stop { call, .. }
            | Self::Bridge { call, .. }
            | Self::Unbridge { call, .. }
            | Self::Close { call, .. } => *call,
        }
    }

    /// The command in the name of another call. Calls of which legs may be joined one day go by
    /// one name here, so that one media thread has them all.
    #[must_use]
    pub const fn in_name_of(mut self, name: CallId) -> Self {
        match &mut self {
            Self::Open { call, .. }
            | Self::SetRemote { call, .. }
            | Self::Play { call, .. }
            | Self::Stop { call, .. }
            | Self::Bridge { call, .. }
            | Self::Unbridge { call, .. }
            | Self::Close { call, .. } => *call = name,
        }
        self
    }
}

/// What the media plane reports. Legs it no longer knows are ignored by the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaEvent {
    /// A socket is bound: tell the peer to send here (RTP; RTCP is the next port up).
    Opened {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// UDP port of the leg's RTP socket.
        port: u16,
    },
    /// No socket could be bound: ports or descriptors are used up.
    OpenFailed {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// What the system said.
        reason: String,
    },
    /// A prompt was played to its end.
    PlayEnded {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// As given in `Play`.
        token: u32,
    },
    /// The first packet of a leg's peer arrived.
    AudioStarted {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
    },
    /// A telephone key was pressed (RFC 4733), reported once per press.
    Digit {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// A leg's socket is closed; its final counts.
    Closed {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// What came and went.
        counts: LegCounts,
    },
}

impl MediaEvent {
    /// The call the event is about.
    #[must_use]
    pub const fn call(&self) -> CallId {
        match self {
            Self::Opened { call, .. }
            | Self::OpenFailed { call, .. }
            | Self::PlayEnded { call, .. }
            | Self::AudioStarted { call, .. }
            | Self::Digit { call, .. }
            | Self::Closed { call, .. } => *call,
        }
    }

    /// The leg the event is about.
    #[must_use]
    pub const fn leg(&self) -> LegId {
        match self {
            Self::Opened { leg, .. }
            | Self::OpenFailed { leg, .. }
            | Self::PlayEnded { leg, .. }
            | Self::AudioStarted { leg, .. }
            | Self::Digit { leg, .. }
            | Self::Closed { leg, .. } => *leg,
        }
    }
}

/// What came and went on a leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegCounts {
    /// RTP packets from the peer.
    pub received: u64,
    /// RTP packets to the peer.
    pub sent: u64,
    /// Packets missing in the peer's sequence numbers.
    pub lost: u64,
    /// Packets from strangers, or that are not RTP; thrown away.
    pub refused: u64,
}
