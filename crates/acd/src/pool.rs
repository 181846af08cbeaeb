//! Owns all groups, the ways of calls through them while they wait, and the places of operators.
//!
//! A call's way is a list of stages: at each, after a while, its demands are eased or operators
//! join who get such calls late. What stages there are follows from settings, so a way is worked
//! out once for all calls that ask for the same.

use core::time::Duration;
use std::collections::BTreeMap;

use vocab::{OperatorId, QueueId};

use crate::group::{Group, GroupKey, Place};
use crate::operator::Operator;
use crate::order::{FreeKey, Tier};
use crate::random::Random;
use crate::settings::{Levels, QueueSettings, Strategy};
use crate::skills::{Demand, Limits, Relaxation, SkillNeed};
use crate::status::Presence;

/// Ways that calls' own wishes may make between two loads of the settings. A wish above that is
/// left out: the call is served as the queue has it.
pub(crate) const WAYS_MAX: usize = 1_000;

/// A stage of a call's wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// When it begins, from the beginning of the wait.
    pub(crate) after: Duration,
    pub(crate) group: usize,
    pub(crate) shelf: usize,
    /// Relaxations so far.
    pub(crate) steps: usize,
}

/// All groups and ways. Their numbers hold until the pool is built anew.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub(crate) groups: Vec<Group>,
    by_key: BTreeMap<GroupKey, usize>,
    ways: Vec<Vec<Stage>>,
    /// Operators are members of no queue in particular, so queues that ask for the same share.
    pub(crate) shared: bool,
}

