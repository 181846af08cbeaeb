//! Owns all subscriptions: whose they are, how many there may be, and which is due.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vocab::Time;

use super::machine::{Left, Phase, Reason, Subscription};
use super::request::{BadSubscribe, Package, seconds_up, wanted};
use super::{ALLOW_EVENTS, Content};
use crate::dialog::{Dialog, DialogId};
use crate::transaction::Flow;
use crate::wire::{HeaderName, Message};

/// What is policy in subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionSettings {
    /// Shorter wishes are answered 423.
    pub min_expires: Duration,
    /// Longer wishes are cut to this.
    pub max_expires: Duration,
    /// Subscriptions at once; beyond it 503.
    pub most: usize,
    /// Of these, subscriptions of one subscriber.
    pub most_per_subscriber: usize,
    /// The time between two NOTIFYs of one subscription that nobody asked for: RFC 3842 §3.9 and RFC
    /// 4235 §3.10 want no more than one a second.
    pub pace: Duration,
}

impl Default for SubscriptionSettings {
    fn default() -> Self {
        Self {
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3_600),
            most: 5_000,
            most_per_subscriber: 100,
            pace: Duration::from_secs(1),
        }
    }
}

/// Names a subscription. Never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionId(u64);

/// Who subscribes to whose state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscriber<'a> {
    /// Who: the user that was authenticated.
    pub user: &'a str,
    /// Whose state.
    pub resource: &'a str,
}

/// A NOTIFY that is to be written now, by [`Subscriptions::tell`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Of which subscription.
    pub id: SubscriptionId,
    /// What is told.
    pub package: Package,
    /// To whom.
    pub subscriber: Arc<str>,
    /// Of whom.
    pub resource: Arc<str>,
    /// Where the subscriber was seen.
    pub flow: Flow,
    /// Whether it says how things stand; one that ends a subscription may say nothing but that.
    pub with_state: bool,
}

/// All subscriptions. After each input: [`poll`](Self::poll) to `None`, and [`tell`](Self::tell) for
/// each that comes.
#[derive(Debug)]
pub struct Subscriptions {
    settings: SubscriptionSettings,
    next: u64,
    all: BTreeMap<SubscriptionId, Subscription>,
    dialogs: BTreeMap<DialogId, SubscriptionId>,
    by_resource: BTreeMap<Arc<str>, BTreeSet<SubscriptionId>>,
    by_subscriber: BTreeMap<Arc<str>, usize>,
    /// One entry for each that is waiting for a moment.
    deadlines: BTreeSet<(Time, SubscriptionId)>,
    /// Its entry there.
    armed: BTreeMap<SubscriptionId, Time>,
}

impl Subscriptions {
    /// Without subscriptions.
    #[must_use]
    pub const fn new(settings: SubscriptionSettings) -> Self {
        Self {
            settings,
            next: 0,
            all: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            by_resource: BTreeMap::new(),
            by_subscriber: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            armed: BTreeMap::new(),
        }
    }

