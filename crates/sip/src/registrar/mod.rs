//! Owns the bindings of users to contacts: the registrar of RFC 3261 §10.3 with Path (RFC 3327) and
//! outbound flows (RFC 5626 §6). Refuses to authenticate and to decide who may register what: it
//! is told the user.
//!
//! Each change is told ([`Change`]), so that bindings can be written down and given back after a
//! restart ([`Registrar::restore`]). A binding that is only refreshed is told again no sooner than
//! [`KEPT_BEYOND`] says, and a user who registers without end is refused: what is written has a
//! bound.

mod answer;
mod request;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use vocab::Time;

use crate::transaction::{Flow, stateless_tag};
use crate::wire::{Message, NameAddr, Params, Uri};

use answer::{Refusal, listing};
use request::{Change as Wanted, INSTANCE, Parsed, REG_ID};

/// How much longer than it lasts a binding is told to last, so that not each refresh is told. After
/// a restart a telephone that has gone may be taken for one that is there for so long; its silence
/// is noticed when it is to ring.
pub const KEPT_BEYOND: Duration = Duration::from_secs(600);

/// The REGISTERs that one user may send in the long run, and at once. Five telephones that refresh
/// twice a minute send one in six seconds.
const REGISTER_EVERY: Duration = Duration::from_secs(2);
const REGISTERS_AT_ONCE: u32 = 30;

/// What is policy in a registrar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrarSettings {
    /// Shorter wishes are answered 423 (RFC 3261 §10.3 step 7).
    pub min_expires: Duration,
    /// For telephones that wish nothing.
    pub default_expires: Duration,
    /// Longer wishes are cut to this.
    pub max_expires: Duration,
    /// Bindings of one user. The binding that expires first makes room for a new one; a single
    /// request with more contacts is answered 403.
    pub contacts_per_user: usize,
}

impl Default for RegistrarSettings {
    fn default() -> Self {
        Self {
            min_expires: Duration::from_secs(60),
            default_expires: Duration::from_secs(3600),
            max_expires: Duration::from_secs(3600),
            contacts_per_user: 5,
        }
    }
}

/// A contact under which a user is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The Request-URI for requests to it.
    pub contact: Uri,
    /// The REGISTER came on it. Send to `flow.remote`: behind a NAT the contact's own address leads
    /// nowhere.
    pub flow: Flow,
    /// Proxies between (RFC 3327): the Route of requests to it.
    pub path: Vec<NameAddr>,
    /// When it ends unless it is refreshed.
    pub expires_at: Time,
    /// Of the REGISTER that made or refreshed it.
    pub call_id: String,
    /// Of the same.
    pub cseq: u32,
    /// Preference in thousandths, 0 to 1000.
    pub q: u16,
    /// Contact parameters other than `expires` and `q`; they are shown in responses.
    pub params: Params,
    /// When it was made or refreshed.
    pub registered_at: Time,
    /// Until when it was told to last; not before `expires_at`.
    pub kept_until: Time,
}

impl Binding {
    /// What tells it from the other bindings of its user: instance and flow number of a telephone
    /// with several flows (RFC 5626 §6), else the contact.
    #[must_use]
    pub fn key(&self) -> String {
        match (self.params.value(INSTANCE), self.params.value(REG_ID)) {
            (Some(instance), Some(flow)) => format!("{instance} {flow}"),
            (Some(_) | None, Some(_) | None) => self.contact.to_string(),
        }
    }

    /// Whether a request takes the same way to it as to the other.
    fn leads_as(&self, other: &Self) -> bool {
        self.contact == other.contact
            && self.flow == other.flow
            && self.path == other.path
            && self.q == other.q
            && self.params == other.params
    }
}

/// What has changed: for those who want to ring a user, and for those who write it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A binding was made, leads another way, or lasts longer than was told.
    Bound {
        /// Whose.
        user: String,
        /// It lasts until `kept_until` as far as this is concerned.
        binding: Box<Binding>,
    },
    /// A binding has ended.
    Unbound {
        /// Whose.
        user: String,
        /// [`Binding::key`].
        key: String,
    },
    /// The first binding came.
    Reachable {
        /// Whose.
        user: String,
    },
    /// The last binding went.
    Unreachable {
        /// Whose.
        user: String,
    },
}

