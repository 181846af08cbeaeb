//! What the recorder's tests share: packets with tones, reading of WAV files, a disk with faults.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code; each test file uses a part of it"
)]

use std::f64::consts::TAU;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use recorder::disk::{Disk, DiskFile, RealDisk};
use recorder::{Limits, Manifest, Recorder, Report, Settings, Tap};
use vocab::media::{RecordingKey, Side};
use vocab::{CallId, RecordingFile, Time, WallTime};

/// 2026-11-22T08:00:00Z.
pub const WALL: WallTime = WallTime::from_unix_millis(1_795_334_400_000);

pub fn key(call: u32) -> RecordingKey {
    RecordingKey {
        call: CallId::new(7, call),
        segment: 1,
    }
}

/// A law as an index of sample → octet: the nearest of the 256 values.
pub fn encode(decode: fn(u8) -> i16, sample: i16) -> u8 {
    (0..=255u8)
        .min_by_key(|code| (i32::from(decode(*code)) - i32::from(sample)).abs())
        .unwrap()
}

pub fn alaw(code: u8) -> i16 {
    let code = i32::from(code ^ 0x55);
    let (segment, low) = (code >> 4 & 7, (code & 15) * 16 + 8);
    let magnitude = if segment == 0 {
        low
    } else {
        (low + 256) << (segment - 1)
    };
    (if code & 128 == 0 {
        -magnitude
    } else {
        magnitude
    }) as i16
}

pub fn ulaw(code: u8) -> i16 {
    let code = i32::from(!code);
    let magnitude = (((code & 15) * 8 + 132) << (code >> 4 & 7)) - 132;
    (if code & 128 == 0 {
        magnitude
    } else {
        -magnitude
    }) as i16
}

/// Sound that tells one moment from another: a tone that is swept, so that a shift is seen.
pub fn sound(hz: f64, n: usize) -> i16 {
    let t = n as f64 / 8_000.0;
    (9_000.0 * (TAU * (hz * t + 15.0 * (t * 1.7).sin())).sin()) as i16
}

/// One side's stream: 20 ms packets of a sound.
pub struct Stream {
    pub side: Side,
    pub payload_type: u8,
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub hz: f64,
    codes: [u8; 65_536],
}

impl Stream {
    pub fn new(side: Side, payload_type: u8, hz: f64) -> Box<Self> {
        let law = if payload_type == 8 { alaw } else { ulaw };
        let mut codes = [0; 65_536];
        // Only a twentieth of the values, the nearest below for the rest: enough for a tone.
        for chunk in 0..65_536 / 16 {
            let sample = (chunk as i32 * 16 - 32_768) as i16;
            codes[chunk * 16..][..16].fill(encode(law, sample));
        }
        let ssrc = u32::from(payload_type) + hz as u32;
        Box::new(Self {
            side,
            payload_type,
            ssrc,
            sequence: 65_500,
            timestamp: 9,
            hz,
            codes,
        })
    }

    /// The `n`th packet.
    pub fn packet(&self, n: usize) -> Vec<u8> {
        let mut out = vec![0x80, self.payload_type];
        out.extend(self.sequence.wrapping_add(n as u16).to_be_bytes());
        out.extend(self.timestamp.wrapping_add(160 * n as u32).to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        out.extend((0..160).map(|i| {
            let sample = sound(self.hz, n * 160 + i);
            self.codes[(i32::from(sample) + 32_768) as usize]
        }));
        out
    }
}

/// Both sides: caller A-law, operator µ-law.
pub fn pair() -> [Box<Stream>; 2] {
    [
        Stream::new(Side::Caller, 8, 440.0),
        Stream::new(Side::Operator, 0, 950.0),
    ]
}

/// Feeds packets `range` of both sides, 20 ms apart, from `start` on.
pub fn feed(
    tap: &mut Tap,
    key: RecordingKey,
    start: Time,
    streams: &[Box<Stream>],
    range: std::ops::Range<usize>,
) {
    for n in range {
        for stream in streams {
            let at = start + Duration::from_millis(20 * n as u64);
            tap.packet(key, stream.side, at, &stream.packet(n));
        }
    }
}

/// Polls until it holds; panics after a minute, since other tests use the disk too.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::yield_now();
    }
}

/// A recorder in a directory of its own.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub settings: Settings,
    pub limits: Limits,
    pub disk: Arc<dyn Disk>,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(dir.path().join("recordings"), dir.path().join("spool"));
        settings.sync_every = Duration::from_millis(20);
        let limits = Limits {
            retry_after: Duration::from_millis(20),
            ..Limits::default()
        };
        Self {
            dir,
            settings,
            limits,
            disk: Arc::new(RealDisk),
        }
    }

    pub fn start(&self) -> (Vec<Tap>, Recorder, Receiver<Report>) {
        let (reports, seen) = channel();
        let (taps, recorder) = recorder::start_on(
            Arc::clone(&self.disk),
            self.settings.clone(),
            self.limits,
            WALL,
            move |report| drop(reports.send(report)),
        )
        .unwrap();
        (taps, recorder, seen)
    }

    /// What is repaired from the spool in another directory, as after a kill at this moment.
    pub fn repair(spool: &Path) -> (tempfile::TempDir, Vec<Report>) {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::new(dir.path().join("recordings"), spool.to_owned());
        let (reports, seen) = channel();
        let (_taps, recorder) =
            recorder::start(settings, WALL, move |report| drop(reports.send(report))).unwrap();
        // All is reported before `start` returns.
        let seen: Vec<_> = seen.try_iter().collect();
        recorder.stop();
        (dir, seen)
    }

    pub fn copy_spool(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for path in spool_files(&self.settings.spool) {
            match std::fs::read(&path) {
                Ok(bytes) => {
                    std::fs::write(copy.path().join(path.file_name().unwrap()), bytes).unwrap();
                }
                // Removed meanwhile: it was no longer needed.
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
            }
        }
        copy
    }
}

