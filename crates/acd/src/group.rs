//! Owns one group: the calls that ask for the same skills and the free operators who have them, in
//! the order in which they are taken.
//!
//! It refuses to know states: whoever is put in is free, and whatever is put in waits. Levels that
//! will do differ from call to call: calls with the same limits share a shelf.

use core::ops::Bound;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use vocab::{CallId, OperatorId, QueueId};

use crate::decision::{CONSIDERED_MAX, Considered, WhyNot};
use crate::order::{CallKey, FreeKey, Tier};
use crate::settings::{Levels, Strategy};
use crate::skills::Limits;
use crate::status::Presence;

/// What a group asks for. Groups that ask for the same are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    /// Whose members; `None` where operators are members of no queue in particular.
    pub(crate) queue: Option<QueueId>,
    pub(crate) anyone: bool,
    pub(crate) required: Vec<String>,
    pub(crate) preferred: Vec<String>,
    pub(crate) strategy: Strategy,
    pub(crate) levels: Levels,
}

/// An operator's place in a group.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) group: usize,
    pub(crate) order: u8,
    pub(crate) tier: Tier,
    /// One for each required skill.
    pub(crate) levels: Box<[u8]>,
    /// Where the operator stands among the free ones.
    pub(crate) free: Option<FreeKey>,
}

/// Calls of a group that will do with the same operators.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// One for each required skill.
    pub(crate) limits: Vec<Limits>,
    /// How long its calls have waited at least, where that matters.
    pub(crate) waited: Duration,
    /// Calls that ring nowhere.
    pub(crate) silent: BTreeSet<CallKey>,
    /// Calls that ring and may ring at more operators.
    pub(crate) ringing: BTreeSet<CallKey>,
}

impl Shelf {
    const fn calls(&self, extra: Extra) -> &BTreeSet<CallKey> {
        match extra {
            Extra::Silent => &self.silent,
            Extra::Ringing => &self.ringing,
        }
    }

    const fn calls_mut(&mut self, extra: Extra) -> &mut BTreeSet<CallKey> {
        match extra {
            Extra::Silent => &mut self.silent,
            Extra::Ringing => &mut self.ringing,
        }
    }
}

/// The calls of one kind on all shelves of a group, without looking at each: an operator who gets
/// free asks every group about them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) count: usize,
    pub(crate) first: Option<CallKey>,
}

/// What a search among free operators found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) operator: OperatorId,
    pub(crate) level: u8,
    /// Who stood before, and who would have been next.
    pub(crate) considered: Vec<Considered>,
}

/// The group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    /// Its required skills, for people.
    pub(crate) label: Arc<str>,
    pub(crate) shelves: Vec<Shelf>,
    pub(crate) free: BTreeSet<FreeKey>,
    pub(crate) silent: Tally,
    pub(crate) ringing: Tally,
    /// Members by presence.
    pub(crate) staff: [u32; Presence::COUNT],
    /// The queues whose calls it gets when they enter.
    pub(crate) queues: Vec<QueueId>,
    pub(crate) reserve_open: bool,
    pub(crate) reserve_wait: Option<Duration>,
    /// Round robin: the place in the table after which to begin.
    pub(crate) turn: u64,
    /// Lots: how far the drawing has come. Lots are exponential times, so those that were not
    /// drawn are as good as new, and new ones count from here.
    pub(crate) drawn: u64,
}

impl Group {
    pub(crate) fn new(key: GroupKey) -> Self {
        let label = key
            .required
            .iter()
            .map(|skill| format!("\"{skill}\""))
            .collect::<Vec<_>>()
            .join(" and ");
        Self {
            key,
            label: label.into(),
            shelves: Vec::new(),
            free: BTreeSet::new(),
            silent: Tally::default(),
            ringing: Tally::default(),
            staff: [0; Presence::COUNT],
            queues: Vec::new(),
            reserve_open: false,
            reserve_wait: None,
            turn: 0,
            drawn: 0,
        }
    }

    /// The shelf of such calls, made if it is new.
    pub(crate) fn shelf(&mut self, limits: &[Limits], waited: Duration) -> usize {
        let known = self
            .shelves
            .iter()
            .position(|shelf| shelf.limits == limits && shelf.waited == waited);
        known.unwrap_or_else(|| {
            self.shelves.push(Shelf {
                limits: limits.to_vec(),
                waited,
                silent: BTreeSet::new(),
                ringing: BTreeSet::new(),
            });
            self.shelves.len() - 1
        })
    }