/// All bindings. Call [`poll`](Self::poll) until `None` after each input.
#[derive(Debug)]
pub struct Registrar {
    settings: RegistrarSettings,
    /// Users with bindings. Kept sorted: best q first, then the newest.
    users: BTreeMap<Arc<str>, Vec<Binding>>,
    /// One entry per user: when the first of its bindings ends.
    deadlines: BTreeSet<(Time, Arc<str>)>,
    /// By user: when the REGISTERs that were taken are used up at [`REGISTER_EVERY`].
    pace: BTreeMap<Arc<str>, Time>,
    /// Nothing ends by time.
    held: bool,
    changes: VecDeque<Change>,
}

impl Registrar {
    /// Without bindings.
    #[must_use]
    pub const fn new(settings: RegistrarSettings) -> Self {
        Self {
            settings,
            users: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            pace: BTreeMap::new(),
            held: false,
            changes: VecDeque::new(),
        }
    }

    /// Carries out a REGISTER of a user who is authenticated, completely or not at all, and
    /// returns the final response: 200 with the list of contacts, 400, 403 (too many contacts),
    /// 423 with Min-Expires, 439 (RFC 5626 §6), 500 for a request that was overtaken by a newer one,
    /// or 503 for a user who registers too often.
    pub fn register(&mut self, now: Time, user: &str, flow: Flow, request: &Message) -> Message {
        let tag = stateless_tag(request);
        let parsed = match request::parse(&self.settings, request) {
            Ok(parsed) => parsed,
            Err(refusal) => return refusal.respond(request, &tag),
        };
        let key = self
            .users
            .get_key_value(user)
            .map(|(key, _)| Arc::clone(key));
        let key = key.unwrap_or_else(|| Arc::from(user));
        if let Err(refusal) = self.keep_pace(now, &key) {
            return refusal.respond(request, &tag);
        }
        let old = self.users.get(user).map_or(&[][..], Vec::as_slice);
        // Between the deadline and `handle_timeout` a dead binding must not be shown.
        let alive = old
            .iter()
            .filter(|binding| self.held || binding.expires_at > now)
            .cloned()
            .collect();
        let settings = &self.settings;
        match carried_out(settings, alive, now, flow, &parsed) {
            Ok(bindings) => {
                let response = listing(now, &bindings, &parsed, request, &tag);
                self.store(&key, bindings);
                response
            }
            Err(refusal) => refusal.respond(request, &tag),
        }
    }

    /// The contacts of a user: best q first, then the newest.
    pub fn bindings(&self, user: &str) -> impl Iterator<Item = &Binding> {
        self.users.get(user).into_iter().flatten()
    }

    fn keep_pace(&mut self, now: Time, user: &Arc<str>) -> Result<(), Refusal> {
        let used_up = self.pace.get(user).map_or(now, |at| now.max(*at));
        let ahead = used_up.since(now);
        let most = REGISTER_EVERY * REGISTERS_AT_ONCE;
        if ahead >= most {
            let wait = ahead.saturating_sub(most) + REGISTER_EVERY;
            return Err(Refusal::TooOften { wait });
        }
        self.pace.insert(Arc::clone(user), used_up + REGISTER_EVERY);
        Ok(())
    }

    /// Takes back a binding that was told before a restart; `kept_until` is when it ends.
    pub fn restore(&mut self, user: &str, binding: Binding) {
        let key = Arc::from(user);
        let mut bindings = self.users.get(&key).cloned().unwrap_or_default();
        if bindings.len() < self.settings.contacts_per_user {
            bindings.push(binding);
            sort(&mut bindings);
            self.store(&key, bindings);
        }
    }

