//! Owns the bindings of users to contacts: the registrar of RFC 3261 §10.3 with Path (RFC 3327) and
//! the replacement by instance of RFC 5626 §6. Refuses to authenticate and to decide who may
//! register what: it is told the user.

mod request;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use vocab::Time;

use crate::transaction::{Flow, stateless_tag};
use crate::wire::{HeaderName, Message, NameAddr, Params, Uri};

use request::{Change as Wanted, Parsed};

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
}

/// What has changed for those who want to ring a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
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
            changes: VecDeque::new(),
        }
    }

    /// Carries out a REGISTER of a user who is authenticated, completely or not at all, and
    /// returns the final response: 200 with the list of contacts, 400, 403 (too many contacts),
    /// 423 with Min-Expires, or 500 for a request that was overtaken by a newer one.
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
        let old = self.users.get(user).map_or(&[][..], Vec::as_slice);
        // Between the deadline and `handle_timeout` a dead binding must not be shown.
        let alive = old
            .iter()
            .filter(|binding| binding.expires_at > now)
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

    /// Drops all bindings of a user: one who may not register any more.
    pub fn forget(&mut self, user: &str) {
        if let Some((user, _)) = self.users.get_key_value(user) {
            let user = Arc::clone(user);
            self.store(&user, Vec::new());
        }
    }

    /// Drops one binding of a user: a telephone that has gone without a word.
    pub fn forget_contact(&mut self, user: &str, contact: &Uri) {
        let Some((user, bindings)) = self.users.get_key_value(user) else {
            return;
        };
        let user = Arc::clone(user);
        let left = bindings
            .iter()
            .filter(|binding| binding.contact != *contact)
            .cloned()
            .collect();
        self.store(&user, left);
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

    /// Removes what has expired.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((_, user)) = self
            .deadlines
            .first()
            .filter(|(due, _)| *due <= now)
            .cloned()
        {
            let old = self.users.get(&user).map_or(&[][..], Vec::as_slice);
            let alive: Vec<_> = old
                .iter()
                .filter(|binding| binding.expires_at > now)
                .cloned()
                .collect();
            self.store(&user, alive);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(time, _)| *time)
    }

    /// The next change; drain it after each input.
    pub fn poll(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// Puts a user's new bindings in place of the old ones.
    fn store(&mut self, user: &Arc<str>, bindings: Vec<Binding>) {
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
}

/// Why a REGISTER was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// The peer sent what cannot be understood.
    Bad(&'static str),
    /// A wish below the minimum.
    TooBrief { min: Duration },
    /// More contacts than a user may have.
    TooMany,
    /// The binding was made by a newer request of the same Call-ID.
    Overtaken,
}

impl Refusal {
    fn respond(self, request: &Message, tag: &str) -> Message {
        let (status, reason) = match self {
            Self::Bad(reason) => (400, reason),
            Self::TooBrief { .. } => (423, ""),
            Self::TooMany => (403, "Too Many Contacts"),
            // §10.3 step 6: "the request fails", by a 500.
            Self::Overtaken => (500, "CSeq Out of Order"),
        };
        let mut response = request.respond(status, Some(tag));
        if let (crate::wire::Start::Response { reason: phrase, .. }, false) =
            (&mut response.start, reason.is_empty())
        {
            reason.clone_into(phrase);
        }
        if let Self::TooBrief { min } = self {
            response
                .headers
                .push(HeaderName::MinExpires, seconds_up(min).to_string());
        }
        response
    }
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
                });
            }
            if contacts.len() > settings.contacts_per_user {
                return Err(Refusal::TooMany);
            }
            make_room(settings.contacts_per_user, &mut bindings, now, fresh);
        }
    }
    bindings.sort_by(|a, b| {
        b.q.cmp(&a.q)
            .then_with(|| b.registered_at.cmp(&a.registered_at))
    });
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

/// 200 with all current contacts (RFC 3261 §10.3 step 8).
fn listing(
    now: Time,
    bindings: &[Binding],
    parsed: &Parsed,
    request: &Message,
    tag: &str,
) -> Message {
    let mut response = request.respond(200, Some(tag));
    for binding in bindings {
        let mut contact = NameAddr::new(binding.contact.clone());
        contact.params = binding.params.clone();
        let left = seconds_up(binding.expires_at.since(now));
        contact.params.set("expires", Some(&left.to_string()));
        if binding.q != 1000 {
            contact
                .params
                .set("q", Some(&format!("0.{:03}", binding.q)));
        }
        response
            .headers
            .push(HeaderName::Contact, contact.to_string());
    }
    // RFC 3327 §5.3: the Path that was stored is shown.
    for path in &parsed.path {
        response.headers.push(HeaderName::Path, path.to_string());
    }
    response
}

/// Whole seconds, rounded up: what was granted is shown as granted.
fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
