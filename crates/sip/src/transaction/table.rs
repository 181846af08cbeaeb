//! Owns all transactions at once: what the user and the timers want goes to the right machine from
//! here, what the network brings from `receive`. The machines are in `client` and `server`.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use vocab::Time;

use super::client::{self, Client};
use super::deadlines::{Deadlines, Kind, Owner};
use super::routing::Reply;
use super::server::{self, Server};
use super::slab::Slab;
use super::{Armed, ClientTx, Flow, Output, ServerTx, Timers, Transport, Turn, key};
use crate::wire::{HeaderName, Message, Method};

/// The transaction layer: see the module.
///
/// Call [`poll`](Self::poll) until `None` after each input, and
/// [`handle_timeout`](Self::handle_timeout) when [`next_deadline`](Self::next_deadline) is reached.
#[derive(Debug)]
pub struct Transactions {
    timers: Timers,
    pub(super) limit: usize,
    clients: Slab<ClientSlot>,
    pub(super) servers: Slab<ServerSlot>,
    /// Looked up, never iterated: the order of a hash map cannot reach an output.
    pub(super) client_keys: HashMap<Arc<str>, ClientTx>,
    pub(super) server_keys: HashMap<Arc<str>, ServerTx>,
    pub(super) merge_keys: HashMap<Arc<str>, ServerTx>,
    pub(super) ack_keys: HashMap<Arc<str>, ServerTx>,
    /// Who waits for a response on a flow.
    client_flows: BTreeSet<(Flow, ClientTx)>,
    /// Whose responses take another way when the flow is lost.
    server_flows: BTreeSet<(Flow, ServerTx)>,
    deadlines: Deadlines,
    pub(super) out: VecDeque<Output>,
    /// Where keys are written before they are looked up, to spare an allocation per message.
    pub(super) scratch: String,
}

#[derive(Debug)]
struct ClientSlot {
    machine: Client,
    /// What a CANCEL of it says (RFC 3326).
    cancel_reason: Option<&'static str>,
    flow: Flow,
    key: Arc<str>,
    armed: Armed,
}

#[derive(Debug)]
pub(super) struct ServerSlot {
    machine: Server,
    /// Where the responses go.
    flow: Flow,
    /// Where they go when that flow is lost.
    alternate: Option<Flow>,
    key: Arc<str>,
    merge_key: Option<Arc<str>>,
    ack_key: Option<Arc<str>>,
    /// Of our newest response to an INVITE that has one.
    pub(super) to_tag: Option<String>,
    /// How far the INVITE is, for CANCEL.
    pub(super) cancel: Cancellable,
    armed: Armed,
}

/// Whether a CANCEL still has an effect (RFC 3261 §9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancellable {
    Yes,
    /// Cancelled already, or answered finally.
    No,
}

impl Transactions {
    /// An empty table. `limit`: transactions at once; beyond it new requests are answered 503
    /// with Retry-After and leave no state. Requests within dialogs may exceed it by a quarter, so
    /// that calls can be ended under overload. Requests of our own are not limited here.
    #[must_use]
    pub fn new(timers: Timers, limit: usize) -> Self {
        Self {
            timers: timers.guarded(),
            limit,
            clients: Slab::new(),
            servers: Slab::new(),
            client_keys: HashMap::new(),
            server_keys: HashMap::new(),
            merge_keys: HashMap::new(),
            ack_keys: HashMap::new(),
            client_flows: BTreeSet::new(),
            server_flows: BTreeSet::new(),
            deadlines: Deadlines::default(),
            out: VecDeque::new(),
            scratch: String::new(),
        }
    }

    /// Takes a message from the network. Copies are answered or absorbed here; what belongs to no
    /// transaction and cannot begin one is dropped.
    pub fn receive(&mut self, now: Time, flow: Flow, message: Message) {
        // The parser has refused messages without these fields; one made by hand is dropped.
        let _ = match message.status() {
            Some(status) => self.receive_response(now, status, message),
            None => self.receive_request(now, flow, message),
        };
    }

