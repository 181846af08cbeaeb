//! From the tap to the WAV file, with the real threads and a real directory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use common::{Bench, Stream, feed, key, likeness, pair, read, spool_files, stored, until};
use recorder::{Format, Report, StartError};
use vocab::media::Side;
use vocab::{MissingReason, Time};

const START: Time = Time::from_millis(123_457);

#[test]
fn each_side_is_heard_in_its_channel_to_the_sample() {
    for format in [Format::Alaw, Format::Pcm] {
        let mut bench = Bench::new();
        bench.settings.format = format;
        let (mut taps, recorder, seen) = bench.start();
        taps[0].start(key(1), START);
        // The operator's first packet comes 100 ms after the start.
        let [caller, operator] = pair();
        for n in 0..150 {
            let at = START + Duration::from_millis(20 * n as u64);
            taps[0].packet(key(1), Side::Caller, at, &caller.packet(n));
            let at = at + Duration::from_millis(100);
            taps[0].packet(key(1), Side::Operator, at, &operator.packet(n));
        }
        taps[0].stop(key(1), START + Duration::from_micros(3_200_130));
        recorder.stop();

        let file = stored(seen);
        assert_eq!(file.path, "2026/11/22/00000007-00000001-1.wav");
        assert_eq!(file.duration_ms, 3_200);
        assert_eq!((file.caller_packets, file.operator_packets), (150, 150));
        assert_eq!(
            (file.caller_lost, file.operator_lost, file.dropped),
            (0, 0, 0)
        );
        assert!(!file.repaired);
        let ([left, right], manifest) = read(&bench.settings.root, &file);
        assert_eq!(left.len(), 25_601);
        assert_eq!(manifest.started_at, "2026-11-22T08:02:03.457Z");
        assert_eq!(manifest.ended_at, "2026-11-22T08:02:06.657Z");
        assert_eq!(
            (manifest.caller.codecs, manifest.operator.codecs),
            (vec!["PCMA".to_owned()], vec!["PCMU".to_owned()])
        );
        assert_eq!(
            (manifest.operator.first_ms, manifest.operator.last_ms),
            (Some(100), Some(3_080))
        );

        for (channel, hz, position) in [(&left, 440.0, 0), (&right, 950.0, 800)] {
            assert!(
                likeness(channel, position, hz, 24_000) > 0.99,
                "{format:?} {hz}"
            );
            // Nowhere else, and not in the other channel.
            for shift in [-1, 1, 8, 160] {
                assert!(likeness(channel, position + shift, hz, 23_000) < 0.99);
            }
        }
        assert!(likeness(&right, 800, 440.0, 24_000).abs() < 0.1);
        assert!(
            right[..800].iter().all(|sample| sample.abs() <= 8),
            "silence before the first"
        );
        assert!(spool_files(&bench.settings.spool).is_empty());
    }
}

#[test]
fn other_programs_can_read_the_files() {
    let found = Command::new("soxi").arg("--version").output();
    if found.is_err() {
        eprintln!("soxi is not installed; the headers are checked by other tests");
        return;
    }
    for (format, encoding) in [
        (Format::Alaw, "A-law"),
        (Format::Pcm, "16-bit Signed Integer PCM"),
    ] {
        let mut bench = Bench::new();
        bench.settings.format = format;
        let (mut taps, recorder, seen) = bench.start();
        taps[0].start(key(1), START);
        feed(&mut taps[0], key(1), START, &pair(), 0..50);
        taps[0].stop(key(1), START + Duration::from_secs(1));
        recorder.stop();
        let path = bench.settings.root.join(stored(seen).path);
        let said = Command::new("soxi").arg(path).output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        for line in [
            "Channels       : 2",
            "Sample Rate    : 8000",
            "8000 samples",
            encoding,
        ] {
            assert!(said.contains(line), "{line} not in {said}");
        }
    }
}

#[test]
fn a_recording_is_stored_while_others_go_on() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    for call in 1..=2 {
        taps[0].start(key(call), START);
        feed(&mut taps[0], key(call), START, &streams, 0..50);
    }
    assert_eq!(recorder.pending(), 2);
    taps[0].stop(key(1), START + Duration::from_secs(1));
    until("one is stored", || recorder.pending() == 1);
    let file = stored(seen.try_iter());
    assert_eq!(file.caller_packets, 50);
    feed(&mut taps[0], key(2), START, &streams, 50..100);
    taps[0].stop(key(2), START + Duration::from_secs(2));
    until("all are stored", || recorder.pending() == 0);
    assert_eq!(stored(seen.try_iter()).operator_packets, 100);
    assert_eq!(recorder.counts().stored, 2);
    recorder.stop();
}

