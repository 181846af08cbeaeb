//! Owns transfers that a trunk is asked to carry out: our REFER in the dialog of a caller whom it
//! brought, for a number that it would be called for (RFC 3515), and the news of it. The settings of
//! the trunk ask for it (`transfer = "refer"`): the talk that follows takes no place and no audio here.
//!
//! The caller is never dropped for it. Whatever goes wrong, the transfer is done as it always is, by
//! calling the target ourselves:
//!
//! | stage    | 2xx      | news 1xx         | news 2xx   | 401, 407     | other refusal, news from 300 on, silence |
//! |----------|----------|------------------|------------|--------------|------------------------------------------|
//! | Asked    | Accepted | more time        | Over, done | Asked, again | Over, done here                          |
//! | Accepted | -        | more time        | Over, done | -            | Over, done here                          |
//! | Over     | -        | -                | -          | -            | -                                        |
//!
//! News that comes when it is over gets 200 like all: a refusal might end the call of the caller.
//! News may come before the 2xx (RFC 3515 §2.4.4). A caller's BYE before the last news is a caller who
//! hung up: nothing tells it from a trunk that leaves early.

use core::time::Duration;

use sip::{ClientTx, HeaderName, Message, Method, NameAddr, ServerTx, refer};
use vocab::{EndedBy, LegId, Outcome};

use super::leg::decorate;
use super::{Call, State};
use crate::context::{ALLOW, Context, Timer, TimerKey};
use crate::destination::Destination;
use crate::trunk::{TransferBy, TrunkId};
use crate::way;

/// How long a trunk may take for the first news, its answer included: the caller hears music until
/// then. RFC 3515 §2.4.4 wants it at once; a lost datagram or four are made up for by then.
const NEWS_WITHIN: Duration = Duration::from_secs(10);

/// A transfer that the trunk of the caller was asked for.
pub(super) struct Referral {
    destination: Destination,
    stage: Stage,
    /// Sequence number of the REFER: the id of its news (RFC 3515 §2.4.6).
    number: u32,
    /// The operator was told that the target rings.
    rings: bool,
    /// The trunk has said that it works on it.
    begun: bool,
    timer: Option<TimerKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The REFER has no final answer.
    Asked { tx: ClientTx },
    /// It was accepted.
    Accepted,
    /// The trunk has done it, or we do it ourselves.
    Over,
}

/// What a NOTIFY says.
enum News {
    /// It goes on.
    Trying,
    /// The target rings.
    Rings,
    /// The target has the call.
    Done,
    /// It failed, or no more is told.
    Failed,
    /// Nothing that can be read.
    Nothing,
}

impl News {
    fn of(notify: &Message) -> Self {
        let state = notify.headers.first(&HeaderName::SubscriptionState);
        let state = state.and_then(|value| value.split(';').next());
        let last = state.is_some_and(|state| state.trim().eq_ignore_ascii_case("terminated"));
        match refer::fragment_status(&notify.body) {
            Some(200..=299) => Self::Done,
            Some(300..) => Self::Failed,
            Some(_) | None if last => Self::Failed,
            Some(180..=199) => Self::Rings,
            Some(_) => Self::Trying,
            None => Self::Nothing,
        }
    }
}

impl Call {
    /// Asks the trunk of the caller to carry the transfer out. False if that is not for it to do.
    pub(super) fn refer_to_trunk(&mut self, ctx: &mut Context, destination: &Destination) -> bool {
        let Some(target) = self.target_at_trunk(ctx, destination) else {
            return false;
        };
        self.referral = Some(Referral {
            destination: destination.clone(),
            stage: Stage::Over,
            number: 0,
            rings: false,
            begun: false,
            timer: None,
        });
        self.state = State::Referred;
        self.send_refer(ctx, target, false);
        self.wait_for_news(ctx, NEWS_WITHIN);
        self.play_music(ctx);
        true
    }

    /// The target as the trunk that brought the caller is to call it, if that trunk is to do so: its
    /// settings say so, and it would have the call anyway.
    fn target_at_trunk(&self, ctx: &Context, destination: &Destination) -> Option<NameAddr> {
        let Destination::Outer { number } = destination else {
            return None;
        };
        if self.first != self.caller.id || !self.is_confirmed(self.first) {
            return None;
        }
        let trunk = self.trunk_of_caller()?;
        if ctx.trunks.by_id(trunk)?.transfer != TransferBy::Refer {
            return None;
        }
        let ways = way::trunks(ctx, number, &self.shown()).ok()?;
        let first = ways.first()?.first()?;
        let same = first.trunk().is_some_and(|way| way.trunk == trunk);
        same.then(|| NameAddr::new(first.target.clone()))
    }

    fn trunk_of_caller(&self) -> Option<TrunkId> {
        let account = self.caller.session.account.as_ref()?;
        Some(account.home().trunk)
    }

    /// `again`: a challenge to the last one was answered just now.
    fn send_refer(&mut self, ctx: &mut Context, target: NameAddr, again: bool) {
        let owner = self.owner(self.caller.id);
        let dialog = &mut self.caller.dialog;
        let mut request = dialog.request(Method::Refer);
        request
            .headers
            .push(HeaderName::ReferTo, target.to_string());
        // RFC 3892 §3: as the trunk knows us. Which operator it was is no business of its.
        let by = NameAddr::new(dialog.local.uri.clone());
        request.headers.push(HeaderName::ReferredBy, by.to_string());
        decorate(ctx, &dialog.next_flow(), dialog.secure, &mut request);
        // RFC 3515 §2.4.4: whoever refers takes NOTIFY.
        request
            .headers
            .set(HeaderName::Allow, format!("{ALLOW}, NOTIFY"));
        let number = dialog.local_cseq;
        let session = &mut self.caller.session;
        let tx = session.send(ctx, Some(owner), dialog, (request, again));
        if let Some(referral) = &mut self.referral {
            referral.stage = Stage::Asked { tx };
            referral.number = number;
        }
    }

