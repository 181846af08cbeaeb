//! Owns the callers: each places one call, listens for an operator, talks, and hangs up.
//!
//! | state \ input | 2xx | other final | patience ends | operator heard | talk over | BYE | silent |
//! |---|---|---|---|---|---|---|---|
//! | Inviting | ACK → Up | → Settling | CANCEL → Cancelling | - | - | - | - |
//! | Cancelling | ACK, BYE → Closing | → Settling | - | - | - | - | - |
//! | Up | - | - | BYE → Closing | talk begins | BYE → Closing | 200 → Settling | - |
//! | Closing | - | of BYE → Settling | - | - | - | 200 | - |
//! | Settling | - | - | - | - | - | 200 | → over |

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use sip::{ClientTx, Dialog, DialogId, HeaderName, Message, Method, Output};
use vocab::Time;
use vocab::media::Side;

use crate::agent::{Agent, name_addr};
use crate::audio::Notice;
use crate::random::Random;
use crate::report::{Audio, CallReport, Ending, add, subtract};
use crate::signalling::{Alarm, CallPlan, Shared, caller_key, number_of, refuse};
use crate::sockets::Seat;

/// How far a load that was held up catches up; what is later is not placed in a burst.
const LATE_AT_MOST: Duration = Duration::from_secs(1);

enum State {
    Inviting { tx: ClientTx, invite: Message },
    Cancelling { invite: Message },
    Up { dialog: Box<Dialog> },
    Closing { tx: ClientTx },
    Settling,
}

struct Call {
    plan: CallPlan,
    seat: Seat,
    state: State,
    /// The audio thread has been told to speak and has not said that it is silent again.
    sounding: bool,
    silenced: bool,
    talking: bool,
    report: CallReport,
}

/// All callers of a load.
pub(crate) struct Callers {
    pub(crate) agent: Agent,
    calls: BTreeMap<u64, Call>,
    by_tx: HashMap<ClientTx, u64>,
    by_dialog: HashMap<DialogId, u64>,
    gaps: Random,
    next: u64,
    /// When the next call is due. Kept apart from the time at which the last one was placed, so
    /// that a late alarm delays one call and not the rate.
    due: Time,
    /// A call was due while `at_once` calls were up.
    held: bool,
    pub(crate) reports: VecDeque<CallReport>,
}

impl Callers {
    pub(crate) fn new(agent: Agent, seed: u64) -> Self {
        Self {
            agent,
            calls: BTreeMap::new(),
            by_tx: HashMap::new(),
            by_dialog: HashMap::new(),
            gaps: Random::new(seed, 0x6a95),
            next: 0,
            due: Time::ZERO,
            held: false,
            reports: VecDeque::new(),
        }
    }

    pub(crate) fn all_over(&self) -> bool {
        self.calls.is_empty()
    }

    /// Ends every call that is up.
    pub(crate) fn stop(&mut self, now: Time, shared: &mut Shared) {
        let all: Vec<u64> = self.calls.keys().copied().collect();
        for index in all {
            self.hang_up(now, index, Ending::Stopped, shared);
        }
    }

    pub(crate) fn alarm(&mut self, now: Time, alarm: Alarm, shared: &mut Shared) {
        match alarm {
            Alarm::Place => self.place_or_hold(now, shared),
            Alarm::GiveUp(index) => {
                if self.calls.get(&index).is_some_and(|call| !call.talking) {
                    self.hang_up(now, index, Ending::GaveUp, shared);
                }
            }
            Alarm::CallerHangsUp(index) => {
                self.hang_up(now, index, Ending::CallerHungUp, shared);
            }
            // The operators' alarms.
            Alarm::Register(_) | Alarm::Decide(_) | Alarm::OperatorHangsUp(_) => {}
        }
    }

