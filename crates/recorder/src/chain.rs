//! Owns the chain: one line for everything that was done to a recording, each with the SHA-256 of
//! the line before it, and a signature for each day. Whoever changes, removes or adds a manifest or
//! a line later breaks it there. Refuses to judge what was done.
//!
//! `chain/2026-11-22.jsonl` below the root holds the lines of a day (UTC), `chain/2026-11-22.sig`
//! its signature, made when the day is over. A line is a JSON object; its `prev` is the SHA-256 of
//! the octets of the line before it without its line feed, also across days; of the very first
//! one it is 64 zeros. What a crash tore off a last line was never reported, and is cut off.
//!
//! What it does not withstand: whoever has the key of the installation and the whole folder can
//! make another chain. So each signature goes into the log, which belongs on another machine.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vocab::media::RecordingKey;
use vocab::{CallId, EventId, WallTime};

use crate::disk::{Disk, DiskFile, RealDisk, Sequential, read_exact_at};
use crate::names;
use crate::output::hex;
use crate::seal::{Seal, SigningKey};

/// Folder of the chain below the root.
pub(crate) const FOLDER: &str = "chain";
/// `prev` of the first line.
pub(crate) const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// A line is a few hundred octets.
pub(crate) const LINE_MAX: usize = 16 << 10;

/// A line of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// SHA-256 of the line before.
    pub prev: String,
    /// When it was written, UTC, RFC 3339.
    pub at: String,
    /// What was done.
    #[serde(flatten)]
    pub deed: Deed,
}

/// What was done to a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Deed {
    /// A recording was stored, or another manifest took the place of the one before: by repair, or
    /// by the archive.
    Stored {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Path of the audio below the root.
        file: String,
        /// SHA-256 of the audio file.
        sha256: String,
        /// SHA-256 of the manifest.
        manifest: String,
    },
    /// An archived recording lies in a bucket as well: it was read back there and compared.
    Uploaded {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Path of the audio below the root, and in the bucket.
        file: String,
        /// SHA-256 of the audio file.
        sha256: String,
        /// SHA-256 of the manifest, which lies there too.
        manifest: String,
        /// Which bucket.
        to: String,
    },
    /// The manifest of a whole call was written.
    Call {
        /// Which call.
        call: CallId,
        /// Its path below the root.
        file: String,
        /// Its SHA-256.
        manifest: String,
    },
    /// A recording was taken out of the folder for somebody.
    Exported {
        /// Which call.
        call: CallId,
        /// Which segments of it.
        segments: Vec<u16>,
        /// As what.
        format: String,
        /// By whom: the user of the system.
        by: String,
    },
    /// The recordings of a call are not to be destroyed, whatever their age.
    Held {
        /// Which call.
        call: CallId,
        /// Why.
        reason: String,
        /// By whom.
        by: String,
    },
    /// The hold on a call's recordings is over.
    Released {
        /// Which call.
        call: CallId,
        /// By whom.
        by: String,
    },
    /// A recording was destroyed, audio and all.
    Destroyed {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Path that the audio had.
        file: String,
        /// SHA-256 that it had.
        sha256: String,
        /// When it had been recorded, UTC, RFC 3339.
        recorded_at: String,
        /// The act of the destruction.
        act: String,
        /// The rule by which its time was over.
        reason: String,
    },
    /// The personal fields of an entry of the journal were destroyed.
    PersonalDestroyed {
        /// Which entry.
        call: CallId,
        /// When it came, UTC, RFC 3339.
        arrived_at: String,
        /// The act of the destruction.
        act: String,
        /// The rule by which their time was over.
        reason: String,
    },
    /// The card of a person was destroyed.
    CardDestroyed {
        /// Which card.
        person: EventId,
        /// When it was last written, UTC, RFC 3339.
        written_at: String,
        /// The act of the destruction.
        act: String,
        /// The rule by which its time was over.
        reason: String,
    },
}

impl Deed {
    /// Which recording it was done to; none for a whole call.
    #[must_use]
    pub const fn key(&self) -> Option<RecordingKey> {
        match self {
            Self::Stored { call, segment, .. }
            | Self::Uploaded { call, segment, .. }
            | Self::Destroyed { call, segment, .. } => Some(RecordingKey {
                call: *call,
                segment: *segment,
            }),
            Self::Call { .. }
            | Self::PersonalDestroyed { .. }
            | Self::CardDestroyed { .. }
            | Self::Exported { .. }
            | Self::Held { .. }
            | Self::Released { .. } => None,
        }
    }
}

