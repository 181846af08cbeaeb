//! Owns the spool files: appending, rotating, and removing a file when nothing in it is needed.
//! Refuses to know what the bytes mean.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use vocab::media::RecordingKey;

use crate::block::{self, HEADER, Header};
use crate::disk::{Disk, DiskFile, read_exact_at};
use crate::names;

/// One file of the spool. It is removed when it is sealed and its last recording has let it go.
pub(crate) struct SpoolFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    disk: Arc<dyn Disk>,
    recordings: AtomicUsize,
    sealed: AtomicBool,
}

impl SpoolFile {
    /// A file that an earlier process left; nothing is added to it.
    pub(crate) fn left_behind(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<Arc<Self>> {
        let file = disk.open(path)?;
        Ok(Self::new(disk, path, file, true))
    }

    fn new(disk: &Arc<dyn Disk>, path: &Path, file: Box<dyn DiskFile>, sealed: bool) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            file,
            disk: Arc::clone(disk),
            recordings: AtomicUsize::new(0),
            sealed: AtomicBool::new(sealed),
        })
    }

    pub(crate) fn file(&self) -> &dyn DiskFile {
        self.file.as_ref()
    }

    /// A new file.
    pub(crate) fn create(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<Arc<Self>> {
        let file = disk.create(path)?;
        Ok(Self::new(disk, path, file, false))
    }

    /// Nothing is added to it any more.
    pub(crate) fn seal(&self) {
        self.sealed.store(true, Ordering::SeqCst);
        self.remove_if_done();
    }

    /// One more recording needs it.
    pub(crate) fn hold(&self) {
        self.recordings.fetch_add(1, Ordering::SeqCst);
    }

    /// One recording less needs it.
    pub(crate) fn release(&self) {
        self.recordings.fetch_sub(1, Ordering::SeqCst);
        self.remove_if_done();
    }

    /// The writer seals and the finaliser releases; whichever comes second sees both done.
    fn remove_if_done(&self) {
        if self.sealed.load(Ordering::SeqCst) && self.recordings.load(Ordering::SeqCst) == 0 {
            match self.disk.remove(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    // The next start finds its recordings stored and removes it.
                    tracing::warn!(path = %self.path.display(), %error, "spool file not removed");
                }
                _ => {}
            }
        }
    }
}

/// Where a block lies in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Position of the block's header.
    pub(crate) position: u64,
    /// Length of the payload.
    pub(crate) payload: u32,
}

/// Where the blocks of one recording lie, in their order.
#[derive(Default)]
pub(crate) struct Track {
    extents: Vec<(u32, Extent)>,
    files: Vec<Arc<SpoolFile>>,
    /// Blocks that were not readable when they were to be carried elsewhere.
    damaged: u32,
}

impl Track {
    /// One without blocks, of which so many are gone.
    pub(crate) fn damaged(damaged: u32) -> Self {
        Self {
            damaged,
            ..Self::default()
        }
    }

    /// Whether there is no block.
    pub(crate) fn is_empty(&self) -> bool {
        self.extents.is_empty()
    }

    /// Adds the blocks of another track behind its own.
    pub(crate) fn append(&mut self, other: Self) {
        for (index, extent) in &other.extents {
            if let Some(file) = other.files.get(*index as usize) {
                self.add(file, *extent);
            }
        }
        self.damaged += other.damaged;
        // Held here by now.
        other.release();
    }

    /// Adds the recording's next block; its file stays until [`Track::release`].
    pub(crate) fn add(&mut self, file: &Arc<SpoolFile>, extent: Extent) {
        let known = self
            .files
            .iter()
            .rposition(|known| Arc::ptr_eq(known, file));
        let index = known.unwrap_or_else(|| {
            file.hold();
            self.files.push(Arc::clone(file));
            self.files.len() - 1
        });
        self.extents.push((index as u32, extent));
    }

    /// Reads each block in turn into `buffer` and hands its header and payload on. Returns how many
    /// blocks were damaged, or not of this recording, and were skipped.
    pub(crate) fn read(
        &self,
        key: RecordingKey,
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(&Header, &[u8]) -> io::Result<()>,
    ) -> io::Result<u32> {
        let mut damaged = self.damaged;
        for (index, extent) in &self.extents {
            let Some(file) = self.files.get(*index as usize) else {
                continue;
            };
            let length = HEADER + extent.payload as usize;
            if buffer.len() < length {
                buffer.resize(length, 0);
            }
            let Some(block) = buffer.get_mut(..length) else {
                continue;
            };
            match read_exact_at(file.file(), block, extent.position) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    damaged += 1;
                    continue;
                }
                other => other?,
            }
            let Some((head, payload)) = block.split_first_chunk::<HEADER>() else {
                continue;
            };
            match Header::parse(head) {
                Some((header, length, crc))
                    if header.key == key
                        && length == payload.len()
                        && crc32fast::hash(payload) == crc =>
                {
                    each(&header, payload)?;
                }
                _ => damaged += 1,
            }
        }
        Ok(damaged)
    }

    /// The recording is durable, or there is nothing to keep: its blocks are no longer needed.
    pub(crate) fn release(self) {
        self.files.iter().for_each(|file| file.release());
    }
}

/// A file's room is set aside only where it is at most this part of what is free.
const RESERVE_PART: u64 = 4;

/// The end of the spool to which the writer appends.
pub(crate) struct Spool {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    next: u64,
    rotate_at: u64,
    current: Option<(Arc<SpoolFile>, u64)>,
}

