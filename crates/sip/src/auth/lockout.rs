//! Owns the lock-out of those who guess passwords: each failure beyond some makes the next try
//! wait longer. Refuses to judge passwords: it is told whether one was right.
//!
//! Failures are counted in three tables: by user and source, by source, and by user. A failure
//! beyond the free ones of its table locks for 1 s, the next for 2 s, and so on up to the longest
//! lock; each longest lock that passes forgives one. While something is locked nothing is counted:
//! a telephone with a wrong password in an office keeps itself out, not its neighbours.
//!
//! Whom a lock holds:
//!
//! | who asks                                            | user+source | source | user |
//! |-----------------------------------------------------|-------------|--------|------|
//! | the flow on which a telephone of the user is bound  | -           | -      | -    |
//! | an address at which the user had the right password | yes         | -      | -    |
//! | anybody else                                        | yes         | yes    | yes  |
//!
//! So nobody can lock a telephone out of its own place. Nor can anybody by forged source addresses:
//! only credentials with a fresh nonce are counted, and a nonce goes to the source it is made for.
//! Who is locked gets the same answer as for a wrong password, after the same work, and does not
//! learn that a guess was right.

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use vocab::Time;

/// What is policy in a lock-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockoutSettings {
    /// Failures of one user from one source that are free; 0 for no lock-out at all. A user has
    /// four times as many from all sources, a source ten times as many for all users.
    pub attempts: u32,
    /// The longest lock.
    pub longest: Duration,
}

impl Default for LockoutSettings {
    fn default() -> Self {
        Self {
            attempts: 5,
            longest: Duration::from_secs(300),
        }
    }
}

/// The first lock.
const FIRST: Duration = Duration::from_secs(1);
const PER_USER: u32 = 4;
const PER_SOURCE: u32 = 10;
/// Records of one table; one is some 200 octets. When it is full the record that is free first
/// makes room, and where all are locked the newcomer is not recorded: the other tables hold him.
const RECORDS_MAX: usize = 10_000;
/// Addresses at which a user is known, and for how long.
const PLACES_MAX: usize = 8;
const PLACE_LASTS: Duration = Duration::from_secs(7 * 24 * 3600);

/// Credentials with a fresh nonce, and what they were worth.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// As whom.
    pub user: &'a str,
    /// Whether there is such a user. Others cannot be guessed and take no room.
    pub exists: bool,
    /// Where from.
    pub source: IpAddr,
    /// Whether a telephone of the user is bound on this very flow.
    pub at_home: bool,
    /// Whether the password was right.
    pub right: bool,
}

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// Right, and let in.
    Accepted,
    /// Wrong; counted.
    Refused,
    /// Right or wrong: locked, and not counted.
    Locked,
}

/// Who failed how often.
#[derive(Debug)]
pub struct Lockout {
    settings: LockoutSettings,
    pairs: Table<(String, IpAddr)>,
    sources: Table<IpAddr>,
    users: Table<String>,
    places: BTreeMap<String, Vec<(IpAddr, Time)>>,
}

impl Lockout {
    /// Nobody has failed yet.
    #[must_use]
    pub const fn new(settings: LockoutSettings) -> Self {
        Self {
            settings,
            pairs: Table::new(RECORDS_MAX),
            sources: Table::new(RECORDS_MAX),
            users: Table::new(RECORDS_MAX),
            places: BTreeMap::new(),
        }
    }

    /// Rules on an attempt and counts it.
    pub fn rule(&mut self, now: Time, attempt: Attempt<'_>) -> Ruling {
        let user = attempt.user.to_owned();
        let source = network(attempt.source);
        let known = self.is_known(now, attempt.user, source);
        let pair = (user.clone(), source);
        let stranger_locked =
            self.sources.is_locked(now, &source) || self.users.is_locked(now, &user);
        let locked = self.pairs.is_locked(now, &pair) || (!known && stranger_locked);
        let free = self.settings.attempts;
        if locked && !attempt.at_home && free > 0 {
            return Ruling::Locked;
        }
        if attempt.right {
            self.know(now, attempt.user, attempt.source);
            return Ruling::Accepted;
        }
        if free > 0 {
            let longest = self.settings.longest;
            let fail = |factor: u32| (free.saturating_mul(factor), longest);
            self.sources.fail(now, source, fail(PER_SOURCE));
            if attempt.exists {
                self.pairs.fail(now, pair, fail(1));
                if !known {
                    self.users.fail(now, user, fail(PER_USER));
                }
            }
        }
        Ruling::Refused
    }

