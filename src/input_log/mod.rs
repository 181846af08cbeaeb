//! Owns the input log: everything that was handed to the switch since the process began, with its
//! time, so that `hotline replay` can hand it in again and see the same outputs, to the byte.
//!
//! The driver gives each input to the log before the switch gets it: what it panics at is the last of
//! the log. A thread of its own writes; what it has no room for ends the log, and the calls go on.
//! Files hold numbers of callers and what proves passwords, as memory does: they are the engine's
//! user's alone.

mod digest;
mod file;
mod record;
mod replay;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Sender, TrySendError};
use switch::Output;
use vocab::Time;

use digest::Digest;

pub use record::{Head, Sources, Step};
pub use replay::{Replayed, replay};
pub use writer::{Running, start};

/// Steps that may wait for the writer.
const STEPS_MAX: usize = 16_384;

/// Where the log is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of its files.
    pub folder: PathBuf,
    /// What all of them may take, octets.
    pub size: u64,
}

/// What the writer gets.
enum Word {
    Step(Box<record::Record>),
    Keep,
}

/// The driver's end.
pub struct InputLog {
    sender: Option<Sender<Word>>,
    /// The writer takes nothing more.
    over: Arc<AtomicBool>,
    digest: Digest,
}

impl InputLog {
    /// One that writes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self {
            sender: None,
            over: Arc::default(),
            digest: Digest::default(),
        }
    }

    /// The next step, before it is taken. `step` is asked only if somebody listens.
    pub fn step(&mut self, at: Time, step: impl FnOnce() -> Step) {
        if self.sender.is_none() {
            return;
        }
        let made = self.digest.take();
        let step = step();
        let record = record::Record { at, made, step };
        self.tell(Word::Step(Box::new(record)));
    }

    /// What the last step made the switch do.
    pub fn made(&mut self, output: &Output) {
        if self.sender.is_some() {
            self.digest.add(output);
        }
    }

    /// Something is wrong with the engine: the log of this process is to be kept.
    pub fn keep(&mut self) {
        self.tell(Word::Keep);
    }

    fn tell(&mut self, word: Word) {
        let Some(sender) = &self.sender else { return };
        if self.over.load(Ordering::Relaxed) {
            self.sender = None;
        } else if let Err(TrySendError::Full(_)) = sender.try_send(word) {
            tracing::warn!("the input log has no room for more and ends here");
            self.sender = None;
        }
    }
}
