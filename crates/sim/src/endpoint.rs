//! Owns one SIP endpoint of a world: its address and its transactions. Knows no calls.

use core::net::SocketAddr;

use sip::{
    ClientTx, Flow, HeaderName, Host, Message, Method, NameAddr, Output, ServerTx, Timers,
    Transactions, Transport, Uri,
};
use vocab::Time;
use vocab::media::Codec;

use crate::random::Random;
use crate::room::{Content, Room};

/// Where the engine is.
pub(crate) fn engine() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 5060))
}

const TRANSACTIONS_MAX: usize = 1_000_000;

/// The codec of everybody.
pub(crate) const CODECS: [Codec; 1] = [Codec::Pcma];

pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    transactions: Transactions,
    random: Random,
}

impl Endpoint {
    pub(crate) fn new(address: SocketAddr, random: Random) -> Self {
        Self {
            address,
            transactions: Transactions::new(Timers::default(), TRANSACTIONS_MAX),
            random,
        }
    }

    pub(crate) fn flow(&self) -> Flow {
        Flow {
            transport: Transport::Udp,
            local: self.address,
            remote: engine(),
        }
    }

    pub(crate) fn token(&mut self) -> String {
        self.random.token()
    }

    pub(crate) fn contact(&self, user: &str) -> Uri {
        Uri::sip(
            Some(user),
            Host::Ip(self.address.ip()),
            Some(self.address.port()),
        )
    }

    /// A request outside of a dialog.
    pub(crate) fn out_of_dialog(
        &self,
        method: Method,
        (from, tag): (Uri, &str),
        to: Uri,
        (call_id, cseq): (&str, u32),
    ) -> Message {
        let name = method.as_str().to_owned();
        let mut request = Message::request(method, to.clone());
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, "70");
        headers.print(HeaderName::From, &name_addr(from).with_tag(tag));
        headers.print(HeaderName::To, &name_addr(to));
        headers.push(HeaderName::CallId, call_id);
        headers.push(HeaderName::CSeq, format!("{cseq} {name}"));
        request
    }

    /// The description of one of its streams.
    pub(crate) fn local(&self, session_id: u64) -> sdp::Local<'static> {
        sdp::Local {
            address: self.address.ip(),
            port: 10_000 + 2 * (session_id % 20_000) as u16,
            session_id: session_id + 1,
            version: 1,
            codecs: &CODECS,
            dtmf: Some(101),
            srtp: None,
            browser: None,
        }
    }

    /// The description of a stream that is changed by us: held, or as it was.
    pub(crate) fn changed(&self, session_id: u64, version: u64, held: bool) -> String {
        let local = sdp::Local {
            version,
            ..self.local(session_id)
        };
        let offer = sdp::offer(&local);
        // RFC 3264 §8.4: who holds only sends.
        if held {
            offer.replace("a=sendrecv", "a=sendonly")
        } else {
            offer
        }
    }

    /// A datagram came. Whether what the engine sends is SIP is judged where it is sent.
    pub(crate) fn receive(&mut self, now: Time, content: Content) {
        if let Content::Message(message) = content {
            self.transactions.receive(now, self.flow(), *message);
        }
    }

    pub(crate) fn request(&mut self, now: Time, request: Message) -> ClientTx {
        let branch = format!("z9hG4bK{}", self.random.token());
        let sent_by = self.address.to_string();
        self.transactions
            .request(now, self.flow(), &sent_by, &branch, request)
    }

    pub(crate) fn ack(&mut self, now: Time, tx: ClientTx, ack: Message) {
        let branch = format!("z9hG4bK{}", self.random.token());
        let sent_by = self.address.to_string();
        self.transactions
            .ack(now, tx, self.flow(), &sent_by, &branch, ack);
    }

    pub(crate) fn cancel(&mut self, now: Time, tx: ClientTx) {
        self.transactions.cancel(now, tx);
    }

    pub(crate) fn respond(&mut self, now: Time, tx: ServerTx, response: Message) {
        self.transactions.respond(now, tx, response);
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.transactions.handle_timeout(now);
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.transactions.next_deadline()
    }

    /// The next thing that happened; what is to be sent is put on its way.
    pub(crate) fn poll(&mut self, room: &mut Room) -> Option<Output> {
        loop {
            match self.transactions.poll()? {
                Output::Send { flow, bytes, .. } => {
                    room.send(self.address, flow.remote, Content::Octets(bytes));
                }
                happened => return Some(happened),
            }
        }
    }

    /// An answer to a request that nobody here expects.
    pub(crate) fn refuse(&mut self, now: Time, tx: ServerTx, request: &Message) {
        let status = match request.method() {
            Some(Method::Options) => 200,
            Some(Method::Bye | Method::Update | Method::Info | Method::Notify) => 481,
            // Within a dialog that is over here (RFC 3261 §12.2.2).
            _ if request.to().is_ok_and(|to| to.tag().is_some()) => 481,
            _ => 501,
        };
        let tag = self.token();
        self.respond(now, tx, request.respond(status, Some(&tag)));
    }

    /// The same description again, as the engine refreshes or changes a session (RFC 3264 §8).
    pub(crate) fn described_again(&self, request: &Message, session: u64, user: &str) -> Message {
        match sdp::answer(&request.body, &self.local(session)) {
            Ok((answer, _)) => {
                let mut response = request.respond(200, None);
                let contact = name_addr(self.contact(user)).to_string();
                response.headers.push(HeaderName::Contact, contact);
                response.with_body("application/sdp", answer.into_bytes())
            }
            Err(_) => request.respond(488, None),
        }
    }
}

pub(crate) fn name_addr(uri: Uri) -> NameAddr {
    NameAddr {
        display: None,
        uri,
        params: sip::Params::default(),
    }
}

/// `sip:USER@` the engine.
pub(crate) fn at_engine(user: Option<&str>) -> Uri {
    Uri::sip(user, Host::Ip(engine().ip()), Some(engine().port()))
}
