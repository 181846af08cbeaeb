//! Owns the callers: each dials, listens, is patient for a while, talks, hangs up, and perhaps calls
//! again. They all come by one trunk.
//!
//! | state \ input | 2xx | other final | patience ends | talk over | BYE | silence on SIP |
//! |---|---|---|---|---|---|---|
//! | Inviting | ACK → Up | over | CANCEL → Cancelling | - | - | over |
//! | Cancelling | ACK, BYE → Closing | over | - | - | - | over |
//! | Up | ACK again | - | BYE → Closing | BYE → Closing | 200, over | - |
//! | Closing | - | of BYE: over | - | - | 200 | over |

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use sip::{ClientTx, Dialog, DialogId, HeaderName, Message, Method, Output};

use crate::endpoint::{Endpoint, at_engine, name_addr};
use crate::installation::NUMBERS;
use crate::outside::Outside;
use crate::random::Random;
use crate::room::{Alarm, Room};

/// The trunk by which they come.
pub(crate) fn trunk() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 10], 5060))
}

const PATIENCE: Duration = Duration::from_secs(90);
/// Who hears nobody after so long, though an operator was to hang up, hangs up themselves.
const GOODBYE: Duration = Duration::from_secs(30);
const FIRST_NUMBER: u64 = 79_140_000_000;

enum State {
    Inviting { tx: ClientTx, invite: Message },
    Cancelling { invite: Message },
    Up { dialog: Box<Dialog> },
    Closing { tx: ClientTx },
}

struct Call {
    state: State,
    person: u64,
    talking: bool,
}

/// One call as its caller knows it.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) sip_call_id: String,
    /// A 2xx came.
    pub(crate) answered: bool,
}

pub(crate) struct Callers {
    pub(crate) endpoint: Endpoint,
    random: Random,
    calls: BTreeMap<u64, Call>,
    by_tx: BTreeMap<ClientTx, u64>,
    by_dialog: BTreeMap<DialogId, u64>,
    /// The newest call of each person.
    newest: BTreeMap<u64, u64>,
    /// Whom the engine calls by the same trunk.
    outside: Outside,
    people: u64,
    pub(crate) placed: Vec<Placed>,
}