/// Where the last line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tail {
    day: String,
    length: u64,
    hash: String,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// The chain as one writer sees it; several may, in several processes.
pub struct Chain {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    key: Option<Arc<SigningKey>>,
    tail: Option<Tail>,
}

impl Chain {
    /// The chain below a root, for another program than the recorder.
    #[must_use]
    pub fn of(root: &Path, key: Option<Arc<SigningKey>>) -> Self {
        Self::new(Arc::new(RealDisk), root, key)
    }

    /// The chain below a root. Nothing is read yet.
    pub(crate) fn new(disk: Arc<dyn Disk>, root: &Path, key: Option<Arc<SigningKey>>) -> Self {
        Self {
            disk,
            dir: root.join(FOLDER),
            key,
            tail: None,
        }
    }

    /// Adds a line, durably.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn append(&mut self, now: WallTime, deed: Deed) -> io::Result<()> {
        let today = names::day(now);
        let _lock = self.lock()?;
        let tail = self.current_tail()?;
        if tail.as_ref().is_some_and(|tail| tail.day < today) {
            self.sign_before(&today, now)?;
        }
        // A clock that was set back does not bring the days into disorder.
        let day = tail
            .as_ref()
            .map_or(today.clone(), |tail| std::cmp::max(tail.day.clone(), today));
        let link = Link {
            prev: tail
                .as_ref()
                .map_or(NOTHING.to_owned(), |tail| tail.hash.clone()),
            at: names::rfc3339(now),
            deed,
        };
        let mut line = serde_json::to_vec(&link).map_err(io::Error::other)?;
        let hash = hex(&Sha256::digest(&line));
        line.push(b'\n');
        let position = tail
            .filter(|tail| tail.day == day)
            .map_or(0, |tail| tail.length);
        let file = self.disk.extend(&self.path(&day))?;
        // Until the line is known to be whole nothing is known of the end.
        self.tail = None;
        file.write_at(&line, position)?;
        file.sync()?;
        if position == 0 {
            self.disk.sync_dir(&self.dir)?;
        }
        self.tail = Some(Tail {
            day,
            length: position + line.len() as u64,
            hash,
        });
        Ok(())
    }

    /// Signs each day that is over and has no signature.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn sign_due(&mut self, now: WallTime) -> io::Result<()> {
        if self.key.is_none() || !self.dir.is_dir() {
            return Ok(());
        }
        let _lock = self.lock()?;
        self.sign_before(&names::day(now), now)
    }

    fn sign_before(&self, today: &str, now: WallTime) -> io::Result<()> {
        let Some(key) = &self.key else {
            return Ok(());
        };
        let listed = self.disk.list(&self.dir)?;
        for day in days(&listed).into_iter().filter(|day| day.as_str() < today) {
            let path = self.dir.join(format!("{day}.sig"));
            if listed.contains(&path) {
                continue;
            }
            let file = self.disk.open(&self.path(&day))?;
            let (mut lines, mut last) = (0, NOTHING.to_owned());
            each_line(file.as_ref(), |line| {
                lines += 1;
                last = hex(&Sha256::digest(line));
            })?;
            let seal = Seal::make(key, &day, lines, &last, &names::rfc3339(now));
            let mut text = serde_json::to_vec_pretty(&seal).map_err(io::Error::other)?;
            text.push(b'\n');
            let part = self.dir.join(format!(".{day}.sig.part"));
            let out = self.disk.create(&part)?;
            out.write_at(&text, 0)?;
            out.sync()?;
            self.disk.rename(&part, &path)?;
            self.disk.sync_dir(&self.dir)?;
            tracing::info!(%day, lines, hash = %last, signature = %seal.signature, "recordings signed");
        }
        Ok(())
    }

    /// Whether a recording stands in the chain with this manifest, in the lines since a day.
    pub(crate) fn holds(
        &self,
        since: WallTime,
        key: RecordingKey,
        wanted: &str,
    ) -> io::Result<bool> {
        self.holds_since(&names::day(since), key, wanted)
    }

    /// [`Self::holds`] from a day as the chain names it.
    pub(crate) fn holds_since(
        &self,
        since: &str,
        key: RecordingKey,
        wanted: &str,
    ) -> io::Result<bool> {
        self.any_since(since, |deed| {
            deed.key() == Some(key)
                && matches!(deed, Deed::Stored { manifest, .. } if manifest == wanted)
        })
    }

    /// Whether the manifest of a call stands in the lines since a day.
    pub(crate) fn holds_call(&self, since: &str, path: &str, wanted: &str) -> io::Result<bool> {
        self.any_since(since, |deed| {
            matches!(deed, Deed::Call { file, manifest, .. } if file == path && manifest == wanted)
        })
    }

    fn any_since(&self, since: &str, wanted: impl Fn(&Deed) -> bool) -> io::Result<bool> {
        if !self.dir.is_dir() {
            return Ok(false);
        }
        let mut held = false;
        for day in days(&self.disk.list(&self.dir)?) {
            if day.as_str() < since {
                continue;
            }
            let file = self.disk.open(&self.path(&day))?;
            each_line(file.as_ref(), |line| {
                held |= serde_json::from_slice::<Link>(line).is_ok_and(|link| wanted(&link.deed));
            })?;
        }
        Ok(held)
    }

    /// The end of the chain: as it was left by us if nobody else wrote, else read anew.
    fn current_tail(&mut self) -> io::Result<Option<Tail>> {
        let Some(day) = days(&self.disk.list(&self.dir)?).pop() else {
            return Ok(None);
        };
        let file = self.disk.extend(&self.path(&day))?;
        let length = file.length()?;
        if let Some(tail) = self
            .tail
            .take()
            .filter(|tail| tail.day == day && tail.length == length)
        {
            return Ok(Some(tail));
        }
        let whole = whole_length(file.as_ref(), length)?;
        if whole < length {
            tracing::warn!(%day, octets = length - whole, "a torn line of the chain is cut off");
            file.cut(whole)?;
        }
        if whole > 0 {
            let hash = hex(&Sha256::digest(last_line(file.as_ref(), whole)?));
            return Ok(Some(Tail {
                day,
                length: whole,
                hash,
            }));
        }
        // A day that has no line yet: the end is that of the day before it.
        let listed = self.disk.list(&self.dir)?;
        let Some(before) = days(&listed).into_iter().rev().find(|other| *other < day) else {
            return Ok(None);
        };
        let file = self.disk.open(&self.path(&before))?;
        let length = file.length()?;
        let hash = hex(&Sha256::digest(last_line(file.as_ref(), length)?));
        Ok(Some(Tail {
            day: before,
            length,
            hash,
        }))
    }

    fn path(&self, day: &str) -> PathBuf {
        self.dir.join(format!("{day}.jsonl"))
    }

    /// Other processes (`hotline recordings repair`) write lines too.
    fn lock(&self) -> io::Result<File> {
        self.disk.make_dirs(&self.dir)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.dir.join("lock"))?;
        file.lock()?;
        Ok(file)
    }
}

