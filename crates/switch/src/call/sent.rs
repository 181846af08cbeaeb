//! Owns the INVITEs of a leg that are out: whose answer is awaited, what their branches have said, and
//! what a way is told of its failure. Refuses to send them: `ring` does.

use core::time::Duration;

use sip::{ClientTx, Dialog, DialogId, Flow, Forks, HeaderName, Heard, Message};
use vocab::media::Remote;
use vocab::{OfferResult, Time};

use super::account::{Credentials, LegAccount};
use super::leg::Description;
use super::party::{PartyLeg, Sip};
use crate::context::{Context, Owner};
use crate::outgoing::Withdrawn;
use crate::way::{Next, Way};

/// Where an INVITE of ours stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its answer is awaited.
    Awaited,
    /// Nobody waits for it any more: it is cancelled, and its final answer has yet to come.
    Withdrawn,
    /// A final answer came, or none in time.
    Over,
}

/// An INVITE of ours.
pub(super) struct Sent {
    pub(super) tx: ClientTx,
    pub(super) at: Time,
    pub(super) stage: Stage,
    pub(super) way: Way,
    /// The flow of a telephone; a trunk's is known when it has answered.
    pub(super) flow: Option<Flow>,
    /// Without Via, and without what depends on the flow.
    pub(super) head: Message,
    /// What its credentials were made of, if it carried any.
    pub(super) credentials: Option<Credentials>,
    /// What its branches have said; there is more than one behind a forking proxy.
    forks: Option<Forks>,
    /// What we told branches that described themselves anew before they answered, by their tag.
    told: Vec<(String, Description)>,
}

impl Sent {
    pub(super) fn new(
        tx: ClientTx,
        at: Time,
        (way, flow): (Way, Option<Flow>),
        head: Message,
        credentials: Option<Credentials>,
    ) -> Self {
        Self {
            tx,
            at,
            stage: Stage::Awaited,
            way,
            flow,
            head,
            credentials,
            forks: None,
            told: Vec::new(),
        }
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.stage == Stage::Awaited
    }

    /// Whether a final answer is still to come.
    pub(super) fn is_open(&self) -> bool {
        self.stage != Stage::Over
    }

    /// Our account with the trunk that it went to, for requests within its dialogs.
    pub(super) fn account(&self, dialog: &Dialog) -> Option<LegAccount> {
        let trunk = self.way.trunk()?.trunk;
        let mut account = LegAccount::new(trunk, &dialog.flow, self.credentials.clone());
        account.invited_with(&self.head);
        Some(account)
    }

    /// The branches, once it is known where the INVITE went.
    pub(super) fn forks(&mut self, ctx: &Context) -> Option<&mut Forks> {
        if self.forks.is_none() {
            let flow = ctx.flow_of(self.tx).or(self.flow)?;
            self.forks = Some(Forks::new(self.head.clone(), flow));
        }
        self.forks.as_mut()
    }

    /// The branches that have said anything.
    pub(super) fn branches(&mut self) -> Option<&mut Forks> {
        self.forks.as_mut()
    }

    pub(super) fn has_call_id(&self, call_id: &str) -> bool {
        self.head.call_id() == Ok(call_id)
    }

    /// The first branch that rings, while the answer is awaited: our side's dialog.
    pub(super) fn ringing(&self) -> Option<DialogId> {
        let forks = self.forks.as_ref().filter(|_| self.is_awaited())?;
        forks.ids().next()
    }

    /// What a branch was told last, if it was told anything but the offer in the INVITE.
    pub(super) fn told(&self, tag: &str) -> Option<&Description> {
        let told = self.told.iter().find(|(of, _)| of == tag);
        told.map(|(_, description)| description)
    }

    /// A branch was told something new. There are no more of them than early dialogs.
    pub(super) fn tell(&mut self, tag: &str, description: Description) {
        self.told.retain(|(of, _)| of != tag);
        self.told.push((tag.to_owned(), description));
    }

    /// Sends a request whose answer is of no interest within a dialog that it made.
    pub(super) fn send(&mut self, ctx: &mut Context, dialog: &Dialog, mut request: Message) {
        let mut account = self.account(dialog);
        if let Some(account) = &mut account {
            account.show(ctx, dialog, &mut request);
            if let Some(credentials) = &mut self.credentials {
                // Each count is for one request, in whichever of its dialogs.
                credentials.uses = credentials.uses.saturating_add(1);
            }
        }
        let home = account.as_ref().map(LegAccount::home);
        ctx.request_within(None, (dialog, home), request);
    }

