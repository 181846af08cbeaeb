//! Owns the orders: of calls that wait, and of operators who are free.
//!
//! Every event searches sets that are sorted by these keys, an operator's in dozens of them. So a
//! key is a few numbers whose order is the order that is meant, and not a structure whose fields
//! are compared one by one.

use vocab::{CallId, OperatorId, Time};

/// A waiting call's place: priority, the highest first, then waiting since, then id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallKey {
    order: u128,
    pub(crate) call: CallId,
}

impl CallKey {
    pub(crate) const fn new(priority: u8, since: Time, call: CallId) -> Self {
        let before = (u8::MAX - priority) as u128;
        Self {
            order: before << 64 | since.as_micros() as u128,
            call,
        }
    }

    pub(crate) const fn priority(self) -> u8 {
        u8::MAX - (self.order >> 64) as u8
    }

    /// The same call with another priority.
    pub(crate) const fn with_priority(self, priority: u8) -> Self {
        Self::new(priority, Time::from_micros(self.order as u64), self.call)
    }
}

/// What comes before the strategy when free operators are ordered: the reserve last, then by
/// delay, then by preferred skills and by level, the highest first.
///
/// Bits, from the highest: 1 reserve, 32 delay, 16 preferred, 8 level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tier(u64);

impl Tier {
    const LEVEL: u64 = 0xff;
    const PREFERRED: u64 = 0xff_ff00;

    /// `delay_ms` is at most 49 days; `preferred` is the sum of the levels of preferred skills,
    /// `level` the lowest among the required ones, 0 where levels are alike.
    pub(crate) const fn new(reserve: bool, delay_ms: u32, preferred: u16, level: u8) -> Self {
        let preferred = (u16::MAX - preferred) as u64;
        let level = (u8::MAX - level) as u64;
        Self((reserve as u64) << 56 | (delay_ms as u64) << 24 | preferred << 8 | level)
    }

    pub(crate) const fn is_reserve(self) -> bool {
        self.0 >> 56 != 0
    }

    pub(crate) const fn delay_ms(self) -> u32 {
        (self.0 >> 24) as u32
    }

    pub(crate) const fn preferred(self) -> u16 {
        u16::MAX - (self.0 >> 8) as u16
    }

    pub(crate) const fn level(self) -> u8 {
        u8::MAX - self.0 as u8
    }

    /// The last tier of the same reserve, delay and preferred skills.
    pub(crate) const fn last_level(self) -> Self {
        Self(self.0 | Self::LEVEL)
    }

    /// The last tier of the same reserve and delay.
    pub(crate) const fn last_of_delay(self) -> Self {
        Self(self.0 | Self::PREFERRED | Self::LEVEL)
    }
}

/// A free operator's place: tier, then rank by the strategy, the lowest first, then idle since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FreeKey {
    tier_and_rank: u128,
    idle_and_operator: u128,
}

impl FreeKey {
    pub(crate) const fn new(tier: Tier, rank: u64, idle_since: Time, who: OperatorId) -> Self {
        Self {
            tier_and_rank: (tier.0 as u128) << 64 | rank as u128,
            idle_and_operator: (idle_since.as_micros() as u128) << 32 | who.0 as u128,
        }
    }

    /// Where those of a tier begin who have at least this rank.
    pub(crate) const fn at(tier: Tier, rank: u64) -> Self {
        Self::new(tier, rank, Time::ZERO, OperatorId(0))
    }

    /// After everybody of a tier.
    pub(crate) const fn end(tier: Tier) -> Self {
        Self::new(
            tier,
            u64::MAX,
            Time::from_micros(u64::MAX),
            OperatorId(u32::MAX),
        )
    }

    pub(crate) const fn tier(self) -> Tier {
        Tier((self.tier_and_rank >> 64) as u64)
    }

    pub(crate) const fn rank(self) -> u64 {
        self.tier_and_rank as u64
    }

    pub(crate) const fn operator(self) -> OperatorId {
        OperatorId(self.idle_and_operator as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_higher_priority_comes_first_then_the_one_that_waits_longer() {
        let key = |priority, since, call| {
            CallKey::new(priority, Time::from_micros(since), CallId::new(1, call))
        };
        let order = [
            key(255, 9, 1),
            key(1, u64::MAX, 1),
            key(0, 0, 1),
            key(0, 0, 2),
            key(0, 1, 1),
        ];
        assert!(order.is_sorted());
        assert_eq!(key(7, 5, 1).priority(), 7);
        assert_eq!(key(7, 5, 1).with_priority(200), key(200, 5, 1));
    }

    #[test]
    fn tiers_are_ordered_by_reserve_delay_preferred_skills_and_level() {
        let order = [
            Tier::new(false, 0, 90, 10),
            Tier::new(false, 0, 80, 100),
            Tier::new(false, 0, 80, 0),
            Tier::new(false, u32::MAX, u16::MAX, u8::MAX),
            Tier::new(true, 0, u16::MAX, u8::MAX),
        ];
        assert!(order.is_sorted());
        let tier = Tier::new(true, 5_000, 170, 30);
        let parts = (
            tier.is_reserve(),
            tier.delay_ms(),
            tier.preferred(),
            tier.level(),
        );
        assert_eq!(parts, (true, 5_000, 170, 30));
        assert_eq!(tier.last_level(), Tier::new(true, 5_000, 170, 0));
        assert_eq!(tier.last_of_delay(), Tier::new(true, 5_000, 0, 0));
    }

    #[test]
    fn free_operators_of_a_tier_are_ordered_by_rank_and_idle_time() {
        let tier = Tier::new(false, 0, 0, 50);
        let key =
            |rank, idle, id| FreeKey::new(tier, rank, Time::from_micros(idle), OperatorId(id));
        let order = [
            FreeKey::at(tier, 1),
            key(1, 5, 9),
            key(1, 6, 1),
            key(1, 6, 2),
            key(u64::MAX, 0, 0),
            FreeKey::end(tier),
        ];
        assert!(order.is_sorted());
        let one = key(3, u64::MAX, u32::MAX);
        assert_eq!(
            (one.tier(), one.rank(), one.operator()),
            (tier, 3, OperatorId(u32::MAX))
        );
    }
}