/// The days of which there are lines, in order.
pub(crate) fn days(listed: &[PathBuf]) -> Vec<String> {
    let mut days: Vec<String> = listed
        .iter()
        .filter_map(|path| {
            let day = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
            let shape = |(index, octet): (usize, u8)| match index {
                4 | 7 => octet == b'-',
                _ => octet.is_ascii_digit(),
            };
            (day.len() == 10 && day.bytes().enumerate().all(shape)).then(|| day.to_owned())
        })
        .collect();
    days.sort_unstable();
    days
}

/// Hands on each line of a file without its line feed; a line without one, at the end, is torn.
pub(crate) fn each_line(file: &dyn DiskFile, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut input = BufReader::with_capacity(64 << 10, Sequential::new(file));
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if line.pop() == Some(b'\n') {
            each(&line);
        }
        line.clear();
    }
    Ok(())
}

/// The length up to the last line feed.
fn whole_length(file: &dyn DiskFile, length: u64) -> io::Result<u64> {
    let end = tail_of(file, length)?;
    let feed = end.iter().rposition(|octet| *octet == b'\n');
    Ok(feed.map_or(length - end.len() as u64, |at| {
        length - (end.len() - at - 1) as u64
    }))
}

/// The last line of a file that ends with a line feed at `length`.
fn last_line(file: &dyn DiskFile, length: u64) -> io::Result<Vec<u8>> {
    let mut end = tail_of(file, length)?;
    end.pop();
    let from = end
        .iter()
        .rposition(|octet| *octet == b'\n')
        .map_or(0, |at| at + 1);
    Ok(end.split_off(from))
}

fn tail_of(file: &dyn DiskFile, length: u64) -> io::Result<Vec<u8>> {
    let size = length.min(LINE_MAX as u64);
    let mut end = vec![0; size as usize];
    read_exact_at(file, &mut end, length - size)?;
    Ok(end)
}
