//! Owns making the WAV and its manifest of a recording's blocks, durably, and trying again when the
//! disk refuses. Refuses to give up a recording's spool before its WAV is durable.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use sha2::{Digest, Sha256};
use vocab::media::RecordingKey;
use vocab::{MissingReason, RecordingFile, Time, WallTime};

use crate::block::Packets;
use crate::disk::{Disk, DiskFile};
use crate::manifest::{self, Manifest, SideManifest};
use crate::mixer::{Mixer, SideCounts};
use crate::shared::{Shared, Who, bump};
use crate::spool::Track;
use crate::timeline::RATE;
use crate::{Format, Report, names, wav};

/// Nice value of the thread: calls come first.
const NICE: i32 = 10;
/// A manifest is about a kilobyte; a longer file is none of ours.
const MANIFEST_MAX: u64 = 64 << 10;

/// A recording that is over, with all its blocks on disk.
pub(crate) struct Job {
    pub(crate) key: RecordingKey,
    pub(crate) wall: WallTime,
    pub(crate) start: Time,
    pub(crate) stop: Time,
    /// Audio packets in the blocks.
    pub(crate) audio: u64,
    pub(crate) dropped: [u32; 2],
    pub(crate) repaired: bool,
    /// Blocks of which only the number is known.
    pub(crate) missing_blocks: u32,
    pub(crate) track: Track,
}

pub(crate) struct Finaliser<R> {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    format: Format,
    retry_after: Duration,
    shared: Arc<Shared>,
    report: R,
    /// Refused by the disk; tried again in turn.
    refused: VecDeque<Job>,
    failures: u32,
    next_try: Instant,
    /// For reading blocks; kept for its room.
    buffer: Vec<u8>,
}

