//! Killed at any moment, with one call, ten, a hundred.

use std::time::{Duration, Instant};

use super::{logins, nothing_lost};
use crate::harness::people::talking;
use crate::harness::{Engine, LogOnPanic, Setup};
use load::Load;

/// Calls at once when the kill comes, in turn.
const AT_ONCE: [u64; 3] = [10, 1, 100];

/// The answer to a call waits for the disk, for so long at the longest; with the usual 20 ms a disk that is
/// busier than that may cost an entry.
const PATIENT: &str = "[journal]\nanswer_wait = \"1s\"\n";

/// The beginning of a talk waits for no disk: people hear each other, and the fact follows with the next
/// group that is written. After so long it is there, on a machine that does much else.
const WRITTEN_AFTER: Duration = Duration::from_secs(1);

/// Lets so much time pass; the talks that had begun early enough to be known at its end.
fn talks_known_after(load: &Load, moment: Duration) -> u64 {
    let begun = Instant::now();
    let mut known = 0;
    while begun.elapsed() < moment {
        if begun.elapsed() + WRITTEN_AFTER <= moment {
            known = load.counts().talked;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    known
}

#[test]
fn killed_at_any_moment_it_has_an_entry_of_each_answered_call_and_audio_of_each_talk() {
    let kills = std::env::var("HOTLINE_FAULTS_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let logins = logins(12);
    let mut engine = Engine::start(&Setup {
        operators: logins.clone(),
        more: PATIENT.to_owned(),
        ..Setup::default()
    });
    let (mut answered, mut talked) = (0, 0);
    for kill in 1..=kills {
        let calls = AT_ONCE[kill as usize % AT_ONCE.len()];
        let talk = Duration::from_millis(if calls == 1 { 2_000 } else { 600 });
        let load = talking(&engine, &logins, calls, talk);
        // Spread evenly over three seconds, whatever their number (by the golden ratio), and later where
        // a hundred come.
        let longest = if calls == 100 { 6_000.0 } else { 3_000.0 };
        let moment = longest * (f64::from(kill) * 0.618_034).fract();
        let known = talks_known_after(&load, Duration::from_millis(moment as u64));
        // Read before the kill: what was answered right then may not be counted yet.
        let before = load.counts();
        let place = engine.kill();
        answered += before.answered;
        talked += known;
        assert_eq!(before.double_offers, 0);
        drop(load);
        engine = Engine::start_in(place);
    }
    let _log = LogOnPanic::of(&engine);
    assert!(answered > 0, "no call was answered before a kill");
    nothing_lost(&engine.place, answered, talked);
}
