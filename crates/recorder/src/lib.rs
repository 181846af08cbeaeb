//! Recording of calls: raw RTP packets from the media threads into a spool on disk, and from
//! there, after the segment, into one stereo WAV with a manifest per recording.
//!
//! Contract:
//! - A [`Tap`] belongs to one media thread. It never blocks and never allocates; what does not fit
//!   is dropped, counted, and shown in the recording's manifest.
//! - What reached the tap is in the spool within [`Settings::sync_every`] plus one drain (50 ms)
//!   and survives `kill -9` and power loss from then on.
//! - Each `start` is followed by exactly one [`Report::Stored`] or [`Report::Missing`] in the life
//!   of the recorder; a later process may still report `Stored` for one that was `Missing`
//!   because of the disk, out of the spool it left.
//! - [`start`] first repairs what an earlier process left in the spool and reports it on the
//!   calling thread, before it returns.
//!
//! ```
//! use recorder::{Format, Report, Settings};
//! use vocab::media::{RecordingKey, Side};
//! use vocab::{CallId, Time, WallTime};
//!
//! let dir = tempfile::tempdir()?;
//! let settings = Settings::new(dir.path().join("recordings"), dir.path().join("spool"));
//! let (reports, seen) = std::sync::mpsc::channel();
//! let wall = WallTime::from_unix_millis(1_795_000_000_000); // of Time::ZERO
//! let (mut taps, recorder) =
//!     recorder::start(settings, wall, move |report| drop(reports.send(report)))?;
//!
//! let key = RecordingKey { call: CallId::new(7, 1), segment: 1 };
//! let mut rtp = vec![0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
//! rtp.extend([0xd5; 160]);
//! taps[0].start(key, Time::from_millis(1_000));
//! taps[0].packet(key, Side::Caller, Time::from_millis(1_020), &rtp);
//! taps[0].stop(key, Time::from_millis(1_100));
//! recorder.stop();
//! assert!(matches!(seen.recv()?, Report::Stored { file, .. } if file.duration_ms == 100));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Non-goals: deciding what is recorded and paused (the switch), whether a call may go on unrecorded
//! (policy), how long recordings are kept and what the journal says of them (`src/`).

pub mod crypt;
pub mod disk;

pub mod acts;
pub mod afar;
mod analysis;
pub mod archive;
mod block;
pub mod call;
mod carry;
mod chain;
mod codec;
pub mod export;
mod finaliser;
pub mod ledger;
mod listening;
mod live;
mod manifest;
pub mod mend;
mod mixer;
mod names;
mod opus_file;
mod output;
mod pen;
mod repair;
mod ring;
mod rtp;
mod seal;
mod sequence;
mod shared;
mod sound;
mod spool;
mod tap;
mod timeline;
mod watch;
mod wav;
mod window;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io};

use vocab::media::RecordingKey;
use vocab::{MissingReason, RecordingFile, WallTime};

use crate::crypt::Keys;
use crate::disk::{Disk, RealDisk};
use crate::finaliser::Finaliser;
use crate::shared::Shared;
use crate::watch::Gauge;

pub use crate::chain::{Chain, Deed, Link};
pub use crate::codec::{AudioCodec, Payloads};
pub use crate::manifest::{Archived, Encryption, Gap, Manifest, Part, Pause, SideManifest};
pub use crate::seal::{Seal, SigningKey};
pub use crate::shared::{Counts, Figures};
pub use crate::sound::{Sound, Stored};
pub use crate::tap::Tap;

/// Encoding of the WAV files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// G.711 A-law, 8 bits: 58 MB an hour of stereo; as the telephones sent it.
    Alaw,
    /// Linear PCM, 16 bits: twice that; every program can open it.
    Pcm,
}

/// The folder in the spool for a process that begins while another still records into it.
const BESIDE: &str = "beside";

