//! Owns the operators' telephones: registration, and one leg at a time each.
//!
//! | leg \ input | decides | CANCEL | ACK | talk over | BYE | silent |
//! |---|---|---|---|---|---|---|
//! | Ringing | 200 → Answered; 486, 603 → over; or rings on | 487 → over | - | - | - | - |
//! | Answered | - | - | → Up | - | 200 → Settling | - |
//! | Up | - | - | - | BYE → Closing | 200 → Settling | - |
//! | Closing | - | - | - | - | 200 | - |
//! | Settling | - | - | - | - | - | → over |

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use sip::{ClientTx, Dialog, DialogId, HeaderName, Message, Method, Output, ServerTx};
use vocab::Time;
use vocab::media::Side;

use crate::agent::{Agent, name_addr};
use crate::audio::Notice;
use crate::random::Random;
use crate::registering::Registration;
use crate::report::{Audio, OfferEnd, OfferReport, add};
use crate::settings::{OperatorAccount, OperatorBehaviour};
use crate::signalling::{Alarm, Shared, leg_key, number_of, refuse};
use crate::sockets::Seat;

/// What an operator does with an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Answer,
    Busy,
    Reject,
    RingOn,
}

/// One operator's telephone.
pub(crate) struct Telephone {
    pub(crate) account: OperatorAccount,
    pub(crate) registration: Registration,
    pub(crate) registered: bool,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) tag: String,
    leg: Option<u64>,
    pub(crate) choices: Random,
}

enum State {
    Ringing {
        tx: ServerTx,
        invite: Box<Message>,
        decision: Decision,
    },
    Answered {
        dialog: Box<Dialog>,
    },
    Up {
        dialog: Box<Dialog>,
    },
    Closing {
        tx: ClientTx,
    },
    Settling,
}

struct Leg {
    telephone: usize,
    tag: String,
    seat: Option<Seat>,
    state: State,
    sounding: bool,
    silenced: bool,
    talk: Option<Duration>,
    report: OfferReport,
}

/// All operators of a load.
pub(crate) struct Operators {
    pub(crate) agent: Agent,
    pub(crate) telephones: Vec<Telephone>,
    by_login: HashMap<String, usize>,
    legs: BTreeMap<u64, Leg>,
    next_leg: u64,
    by_tx: HashMap<ServerTx, u64>,
    by_bye: HashMap<ClientTx, u64>,
    pub(crate) by_register: HashMap<ClientTx, usize>,
    by_dialog: HashMap<DialogId, u64>,
    /// Call-IDs of INVITEs to which a telephone plays dead, the newest last.
    dead: (HashSet<String>, VecDeque<String>),
    pub(crate) unregistering: bool,
    pub(crate) reports: VecDeque<OfferReport>,
}

/// Remembered INVITEs to dead telephones: those of one retransmission period, by far.
const DEAD_MAX: usize = 10_000;

impl Operators {
    pub(crate) fn new(mut agent: Agent, accounts: Vec<OperatorAccount>, seed: u64) -> Self {
        let by_login = (0..)
            .zip(&accounts)
            .map(|(index, account)| (account.login.clone(), index))
            .collect();
        let telephones = (0_u64..)
            .zip(accounts)
            .map(|(index, account)| Telephone {
                account,
                registration: Registration::Idle,
                registered: false,
                call_id: format!("{}@load", agent.token()),
                cseq: 0,
                tag: agent.token(),
                leg: None,
                choices: Random::new(seed, 0x0b5e_0000_0000 + index),
            })
            .collect();
        Self {
            agent,
            telephones,
            by_login,
            legs: BTreeMap::new(),
            next_leg: 0,
            by_tx: HashMap::new(),
            by_bye: HashMap::new(),
            by_register: HashMap::new(),
            by_dialog: HashMap::new(),
            dead: (HashSet::new(), VecDeque::new()),
            unregistering: false,
            reports: VecDeque::new(),
        }
    }