#[test]
fn no_packet_is_no_file_and_one_side_is_a_file() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    let tap = &mut taps[0];
    tap.start(key(1), START);
    tap.stop(key(1), START + Duration::from_secs(5));
    // A key press is not audio.
    tap.start(key(2), START);
    tap.packet(
        key(2),
        Side::Caller,
        START,
        &[0x80, 101, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4],
    );
    tap.stop(key(2), START + Duration::from_secs(5));
    tap.start(key(3), START);
    feed(
        tap,
        key(3),
        START,
        &[Stream::new(Side::Operator, 8, 600.0)],
        0..10,
    );
    tap.stop(key(3), START + Duration::from_secs(1));
    recorder.stop();
    let reports: Vec<_> = seen.iter().collect();
    let reason = MissingReason::NoAudio;
    assert_eq!(
        reports[0],
        Report::Missing {
            key: key(1),
            reason
        }
    );
    assert_eq!(
        reports[1],
        Report::Missing {
            key: key(2),
            reason
        }
    );
    let file = stored(reports[2..].to_vec());
    let ([left, right], _) = read(&bench.settings.root, &file);
    assert_eq!(
        (file.caller_packets, file.operator_packets, file.duration_ms),
        (0, 10, 1_000)
    );
    assert!(left.iter().all(|sample| sample.abs() <= 8));
    assert!(likeness(&right, 0, 600.0, 1_600) > 0.99);
}

#[test]
fn loss_duplicates_and_key_presses_are_counted_and_do_not_shift() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    taps[0].start(key(1), START);
    let caller = Stream::new(Side::Caller, 8, 440.0);
    for n in 0..200 {
        let at = START + Duration::from_millis(20 * n as u64);
        let mut bytes = caller.packet(n);
        match n {
            // Lost on the way.
            20..30 => continue,
            // A key press: numbered with the audio, timestamp of its beginning (RFC 4733 §2.5.1.2).
            60..70 => {
                bytes[1] = 101;
                bytes.truncate(16);
                bytes[4..8].copy_from_slice(&caller.packet(60)[4..8]);
            }
            100 => taps[0].packet(key(1), Side::Caller, at, &bytes),
            _ => {}
        }
        taps[0].packet(key(1), Side::Caller, at, &bytes);
        taps[0].packet(key(1), Side::Caller, at, b"not RTP");
    }
    taps[0].stop(key(1), START + Duration::from_secs(4));
    recorder.stop();
    let file = stored(seen);
    let ([left, _], manifest) = read(&bench.settings.root, &file);
    assert_eq!((file.caller_packets, file.caller_lost), (180, 10));
    assert_eq!(
        (manifest.caller.duplicates, manifest.caller.other),
        (1, 200)
    );
    for range in [0..20, 30..60, 70..200] {
        let mut only = vec![0; left.len()];
        let (from, to) = (range.start * 160, range.end * 160);
        only[from..to].copy_from_slice(&left[from..to]);
        let energy = (to - from) as f64 / left.len() as f64;
        assert!(
            likeness(&only, 0, 440.0, left.len()) > energy.sqrt() * 0.99,
            "{range:?}"
        );
    }
    for gap in [3_200..4_800, 9_600..11_200] {
        assert!(left[gap].iter().all(|sample| sample.abs() <= 8));
    }
}

#[test]
fn a_second_start_of_the_same_recording_is_ignored_and_counted() {
    let mut bench = Bench::new();
    bench.settings.threads = 2;
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &streams, 0..25);
    until("the first start is known", || {
        recorder.counts().packets == 50
    });
    taps[0].start(key(1), START + Duration::from_millis(500));
    taps[1].start(key(1), START + Duration::from_millis(500));
    feed(&mut taps[1], key(1), START, &streams, 0..5);
    feed(&mut taps[0], key(1), START, &streams, 25..50);
    taps[1].stop(key(1), START + Duration::from_millis(700));
    taps[0].stop(key(1), START + Duration::from_secs(1));
    // After its end, and one that never was.
    taps[0].stop(key(1), START);
    taps[0].packet(key(9), Side::Caller, START, &[0; 20]);
    until("it is stored", || recorder.pending() == 0);
    let counts = recorder.counts();
    assert_eq!((counts.started_twice, counts.unknown), (2, 12));
    recorder.stop();
    let file = stored(seen);
    assert_eq!((file.caller_packets, file.duration_ms), (50, 1_000));
}

