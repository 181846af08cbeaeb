//! Owns what is said of a recording: its file, what was heard in it, why there is none.

use serde::{Deserialize, Serialize};

/// A stored recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingFile {
    /// Path below the root of recordings, with `/` between its parts.
    pub path: String,
    /// SHA-256 of the file as it lies on the disk, 64 lower-case hex digits.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Length of the audio.
    pub duration_ms: u64,
    /// Packets of the caller's side in the file, and those known to be lost on the way.
    pub caller_packets: u64,
    /// See `caller_packets`.
    pub caller_lost: u64,
    /// Packets of the operator's side in the file, and those known to be lost on the way.
    pub operator_packets: u64,
    /// See `operator_packets`.
    pub operator_lost: u64,
    /// Packets that reached the engine and could not be kept (disk too slow or full).
    pub dropped: u64,
    /// Whether it was put together from the spool after a crash.
    pub repaired: bool,
    /// What is known of the sound; none in files of versions that did not listen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Box<RecordingSound>>,
}

/// What is known of a recording's sound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingSound {
    /// SHA-256 of the audio file before it was encrypted; that of the file where it was not.
    pub audio_sha256: String,
    /// `alaw`, `pcm_s16le` or `opus`.
    pub encoding: String,
    /// Whether the file is encrypted.
    pub encrypted: bool,
    /// Time in which the recording was paused; silence stands there.
    pub paused_ms: u64,
    /// Time in which packets could not be kept, of either side.
    pub gaps_ms: u64,
    /// What was heard.
    pub heard: Heard,
}

/// What was heard in a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The caller's side.
    pub caller: HeardSide,
    /// The operator's side.
    pub operator: HeardSide,
    /// Stretches of at least three seconds in which neither spoke, added up. Pauses of the
    /// recording are none.
    pub dead_air_ms: u64,
    /// The longest stretch in which neither spoke.
    pub dead_air_longest_ms: u64,
    /// Time in which both spoke.
    pub talk_over_ms: u64,
    /// Who was not heard at all, where that is strange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard: Option<Unheard>,
}

/// What was heard of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardSide {
    /// Time in which it spoke.
    pub speech_ms: u64,
    /// Time in which it did not.
    pub silence_ms: u64,
    /// Mean level of its speech in tenths of dBov: 0 is a square wave of full scale, so a sine of
    /// full scale has -30. None if it did not speak.
    pub level: Option<i16>,
    /// Highest sample in the same unit. None if there was nothing but digital silence.
    pub peak: Option<i16>,
    /// Samples at the end of the scale next to each other.
    pub clipped: u64,
}

/// Who was not heard in a recording of at least ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unheard {
    /// The caller, while the operator spoke.
    Caller,
    /// The operator, while the caller spoke.
    Operator,
    /// Neither spoke.
    Both,
}

/// Why a segment has no recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingReason {
    /// Neither side sent a packet.
    NoAudio,
    /// The disk was full or refused the write.
    DiskFailed,
    /// The spool lost it in a crash.
    LostInCrash,
    /// The plan or the settings say that it is not recorded.
    NotRequired,
    /// It was paused from its start to its end.
    Paused,
    /// A message in which less was said than the plan wants.
    TooShort,
    /// It was destroyed when its time was over; the act says when and by which rule.
    Destroyed,
}

/// Why a recording was paused: what the caller was about to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// Data of a payment card.
    Card,
    /// Medical data.
    Medical,
    /// Something else that is not to be kept.
    Other,
}