    /// Sends a request that is not an ACK or a CANCEL. The caller gives everything but Via;
    /// `branch` must be fresh and begin with `z9hG4bK`. `sent_by`: `host[:port]` of the Via.
    pub fn request(
        &mut self,
        now: Time,
        flow: Flow,
        sent_by: &str,
        branch: &str,
        mut request: Message,
    ) -> ClientTx {
        add_via(&mut request, flow, sent_by, branch);
        let method = request.method().cloned().unwrap_or(Method::Options);
        self.start_client(now, flow, branch, &method, |turn| match &method {
            Method::Invite => Client::Invite(client::Invite::start(request, turn)),
            _ => Client::Other(client::Other::start(&request, false, turn)),
        })
    }

    /// An id that no transaction has or will have: for a request that cannot be sent yet, or that
    /// is sent several times by several ways.
    pub fn reserve(&mut self) -> ClientTx {
        let id = self.clients.insert(ClientSlot {
            machine: Client::Other(client::Other::Terminated),
            cancel_reason: None,
            flow: NOWHERE,
            key: Arc::from(""),
            armed: Armed::default(),
        });
        self.clients.remove(id);
        ClientTx(id)
    }

    /// Answers a request: any number of provisional responses, then one final. Later ones and
    /// those for transactions that are over are ignored. A 2xx to INVITE is repeated until its ACK.
    pub fn respond(&mut self, now: Time, tx: ServerTx, response: Message) {
        let Some(slot) = self.servers.get_mut(tx.0) else {
            return;
        };
        let Some(status) = response.status() else {
            return;
        };
        if matches!(slot.machine, Server::Invite(_)) && slot.is_pending() {
            Self::note_response(slot, &mut self.ack_keys, &mut self.scratch, tx, &response);
        }
        // A client that answers the challenge without a new CSeq number is wrong (§22.2) but not
        // rare; its second attempt must not be taken for a merged request.
        if matches!(status, 401 | 407)
            && let Some(key) = slot.merge_key.take()
        {
            self.merge_keys.remove(&key);
        }
        let bytes = response.to_bytes();
        self.step_server(now, now, tx, server::Input::Respond { status, bytes });
    }

    /// Answers a request finally and forgets it at once: for challenges to strangers, who must
    /// cost no memory (RFC 3261 §8.2.7). A copy of the request will be shown as a new one.
    pub fn respond_stateless(&mut self, tx: ServerTx, response: &Message) {
        let Some(slot) = self.servers.get_mut(tx.0) else {
            return;
        };
        let flow = slot.flow;
        let bytes = response.to_bytes();
        self.out.push_back(Output::Send {
            flow,
            bytes,
            tx: Some(tx),
            first: true,
        });
        self.remove_server(tx);
    }

    /// Sends the ACK for a 2xx, and again for each copy of that 2xx. It travels by the dialog's
    /// route, so it has a flow and a branch of its own (RFC 3261 §13.2.2.4).
    pub fn ack(
        &mut self,
        now: Time,
        tx: ClientTx,
        flow: Flow,
        sent_by: &str,
        branch: &str,
        mut ack: Message,
    ) {
        add_via(&mut ack, flow, sent_by, branch);
        let to_tag = ack
            .to()
            .ok()
            .and_then(|to| to.tag().map(str::to_owned))
            .unwrap_or_default();
        let bytes = ack.to_bytes();
        if self.clients.get_mut(tx.0).is_some() {
            self.step_client(
                now,
                now,
                tx,
                client::Input::Ack {
                    to_tag,
                    flow,
                    bytes,
                },
            );
        } else {
            self.out.push_back(Output::Send {
                flow,
                bytes,
                tx: None,
                first: false,
            });
        }
    }

