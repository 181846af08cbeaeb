//! Owns a file that is written from front to end, hashed on the way, and encrypted where there is
//! a recipient. Plain audio never lies on the disk of who wants it encrypted.

use std::io::{self, Write};
use std::path::Path;

use age::stream::StreamWriter;
use sha2::{Digest, Sha256};

use crate::crypt::Keys;
use crate::disk::{Disk, DiskFile};

/// Ending of encrypted files.
pub(crate) const ENCRYPTED: &str = "age";

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// Of the file.
    pub(crate) sha256: String,
    /// Size of the file.
    pub(crate) bytes: u64,
    /// Of what was put in.
    pub(crate) inner_sha256: String,
    /// Size of what was put in.
    pub(crate) inner_bytes: u64,
}

struct Stored {
    file: Box<dyn DiskFile>,
    position: u64,
    hash: Sha256,
}

impl Write for Stored {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.position)?;
        self.position += bytes.len() as u64;
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Way {
    Plain(Stored),
    Sealed {
        writer: Box<StreamWriter<Stored>>,
        hash: Sha256,
        bytes: u64,
    },
}

/// The file while it is written.
pub(crate) struct Output(Way);

impl Output {
    pub(crate) fn create(disk: &dyn Disk, path: &Path, keys: &Keys) -> io::Result<Self> {
        let stored = Stored {
            file: disk.create(path)?,
            position: 0,
            hash: Sha256::new(),
        };
        Ok(Self(if keys.encrypts() {
            Way::Sealed {
                writer: Box::new(keys.seal(stored)?),
                hash: Sha256::new(),
                bytes: 0,
            }
        } else {
            Way::Plain(stored)
        }))
    }

    /// Ends the file and makes it durable.
    pub(crate) fn finish(self) -> io::Result<Written> {
        let (stored, inner) = match self.0 {
            Way::Plain(stored) => (stored, None),
            Way::Sealed {
                writer,
                hash,
                bytes,
            } => (writer.finish()?, Some((hex(&hash.finalize()), bytes))),
        };
        stored.file.sync()?;
        let (sha256, bytes) = (hex(&stored.hash.finalize()), stored.position);
        let (inner_sha256, inner_bytes) = inner.unwrap_or_else(|| (sha256.clone(), bytes));
        Ok(Written {
            sha256,
            bytes,
            inner_sha256,
            inner_bytes,
        })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::Plain(stored) => stored.write(bytes),
            Way::Sealed {
                writer,
                hash,
                bytes: inner,
            } => {
                writer.write_all(bytes)?;
                hash.update(bytes);
                *inner += bytes.len() as u64;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Octets as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
