//! Owns the legs of one SIP user of a world: each is called or calls, talks, and ends. Knows SIP, but
//! nobody's wishes.
//!
//! | leg \ input | answer | CANCEL | ACK | hang up | BYE | last word to ours |
//! |---|---|---|---|---|---|---|
//! | Ringing | 200 → Answered; other → over | 487 → over | - | - | - | - |
//! | Answered | - | - | → Up | BYE → Closing | 200 → over | - |
//! | Dialling | - | - | - | CANCEL → GivenUp | - | 2xx: ACK → Up; other → over |
//! | GivenUp | - | - | - | - | - | 2xx: ACK, BYE → Closing; other → over |
//! | Up | - | - | - | BYE → Closing | 200 → over | - |
//! | Closing | - | - | - | - | 200 | → over |
//!
//! While it is up, a leg may be on hold: `legs/hold.rs`.

use sip::{ClientTx, Dialog, DialogId, HeaderName, Message, Method, ServerTx};
use vocab::Time;

use crate::endpoint::{Endpoint, name_addr};
use hold::Hold;

mod hold;

pub(crate) enum State {
    Ringing {
        tx: ServerTx,
        invite: Box<Message>,
    },
    Answered {
        tx: ServerTx,
        dialog: Box<Dialog>,
    },
    Dialling {
        tx: ClientTx,
        invite: Box<Message>,
        challenged: bool,
    },
    GivenUp {
        tx: ClientTx,
        invite: Box<Message>,
    },
    Up {
        dialog: Box<Dialog>,
        hold: Hold,
    },
    Closing {
        tx: ClientTx,
    },
}

impl State {
    fn up(dialog: Box<Dialog>) -> Self {
        let hold = Hold::default();
        Self::Up { dialog, hold }
    }
}

pub(crate) struct Leg {
    pub(crate) number: u64,
    tag: String,
    /// Who calls, as shown.
    pub(crate) shown: String,
    pub(crate) state: State,
}

impl Leg {
    fn dialog(&mut self) -> Option<&mut Dialog> {
        match &mut self.state {
            State::Answered { dialog, .. } | State::Up { dialog, .. } => Some(dialog),
            _ => None,
        }
    }
}

/// What the last word to a request of ours, or its silence, did to a leg.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Our call is answered: the leg of this number is up.
    Up(u64),
    /// A challenge: the leg of this number is to dial again.
    Challenged(u64),
    Nothing,
}

/// All legs of one user.
pub(crate) struct Legs {
    user: String,
    all: Vec<Leg>,
    next: u64,
}

