//! Owns what the called say to our INVITEs, and what comes of it for the leg: it rings, it is answered,
//! the next way is tried, it has failed. Refuses to decide what that means for the call: `offer` and
//! `reach` do.

use sip::{ClientTx, Message};
use vocab::media::MediaCommand;
use vocab::{LegId, OfferResult};

use super::party::Sip;
use super::sent::Stage;
use super::who::Who;
use super::{Call, State};
use crate::context::Context;
use crate::trunk;

impl Call {
    /// An answer to a request of ours on a leg that is not the caller's.
    pub(crate) fn leg_response(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let status = response.status().unwrap_or_default();
        let owner = self.owner(id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let stage = if status < 200 {
            leg.sent(tx).map(|sent| sent.stage)
        } else {
            leg.settle(ctx, tx)
        };
        match (stage, status) {
            (Some(Stage::Awaited), _) => self.invite_answered(ctx, id, tx, response),
            // Of a telephone that was not the first, of one that was given up (RFC 3261 §9.1: it crossed
            // our CANCEL), or of another behind the same address (§13.2.2.4).
            (Some(Stage::Withdrawn | Stage::Over), 200..=299) => {
                self.hang_up_stray(ctx, id, tx, response);
            }
            (Some(Stage::Withdrawn | Stage::Over), _) => {}
            (None, _) => {
                if leg.sip == (Sip::Closing { tx }) && status >= 200 {
                    leg.bye_answered(ctx, owner, tx, response);
                }
            }
        }
        self.close_cancelled(ctx, id);
        self.sweep(ctx, id);
    }

    /// A leg that nobody waits for any more is over with its last INVITE.
    fn close_cancelled(&mut self, ctx: &mut Context, id: LegId) {
        if let Some(leg) = self.legs.get_mut(&id)
            && leg.sip == Sip::Cancelling
            && !leg.is_any_open()
        {
            leg.closed(ctx);
        }
    }

    fn invite_answered(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx, response: &Message) {
        let status = response.status().unwrap_or_default();
        let owner = self.owner(id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        match status {
            0..=199 => {
                leg.progressed(ctx, owner, tx, response);
                self.leg_rings(ctx, id, tx, response);
                return;
            }
            200..=299 => {
                self.leg_answered(ctx, id, tx, response);
                return;
            }
            300.. => leg.note_refusal(ctx, tx, response),
        }
        match status {
            422 if self.ring_with_longer_session(ctx, id, tx, response) => {}
            401 | 407 if self.answer_challenge(ctx, id, tx, response) => {}
            _ => self.way_failed(ctx, id, result_of(status), Some(status)),
        }
    }

    /// One of the ways that are tried at once has failed. While others are left the leg rings on, but
    /// for 6xx, which speaks for the party itself (RFC 3261 §16.7 step 5).
    pub(super) fn way_failed(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        result: OfferResult,
        status: Option<u16>,
    ) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.note_failure(result, status);
        if status.is_some_and(|status| status >= 600) {
            leg.withdraw_all(ctx);
        }
        if leg.sip != Sip::Inviting || leg.is_any_awaited() {
            return;
        }
        let (result, status) = leg.failure.take().unwrap_or((result, status));
        if self.is_passed_over(id, result, status) && self.ring_next(ctx, id) {
            return;
        }
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.give_up(ctx);
        }
        self.leg_failed(ctx, id, result, status);
    }

    /// Whether the next ways are to be tried after this. Telephones that are not there hide no other
    /// of the operator; what a person chose at one of them counts for all that would ring later. A
    /// trunk that cannot carry the call is passed over, and what the called one or the number caused
    /// is no better elsewhere.
    fn is_passed_over(&self, id: LegId, result: OfferResult, status: Option<u16>) -> bool {
        let Some(status) = status else {
            return true; // Silence.
        };
        match self.legs.get(&id).map(|leg| &leg.who) {
            Some(Who::Outer { .. }) => trunk::Way::is_passed_over(status) || status / 100 == 3,
            Some(
                Who::Offered { .. }
                | Who::Called { .. }
                | Who::Came { .. }
                | Who::Supervisor { .. },
            ) => result == OfferResult::Unreachable,
            None => false,
        }
    }

    /// No final answer came to a request of ours.
    pub(crate) fn leg_timed_out(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        match leg.settle(ctx, tx) {
            Some(Stage::Awaited) => {
                leg.unregister(ctx, tx);
                self.way_failed(ctx, id, OfferResult::Unreachable, None);
            }
            Some(Stage::Withdrawn | Stage::Over) => {}
            None => {
                if leg.sip == (Sip::Closing { tx }) {
                    leg.closed(ctx);
                }
            }
        }
        self.close_cancelled(ctx, id);
        self.sweep(ctx, id);
    }

