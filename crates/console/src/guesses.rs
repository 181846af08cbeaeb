//! Owns the lock-out of guesses at passwords: by login, whether there is such an account or not, so that
//! it tells nothing. Told the time; keeps nothing over a restart.
//!
//! | failures in a row | next guess |
//! |---|---|
//! | up to 4 | at once |
//! | 5 | after 1 min |
//! | each further one | after twice as long, 15 min at most |
//!
//! An hour without a guess forgets all.

use std::collections::BTreeMap;

/// Failures before the first lock.
const FREE: u32 = 5;
const FIRST_MS: i64 = 60_000;
const LONGEST_MS: i64 = 15 * 60_000;
const FORGET_MS: i64 = 60 * 60_000;

/// Logins remembered. Beyond it the one that was guessed at longest ago is forgotten.
const LOGINS_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failures {
    count: u32,
    last_ms: i64,
}

impl Failures {
    /// Until when no guess is judged.
    fn locked_until(self) -> i64 {
        let Some(over) = self.count.checked_sub(FREE) else {
            return i64::MIN;
        };
        let wait = FIRST_MS.saturating_mul(1 << over.min(10));
        self.last_ms.saturating_add(wait.min(LONGEST_MS))
    }
}

/// Guesses that failed, by login.
#[derive(Debug, Default)]
pub(crate) struct Guesses(BTreeMap<String, Failures>);

impl Guesses {
    /// How long, in milliseconds, no guess at a login is judged; `None` if it is.
    pub(crate) fn locked_for(&self, login: &str, now_ms: i64) -> Option<i64> {
        let known = self.0.get(&key(login))?;
        let left = known.locked_until().saturating_sub(now_ms);
        // A clock that was put back locks nobody for longer than it may.
        (left > 0).then_some(left.min(LONGEST_MS))
    }

    /// A guess failed; whether the login is locked by it.
    pub(crate) fn failed(&mut self, login: &str, now_ms: i64) -> bool {
        let key = key(login);
        if !self.0.contains_key(&key) && self.0.len() >= LOGINS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, known)| known.last_ms);
            if let Some(oldest) = oldest.map(|(login, _)| login.clone()) {
                self.0.remove(&oldest);
            }
        }
        let fresh = Failures {
            count: 0,
            last_ms: now_ms,
        };
        let known = self.0.entry(key).or_insert(fresh);
        if now_ms.saturating_sub(known.last_ms) > FORGET_MS {
            *known = fresh;
        }
        known.count = known.count.saturating_add(1);
        known.last_ms = now_ms;
        known.count >= FREE
    }

    /// Somebody signed in.
    pub(crate) fn forget(&mut self, login: &str) {
        self.0.remove(&key(login));
    }
}

/// Logins are the same without regard to case.
fn key(login: &str) -> String {
    login.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_failure_locks_and_each_further_one_for_twice_as_long() {
        let mut guesses = Guesses::default();
        for n in 0..4 {
            assert!(!guesses.failed("Anna", n));
        }
        assert_eq!(guesses.locked_for("anna", 10), None);
        assert!(guesses.failed("anna", 1_000));
        assert_eq!(guesses.locked_for("ANNA", 1_000), Some(60_000));
        assert_eq!(guesses.locked_for("anna", 61_000), None);
        assert!(guesses.failed("anna", 61_000));
        assert_eq!(guesses.locked_for("anna", 61_000), Some(120_000));
        let mut now = 61_000;
        for _ in 0..20 {
            now += LONGEST_MS;
            guesses.failed("anna", now);
        }
        assert_eq!(guesses.locked_for("anna", now), Some(LONGEST_MS));
        assert_eq!(
            guesses.locked_for("anna", 0),
            Some(LONGEST_MS),
            "clock put back"
        );
        assert_eq!(guesses.locked_for("boris", now), None);
        guesses.forget("Anna");
        assert_eq!(guesses.locked_for("anna", now), None);
    }

    #[test]
    fn an_hour_forgets_and_the_table_is_bounded() {
        let mut guesses = Guesses::default();
        for n in 0..5 {
            guesses.failed("anna", n);
        }
        assert!(!guesses.failed("anna", FORGET_MS + 100));
        for n in 0..20_000 {
            guesses.failed(&format!("login{n}"), FORGET_MS + 200 + n);
        }
        assert_eq!(guesses.0.len(), LOGINS_MAX);
    }
}
