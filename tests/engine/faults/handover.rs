//! A second process that takes over the port while calls are up in the first: nobody hears anything of it,
//! and whichever of the two dies meanwhile, each call has its entry and its recording.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::{SOON, all_talked, in_talk, logins, nothing_lost, process};
use crate::harness::journal::Entry;
use crate::harness::people::{at_work, calling, talking};
use crate::harness::{Engine, LogOnPanic, Net, Place, Running, Setup, free_port, text_of, until};
use load::Load;
use rustix::process::{Signal, kill_process};

/// Long enough for a second engine to start, on a machine that builds something else.
const LONG: Duration = Duration::from_secs(12);
const BRIEF: Duration = Duration::from_millis(300);

fn engine_of(logins: &[String]) -> Engine {
    Engine::start(&Setup {
        operators: logins.to_vec(),
        // A disk that is busy delays an answer, and loses none.
        more: "[journal]\nanswer_wait = \"1s\"\n".to_owned(),
        ..Setup::default()
    })
}

fn has_ended(process: &mut Running) -> bool {
    process.0.try_wait().unwrap().is_some()
}

fn ended_by_itself(mut process: Running) {
    until("the leaving engine has ended", SOON, || {
        has_ended(&mut process).then_some(())
    });
    assert!(process.0.wait().unwrap().success());
}

fn more_calls(engine: &Engine, calls: u64, talk: Duration) -> Load {
    calling(engine, calls, talk, engine.place.net.callers)
}

fn of<'a>(all: &'a [Entry], outcome: &str) -> Vec<&'a Entry> {
    all.iter()
        .filter(|entry| entry.text("outcome") == outcome)
        .collect()
}

/// Each log of a process repeats what that process did.
fn logs_replay(place: &Place) {
    let files = std::fs::read_dir(place.path("inputs")).unwrap();
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    assert!(files.len() > 1, "{files:?}");
    for file in files {
        let replayed = place.run(&["replay", file.to_str().unwrap()]);
        assert!(replayed.status.success(), "{}", text_of(&replayed));
    }
}

#[test]
fn calls_end_where_they_began_and_no_caller_is_refused_while_the_port_changes_hands() {
    let logins = logins(4);
    let engine = engine_of(&logins);
    let _log = LogOnPanic::of(&engine);
    let up = talking(&engine, &logins, 2, LONG);
    in_talk(&up, 2);
    // Some come before the second engine asks, some while nobody receives, some after.
    let stream = more_calls(&engine, 40, BRIEF);
    until("the first of the stream", SOON, || {
        (stream.counts().answered > 0).then_some(())
    });
    let (engine, leaving) = engine.successor();
    let _log = LogOnPanic::of(&engine);
    assert_eq!(up.counts().talking, 2, "{:?}", up.counts());
    let shown = engine.place.run(&["serve", "--take-over"]);
    assert!(
        text_of(&shown).contains("the engine before the running one still has calls"),
        "{}",
        text_of(&shown)
    );
    assert!(stream.wait(SOON), "{:?}", stream.counts());
    let counts = stream.counts();
    assert_eq!((counts.talked, counts.failed, counts.refused), (40, 0, 0));
    drop(stream);
    // Their BYE comes to the second engine and is the first one's.
    assert!(up.wait(SOON), "{:?}", up.counts());
    let ended = up.counts();
    assert_eq!((ended.failed, ended.double_offers), (0, 0), "{ended:?}");
    ended_by_itself(leaving);
    let after = more_calls(&engine, 4, BRIEF);
    all_talked(&after, 4);
    drop((after, up));
    let all = nothing_lost(&engine.place, 46, 46);
    assert_eq!(of(&all, "answered").len(), 46, "{all:#?}");
    for entry in &all {
        entry.check_recording(&engine.place);
    }
    let talks = all.iter().filter_map(|entry| entry.number("talk_ms"));
    assert_eq!(talks.filter(|talk| *talk >= 11_000).count(), 2);
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));
    logs_replay(&place);
}

