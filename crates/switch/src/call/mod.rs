//! Owns one call: its legs, its place in the plan, its end. One conversation from the trunk's
//! INVITE to the last BYE.
//!
//! State × what happens → state (files: `caller` and `operator` are the legs, `ring` the INVITEs
//! to operators, `steps` the plan, `midcall` the requests within a dialog, `end` the end):
//!
//! | state     | media opened | ACK / audio | prompt ended | operator answers | operator hangs up | caller hangs up | time is over |
//! |-----------|--------------|-------------|--------------|------------------|-------------------|-----------------|--------------|
//! | Opening   | next step    | -           | -            | -                | -                 | Ended           | Ended        |
//! | Answering | -            | next step   | -            | -                | -                 | Ended           | Ended        |
//! | Saying    | -            | -           | next step    | -                | -                 | Ended           | Ended        |
//! | Queued    | -            | -           | -            | Talking          | -                 | Ended           | next step    |
//! | Talking   | -            | -           | -            | -                | next step         | Ended           | Ended        |
//! | Ended     | -            | BYE goes    | -            | its leg: BYE     | its leg: closed   | closed          | -            |
//!
//! A dash means that the input is ignored: it is late, or for a leg that is being closed.

mod caller;
mod end;
mod leg;
mod midcall;
mod operator;
mod ring;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use dialplan::{Happened, Plan, Run};
use sip::{Dialog, Flow, Message, ServerTx};
use vocab::media::{MediaCommand, MediaEvent};
use vocab::{CallId, EndedBy, Fact, LegId, QueueId, Time};

use crate::context::{Context, Owner, Timer, TimerKey};
use crate::trunk::Seat;
pub(crate) use caller::CallerLeg;
pub(crate) use leg::MediaState;
pub(crate) use operator::OperatorLeg;

/// What admission learned of a new call.
pub(crate) struct Arrival {
    pub(crate) tx: ServerTx,
    pub(crate) flow: Flow,
    pub(crate) invite: Message,
    pub(crate) number: String,
    pub(crate) caller: String,
    pub(crate) caller_name: String,
    pub(crate) trunk: String,
    /// The number is for the journal, not for the operator's display.
    pub(crate) private: bool,
    pub(crate) plan: Arc<Plan>,
    /// Its place among the calls of the trunk.
    pub(crate) seat: Option<Seat>,
}

/// Where the call stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// The media plane was asked for the caller's socket.
    Opening,
    /// 200 OK went to the caller; neither ACK nor audio came yet.
    Answering,
    /// A prompt plays.
    Saying { token: u32, notice: Option<String> },
    /// It waits for an operator.
    Queued {
        queue: QueueId,
        name: String,
        recorded: bool,
    },
    /// An operator talks to the caller.
    Talking { leg: LegId },
    /// The entry is closed; legs may still be on their way out.
    Ended,
}

pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) state: State,
    pub(crate) caller_number: String,
    pub(crate) caller_name: String,
    pub(crate) caller: CallerLeg,
    pub(crate) legs: BTreeMap<LegId, OperatorLeg>,
    run: Run,
    language: String,
    /// The number is for the journal, not for the operator's display.
    private: bool,
    segments: u16,
    play_token: u32,
    /// Who ended the last segment, until the plan goes on.
    segment_ended_by: Option<EndedBy>,
    timers: Vec<TimerKey>,
    /// Given back at the end.
    seat: Option<Seat>,
}