    /// Its early dialogs are over.
    fn forget_early(&self, ctx: &mut Context) {
        for id in self.forks.iter().flat_map(Forks::ids) {
            ctx.early_dialogs.remove(&id);
        }
    }

    fn settle(&mut self, ctx: &mut Context) {
        self.stage = Stage::Over;
        self.forget_early(ctx);
    }
}

impl PartyLeg {
    pub(super) fn sent(&mut self, tx: ClientTx) -> Option<&mut Sent> {
        self.invites.iter_mut().find(|sent| sent.tx == tx)
    }

    /// The INVITE with the early dialog that a request of the peer belongs to.
    pub(super) fn sent_of(&mut self, id: &DialogId) -> Option<&mut Sent> {
        let of = |sent: &&mut Sent| {
            let forks = sent.forks.as_ref();
            sent.is_open() && forks.is_some_and(|forks| forks.ids().any(|one| one == *id))
        };
        self.invites.iter_mut().find(of)
    }

    /// A final answer came to an INVITE, or none in time. Where it stood until then; `None` if it is
    /// no INVITE of the leg.
    pub(super) fn settle(&mut self, ctx: &mut Context, tx: ClientTx) -> Option<Stage> {
        let sent = self.sent(tx)?;
        let stage = sent.stage;
        sent.settle(ctx);
        Some(stage)
    }

    /// The ways by which an answer may come.
    pub(super) fn awaited_ways(&self) -> impl Iterator<Item = &Way> {
        let awaited = self.invites.iter().filter(|sent| sent.is_awaited());
        awaited.map(|sent| &sent.way)
    }

    /// Whether the answer to an INVITE is awaited.
    pub(super) fn is_any_awaited(&self) -> bool {
        self.invites.iter().any(Sent::is_awaited)
    }

    /// Whether a final answer to an INVITE is still to come.
    pub(super) fn is_any_open(&self) -> bool {
        self.invites.iter().any(Sent::is_open)
    }

    /// Takes one INVITE back (RFC 3261 §9.1).
    pub(super) fn withdraw(&mut self, ctx: &mut Context, tx: ClientTx) {
        if let Some(sent) = self.sent(tx).filter(|sent| sent.is_awaited()) {
            sent.stage = Stage::Withdrawn;
            ctx.cancel(tx, Withdrawn::Unwanted);
        }
    }

    /// Takes all INVITEs back.
    pub(super) fn withdraw_all(&mut self, ctx: &mut Context) {
        let why = match self.answered_elsewhere {
            true => Withdrawn::AnsweredElsewhere,
            false => Withdrawn::Unwanted,
        };
        for sent in self.invites.iter_mut().filter(|sent| sent.is_awaited()) {
            sent.stage = Stage::Withdrawn;
            ctx.cancel(sent.tx, why);
        }
    }

    /// Forgets what the engine remembers for the INVITEs.
    pub(super) fn forget_invites(&self, ctx: &mut Context) {
        for sent in &self.invites {
            sent.forget_early(ctx);
            ctx.forget_client(sent.tx);
        }
    }

    /// Nobody is called any more. While INVITEs are open, their answers are waited for.
    pub(super) fn give_up(&mut self, ctx: &mut Context) {
        self.withdraw_all(ctx);
        if self.is_any_open() {
            self.sip = Sip::Cancelling;
        } else {
            self.closed(ctx);
        }
    }

    /// The dialog that a 2xx to an INVITE of ours makes.
    pub(super) fn dialog_of(
        &mut self,
        ctx: &Context,
        tx: ClientTx,
        response: &Message,
    ) -> Option<Dialog> {
        self.sent(tx)?.forks(ctx)?.confirm(response)
    }

    /// What a 2xx describes, itself or by what was said before it (RFC 6337 §3.1.1).
    pub(super) fn described(&mut self, ctx: &Context, tx: ClientTx, response: &Message) -> Vec<u8> {
        let forks = self.sent(tx).and_then(|sent| sent.forks(ctx));
        forks.map_or_else(Vec::new, |forks| forks.description(response).to_vec())
    }

