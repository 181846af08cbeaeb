//! Calls that last: they keep no spool file but their own, and lose nothing by it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod common;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{
    Bench, FaultyDisk, Stream, feed, key, likeness, pair, read, spool_files, stored, until,
};
use recorder::{Recorder, Report, Tap};
use vocab::Time;

const START: Time = Time::from_millis(5_000);
const SECOND: usize = 50;

fn bench() -> (Bench, FaultyDisk) {
    let mut bench = Bench::new();
    let disk = FaultyDisk::default();
    bench.disk = Arc::new(disk.clone());
    bench.limits.spool_file_bytes = 100_000;
    bench.limits.carry_after = Duration::from_secs(5);
    (bench, disk)
}

/// Feeds seconds of a call, each into the spool before the next.
fn talk(tap: &mut Tap, recorder: &Recorder, streams: &[Box<Stream>], seconds: Range<usize>) {
    for second in seconds {
        let before = recorder.counts().spool_bytes;
        let range = second * SECOND..(second + 1) * SECOND;
        feed(tap, key(1), START, streams, range);
        until("it is in the spool", || {
            recorder.counts().spool_bytes >= before + 18_000
        });
    }
}

fn long_files(spool: &Path) -> Vec<PathBuf> {
    let files = spool_files(spool).into_iter();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .filter(|path| name(path).starts_with("long-"))
        .collect()
}

fn assert_whole(root: &Path, reports: Vec<Report>, seconds: usize) {
    let file = stored(reports);
    let packets = (seconds * SECOND) as u64;
    assert_eq!(
        (file.caller_packets, file.operator_packets),
        (packets, packets)
    );
    assert_eq!((file.caller_lost, file.dropped), (0, 0));
    let ([left, right], manifest) = read(root, &file);
    assert_eq!(
        (manifest.damaged_blocks, manifest.caller.duplicates),
        (0, 0)
    );
    assert!(likeness(&left, 0, 440.0, seconds * 8_000) > 0.99);
    assert!(likeness(&right, 0, 950.0, seconds * 8_000) > 0.99);
}

#[test]
fn a_long_call_keeps_no_spool_file_that_it_shares() {
    let (bench, _) = bench();
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    talk(&mut taps[0], &recorder, &streams, 0..60);
    until("the shared files are gone", || {
        spool_files(&bench.settings.spool).len() <= 3
    });
    assert_eq!(long_files(&bench.settings.spool).len(), 1);
    taps[0].stop(key(1), START + Duration::from_secs(60));
    until("it is stored", || recorder.pending() == 0);
    assert!(long_files(&bench.settings.spool).is_empty());
    recorder.stop();
    assert!(spool_files(&bench.settings.spool).is_empty());
    assert_whole(&bench.settings.root, seen.into_iter().collect(), 60);
}

#[test]
fn a_crash_in_a_long_call_loses_nothing_of_what_was_carried() {
    let (bench, _) = bench();
    let (mut taps, recorder, _seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    talk(&mut taps[0], &recorder, &streams, 0..30);
    until("it was carried", || {
        spool_files(&bench.settings.spool).len() <= 3
    });
    let copy = bench.copy_spool();
    assert_eq!(long_files(copy.path()).len(), 1);
    let (dir, reports) = Bench::repair(copy.path());
    assert_whole(&dir.path().join("recordings"), reports, 30);
    assert!(spool_files(copy.path()).is_empty());
}

#[test]
fn blocks_that_cannot_be_carried_stay_where_they_are_until_they_can() {
    let (bench, disk) = bench();
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    talk(&mut taps[0], &recorder, &streams, 0..20);
    disk.set(|faults| faults.full = Some("long-"));
    talk(&mut taps[0], &recorder, &streams, 20..40);
    let kept = spool_files(&bench.settings.spool).len();
    assert!(kept >= 3, "{kept} files");
    disk.set(|faults| faults.full = None);
    talk(&mut taps[0], &recorder, &streams, 40..60);
    until("they were carried after all", || {
        spool_files(&bench.settings.spool).len() <= 3
    });
    disk.set(|faults| faults.full = Some("long-"));
    talk(&mut taps[0], &recorder, &streams, 60..70);
    taps[0].stop(key(1), START + Duration::from_secs(70));
    recorder.stop();
    assert!(spool_files(&bench.settings.spool).is_empty());
    assert_whole(&bench.settings.root, seen.into_iter().collect(), 70);
}

#[test]
fn a_finaliser_that_falls_behind_is_told_and_that_it_caught_up() {
    let (mut bench, disk) = bench();
    bench.limits.late_after = Duration::from_millis(300);
    bench.limits.hangs_after = Duration::from_millis(200);
    let (mut taps, recorder, seen) = bench.start();
    disk.set(|faults| faults.full = Some("recordings/2026"));
    for call in 1..=3 {
        taps[0].start(key(call), START);
        feed(&mut taps[0], key(call), START, &pair(), 0..SECOND);
        taps[0].stop(key(call), START + Duration::from_secs(1));
    }
    until("they wait", || recorder.counts().waiting == 3);
    let late = loop {
        if let Report::FinaliserLate { lag, .. } =
            seen.recv_timeout(Duration::from_secs(60)).unwrap()
        {
            break lag;
        }
    };
    assert!(late >= Duration::from_millis(300));
    assert!(recorder.counts().lag >= late);
    disk.set(|faults| faults.full = None);
    until("all are stored", || recorder.pending() == 0);
    until("it is behind no more", || {
        let counts = recorder.counts();
        (counts.waiting, counts.lag) == (0, Duration::ZERO)
    });
    let in_time = |report: Report| report == Report::FinaliserInTime;
    until("it is in time", || seen.try_iter().any(in_time));
    recorder.stop();
}