#[test]
fn more_recordings_than_allowed_are_refused_by_name() {
    let mut bench = Bench::new();
    bench.limits.live_per_tap = 2;
    let (mut taps, recorder, seen) = bench.start();
    for call in 1..=3 {
        taps[0].start(key(call), START);
    }
    let told = seen.recv_timeout(Duration::from_secs(10)).unwrap();
    until("the third is over", || recorder.pending() == 2);
    let refused = Report::Missing {
        key: key(3),
        reason: MissingReason::DiskFailed,
    };
    assert_eq!(told, refused);
    assert!(seen.try_iter().next().is_none());
    assert_eq!(recorder.counts().refused, 1);
    recorder.stop();
}

#[test]
fn one_that_was_never_stopped_ends_with_its_last_packet() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &pair(), 0..50);
    drop(taps);
    until("it is stored", || recorder.pending() == 0);
    recorder.stop();
    let file = stored(seen);
    assert_eq!((file.duration_ms, file.repaired), (1_000, true));
}

#[test]
fn spool_files_rotate_and_go_when_their_recordings_are_stored() {
    let mut bench = Bench::new();
    bench.limits.spool_file_bytes = 100_000;
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    for second in 0..20 {
        let range = second * 50..(second + 1) * 50;
        let before = recorder.counts().spool_bytes;
        feed(&mut taps[0], key(1), START, &streams, range);
        until("it is in the spool", || {
            recorder.counts().spool_bytes >= before + 18_000
        });
    }
    assert!(spool_files(&bench.settings.spool).len() >= 3);
    taps[0].stop(key(1), START + Duration::from_secs(20));
    until("it is stored", || recorder.pending() == 0);
    let ([left, right], _) = read(&bench.settings.root, &stored(seen.try_iter()));
    assert!(likeness(&left, 0, 440.0, 160_000) > 0.99);
    assert!(likeness(&right, 0, 950.0, 160_000) > 0.99);
    until("old files are gone", || {
        spool_files(&bench.settings.spool).len() <= 1
    });
    recorder.stop();
    assert!(spool_files(&bench.settings.spool).is_empty());
}

