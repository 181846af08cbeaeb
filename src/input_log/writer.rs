//! Owns the thread that writes the input log.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};

use super::digest::Digest;
use super::record::Head;
use super::{InputLog, STEPS_MAX, Settings, Word, file};

/// What a kill may take of the log, at most, besides what waits.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// The running thread; it ends when the [`InputLog`] is gone.
pub struct Running(JoinHandle<()>);

impl Running {
    /// Waits until everything is written.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the thread of the input log panicked");
        }
    }
}

/// Starts a log with `head`.
///
/// # Errors
/// If its file or thread cannot be made.
pub fn start(settings: &Settings, head: &Head) -> anyhow::Result<(InputLog, Running)> {
    let (file, path) = file::create(&settings.folder, head.boot, settings.size)?;
    let mut writer = Writer::new(file, path, settings.size / 2);
    writer.line(head)?;
    writer.flush()?;
    let (sender, words) = bounded(STEPS_MAX);
    let over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&over);
    let thread = std::thread::Builder::new()
        .name("input log".to_owned())
        .spawn(move || {
            if let Err(error) = writer.run(&words) {
                tracing::warn!(%error, "the input log ends here");
            }
            told.store(true, Ordering::Relaxed);
        })?;
    let log = InputLog {
        sender: Some(sender),
        over,
        digest: Digest::default(),
    };
    Ok((log, Running(thread)))
}

/// Counts what reaches the file.
struct Counted {
    file: File,
    octets: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.octets += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

struct Writer {
    lines: FrameEncoder<Counted>,
    path: PathBuf,
    size: u64,
    buffer: Vec<u8>,
}

impl Writer {
    fn new(file: File, path: PathBuf, size: u64) -> Self {
        let form = FrameInfo::new().block_size(BlockSize::Max256KB);
        let file = Counted { file, octets: 0 };
        Self {
            lines: FrameEncoder::with_frame_info(form, file),
            path,
            size,
            buffer: Vec::new(),
        }
    }

    /// Writes what comes until nobody is left who could say more, or the file is full.
    fn run(mut self, words: &Receiver<Word>) -> io::Result<()> {
        let mut flush_at = Instant::now() + FLUSH_EVERY;
        loop {
            match words.recv_deadline(flush_at) {
                Ok(Word::Step(record)) => self.line(&record)?,
                Ok(Word::Keep) => file::keep(&self.path)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.lines.try_finish()?;
                    return Ok(());
                }
            }
            if Instant::now() >= flush_at {
                flush_at = Instant::now() + FLUSH_EVERY;
                self.flush()?;
                if self.lines.get_ref().octets > self.size {
                    tracing::info!("the input log has its size and ends here");
                    self.lines.try_finish()?;
                    return Ok(());
                }
            }
        }
    }

    fn line(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, value)?;
        self.buffer.push(b'\n');
        self.lines.write_all(&self.buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()
    }
}
