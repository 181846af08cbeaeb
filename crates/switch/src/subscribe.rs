//! Owns SUBSCRIBE as it reaches the switch: who may watch which line, and what a watcher is told
//! (RFC 6665; RFC 4235, RFC 3842). The life of a subscription is `sip::subscription`'s.
//!
//! Subscribers are operators, by their passwords; a resource is a line, by its number or its operator's
//! login. What waits for an operator is that operator's business alone (RFC 3842 §3.10, §6).

use std::collections::BTreeMap;

use sip::subscription::{BadSubscribe, Content, Due, Package, Reason, Waiting};
use sip::{
    ClientTx, DialogId, Flow, HeaderName, Host, Message, ServerTx, Subscriber, SubscriptionId,
    Subscriptions,
};
use vocab::OperatorId;

use crate::call::decorate;
use crate::context::Context;
use crate::destination::operator_at;
use crate::engine::Switch;
use crate::line_calls::LineCalls;
use crate::settings::{Audience, Operator, Settings};

/// Who watches, and what is watched.
pub(crate) struct Watchers {
    pub(crate) subscriptions: Subscriptions,
    /// Whose NOTIFY each is.
    notifies: BTreeMap<ClientTx, SubscriptionId>,
    pub(crate) line_calls: LineCalls,
    waiting: BTreeMap<OperatorId, Waiting>,
}

impl Watchers {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            subscriptions: Subscriptions::new(settings.subscriptions),
            notifies: BTreeMap::new(),
            line_calls: LineCalls::default(),
            waiting: BTreeMap::new(),
        }
    }

    /// Whether a request of ours is a NOTIFY.
    pub(crate) fn has_told(&self, tx: ClientTx) -> bool {
        self.notifies.contains_key(&tx)
    }

    /// NOTIFYs without an answer.
    pub(crate) fn untold(&self) -> usize {
        self.notifies.len()
    }
}

impl Audience {
    /// Whether an operator is among those who may know of another's line.
    fn includes(self, subscriber: &str, resource: &str) -> bool {
        match self {
            Self::Operators => true,
            Self::Own => subscriber == resource,
            Self::Nobody => false,
        }
    }
}

impl Switch {
    /// A SUBSCRIBE outside a dialog.
    pub(crate) fn on_subscribe(&mut self, tx: ServerTx, flow: Flow, request: &Message) {
        if self.takes_no_calls() {
            self.ctx.refuse_overload(tx, request);
            return;
        }
        let known = Context::operator_secrets;
        let Some(user) = self.authenticate(tx, flow, request, known) else {
            return;
        };
        let package = match self.watchers.subscriptions.package_of(request) {
            Ok(package) => package,
            Err(bad) => return self.refuse_subscribe(tx, request, &bad),
        };
        let addressed = request.request_uri().and_then(|uri| uri.user.as_deref());
        let operator = operator_at(&self.ctx, addressed.unwrap_or_default())
            .and_then(|id| self.ctx.operators.get(&id));
        let Some(resource) = operator.map(|operator| operator.login.clone()) else {
            self.ctx.refuse_known(tx, request, 404);
            return;
        };
        let may = match package {
            Package::Dialog => self
                .ctx
                .settings
                .lines_watched_by
                .includes(&user, &resource),
            Package::MessageSummary => user == resource,
        };
        if !may {
            self.ctx.refuse_known(tx, request, 403);
            return;
        }
        let tag = self.ctx.entropy.tag();
        let who = Subscriber {
            user: &user,
            resource: &resource,
        };
        let now = self.ctx.now;
        match self
            .watchers
            .subscriptions
            .subscribe(now, who, request, (flow, &tag))
        {
            Ok(accepted) => {
                tracing::debug!(user, resource, event = package.as_str(), "subscribed");
                self.accept_subscribe(tx, flow, request, accepted);
            }
            Err(bad) => self.refuse_subscribe(tx, request, &bad),
        }
    }

    /// A SUBSCRIBE within the dialog of a subscription. Only who has it may renew it.
    pub(crate) fn on_renewal(
        &mut self,
        tx: ServerTx,
        flow: Flow,
        id: SubscriptionId,
        request: &Message,
    ) {
        if let Some(tags) = sip::session::unsupported(request) {
            self.ctx.refuse_unsupported(tx, request, tags);
            return;
        }
        let known = Context::operator_secrets;
        let Some(user) = self.authenticate(tx, flow, request, known) else {
            return;
        };
        if self.watchers.subscriptions.subscriber(id) != Some(&user) {
            self.ctx.refuse_known(tx, request, 403);
            return;
        }
        let now = self.ctx.now;
        match self.watchers.subscriptions.renew(now, id, request, flow) {
            Ok(accepted) => self.accept_subscribe(tx, flow, request, accepted),
            Err(bad) => self.refuse_subscribe(tx, request, &bad),
        }
    }

    fn accept_subscribe(
        &mut self,
        tx: ServerTx,
        flow: Flow,
        request: &Message,
        mut accepted: Message,
    ) {
        let secure = sip::dialog::is_secured(request) && flow.transport.is_secure();
        decorate(&self.ctx, &flow, secure, &mut accepted);
        self.ctx.respond(tx, accepted);
    }

