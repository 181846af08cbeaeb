//! Owns the operators' telephones: each registers, rings, and has one talk at a time.
//!
//! | leg \ input | made up their mind | CANCEL | ACK | talk over | BYE | BYE answered or not |
//! |---|---|---|---|---|---|---|
//! | Ringing | 200 → Answered; 486, 603 → over; or rings on | 487 → over | - | - | - | - |
//! | Answered | - | - | → Up | BYE → Closing | 200 → over | - |
//! | Up | - | - | - | BYE → Closing | 200 → over | - |
//! | Closing | - | - | - | - | 200 | over |
//!
//! While it is up, a leg may be on hold: `telephones/hold.rs`.

use core::net::SocketAddr;
use core::time::Duration;

use sip::{ClientTx, Dialog, DialogId, HeaderName, Message, Method, Output, ServerTx};

use crate::callers::Callers;
use crate::endpoint::{Endpoint, at_engine, name_addr};
use crate::random::Random;
use crate::room::{Alarm, Room};
use crate::scenario::Fault;
use crate::telephones::hold::Hold;
use crate::world::{NUMBERS, PASSWORD};

mod hold;

/// The lifetime a telephone asks for, seconds.
const EXPIRES: u32 = 120;

/// Where a telephone is.
pub(crate) fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 1 + index as u8], 5060))
}

enum State {
    Ringing { tx: ServerTx, invite: Box<Message> },
    Answered { tx: ServerTx, dialog: Box<Dialog> },
    Up { dialog: Box<Dialog>, hold: Hold },
    Closing { tx: ClientTx },
}

struct Leg {
    number: u64,
    tag: String,
    shown: String,
    state: State,
}

/// One operator's telephone.
pub(crate) struct Telephone {
    pub(crate) endpoint: Endpoint,
    index: usize,
    login: String,
    random: Random,
    legs: Vec<Leg>,
    next_leg: u64,
    call_id: String,
    tag: String,
    cseq: u32,
    /// The REGISTER under way, and whether it carries an answer to a challenge.
    asking: Option<(ClientTx, Box<Message>, bool)>,
}

impl Telephone {
    pub(crate) fn new(seed: u64, index: usize) -> Self {
        let mut endpoint = Endpoint::new(address(index), Random::new(seed, 100 + index as u64));
        Self {
            call_id: format!("{}@sim", endpoint.token()),
            tag: endpoint.token(),
            endpoint,
            index,
            login: login(index),
            random: Random::new(seed, 200 + index as u64),
            legs: Vec::new(),
            next_leg: 0,
            cseq: 0,
            asking: None,
        }
    }

    /// Legs that are not over.
    pub(crate) fn up(&self) -> usize {
        self.legs.len()
    }

    pub(crate) fn alarm(&mut self, room: &mut Room, alarm: &Alarm) {
        match *alarm {
            Alarm::Register(_) => self.register(room),
            Alarm::Decide(_, leg) => self.decide(room, leg),
            Alarm::Refer(_, leg) => self.refer(room, leg),
            Alarm::Hold(_, leg) => self.change_hold(room, leg),
            Alarm::OperatorDone(_, leg) => self.hang_up(room, leg),
            _ => {}
        }
    }

    fn register(&mut self, room: &mut Room) {
        self.cseq += 1;
        let address = at_engine(Some(&self.login));
        let mut request = self.endpoint.out_of_dialog(
            Method::Register,
            (address.clone(), &self.tag),
            address,
            (&self.call_id, self.cseq),
        );
        if let Some(uri) = request.request_uri().cloned() {
            let uri = sip::Uri { user: None, ..uri };
            request.start = Message::request(Method::Register, uri).start;
        }
        let contact = name_addr(self.endpoint.contact(&self.login)).to_string();
        request.headers.push(HeaderName::Contact, contact);
        request
            .headers
            .push(HeaderName::Expires, EXPIRES.to_string());
        self.ask(room, request, false);
    }

    fn ask(&mut self, room: &mut Room, request: Message, challenged: bool) {
        let tx = self.endpoint.request(room.now, request.clone());
        self.asking = Some((tx, Box::new(request), challenged));
    }

    fn registered(&mut self, room: &mut Room, response: &Message) {
        let status = response.status().unwrap_or(0);
        if status < 200 {
            return;
        }
        let Some((_, mut request, challenged)) = self.asking.take() else {
            return;
        };
        let again = match status {
            401 | 407 if !challenged => {
                let cnonce = self.endpoint.token();
                self.cseq += 1;
                let cseq = format!("{} REGISTER", self.cseq);
                request.headers.set(HeaderName::CSeq, cseq);
                let login = self.login.clone();
                if sip::authorize(&mut request, response, &login, PASSWORD, &cnonce, 1).is_ok() {
                    return self.ask(room, *request, true);
                }
                Duration::from_secs(5)
            }
            200..=299 => Duration::from_secs(u64::from(EXPIRES / 2)),
            _ => Duration::from_secs(5),
        };
        room.alarm(again, Alarm::Register(self.index));
    }

