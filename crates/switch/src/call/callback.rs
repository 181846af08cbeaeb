//! Owns the call that makes good a missed one. Nobody has called us, so its caller's leg is over from
//! the start and its first party is whom we call.

use dialplan::announcements::PROMISED;
use sip::{Dialog, Flow, HeaderName, Message, Method, Transport, Uri};
use vocab::{
    CallId, Callback, Direction, EndedBy, Fact, LegId, OfferId, OfferResult, Outcome, QueueId,
    QueueOutcome,
};

use super::reach::{Failure, Purpose};
use super::steps::{Place, told};
use super::{Call, CallerLeg, Course, State};
use crate::callbacks::Owed;
use crate::context::{Context, Timer};
use crate::destination::Destination;

impl Call {
    /// Promises the caller a callback in a queue, with the place that the call has there; says whether
    /// it was promised. The stay in the queue ends elsewhere, if there is one.
    pub(super) fn promise_callback(&mut self, ctx: &mut Context, queue: &str) -> bool {
        let place = self.place.as_ref().filter(|place| place.name == queue);
        let waited = place.map_or(core::time::Duration::ZERO, |place| {
            ctx.now.since(place.since)
        });
        let now = ctx.wall_at(ctx.now).as_unix_millis();
        let waited_ms = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
        let known = ctx.settings.queues.iter().find(|one| one.name == queue);
        let rules = known.and_then(|one| ctx.settings.callbacks.get(&one.id));
        let callback = Callback {
            queue: queue.to_owned(),
            number: self.caller_number.clone(),
            line: self.number.clone(),
            since: vocab::WallTime::from_unix_millis(now.saturating_sub(waited_ms)),
            priority: place.map_or(0, |place| place.priority),
            skills: place.map_or_else(Vec::new, |place| told(&place.skills)),
            language: self.language.clone(),
            recorded: place.is_some_and(|place| place.recorded),
            attempts_left: rules.cloned().unwrap_or_default().attempts,
        };
        let since = place.map_or(ctx.now, |place| place.since);
        let promised = ctx.promise(self.id, callback, since);
        if !promised {
            tracing::warn!(call = %self.id, queue, "a caller cannot be called back");
        }
        promised
    }

    /// The plan's caller chose to be called back. One who never was in the queue has been in it with
    /// that.
    pub(super) fn callback_chosen(&mut self, ctx: &mut Context, queue: &str) {
        if !self.promise_callback(ctx, queue) {
            return;
        }
        if self.place.as_ref().is_some_and(|place| place.name == queue) {
            return;
        }
        let (call, queue) = (self.id, queue.to_owned());
        ctx.record(Fact::QueueEntered {
            call,
            queue: queue.clone(),
            priority: 0,
            skills: Vec::new(),
        });
        let outcome = QueueOutcome::CallbackTaken;
        self.left_queue(ctx, queue, outcome);
    }

    /// The queue lets the call go, to be called back; else its plan goes on.
    pub(crate) fn queue_calls_back(
        &mut self,
        ctx: &mut Context,
        queue: QueueId,
        cause: acd::Cause,
    ) {
        let known = ctx.settings.queues.iter().find(|one| one.id == queue);
        let name = known.map(|known| known.name.clone());
        let promised = name.is_some_and(|name| self.promise_callback(ctx, &name));
        let outcome = if promised {
            // The plan has no word for it: the caller is told, and hung up on.
            self.tell_only(PROMISED);
            QueueOutcome::CallbackTaken
        } else {
            cause.outcome(&acd::Overflow::Plan)
        };
        self.queue_over(ctx, outcome, cause);
    }

    /// The call by which we call back, written into the journal; nobody is called yet.
    pub(crate) fn call_back(ctx: &mut Context, id: CallId, owed: &Owed) -> Self {
        let leg = ctx.leg_id();
        let Callback {
            queue,
            number,
            line,
            ..
        } = &owed.what;
        ctx.record(Fact::CallArrived {
            call: id,
            number: number.clone(),
            caller: line.clone(),
            caller_name: String::new(),
            trunk: format!("queue:{queue}"),
            plan: String::new(),
            sip_call_id: String::new(),
            direction: Direction::Outbound,
            operator: None,
            consults: None,
        });
        ctx.record(Fact::CallbackDialled {
            call: id,
            of: owed.of,
        });
        let caller = nobody(ctx, leg);
        ctx.counts.calls += 1;
        let longest = ctx.set_timer(id, ctx.settings.call_longest, Timer::Longest);
        tracing::info!(call = %id, of = %owed.of, queue, "a caller is called back");
        let within = |(skill, least): &(String, u8)| {
            acd::SkillNeed::within(
                skill,
                acd::Limits {
                    min: *least,
                    ..acd::Limits::ANY
                },
            )
        };
        let session = ctx.entropy.session();
        let mut call = Self::blank(ctx, id, session, caller, Course::Party(None));
        call.number.clone_from(number);
        call.caller_number.clone_from(line);
        call.trunk = format!("queue:{queue}");
        call.direction = Direction::Outbound;
        call.language.clone_from(&owed.what.language);
        call.timers = vec![longest];
        call.place = Some(Place {
            queue: owed.queue,
            name: queue.clone(),
            music: ctx.prompts.any_music(),
            priority: owed.what.priority,
            since: owed.since,
            recorded: owed.what.recorded,
            wait_recorded: false,
            skills: owed.what.skills.iter().map(within).collect(),
            owner: None,
            announce: None,
        });
        call
    }

