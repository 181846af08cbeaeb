//! Owns putting a folder of recordings in order when no recorder runs: what is whole and stands
//! nowhere in the chain is entered, what is half-made is removed. Refuses to touch what was changed.

use std::io;
use std::path::Path;

use vocab::RecordingFile;
use vocab::media::RecordingKey;

use crate::chain::{Chain, Deed};
use crate::crypt::Keys;
use crate::finaliser::wall_clock;
use crate::ledger::{Ledger, day_folders};
use crate::names;
use crate::sound::Stored;

/// Mends what can be mended below a root; a line for each thing that was done.
///
/// # Errors
/// If the disk refuses.
pub fn mend(root: &Path, keys: &Keys, chain: &mut Chain) -> io::Result<Vec<String>> {
    let mut done = Vec::new();
    let ledger = Ledger::open(root, Keys::default(), None)?;
    for folder in day_folders(root)? {
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') && name.ends_with(".part") {
                std::fs::remove_file(entry.path())?;
                done.push(format!("removed {folder}/{name}, which was half made"));
                continue;
            }
            let Some((key, "json")) = names::parse(&name) else {
                continue;
            };
            let Ok(stored) = Stored::read(root, &entry.path()) else {
                continue;
            };
            let linked = ledger.deed(key).is_some();
            if linked || stored.manifest.key() != key || stored.fault(keys)?.is_some() {
                continue;
            }
            let manifest = &stored.manifest;
            let deed = Deed::Stored {
                call: manifest.call,
                segment: manifest.segment,
                file: manifest.file.clone(),
                sha256: manifest.sha256.clone(),
                manifest: stored.manifest_sha256.clone(),
            };
            chain.append(wall_clock(), deed)?;
            done.push(format!("entered {} into the chain", manifest.file));
        }
    }
    chain.sign_due(wall_clock())?;
    Ok(done)
}

/// What is stored of these recordings, whole; for a journal that never heard of it.
///
/// # Errors
/// If the chain cannot be read.
pub fn find(root: &Path, keys: &[RecordingKey]) -> io::Result<Vec<(RecordingKey, RecordingFile)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let ledger = Ledger::open(root, Keys::default(), None)?;
    let mut found = Vec::new();
    for key in keys {
        let Some(Deed::Stored { file, .. }) = ledger.deed(*key) else {
            continue;
        };
        let Ok(stored) = Stored::find(root, file, *key) else {
            continue;
        };
        // What lies in a bucket was compared there.
        let afar = ledger.lies_in(*key).is_some();
        let whole = || matches!(stored.fault(&Keys::default()), Ok(None));
        if stored.manifest.key() == *key && ((afar && !stored.path().exists()) || whole()) {
            found.push((*key, stored.manifest.to_file()));
        }
    }
    Ok(found)
}
