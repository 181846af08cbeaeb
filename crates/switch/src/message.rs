//! Owns text messages between operators (MESSAGE, RFC 3428): who may send one, to which telephones it
//! goes, and what the sender hears. Refuses to keep one, and to know what it says: nothing of it is
//! written down.
//!
//! Each is sent to every telephone of the line once; the first that takes it decides.
//!
//! | state    | 2xx of one   | other answer, silence | of the last one            | the wait is over |
//! |----------|--------------|-----------------------|----------------------------|------------------|
//! | Open     | Answered 200 | Open                  | Answered, the best of them | Answered 480     |
//! | Answered | -            | -                     | Gone                       | -                |

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use sip::{ClientTx, Flow, HeaderName, Message, Method, ServerTx};
use vocab::{OperatorId, Time};

use crate::context::Context;
use crate::destination::operator_at;
use crate::engine::Switch;
use crate::settings::Messages as Policy;
use crate::way::{self, Next, Shown};

/// RFC 3428 §8: longer messages are for a session of their own. In octets.
const BODY_MAX: usize = 1_300;
/// What a message may be.
const KIND: &str = "text/plain";
/// How long the telephones have. The sender gives up after 64*T1, 32 s, and no answer is to come that
/// late (RFC 4320 §4.2).
const WITHIN: Duration = Duration::from_secs(16);
/// Messages under way at once, in all and of one sender; beyond it 503.
const OPEN_MAX: usize = 1_000;
const OPEN_OF_ONE_MAX: usize = 20;

type DeliveryId = u64;

/// All messages under way.
#[derive(Default)]
pub(crate) struct Messages {
    next: DeliveryId,
    all: BTreeMap<DeliveryId, Delivery>,
    sent: BTreeMap<ClientTx, DeliveryId>,
    /// When each that is open is given up.
    deadlines: BTreeSet<(Time, DeliveryId)>,
}

struct Delivery {
    from: OperatorId,
    /// The sender's request without its body, until it is answered.
    open: Option<(ServerTx, Box<Message>)>,
    until: Time,
    /// Telephones that have not answered.
    out: BTreeSet<ClientTx>,
    /// The best refusal so far.
    refusal: Option<u16>,
}

impl Messages {
    pub(crate) fn has_sent(&self, tx: ClientTx) -> bool {
        self.sent.contains_key(&tx)
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    fn has_room(&self, from: OperatorId) -> bool {
        let of_one = self.all.values().filter(|one| one.from == from).count();
        self.all.len() < OPEN_MAX && of_one < OPEN_OF_ONE_MAX
    }
}

impl Switch {
    /// A MESSAGE outside a dialog.
    pub(crate) fn on_message(&mut self, tx: ServerTx, flow: Flow, mut request: Message) {
        match self.ctx.settings.messages {
            // As if there were no such method: nobody learns who is here (RFC 3261 §8.2.1).
            Policy::Refuse => return self.ctx.refuse(tx, &request, 405),
            Policy::Operators => {}
        }
        if self.takes_no_calls() {
            return self.ctx.refuse_overload(tx, &request);
        }
        let known = Context::operator_secrets;
        let Some(user) = self.authenticate(tx, flow, &request, known) else {
            return;
        };
        let Some(from) = self.ctx.logins.get(&user).copied() else {
            return self.ctx.refuse_known(tx, &request, 403);
        };
        if let Err(status) = readable(&request) {
            return self.refuse_message(tx, &request, status);
        }
        if !self.messages.has_room(from) {
            return self.ctx.refuse_overload(tx, &request);
        }
        let telephones = match self.telephones_of(&request, from) {
            Ok(telephones) => telephones,
            Err(status) => return self.ctx.refuse_known(tx, &request, status),
        };
        let body = core::mem::take(&mut request.body);
        let sent = self.send_message(&request, &body, telephones);
        self.messages.next += 1;
        let (id, until) = (self.messages.next, self.ctx.now + WITHIN);
        self.messages.deadlines.insert((until, id));
        for tx in &sent {
            self.messages.sent.insert(*tx, id);
        }
        let delivery = Delivery {
            from,
            open: Some((tx, Box::new(request))),
            until,
            out: sent,
            refusal: None,
        };
        self.messages.all.insert(id, delivery);
    }

    fn refuse_message(&mut self, tx: ServerTx, request: &Message, status: u16) {
        let tag = self.ctx.entropy.tag();
        let mut response = request.respond(status, Some(&tag));
        if status == 415 {
            response.headers.set(HeaderName::Accept, KIND);
            response.headers.set(HeaderName::AcceptEncoding, "identity");
        }
        self.ctx.respond(tx, response);
    }