/// What the recorder needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Root of the recordings.
    pub root: PathBuf,
    /// Directory of the spool; best on the same disk as nothing else that is slow.
    pub spool: PathBuf,
    /// Whether a leaving process may still record into that spool: then a folder in it is taken instead.
    pub beside: bool,
    /// Encoding of the WAV files.
    pub format: Format,
    /// To whom they are encrypted.
    pub keys: Keys,
    /// What each day of the chain is signed with; without it days are not signed.
    pub signing: Option<Arc<SigningKey>>,
    /// How many taps to make: one per media thread. At least 1.
    pub threads: usize,
    /// Bytes between each media thread and the writer, which never waits for the disk; at least
    /// 65,536. A recorded call fills 20 kB a second, so 4 MiB ride out 0.4 s in which the writer
    /// gets no processor under 500 calls.
    pub ring_bytes: usize,
    /// Longest time between two syncs of the spool: what a power cut can lose. At most 1 s.
    pub sync_every: Duration,
    /// Octets free on the disks of root and spool below which [`Report::LowWater`] is told.
    pub low_water: u64,
}

impl Settings {
    /// A-law, one tap, 4 MiB of ring, a sync every 500 ms.
    #[must_use]
    pub fn new(root: PathBuf, spool: PathBuf) -> Self {
        Self {
            root,
            spool,
            beside: false,
            format: Format::Alaw,
            keys: Keys::default(),
            signing: None,
            threads: 1,
            ring_bytes: 4 << 20,
            sync_every: Duration::from_millis(500),
            low_water: 0,
        }
    }
}

/// Bounds that are not policy; other than default only in tests and on unusual machines.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A spool file is closed when it is this long. Small files give space back sooner.
    pub spool_file_bytes: u64,
    /// Audio held in memory while the spool cannot be written; beyond it, it is dropped.
    pub backlog_bytes: usize,
    /// Recordings at once per tap; a `start` beyond it is refused and reported `Missing`.
    pub live_per_tap: usize,
    /// Wait before the first retry of what the disk refused. It doubles: for the spool, where audio
    /// is lost meanwhile, up to 8 times this, for recordings up to 64 times.
    pub retry_after: Duration,
    /// A write that lasts longer is a disk that hangs, and told as [`Report::DiskTrouble`].
    pub hangs_after: Duration,
    /// A recording that has lasted so long gets a spool file of its own, so that it does not keep
    /// those that it shares; then again and again.
    pub carry_after: Duration,
    /// A finaliser that is so far behind is told as [`Report::FinaliserLate`].
    pub late_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            spool_file_bytes: 64 << 20,
            backlog_bytes: 64 << 20,
            live_per_tap: 4_096,
            retry_after: Duration::from_millis(500),
            hangs_after: Duration::from_secs(3),
            carry_after: Duration::from_secs(600),
            late_after: Duration::from_secs(60),
        }
    }
}

/// What the recorder reports. Called on the recorder's threads, and during [`start`] on its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A recording is durable on disk.
    Stored {
        /// Which.
        key: RecordingKey,
        /// What and where.
        file: RecordingFile,
    },
    /// A recording that was started will not be there.
    Missing {
        /// Which.
        key: RecordingKey,
        /// Why.
        reason: MissingReason,
    },
    /// Spool or recordings cannot be written. Once per episode; work is retried.
    DiskTrouble {
        /// What failed, where, and what the system said.
        message: String,
    },
    /// Writing works again.
    DiskFine,
    /// Less than [`Settings::low_water`] is free. Once per episode.
    LowWater {
        /// The folder whose disk it is.
        path: PathBuf,
        /// Octets that are free.
        free: u64,
    },
    /// There is enough room again on every disk.
    RoomAgain,
    /// Recordings that are over wait too long for the finaliser. Once per episode.
    FinaliserLate {
        /// How long the one that waits longest has waited.
        lag: Duration,
        /// How many there are.
        waiting: usize,
    },
    /// The finaliser has caught up.
    FinaliserInTime,
}