impl Call {
    /// A new call: written into the journal, and its media asked for.
    ///
    /// # Errors
    /// If the INVITE makes no dialog (no Contact, say): the arrival comes back, to be refused.
    pub(crate) fn arrive(ctx: &mut Context, arrival: Arrival) -> Result<Self, Box<Arrival>> {
        let tag = ctx.entropy.tag();
        let Ok(dialog) = Dialog::uas(&arrival.invite, &tag, arrival.flow) else {
            return Err(Box::new(arrival));
        };
        let id = ctx.call_id();
        let leg = ctx.leg_id();
        let language = arrival.plan.languages.first().cloned().unwrap_or_default();
        ctx.record(Fact::CallArrived {
            call: id,
            number: arrival.number,
            caller: arrival.caller.clone(),
            caller_name: arrival.caller_name.clone(),
            trunk: arrival.trunk,
            plan: arrival.plan.name.clone(),
            sip_call_id: arrival.invite.call_id().unwrap_or_default().to_owned(),
        });
        let caller = CallerLeg::new(leg, dialog, arrival.tx, arrival.invite);
        ctx.counts.calls += 1;
        ctx.own_server(arrival.tx, Owner { call: id, leg });
        ctx.dialogs
            .insert(caller.dialog.id(), Owner { call: id, leg });
        ctx.media(MediaCommand::Open { call: id, leg });
        let longest = ctx.set_timer(id, ctx.settings.call_longest, Timer::Longest);
        tracing::info!(call = %id, plan = %arrival.plan.name,
            caller = %vocab::Redacted(&arrival.caller), "call arrived");
        Ok(Self {
            id,
            state: State::Opening,
            caller_number: arrival.caller,
            caller_name: arrival.caller_name,
            caller,
            legs: BTreeMap::new(),
            run: Run::new(arrival.plan),
            language,
            private: arrival.private,
            segments: 0,
            play_token: 0,
            segment_ended_by: None,
            timers: vec![longest],
            seat: arrival.seat,
        })
    }

    /// Whether nothing of the call is left but its entry.
    pub(crate) fn is_gone(&self) -> bool {
        self.state == State::Ended && self.caller.is_gone() && self.legs.is_empty()
    }

    /// Forgets what the engine remembers for the call.
    pub(crate) fn forget(&mut self, ctx: &mut Context) {
        ctx.clear_timers(&self.timers);
        ctx.dialogs.remove(&self.caller.dialog.id());
        self.caller.forget(ctx);
    }

    pub(crate) fn on_media(&mut self, ctx: &mut Context, event: MediaEvent) {
        match event {
            MediaEvent::Opened { leg, port, .. } => {
                if leg == self.caller.id {
                    self.caller_media_opened(ctx, port);
                } else {
                    self.operator_media_opened(ctx, leg, port);
                }
            }
            MediaEvent::OpenFailed { leg, reason, .. } => {
                tracing::warn!(call = %self.id, reason, "no socket for a leg");
                if leg == self.caller.id {
                    self.caller.media = MediaState::Closed;
                    self.fail(ctx, 503, &format!("no media socket: {reason}"));
                } else {
                    self.operator_media_failed(ctx, leg);
                }
            }
            MediaEvent::PlayEnded { token, .. } => self.play_ended(ctx, token),
            MediaEvent::AudioStarted { leg, .. } => {
                // An ACK can be lost; a caller who sends audio has our answer all the same.
                if leg == self.caller.id && self.state == State::Answering {
                    self.advance(ctx, Happened::Answered);
                }
            }
            // Keys are for menus, which no plan has yet.
            MediaEvent::Digit { .. } => {}
            MediaEvent::Closed { leg, .. } => {
                if leg == self.caller.id {
                    self.caller.media = MediaState::Closed;
                } else {
                    self.operator_media_closed(ctx, leg);
                }
            }
        }
    }

    pub(crate) fn on_timer(&mut self, ctx: &mut Context, at: Time, timer: Timer) {
        self.timers.retain(|key| *key != (at, self.id, timer));
        match timer {
            Timer::Unreachable(leg) => self.operator_silent(ctx, leg),
            Timer::Longest => {
                self.fail(ctx, 408, "the longest time of a call is over");
            }
            Timer::Linger => {
                ctx.bug("an ended call's legs are not gone", Some(self.id));
                self.caller.abandon();
                for leg in core::mem::take(&mut self.legs).into_values() {
                    leg.forget(ctx);
                }
            }
        }
    }
}