    /// The ways to the one who is addressed.
    ///
    /// # Errors
    /// 404 for nobody, 480 for one without a telephone.
    fn telephones_of(&self, request: &Message, from: OperatorId) -> Result<way::Group, u16> {
        let addressed = request.request_uri().and_then(|uri| uri.user.as_deref());
        let to = operator_at(&self.ctx, addressed.unwrap_or_default()).ok_or(404_u16)?;
        let sender = self.ctx.operators.get(&from).ok_or(403_u16)?;
        // Who sends is who showed the password, whatever From says.
        let shown = Shown {
            number: sender.line.clone(),
            name: sender.name.clone(),
        };
        let telephones = way::telephones(&self.ctx, to, &shown).concat();
        if telephones.is_empty() {
            return Err(480);
        }
        Ok(telephones)
    }

    /// Sends a copy to each telephone.
    fn send_message(
        &mut self,
        request: &Message,
        body: &[u8],
        telephones: way::Group,
    ) -> BTreeSet<ClientTx> {
        let kind = request.headers.first(&HeaderName::ContentType);
        let kind = kind.unwrap_or(KIND).to_owned();
        let forwards = request.max_forwards().unwrap_or(70).saturating_sub(1);
        let mut sent = BTreeSet::new();
        for way in telephones {
            let Next::Telephone(flow) = way.next else {
                continue;
            };
            // RFC 3428 §4: no Contact, for it makes no dialog.
            let mut copy = way.head(&mut self.ctx, Method::Message);
            let forwards = forwards.to_string();
            copy.headers.set(HeaderName::MaxForwards, forwards);
            let copy = copy.with_body(&kind, body.to_vec());
            sent.insert(self.ctx.request_unowned(flow, copy));
        }
        sent
    }

    /// A telephone answered; `None`: it did not.
    pub(crate) fn on_message_answered(&mut self, tx: ClientTx, answer: Option<&Message>) {
        let status = answer.and_then(Message::status);
        if status.is_some_and(|status| status < 200) {
            return;
        }
        let Some(id) = self.messages.sent.remove(&tx) else {
            return;
        };
        let Some(delivery) = self.messages.all.get_mut(&id) else {
            return;
        };
        delivery.out.remove(&tx);
        match status {
            Some(200..=299) => self.answer_sender(id, 200),
            Some(status) => {
                delivery.refusal = better(delivery.refusal, status);
                self.message_refused(id);
            }
            None => self.message_refused(id),
        }
        if self
            .messages
            .all
            .get(&id)
            .is_some_and(|one| one.out.is_empty())
        {
            self.messages.all.remove(&id);
        }
    }

    fn message_refused(&mut self, id: DeliveryId) {
        if let Some(delivery) = self.messages.all.get(&id)
            && delivery.out.is_empty()
        {
            let status = delivery.refusal.unwrap_or(480);
            self.answer_sender(id, status);
        }
    }

    /// Gives up what no telephone has taken in time.
    pub(crate) fn messages_timeout(&mut self) {
        while let Some((until, id)) = self.messages.deadlines.first().copied() {
            if until > self.ctx.now {
                return;
            }
            self.messages.deadlines.remove(&(until, id));
            self.answer_sender(id, 480);
        }
    }

    /// The sender hears one answer, the first.
    fn answer_sender(&mut self, id: DeliveryId, status: u16) {
        let Some(delivery) = self.messages.all.get_mut(&id) else {
            return;
        };
        let until = delivery.until;
        if let Some((tx, request)) = delivery.open.take() {
            self.refuse_message(tx, &request, status);
        }
        self.messages.deadlines.remove(&(until, id));
    }
}

/// Whether a message is one that is passed on.
///
/// # Errors
/// The status to answer with.
fn readable(request: &Message) -> Result<(), u16> {
    if request.max_forwards() == Some(0) {
        return Err(483);
    }
    if request.content_type().as_deref() != Some(KIND)
        || request
            .headers
            .first(&HeaderName::ContentEncoding)
            .is_some()
    {
        return Err(415);
    }
    if request.body.len() > BODY_MAX {
        return Err(413);
    }
    Ok(())
}

/// The better of two refusals for the sender (RFC 3261 §16.7 step 6): the last word of a person before
/// what a telephone lacks, and no more of a telephone than that it cannot be had.
fn better(before: Option<u16>, status: u16) -> Option<u16> {
    let said = match status {
        600 | 603 | 606 => status,
        413 | 415 | 486 | 488 => status,
        _ => 480,
    };
    let rank = |status: u16| match status {
        600..=699 => 0,
        480 => 2,
        _ => 1,
    };
    match before {
        Some(before) if rank(before) <= rank(said) => Some(before),
        Some(_) | None => Some(said),
    }
}