impl Pool {
    pub(crate) const fn new(shared: bool) -> Self {
        Self {
            groups: Vec::new(),
            by_key: BTreeMap::new(),
            ways: Vec::new(),
            shared,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ways.len() >= WAYS_MAX
    }

    pub(crate) fn way(&self, way: usize) -> &[Stage] {
        self.ways.get(way).map_or(&[], Vec::as_slice)
    }

    /// The stage of a call that has waited so long, by its number.
    pub(crate) fn stage_after(&self, way: usize, waited: Duration) -> usize {
        let begun = self.way(way).partition_point(|stage| stage.after <= waited);
        begun.saturating_sub(1)
    }

    /// Works out the way of calls of a queue with wishes of their own; `delays` are those of its
    /// operators. Groups from the number `self.groups.len()` before are new and have no members.
    pub(crate) fn make_way(
        &mut self,
        queue: &QueueSettings,
        own: &[SkillNeed],
        delays: &[Duration],
    ) -> usize {
        let mut times: Vec<Duration> = vec![Duration::ZERO];
        times.extend(queue.relaxation.iter().map(|step| step.after));
        times.extend(delays);
        times.extend(queue.reserve.wait);
        times.sort_unstable();
        times.dedup();
        let stages = times
            .into_iter()
            .map(|after| {
                let eased = |step: &&Relaxation| step.after <= after;
                let steps: Vec<&Relaxation> = queue.relaxation.iter().filter(eased).collect();
                let demand = Demand::new(queue.skills.iter().chain(own), &steps);
                let (group, shelf) = self.shelf(queue, demand, after);
                Stage {
                    after,
                    group,
                    shelf,
                    steps: steps.len(),
                }
            })
            .collect();
        self.ways.push(stages);
        self.ways.len() - 1
    }

    fn shelf(&mut self, queue: &QueueSettings, demand: Demand, after: Duration) -> (usize, usize) {
        let (required, limits): (Vec<String>, Vec<Limits>) = demand.required.into_iter().unzip();
        let members = (!self.shared && !demand.anyone).then_some(queue.id);
        let key = GroupKey {
            queue: members,
            anyone: demand.anyone,
            required,
            preferred: demand.preferred,
            strategy: if demand.anyone {
                Strategy::LongestIdle
            } else {
                queue.strategy
            },
            levels: queue.levels,
        };
        let number = match self.by_key.get(&key) {
            Some(number) => *number,
            None => {
                let number = self.groups.len();
                self.by_key.insert(key.clone(), number);
                let mut group = Group::new(key);
                group.reserve_wait = queue.reserve.wait;
                self.groups.push(group);
                number
            }
        };
        // How long it waited tells only members of a queue apart.
        let waited = if members.is_some() {
            after
        } else {
            Duration::ZERO
        };
        let shelf = self
            .groups
            .get_mut(number)
            .map_or(0, |group| group.shelf(&limits, waited));
        (number, shelf)
    }

    /// Gives an operator the places that groups from `first` on have for one with these skills.
    pub(crate) fn join(
        &mut self,
        operator: &mut Operator,
        first: usize,
        members_only: impl Fn(QueueId) -> bool,
    ) {
        let presence = operator.presence().index();
        for (number, group) in self.groups.iter_mut().enumerate().skip(first) {
            let Some(place) = place(operator, number, &group.key, &members_only) else {
                continue;
            };
            if let Some(count) = group.staff.get_mut(presence) {
                *count += 1;
            }
            operator.places.push(place);
        }
    }

    /// Takes all places from an operator, who stands among the free ones of none.
    pub(crate) fn leave(&mut self, operator: &mut Operator) {
        let presence = operator.presence().index();
        for place in operator.places.drain(..) {
            let staff = self
                .groups
                .get_mut(place.group)
                .map(|group| &mut group.staff);
            if let Some(count) = staff.and_then(|staff| staff.get_mut(presence)) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// An operator counts otherwise for the queues; returns those that this may matter to.
    pub(crate) fn count(
        &mut self,
        operator: &Operator,
        before: Presence,
        after: Presence,
    ) -> Vec<QueueId> {
        let mut touched = Vec::new();
        for place in &operator.places {
            let Some(group) = self.groups.get_mut(place.group) else {
                continue;
            };
            if let Some(count) = group.staff.get_mut(before.index()) {
                *count = count.saturating_sub(1);
            }
            if let Some(count) = group.staff.get_mut(after.index()) {
                *count += 1;
            }
            touched.extend(&group.queues);
        }
        touched
    }

    /// Puts an operator among the free ones of every place.
    pub(crate) fn insert_free(&mut self, random: &mut Random, id: OperatorId, who: &mut Operator) {
        who.pooled = true;
        let (calls, position) = (who.calls_taken, who.position);
        let talked = u64::try_from(who.talked.as_millis()).unwrap_or(u64::MAX);
        for place in &mut who.places {
            let Some(group) = self.groups.get_mut(place.group) else {
                continue;
            };
            let rank = match group.key.strategy {
                Strategy::LongestIdle => 0,
                Strategy::FewestCalls => u64::from(calls),
                Strategy::LeastTalk => talked,
                Strategy::RoundRobin | Strategy::Linear => u64::from(position),
                Strategy::WeightedRandom => {
                    group.drawn.saturating_add(random.exponential(who.weight))
                }
            };
            let key = FreeKey::new(place.tier, rank, who.idle_since, id);
            group.free.insert(key);
            place.free = Some(key);
        }
    }

    /// Takes an operator from among the free ones.
    pub(crate) fn remove_free(&mut self, who: &mut Operator) {
        who.pooled = false;
        for place in &mut who.places {
            if let (Some(key), Some(group)) = (place.free.take(), self.groups.get_mut(place.group))
            {
                group.free.remove(&key);
            }
        }
    }

    /// An operator was chosen: remembers whose turn is next.
    pub(crate) fn chosen(&mut self, number: usize, who: &Operator) {
        let Some(group) = self.groups.get_mut(number) else {
            return;
        };
        match group.key.strategy {
            Strategy::RoundRobin => group.turn = u64::from(who.position) + 1,
            Strategy::WeightedRandom => {
                let place = who.places.iter().find(|place| place.group == number);
                if let Some(key) = place.and_then(|place| place.free) {
                    group.drawn = group.drawn.max(key.rank());
                }
            }
            Strategy::LongestIdle
            | Strategy::FewestCalls
            | Strategy::LeastTalk
            | Strategy::Linear => {}
        }
    }
}

/// The place of an operator in a group, if there is one.
fn place(
    operator: &Operator,
    number: usize,
    key: &GroupKey,
    members_only: impl Fn(QueueId) -> bool,
) -> Option<Place> {
    if !operator.listed {
        return None;
    }
    let membership = match key.queue {
        None => None,
        Some(queue) if operator.queues.is_empty() => {
            if members_only(queue) {
                return None;
            }
            None
        }
        Some(queue) => Some(operator.queues.iter().find(|one| one.queue == queue)?),
    };
    let level = |skill: &String| operator.skills.get(skill).copied().unwrap_or(0);
    let levels: Box<[u8]> = key.required.iter().map(level).collect();
    if levels.contains(&0) {
        return None;
    }
    let lowest = match key.levels {
        Levels::HighestFirst => levels.iter().min().copied().unwrap_or(0),
        Levels::Alike => 0,
    };
    let preferred = key.preferred.iter().map(|skill| u16::from(level(skill)));
    Some(Place {
        group: number,
        order: membership.map_or(0, |one| one.order),
        tier: Tier::new(
            membership.is_some_and(|one| one.reserve),
            membership.map_or(0, |one| {
                u32::try_from(one.delay.as_millis()).unwrap_or(u32::MAX)
            }),
            preferred.sum(),
            lowest,
        ),
        levels,
        free: None,
    })
}
