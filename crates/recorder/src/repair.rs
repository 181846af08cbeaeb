//! Owns start-up repair: what an earlier process left in the spool becomes recordings, and the old
//! files go. Refuses to run beside a live writer; the caller holds the spool's lock.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use vocab::media::RecordingKey;

use crate::Report;
use crate::block::Header;
use crate::disk::Disk;
use crate::finaliser::{Finaliser, Job};
use crate::spool::{self, Extent, Found, SpoolFile, Track};
use crate::writer::LAST_PACKET;

/// Blocks of one recording by their number; the same block is found twice when a write failed and
/// was repeated into another file.
type Blocks = BTreeMap<u32, (Header, Arc<SpoolFile>, Extent)>;

/// Finalises what is there; the number that the next spool file may have.
pub(crate) fn run<R: Fn(Report)>(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    finaliser: &mut Finaliser<R>,
) -> io::Result<u64> {
    let mut paths: Vec<_> = disk
        .list(dir)?
        .into_iter()
        .filter(|path| spool::has_blocks(path))
        .map(|path| (spool::file_number(&path), path))
        .collect();
    paths.sort();
    let last = paths.last().and_then(|(number, _)| *number);
    let next = last.map_or(0, |number| number + 1);
    let mut recordings: BTreeMap<RecordingKey, Blocks> = BTreeMap::new();
    let mut files = Vec::new();
    for (_, path) in &paths {
        let file = SpoolFile::left_behind(disk, path)?;
        let (mut blocks, mut damage) = (0u64, 0u64);
        let scanned = spool::scan(file.file(), |found| match found {
            Found::Damage => damage += 1,
            Found::Block(header, extent) => {
                blocks += 1;
                let known = recordings.entry(header.key).or_default();
                if let Entry::Vacant(place) = known.entry(header.sequence) {
                    place.insert((header, Arc::clone(&file), extent));
                }
            }
        });
        if let Err(error) = scanned {
            // A bad sector must not keep the engine from starting. What was found is used; the file
            // stays for the next start, held once more than it is let go.
            tracing::error!(path = %path.display(), %error, "spool file not readable");
            file.hold();
        }
        tracing::info!(path = %path.display(), blocks, damage, "spool of an earlier process");
        if blocks == 0 && damage > 0 {
            // Nothing in it can be read, and that is worth a look; it is out of the way.
            disk.rename(path, &path.with_extension("hls.damaged"))?;
        } else {
            files.push(file);
        }
    }
    // Held until all are done, so that a file goes once, and also one whose blocks are all elsewhere.
    files.iter().for_each(|file| file.hold());
    for (key, blocks) in recordings {
        if let Some(job) = job(key, &blocks) {
            finaliser.repair(job);
        }
    }
    files.iter().for_each(|file| file.release());
    Ok(next)
}

/// `None` without a block, which no entry of the map is.
fn job(key: RecordingKey, blocks: &Blocks) -> Option<Job> {
    let (first, ..) = blocks.values().next()?;
    let (last, ..) = blocks.values().next_back()?;
    let mut track = Track::default();
    for (_, file, extent) in blocks.values() {
        track.add(file, *extent);
    }
    Some(Job {
        key,
        wall: first.wall,
        start: first.start,
        stop: if last.stopped {
            last.last
        } else {
            last.last + LAST_PACKET
        },
        audio: last.audio,
        dropped: last.dropped,
        repaired: true,
        discarded: last.discarded,
        paused: false,
        wideband: blocks.values().any(|(header, ..)| header.wideband),
        missing_blocks: (u64::from(last.sequence) + 1 - blocks.len() as u64) as u32,
        track,
        handed: Instant::now(),
    })
}
