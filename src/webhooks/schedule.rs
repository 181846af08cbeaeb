//! Owns when a letter that was not taken is tried again, and when it is given up. Pure.

use std::time::Duration;

use journal::letters::{Fate, Letter};
use vocab::WallTime;

/// The first pause of a letter; each one after that is twice as long.
const FIRST: Duration = Duration::from_secs(5);
/// The longest.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The first pause of a whole webhook whose server is away, and the longest: it is asked with one letter
/// at a time until it is back, and then gets all that waited.
const AWAY_FIRST: Duration = Duration::from_millis(500);
const AWAY_LONGEST: Duration = Duration::from_secs(30);

/// What becomes of a letter that was not taken.
pub(super) fn after_failure(
    letter: &Letter,
    now: WallTime,
    give_up_after: Duration,
    problem: String,
) -> Fate {
    let due = later(now, doubled(FIRST, letter.attempts, LONGEST));
    if due > later(letter.since, give_up_after) {
        return Fate::Dead { at: now, problem };
    }
    Fate::Later { due, problem }
}

/// How long a webhook rests whose server was away so many times in a row.
pub(super) fn rest(times: u32) -> Duration {
    doubled(AWAY_FIRST, times, AWAY_LONGEST)
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(times))
        .min(longest)
}

fn later(at: WallTime, by: Duration) -> WallTime {
    let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    WallTime::from_unix_millis(at.as_unix_millis().saturating_add(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::{Event, EventId, Fact, Time};

    fn letter(attempts: u32) -> Letter {
        let at = WallTime::from_unix_millis(1_000_000);
        Letter {
            event: Event {
                id: EventId::new(1, 1),
                at,
                up: Time::ZERO,
                fact: Fact::EngineStopped,
            },
            attempts,
            since: at,
        }
    }

    fn after(attempts: u32, elapsed: u64, give_up: u64) -> Option<i64> {
        let now = later(letter(0).since, Duration::from_secs(elapsed));
        let give_up = Duration::from_secs(give_up);
        match after_failure(&letter(attempts), now, give_up, String::new()) {
            Fate::Later { due, .. } => Some((due.as_unix_millis() - now.as_unix_millis()) / 1_000),
            Fate::Dead { .. } => None,
            Fate::Taken => panic!("it was not taken"),
        }
    }

    #[test]
    fn pauses_double_up_to_an_hour() {
        let day = 86_400;
        let pauses: Vec<_> = (0..12).map(|attempts| after(attempts, 0, day)).collect();
        let expected = [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600];
        assert_eq!(pauses, expected.map(Some));
        assert_eq!(after(u32::MAX, 0, day), Some(3_600));
        assert_eq!(rest(0), Duration::from_millis(500));
        assert_eq!(rest(60), AWAY_LONGEST);
    }

    #[test]
    fn a_letter_is_given_up_when_its_next_try_would_come_too_late() {
        assert_eq!(after(0, 55, 60), Some(5));
        assert_eq!(after(0, 56, 60), None);
        assert_eq!(after(20, 86_000, 86_400), None);
    }
}
