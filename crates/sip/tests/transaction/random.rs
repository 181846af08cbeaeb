//! Owns random orders of events between two tables over a network that loses, doubles and delays,
//! with what must hold in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use sip::{ClientTx, Flow, HeaderName, Output, ServerTx, Timers, Transactions, Transport};
use vocab::Time;

use crate::world::{outgoing, parsed};

/// What one side's user does, or the network.
#[derive(Debug, Clone)]
enum Step {
    Request {
        invite: bool,
    },
    Cancel(usize),
    Respond {
        which: usize,
        status: u16,
    },
    Deliver {
        which: usize,
        keep: bool,
    },
    Lose(usize),
    /// The flow between them is lost, and told to both.
    Disconnect,
    Sleep(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let status = prop::sample::select(vec![100, 180, 183, 200, 302, 404, 486, 487, 503, 603]);
    let step = prop_oneof![
        2 => any::<bool>().prop_map(|invite| Step::Request { invite }),
        1 => (0..8_usize).prop_map(Step::Cancel),
        4 => (0..8_usize, status).prop_map(|(which, status)| Step::Respond { which, status }),
        8 => (0..8_usize, any::<bool>()).prop_map(|(which, keep)| Step::Deliver { which, keep }),
        1 => (0..8_usize).prop_map(Step::Lose),
        1 => Just(Step::Disconnect),
        3 => (0..40_000_u64).prop_map(Step::Sleep),
    ];
    prop::collection::vec(step, 1..120)
}

fn flow(transport: Transport, from: u8, to: u8) -> Flow {
    Flow {
        transport,
        local: ([192, 0, 2, from], 5060).into(),
        remote: ([192, 0, 2, to], 5060).into(),
    }
}

struct Side {
    table: Transactions,
    transport: Transport,
    me: u8,
    peer: u8,
}

impl Side {
    fn flow(&self) -> Flow {
        flow(self.transport, self.me, self.peer)
    }
}

/// Client, server, and the datagrams between them.
struct Pair {
    sides: [Side; 2],
    wire: Vec<(usize, Vec<u8>)>,
    now: Time,
    numbers: u32,
    /// Each client transaction with the final answers that were shown: To tags, or none for a
    /// time-out.
    clients: BTreeMap<ClientTx, (bool, Vec<Option<String>>)>,
    asked: Vec<(ServerTx, sip::Message)>,
    answered: BTreeSet<ServerTx>,
    confirmed: BTreeSet<ServerTx>,
}

impl Pair {
    fn new(transport: Transport) -> Self {
        let side = |me, peer| Side {
            table: Transactions::new(Timers::default(), 500),
            transport,
            me,
            peer,
        };
        Self {
            sides: [side(1, 2), side(2, 1)],
            wire: Vec::new(),
            now: Time::from_millis(1),
            numbers: 0,
            clients: BTreeMap::new(),
            asked: Vec::new(),
            answered: BTreeSet::new(),
            confirmed: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Request { invite } => {
                self.numbers += 1;
                let n = self.numbers;
                let mut request = outgoing(if invite { "INVITE" } else { "OPTIONS" });
                request.headers.set(HeaderName::CallId, format!("c{n}"));
                let branch = format!("z9hG4bKr{n}");
                let side = &mut self.sides[0];
                let flow = side.flow();
                let tx = side
                    .table
                    .request(self.now, flow, "192.0.2.1:5060", &branch, request);
                assert!(
                    self.clients.insert(tx, (invite, Vec::new())).is_none(),
                    "a reused id"
                );
            }
            Step::Cancel(which) => {
                if let Some(tx) = self.clients.keys().nth_back(which).copied() {
                    self.sides[0].table.cancel(self.now, tx);
                }
            }
            Step::Respond { which, status } => {
                if let Some((tx, request)) = self.asked.iter().rev().nth(which) {
                    if status >= 200 {
                        self.answered.insert(*tx);
                    }
                    let response = request.respond(status, Some("s"));
                    self.sides[1].table.respond(self.now, *tx, response);
                }
            }
            Step::Deliver { which, keep } => self.deliver(which, keep),
            Step::Lose(which) => {
                if which < self.wire.len() {
                    self.wire.remove(which);
                }
            }
            Step::Disconnect => {
                for side in &mut self.sides {
                    let flow = side.flow();
                    side.table.flow_lost(self.now, flow);
                }
            }
            Step::Sleep(ms) => self.sleep(ms),
        }
        self.drain();
    }

    fn deliver(&mut self, which: usize, keep: bool) {
        if self.wire.is_empty() {
            return;
        }
        let which = which % self.wire.len();
        let (to, bytes) = self.wire[which].clone();
        if !keep {
            self.wire.remove(which);
        }
        let side = &mut self.sides[to];
        side.table.receive(self.now, side.flow(), parsed(&bytes));
    }

