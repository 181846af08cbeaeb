//! Owns requests of a peer in an early dialog of an INVITE of ours: what a telephone that rings sends
//! before its 200 (RFC 3261 §12.2.2, RFC 3311 §5.2). Each branch behind a forking proxy has such a
//! dialog of its own.
//!
//! | method       | answer                                                                         |
//! |--------------|--------------------------------------------------------------------------------|
//! | UPDATE       | 200; with an offer before it has answered ours: 491                            |
//! | INFO, OPTIONS | as in a confirmed dialog                                                      |
//! | BYE          | 200, and the branch is over: not allowed (RFC 3261 §15), and clear all the same |
//! | INVITE       | 491: ours is under way (RFC 3261 §14.2)                                        |
//! | PRACK        | 481: it has no provisional answer of ours                                      |
//! | REFER        | 603: nobody talks yet                                                          |
//! | SUBSCRIBE    | 403: a subscription has a dialog of its own (RFC 6665 §4.5.2)                  |

use sip::{DialogId, Flow, Message, Method, ServerTx, Task};
use vocab::media::{MediaCommand, Remote};
use vocab::{LegId, OfferResult};

use super::leg::{Description, decorate};
use super::midcall::{self, Asked};
use super::{Call, State};
use crate::context::Context;

impl Call {
    /// A request of a peer that we invited and that has not answered yet.
    pub(crate) fn on_early_request(
        &mut self,
        ctx: &mut Context,
        (leg, id): (LegId, &DialogId),
        (tx, flow): (ServerTx, Flow),
        request: &Message,
    ) {
        let over = self.state == State::Ended && request.method() != Some(&Method::Bye);
        let sent = self.legs.get_mut(&leg).and_then(|leg| leg.sent_of(id));
        let early = sent
            .filter(|_| !over)
            .and_then(|sent| sent.branches()?.early(&id.remote_tag));
        let Some(early) = early else {
            ctx.refuse_known(tx, request, 481);
            return;
        };
        if let Err(status) = early.dialog.accept(request) {
            ctx.refuse_known(tx, request, status);
            return;
        }
        early.dialog.follow(flow);
        let secure = early.dialog.secure;
        if let Some(tags) = sip::session::unsupported(request) {
            ctx.refuse_unsupported(tx, request, tags);
            return;
        }
        if let Some(session) = self.session(leg) {
            session.note(request);
        }
        let asked = Asked {
            leg,
            tx,
            flow,
            secure,
            request,
        };
        match request.method() {
            Some(Method::Update) => self.on_early_update(ctx, &asked, id),
            Some(Method::Info) => self.on_info(ctx, &asked),
            Some(Method::Options) => midcall::on_options(ctx, &asked),
            Some(Method::Bye) => self.on_early_bye(ctx, &asked, id),
            Some(Method::Invite) => ctx.refuse_known(tx, request, 491),
            Some(Method::Prack) => ctx.refuse_known(tx, request, 481),
            Some(Method::Refer) => ctx.refuse_known(tx, request, 603),
            Some(
                Method::Ack
                | Method::Cancel
                | Method::Register
                | Method::Notify
                | Method::Message
                | Method::Publish,
            ) => ctx.refuse_known(tx, request, 405),
            Some(Method::Subscribe) => ctx.refuse_known(tx, request, 403),
            Some(Method::Other(_)) | None => ctx.refuse_known(tx, request, 501),
        }
    }

    fn on_early_update(&mut self, ctx: &mut Context, asked: &Asked<'_>, id: &DialogId) {
        let Asked { tx, request, .. } = *asked;
        let check = self.session(asked.leg).map(|one| one.timer.check(request));
        if let Some(Err(least)) = check {
            midcall::refuse_short_session(ctx, tx, request, least);
            return;
        }
        let described = match self.describe_early(ctx, asked, id) {
            Ok(described) => described,
            Err(Unfit::Now(refusal)) => {
                midcall::refuse_now(ctx, tx, request, refusal);
                return;
            }
            Err(Unfit::Description(refusal)) => {
                midcall::refuse_description(ctx, tx, request, refusal);
                return;
            }
        };
        let mut response = request.respond(200, None);
        decorate(ctx, &asked.flow, asked.secure, &mut response);
        if let Some((body, remote)) = described {
            response = response.with_body("application/sdp", body);
            self.heard_early_at(ctx, asked.leg, remote);
        }
        ctx.respond(tx, response);
    }

    /// Takes the offer of an UPDATE, if it holds one: our answer, and where the peer is then.
    fn describe_early(
        &mut self,
        ctx: &Context,
        asked: &Asked<'_>,
        id: &DialogId,
    ) -> Result<Option<(Vec<u8>, Remote)>, Unfit> {
        let nothing =
            || Unfit::Description(sdp::Refusal::NothingInCommon("nothing was offered".into()));
        let leg = self.legs.get_mut(&asked.leg).ok_or_else(nothing)?;
        let offered = leg.description.clone().map(|offered| {
            let mut said = offered.at(ctx, &asked.flow);
            said.offer();
            said
        });
        let sent = leg.sent_of(id).ok_or_else(nothing)?;
        let told: Option<Description> = sent.told(&id.remote_tag).cloned();
        let branches = sent.branches();
        let early = branches.and_then(|branches| branches.early(&id.remote_tag));
        let early = early.ok_or_else(nothing)?;
        let task = early
            .offers
            .update_came(!asked.request.body.is_empty())
            .map_err(Unfit::Now)?;
        if task != Task::Answer {
            early.dialog.refresh_target(asked.request);
            return Ok(None);
        }
        let answered = told.or(offered).ok_or_else(nothing).and_then(|mut local| {
            let answered = local.answer(&asked.request.body);
            answered
                .map(|answered| (local, answered))
                .map_err(Unfit::Description)
        });
        // Answered or refused, the offer is not open any more.
        early.offers.answered();
        let (local, answer) = answered?;
        early.dialog.refresh_target(asked.request);
        early.description.clone_from(&asked.request.body);
        sent.tell(&id.remote_tag, local);
        Ok(Some(answer))
    }

    /// Who is heard already is heard from elsewhere.
    fn heard_early_at(&mut self, ctx: &mut Context, leg: LegId, remote: Remote) {
        let call = self.id;
        if let Some(party) = self.legs.get_mut(&leg).filter(|party| party.early) {
            party.remote = Some(remote);
            ctx.media(MediaCommand::SetRemote { call, leg, remote });
        }
    }

    /// A telephone that rings hangs up instead of refusing.
    fn on_early_bye(&mut self, ctx: &mut Context, asked: &Asked<'_>, id: &DialogId) {
        ctx.respond(asked.tx, asked.request.respond(200, None));
        ctx.early_dialogs.remove(id);
        let Some(leg) = self.legs.get_mut(&asked.leg) else {
            return;
        };
        let Some(sent) = leg.sent_of(id) else {
            return;
        };
        let (invite, awaited) = (sent.tx, sent.is_awaited());
        let mut left = 0;
        if let Some(branches) = sent.branches() {
            branches.forget(&id.remote_tag);
            left = branches.ids().count();
        }
        // Another branch of the same INVITE may still answer.
        if awaited && left == 0 {
            leg.withdraw(ctx, invite);
            self.way_failed(ctx, asked.leg, OfferResult::Unreachable, Some(480));
            self.sweep(ctx, asked.leg);
        }
    }
}

/// Why an offer in an UPDATE is not taken.
enum Unfit {
    /// Something else is under way.
    Now(sip::Refusal),
    /// There is no audio in it that fits.
    Description(sdp::Refusal),
}