    /// Withdraws an INVITE: CANCEL goes out now or after the first provisional response (RFC 3261
    /// §9.1). A final response or `TimedOut` still follows; a 2xx may have crossed the CANCEL.
    pub fn cancel(&mut self, now: Time, tx: ClientTx) {
        self.step_client(now, now, tx, client::Input::Cancel);
    }

    /// The same, and the CANCEL says why in a Reason header field with this value (RFC 3326).
    pub fn cancel_because(&mut self, now: Time, tx: ClientTx, reason: &'static str) {
        if let Some(slot) = self.clients.get_mut(tx.0) {
            slot.cancel_reason.get_or_insert(reason);
        }
        self.cancel(now, tx);
    }

    /// A connection was lost, or could not be opened, or the network took a datagram to nobody.
    /// Requests of ours that wait on it fail at once (RFC 3261 §8.1.3.1); responses of ours that
    /// are still to come go to where the peer listens (§18.2.2).
    pub fn flow_lost(&mut self, now: Time, flow: Flow) {
        let first = (flow, ClientTx(0));
        let last = (flow, ClientTx(u64::MAX));
        let waiting: Vec<ClientTx> = self
            .client_flows
            .range(first..=last)
            .map(|(_, tx)| *tx)
            .collect();
        for tx in waiting {
            self.step_client(now, now, tx, client::Input::FlowLost);
        }
        let first = (flow, ServerTx(0));
        let last = (flow, ServerTx(u64::MAX));
        let answering: Vec<ServerTx> = self
            .server_flows
            .range(first..=last)
            .map(|(_, tx)| *tx)
            .collect();
        for tx in answering {
            self.server_flows.remove(&(flow, tx));
            if let Some(slot) = self.servers.get_mut(tx.0)
                && let Some(alternate) = slot.alternate.take()
            {
                slot.flow = alternate;
            }
        }
    }

    /// Whether any response came to a request of ours, be it the 100 that is not shown.
    #[must_use]
    pub fn is_heard(&self, tx: ClientTx) -> bool {
        self.clients
            .get(tx.0)
            .is_some_and(|slot| slot.machine.is_heard())
    }

    /// Whether a transaction lives on a flow. Looks at every request of peers: for who asks seldom.
    #[must_use]
    pub fn uses(&self, flow: &Flow) -> bool {
        let (first, last) = ((*flow, ClientTx(0)), (*flow, ClientTx(u64::MAX)));
        let asks = self.client_flows.range(first..=last).next().is_some();
        asks || self.servers.values().any(|slot| slot.flow == *flow)
    }

    /// The Call-IDs of the INVITEs of peers that began something, or tried to, and are remembered.
    pub fn invited(&self) -> impl Iterator<Item = &str> {
        let slots = self.servers.values();
        let keys = slots.filter_map(|slot| slot.merge_key.as_deref());
        keys.filter_map(key::merged_invite)
    }

