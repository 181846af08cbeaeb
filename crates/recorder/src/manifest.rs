//! Owns the manifest beside each recording: what a person or a program must know of the file
//! without the journal. recordings/README.md describes its fields.

use serde::{Deserialize, Serialize};
use vocab::{CallId, RecordingFile};

/// Version of the fields.
pub(crate) const VERSION: u32 = 1;

/// What is known of one recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form, 1.
    pub version: u32,
    /// Which call.
    pub call: CallId,
    /// Which segment of it, from 1.
    pub segment: u16,
    /// Path of the audio below the root of recordings.
    pub file: String,
    /// SHA-256 of the audio file, hex.
    pub sha256: String,
    /// Size of the audio file.
    pub bytes: u64,
    /// `alaw` or `pcm_s16le`.
    pub encoding: String,
    /// Samples a second and channel.
    pub sample_rate: u32,
    /// Samples per channel.
    pub samples: u64,
    /// Length of the audio.
    pub duration_ms: u64,
    /// When it began, UTC, RFC 3339.
    pub started_at: String,
    /// When it ended, UTC, RFC 3339: start and length, as the wall clock may jump.
    pub ended_at: String,
    /// The caller: left channel.
    pub caller: SideManifest,
    /// The operator: right channel.
    pub operator: SideManifest,
    /// Put together from the spool without an orderly end, or by a later process.
    pub repaired: bool,
    /// Spool blocks that were not readable; each is up to a second of audio.
    pub damaged_blocks: u32,
    /// The call was longer than a WAV file can be: its end is not in it.
    pub truncated: bool,
}

/// What is known of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideManifest {
    /// The codecs that it sent, `PCMA` or `PCMU`.
    pub codecs: Vec<String>,
    /// Audio packets in the file.
    pub packets: u64,
    /// Packets that never reached the engine, by their sequence numbers.
    pub lost: u64,
    /// Packets that reached the engine and could not be kept.
    pub dropped: u64,
    /// Packets that came twice; once in the file.
    pub duplicates: u64,
    /// Packets too late to be placed (about eight seconds).
    pub late: u64,
    /// Packets that are not G.711 audio, as telephone-events.
    pub other: u64,
    /// Arrival of the first audio packet, ms after the start.
    pub first_ms: Option<u64>,
    /// Arrival of the last audio packet, ms after the start.
    pub last_ms: Option<u64>,
}

impl Manifest {
    /// What the journal keeps of it.
    #[must_use]
    pub fn to_file(&self) -> RecordingFile {
        RecordingFile {
            path: self.file.clone(),
            sha256: self.sha256.clone(),
            bytes: self.bytes,
            duration_ms: self.duration_ms,
            caller_packets: self.caller.packets,
            caller_lost: self.caller.lost,
            operator_packets: self.operator.packets,
            operator_lost: self.operator.lost,
            dropped: self.caller.dropped + self.operator.dropped,
            repaired: self.repaired,
        }
    }
}
