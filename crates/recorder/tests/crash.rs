//! What a `kill -9` or a power cut leaves behind becomes recordings at the next start.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod common;

use std::time::{Duration, Instant};

use common::{Bench, feed, key, likeness, pair, read, spool_files, stored, until};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use recorder::Report;
use vocab::{MissingReason, Time};

const START: Time = Time::from_millis(5_000);

#[test]
fn a_kill_loses_at_most_what_came_in_the_last_second() {
    let mut bench = Bench::new();
    bench.settings.sync_every = Duration::from_millis(500);
    let (mut taps, recorder, _seen) = bench.start();
    let streams = pair();
    let calls = 1..=10;
    calls
        .clone()
        .for_each(|call| taps[0].start(key(call), START));
    for round in 0..4 {
        let before = recorder.counts().spool_bytes;
        let fed = Instant::now();
        for call in calls.clone() {
            feed(
                &mut taps[0],
                key(call),
                START,
                &streams,
                round * 50..(round + 1) * 50,
            );
        }
        let bytes = 10 * 100 * 180;
        until("the round is durable", || {
            recorder.counts().spool_bytes >= before + bytes
        });
        assert!(
            fed.elapsed() <= Duration::from_secs(1),
            "took {:?}",
            fed.elapsed()
        );
    }
    // On its way at the moment of the kill.
    feed(&mut taps[0], key(1), START, &streams, 200..210);
    let copy = bench.copy_spool();
    let (dir, reports) = Bench::repair(copy.path());
    assert_eq!(reports.len(), 10);
    for report in reports {
        let file = stored([report]);
        assert!(file.repaired);
        assert!((4_000..=4_200).contains(&file.duration_ms), "{file:?}");
        assert!(file.caller_packets >= 200 && file.operator_packets >= 200);
        let ([left, right], _) = read(&dir.path().join("recordings"), &file);
        assert!(likeness(&left, 0, 440.0, 200 * 160) > 0.99);
        assert!(likeness(&right, 0, 950.0, 200 * 160) > 0.99);
    }
    assert!(spool_files(copy.path()).is_empty(), "the old spool is gone");
}

