//! Owns one SIP socket of the load and its transactions: all callers speak through one, all
//! operators through another. Refuses to know what a call is.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use sip::{
    ClientTx, Datagram, Flow, HeaderName, Host, Message, Method, NameAddr, Output, ServerTx,
    Timers, Transactions, Transport, Uri, parse_datagram,
};
use vocab::Time;

use crate::random::Random;
use crate::sockets;

/// Transactions of one side at once: an INVITE and a BYE of each of thousands of calls, each
/// lingering up to 32 s.
const TRANSACTIONS_MAX: usize = 200_000;
/// Datagrams read at one look, so that timers are not starved.
const READS_MAX: usize = 256;

/// One side's SIP endpoint.
pub(crate) struct Agent {
    socket: UdpSocket,
    transactions: Transactions,
    flow: Flow,
    sent_by: String,
    random: Random,
}

impl Agent {
    pub(crate) fn open(
        address: IpAddr,
        engine: SocketAddr,
        random: Random,
    ) -> std::io::Result<Self> {
        let socket = sockets::bind(address, 0)?;
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            transactions: Transactions::new(Timers::default(), TRANSACTIONS_MAX),
            flow: Flow {
                transport: Transport::Udp,
                local,
                remote: engine,
            },
            sent_by: local.to_string(),
            random,
        })
    }

    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }

    /// A fresh tag, Call-ID or cnonce.
    pub(crate) fn token(&mut self) -> String {
        self.random.token()
    }

    /// `sip:USER@` this endpoint.
    pub(crate) fn contact(&self, user: &str) -> Uri {
        let local = self.flow.local;
        Uri::sip(Some(user), Host::Ip(local.ip()), Some(local.port()))
    }

    /// `sip:USER@` the engine.
    pub(crate) fn at_engine(&self, user: Option<&str>) -> Uri {
        let engine = self.flow.remote;
        Uri::sip(user, Host::Ip(engine.ip()), Some(engine.port()))
    }

    /// A request outside a dialog: everything but Via and what is special to the method.
    pub(crate) fn out_of_dialog(
        &self,
        method: Method,
        uri: Uri,
        (from, tag): (Uri, &str),
        to: Uri,
        (call_id, cseq): (&str, u32),
    ) -> Message {
        let name = method.as_str().to_owned();
        let mut request = Message::request(method, uri);
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(HeaderName::From, name_addr(from).with_tag(tag).to_string());
        headers.push(HeaderName::To, name_addr(to).to_string());
        headers.push(HeaderName::CallId, call_id);
        headers.push(HeaderName::CSeq, format!("{cseq} {name}"));
        headers.push(HeaderName::UserAgent, "hotline-load");
        request
    }

    /// Reads what has come; requests for which `ignore` is true are as if never received.
    pub(crate) fn read(&mut self, now: Time, mut ignore: impl FnMut(&Message) -> bool) {
        let mut bytes = [0; 65_536];
        for _ in 0..READS_MAX {
            let (length, source) = match self.socket.recv_from(&mut bytes) {
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => continue,
            };
            match parse_datagram(bytes.get(..length).unwrap_or_default()) {
                Ok(Datagram::Message(message)) if ignore(&message) => {}
                Ok(Datagram::Message(message)) => {
                    let flow = Flow {
                        remote: source,
                        ..self.flow
                    };
                    self.transactions.receive(now, flow, message);
                }
                Ok(Datagram::KeepAlive) => {}
                Err(malformed) => {
                    tracing::warn!(problem = %malformed.problem, "the engine sent malformed SIP");
                }
            }
        }
    }

    pub(crate) fn request(&mut self, now: Time, request: Message) -> ClientTx {
        let branch = format!("z9hG4bK{}", self.random.token());
        self.transactions
            .request(now, self.flow, &self.sent_by, &branch, request)
    }

    pub(crate) fn ack(&mut self, now: Time, tx: ClientTx, ack: Message) {
        let branch = format!("z9hG4bK{}", self.random.token());
        self.transactions
            .ack(now, tx, self.flow, &self.sent_by, &branch, ack);
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

    /// The next thing that happened; what is to be sent is sent here.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        loop {
            match self.transactions.poll()? {
                Output::Send { flow, bytes, .. } => {
                    // A full socket buffer is a lost packet; SIP sends it again.
                    let _ = self.socket.send_to(&bytes, flow.remote);
                }
                happened => return Some(happened),
            }
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
