//! Pauses and gaps: what is not in a recording is said, to the millisecond.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Bench, FaultyDisk, feed, key, likeness, pair, read, stored, until};
use recorder::{Manifest, Pause, Report};
use vocab::media::Side;
use vocab::{MissingReason, PauseReason, Time};

const START: Time = Time::from_millis(5_000);

fn at(ms: u64) -> Time {
    START + Duration::from_millis(ms)
}

/// Ten seconds, of which some are paused.
fn paused(bench: &Bench) -> ([Vec<i16>; 2], Manifest) {
    let (mut taps, recorder, seen) = bench.start();
    let (streams, tap) = (pair(), &mut taps[0]);
    tap.start(key(1), START);
    feed(tap, key(1), START, &streams, 0..200);
    tap.pause(key(1), at(4_000), PauseReason::Card);
    tap.pause(key(1), at(4_500), PauseReason::Medical); // it is paused already
    feed(tap, key(1), START, &streams, 200..400);
    tap.resume(key(1), at(8_000));
    tap.resume(key(1), at(8_001));
    feed(tap, key(1), START, &streams, 400..500);
    tap.stop(key(1), at(10_000));
    recorder.stop();
    read(&bench.settings.root, &stored(seen))
}

#[test]
fn nothing_is_kept_of_a_pause_and_the_sound_after_it_is_in_its_place() {
    let ([left, right], manifest) = paused(&Bench::new());
    let expected = Pause {
        from_ms: 4_000,
        to_ms: 8_000,
        reason: PauseReason::Card,
    };
    assert_eq!(manifest.pauses, [expected]);
    assert_eq!(manifest.duration_ms, 10_000);
    assert_eq!((manifest.caller.lost, manifest.operator.lost), (0, 0));
    assert_eq!((manifest.truncated, manifest.gaps.len()), (false, 0));
    for (channel, hz) in [(&left, 440.0), (&right, 950.0)] {
        assert!(likeness(channel, 0, hz, 32_000) > 0.99);
        assert!(
            channel[32_000..64_000]
                .iter()
                .all(|sample| sample.abs() <= 8)
        );
        let after: Vec<i16> = std::iter::repeat_n(0, 64_000)
            .chain(channel[64_000..].iter().copied())
            .collect();
        assert!(likeness(&after, 0, hz, 80_000) > 0.99 * 0.2f64.sqrt());
    }
    let sound = manifest.to_file().sound.unwrap();
    assert_eq!((sound.paused_ms, sound.gaps_ms), (4_000, 0));
    let heard = sound.heard;
    assert_eq!(heard.caller.speech_ms + heard.caller.silence_ms, 6_000);
    assert_eq!(heard.dead_air_ms, 0, "a pause is no dead air");
}

#[test]
fn a_pause_survives_a_crash() {
    let bench = Bench::new();
    let (mut taps, recorder, _seen) = bench.start();
    let (streams, tap) = (pair(), &mut taps[0]);
    tap.start(key(1), START);
    feed(tap, key(1), START, &streams, 0..100);
    tap.pause(key(1), at(2_000), PauseReason::Medical);
    feed(tap, key(1), START, &streams, 100..200);
    tap.resume(key(1), at(4_000));
    feed(tap, key(1), START, &streams, 200..250);
    until("it is durable", || recorder.counts().packets == 300);
    until("the last block is written", || {
        let before = recorder.counts().spool_bytes;
        std::thread::sleep(Duration::from_millis(60));
        recorder.counts().spool_bytes == before
    });
    let copy = bench.copy_spool();
    let (dir, reports) = Bench::repair(copy.path());
    let (_, manifest) = read(&dir.path().join("recordings"), &stored(reports));
    assert_eq!(manifest.pauses.len(), 1);
    let pause = &manifest.pauses[0];
    assert_eq!((pause.from_ms, pause.to_ms), (2_000, 4_000));
    assert!(manifest.repaired && manifest.caller.lost == 0);
}

#[test]
fn a_recording_that_was_only_paused_says_so() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    let (streams, tap) = (pair(), &mut taps[0]);
    tap.start(key(1), START);
    tap.pause(key(1), START, PauseReason::Other);
    feed(tap, key(1), START, &streams, 0..100);
    tap.stop(key(1), at(2_000));
    recorder.stop();
    let reports: Vec<_> = seen.into_iter().collect();
    assert!(
        matches!(
            &reports[..],
            [Report::Missing {
                reason: MissingReason::Paused,
                ..
            }]
        ),
        "{reports:?}"
    );
}

