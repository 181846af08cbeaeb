//! Owns INVITEs with Replaces (RFC 3891): an operator at another telephone takes the place of a leg, or
//! picks up what rings at a colleague's.
//!
//! | the dialog meant                  | answer                                                  |
//! |-----------------------------------|---------------------------------------------------------|
//! | is not known                      | 481                                                     |
//! | is over, or on its way out        | 603                                                     |
//! | is confirmed, and `early-only`    | 486                                                     |
//! | is another operator's talk        | 403                                                     |
//! | is early, and the peer began it   | 481                                                     |
//! | is early, and we began it         | it is taken over, the one who rang is cancelled         |
//! | is a talk of the same operator    | it is taken over, the old telephone is hung up          |

use sip::{Dialog, Flow, Message, Replaces, ServerTx};
use vocab::media::MediaCommand;
use vocab::{EndedBy, LegId, OfferResult, OperatorId, QueueOutcome};

use super::caller::{self, CallerLeg};
use super::leg::{MediaState, Ports};
use super::party::PartyLeg;
use super::who::{Engagement, Who};
use super::{Call, State};
use crate::context::Context;

/// One who is to take another's place, until the socket is there.
pub(super) struct Newcomer {
    pub(super) leg: CallerLeg,
    operator: OperatorId,
    replaces: LegId,
}

impl Call {
    /// Whether an operator may take the place of a leg.
    ///
    /// # Errors
    /// The status to answer with.
    pub(crate) fn replaceable(
        &self,
        leg: LegId,
        operator: OperatorId,
        early_only: bool,
    ) -> Result<(), u16> {
        if self.newcomer.is_some() {
            return Err(491);
        }
        // Nobody picks up what rings for a supervisor alone.
        if self.is_supervisor(leg) {
            return Err(403);
        }
        if self.is_in_talk(leg) && self.is_up(leg) {
            return match (early_only, self.operator_of(leg) == Some(operator)) {
                (true, _) => Err(486),
                (false, true) => Ok(()),
                (false, false) => Err(403),
            };
        }
        if self.legs.get(&leg).is_some_and(|leg| leg.is_awaited()) {
            return Ok(());
        }
        if leg == self.caller.id && matches!(self.caller.sip, caller::Sip::Invited { .. }) {
            return Err(481);
        }
        Err(603)
    }

    /// The operator's leg that rings with this Call-ID and our tag.
    pub(crate) fn ringing_leg(&self, replaces: &Replaces) -> Option<LegId> {
        let rings = |leg: &PartyLeg| {
            leg.is_awaited()
                && leg.who.operator().is_some()
                && !matches!(leg.who, Who::Supervisor { .. })
                && leg.has_invited(&replaces.call_id, [&replaces.to_tag, &replaces.from_tag])
        };
        self.legs
            .iter()
            .find(|(_, leg)| rings(leg))
            .map(|(id, _)| *id)
    }

    /// Takes the INVITE, and asks for its socket.
    pub(crate) fn replace(
        &mut self,
        ctx: &mut Context,
        (tx, flow, invite): (ServerTx, Flow, Message),
        operator: OperatorId,
        replaces: LegId,
    ) {
        let tag = ctx.entropy.tag();
        let Ok(dialog) = Dialog::uas(&invite, &tag, flow) else {
            ctx.refuse_known(tx, &invite, 400);
            return;
        };
        let owner = self.owner(ctx.leg_id());
        ctx.own_server(tx, owner);
        ctx.dialogs.insert(dialog.id(), owner);
        ctx.media(MediaCommand::Open {
            call: self.id,
            leg: owner.leg,
        });
        self.newcomer = Some(Newcomer {
            leg: CallerLeg::new(ctx, owner.leg, dialog, tx, invite),
            operator,
            replaces,
        });
    }

    /// The socket of the newcomer is there, or there is none.
    pub(super) fn newcomer_media(&mut self, ctx: &mut Context, ports: Option<Ports>) {
        let Some(mut newcomer) = self.newcomer.take() else {
            return;
        };
        let leg = &mut newcomer.leg;
        if leg.media != MediaState::Opening {
            // It was given up meanwhile.
            self.newcomer = Some(newcomer);
            return;
        }
        leg.media = ports.map_or(MediaState::Closed, MediaState::Open);
        let status = match (ports, self.still_replaceable(&newcomer)) {
            (None, _) => 503,
            (Some(_), false) => 481,
            (Some(ports), true) => match newcomer.leg.negotiate(ctx, self.id, ports) {
                Ok(()) => {
                    self.take_place(ctx, newcomer);
                    return;
                }
                Err(refused) => refused.status,
            },
        };
        newcomer.leg.close(ctx, self.id, status);
        self.newcomer = Some(newcomer);
        self.sweep_newcomer(ctx);
    }

