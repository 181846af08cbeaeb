//! Owns the segments of a call: who talks to whom, from when to when, recorded or not.

use core::time::Duration;

use acd::WrapUp;
use vocab::media::{Codec, MediaCommand};
use vocab::{EndedBy, Fact, LegId, OfferId, OperatorId, OperatorState, Outcome, Party};

use super::reach::Purpose;
use super::who::{Engagement, Who};
use super::{Call, Course, State};
use crate::context::Context;
use crate::way::Shown;

/// How soon after a transfer that failed a hang-up of the one who asked for it still means "I am
/// gone" and not "the talk is over": telephones hang up by themselves once a REFER was accepted, and
/// the news of the failure crosses that.
const HANG_UP_AFTER_REFER: Duration = Duration::from_secs(2);

impl Call {
    /// The first party and the one at this leg begin to talk.
    pub(super) fn start_segment(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        offer: Option<OfferId>,
        recorded: bool,
    ) {
        let call = self.id;
        let Some(party) = self.party(ctx, leg) else {
            ctx.bug("an operator answered whom nobody knows", Some(call));
            return;
        };
        self.segments = self.segments.saturating_add(1);
        ctx.counts.talking += 1;
        let segment = self.segments;
        if !core::mem::replace(&mut self.talked, true) {
            ctx.counts.answered += 1;
        }
        tracing::info!(call = %call, segment, outer = matches!(party, Party::Outer { .. }), "talk");
        let with = self.operator_of(self.first);
        let started = Fact::SegmentStarted {
            call,
            segment,
            party,
            with: with.and_then(|id| ctx.operator_ref(id)),
            offer,
            recorded,
        };
        let theirs = [self.operator_of(self.first), self.operator_of(leg)];
        for operator in theirs.into_iter().flatten() {
            ctx.duties.talk_began(operator, call, segment);
        }
        self.recorded = recorded;
        // Before the audio is joined, so that nobody hears what was whispered to another.
        self.supervision_follows(ctx);
        self.join_after_whisper(ctx, leg, started);
        self.owe_wrap_up(ctx, leg);
        self.state = State::Talking { leg };
        self.segment_ended_by = None;
        self.returned = None;
        if !self.caller.is_answered() && self.first == self.caller.id {
            let answered = ctx.record(Fact::CallAnswered { call });
            self.caller.accept(ctx, answered);
        }
        self.hold_at_start(ctx);
        self.choose_codec_anew(ctx);
        self.arm(ctx, leg);
        self.arm(ctx, self.first);
    }

    /// Which leg is the caller's side of the recording, and which the operator's: the outer party
    /// of a call that an operator made is on the caller's side.
    pub(super) fn sides(&self, leg: LegId) -> (LegId, LegId) {
        let turned = self.operator_of(self.first).is_some() && self.operator_of(leg).is_none();
        if turned {
            (leg, self.first)
        } else {
            (self.first, leg)
        }
    }

    /// An operator who talks to a caller of a queue has that queue's wrap-up, however the caller
    /// came.
    fn owe_wrap_up(&mut self, ctx: &Context, leg: LegId) {
        let Some(place) = &self.place else { return };
        let owed = ctx
            .settings
            .queues
            .iter()
            .find(|queue| queue.id == place.queue)
            .map_or(WrapUp::None, |queue| queue.wrap_up);
        if let Some(leg) = self.legs.get_mut(&leg)
            && let Some(Engagement::Other { wrap_up }) = &mut leg.engagement
        {
            *wrap_up = owed;
        }
    }

    /// The segment is over: journal and recording. Its legs stay.
    pub(super) fn end_segment(&mut self, ctx: &mut Context, leg: LegId, by: EndedBy) {
        let segment = self.segments;
        self.cut_whisper(ctx);
        self.hold_at_end(ctx, leg);
        self.one_way_at_end(ctx, leg);
        self.drop_pause(ctx);
        ctx.counts.talking = ctx.counts.talking.saturating_sub(1);
        ctx.record(Fact::SegmentEnded {
            call: self.id,
            segment,
            ended_by: by,
        });
        ctx.media(MediaCommand::Unbridge { call: self.id, leg });
        self.segment_ended_by = Some(by);
    }

