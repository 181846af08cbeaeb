//! Owns moving a stored recording into the archive (Ogg Opus), and destroying one. Refuses to
//! decide which, and when.
//!
//! Both can be cut off at any moment and be done again. The archive: the new audio, then the
//! manifest, then the chain, then the old audio goes. A destruction: the chain, then the files go.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::chain::{Chain, Deed};
use crate::crypt::{Keys, OpenError};
use crate::disk::{Disk, RealDisk};
use crate::finaliser::{encryption, wall_clock};
use crate::manifest::{self, Archived, Manifest};
use crate::output::{self, Output, hex};
use crate::sound::Stored;
use crate::{export, names, opus_file};
use sha2::{Digest, Sha256};

/// Why a recording stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is not as it was stored; a person must look.
    #[error("it is not as it was stored: {0}")]
    Changed(String),
    /// It cannot be read here.
    #[error("{0}")]
    Locked(#[from] OpenError),
    /// The disk refuses.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// Makes Ogg Opus of a recording, and removes what it was made of once the new file was read back.
/// What is in the archive already is only brought to its end. The manifest as it is then.
///
/// # Errors
/// If it cannot be read, is not as it was stored, or the disk refuses. It is then as before.
pub fn archive(
    root: &Path,
    stored: &Stored,
    keys: &Keys,
    bits_a_second: u32,
    chain: &mut Chain,
) -> Result<Manifest, ArchiveError> {
    if stored.manifest.encoding == opus_file::ENCODING {
        finish(root, stored, chain)?;
        return Ok(stored.manifest.clone());
    }
    if let Some(fault) = stored.fault(keys)? {
        return Err(ArchiveError::Changed(fault));
    }
    let manifest = make(root, stored, keys, bits_a_second)?;
    let text = manifest.text()?;
    let made = Stored::new(root, manifest, hex(&Sha256::digest(&text)));
    if let Some(fault) = read_back(&made, keys)? {
        std::fs::remove_file(made.path())?;
        return Err(ArchiveError::Changed(fault));
    }
    write_manifest(root, &made.manifest, &text)?;
    finish(root, &made, chain)?;
    Ok(made.manifest)
}

fn folder(root: &Path, manifest: &Manifest) -> PathBuf {
    root.join(manifest.folder())
}

fn make(
    root: &Path,
    stored: &Stored,
    keys: &Keys,
    bits_a_second: u32,
) -> Result<Manifest, ArchiveError> {
    let old = &stored.manifest;
    let stem = names::stem(old.key());
    let ending = if keys.encrypts() {
        format!("opus.{}", output::ENCRYPTED)
    } else {
        "opus".to_owned()
    };
    let dir = folder(root, old);
    let part = dir.join(format!(".{stem}.opus.part"));
    let mut out = Output::create(&RealDisk, &part, keys)?;
    let sound = stored.sound(keys)?;
    let bits = i32::try_from(bits_a_second).unwrap_or(i32::MAX);
    export::write_opus(vec![sound], old.sample_rate, &mut out, bits)?;
    out.flush()?;
    let written = out.finish()?;
    let name = format!("{stem}.{ending}");
    RealDisk.rename(&part, &dir.join(&name))?;
    RealDisk.sync_dir(&dir)?;
    Ok(Manifest {
        version: manifest::VERSION,
        file: old.folder().join(&name).to_string_lossy().into_owned(),
        sha256: written.sha256.clone(),
        bytes: written.bytes,
        encryption: encryption(keys, &written),
        encoding: opus_file::ENCODING.to_owned(),
        archived: Some(Archived {
            at: names::rfc3339(wall_clock()),
            file: old.file.clone(),
            sha256: old.sha256.clone(),
            audio_sha256: old.audio_sha256().to_owned(),
            encoding: old.encoding.clone(),
        }),
        ..old.clone()
    })
}

/// Whether what was made can be read from front to end, and is as long as it should be. Where the
/// keys here cannot read what they write, that it lies there as it was written must do.
fn read_back(made: &Stored, keys: &Keys) -> Result<Option<String>, ArchiveError> {
    if keys.encrypts() && !keys.reads_what_it_writes() {
        let (bytes, sha256) = made.measure()?;
        let same = (bytes, &sha256) == (made.manifest.bytes, &made.manifest.sha256);
        return Ok((!same).then(|| "the file that was just written".to_owned()));
    }
    if let Some(fault) = made.fault(keys)? {
        return Ok(Some(fault));
    }
    let mut sound = made.sound(keys)?;
    let (mut frames, mut block) = (0u64, Vec::new());
    while sound.next(&mut block)? {
        frames += block.len() as u64;
        block.clear();
    }
    let wanted = made.manifest.samples;
    Ok((frames != wanted).then(|| format!("expected {wanted} samples in Opus, found {frames}")))
}

fn write_manifest(root: &Path, manifest: &Manifest, text: &[u8]) -> io::Result<()> {
    let dir = folder(root, manifest);
    let stem = names::stem(manifest.key());
    let part = dir.join(format!(".{stem}.json.part"));
    let file = RealDisk.create(&part)?;
    file.write_at(text, 0)?;
    file.sync()?;
    RealDisk.rename(&part, &dir.join(format!("{stem}.json")))?;
    RealDisk.sync_dir(&dir)
}

/// The chain knows of it, and what it was made of goes.
fn finish(root: &Path, made: &Stored, chain: &mut Chain) -> io::Result<()> {
    let manifest = &made.manifest;
    let at = manifest.archived.as_ref().map(|archived| &archived.at);
    // Looked for from the day on which it went into the archive.
    let since = at.and_then(|at| names::parse_day(at)).unwrap_or_default();
    if !chain.holds_since(&since, manifest.key(), &made.manifest_sha256)? {
        let deed = Deed::Stored {
            call: manifest.call,
            segment: manifest.segment,
            file: manifest.file.clone(),
            sha256: manifest.sha256.clone(),
            manifest: made.manifest_sha256.clone(),
        };
        chain.append(wall_clock(), deed)?;
    }
    let (dir, stem) = (folder(root, manifest), names::stem(manifest.key()));
    for ending in ["wav", "wav.age", "opus", "opus.age"] {
        let path = dir.join(format!("{stem}.{ending}"));
        if path != root.join(&manifest.file) {
            remove(&path)?;
        }
    }
    RealDisk.sync_dir(&dir)
}

/// Removes the audio of a recording here, which lies afar; its manifest and its peaks stay.
///
/// # Errors
/// If the disk refuses.
pub fn leave_to_afar(root: &Path, stored: &Stored) -> io::Result<()> {
    remove(&stored.path())?;
    RealDisk.sync_dir(&folder(root, &stored.manifest))
}

/// Destroys a recording: its audio, its peaks, its manifest. What was destroyed before is only
/// brought to its end.
///
/// # Errors
/// If the disk refuses.
pub fn destroy(
    root: &Path,
    stored: &Stored,
    (act, reason): (&str, &str),
    chain: &mut Chain,
) -> io::Result<()> {
    let manifest = &stored.manifest;
    let deed = Deed::Destroyed {
        call: manifest.call,
        segment: manifest.segment,
        file: manifest.file.clone(),
        sha256: manifest.sha256.clone(),
        recorded_at: manifest.started_at.clone(),
        act: act.to_owned(),
        reason: reason.to_owned(),
    };
    chain.append(wall_clock(), deed)?;
    remove_all(root, stored)
}

/// Removes all files of a recording; a file that is gone already is fine.
///
/// # Errors
/// If the disk refuses.
pub fn remove_all(root: &Path, stored: &Stored) -> io::Result<()> {
    let (dir, stem) = (
        folder(root, &stored.manifest),
        names::stem(stored.manifest.key()),
    );
    for ending in ["wav", "opus", "peaks"] {
        remove(&dir.join(format!("{stem}.{ending}")))?;
        remove(&dir.join(format!("{stem}.{ending}.{}", output::ENCRYPTED)))?;
    }
    // The manifest last: it says which files there are.
    remove(&dir.join(format!("{stem}.json")))?;
    RealDisk.sync_dir(&dir)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
