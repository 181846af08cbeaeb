//! Owns the end of a call: its one outcome, and each leg on its way out.

use core::time::Duration;

use vocab::{EndedBy, Fact, OfferResult, Outcome, QueueOutcome, SupervisionEnd};

use super::{Call, Purpose, State};
use crate::context::{Context, Timer};

/// How long the legs of an ended call may take: a 200 without ACK, then a BYE that is challenged twice
/// and each time as late as can be, are four times 64*T1 (RFC 3261 §17), 128 s; and some.
const LINGER: Duration = Duration::from_secs(150);

impl Call {
    /// Ends the call. The first end counts; a later one is ignored.
    pub(super) fn end(
        &mut self,
        ctx: &mut Context,
        outcome: Outcome,
        by: EndedBy,
        status: u16,
        reason: &str,
    ) {
        let awaits_operator = self.awaits_operator();
        if self.state != State::Ended {
            self.conference_over(ctx, by);
        }
        let state = core::mem::replace(&mut self.state, State::Ended);
        match state {
            State::Ended => return,
            State::Queued { .. } if awaits_operator => self.postpone_callback(ctx),
            State::Queued { name, .. } => self.leave_queue(ctx, name, outcome),
            State::Talking { leg } => self.end_segment(ctx, leg, by),
            State::Reaching { leg, purpose } => {
                if purpose == Purpose::CallBack {
                    self.operator_dialled_in_vain(ctx);
                }
                let result = match by {
                    EndedBy::Engine => OfferResult::Withdrawn,
                    EndedBy::Caller | EndedBy::Operator | EndedBy::Outer => OfferResult::CallerGone,
                };
                let group = core::mem::take(&mut self.together);
                for leg in group.into_iter().chain([leg]) {
                    self.stop_reaching(ctx, leg, result);
                }
                self.transfer_dropped(ctx, by);
            }
            State::Referred => {
                self.forget_referral(ctx);
                self.transfer_dropped(ctx, by);
            }
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Asking(_)
            | State::Waiting(_) => {}
            State::Leaving(leaving) => self.end_leaving(ctx, leaving, by),
        }
        self.supervision_over(ctx, SupervisionEnd::CallOver);
        let outcome = self.with_message(outcome);
        ctx.counts.calls = ctx.counts.calls.saturating_sub(1);
        let status = (!self.caller.is_answered()).then_some(status);
        ctx.record(Fact::CallEnded {
            call: self.id,
            outcome,
            ended_by: by,
            status,
            reason: reason.to_owned(),
        });
        tracing::info!(call = %self.id, ?outcome, ?by, reason, "call ended");
        ctx.counts.abandoned += u64::from(outcome == Outcome::Abandoned);
        self.caller.close(ctx, self.id, status.unwrap_or_default());
        self.release_caller(ctx);
        self.newcomer_goes(ctx, 481);
        self.hang_up_all(ctx);
        ctx.clear_timers(&self.timers);
        self.timers = vec![ctx.set_timer(self.id, LINGER, Timer::Linger)];
    }

    /// Ends the call because something technical went wrong.
    pub(crate) fn fail(&mut self, ctx: &mut Context, status: u16, reason: &str) {
        let outcome = if self.talked {
            Outcome::Answered
        } else {
            Outcome::Failed
        };
        self.end(ctx, outcome, EndedBy::Engine, status, reason);
    }

    /// Ends the call because the engine stops.
    pub(crate) fn interrupt(&mut self, ctx: &mut Context) {
        let outcome = if self.talked {
            Outcome::Answered
        } else {
            Outcome::Interrupted
        };
        self.end(ctx, outcome, EndedBy::Engine, 503, "the engine was stopped");
    }

    fn leave_queue(&mut self, ctx: &mut Context, queue: String, outcome: Outcome) {
        // What is not the caller's own will is the hotline's: closed to this caller.
        let outcome = match outcome {
            Outcome::Abandoned => QueueOutcome::Abandoned,
            Outcome::TimedOut => QueueOutcome::TimedOut,
            Outcome::RefusedFull => QueueOutcome::RefusedFull,
            Outcome::Answered if self.talked => QueueOutcome::Abandoned,
            Outcome::Answered
            | Outcome::AbandonedEarly
            | Outcome::Closed
            | Outcome::Served
            | Outcome::Message
            | Outcome::UnknownNumber
            | Outcome::Unreached
            | Outcome::Failed
            | Outcome::Interrupted => QueueOutcome::Closed,
        };
        let result = if outcome == QueueOutcome::Abandoned {
            OfferResult::CallerGone
        } else {
            OfferResult::Withdrawn
        };
        self.withdraw_offers(ctx, result);
        self.left_queue(ctx, queue, outcome);
        ctx.acd.handle(ctx.now, acd::Input::Left { call: self.id });
    }
}