    /// The party of a leg hung up; the leg is closed already.
    pub(super) fn party_left(&mut self, ctx: &mut Context, id: LegId, by: EndedBy) {
        if id == self.first {
            let outcome = self.outcome_when_first_leaves();
            self.end(ctx, outcome, by, 0, "");
            return;
        }
        if self.supervisor_left(ctx, id) || self.guest_left(ctx, id, by) {
            return;
        }
        // One who asked for a transfer and hung up leaves the caller to it.
        if self.state != (State::Talking { leg: id }) {
            return;
        }
        self.end_segment(ctx, id, by);
        if let Some(next) = self.next_of_conference() {
            self.state = State::Opening;
            self.start_segment(ctx, next, None, self.recorded);
            return;
        }
        let returned = self
            .returned
            .take()
            .filter(|(leg, at)| *leg == id && ctx.now.since(*at) < HANG_UP_AFTER_REFER);
        if let Some(operator) = self.operator_of(id) {
            if returned.is_some() {
                self.give_back(ctx, operator);
                return;
            }
            // In mid-consultation: the caller on hold is not to be dropped.
            if self.place.is_some() && consults(ctx, operator) {
                self.back_to_queue(ctx);
                return;
            }
        }
        self.state = State::Opening;
        self.advance(ctx, dialplan::Happened::TalkEnded);
    }

    /// What the call is if its first party hangs up now.
    pub(super) fn outcome_when_first_leaves(&self) -> Outcome {
        if self.talked {
            return Outcome::Answered;
        }
        match self.state {
            State::Queued { .. } => Outcome::Abandoned,
            // Waiting for an operator, if not in a queue.
            State::Reaching {
                purpose: Purpose::Plan,
                ..
            } => Outcome::Abandoned,
            State::Reaching { .. } => Outcome::Unreached,
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Asking(_)
            | State::Waiting(_)
            | State::Leaving(_)
            | State::Referred
            | State::Talking { .. }
            | State::Ended => match &self.course {
                Course::Plan(run) => run.unserved().unwrap_or(Outcome::AbandonedEarly),
                Course::Queue { .. } | Course::Told { .. } => Outcome::AbandonedEarly,
                Course::Party(_) => Outcome::Unreached,
            },
        }
    }

    /// The one at a leg, as the journal names them.
    pub(super) fn party(&self, ctx: &Context, leg: LegId) -> Option<Party> {
        if let Some(operator) = self.operator_of(leg) {
            return ctx.operator_ref(operator).map(Party::Operator);
        }
        self.legs.get(&leg)?.who.party(ctx, None)
    }

    /// How the first party is shown to those who are called.
    pub(super) fn shown(&self) -> Shown {
        let outer = self.legs.get(&self.first).map(|leg| &leg.who);
        match outer {
            Some(Who::Outer { number, .. }) => Shown {
                number: number.clone(),
                name: String::new(),
            },
            _ if self.private => Shown {
                number: String::new(),
                name: self.caller_name.clone(),
            },
            Some(
                Who::Offered { .. }
                | Who::Called { .. }
                | Who::Came { .. }
                | Who::Supervisor { .. },
            )
            | None => Shown {
                number: self.caller_number.clone(),
                name: self.caller_name.clone(),
            },
        }
    }

    /// The codec of the first party, once known.
    pub(super) fn first_codec(&self) -> Option<Codec> {
        if self.first == self.caller.id {
            return self.caller.codec();
        }
        let remote = self.legs.get(&self.first)?.remote?;
        Some(remote.codec)
    }
}

/// Whether an operator who has left a call is in another one of the operator's own making.
fn consults(ctx: &Context, operator: OperatorId) -> bool {
    let state = ctx.acd.operator_state(operator).map(|(state, _)| state);
    state == Some(OperatorState::OtherCall) && ctx.acd.has_other_call(operator)
}