#[test]
fn of_a_recording_that_is_thrown_away_nothing_is_left_also_after_a_crash() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    let (streams, tap) = (pair(), &mut taps[0]);
    tap.start(key(1), START);
    feed(tap, key(1), START, &streams, 0..100);
    until("it is durable", || recorder.counts().packets == 200);
    tap.start(key(2), START);
    tap.discard(key(1), at(2_000));
    let reason = match seen.recv().unwrap() {
        Report::Missing { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason, MissingReason::TooShort);
    let copy = bench.copy_spool();
    recorder.stop();
    let (dir, reports) = Bench::repair(copy.path());
    let stored = |report: &Report| matches!(report, Report::Stored { .. });
    assert!(!reports.iter().any(stored), "{reports:?}");
    let root = dir.path().join("recordings");
    let days = std::fs::read_dir(&root).unwrap().flatten();
    let names: Vec<_> = days.map(|day| day.file_name()).collect();
    assert!(!names.iter().any(|name| name == "2026"), "{names:?}");
}

#[test]
fn a_gap_has_its_side_its_times_and_its_packets() {
    let mut bench = Bench::new();
    let disk = FaultyDisk::default();
    bench.disk = Arc::new(disk.clone());
    bench.limits.backlog_bytes = 40_000;
    let (mut taps, recorder, seen) = bench.start();
    let (streams, tap) = (pair(), &mut taps[0]);
    tap.start(key(1), START);
    disk.set(|faults| faults.full = Some("spool"));
    feed(tap, key(1), START, &streams, 0..200);
    until("the backlog is full", || {
        let counts = recorder.counts();
        counts.dropped > 0 && counts.packets + counts.dropped == 400
    });
    disk.set(|faults| faults.full = None);
    until("it is written", || recorder.counts().spool_bytes > 30_000);
    feed(tap, key(1), START, &streams, 200..250);
    tap.stop(key(1), at(5_000));
    recorder.stop();
    let reports = seen.into_iter();
    let files = reports.filter(|report| matches!(report, Report::Stored { .. }));
    let (_, manifest) = read(&bench.settings.root, &stored(files));
    assert!(manifest.truncated);
    let dropped = manifest.caller.dropped + manifest.operator.dropped;
    let told: u64 = manifest.gaps.iter().map(|gap| gap.packets).sum();
    assert_eq!(told, dropped, "{:?}", manifest.gaps);
    for side in [Side::Caller, Side::Operator] {
        let of: Vec<_> = manifest
            .gaps
            .iter()
            .filter(|gap| gap.side == side)
            .collect();
        assert_eq!(of.len(), 1, "{of:?}");
        // From the first that was dropped to the next that was kept.
        assert_eq!(of[0].to_ms, 4_000);
        assert_eq!(of[0].from_ms, 4_000 - of[0].packets * 20);
    }
    let sound = manifest.to_file().sound.unwrap();
    assert!(sound.gaps_ms > 1_000, "{}", sound.gaps_ms);
}

#[test]
fn a_disk_that_hangs_is_told_while_it_hangs() {
    let mut bench = Bench::new();
    let disk = FaultyDisk::default();
    bench.disk = Arc::new(disk.clone());
    bench.limits.hangs_after = Duration::from_millis(200);
    let (mut taps, recorder, seen) = bench.start();
    let (streams, tap) = (pair(), &mut taps[0]);
    tap.start(key(1), START);
    disk.set(|faults| faults.hang = true);
    feed(tap, key(1), START, &streams, 0..50);
    let told = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(
        matches!(&told, Report::DiskTrouble { message } if message.contains("hangs")),
        "{told:?}"
    );
    disk.set(|faults| faults.hang = false);
    let told = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(told, Report::DiskFine);
    tap.stop(key(1), at(1_000));
    recorder.stop();
    assert_eq!(stored(seen).dropped, 0);
}

#[test]
fn low_water_is_told_once_and_its_end_too() {
    let mut bench = Bench::new();
    let disk = FaultyDisk::default();
    bench.disk = Arc::new(disk.clone());
    bench.settings.low_water = 1 << 20;
    disk.set(|faults| faults.room = Some(1_000_000));
    let (_taps, recorder, seen) = bench.start();
    let told = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(
        matches!(
            &told,
            Report::LowWater {
                free: 1_000_000,
                ..
            }
        ),
        "{told:?}"
    );
    disk.set(|faults| faults.room = Some(2 << 20));
    let told = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(told, Report::RoomAgain);
    recorder.stop();
    assert_eq!(seen.into_iter().count(), 0);
}
