//! A disk that is full, fails or hangs: the audio path never waits, and what can be kept is kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Bench, FaultyDisk, feed, key, likeness, pair, read, spool_files, stored, until};
use recorder::Report;
use vocab::{MissingReason, Time};

const START: Time = Time::from_millis(5_000);

fn bench() -> (Bench, FaultyDisk) {
    let mut bench = Bench::new();
    let disk = FaultyDisk::default();
    bench.disk = Arc::new(disk.clone());
    (bench, disk)
}

/// Splits off the reports on the disk, which must be one episode.
fn one_episode(reports: impl Iterator<Item = Report>) -> Vec<Report> {
    let (disk, others): (Vec<_>, Vec<_>) =
        reports.partition(|report| matches!(report, Report::DiskTrouble { .. } | Report::DiskFine));
    match &disk[..] {
        [Report::DiskTrouble { message }, Report::DiskFine] => {
            assert!(message.contains("cannot"), "{message}");
        }
        other => panic!("expected one episode, got {other:?}"),
    }
    others
}

#[test]
fn a_spool_that_is_full_for_a_while_loses_nothing() {
    let (bench, disk) = bench();
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &streams, 0..100);
    // Full in the middle of a block, so that half of it is written.
    until("it is durable", || {
        recorder.counts().spool_bytes > 200 * 180
    });
    disk.set(|faults| faults.room = Some(1_000));
    feed(&mut taps[0], key(1), START, &streams, 100..200);
    until("it is taken", || recorder.counts().packets == 400);
    let trouble = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    disk.set(|faults| faults.room = None);
    feed(&mut taps[0], key(1), START, &streams, 200..300);
    taps[0].stop(key(1), START + Duration::from_secs(6));
    until("it is stored", || recorder.pending() == 0);
    recorder.stop();
    let file = stored(one_episode([trouble].into_iter().chain(seen)));
    assert_eq!(
        (file.caller_packets, file.caller_lost, file.dropped),
        (300, 0, 0)
    );
    let ([left, right], manifest) = read(&bench.settings.root, &file);
    assert_eq!(manifest.damaged_blocks, 0);
    assert!(likeness(&left, 0, 440.0, 48_000) > 0.99);
    assert!(likeness(&right, 0, 950.0, 48_000) > 0.99);
}

#[test]
fn beyond_the_backlog_audio_is_dropped_and_counted_and_then_goes_on() {
    let (mut bench, disk) = bench();
    bench.limits.backlog_bytes = 40_000;
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    disk.set(|faults| faults.full = Some("spool"));
    feed(&mut taps[0], key(1), START, &streams, 0..200);
    until("the backlog is full", || {
        let counts = recorder.counts();
        counts.dropped > 0 && counts.packets + counts.dropped == 400
    });
    let trouble = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    disk.set(|faults| faults.full = None);
    until("it is written", || recorder.counts().spool_bytes > 30_000);
    feed(&mut taps[0], key(1), START, &streams, 200..250);
    taps[0].stop(key(1), START + Duration::from_secs(5));
    until("it is stored", || recorder.pending() == 0);
    let dropped = recorder.counts().dropped;
    recorder.stop();
    let file = stored(one_episode([trouble].into_iter().chain(seen)));
    assert!((150..=250).contains(&dropped), "{dropped}");
    assert_eq!(file.dropped, dropped);
    assert_eq!(file.caller_packets + file.operator_packets, 500 - dropped);
    assert_eq!(
        (file.caller_lost, file.operator_lost),
        (0, 0),
        "dropped is not lost"
    );
    let ([left, _], _) = read(&bench.settings.root, &file);
    let after: Vec<_> = std::iter::repeat_n(0, 32_000)
        .chain(left[32_000..].to_vec())
        .collect();
    assert!(
        likeness(&after, 0, 440.0, 40_000) > 0.99 * 0.2f64.sqrt(),
        "goes on in its place"
    );
}

#[test]
fn a_sync_that_fails_moves_on_to_a_new_file() {
    let (bench, disk) = bench();
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &streams, 0..50);
    until("it is durable", || {
        recorder.counts().spool_bytes > 100 * 180
    });
    disk.set(|faults| faults.bad_syncs = 2);
    feed(&mut taps[0], key(1), START, &streams, 50..100);
    until("it is durable", || {
        recorder.counts().spool_bytes > 200 * 180
    });
    // The failed file holds the same blocks as the new one: they must not count twice.
    let copy = bench.copy_spool();
    assert!(spool_files(copy.path()).len() >= 2);
    taps[0].stop(key(1), START + Duration::from_secs(2));
    until("it is stored", || recorder.pending() == 0);
    recorder.stop();
    let file = stored(one_episode(seen.into_iter()));
    assert_eq!((file.caller_packets, file.operator_packets), (100, 100));
    assert!(spool_files(&bench.settings.spool).is_empty());

    let (dir, reports) = Bench::repair(copy.path());
    let file = stored(reports);
    let (_, manifest) = read(&dir.path().join("recordings"), &file);
    assert_eq!((file.caller_packets, manifest.caller.duplicates), (100, 0));
    assert!(spool_files(copy.path()).is_empty());
}

