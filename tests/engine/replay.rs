//! The input log of a real engine, replayed: the same outputs to the byte, or the step that differs.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use crate::harness::journal::finished;
use crate::harness::people::talking;
use crate::harness::{Engine, LogOnPanic, Place, Setup, text_of, until};

/// The only log of a place.
fn log_of(place: &Place) -> PathBuf {
    let files = std::fs::read_dir(place.path("inputs")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.pop().unwrap()
}

fn replayed(place: &Place, log: &std::path::Path) -> (Option<i32>, String) {
    let output = place.run(&["replay", log.to_str().unwrap()]);
    (output.status.code(), text_of(&output))
}

/// Three short calls, all over.
fn three_calls() -> Engine {
    let logins: Vec<String> = ["anna", "boris", "clara"].map(str::to_owned).to_vec();
    let engine = Engine::start(&Setup {
        operators: logins.clone(),
        ..Setup::default()
    });
    let load = talking(&engine, &logins, 3, Duration::from_millis(800));
    finished(&engine.place, 3);
    drop(load.stop());
    engine
}

#[test]
fn an_engine_that_took_calls_orders_and_plans_does_the_same_again_to_the_byte() {
    let engine = three_calls();
    let _log = LogOnPanic::of(&engine);
    let order = ["acd", "close", "operators"];
    let closed = engine.place.run(&order);
    assert_eq!(closed.status.code(), Some(0), "{}", text_of(&closed));
    let plan = engine.place.path("dialplans/tests.toml");
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, format!("{text}\n# the same, loaded anew\n")).unwrap();
    let process = rustix::process::Pid::from_raw(engine.process().cast_signed()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::HUP).unwrap();
    until("new plans", Duration::from_secs(20), || {
        engine
            .log()
            .contains("new plans are in force")
            .then_some(())
    });
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));

    let log = log_of(&place);
    let (code, told) = replayed(&place, &log);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(": all as they were\n"), "{told}");

    // The same log with another caller in it does something else, and the step is named.
    let mut text = String::new();
    let file = std::fs::File::open(&log).unwrap();
    FrameDecoder::new(file).read_to_string(&mut text).unwrap();
    let changed = text.replacen("INVITE sip:1300@", "INVITE sip:1399@", 1);
    assert_ne!(text, changed);
    let other = place.path("changed.inputs");
    let mut encoder = FrameEncoder::new(std::fs::File::create(&other).unwrap());
    encoder.write_all(changed.as_bytes()).unwrap();
    encoder.finish().unwrap();
    let (code, told) = replayed(&place, &other);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.starts_with("step ") && told.contains("404"), "{told}");
}

#[test]
fn the_log_of_a_killed_engine_is_replayed_up_to_its_end() {
    let engine = three_calls();
    std::thread::sleep(Duration::from_millis(1_200));
    let place = engine.kill();
    let log = log_of(&place);
    let (code, told) = replayed(&place, &log);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("the log ends before its process did"),
        "{told}"
    );
    let facts: u64 = told
        .split(", ")
        .nth(2)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(facts > 30, "three calls are in it: {told}");
}

#[test]
fn settings_that_are_not_those_of_the_log_are_refused() {
    let engine = three_calls();
    let (_, place) = engine.terminate();
    let log = log_of(&place);
    let settings = std::fs::read_to_string(place.config()).unwrap();
    std::fs::write(place.config(), format!("{settings}\n# changed\n")).unwrap();
    let (code, told) = replayed(&place, &log);
    assert_eq!(code, Some(1));
    assert!(told.contains("made with other settings"), "{told}");
    let (code, told) = replayed(&place, &place.config());
    assert_eq!(code, Some(1));
    assert!(told.contains("expected an input log"), "{told}");
}
