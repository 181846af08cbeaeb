//! Disks that are full, and disks that hang: those of recordings and those of the journal at once.

use std::path::PathBuf;
use std::time::Duration;

use super::{all_talked, in_talk, logins, nothing_lost, rounds};
use crate::harness::people::{calling, talking};
use crate::harness::room::Room;
use crate::harness::{Engine, LogOnPanic, Place, Setup};

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
fn place(
    room: &Room,
    logins: &[String],
    furnish: impl FnOnce(&std::path::Path),
) -> (Place, PathBuf) {
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
fn calls_in_a_fault<F>(place: Place, logins: &[String], begin: impl Fn() -> F) -> Engine {
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let net = engine.place.net;
    let mut calls = 0;
    for _ in 0..rounds() {
        let long = talking(&engine, logins, 1, Duration::from_secs(9));
        in_talk(&long, 1);
        let fault = begin();
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
    let engine = calls_in_a_fault(place, &logins, || room.fill(&kept));
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
    let engine = calls_in_a_fault(place, &logins, || room.freeze(&kept));
    let log = engine.log();
    assert!(
        log.contains("the disk of the recording spool hangs"),
        "it did not hang"
    );
}
