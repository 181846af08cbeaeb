//! CPU per second of a recorded call: tap and writer, and the finaliser. Run with
//! `cargo bench -p recorder`. The goals of the recording issue are 0.05 and 0.1 CPU-ms.
//!
//! Prints what the threads used (user and system), by reading the process's CPU clock before and
//! after; the packets are made beforehand, so that the feeding thread's part is the tap's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark"
)]

use std::time::{Duration, Instant};

use recorder::{Format, Recorder, Settings, Tap};
use rustix::time::{ClockId, clock_gettime};
use vocab::media::{RecordingKey, Side};
use vocab::{CallId, Time, WallTime};

/// How many calls of how many seconds: a file costs something, and each second of it.
const LONG: (u32, usize) = (25, 160);
const SHORT: (u32, usize) = (400, 10);

fn main() {
    for (name, format, payload_type, (calls, seconds)) in [
        ("A-law as sent", Format::Alaw, 8, LONG),
        ("u-law to A-law", Format::Alaw, 0, LONG),
        ("A-law to PCM", Format::Pcm, 8, LONG),
        ("short calls", Format::Alaw, 8, SHORT),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(dir.path().join("recordings"), dir.path().join("spool"));
        settings.format = format;
        let wall = WallTime::from_unix_millis(1_795_334_400_000);
        let (mut taps, recorder) = recorder::start(settings, wall, |_| {}).unwrap();
        let tap = &mut taps[0];

        let before = cpu();
        let wall = Instant::now();
        let feeding = feed(tap, &recorder, payload_type, (calls, seconds));
        let fed = cpu();
        let stop = Time::from_millis(1_000 * seconds as u64);
        (0..calls).for_each(|call| tap.stop(key(call), stop));
        recorder.stop();
        let done = cpu();

        let call_seconds = f64::from(calls) * seconds as f64;
        let per = |spent: Duration| spent.as_secs_f64() * 1_000.0 / call_seconds;
        println!(
            "{name:15}  tap {:.4}  writer {:.4}  finaliser {:.4}  CPU-ms per call-second \
             ({calls} calls of {seconds} s in {:.2} s)",
            per(feeding),
            per((fed - before).saturating_sub(feeding)),
            per(done - fed),
            wall.elapsed().as_secs_f64(),
        );
    }
}

/// CPU time of the process.
fn cpu() -> Duration {
    duration(ClockId::ProcessCPUTime)
}

fn duration(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn key(call: u32) -> RecordingKey {
    RecordingKey {
        call: CallId::new(1, call),
        segment: 1,
    }
}

fn packet(payload_type: u8, n: usize, side: u8) -> Vec<u8> {
    let mut out = vec![0x80, payload_type];
    out.extend((n as u16).to_be_bytes());
    out.extend((n as u32 * 160).to_be_bytes());
    out.extend([0, 0, 0, side]);
    out.extend((0..160).map(|i| (i * 7 + n) as u8));
    out
}

/// Feeds all calls and waits until all is in the spool; the CPU that this thread spent in the tap.
fn feed(
    tap: &mut Tap,
    recorder: &Recorder,
    payload_type: u8,
    (calls, seconds): (u32, usize),
) -> Duration {
    let mut spent = Duration::ZERO;
    (0..calls).for_each(|call| tap.start(key(call), Time::ZERO));
    for n in 0..seconds * 50 {
        let packets = [packet(payload_type, n, 1), packet(payload_type, n, 2)];
        while tap.free() < calls as usize * 2 * 256 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let before = duration(ClockId::ThreadCPUTime);
        for call in 0..calls {
            let at = Time::from_millis(20 * n as u64);
            tap.packet(key(call), Side::Caller, at, &packets[0]);
            tap.packet(key(call), Side::Operator, at, &packets[1]);
        }
        spent += duration(ClockId::ThreadCPUTime) - before;
    }
    let bytes = u64::from(calls) * seconds as u64 * 100 * 180;
    while recorder.counts().spool_bytes < bytes {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(recorder.counts().dropped, 0);
    spent
}