    const fn tally(&self, extra: Extra) -> &Tally {
        match extra {
            Extra::Silent => &self.silent,
            Extra::Ringing => &self.ringing,
        }
    }

    const fn tally_mut(&mut self, extra: Extra) -> &mut Tally {
        match extra {
            Extra::Silent => &mut self.silent,
            Extra::Ringing => &mut self.ringing,
        }
    }

    /// Puts a call on a shelf.
    pub(crate) fn put(&mut self, shelf: usize, key: CallKey, extra: Extra) {
        let calls = self
            .shelves
            .get_mut(shelf)
            .map(|shelf| shelf.calls_mut(extra));
        if calls.is_some_and(|calls| calls.insert(key)) {
            let tally = self.tally_mut(extra);
            tally.count += 1;
            tally.first = Some(tally.first.map_or(key, |first| first.min(key)));
        }
    }

    /// Takes a call off its shelf, if it stands there.
    pub(crate) fn take(&mut self, shelf: usize, key: CallKey) {
        for extra in [Extra::Silent, Extra::Ringing] {
            let calls = self
                .shelves
                .get_mut(shelf)
                .map(|shelf| shelf.calls_mut(extra));
            if !calls.is_some_and(|calls| calls.remove(&key)) {
                continue;
            }
            self.tally_mut(extra).count -= 1;
            if self.tally(extra).first == Some(key) {
                let shelves = self.shelves.iter();
                let firsts = shelves.filter_map(|one| one.calls(extra).first());
                self.tally_mut(extra).first = firsts.min().copied();
            }
        }
    }

    /// Why an operator may not get calls of a shelf yet, if so.
    fn held_back(&self, tier: Tier, shelf: &Shelf) -> Option<WhyNot> {
        if u128::from(tier.delay_ms()) > shelf.waited.as_millis() {
            return Some(WhyNot::Delayed);
        }
        let helps = self.reserve_open || self.reserve_wait.is_some_and(|wait| wait <= shelf.waited);
        (tier.is_reserve() && !helps).then_some(WhyNot::Reserve)
    }

    fn outside(limits: &[Limits], levels: &[u8]) -> Option<WhyNot> {
        limits
            .iter()
            .zip(levels)
            .find(|(limits, level)| !limits.admit(**level))
            .map(|(limits, level)| {
                if *level < limits.min {
                    WhyNot::LevelTooLow
                } else {
                    WhyNot::LevelTooHigh
                }
            })
    }

    /// The next call for one of its operators, if it is `wanted`, leaving out those `excluded`;
    /// whoever does not want a call wants none behind it. `extra`: among those that ring already.
    pub(crate) fn next_call(
        &self,
        place: &Place,
        extra: Extra,
        wanted: impl Fn(&CallKey) -> bool,
        excluded: impl Fn(CallId) -> bool,
    ) -> Option<CallKey> {
        // The cheapest question first: most groups and shelves have nothing better than what was found.
        if !self.tally(extra).first.as_ref().is_some_and(&wanted) {
            return None;
        }
        let first = |shelf: &Shelf| {
            let calls = shelf.calls(extra);
            if !calls.first().is_some_and(&wanted)
                || self.held_back(place.tier, shelf).is_some()
                || Self::outside(&shelf.limits, &place.levels).is_some()
            {
                return None;
            }
            let next = calls.iter().take_while(|key| wanted(key));
            next.into_iter().find(|key| !excluded(key.call)).copied()
        };
        self.shelves.iter().filter_map(first).min()
    }

