//! Owns requests of ours on their way out: where a request to a URI goes (RFC 3263), the next way
//! when one fails (§4.3), and the change to TCP for what is too long for a datagram (RFC 3261
//! §18.1.1). Refuses to know what is asked for and what an answer means.
//!
//! To its owner such a request is one transaction, from [`Context::request_to`] to its outcome;
//! each way that is tried is one of the transaction layer, with a branch of its own.
//!
//! | state | answer of the DNS | response, not 503 | 503, time-out, flow lost | cancelled | 5 s over |
//! |---|---|---|---|---|---|
//! | Locating | Sent, or Locating, or failed | - | - | failed | failed |
//! | Sent | - | the owner's | Sent by the next way, or the owner's | CANCEL goes | - |

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use sip::{
    Answer, Candidate, ClientTx, Dialog, Flow, HeaderName, Host, Located, Message, Question,
    Transport, Uri, locate,
};
use vocab::Time;

use crate::call::{Home, hide};
use crate::context::{Context, Owner};
use crate::locator::{ANSWER_WITHIN, Locator};

/// Writes the request for a way: Contact and session description depend on it. Via is added later.
pub(crate) type Build = Box<dyn Fn(&Context, &Flow) -> Message + Send>;

/// Requests that may wait for the DNS at once; beyond it they fail at once.
const LOCATING_MAX: usize = 1_000;
/// RFC 3261 §18.1.1: the longest request for a datagram where the path's MTU is not known.
const DATAGRAM_MAX: usize = 1_300;
/// Room for what is added to a request later: Via and User-Agent.
const ADDED: usize = 160;
/// How long a peer that took no connection is spared the next attempt.
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// Such peers remembered; beyond it the memory starts anew.
const REFUSED_MAX: usize = 1_024;

/// One way that is still to be tried.
enum Way {
    /// An address that the DNS gave; our own end is to be chosen.
    To(Candidate),
    /// Both ends are known.
    By(Flow),
}

enum State {
    /// The DNS has not said enough.
    Locating { until: Time },
    /// By this transaction.
    Sent { tx: ClientTx, flow: Flow },
}

struct Request {
    state: State,
    /// The next hop, until it is located.
    uri: Option<Uri>,
    /// Whom a certificate must name: the domain that was asked for, not a server that the DNS told
    /// (RFC 5922 §4).
    name: Option<String>,
    /// The draw among servers of one rank.
    seed: u64,
    ways: VecDeque<Way>,
    build: Build,
    /// It goes by TCP only for its length.
    long: bool,
    /// Where the peer was seen: tried last, and where its name leads nowhere.
    seen: Option<Flow>,
    cancelled: bool,
}

/// All requests that may take more than one way.
#[derive(Default)]
pub(crate) struct Outgoing {
    pub(crate) locator: Locator,
    requests: BTreeMap<ClientTx, Request>,
    /// What the transaction layer calls them.
    sent: BTreeMap<ClientTx, ClientTx>,
    failed: VecDeque<ClientTx>,
    refused: BTreeMap<SocketAddr, Time>,
}

/// Why an INVITE of ours is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withdrawn {
    /// Nobody wants it any more.
    Unwanted,
    /// Another telephone answered: a display is not to count it among the missed calls.
    AnsweredElsewhere,
}

/// RFC 3326 §3.1, as telephones know it.
const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

impl Outgoing {
    /// The next request that found no way.
    pub(crate) fn poll(&mut self) -> Option<ClientTx> {
        self.failed.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.locating().map(|(_, until)| until).min()
    }

    fn locating(&self) -> impl Iterator<Item = (ClientTx, Time)> {
        self.requests
            .iter()
            .filter_map(|(tx, request)| match request.state {
                State::Locating { until } => Some((*tx, until)),
                State::Sent { .. } => None,
            })
    }

    /// What the transaction layer calls a request of ours now.
    fn real(&self, tx: ClientTx) -> ClientTx {
        match self.requests.get(&tx).map(|request| &request.state) {
            Some(State::Sent { tx, .. }) => *tx,
            Some(State::Locating { .. }) | None => tx,
        }
    }