#[test]
fn five_hundred_recordings_at_once_lose_nothing() {
    let mut bench = Bench::new();
    bench.settings.threads = 2;
    bench.settings.ring_bytes = 32 << 20;
    bench.settings.sync_every = Duration::from_millis(500);
    let (taps, recorder, seen) = bench.start();
    let streams = Arc::new(pair());
    let seconds = 3;
    let threads: Vec<_> = taps
        .into_iter()
        .zip([0..250, 250..500])
        .map(|(mut tap, calls)| {
            let streams = Arc::clone(&streams);
            std::thread::spawn(move || {
                let packets: Vec<_> = (0..seconds * 50)
                    .map(|n| [0, 1].map(|side| streams[side].packet(n)))
                    .collect();
                calls.clone().for_each(|call| tap.start(key(call), START));
                for (n, both) in packets.iter().enumerate() {
                    // As fast as the writer takes it, so that virtual seconds pass quickly.
                    until("the ring has room", || tap.free() > 250 * 2 * 250);
                    for call in calls.clone() {
                        let at = START + Duration::from_micros(20_000 * n as u64 + u64::from(call));
                        tap.packet(key(call), Side::Caller, at, &both[0]);
                        tap.packet(key(call), Side::Operator, at, &both[1]);
                    }
                }
                let end = START + Duration::from_secs(seconds as u64);
                calls.for_each(|call| tap.stop(key(call), end));
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    until("all are stored", || recorder.pending() == 0);
    let counts = recorder.counts();
    assert_eq!((counts.dropped, counts.unknown, counts.missing), (0, 0, 0));
    assert_eq!(counts.packets, 500 * 2 * 50 * seconds as u64);
    recorder.stop();
    let mut files = 0;
    for report in seen {
        let Report::Stored { file, .. } = report else {
            panic!("{report:?}")
        };
        assert_eq!((file.caller_packets, file.operator_packets), (150, 150));
        assert_eq!(
            (file.caller_lost, file.operator_lost, file.dropped),
            (0, 0, 0)
        );
        assert_eq!(file.duration_ms, 3_000);
        if files % 50 == 0 {
            let ([left, right], _) = read(&bench.settings.root, &file);
            // The first sample is up to 499 µs after the start.
            assert!((0..5).any(|at| likeness(&left, at, 440.0, 23_990) > 0.99));
            assert!((0..5).any(|at| likeness(&right, at, 950.0, 23_990) > 0.99));
        }
        files += 1;
    }
    assert_eq!(files, 500);
    assert!(spool_files(&bench.settings.spool).is_empty());
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let start = |settings| recorder::start(settings, common::WALL, |_| {}).map(drop);
    let bench = Bench::new();
    let mut settings = bench.settings.clone();
    settings.sync_every = Duration::from_millis(1_001);
    assert!(matches!(start(settings), Err(StartError::Setting(_))));
    let mut settings = bench.settings.clone();
    settings.threads = 0;
    assert!(matches!(start(settings), Err(StartError::Setting(_))));

    let blocked = bench.dir.path().join("file");
    std::fs::write(&blocked, "in the way").unwrap();
    let mut settings = bench.settings.clone();
    settings.root = blocked.join("recordings");
    let error = start(settings).unwrap_err();
    assert!(error.to_string().contains("file/recordings"), "{error}");

    let (_taps, _recorder, _seen) = bench.start();
    assert!(matches!(
        start(bench.settings.clone()),
        Err(StartError::InUse { .. })
    ));
}

/// As after a machine that slept: the monotonic clock, by which packets arrive, stood or leapt; the
/// wall clock says only when it began.
#[test]
fn a_clock_that_leaps_leaves_silence_of_that_length_and_no_disorder() {
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    let (streams, tap) = (pair(), &mut taps[0]);
    tap.start(key(1), START);
    feed(tap, key(1), START, &streams, 0..100);
    let leap = Duration::from_secs(600);
    feed(tap, key(1), START + leap, &streams, 100..200);
    tap.stop(key(1), START + leap + Duration::from_secs(4));
    recorder.stop();
    let file = stored(seen);
    let ([left, right], manifest) = read(&bench.settings.root, &file);
    assert_eq!((file.duration_ms, file.caller_packets), (604_000, 200));
    assert_eq!((file.caller_lost, manifest.caller.late), (0, 0));
    for (channel, hz) in [(&left, 440.0), (&right, 950.0)] {
        assert!(likeness(channel, 0, hz, 16_000) > 0.99);
        let between = &channel[16_000..602 * 8_000];
        assert!(between.iter().all(|sample| sample.abs() <= 8));
        // What was sent then is the sound from its second second on.
        let after = [vec![0; 16_000], channel[602 * 8_000..].to_vec()].concat();
        assert!(likeness(&after, 0, hz, 32_000) > 0.99 * 0.5f64.sqrt());
    }
    assert_eq!(manifest.started_at, "2026-11-22T08:02:03.457Z");
}

/// Writes four gigabytes: only where `HOTLINE_LONG` is set.
#[test]
fn a_recording_of_75_hours_is_one_whole_file() {
    if std::env::var_os("HOTLINE_LONG").is_none() {
        eprintln!("not asked for: HOTLINE_LONG=1 lets it write 4.3 GB");
        return;
    }
    let bench = Bench::new();
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    taps[0].start(key(1), START);
    feed(&mut taps[0], key(1), START, &streams, 0..100);
    let hours = 75 * 3_600;
    let late = START + Duration::from_secs(hours - 2);
    feed(&mut taps[0], key(1), late, &streams, 0..100);
    taps[0].stop(key(1), START + Duration::from_secs(hours));
    recorder.stop();
    let file = stored(seen);
    assert_eq!(file.duration_ms, hours * 1_000);
    let found = recorder::Stored::find(&bench.settings.root, &file.path, key(1)).unwrap();
    assert_eq!(
        found.fault(&recorder::crypt::Keys::default()).unwrap(),
        None
    );
    let mut head = [0; 4];
    std::io::Read::read_exact(&mut std::fs::File::open(found.path()).unwrap(), &mut head).unwrap();
    assert_eq!(&head, b"RF64");
}
