//! A process that records is killed with SIGKILL at random moments: each time every recording is
//! playable, and at most the last second is missing.
//!
//! `HOTLINE_KILLS=1000` asks for so many moments; without it there are a few.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{feed, key, likeness, pair, read, until};
use recorder::crypt::Keys;
use recorder::ledger::{Expected, Ledger};
use recorder::{Report, Settings};
use vocab::{Time, WallTime};

const START: Time = Time::from_millis(5_000);
const CALLS: u32 = 3;
/// Names the folder to the process that is killed.
const FOLDER: &str = "HOTLINE_KILLED_IN";
/// What a kill may cost: packets of 20 ms in a second.
const SECOND: u64 = 50;

/// Not a test by itself: what runs in the process that is killed. One call ends every second and
/// another begins, so that kills fall into the making of files as well.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let mut settings = Settings::new(folder.join("recordings"), folder.join("spool"));
    settings.sync_every = Duration::from_millis(500);
    let (mut taps, _recorder) = recorder::start(settings, common::WALL, |report| {
        if let Report::Stored { key, .. } = report {
            println!("stored {}", key.call);
        }
    })
    .unwrap();
    let streams = pair();
    (1..=CALLS).for_each(|call| taps[0].start(key(call), START));
    let begun = Instant::now();
    for n in 0..3_000 {
        for call in 1..=CALLS {
            feed(&mut taps[0], key(call), START, &streams, n..n + 1);
        }
        if n % 10 == 0 {
            let short = key(100 + n as u32);
            let at = START + Duration::from_millis(20 * n as u64);
            taps[0].start(short, at);
            feed(&mut taps[0], short, START, &streams, n..n + 1);
            taps[0].stop(short, at + Duration::from_millis(20));
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "fed {n}").unwrap();
        out.flush().unwrap();
        let due = begun + Duration::from_millis(20 * (n as u64 + 1));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn spawn(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets a process record, kills it, and reads what it had said: packets fed for each call, and the
/// recordings it had reported stored.
fn kill_after(folder: &Path, ms: u64) -> (u64, Vec<String>) {
    let mut child = spawn(folder);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = |line: &str| line.contains("fed 0");
    while !first(&lines.next().unwrap().unwrap()) {}
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(ms));
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let (mut fed, mut stored) = (1, Vec::new());
    for line in lines.map_while(Result::ok) {
        if let Some((_, n)) = line.split_once("fed ") {
            // A line that the kill cut in two counts for nothing.
            fed = n.parse::<u64>().map_or(fed, |n| fed.max(n + 1));
        } else if let Some((_, call)) = line.split_once("stored ") {
            stored.push(call.to_owned());
        }
    }
    killer.join().unwrap();
    (fed, stored)
}

#[test]
fn a_kill_at_any_moment_leaves_playable_recordings_and_costs_at_most_a_second() {
    let kills = std::env::var("HOTLINE_KILLS").map_or(4, |n| n.parse().unwrap());
    let mut seed = u64::from(std::process::id()) | 1;
    for _ in 0..kills {
        // xorshift: any spread will do.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let ms = seed % 2_500;
        let dir = tempfile::tempdir().unwrap();
        let (fed, before) = kill_after(dir.path(), ms);
        check(dir.path(), fed, &before);
    }
}

fn check(folder: &Path, fed: u64, before: &[String]) {
    let root = folder.join("recordings");
    let (reports, seen) = std::sync::mpsc::channel();
    let settings = Settings::new(root.clone(), folder.join("spool"));
    let (taps, recorder) =
        recorder::start(settings, WallTime::from_unix_millis(0), move |report| {
            drop(reports.send(report));
        })
        .unwrap();
    drop(taps);
    until("all are reported", || recorder.pending() == 0);
    recorder.stop();
    let mut ledger = Ledger::open(&root, Keys::default(), None).unwrap();
    assert_eq!(ledger.findings(), [], "{fed} packets");
    let mut found = std::collections::BTreeMap::new();
    for report in seen {
        if let Report::Stored { key, file } = report {
            let ([left, _], _) = read(&root, &file);
            if u32::from_str_radix(&key.call.to_string()[9..], 16).unwrap() <= CALLS {
                let packets = file.caller_packets.min(file.operator_packets) as usize;
                let length = (packets.saturating_sub(1)) * 160;
                assert!(length < 800 || likeness(&left, 0, 440.0, length) > 0.99);
            }
            let expected = Expected {
                key,
                recorded: true,
                talk_ms: None,
                file: Some((file.path.clone(), file.sha256.clone())),
                missing: None,
            };
            assert!(ledger.check(&expected).unwrap(), "{:?}", ledger.findings());
            found.insert(key, file);
        }
    }
    for call in 1..=CALLS {
        let packets = found.get(&key(call)).map_or(0, |file| file.caller_packets);
        assert!(
            packets + SECOND >= fed,
            "{packets} of {fed} packets of call {call}"
        );
    }
    // What was reported is there.
    let day = root.join("2026/11/22");
    for call in before {
        assert!(
            day.join(format!("{call}-1.json")).exists(),
            "{call} was reported"
        );
    }
}
