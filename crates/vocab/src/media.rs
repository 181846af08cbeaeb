//! Owns what the switch and the media plane say to each other.
//!
//! The switch decides; the media plane owns sockets and clocks. Commands for one call must reach
//! one media thread in the order they were given.

use core::net::SocketAddr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::browser::BrowserPeer;
use crate::srtp::Crypto;
use crate::{CallId, LegCounts, LegId, LegQuality, PauseReason};

pub use crate::formats::{Codec, Codecs, EventTypes, Events, Law, OpusWish, PayloadTypes};

/// Where a leg's peer takes RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rtcp {
    /// At an address of its own: the port after that of RTP (RFC 3550 §11), or what `a=rtcp` says
    /// (RFC 3605).
    Apart(SocketAddr),
    /// On the port of RTP, in both directions (RFC 5761).
    Muxed,
}

impl Rtcp {
    /// Where RTCP goes when nothing is said of it.
    #[must_use]
    pub const fn beside(rtp: SocketAddr) -> Self {
        let mut rtcp = rtp;
        rtcp.set_port(rtp.port().saturating_add(1));
        Self::Apart(rtcp)
    }
}

/// Where and how a leg's peer wants its audio, as negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Remote {
    /// The peer's RTP address from its SDP.
    pub address: SocketAddr,
    /// And its RTCP.
    pub rtcp: Rtcp,
    /// The codec that the peer is sent.
    pub codec: Codec,
    /// The codecs that were agreed on, of which the peer may send any.
    pub agreed: Codecs,
    /// The payload type on which the peer takes it.
    pub payload_type: u8,
    /// The payload types on which we said we take audio.
    pub takes: PayloadTypes,
    /// How much audio the peer wants in each packet that we make, milliseconds: 10 to 60.
    pub packet_ms: u8,
    /// What the peer wants of Opus, if that is the codec.
    pub opus: OpusWish,
    /// The payload types on which the peer takes telephone-events (RFC 4733), if it does.
    pub dtmf_send: EventTypes,
    /// Those on which we said we take them, if we did.
    pub dtmf_receive: EventTypes,
    /// The peer is to be told of keys by signalling (INFO), where it takes no telephone-events.
    pub keys_by_signalling: bool,
    /// Audio we may send: false when the peer said `sendonly`, `inactive` or `c=0.0.0.0`.
    pub send: bool,
    /// How its packets and ours are protected; `None`: they are in clear. Never written down.
    #[serde(skip)]
    pub crypto: Option<Crypto>,
    /// How the peer is known if it is a browser, whose address and keys come of ICE and DTLS and not
    /// of the SDP. Never written down.
    #[serde(skip)]
    pub browser: Option<BrowserPeer>,
    /// Audio is to come: false when the peer is on hold or has put us on hold, for then it owes
    /// none (some send music, most send nothing).
    pub receive: bool,
}

impl Remote {
    /// A peer that sends and takes audio, and takes no telephone-events.
    #[must_use]
    pub fn new(address: SocketAddr, codec: Codec) -> Self {
        Self {
            address,
            rtcp: Rtcp::beside(address),
            codec,
            agreed: Codecs::default().with(codec),
            payload_type: codec.payload_type(),
            takes: PayloadTypes::STATIC.with(codec, codec.payload_type()),
            packet_ms: 20,
            opus: OpusWish::default(),
            dtmf_send: EventTypes::NONE,
            dtmf_receive: EventTypes::NONE,
            keys_by_signalling: false,
            send: true,
            receive: true,
            crypto: None,
            browser: None,
        }
    }

    /// The telephone-events that the peer is sent: those of the clock of its audio, if it takes them.
    #[must_use]
    pub fn events(&self) -> Option<Events> {
        self.dtmf_send.with_codec(self.codec)
    }

