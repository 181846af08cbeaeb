//! Owns the manifest beside each recording: what a person or a program must know of the file
//! without the journal. recordings/README.md describes its fields. It holds no number and no name.

use std::path::Path;

use serde::{Deserialize, Serialize};
use vocab::media::{RecordingKey, Side};
use vocab::{CallId, Heard, PauseReason, RecordingFile, RecordingSound};

/// Version of the fields: 2 knows of encryption, pauses, gaps and what was heard. Manifests of
/// version 1 are read as well.
pub(crate) const VERSION: u32 = 2;
/// A manifest is a few kilobytes; a longer file is none of ours.
pub(crate) const LENGTH_MAX: u64 = 1 << 20;
/// Gaps and pauses that are told one by one; the rest only in sums.
pub(crate) const SPANS_MAX: usize = 1_000;

/// What is known of one recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form, 1 or 2.
    pub version: u32,
    /// Which call.
    pub call: CallId,
    /// Which segment of it, from 1.
    pub segment: u16,
    /// Path of the audio below the root of recordings.
    pub file: String,
    /// SHA-256 of the audio file as it lies on the disk, hex.
    pub sha256: String,
    /// Size of the audio file as it lies on the disk.
    pub bytes: u64,
    /// To whom the file is encrypted; none if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// `alaw`, `pcm_s16le` or `opus`.
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
    /// Not all of the sound is in it: packets could not be kept, or it is longer than a recording
    /// may be.
    pub truncated: bool,
    /// When packets of a side could not be kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// When nothing was to be kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// What was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
    /// The file of peaks that a player draws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peaks: Option<Part>,
    /// The recording as it was before it went into the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<Archived>,
}

/// How a file is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `age`.
    pub format: String,
    /// Who can read it: public keys.
    pub recipients: Vec<String>,
    /// SHA-256 of what is inside.
    pub inner_sha256: String,
    /// Size of what is inside.
    pub inner_bytes: u64,
}

/// A file that belongs to a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Path below the root of recordings.
    pub file: String,
    /// SHA-256 of the file as it lies on the disk.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// What an archived recording was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// When, UTC, RFC 3339.
    pub at: String,
    /// Path of the audio before, below the root.
    pub file: String,
    /// SHA-256 of that file.
    pub sha256: String,
    /// SHA-256 of the audio in it, not encrypted.
    pub audio_sha256: String,
    /// Its encoding.
    pub encoding: String,
}

/// A stretch in which packets of a side could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Whose.
    pub side: Side,
    /// From, ms after the start.
    pub from_ms: u64,
    /// To, ms after the start.
    pub to_ms: u64,
    /// How many.
    pub packets: u64,
}

/// A stretch in which nothing was to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// From, ms after the start.
    pub from_ms: u64,
    /// To, ms after the start.
    pub to_ms: u64,
    /// Why.
    pub reason: PauseReason,
}

/// What is known of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideManifest {
    /// The codecs that it sent, by their names in SDP.
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
    /// Packets that are no audio, as telephone-events.
    pub other: u64,
    /// Arrival of the first audio packet, ms after the start.
    pub first_ms: Option<u64>,
    /// Arrival of the last audio packet, ms after the start.
    pub last_ms: Option<u64>,
}

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    /// What is not as expected.
    pub fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Its text.
    pub(crate) fn text(&self) -> std::io::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Which recording it is of.
    #[must_use]
    pub const fn key(&self) -> RecordingKey {
        RecordingKey {
            call: self.call,
            segment: self.segment,
        }
    }

    /// SHA-256 of the audio before it was encrypted.
    #[must_use]
    pub fn audio_sha256(&self) -> &str {
        self.encryption
            .as_ref()
            .map_or(&self.sha256, |encryption| &encryption.inner_sha256)
    }

    /// The folder of the recording, below the root.
    #[must_use]
    pub fn folder(&self) -> &Path {
        Path::new(&self.file).parent().unwrap_or(Path::new(""))
    }

    /// What the journal keeps of it.
    #[must_use]
    pub fn to_file(&self) -> RecordingFile {
        let sound = self.heard.as_ref().map(|heard| {
            Box::new(RecordingSound {
                audio_sha256: self.audio_sha256().to_owned(),
                encoding: self.encoding.clone(),
                encrypted: self.encryption.is_some(),
                paused_ms: total(self.pauses.iter().map(|span| (span.from_ms, span.to_ms))),
                gaps_ms: total(self.gaps.iter().map(|span| (span.from_ms, span.to_ms))),
                heard: heard.clone(),
            })
        });
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
            sound,
        }
    }
}

/// How long stretches are together, those that overlap counted once.
fn total(spans: impl Iterator<Item = (u64, u64)>) -> u64 {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    let (mut sum, mut end) = (0, 0);
    for (from, to) in spans {
        sum += to.saturating_sub(from.max(end));
        end = end.max(to);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_that_overlap_count_once() {
        assert_eq!(total([(5, 9), (0, 3), (2, 4), (6, 7)].into_iter()), 8);
        assert_eq!(total(std::iter::empty()), 0);
    }

    #[test]
    fn a_manifest_of_the_first_version_is_read() {
        let text = br#"{"version":1,"call":"00000007-00000001","segment":1,
            "file":"2026/11/22/00000007-00000001-1.wav","sha256":"ab","bytes":58,
            "encoding":"alaw","sample_rate":8000,"samples":0,"duration_ms":0,
            "started_at":"2026-11-22T08:00:00.000Z","ended_at":"2026-11-22T08:00:00.000Z",
            "caller":{"codecs":[],"packets":0,"lost":0,"dropped":0,"duplicates":0,"late":0,
              "other":0,"first_ms":null,"last_ms":null},
            "operator":{"codecs":[],"packets":0,"lost":0,"dropped":0,"duplicates":0,"late":0,
              "other":0,"first_ms":null,"last_ms":null},
            "repaired":false,"damaged_blocks":0,"truncated":false}"#;
        let manifest = Manifest::read(text).unwrap();
        assert_eq!(manifest.audio_sha256(), "ab");
        assert_eq!(manifest.folder(), Path::new("2026/11/22"));
        assert_eq!(manifest.to_file().sound, None);
    }
}