    fn place_or_hold(&mut self, now: Time, shared: &mut Shared) {
        let pattern = &shared.settings.callers;
        if shared.stopping || pattern.calls.is_some_and(|calls| self.next >= calls) {
            return;
        }
        if self.calls.len() >= pattern.at_once.max(1) {
            self.held = true;
            return;
        }
        let gap = self.gaps.gap(pattern.rate);
        self.place(now, shared);
        if now.since(self.due) > LATE_AT_MOST {
            self.due = now;
        }
        self.due = self.due + gap;
        shared.alarm(self.due, Alarm::Place);
    }

    fn place(&mut self, now: Time, shared: &mut Shared) {
        let Some(seat) = shared.seats.take(Side::Caller) else {
            return;
        };
        let index = self.next;
        self.next += 1;
        let plan = shared.plan(index);
        let caller = (shared.settings.callers.first_caller + index).to_string();
        let number = shared.settings.callers.number.clone();
        let call_id = format!("{}@load", self.agent.token());
        let invite = self.invite(index, seat, &caller, &call_id, shared);
        let tx = self.agent.request(now, invite.clone());
        self.by_tx.insert(tx, index);
        let report = CallReport {
            index,
            caller,
            number,
            sip_call_id: call_id,
            placed_at: now,
            answered_at: None,
            ended_at: now,
            ending: Ending::Stopped,
            audio: Audio::default(),
            bye_unanswered: false,
            offers: Vec::new(),
        };
        let state = State::Inviting { tx, invite };
        let call = Call {
            plan,
            seat,
            state,
            sounding: false,
            silenced: false,
            talking: false,
            report,
        };
        self.calls.insert(index, call);
        shared.alarm(now + plan.patience, Alarm::GiveUp(index));
        add(&shared.counters.placed, 1);
        add(&shared.counters.up, 1);
    }

