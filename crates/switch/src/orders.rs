//! Owns the orders of people to the queues and about talks: who and what is meant by a name, whether the rank is
//! enough, and that each order that was carried out is a fact. Refuses to judge what the ACD judges.

use std::collections::BTreeMap;

use acd::{By, Command, LEVEL_MAX, LeaveNeeded, Resumed, Status};
use vocab::{
    CallId, Duty, EventId, Fact, Instruction, OperatorId, Order, OrderRefusal, QueueId, Rank,
    Standing, Time,
};

use crate::call::Call;
use crate::context::Context;
use crate::destination::operator_at;
use crate::duties::{status_name, status_named};
use crate::engine::Switch;

/// Commands of the ACD that we give in a row; the answer comes in the same turn.
const NUMBER: u32 = 0;

impl Switch {
    /// Carries out an order; the id of the fact that tells of it.
    ///
    /// It is an input like any other: the outputs are to be drained before the next one.
    ///
    /// # Errors
    /// Why not; then nothing has changed and nothing is written.
    pub fn order(&mut self, now: Time, wanted: &Instruction) -> Result<EventId, OrderRefusal> {
        self.ctx.now = self.ctx.now.max(now);
        let carried_out = self.carry_out(wanted);
        // What follows from it, an offer to whoever is free now, is done in the same turn.
        self.handle(now, crate::Input::Deadline);
        carried_out
    }

    /// Carries out an order within a turn.
    pub(crate) fn carry_out(&mut self, wanted: &Instruction) -> Result<EventId, OrderRefusal> {
        if wanted.rank == Rank::Operator && !wanted.order.is_own() {
            return Err(OrderRefusal::NotYours);
        }
        let operator = self.begin_to_obey(wanted)?;
        let outputs: Vec<acd::Output> = core::iter::from_fn(|| self.ctx.acd.poll()).collect();
        let refusal = outputs
            .iter()
            .find_map(|told| self.refusal_in(told, &wanted.order));
        let carried_out = match refusal {
            Some(refusal) => Err(refusal),
            None => {
                if let Some(operator) = operator {
                    self.ctx.duties.chosen(operator, &wanted.by);
                }
                if let Order::Priority { call, priority } = wanted.order
                    && let Some(call) = self.calls.get_mut(&call)
                {
                    call.set_priority(priority);
                }
                Ok(self.ctx.record(Fact::Ordered {
                    by: wanted.by.clone(),
                    rank: wanted.rank,
                    order: wanted.order.clone(),
                }))
            }
        };
        for output in outputs {
            self.on_acd(output);
        }
        carried_out
    }

    /// Does it, or tells the ACD, which says whether it is done; and whose duty it may change.
    fn begin_to_obey(&mut self, wanted: &Instruction) -> Result<Option<OperatorId>, OrderRefusal> {
        match &wanted.order {
            Order::CallBack {
                call,
                queue,
                number,
                line,
            } => self.call_back_missed(*call, queue, number, line)?,
            Order::Settle { call } => self.settle_callback(*call)?,
            Order::Supervise {
                call,
                operator,
                mode,
            } => {
                let operator = self.operator_called(operator)?;
                self.of_talk(*call, |talk, ctx| talk.supervise(ctx, operator, *mode))?;
            }
            Order::EndSupervision { call } => self.of_talk(*call, Call::end_supervision)?,
            Order::Conference { operator } => {
                let operator = self.operator_called(operator)?;
                self.conference(operator, None)?;
            }
            Order::SignIn { .. }
            | Order::SignOut { .. }
            | Order::Choose { .. }
            | Order::Ready { .. }
            | Order::Skills { .. }
            | Order::Priority { .. }
            | Order::Pull { .. }
            | Order::Assign { .. }
            | Order::Move { .. }
            | Order::OpenQueue { .. }
            | Order::CloseQueue { .. } => {
                let (input, whose) = self.understand(wanted)?;
                self.ctx.acd.handle(self.ctx.now, input);
                return Ok(whose);
            }
        }
        Ok(None)
    }