    pub(crate) fn happened(&mut self, room: &mut Room, callers: &mut Callers, happened: Output) {
        match happened {
            Output::Request { tx, request, .. } => match request.method() {
                Some(Method::Invite) if DialogId::of_incoming(&request).is_none() => {
                    self.invited(room, tx, &request);
                }
                _ => self.in_dialog(room, tx, &request),
            },
            Output::Ack { tx, .. } => self.acknowledged(room, callers, tx),
            Output::Cancelled { tx } => {
                let leg = self.legs.iter().position(
                    |leg| matches!(&leg.state, State::Ringing { tx: invited, .. } if *invited == tx),
                );
                if let Some(at) = leg {
                    let leg = self.legs.remove(at);
                    if let State::Ringing { invite, .. } = leg.state {
                        let response = invite.respond(487, Some(&leg.tag));
                        self.endpoint.respond(room.now, tx, response);
                    }
                }
            }
            Output::AckMissing { tx } => {
                // RFC 3261 §13.3.1.4: without an ACK the dialog is to be ended by BYE.
                let leg = self.legs.iter().find(
                    |leg| matches!(&leg.state, State::Answered { tx: answered, .. } if *answered == tx),
                );
                if let Some(number) = leg.map(|leg| leg.number) {
                    self.hang_up(room, number);
                }
            }
            Output::Response { tx, response } => {
                if self.asking.as_ref().is_some_and(|(asked, ..)| *asked == tx) {
                    self.registered(room, &response);
                } else if self.is_of_hold(tx) {
                    self.hold_answered(room, tx, &response);
                } else if response.status().is_some_and(|status| status >= 200) {
                    self.bye_over(tx);
                }
            }
            Output::TimedOut { tx } | Output::Failed { tx } => {
                if self.asking.as_ref().is_some_and(|(asked, ..)| *asked == tx) {
                    self.asking = None;
                    room.alarm(Duration::from_secs(5), Alarm::Register(self.index));
                } else {
                    self.hold_unanswered(tx);
                    self.bye_over(tx);
                }
            }
            Output::Send { .. } => {}
        }
    }

    fn invited(&mut self, room: &mut Room, tx: ServerTx, invite: &Message) {
        let tag = self.endpoint.token();
        let busy = |leg: &Leg| !matches!(leg.state, State::Closing { .. });
        if self.legs.iter().any(busy) {
            // The BYE or CANCEL of the other one is still on its way.
            self.endpoint
                .respond(room.now, tx, invite.respond(486, Some(&tag)));
            return;
        }
        let shown = invite
            .from()
            .ok()
            .and_then(|from| from.uri.user)
            .unwrap_or_default();
        let mut ringing = invite.respond(180, Some(&tag));
        let contact = name_addr(self.endpoint.contact(&self.login)).to_string();
        ringing.headers.push(HeaderName::Contact, contact);
        self.endpoint.respond(room.now, tx, ringing);
        let number = self.next_leg;
        self.next_leg += 1;
        self.legs.push(Leg {
            number,
            tag,
            shown,
            state: State::Ringing {
                tx,
                invite: Box::new(invite.clone()),
            },
        });
        let delay = self
            .random
            .between(Duration::from_millis(200), Duration::from_secs(8));
        room.alarm(delay, Alarm::Decide(self.index, number));
    }

    fn decide(&mut self, room: &mut Room, number: u64) {
        let refuses = room.has(Fault::Refusals) && self.random.chance(150);
        let at = self.legs.iter().position(|leg| leg.number == number);
        let Some(at) = at else { return };
        let leg = &mut self.legs[at];
        let State::Ringing { tx, invite } = &leg.state else {
            return;
        };
        let tx = *tx;
        let status = if refuses {
            room.count(Fault::Refusals);
            match self.random.below(4) {
                0 => 486,
                1 => 603,
                2 => 500,
                // It rings until somebody has enough of it, be it the operator after minutes.
                _ => {
                    let much_later = Duration::from_secs(180);
                    return room.alarm(much_later, Alarm::Decide(self.index, number));
                }
            }
        } else {
            200
        };
        let local = self.endpoint.local(number);
        let session = sdp::answer(&invite.body, &local);
        let dialog = Dialog::uas(invite, &leg.tag, self.endpoint.flow());
        match (status, session, dialog) {
            (200, Ok((description, _)), Ok(dialog)) => {
                let mut response = invite.respond(200, Some(&leg.tag));
                let contact = name_addr(self.endpoint.contact(&self.login)).to_string();
                response.headers.push(HeaderName::Contact, contact);
                let response = response.with_body("application/sdp", description.into_bytes());
                let dialog = Box::new(dialog);
                leg.state = State::Answered { tx, dialog };
                self.endpoint.respond(room.now, tx, response);
            }
            (status, ..) => {
                let status = if status == 200 { 488 } else { status };
                let response = invite.respond(status, Some(&leg.tag));
                self.endpoint.respond(room.now, tx, response);
                self.legs.remove(at);
            }
        }
    }

