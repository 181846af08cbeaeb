//! Owns the calling of one certain party: whom an operator dialled, the target of a transfer, the
//! operator to whom a call goes back.

use sip::{ClientTx, Message};
use vocab::media::MediaCommand;
use vocab::{
    EndedBy, Fact, LegId, OfferId, OfferResult, OperatorId, OperatorState, Outcome, TransferResult,
};

use super::party::{PartyLeg, Sip};
use super::who::{Engagement, Who};
use super::{Call, State};
use crate::context::{Context, Timer};
use crate::destination::Destination;
use crate::trunk::EarlyMedia;
use crate::way::{self, Group, Way};

/// Why a certain party is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An operator dialled it.
    Dialled,
    /// The first party is transferred to it.
    Transfer,
    /// A transfer failed, and the call goes back to the operator who asked for it.
    Return,
    /// The plan of the caller's number calls it.
    Plan,
    /// It is called back; an operator is reserved by this offer.
    Callback {
        /// Which.
        offer: OfferId,
    },
    /// It is called back; the operator who is to talk has answered, and waits.
    CallBack,
}

/// Why a party was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) result: TransferResult,
    /// As SIP says it.
    pub(super) status: u16,
    /// Whether the party itself said it.
    pub(super) said: bool,
}

impl Failure {
    pub(super) const fn unreachable() -> Self {
        Self::of(OfferResult::Unreachable, None)
    }

    const fn of(result: OfferResult, status: Option<u16>) -> Self {
        let (result, usual) = match result {
            OfferResult::Busy => (TransferResult::Busy, 486),
            OfferResult::Rejected => (TransferResult::Rejected, 603),
            OfferResult::NoAnswer => (TransferResult::NoAnswer, 408),
            OfferResult::Answered
            | OfferResult::Unreachable
            | OfferResult::CallerGone
            | OfferResult::Withdrawn => (TransferResult::Unreachable, 480),
        };
        // What a trunk or a telephone says of itself (a challenge, a fault, a redirection) is not
        // the caller's business.
        let (status, said) = match status {
            Some(status @ (404 | 410 | 480 | 484 | 486 | 600 | 603 | 604)) => (status, true),
            Some(_) => (usual, true),
            None => (usual, false),
        };
        Self {
            result,
            status,
            said,
        }
    }
}

impl Call {
    /// An operator dialled a party, and the call is for it.
    pub(super) fn dial(&mut self, ctx: &mut Context, destination: &Destination) {
        if let Err(failure) = self.reach(ctx, destination, Purpose::Dialled) {
            self.unreached(ctx, failure, EndedBy::Engine);
        }
    }

    /// Calls an operator or an outer number.
    ///
    /// # Errors
    /// Why that cannot be; nothing was done. Queues and plans are not called.
    pub(super) fn reach(
        &mut self,
        ctx: &mut Context,
        destination: &Destination,
        purpose: Purpose,
    ) -> Result<(), Failure> {
        match destination {
            Destination::Operator(operator) => self.reach_operator(ctx, *operator, purpose),
            Destination::Outer { number } => {
                let ways = match way::trunks(ctx, number, &self.shown()) {
                    Ok(ways) => ways,
                    Err(problem) => {
                        tracing::warn!(call = %self.id, %problem, "no way to an outer number");
                        return Err(Failure::of(OfferResult::Unreachable, None));
                    }
                };
                let who = Who::Outer {
                    number: number.clone(),
                    trunk: String::new(),
                };
                self.begin_to_reach(ctx, who, ways, purpose);
                Ok(())
            }
            Destination::Queue { .. } | Destination::Plan { .. } => {
                ctx.bug(
                    "a queue or plan is to be called like a party",
                    Some(self.id),
                );
                Err(Failure::of(OfferResult::Unreachable, None))
            }
        }
    }

