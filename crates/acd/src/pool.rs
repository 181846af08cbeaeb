//! Owns the ordered sets by which calls and operators find each other: per skill that a queue asks
//! for, the calls that wait without an offer and the operators who are free.
//!
//! It refuses to know states: whoever is put in is free, and whatever is put in waits.

use core::cmp::Reverse;
use std::collections::BTreeSet;

use vocab::{CallId, OperatorId, Time};

/// A waiting call's place: priority, then waiting since, then id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallKey {
    pub(crate) priority: Reverse<u8>,
    pub(crate) since: Time,
    pub(crate) call: CallId,
}

/// A free operator's place: level, then idle since, then id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct FreeKey {
    level: Reverse<u8>,
    idle_since: Time,
    operator: OperatorId,
}

/// A group's number; valid until the pool is built anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupId(usize);

/// An operator's place in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) group: GroupId,
    pub(crate) level: u8,
}

/// What a search among free operators found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) operator: OperatorId,
    pub(crate) level: u8,
    /// Better-placed operators who may not get this call now.
    pub(crate) passed_over: usize,
}

#[derive(Debug)]
struct Group {
    /// `None`: every operator is a member.
    skill: Option<String>,
    waiting: BTreeSet<CallKey>,
    free: BTreeSet<FreeKey>,
}

/// All groups. There are as many as queues at most, so finding one by name may look at each.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    groups: Vec<Group>,
}

impl Pool {
    /// The group of a skill, made if it is new.
    pub(crate) fn group(&mut self, skill: Option<&str>) -> GroupId {
        let known = self
            .groups
            .iter()
            .position(|group| group.skill.as_deref() == skill);
        GroupId(known.unwrap_or_else(|| {
            self.groups.push(Group {
                skill: skill.map(str::to_owned),
                waiting: BTreeSet::new(),
                free: BTreeSet::new(),
            });
            self.groups.len() - 1
        }))
    }

    /// The groups in which an operator with such skills serves.
    pub(crate) fn memberships(&self, level_of: impl Fn(&str) -> Option<u8>) -> Vec<Membership> {
        let member = |(index, group): (usize, &Group)| {
            let level = match &group.skill {
                None => 0,
                Some(skill) => level_of(skill).filter(|level| *level > 0)?,
            };
            Some(Membership {
                group: GroupId(index),
                level,
            })
        };
        self.groups.iter().enumerate().filter_map(member).collect()
    }

    pub(crate) fn skill(&self, group: GroupId) -> Option<&str> {
        self.groups.get(group.0)?.skill.as_deref()
    }

    pub(crate) fn insert_call(&mut self, group: GroupId, key: CallKey) {
        if let Some(group) = self.groups.get_mut(group.0) {
            group.waiting.insert(key);
        }
    }

    pub(crate) fn remove_call(&mut self, group: GroupId, key: CallKey) {
        if let Some(group) = self.groups.get_mut(group.0) {
            group.waiting.remove(&key);
        }
    }

    pub(crate) fn insert_free(
        &mut self,
        memberships: &[Membership],
        idle_since: Time,
        operator: OperatorId,
    ) {
        for Membership { group, level } in memberships {
            if let Some(group) = self.groups.get_mut(group.0) {
                group.free.insert(FreeKey {
                    level: Reverse(*level),
                    idle_since,
                    operator,
                });
            }
        }
    }

    pub(crate) fn remove_free(
        &mut self,
        memberships: &[Membership],
        idle_since: Time,
        operator: OperatorId,
    ) {
        for Membership { group, level } in memberships {
            if let Some(group) = self.groups.get_mut(group.0) {
                group.free.remove(&FreeKey {
                    level: Reverse(*level),
                    idle_since,
                    operator,
                });
            }
        }
    }

    pub(crate) fn free_in(&self, group: GroupId) -> usize {
        self.groups.get(group.0).map_or(0, |group| group.free.len())
    }

    pub(crate) fn waiting_in(&self, group: GroupId) -> usize {
        self.groups
            .get(group.0)
            .map_or(0, |group| group.waiting.len())
    }

    /// The best free operator of a group, leaving out those `excluded`.
    pub(crate) fn best_operator(
        &self,
        group: GroupId,
        excluded: impl Fn(OperatorId) -> bool,
    ) -> Option<Found> {
        let free = &self.groups.get(group.0)?.free;
        let (passed_over, key) = free
            .iter()
            .enumerate()
            .find(|(_, key)| !excluded(key.operator))?;
        Some(Found {
            operator: key.operator,
            level: key.level.0,
            passed_over,
        })
    }

    /// The next call of a group, leaving out those `excluded`.
    pub(crate) fn next_call(
        &self,
        group: GroupId,
        excluded: impl Fn(CallId) -> bool,
    ) -> Option<CallKey> {
        self.groups
            .get(group.0)?
            .waiting
            .iter()
            .find(|key| !excluded(key.call))
            .copied()
    }
}
