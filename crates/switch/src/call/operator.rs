//! Owns the operators' legs: the UAC side of an offer (RFC 3261 §13.2) and of the talk after it.

use dialplan::Happened;
use sip::{ClientTx, Dialog, Message, Method};
use vocab::media::{MediaCommand, RecordingKey};
use vocab::{CallId, EndedBy, Fact, LegId, OfferId, OfferResult, OperatorId, QueueOutcome};

use super::leg::{Description, MediaState, next_hop};
use super::ring::{Sent, Telephone};
use super::{Call, State};
use crate::context::{Context, Owner};

/// The SIP side of the leg.
///
/// | state      | 1xx       | 2xx            | other final  | time-out     | offer withdrawn | talk ends | BYE    |
/// |------------|-----------|----------------|--------------|--------------|-----------------|-----------|--------|
/// | Preparing  | -         | -              | -            | -            | Closed          | -         | -      |
/// | Inviting   | Inviting  | Talking, ACK   | Closed       | Closed       | Cancelling      | -         | -      |
/// | Cancelling | -         | Closing, ACK   | Closed       | Closed       | -               | -         | -      |
/// | Talking    | -         | -              | -            | -            | -               | Closing   | Closed |
/// | Closing    | -         | Closed (BYE's) | Closed       | Closed       | -               | -         | Closed |
/// | Closed     | -         | -              | -            | -            | -               | -         | -      |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sip {
    /// The media plane was asked for a socket; no INVITE is out.
    Preparing,
    /// The INVITE is out.
    Inviting { tx: ClientTx },
    /// The offer is over; the INVITE's final answer is awaited.
    Cancelling { tx: ClientTx },
    /// The operator answered.
    Talking,
    /// Our BYE is out.
    Closing { tx: ClientTx },
    /// Over.
    Closed,
}

pub(crate) struct OperatorLeg {
    pub(super) operator: OperatorId,
    pub(super) sip: Sip,
    pub(super) media: MediaState,
    pub(super) dialog: Option<Dialog>,
    pub(super) description: Option<Description>,
    pub(super) late_answer: bool,
    offer: OfferId,
    /// The INVITEs that went out, the newest last: one for each telephone that was tried.
    pub(super) invites: Vec<Sent>,
    pub(super) telephone: Telephone,
}

impl OperatorLeg {
    /// Forgets what the engine remembers for the leg.
    pub(super) fn forget(&self, ctx: &mut Context) {
        for sent in &self.invites {
            ctx.forget_client(sent.tx);
        }
    }

    fn is_gone(&self) -> bool {
        self.sip == Sip::Closed && self.media == MediaState::Closed
    }

    fn close_media(&mut self, ctx: &mut Context, call: CallId, leg: LegId) {
        if matches!(self.media, MediaState::Opening | MediaState::Open(_)) {
            ctx.media(MediaCommand::Close { call, leg });
            self.media = MediaState::Closing;
        }
    }

    fn bye(&mut self, ctx: &mut Context, owner: Owner) {
        let Some(dialog) = &mut self.dialog else {
            self.sip = Sip::Closed;
            return;
        };
        let bye = dialog.request(Method::Bye);
        let flow = next_hop(dialog);
        self.sip = Sip::Closing {
            tx: ctx.request(owner, flow, bye),
        };
    }

    /// The SIP side is over: forget its dialog.
    pub(super) fn closed(&mut self, ctx: &mut Context) {
        if let Sip::Inviting { tx } | Sip::Cancelling { tx } | Sip::Closing { tx } = self.sip {
            ctx.forget_client(tx);
        }
        if let Some(dialog) = &self.dialog {
            ctx.dialogs.remove(&dialog.id());
        }
        self.sip = Sip::Closed;
    }
}

/// What a final answer other than 2xx means for the ACD.
fn result_of(status: u16) -> OfferResult {
    match status {
        486 | 600 => OfferResult::Busy,
        // A redirection is a person's wish not to answer here; we do not follow it.
        300..=399 | 403 | 603..=699 => OfferResult::Rejected,
        _ => OfferResult::Unreachable,
    }
}

