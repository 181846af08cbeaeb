//! Owns the blocks of recordings that last long: from time to time they are copied out of the spool
//! files that all calls share into one file per recording, so that an hour-long call does not keep
//! the packets of every other call on the disk. Refuses to make audio of them.
//!
//! A block is let go where it was only after its copy is durable. A crash between leaves it twice,
//! which repair counts once. What cannot be copied now stays where it is, and is tried with the next.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use vocab::media::RecordingKey;

use crate::disk::Disk;
use crate::spool::{self, Extent, SpoolFile, Track};

/// Octets of one write.
const WRITE_AT: usize = 1 << 20;

/// Recordings that last, with files of their own.
pub(crate) struct Carried {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    recordings: BTreeMap<RecordingKey, Recording>,
}

#[derive(Default)]
struct Recording {
    /// Its file, and where that ends.
    file: Option<(Arc<SpoolFile>, u64)>,
    /// What is in the file.
    track: Track,
    /// What is not yet, in order.
    waiting: Vec<Track>,
}

impl Carried {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf) -> Self {
        Self {
            disk,
            dir,
            recordings: BTreeMap::new(),
        }
    }

    /// Copies the next blocks of a recording, and lets them go where they were.
    ///
    /// # Errors
    /// If the disk refuses; nothing is lost then.
    pub(crate) fn carry(
        &mut self,
        key: RecordingKey,
        track: Track,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        let recording = self.recordings.entry(key).or_default();
        recording.waiting.push(track);
        while let Some(next) = recording.waiting.first() {
            let (file, end) = match &recording.file {
                Some((file, end)) => (Arc::clone(file), *end),
                None => {
                    let path = self.dir.join(spool::long_name(key));
                    let file = SpoolFile::create(&self.disk, &path)?;
                    self.disk.sync_dir(&self.dir)?;
                    (file, 0)
                }
            };
            recording.file = Some((Arc::clone(&file), end));
            let (copied, end) = copy(key, next, &file, end, buffer)?;
            recording.file = Some((Arc::clone(&file), end));
            recording.track.append(copied);
            recording.waiting.remove(0).release();
        }
        Ok(())
    }

    /// The recording is over: all its blocks in order, with these as the last.
    pub(crate) fn gather(&mut self, key: RecordingKey, last: Track) -> Track {
        let Some(recording) = self.recordings.remove(&key) else {
            return last;
        };
        let mut track = recording.track;
        for next in recording.waiting.into_iter().chain([last]) {
            track.append(next);
        }
        if let Some((file, _)) = recording.file {
            // Goes when the recording lets it go.
            file.seal();
        }
        track
    }
}

/// Copies blocks to the end of a file, durably; where they are then, and the new end.
fn copy(
    key: RecordingKey,
    from: &Track,
    to: &Arc<SpoolFile>,
    mut end: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<(Track, u64)> {
    let mut extents = Vec::new();
    let mut bytes = Vec::with_capacity(WRITE_AT);
    let damaged = from.read(key, buffer, |header, payload| {
        extents.push(Extent {
            position: end + bytes.len() as u64,
            payload: payload.len() as u32,
        });
        header.write(payload, &mut bytes);
        if bytes.len() >= WRITE_AT {
            to.file().write_at(&bytes, end)?;
            end += bytes.len() as u64;
            bytes.clear();
        }
        Ok(())
    })?;
    to.file().write_at(&bytes, end)?;
    end += bytes.len() as u64;
    to.file().sync()?;
    let mut track = Track::damaged(damaged);
    extents.iter().for_each(|extent| track.add(to, *extent));
    Ok((track, end))
}