    /// How many there are, those on their way out included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What a SUBSCRIBE outside a dialog is for, before it is asked who may.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn package_of(&self, request: &Message) -> Result<Package, BadSubscribe> {
        wanted(&self.settings, request).map(|wanted| wanted.event.package)
    }

    /// Takes a SUBSCRIBE outside a dialog of a subscriber who may: the 200, without Contact. `tag`: ours
    /// in the new dialog.
    ///
    /// # Errors
    /// Why not. Nothing was done then.
    pub fn subscribe(
        &mut self,
        now: Time,
        who: Subscriber<'_>,
        request: &Message,
        (flow, tag): (Flow, &str),
    ) -> Result<Message, BadSubscribe> {
        let wanted = wanted(&self.settings, request)?;
        let Ok(dialog) = Dialog::uas(request, tag, flow) else {
            return Err(BadSubscribe::Malformed);
        };
        let of_one = self.by_subscriber.get(who.user).copied();
        if self.all.len() >= self.settings.most
            || of_one.unwrap_or_default() >= self.settings.most_per_subscriber
            || self.dialogs.contains_key(&dialog.id())
        {
            return Err(BadSubscribe::Full);
        }
        self.next += 1;
        let id = SubscriptionId(self.next);
        let names = (Arc::from(who.user), Arc::from(who.resource));
        self.dialogs.insert(dialog.id(), id);
        let mut subscription = Subscription::new(dialog, wanted.event, names);
        subscription.extend(now, wanted.lasts);
        *self
            .by_subscriber
            .entry(Arc::clone(&subscription.subscriber))
            .or_default() += 1;
        self.by_resource
            .entry(Arc::clone(&subscription.resource))
            .or_default()
            .insert(id);
        self.all.insert(id, subscription);
        self.arm(id);
        Ok(accepted(request, Some(tag), wanted.lasts))
    }

    /// The subscription of a dialog.
    #[must_use]
    pub fn find(&self, dialog: &DialogId) -> Option<SubscriptionId> {
        self.dialogs.get(dialog).copied()
    }

    /// Who has a subscription.
    #[must_use]
    pub fn subscriber(&self, id: SubscriptionId) -> Option<&str> {
        Some(&self.all.get(&id)?.subscriber)
    }

    /// Takes a SUBSCRIBE within the dialog of a subscription: the 200, without Contact.
    ///
    /// # Errors
    /// Why not. Nothing was done then.
    pub fn renew(
        &mut self,
        now: Time,
        id: SubscriptionId,
        request: &Message,
        flow: Flow,
    ) -> Result<Message, BadSubscribe> {
        let wanted = wanted(&self.settings, request)?;
        let subscription = self.all.get_mut(&id).ok_or(BadSubscribe::Unknown)?;
        subscription.renew(now, &wanted.event, (wanted.lasts, request, flow))?;
        self.arm(id);
        Ok(accepted(request, None, wanted.lasts))
    }

    /// Whether anybody wants to know.
    #[must_use]
    pub fn is_watched(&self, resource: &str) -> bool {
        self.by_resource.contains_key(resource)
    }

    /// Something of this resource may have changed.
    pub fn changed(&mut self, resource: &str, package: Package) {
        let Some(ids) = self.by_resource.get(resource) else {
            return;
        };
        for id in ids.clone() {
            if let Some(subscription) = self.all.get_mut(&id)
                && subscription.event.package == package
            {
                subscription.changed();
                self.arm(id);
            }
        }
    }

    /// Ends the subscriptions to a resource.
    pub fn end_resource(&mut self, now: Time, resource: &str, reason: Reason) {
        self.end(now, reason, |one| *one.resource == *resource);
    }

    /// Ends the subscriptions of a subscriber.
    pub fn end_subscriber(&mut self, now: Time, user: &str, reason: Reason) {
        self.end(now, reason, |one| *one.subscriber == *user);
    }

    /// Ends all subscriptions.
    pub fn end_all(&mut self, now: Time, reason: Reason) {
        self.end(now, reason, |_| true);
    }

    fn end(&mut self, now: Time, reason: Reason, which: impl Fn(&Subscription) -> bool) {
        let mut ended = Vec::new();
        for (id, subscription) in &mut self.all {
            if which(subscription) {
                subscription.end(now, reason);
                ended.push(*id);
            }
        }
        for id in ended {
            self.arm(id);
        }
    }

    /// A connection is gone: what was to go by it looks for another way.
    pub fn flow_lost(&mut self, flow: Flow) {
        for subscription in self.all.values_mut() {
            subscription.dialog.flow_lost(flow);
        }
    }

    /// When to [`poll`](Self::poll) at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The next NOTIFY that is due.
    pub fn poll(&mut self, now: Time) -> Option<Due> {
        loop {
            let (_, id) = self
                .deadlines
                .first()
                .filter(|(at, _)| *at <= now)
                .copied()?;
            self.disarm(id);
            let Some(subscription) = self.all.get_mut(&id) else {
                continue;
            };
            if !subscription.on_time(now) {
                self.arm(id);
                continue;
            }
            let with_state = match subscription.phase {
                Phase::Active { .. } | Phase::Ended => true,
                Phase::Ending { reason } => reason.is_told_with_state(),
            };
            return Some(Due {
                id,
                package: subscription.event.package,
                subscriber: Arc::clone(&subscription.subscriber),
                resource: Arc::clone(&subscription.resource),
                flow: subscription.dialog.flow,
                with_state,
            });
        }
    }

    /// Writes the NOTIFY that was due, without Contact, and the dialog within which it goes; `None` if
    /// the subscriber knows all this already.
    pub fn tell(
        &mut self,
        now: Time,
        id: SubscriptionId,
        content: Option<Content>,
    ) -> Option<(&Dialog, Message)> {
        let pace = self.settings.pace;
        let notify = self.all.get_mut(&id)?.notify(now, pace, content);
        self.arm(id);
        Some((&self.all.get(&id)?.dialog, notify?))
    }

    /// What became of a NOTIFY: its answer, or that none came.
    pub fn answered(&mut self, now: Time, id: SubscriptionId, answer: Option<&Message>) {
        if answer
            .and_then(Message::status)
            .is_some_and(|status| status < 200)
        {
            return;
        }
        let Some(subscription) = self.all.get_mut(&id) else {
            return;
        };
        match subscription.answered(now, answer) {
            Left::Here => self.arm(id),
            Left::Gone => self.remove(id),
        }
    }

    #[cfg(test)]
    pub(super) fn ids(&self) -> impl Iterator<Item = SubscriptionId> {
        self.all.keys().copied()
    }

    /// What is remembered beside the subscriptions.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        let names = self.by_resource.len() + self.by_subscriber.len();
        self.dialogs.len() + names + self.deadlines.len() + self.armed.len()
    }

    fn remove(&mut self, id: SubscriptionId) {
        self.disarm(id);
        let Some(gone) = self.all.remove(&id) else {
            return;
        };
        self.dialogs.remove(&gone.dialog.id());
        if let Some(ids) = self.by_resource.get_mut(&gone.resource) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_resource.remove(&gone.resource);
            }
        }
        if let Some(count) = self.by_subscriber.get_mut(&gone.subscriber) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_subscriber.remove(&gone.subscriber);
            }
        }
    }

    fn arm(&mut self, id: SubscriptionId) {
        self.disarm(id);
        if let Some(due) = self.all.get(&id).and_then(Subscription::due) {
            self.deadlines.insert((due, id));
            self.armed.insert(id, due);
        }
    }

    fn disarm(&mut self, id: SubscriptionId) {
        if let Some(due) = self.armed.remove(&id) {
            self.deadlines.remove(&(due, id));
        }
    }
}

/// The 200 (RFC 6665 §4.2.1.3: a 202 says no more than that, and is not to be used).
fn accepted(request: &Message, tag: Option<&str>, lasts: Duration) -> Message {
    let mut response = request.respond(200, tag);
    let headers = &mut response.headers;
    headers.push(HeaderName::Expires, seconds_up(lasts).to_string());
    headers.push(HeaderName::AllowEvents, ALLOW_EVENTS);
    response
}
