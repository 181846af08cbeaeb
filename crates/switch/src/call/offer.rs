//! Owns the offers of the ACD to operators: made, withdrawn, failed, accepted.

use vocab::{Fact, LegId, NotChosen, OfferId, OfferResult, OperatorId, QueueOutcome};

use super::party::PartyLeg;
use super::who::{Engagement, Who};
use super::{Call, State};
use crate::context::Context;
use crate::way;

impl Call {
    /// The ACD offers the call to an operator.
    pub(crate) fn offer(
        &mut self,
        ctx: &mut Context,
        offer: OfferId,
        operator: OperatorId,
        why: &acd::Decision,
    ) {
        let telephones = way::telephones(ctx, operator, &self.shown());
        let named = ctx.operator_ref(operator);
        if self.state == State::Ended {
            // It ended in the turn in which it was offered: the ACD has let it go since.
            return;
        }
        let State::Queued { name, .. } = &self.state else {
            ctx.bug("an offer for a call that waits in no queue", Some(self.id));
            ctx.acd.handle(ctx.now, acd::Input::Left { call: self.id });
            return;
        };
        let (Some(named), false) = (named, telephones.is_empty()) else {
            // The registration ran out in this very moment.
            let result = OfferResult::Unreachable;
            ctx.acd
                .handle(ctx.now, acd::Input::Failed { offer, result });
            return;
        };
        let queue = name.clone();
        ctx.record(Fact::OfferMade {
            call: self.id,
            offer,
            queue,
            operator: named,
            why: why.to_string(),
            considered: not_chosen(ctx, why),
        });
        let owner = self.owner(ctx.leg_id());
        let who = Who::Offered { operator, offer };
        let leg = PartyLeg::to(ctx, owner, who, telephones);
        self.legs.insert(owner.leg, Box::new(leg));
    }

    /// The ACD takes an offer back.
    pub(crate) fn withdraw(&mut self, ctx: &mut Context, offer: OfferId, result: OfferResult) {
        let open = |leg: &PartyLeg| {
            leg.is_awaited() && matches!(leg.who, Who::Offered { offer: of, .. } if of == offer)
        };
        let found = self.legs.iter().find(|(_, leg)| open(leg));
        // None: this call took it back itself, when the caller hung up.
        if let Some(id) = found.map(|(id, _)| *id) {
            let talks = matches!(self.state, State::Talking { .. });
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.answered_elsewhere = talks;
            }
            self.take_back(ctx, id, result);
        }
    }

    /// Takes back all offers that ring.
    pub(super) fn withdraw_offers(&mut self, ctx: &mut Context, result: OfferResult) {
        let open: Vec<LegId> = self
            .legs
            .iter()
            .filter(|(_, leg)| leg.is_awaited())
            .map(|(id, _)| *id)
            .collect();
        for id in open {
            self.take_back(ctx, id, result);
        }
    }

    /// Stops the ringing of a leg.
    pub(super) fn take_back(&mut self, ctx: &mut Context, id: LegId, result: OfferResult) {
        match self.legs.get(&id).map(|leg| &leg.who) {
            Some(Who::Offered { offer, .. } | Who::Called { offer, .. }) => {
                let offer = *offer;
                self.offer_ended(ctx, offer, result, None);
            }
            Some(Who::Came { .. } | Who::Supervisor { .. } | Who::Outer { .. }) | None => {}
        }
        self.hang_up_leg(ctx, id);
    }

    /// The operator could not or would not take it: on to the next.
    pub(super) fn offer_failed(
        &mut self,
        ctx: &mut Context,
        offer: OfferId,
        result: OfferResult,
        status: Option<u16>,
    ) {
        self.offer_ended(ctx, offer, result, status);
        ctx.acd
            .handle(ctx.now, acd::Input::Failed { offer, result });
    }

    pub(super) fn offer_ended(
        &self,
        ctx: &mut Context,
        offer: OfferId,
        result: OfferResult,
        status: Option<u16>,
    ) {
        ctx.record(Fact::OfferEnded {
            call: self.id,
            offer,
            result,
            status,
        });
    }

    /// The operator took it.
    pub(super) fn offer_accepted(&mut self, ctx: &mut Context, id: LegId) {
        let State::Queued { name, recorded, .. } = self.state.clone() else {
            return;
        };
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let Who::Offered { offer, .. } = leg.who else {
            return;
        };
        leg.engagement = Some(Engagement::Queued);
        ctx.acd.handle(ctx.now, acd::Input::Accepted { offer });
        self.offer_ended(ctx, offer, OfferResult::Answered, Some(200));
        if self.awaits_operator() {
            self.dial_for_operator(ctx, id);
            return;
        }
        self.left_queue(ctx, name, QueueOutcome::Answered);
        self.prepare_whisper(ctx);
        self.start_segment(ctx, id, Some(offer), recorded);
    }
}

/// Who else was considered, by name.
fn not_chosen(ctx: &Context, why: &acd::Decision) -> Vec<NotChosen> {
    let named = |one: &acd::Considered| {
        Some(NotChosen {
            operator: ctx.operator_ref(one.operator)?,
            why_not: one.why_not.as_str().to_owned(),
        })
    };
    why.considered.iter().filter_map(named).collect()
}