#[test]
fn callers_who_wait_in_the_leaving_engine_are_served_first_and_by_the_same_operators() {
    let logins = logins(1);
    let engine = engine_of(&logins);
    let _log = LogOnPanic::of(&engine);
    let up = talking(&engine, &logins, 1, Duration::from_secs(8));
    in_talk(&up, 1);
    let waiting = more_calls(&engine, 2, BRIEF);
    until("two wait", SOON, || {
        (waiting.counts().answered == 2).then_some(())
    });
    let (engine, leaving) = engine.successor();
    let _log = LogOnPanic::of(&engine);
    let later = more_calls(&engine, 1, BRIEF);
    all_talked(&waiting, 2);
    all_talked(&later, 1);
    assert!(up.wait(SOON), "{:?}", up.counts());
    assert_eq!(up.counts().double_offers, 0);
    ended_by_itself(leaving);
    drop((waiting, later, up));
    let mut all = nothing_lost(&engine.place, 4, 4);
    all.sort_by(|a, b| a.text("arrived_at").cmp(b.text("arrived_at")));
    let last = all.last().unwrap();
    let talked = |entry: &Entry| entry.text("ended_at").to_owned();
    assert!(
        all.iter().all(|entry| talked(entry) <= talked(last)),
        "{all:#?}"
    );
}

#[test]
fn a_leaving_engine_that_is_killed_has_its_calls_closed_by_its_successor() {
    let logins = logins(3);
    let engine = engine_of(&logins);
    let _log = LogOnPanic::of(&engine);
    let up = talking(&engine, &logins[..2], 2, LONG * 10);
    in_talk(&up, 2);
    let other = engine.place.net.other();
    let (engine, mut leaving) = engine.successor();
    let _log = LogOnPanic::of(&engine);
    let fresh = at_work(&engine, &logins[2..], other);
    let stays = more_calls(&engine, 1, Duration::from_secs(9));
    in_talk(&stays, 1);
    // Audio is on the disk within a second, on one that many tests share within a few.
    std::thread::sleep(Duration::from_secs(4));
    leaving.0.kill().unwrap();
    leaving.0.wait().unwrap();
    until("the successor notices", SOON, || {
        engine
            .log()
            .contains("the engine before this one died")
            .then_some(())
    });
    all_talked(&stays, 1);
    drop(up);
    let next = more_calls(&engine, 2, BRIEF);
    all_talked(&next, 2);
    drop((fresh, stays, next));
    let all = nothing_lost(&engine.place, 5, 5);
    let cut = of(&all, "interrupted");
    assert_eq!((all.len(), cut.len()), (5, 2), "{all:#?}");
    for entry in cut {
        let recordings = entry.rows("recording_list");
        let lost = |one: &Entry| one.text("missing") == "lost_in_crash";
        if !recordings.iter().any(lost) {
            entry.check_recording(&engine.place);
        }
        assert!(entry.number("talk_ms") > Some(0), "{entry:?}");
    }
}

#[test]
fn a_successor_that_is_killed_gives_everything_back_and_another_one_takes_over() {
    let logins = logins(4);
    let net = Net::fresh();
    let api = SocketAddr::new(net.engine, free_port(net.engine));
    let place = Place::new(&Setup {
        net,
        operators: logins.clone(),
        more: format!("[journal]\nanswer_wait = \"1s\"\n[api]\nlisten = \"{api}\"\n"),
        ..Setup::default()
    });
    let made = place.run(&["token", "add", "reader", "--right", "read"]);
    assert!(made.status.success(), "{}", text_of(&made));
    let engine = Engine::start_in(place);
    let up = talking(&engine, &logins, 2, LONG * 2);
    in_talk(&up, 2);
    let (engine, mut leaving) = engine.successor();
    let _log = LogOnPanic::of(&engine);
    assert!(TcpStream::connect(api).is_ok());
    let cut = more_calls(&engine, 1, LONG * 10);
    in_talk(&cut, 1);
    kill_process(process(&engine), Signal::KILL).unwrap();
    until("the first engine has it back", SOON, || {
        engine.log().contains("the successor is gone").then_some(())
    });
    drop(cut);
    assert!(!has_ended(&mut leaving));
    until("the API is there again", SOON, || {
        TcpStream::connect(api).ok().map(drop)
    });
    // As if nothing had been: the first engine takes calls.
    let back = more_calls(&engine, 3, BRIEF);
    all_talked(&back, 3);
    drop(back);
    let (engine, _dead) = engine.successor();
    let _log = LogOnPanic::of(&engine);
    let next = more_calls(&engine, 3, BRIEF);
    all_talked(&next, 3);
    assert!(up.wait(SOON), "{:?}", up.counts());
    assert_eq!(up.counts().failed, 0, "{:?}", up.counts());
    ended_by_itself(leaving);
    drop((next, up));
    let all = nothing_lost(&engine.place, 9, 9);
    assert_eq!(of(&all, "answered").len(), 8, "{all:#?}");
    assert_eq!(of(&all, "interrupted").len(), 1, "{all:#?}");
}