    /// Does something to a call in which somebody talks.
    fn of_talk(
        &mut self,
        id: CallId,
        what: impl FnOnce(&mut Call, &mut Context) -> Result<(), OrderRefusal>,
    ) -> Result<(), OrderRefusal> {
        let call = self.calls.get_mut(&id);
        let call = call.ok_or(OrderRefusal::NoTalk { call: id })?;
        let done = what(call, &mut self.ctx);
        self.sweep(id);
        done
    }

    /// What the ACD is to be told, and whose duty it may change.
    fn understand(
        &self,
        wanted: &Instruction,
    ) -> Result<(acd::Input, Option<OperatorId>), OrderRefusal> {
        let by = match wanted.rank {
            Rank::Operator => By::Operator,
            Rank::Supervisor => By::Supervisor,
        };
        let command = |command| acd::Input::Command {
            number: NUMBER,
            command,
        };
        Ok(match &wanted.order {
            Order::SignIn { operator, line } => {
                let operator = self.operator_called(operator)?;
                let line = self.line_of(operator, line.as_deref())?;
                (acd::Input::SignedIn { operator, line }, Some(operator))
            }
            Order::SignOut { operator } => {
                let operator = self.operator_called(operator)?;
                (acd::Input::SignedOut { operator }, Some(operator))
            }
            Order::Choose { operator, status } => {
                let operator = self.operator_called(operator)?;
                let unknown = || OrderRefusal::UnknownStatus {
                    status: status.clone(),
                };
                // That somebody is not ready is the engine's word alone.
                let chosen = status_named(status).filter(|one| *one != Status::NotReady);
                let status = chosen.ok_or_else(unknown)?;
                let input = acd::Input::Status {
                    operator,
                    status,
                    by,
                };
                (input, Some(operator))
            }
            Order::Ready { operator } => (self.ready(operator)?, None),
            Order::Skills { operator, skills } => {
                let operator = self.operator_called(operator)?;
                let skills = fit(skills)?;
                (command(Command::Skills { operator, skills }), None)
            }
            Order::Priority { call, priority } => {
                let (call, priority) = (*call, *priority);
                (command(Command::Priority { call, priority }), None)
            }
            Order::Pull { call, operator } => {
                let (call, operator) = (*call, self.operator_called(operator)?);
                (command(Command::Pull { call, operator }), None)
            }
            Order::Assign { call, operator } => {
                let (call, operator) = (*call, self.operator_called(operator)?);
                (command(Command::Assign { call, operator }), None)
            }
            Order::Move { call, queue } => {
                let (call, queue) = (*call, self.queue_called(queue)?);
                (command(Command::Move { call, queue }), None)
            }
            // Not the ACD's: `begin_to_obey` has them.
            Order::CallBack { .. }
            | Order::Settle { .. }
            | Order::Supervise { .. }
            | Order::EndSupervision { .. }
            | Order::Conference { .. } => {
                let message = "expected an order to the queues, found another".to_owned();
                return Err(OrderRefusal::Unfit { message });
            }
            Order::OpenQueue { queue } => {
                let queue = self.queue_called(queue)?;
                (command(Command::Open { queue }), None)
            }
            Order::CloseQueue { queue } => {
                let queue = self.queue_called(queue)?;
                (command(Command::Close { queue }), None)
            }
        })
    }

    fn operator_called(&self, name: &str) -> Result<OperatorId, OrderRefusal> {
        operator_at(&self.ctx, name).ok_or_else(|| OrderRefusal::UnknownOperator {
            operator: name.to_owned(),
        })
    }

    pub(crate) fn queue_called(&self, name: &str) -> Result<QueueId, OrderRefusal> {
        let mut queues = self.ctx.settings.queues.iter();
        let found = queues.find(|queue| queue.name == name);
        found
            .map(|queue| queue.id)
            .ok_or_else(|| OrderRefusal::UnknownQueue {
                queue: name.to_owned(),
            })
    }

