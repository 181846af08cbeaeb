//! A wall clock that is set two hours forward and back while people talk (libfaketime).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{all_talked, in_talk, logins, nothing_lost, rounds};
use crate::harness::journal::Entry;
use crate::harness::people::talking;
use crate::harness::{Engine, LogOnPanic, Place, Setup, text_of};

/// What makes a program believe in another wall clock; the monotonic one stays as it is.
fn faketime(clock: &Path) -> Vec<(String, String)> {
    let output = Command::new("dpkg").args(["-L", "libfaketime"]).output();
    let list = text_of(&output.unwrap());
    let library = list
        .lines()
        .find(|line| line.ends_with("/libfaketimeMT.so.1"));
    let library = library.expect("libfaketimeMT.so.1 (apt-get install faketime)");
    let clock = clock.to_str().unwrap();
    [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", clock),
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

#[test]
fn a_clock_set_two_hours_forward_and_back_costs_no_call_and_no_second_of_talk() {
    let logins = logins(4);
    let mut place = Place::new(&Setup {
        operators: logins.clone(),
        ..Setup::default()
    });
    let clock = place.path("clock");
    let set = |offset: &str| std::fs::write(&clock, format!("{offset}\n")).unwrap();
    set("+0");
    place.environment = faketime(&clock);
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let mut calls = 0;
    for _ in 0..rounds() {
        let load = talking(&engine, &logins, 4, Duration::from_secs(7));
        in_talk(&load, 4);
        for offset in ["+7200", "-7200"] {
            set(offset);
            // The library looks once a second, the engine too.
            std::thread::sleep(Duration::from_millis(2_200));
            assert_eq!(load.counts().double_offers, 0);
        }
        all_talked(&load, 4);
        drop(load);
        calls += 4;
    }
    let all = nothing_lost(&engine.place, calls, calls);
    for entry in &all {
        assert_eq!(entry.text("outcome"), "answered", "{entry:?}");
        let talk = entry.number("talk_ms").unwrap();
        assert!((6_000..9_500).contains(&talk), "{talk} ms: {entry:?}");
        let shift = entry.number("recording_ms").unwrap() - talk;
        assert!(shift.abs() < 200, "{shift} ms: {entry:?}");
    }
    // Facts carry the wall clock as it was: the calls ended two hours before they came.
    let back = |entry: &&Entry| entry.text("ended_at") < entry.text("arrived_at");
    let noticed = all.iter().filter(back).count();
    assert!(noticed >= 4, "the engine did not notice: {all:#?}");
}