    fn remove(&mut self, tx: ClientTx) {
        if let Some(request) = self.requests.remove(&tx)
            && let State::Sent { tx, .. } = request.state
        {
            self.sent.remove(&tx);
        }
    }
}

impl Context {
    /// Sends a request to a next hop by URI: the first Route, or the Request-URI. Names are
    /// resolved (which takes time: the request goes out later), the local end is chosen, and when
    /// a way fails by 503, time-out or loss of the connection the next is tried under a new branch.
    ///
    /// `build` is called once for each way, with its flow: put [`Context::contact`] and the
    /// address for audio of that flow in. The owner sees one transaction: responses, or one
    /// time-out. [`Context::flow_of`] tells the way that was taken, for the dialog.
    /// Cancel with [`Context::cancel`].
    pub(crate) fn request_to(
        &mut self,
        owner: Option<Owner>,
        next_hop: Uri,
        build: Build,
    ) -> ClientTx {
        let name = match &next_hop.host {
            Host::Name(name) => Some(name.clone()),
            Host::Ip(_) => None,
        };
        let request = Request {
            state: State::Locating {
                until: self.now + ANSWER_WITHIN,
            },
            uri: Some(next_hop),
            name,
            seed: self.entropy.number(),
            ways: VecDeque::new(),
            build,
            long: false,
            seen: None,
            cancelled: false,
        };
        let room = self.outgoing.locating().count() < LOCATING_MAX;
        self.start(owner, request, room)
    }

    /// Sends a request within a dialog: on its flow, or where the name of the next hop leads (RFC 3261
    /// §12.2.1.1, RFC 3263), and where the peer was seen if that is nowhere. `None`: nobody waits for
    /// the answer.
    /// `home`: the trunk whose credentials it may carry, and to which alone they go.
    pub(crate) fn request_within(
        &mut self,
        owner: Option<Owner>,
        (dialog, home): (&Dialog, Option<Home>),
        message: Message,
    ) -> ClientTx {
        let seen = dialog.next_flow();
        let Some(hop) = dialog.named_hop() else {
            return match owner {
                Some(owner) => self.request(owner, seen, message),
                None => self.request_unowned(seen, message),
            };
        };
        let name = match &hop.host {
            Host::Name(name) => Some(name.clone()),
            Host::Ip(_) => None,
        };
        let secure = dialog.secure;
        let trunk = home.and_then(|home| self.trunks.by_id(home.trunk));
        let by_name = trunk.is_some_and(|trunk| trunk.is_at(&hop.host));
        let build = move |ctx: &Self, flow: &Flow| {
            let mut message = message.clone();
            // A name of the settings leads to the trunk wherever it leads, as it did for the INVITE.
            let at_home = home.is_none_or(|home| ctx.is_home(home, flow.remote.ip()));
            if !at_home && (!by_name || *flow == seen) {
                hide(&mut message);
            }
            if *flow != seen && message.headers.first(&HeaderName::Contact).is_some() {
                let contact = if secure {
                    ctx.contact_secured(flow, None)
                } else {
                    ctx.contact(flow)
                };
                message.headers.set(HeaderName::Contact, contact);
            }
            message
        };
        let request = Request {
            state: State::Locating {
                until: self.now + ANSWER_WITHIN,
            },
            uri: Some(secured(hop, secure)),
            name,
            seed: self.entropy.number(),
            ways: VecDeque::new(),
            build: Box::new(build),
            long: false,
            seen: Some(seen),
            cancelled: false,
        };
        let room = self.outgoing.locating().count() < LOCATING_MAX;
        self.start(owner, request, room)
    }