    /// The user is at home at this address: a right password came from there.
    pub fn know(&mut self, now: Time, user: &str, source: IpAddr) {
        let source = network(source);
        let places = self.places.entry(user.to_owned()).or_default();
        places.retain(|(place, _)| *place != source);
        if places.len() == PLACES_MAX {
            places.remove(0); // The one that is longest unseen.
        }
        places.push((source, now));
    }

    /// Forgets where a user is known: the password was changed, or there is no such user any more.
    pub fn forget(&mut self, user: &str) {
        self.places.remove(user);
    }

    fn is_known(&self, now: Time, user: &str, source: IpAddr) -> bool {
        self.places.get(user).is_some_and(|places| {
            places
                .iter()
                .any(|(place, seen)| *place == source && now.since(*seen) <= PLACE_LASTS)
        })
    }
}

/// What counts as one source: an IPv4 address, or the 64 bits that an IPv6 customer has at least.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    last: Time,
    /// Locked until then.
    until: Time,
}

/// The failures of one kind.
#[derive(Debug)]
struct Table<K> {
    most: usize,
    records: BTreeMap<K, Record>,
    /// By the time at which each is free: what goes first when room is needed.
    order: BTreeSet<(Time, K)>,
}

impl<K: Ord + Clone> Table<K> {
    const fn new(most: usize) -> Self {
        Self {
            most,
            records: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }

    fn is_locked(&self, now: Time, key: &K) -> bool {
        self.records
            .get(key)
            .is_some_and(|record| record.until > now)
    }

    fn fail(&mut self, now: Time, key: K, (free, longest): (u32, Duration)) {
        let before = self.records.get(&key).copied();
        if before.is_none() && !self.make_room(now) {
            return;
        }
        let mut failures = 1;
        if let Some(before) = before {
            self.order.remove(&(before.until, key.clone()));
            let passed = now.since(before.last).as_micros() / longest.as_micros().max(1);
            let forgiven = u32::try_from(passed).unwrap_or(u32::MAX);
            failures = before.failures.saturating_sub(forgiven).saturating_add(1);
        }
        let lock = match failures.saturating_sub(free) {
            0 => Duration::ZERO,
            beyond => FIRST.saturating_mul(1 << (beyond - 1).min(20)).min(longest),
        };
        let record = Record {
            failures,
            last: now,
            until: now + lock,
        };
        self.order.insert((record.until, key.clone()));
        self.records.insert(key, record);
    }

    fn make_room(&mut self, now: Time) -> bool {
        if self.records.len() < self.most {
            return true;
        }
        let Some((until, key)) = self
            .order
            .first()
            .cloned()
            .filter(|(until, _)| *until <= now)
        else {
            return false;
        };
        self.order.remove(&(until, key.clone()));
        self.records.remove(&key);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        lockout: Lockout,
        now: Time,
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    impl World {
        fn new() -> Self {
            Self {
                lockout: Lockout::new(LockoutSettings::default()),
                now: Time::ZERO,
            }
        }

        fn pass(&mut self, seconds: u64) {
            self.now = self.now + Duration::from_secs(seconds);
        }

        fn attempt(&mut self, user: &str, last: u8, right: bool) -> Ruling {
            self.attempt_at(user, address(last), right, false)
        }

        fn attempt_at(&mut self, user: &str, source: IpAddr, right: bool, at_home: bool) -> Ruling {
            self.lockout.rule(
                self.now,
                Attempt {
                    user,
                    exists: user != "nobody",
                    source,
                    at_home,
                    right,
                },
            )
        }
    }

    #[test]
    fn the_lock_doubles_from_a_second_to_the_longest() {
        let mut w = World::new();
        for _ in 0..5 {
            assert_eq!(w.attempt("anna", 1, false), Ruling::Refused);
        }
        for lock in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300] {
            assert_eq!(w.attempt("anna", 1, false), Ruling::Refused);
            w.pass(lock - 1);
            assert_eq!(w.attempt("anna", 1, true), Ruling::Locked, "{lock} s");
            w.pass(1);
        }
        assert_eq!(w.attempt("anna", 1, true), Ruling::Accepted);
    }

    #[test]
    fn time_forgives() {
        let mut w = World::new();
        for _ in 0..5 {
            w.attempt("anna", 1, false);
        }
        w.pass(3 * 300);
        for _ in 0..3 {
            assert_eq!(w.attempt("anna", 1, false), Ruling::Refused);
        }
        assert_eq!(w.attempt("anna", 1, true), Ruling::Accepted);
    }

    #[test]
    fn the_true_telephone_goes_on_whoever_guesses_from_where() {
        let mut w = World::new();
        assert_eq!(w.attempt("anna", 1, true), Ruling::Accepted);
        for last in 2..40 {
            for _ in 0..6 {
                w.attempt("anna", last, false);
            }
        }
        assert_eq!(w.attempt("anna", 99, true), Ruling::Locked, "a new place");
        assert_eq!(w.attempt("anna", 1, true), Ruling::Accepted, "a known one");
        // A neighbour behind the same address locks that address, not the telephone's flow.
        for _ in 0..6 {
            w.attempt("anna", 1, false);
        }
        assert_eq!(w.attempt("anna", 1, true), Ruling::Locked);
        let home = w.attempt_at("anna", address(1), true, true);
        assert_eq!(home, Ruling::Accepted);
    }

    #[test]
    fn a_telephone_with_a_wrong_password_does_not_lock_its_office() {
        let mut w = World::new();
        for _ in 0..120 {
            w.attempt("anna", 1, false);
            w.pass(30);
        }
        assert_eq!(w.attempt("boris", 1, true), Ruling::Accepted);
    }

    #[test]
    fn a_source_that_tries_many_names_is_locked_for_all_it_is_not_known_for() {
        let mut w = World::new();
        assert_eq!(w.attempt("vera", 1, true), Ruling::Accepted);
        for _ in 0..51 {
            w.attempt("nobody", 1, false);
            w.pass(1);
        }
        w.attempt("nobody", 1, false);
        assert_eq!(w.attempt("anna", 1, true), Ruling::Locked);
        assert_eq!(w.attempt("vera", 1, true), Ruling::Accepted);
        assert_eq!(w.attempt("anna", 2, true), Ruling::Accepted);
    }

    #[test]
    fn ipv6_counts_by_its_network() {
        let mut w = World::new();
        let at = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]);
        for n in 0..6 {
            w.attempt_at("anna", at(n), false, false);
        }
        assert_eq!(w.attempt_at("anna", at(99), true, false), Ruling::Locked);
        let other = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, 1]);
        assert_eq!(w.attempt_at("anna", other, true, false), Ruling::Accepted);
    }

    #[test]
    fn a_full_table_lets_the_weakest_go_and_never_who_is_locked() {
        let mut table = Table::new(3);
        let rule = (1, Duration::from_secs(300));
        let now = Time::from_millis(1_000);
        for _ in 0..3 {
            table.fail(now, 1, rule);
        }
        for key in 2..50 {
            table.fail(now, key, rule);
        }
        assert_eq!(table.records.len(), 3);
        assert!(table.is_locked(now, &1), "a flood of others frees nobody");
        table.fail(now, 48, rule);
        table.fail(now, 49, rule);
        assert!(table.is_locked(now, &48) && table.is_locked(now, &49));
        table.fail(now, 50, rule);
        assert!(
            !table.records.contains_key(&50),
            "all are locked: not recorded"
        );
        assert_eq!(table.order.len(), table.records.len());
    }

    #[test]
    fn no_attempts_means_no_lock() {
        let mut w = World::new();
        w.lockout.settings.attempts = 0;
        for _ in 0..100 {
            assert_eq!(w.attempt("anna", 1, false), Ruling::Refused);
        }
        assert_eq!(w.attempt("anna", 1, true), Ruling::Accepted);
    }
}