    fn invite(
        &mut self,
        index: u64,
        seat: Seat,
        caller: &str,
        call_id: &str,
        shared: &Shared,
    ) -> Message {
        let tag = self.agent.token();
        let to = self.agent.at_engine(Some(&shared.settings.callers.number));
        let from = (self.agent.contact(caller), tag.as_str());
        let mut invite =
            self.agent
                .out_of_dialog(Method::Invite, to.clone(), from, to, (call_id, 1));
        let contact = name_addr(self.agent.contact(caller)).to_string();
        invite.headers.push(HeaderName::Contact, contact);
        invite
            .headers
            .push(HeaderName::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS");
        let codecs = [shared.settings.codec.into()];
        let local = shared.description(Side::Caller, seat, caller_key(index), &codecs);
        invite.with_body("application/sdp", sdp::offer(&local).into_bytes())
    }

    pub(crate) fn happened(&mut self, now: Time, happened: Output, shared: &mut Shared) {
        match happened {
            Output::Response { tx, response } => {
                if let Some(index) = self.by_tx.get(&tx).copied() {
                    self.response(now, index, tx, &response, shared);
                }
            }
            Output::TimedOut { tx } | Output::Failed { tx } => {
                if let Some(index) = self.by_tx.remove(&tx) {
                    self.timed_out(now, index, tx, shared);
                }
            }
            Output::Request { .. } => self.request(now, &happened, shared),
            // Sent by the agent already; callers answer no INVITE, so nothing of one follows.
            Output::Send { .. }
            | Output::Ack { .. }
            | Output::Cancelled { .. }
            | Output::AckMissing { .. } => {}
        }
    }

    fn response(
        &mut self,
        now: Time,
        index: u64,
        tx: ClientTx,
        response: &Message,
        shared: &mut Shared,
    ) {
        let status = response.status().unwrap_or(0);
        let Some(call) = self.calls.get_mut(&index) else {
            return;
        };
        match &mut call.state {
            _ if status < 200 => {}
            State::Closing { tx: bye } if *bye == tx => {
                self.by_tx.remove(&tx);
                self.settle(now, index, shared);
            }
            State::Inviting { invite, .. } if status < 300 => {
                let invite = invite.clone();
                self.accepted(now, index, tx, (&invite, response), shared);
            }
            State::Cancelling { invite } if status < 300 => {
                // The CANCEL crossed the 200 (RFC 3261 §15: now only a BYE ends it).
                let invite = invite.clone();
                let flow = self.agent.flow();
                let Ok(mut dialog) = Dialog::uac(&invite, response, flow) else {
                    return;
                };
                self.agent.ack(now, tx, dialog.ack(1));
                let bye = self.agent.request(now, dialog.request(Method::Bye));
                self.by_tx.insert(bye, index);
                call.state = State::Closing { tx: bye };
            }
            State::Inviting { .. } => {
                self.by_tx.remove(&tx);
                call.report.ending = Ending::Refused(status);
                add(&shared.counters.refused, 1);
                self.settle(now, index, shared);
            }
            State::Cancelling { .. } => {
                self.by_tx.remove(&tx);
                self.settle(now, index, shared);
            }
            // A late fork's answer, or one to a BYE that timed out: nothing is left to end.
            State::Up { .. } | State::Closing { .. } | State::Settling => {}
        }
    }

    fn accepted(
        &mut self,
        now: Time,
        index: u64,
        tx: ClientTx,
        (invite, response): (&Message, &Message),
        shared: &mut Shared,
    ) {
        let Ok(dialog) = Dialog::uac(invite, response, self.agent.flow()) else {
            return;
        };
        self.agent.ack(now, tx, dialog.ack(1));
        let Some(call) = self.calls.get_mut(&index) else {
            return;
        };
        self.by_dialog.insert(dialog.id(), index);
        call.state = State::Up {
            dialog: Box::new(dialog),
        };
        call.report.answered_at = Some(now);
        add(&shared.counters.answered, 1);
        let key = caller_key(index);
        let codecs = [shared.settings.codec.into()];
        let local = shared.description(Side::Caller, call.seat, key, &codecs);
        match sdp::accept(&response.body, &local) {
            Ok(remote) => {
                call.sounding = true;
                shared.sound(key, Side::Caller, call.seat, remote, call.plan.voice);
            }
            Err(refusal) => {
                tracing::warn!(?refusal, index, "the engine's answer is of no use");
                add(&shared.counters.failed, 1);
                self.hang_up(now, index, Ending::BadAnswer, shared);
            }
        }
    }

    fn timed_out(&mut self, now: Time, index: u64, tx: ClientTx, shared: &mut Shared) {
        let Some(call) = self.calls.get_mut(&index) else {
            return;
        };
        match &call.state {
            State::Inviting { .. } => call.report.ending = Ending::Unanswered,
            State::Cancelling { .. } => {}
            State::Closing { tx: bye } if *bye == tx => call.report.bye_unanswered = true,
            State::Up { .. } | State::Closing { .. } | State::Settling => return,
        }
        add(&shared.counters.failed, 1);
        self.settle(now, index, shared);
    }

    fn request(&mut self, now: Time, happened: &Output, shared: &mut Shared) {
        let Output::Request { tx, request, .. } = happened else {
            return;
        };
        let index = DialogId::of_incoming(request).and_then(|id| self.by_dialog.get(&id).copied());
        let Some(index) = index else {
            return refuse(now, &mut self.agent, happened);
        };
        match request.method() {
            Some(Method::Bye) => {
                self.agent.respond(now, *tx, request.respond(200, None));
                let Some(call) = self.calls.get_mut(&index) else {
                    return;
                };
                if matches!(call.state, State::Up { .. }) {
                    call.report.ending = Ending::EngineHungUp;
                    self.settle(now, index, shared);
                }
            }
            Some(Method::Invite) => {
                let response = self.modified(index, request, shared);
                self.agent.respond(now, *tx, response);
            }
            _ => refuse(now, &mut self.agent, happened),
        }
    }

    /// The engine modifies the session: the same description again (RFC 3264 §8).
    fn modified(&self, index: u64, request: &Message, shared: &Shared) -> Message {
        let Some(call) = self.calls.get(&index) else {
            return request.respond(481, None);
        };
        let codecs = [shared.settings.codec.into()];
        let local = shared.description(Side::Caller, call.seat, caller_key(index), &codecs);
        match sdp::answer(&request.body, &local) {
            Ok((answer, _)) => {
                let mut response = request.respond(200, None);
                let contact = name_addr(self.agent.contact(&call.report.caller)).to_string();
                response.headers.push(HeaderName::Contact, contact);
                response.with_body("application/sdp", answer.into_bytes())
            }
            Err(_) => request.respond(488, None),
        }
    }

    pub(crate) fn notice(&mut self, now: Time, notice: Notice, shared: &mut Shared) {
        match notice {
            Notice::Heard { party } => {
                let index = number_of(party);
                let Some(call) = self.calls.get_mut(&index) else {
                    return;
                };
                call.talking = true;
                add(&shared.counters.talking, 1);
                add(&shared.counters.talked, 1);
                if !call.plan.operator_hangs_up {
                    shared.alarm(now + call.plan.talk, Alarm::CallerHangsUp(index));
                }
            }
            Notice::Finished { party, audio } => {
                let index = number_of(party);
                let Some(call) = self.calls.get_mut(&index) else {
                    return;
                };
                call.sounding = false;
                call.report.audio = audio;
                self.end_if_settled(now, index, shared);
            }
        }
    }

    fn hang_up(&mut self, now: Time, index: u64, ending: Ending, shared: &mut Shared) {
        let Some(call) = self.calls.get_mut(&index) else {
            return;
        };
        match &mut call.state {
            State::Inviting { tx, invite } => {
                self.agent.cancel(now, *tx);
                let invite = invite.clone();
                call.state = State::Cancelling { invite };
            }
            State::Up { dialog } => {
                let bye = self.agent.request(now, dialog.request(Method::Bye));
                self.by_tx.insert(bye, index);
                call.state = State::Closing { tx: bye };
                silence(call, index, shared);
            }
            // It is ending already.
            State::Cancelling { .. } | State::Closing { .. } | State::Settling => return,
        }
        call.report.ending = ending;
        call.report.ended_at = now;
        if ending == Ending::GaveUp {
            add(&shared.counters.gave_up, 1);
        }
    }

    fn settle(&mut self, now: Time, index: u64, shared: &mut Shared) {
        let Some(call) = self.calls.get_mut(&index) else {
            return;
        };
        if matches!(call.state, State::Up { .. } | State::Inviting { .. }) {
            call.report.ended_at = now;
        }
        call.state = State::Settling;
        silence(call, index, shared);
        self.end_if_settled(now, index, shared);
    }

    fn end_if_settled(&mut self, now: Time, index: u64, shared: &mut Shared) {
        let settled = |call: &Call| matches!(call.state, State::Settling) && !call.sounding;
        if !self.calls.get(&index).is_some_and(settled) {
            return;
        }
        let Some(call) = self.calls.remove(&index) else {
            return;
        };
        shared.seats.leave(call.seat);
        self.by_tx.retain(|_, other| *other != index);
        self.by_dialog.retain(|_, other| *other != index);
        self.reports.push_back(call.report);
        while self.reports.len() > shared.settings.reports_max {
            self.reports.pop_front();
        }
        subtract(&shared.counters.up, 1);
        add(&shared.counters.ended, 1);
        if self.held {
            self.held = false;
            self.place_or_hold(now, shared);
        }
    }

    /// What is still up when the load may wait no longer, as far as it got.
    pub(crate) fn unfinished(&mut self) -> Vec<CallReport> {
        std::mem::take(&mut self.calls)
            .into_values()
            .map(|call| call.report)
            .collect()
    }
}

/// Stops speaking, once.
fn silence(call: &mut Call, index: u64, shared: &Shared) {
    if call.sounding && !call.silenced {
        call.silenced = true;
        shared.silence(caller_key(index), call.seat);
        if call.talking {
            subtract(&shared.counters.talking, 1);
        }
    }
}