    /// Where the peer of an INVITE wants audio, if it has any that fits what it was offered: by the
    /// address on which that peer reaches us, which may be IPv4 for one and IPv6 for another.
    pub(super) fn accepted(&mut self, ctx: &Context, tx: ClientTx, body: &[u8]) -> Option<Remote> {
        let flow = self
            .sent(tx)
            .and_then(|sent| ctx.flow_of(tx).or(sent.flow))?;
        let offered = self.description.as_ref()?.at(ctx, &flow);
        offered.accept(body).ok()
    }

    /// A provisional answer: a reliable one is acknowledged, in the early dialog of its branch (RFC
    /// 3262 §4). What the PRACK is answered is of no interest: the INVITE's final answer decides.
    pub(super) fn progressed(
        &mut self,
        ctx: &mut Context,
        owner: Owner,
        tx: ClientTx,
        response: &Message,
    ) {
        let Some(forks) = self.sent(tx).and_then(|sent| sent.forks(ctx)) else {
            return;
        };
        let Heard::Progress { tag, prack } = forks.provisional(response) else {
            return;
        };
        let Some(dialog) = forks.early(&tag).map(|early| early.dialog.clone()) else {
            return;
        };
        ctx.early_dialogs.insert(dialog.id(), owner);
        if let (Some(prack), Some(sent)) = (prack, self.sent(tx)) {
            sent.send(ctx, &dialog, *prack);
        }
    }

    /// Whether an INVITE of ours has this Call-ID and one of these tags.
    pub(super) fn has_invited(&self, call_id: &str, tags: [&str; 2]) -> bool {
        self.invites.iter().any(|sent| {
            let tag = sent.head.from_tag().ok().flatten();
            sent.head.call_id() == Ok(call_id) && tag.is_some_and(|tag| tags.contains(&tag))
        })
    }

    /// A telephone that is silent, or never answers, is not registered any more: the state shown
    /// is the state there is, and its next REGISTER brings it back.
    pub(super) fn unregister(&mut self, ctx: &mut Context, tx: ClientTx) {
        let operator = self.who.operator();
        let Some(Sent { way, .. }) = self.sent(tx) else {
            return;
        };
        if let Some(trunk) = way.trunk() {
            ctx.trunks.silent(ctx.now, trunk);
        }
        let operator = operator.and_then(|id| ctx.operators.get(&id));
        if let Some(operator) = operator {
            if let Next::Telephone(flow) = &way.next {
                ctx.registrar
                    .forget_contact(&operator.login, &way.target, flow);
            }
            ctx.lines.silent(operator.id, &way.target);
            // Before the ACD hears that the operator is free of this call: it would offer the next one
            // to a telephone that is not there.
            ctx.tell_reachable(operator.id);
        }
    }

    /// Tells the trunk that it refused a call, for the time it wants to be left alone.
    pub(super) fn note_refusal(&mut self, ctx: &mut Context, tx: ClientTx, response: &Message) {
        let trunk = self.sent(tx).and_then(|sent| sent.way.trunk());
        if let (Some(trunk), Some(status)) = (trunk, response.status()) {
            let after = response.headers.first(&HeaderName::RetryAfter);
            let after = after.and_then(|value| {
                let seconds = value.split(['(', ';', ' ']).next().unwrap_or_default();
                seconds.trim().parse().ok()
            });
            let after = after.map(Duration::from_secs);
            ctx.trunks.refused(ctx.now, trunk, status, after);
        }
    }

    /// One of those who are called at once failed: of all that they say the strongest counts (RFC
    /// 3261 §16.7 step 6).
    pub(super) fn note_failure(&mut self, result: OfferResult, status: Option<u16>) {
        let strength = |(result, status): (OfferResult, Option<u16>)| {
            let global = status.is_some_and(|status| status >= 600);
            let chosen = match result {
                OfferResult::Rejected => 2,
                OfferResult::Busy => 1,
                OfferResult::Answered
                | OfferResult::NoAnswer
                | OfferResult::Unreachable
                | OfferResult::CallerGone
                | OfferResult::Withdrawn => 0,
            };
            (global, chosen, status.is_some())
        };
        let this = (result, status);
        if self
            .failure
            .is_none_or(|other| strength(this) > strength(other))
        {
            self.failure = Some(this);
        }
    }
}