    /// Calls an operator. One with another call is busy: nobody gets a second one on top.
    pub(super) fn reach_operator(
        &mut self,
        ctx: &mut Context,
        operator: OperatorId,
        purpose: Purpose,
    ) -> Result<(), Failure> {
        let state = ctx.acd.operator_state(operator).map(|(state, _)| state);
        match state {
            Some(
                OperatorState::Free
                | OperatorState::WrapUp
                | OperatorState::Resting
                | OperatorState::Paused,
            ) => {}
            Some(
                OperatorState::Reserved
                | OperatorState::Ringing
                | OperatorState::Talking
                | OperatorState::Held
                | OperatorState::OtherCall,
            ) => return Err(Failure::of(OfferResult::Busy, None)),
            Some(OperatorState::Unreachable) | None => {
                return Err(Failure::of(OfferResult::Unreachable, None));
            }
        }
        let telephones = way::telephones(ctx, operator, &self.shown());
        let named = ctx.operator_ref(operator);
        let (Some(named), false) = (named, telephones.is_empty()) else {
            return Err(Failure::of(OfferResult::Unreachable, None));
        };
        let offer = ctx.acd.direct_offer();
        let why = match purpose {
            Purpose::Dialled => "Called by name.",
            Purpose::Transfer => "The call was transferred to this operator.",
            Purpose::Return => "The transfer failed: back to the operator who asked for it.",
            Purpose::Plan => "The plan calls this operator.",
            Purpose::Callback { .. } | Purpose::CallBack => "The call is made good.",
        };
        ctx.record(Fact::OfferMade {
            call: self.id,
            offer,
            queue: String::new(),
            operator: named,
            why: why.to_owned(),
            considered: Vec::new(),
        });
        let who = Who::Called { operator, offer };
        let id = self.begin_to_reach(ctx, who, telephones, purpose);
        let engagement = Engagement::begin(ctx, operator);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.engagement = Some(engagement);
        }
        Ok(())
    }

    fn begin_to_reach(
        &mut self,
        ctx: &mut Context,
        who: Who,
        ways: Vec<Group>,
        purpose: Purpose,
    ) -> LegId {
        let owner = self.owner(ctx.leg_id());
        let leg = PartyLeg::to(ctx, owner, who, ways);
        self.legs.insert(owner.leg, Box::new(leg));
        self.state = State::Reaching {
            leg: owner.leg,
            purpose,
        };
        let usual = ctx.settings.operator_calls.ring_time;
        let planned = self.planned.filter(|_| purpose == Purpose::Plan);
        let ring_time = planned.map_or(usual, |planned| planned.time);
        self.timers
            .push(ctx.set_timer(self.id, ring_time, Timer::Ringing(owner.leg)));
        owner.leg
    }

    /// The party rings, or is heard before it answers (RFC 3960 §3): then the first party is to
    /// hear it, a network's announcement for example.
    pub(super) fn reached_rings(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let State::Reaching { purpose, .. } = self.state else {
            return;
        };
        if !self.is_reached(id) {
            return;
        }
        let music = self.planned.is_some_and(|planned| planned.music);
        if purpose == Purpose::Plan && music {
            return;
        }
        // Nobody is there to hear it.
        if matches!(purpose, Purpose::Callback { .. }) {
            return;
        }
        // Of several who ring at once nobody is heard before the answer.
        let alone = self.together.is_empty();
        let heard = alone
            && self.hears_early_audio(id)
            && self.let_early_audio_through(ctx, id, tx, response);
        match purpose {
            Purpose::Dialled | Purpose::Plan if heard => {
                self.caller.open_early(ctx);
            }
            Purpose::Dialled | Purpose::Plan => self.caller.ring(ctx),
            Purpose::Transfer => self.notify(ctx, 180),
            // An operator who has answered hears what there is to hear.
            Purpose::Return | Purpose::Callback { .. } | Purpose::CallBack => {}
        }
    }

    /// Whether what the party sends before the answer is to be heard.
    fn hears_early_audio(&self, id: LegId) -> bool {
        let ways = self.legs.get(&id).map(|leg| leg.awaited_ways());
        ways.into_iter()
            .flatten()
            .filter_map(Way::trunk)
            .all(|trunk| trunk.early_media == EarlyMedia::Relay)
    }

    fn let_early_audio_through(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let (call, first) = (self.id, self.first);
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let remote = leg.accepted(ctx, tx, &response.body);
        let (Some(remote), false) = (remote, response.body.is_empty()) else {
            return leg.early;
        };
        // Of several early dialogs the newest is heard.
        leg.remote = Some(remote);
        ctx.media(MediaCommand::SetRemote {
            call,
            leg: id,
            remote,
        });
        if !core::mem::replace(&mut leg.early, true) {
            ctx.media(MediaCommand::Bridge {
                call,
                caller: first,
                operator: id,
                record: None,
            });
        }
        true
    }

    /// The party answered.
    pub(super) fn reached(&mut self, ctx: &mut Context, id: LegId) {
        let State::Reaching { purpose, .. } = self.state else {
            return;
        };
        self.take_back_others(ctx, id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let by = leg.way.as_ref().and_then(Way::trunk);
        if let (Who::Outer { trunk, .. }, Some(by)) = (&mut leg.who, by) {
            trunk.clone_from(&by.name);
        }
        if let Purpose::Callback { offer } = purpose {
            self.called_back(ctx, id, offer);
            return;
        }
        let offer = leg.who.offer();
        if let Some(offer) = offer {
            self.offer_ended(ctx, offer, OfferResult::Answered, Some(200));
        }
        if matches!(purpose, Purpose::Dialled | Purpose::Plan) && !self.caller.is_answered() {
            let answered = ctx.record(Fact::CallAnswered { call: self.id });
            self.caller.accept(ctx, answered);
        }
        if purpose == Purpose::CallBack {
            let call = self.id;
            ctx.record(Fact::CallAnswered { call });
            let reached = true;
            ctx.acd
                .handle(ctx.now, acd::Input::CallbackEnded { call, reached });
        }
        let recorded = match purpose {
            Purpose::Dialled => ctx.settings.operator_calls.recorded,
            Purpose::Plan => self.planned.take().is_some_and(|planned| planned.recorded),
            Purpose::Transfer => {
                self.transfer_done(ctx);
                self.recorded
            }
            Purpose::CallBack => self.place.as_ref().is_some_and(|place| place.recorded),
            Purpose::Return | Purpose::Callback { .. } => self.recorded,
        };
        self.start_segment(ctx, id, offer, recorded);
    }

    /// It rang as long as it may.
    pub(super) fn rang_in_vain(&mut self, ctx: &mut Context, id: LegId) {
        if self.supervisor_rang_in_vain(ctx, id) {
            return;
        }
        if self.is_reached(id) && self.legs.get(&id).is_some_and(|leg| leg.is_awaited()) {
            self.take_back(ctx, id, OfferResult::NoAnswer);
            self.reach_failed(ctx, id, OfferResult::NoAnswer, None);
        }
    }

    /// The party was not reached; its leg is closed or on its way out.
    pub(super) fn reach_failed(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        result: OfferResult,
        status: Option<u16>,
    ) {
        let State::Reaching { leg, purpose } = self.state else {
            return;
        };
        if !self.is_reached(id) {
            return;
        }
        self.together.retain(|other| *other != id);
        if leg == id
            && let Some(other) = self.together.pop()
        {
            // Another of the group rings on.
            let leg = other;
            self.state = State::Reaching { leg, purpose };
            return;
        }
        if leg != id {
            return;
        }
        let failure = Failure::of(result, status);
        match purpose {
            // The operator who waits is hung up on; the attempt is over with the call.
            Purpose::Dialled | Purpose::CallBack => {
                let by = if failure.said {
                    self.ended_by(id)
                } else {
                    EndedBy::Engine
                };
                self.unreached(ctx, failure, by);
            }
            Purpose::Transfer => self.transfer_failed(ctx, failure),
            Purpose::Return => self.back_to_queue(ctx),
            Purpose::Plan => self.planned_failed(ctx),
            Purpose::Callback { offer } => {
                let by = if failure.said {
                    self.ended_by(id)
                } else {
                    EndedBy::Engine
                };
                self.unreached(ctx, failure, by);
                self.dialled_in_vain(ctx, offer, result);
            }
        }
    }

    /// Whom the operator dialled cannot be had: the operator is told, and the call is over.
    fn unreached(&mut self, ctx: &mut Context, failure: Failure, by: EndedBy) {
        let reason = match failure.result {
            TransferResult::Busy => "the called party is busy",
            TransferResult::Rejected => "the called party declined",
            TransferResult::NoAnswer => "nobody answered",
            TransferResult::Done
            | TransferResult::Unreachable
            | TransferResult::CallerGone
            | TransferResult::Withdrawn => "the called party cannot be reached",
        };
        self.end(ctx, Outcome::Unreached, by, failure.status, reason);
    }

    /// Whether a leg is one of those that are called now.
    pub(super) fn is_reached(&self, id: LegId) -> bool {
        let State::Reaching { leg, .. } = self.state else {
            return false;
        };
        leg == id || self.together.contains(&id)
    }

    /// Somebody of a group has answered: the others stop ringing.
    fn take_back_others(&mut self, ctx: &mut Context, answered: LegId) {
        let State::Reaching { leg, .. } = self.state else {
            return;
        };
        let group = core::mem::take(&mut self.together);
        for other in group.into_iter().chain([leg]) {
            if other == answered {
                continue;
            }
            if let Some(leg) = self.legs.get_mut(&other) {
                leg.answered_elsewhere = true;
            }
            self.stop_reaching(ctx, other, OfferResult::Withdrawn);
        }
    }

    /// Stops calling a party: the one who waits for it has gone, or the call ends.
    pub(super) fn stop_reaching(&mut self, ctx: &mut Context, id: LegId, result: OfferResult) {
        if self
            .legs
            .get(&id)
            .is_some_and(|leg| leg.sip != Sip::Closed && leg.is_awaited())
        {
            self.take_back(ctx, id, result);
        }
    }
}