#[test]
fn recordings_that_cannot_be_stored_are_tried_again() {
    let (bench, disk) = bench();
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    disk.set(|faults| faults.full = Some("recordings/2026"));
    for call in 1..=5 {
        taps[0].start(key(call), START);
        feed(&mut taps[0], key(call), START, &streams, 0..50);
        taps[0].stop(key(call), START + Duration::from_secs(1));
    }
    let trouble = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(recorder.pending(), 5);
    disk.set(|faults| faults.full = None);
    until("all are stored", || recorder.pending() == 0);
    recorder.stop();
    let reports = one_episode([trouble].into_iter().chain(seen));
    assert_eq!(reports.len(), 5);
    for report in reports {
        read(&bench.settings.root, &stored([report]));
    }
    let day = bench.settings.root.join("2026/11/22");
    assert_eq!(
        std::fs::read_dir(day).unwrap().count(),
        15,
        "no part is left"
    );
}

#[test]
fn what_the_disk_refuses_to_the_end_is_missing_now_and_stored_at_the_next_start() {
    let (bench, disk) = bench();
    let (mut taps, recorder, seen) = bench.start();
    disk.set(|faults| faults.full = Some("recordings/2026"));
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &pair(), 0..50);
    taps[0].stop(key(1), START + Duration::from_secs(1));
    recorder.stop();
    let reports: Vec<_> = seen.iter().collect();
    let missing = Report::Missing {
        key: key(1),
        reason: MissingReason::DiskFailed,
    };
    assert!(matches!(&reports[0], Report::DiskTrouble { .. }));
    assert_eq!(reports[1..], [missing]);

    disk.set(|faults| faults.full = None);
    let (_taps, recorder, seen) = bench.start();
    let file = stored(seen.try_iter());
    assert_eq!(
        (file.caller_packets, file.duration_ms, file.repaired),
        (50, 1_000, true)
    );
    recorder.stop();
    assert!(spool_files(&bench.settings.spool).is_empty());
}

#[test]
fn a_spool_that_is_full_to_the_end_is_reported_missing() {
    let (bench, disk) = bench();
    let (mut taps, recorder, seen) = bench.start();
    disk.set(|faults| faults.full = Some("spool"));
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &pair(), 0..50);
    taps[0].stop(key(1), START + Duration::from_secs(1));
    recorder.stop();
    let reports: Vec<_> = seen.iter().collect();
    let missing = Report::Missing {
        key: key(1),
        reason: MissingReason::DiskFailed,
    };
    assert!(matches!(&reports[0], Report::DiskTrouble { .. }));
    assert_eq!(reports[1..], [missing]);
}