    /// A leg that was being called did not come about.
    pub(super) fn leg_failed(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        result: OfferResult,
        status: Option<u16>,
    ) {
        let owner = self.owner(id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.close_media(ctx, owner);
        leg.release(ctx);
        match leg.who.clone() {
            Who::Offered { offer, .. } => self.offer_failed(ctx, offer, result, status),
            Who::Called { offer, .. } => {
                self.offer_ended(ctx, offer, result, status);
                self.reach_failed(ctx, id, result, status);
            }
            Who::Supervisor { .. } => self.supervisor_failed(ctx, result),
            Who::Came { .. } | Who::Outer { .. } => self.reach_failed(ctx, id, result, status),
        }
    }

    /// The peer of a leg rings (180) or lets itself be heard (183).
    fn leg_rings(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx, response: &Message) {
        match self.legs.get(&id).map(|leg| &leg.who) {
            Some(Who::Offered { offer, .. }) => {
                let offer = *offer;
                ctx.acd.handle(ctx.now, acd::Input::Ringing { offer });
            }
            Some(Who::Called { .. } | Who::Outer { .. }) => {
                self.reached_rings(ctx, id, tx, response)
            }
            // A supervisor's telephone rings for nobody else to hear.
            Some(Who::Supervisor { .. } | Who::Came { .. }) | None => {}
        }
    }

    /// The peer of a leg answered: the first one has the leg, and who else rings is told so.
    fn leg_answered(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx, response: &Message) {
        let offered = self
            .legs
            .get(&id)
            .is_some_and(|leg| matches!(leg.who, Who::Offered { .. }));
        let supervises = self.is_supervisor(id);
        let awaited = match &self.state {
            State::Queued { .. } => offered,
            State::Reaching { .. } => self.is_reached(id),
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Asking(_)
            | State::Waiting(_)
            | State::Leaving(_)
            | State::Referred
            | State::Talking { .. }
            | State::Ended => false,
        };
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let body = leg.described(ctx, tx, response);
        let remote = leg.accepted(ctx, tx, &body);
        let (Some(remote), true) = (remote, awaited || supervises) else {
            tracing::warn!(call = %self.id, "an answer has no audio that fits");
            self.hang_up_stray(ctx, id, tx, response);
            self.way_failed(ctx, id, OfferResult::Unreachable, response.status());
            return;
        };
        if !self.acknowledge(ctx, id, tx, response) {
            self.way_failed(ctx, id, OfferResult::Unreachable, response.status());
            return;
        }
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.answered_elsewhere = true;
        leg.withdraw_all(ctx);
        leg.sip = Sip::Confirmed;
        leg.remote = Some(remote);
        leg.session.confirmed(ctx.now, response, &remote);
        ctx.media(MediaCommand::SetRemote {
            call: self.id,
            leg: id,
            remote,
        });
        if supervises {
            self.supervisor_answered(ctx);
        } else if offered {
            self.offer_accepted(ctx, id);
        } else {
            self.reached(ctx, id);
        }
    }

    /// ACK and dialog for a 2xx; false if it makes no dialog.
    fn acknowledge(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let owner = self.owner(id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let Some(dialog) = leg.dialog_of(ctx, tx, response) else {
            tracing::warn!(call = %self.id, "a 2xx makes no dialog");
            return false;
        };
        let number = response.cseq().map_or(1, |cseq| cseq.number);
        leg.session.account = leg.sent(tx).and_then(|sent| sent.account(&dialog));
        let flow = ctx.flow_for_ack(&dialog);
        let mut ack = dialog.ack(number);
        if let Some(account) = &leg.session.account {
            account.show_in_ack(ctx, &flow, &mut ack);
        }
        ctx.ack(tx, flow, ack);
        ctx.dialogs.insert(dialog.id(), owner);
        let told = leg
            .sent(tx)
            .and_then(|sent| sent.told(&dialog.remote_tag).cloned());
        let description = match (told, &leg.description) {
            (Some(told), _) => Some(told),
            (None, Some(offered)) => {
                let mut said = offered.at(ctx, &dialog.flow);
                // As the INVITE had it: a refresh is to say the same again.
                said.offer();
                Some(said)
            }
            (None, None) => None,
        };
        leg.description = description;
        if let Some(description) = &mut leg.description {
            description.meet(&response.body);
        }
        leg.way = leg.sent(tx).map(|sent| sent.way.clone());
        leg.dialog = Some(dialog);
        true
    }
}

/// What a final answer other than 2xx means.
fn result_of(status: u16) -> OfferResult {
    match status {
        486 | 600 => OfferResult::Busy,
        // A redirection is a person's wish not to answer here; we do not follow it.
        300..=399 | 403 | 603..=699 => OfferResult::Rejected,
        _ => OfferResult::Unreachable,
    }
}
