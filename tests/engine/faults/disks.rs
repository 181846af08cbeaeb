//! Disks that are full, disks that hang, and disks that fail now and then (libfiu): those of recordings and
//! those of the journal at once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{all_talked, in_talk, logins, nothing_lost, rounds};
use crate::harness::people::{calling, talking};
use crate::harness::room::Room;
use crate::harness::{Engine, LogOnPanic, Place, Setup, text_of};

/// All that the engine writes is in one folder.
const KEPT: &str = r#"
[recordings]
root = "kept/recordings"
spool = "kept/spool"
[journal]
events = "kept/events"
database = "kept/journal.db"
"#;

/// A place whose folder `kept` is on the disk that `furnish` mounts there.
fn place(room: &Room, logins: &[String], furnish: impl FnOnce(&Path)) -> (Place, PathBuf) {
    let setup = Setup {
        operators: logins.to_vec(),
        more: KEPT.to_owned(),
        ..Setup::default()
    };
    let place = Place::within(&setup, |folder| {
        furnish(&folder.join("kept"));
        room.enter()
    });
    let kept = place.path("kept");
    (place, kept)
}

/// A call that talks through the whole fault, and some that begin and end within it.
fn calls_in_a_fault<F>(place: Place, logins: &[String], begin: impl Fn(&Engine) -> F) -> Engine {
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let net = engine.place.net;
    let mut calls = 0;
    for _ in 0..rounds() {
        let long = talking(&engine, logins, 1, Duration::from_secs(9));
        in_talk(&long, 1);
        let fault = begin(&engine);
        let short = calling(&engine, 4, Duration::from_secs(1), net.callers);
        all_talked(&short, 4);
        drop(short);
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(long.counts().talking, 1, "{:?}", long.counts());
        drop(fault);
        all_talked(&long, 1);
        drop(long);
        let after = talking(&engine, logins, 2, Duration::from_millis(700));
        all_talked(&after, 2);
        drop(after);
        calls += 7;
    }
    nothing_lost(&engine.place, calls, calls);
    engine
}

#[test]
fn a_full_disk_costs_no_call_and_no_entry() {
    let room = Room::open();
    let logins = logins(3);
    let (place, kept) = place(&room, &logins, |folder| room.small_disk(folder, 96));
    let engine = calls_in_a_fault(place, &logins, |_| room.fill(&kept));
    let log = engine.log();
    assert!(
        log.contains("event file cannot be written"),
        "it was not full"
    );
}

#[test]
fn a_disk_that_hangs_costs_no_call_and_no_entry() {
    let room = Room::open();
    let logins = logins(3);
    let (place, kept) = place(&room, &logins, |folder| room.real_disk(folder, 192));
    let engine = calls_in_a_fault(place, &logins, |_| room.freeze(&kept));
    let log = engine.log();
    assert!(
        log.contains("the disk of the recording spool hangs"),
        "it did not hang"
    );
}

/// System calls that fail in one process while this lives.
struct Failing<'a> {
    pipe: &'a Path,
    process: String,
}

/// Of each kind so many of 100: writes, writes of which a part is done, syncs, renames; the disk is full.
const FAILING: [(&str, u32); 4] = [
    ("posix/io/rw/pwrite", 20),
    ("posix/io/rw/pwrite/reduce", 20),
    ("posix/io/sync/fdatasync", 20),
    ("posix/io/dir/rename", 20),
];

impl<'a> Failing<'a> {
    fn begin(pipe: &'a Path, engine: &Engine) -> Self {
        let process = engine.process().to_string();
        let failing = Self { pipe, process };
        for (name, part) in FAILING {
            // ENOSPC; of a write that is done in part it says nothing.
            let how = format!("name={name},probability=0.{part},failinfo=28");
            failing.command(&format!("enable_random {how}"));
        }
        failing
    }

    fn command(&self, command: &str) {
        let output = Command::new("fiu-ctrl")
            .arg("-f")
            .arg(self.pipe)
            .args(["-c", command, &self.process])
            .output()
            .unwrap();
        let said = text_of(&output);
        assert!(output.status.success() && said.trim().is_empty(), "{said}");
    }
}

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        for (name, _) in FAILING {
            self.command(&format!("disable name={name}"));
        }
    }
}

#[test]
fn a_disk_that_fails_now_and_then_costs_no_call_and_no_entry() {
    let logins = logins(3);
    let mut place = Place::new(&Setup {
        operators: logins.clone(),
        ..Setup::default()
    });
    let pipe = place.path("fiu");
    let library = |name: &str| format!("/usr/lib/fiu/fiu_{name}_preload.so");
    let environment = [
        ("LD_PRELOAD", [library("run"), library("posix")].join(" ")),
        ("FIU_CTRL_FIFO", pipe.to_str().unwrap().to_owned()),
    ];
    place.environment = environment
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
    let engine = calls_in_a_fault(place, &logins, |engine| Failing::begin(&pipe, engine));
    let log = engine.log();
    assert!(
        log.contains("event file cannot be written"),
        "it did not fail"
    );
}