    /// The flow for an ACK of a 2xx, which cannot wait for the DNS: where the name of the next hop is
    /// known to lead, else where the peer was seen. The name is asked for meanwhile.
    pub(crate) fn flow_for_ack(&mut self, dialog: &Dialog) -> Flow {
        let seen = dialog.next_flow();
        let Some(hop) = dialog.named_hop() else {
            return seen;
        };
        let transports = self.settings.transports();
        let seed = self.entropy.number();
        let (now, locator) = (self.now, &self.outgoing.locator);
        match locate(
            &secured(hop, dialog.secure),
            &transports,
            seed,
            |question| locator.known(now, question),
        ) {
            Located::Ways(ways) => {
                // Of several servers the one that was seen is as good as any, and knows the call.
                let known = ways.iter().any(|way| way.address == seen.remote);
                let first = ways.first().filter(|_| !known);
                let flow = first.and_then(|way| self.local_end(*way).ok().flatten());
                flow.unwrap_or(seen)
            }
            Located::Missing(questions) => {
                for question in questions {
                    self.outgoing.locator.ask(now, question);
                }
                seen
            }
            Located::Nowhere(_) => seen,
        }
    }

    /// Sends a long request by TCP where the peer takes it, else by UDP after all.
    pub(crate) fn request_long(
        &mut self,
        owner: Option<Owner>,
        flow: Flow,
        message: Message,
    ) -> ClientTx {
        let candidate = Candidate {
            transport: Transport::Tcp,
            address: flow.remote,
        };
        let request = Request {
            state: State::Locating {
                until: self.now + ANSWER_WITHIN,
            },
            uri: None,
            name: None,
            seed: 0,
            ways: [Way::To(candidate), Way::By(flow)].into(),
            build: Box::new(move |_, _| message.clone()),
            long: true,
            seen: None,
            cancelled: false,
        };
        self.start(owner, request, true)
    }

    /// Whether a request is to go by TCP although its flow is UDP.
    pub(crate) fn is_long(&self, flow: &Flow, message: &Message) -> bool {
        let refused = || self.outgoing.refused.get(&flow.remote);
        flow.transport == Transport::Udp
            && length(message) + ADDED > DATAGRAM_MAX
            && self.socket_for(Transport::Tcp, flow.remote.ip()).is_some()
            && refused().is_none_or(|until| *until <= self.now)
    }

    fn start(&mut self, owner: Option<Owner>, request: Request, room: bool) -> ClientTx {
        let tx = self.transactions.reserve();
        if let Some(owner) = owner {
            self.own_client(tx, owner);
        }
        if room {
            self.outgoing.requests.insert(tx, request);
            self.proceed(tx);
        } else {
            tracing::warn!("too many requests wait for the DNS");
            self.outgoing.failed.push_back(tx);
        }
        tx
    }

    /// The way that a request took; `None` while it has none, and for requests that were given a
    /// flow.
    pub(crate) fn flow_of(&self, tx: ClientTx) -> Option<Flow> {
        match self.outgoing.requests.get(&tx)?.state {
            State::Sent { flow, .. } => Some(flow),
            State::Locating { .. } => None,
        }
    }

    /// Withdraws an INVITE of ours (RFC 3261 §9.1). An outcome still follows.
    pub(crate) fn cancel(&mut self, tx: ClientTx, why: Withdrawn) {
        let Some(request) = self.outgoing.requests.get_mut(&tx) else {
            self.send_cancel(tx, why);
            return;
        };
        request.cancelled = true;
        match request.state {
            State::Sent { tx, .. } => self.send_cancel(tx, why),
            State::Locating { .. } => self.give_up(tx),
        }
    }

    fn send_cancel(&mut self, tx: ClientTx, why: Withdrawn) {
        match why {
            Withdrawn::Unwanted => self.transactions.cancel(self.now, tx),
            Withdrawn::AnsweredElsewhere => {
                self.transactions
                    .cancel_because(self.now, tx, COMPLETED_ELSEWHERE);
            }
        }
    }

    /// Whether the peer has said anything; while we look for a way its silence is not its fault.
    pub(crate) fn is_heard(&self, tx: ClientTx) -> bool {
        match self.outgoing.requests.get(&tx).map(|one| &one.state) {
            Some(State::Locating { .. }) => true,
            Some(State::Sent { tx, .. }) => self.transactions.is_heard(*tx),
            None => self.transactions.is_heard(tx),
        }
    }