impl Call {
    /// The ACD offers the call to an operator.
    pub(crate) fn offer(
        &mut self,
        ctx: &mut Context,
        offer: OfferId,
        operator: OperatorId,
        why: String,
    ) {
        let telephone = Telephone::next(ctx, operator, &[]);
        let named = ctx.operator_ref(operator);
        let State::Queued { name, .. } = &self.state else {
            ctx.bug("an offer for a call that waits in no queue", Some(self.id));
            ctx.acd.handle(ctx.now, acd::Input::Left { call: self.id });
            return;
        };
        let (Some(named), Some(telephone)) = (named, telephone) else {
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
            why,
        });
        let leg = ctx.leg_id();
        ctx.media(MediaCommand::Open { call: self.id, leg });
        self.legs.insert(
            leg,
            OperatorLeg {
                operator,
                sip: Sip::Preparing,
                media: MediaState::Opening,
                dialog: None,
                description: None,
                late_answer: false,
                offer,
                invites: Vec::new(),
                telephone,
            },
        );
    }

    pub(super) fn operator_media_failed(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.media = MediaState::Closed;
        if leg.sip == Sip::Preparing {
            leg.sip = Sip::Closed;
            // Our want of a port is not the operator's silence.
            self.offer_failed(ctx, id, OfferResult::Withdrawn, None);
        }
        self.sweep(ctx, id);
    }

    pub(super) fn operator_media_closed(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if leg.media != MediaState::Closing {
            ctx.bug("the media plane closed a leg unasked", Some(self.id));
        }
        leg.media = MediaState::Closed;
        self.sweep(ctx, id);
    }

    /// An answer to a request of ours on an operator's leg.
    pub(crate) fn operator_response(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let status = response.status().unwrap_or_default();
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if leg.is_stray(status, tx, response) {
            self.hang_up_stray(ctx, id, tx, response);
            return;
        }
        match leg.sip {
            Sip::Inviting { tx: awaited } if awaited == tx => match status {
                0..=199 => {
                    let offer = leg.offer;
                    ctx.acd.handle(ctx.now, acd::Input::Ringing { offer });
                }
                200..=299 => self.operator_answered(ctx, id, tx, response),
                _ => {
                    leg.closed(ctx);
                    // A telephone that cannot be reached is not the operator's word.
                    let result = result_of(status);
                    if result != OfferResult::Unreachable || !self.ring_next(ctx, id) {
                        self.offer_failed(ctx, id, result, Some(status));
                    }
                }
            },
            Sip::Cancelling { tx: awaited } if awaited == tx => match status {
                0..=199 => {}
                // The answer crossed our CANCEL (RFC 3261 §9.1): accept it, then hang up.
                200..=299 => {
                    if self.acknowledge(ctx, id, tx, response)
                        && let Some(leg) = self.legs.get_mut(&id)
                    {
                        leg.bye(
                            ctx,
                            Owner {
                                call: self.id,
                                leg: id,
                            },
                        );
                    }
                }
                _ => leg.closed(ctx),
            },
            Sip::Closing { tx: awaited } if awaited == tx && status >= 200 => leg.closed(ctx),
            // A late answer of something that is over.
            Sip::Preparing
            | Sip::Inviting { .. }
            | Sip::Cancelling { .. }
            | Sip::Talking
            | Sip::Closing { .. }
            | Sip::Closed => {}
        }
        self.sweep(ctx, id);
    }

    /// No final answer came to a request of ours on an operator's leg.
    pub(crate) fn operator_timed_out(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx) {
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
                    self.offer_failed(ctx, id, OfferResult::Unreachable, None);
                }
            }
            Sip::Cancelling { tx: awaited } | Sip::Closing { tx: awaited } if awaited == tx => {
                leg.closed(ctx);
            }
            Sip::Preparing
            | Sip::Inviting { .. }
            | Sip::Cancelling { .. }
            | Sip::Talking
            | Sip::Closing { .. }
            | Sip::Closed => {}
        }
        self.sweep(ctx, id);
    }

    /// The ACD takes an offer back.
    pub(crate) fn withdraw(&mut self, ctx: &mut Context, offer: OfferId, result: OfferResult) {
        let open = |leg: &OperatorLeg| {
            leg.offer == offer && matches!(leg.sip, Sip::Preparing | Sip::Inviting { .. })
        };
        let Some(id) = self
            .legs
            .iter()
            .find(|(_, leg)| open(leg))
            .map(|(id, _)| *id)
        else {
            // This call took it back itself, when the caller hung up.
            return;
        };
        self.cancel(ctx, id, result);
    }

    /// Takes back all offers that ring.
    pub(super) fn withdraw_offers(&mut self, ctx: &mut Context, result: OfferResult) {
        let open: Vec<LegId> = self
            .legs
            .iter()
            .filter(|(_, leg)| matches!(leg.sip, Sip::Preparing | Sip::Inviting { .. }))
            .map(|(id, _)| *id)
            .collect();
        for id in open {
            self.cancel(ctx, id, result);
        }
    }

    fn cancel(&mut self, ctx: &mut Context, id: LegId, result: OfferResult) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let offer = leg.offer;
        ctx.record(Fact::OfferEnded {
            call: self.id,
            offer,
            result,
            status: None,
        });
        match leg.sip {
            Sip::Inviting { tx } => {
                ctx.cancel(tx);
                leg.sip = Sip::Cancelling { tx };
            }
            Sip::Preparing => leg.sip = Sip::Closed,
            Sip::Cancelling { .. } | Sip::Talking | Sip::Closing { .. } | Sip::Closed => {}
        }
        leg.close_media(ctx, self.id, id);
    }

    /// The operator could not or would not take it: on to the next.
    pub(super) fn offer_failed(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        result: OfferResult,
        status: Option<u16>,
    ) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let offer = leg.offer;
        leg.close_media(ctx, self.id, id);
        ctx.record(Fact::OfferEnded {
            call: self.id,
            offer,
            result,
            status,
        });
        ctx.acd
            .handle(ctx.now, acd::Input::Failed { offer, result });
    }

    /// ACK and dialog for a 2xx. If it makes no dialog the leg is closed, and this says false.
    fn acknowledge(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let dialog = leg.dialog_of(tx, response);
        let Some(dialog) = dialog else {
            tracing::warn!(call = %self.id, "an operator's 2xx makes no dialog");
            leg.closed(ctx);
            return false;
        };
        let number = response.cseq().map_or(1, |cseq| cseq.number);
        ctx.ack(tx, next_hop(&dialog), dialog.ack(number));
        ctx.dialogs.insert(
            dialog.id(),
            Owner {
                call: self.id,
                leg: id,
            },
        );
        leg.dialog = Some(dialog);
        true
    }

    fn operator_answered(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        if !self.acknowledge(ctx, id, tx, response) {
            self.offer_failed(ctx, id, OfferResult::Unreachable, response.status());
            return;
        }
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let remote = leg
            .description
            .as_ref()
            .and_then(|description| sdp::accept(&response.body, &description.local()).ok());
        let (State::Queued { name, recorded, .. }, Some(remote)) = (self.state.clone(), remote)
        else {
            tracing::warn!(call = %self.id, "an operator's answer has no audio that fits");
            leg.bye(
                ctx,
                Owner {
                    call: self.id,
                    leg: id,
                },
            );
            self.offer_failed(ctx, id, OfferResult::Unreachable, response.status());
            return;
        };
        let (offer, operator) = (leg.offer, leg.operator);
        leg.sip = Sip::Talking;
        ctx.acd.handle(ctx.now, acd::Input::Accepted { offer });
        ctx.media(MediaCommand::SetRemote {
            call: self.id,
            leg: id,
            remote,
        });
        self.start_segment(ctx, id, operator, offer, name, recorded);
    }

    fn start_segment(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        operator: OperatorId,
        offer: OfferId,
        queue: String,
        recorded: bool,
    ) {
        let call = self.id;
        let Some(named) = ctx.operator_ref(operator) else {
            ctx.bug("an operator answered whom nobody knows", Some(call));
            return;
        };
        self.segments += 1;
        ctx.counts.talking += 1;
        let segment = self.segments;
        if segment == 1 {
            ctx.counts.answered += 1;
        }
        let result = OfferResult::Answered;
        ctx.record(Fact::OfferEnded {
            call,
            offer,
            result,
            status: Some(200),
        });
        ctx.record(Fact::QueueLeft {
            call,
            queue,
            outcome: QueueOutcome::Answered,
        });
        ctx.record(Fact::SegmentStarted {
            call,
            segment,
            operator: named,
            offer,
            recorded,
        });
        let record = recorded.then_some(RecordingKey { call, segment });
        ctx.media(MediaCommand::Bridge {
            call,
            caller: self.caller.id,
            operator: leg,
            record,
        });
        self.state = State::Talking { leg };
        self.segment_ended_by = None;
        tracing::info!(call = %call, operator = operator.0, segment, "operator answered");
    }

    /// BYE of an operator.
    pub(super) fn operator_hung_up(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.closed(ctx);
        if self.state == (State::Talking { leg: id }) {
            self.end_segment(ctx, id, EndedBy::Operator);
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.close_media(ctx, self.id, id);
            }
            self.state = State::Opening;
            self.advance(ctx, Happened::TalkEnded);
        }
    }

    /// Hangs up on every operator of the call.
    pub(super) fn close_operators(&mut self, ctx: &mut Context) {
        let ids: Vec<LegId> = self.legs.keys().copied().collect();
        for id in ids {
            let Some(leg) = self.legs.get_mut(&id) else {
                continue;
            };
            if leg.sip == Sip::Talking {
                leg.bye(
                    ctx,
                    Owner {
                        call: self.id,
                        leg: id,
                    },
                );
            }
            leg.close_media(ctx, self.id, id);
            self.sweep(ctx, id);
        }
    }

    /// Removes a leg of which nothing is left.
    pub(super) fn sweep(&mut self, ctx: &mut Context, id: LegId) {
        if self.legs.get(&id).is_some_and(OperatorLeg::is_gone)
            && let Some(leg) = self.legs.remove(&id)
        {
            leg.forget(ctx);
        }
    }
}
