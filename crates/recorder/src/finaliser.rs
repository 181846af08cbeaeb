//! Owns making the WAV and its manifest of a recording's blocks, durably, and trying again when the
//! disk refuses. Refuses to give up a recording's spool before its WAV is durable.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use sha2::{Digest, Sha256};
use vocab::media::RecordingKey;
use vocab::{MissingReason, RecordingFile, Time, WallTime};

use crate::block::{Piece, Pieces};
use crate::carry::Carried;
use crate::chain::{Chain, Deed};
use crate::crypt::Keys;
use crate::disk::{Disk, DiskFile};
use crate::listening::{Listening, Marks};
use crate::manifest::{self, Encryption, Manifest, Part, SideManifest};
use crate::mixer::{Kind, Mixer, SideCounts};
use crate::output::{self, Output, Written, hex};
use crate::shared::{Shared, Who, bump};
use crate::spool::Track;
use crate::{Format, Report, names, wav};

/// Nice value of the thread: calls come first.
const NICE: i32 = 10;
/// The longest recording. A call is over long before (`limits.call_longest`); this bounds what a
/// broken clock can ask for.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);
/// How often a finaliser with nothing to do looks whether a day is to be signed.
const SIGN_EVERY: Duration = Duration::from_secs(600);

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
    /// Nothing of it is to be kept.
    pub(crate) discarded: bool,
    /// It was paused before there was any audio.
    pub(crate) paused: bool,
    /// A side sent wideband.
    pub(crate) wideband: bool,
    pub(crate) track: Track,
    /// When the finaliser was told.
    pub(crate) handed: Instant,
}

/// What the finaliser is told.
pub(crate) enum Work {
    /// A recording is over.
    Finalise(Job),
    /// One lasts long: these blocks of it are to lie in its own file.
    Carry(RecordingKey, Track),
}

pub(crate) struct Finaliser<R> {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    format: Format,
    keys: Keys,
    chain: Chain,
    retry_after: Duration,
    shared: Arc<Shared>,
    report: R,
    carried: Carried,
    /// Refused by the disk; tried again in turn.
    refused: VecDeque<Job>,
    failures: u32,
    next_try: Instant,
    /// For reading blocks; kept for its room.
    buffer: Vec<u8>,
}

/// What a finaliser is made of.
pub(crate) struct Parts<R> {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) root: PathBuf,
    pub(crate) spool: PathBuf,
    pub(crate) format: Format,
    pub(crate) keys: Keys,
    pub(crate) chain: Chain,
    pub(crate) retry_after: Duration,
    pub(crate) shared: Arc<Shared>,
    pub(crate) report: R,
}

impl<R: Fn(Report)> Finaliser<R> {
    pub(crate) fn new(parts: Parts<R>) -> Self {
        let Parts {
            disk,
            root,
            spool,
            format,
            keys,
            chain,
            retry_after,
            shared,
            report,
        } = parts;
        let mut made = Self {
            carried: Carried::new(Arc::clone(&disk), spool),
            disk,
            root,
            format,
            keys,
            chain,
            retry_after,
            shared,
            report,
            refused: VecDeque::new(),
            failures: 0,
            next_try: Instant::now(),
            buffer: Vec::new(),
        };
        made.sign();
        made
    }

    /// A recording out of the spool of an earlier process.
    pub(crate) fn repair(&mut self, job: Job) {
        self.shared.began();
        self.shared.job_handed();
        self.attempt(job);
    }

