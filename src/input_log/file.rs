//! Owns the files of the input log: one for each boot, the newest of them, and those that are kept
//! because something was wrong.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lz4_flex::frame::FrameDecoder;
use serde::de::DeserializeOwned;

use super::record::{Head, Record};

/// How files are named: `BOOT.inputs`, and `BOOT.kept` for those that stay.
const NEW: &str = "inputs";
const KEPT: &str = "kept";

/// Most files that are kept; what is wrong again and again fills no disk.
const KEPT_MAX: usize = 8;

/// Longest record, octets.
const RECORD_MAX: usize = 64 << 20;

/// The file of a boot, new and empty, readable by this user alone. The folder is made if need be;
/// older files go until all of them take `size` octets at most with one more of half of that.
pub(super) fn create(folder: &Path, boot: u32, size: u64) -> io::Result<(File, PathBuf)> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    make_room(folder, size / 2)?;
    let path = folder.join(format!("{boot:010}.{NEW}"));
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)?;
    Ok((file, path))
}

/// Lets the oldest go, so that the others take `left` octets at most.
fn make_room(folder: &Path, left: u64) -> io::Result<()> {
    let mut files = named(folder, NEW)?;
    files.reverse();
    let mut sum = 0_u64;
    for path in files {
        sum = sum.saturating_add(fs::metadata(&path)?.len());
        if sum > left {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Keeps the file of a boot beyond the ring: a second name for it.
pub(super) fn keep(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let kept = path.with_extension(KEPT);
    if kept.exists() || named(folder, KEPT)?.len() >= KEPT_MAX {
        return Ok(());
    }
    fs::hard_link(path, kept)
}

/// The files of an extension, the oldest first.
fn named(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a file from its beginning.
pub(super) struct Reader {
    lines: BufReader<FrameDecoder<BufReader<File>>>,
    line: Vec<u8>,
}

/// What comes next of a file.
pub(super) enum Next {
    Record(Box<Record>),
    /// The file ends here: in the middle of a record where a process was killed.
    End,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// By the system.
    #[error("{path}: cannot be read: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is something else.
    #[error("{path}: expected an input log of hotline, found something else")]
    Strange {
        /// Which file.
        path: PathBuf,
    },
}

impl Reader {
    /// Opens a file and reads its head.
    pub(super) fn open(path: &Path) -> Result<(Self, Head), ReadError> {
        let io = |error| ReadError::Io {
            path: path.to_path_buf(),
            error,
        };
        let file = File::open(path).map_err(io)?;
        let mut reader = Self {
            lines: BufReader::new(FrameDecoder::new(BufReader::new(file))),
            line: Vec::new(),
        };
        let head = reader.read();
        let head = head.ok_or_else(|| ReadError::Strange {
            path: path.to_path_buf(),
        })?;
        Ok((reader, head))
    }

    pub(super) fn next(&mut self) -> Next {
        self.read()
            .map_or(Next::End, |record| Next::Record(Box::new(record)))
    }

    /// The next line, if there is a whole and sensible one.
    fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        self.line.clear();
        // What a killed process left unfinished reads as an error.
        let _ = self.lines.read_until(b'\n', &mut self.line);
        let whole = self.line.len() <= RECORD_MAX && self.line.ends_with(b"\n");
        serde_json::from_slice(&self.line).ok().filter(|_| whole)
    }
}