    fn refuse_subscribe(&mut self, tx: ServerTx, request: &Message, bad: &BadSubscribe) {
        match bad {
            BadSubscribe::Full => {
                tracing::warn!("no room for a subscription");
                self.ctx.refuse_overload(tx, request);
            }
            BadSubscribe::Malformed
            | BadSubscribe::Event
            | BadSubscribe::Accept(_)
            | BadSubscribe::TooBrief { .. }
            | BadSubscribe::Unknown
            | BadSubscribe::Overtaken => {
                let tag = self.ctx.entropy.tag();
                self.ctx.respond(tx, bad.respond(request, &tag));
            }
        }
    }

    /// Whether a request is of the dialog of a subscription.
    pub(crate) fn is_of_subscription(&self, id: &DialogId) -> bool {
        self.watchers.subscriptions.find(id).is_some()
    }

    /// Sends the NOTIFYs that are due. Before, the calls that something happened to are looked at.
    pub(crate) fn tell_watchers(&mut self) {
        for call in core::mem::take(&mut self.ctx.touched) {
            let operators = self.calls.get(&call).map(|call| call.operators());
            let concerned = self
                .watchers
                .line_calls
                .set(call, operators.unwrap_or_default());
            for operator in concerned {
                if let Some(operator) = self.ctx.operators.get(&operator) {
                    let watched = &mut self.watchers.subscriptions;
                    watched.changed(&operator.login, Package::Dialog);
                }
            }
        }
        let now = self.ctx.now;
        while let Some(due) = self.watchers.subscriptions.poll(now) {
            let content = due.with_state.then(|| self.content(&due));
            let told = self.watchers.subscriptions.tell(now, due.id, content);
            if let Some((dialog, mut notify)) = told {
                decorate(&self.ctx, &dialog.next_flow(), dialog.secure, &mut notify);
                let tx = self.ctx.request_within(None, (dialog, None), notify);
                self.watchers.notifies.insert(tx, due.id);
            }
        }
    }

    /// What a subscriber may know of a line now.
    fn content(&self, due: &Due) -> Content {
        let operator = self.ctx.logins.get(&*due.resource).copied();
        match due.package {
            Package::MessageSummary => {
                let waiting = operator.and_then(|id| self.watchers.waiting.get(&id));
                Content::Messages(waiting.copied().unwrap_or_default())
            }
            Package::Dialog => {
                let host = Host::Ip(self.ctx.sip_address(&due.flow).ip());
                let parties = self.ctx.settings.parties_shown_to;
                let shown = parties.includes(&due.subscriber, &due.resource);
                let of_call = |operator: OperatorId| {
                    let calls = self.watchers.line_calls.of(operator);
                    calls
                        .filter_map(|id| self.calls.get(&id))
                        .flat_map(|call| call.dialogs_of(&self.ctx, operator, &host))
                        .collect::<Vec<_>>()
                };
                let mut dialogs = operator.map(of_call).unwrap_or_default();
                if !shown {
                    for dialog in &mut dialogs {
                        dialog.remote = None;
                    }
                }
                Content::Dialogs(dialogs)
            }
        }
    }

    /// What became of a NOTIFY; `None`: no answer came.
    pub(crate) fn on_notify_answered(&mut self, tx: ClientTx, answer: Option<&Message>) {
        if answer
            .and_then(Message::status)
            .is_some_and(|status| status < 200)
        {
            return;
        }
        if let Some(id) = self.watchers.notifies.remove(&tx) {
            let now = self.ctx.now;
            self.watchers.subscriptions.answered(now, id, answer);
        }
    }

    /// What waits for an operator is another number now.
    pub(crate) fn set_waiting(&mut self, login: &str, waiting: Waiting) {
        let Some(operator) = self.ctx.logins.get(login).copied() else {
            tracing::warn!(login, "messages wait for nobody who is known");
            return;
        };
        let before = self.watchers.waiting.insert(operator, waiting);
        if before.unwrap_or_default() == waiting {
            return;
        }
        self.watchers
            .subscriptions
            .changed(login, Package::MessageSummary);
    }

    /// Before the table of operators is replaced: subscriptions last as long as the line, and as the
    /// password of who watches it.
    pub(crate) fn unsubscribe_outdated(&mut self, now: &BTreeMap<&str, &Operator>) {
        let (at, watched) = (self.ctx.now, &mut self.watchers.subscriptions);
        for (login, id) in &self.ctx.logins {
            let before = self.ctx.operators.get(id).map(|operator| &operator.secrets);
            match now.get(login.as_str()) {
                None => {
                    watched.end_subscriber(at, login, Reason::Rejected);
                    watched.end_resource(at, login, Reason::NoResource);
                    self.watchers.waiting.remove(id);
                }
                Some(operator) if Some(&operator.secrets) != before => {
                    watched.end_subscriber(at, login, Reason::Rejected);
                }
                Some(_) => {}
            }
        }
    }

    /// A NOTIFY that we did not ask for: there is no subscription of ours (RFC 6665 §4.1.3). Within
    /// the dialog of a call 481 would end the call (RFC 5057 §5.1): there it is the event that is bad.
    pub(crate) fn refuse_notify_in_call(&mut self, tx: ServerTx, request: &Message) {
        let tag = self.ctx.entropy.tag();
        let mut response = request.respond(489, Some(&tag));
        let events = sip::subscription::ALLOW_EVENTS;
        response.headers.set(HeaderName::AllowEvents, events);
        self.ctx.respond(tx, response);
    }
}