    fn sleep(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            let next = self
                .sides
                .iter()
                .filter_map(|side| side.table.next_deadline())
                .min();
            let Some(due) = next.filter(|due| *due <= end) else {
                break;
            };
            self.now = self.now.max(due);
            for side in &mut self.sides {
                side.table.handle_timeout(self.now);
                assert!(
                    side.table
                        .next_deadline()
                        .is_none_or(|next| next > self.now)
                );
                assert!(side.table.timers_running() <= 2 * side.table.len());
            }
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        for from in 0..2 {
            while let Some(output) = self.sides[from].table.poll() {
                self.take(from, output);
            }
        }
    }

    fn take(&mut self, from: usize, output: Output) {
        match output {
            Output::Send {
                flow: to,
                bytes,
                tx,
                first,
            } => {
                let head = String::from_utf8_lossy(&bytes);
                let lines = head.split("\r\n\r\n").next().unwrap();
                assert!(!lines.replace("\r\n", "").contains(['\r', '\n', '\0']));
                assert_eq!(to, self.sides[from].flow());
                assert!(!first || tx.is_some());
                // A network holds a bounded number of datagrams.
                if self.wire.len() < 64 {
                    self.wire.push((1 - from, bytes));
                }
            }
            Output::Request { tx, request, .. } => self.asked.push((tx, request)),
            Output::Ack { tx, .. } => assert!(self.confirmed.insert(tx), "ACK shown twice"),
            Output::AckMissing { tx } => assert!(self.confirmed.insert(tx), "ACK had come"),
            Output::Cancelled { tx } => assert!(!self.answered.contains(&tx), "answered already"),
            Output::Response { tx, response } => {
                if response.status().unwrap() < 200 {
                    return;
                }
                let tag = response.to().unwrap().tag().unwrap().to_owned();
                let (_, answers) = self.clients.get_mut(&tx).unwrap();
                answers.push(Some(tag.clone()));
                if response.status().unwrap() < 300
                    && response.cseq().unwrap().method == sip::Method::Invite
                {
                    self.ack(tx, &response, &tag);
                }
            }
            Output::TimedOut { tx } | Output::Failed { tx } => {
                self.clients.get_mut(&tx).unwrap().1.push(None)
            }
        }
    }

    fn ack(&mut self, tx: ClientTx, response: &sip::Message, tag: &str) {
        let mut ack = outgoing("ACK");
        ack.headers
            .set(HeaderName::CallId, response.call_id().unwrap());
        ack.headers
            .set(HeaderName::To, format!("<sip:1300@example.com>;tag={tag}"));
        self.numbers += 1;
        let branch = format!("z9hG4bKr{}", self.numbers);
        let side = &mut self.sides[0];
        let flow = side.flow();
        side.table
            .ack(self.now, tx, flow, "192.0.2.1:5060", &branch, ack);
    }

    /// The users give up, the network loses all that is left, and time passes.
    fn finish(&mut self) {
        for tx in self.clients.keys() {
            self.sides[0].table.cancel(self.now, *tx);
        }
        for (tx, request) in &self.asked {
            self.sides[1]
                .table
                .respond(self.now, *tx, request.respond(480, Some("s")));
        }
        self.drain();
        self.wire.clear();
        self.sleep(200_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_left_and_each_request_has_one_outcome(
        transport in prop::sample::select(&Transport::ALL[..]),
        steps in steps(),
    ) {
        let mut pair = Pair::new(transport);
        for step in &steps {
            pair.step(step);
        }
        pair.finish();
        for side in &pair.sides {
            prop_assert_eq!(side.table.len(), 0);
            prop_assert_eq!(side.table.timers_running(), 0);
            prop_assert_eq!(side.table.next_deadline(), None);
            let inside = format!("{:?}", side.table);
            let keys = ["client_keys", "server_keys", "merge_keys", "ack_keys"];
            for keys in keys.iter().chain(&["client_flows", "server_flows"]) {
                let empty = format!("{keys}: {{}}");
                prop_assert!(inside.contains(&empty), "{} left: {}", keys, inside);
            }
        }
        for (tx, (_, answers)) in &pair.clients {
            prop_assert_eq!(answers.len(), 1, "{:?}: {:?}", tx, answers);
        }
        let shown: BTreeSet<_> = pair.asked.iter().map(|(tx, _)| *tx).collect();
        prop_assert_eq!(shown.len(), pair.asked.len(), "a request was shown twice under one id");
    }

    #[test]
    fn the_same_inputs_give_the_same_octets(
        transport in prop::sample::select(&Transport::ALL[..]),
        steps in steps(),
    ) {
        let run = || {
            let mut pair = Pair::new(transport);
            let mut trace = Vec::new();
            for step in &steps {
                pair.step(step);
                trace.push(pair.wire.clone());
            }
            trace
        };
        prop_assert_eq!(run(), run());
    }
}