    /// Ends the legs and the registrations; true when nothing is left.
    pub(crate) fn stop(&mut self, now: Time, shared: &mut Shared) -> bool {
        if !self.legs.is_empty() {
            // Their callers have hung up: the engine is about to end them.
            return false;
        }
        if !self.unregistering {
            self.unregistering = true;
            for index in 0..self.telephones.len() {
                if self
                    .telephones
                    .get(index)
                    .is_some_and(|telephone| telephone.registered)
                {
                    self.register(now, index);
                }
            }
        }
        let _ = shared;
        self.by_register.is_empty()
    }

    /// Reads the socket; a telephone that plays dead does not even receive.
    pub(crate) fn read(&mut self, now: Time, shared: &mut Shared) {
        let Self {
            agent,
            telephones,
            by_login,
            dead,
            reports,
            ..
        } = self;
        agent.read(now, |message| {
            let Ok(call_id) = message.call_id() else {
                return false;
            };
            if dead.0.contains(call_id) {
                return true;
            }
            let invite = message.method() == Some(&Method::Invite)
                && DialogId::of_incoming(message).is_none();
            let user = message.request_uri().and_then(|uri| uri.user.as_deref());
            let telephone = user
                .and_then(|user| by_login.get(user))
                .and_then(|index| telephones.get_mut(*index));
            let Some(telephone) = telephone.filter(|telephone| invite && telephone.leg.is_none())
            else {
                return false;
            };
            let behaviour = telephone
                .account
                .behaviour
                .unwrap_or(shared.settings.behaviour);
            if behaviour.dead <= 0.0 || telephone.choices.unit() >= behaviour.dead {
                return false;
            }
            remember(dead, call_id);
            let report = offer_report(&telephone.account.login, message, now, OfferEnd::Dead);
            reports.push_back(report);
            true
        });
    }

    pub(crate) fn alarm(&mut self, now: Time, alarm: Alarm, shared: &mut Shared) {
        match alarm {
            Alarm::Register(index) => {
                if !self.unregistering {
                    self.register(now, index);
                }
            }
            Alarm::Decide(leg) => self.decide(now, leg, shared),
            Alarm::OperatorHangsUp(leg) => self.hang_up(now, leg, shared),
            // The callers' alarms.
            Alarm::Place | Alarm::GiveUp(_) | Alarm::CallerHangsUp(_) => {}
        }
    }

