//! Owns what the journal is told of operators: each change of what they do or chose, and the end of
//! their work after a talk. Refuses to know why a state changed: the ACD does.

use std::collections::BTreeMap;

use acd::{BreakTaken, Status};
use vocab::{CallId, Duty, Fact, OperatorId, OperatorState};

use crate::context::Context;
use crate::engine::Switch;

/// A segment of a call.
type Talk = (CallId, u16);

/// What was told last, and whose work after a talk goes on. Bounded by the number of operators.
#[derive(Debug, Default)]
pub(crate) struct Duties {
    told: BTreeMap<OperatorId, (OperatorState, String)>,
    /// The last talk of each operator who talks.
    talks: BTreeMap<OperatorId, Talk>,
    wrap_ups: BTreeMap<OperatorId, Talk>,
    /// What each chose, as it was told last.
    on_duty: BTreeMap<OperatorId, Duty>,
    /// Of whom that is to be told anew, and who chose.
    chosen: BTreeMap<OperatorId, String>,
}

/// Who set a status that no person chose.
const ENGINE: &str = "engine";

impl Duties {
    /// An operator began to talk.
    pub(crate) fn talk_began(&mut self, operator: OperatorId, call: CallId, segment: u16) {
        self.talks.insert(operator, (call, segment));
    }

    /// Somebody chose something for an operator.
    pub(crate) fn chosen(&mut self, operator: OperatorId, by: &str) {
        self.chosen.insert(operator, by.to_owned());
    }

    /// A status changed. Other statuses than this the engine sets of itself only where it takes up a
    /// table of operators, and that is nobody's choice: what was chosen before a restart must stand.
    pub(crate) fn status_changed(&mut self, operator: OperatorId, status: &Status) {
        if *status != Status::NotReady {
            return;
        }
        let by = self.chosen.entry(operator);
        by.or_insert_with(|| ENGINE.to_owned());
    }

    /// What was told before a restart is no news.
    pub(crate) fn resume(&mut self, operator: OperatorId, duty: Duty) {
        self.on_duty.insert(operator, duty);
    }

    /// Operators who talk in a call, or finish the work of it.
    fn at_work_on(&self, call: CallId) -> Vec<OperatorId> {
        let of_call = self.talks.iter().chain(&self.wrap_ups);
        of_call
            .filter(|(_, (of, _))| *of == call)
            .map(|(operator, _)| *operator)
            .collect()
    }
}

impl Switch {
    /// States what a leaving engine stated, for our journal; the id that it has there.
    ///
    /// It is an input like any other: the outputs are to be drained before the next one.
    pub fn adopt(&mut self, now: vocab::Time, event: vocab::Event) -> vocab::EventId {
        self.ctx.now = self.ctx.now.max(now);
        self.ctx.adopt(event)
    }

    /// Takes a fact that a person stated, such as a field of an entry; the id of its event.
    ///
    /// It is an input like any other: the outputs are to be drained before the next one.
    pub fn write(&mut self, now: vocab::Time, fact: Fact) -> vocab::EventId {
        self.ctx.now = self.ctx.now.max(now);
        let completed = match &fact {
            Fact::EntryCompleted { call, .. } => Some(*call),
            _ => None,
        };
        if let Fact::EmergencySwitched { plan, on, by } = &fact {
            tracing::warn!(plan, ?on, by, "the emergency switch is set");
            self.ctx.set_emergency(plan, *on);
        }
        let event = self.ctx.record(fact);
        if let Some(call) = completed {
            for operator in self.ctx.duties.at_work_on(call) {
                let input = acd::Input::EntryComplete { operator, call };
                self.ctx.acd.handle(self.ctx.now, input);
            }
        }
        // What follows from it, an offer to whoever is free now, is done in the same turn.
        self.handle(now, crate::Input::Deadline);
        event
    }

    /// An id for the entry of a contact that was no call.
    pub fn contact_id(&mut self) -> CallId {
        self.ctx.call_id()
    }

    /// Writes down what operators do now, where that is news.
    pub(crate) fn tell_duties(&mut self) {
        for operator in self.ctx.acd.changed() {
            self.ctx.tell_duty(operator);
        }
        for (operator, by) in core::mem::take(&mut self.ctx.duties.chosen) {
            let duty = self.duty_of(operator);
            let Some(reference) = self.ctx.operator_ref(operator) else {
                continue;
            };
            if self.ctx.duties.on_duty.get(&operator) == Some(&duty) {
                continue;
            }
            self.ctx.duties.on_duty.insert(operator, duty.clone());
            self.ctx.record_standing(Fact::OperatorOnDuty {
                operator: reference,
                duty: Box::new(duty),
                by,
            });
        }
    }