    /// What the peer means by a payload type that is none of audio, if those are events. Some send
    /// them on the type on which they take them.
    #[must_use]
    pub fn events_of(&self, payload_type: u8) -> Option<Events> {
        let (said, theirs) = (self.dtmf_receive, self.dtmf_send);
        said.of_type(payload_type)
            .or_else(|| theirs.of_type(payload_type))
    }
}

/// An audio source known to the media plane: a prompt or a piece of music.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptId(pub u32);

/// A side of a talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The caller's; the left channel of a recording.
    Caller,
    /// The operator's; the right channel.
    Operator,
}

/// The most parties that one mix has, a supervisor included.
pub const MIX_PARTIES_MAX: usize = 8;

/// Who somebody is in a mix: that says whom they hear, who hears them, and where they are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MixRole {
    /// The one whom the call is about.
    Caller,
    /// One of ours who talks to the caller.
    Operator,
    /// Somebody from outside who was called into the talk.
    Guest,
    /// A supervisor whom nobody hears.
    Listening,
    /// A supervisor whom operators hear and nobody else.
    Whispering,
    /// A supervisor who talks with all.
    Barging,
}

impl MixRole {
    /// Whether somebody in this role is heard by one in that role.
    #[must_use]
    pub const fn is_heard_by(self, listener: Self) -> bool {
        match self {
            Self::Caller | Self::Operator | Self::Guest | Self::Barging => true,
            Self::Whispering => matches!(listener, Self::Operator),
            Self::Listening => false,
        }
    }

    /// The side of a recording on which what they say is kept; `None`: on none, for the caller did
    /// not hear it.
    #[must_use]
    pub const fn side(self) -> Option<Side> {
        match self {
            Self::Caller => Some(Side::Caller),
            Self::Operator | Self::Guest | Self::Barging => Some(Side::Operator),
            Self::Listening | Self::Whispering => None,
        }
    }

    /// Whether this is one who oversees the talk and has no part in it.
    #[must_use]
    pub const fn is_supervisor(self) -> bool {
        match self {
            Self::Listening | Self::Whispering | Self::Barging => true,
            Self::Caller | Self::Operator | Self::Guest => false,
        }
    }
}