    /// A connection is gone. Bindings that can be reached by no other way go with it: those of
    /// outbound telephones (RFC 5626 §5.3) and of browsers. Others are reached at the address of
    /// their first proxy or of their Contact from now on, if it is one.
    pub fn flow_closed(&mut self, flow: Flow) {
        let affected: Vec<Arc<str>> = self
            .users
            .iter()
            .filter(|(_, bindings)| bindings.iter().any(|binding| binding.flow == flow))
            .map(|(user, _)| Arc::clone(user))
            .collect();
        for user in affected {
            let old = self.users.get(&user).map_or(&[][..], Vec::as_slice);
            let left = old.iter().filter_map(|one| without(one, flow)).collect();
            self.store(&user, left);
        }
    }

    /// Drops all bindings of a user: one who may not register any more.
    pub fn forget(&mut self, user: &str) {
        self.pace.remove(user);
        self.retain(user, |_| false);
    }

    /// Drops one binding of a user: a telephone that has gone without a word.
    pub fn forget_contact(&mut self, user: &str, contact: &Uri, flow: &Flow) {
        self.retain(user, |binding| {
            binding.contact != *contact || binding.flow != *flow
        });
    }

    fn retain(&mut self, user: &str, keep: impl Fn(&Binding) -> bool) {
        let Some((user, bindings)) = self.users.get_key_value(user) else {
            return;
        };
        let user = Arc::clone(user);
        let left = bindings.iter().filter(|b| keep(b)).cloned().collect();
        self.store(&user, left);
    }

    /// From now on no binding ends by time: another registrar gets the refreshes.
    pub const fn hold(&mut self) {
        self.held = true;
    }

    /// The refreshes come here again. What would have ended meanwhile was refreshed elsewhere, and lasts for as
    /// long as a telephone may take until it refreshes again.
    pub fn resume(&mut self, now: Time) {
        self.held = false;
        let until = now + self.settings.max_expires;
        let users: Vec<Arc<str>> = self.users.keys().cloned().collect();
        for user in users {
            let mut bindings = self.users.get(&user).cloned().unwrap_or_default();
            for binding in &mut bindings {
                if binding.expires_at <= now {
                    binding.expires_at = until;
                }
            }
            self.store(&user, bindings);
        }
    }

