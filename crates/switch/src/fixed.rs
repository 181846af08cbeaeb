//! Owns the lines that have a fixed SIP address instead of a registration (a telephone behind
//! another exchange): whether each of them can be reached.
//!
//! Each is asked with OPTIONS once a period, the first time at once.
//!
//! | state       | probe answered well | answered badly | probe silent | INVITE silent |
//! |-------------|---------------------|----------------|--------------|---------------|
//! | Unreachable | Reachable           | -              | -            | -             |
//! | Reachable   | -                   | Unreachable    | Unreachable  | Unreachable   |
//!
//! Well: any final answer of somebody who knows the line, 401 and 486 among them. Badly: 404, 408,
//! 410, 480 and 5xx (but 501, which speaks of OPTIONS): the exchange is there, the line is not. A
//! probe or an INVITE is silent when not a word came within `unreachable_after`.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sip::{ClientTx, HeaderName, Message, Method, Uri};
use vocab::{OperatorId, Time};

use crate::engine::Switch;
use crate::settings::FixedAddress;

/// All lines with a fixed address.
#[derive(Debug)]
pub(crate) struct FixedLines {
    silence: Duration,
    every: Duration,
    lines: BTreeMap<OperatorId, Line>,
    /// One entry a line: its next probe, or the end of the wait for the answer to one.
    deadlines: BTreeSet<(Time, OperatorId)>,
    probes: BTreeMap<ClientTx, OperatorId>,
    /// Lines of which an INVITE told that they are silent.
    silent: VecDeque<OperatorId>,
    /// Nobody is asked: another engine does.
    held: bool,
}

#[derive(Debug)]
struct Line {
    address: FixedAddress,
    reachable: bool,
    due: Time,
    /// The probe that is out.
    probe: Option<ClientTx>,
}

/// What is due for a line.
enum Due {
    Probe(Box<FixedAddress>),
    Silence,
}

impl FixedLines {
    pub(crate) const fn new(silence: Duration, every: Duration) -> Self {
        Self {
            silence,
            every,
            lines: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            probes: BTreeMap::new(),
            silent: VecDeque::new(),
            held: false,
        }
    }

    /// Takes the table of operators: a line with a new address is unreachable until it answers.
    fn set(&mut self, now: Time, addresses: BTreeMap<OperatorId, FixedAddress>) {
        let outdated: Vec<OperatorId> = self
            .lines
            .iter()
            .filter(|(id, line)| addresses.get(id) != Some(&line.address))
            .map(|(id, _)| *id)
            .collect();
        for id in outdated {
            if let Some(line) = self.lines.remove(&id) {
                self.deadlines.remove(&(line.due, id));
                line.probe.and_then(|tx| self.probes.remove(&tx));
            }
        }
        for (id, address) in addresses {
            if self.lines.contains_key(&id) {
                continue;
            }
            self.deadlines.insert((now, id));
            let line = Line {
                address,
                reachable: false,
                due: now,
                probe: None,
            };
            self.lines.insert(id, line);
        }
    }

    /// Whether another engine asks in our place, and each line stays as it is.
    pub(crate) const fn hold(&mut self, held: bool) {
        self.held = held;
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines
            .first()
            .filter(|_| !self.held)
            .map(|(at, _)| *at)
    }

    pub(crate) fn is_reachable(&self, operator: OperatorId) -> bool {
        self.lines.get(&operator).is_some_and(|line| line.reachable)
    }

    pub(crate) fn is_probe(&self, tx: ClientTx) -> bool {
        self.probes.contains_key(&tx)
    }

    /// The transaction of a probe is over.
    pub(crate) fn forget_probe(&mut self, tx: ClientTx) -> Option<OperatorId> {
        let operator = self.probes.remove(&tx)?;
        let line = self.lines.get_mut(&operator)?;
        if line.probe == Some(tx) {
            line.probe = None;
        }
        Some(operator)
    }

    /// An INVITE to the line was silent.
    pub(crate) fn silent(&mut self, operator: OperatorId, address: &Uri) {
        if let Some(line) = self.lines.get_mut(&operator)
            && line.address.uri == *address
        {
            line.reachable = false;
            self.silent.push_back(operator);
        }
    }

