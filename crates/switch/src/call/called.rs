//! Owns what the called say to our INVITEs, and what comes of it for the leg: it rings, it is answered,
//! the next way is tried, it has failed. Refuses to decide what that means for the call: `offer` and
//! `reach` do.

use sip::{ClientTx, Message};
use vocab::media::MediaCommand;
use vocab::{LegId, OfferResult};

use super::leg::next_hop;
use super::party::Sip;
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
        if leg.is_stray(status, tx, response) {
            self.hang_up_stray(ctx, id, tx, response);
            return;
        }
        match leg.sip {
            Sip::Inviting { tx: awaited } if awaited == tx => {
                self.invite_answered(ctx, id, tx, response);
            }
            Sip::Cancelling { tx: awaited } if awaited == tx => match status {
                0..=199 => {}
                // The answer crossed our CANCEL (RFC 3261 §9.1): accept it, then hang up.
                200..=299 => {
                    if self.acknowledge(ctx, id, tx, response)
                        && let Some(leg) = self.legs.get_mut(&id)
                    {
                        leg.bye(ctx, owner);
                    }
                }
                _ => leg.closed(ctx),
            },
            Sip::Closing { tx: awaited } if awaited == tx && status >= 200 => leg.closed(ctx),
            // A late answer of something that is over.
            Sip::Preparing
            | Sip::Inviting { .. }
            | Sip::Cancelling { .. }
            | Sip::Accepted { .. }
            | Sip::Leaving { .. }
            | Sip::Confirmed
            | Sip::Closing { .. }
            | Sip::Closed => {}
        }
        self.sweep(ctx, id);
    }

    fn invite_answered(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx, response: &Message) {
        let status = response.status().unwrap_or_default();
        if let (300.., Some(leg)) = (status, self.legs.get(&id)) {
            leg.note_refusal(ctx, response);
        }
        match status {
            0..=199 => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.progressed(ctx, tx, response);
                }
                self.leg_rings(ctx, id, response);
            }
            200..=299 => self.leg_answered(ctx, id, tx, response),
            422 if self.ring_with_longer_session(ctx, id, response) => {}
            401 | 407 if self.answer_challenge(ctx, id, response) => {}
            _ if self.is_passed_over(id, status) && self.ring_next(ctx, id) => {}
            _ => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.closed(ctx);
                }
                self.leg_failed(ctx, id, result_of(status), Some(status));
            }
        }
    }

    /// Whether the next way is to be tried after this final answer. A telephone that is not there
    /// hides no other of the operator; what a person chose counts for all. A trunk that cannot carry
    /// the call is passed over, and what the called one or the number caused is no better elsewhere.
    fn is_passed_over(&self, id: LegId, status: u16) -> bool {
        match self.legs.get(&id).map(|leg| &leg.who) {
            Some(Who::Outer { .. }) => trunk::Way::is_passed_over(status) || status / 100 == 3,
            Some(Who::Offered { .. } | Who::Called { .. } | Who::Came { .. }) => {
                result_of(status) == OfferResult::Unreachable
            }
            None => false,
        }
    }

    /// No final answer came to a request of ours.
    pub(crate) fn leg_timed_out(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        match leg.sip {
            Sip::Inviting { tx: awaited } if awaited == tx => {
                leg.unregister(ctx);
                if !self.ring_next(ctx, id)
                    && let Some(leg) = self.legs.get_mut(&id)
                {
                    leg.closed(ctx);
                    self.leg_failed(ctx, id, OfferResult::Unreachable, None);
                }
            }
            Sip::Cancelling { tx: awaited } | Sip::Closing { tx: awaited } if awaited == tx => {
                leg.closed(ctx);
            }
            Sip::Preparing
            | Sip::Inviting { .. }
            | Sip::Cancelling { .. }
            | Sip::Accepted { .. }
            | Sip::Leaving { .. }
            | Sip::Confirmed
            | Sip::Closing { .. }
            | Sip::Closed => {}
        }
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
            Who::Came { .. } | Who::Outer { .. } => self.reach_failed(ctx, id, result, status),
        }
    }

    /// The peer of a leg rings (180) or lets itself be heard (183).
    fn leg_rings(&mut self, ctx: &mut Context, id: LegId, response: &Message) {
        match self.legs.get(&id).map(|leg| &leg.who) {
            Some(Who::Offered { offer, .. }) => {
                let offer = *offer;
                ctx.acd.handle(ctx.now, acd::Input::Ringing { offer });
            }
            Some(Who::Called { .. } | Who::Outer { .. }) => self.reached_rings(ctx, id, response),
            Some(Who::Came { .. }) | None => {}
        }
    }

    /// The peer of a leg answered.
    fn leg_answered(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx, response: &Message) {
        let owner = self.owner(id);
        if !self.acknowledge(ctx, id, tx, response) {
            self.leg_failed(ctx, id, OfferResult::Unreachable, response.status());
            return;
        }
        let offered = self
            .legs
            .get(&id)
            .is_some_and(|leg| matches!(leg.who, Who::Offered { .. }));
        let awaited = match &self.state {
            State::Queued { .. } => offered,
            State::Reaching { leg, .. } => *leg == id,
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Talking { .. }
            | State::Ended => false,
        };
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let body = leg.described(ctx, tx, response);
        let remote = leg
            .description
            .as_ref()
            .and_then(|description| sdp::accept(&body, &description.local()).ok());
        let (Some(remote), true) = (remote, awaited) else {
            tracing::warn!(call = %self.id, "an answer has no audio that fits");
            leg.bye(ctx, owner);
            self.leg_failed(ctx, id, OfferResult::Unreachable, response.status());
            return;
        };
        leg.sip = Sip::Confirmed;
        leg.remote = Some(remote);
        leg.session.confirmed(ctx.now, response, &remote);
        ctx.media(MediaCommand::SetRemote {
            call: self.id,
            leg: id,
            remote,
        });
        if offered {
            self.offer_accepted(ctx, id);
        } else {
            self.reached(ctx, id);
        }
    }

    /// ACK and dialog for a 2xx. If it makes no dialog the leg is closed, and this says false.
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
            leg.closed(ctx);
            return false;
        };
        let number = response.cseq().map_or(1, |cseq| cseq.number);
        ctx.ack(tx, next_hop(&dialog), dialog.ack(number));
        ctx.dialogs.insert(dialog.id(), owner);
        if let Some(description) = &mut leg.description {
            *description = description.at(ctx.media_address(&dialog.flow));
        }
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
