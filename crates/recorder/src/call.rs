//! Owns the manifest of a whole call: its segments with their recordings, and which notice of
//! recording was heard when. Refuses numbers and names of people. It is written once, when the call
//! is over and nothing more is expected of its recordings, and stays when they are destroyed.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vocab::{CallId, WallTime};

use crate::chain::{Chain, Deed};
use crate::disk::{Disk, RealDisk};
use crate::finaliser::wall_clock;
use crate::names;
use crate::output::hex;

/// What is known of a call's recordings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallManifest {
    /// Version of this form, 1.
    pub version: u32,
    /// Which call.
    pub call: CallId,
    /// When it came, UTC, RFC 3339.
    pub arrived_at: String,
    /// When it was over, UTC, RFC 3339.
    pub ended_at: String,
    /// What became of it.
    pub outcome: String,
    /// The notices of recording that were heard to their end.
    pub notices: Vec<Notice>,
    /// Its segments, in order.
    pub segments: Vec<SegmentPart>,
}

/// A notice of recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The prompt's name.
    pub prompt: String,
    /// When it had been heard, UTC, RFC 3339.
    pub heard_at: String,
}

/// A segment and its recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentPart {
    /// Number within the call, from 1.
    pub segment: u16,
    /// When it began, UTC, RFC 3339.
    pub started_at: String,
    /// How long it lasted.
    pub talk_ms: u64,
    /// Whether it was to be recorded.
    pub recorded: bool,
    /// Path of the audio below the root, as it was stored.
    pub file: Option<String>,
    /// SHA-256 of that file.
    pub sha256: Option<String>,
    /// SHA-256 of the audio in it before it was encrypted.
    pub audio_sha256: Option<String>,
    /// Why there is no audio, or not all of it.
    pub missing: Option<String>,
}

/// RFC 3339 with milliseconds, in UTC.
#[must_use]
pub fn rfc3339(at: WallTime) -> String {
    names::rfc3339(at)
}

/// Writes the manifest of a call into the folder of the day on which it came, and into the chain.
/// False: it is there already.
///
/// # Errors
/// If the disk refuses.
pub fn write(
    root: &Path,
    came: WallTime,
    manifest: &CallManifest,
    chain: &mut Chain,
) -> io::Result<bool> {
    let folder = names::folder(came);
    let name = format!("{}.json", manifest.call);
    let (dir, file) = (root.join(&folder), format!("{folder}/{name}"));
    let mut text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
    text.push(b'\n');
    let deed = |text: &[u8]| Deed::Call {
        call: manifest.call,
        file: file.clone(),
        manifest: hex(&Sha256::digest(text)),
    };
    match std::fs::read(dir.join(&name)) {
        // A crash may have come between the file and its line.
        Ok(text) => {
            let hash = hex(&Sha256::digest(&text));
            if !chain.holds_call(&names::day(came), &file, &hash)? {
                chain.append(wall_clock(), deed(&text))?;
            }
            return Ok(false);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    RealDisk.make_dirs(&dir)?;
    let part = dir.join(format!(".{name}.part"));
    let out = RealDisk.create(&part)?;
    out.write_at(&text, 0)?;
    out.sync()?;
    RealDisk.rename(&part, &dir.join(&name))?;
    RealDisk.sync_dir(&dir)?;
    chain.append(wall_clock(), deed(&text))?;
    Ok(true)
}