    pub(crate) fn happened(&mut self, now: Time, happened: Output, shared: &mut Shared) {
        match happened {
            Output::Request {
                tx, ref request, ..
            } => match request.method() {
                Some(Method::Invite) if DialogId::of_incoming(request).is_none() => {
                    self.invited(now, tx, request, shared);
                }
                Some(_) => self.in_dialog(now, &happened, shared),
                None => {}
            },
            Output::Ack { tx, .. } => self.acknowledged(now, tx, shared),
            Output::Cancelled { tx } => {
                let Some(leg) = self.by_tx.get(&tx).copied() else {
                    return;
                };
                if let Some(Leg {
                    state: State::Ringing { invite, .. },
                    tag,
                    ..
                }) = self.legs.get(&leg)
                {
                    let response = invite.respond(487, Some(tag));
                    self.agent.respond(now, tx, response);
                    self.over(now, leg, OfferEnd::Cancelled, shared);
                }
            }
            Output::AckMissing { tx } => {
                let Some(leg) = self.by_tx.get(&tx).copied() else {
                    return;
                };
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.report.end = OfferEnd::AckMissing;
                }
                // RFC 3261 §13.3.1.4: without an ACK the dialog is to be ended by BYE.
                self.hang_up(now, leg, shared);
            }
            Output::Response { tx, response } => {
                if let Some(telephone) = self.by_register.get(&tx).copied() {
                    self.register_answered(now, telephone, &response, shared);
                } else if response.status().is_some_and(|status| status >= 200) {
                    self.bye_answered(now, tx, shared);
                }
            }
            Output::TimedOut { tx } | Output::Failed { tx } => {
                if let Some(index) = self.by_register.remove(&tx) {
                    self.register_unanswered(now, index, shared);
                } else {
                    self.bye_answered(now, tx, shared);
                }
            }
            Output::Send { .. } => {}
        }
    }

    fn invited(&mut self, now: Time, tx: ServerTx, invite: &Message, shared: &mut Shared) {
        let user = invite
            .request_uri()
            .and_then(|uri| uri.user.as_deref())
            .unwrap_or_default();
        let Some(&telephone) = self.by_login.get(user) else {
            let tag = self.agent.token();
            return self.agent.respond(now, tx, invite.respond(404, Some(&tag)));
        };
        let Some(phone) = self.telephones.get_mut(telephone) else {
            return;
        };
        let tag = self.agent.token();
        if phone.leg.is_some() {
            add(&shared.counters.double_offers, 1);
            let report = offer_report(&phone.account.login, invite, now, OfferEnd::DoubleOffer);
            self.keep(report, shared);
            return self.agent.respond(now, tx, invite.respond(486, Some(&tag)));
        }
        let behaviour = phone.account.behaviour.unwrap_or(shared.settings.behaviour);
        let decision = decide(&mut phone.choices, &behaviour);
        let delay = phone.choices.within(behaviour.answer_delay);
        let leg = self.next_leg;
        self.next_leg += 1;
        phone.leg = Some(leg);
        let report = offer_report(&phone.account.login, invite, now, OfferEnd::Cancelled);
        let mut ringing = invite.respond(180, Some(&tag));
        let contact = name_addr(self.agent.contact(&phone.account.login)).to_string();
        ringing.headers.push(HeaderName::Contact, contact);
        self.agent.respond(now, tx, ringing);
        self.by_tx.insert(tx, leg);
        let state = State::Ringing {
            tx,
            invite: Box::new(invite.clone()),
            decision,
        };
        let fresh = Leg {
            telephone,
            tag,
            seat: None,
            state,
            sounding: false,
            silenced: false,
            talk: None,
            report,
        };
        self.legs.insert(leg, fresh);
        shared.alarm(now + delay, Alarm::Decide(leg));
    }

    fn decide(&mut self, now: Time, leg: u64, shared: &mut Shared) {
        let Some(Leg {
            state:
                State::Ringing {
                    tx,
                    invite,
                    decision,
                },
            tag,
            ..
        }) = self.legs.get(&leg)
        else {
            return;
        };
        let (tx, decision) = (*tx, *decision);
        let (status, end) = match decision {
            Decision::Answer => return self.answer(now, leg, tx, shared),
            Decision::RingOn => return,
            Decision::Busy => (486, OfferEnd::Busy),
            Decision::Reject => (603, OfferEnd::Rejected),
        };
        let response = invite.respond(status, Some(tag));
        self.agent.respond(now, tx, response);
        self.over(now, leg, end, shared);
    }

    fn answer(&mut self, now: Time, leg: u64, tx: ServerTx, shared: &mut Shared) {
        let key = leg_key(leg);
        let Some(seat) = shared.seats.take(Side::Operator) else {
            return;
        };
        let Some(this) = self.legs.get_mut(&leg) else {
            return;
        };
        let State::Ringing { invite, .. } = &this.state else {
            return;
        };
        this.seat = Some(seat);
        let codecs = [shared.settings.codec.into()];
        let local = shared.description(Side::Operator, seat, key, &codecs);
        let session = sdp::answer(&invite.body, &local);
        let dialog = Dialog::uas(invite, &this.tag, self.agent.flow());
        let (Ok((description, remote)), Ok(dialog)) = (session, dialog) else {
            let response = invite.respond(488, Some(&this.tag));
            self.agent.respond(now, tx, response);
            return self.over(now, leg, OfferEnd::BadOffer, shared);
        };
        let mut response = invite.respond(200, Some(&this.tag));
        let contact = name_addr(self.agent.contact(&this.report.login)).to_string();
        response.headers.push(HeaderName::Contact, contact);
        let response = response.with_body("application/sdp", description.into_bytes());
        self.agent.respond(now, tx, response);
        self.by_dialog.insert(dialog.id(), leg);
        this.state = State::Answered {
            dialog: Box::new(dialog),
        };
        this.report.end = OfferEnd::AckMissing;
        this.report.answered_at = Some(now);
        this.sounding = true;
        let mut random = Random::new(shared.settings.seed, 0x1e6_0000_0000 + leg);
        let clip = random.below(shared.library.clips(Side::Operator)) as u16;
        let frame = random.below(shared.library.length(Side::Operator, clip) as usize) as u32;
        shared.sound(key, Side::Operator, seat, remote, (clip, frame));
        let plan = shared
            .index_of(&this.report.caller)
            .map(|index| shared.plan(index));
        this.talk = plan
            .filter(|plan| plan.operator_hangs_up)
            .map(|plan| plan.talk);
    }

    fn acknowledged(&mut self, now: Time, tx: ServerTx, shared: &mut Shared) {
        let Some(leg) = self.by_tx.get(&tx).copied() else {
            return;
        };
        let Some(this) = self.legs.get_mut(&leg) else {
            return;
        };
        let state = std::mem::replace(&mut this.state, State::Settling);
        match state {
            State::Answered { dialog, .. } => {
                this.state = State::Up { dialog };
                this.report.end = OfferEnd::Talked;
                if let Some(talk) = this.talk {
                    shared.alarm(now + talk, Alarm::OperatorHangsUp(leg));
                }
            }
            // An ACK for another answer, or a late one.
            other => this.state = other,
        }
    }

    fn in_dialog(&mut self, now: Time, happened: &Output, shared: &mut Shared) {
        let Output::Request { tx, request, .. } = happened else {
            return;
        };
        let leg = DialogId::of_incoming(request).and_then(|id| self.by_dialog.get(&id).copied());
        let Some(leg) = leg else {
            return refuse(now, &mut self.agent, happened);
        };
        let Some(this) = self.legs.get(&leg) else {
            return;
        };
        match request.method() {
            Some(Method::Bye) => {
                self.agent.respond(now, *tx, request.respond(200, None));
                let end = this.report.end;
                if !matches!(this.state, State::Closing { .. } | State::Settling) {
                    self.over(now, leg, end, shared);
                }
            }
            Some(Method::Invite) => {
                let response = self.modified(leg, request, shared);
                self.agent.respond(now, *tx, response);
            }
            _ => refuse(now, &mut self.agent, happened),
        }
    }

    /// The engine modifies the session: the same description again (RFC 3264 §8).
    fn modified(&self, leg: u64, request: &Message, shared: &Shared) -> Message {
        let this = self.legs.get(&leg);
        let Some((this, seat)) = this.and_then(|this| Some((this, this.seat?))) else {
            return request.respond(481, None);
        };
        let codecs = [shared.settings.codec.into()];
        let local = shared.description(Side::Operator, seat, leg_key(leg), &codecs);
        match sdp::answer(&request.body, &local) {
            Ok((answer, _)) => {
                let mut response = request.respond(200, None);
                let contact = name_addr(self.agent.contact(&this.report.login)).to_string();
                response.headers.push(HeaderName::Contact, contact);
                response.with_body("application/sdp", answer.into_bytes())
            }
            Err(_) => request.respond(488, None),
        }
    }

    fn hang_up(&mut self, now: Time, leg: u64, shared: &mut Shared) {
        let Some(this) = self.legs.get_mut(&leg) else {
            return;
        };
        let (State::Answered { dialog, .. } | State::Up { dialog }) = &mut this.state else {
            return;
        };
        let bye = self.agent.request(now, dialog.request(Method::Bye));
        self.by_bye.insert(bye, leg);
        this.state = State::Closing { tx: bye };
        this.report.hung_up = true;
        this.report.ended_at = now;
        // From here on the operator is free: the engine may offer the next call at once.
        if let Some(telephone) = self.telephones.get_mut(this.telephone) {
            telephone.leg = None;
        }
        silence(this, leg, shared);
    }

    fn bye_answered(&mut self, now: Time, tx: ClientTx, shared: &mut Shared) {
        let Some(leg) = self.by_bye.remove(&tx) else {
            return;
        };
        let Some(this) = self.legs.get_mut(&leg) else {
            return;
        };
        if matches!(this.state, State::Closing { tx: bye } if bye == tx) {
            this.state = State::Settling;
            self.end_if_settled(now, leg, shared);
        }
    }

    /// The leg is over for its telephone; its audio may have to be waited for.
    fn over(&mut self, now: Time, leg: u64, end: OfferEnd, shared: &mut Shared) {
        let Some(this) = self.legs.get_mut(&leg) else {
            return;
        };
        this.report.end = end;
        this.report.ended_at = now;
        this.state = State::Settling;
        if let Some(telephone) = self.telephones.get_mut(this.telephone) {
            telephone.leg = None;
        }
        silence(this, leg, shared);
        self.end_if_settled(now, leg, shared);
    }

    pub(crate) fn notice(&mut self, notice: Notice, shared: &mut Shared) {
        match notice {
            // The caller's ear starts the talk; the operator's says it in the report.
            Notice::Heard { .. } => {}
            Notice::Finished { party, audio } => {
                let leg = number_of(party);
                let Some(this) = self.legs.get_mut(&leg) else {
                    return;
                };
                this.sounding = false;
                this.report.audio = audio;
                let ended_at = this.report.ended_at;
                self.end_if_settled(ended_at, leg, shared);
            }
        }
    }

    fn end_if_settled(&mut self, _now: Time, leg: u64, shared: &mut Shared) {
        let settled = |leg: &Leg| matches!(leg.state, State::Settling) && !leg.sounding;
        if !self.legs.get(&leg).is_some_and(settled) {
            return;
        }
        let Some(this) = self.legs.remove(&leg) else {
            return;
        };
        if let Some(seat) = this.seat {
            shared.seats.leave(seat);
        }
        self.by_tx.retain(|_, other| *other != leg);
        self.by_dialog.retain(|_, other| *other != leg);
        self.keep(this.report, shared);
    }

    fn keep(&mut self, report: OfferReport, shared: &Shared) {
        self.reports.push_back(report);
        while self.reports.len() > shared.settings.reports_max {
            self.reports.pop_front();
        }
    }

    /// Legs still up when the load may wait no longer, as far as they got.
    pub(crate) fn unfinished(&mut self) -> Vec<OfferReport> {
        std::mem::take(&mut self.legs)
            .into_values()
            .map(|leg| leg.report)
            .collect()
    }
}