    /// Writes down a break that is over.
    pub(crate) fn break_taken(&mut self, taken: &BreakTaken) {
        let Some(operator) = self.ctx.operator_ref(taken.operator) else {
            return;
        };
        let ms = |long: core::time::Duration| u64::try_from(long.as_millis()).unwrap_or(u64::MAX);
        self.ctx.record_standing(Fact::BreakTaken {
            operator,
            reason: taken.reason.clone(),
            lasted_ms: ms(taken.lasted),
            by_leave: taken.by_leave,
            over_ms: ms(taken.over),
        });
    }

    /// Nobody works on after this.
    pub(crate) fn end_wrap_ups(&mut self) {
        let open = core::mem::take(&mut self.ctx.duties.wrap_ups);
        for (call, segment) in open.into_values() {
            self.ctx.record(Fact::WrapUpEnded { call, segment });
        }
    }
}

impl Context {
    fn tell_duty(&mut self, operator: OperatorId) {
        let state = self.acd.operator_state(operator).map(|(state, _)| state);
        let state = match state.unwrap_or(OperatorState::Unreachable) {
            OperatorState::Reserved => OperatorState::Ringing,
            OperatorState::Held => OperatorState::Talking,
            other => other,
        };
        let status = self.acd.operator_status(operator);
        let mut now = (state, status.map_or_else(String::new, status_name));
        let before = self.duties.told.get(&operator);
        let was_away = before.is_none_or(|(state, _)| *state == OperatorState::Unreachable);
        let mut never = before.is_none() && state == OperatorState::Unreachable;
        if self.acd.is_elsewhere(operator) {
            // The other engine counts the time, so none counts here.
            now = (OperatorState::Unreachable, String::new());
            never = was_away;
        }
        let state = now.0;
        if never || before == Some(&now) {
            return;
        }
        self.turn_work(operator, state);
        let Some(reference) = self.operator_ref(operator) else {
            return;
        };
        self.record(Fact::OperatorTurned {
            operator: reference,
            state,
            status: now.1.clone(),
        });
        self.duties.told.insert(operator, now);
    }

    /// The work after a talk begins with the state of that name and ends with any other.
    fn turn_work(&mut self, operator: OperatorId, state: OperatorState) {
        match state {
            OperatorState::WrapUp => {
                if let Some(talk) = self.duties.talks.remove(&operator) {
                    self.duties.wrap_ups.insert(operator, talk);
                }
                return;
            }
            OperatorState::Talking => {}
            OperatorState::Unreachable
            | OperatorState::Free
            | OperatorState::Reserved
            | OperatorState::Ringing
            | OperatorState::Held
            | OperatorState::OtherCall
            | OperatorState::Resting
            | OperatorState::Paused => {
                self.duties.talks.remove(&operator);
            }
        }
        if let Some((call, segment)) = self.duties.wrap_ups.remove(&operator) {
            self.record(Fact::WrapUpEnded { call, segment });
        }
    }
}

/// What stands before the reason of a break.
const BREAK: &str = "break: ";

/// A status by its name.
pub(crate) fn status_named(name: &str) -> Option<Status> {
    Some(match name {
        "available" => Status::Available,
        "training" => Status::Training,
        "after_call_work" => Status::AfterCallWork,
        "not_ready" => Status::NotReady,
        "off" => Status::Off,
        other => {
            let reason = other.strip_prefix(BREAK)?.trim();
            let legal = !reason.is_empty() && !reason.chars().any(char::is_control);
            legal.then(|| Status::on_break(reason))?
        }
    })
}

/// How the journal spells a status.
pub(crate) fn status_name(status: &Status) -> String {
    match status {
        Status::Available => "available".to_owned(),
        Status::Break { reason } => format!("{BREAK}{reason}"),
        Status::Training => "training".to_owned(),
        Status::AfterCallWork => "after_call_work".to_owned(),
        Status::NotReady => "not_ready".to_owned(),
        Status::Off => "off".to_owned(),
    }
}