    fn acknowledged(&mut self, room: &mut Room, callers: &mut Callers, tx: ServerTx) {
        for leg in &mut self.legs {
            match &leg.state {
                State::Answered {
                    tx: answered,
                    dialog,
                } if *answered == tx => {
                    let dialog = dialog.clone();
                    let hold = Hold::default();
                    leg.state = State::Up { dialog, hold };
                }
                _ => continue,
            }
            let talk = callers.talks(room, &leg.shown);
            // A caller who is gone already: the engine's BYE is on its way.
            let talk = talk.unwrap_or(Duration::from_secs(60));
            room.alarm(talk, Alarm::OperatorDone(self.index, leg.number));
            if room.has(Fault::Transfers) && self.random.chance(100) {
                room.alarm(talk / 2, Alarm::Refer(self.index, leg.number));
            }
            if room.has(Fault::Holds) && self.random.chance(150) {
                room.alarm(talk / 3, Alarm::Hold(self.index, leg.number));
            }
        }
    }

    fn in_dialog(&mut self, room: &mut Room, tx: ServerTx, request: &Message) {
        let id = DialogId::of_incoming(request);
        let of = |leg: &Leg| match &leg.state {
            State::Answered { dialog, .. } | State::Up { dialog, .. } => Some(dialog.id()),
            State::Ringing { .. } | State::Closing { .. } => None,
        };
        let at = self
            .legs
            .iter()
            .position(|leg| id.is_some() && of(leg) == id);
        let Some(at) = at else {
            return match request.method() {
                // The BYEs crossed.
                Some(Method::Bye) => {
                    self.endpoint
                        .respond(room.now, tx, request.respond(200, None))
                }
                _ => self.endpoint.refuse(room.now, tx, request),
            };
        };
        match request.method() {
            Some(Method::Bye) => {
                self.endpoint
                    .respond(room.now, tx, request.respond(200, None));
                self.legs.remove(at);
            }
            Some(Method::Invite) if self.legs[at].is_changing() => {
                // RFC 3261 §14.2: only one of the two changes the session at a time.
                let glare = request.respond(491, None);
                self.endpoint.respond(room.now, tx, glare);
            }
            Some(Method::Invite) => {
                let number = self.legs[at].number;
                let response = self.endpoint.described_again(request, number, &self.login);
                self.endpoint.respond(room.now, tx, response);
            }
            Some(Method::Notify) => {
                self.endpoint
                    .respond(room.now, tx, request.respond(200, None));
                let news = String::from_utf8_lossy(&request.body).into_owned();
                if news.starts_with("SIP/2.0 200") {
                    // The transfer is done: a telephone hangs up by itself.
                    let number = self.legs[at].number;
                    self.hang_up(room, number);
                }
            }
            _ => self.endpoint.refuse(room.now, tx, request),
        }
    }

    /// Transfers the caller to a number of ours, without asking there first.
    fn refer(&mut self, room: &mut Room, number: u64) {
        let target = NUMBERS[self.random.below(NUMBERS.len() as u64) as usize];
        let leg = self.legs.iter_mut().find(|leg| leg.number == number);
        let Some(State::Up { dialog, .. }) = leg.map(|leg| &mut leg.state) else {
            return;
        };
        let mut refer = dialog.request(Method::Refer);
        let to = name_addr(at_engine(Some(target))).to_string();
        refer.headers.push(HeaderName::ReferTo, to);
        let contact = name_addr(self.endpoint.contact(&self.login)).to_string();
        refer.headers.push(HeaderName::Contact, contact);
        self.endpoint.request(room.now, refer);
        room.count(Fault::Transfers);
    }

    fn hang_up(&mut self, room: &mut Room, number: u64) {
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.number == number) else {
            return;
        };
        let (State::Answered { dialog, .. } | State::Up { dialog, .. }) = &mut leg.state else {
            return;
        };
        let bye = dialog.request(Method::Bye);
        let tx = self.endpoint.request(room.now, bye);
        leg.state = State::Closing { tx };
    }

    fn bye_over(&mut self, tx: ClientTx) {
        self.legs
            .retain(|leg| !matches!(&leg.state, State::Closing { tx: bye } if *bye == tx));
    }
}

/// The sign-in name of an operator.
pub(crate) fn login(index: usize) -> String {
    format!("op{}", index + 1)
}
