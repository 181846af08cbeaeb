//! Owns the memory of used nonces: with which `nc` values each came (RFC 7616 §3.4, `nc`).
//!
//! Only a nonce that came with the right password is remembered, so a stranger costs nothing. The
//! table is bounded: when it is full the oldest nonce goes, and from then on no nonce that is as
//! old and not in the table is taken any more. So nothing is taken twice, and whoever fills the
//! table (with a password that is right) makes others ask for a new nonce, no more.

use std::collections::BTreeMap;

/// Nonces remembered at most. An hour of 500 telephones that take a new nonce each minute, with
/// nonces that live five minutes, is 2,500 at a time; one is about 50 octets.
const NONCES_MAX: usize = 8_192;

/// How far `nc` values may overtake each other on their way.
const WINDOW: u32 = u64::BITS;

/// What tells the nonces of one process apart: when it was made, and a running number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NonceId {
    /// Microseconds.
    pub(super) made: u64,
    pub(super) serial: u32,
}

/// The `nc` values seen with one nonce.
#[derive(Debug, Clone, Copy)]
struct Seen {
    highest: u32,
    /// Bit n: `highest - n` was seen.
    below: u64,
}

/// The used nonces.
#[derive(Debug, Clone)]
pub(super) struct Replays {
    most: usize,
    used: BTreeMap<NonceId, Seen>,
    /// What is no newer than this and not in the table was forgotten.
    forgotten: Option<NonceId>,
}

impl Replays {
    pub(super) const fn new() -> Self {
        Self::with_room_for(NONCES_MAX)
    }

    const fn with_room_for(most: usize) -> Self {
        Self {
            most,
            used: BTreeMap::new(),
            forgotten: None,
        }
    }

    /// Whether this use of a nonce is its first with this `nc`; it is remembered. Nonces made
    /// before `oldest` live no more and are let go.
    pub(super) fn take(&mut self, nonce: NonceId, nc: u32, oldest: u64) -> bool {
        while let Some((first, _)) = self.used.first_key_value()
            && first.made < oldest
        {
            self.used.pop_first();
        }
        if let Some(seen) = self.used.get_mut(&nonce) {
            return seen.take(nc);
        }
        if self.forgotten.is_some_and(|newest| nonce <= newest) {
            return false;
        }
        if self.used.len() >= self.most
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.forgotten = self.forgotten.max(Some(oldest));
        }
        let mut seen = Seen {
            highest: 0,
            below: 1, // 0 is no count: the first use is 1.
        };
        let fresh = seen.take(nc);
        self.used.insert(nonce, seen);
        fresh
    }
}

impl Seen {
    fn take(&mut self, nc: u32) -> bool {
        if nc > self.highest {
            let ahead = nc - self.highest;
            self.below = self.below.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = nc;
            return true;
        }
        let behind = self.highest - nc;
        let bit = 1_u64.checked_shl(behind).unwrap_or(0);
        let fresh = behind < WINDOW && self.below & bit == 0;
        self.below |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn nonce(made: u64) -> NonceId {
        NonceId { made, serial: 0 }
    }

    #[test]
    fn each_count_is_taken_once_in_any_order_within_the_window() {
        let mut replays = Replays::new();
        let mut take = |nc| replays.take(nonce(5), nc, 0);
        assert!(!take(0));
        assert!(take(1) && !take(1));
        assert!(take(4) && take(2) && take(3) && !take(2));
        assert!(take(70) && take(7) && !take(6), "6 is 64 behind");
        assert!(take(u32::MAX) && !take(u32::MAX) && !take(71));
        assert!(take(u32::MAX - 1));
    }

    #[test]
    fn nonces_do_not_share_counts() {
        let mut replays = Replays::new();
        let other = NonceId { made: 5, serial: 1 };
        assert!(replays.take(nonce(5), 1, 0));
        assert!(replays.take(other, 1, 0));
        assert!(!replays.take(other, 1, 0));
    }

    #[test]
    fn a_full_table_forgets_the_oldest_and_takes_it_never_again() {
        let mut replays = Replays::with_room_for(3);
        for made in [10, 20, 30, 40] {
            assert!(replays.take(nonce(made), 1, 0));
        }
        assert_eq!(replays.used.len(), 3);
        assert!(!replays.take(nonce(10), 2, 0), "forgotten, so refused");
        assert!(
            !replays.take(nonce(5), 1, 0),
            "as old: it may have been used"
        );
        assert!(!replays.take(nonce(20), 1, 0), "remembered");
        assert!(replays.take(nonce(20), 2, 0));
        assert!(replays.take(nonce(35), 1, 0));
    }

    #[test]
    fn nonces_that_live_no_more_take_no_room() {
        let mut replays = Replays::with_room_for(3);
        for made in [10, 20, 30] {
            replays.take(nonce(made), 1, 0);
        }
        assert!(replays.take(nonce(50), 1, 25));
        assert_eq!(replays.used.len(), 2);
        assert_eq!(replays.forgotten, None);
    }
}
