//! Owns who holds an operator while two cores serve the same people: the leaving one, whose calls go on to
//! their ends, and its successor, which takes all new ones. Refuses to carry words: they are outputs and inputs,
//! and arrive in order.
//!
//! Every operator is held by one of the two or is on the way to it. Who says that an operator is lent has let
//! go before, so nobody gets two offers, whatever is on the way.
//!
//! | | the leaving core | its successor |
//! |---|---|---|
//! | holds at first | everybody it knows, and names them | those who were not named |
//! | somebody is new in the table | does not hold | holds |
//! | gives | who is idle and cannot take a call | - |
//! | gives while a call waits here | who was busy and is idle, after it has said anew that it wants | - |
//! | gives while none waits here | whoever is idle | - |
//! | gives while the other one wants | - | whoever is free; who comes back with no new word of that is of no use there |
//! | other one is gone | holds everybody | holds everybody |
//!
//! "Idle": no phase and no other call. What an operator chose, and whether the telephone is there, is the
//! successor's business, so the leaving core takes whoever comes back for available, and sends everybody back
//! after the work: the successor knows whether a break was chosen meanwhile.

use std::collections::BTreeSet;

use vocab::{CallId, OperatorId, Time};

use crate::operator::Operator;
use crate::status::Status;
use crate::timers::Timer;
use crate::{Acd, Output};

/// This core's part in a handover.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    part: Part,
    /// Let go in this turn, to be told at its end.
    going: Vec<OperatorId>,
}

#[derive(Debug, Default)]
enum Part {
    /// There is no other core.
    #[default]
    Alone,
    /// New calls go to the other one.
    Leaving {
        /// The other one was told that operators are wanted.
        wants: bool,
        /// It is to be told again.
        anew: bool,
    },
    /// The other one's calls go on.
    Succeeding {
        /// The other one wants operators.
        wanted: bool,
        /// Whom the other one holds who are in no table here; before it has named them nobody knows.
        unseen: Option<BTreeSet<OperatorId>>,
    },
}

impl Lease {
    pub(crate) const fn is_alone(&self) -> bool {
        matches!(self.part, Part::Alone)
    }

    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.part, Part::Leaving { .. })
    }

    /// The record of somebody who had none.
    pub(crate) fn newcomer(&mut self, now: Time, id: OperatorId) -> Operator {
        let mut record = Operator::new(now);
        let elsewhere = match &mut self.part {
            Part::Alone => false,
            Part::Leaving { .. } => true,
            Part::Succeeding { unseen, .. } => {
                unseen.as_mut().is_none_or(|unseen| unseen.remove(&id))
            }
        };
        record.set_elsewhere(now, elsewhere);
        record
    }
}

impl Acd {
    /// Another core takes the new calls from now on.
    pub(crate) fn handed_over(&mut self, now: Time) {
        if self.lease.is_leaving() {
            return;
        }
        self.lease.part = Part::Leaving {
            wants: false,
            anew: false,
        };
        let everybody = self.everybody();
        self.outputs.push_back(Output::Staff(everybody));
        for operator in self.operators.values_mut() {
            operator.worked = false;
        }
        let callbacks = self.queues.values();
        let owed: Vec<CallId> = callbacks
            .flat_map(|queue| queue.callbacks.values().copied())
            .filter(|call| self.is_owed(*call))
            .collect();
        for call in owed {
            self.leave_callback(call);
        }
        self.lend_all(now);
    }

    /// This core begins while another one's calls go on.
    pub(crate) fn begin_after(&mut self, now: Time) {
        self.lease.part = Part::Succeeding {
            wanted: false,
            unseen: None,
        };
        for operator in self.everybody() {
            let idle = self.operators.get(&operator).is_some_and(Operator::is_idle);
            if idle {
                self.set_elsewhere(now, operator, true);
            }
        }
    }

    /// The other core is gone.
    pub(crate) fn alone(&mut self, now: Time) {
        self.lease.part = Part::Alone;
        self.lease.going.clear();
        let everybody = self.everybody();
        for operator in &everybody {
            self.set_elsewhere(now, *operator, false);
        }
        for operator in everybody {
            // Out of the pool first: who came back as of no use stands there.
            self.alter(now, operator, |record| record.returned = false);
            self.settle(now, operator);
        }
    }

    /// The other core names everybody it knows: whoever else is here is ours.
    pub(crate) fn staff(&mut self, now: Time, staff: Vec<OperatorId>) {
        let Part::Succeeding { unseen, .. } = &mut self.lease.part else {
            return;
        };
        let mut theirs: BTreeSet<OperatorId> = staff.into_iter().collect();
        let here = self.operators.keys();
        let ours: Vec<OperatorId> = here.filter(|id| !theirs.remove(*id)).copied().collect();
        *unseen = Some(theirs);
        for operator in ours {
            self.set_elsewhere(now, operator, false);
            self.settle(now, operator);
        }
    }

