//! Killed at any moment, with one call, ten, a hundred.

use std::time::Duration;

use super::{logins, nothing_lost};
use crate::harness::people::talking;
use crate::harness::{Engine, LogOnPanic, Setup};

/// Calls at once when the kill comes, in turn.
const AT_ONCE: [u64; 3] = [10, 1, 100];

#[test]
fn killed_at_any_moment_it_has_an_entry_of_each_answered_call_and_audio_of_each_talk() {
    let kills = std::env::var("HOTLINE_FAULTS_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let logins = logins(12);
    let mut engine = Engine::start(&Setup {
        operators: logins.clone(),
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
    nothing_lost(&engine.place, answered, talked);
}
