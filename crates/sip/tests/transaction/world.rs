//! Owns the virtual time around one transaction table and the short texts its outputs are
//! compared with.

use std::time::Duration;

use sip::{
    ClientTx, Datagram, Flow, HeaderName, Message, Method, Output, ServerTx, Timers, Transactions,
    Transport, Uri, parse_datagram,
};
use vocab::Time;

pub(crate) struct World {
    /// What carries all messages.
    pub(crate) transport: Transport,
    pub(crate) table: Transactions,
    pub(crate) now: Time,
    pub(crate) last_request: Option<(ServerTx, Message)>,
    pub(crate) last_response: Option<Message>,
    pub(crate) last_sent: Vec<u8>,
    pub(crate) last_flow: Option<Flow>,
}

pub(crate) fn flow() -> Flow {
    flow_from("192.0.2.9:5060")
}

pub(crate) fn flow_from(remote: &str) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
    }
}

pub(crate) fn parsed(bytes: &[u8]) -> Message {
    match parse_datagram(bytes).unwrap() {
        Datagram::Message(message) => message,
        Datagram::KeepAlive => panic!("a keep-alive was sent"),
    }
}

/// A request of the peer. The number says which: it is in branch, Call-ID and From tag.
pub(crate) fn incoming(method: &str, number: u32) -> Message {
    let method = Method::parse(method).unwrap();
    let uri = Uri::parse("sip:1300@192.0.2.1").unwrap();
    let cseq = format!("1 {method}");
    let mut request = Message::request(method, uri);
    let via = format!("SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{number}");
    request.headers.push(HeaderName::Via, via);
    request.headers.push(
        HeaderName::From,
        format!("<sip:ann@example.com>;tag=f{number}"),
    );
    request
        .headers
        .push(HeaderName::To, "<sip:1300@example.com>");
    request
        .headers
        .push(HeaderName::CallId, format!("call{number}@192.0.2.9"));
    request.headers.push(HeaderName::CSeq, cseq);
    request
        .headers
        .push(HeaderName::Contact, "<sip:ann@192.0.2.9>");
    request
}

/// The ACK for our response to `incoming("INVITE", number)`. For a 2xx it has a branch of its own.
pub(crate) fn incoming_ack(number: u32, to_tag: &str, branch: &str) -> Message {
    let mut ack = incoming("ACK", number);
    ack.headers.set(
        HeaderName::Via,
        format!("SIP/2.0/UDP 192.0.2.9:5060;branch={branch}"),
    );
    ack.headers.set(
        HeaderName::To,
        format!("<sip:1300@example.com>;tag={to_tag}"),
    );
    ack
}

/// A request of ours, without Via.
pub(crate) fn outgoing(method: &str) -> Message {
    let mut request = incoming(method, 900);
    request.headers.remove(&HeaderName::Via);
    request
        .headers
        .push(HeaderName::Route, "<sip:192.0.2.9;lr>");
    request.headers.push(HeaderName::MaxForwards, "70");
    request.with_body("text/plain", b"body".to_vec())
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_limit(1_000)
    }

    pub(crate) fn with_limit(limit: usize) -> Self {
        Self {
            transport: Transport::Udp,
            table: Transactions::new(Timers::default(), limit),
            now: Time::from_millis(1_000_000),
            last_request: None,
            last_response: None,
            last_sent: Vec::new(),
            last_flow: None,
        }
    }

    /// With a connection in place of datagrams.
    pub(crate) fn over(transport: Transport) -> Self {
        Self {
            transport,
            ..Self::new()
        }
    }

    pub(crate) fn flow(&self) -> Flow {
        Flow {
            transport: self.transport,
            ..flow()
        }
    }

    /// The flow of all messages is lost.
    pub(crate) fn lose_flow(&mut self) -> Vec<String> {
        let flow = self.flow();
        self.table.flow_lost(self.now, flow);
        self.drain()
    }

    /// A message comes from the network. What the layer does about it, as texts.
    pub(crate) fn receive(&mut self, message: Message) -> Vec<String> {
        self.receive_on(self.flow(), message)
    }

    pub(crate) fn receive_on(&mut self, flow: Flow, message: Message) -> Vec<String> {
        self.table.receive(self.now, flow, message);
        self.drain()
    }

    /// Answers the last request that was shown.
    pub(crate) fn respond(&mut self, status: u16) -> Vec<String> {
        let (tx, request) = self.last_request.clone().unwrap();
        self.table
            .respond(self.now, tx, request.respond(status, Some("ours")));
        self.drain()
    }

    pub(crate) fn request(&mut self, method: &str) -> (ClientTx, Vec<String>) {
        let request = outgoing(method);
        let tx = self
            .table
            .request(self.now, self.flow(), "192.0.2.1:5060", "z9hG4bKx", request);
        (tx, self.drain())
    }

    /// The peer's response to the request that was sent last as `request`.
    pub(crate) fn answer(&mut self, request: &[u8], status: u16, to_tag: &str) -> Vec<String> {
        let response = parsed(request).respond(status, Some(to_tag));
        self.receive(response)
    }

    /// Lets time pass; each output with its milliseconds since `from`.
    pub(crate) fn pass(&mut self, from: Time, until_ms: u64) -> Vec<String> {
        let end = from + Duration::from_millis(until_ms);
        let mut seen = Vec::new();
        while let Some(due) = self.table.next_deadline().filter(|due| *due <= end) {
            assert!(due >= self.now, "a deadline lies in the past");
            self.now = due;
            self.table.handle_timeout(due);
            let ms = due.since(from).as_millis();
            seen.extend(self.drain().into_iter().map(|text| format!("{ms} {text}")));
        }
        self.now = end;
        seen
    }

    pub(crate) fn drain(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(output) = self.table.poll() {
            seen.push(self.text(output));
        }
        seen
    }

    fn text(&mut self, output: Output) -> String {
        match output {
            Output::Send {
                flow,
                bytes,
                tx,
                first,
            } => {
                let message = parsed(&bytes);
                let kind = message.cseq().unwrap().method;
                self.last_sent = bytes;
                self.last_flow = Some(flow);
                match message.status() {
                    Some(status) => {
                        let by_user = if first { " first" } else { "" };
                        assert!(tx.is_some() || !first);
                        format!("{status} {kind}{by_user}")
                    }
                    None => format!("{kind}"),
                }
            }
            Output::Request { tx, request, .. } => {
                let text = format!("shown {}", request.method().unwrap());
                self.last_request = Some((tx, request));
                text
            }
            Output::Ack { .. } => "shown ACK".to_owned(),
            Output::Cancelled { .. } => "cancelled".to_owned(),
            Output::AckMissing { .. } => "ack missing".to_owned(),
            Output::Response { response, .. } => {
                let text = format!("shown {}", response.status().unwrap());
                self.last_response = Some(response);
                text
            }
            Output::TimedOut { .. } => "timed out".to_owned(),
            Output::Failed { .. } => "failed".to_owned(),
        }
    }
}

pub(crate) const NOTHING: [&str; 0] = [];