/// A spool of one unstopped recording in many small blocks, and where each block ends.
fn spool_of_blocks() -> (Vec<u8>, Vec<usize>) {
    let mut bench = Bench::new();
    bench.settings.sync_every = Duration::from_millis(1);
    let (mut taps, recorder, _seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    until("the start is durable", || recorder.counts().spool_bytes > 0);
    let mut ends = vec![recorder.counts().spool_bytes as usize];
    for n in 0..20 {
        feed(&mut taps[0], key(1), START, &streams, n * 5..(n + 1) * 5);
        until("it is durable", || {
            recorder.counts().spool_bytes as usize >= ends[n] + 10 * 180 + 96
        });
        ends.push(recorder.counts().spool_bytes as usize);
    }
    let files = spool_files(&bench.settings.spool);
    assert_eq!(files.len(), 1);
    (std::fs::read(&files[0]).unwrap(), ends)
}

fn repaired(bytes: &[u8]) -> (tempfile::TempDir, Vec<Report>) {
    let spool = tempfile::tempdir().unwrap();
    std::fs::write(spool.path().join("spool-00000003.hls"), bytes).unwrap();
    Bench::repair(spool.path())
}

#[test]
fn a_torn_tail_costs_only_the_torn_block() {
    let (bytes, ends) = spool_of_blocks();
    let cases = ProptestConfig {
        cases: 60,
        ..ProptestConfig::default()
    };
    let run = TestRunner::new(cases).run(&(0..=bytes.len()), |cut| {
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let (dir, reports) = repaired(&bytes[..cut]);
        match whole {
            0 => prop_assert!(reports.is_empty()),
            // The start alone; on a loaded machine also the first blocks of a feed that was cut.
            1 => match &reports[..] {
                [Report::Missing { reason, .. }] => {
                    prop_assert_eq!(*reason, MissingReason::NoAudio);
                }
                [Report::Stored { file, .. }] => {
                    prop_assert!(file.caller_packets + file.operator_packets < 10, "{file:?}");
                }
                other => prop_assert!(false, "{other:?}"),
            },
            _ => {
                let file = stored(reports);
                // On a loaded machine a feed is cut into blocks, and its end seen a packet early.
                let kept = (whole as u64 - 1) * 5;
                prop_assert!(
                    file.caller_packets >= kept.saturating_sub(1),
                    "{file:?} {whole}"
                );
                let (_, manifest) = read(&dir.path().join("recordings"), &file);
                prop_assert_eq!(manifest.damaged_blocks, 0);
            }
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn damage_in_the_middle_costs_only_what_it_hits() {
    let (bytes, ends) = spool_of_blocks();
    let strategy = (
        0..bytes.len(),
        proptest::collection::vec(0u8.., 1..300),
        proptest::bool::ANY,
    );
    let cases = ProptestConfig {
        cases: 60,
        ..ProptestConfig::default()
    };
    let run = TestRunner::new(cases).run(&strategy, |(at, garbage, insert)| {
        let mut damaged = bytes[..at].to_vec();
        damaged.extend(&garbage);
        // Over what was there, or between.
        damaged.extend(
            bytes
                .get(if insert { at } else { at + garbage.len() }..)
                .unwrap_or(&[]),
        );
        let (dir, reports) = repaired(&damaged);
        let file = stored(reports);
        let hit = if insert { 1 } else { garbage.len() };
        let touched = ends.iter().enumerate().filter(|(n, end)| {
            let begin = if *n == 0 { 0 } else { ends[n - 1] };
            begin < at + hit && at < **end
        });
        let lost = 5 * touched.count() as u64 + 1;
        prop_assert!(
            file.caller_packets + lost >= 100,
            "{file:?} may lose {lost}"
        );
        read(&dir.path().join("recordings"), &file);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn a_spool_of_garbage_is_put_aside() {
    let spool = tempfile::tempdir().unwrap();
    std::fs::write(spool.path().join("spool-00000007.hls"), vec![b'h'; 200_000]).unwrap();
    std::fs::write(spool.path().join("spool-00000008.hls"), b"").unwrap();
    let (_dir, reports) = Bench::repair(spool.path());
    assert!(reports.is_empty());
    assert!(spool_files(spool.path()).is_empty());
    assert!(spool.path().join("spool-00000007.hls.damaged").exists());
}

#[test]
fn repair_twice_stores_once_and_reports_the_same() {
    let bench = Bench::new();
    let (mut taps, recorder, _seen) = bench.start();
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &pair(), 0..100);
    until("it is durable", || {
        recorder.counts().spool_bytes > 200 * 180
    });
    let (first, second) = (bench.copy_spool(), bench.copy_spool());
    let (dir, reports) = Bench::repair(first.path());
    let file = stored(reports);
    let path = dir.path().join("recordings").join(&file.path);
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();

    // The same root, and the same spool again: as after a crash between storing and removing.
    let mut again = Bench::new();
    again.settings.root = dir.path().join("recordings");
    again.settings.spool = second.path().to_owned();
    let (_taps, recorder, seen) = again.start();
    assert_eq!(stored(seen.try_iter()), file);
    recorder.stop();
    assert_eq!(
        std::fs::metadata(&path).unwrap().modified().unwrap(),
        before
    );

    // A file that was changed since is made anew from the spool.
    let third = bench.copy_spool();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1_000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    again.settings.spool = third.path().to_owned();
    let (_taps, recorder, seen) = again.start();
    assert_eq!(stored(seen.try_iter()), file);
    recorder.stop();
    read(&again.settings.root, &file);
}

#[test]
fn a_recording_that_was_stopped_before_the_crash_has_its_full_length() {
    let mut bench = Bench::new();
    let disk = common::FaultyDisk::default();
    bench.disk = std::sync::Arc::new(disk.clone());
    let (mut taps, recorder, seen) = bench.start();
    // The finaliser cannot write, so that the spool stays.
    disk.set(|faults| faults.full = Some("recordings/2026"));
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &pair(), 0..100);
    taps[0].stop(key(1), START + Duration::from_millis(2_345));
    let trouble = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(matches!(trouble, Report::DiskTrouble { .. }), "{trouble:?}");
    let copy = bench.copy_spool();
    let (_dir, reports) = Bench::repair(copy.path());
    let file = stored(reports);
    assert_eq!(
        (file.duration_ms, file.caller_packets, file.repaired),
        (2_345, 100, true)
    );
    drop(recorder);
}

/// A successor begins while the leaving process still records; then that one dies.
#[test]
fn a_successor_records_beside_a_leaving_process_and_repairs_what_that_one_left() {
    let leaving = Bench::new();
    let (mut taps, recorder, _seen) = leaving.start();
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &pair(), 0..50);
    until("the talk is durable", || {
        recorder.counts().spool_bytes >= 50 * 2 * 172
    });
    // What the leaving process has: its files and the lock of the folder.
    let mut bench = Bench::new();
    std::fs::create_dir_all(&bench.settings.spool).unwrap();
    let lock = std::fs::File::create(bench.settings.spool.join("lock")).unwrap();
    lock.lock().unwrap();
    for path in spool_files(leaving.copy_spool().path()) {
        let name = path.file_name().unwrap();
        std::fs::copy(&path, bench.settings.spool.join(name)).unwrap();
    }
    bench.settings.beside = true;
    let (mut taps, successor, seen) = bench.start();
    assert!(seen.try_recv().is_err(), "a live recording was repaired");
    let left = |bench: &Bench| {
        let (reports, seen) = std::sync::mpsc::channel();
        let report = move |report| drop(reports.send(report));
        recorder::repair_left(&bench.settings, report).unwrap();
        seen.try_iter().collect::<Vec<_>>()
    };
    assert!(left(&bench).is_empty(), "it still lives");
    taps[0].start(key(2), START);
    feed(&mut taps[0], key(2), START, &pair(), 0..50);
    drop(lock);
    let file = stored(left(&bench));
    assert!(
        file.repaired && file.path.contains("00000001-1"),
        "{file:?}"
    );
    assert_eq!((file.caller_packets, file.operator_packets), (50, 50));
    taps[0].stop(key(2), START + Duration::from_secs(1));
    successor.stop();
    let file = stored(seen);
    assert!(
        !file.repaired && file.path.contains("00000002-1"),
        "{file:?}"
    );
    // The next start has the spool itself, and leaves nothing in the folder beside.
    let (_taps, next, seen) = bench.start();
    next.stop();
    assert_eq!(seen.iter().count(), 0);
    assert!(spool_files(&bench.settings.spool).is_empty());
    assert!(spool_files(&bench.settings.spool.join("beside")).is_empty());
}