fn decide(choices: &mut Random, behaviour: &OperatorBehaviour) -> Decision {
    let drawn = choices.unit();
    let mut share = behaviour.busy;
    if drawn < share {
        return Decision::Busy;
    }
    share += behaviour.reject;
    if drawn < share {
        return Decision::Reject;
    }
    share += behaviour.ring_on;
    if drawn < share {
        Decision::RingOn
    } else {
        Decision::Answer
    }
}

fn remember(dead: &mut (HashSet<String>, VecDeque<String>), call_id: &str) {
    dead.0.insert(call_id.to_owned());
    dead.1.push_back(call_id.to_owned());
    if dead.1.len() > DEAD_MAX
        && let Some(oldest) = dead.1.pop_front()
    {
        dead.0.remove(&oldest);
    }
}

fn offer_report(login: &str, invite: &Message, now: Time, end: OfferEnd) -> OfferReport {
    let caller = invite
        .from()
        .ok()
        .and_then(|from| from.uri.user)
        .unwrap_or_default();
    OfferReport {
        login: login.to_owned(),
        caller,
        offered_at: now,
        answered_at: None,
        ended_at: now,
        end,
        hung_up: false,
        audio: Audio::default(),
    }
}

/// Stops speaking, once.
fn silence(leg: &mut Leg, number: u64, shared: &Shared) {
    if let Some(seat) = leg.seat
        && leg.sounding
        && !leg.silenced
    {
        leg.silenced = true;
        shared.silence(leg_key(number), seat);
    }
}
