//! Owns what operators do besides calls: signing in and out, statuses, breaks, the day.

use core::time::Duration;

use vocab::{OperatorId, Time};

use crate::breaks::Clock;
use crate::status::{By, Resumed, Status};
use crate::timers::Timer;
use crate::{Acd, Output};

impl Acd {
    pub(crate) fn signed_in(&mut self, now: Time, operator: OperatorId, line: String) {
        if let Some(by) = self.lines.get(&line).filter(|by| **by != operator) {
            let by = *by;
            self.outputs
                .push_back(Output::LineTaken { operator, line, by });
            return;
        }
        self.introduce(now, operator);
        self.free_line(operator);
        self.lines.insert(line.clone(), operator);
        self.alter(now, operator, |record| record.line = Some(line));
        let known = self.operator_status(operator) == Some(&Status::Available);
        self.set_status(now, operator, Status::Available);
        if known {
            // News all the same: from now on by their own word.
            let status = Status::Available;
            self.outputs
                .push_back(Output::StatusChanged { operator, status });
        }
        self.settle(now, operator);
    }

    pub(crate) fn signed_out(&mut self, now: Time, operator: OperatorId) {
        self.free_line(operator);
        self.alter(now, operator, |record| record.line = None);
        self.set_status(now, operator, Status::Off);
        self.settle(now, operator);
    }

    /// An operator goes on as before a restart. Nothing is told of it: it is no news.
    pub(crate) fn resumed(&mut self, now: Time, before: Resumed) {
        let operator = before.operator;
        if !self.operators.get(&operator).is_some_and(|who| who.listed) {
            return;
        }
        if let Some(line) = before.line.filter(|line| !self.lines.contains_key(line)) {
            self.free_line(operator);
            self.lines.insert(line.clone(), operator);
            self.alter(now, operator, |record| record.line = Some(line));
        }
        self.breaks.resume(operator, before.breaks_today);
        if let Status::Break { reason } = &before.status {
            let until = self
                .breaks
                .begin(now, operator, reason, before.by_leave, before.on_it_for);
            if let Some(at) = until {
                self.timers.set(at, Timer::Break(operator));
            }
        }
        self.alter(now, operator, |record| {
            record.set_status(now, before.status)
        });
        self.settle(now, operator);
    }

    fn free_line(&mut self, operator: OperatorId) {
        let line = self
            .operators
            .get(&operator)
            .and_then(|who| who.line.as_ref());
        if let Some(line) = line {
            self.lines.remove(line);
        }
    }

    /// A status was chosen. A break that the rules do not permit needs a supervisor's leave: the
    /// supervisor's own choice of it is the leave, and is noted as such.
    pub(crate) fn status_chosen(
        &mut self,
        now: Time,
        operator: OperatorId,
        status: Status,
        by: By,
    ) {
        self.introduce(now, operator);
        if let Status::Break { reason } = &status {
            let clock = self.clock.map(|clock| clock.at(now));
            let objection = self.breaks.objection(operator, reason, clock);
            if let (Some(because), By::Operator) = (objection, by) {
                let reason = reason.clone();
                self.outputs.push_back(Output::NeedsLeave {
                    operator,
                    reason,
                    because,
                });
                return;
            }
            let on_it = self.operators.get(&operator).map(|who| &who.status) == Some(&status);
            if !on_it {
                self.end_break(now, operator);
                let until =
                    self.breaks
                        .begin(now, operator, reason, objection.is_some(), Duration::ZERO);
                if let Some(at) = until {
                    self.timers.set(at, Timer::Break(operator));
                }
            }
        }
        self.set_status(now, operator, status);
        self.settle(now, operator);
    }

    /// Another status holds. The operator is to be settled.
    pub(crate) fn set_status(&mut self, now: Time, operator: OperatorId, status: Status) {
        let before = self.operators.get(&operator).map(|who| &who.status);
        if before == Some(&status) {
            return;
        }
        if !matches!(status, Status::Break { .. }) {
            self.end_break(now, operator);
        }
        self.outputs.push_back(Output::StatusChanged {
            operator,
            status: status.clone(),
        });
        self.alter(now, operator, |record| record.set_status(now, status));
    }

    fn end_break(&mut self, now: Time, operator: OperatorId) {
        if let Some((mut current, taken)) = self.breaks.end(now, operator) {
            self.timers
                .cancel_kept(&mut current.used_up_at, Timer::Break(operator));
            self.outputs.push_back(Output::BreakTaken(taken));
        }
    }

    pub(crate) fn break_used_up(&mut self, operator: OperatorId) {
        if let Some(current) = self.breaks.current(operator) {
            current.used_up_at = None;
            let reason = current.reason().to_owned();
            self.outputs
                .push_back(Output::BreakTooLong { operator, reason });
        }
    }

    /// The clock was told.
    pub(crate) fn clock_set(&mut self, now: Time, clock: Clock) {
        let before = self.clock.replace(clock);
        if let Some(before) = before {
            let until = before.until(before.told(), Duration::ZERO);
            self.timers.cancel(before.told() + until, Timer::Midnight);
            if before.at(now).0 != clock.at(now).0 {
                self.begin_day(now);
            }
        }
        let until = clock.until(now, Duration::ZERO);
        self.timers.set(now + until, Timer::Midnight);
        self.wake_callbacks(now);
    }

    pub(crate) fn midnight(&mut self, now: Time) {
        if let Some(clock) = self.clock {
            let (day, time) = clock.at(now);
            self.clock = Some(Clock::new(day, time, now));
            let until = clock.until(now, Duration::ZERO);
            self.timers.set(now + until, Timer::Midnight);
        }
        self.begin_day(now);
    }

    /// Everybody's counts begin anew. Looks at every operator, once a day.
    fn begin_day(&mut self, now: Time) {
        self.breaks.begin_day();
        let everybody: Vec<OperatorId> = self.operators.keys().copied().collect();
        for operator in &everybody {
            self.alter(now, *operator, crate::operator::Operator::begin_day);
        }
        self.settle_all(now, everybody);
    }
}