impl Callers {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            endpoint: Endpoint::new(trunk(), Random::new(seed, 2)),
            random: Random::new(seed, 3),
            calls: BTreeMap::new(),
            by_tx: BTreeMap::new(),
            by_dialog: BTreeMap::new(),
            newest: BTreeMap::new(),
            outside: Outside::new(seed),
            people: 0,
            placed: Vec::new(),
        }
    }

    /// Calls that are not over.
    pub(crate) fn up(&self) -> usize {
        self.calls.len() + self.outside.up()
    }

    /// Somebody new calls.
    pub(crate) fn arrive(&mut self, room: &mut Room) {
        self.people += 1;
        self.call(room, self.people);
    }

    fn call(&mut self, room: &mut Room, person: u64) {
        let index = self.placed.len() as u64;
        let number = NUMBERS[self.random.below(NUMBERS.len() as u64) as usize];
        let caller = (FIRST_NUMBER + person).to_string();
        let call_id = format!("{}-{index}@sim", self.endpoint.token());
        let tag = self.endpoint.token();
        let from = (self.endpoint.contact(&caller), tag.as_str());
        let to = at_engine(Some(number));
        let mut invite = self
            .endpoint
            .out_of_dialog(Method::Invite, from, to, (&call_id, 1));
        let contact = name_addr(self.endpoint.contact(&caller)).to_string();
        invite.headers.push(HeaderName::Contact, contact);
        invite
            .headers
            .push(HeaderName::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS");
        let offer = sdp::offer(&self.endpoint.local(index));
        let invite = invite.with_body("application/sdp", offer.into_bytes());
        let tx = self.endpoint.request(room.now, invite.clone());
        self.by_tx.insert(tx, index);
        self.newest.insert(person, index);
        let call = Call {
            state: State::Inviting { tx, invite },
            person,
            talking: false,
        };
        self.calls.insert(index, call);
        self.placed.push(Placed {
            sip_call_id: call_id,
            answered: false,
        });
        let patience = self.random.exponential(PATIENCE) + Duration::from_millis(200);
        room.alarm(patience, Alarm::Patience(index));
    }

    pub(crate) fn alarm(&mut self, room: &mut Room, alarm: &Alarm) {
        match *alarm {
            Alarm::Patience(index) if self.calls.get(&index).is_some_and(|call| !call.talking) => {
                self.hang_up(room, index);
                if self.random.chance(300) {
                    let later = Duration::from_secs(5 + self.random.below(60));
                    room.alarm(later, Alarm::Redial(index));
                }
            }
            Alarm::CallerDone(index) => self.hang_up(room, index),
            Alarm::Redial(index) => {
                let person = self.newest.iter().find(|(_, newest)| **newest == index);
                if let Some((person, _)) = person {
                    self.call(room, *person);
                }
            }
            Alarm::PickUp(..) | Alarm::OutsideDone(_) => {
                self.outside.alarm(room, &mut self.endpoint, alarm);
            }
            _ => {}
        }
    }

    /// An operator has this number on the line: the two talk. Says how long the operator is to.
    pub(crate) fn talks(&mut self, room: &mut Room, shown: &str) -> Option<Duration> {
        let person = shown.trim_start_matches('+').parse::<u64>().ok()?;
        let person = person.checked_sub(FIRST_NUMBER)?;
        let index = *self.newest.get(&person)?;
        let call = self.calls.get_mut(&index)?;
        call.talking = true;
        let talk = self.random.exponential(Duration::from_secs(40)) + Duration::from_secs(1);
        let first = self.random.chance(500);
        room.alarm(
            if first { talk } else { talk + GOODBYE },
            Alarm::CallerDone(index),
        );
        Some(if first { talk + GOODBYE } else { talk })
    }

    pub(crate) fn happened(&mut self, room: &mut Room, happened: Output) {
        let index = match &happened {
            Output::Response { tx, .. } | Output::TimedOut { tx } | Output::Failed { tx } => {
                self.by_tx.get(tx).copied()
            }
            Output::Request { request, .. } => {
                let id = DialogId::of_incoming(request);
                id.and_then(|id| self.by_dialog.get(&id).copied())
            }
            _ => None,
        };
        let Some(index) = index else {
            return self.outside.happened(room, &mut self.endpoint, happened);
        };
        match happened {
            Output::Response { tx, response } => self.response(room, index, tx, &response),
            Output::TimedOut { tx } | Output::Failed { tx } => {
                self.by_tx.remove(&tx);
                self.silence(index, tx);
            }
            Output::Request { tx, request, .. } => match request.method() {
                Some(Method::Bye) => {
                    self.endpoint
                        .respond(room.now, tx, request.respond(200, None));
                    if matches!(self.calls.get(&index), Some(call) if matches!(call.state, State::Up { .. }))
                    {
                        self.over(index);
                    }
                }
                Some(Method::Invite) => {
                    let user = self.calls.get(&index).map_or(0, |call| call.person);
                    let user = (FIRST_NUMBER + user).to_string();
                    let response = self.endpoint.described_again(&request, index, &user);
                    self.endpoint.respond(room.now, tx, response);
                }
                _ => self.endpoint.refuse(room.now, tx, &request),
            },
            Output::Send { .. }
            | Output::Ack { .. }
            | Output::Cancelled { .. }
            | Output::AckMissing { .. } => {}
        }
    }

    fn response(&mut self, room: &mut Room, index: u64, tx: ClientTx, response: &Message) {
        let status = response.status().unwrap_or(0);
        let Some(call) = self.calls.get_mut(&index) else {
            return;
        };
        if status < 200 {
            return;
        }
        match &mut call.state {
            State::Closing { tx: bye } if *bye == tx => {
                self.by_tx.remove(&tx);
                self.over(index);
            }
            State::Inviting { .. } | State::Cancelling { .. } if status < 300 => {
                let cancelled = !matches!(call.state, State::Inviting { .. });
                let (State::Inviting { invite, .. } | State::Cancelling { invite }) = &call.state
                else {
                    return;
                };
                let Ok(mut dialog) = Dialog::uac(invite, response, self.endpoint.flow()) else {
                    return;
                };
                self.placed[index as usize].answered = true;
                self.by_dialog.insert(dialog.id(), index);
                self.endpoint.ack(room.now, tx, dialog.ack(1));
                call.state = if cancelled {
                    // The CANCEL crossed the 200 (RFC 3261 §15: now only a BYE ends it).
                    let bye = self.endpoint.request(room.now, dialog.request(Method::Bye));
                    self.by_tx.insert(bye, index);
                    State::Closing { tx: bye }
                } else {
                    State::Up {
                        dialog: Box::new(dialog),
                    }
                };
            }
            State::Inviting { .. } | State::Cancelling { .. } => {
                self.by_tx.remove(&tx);
                self.over(index);
            }
            State::Up { .. } | State::Closing { .. } => {}
        }
    }

    /// Nobody answers.
    fn silence(&mut self, index: u64, tx: ClientTx) {
        let Some(call) = self.calls.get(&index) else {
            return;
        };
        let closing = matches!(&call.state, State::Closing { tx: bye } if *bye == tx);
        if closing
            || matches!(
                call.state,
                State::Inviting { .. } | State::Cancelling { .. }
            )
        {
            self.over(index);
        }
    }

    fn hang_up(&mut self, room: &mut Room, index: u64) {
        let Some(call) = self.calls.get_mut(&index) else {
            return;
        };
        match &mut call.state {
            State::Inviting { tx, invite } => {
                self.endpoint.cancel(room.now, *tx);
                let invite = invite.clone();
                call.state = State::Cancelling { invite };
            }
            State::Up { dialog } => {
                let bye = self.endpoint.request(room.now, dialog.request(Method::Bye));
                self.by_tx.insert(bye, index);
                call.state = State::Closing { tx: bye };
            }
            State::Cancelling { .. } | State::Closing { .. } => {}
        }
    }

    fn over(&mut self, index: u64) {
        self.calls.remove(&index);
        self.by_tx.retain(|_, other| *other != index);
        self.by_dialog.retain(|_, other| *other != index);
    }
}