    /// Calls the one who is owed it.
    pub(crate) fn dial_back(&mut self, ctx: &mut Context, number: &str, offer: OfferId) {
        let begun = match Destination::outer(ctx, number) {
            Ok(destination) => self.reach(ctx, &destination, Purpose::Callback { offer }),
            Err(status) => {
                tracing::warn!(call = %self.id, status, "no trunk takes a callback's number");
                Err(Failure::unreachable())
            }
        };
        if begun.is_err() {
            self.end(ctx, Outcome::Unreached, EndedBy::Engine, 480, NO_WAY);
            self.dialled_in_vain(ctx, offer, OfferResult::Unreachable);
        }
    }

    /// An operator is asked first: the call waits for one, at the place that is owed.
    pub(crate) fn await_operator(&mut self, owed: &Owed) {
        self.operator_first = true;
        self.state = State::Queued {
            queue: owed.queue,
            name: owed.what.queue.clone(),
            recorded: owed.what.recorded,
        };
    }

    /// Whether an operator is to answer before the number is dialled, and none has.
    pub(crate) const fn awaits_operator(&self) -> bool {
        self.operator_first && matches!(self.state, State::Queued { .. })
    }

    /// The operator answered: now the number is dialled. Who it is about is heard meanwhile, where the
    /// queue whispers.
    pub(super) fn dial_for_operator(&mut self, ctx: &mut Context, leg: LegId) {
        self.first = leg;
        self.state = State::Opening;
        if let Some(prompt) = self.whispered(ctx).front() {
            self.play(ctx, *prompt, false);
        }
        let number = self.number.clone();
        let destination = Destination::outer(ctx, &number);
        let begun = destination.map_err(|_| Failure::unreachable());
        let begun = begun.and_then(|to| self.reach(ctx, &to, Purpose::CallBack));
        if begun.is_err() {
            tracing::warn!(call = %self.id, "no trunk takes a callback's number");
            self.operator_dialled_in_vain(ctx);
            self.end(ctx, Outcome::Unreached, EndedBy::Engine, 480, NO_WAY);
        }
    }

    /// The operator waits in vain for the one who is called back: another attempt may follow.
    pub(super) fn operator_dialled_in_vain(&mut self, ctx: &mut Context) {
        let (call, reached) = (self.id, false);
        ctx.acd
            .handle(ctx.now, acd::Input::CallbackEnded { call, reached });
        ctx.callback_missed(call);
    }

    /// The call ends before an operator has answered. What is owed is owed on, under another name.
    pub(super) fn postpone_callback(&mut self, ctx: &mut Context) {
        self.withdraw_offers(ctx, OfferResult::Withdrawn);
        ctx.callback_postponed(self.id);
    }

    /// Nothing is owed here any more: a call that waits for an operator is over.
    pub(crate) fn not_needed(&mut self, ctx: &mut Context, why: &str) {
        if self.awaits_operator() {
            self.end(ctx, Outcome::Unreached, EndedBy::Engine, 480, why);
        }
    }

    /// The one called back was not reached: the ACD is told, and the attempt is over for it.
    pub(super) fn dialled_in_vain(
        &mut self,
        ctx: &mut Context,
        offer: OfferId,
        result: OfferResult,
    ) {
        ctx.acd
            .handle(ctx.now, acd::Input::Failed { offer, result });
        ctx.callback_missed(self.id);
    }

    /// The ACD does not want the number dialled any more.
    pub(crate) fn give_up_dialling(&mut self, ctx: &mut Context, by: EndedBy) {
        if let State::Reaching {
            purpose: Purpose::Callback { .. },
            ..
        } = self.state
        {
            self.end(ctx, Outcome::Unreached, by, 408, "nobody answered");
        }
    }

    /// The one called back answered, and waits at the old place while the operator rings.
    pub(super) fn called_back(&mut self, ctx: &mut Context, leg: LegId, offer: OfferId) {
        let call = self.id;
        self.first = leg;
        let Some(place) = self.place.clone() else {
            ctx.bug("a callback has no place", Some(call));
            return;
        };
        ctx.record(Fact::CallAnswered { call });
        self.entered_queue(ctx, &place, &place.skills);
        self.state = State::Queued {
            queue: place.queue,
            name: place.name,
            recorded: place.recorded,
        };
        if let Some(music) = place.music {
            self.play(ctx, music, true);
        }
        self.arm(ctx, leg);
        ctx.acd
            .handle(ctx.now, acd::Input::CallbackReached { offer });
    }
}

const NO_WAY: &str = "no trunk takes the number";

/// A caller's leg of a call that nobody made: over before it began. Its dialog is with nobody, and no
/// request ever belongs to it.
fn nobody(ctx: &mut Context, leg: LegId) -> CallerLeg {
    let local = ctx.settings.sockets.first().map(|(_, address)| *address);
    let local = local.unwrap_or_else(|| core::net::SocketAddr::from(([127, 0, 0, 1], 5060)));
    let flow = Flow {
        transport: Transport::Udp,
        local,
        remote: local,
    };
    let tag = ctx.entropy.tag();
    let uri = Uri::sip(None, sip::Host::Ip(local.ip()), Some(local.port()));
    let mut invite = Message::request(Method::Invite, uri.clone());
    let address = format!("<{uri}>");
    invite
        .headers
        .set(HeaderName::From, format!("{address};tag={tag}"));
    invite.headers.set(HeaderName::To, address.as_str());
    invite.headers.set(HeaderName::Contact, address.as_str());
    invite.headers.set(HeaderName::CallId, tag.as_str());
    invite.headers.set(HeaderName::CSeq, "1 INVITE");
    CallerLeg::absent(ctx, leg, Dialog::with_nobody(&tag, flow, uri), invite)
}
