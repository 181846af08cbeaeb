//! Owns what joining means for one call: giving a party to another call and ending, or taking one
//! over. Which of two calls does what is `crate::join`'s to say.

use vocab::{
    CallId, EndedBy, Fact, LegId, OperatorId, Outcome, TransferKind, TransferResult, TransferTarget,
};

use super::party::PartyLeg;
use super::transfer::Asked;
use super::who::{Engagement, Who};
use super::{Call, Direction, State};
use crate::context::Context;
use crate::destination::Destination;

impl Call {
    /// Whether this operator called, and the call is up.
    pub(crate) fn is_made_by(&self, operator: OperatorId) -> bool {
        self.state != State::Ended && self.caller_operator == Some(operator)
    }

    /// Whether this operator talks in the call.
    pub(crate) fn has_in_talk(&self, operator: OperatorId) -> bool {
        self.talk_leg_of(operator).is_some()
    }

    /// Whether the one at this leg talks.
    pub(crate) fn is_in_talk(&self, leg: LegId) -> bool {
        self.peer_of(leg).is_some()
    }

    /// Who talks with the one at this leg.
    pub(super) fn peer_of(&self, leg: LegId) -> Option<LegId> {
        match self.state {
            State::Talking { leg: second } if leg == self.first => Some(second),
            State::Talking { leg: second } if leg == second => Some(self.first),
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Asking(_)
            | State::Waiting(_)
            | State::Leaving(_)
            | State::Queued { .. }
            | State::Reaching { .. }
            | State::Referred
            | State::Talking { .. }
            | State::Ended => None,
        }
    }

    /// Of two calls that are joined, whether this one goes on.
    pub(crate) fn goes_on_rather_than(&self, other: &Self) -> bool {
        let inner = |call: &Self| call.direction == Direction::Internal;
        (inner(self), self.id) < (inner(other), other.id)
    }

    /// Whom or what the call is still trying to reach.
    pub(crate) fn still_reaching(&self) -> Option<Destination> {
        match &self.state {
            State::Reaching { leg, .. } => match &self.legs.get(leg)?.who {
                Who::Called { operator, .. } => Some(Destination::Operator(*operator)),
                Who::Outer { number, .. } => Some(Destination::Outer {
                    number: number.clone(),
                }),
                Who::Offered { .. } | Who::Came { .. } | Who::Supervisor { .. } => None,
            },
            State::Queued { name, .. } => Some(Destination::Queue {
                name: name.clone(),
                priority: self.place.as_ref().map(|place| place.priority),
            }),
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Asking(_)
            | State::Waiting(_)
            | State::Leaving(_)
            | State::Referred
            | State::Talking { .. }
            | State::Ended => None,
        }
    }

    /// The operator who called gives up before anybody answered.
    pub(crate) fn give_up(&mut self, ctx: &mut Context) {
        let outcome = self.outcome_when_first_leaves();
        let reason = "transferred before the answer";
        self.end(ctx, outcome, EndedBy::Operator, 487, reason);
    }

    /// Gives the party that talks to the operator at `leg` away, and ends.
    pub(crate) fn hand_over(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        into: CallId,
    ) -> Option<(LegId, PartyLeg)> {
        let id = self.peer_of(leg)?;
        ctx.record(Fact::CallJoined {
            call: self.id,
            into,
        });
        // While the leg is still here: the recording of the segment ends with its bridge.
        self.end_segment(ctx, id, EndedBy::Operator);
        self.state = State::Opening;
        let party = self.give_leg(ctx, id, into)?;
        let reason = format!("joined to call {into}");
        self.end(ctx, Outcome::Answered, EndedBy::Operator, 0, &reason);
        Some((id, party))
    }

    /// Takes a party over in the place of the operator at `leg`, who leaves.
    pub(crate) fn take_over(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        (id, mut party): (LegId, PartyLeg),
        consultation: CallId,
    ) {
        let (Some(stays), Some(operator), State::Talking { leg: second }) =
            (self.peer_of(leg), self.operator_of(leg), self.state.clone())
        else {
            ctx.bug(
                "a party came to a call in which nobody talks",
                Some(self.id),
            );
            party.hang_up(ctx, self.owner(id));
            self.legs.insert(id, Box::new(party));
            return;
        };
        party.came();
        if party.engagement == Some(Engagement::Queued) {
            // Its wrap-up is that of its queue, which the ACD knows already.
            tracing::debug!(call = %self.id, "an operator of a queue's call was joined");
        }
        self.record_joined(ctx, operator, &party.who, consultation);
        self.end_segment(ctx, second, EndedBy::Operator);
        self.first = stays;
        self.state = State::Opening;
        self.legs.insert(id, Box::new(party));
        self.hang_up_leg(ctx, leg);
        self.start_segment(ctx, id, None, self.recorded);
    }

    fn record_joined(&self, ctx: &mut Context, by: OperatorId, who: &Who, consultation: CallId) {
        let target = match who {
            Who::Outer { number, .. } => TransferTarget::Outer {
                number: number.clone(),
            },
            Who::Offered { operator, .. }
            | Who::Called { operator, .. }
            | Who::Came { operator }
            | Who::Supervisor { operator } => Destination::Operator(*operator).named(ctx),
        };
        let asked = Asked {
            kind: TransferKind::Attended,
            target,
            consultation: Some(consultation),
        };
        self.record_transfer(ctx, by, asked);
        ctx.record(Fact::TransferEnded {
            call: self.id,
            transfer: self.transfers,
            result: TransferResult::Done,
            status: Some(200),
        });
    }
}
