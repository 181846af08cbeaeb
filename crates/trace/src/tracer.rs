//! Owns the way into the trace: the handle that the engine holds, and the start of the thread.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use sip::Flow;
use vocab::CallId;

use crate::packet::Direction;
use crate::writer::Writer;

/// What may wait for the thread. It looks every 50 ms, so this is 160,000 messages a second; of
/// ordinary messages it is about 8 MiB.
const QUEUE: usize = 8_192;

/// Where the trace is, and how much of it is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder; made if it is not there, readable by its owner alone.
    pub folder: PathBuf,
    /// Octets of all files together.
    pub size: u64,
    /// The oldest message that is kept.
    pub age: Duration,
}

impl Settings {
    /// A trace of 1 GiB and 7 days.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            size: 1 << 30,
            age: Duration::from_secs(7 * 86_400),
        }
    }
}

/// The trace cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("the folder of the SIP trace {folder} cannot be used: {source}")]
pub struct StartError {
    /// The folder.
    pub folder: String,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// What goes to the thread, in the order in which it is to be understood.
#[derive(Debug)]
pub(crate) enum Record {
    Message(Traced),
    /// From here on messages of this Call-ID belong to the call.
    Leg {
        call: CallId,
        sip_call_id: String,
    },
    Ended {
        call: CallId,
        at_us: i64,
    },
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) at_us: i64,
    pub(crate) flow: Flow,
    pub(crate) direction: Direction,
    pub(crate) bytes: Vec<u8>,
}

/// The way into the trace. Never blocks.
#[derive(Debug, Clone)]
pub struct Tracer {
    records: Option<Sender<Record>>,
    dropped: Arc<AtomicU64>,
}

impl Tracer {
    /// A tracer that keeps nothing.
    #[must_use]
    pub fn off() -> Self {
        Self {
            records: None,
            dropped: Arc::default(),
        }
    }

    /// Whether messages are kept: if not, nobody need copy them.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.records.is_some()
    }

    /// A message passed, at a time in microseconds since 1970.
    pub fn message(&self, at_us: i64, flow: &Flow, direction: Direction, bytes: Vec<u8>) {
        self.hand_over(|| {
            Record::Message(Traced {
                at_us,
                flow: *flow,
                direction,
                bytes,
            })
        });
    }

    /// Messages of this Call-ID, from the next one on, belong to the call.
    pub fn leg(&self, call: CallId, sip_call_id: &str) {
        self.hand_over(|| Record::Leg {
            call,
            sip_call_id: sip_call_id.to_owned(),
        });
    }

    /// The call is over.
    pub fn ended(&self, call: CallId, at_us: i64) {
        self.hand_over(|| Record::Ended { call, at_us });
    }

    /// What there was no room for.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn hand_over(&self, record: impl FnOnce() -> Record) {
        if let Some(records) = &self.records
            && records.try_send(record()).is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread. It ends when the last [`Tracer`] is gone.
#[derive(Debug)]
pub struct Running(JoinHandle<()>);

impl Running {
    /// Waits until everything handed over is written.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the thread of the SIP trace panicked");
        }
    }
}

/// Starts the trace.
///
/// # Errors
/// If the folder cannot be made, or the system gives no thread.
pub fn start(settings: Settings) -> Result<(Tracer, Running), StartError> {
    let failed = |folder: &Path, source| StartError {
        folder: folder.display().to_string(),
        source,
    };
    let folder = settings.folder.clone();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|source| failed(&folder, source))?;
    let (records, to_write) = bounded(QUEUE);
    let dropped = Arc::default();
    let mut writer = Writer::new(settings, Arc::clone(&dropped));
    writer.prune().map_err(|source| failed(&folder, source))?;
    let thread = std::thread::Builder::new()
        .name("trace".to_owned())
        .spawn(move || writer.run(&to_write))
        .map_err(|source| failed(&folder, source))?;
    Ok((
        Tracer {
            records: Some(records),
            dropped,
        },
        Running(thread),
    ))
}