    /// The next line that [`silent`](Self::silent) changed.
    pub(crate) fn poll(&mut self) -> Option<OperatorId> {
        self.silent.pop_front()
    }

    fn due(&mut self, now: Time) -> Option<(OperatorId, Due)> {
        let (at, id) = *self.deadlines.first()?;
        if at > now || self.held {
            return None;
        }
        let (silence, every) = (self.silence, self.every);
        let line = self.lines.get_mut(&id)?;
        let (due, next) = match line.probe.take() {
            Some(_) => (Due::Silence, every.saturating_sub(silence)),
            None => (Due::Probe(Box::new(line.address.clone())), silence),
        };
        self.set_due(id, now + next);
        Some((id, due))
    }

    fn set_due(&mut self, id: OperatorId, at: Time) {
        if let Some(line) = self.lines.get_mut(&id) {
            self.deadlines.remove(&(line.due, id));
            self.deadlines.insert((at, id));
            line.due = at;
        }
    }

    fn probing(&mut self, id: OperatorId, tx: ClientTx) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.probe = Some(tx);
            self.probes.insert(tx, id);
        }
    }

    fn answered(&mut self, now: Time, tx: ClientTx, status: u16) -> Option<OperatorId> {
        let id = self.forget_probe(tx)?;
        if let Some(line) = self.lines.get_mut(&id) {
            line.reachable = !matches!(status, 404 | 408 | 410 | 480 | 500 | 502..=599);
        }
        self.set_due(id, now + self.every);
        Some(id)
    }
}

impl Switch {
    /// After a change of the table of operators.
    pub(crate) fn watch_fixed_lines(&mut self) {
        let addresses = self
            .ctx
            .logins
            .values()
            .filter_map(|id| self.ctx.operators.get(id))
            .filter_map(|operator| Some((operator.id, operator.address.clone()?)))
            .collect();
        self.ctx.lines.set(self.ctx.now, addresses);
    }

    /// Sends the probes that are due, and gives up those that stayed without an answer.
    pub(crate) fn probe_fixed_lines(&mut self) {
        while let Some((operator, due)) = self.ctx.lines.due(self.ctx.now) {
            match due {
                Due::Probe(address) => self.probe(operator, *address),
                Due::Silence => {
                    if let Some(line) = self.ctx.lines.lines.get_mut(&operator) {
                        line.reachable = false;
                    }
                    self.ctx.tell_reachable(operator);
                }
            }
        }
    }

    fn probe(&mut self, operator: OperatorId, address: FixedAddress) {
        let FixedAddress { uri, flow } = address;
        // The settings name it, so it is no stranger: it may call as well as be called.
        let (now, lasts) = (self.ctx.now, self.ctx.lines.every.saturating_mul(2));
        self.ctx.strangers.befriend(now, flow.remote.ip(), lasts);
        let own = self.ctx.sip_address(&flow).ip();
        let from = Uri::sip(None, sip::Host::Ip(own), None);
        let tag = self.ctx.entropy.tag();
        let mut request = Message::request(Method::Options, uri.clone());
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(HeaderName::From, format!("<{from}>;tag={tag}"));
        headers.push(HeaderName::To, format!("<{uri}>"));
        headers.push(HeaderName::CallId, self.ctx.entropy.call_id());
        headers.push(HeaderName::CSeq, "1 OPTIONS");
        headers.push(HeaderName::Accept, "application/sdp");
        headers.push(HeaderName::Contact, self.ctx.contact(&flow));
        let tx = self.ctx.request_unowned(flow, request);
        self.ctx.lines.probing(operator, tx);
    }

    pub(crate) fn on_probe_answered(&mut self, tx: ClientTx, response: &Message) {
        let Some(status) = response.status().filter(|status| *status >= 200) else {
            return;
        };
        let answered = self.ctx.lines.answered(self.ctx.now, tx, status);
        if let Some(operator) = answered {
            self.ctx.tell_reachable(operator);
        }
    }
}