impl<R: Fn(Report)> Finaliser<R> {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        root: PathBuf,
        format: Format,
        retry_after: Duration,
        shared: Arc<Shared>,
        report: R,
    ) -> Self {
        Self {
            disk,
            root,
            format,
            retry_after,
            shared,
            report,
            refused: VecDeque::new(),
            failures: 0,
            next_try: Instant::now(),
            buffer: Vec::new(),
        }
    }

    /// A recording out of the spool of an earlier process.
    pub(crate) fn repair(&mut self, job: Job) {
        self.shared.began();
        self.attempt(job);
    }

    /// Runs until the writer is gone and its last job is done.
    pub(crate) fn run(mut self, work: &Receiver<Job>) {
        // On Linux this is the thread's own; where it is refused, recording works all the same.
        let _ = rustix::process::setpriority_process(None, NICE);
        loop {
            let job = if self.refused.is_empty() {
                work.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                work.recv_deadline(self.next_try)
            };
            match job {
                // While the disk is in trouble a new job waits behind the others.
                Ok(job) if !self.refused.is_empty() => self.refused.push_back(job),
                Ok(job) => self.attempt(job),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(job) = self.refused.pop_front() {
                        self.attempt(job);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        for job in std::mem::take(&mut self.refused) {
            let key = job.key;
            self.attempt(job);
            if self.refused.pop_back().is_some() {
                // Its blocks stay in the spool: the next start makes the file after all.
                self.tell(key, Err(MissingReason::DiskFailed));
            }
        }
    }

    fn attempt(&mut self, job: Job) {
        match self.finalise(&job) {
            Ok(result) => {
                self.tell(job.key, result);
                job.track.release();
                self.failures = 0;
                self.next_try = Instant::now();
                if self.refused.is_empty() {
                    self.shared.disk_works(Who::Finaliser, &self.report);
                }
            }
            Err(message) => {
                self.shared
                    .disk_failed(Who::Finaliser, message, &self.report);
                self.next_try = Instant::now() + self.retry_after * (1 << self.failures.min(6));
                self.failures = self.failures.saturating_add(1);
                self.refused.push_back(job);
            }
        }
    }

    fn tell(&self, key: RecordingKey, result: Result<RecordingFile, MissingReason>) {
        match result {
            Ok(file) => {
                bump(&self.shared.stored);
                (self.report)(Report::Stored { key, file });
            }
            Err(reason) => {
                bump(&self.shared.missing);
                (self.report)(Report::Missing { key, reason });
            }
        }
        self.shared.ended();
    }

    /// Makes the file; `Err` is the disk's trouble, in a sentence.
    fn finalise(&mut self, job: &Job) -> Result<Result<RecordingFile, MissingReason>, String> {
        let began = job.wall + job.start.since(Time::ZERO);
        let folder = names::folder(began);
        let place = Place {
            relative: format!("{folder}/{}.wav", names::stem(job.key)),
            dir: self.root.join(folder),
            stem: names::stem(job.key),
        };
        if let Some(manifest) = self.stored_before(&place) {
            return Ok(Ok(manifest.to_file()));
        }
        if job.audio == 0 {
            let full = job.dropped.iter().any(|count| *count > 0);
            let reason = if full {
                MissingReason::DiskFailed
            } else {
                MissingReason::NoAudio
            };
            return Ok(Err(reason));
        }
        let made = self.make(job, began, &place);
        if made.is_err() {
            // Gives its space back; it is made anew.
            let _ = self.disk.remove(&place.part("wav"));
            let _ = self.disk.remove(&place.part("json"));
        }
        made.map(|manifest| Ok(manifest.to_file()))
            .map_err(|error| {
                format!(
                    "cannot store the recording {} below {}: {error}",
                    place.relative,
                    self.root.display()
                )
            })
    }

    fn make(&mut self, job: &Job, began: WallTime, place: &Place) -> io::Result<Manifest> {
        self.disk.make_dirs(&place.dir)?;
        let length = job.stop.since(job.start);
        let wanted = length.as_micros() as u64 * RATE as u64 / 1_000_000;
        let samples = wanted.min(wav::frames_max(self.format));

        let part = place.part("wav");
        let file = self.disk.create(&part)?;
        let mut out = Output {
            file,
            position: 0,
            hash: Sha256::new(),
        };
        out.write(&wav::header(self.format, samples))?;
        let mut mixer = Mixer::new(self.format, job.start, samples as i64, |bytes: &[u8]| {
            out.write(bytes)
        });
        let damaged = job
            .track
            .read(job.key, &mut self.buffer, |header, payload| {
                for (side, arrived, rtp) in (Packets {
                    first: header.first,
                    rest: payload,
                }) {
                    mixer.push(side, arrived, rtp)?;
                }
                Ok(())
            })?;
        let [caller, operator] = mixer.finish()?;
        out.file.sync()?;
        let [caller_dropped, operator_dropped] = job.dropped;
        let duration_ms = samples * 1_000 / RATE as u64;
        let manifest = Manifest {
            version: manifest::VERSION,
            call: job.key.call,
            segment: job.key.segment,
            file: place.relative.clone(),
            sha256: hex(&out.hash.finalize()),
            bytes: out.position,
            encoding: match self.format {
                Format::Alaw => "alaw".into(),
                Format::Pcm => "pcm_s16le".into(),
            },
            sample_rate: RATE as u32,
            samples,
            duration_ms,
            started_at: names::rfc3339(began),
            ended_at: names::rfc3339(began + Duration::from_millis(duration_ms)),
            caller: side(caller, caller_dropped, job.start),
            operator: side(operator, operator_dropped, job.start),
            repaired: job.repaired,
            damaged_blocks: damaged + job.missing_blocks,
            truncated: samples < wanted,
        };
        self.disk.rename(&part, &place.whole("wav"))?;
        self.write_manifest(&manifest, place)?;
        Ok(manifest)
    }

    /// After the audio; one sync makes both names durable, and a manifest without its audio counts
    /// for nothing at the next start.
    fn write_manifest(&self, manifest: &Manifest, place: &Place) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
        text.push(b'\n');
        let part = place.part("json");
        let file = self.disk.create(&part)?;
        file.write_at(&text, 0)?;
        file.sync()?;
        self.disk.rename(&part, &place.whole("json"))?;
        self.disk.sync_dir(&place.dir)
    }

    /// The manifest of a recording that is already there, whole and unchanged.
    fn stored_before(&mut self, place: &Place) -> Option<Manifest> {
        let file = self.disk.open(&place.whole("json")).ok()?;
        let length = file
            .length()
            .ok()
            .filter(|length| *length <= MANIFEST_MAX)?;
        let mut text = vec![0; length as usize];
        crate::disk::read_exact_at(file.as_ref(), &mut text, 0).ok()?;
        let manifest: Manifest = serde_json::from_slice(&text).ok()?;
        let audio = self.disk.open(&place.whole("wav")).ok()?;
        let same = manifest.file == place.relative
            && audio.length().ok()? == manifest.bytes
            && hash_of(audio.as_ref(), &mut self.buffer).ok()? == manifest.sha256;
        same.then_some(manifest)
    }
}

/// Where a recording's files go.
struct Place {
    relative: String,
    dir: PathBuf,
    stem: String,
}

impl Place {
    fn whole(&self, ending: &str) -> PathBuf {
        self.dir.join(format!("{}.{ending}", self.stem))
    }

    fn part(&self, ending: &str) -> PathBuf {
        self.dir
            .join(Path::new(&format!(".{}.{ending}.part", self.stem)))
    }
}

/// A file that is written and hashed from front to end.
struct Output {
    file: Box<dyn DiskFile>,
    position: u64,
    hash: Sha256,
}

impl Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(bytes, self.position)?;
        self.position += bytes.len() as u64;
        self.hash.update(bytes);
        Ok(())
    }
}

fn hash_of(file: &dyn DiskFile, buffer: &mut Vec<u8>) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut position = 0;
    buffer.resize(256 << 10, 0);
    loop {
        match file.read_at(buffer, position)? {
            0 => return Ok(hex(&hash.finalize())),
            n => {
                hash.update(buffer.get(..n).unwrap_or_default());
                position += n as u64;
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// What was dropped shows in the sequence numbers too; it was not lost on the way.
fn side(counts: SideCounts, dropped: u32, start: Time) -> SideManifest {
    let names = [(counts.pcma, "PCMA"), (counts.pcmu, "PCMU")];
    let after = |time: Time| time.since(start).as_millis() as u64;
    SideManifest {
        codecs: names
            .iter()
            .filter(|(used, _)| *used)
            .map(|(_, name)| (*name).into())
            .collect(),
        packets: counts.packets,
        lost: counts.lost.saturating_sub(dropped.into()),
        dropped: dropped.into(),
        duplicates: counts.duplicates,
        late: counts.late,
        other: counts.other,
        first_ms: counts.span.map(|(first, _)| after(first)),
        last_ms: counts.span.map(|(_, last)| after(last)),
    }
}