    /// The best free operator for a shelf. `levels` tells an operator's levels in this group.
    pub(crate) fn best_operator<'a>(
        &self,
        shelf: usize,
        levels: impl Fn(OperatorId) -> Option<&'a [u8]>,
        excluded: impl Fn(OperatorId) -> bool,
    ) -> Option<Found> {
        let shelf = self.shelves.get(shelf)?;
        let mut considered = Vec::new();
        let pass = |considered: &mut Vec<Considered>, operator, why_not| {
            if considered.len() < CONSIDERED_MAX {
                considered.push(Considered { operator, why_not });
            }
        };
        let mut next = self.free.first();
        while let Some(first) = next {
            let tier = first.tier();
            let mut end = tier;
            if let Some(why) = self.held_back(tier, shelf) {
                pass(&mut considered, first.operator(), why);
                // So are all of this delay.
                end = tier.last_of_delay();
            } else if let Some(why) = self.outside_as_a_whole(tier, shelf) {
                pass(&mut considered, first.operator(), why);
                if why == WhyNot::LevelTooLow {
                    end = tier.last_level();
                }
            } else {
                for key in self.of_tier(tier) {
                    let operator = key.operator();
                    if let Some(why) = self.outside_alone(operator, shelf, &levels) {
                        pass(&mut considered, operator, why);
                    } else if excluded(operator) {
                        pass(&mut considered, operator, WhyNot::JustFailed);
                    } else {
                        self.next_best(key, &mut considered);
                        let level = tier.level();
                        return Some(Found {
                            operator,
                            level,
                            considered,
                        });
                    }
                }
            }
            let after = (Bound::Excluded(FreeKey::end(end)), Bound::Unbounded);
            next = self.free.range(after).next();
        }
        None
    }

    /// How many free operators there are for a shelf.
    pub(crate) fn free_for<'a>(
        &self,
        shelf: usize,
        levels: impl Fn(OperatorId) -> Option<&'a [u8]>,
    ) -> usize {
        let Some(shelf) = self.shelves.get(shelf) else {
            return 0;
        };
        let may_have = |key: &&FreeKey| {
            self.held_back(key.tier(), shelf).is_none()
                && self.outside_as_a_whole(key.tier(), shelf).is_none()
                && self.outside_alone(key.operator(), shelf, &levels).is_none()
        };
        self.free.iter().filter(may_have).count()
    }

    /// Whether a tier is of one level of the one required skill.
    fn tiers_are_levels(&self) -> bool {
        self.key.levels == Levels::HighestFirst && self.key.required.len() == 1
    }

    /// What speaks against everybody of a tier.
    fn outside_as_a_whole(&self, tier: Tier, shelf: &Shelf) -> Option<WhyNot> {
        if !self.tiers_are_levels() {
            return None;
        }
        Self::outside(&shelf.limits, &[tier.level()])
    }

    /// What speaks against one of a tier.
    fn outside_alone<'a>(
        &self,
        operator: OperatorId,
        shelf: &Shelf,
        levels: &impl Fn(OperatorId) -> Option<&'a [u8]>,
    ) -> Option<WhyNot> {
        if self.tiers_are_levels() || shelf.limits.is_empty() {
            return None;
        }
        Self::outside(&shelf.limits, levels(operator)?)
    }

    /// The operators of a tier, from where the strategy begins.
    fn of_tier(&self, tier: Tier) -> impl Iterator<Item = &FreeKey> {
        let begin = FreeKey::at(tier, self.turn);
        let round = self.free.range(begin..=FreeKey::end(tier));
        // Nothing, where the beginning is the beginning.
        round.chain(self.free.range(FreeKey::at(tier, 0)..begin))
    }

    /// Notes those who would have been next, as far as there is room.
    fn next_best(&self, chosen: &FreeKey, considered: &mut Vec<Considered>) {
        let after = (Bound::Excluded(*chosen), Bound::Unbounded);
        let room = CONSIDERED_MAX.saturating_sub(considered.len()).min(3);
        for key in self.free.range(after).take(room) {
            let why_not = match (key.tier(), chosen.tier()) {
                (one, best) if one.is_reserve() && !best.is_reserve() => WhyNot::Reserve,
                (one, best) if one.delay_ms() > best.delay_ms() => WhyNot::Delayed,
                (one, best) if one.preferred() < best.preferred() => WhyNot::LessPreferred,
                (one, best) if one.level() < best.level() => WhyNot::LowerLevel,
                _ => WhyNot::BehindInOrder,
            };
            considered.push(Considered {
                operator: key.operator(),
                why_not,
            });
        }
    }
}

/// Which calls of a shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    /// Those that ring nowhere.
    Silent,
    /// Those that ring and may ring at more operators.
    Ringing,
}