    /// Removes what has expired.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.held {
            return;
        }
        while let Some((_, user)) = self
            .deadlines
            .first()
            .filter(|(due, _)| *due <= now)
            .cloned()
        {
            self.retain(&user, |binding| binding.expires_at > now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let first = self.deadlines.first().filter(|_| !self.held);
        first.map(|(time, _)| *time)
    }

    /// The next change; drain it after each input.
    pub fn poll(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// Puts a user's new bindings in place of the old ones.
    fn store(&mut self, user: &Arc<str>, mut bindings: Vec<Binding>) {
        self.tell(user, &mut bindings);
        let first = |bindings: &[Binding]| bindings.iter().map(|binding| binding.expires_at).min();
        let due = first(&bindings);
        let old = if bindings.is_empty() {
            self.users.remove(user)
        } else {
            self.users.insert(Arc::clone(user), bindings)
        };
        let old_due = old.as_deref().and_then(first);
        if old_due != due {
            if let Some(time) = old_due {
                self.deadlines.remove(&(time, Arc::clone(user)));
            }
            if let Some(time) = due {
                self.deadlines.insert((time, Arc::clone(user)));
            }
        }
        match (old_due, due) {
            (None, Some(_)) => {
                self.changes.push_back(Change::Reachable {
                    user: user.to_string(),
                });
            }
            (Some(_), None) => {
                self.changes.push_back(Change::Unreachable {
                    user: user.to_string(),
                });
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// Tells what of a user's new bindings is news.
    fn tell(&mut self, user: &Arc<str>, bindings: &mut [Binding]) {
        let old = self.users.get(user).map_or(&[][..], Vec::as_slice);
        for gone in old.iter().map(Binding::key) {
            if !bindings.iter().any(|binding| binding.key() == gone) {
                let user = user.to_string();
                self.changes.push_back(Change::Unbound { user, key: gone });
            }
        }
        for binding in bindings {
            let key = binding.key();
            let before = old.iter().find(|old| old.key() == key);
            if let Some(before) = before {
                let same = before.leads_as(binding);
                binding.kept_until = if same { before.kept_until } else { Time::ZERO };
            }
            if binding.kept_until < binding.expires_at {
                binding.kept_until = binding.expires_at + KEPT_BEYOND;
                self.changes.push_back(Change::Bound {
                    user: user.to_string(),
                    binding: Box::new(binding.clone()),
                });
            }
        }
    }
}

/// Best q first, then the newest.
fn sort(bindings: &mut [Binding]) {
    bindings.sort_by(|a, b| {
        b.q.cmp(&a.q)
            .then_with(|| b.registered_at.cmp(&a.registered_at))
    });
}

/// The bindings after the request (RFC 3261 §10.3 steps 6 and 7).
fn carried_out(
    settings: &RegistrarSettings,
    mut bindings: Vec<Binding>,
    now: Time,
    flow: Flow,
    parsed: &Parsed,
) -> Result<Vec<Binding>, Refusal> {
    let overtaken =
        |binding: &Binding| binding.call_id == parsed.call_id && parsed.cseq <= binding.cseq;
    match &parsed.wanted {
        Wanted::Nothing => {}
        Wanted::RemoveAll => {
            if bindings.iter().any(overtaken) {
                return Err(Refusal::Overtaken);
            }
            bindings.clear();
        }
        Wanted::Contacts(contacts) => {
            // Against what was there before: two contacts of one request have one CSeq.
            let before = bindings.clone();
            let mut fresh = 0;
            for contact in contacts {
                let same = |binding: &Binding| contact.is_of(binding);
                if before
                    .iter()
                    .any(|binding| same(binding) && overtaken(binding))
                {
                    return Err(Refusal::Overtaken);
                }
                bindings.retain(|binding| !same(binding));
                if contact.expires.is_zero() {
                    continue;
                }
                fresh += 1;
                bindings.push(Binding {
                    contact: contact.uri.clone(),
                    flow,
                    path: parsed.path.clone(),
                    expires_at: now + contact.expires,
                    call_id: parsed.call_id.clone(),
                    cseq: parsed.cseq,
                    q: contact.q,
                    params: contact.params.clone(),
                    registered_at: now,
                    kept_until: Time::ZERO,
                });
            }
            if contacts.len() > settings.contacts_per_user {
                return Err(Refusal::TooMany);
            }
            make_room(settings.contacts_per_user, &mut bindings, now, fresh);
        }
    }
    sort(&mut bindings);
    Ok(bindings)
}

/// A binding after the loss of a flow; `None` if it is gone with it.
fn without(binding: &Binding, flow: Flow) -> Option<Binding> {
    if binding.flow != flow {
        return Some(binding.clone());
    }
    let outbound = binding.params.has("reg-id") && binding.params.has("+sip.instance");
    if outbound || flow.transport.is_accepted_only() {
        return None;
    }
    let next = binding.path.first().map(|proxy| &proxy.uri);
    let remote = next.unwrap_or(&binding.contact).socket_addr()?;
    // If nobody listens there, the first request to it tells.
    Some(Binding {
        flow: Flow { remote, ..flow },
        ..binding.clone()
    })
}

/// A telephone that came back under a new address must get in although its old bindings have not
/// expired: the one that would expire first goes, never one of this request (they are the last).
fn make_room(most: usize, bindings: &mut Vec<Binding>, now: Time, fresh: usize) {
    while bindings.len() > most {
        let older = bindings.len().saturating_sub(fresh);
        let first = bindings
            .iter()
            .enumerate()
            .take(older)
            .min_by_key(|(_, binding)| (binding.expires_at.since(now), binding.registered_at))
            .map_or(0, |(place, _)| place);
        bindings.remove(first);
    }
}

#[cfg(test)]
mod tests;
