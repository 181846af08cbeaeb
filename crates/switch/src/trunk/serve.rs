//! Owns what trunks ask for by themselves: REGISTER and OPTIONS, each sent when it is due, and its
//! outcome led back to whoever asked.

use std::collections::BTreeMap;

use sip::{ClientTx, HeaderName, Host, Message, Method, NameAddr, Uri};
use vocab::Time;

use super::probe::{Change, Due};
use super::register::{Fresh, Register, Step, retry_after};
use super::route::loose;
use super::{REST_MAX, Trunk, TrunkId, Trunks};
use crate::context::Context;
use crate::engine::Switch;

/// The requests that are out, and whose they are.
#[derive(Debug, Default)]
pub(crate) struct Asked(BTreeMap<ClientTx, (TrunkId, What)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Register,
    /// Of the server at this place.
    Probe(usize),
}

impl Trunks {
    /// Whether a request of ours is a trunk's own.
    #[must_use]
    pub fn has_asked(&self, tx: ClientTx) -> bool {
        self.asked.0.contains_key(&tx)
    }

    /// When [`Switch::serve_trunks`] must be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        if self.held {
            return None;
        }
        let of_one = |live: &super::Live| {
            let watches = live
                .servers
                .iter()
                .filter_map(|server| server.watch.as_ref());
            let probe = watches.map(super::Watch::due).min();
            let register = live.register.as_ref().and_then(Register::due);
            [probe, register].into_iter().flatten().min()
        };
        self.live.iter().filter_map(of_one).min()
    }

    /// Registrations that are being taken back.
    #[must_use]
    pub fn closing(&self) -> usize {
        let registers = self.live.iter().filter_map(|live| live.register.as_ref());
        registers.filter(|register| register.is_closing()).count()
    }

    /// From now on another engine registers and asks: nothing more is sent, and what holds goes on holding.
    pub fn hold(&mut self) {
        self.held = true;
        for register in self.registers() {
            register.hold();
        }
    }

    /// It is ours again.
    pub fn resume(&mut self, now: Time) {
        self.held = false;
        for register in self.registers() {
            register.resume(now);
        }
    }

    fn registers(&mut self) -> impl Iterator<Item = &mut Register> {
        self.live
            .iter_mut()
            .filter_map(|live| live.register.as_mut())
    }

    fn register(&mut self, id: TrunkId) -> Option<&mut Register> {
        self.live.get_mut(id.0)?.register.as_mut()
    }

    fn ids(&self) -> impl Iterator<Item = TrunkId> + use<> {
        (0..self.all.len()).map(TrunkId)
    }
}

impl Switch {
    /// Sends what is due of all trunks.
    pub(crate) fn serve_trunks(&mut self) {
        let now = self.ctx.now;
        if self.ctx.trunks.next_deadline().is_none_or(|due| due > now) {
            return;
        }
        for id in self.ctx.trunks.ids() {
            let fresh = fresh(&mut self.ctx);
            let step = self
                .ctx
                .trunks
                .register(id)
                .filter(|register| register.due().is_some_and(|due| due <= now))
                .map(|register| register.on_time(now, fresh));
            self.take(id, step);
            self.watch(id);
        }
    }

    /// Takes every registration back: the engine stops.
    pub(crate) fn close_trunks(&mut self) {
        let now = self.ctx.now;
        for id in self.ctx.trunks.ids() {
            let fresh = fresh(&mut self.ctx);
            let register = self.ctx.trunks.register(id);
            let step = register.map(|register| register.close(now, fresh));
            self.take(id, step);
        }
    }

    /// A response to a trunk's own request.
    pub(crate) fn on_trunk_response(&mut self, tx: ClientTx, response: &Message) {
        let Some(status) = response.status().filter(|status| *status >= 200) else {
            return;
        };
        let Some((id, what)) = self.ctx.trunks.asked.0.remove(&tx) else {
            return;
        };
        let flow = self.ctx.flow_of(tx);
        self.ctx.forget_outgoing(tx);
        let now = self.ctx.now;
        match what {
            // The registration is another engine's by now.
            What::Register if self.ctx.trunks.held => {}
            What::Register => {
                let fresh = fresh(&mut self.ctx);
                let step = self.ctx.trunks.register(id).map(|register| {
                    register.flow = flow.or(register.flow);
                    register.on_response(now, response, fresh)
                });
                self.take(id, step);
            }
            What::Probe(server) => {
                let rest = retry_after(response).filter(|_| status == 503);
                self.probed(
                    id,
                    server,
                    status,
                    rest.map(|rest| now + rest.min(REST_MAX)),
                );
            }
        }
    }

    /// A trunk's own request came to nothing.
    pub(crate) fn on_trunk_silence(&mut self, tx: ClientTx) {
        let Some((id, what)) = self.ctx.trunks.asked.0.remove(&tx) else {
            return;
        };
        self.ctx.forget_outgoing(tx);
        let now = self.ctx.now;
        match what {
            What::Register if self.ctx.trunks.held => {}
            What::Register => {
                let fresh = fresh(&mut self.ctx);
                if let Some(register) = self.ctx.trunks.register(id) {
                    register.on_silence(now, "no answer", &fresh);
                }
            }
            What::Probe(server) => self.probed(id, server, 408, None),
        }
    }