pub fn spool_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "hls"))
        .collect();
    files.sort();
    files
}

/// The one stored file among the reports, which must hold nothing else.
pub fn stored(reports: impl IntoIterator<Item = Report>) -> RecordingFile {
    let reports: Vec<_> = reports.into_iter().collect();
    match <[Report; 1]>::try_from(reports) {
        Ok([Report::Stored { file, .. }]) => file,
        other => panic!("expected one stored recording, got {other:?}"),
    }
}

/// A WAV file's channels as linear samples: caller, operator. Checks header, size, hash, manifest.
pub fn read(root: &Path, file: &RecordingFile) -> ([Vec<i16>; 2], Manifest) {
    use sha2::Digest;
    let path = root.join(&file.path);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, file.bytes);
    let hash: String = sha2::Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hash, file.sha256);
    let text = std::fs::read(path.with_extension("json")).unwrap();
    let manifest: Manifest = serde_json::from_slice(&text).unwrap();
    assert_eq!(manifest.to_file(), *file);

    let riff = u32::from_le_bytes(*bytes[4..].first_chunk().unwrap());
    assert_eq!(riff as usize + 8, bytes.len());
    let (head, pcm) = if bytes[20] == 6 {
        (58, false)
    } else {
        (44, true)
    };
    assert_eq!(&bytes[head - 8..head - 4], b"data");
    let width = if pcm { 2 } else { 1 };
    let sample = |frame: &[u8], side: usize| match frame {
        [left, right] => alaw([*left, *right][side]),
        [a, b, c, d] => i16::from_le_bytes([[*a, *b], [*c, *d]][side]),
        other => panic!("a frame of {} bytes", other.len()),
    };
    let sides = [0, 1].map(|side| {
        bytes[head..]
            .chunks(2 * width)
            .map(|frame| sample(frame, side))
            .collect::<Vec<_>>()
    });
    assert_eq!(sides[0].len() as u64, manifest.samples);
    (sides, manifest)
}

/// How alike a recorded channel is to a sound that begins at `position`: 1 is the same.
pub fn likeness(channel: &[i16], position: i64, hz: f64, length: usize) -> f64 {
    let (mut product, mut ours, mut theirs) = (0.0, 0.0, 0.0);
    for n in 0..length {
        let Ok(at) = usize::try_from(position + n as i64) else {
            continue;
        };
        let (a, b) = (f64::from(channel[at]), f64::from(sound(hz, n)));
        product += a * b;
        ours += a * a;
        theirs += b * b;
    }
    product / (ours * theirs).sqrt().max(1.0)
}

/// Faults of the disk, switched on and off while it is used.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    /// Paths with this in them cannot be created or written: the disk is full.
    pub full: Option<&'static str>,
    /// Files may grow by so many more bytes before it is full, whatever the path.
    pub room: Option<u64>,
    /// Syncs that fail before they work again.
    pub bad_syncs: u32,
    /// Writes wait.
    pub hang: bool,
    /// Room cannot be set aside.
    pub no_reserve: bool,
}

#[derive(Clone, Default)]
pub struct FaultyDisk(Arc<(Mutex<Faults>, Condvar)>);

struct FaultyFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    disk: FaultyDisk,
}

impl FaultyFile {
    /// Octets of a write that need new room, counted from its end.
    fn growth(&self, length: u64, position: u64) -> u64 {
        let end = self.file.length().unwrap();
        (position + length).saturating_sub(end).min(length)
    }
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

impl FaultyDisk {
    pub fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn write(&self, path: &Path, bytes: u64) -> io::Result<u64> {
        let faults = self.0.0.lock().unwrap();
        let mut faults = self.0.1.wait_while(faults, |faults| faults.hang).unwrap();
        if faults
            .full
            .is_some_and(|part| path.to_str().unwrap().contains(part))
        {
            return Err(full());
        }
        let allowed = faults.room.map_or(bytes, |room| room.min(bytes));
        faults.room = faults.room.map(|room| room - allowed);
        Ok(allowed)
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.write(path, 0)?;
        let file = RealDisk.create(path)?;
        Ok(Box::new(FaultyFile {
            path: path.to_owned(),
            file,
            disk: self.clone(),
        }))
    }

    fn extend(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.write(path, 0)?;
        let file = RealDisk.extend(path)?;
        Ok(Box::new(FaultyFile {
            path: path.to_owned(),
            file,
            disk: self.clone(),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn make_dirs(&self, path: &Path) -> io::Result<()> {
        RealDisk.make_dirs(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(path)
    }

    fn free(&self, path: &Path) -> io::Result<u64> {
        let room = self.0.0.lock().unwrap().room;
        room.map_or_else(|| RealDisk.free(path), Ok)
    }
}

impl DiskFile for FaultyFile {
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let growth = self.growth(bytes.len() as u64, position);
        let refused = growth - self.disk.write(&self.path, growth)?;
        let allowed = bytes.len() - refused as usize;
        // A full disk takes the first part.
        self.file.write_at(&bytes[..allowed], position)?;
        if allowed < bytes.len() {
            Err(full())
        } else {
            Ok(())
        }
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn sync(&self) -> io::Result<()> {
        let mut faults = self.disk.0.0.lock().unwrap();
        if faults.bad_syncs > 0 {
            faults.bad_syncs -= 1;
            return Err(io::Error::other("sync failed"));
        }
        drop(faults);
        self.file.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.file.cut(length)
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        if self.disk.0.0.lock().unwrap().no_reserve {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        self.file.reserve(length)
    }
}