    fn wait_for_news(&mut self, ctx: &mut Context, time: Duration) {
        self.stop_waiting_for_news(ctx);
        let key = ctx.set_timer(self.id, time, Timer::Referral);
        self.timers.push(key);
        if let Some(referral) = &mut self.referral {
            referral.timer = Some(key);
        }
    }

    fn stop_waiting_for_news(&mut self, ctx: &mut Context) {
        let timer = self.referral.as_mut().and_then(|one| one.timer.take());
        ctx.clear_timers(timer.as_slice());
        self.timers.retain(|key| Some(*key) != timer);
    }

    /// An answer to our REFER; says whether it was one.
    pub(crate) fn referral_answered(
        &mut self,
        ctx: &mut Context,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let Some(referral) = self.referral_of(tx) else {
            return false;
        };
        let status = response.status().unwrap_or_default();
        match status {
            0..=199 => return true,
            200..=299 => {
                referral.stage = Stage::Accepted;
                ctx.forget_client(tx);
                return true;
            }
            300.. => {}
        }
        let destination = referral.destination.clone();
        let caller = &mut self.caller;
        let again = caller
            .session
            .is_challenged(ctx, tx, &caller.dialog, response);
        ctx.forget_client(tx);
        match self.target_at_trunk(ctx, &destination) {
            Some(target) if again => self.send_refer(ctx, target, true),
            Some(_) | None => {
                tracing::info!(call = %self.id, status, "a trunk does not transfer");
                self.transfer_here(ctx);
            }
        }
        true
    }

    /// No answer came to our REFER; says whether it was one.
    pub(crate) fn referral_timed_out(&mut self, ctx: &mut Context, tx: ClientTx) -> bool {
        if self.referral_of(tx).is_none() {
            return false;
        }
        self.transfer_here(ctx);
        true
    }

    /// The trunk has said nothing, or nothing more, for as long as it may.
    pub(super) fn no_news(&mut self, ctx: &mut Context) {
        tracing::info!(call = %self.id, "a trunk says nothing of a transfer");
        self.transfer_here(ctx);
    }

    fn referral_of(&mut self, tx: ClientTx) -> Option<&mut Referral> {
        let referral = self.referral.as_mut();
        referral.filter(|referral| referral.stage == Stage::Asked { tx })
    }

    /// Whether a NOTIFY on this leg is news of a transfer, be it one that is over.
    pub(crate) fn is_news(&self, leg: LegId, notify: &Message) -> bool {
        let referral = self.referral.as_ref();
        leg == self.caller.id && referral.is_some_and(|referral| referral.is_told_by(notify))
    }

    /// A NOTIFY of the trunk.
    pub(crate) fn on_news(&mut self, ctx: &mut Context, tx: ServerTx, notify: &Message) {
        if let Err(status) = self.caller.dialog.accept(notify) {
            ctx.refuse_known(tx, notify, status);
            return;
        }
        ctx.respond(tx, notify.respond(200, None));
        let referral = self.referral.as_mut();
        let Some(referral) = referral.filter(|one| one.stage != Stage::Over) else {
            return;
        };
        match News::of(notify) {
            News::Nothing => {}
            news @ (News::Trying | News::Rings) => {
                let first = !core::mem::replace(&mut referral.begun, true);
                let rings =
                    matches!(news, News::Rings) && !core::mem::replace(&mut referral.rings, true);
                if first {
                    // As long as whom we call ourselves may ring.
                    self.wait_for_news(ctx, ctx.settings.operator_calls.ring_time);
                }
                if rings {
                    self.notify(ctx, 180);
                }
            }
            News::Done => {
                self.forget_referral(ctx);
                self.transfer_done(ctx);
                let reason = "the trunk transferred the caller";
                self.end(ctx, Outcome::Answered, EndedBy::Operator, 0, reason);
            }
            News::Failed => self.transfer_here(ctx),
        }
    }

    /// The trunk does not do it: we call the target ourselves.
    fn transfer_here(&mut self, ctx: &mut Context) {
        self.forget_referral(ctx);
        let referral = self.referral.as_ref();
        let destination = referral.map(|referral| referral.destination.clone());
        if let (Some(destination), State::Referred) = (destination, &self.state) {
            self.state = State::Opening;
            self.carry_out(ctx, destination);
        }
    }

    /// Nobody waits any more for what the trunk does and tells.
    pub(super) fn forget_referral(&mut self, ctx: &mut Context) {
        self.stop_waiting_for_news(ctx);
        if let Some(referral) = &mut self.referral {
            if let Stage::Asked { tx } = referral.stage {
                ctx.forget_client(tx);
            }
            referral.stage = Stage::Over;
        }
    }
}

impl Referral {
    /// Whether a NOTIFY is of this REFER.
    fn is_told_by(&self, notify: &Message) -> bool {
        let event = notify.headers.first(&HeaderName::Event).unwrap_or_default();
        let mut parts = event.split(';').map(str::trim);
        let package = parts.next().unwrap_or_default();
        let id = parts.find_map(|part| part.strip_prefix("id="));
        let number = self.number.to_string();
        package.eq_ignore_ascii_case("refer") && id.is_none_or(|id| id == number)
    }
}