/// Why the recorder could not start. Each is one plain sentence that holds its cause, which is
/// therefore no `source()`: it would be printed a second time.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A directory or file cannot be used.
    #[error("cannot use {path} for recordings: {cause}; check that it is a writable directory")]
    Unusable {
        /// Which path.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Another process records into the same spool.
    #[error("the recording spool {path} is in use by another process")]
    InUse {
        /// The spool.
        path: PathBuf,
    },
    /// A setting is out of its range.
    #[error("recording setting out of range: {0}")]
    Setting(&'static str),
    /// A thread could not be started.
    #[error("cannot start a recorder thread: {0}")]
    Thread(io::Error),
}

/// Starts the writer and the finaliser. `wall` is the wall-clock time of `Time::ZERO`; it names the
/// dated folders and stands in the manifests.
///
/// # Errors
/// When a directory cannot be used, is in use, or a setting is out of range.
pub fn start<R>(
    settings: Settings,
    wall: WallTime,
    report: R,
) -> Result<(Vec<Tap>, Recorder), StartError>
where
    R: Fn(Report) + Send + Clone + 'static,
{
    start_on(
        Arc::new(RealDisk),
        settings,
        Limits::default(),
        wall,
        report,
    )
}

/// [`start`] with a disk and limits of one's own.
///
/// # Errors
/// As [`start`].
pub fn start_on<R>(
    disk: Arc<dyn Disk>,
    settings: Settings,
    limits: Limits,
    wall: WallTime,
    report: R,
) -> Result<(Vec<Tap>, Recorder), StartError>
where
    R: Fn(Report) + Send + Clone + 'static,
{
    check(&settings)?;
    prepare(disk.as_ref(), &settings.root)?;
    let (spool, lock) = choose_spool(disk.as_ref(), &settings)?;
    let shared = Arc::new(Shared::default());
    let mut finaliser = finaliser_of(
        &disk,
        (&settings, &spool),
        &shared,
        limits.retry_after,
        &report,
    );
    let next_file = repair_spool(&disk, &spool, &mut finaliser)?;
    repair_free(&disk, &settings, &mut finaliser)?;

    let (taps, rings): (Vec<_>, Vec<_>) = (0..settings.threads)
        .map(|_| {
            tap::pair(
                settings.ring_bytes,
                limits.live_per_tap,
                Arc::clone(&shared),
            )
        })
        .unzip();
    // Unbounded because nothing may wait for it; a job holds 24 bytes per half second of call, and
    // its audio is on disk.
    let (orders, work) = crossbeam_channel::unbounded();
    let finaliser = std::thread::Builder::new()
        .name("recorder-wav".into())
        .spawn(move || finaliser.run(&work))
        .map_err(StartError::Thread)?;
    let gauge = Gauge::new(
        Arc::clone(&disk),
        settings.low_water,
        [settings.root.clone(), spool.clone()],
    );
    let spool = spool::Spool::new(disk, spool, next_file, limits.spool_file_bytes);
    let pen = pen::Pen::start(spool, Arc::clone(&shared), gauge, report.clone())
        .map_err(StartError::Thread)?;
    let writer = writer::Writer::new(writer::Parts {
        rings,
        pen,
        work: orders,
        wall,
        sync_every: settings.sync_every,
        limits,
        shared: Arc::clone(&shared),
        report: report.clone(),
    });
    let watch = watch::start(Arc::clone(&shared), limits, report).map_err(StartError::Thread)?;
    let writer = std::thread::Builder::new()
        .name("recorder-spool".into())
        .spawn(move || writer.run())
        .map_err(StartError::Thread)?;
    let recorder = Recorder {
        writer: Some(writer),
        finaliser: Some(finaliser),
        watch: Some(watch),
        shared,
        _lock: lock,
    };
    Ok((taps, recorder))
}

/// Makes recordings of what processes that died left in the spool, while another records: for the
/// successor of a leaving process that died.
///
/// # Errors
/// When the spool cannot be read.
pub fn repair_left<R>(settings: &Settings, report: R) -> Result<(), StartError>
where
    R: Fn(Report) + Send + Clone + 'static,
{
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let shared = Arc::new(Shared::default());
    let wait = Limits::default().retry_after;
    let mut finaliser = finaliser_of(&disk, (settings, &settings.spool), &shared, wait, &report);
    repair_free(&disk, settings, &mut finaliser)
}

fn finaliser_of<R: Fn(Report) + Clone>(
    disk: &Arc<dyn Disk>,
    (settings, spool): (&Settings, &Path),
    shared: &Arc<Shared>,
    retry_after: Duration,
    report: &R,
) -> Finaliser<R> {
    Finaliser::new(finaliser::Parts {
        disk: Arc::clone(disk),
        root: settings.root.clone(),
        spool: spool.to_owned(),
        format: settings.format,
        keys: settings.keys.clone(),
        chain: Chain::new(Arc::clone(disk), &settings.root, settings.signing.clone()),
        retry_after,
        shared: Arc::clone(shared),
        report: report.clone(),
    })
}

/// The folder of the spool that this process takes, with its lock.
fn choose_spool(disk: &dyn Disk, settings: &Settings) -> Result<(PathBuf, File), StartError> {
    prepare(disk, &settings.spool)?;
    match lock(&settings.spool) {
        Err(StartError::InUse { .. }) if settings.beside => {
            let beside = settings.spool.join(BESIDE);
            prepare(disk, &beside)?;
            let lock = lock(&beside)?;
            Ok((beside, lock))
        }
        result => Ok((settings.spool.clone(), result?)),
    }
}

/// Repairs each folder of the spool that no process has.
fn repair_free<R: Fn(Report)>(
    disk: &Arc<dyn Disk>,
    settings: &Settings,
    finaliser: &mut Finaliser<R>,
) -> Result<(), StartError> {
    for folder in [settings.spool.clone(), settings.spool.join(BESIDE)] {
        if !folder.is_dir() {
            continue;
        }
        match lock(&folder) {
            Ok(_lock) => drop(repair_spool(disk, &folder, finaliser)?),
            Err(StartError::InUse { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn repair_spool<R: Fn(Report)>(
    disk: &Arc<dyn Disk>,
    spool: &Path,
    finaliser: &mut Finaliser<R>,
) -> Result<u64, StartError> {
    repair::run(disk, spool, finaliser).map_err(|cause| StartError::Unusable {
        path: spool.to_owned(),
        cause,
    })
}

fn check(settings: &Settings) -> Result<(), StartError> {
    if settings.threads == 0 {
        return Err(StartError::Setting("threads must be at least 1"));
    }
    if settings.ring_bytes < 65_536 {
        return Err(StartError::Setting("ring_bytes must be at least 65536"));
    }
    if settings.sync_every.is_zero() || settings.sync_every > Duration::from_secs(1) {
        return Err(StartError::Setting(
            "sync_every must be above 0 and at most 1 s",
        ));
    }
    Ok(())
}

/// Makes a directory and proves that it can be written.
fn prepare(disk: &dyn Disk, dir: &Path) -> Result<(), StartError> {
    let probe = dir.join(".write-probe");
    disk.make_dirs(dir)
        .and_then(|()| disk.create(&probe))
        .and_then(|_| disk.remove(&probe))
        .map_err(|cause| StartError::Unusable {
            path: dir.to_owned(),
            cause,
        })
}

/// Two processes in one spool would each "repair" the other's live recordings.
fn lock(spool: &Path) -> Result<File, StartError> {
    let unusable = |cause| StartError::Unusable {
        path: spool.to_owned(),
        cause,
    };
    let file = File::create(spool.join("lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse {
            path: spool.to_owned(),
        }),
        Err(TryLockError::Error(cause)) => Err(unusable(cause)),
    }
}

/// The running recorder. Dropping it stops it as [`Recorder::stop`] does.
pub struct Recorder {
    writer: Option<JoinHandle<()>>,
    finaliser: Option<JoinHandle<()>>,
    watch: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    _lock: File,
}

impl Recorder {
    /// Takes what is in the rings, finalises every recording and joins the threads. One that was
    /// never stopped ends with its last packet and is marked repaired. What the disk refuses even
    /// now is reported `Missing`, and stays in the spool for the next start if it got that far.
    pub fn stop(mut self) {
        self.close();
    }

    /// Recordings started and not yet reported stored or missing.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.shared.pending()
    }

    /// Totals since the start, for metrics.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// What is counted, for another thread.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures(Arc::clone(&self.shared))
    }

    fn close(&mut self) {
        self.shared.ask_to_stop();
        for thread in [self.writer.take(), self.finaliser.take(), self.watch.take()]
            .into_iter()
            .flatten()
        {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a recorder thread ended by a panic");
            }
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("pending", &self.pending())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = prepare(&RealDisk, &file.join("spool")).unwrap_err();
        let text = error.to_string();
        assert_eq!(text.matches("(os error ").count(), 1, "{text}");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(source, None, "the text says it already");
    }
}