    /// Runs until the writer is gone and its last job is done.
    pub(crate) fn run(mut self, work: &Receiver<Work>) {
        // On Linux this is the thread's own; where it is refused, recording works all the same.
        let _ = rustix::process::setpriority_process(None, NICE);
        loop {
            let wait = if self.refused.is_empty() {
                Instant::now() + SIGN_EVERY
            } else {
                self.next_try
            };
            match work.recv_deadline(wait) {
                Ok(Work::Carry(key, track)) => self.carry(key, track),
                Ok(Work::Finalise(mut job)) => {
                    job.track = self.carried.gather(job.key, job.track);
                    if self.refused.is_empty() {
                        self.attempt(job);
                    } else {
                        // While the disk is in trouble a new job waits behind the others.
                        self.refused.push_back(job);
                    }
                }
                Err(RecvTimeoutError::Timeout) => match self.refused.pop_front() {
                    Some(job) => self.attempt(job),
                    None => self.sign(),
                },
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

    fn carry(&mut self, key: RecordingKey, track: Track) {
        if let Err(error) = self.carried.carry(key, track, &mut self.buffer) {
            // The blocks stay where they are, which costs only room.
            tracing::warn!(call = %key.call, segment = key.segment, %error,
                "a long recording keeps the spool files that it shares");
        }
    }

    fn attempt(&mut self, job: Job) {
        let before = self.refused.iter().map(|job| job.handed);
        self.shared.jobs_since(before.chain([job.handed]).min());
        self.try_to_finalise(job);
        let left = self.refused.iter().map(|job| job.handed).min();
        self.shared.jobs_since(left);
    }

    fn try_to_finalise(&mut self, job: Job) {
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
        self.shared.job_done();
        self.shared.ended();
    }

    /// Makes the file; `Err` is the disk's trouble, in a sentence.
    fn finalise(&mut self, job: &Job) -> Result<Result<RecordingFile, MissingReason>, String> {
        if job.discarded {
            return Ok(Err(MissingReason::TooShort));
        }
        let began = job.wall + job.start.since(Time::ZERO);
        let place = Place::new(&self.root, began, job.key);
        let root = self.root.display().to_string();
        let trouble = |error: io::Error| {
            let file = place.relative("wav");
            format!("cannot store the recording {file} below {root}: {error}")
        };
        if let Some(manifest) = self.stored_before(&place) {
            self.link_if_missing(&manifest, began).map_err(trouble)?;
            return Ok(Ok(manifest.to_file()));
        }
        if job.audio == 0 {
            let full = job.dropped.iter().any(|count| *count > 0);
            return Ok(Err(match (full, job.paused) {
                (true, _) => MissingReason::DiskFailed,
                (false, true) => MissingReason::Paused,
                (false, false) => MissingReason::NoAudio,
            }));
        }
        let made = self.make(job, began, &place);
        if made.is_err() {
            // Gives its space back; it is made anew.
            place.parts().iter().for_each(|part| {
                let _ = self.disk.remove(part);
            });
        }
        made.map(|manifest| Ok(manifest.to_file())).map_err(trouble)
    }

    fn make(&mut self, job: &Job, began: WallTime, place: &Place) -> io::Result<Manifest> {
        self.disk.make_dirs(&place.dir)?;
        let kind = if job.wideband {
            Kind::WIDE
        } else {
            Kind::narrow(self.format)
        };
        let rate = u64::from(kind.rate());
        let length = job.stop.since(job.start);
        let wanted = length.as_micros() as u64 * rate / 1_000_000;
        let samples = wanted.min(LONGEST.as_secs() * rate);

        let part = place.part("wav");
        let mut output = Output::create(self.disk.as_ref(), &part, &self.keys)?;
        output.write_all(&wav::header(kind.format, kind.rate(), samples))?;
        let listening = Listening::new(output, kind);
        let mut mixer = Mixer::new(kind, job.start, samples as i64, listening);
        let mut marks = Marks::new(job.start, job.stop, rate);
        let damaged = job
            .track
            .read(job.key, &mut self.buffer, |header, payload| {
                for (at, piece) in (Pieces {
                    first: header.first,
                    rest: payload,
                }) {
                    match piece {
                        Piece::Packet(side, rtp) => {
                            mixer.push((side, at), rtp, &header.payloads)?;
                        }
                        Piece::Mark(mark) => marks.take(at, mark, &mut mixer),
                    }
                }
                Ok(())
            })?;
        let (sides, listening) = mixer.finish()?;
        let (output, analysis) = listening.finish();
        let written = output.finish()?;
        let (heard, peaks) = analysis.finish();
        let (gaps, pauses) = marks.finish();
        let duration_ms = samples * 1_000 / rate;
        let ending = self.ending("wav");
        let [caller, operator] = sides;
        let [caller_dropped, operator_dropped] = job.dropped;
        let too_long = samples < wanted;
        let manifest = Manifest {
            version: manifest::VERSION,
            call: job.key.call,
            segment: job.key.segment,
            file: place.relative(&ending),
            sha256: written.sha256.clone(),
            bytes: written.bytes,
            encryption: encryption(&self.keys, &written),
            encoding: kind.format.name().to_owned(),
            sample_rate: kind.rate(),
            samples,
            duration_ms,
            started_at: names::rfc3339(began),
            ended_at: names::rfc3339(began + Duration::from_millis(duration_ms)),
            caller: side(caller, caller_dropped, job.start),
            operator: side(operator, operator_dropped, job.start),
            repaired: job.repaired,
            damaged_blocks: damaged + job.missing_blocks,
            truncated: too_long || job.dropped.iter().any(|count| *count > 0),
            gaps,
            pauses,
            heard: Some(heard),
            peaks: Some(self.write_peaks(place, &peaks)?),
            archived: None,
        };
        self.disk.rename(&part, &place.whole(&ending))?;
        let text = self.write_manifest(&manifest, place)?;
        self.link(&manifest, &text)?;
        Ok(manifest)
    }

    /// The ending of a file, encrypted or not.
    fn ending(&self, ending: &str) -> String {
        if self.keys.encrypts() {
            format!("{ending}.{}", output::ENCRYPTED)
        } else {
            ending.to_owned()
        }
    }

    fn write_peaks(&self, place: &Place, peaks: &[u8]) -> io::Result<Part> {
        let (part, ending) = (place.part("peaks"), self.ending("peaks"));
        let mut output = Output::create(self.disk.as_ref(), &part, &self.keys)?;
        output.write_all(peaks)?;
        let written = output.finish()?;
        self.disk.rename(&part, &place.whole(&ending))?;
        Ok(Part {
            file: place.relative(&ending),
            sha256: written.sha256,
            bytes: written.bytes,
        })
    }

    /// After the audio; one sync makes all names durable, and a manifest without its audio counts
    /// for nothing at the next start.
    fn write_manifest(&self, manifest: &Manifest, place: &Place) -> io::Result<Vec<u8>> {
        let text = manifest.text()?;
        let part = place.part("json");
        let file = self.disk.create(&part)?;
        file.write_at(&text, 0)?;
        file.sync()?;
        self.disk.rename(&part, &place.whole("json"))?;
        self.disk.sync_dir(&place.dir)?;
        Ok(text)
    }

    fn link(&mut self, manifest: &Manifest, text: &[u8]) -> io::Result<()> {
        let deed = Deed::Stored {
            call: manifest.call,
            segment: manifest.segment,
            file: manifest.file.clone(),
            sha256: manifest.sha256.clone(),
            manifest: hex(&Sha256::digest(text)),
        };
        self.chain.append(wall_clock(), deed)
    }

    /// A crash may have come between the manifest and its line in the chain.
    fn link_if_missing(&mut self, manifest: &Manifest, began: WallTime) -> io::Result<()> {
        let path = self.root.join(manifest.folder());
        let file = self
            .disk
            .open(&path.join(format!("{}.json", names::stem(manifest.key()))))?;
        let text = read_small(file.as_ref(), manifest::LENGTH_MAX)?;
        let hash = hex(&Sha256::digest(&text));
        if self.chain.holds(began, manifest.key(), &hash)? {
            return Ok(());
        }
        self.link(manifest, &text)
    }

    /// Signs the days that are over.
    fn sign(&mut self) {
        if let Err(error) = self.chain.sign_due(wall_clock()) {
            tracing::error!(%error, "the chain of recordings cannot be signed");
        }
    }

    /// The manifest of a recording that is already there, whole and unchanged.
    fn stored_before(&mut self, place: &Place) -> Option<Manifest> {
        let file = self.disk.open(&place.whole("json")).ok()?;
        let text = read_small(file.as_ref(), manifest::LENGTH_MAX).ok()?;
        let manifest = Manifest::read(&text).ok()?;
        let ours = ["wav", "opus"].iter().any(|ending| {
            let plain = place.relative(ending);
            manifest.file == plain || manifest.file == format!("{plain}.{}", output::ENCRYPTED)
        });
        let audio = self.disk.open(&self.root.join(&manifest.file)).ok()?;
        let same = ours
            && audio.length().ok()? == manifest.bytes
            && hash_of(audio.as_ref(), &mut self.buffer).ok()? == manifest.sha256;
        same.then_some(manifest)
    }
}

/// The wall clock: for the chain, whose lines say when they were written.
pub(crate) fn wall_clock() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ms = since.map_or(0, |since| since.as_millis());
    WallTime::from_unix_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// How a file that was written is encrypted.
pub(crate) fn encryption(keys: &Keys, written: &Written) -> Option<Encryption> {
    keys.encrypts().then(|| Encryption {
        format: output::ENCRYPTED.to_owned(),
        recipients: keys.recipients(),
        inner_sha256: written.inner_sha256.clone(),
        inner_bytes: written.inner_bytes,
    })
}

/// A file of at most so many octets.
pub(crate) fn read_small(file: &dyn DiskFile, longest: u64) -> io::Result<Vec<u8>> {
    let length = file.length()?;
    if length > longest {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut text = vec![0; length as usize];
    crate::disk::read_exact_at(file, &mut text, 0)?;
    Ok(text)
}

/// Where a recording's files go.
struct Place {
    folder: String,
    dir: PathBuf,
    stem: String,
}

impl Place {
    fn new(root: &Path, began: WallTime, key: RecordingKey) -> Self {
        let folder = names::folder(began);
        Self {
            dir: root.join(&folder),
            folder,
            stem: names::stem(key),
        }
    }

    fn relative(&self, ending: &str) -> String {
        format!("{}/{}.{ending}", self.folder, self.stem)
    }

    fn whole(&self, ending: &str) -> PathBuf {
        self.dir.join(format!("{}.{ending}", self.stem))
    }

    fn part(&self, ending: &str) -> PathBuf {
        self.dir.join(format!(".{}.{ending}.part", self.stem))
    }

    fn parts(&self) -> [PathBuf; 3] {
        ["wav", "peaks", "json"].map(|ending| self.part(ending))
    }
}

pub(crate) fn hash_of(file: &dyn DiskFile, buffer: &mut Vec<u8>) -> io::Result<String> {
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

/// What was dropped shows in the sequence numbers too; it was not lost on the way.
fn side(counts: SideCounts, dropped: u32, start: Time) -> SideManifest {
    let after = |time: Time| time.since(start).as_millis() as u64;
    SideManifest {
        codecs: counts
            .codecs
            .iter()
            .map(|codec| codec.name().to_owned())
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