    /// The line that an operator signs in to: as said, or the own one.
    fn line_of(&self, operator: OperatorId, said: Option<&str>) -> Result<String, OrderRefusal> {
        let own = || {
            self.ctx
                .operators
                .get(&operator)
                .map(|one| one.line.as_str())
        };
        let line = said.or_else(own).unwrap_or_default();
        let longest = 64;
        if line.is_empty() || line.len() > longest || line.chars().any(char::is_control) {
            let message = format!("line: expected 1 to {longest} characters, found {line:?}");
            return Err(OrderRefusal::Unfit { message });
        }
        Ok(line.to_owned())
    }

    /// Only work that is the operator's to end is ended by a word.
    fn ready(&self, name: &str) -> Result<acd::Input, OrderRefusal> {
        let operator = self.operator_called(name)?;
        if self.ctx.acd.may_end_work(operator) {
            return Ok(acd::Input::Ready { operator });
        }
        Err(OrderRefusal::NothingToEnd {
            operator: name.to_owned(),
        })
    }

    /// What an output of the ACD says against the order that was given last.
    fn refusal_in(&self, told: &acd::Output, order: &Order) -> Option<OrderRefusal> {
        match told {
            acd::Output::NeedsLeave {
                reason, because, ..
            } => Some(OrderRefusal::NeedsLeave {
                reason: reason.clone(),
                because: leave_needed(*because).to_owned(),
            }),
            acd::Output::LineTaken { line, by, .. } => Some(OrderRefusal::LineTaken {
                line: line.clone(),
                by: self
                    .ctx
                    .operators
                    .get(by)
                    .map_or_else(|| "somebody".to_owned(), |one| one.login.clone()),
            }),
            acd::Output::Commanded {
                refusal: Some(refusal),
                ..
            } => Some(named(*refusal, order)),
            // News of what follows, which `on_acd` carries out.
            acd::Output::Commanded { refusal: None, .. }
            | acd::Output::Offer { .. }
            | acd::Output::Dial { .. }
            | acd::Output::Withdraw { .. }
            | acd::Output::Dismissed { .. }
            | acd::Output::Moved { .. }
            | acd::Output::Stale { .. }
            | acd::Output::StatusChanged { .. }
            | acd::Output::BreakTooLong { .. }
            | acd::Output::BreakTaken(_)
            | acd::Output::CallbackKept { .. }
            | acd::Output::CallbackLeft { .. }
            | acd::Output::Staff(_)
            | acd::Output::Lend(_)
            | acd::Output::Want(_)
            | acd::Output::CallbackOver { .. } => None,
        }
    }

    /// Takes up what stood before a restart. Whoever is in no table any more is passed over. The second time it is for
    /// the callbacks that a predecessor had under way: all else is known better here.
    pub(crate) fn resume(&mut self, standing: Standing) {
        self.resume_callbacks(standing.callbacks);
        if self.ctx.handover.resumes_again() {
            self.ctx.handover.read_again();
            return;
        }
        self.resume_callers(standing.remembered);
        for name in standing.closed {
            if let Ok(queue) = self.queue_called(&name) {
                let command = Command::Close { queue };
                let number = NUMBER;
                let input = acd::Input::Command { number, command };
                self.ctx.acd.handle(self.ctx.now, input);
            }
        }
        for (login, duty) in standing.duties {
            let Some(operator) = self.ctx.logins.get(&login).copied() else {
                continue;
            };
            if let Some(before) = self.resumed(operator, &duty) {
                self.ctx.duties.resume(operator, duty);
                self.ctx
                    .acd
                    .handle(self.ctx.now, acd::Input::Resumed(before));
            }
        }
    }

    fn resumed(&self, operator: OperatorId, duty: &Duty) -> Option<Resumed> {
        let now = self.ctx.wall_at(self.ctx.now);
        let today = self.ctx.acd.day(self.ctx.now);
        let breaks = duty.breaks_ms.iter().filter(|_| today == duty.day);
        let long = |ms: u64| core::time::Duration::from_millis(ms);
        let since = duty.break_since.unwrap_or(now);
        let on_it_ms = now.as_unix_millis().saturating_sub(since.as_unix_millis());
        Some(Resumed {
            operator,
            line: duty.line.clone(),
            status: status_named(&duty.status)?,
            on_it_for: long(u64::try_from(on_it_ms).unwrap_or(0)),
            by_leave: duty.by_leave,
            breaks_today: breaks.map(|(why, ms)| (why.clone(), long(*ms))).collect(),
        })
    }