#[test]
fn a_hung_disk_never_holds_up_the_tap_and_loses_no_start_or_stop() {
    let (mut bench, disk) = bench();
    bench.settings.ring_bytes = 65_536;
    bench.limits.live_per_tap = 600;
    // Memory enough for a few of the calls.
    bench.limits.backlog_bytes = 400_000;
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    disk.set(|faults| faults.hang = true);
    taps[0].start(key(1_000), START);
    let mut longest = Duration::ZERO;
    let packets: Vec<_> = (0..50).map(|n| streams[0].packet(n)).collect();
    for call in 1..=500 {
        taps[0].start(key(call), START);
        for (n, packet) in packets.iter().enumerate() {
            let at = START + Duration::from_millis(20 * n as u64);
            let before = Instant::now();
            taps[0].packet(key(call), streams[0].side, at, packet);
            longest = longest.max(before.elapsed());
        }
        taps[0].stop(key(call), START + Duration::from_secs(1));
    }
    // A scheduler's pause is possible, a wait for the disk is not.
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    assert!(recorder.counts().dropped > 20_000);
    assert_eq!(recorder.pending(), 501);
    disk.set(|faults| faults.hang = false);
    until("the tap has handed over what waited", || {
        taps[0].stop(key(1_000), START + Duration::from_secs(1));
        recorder.pending() == 0
    });
    let counts = recorder.counts();
    recorder.stop();
    assert_eq!(counts.refused, 0);
    let (mut stored, mut missing, mut dropped) = (0, 0, 0);
    for report in seen {
        match report {
            Report::Stored { file, .. } => {
                stored += 1;
                dropped += file.dropped;
                assert_eq!(file.caller_packets + file.dropped, 50);
            }
            // All of it dropped, or the one without any.
            Report::Missing {
                reason: MissingReason::DiskFailed,
                ..
            } => missing += 1,
            Report::Missing { key: of, reason } => {
                assert_eq!((of, reason), (key(1_000), MissingReason::NoAudio));
                missing += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stored + missing, 501);
    assert!(
        stored > 0 && dropped > 0,
        "{stored} stored, {dropped} dropped in them"
    );
}

#[test]
fn a_disk_on_which_a_little_room_came_back_takes_a_little() {
    let (mut bench, disk) = bench();
    bench.limits.backlog_bytes = 2 << 20;
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    disk.set(|faults| faults.room = Some(0));
    // Longer than any single write that would fit.
    feed(&mut taps[0], key(1), START, &streams, 0..5_000);
    until("all is taken", || recorder.counts().packets == 10_000);
    let trouble = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    disk.set(|faults| faults.room = Some(700_000));
    until("a little is written", || {
        recorder.counts().spool_bytes > 256 << 10
    });
    disk.set(|faults| faults.room = None);
    taps[0].stop(key(1), START + Duration::from_secs(100));
    until("it is stored", || recorder.pending() == 0);
    recorder.stop();
    let reports: Vec<_> = [trouble].into_iter().chain(seen).collect();
    let (disk, files): (Vec<_>, Vec<_>) = reports
        .into_iter()
        .partition(|report| !matches!(report, Report::Stored { .. }));
    // What is taken may have been all that was refused; then the next is refused anew.
    for (n, report) in disk.iter().enumerate() {
        let expected = if n % 2 == 0 {
            matches!(report, Report::DiskTrouble { .. })
        } else {
            *report == Report::DiskFine
        };
        assert!(expected, "{disk:?}");
    }
    assert!(disk.len() >= 2 && disk.len() % 2 == 0, "{disk:?}");
    let file = stored(files);
    assert_eq!((file.caller_packets, file.dropped), (5_000, 0));
    let ([left, _], _) = read(&bench.settings.root, &file);
    assert!(likeness(&left, 0, 440.0, 800_000) > 0.99);
}

#[test]
fn room_is_set_aside_where_the_disk_can_and_not_needed_where_it_cannot() {
    use std::os::unix::fs::MetadataExt as _;
    for no_reserve in [false, true] {
        let (mut bench, disk) = bench();
        bench.limits.spool_file_bytes = 1 << 20;
        disk.set(|faults| faults.no_reserve = no_reserve);
        let (mut taps, recorder, seen) = bench.start();
        taps[0].start(key(1), START);
        feed(&mut taps[0], key(1), START, &pair(), 0..50);
        until("it is written", || {
            recorder.counts().spool_bytes > 100 * 180
        });
        let files = spool_files(&bench.settings.spool);
        let found = std::fs::metadata(&files[0]).unwrap();
        assert!(found.len() < 100_000, "{} octets", found.len());
        // Where the file system of the tests cannot, there is nothing to see.
        let probe = std::fs::File::create(bench.dir.path().join("probe")).unwrap();
        let can = recorder::disk::DiskFile::reserve(&probe, 1 << 20).is_ok();
        let reserved = found.blocks() * 512 >= 1 << 20;
        assert_eq!(reserved, can && !no_reserve, "{no_reserve}");
        taps[0].stop(key(1), START + Duration::from_secs(1));
        recorder.stop();
        assert_eq!(stored(seen).caller_packets, 50);
    }
}

#[test]
fn a_disk_that_hangs_longer_than_the_ring_is_long_costs_nothing() {
    let (mut bench, disk) = bench();
    bench.settings.ring_bytes = 65_536;
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    disk.set(|faults| faults.hang = true);
    taps[0].start(key(1), START);
    // 40 s of a call: seven times what the ring holds.
    for second in 0..40 {
        until("the ring has room", || taps[0].free() > 50_000);
        let range = second * 50..(second + 1) * 50;
        feed(&mut taps[0], key(1), START, &streams, range);
    }
    until("it is in memory", || recorder.counts().packets == 4_000);
    assert_eq!(recorder.counts().spool_bytes, 0, "the disk hangs");
    disk.set(|faults| faults.hang = false);
    taps[0].stop(key(1), START + Duration::from_secs(40));
    recorder.stop();
    let file = stored(seen);
    assert_eq!((file.caller_packets, file.dropped), (2_000, 0));
}