    fn still_replaceable(&self, newcomer: &Newcomer) -> bool {
        let leg = newcomer.replaces;
        self.is_in_talk(leg) || self.legs.get(&leg).is_some_and(|leg| leg.is_awaited())
    }

    fn take_place(&mut self, ctx: &mut Context, newcomer: Newcomer) {
        let Newcomer {
            mut leg,
            operator,
            replaces,
        } = newcomer;
        let (id, after) = (leg.id, ctx.last_event());
        leg.accept(ctx, after);
        let mut party = leg.detach(ctx, Who::Came { operator });
        let talking = self.peer_of(replaces);
        // The same operator at another telephone is bound as before.
        party.engagement = match talking {
            Some(_) => self.take_engagement(replaces),
            None => Some(Engagement::begin(ctx, operator)),
        };
        self.legs.insert(id, Box::new(party));
        if let Some(stays) = talking {
            self.end_segment(ctx, replaces, EndedBy::Operator);
            self.first = stays;
            self.state = State::Opening;
            self.hang_up_leg(ctx, replaces);
            self.start_segment(ctx, id, None, self.recorded);
            return;
        }
        self.pick_up(ctx, id, replaces);
    }

    /// What rang at a colleague's is answered here.
    fn pick_up(&mut self, ctx: &mut Context, id: LegId, ringing: LegId) {
        match self.state.clone() {
            State::Queued { name, recorded, .. } => {
                self.withdraw_offers(ctx, OfferResult::Withdrawn);
                ctx.acd.handle(ctx.now, acd::Input::Left { call: self.id });
                self.left_queue(ctx, name, QueueOutcome::Answered);
                self.start_segment(ctx, id, None, recorded);
            }
            State::Reaching { .. } if self.is_reached(ringing) => {
                self.take_back(ctx, ringing, OfferResult::Withdrawn);
                self.reached(ctx, id);
            }
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Asking(_)
            | State::Waiting(_)
            | State::Leaving(_)
            | State::Reaching { .. }
            | State::Referred
            | State::Talking { .. }
            | State::Ended => self.hang_up_leg(ctx, id),
        }
    }

    pub(super) fn take_engagement(&mut self, leg: LegId) -> Option<Engagement> {
        if leg == self.caller.id {
            return self.caller_engagement.take();
        }
        self.legs.get_mut(&leg)?.engagement.take()
    }

    /// The INVITE of the newcomer was cancelled, or the call ended.
    pub(super) fn newcomer_goes(&mut self, ctx: &mut Context, status: u16) {
        let call = self.id;
        if let Some(newcomer) = &mut self.newcomer {
            newcomer.leg.close(ctx, call, status);
        }
        self.sweep_newcomer(ctx);
    }

    /// The operator who is to take another's place by this leg.
    pub(super) fn newcomer_at(&self, leg: LegId) -> Option<OperatorId> {
        let newcomer = self.newcomer.as_ref()?;
        (newcomer.leg.id == leg).then_some(newcomer.operator)
    }

    pub(super) fn is_newcomer(&self, leg: LegId) -> bool {
        self.newcomer
            .as_ref()
            .is_some_and(|newcomer| newcomer.leg.id == leg)
    }

    pub(super) fn newcomer_media_closed(&mut self, ctx: &mut Context) {
        if let Some(newcomer) = &mut self.newcomer {
            newcomer.leg.media = MediaState::Closed;
        }
        self.sweep_newcomer(ctx);
    }

    fn sweep_newcomer(&mut self, ctx: &mut Context) {
        if let Some(newcomer) = &mut self.newcomer
            && newcomer.leg.is_gone()
        {
            newcomer.leg.forget(ctx);
            ctx.dialogs.remove(&newcomer.leg.dialog.id());
            self.newcomer = None;
        }
    }
}