    /// All that an operator chose, as of now.
    pub(crate) fn duty_of(&self, operator: OperatorId) -> Duty {
        let (acd, now) = (&self.ctx.acd, self.ctx.now);
        let status = acd.operator_status(operator);
        let under_way = acd.break_under_way(now, operator);
        let wall = self.ctx.wall_at(now).as_unix_millis();
        let ms = |long: core::time::Duration| u64::try_from(long.as_millis()).unwrap_or(u64::MAX);
        let since = |long| wall.saturating_sub(i64::try_from(ms(long)).unwrap_or(i64::MAX));
        Duty {
            line: acd.operator_line(operator).map(str::to_owned),
            status: status.map_or_else(String::new, status_name),
            break_since: under_way.map(|(long, _)| vocab::WallTime::from_unix_millis(since(long))),
            by_leave: under_way.is_some_and(|(_, by_leave)| by_leave),
            day: acd.day(now),
            breaks_ms: acd
                .breaks_today(operator)
                .into_iter()
                .map(|(why, long)| (why, ms(long)))
                .collect(),
        }
    }
}

fn fit(skills: &BTreeMap<String, u8>) -> Result<BTreeMap<String, u8>, OrderRefusal> {
    match skills.iter().find(|(_, level)| **level > LEVEL_MAX) {
        None => Ok(skills.clone()),
        Some((skill, level)) => {
            let message = format!("{skill}: expected a level of 0 to {LEVEL_MAX}, found {level}");
            Err(OrderRefusal::Unfit { message })
        }
    }
}

const fn leave_needed(because: LeaveNeeded) -> &'static str {
    match because {
        LeaveNeeded::OutsideHours => "it is not the time for it",
        LeaveNeeded::LimitUsedUp => "the day's limit is used up",
        LeaveNeeded::UnknownReason => "the settings have no such break",
    }
}

/// A refusal of the ACD, with the names of the order.
fn named(refusal: acd::Refusal, order: &Order) -> OrderRefusal {
    let operator = match order {
        Order::SignIn { operator, .. }
        | Order::SignOut { operator }
        | Order::Choose { operator, .. }
        | Order::Ready { operator }
        | Order::Skills { operator, .. }
        | Order::Pull { operator, .. }
        | Order::Supervise { operator, .. }
        | Order::Conference { operator }
        | Order::Assign { operator, .. } => operator.clone(),
        Order::Priority { .. }
        | Order::EndSupervision { .. }
        | Order::CallBack { .. }
        | Order::Settle { .. }
        | Order::Move { .. }
        | Order::OpenQueue { .. }
        | Order::CloseQueue { .. } => String::new(),
    };
    let queue = match order {
        Order::Move { queue, .. }
        | Order::CallBack { queue, .. }
        | Order::OpenQueue { queue }
        | Order::CloseQueue { queue } => queue.clone(),
        Order::SignIn { .. }
        | Order::SignOut { .. }
        | Order::Choose { .. }
        | Order::Ready { .. }
        | Order::Skills { .. }
        | Order::Priority { .. }
        | Order::Supervise { .. }
        | Order::EndSupervision { .. }
        | Order::Conference { .. }
        | Order::Pull { .. }
        | Order::Settle { .. }
        | Order::Assign { .. } => String::new(),
    };
    match refusal {
        acd::Refusal::NoSuchCall => match order.call() {
            Some(call) => OrderRefusal::NotWaiting { call },
            None => OrderRefusal::UnknownQueue { queue },
        },
        acd::Refusal::NoSuchOperator => OrderRefusal::UnknownOperator { operator },
        acd::Refusal::NoSuchQueue => OrderRefusal::UnknownQueue { queue },
        acd::Refusal::NotFree => OrderRefusal::NotFree { operator },
        acd::Refusal::QueueRefuses => OrderRefusal::QueueRefuses { queue },
    }
}