    /// The other core gives these.
    pub(crate) fn lent(&mut self, now: Time, operators: Vec<OperatorId>) {
        for id in operators {
            match &mut self.lease.part {
                // All are ours already.
                Part::Alone => {}
                Part::Leaving { .. } => self.comes_back(now, id),
                Part::Succeeding { wanted, unseen } => {
                    let wanted = *wanted;
                    if let Some(unseen) = unseen {
                        unseen.remove(&id);
                    }
                    self.set_elsewhere(now, id, false);
                    if let Some(record) = self.operators.get_mut(&id) {
                        let asked = core::mem::take(&mut record.asked);
                        record.returned = wanted && asked && record.is_free();
                    }
                    self.settle(now, id);
                }
            }
        }
    }

    /// The successor gives somebody for the calls that wait here: whoever is free there.
    fn comes_back(&mut self, now: Time, id: OperatorId) {
        if !self.operators.contains_key(&id) {
            // Nobody whom we know, so of no use here.
            self.lease.going.push(id);
            return;
        }
        self.end_break_untold(now, id);
        self.set_elsewhere(now, id, false);
        self.alter(now, id, |record| record.set_status(now, Status::Available));
        self.settle(now, id);
    }

    /// Whether the other core wants operators.
    pub(crate) fn wanted(&mut self, now: Time, wants: bool) {
        let Part::Succeeding { wanted, .. } = &mut self.lease.part else {
            return;
        };
        *wanted = wants;
        for operator in self.operators.values_mut() {
            operator.asked = false;
            operator.returned = false;
        }
        self.lend_all(now);
    }

    /// Whether an operator is to go to the other core now.
    pub(crate) fn goes(&self, id: OperatorId) -> bool {
        let Some(operator) = self.operators.get(&id).filter(|who| !who.elsewhere) else {
            return false;
        };
        match &self.lease.part {
            Part::Alone => false,
            Part::Leaving { .. } => {
                let of_use = operator.is_free() && !operator.worked && self.wants();
                operator.is_idle() && !of_use
            }
            Part::Succeeding { wanted, .. } => *wanted && operator.is_free() && !operator.returned,
        }
    }

    /// Lets go of an operator.
    pub(crate) fn lend(&mut self, now: Time, id: OperatorId) {
        let wants = self.wants();
        let worked = self.operators.get(&id).is_some_and(|who| who.worked);
        if let Part::Leaving { anew, .. } = &mut self.lease.part {
            *anew |= worked && wants;
        }
        self.alter(now, id, |record| record.asked = true);
        self.set_elsewhere(now, id, true);
        self.lease.going.push(id);
    }

    /// Lets go of all who are to go.
    pub(crate) fn lend_all(&mut self, now: Time) {
        if self.lease.is_alone() {
            return;
        }
        for operator in self.everybody() {
            if self.goes(operator) {
                self.lend(now, operator);
            }
        }
    }

    /// At the end of a turn: tells the other core what it is to know.
    pub(crate) fn tell_other(&mut self, now: Time) {
        let wants_now = self.wants();
        let mut told_before = false;
        if let Part::Leaving { wants, .. } = &mut self.lease.part {
            told_before = *wants;
            *wants = wants_now;
        }
        if told_before && !wants_now {
            // First, or those who come now would be taken for of no use here.
            self.outputs.push_back(Output::Want(false));
            self.lend_all(now);
        }
        if let Part::Leaving { wants, anew } = &mut self.lease.part {
            let anew = core::mem::take(anew);
            if *wants && (anew || !told_before) {
                // First as well: who comes now is to be given again before others' calls.
                self.outputs.push_back(Output::Want(true));
            }
        }
        let going = core::mem::take(&mut self.lease.going);
        if !going.is_empty() {
            self.outputs.push_back(Output::Lend(going));
        }
    }

    /// Whether callers wait here.
    fn wants(&self) -> bool {
        !self.by_entry.is_empty()
    }

    fn everybody(&self) -> Vec<OperatorId> {
        self.operators.keys().copied().collect()
    }

    fn set_elsewhere(&mut self, now: Time, id: OperatorId, elsewhere: bool) {
        self.alter(now, id, |record| record.set_elsewhere(now, elsewhere));
        self.altered.insert(id);
    }

    /// The break of one who comes back is the other core's to tell of.
    fn end_break_untold(&mut self, now: Time, id: OperatorId) {
        if let Some((mut ended, _)) = self.breaks.end(now, id) {
            let timer = Timer::Break(id);
            self.timers.cancel_kept(&mut ended.used_up_at, timer);
        }
    }
}