impl Spool {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, next: u64, rotate_at: u64) -> Self {
        Self {
            disk,
            dir,
            next,
            rotate_at,
            current: None,
        }
    }

    /// Appends and syncs. After an error the same bytes, and more behind them, may be given again:
    /// a half-written batch is written over, and a file whose sync failed is not used any more,
    /// since Linux then no longer knows which of its pages are on disk.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(Arc<SpoolFile>, u64), String> {
        let (file, position) = self.current()?;
        let failed = |verb: &str, error: io::Error| {
            format!(
                "cannot {verb} the recording spool {}: {error}",
                file.path.display()
            )
        };
        file.file
            .write_at(bytes, position)
            .map_err(|error| failed("write", error))?;
        if let Err(error) = file.file.sync() {
            file.seal();
            self.current = None;
            return Err(failed("sync", error));
        }
        let end = position + bytes.len() as u64;
        if end >= self.rotate_at {
            // Sealed by the caller's next append or `close`, after the blocks are entered.
            self.current = Some((Arc::clone(&file), u64::MAX));
        } else {
            self.current = Some((Arc::clone(&file), end));
        }
        Ok((file, position))
    }

    fn current(&mut self) -> Result<(Arc<SpoolFile>, u64), String> {
        match &self.current {
            Some((file, position)) if *position != u64::MAX => {
                return Ok((Arc::clone(file), *position));
            }
            _ => self.close(),
        }
        let path = self.dir.join(file_name(self.next));
        let opened = self.disk.create(&path).and_then(|file| {
            self.reserve(file.as_ref());
            self.disk.sync_dir(&self.dir)?;
            Ok(file)
        });
        let file = opened.map_err(|error| {
            format!(
                "cannot create the recording spool {}: {error}",
                path.display()
            )
        })?;
        self.next += 1;
        let file = SpoolFile::new(&self.disk, &path, file, false);
        self.current = Some((Arc::clone(&file), 0));
        Ok((file, 0))
    }

    /// Has the file's room set aside, so that its writes find their place and a disk that others
    /// fill takes them still. Where the file system cannot, or the room would be missing elsewhere,
    /// the file grows as it is written.
    fn reserve(&self, file: &dyn DiskFile) {
        let free = self.disk.free(&self.dir).unwrap_or(0);
        if free / RESERVE_PART < self.rotate_at {
            return;
        }
        if let Err(error) = file.reserve(self.rotate_at) {
            tracing::debug!(%error, "no room is set aside for the recording spool");
        }
    }

    /// Lets the current file go. Its recordings must have been entered in their tracks.
    pub(crate) fn close(&mut self) {
        if let Some((file, _)) = self.current.take() {
            file.seal();
        }
    }
}

/// Name of a spool file.
fn file_name(number: u64) -> String {
    format!("spool-{number:08}.hls")
}

/// Name of the file of a recording that lasts long.
pub(crate) fn long_name(key: RecordingKey) -> String {
    format!("long-{}.hls", names::stem(key))
}

/// Whether a file holds blocks.
pub(crate) fn has_blocks(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let long = name.is_some_and(|name| name.starts_with("long-") && name.ends_with(".hls"));
    long || file_number(path).is_some()
}

/// The number in a spool file's name; `None` when it is another file.
pub(crate) fn file_number(path: &Path) -> Option<u64> {
    path.file_name()?
        .to_str()?
        .strip_prefix("spool-")?
        .strip_suffix(".hls")?
        .parse()
        .ok()
}

/// What a walk over a file came upon.
pub(crate) enum Found {
    Block(Header, Extent),
    /// Bytes that are no block: a torn tail, or damage.
    Damage,
}

/// Walks over the blocks of a file that a crash may have left in any state; damage is skipped to
/// the next block that is whole.
pub(crate) fn scan(file: &dyn DiskFile, mut each: impl FnMut(Found)) -> io::Result<()> {
    let mut position = 0;
    let mut payload = Vec::new();
    let length = file.length()?;
    while position < length {
        if let Some((header, extent)) = whole_block(file, position, length, &mut payload)? {
            position += (HEADER + payload.len()) as u64;
            each(Found::Block(header, extent));
        } else {
            each(Found::Damage);
            position = find_magic(file, position + 1)?.unwrap_or(length);
        }
    }
    Ok(())
}

fn whole_block(
    file: &dyn DiskFile,
    position: u64,
    file_length: u64,
    payload: &mut Vec<u8>,
) -> io::Result<Option<(Header, Extent)>> {
    let body = position + HEADER as u64;
    if body > file_length {
        return Ok(None);
    }
    let mut head = [0; HEADER];
    read_exact_at(file, &mut head, position)?;
    let Some((header, length, crc)) = Header::parse(&head) else {
        return Ok(None);
    };
    if body + length as u64 > file_length {
        return Ok(None);
    }
    payload.resize(length, 0);
    read_exact_at(file, payload, body)?;
    let whole = crc32fast::hash(payload) == crc;
    Ok(whole.then_some((
        header,
        Extent {
            position,
            payload: length as u32,
        },
    )))
}

/// Position of the next block's first byte, at or after `from`.
fn find_magic(file: &dyn DiskFile, from: u64) -> io::Result<Option<u64>> {
    let mut window = vec![0; 64 << 10];
    let mut position = from;
    loop {
        let mut filled = 0;
        while let Some(rest) = window.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, position + filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        let bytes = window.get(..filled).unwrap_or_default();
        let found = bytes
            .windows(block::MAGIC.len())
            .position(|bytes| bytes == block::MAGIC);
        if let Some(at) = found {
            return Ok(Some(position + at as u64));
        }
        if filled < window.len() {
            return Ok(None);
        }
        // The magic may lie across two windows.
        position += (filled - (block::MAGIC.len() - 1)) as u64;
    }
}
