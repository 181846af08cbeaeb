//! Owns the operators' telephones: each registers, rings, has one talk at a time, and now and then
//! calls somebody outside. What becomes of a leg in SIP is in [`crate::legs`].

use core::net::SocketAddr;
use core::time::Duration;

use sip::{ClientTx, DialogId, HeaderName, Message, Method, Output, ServerTx};

use crate::callers::{Callers, Placed};
use crate::endpoint::{Endpoint, at_engine, name_addr};
use crate::installation::{NUMBERS, PASSWORD};
use crate::legs::{Heard, Legs};
use crate::random::Random;
use crate::room::{Alarm, Room};
use crate::scenario::Fault;

/// The lifetime a telephone asks for, seconds.
const EXPIRES: u32 = 120;
/// Between the calls that an operator makes.
const DIALS: Duration = Duration::from_secs(180);
/// Lines that operators try.
const LINES: u64 = 12;
/// How long an operator lets it ring.
const RINGS: Duration = Duration::from_secs(25);

/// Where a telephone is.
pub(crate) fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 1 + index as u8], 5060))
}

/// One operator's telephone.
pub(crate) struct Telephone {
    pub(crate) endpoint: Endpoint,
    index: usize,
    login: String,
    random: Random,
    legs: Legs,
    call_id: String,
    tag: String,
    cseq: u32,
    /// The REGISTER under way, and whether it carries an answer to a challenge.
    asking: Option<(ClientTx, Box<Message>, bool)>,
    /// The calls that its operator made, and the leg of each.
    pub(crate) placed: Vec<Placed>,
    dialled: Vec<u64>,
    /// The legs of calls about a caller, each with the leg of that caller.
    consults: Vec<(u64, u64)>,
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
            legs: Legs::new(&login(index)),
            cseq: 0,
            asking: None,
            placed: Vec::new(),
            dialled: Vec::new(),
            consults: Vec::new(),
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
            Alarm::Consult(_, leg) => self.consult(room, leg),
            Alarm::Join(_, leg) => self.join(room, leg),
            Alarm::Hold(_, leg) => self.hold(room, leg),
            Alarm::Dial(_) => self.dial(room),
            Alarm::Enough(_, leg) if self.legs.is_dialling(leg) => {
                self.legs.hang_up(&mut self.endpoint, room.now, leg);
            }
            Alarm::OperatorDone(_, leg) => self.legs.hang_up(&mut self.endpoint, room.now, leg),
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
        let now = room.now;
        match happened {
            Output::Request { tx, request, .. } => match request.method() {
                Some(Method::Invite) if DialogId::of_incoming(&request).is_none() => {
                    self.invited(room, tx, &request);
                }
                _ => {
                    let endpoint = &mut self.endpoint;
                    if let Some(leg) = self.legs.in_dialog(endpoint, now, tx, &request) {
                        // The transfer is done: a telephone hangs up by itself.
                        self.legs.hang_up(endpoint, now, leg);
                    }
                }
            },
            Output::Ack { tx, .. } => self.acknowledged(room, callers, tx),
            Output::Cancelled { tx } => self.legs.cancelled(&mut self.endpoint, now, tx),
            Output::AckMissing { tx } => self.legs.never_acknowledged(&mut self.endpoint, now, tx),
            Output::Response { tx, response } => self.response(room, tx, &response),
            Output::TimedOut { tx } | Output::Failed { tx } => {
                if self.asking.as_ref().is_some_and(|(asked, ..)| *asked == tx) {
                    self.asking = None;
                    room.alarm(Duration::from_secs(5), Alarm::Register(self.index));
                } else {
                    self.legs.unheard(tx);
                }
            }
            Output::Send { .. } => {}
        }
    }

    fn response(&mut self, room: &mut Room, tx: ClientTx, response: &Message) {
        if self.asking.as_ref().is_some_and(|(asked, ..)| *asked == tx) {
            return self.registered(room, response);
        }
        let (endpoint, now) = (&mut self.endpoint, room.now);
        if self.legs.is_of_hold(tx) {
            if let Some(leg) = self.legs.hold_answered(endpoint, now, tx, response) {
                let later = Duration::from_secs(2 + self.random.below(18));
                room.alarm(later, Alarm::Hold(self.index, leg));
            }
            return;
        }
        match self.legs.heard(endpoint, now, tx, response) {
            Heard::Challenged(leg) => {
                let (login, cnonce) = (&self.login, endpoint.token());
                let sign = |invite: &mut Message| {
                    sip::authorize(invite, response, login, PASSWORD, &cnonce, 1).is_ok()
                };
                self.legs.dial_again(endpoint, now, leg, sign);
            }
            Heard::Up(leg) => {
                let placed = self.dialled.iter().position(|dialled| *dialled == leg);
                if let Some(placed) = placed {
                    self.placed[placed].answered = true;
                }
                let talk = self.random.exponential(Duration::from_secs(40));
                room.alarm(talk, Alarm::OperatorDone(self.index, leg));
                if self.consults.iter().any(|(consult, _)| *consult == leg) {
                    room.alarm(talk / 2, Alarm::Join(self.index, leg));
                }
            }
            Heard::Nothing => {}
        }
    }

    fn invited(&mut self, room: &mut Room, tx: ServerTx, invite: &Message) {
        if self.legs.is_busy() {
            // The BYE or CANCEL of the other one is still on its way.
            let tag = self.endpoint.token();
            let busy = invite.respond(486, Some(&tag));
            return self.endpoint.respond(room.now, tx, busy);
        }
        let leg = self.legs.ring(&mut self.endpoint, room.now, tx, invite);
        let delay = self
            .random
            .between(Duration::from_millis(200), Duration::from_secs(8));
        room.alarm(delay, Alarm::Decide(self.index, leg));
    }

    fn decide(&mut self, room: &mut Room, leg: u64) {
        let refuses = room.has(Fault::Refusals) && self.random.chance(150);
        if !self.legs.rings(leg) {
            return;
        }
        let status = if refuses {
            room.count(Fault::Refusals);
            match self.random.below(4) {
                0 => 486,
                1 => 603,
                2 => 500,
                // It rings until somebody has enough of it, be it the operator after minutes.
                _ => {
                    let much_later = Duration::from_secs(180);
                    return room.alarm(much_later, Alarm::Decide(self.index, leg));
                }
            }
        } else {
            200
        };
        self.legs.answer(&mut self.endpoint, room.now, leg, status);
    }

    fn acknowledged(&mut self, room: &mut Room, callers: &mut Callers, tx: ServerTx) {
        let Some(leg) = self.legs.acknowledged(tx) else {
            return;
        };
        let talk = callers.talks(room, &leg.shown);
        // A caller who is gone already: the engine's BYE is on its way.
        let talk = talk.unwrap_or(Duration::from_secs(60));
        room.alarm(talk, Alarm::OperatorDone(self.index, leg.number));
        if room.has(Fault::Transfers) && self.random.chance(100) {
            room.alarm(talk / 2, Alarm::Refer(self.index, leg.number));
        }
        if room.has(Fault::Consults) && self.random.chance(100) {
            room.alarm(talk / 4, Alarm::Consult(self.index, leg.number));
        }
        if room.has(Fault::Holds) && self.random.chance(150) {
            room.alarm(talk / 3, Alarm::Hold(self.index, leg.number));
        }
    }

    fn hold(&mut self, room: &mut Room, leg: u64) {
        if self.legs.change_hold(&mut self.endpoint, room.now, leg) {
            room.count(Fault::Holds);
        }
    }

    /// Transfers the caller to a number of ours or outside, without asking there first.
    fn refer(&mut self, room: &mut Room, leg: u64) {
        let outside = room.has(Fault::Outside) && self.random.chance(250);
        let target = if outside {
            outside_number(&mut self.random)
        } else {
            NUMBERS[self.random.below(NUMBERS.len() as u64) as usize].to_owned()
        };
        let Some(mut refer) = self.legs.request(&self.endpoint, leg, Method::Refer) else {
            return;
        };
        let to = name_addr(at_engine(Some(&target))).to_string();
        refer.headers.push(HeaderName::ReferTo, to);
        self.endpoint.request(room.now, refer);
        room.count(Fault::Transfers);
    }

    /// Calls somebody outside, if nothing else is going on.
    fn dial(&mut self, room: &mut Room) {
        let later = self.random.exponential(DIALS);
        room.alarm(later, Alarm::Dial(self.index));
        if self.legs.is_busy() {
            return;
        }
        let number = outside_number(&mut self.random);
        self.call(room, &number);
        room.count(Fault::Outside);
    }

    /// Puts the caller on hold and calls a colleague, a queue or somebody outside.
    fn consult(&mut self, room: &mut Room, talk: u64) {
        if !self.legs.is_only_talk(talk) {
            return;
        }
        self.legs.change_hold(&mut self.endpoint, room.now, talk);
        let number = match self.random.below(3) {
            0 => outside_number(&mut self.random),
            // Who may be busy, away, or there is no such line.
            1 => (101 + self.random.below(LINES)).to_string(),
            _ => NUMBERS[self.random.below(NUMBERS.len() as u64) as usize].to_owned(),
        };
        let leg = self.call(room, &number);
        self.consults.push((leg, talk));
        room.count(Fault::Consults);
    }

    /// Gives the caller and whom the call about them reached to each other (RFC 5589 §7).
    fn join(&mut self, room: &mut Room, leg: u64) {
        let talk = self.consults.iter().find(|(consult, _)| *consult == leg);
        let Some((_, talk)) = talk.copied() else {
            return;
        };
        let Some(replaces) = self.legs.replaces(leg) else {
            return;
        };
        let Some(mut refer) = self.legs.request(&self.endpoint, talk, Method::Refer) else {
            return;
        };
        let to = at_engine(Some("consulted"));
        let to = format!("<{to}?Replaces={replaces}>");
        refer.headers.push(HeaderName::ReferTo, to);
        self.endpoint.request(room.now, refer);
        room.count(Fault::Transfers);
    }

    /// Calls a number; the leg of it.
    fn call(&mut self, room: &mut Room, number: &str) -> u64 {
        let (call_id, tag) = (
            format!("{}-out@sim", self.endpoint.token()),
            self.endpoint.token(),
        );
        let to = at_engine(Some(number));
        let from = (at_engine(Some(&self.login)), tag.as_str());
        let invite = self
            .endpoint
            .out_of_dialog(Method::Invite, from, to, (&call_id, 1));
        let leg = self.legs.dial(&mut self.endpoint, room.now, (invite, tag));
        self.placed.push(Placed {
            sip_call_id: call_id,
            answered: false,
        });
        self.dialled.push(leg);
        room.alarm(RINGS, Alarm::Enough(self.index, leg));
        leg
    }
}

/// The sign-in name of an operator.
pub(crate) fn login(index: usize) -> String {
    format!("op{}", index + 1)
}

/// Somebody whom the trunk reaches.
fn outside_number(random: &mut Random) -> String {
    format!("+7495{}", 1_000_000 + random.below(9_000_000))
}
