//! Faults of the whole process and its surroundings: killed at any moment, plans loaded anew all the
//! time, a database that is locked, descriptors that run out, an end with calls up. Every call that was
//! answered has its entry, every talk its recording, and calls that have nothing to do with the fault
//! go on.
//!
//! `HOTLINE_FAULTS_KILLS=100` kills so often; 4 times without it. `make soak` does.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::journal::{entries, finished};
use crate::harness::people::talking;
use crate::harness::{Engine, LogOnPanic, Place, Running, Setup, need, sipp, text_of, until};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

const SOON: Duration = Duration::from_secs(60);

fn logins(number: usize) -> Vec<String> {
    (0..number).map(|n| format!("operator{n}")).collect()
}

fn engine_of(logins: &[String]) -> Engine {
    Engine::start(&Setup {
        operators: logins.to_vec(),
        ..Setup::default()
    })
}

fn process(engine: &Engine) -> Pid {
    Pid::from_raw(i32::try_from(engine.process()).unwrap()).unwrap()
}

/// Journal against disk, as an auditor does it.
fn assert_all_recorded(place: &Place) {
    let mut said = String::new();
    until("every talk has its audio", SOON, || {
        let output = place.run(&["recordings", "verify"]);
        said = text_of(&output);
        output.status.success().then_some(())
    });
    assert!(said.contains("with verified audio"), "{said}");
}

#[test]
fn killed_at_any_moment_it_has_an_entry_of_each_answered_call_and_audio_of_each_talk() {
    let kills = std::env::var("HOTLINE_FAULTS_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let logins = logins(5);
    let mut engine = engine_of(&logins);
    let (mut answered, mut talked) = (0, 0);
    for kill in 1..=kills {
        let load = talking(&engine, &logins, 60, Duration::from_millis(600));
        // Spread evenly over three seconds, whatever their number (by the golden ratio).
        let moment = 3_000.0 * (f64::from(kill) * 0.618_034).fract();
        std::thread::sleep(Duration::from_millis(moment as u64));
        let before = load.counts();
        let place = engine.kill();
        // Read before the kill: what was answered right then may not be counted yet.
        answered += before.answered;
        talked += before.talked;
        assert_eq!(before.double_offers, 0);
        drop(load);
        engine = Engine::start_in(place);
    }
    let _log = LogOnPanic::of(&engine);
    assert!(answered > 0, "no call was answered before a kill");
    let all = until("every entry has its outcome", SOON, || {
        let all = entries(&engine.place);
        let over = all.iter().all(|entry| !entry.text("outcome").is_empty());
        over.then_some(all)
    });
    let with_talk = all
        .iter()
        .filter(|entry| entry.number("segments") > Some(0));
    assert!(
        all.len() as u64 >= answered,
        "{} entries of {answered}",
        all.len()
    );
    assert!(with_talk.count() as u64 >= talked);
    assert_all_recorded(&engine.place);
}

#[test]
fn plans_loaded_anew_all_the_time_cost_no_call() {
    let logins = logins(4);
    let engine = engine_of(&logins);
    let _log = LogOnPanic::of(&engine);
    let load = talking(&engine, &logins, 20, Duration::from_millis(700));
    let mut reloads = 0;
    until("all calls are over", SOON, || {
        kill_process(process(&engine), Signal::HUP).unwrap();
        reloads += 1;
        std::thread::sleep(Duration::from_millis(80));
        load.finished().then_some(())
    });
    assert!(reloads > 10, "{reloads}");
    let counts = load.counts();
    assert_eq!((counts.talked, counts.failed, counts.refused), (20, 0, 0));
    drop(load);
    for entry in finished(&engine.place, 20) {
        assert_eq!(entry.text("outcome"), "answered", "{entry:?}");
    }
    assert_all_recorded(&engine.place);
}

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
    assert!(load.wait(SOON), "{:?}", load.counts());
    let counts = load.counts();
    assert_eq!((counts.talked, counts.failed, counts.refused), (20, 0, 0));
    drop(load);
    drop(locked);
    for entry in finished(&engine.place, 20) {
        assert_eq!(entry.text("outcome"), "answered", "{entry:?}");
    }
    assert_all_recorded(&engine.place);
}

#[test]
fn without_descriptors_it_refuses_calls_and_takes_them_again_when_there_are_some() {
    let logins = logins(2);
    let mut engine = engine_of(&logins);
    let _log = LogOnPanic::of(&engine);
    let open = std::fs::read_dir(format!("/proc/{}/fd", engine.process())).unwrap();
    let open = open.count() as u64;
    let limited = |to: Option<u64>| {
        let limit = Rlimit {
            current: to,
            ..rustix::process::getrlimit(Resource::Nofile)
        };
        prlimit(Some(process(&engine)), Resource::Nofile, limit).unwrap()
    };
    let before = limited(Some(open));
    let load = talking(&engine, &logins, 5, Duration::from_millis(300));
    until("all calls are over", SOON, || {
        let counts = load.counts();
        (counts.refused + counts.ended >= 5).then_some(())
    });
    assert_eq!(load.counts().talked, 0, "there was no socket for audio");
    drop(load);
    limited(before.current);
    let load = talking(&engine, &logins, 5, Duration::from_millis(300));
    assert!(load.wait(SOON), "{:?}", load.counts());
    assert_eq!(load.counts().talked, 5);
    drop(load);
    assert!(engine.alive());
    let all = until("every call has its entry", SOON, || {
        let all = entries(&engine.place);
        let over = all.iter().filter(|entry| !entry.text("outcome").is_empty());
        (over.count() == 10).then_some(all)
    });
    let served = all
        .iter()
        .filter(|entry| entry.text("outcome") == "answered");
    assert_eq!(served.count(), 5);
    assert_all_recorded(&engine.place);
}

#[test]
fn an_engine_that_is_to_end_finishes_its_calls_and_refuses_new_ones() {
    let logins = logins(3);
    let engine = engine_of(&logins);
    let load = talking(&engine, &logins, 3, Duration::from_secs(4));
    until("all calls in talk", SOON, || {
        (load.counts().talking == 3).then_some(())
    });
    kill_process(process(&engine), Signal::TERM).unwrap();
    until("the engine knows of it", SOON, || {
        engine.log().contains("taking no new calls").then_some(())
    });
    sipp::call(&engine, "uac-engine-full-503", |_| {});
    assert!(load.wait(SOON), "{:?}", load.counts());
    let counts = load.counts();
    assert_eq!((counts.talked, counts.failed), (3, 0));
    drop(load);
    let mut engine = engine;
    until("the engine has ended", SOON, || {
        (!engine.alive()).then_some(())
    });
    let engine = Engine::start_in(engine.kill());
    let _log = LogOnPanic::of(&engine);
    let ended: Vec<String> = finished(&engine.place, 3)
        .iter()
        .map(|entry| entry.text("outcome").to_owned())
        .collect();
    assert_eq!(ended, ["answered"; 3]);
    let load = talking(&engine, &logins, 1, Duration::from_millis(300));
    assert!(load.wait(SOON));
    drop(load);
    finished(&engine.place, 4);
    assert_all_recorded(&engine.place);
}