impl Legs {
    pub(crate) fn new(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            all: Vec::new(),
            next: 0,
        }
    }

    /// Legs that are not over.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether somebody rings, is called or talks here.
    pub(crate) fn is_busy(&self) -> bool {
        let busy = |leg: &Leg| !matches!(leg.state, State::Closing { .. });
        self.all.iter().any(busy)
    }

    /// Whether a talk is up on this leg, and there is no other leg.
    pub(crate) fn is_only_talk(&self, number: u64) -> bool {
        let talks = |leg: &Leg| leg.number == number && matches!(leg.state, State::Up { .. });
        matches!(&self.all[..], [only] if talks(only))
    }

    /// The Replaces by which whom we talk to finds this dialog (RFC 3891 §3: the tags as they see them),
    /// escaped as in the headers of a URI.
    pub(crate) fn replaces(&mut self, number: u64) -> Option<String> {
        let State::Up { dialog, .. } = &self.leg(number)?.state else {
            return None;
        };
        let call_id = dialog.call_id.replace('@', "%40");
        let (to, from) = (&dialog.remote_tag, &dialog.local_tag);
        Some(format!("{call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}"))
    }

    fn leg(&mut self, number: u64) -> Option<&mut Leg> {
        self.all.iter_mut().find(|leg| leg.number == number)
    }

    fn contact(&self, endpoint: &Endpoint) -> String {
        name_addr(endpoint.contact(&self.user)).to_string()
    }

    fn add(&mut self, tag: String, shown: String, state: State) -> u64 {
        let number = self.next;
        self.next += 1;
        self.all.push(Leg {
            number,
            tag,
            shown,
            state,
        });
        number
    }

    /// Somebody calls: it rings.
    pub(crate) fn ring(
        &mut self,
        endpoint: &mut Endpoint,
        now: Time,
        tx: ServerTx,
        invite: &Message,
    ) -> u64 {
        let tag = endpoint.token();
        let from = invite.from().ok();
        let shown = from.and_then(|from| from.uri.user).unwrap_or_default();
        let mut ringing = invite.respond(180, Some(&tag));
        ringing
            .headers
            .push(HeaderName::Contact, self.contact(endpoint));
        endpoint.respond(now, tx, ringing);
        let invite = Box::new(invite.clone());
        self.add(tag, shown, State::Ringing { tx, invite })
    }

    /// Whether the leg still rings.
    pub(crate) fn rings(&self, number: u64) -> bool {
        let rings = |leg: &Leg| leg.number == number && matches!(leg.state, State::Ringing { .. });
        self.all.iter().any(rings)
    }

    /// Answers what rings: with 200 and a description, or a refusal.
    pub(crate) fn answer(&mut self, endpoint: &mut Endpoint, now: Time, number: u64, status: u16) {
        let contact = self.contact(endpoint);
        let Some(at) = self.all.iter().position(|leg| leg.number == number) else {
            return;
        };
        let leg = &mut self.all[at];
        let State::Ringing { tx, invite } = &leg.state else {
            return;
        };
        let tx = *tx;
        let session = sdp::answer(&invite.body, &endpoint.local(number));
        let dialog = Dialog::uas(invite, &leg.tag, endpoint.flow());
        match (status, session, dialog) {
            (200, Ok((description, _)), Ok(dialog)) => {
                let mut response = invite.respond(200, Some(&leg.tag));
                response.headers.push(HeaderName::Contact, contact);
                let response = response.with_body("application/sdp", description.into_bytes());
                let dialog = Box::new(dialog);
                leg.state = State::Answered { tx, dialog };
                endpoint.respond(now, tx, response);
            }
            (status, ..) => {
                let status = if status == 200 { 488 } else { status };
                let response = invite.respond(status, Some(&leg.tag));
                endpoint.respond(now, tx, response);
                self.all.remove(at);
            }
        }
    }

    /// Who called has the answer: the leg that is up by it.
    pub(crate) fn acknowledged(&mut self, tx: ServerTx) -> Option<&Leg> {
        let is_of = |leg: &&mut Leg| matches!(leg.state, State::Answered { tx: answered, .. } if answered == tx);
        let leg = self.all.iter_mut().find(is_of)?;
        if let State::Answered { dialog, .. } = &leg.state {
            leg.state = State::up(dialog.clone());
        }
        Some(leg)
    }

    /// RFC 3261 §13.3.1.4: without an ACK the dialog is to be ended by BYE.
    pub(crate) fn never_acknowledged(&mut self, endpoint: &mut Endpoint, now: Time, tx: ServerTx) {
        let is_of = |leg: &&Leg| matches!(leg.state, State::Answered { tx: answered, .. } if answered == tx);
        if let Some(number) = self.all.iter().find(is_of).map(|leg| leg.number) {
            self.hang_up(endpoint, now, number);
        }
    }

    pub(crate) fn cancelled(&mut self, endpoint: &mut Endpoint, now: Time, tx: ServerTx) {
        let is_of =
            |leg: &Leg| matches!(leg.state, State::Ringing { tx: invited, .. } if invited == tx);
        let Some(at) = self.all.iter().position(is_of) else {
            return;
        };
        let leg = self.all.remove(at);
        if let State::Ringing { invite, .. } = leg.state {
            endpoint.respond(now, tx, invite.respond(487, Some(&leg.tag)));
        }
    }

    /// Calls somebody; the request, but for its description, is the caller's.
    pub(crate) fn dial(
        &mut self,
        endpoint: &mut Endpoint,
        now: Time,
        (mut invite, tag): (Message, String),
    ) -> u64 {
        let contact = self.contact(endpoint);
        invite.headers.push(HeaderName::Contact, contact);
        let offer = sdp::offer(&endpoint.local(self.next));
        let invite = invite.with_body("application/sdp", offer.into_bytes());
        let tx = endpoint.request(now, invite.clone());
        let invite = Box::new(invite);
        let state = State::Dialling {
            tx,
            invite,
            challenged: false,
        };
        self.add(tag, String::new(), state)
    }

    /// Whether the call of this leg has no answer yet.
    pub(crate) fn is_dialling(&self, number: u64) -> bool {
        let dials = |leg: &Leg| leg.number == number && matches!(leg.state, State::Dialling { .. });
        self.all.iter().any(dials)
    }

    /// The INVITE again, after `sign` has put the answer to the challenge into it; without one the leg is
    /// over.
    pub(crate) fn dial_again(
        &mut self,
        endpoint: &mut Endpoint,
        now: Time,
        number: u64,
        sign: impl FnOnce(&mut Message) -> bool,
    ) {
        let Some(leg) = self.leg(number) else { return };
        let State::Dialling {
            tx,
            invite,
            challenged,
        } = &mut leg.state
        else {
            return;
        };
        *challenged = true;
        invite.headers.set(HeaderName::CSeq, "2 INVITE");
        if sign(invite) {
            *tx = endpoint.request(now, invite.as_ref().clone());
        } else {
            self.all.retain(|leg| leg.number != number);
        }
    }

    /// A final answer to a request of ours.
    pub(crate) fn heard(
        &mut self,
        endpoint: &mut Endpoint,
        now: Time,
        tx: ClientTx,
        response: &Message,
    ) -> Heard {
        let status = response.status().unwrap_or(0);
        let is_of = |leg: &Leg| {
            matches!(&leg.state,
            State::Dialling { tx: ours, .. } | State::GivenUp { tx: ours, .. } | State::Closing { tx: ours } if *ours == tx)
        };
        let Some(at) = self.all.iter().position(is_of).filter(|_| status >= 200) else {
            return Heard::Nothing;
        };
        let leg = &mut self.all[at];
        let given_up = matches!(leg.state, State::GivenUp { .. });
        let dialog = match &leg.state {
            State::Dialling {
                challenged: false, ..
            } if matches!(status, 401 | 407) => return Heard::Challenged(leg.number),
            State::Dialling { invite, .. } | State::GivenUp { invite, .. } if status < 300 => {
                Dialog::uac(invite, response, endpoint.flow()).ok()
            }
            _ => None,
        };
        let (Some(dialog), Ok(cseq)) = (dialog, response.cseq()) else {
            self.all.remove(at);
            return Heard::Nothing;
        };
        let number = leg.number;
        endpoint.ack(now, tx, dialog.ack(cseq.number));
        leg.state = State::up(Box::new(dialog));
        if given_up {
            // The CANCEL crossed the 200 (RFC 3261 §15: now only a BYE ends it).
            self.hang_up(endpoint, now, number);
            return Heard::Nothing;
        }
        Heard::Up(number)
    }

    /// No answer came to a request of ours.
    pub(crate) fn unheard(&mut self, tx: ClientTx) {
        self.hold_unanswered(tx);
        self.all.retain(|leg| {
            !matches!(&leg.state,
                State::Dialling { tx: ours, .. } | State::GivenUp { tx: ours, .. } | State::Closing { tx: ours } if *ours == tx)
        });
    }

    /// A request of the engine's in a dialog; the leg whose transfer it says is done.
    pub(crate) fn in_dialog(
        &mut self,
        endpoint: &mut Endpoint,
        now: Time,
        tx: ServerTx,
        request: &Message,
    ) -> Option<u64> {
        let id = DialogId::of_incoming(request);
        let at = self
            .all
            .iter_mut()
            .position(|leg| id.is_some() && leg.dialog().map(|dialog| dialog.id()) == id);
        let Some(at) = at else {
            match request.method() {
                // The BYEs crossed.
                Some(Method::Bye) => endpoint.respond(now, tx, request.respond(200, None)),
                _ => endpoint.refuse(now, tx, request),
            }
            return None;
        };
        let number = self.all[at].number;
        match request.method() {
            Some(Method::Bye) => {
                endpoint.respond(now, tx, request.respond(200, None));
                self.all.remove(at);
            }
            // RFC 3261 §14.2: only one of the two changes the session at a time.
            Some(Method::Invite) if self.all[at].is_changing() => {
                endpoint.respond(now, tx, request.respond(491, None));
            }
            Some(Method::Invite) => {
                let response = endpoint.described_again(request, number, &self.user);
                endpoint.respond(now, tx, response);
            }
            Some(Method::Notify) => {
                endpoint.respond(now, tx, request.respond(200, None));
                let news = String::from_utf8_lossy(&request.body).into_owned();
                return news.starts_with("SIP/2.0 200").then_some(number);
            }
            _ => endpoint.refuse(now, tx, request),
        }
        None
    }

    /// A request in the dialog of a leg that is up.
    pub(crate) fn request(
        &mut self,
        endpoint: &Endpoint,
        number: u64,
        method: Method,
    ) -> Option<Message> {
        let contact = self.contact(endpoint);
        let State::Up { dialog, .. } = &mut self.leg(number)?.state else {
            return None;
        };
        let mut request = dialog.request(method);
        request.headers.push(HeaderName::Contact, contact);
        Some(request)
    }

    /// Gives a call up, or ends the talk.
    pub(crate) fn hang_up(&mut self, endpoint: &mut Endpoint, now: Time, number: u64) {
        let Some(leg) = self.leg(number) else { return };
        if let State::Dialling { tx, invite, .. } = &leg.state {
            let (tx, invite) = (*tx, invite.clone());
            endpoint.cancel(now, tx);
            leg.state = State::GivenUp { tx, invite };
        } else if let Some(dialog) = leg.dialog() {
            let bye = dialog.request(Method::Bye);
            let tx = endpoint.request(now, bye);
            leg.state = State::Closing { tx };
        }
    }
}
