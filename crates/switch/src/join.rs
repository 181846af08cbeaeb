//! Owns REFER and Replaces as they reach the switch, and the joining of two calls: an operator who
//! talks to a caller in one and to somebody else in another gives each to the other (RFC 3515,
//! RFC 3891).
//!
//! One call goes on, the other becomes part of it and ends. The one with somebody from outside goes
//! on; of two alike, the older. Its journal has a new segment; the other stays an entry of its own
//! with a link to it.

use sip::{DialogId, Flow, Message, Refer, Replaces, ServerTx};
use vocab::{OperatorId, TransferKind};

use crate::call::{Asked, Call};
use crate::context::Owner;
use crate::engine::Switch;

/// A REFER, and what it was read as.
struct Request<'a> {
    tx: ServerTx,
    message: &'a Message,
    refer: &'a Refer,
}

impl Switch {
    /// A REFER within a dialog.
    pub(crate) fn on_refer(&mut self, owner: Owner, tx: ServerTx, message: &Message) {
        let Some(call) = self.calls.get_mut(&owner.call) else {
            self.ctx.refuse(tx, message, 481);
            return;
        };
        let Some(refer) = call.take_refer(&mut self.ctx, owner.leg, tx, message) else {
            return;
        };
        match &refer.replaces {
            None => call.transfer_blind(&mut self.ctx, owner.leg, tx, message, &refer),
            Some(replaces) => {
                let other = self.dialog_of(replaces);
                let refer = &refer;
                self.attended(owner, other, &Request { tx, message, refer });
            }
        }
        self.sweep(owner.call);
    }

    /// The leg with the dialog that a Replaces means.
    fn dialog_of(&self, replaces: &Replaces) -> Option<Owner> {
        let find = |id: &DialogId| self.ctx.dialogs.get(id).copied();
        find(&replaces.dialog()).or_else(|| find(&replaces.dialog_mirrored()))
    }

    /// Whether a Replaces means a leg of ours.
    pub(crate) fn has_replaced(&self, replaces: &Replaces) -> bool {
        self.dialog_of(replaces).is_some() || self.ringing(replaces).is_some()
    }

    /// A transfer to the other party of another call of the same operator. What does not fit is
    /// refused, and the talk goes on as it was.
    fn attended(&mut self, owner: Owner, other: Option<Owner>, request: &Request<'_>) {
        let other = other.filter(|other| other.call != owner.call);
        let taken = other.and_then(|other| Some((other, self.calls.remove(&other.call)?)));
        let Some((other, mut consulted)) = taken else {
            self.ctx.refuse_known(request.tx, request.message, 404);
            return;
        };
        let ctx = &mut self.ctx;
        let near = ctx.media_name(owner.call) == ctx.media_name(other.call);
        if let Some(call) = self.calls.get_mut(&owner.call) {
            if call.operator_of(owner.leg) != consulted.operator_of(other.leg) {
                ctx.refuse_known(request.tx, request.message, 403);
            } else if consulted.is_conference() {
                ctx.refuse_known(request.tx, request.message, 603);
            } else if !near {
                ctx.refuse_known(request.tx, request.message, 488);
            } else if consulted.is_in_talk(other.leg) {
                self.join((owner, other), &mut consulted, request);
            } else {
                self.before_the_answer(owner, &mut consulted, request);
            }
        }
        self.add_call(consulted);
        self.sweep(other.call);
    }

    fn join(
        &mut self,
        (owner, other): (Owner, Owner),
        consulted: &mut Call,
        request: &Request<'_>,
    ) {
        let ctx = &mut self.ctx;
        let Some(call) = self.calls.get_mut(&owner.call) else {
            return;
        };
        let Request { tx, message, refer } = *request;
        let news = call.accept_refer(ctx, owner.leg, tx, message, refer);
        call.notify_of(ctx, owner.leg, news.as_deref(), 100);
        call.notify_of(ctx, owner.leg, news.as_deref(), 200);
        // Both parties stay, and the operator leaves both calls.
        if consulted.goes_on_rather_than(call) {
            give(ctx, (call, owner), (consulted, other));
        } else {
            give(ctx, (consulted, other), (call, owner));
        }
    }

    /// The operator did not wait for the answer of the consultation: it ends, and its target is called
    /// for the caller.
    fn before_the_answer(&mut self, owner: Owner, consulted: &mut Call, request: &Request<'_>) {
        let ctx = &mut self.ctx;
        let Some(call) = self.calls.get_mut(&owner.call) else {
            return;
        };
        let Request { tx, message, refer } = *request;
        let Some(destination) = consulted.still_reaching() else {
            ctx.refuse_known(tx, message, 480);
            return;
        };
        let asked = Asked {
            kind: TransferKind::Attended,
            target: destination.named(ctx),
            consultation: Some(consulted.id),
        };
        call.begin_transfer(ctx, owner.leg, (tx, message, refer), asked);
        consulted.give_up(ctx);
        call.carry_out(ctx, destination);
    }

    /// An operator's INVITE that is to take the place of somebody in a call (RFC 3891 §3): the same
    /// operator at another telephone, or one who picks up what rings at a colleague's.
    pub(crate) fn on_replacing(
        &mut self,
        (tx, flow, invite): (ServerTx, Flow, Message),
        operator: OperatorId,
        replaces: &Replaces,
    ) {
        let found = self.dialog_of(replaces).or_else(|| self.ringing(replaces));
        let call = found.and_then(|found| Some((found, self.calls.get_mut(&found.call)?)));
        let Some((found, call)) = call else {
            self.ctx.refuse_known(tx, &invite, 481);
            return;
        };
        match call.replaceable(found.leg, operator, replaces.early_only) {
            Ok(()) => call.replace(&mut self.ctx, (tx, flow, invite), operator, found.leg),
            Err(status) => self.ctx.refuse_known(tx, &invite, status),
        }
        self.sweep(found.call);
    }

    /// The leg of ours that rings with this Call-ID and tag.
    fn ringing(&self, replaces: &Replaces) -> Option<Owner> {
        self.calls.values().find_map(|call| {
            let leg = call.ringing_leg(replaces)?;
            Some(Owner { call: call.id, leg })
        })
    }
}

/// One call ends, and its party that is not the operator's leg given goes on in the other one.
fn give(
    ctx: &mut crate::context::Context,
    (from, from_owner): (&mut Call, Owner),
    (into, into_owner): (&mut Call, Owner),
) {
    let Some((leg, party)) = from.hand_over(ctx, from_owner.leg, into.id) else {
        return;
    };
    into.take_over(ctx, into_owner.leg, (leg, party), from.id);
}
