//! Owns one ring of trace files: the file that is written, and the removal of the oldest.
//!
//! A file's name is its ring's and the moment of its first message, so that names sort by time:
//! `calls-20261126T105938.123456Z.pcapng`. A process never goes on with a file of an earlier one,
//! so a tail torn by a crash stays the end of its file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::packet::Packet;
use crate::pcapng;

/// Files that a full ring has, about: what is removed at once is that part of it.
const PARTS: u64 = 16;
/// Shortest file, so that a small ring is not thousands of files.
const FILE_OCTETS_MIN: u64 = 64 << 10;
const EXTENSION: &str = "pcapng";

/// How much a ring may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) octets: u64,
    pub(crate) age: Duration,
}

struct Open {
    out: BufWriter<File>,
    octets: u64,
    begun_us: i64,
}

pub(crate) struct Ring {
    folder: PathBuf,
    name: &'static str,
    bounds: Bounds,
    open: Option<Open>,
}

impl Ring {
    pub(crate) const fn new(folder: PathBuf, name: &'static str, bounds: Bounds) -> Self {
        Self {
            folder,
            name,
            bounds,
            open: None,
        }
    }

    fn file_octets(&self) -> u64 {
        (self.bounds.octets / PARTS).max(FILE_OCTETS_MIN)
    }

    fn file_age_us(&self) -> i64 {
        micros(self.bounds.age) / PARTS.cast_signed()
    }

    /// Appends a message; what is written reaches the file with [`Self::flush`].
    pub(crate) fn append(&mut self, packet: &Packet) -> io::Result<()> {
        let bytes = pcapng::packet(packet);
        let full = self.open.as_ref().is_some_and(|open| {
            open.octets + bytes.len() as u64 > self.file_octets()
                || packet.at_us.saturating_sub(open.begun_us) >= self.file_age_us()
        });
        if full {
            self.flush()?;
            self.open = None;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                self.prune(packet.at_us)?;
                let begun = Self::begin(&self.folder, self.name, packet.at_us)?;
                self.open.insert(begun)
            }
        };
        open.out.write_all(&bytes)?;
        open.octets += bytes.len() as u64;
        Ok(())
    }

    fn begin(folder: &Path, name: &str, at_us: i64) -> io::Result<Open> {
        // A clock that was set back may meet a name that is there: the next free one is taken.
        for begun_us in at_us..at_us.saturating_add(1_000) {
            let path = folder.join(format!("{name}-{}.{EXTENSION}", stamp(begun_us)));
            let opened = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            match opened {
                Ok(file) => {
                    let head = pcapng::head();
                    let mut out = BufWriter::with_capacity(64 << 10, file);
                    out.write_all(&head)?;
                    let octets = head.len() as u64;
                    return Ok(Open {
                        out,
                        octets,
                        begun_us,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(
            "a thousand trace files of one millisecond",
        ))
    }

    /// Gives what was appended to the system. It is not synced: a power cut may cost it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |open| open.out.flush())
    }

    /// Lets go of the file after a failure; the next message begins another.
    pub(crate) fn give_up(&mut self) {
        if let Some(open) = self.open.take() {
            // What could not be written is not tried again.
            let _ = open.out.into_parts();
        }
    }

    /// Removes files that are too old, and the oldest while there are too many.
    pub(crate) fn prune(&mut self, now_us: i64) -> io::Result<()> {
        let oldest = now_us.saturating_sub(micros(self.bounds.age));
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.begun_us < oldest)
        {
            self.flush()?;
            self.open = None;
        }
        let cutoff = format!("{}-{}", self.name, stamp(oldest));
        let mut files = list(&self.folder, self.name)?;
        let sizes: Vec<u64> = files
            .iter()
            .map(|path| fs::metadata(path).map_or(0, |data| data.len()))
            .collect();
        let mut sum: u64 = sizes.iter().sum();
        // Room for the file that is being written.
        let limit = self.bounds.octets.saturating_sub(self.file_octets());
        let newest = files.pop();
        for (path, size) in files.iter().zip(&sizes) {
            if sum > limit || stem(path) < cutoff.as_str() {
                fs::remove_file(path)?;
                sum -= size;
            }
        }
        match newest {
            Some(path) if stem(&path) < cutoff.as_str() => fs::remove_file(path),
            _ => Ok(()),
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A moment as it stands in a file's name, UTC.
pub(crate) fn stamp(at_us: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(at_us).unwrap_or_default();
    time.strftime("%Y%m%dT%H%M%S.%6fZ").to_string()
}

/// Name of a file without its extension.
pub(crate) fn stem(path: &Path) -> &str {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default()
}

/// The files of a ring, the oldest first.
pub(crate) fn list(folder: &Path, name: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ours = stem(&path)
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('-'));
        if ours && path.extension().is_some_and(|one| one == EXTENSION) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::packet::Direction;

    const NOW: i64 = 1_795_340_000_000_000;
    const HOUR_US: i64 = 3_600_000_000;

    fn packet(at_us: i64, octets: usize) -> Packet {
        Packet {
            at_us,
            transport: "UDP",
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.2:5060".parse().unwrap(),
            direction: Direction::In,
            comment: String::new(),
            bytes: vec![b'x'; octets],
        }
    }

    fn ring(folder: &Path, octets: u64) -> Ring {
        let age = Duration::from_secs(16 * 3_600);
        Ring::new(folder.to_path_buf(), "calls", Bounds { octets, age })
    }

    #[test]
    fn a_ring_never_grows_beyond_its_size_and_keeps_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = ring(folder.path(), 2 << 20);
        for n in 0..400 {
            ring.append(&packet(NOW + n, 10_000)).unwrap();
            ring.flush().unwrap();
            let files = list(folder.path(), "calls").unwrap();
            let sum: u64 = files
                .iter()
                .map(|path| fs::metadata(path).unwrap().len())
                .sum();
            assert!(sum <= 2 << 20, "{sum} octets after {n}");
        }
        let last = list(folder.path(), "calls").unwrap().pop().unwrap();
        let mut reader = pcapng::Reader::new(File::open(last).unwrap()).unwrap();
        let mut newest = 0;
        while let Some(packet) = reader.packet().unwrap() {
            newest = packet.at_us;
        }
        assert_eq!(newest, NOW + 399);
    }

    #[test]
    fn nothing_is_kept_longer_than_the_age_and_only_the_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = ring(folder.path(), 2 << 20);
        ring.append(&packet(NOW, 10)).unwrap();
        ring.flush().unwrap();
        let first = list(folder.path(), "calls").unwrap().remove(0);
        assert_eq!(
            fs::metadata(&first).unwrap().permissions().mode() & 0o777,
            0o600
        );
        // A sixteenth of the age later another file begins.
        ring.append(&packet(NOW + HOUR_US, 10)).unwrap();
        ring.flush().unwrap();
        ring.prune(NOW + 16 * HOUR_US).unwrap();
        assert_eq!(list(folder.path(), "calls").unwrap().len(), 2);
        ring.prune(NOW + 16 * HOUR_US + 1).unwrap();
        assert!(!first.exists());
        ring.prune(NOW + 18 * HOUR_US).unwrap();
        assert_eq!(list(folder.path(), "calls").unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["calls.txt", "others-1.pcapng", "callsx.pcapng"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        ring(folder.path(), 2 << 20).prune(NOW).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
