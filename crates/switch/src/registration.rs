//! Owns the registration of operators' telephones and whether an operator can be reached at all.

use std::collections::BTreeMap;

use sip::{Flow, HeaderName, Message, Scheme, ServerTx};
use vocab::{Fact, OperatorId};

use crate::context::Context;
use crate::engine::Switch;
use crate::settings::Operator;

impl Switch {
    pub(crate) fn on_register(&mut self, tx: ServerTx, flow: Flow, request: &Message) {
        let known = Context::operator_secrets;
        let Some(user) = self.authenticate(tx, flow, request, known) else {
            return;
        };
        if !self.is_address_of(request, &user) {
            self.ctx.counts.refused += 1;
            self.ctx.refuse(tx, request, 403);
            return;
        }
        if binds_sips_in_clear(&flow, request) {
            tracing::info!(user, source = %flow.remote, "a sips: Contact without TLS");
            self.ctx.counts.refused += 1;
            let mut response = request.respond(400, Some(&sip::stateless_tag(request)));
            let warning =
                "399 hotline \"a sips: Contact is taken over TLS only: use TLS, or sip:\"";
            response.headers.set(HeaderName::Warning, warning);
            self.ctx.respond(tx, response);
            return;
        }
        let response = self
            .ctx
            .registrar
            .register(self.ctx.now, &user, flow, request);
        self.ctx.respond(tx, response);
    }

    /// RFC 3261 §10.3 step 4: a user binds its own address only. That is the login, or the number
    /// of the line: telephones may have the one as account and the other as authentication name.
    fn is_address_of(&self, request: &Message, login: &str) -> bool {
        let Some(address) = request.to().ok().and_then(|to| to.uri.user) else {
            return true;
        };
        let operator = self.ctx.logins.get(login);
        let operator = operator.and_then(|id| self.ctx.operators.get(id));
        address == login || operator.is_some_and(|operator| operator.line == address)
    }

    /// What the registrar tells.
    pub(crate) fn on_registration(&mut self, change: sip::Change) {
        match change {
            sip::Change::Reachable { user } | sip::Change::Unreachable { user } => {
                if let Some(operator) = self.ctx.logins.get(&user).copied() {
                    self.ctx.tell_reachable(operator);
                }
            }
            sip::Change::Bound { user, binding } => self.record_binding(user, &binding),
            sip::Change::Unbound { user, key } => {
                self.ctx
                    .record_standing(Fact::TelephoneUnregistered { login: user, key });
            }
        }
    }

    /// A registration lasts as long as the operator and the password it was made with.
    pub(crate) fn unregister_outdated(&mut self, operators: &[Operator]) {
        let now: BTreeMap<&str, &Operator> = operators
            .iter()
            .map(|operator| (operator.login.as_str(), operator))
            .collect();
        self.unsubscribe_outdated(&now);
        for (login, id) in &self.ctx.logins {
            let before = self.ctx.operators.get(id).map(|operator| &operator.secrets);
            if now.get(login.as_str()).map(|operator| &operator.secrets) != before {
                self.ctx.registrar.forget(login);
                self.guard.forget(login);
            }
        }
        // Before the table is replaced, so that each is still known by login.
        while let Some(change) = self.ctx.registrar.poll() {
            self.on_registration(change);
        }
    }
}

/// Whether a telephone wants calls by `sips:` where it is not on TLS: they could not reach it, as what
/// is sent to `sips:` goes by TLS only (RFC 5630 §5.3). What takes such a Contact out is no wish.
fn binds_sips_in_clear(flow: &Flow, request: &Message) -> bool {
    let stays = |of_contact: Option<&str>| {
        let of_all = || request.headers.first(&HeaderName::Expires);
        of_contact.or_else(of_all).map(str::trim) != Some("0")
    };
    // A request whose contacts cannot be read, or are all of them (`*`), is the registrar's.
    let contacts = request.contacts().unwrap_or_default();
    !flow.transport.is_secure()
        && contacts.iter().any(|contact| {
            contact.uri.scheme == Scheme::Sips && stays(contact.params.value("expires"))
        })
}

impl Context {
    /// Tells ACD and journal whether an operator can be reached, when that has changed: by a
    /// telephone that is registered, or at the line's fixed address.
    pub(crate) fn tell_reachable(&mut self, operator: OperatorId) {
        let Some(named) = self.operator_ref(operator) else {
            return;
        };
        let registered = self.registrar.bindings(&named.login).next().is_some();
        let reachable = registered || self.lines.is_reachable(operator);
        let before = self.reachable.contains(&operator);
        if reachable == before {
            return;
        }
        if reachable {
            self.reachable.insert(operator);
        } else {
            self.reachable.remove(&operator);
        }
        tracing::info!(operator = named.login, reachable, "registration");
        self.record_standing(Fact::OperatorReachable {
            operator: named,
            reachable,
        });
        self.acd.handle(
            self.now,
            acd::Input::Reachable {
                operator,
                reachable,
            },
        );
    }
}