    /// What the transaction layer calls a request of ours.
    pub(crate) fn transaction_of(&self, tx: ClientTx) -> ClientTx {
        self.outgoing.real(tx)
    }

    /// The owner does not want to hear of it any more.
    pub(crate) fn forget_outgoing(&mut self, tx: ClientTx) {
        self.outgoing.remove(tx);
    }

    /// Whose outcome this is, as its owner calls it; `None` if the next way is tried instead.
    /// `status`: of the response; `None` for a time-out and a lost flow.
    pub(crate) fn outcome(&mut self, tx: ClientTx, status: Option<u16>) -> Option<ClientTx> {
        let Some(handle) = self.outgoing.sent.get(&tx).copied() else {
            return Some(tx);
        };
        let request = self.outgoing.requests.get_mut(&handle)?;
        // A peer that took the connection and says 503 will say it to a datagram as well.
        let failed = status.is_none() || (status == Some(503) && !request.long);
        if let (None, true, State::Sent { flow, .. }) = (status, request.long, &request.state)
            && flow.transport == Transport::Tcp
        {
            let (remote, until) = (flow.remote, self.now + REFUSED_FOR);
            if self.outgoing.refused.len() >= REFUSED_MAX {
                self.outgoing.refused.clear();
            }
            self.outgoing.refused.insert(remote, until);
        }
        if failed && !request.cancelled && !request.ways.is_empty() {
            self.outgoing.sent.remove(&tx);
            self.next_way(handle);
            return None;
        }
        let owned = self.client_owner(handle).is_some() || self.trunks.has_asked(handle);
        if status.is_none_or(|status| status >= 200) && !owned {
            self.outgoing.remove(handle);
        }
        Some(handle)
    }

    /// An answer of the DNS or of our own routes: whoever waited for it goes on.
    pub(crate) fn resolved(&mut self, question: Question, answer: Answer, holds: Duration) {
        let now = self.now;
        self.outgoing.locator.answered(now, question, answer, holds);
        let waiting: Vec<ClientTx> = self.outgoing.locating().map(|(tx, _)| tx).collect();
        for tx in waiting {
            self.proceed(tx);
        }
    }

    /// Gives up what has waited too long for the DNS.
    pub(crate) fn outgoing_timeout(&mut self) {
        let now = self.now;
        let late: Vec<ClientTx> = self
            .outgoing
            .locating()
            .filter(|(_, until)| *until <= now)
            .map(|(tx, _)| tx)
            .collect();
        for tx in late {
            tracing::warn!("no answer of the DNS in time");
            self.go_where_seen(tx);
        }
    }

    /// The name of a next hop leads nowhere: the way on which the peer was seen is left, if there is
    /// one.
    fn go_where_seen(&mut self, tx: ClientTx) {
        if let Some(request) = self.outgoing.requests.get_mut(&tx) {
            request.uri = None;
            request.ways = request.seen.take().map(Way::By).into_iter().collect();
        }
        self.next_way(tx);
    }

    /// Takes a request as far as what is known allows.
    fn proceed(&mut self, tx: ClientTx) {
        let Some(request) = self.outgoing.requests.get_mut(&tx) else {
            return;
        };
        let Some(uri) = &request.uri else {
            self.next_way(tx);
            return;
        };
        let transports = self.settings.transports();
        let (now, locator) = (self.now, &self.outgoing.locator);
        let known = |question: &Question| locator.known(now, question);
        match locate(uri, &transports, request.seed, known) {
            Located::Ways(ways) => {
                request.uri = None;
                let seen = request.seen.take();
                let is_seen = |way: &Candidate| {
                    seen.is_some_and(|seen| {
                        way.address == seen.remote && way.transport == seen.transport
                    })
                };
                // Of several servers the one that was seen knows the call.
                let (known, others): (Vec<_>, Vec<_>) = ways.into_iter().partition(is_seen);
                let last = seen.filter(|_| known.is_empty()).map(Way::By);
                let ways = known.into_iter().chain(others).map(Way::To);
                request.ways = ways.chain(last).collect();
                self.next_way(tx);
            }
            Located::Missing(questions) => {
                for question in questions {
                    self.outgoing.locator.ask(now, question);
                }
            }
            Located::Nowhere(why) => {
                tracing::warn!(uri = %uri.host, %why, "a request finds no way");
                self.go_where_seen(tx);
            }
        }
    }