    fn take(&mut self, id: TrunkId, step: Option<Step>) {
        let Some(Step::Send { request, next_hop }) = step else {
            return;
        };
        let registration = self
            .ctx
            .trunks
            .by_id(id)
            .and_then(|one| one.registration.as_ref());
        let Some(user) = registration.map(|one| one.contact_user.clone()) else {
            return;
        };
        let build = Box::new(move |ctx: &Context, flow: &sip::Flow| {
            let mut request = Message::clone(&request);
            let contact = contact_of(ctx, flow, &user);
            request.headers.set(HeaderName::Contact, contact);
            request
        });
        let tx = self.ctx.request_to(None, next_hop, build);
        self.ctx.trunks.asked.0.insert(tx, (id, What::Register));
    }

    /// Sends the probes of a trunk that are due, and notes those that stayed without an answer.
    fn watch(&mut self, id: TrunkId) {
        let now = self.ctx.now;
        let servers = self
            .ctx
            .trunks
            .live
            .get(id.0)
            .map_or(0, |live| live.servers.len());
        for server in 0..servers {
            let live = self.ctx.trunks.live.get_mut(id.0);
            let watch = live
                .and_then(|live| live.servers.get_mut(server))
                .and_then(|server| server.watch.as_mut());
            match watch.map(|watch| watch.on_time(now)) {
                Some(Due::Probe) => self.probe_server(id, server),
                Some(Due::Silent(change)) => {
                    self.forget_probes(id, server);
                    self.tell_server(id, server, change);
                }
                Some(Due::Nothing) | None => {}
            }
        }
    }

    fn forget_probes(&mut self, id: TrunkId, server: usize) {
        let asked = &self.ctx.trunks.asked.0;
        let late = asked
            .iter()
            .find(|(_, one)| **one == (id, What::Probe(server)));
        if let Some(tx) = late.map(|(tx, _)| *tx) {
            self.ctx.trunks.asked.0.remove(&tx);
            self.ctx.forget_outgoing(tx);
        }
    }

    fn probe_server(&mut self, id: TrunkId, server: usize) {
        let Some((request, next_hop)) = self
            .ctx
            .trunks
            .by_id(id)
            .and_then(|trunk| options(trunk, server))
        else {
            return;
        };
        let (tag, call_id) = (self.ctx.entropy.tag(), self.ctx.entropy.call_id());
        let build = Box::new(move |ctx: &Context, flow: &sip::Flow| {
            let mut request = request.clone();
            let headers = &mut request.headers;
            let own = Uri::sip(None, Host::Ip(ctx.sip_address(flow).ip()), None);
            headers.push(HeaderName::From, format!("<{own}>;tag={tag}"));
            headers.push(HeaderName::CallId, call_id.as_str());
            headers.push(HeaderName::Contact, ctx.contact(flow));
            request
        });
        let tx = self.ctx.request_to(None, next_hop, build);
        self.ctx
            .trunks
            .asked
            .0
            .insert(tx, (id, What::Probe(server)));
    }

    fn probed(&mut self, id: TrunkId, server: usize, status: u16, rests: Option<Time>) {
        let now = self.ctx.now;
        let live = self.ctx.trunks.live.get_mut(id.0);
        let Some(found) = live.and_then(|live| live.servers.get_mut(server)) else {
            return;
        };
        found.resting_until = rests.or(found.resting_until);
        let change = found
            .watch
            .as_mut()
            .map(|watch| watch.answered(now, status));
        self.tell_server(id, server, change.unwrap_or(Change::None));
    }

    fn tell_server(&self, id: TrunkId, server: usize, change: Change) {
        let trunk = self.ctx.trunks.by_id(id);
        let Some(outbound) = trunk.and_then(|trunk| trunk.outbound.as_ref()) else {
            return;
        };
        let name = trunk.map(|trunk| trunk.name.as_str());
        let address = outbound.servers.get(server).map(tracing::field::display);
        match change {
            Change::WentDown => tracing::error!(trunk = name, server = address, "server is down"),
            Change::CameBack => tracing::info!(trunk = name, server = address, "server is back"),
            Change::None => {}
        }
    }
}

fn fresh(ctx: &mut Context) -> Fresh {
    Fresh {
        tag: ctx.entropy.tag(),
        cnonce: ctx.entropy.tag(),
        call_id: ctx.entropy.call_id(),
        jitter: ctx.entropy.number(),
    }
}

/// Our Contact on a flow, with a user.
fn contact_of(ctx: &Context, flow: &sip::Flow, user: &str) -> String {
    let plain = ctx.contact(flow);
    match NameAddr::parse(&plain) {
        Ok(mut contact) => {
            contact.uri.user = Some(user.to_owned());
            contact.to_string()
        }
        Err(_) => plain,
    }
}

/// OPTIONS to a server, without From, Call-ID and Contact.
fn options(trunk: &Trunk, server: usize) -> Option<(Message, Uri)> {
    let outbound = trunk.outbound.as_ref()?;
    let uri = outbound.servers.get(server)?;
    let mut request = Message::request(Method::Options, uri.clone());
    let headers = &mut request.headers;
    if let Some(proxy) = &outbound.proxy {
        headers.push(HeaderName::Route, loose(proxy).to_string());
    }
    headers.push(HeaderName::MaxForwards, "70");
    headers.push(HeaderName::To, format!("<{uri}>"));
    headers.push(HeaderName::CSeq, "1 OPTIONS");
    headers.push(HeaderName::Accept, "application/sdp");
    let next_hop = outbound.proxy.clone().unwrap_or_else(|| uri.clone());
    Some((request, next_hop))
}
