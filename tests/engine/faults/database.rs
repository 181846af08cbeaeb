//! Databases that are locked, slow, paused, stopped: calls go on, and entries come when it is back.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{all_talked, engine_of, logins, nothing_lost, rounds};
use crate::harness::journal::finished;
use crate::harness::people::talking;
use crate::harness::postgres::Server;
use crate::harness::proxy::Proxy;
use crate::harness::{Engine, LogOnPanic, Place, Running, Setup, need};

/// The database, locked against everybody else for as long as this lives.
fn lock(place: &Place) -> Running {
    need("sqlite3", "sqlite3");
    let mut sqlite = Command::new("sqlite3")
        .arg(place.path("journal/journal.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = sqlite.stdin.as_mut().unwrap();
    stdin
        .write_all(b".timeout 20000\nBEGIN EXCLUSIVE;\nSELECT 'locked';\n")
        .unwrap();
    let mut said = [0; 6];
    std::io::Read::read_exact(sqlite.stdout.as_mut().unwrap(), &mut said).unwrap();
    assert_eq!(&said, b"locked");
    Running(sqlite)
}

#[test]
fn a_locked_database_costs_no_call_and_no_entry() {
    let logins = logins(4);
    let engine = engine_of(&logins);
    let _log = LogOnPanic::of(&engine);
    let locked = lock(&engine.place);
    let load = talking(&engine, &logins, 20, Duration::from_millis(700));
    all_talked(&load, 20);
    drop(load);
    drop(locked);
    for entry in finished(&engine.place, 20) {
        assert_eq!(entry.text("outcome"), "answered", "{entry:?}");
    }
    nothing_lost(&engine.place, 20, 20);
}

/// What is done to the server, and how it is undone.
type Fault = (
    &'static str,
    fn(&mut Server, &Proxy),
    fn(&mut Server, &Proxy),
);

const FAULTS: [Fault; 5] = [
    (
        "slow",
        |_, way| way.slow(Duration::from_millis(150)),
        |_, way| way.slow(Duration::ZERO),
    ),
    (
        "paused",
        |server, _| server.pause(),
        |server, _| server.go_on(),
    ),
    ("cut off", |_, way| way.cut(), |_, _| {}),
    (
        "silent",
        |_, way| way.silent(true),
        |_, way| way.silent(false),
    ),
    (
        "stopped",
        |server, _| server.stop(),
        |server, _| server.start_again(),
    ),
];

#[test]
fn a_database_that_is_slow_paused_silent_or_stopped_costs_no_call_and_no_entry() {
    let mut server = Server::start();
    let url = server.database("calls");
    let (_, host) = url.split_once('@').unwrap();
    let far = host.trim_end_matches("/calls");
    let way = Proxy::start(far.parse().unwrap());
    let database = url.replace(far, &way.address.to_string());
    let logins = logins(3);
    let engine = Engine::start_in(Place::new(&Setup {
        operators: logins.clone(),
        more: format!("[journal]\ndatabase = \"{database}\"\n"),
        ..Setup::default()
    }));
    let _log = LogOnPanic::of(&engine);
    let mut calls = 0;
    for _ in 0..rounds() {
        for (name, begin, end) in FAULTS {
            begin(&mut server, &way);
            let load = talking(&engine, &logins, 3, Duration::from_millis(500));
            all_talked(&load, 3);
            drop(load);
            end(&mut server, &way);
            calls += 3;
            eprintln!("{name}: {calls} calls");
        }
    }
    for entry in finished(&engine.place, calls) {
        assert_eq!(entry.text("outcome"), "answered", "{entry:?}");
    }
    nothing_lost(&engine.place, calls as u64, calls as u64);
}
