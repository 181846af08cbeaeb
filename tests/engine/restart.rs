//! A crash with calls up: every call has its entry and its recording after the restart.

use std::time::Duration;

use crate::harness::journal::{entries, finished};
use crate::harness::people::talking;
use crate::harness::{Engine, LogOnPanic, Setup, until};
use load::Load;

/// So many calls, all of which talk for longer than the test lasts.
fn all_talking(engine: &Engine, logins: &[String], calls: u64) -> Load {
    let load = talking(engine, logins, calls, Duration::from_secs(600));
    until("all calls in talk", Duration::from_secs(60), || {
        (load.counts().talking == calls).then_some(())
    });
    load
}

#[test]
fn ten_calls_cut_off_by_a_kill_are_interrupted_and_their_recordings_readable() {
    let logins: Vec<String> = (0..10).map(|n| format!("operator{n}")).collect();
    let engine = Engine::start(&Setup {
        operators: logins.clone(),
        ..Setup::default()
    });
    let load = all_talking(&engine, &logins, 10);
    // Four seconds of talk, seen by their packets: 2 parties, 10 calls, 50 packets a second.
    let begun = load.counts().rtp_received;
    until("four seconds of talk", Duration::from_secs(30), || {
        (load.counts().rtp_received > begun + 4 * 2 * 10 * 50).then_some(())
    });
    let place = engine.kill();
    drop(load);

    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let mut callers = std::collections::BTreeSet::new();
    for entry in finished(&engine.place, 10) {
        assert_eq!(entry.end(), ("interrupted", "engine"), "{entry:?}");
        assert_eq!(entry.number("segments"), Some(1), "{entry:?}");
        assert!(!entry.text("ended_at").is_empty(), "{entry:?}");
        callers.insert(entry.text("caller").to_owned());
        let recording = entry.check_recording(&engine.place);
        // A crash may cost what was not synced yet: one second, and some for a slow machine.
        assert!(
            recording.ms() > 2_000,
            "{} ms are left of {entry:?}",
            recording.ms()
        );
        let loud = |side: &[i16]| {
            side.iter()
                .filter(|sample| sample.unsigned_abs() > 500)
                .count()
        };
        assert!(
            loud(&recording.caller) > 4_000,
            "the caller is heard: {entry:?}"
        );
        assert!(
            loud(&recording.operator) > 4_000,
            "the operator is heard: {entry:?}"
        );
        let rows = entry.rows("recording_list");
        assert_eq!(rows[0].0["repaired"], true, "{entry:?}");
    }
    assert_eq!(callers.len(), 10);
}

#[test]
fn a_restarted_engine_takes_calls_and_keeps_the_old_entries() {
    let logins = vec!["anna".to_owned()];
    let engine = Engine::start(&Setup {
        operators: logins.clone(),
        ..Setup::default()
    });
    let load = all_talking(&engine, &logins, 1);
    let place = engine.kill();
    drop(load);
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let load = all_talking(&engine, &logins, 1);
    let report = load.stop();
    assert_eq!(report.calls.len(), 1);
    let outcomes: Vec<String> = finished(&engine.place, 2)
        .iter()
        .map(|entry| entry.text("outcome").to_owned())
        .collect();
    assert_eq!(outcomes, ["interrupted", "answered"]);
    // A second restart finds nothing to interrupt and changes nothing.
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));
    let before: Vec<String> = entries(&place)
        .iter()
        .map(|entry| entry.0.to_string())
        .collect();
    let engine = Engine::start_in(place);
    let after: Vec<String> = finished(&engine.place, 2)
        .iter()
        .map(|entry| entry.0.to_string())
        .collect();
    assert_eq!(before, after);
}
