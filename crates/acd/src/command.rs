//! Owns the commands of supervisors and operators. Who may give which is for others to judge, and
//! to write down.

use std::collections::BTreeMap;

use vocab::{CallId, OfferResult, OperatorId, QueueId, Time};

use crate::decide::Choice;
use crate::decision::Occasion;
use crate::output::Cause;
use crate::status::{By, Status};
use crate::{Acd, Arrival, Output};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Another status for an operator; needs no leave.
    Status {
        /// Whose.
        operator: OperatorId,
        /// Which.
        status: Status,
    },
    /// Other skills for an operator, until the table is loaded again.
    Skills {
        /// Whose.
        operator: OperatorId,
        /// All of them.
        skills: BTreeMap<String, u8>,
    },
    /// Another priority for a waiting call.
    Priority {
        /// Which call.
        call: CallId,
        /// Which priority, in all.
        priority: u8,
    },
    /// A waiting call, for the operator who asks for it.
    Pull {
        /// Which call.
        call: CallId,
        /// For whom.
        operator: OperatorId,
    },
    /// A waiting call for this operator, whatever the skills.
    Assign {
        /// Which call.
        call: CallId,
        /// To whom.
        operator: OperatorId,
    },
    /// A waiting call into another queue, with the waiting time it has.
    Move {
        /// Which call.
        call: CallId,
        /// Where.
        queue: QueueId,
    },
    /// A queue takes calls again.
    Open {
        /// Which.
        queue: QueueId,
    },
    /// A queue takes no more calls; those in it go on.
    Close {
        /// Which.
        queue: QueueId,
    },
}

/// Why a command was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such call waits.
    NoSuchCall,
    /// There is no such operator.
    NoSuchOperator,
    /// There is no such queue.
    NoSuchQueue,
    /// The operator is not free.
    NotFree,
    /// The queue would not take the call.
    QueueRefuses,
}

impl Acd {
    pub(crate) fn command(&mut self, now: Time, number: u32, command: Command) {
        let refusal = self.carry_out(now, command).err();
        self.outputs
            .push_back(Output::Commanded { number, refusal });
    }

    fn carry_out(&mut self, now: Time, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Status { operator, status } => {
                self.known_operator(operator)?;
                self.status_chosen(now, operator, status, By::Supervisor);
            }
            Command::Skills { operator, skills } => {
                self.known_operator(operator)?;
                self.reskill(now, operator, skills);
            }
            Command::Priority { call, priority } => {
                self.known_call(call)?;
                self.reprioritise(now, call, priority);
            }
            Command::Pull { call, operator } => {
                self.give(now, call, operator, Occasion::Pulled)?;
            }
            Command::Assign { call, operator } => {
                self.give(now, call, operator, Occasion::Assigned)?;
            }
            Command::Move { call, queue } => self.move_call(now, call, queue)?,
            Command::Open { queue } => self.known_queue(queue)?.closed = false,
            Command::Close { queue } => self.known_queue(queue)?.closed = true,
        }
        Ok(())
    }

    fn known_call(&self, call: CallId) -> Result<&crate::calls::Call, Refusal> {
        self.calls.get(&call).ok_or(Refusal::NoSuchCall)
    }

    fn known_operator(&self, operator: OperatorId) -> Result<&crate::operator::Operator, Refusal> {
        let known = self.operators.get(&operator).filter(|who| who.listed);
        known.ok_or(Refusal::NoSuchOperator)
    }

    fn known_queue(&mut self, queue: QueueId) -> Result<&mut crate::calls::Queue, Refusal> {
        self.queues.get_mut(&queue).ok_or(Refusal::NoSuchQueue)
    }

    /// A waiting call to this operator and no other; what it rings at is withdrawn.
    fn give(
        &mut self,
        now: Time,
        call: CallId,
        operator: OperatorId,
        occasion: Occasion,
    ) -> Result<(), Refusal> {
        let waiting = self.known_call(call)?;
        let rings_there = waiting.offers.iter().any(|(_, at)| *at == operator);
        if !self.known_operator(operator)?.is_free() {
            return if rings_there {
                Ok(())
            } else {
                Err(Refusal::NotFree)
            };
        }
        let freed = self.withdraw_all(now, call, OfferResult::Withdrawn);
        self.disown(call);
        self.offer(now, call, Choice::by_name(operator, occasion));
        self.settle_all(now, freed);
        Ok(())
    }

    fn move_call(&mut self, now: Time, call: CallId, queue: QueueId) -> Result<(), Refusal> {
        let waiting = self.known_call(call)?;
        if waiting.queue == queue {
            return Ok(());
        }
        let (arrival, callback) = (waiting.arrival.clone(), waiting.callback.is_some());
        if !self.queues.contains_key(&queue) {
            return Err(Refusal::NoSuchQueue);
        }
        // A callback is owed by the queue that promised it.
        if callback || self.refusal_cause(queue).is_some() {
            return Err(Refusal::QueueRefuses);
        }
        let freed = self.take_out(now, call, OfferResult::Withdrawn);
        self.outputs.push_back(Output::Moved {
            call,
            from: arrival.queue,
            to: queue,
            cause: Cause::Commanded,
        });
        self.enter(now, Arrival { queue, ..arrival }, 0, None);
        self.settle_all(now, freed);
        Ok(())
    }

    /// Other skills give an operator other places. Offers and talks go on.
    fn reskill(&mut self, now: Time, id: OperatorId, skills: BTreeMap<String, u8>) {
        // Out of the pool first.
        self.alter(now, id, |_| {});
        let queues = &self.queues;
        if let Some(operator) = self.operators.get_mut(&id) {
            self.pool.leave(operator);
            operator.skills = skills;
            self.pool.join(operator, 0, |queue| {
                queues
                    .get(&queue)
                    .is_some_and(|queue| queue.settings.members_only)
            });
        }
        self.judge_all_staff(now);
        self.settle(now, id);
    }
}