/// A leg in a mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixParty {
    /// Which leg.
    pub leg: LegId,
    /// Who is there.
    pub role: MixRole,
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
#[expect(
    clippy::large_enum_variant,
    reason = "a handful for each call: a box would be an allocation more"
)]
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
    /// The peer of a leg pressed a key and said so by signalling (INFO). Answered by `Digit`, unless
    /// the audio told of it already; pressed towards the other party of a bridge.
    Key {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// Press a key towards the peer of a leg in its audio: signalling did not take it.
    Press {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
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
    /// Let these legs hear each other, each as its role says, from now on: in the place of the
    /// bridge or mix that one of them is in, whose recording goes on if it is the same. Who was in
    /// no talk before is played nothing any more. Given again it changes who is there; a `Bridge` of two
    /// of them makes a plain relay of it again.
    Mix {
        /// The call of the legs.
        call: CallId,
        /// All who are in it, [`MIX_PARTIES_MAX`] at most.
        parties: Vec<MixParty>,
        /// Record the caller on one side and all others whom the caller hears on the other.
        record: Option<RecordingKey>,
    },
    /// Stop relaying or mixing between the legs of a call and end its recording.
    Unbridge {
        /// The call.
        call: CallId,
        /// Any leg of the bridge or mix.
        leg: LegId,
    },
    /// Record what the peer of a leg says to nobody: a message. A bridge ends it.
    Record {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// Into which recording.
        record: RecordingKey,
        /// So much is to be said before it counts: then `Spoken` is told.
        least: Duration,
        /// After such a silence `Quiet` is told.
        silence: Duration,
    },
    /// Record what the peer of a leg says on one side and what it is played on the other, until
    /// `EndRecord` or a bridge.
    RecordWait {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// Into which recording.
        record: RecordingKey,
    },
    /// The message, or the recorded wait, is over.
    EndRecord {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// False: it is thrown away.
        keep: bool,
    },
    /// Keep nothing of the recording of a bridge or mix, until `ResumeRecording` or its end.
    PauseRecording {
        /// The call.
        call: CallId,
        /// Any leg of it.
        leg: LegId,
        /// What is about to be said.
        reason: PauseReason,
    },
    /// Go on with a recording that was paused.
    ResumeRecording {
        /// The call.
        call: CallId,
        /// Any leg of the bridge or mix.
        leg: LegId,
    },
    /// Close a leg's socket; unbridges it first, or takes it out of its mix. Answered by `Closed`.
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
            | Self::Key { call, .. }
            | Self::Press { call, .. }
            | Self::Play { call, .. }
            | Self::Stop { call, .. }
            | Self::Bridge { call, .. }
            | Self::Mix { call, .. }
            | Self::Unbridge { call, .. }
            | Self::Record { call, .. }
            | Self::RecordWait { call, .. }
            | Self::EndRecord { call, .. }
            | Self::PauseRecording { call, .. }
            | Self::ResumeRecording { call, .. }
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
            | Self::Key { call, .. }
            | Self::Press { call, .. }
            | Self::Play { call, .. }
            | Self::Stop { call, .. }
            | Self::Bridge { call, .. }
            | Self::Mix { call, .. }
            | Self::Unbridge { call, .. }
            | Self::Record { call, .. }
            | Self::RecordWait { call, .. }
            | Self::EndRecord { call, .. }
            | Self::PauseRecording { call, .. }
            | Self::ResumeRecording { call, .. }
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
        /// UDP port for the leg's peer if that is a browser, which many legs share; `None`: browsers
        /// are not served.
        browser: Option<u16>,
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
    /// A telephone key was pressed, reported once per press whichever ways it came: by
    /// telephone-events (RFC 4733), as tones in the audio, by `Key`.
    Digit {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// A key is to be pressed towards a leg's peer, who is to be told of it by signalling. Answered by
    /// `Press` where that cannot be.
    Press {
        /// The call of the leg.
        call: CallId,
        /// Whose peer is to be told.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// So much was said in a message that it counts.
    Spoken {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
    },
    /// Nothing more is said in a message.
    Quiet {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
    },
    /// In a bridge nothing is heard of a leg's peer, which ought to send, while the other party
    /// speaks.
    OneWayBegan {
        /// The call of the leg.
        call: CallId,
        /// Of whom nothing is heard.
        leg: LegId,
    },
    /// The peer of whom nothing was heard is heard again, or the bridge is over.
    OneWayEnded {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
    },
    /// A leg's peer, which ought to send, has sent nothing for the silence time-out of the
    /// settings. Told again after each such time.
    Silent {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// How long nothing has come, milliseconds.
        ms: u64,
    },
    /// A leg's peer, a browser, is not there any more, or is not the one that the SDP names.
    Gone {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// How that shows.
        reason: String,
    },
    /// A leg's socket is closed; what was measured of its audio.
    Closed {
        /// The call of the leg.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// What came and went.
        counts: LegCounts,
        /// How well.
        quality: LegQuality,
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
            | Self::Press { call, .. }
            | Self::Spoken { call, .. }
            | Self::Quiet { call, .. }
            | Self::OneWayBegan { call, .. }
            | Self::OneWayEnded { call, .. }
            | Self::Silent { call, .. }
            | Self::Gone { call, .. }
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
            | Self::Press { leg, .. }
            | Self::Spoken { leg, .. }
            | Self::Quiet { leg, .. }
            | Self::OneWayBegan { leg, .. }
            | Self::OneWayEnded { leg, .. }
            | Self::Silent { leg, .. }
            | Self::Gone { leg, .. }
            | Self::Closed { leg, .. } => *leg,
        }
    }
}
