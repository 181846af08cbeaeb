//! Owns the folder of event files: names, headers, creation, and reading them in order.
//! Refuses to decide what to write; see `writer` and `recover`.
//!
//! A file is `events-<boot>-<number>.log`: a header record, then one record per event. A boot has
//! one or more files, numbered from 1. Files are never changed once a later one exists. The end
//! of a file may be torn by a crash; nothing torn was ever reported durable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vocab::Event;

use crate::frame;

/// Version of the form, raised when an older program could not read it.
const VERSION: u32 = 1;

/// Which file. Sorts in the order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct FileId {
    pub(crate) boot: u32,
    pub(crate) number: u32,
}

/// A place between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) file: FileId,
    pub(crate) offset: u64,
}

impl FileId {
    pub(crate) const FIRST: Self = Self { boot: 0, number: 0 };

    pub(crate) const fn at(self, offset: u64) -> Position {
        Position { file: self, offset }
    }

    pub(crate) const fn next(self) -> Self {
        Self {
            boot: self.boot,
            number: self.number.saturating_add(1),
        }
    }

    pub(crate) fn path(self, dir: &Path) -> PathBuf {
        dir.join(format!("events-{:08x}-{:06}.log", self.boot, self.number))
    }

    fn parse(name: &str) -> Option<Self> {
        let (boot, number) = name
            .strip_prefix("events-")?
            .strip_suffix(".log")?
            .split_once('-')?;
        let boot = u32::from_str_radix(boot, 16).ok()?;
        Some(Self {
            boot,
            number: number.parse().ok()?,
        })
    }
}

/// First record of each file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Always [`VERSION`].
    hotline_events: u32,
    /// The file itself.
    file: FileId,
    /// The oldest file with events of a call that was not settled when this file was begun. All
    /// calls that arrived before it are ended and their recordings known, so recovery starts
    /// there.
    pub(crate) unsettled_from: FileId,
}

/// The event files of a folder, in order.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<FileId>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        files.extend(entry?.file_name().to_str().and_then(FileId::parse));
    }
    files.sort_unstable();
    Ok(files)
}

/// Makes a file with its header and `records`, whole and durable or not at all. Returns it and
/// its length.
pub(crate) fn create(
    dir: &Path,
    file: FileId,
    unsettled_from: FileId,
    records: &[u8],
) -> io::Result<(File, u64)> {
    let header = Header {
        hotline_events: VERSION,
        file,
        unsettled_from,
    };
    let mut bytes = Vec::with_capacity(128 + records.len());
    frame::encode(&mut bytes, &header).map_err(io::Error::other)?;
    bytes.extend_from_slice(records);
    let path = file.path(dir);
    let temporary = path.with_extension("new");
    // Callers' numbers are inside: nobody else may read it.
    let handle = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    handle.write_all_at(&bytes, 0)?;
    handle.sync_all()?;
    fs::rename(&temporary, &path)?;
    File::open(dir)?.sync_all()?;
    Ok((handle, bytes.len() as u64))
}

/// What a reader met that was no record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Octets at the end of files that are no whole record: what a crash cut off.
    pub(crate) torn: u64,
    /// Octets in the middle of files that are no record: the disk's fault.
    pub(crate) lost: u64,
}

/// Reads events in order, over all files, from a position up to another.
pub(crate) struct Reader {
    dir: PathBuf,
    open: Option<OpenFile>,
    position: Position,
    pub(crate) damage: Damage,
}

struct OpenFile {
    file: FileId,
    input: BufReader<File>,
}

impl Reader {
    /// A reader that begins at `from`, or at the first file after it.
    pub(crate) fn new(dir: &Path, from: Position) -> Self {
        Self {
            dir: dir.to_path_buf(),
            open: None,
            position: from,
            damage: Damage::default(),
        }
    }

    /// Where the next event will be looked for.
    pub(crate) const fn position(&self) -> Position {
        self.position
    }

    /// The next event before `end` (before the end of the last file if `None`); `None` if there
    /// is none yet.
    pub(crate) fn next(&mut self, end: Option<Position>) -> io::Result<Option<Event>> {
        loop {
            if self.open.is_none() && !self.open_next(end)? {
                return Ok(None);
            }
            if let Some(payload) = self.read_record(end)? {
                match serde_json::from_slice::<Event>(&payload) {
                    Ok(event) => return Ok(Some(event)),
                    Err(error) => {
                        // Sound by its checksum, so written by a program that knows more facts.
                        tracing::error!(position = ?self.position, %error, "unreadable event");
                        self.damage.lost += payload.len() as u64;
                        continue;
                    }
                }
            }
            if end.is_some_and(|end| end.file <= self.position.file) {
                return Ok(None);
            }
            let next = self.position.file.next();
            if list(&self.dir)?.into_iter().all(|file| file < next) {
                return Ok(None);
            }
            self.open = None;
            self.position = next.at(0);
        }
    }