    /// Tries the next way; none left is the request's failure.
    fn next_way(&mut self, handle: ClientTx) {
        let until = self.now + ANSWER_WITHIN;
        loop {
            let Some(request) = self.outgoing.requests.get_mut(&handle) else {
                return;
            };
            let flow = match request.ways.pop_front() {
                None => return self.give_up(handle),
                Some(Way::By(flow)) => flow,
                Some(Way::To(candidate)) => match self.local_end(candidate) {
                    Ok(Some(flow)) => flow,
                    Ok(None) => continue,
                    Err(question) => {
                        if let Some(request) = self.outgoing.requests.get_mut(&handle) {
                            request.ways.push_front(Way::To(candidate));
                            if !matches!(request.state, State::Locating { .. }) {
                                request.state = State::Locating { until };
                            }
                        }
                        self.outgoing.locator.ask(self.now, question);
                        return;
                    }
                },
            };
            let Some(request) = self.outgoing.requests.get(&handle) else {
                return;
            };
            let message = (request.build)(self, &flow);
            if let (Transport::Tls, Some(name)) = (flow.transport, request.name.clone()) {
                self.expect_name(flow, name);
            }
            let tx = self.transmit(flow, message);
            self.outgoing.sent.insert(tx, handle);
            if let Some(request) = self.outgoing.requests.get_mut(&handle) {
                request.state = State::Sent { tx, flow };
            }
            return;
        }
    }

    fn give_up(&mut self, tx: ClientTx) {
        self.outgoing.remove(tx);
        self.outgoing.failed.push_back(tx);
    }

    /// The flow to an address. `Ok(None)`: no socket of ours fits. `Err`: which address of ours
    /// leads there is not known yet.
    fn local_end(&self, to: Candidate) -> Result<Option<Flow>, Question> {
        let Some(socket) = self.socket_for(to.transport, to.address.ip()) else {
            return Ok(None);
        };
        let mut local = socket;
        if socket.ip().is_unspecified() {
            let question = Question::Local(to.address.ip());
            match self.outgoing.locator.known(self.now, &question) {
                Some(Answer::Addresses(ours)) => match ours.first() {
                    Some(ours) => local.set_ip(*ours),
                    None => return Ok(None),
                },
                Some(Answer::Naptr(_) | Answer::Srv(_)) => return Ok(None),
                None => return Err(question),
            }
        }
        Ok(Some(Flow {
            transport: to.transport,
            local,
            remote: to.address,
        }))
    }

    /// The socket from which a transport leaves for an address of this family.
    fn socket_for(&self, transport: Transport, remote: IpAddr) -> Option<SocketAddr> {
        let fits = |address: &SocketAddr| address.is_ipv4() == remote.is_ipv4();
        self.settings
            .sockets
            .iter()
            .find(|(one, address)| *one == transport && fits(address))
            .map(|(_, address)| *address)
    }
}

/// A next hop, to which TLS alone leads where the dialog is secure.
fn secured(hop: &Uri, secure: bool) -> Uri {
    let mut hop = hop.clone();
    if secure {
        hop.scheme = sip::Scheme::Sips;
    }
    hop
}

/// About how long a request is on the wire, a little more rather than less.
fn length(message: &Message) -> usize {
    let uri = message
        .request_uri()
        .map_or(0, |uri| uri.user.as_ref().map_or(0, String::len) + 128);
    let fields = message.headers.iter();
    let headers: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    uri + headers + message.body.len()
}

#[cfg(test)]
mod tests;