    /// Lets all timers fire that are due.
    pub fn handle_timeout(&mut self, now: Time) {
        // Ends: what is armed again is armed for later than `now`.
        while let Some((due, owner, kind)) = self.deadlines.pop_due(now) {
            match owner {
                Owner::Client(tx) => {
                    let Some(slot) = self.clients.get_mut(tx.0) else {
                        continue;
                    };
                    let input = match kind {
                        Kind::Retransmit => {
                            slot.armed.retransmit = None;
                            client::Input::Retransmit
                        }
                        Kind::End => {
                            slot.armed.end = None;
                            client::Input::End
                        }
                    };
                    self.step_client(now, due, tx, input);
                }
                Owner::Server(tx) => {
                    let Some(slot) = self.servers.get_mut(tx.0) else {
                        continue;
                    };
                    let input = match kind {
                        Kind::Retransmit => {
                            slot.armed.retransmit = None;
                            server::Input::Retransmit
                        }
                        Kind::End => {
                            slot.armed.end = None;
                            server::Input::End
                        }
                    };
                    self.step_server(now, due, tx, input);
                }
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.next()
    }

    /// The next thing to do; drain it after each input.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// How many transactions there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// True if there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many timers are running: at most two per transaction.
    #[must_use]
    pub fn timers_running(&self) -> usize {
        self.deadlines.len()
    }

    /// Remembers what ACK and CANCEL need to know of a response to an INVITE.
    fn note_response(
        slot: &mut ServerSlot,
        ack_keys: &mut HashMap<Arc<str>, ServerTx>,
        scratch: &mut String,
        tx: ServerTx,
        response: &Message,
    ) {
        if let Ok(to) = response.to()
            && let Some(tag) = to.tag()
        {
            slot.to_tag = Some(tag.to_owned());
        }
        let Some(status @ 200..) = response.status() else {
            return;
        };
        slot.cancel = Cancellable::No;
        if status < 300
            && let Ok(cseq) = response.cseq()
            && key::acknowledged(scratch, response, &cseq).is_ok()
        {
            let key: Arc<str> = Arc::from(scratch.as_str());
            ack_keys.insert(Arc::clone(&key), tx);
            slot.ack_key = Some(key);
        }
    }

    pub(super) fn start_server(
        &mut self,
        now: Time,
        Reply { flow, alternate }: Reply,
        key: Arc<str>,
        merge_key: Option<Arc<str>>,
        request: &Message,
        method: &Method,
    ) -> ServerTx {
        let invite = *method == Method::Invite;
        let mut armed = Armed::default();
        let machine = if invite {
            // RFC 3261 §17.2.1 wants 100 within 200 ms; at once needs no timer.
            let last = request.respond(100, None).to_bytes();
            self.out.push_back(Output::Send {
                flow,
                bytes: last.clone(),
                tx: None,
                first: false,
            });
            Server::Invite(server::Invite::Proceeding { last })
        } else {
            armed.end = Some(now + self.timers.life());
            Server::Other(server::Other::Trying)
        };
        let tx = ServerTx(self.servers.insert(ServerSlot {
            machine,
            flow,
            alternate,
            key: Arc::clone(&key),
            merge_key: merge_key.clone(),
            ack_key: None,
            to_tag: None,
            cancel: Cancellable::Yes,
            armed,
        }));
        self.deadlines
            .rearm(Owner::Server(tx), Armed::default(), armed);
        if alternate.is_some() {
            self.server_flows.insert((flow, tx));
        }
        self.server_keys.insert(key, tx);
        if let Some(merge_key) = merge_key {
            self.merge_keys.insert(merge_key, tx);
        }
        tx
    }

    fn start_client(
        &mut self,
        now: Time,
        flow: Flow,
        branch: &str,
        method: &Method,
        start: impl FnOnce(&mut Turn<'_, ClientTx>) -> Client,
    ) -> ClientTx {
        key::client(&mut self.scratch, branch, method);
        let key: Arc<str> = Arc::from(self.scratch.as_str());
        let placeholder = Client::Other(client::Other::Terminated);
        let slot = ClientSlot {
            machine: placeholder,
            cancel_reason: None,
            flow,
            key: Arc::clone(&key),
            armed: Armed::default(),
        };
        let tx = ClientTx(self.clients.insert(slot));
        self.client_keys.insert(key, tx);
        self.client_flows.insert((flow, tx));
        let armed = Armed::default();
        let mut turn = Turn {
            tx,
            now,
            due: now,
            timers: self.timers,
            flow,
            armed,
            out: &mut self.out,
        };
        let machine = start(&mut turn);
        let armed = turn.armed;
        if let Some(slot) = self.clients.get_mut(tx.0) {
            slot.machine = machine;
            slot.armed = armed;
        }
        self.deadlines
            .rearm(Owner::Client(tx), Armed::default(), armed);
        tx
    }

    pub(super) fn step_server(&mut self, now: Time, due: Time, tx: ServerTx, input: server::Input) {
        let Some(slot) = self.servers.get_mut(tx.0) else {
            return;
        };
        let old = slot.armed;
        let mut turn = Turn {
            tx,
            now,
            due,
            timers: self.timers,
            flow: slot.flow,
            armed: old,
            out: &mut self.out,
        };
        let gone = Server::Other(server::Other::Terminated);
        let machine = core::mem::replace(&mut slot.machine, gone);
        slot.machine = machine.handle(input, &mut turn);
        slot.armed = turn.armed;
        self.deadlines.rearm(Owner::Server(tx), old, slot.armed);
        if slot.machine.is_terminated() {
            self.remove_server(tx);
        }
    }

    pub(super) fn step_client(&mut self, now: Time, due: Time, tx: ClientTx, input: client::Input) {
        let Some(slot) = self.clients.get_mut(tx.0) else {
            return;
        };
        let old = slot.armed;
        let flow = slot.flow;
        let mut turn = Turn {
            tx,
            now,
            due,
            timers: self.timers,
            flow,
            armed: old,
            out: &mut self.out,
        };
        let gone = Client::Other(client::Other::Terminated);
        let machine = core::mem::replace(&mut slot.machine, gone);
        slot.machine = machine.handle(input, &mut turn);
        slot.armed = turn.armed;
        self.deadlines.rearm(Owner::Client(tx), old, slot.armed);
        let mut cancel = slot.machine.take_cancel();
        if let (Some(cancel), Some(reason)) = (&mut cancel, slot.cancel_reason) {
            cancel.headers.set(HeaderName::Reason, reason);
        }
        if slot.machine.is_terminated()
            && let Some(slot) = self.clients.remove(tx.0)
        {
            forget(&mut self.client_keys, &slot.key, tx);
            self.client_flows.remove(&(slot.flow, tx));
        }
        if let Some(cancel) = cancel {
            self.start_cancel(now, flow, &cancel);
        }
    }

    /// CANCEL is a transaction of its own with the branch of the INVITE (RFC 3261 §9.1).
    fn start_cancel(&mut self, now: Time, flow: Flow, cancel: &Message) {
        let branch = cancel.branch().ok().flatten().unwrap_or("");
        self.start_client(now, flow, branch, &Method::Cancel, |turn| {
            Client::Other(client::Other::start(cancel, true, turn))
        });
    }

    fn remove_server(&mut self, tx: ServerTx) {
        let Some(slot) = self.servers.remove(tx.0) else {
            return;
        };
        self.deadlines
            .rearm(Owner::Server(tx), slot.armed, Armed::default());
        self.server_flows.remove(&(slot.flow, tx));
        forget(&mut self.server_keys, &slot.key, tx);
        if let Some(key) = slot.merge_key {
            forget(&mut self.merge_keys, &key, tx);
        }
        if let Some(key) = slot.ack_key {
            forget(&mut self.ack_keys, &key, tx);
        }
    }
}

/// Of what is never sent.
const NOWHERE: Flow = Flow {
    transport: Transport::Udp,
    local: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
};

impl ServerSlot {
    /// True until the INVITE has its final response.
    const fn is_pending(&self) -> bool {
        matches!(
            self.machine,
            Server::Invite(server::Invite::Proceeding { .. })
        )
    }
}

/// Takes a key out unless another transaction has taken it over.
fn forget<Id: Copy + PartialEq>(keys: &mut HashMap<Arc<str>, Id>, key: &str, tx: Id) {
    if keys.get(key) == Some(&tx) {
        keys.remove(key);
    }
}

fn add_via(request: &mut Message, flow: Flow, sent_by: &str, branch: &str) {
    let transport = flow.transport.as_str();
    request.headers.insert_first(
        HeaderName::Via,
        [
            "SIP/2.0/",
            transport,
            " ",
            sent_by,
            ";rport;branch=",
            branch,
        ]
        .concat(),
    );
}