    /// Opens the first file at or after the position.
    fn open_next(&mut self, end: Option<Position>) -> io::Result<bool> {
        let wanted = self.position.file;
        let last = end.map(|end| end.file);
        let found = list(&self.dir)?
            .into_iter()
            .find(|&file| file >= wanted && last.is_none_or(|last| file <= last));
        let Some(file) = found else { return Ok(false) };
        let mut input = BufReader::with_capacity(1 << 16, File::open(file.path(&self.dir))?);
        let after_header = skip_header(&mut input)?;
        if file != wanted || self.position.offset < after_header {
            self.position = file.at(after_header);
        }
        input.seek(SeekFrom::Start(self.position.offset))?;
        self.open = Some(OpenFile { file, input });
        Ok(true)
    }

    fn read_record(&mut self, end: Option<Position>) -> io::Result<Option<Vec<u8>>> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let limit = match end {
            Some(end) if end.file == open.file => end.offset,
            Some(_) | None => open.input.get_ref().metadata()?.len(),
        };
        let left = limit.saturating_sub(self.position.offset);
        if left == 0 {
            return Ok(None);
        }
        if let Some(payload) = read_sound(&mut open.input, left)? {
            self.position.offset += (frame::HEAD + payload.len()) as u64;
            return Ok(Some(payload));
        }
        // Not a record. If a sound one follows, the disk lost something; else the end is torn.
        open.input.seek(SeekFrom::Start(self.position.offset))?;
        let mut rest = Vec::new();
        (&mut open.input).take(left).read_to_end(&mut rest)?;
        let skipped = frame::find(&rest).unwrap_or(rest.len());
        if skipped < rest.len() {
            tracing::error!(position = ?self.position, octets = skipped, "damaged event file");
            self.damage.lost += skipped as u64;
            self.position.offset += skipped as u64;
            open.input.seek(SeekFrom::Start(self.position.offset))?;
            return self.read_record(end);
        }
        self.damage.torn += skipped as u64;
        self.position.offset = limit;
        Ok(None)
    }
}

/// The payload of the record at the input's place, if it is sound and ends within `left` octets.
fn read_sound(input: &mut BufReader<File>, left: u64) -> io::Result<Option<Vec<u8>>> {
    let mut record = vec![0; frame::HEAD];
    if left < record.len() as u64 || !read_fully(input, &mut record)? {
        return Ok(None);
    }
    let Some(length) = frame::length_of(&record) else {
        return Ok(None);
    };
    if left < (frame::HEAD + length) as u64 {
        return Ok(None);
    }
    record.resize(frame::HEAD + length, 0);
    let payload = record.get_mut(frame::HEAD..).unwrap_or_default();
    if !read_fully(input, payload)? || frame::decode(&record).is_none() {
        return Ok(None);
    }
    Ok(Some(record.split_off(frame::HEAD)))
}

/// Fills `buffer`; false if the file ends before.
fn read_fully(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads past the header; 0 if it is damaged, so that reading looks for the first sound record.
fn skip_header(input: &mut BufReader<File>) -> io::Result<u64> {
    let available = input.fill_buf()?;
    let header = frame::decode(available);
    let known = header.filter(|payload| serde_json::from_slice::<Header>(payload).is_ok());
    Ok(known.map_or(0, |payload| (frame::HEAD + payload.len()) as u64))
}

/// The header of a file; `None` if it is damaged.
///
/// # Errors
/// Also if a newer program made the file.
pub(crate) fn header(dir: &Path, file: FileId) -> io::Result<Option<Header>> {
    let mut input = BufReader::new(File::open(file.path(dir))?);
    let available = input.fill_buf()?;
    let header: Option<Header> =
        frame::decode(available).and_then(|payload| serde_json::from_slice(payload).ok());
    match header {
        Some(header) if header.hotline_events > VERSION => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "{} was written by a newer hotline",
                file.path(dir).display()
            ),
        )),
        other => Ok(other),
    }
}
