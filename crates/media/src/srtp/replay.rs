//! Owns which packets of one source came already (RFC 3711 §3.3.2), and the guess which of 2^32
//! rounds of sequence numbers a packet belongs to (§3.3.1).

/// Packets back from the newest that are still taken if they come late; at least 64 by the RFC.
const WINDOW: u64 = 128;
/// Sequence numbers of a round.
const ROUND: u64 = 1 << 16;
/// Rounds end here: 48 bits.
const INDEX_MAX: u64 = (1 << 48) - 1;

/// What came of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replay {
    newest: u64,
    /// Bit n: the packet n before the newest came.
    seen: u128,
}

impl Replay {
    pub(super) const fn newest(self) -> u64 {
        self.newest
    }

    /// Whether this packet did not come before, as far back as is remembered.
    pub(super) const fn is_new(self, index: u64) -> bool {
        if index > self.newest {
            return true;
        }
        let behind = self.newest - index;
        behind < WINDOW && self.seen >> behind & 1 == 0
    }

    /// What came before, if anything did, and now this.
    pub(super) fn noted(before: Option<Self>, index: u64) -> Self {
        let Some(mut replay) = before else {
            return Self {
                newest: index,
                seen: 1,
            };
        };
        if index > replay.newest {
            let ahead = u32::try_from(index - replay.newest).unwrap_or(u32::MAX);
            replay.seen = replay.seen.checked_shl(ahead).unwrap_or(0) | 1;
            replay.newest = index;
        } else if replay.newest - index < WINDOW {
            replay.seen |= 1 << (replay.newest - index);
        }
        replay
    }
}

/// The index with this sequence number that lies nearest to the newest one; the first round is
/// the one the first packet is in. `None`: there is no such round.
pub(super) fn guess(newest: Option<u64>, sequence: u16) -> Option<u64> {
    let Some(newest) = newest else {
        return Some(u64::from(sequence));
    };
    let same_round = newest / ROUND * ROUND + u64::from(sequence);
    let index = if same_round + ROUND / 2 < newest {
        same_round + ROUND
    } else if same_round > newest + ROUND / 2 {
        same_round.checked_sub(ROUND)?
    } else {
        same_round
    };
    (index <= INDEX_MAX).then_some(index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_round_ends_and_the_next_begins() {
        assert_eq!(guess(None, 65_535), Some(65_535));
        assert_eq!(guess(Some(65_535), 0), Some(65_536));
        assert_eq!(guess(Some(65_536), 65_535), Some(65_535), "came late");
        assert_eq!(guess(Some(5), 65_535), None, "before the first round");
        assert_eq!(guess(Some(INDEX_MAX), 0), None, "the keys are used up");
        let third = 2 * 65_536 + 40_000;
        assert_eq!(guess(Some(third), 5), Some(3 * 65_536 + 5));
        assert_eq!(guess(Some(third), 10_000), Some(2 * 65_536 + 10_000));
    }

    #[test]
    fn what_came_is_known_and_what_is_too_old_is_not_taken() {
        let mut replay = Replay::noted(None, 1_000);
        assert!(!replay.is_new(1_000) && replay.is_new(999) && replay.is_new(1_001));
        replay = Replay::noted(Some(replay), 1_127);
        assert!(!replay.is_new(1_000), "still in the window");
        assert!(!replay.is_new(999), "older than the window");
        assert!(replay.is_new(1_001));
        replay = Replay::noted(Some(replay), 1_001);
        assert!(!replay.is_new(1_001));
        replay = Replay::noted(Some(replay), 50_000);
        assert!(replay.is_new(49_999) && !replay.is_new(1_127));
    }

    proptest! {
        #[test]
        fn nothing_is_taken_twice_in_whatever_order(
            indices in prop::collection::vec(0_u64..400, 1..300)
        ) {
            let (mut replay, mut taken) = (None::<Replay>, std::collections::BTreeSet::new());
            for index in indices {
                if replay.is_none_or(|replay| replay.is_new(index)) {
                    prop_assert!(taken.insert(index), "{index} twice");
                    replay = Some(Replay::noted(replay, index));
                }
            }
        }

        #[test]
        fn a_guess_is_right_within_half_a_round(newest in 40_000_u64..1 << 40, off in -32_000_i64..32_000) {
            let index = newest.saturating_add_signed(off);
            prop_assert_eq!(guess(Some(newest), index as u16), Some(index));
        }
    }
}
