//! Owns reading an object from any place: pieces are fetched as they are asked for, and one is kept.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;

use crate::Bucket;

/// Octets fetched at a time: a minute and more of an archived recording.
const PIECE: u64 = 1 << 20;

/// An object that is open.
#[derive(Debug)]
pub struct Object {
    bucket: Bucket,
    name: String,
    size: u64,
    tag: Option<String>,
    at: u64,
    /// Where the piece that is here begins, and it.
    piece: (u64, Bytes),
}

impl Object {
    pub(crate) fn new(bucket: Bucket, name: &str, size: u64, tag: Option<String>) -> Self {
        Self {
            bucket,
            name: name.to_owned(),
            size,
            tag,
            at: 0,
            piece: (0, Bytes::new()),
        }
    }

    /// How many octets it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// What is here of the octets from where we are.
    fn here(&self) -> &[u8] {
        let (begin, piece) = &self.piece;
        let skip = self.at.checked_sub(*begin).map(usize::try_from);
        let Some(Ok(skip)) = skip else { return &[] };
        piece.get(skip..).unwrap_or_default()
    }
}

impl Read for Object {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(self.at);
        if left == 0 || out.is_empty() {
            return Ok(0);
        }
        if self.here().is_empty() {
            let count = PIECE.min(left);
            let tag = self.tag.as_deref();
            let piece = self.bucket.piece(&self.name, (self.at, count), tag)?;
            if piece.len() as u64 != count {
                let why = format!("expected {count} octets, {} came", piece.len());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            self.piece = (self.at, piece);
        }
        let here = self.here();
        let count = here.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), here.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Object {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
