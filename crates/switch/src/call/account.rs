//! Owns our account within the dialog of a trunk: which challenges to requests of ours are answered,
//! and what later requests show at once (RFC 3261 §22.2, RFC 7616 §3.3). Refuses to send anything.
//!
//! | a request is refused with 401 or 407                               | then                    |
//! |---------------------------------------------------------------------|-------------------------|
//! | by a place that is not the trunk's, or for another realm            | that is a refusal       |
//! | for the first time, with a nonce that it did not show               | again, counted from 1   |
//! | for the first time, with `stale=true`                               | the same                |
//! | for the second time, with `stale=true`                              | the same                |
//! | for the first time, with the nonce it showed; or more often         | that is a refusal       |
//!
//! A new nonce without `stale=true` is a refusal only where the password is in doubt: what was shown
//! at once had been right before, and nonces that are good for one request are not called stale.

use core::net::IpAddr;

use sip::{Dialog, Flow, HeaderName, Host, Message, Method};

use crate::context::Context;
use crate::trunk::{Account, Denied, TrunkId};

/// Challenges that are answered for one request: the first, and one that says that the nonce alone
/// was too old.
pub(super) const ANSWERS_MAX: u8 = 2;

/// A challenge that was answered, and how often.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) challenge: Box<Message>,
    /// Requests that were sent with its nonce: `nc` of the newest (RFC 7616 §3.4.5).
    pub(super) uses: u32,
    /// Challenges of this INVITE that were answered.
    pub(super) answers: u8,
}

impl Credentials {
    /// Adds them to a request, with the next `nc`: a server takes each once.
    pub(super) fn add_to(
        &mut self,
        request: &mut Message,
        account: &Account,
        cnonce: &str,
    ) -> Result<(), Denied> {
        self.uses = self.uses.saturating_add(1);
        account.authorize(request, &self.challenge, cnonce, self.uses)
    }
}

/// Where a trunk is: the one place to which its password is shown besides those of its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) trunk: TrunkId,
    /// Where the INVITE went, or came from.
    pub(crate) address: IpAddr,
}

/// Our account with the trunk of a leg.
pub(super) struct LegAccount {
    home: Home,
    /// What is shown at once: one for proxies (407), one for the peer itself (401).
    known: Vec<Credentials>,
    /// Challenges that were answered for the request of a method that is under way.
    answered: Vec<(Method, u8)>,
    /// The credentials of the newest INVITE, for its ACK.
    invited_with: Vec<(HeaderName, String)>,
}

impl LegAccount {
    /// `known`: the challenge that our INVITE answered, if it did.
    pub(super) fn new(trunk: TrunkId, flow: &Flow, known: Option<Credentials>) -> Self {
        Self {
            home: Home {
                trunk,
                address: flow.remote.ip(),
            },
            known: known.into_iter().collect(),
            answered: Vec::new(),
            invited_with: Vec::new(),
        }
    }

    pub(super) const fn home(&self) -> Home {
        self.home
    }

    /// Adds what is known to a request that goes to the trunk. Those by a name are looked at once
    /// more when it is known where that leads.
    pub(super) fn show(&mut self, ctx: &mut Context, dialog: &Dialog, request: &mut Message) {
        self.answered
            .retain(|(method, _)| Some(method) != request.method());
        self.show_again(ctx, dialog, request);
    }

    /// As [`Self::show`], for a request whose challenge was answered just now.
    pub(super) fn show_again(&mut self, ctx: &mut Context, dialog: &Dialog, request: &mut Message) {
        let address = dialog.next_flow().remote.ip();
        let account = ctx.trunks.by_id(self.home.trunk);
        let Some(account) = account.and_then(|trunk| trunk.account.clone()) else {
            return;
        };
        if dialog.named_hop().is_some() || ctx.is_home(self.home, address) {
            for known in &mut self.known {
                let cnonce = ctx.entropy.tag();
                if let Err(denied) = known.add_to(request, &account, &cnonce) {
                    tracing::warn!(%denied, "a request goes to a trunk without credentials");
                }
            }
        }
        if request.method() == Some(&Method::Invite) {
            self.invited_with = credentials_of(request);
        }
    }

    /// The ACK of a 2xx shows what the INVITE showed (RFC 3261 §22.1).
    pub(super) fn show_in_ack(&self, ctx: &Context, flow: &Flow, ack: &mut Message) {
        if ctx.is_home(self.home, flow.remote.ip()) {
            for (name, value) in &self.invited_with {
                ack.headers.push(name.clone(), value.as_str());
            }
        }
    }

    /// Takes what the INVITE showed that began the dialog.
    pub(super) fn invited_with(&mut self, invite: &Message) {
        self.invited_with = credentials_of(invite);
    }

    /// A request was refused with a challenge. Whether it is to be sent once more, with what is
    /// known now. `place`: where it went, and by which name.
    pub(super) fn challenged(
        &mut self,
        ctx: &Context,
        (place, dialog): (Flow, &Dialog),
        challenge: &Message,
    ) -> bool {
        let (Ok(cseq), Some(trunk)) = (challenge.cseq(), ctx.trunks.by_id(self.home.trunk)) else {
            return false;
        };
        let Some(account) = trunk.account.as_ref() else {
            tracing::warn!(denied = %Denied::NoAccount, "a trunk's challenge is not answered");
            return false;
        };
        let by_name = dialog.named_hop().is_some_and(|hop| trunk.is_at(&hop.host));
        if !by_name && !ctx.is_home(self.home, place.remote.ip()) {
            tracing::warn!(%place.remote, trunk = trunk.name,
                "a challenge of a place that is not the trunk's is not answered");
            return false;
        }
        let ours = match account.ours(challenge) {
            Ok(ours) => ours,
            Err(denied) => {
                tracing::warn!(%denied, "a trunk's challenge is not answered");
                return false;
            }
        };
        let mut count = self
            .answered
            .iter()
            .find(|(method, _)| *method == cseq.method)
            .map_or(0, |(_, count)| *count);
        let same_kind = |known: &Credentials| known.challenge.status() == ours.status();
        let past = self.known.iter().position(same_kind);
        let past = past.map(|at| self.known.swap_remove(at));
        let seen: Vec<String> = past
            .iter()
            .flat_map(|past| sip::auth::nonces(&past.challenge))
            .collect();
        let same_nonce = sip::auth::nonces(&ours).any(|nonce| seen.contains(&nonce));
        let in_doubt = count > 0 || same_nonce;
        if count >= ANSWERS_MAX || (in_doubt && !sip::auth::is_stale(&ours)) {
            tracing::warn!(trunk = trunk.name, "a trunk refuses our credentials");
            return false;
        }
        count += 1;
        self.answered.retain(|(method, _)| *method != cseq.method);
        self.answered.push((cseq.method, count));
        self.known.push(Credentials {
            challenge: Box::new(ours),
            uses: past.filter(|_| same_nonce).map_or(0, |past| past.uses),
            answers: count,
        });
        true
    }
}

impl Context {
    /// Whether an address is the trunk's: the password of our account may go there.
    pub(crate) fn is_home(&self, home: Home, address: IpAddr) -> bool {
        let named = |address| {
            let trunk = self.trunks.by_id(home.trunk);
            trunk.is_some_and(|trunk| trunk.is_at(&Host::Ip(address)))
        };
        home.address.to_canonical() == address.to_canonical() || named(address)
    }
}

/// The headers that hold credentials.
const SHOWN_IN: [HeaderName; 2] = [HeaderName::Authorization, HeaderName::ProxyAuthorization];

fn credentials_of(request: &Message) -> Vec<(HeaderName, String)> {
    SHOWN_IN
        .iter()
        .flat_map(|name| {
            let values = request.headers.all(name);
            values.map(|value| (name.clone(), value.to_owned()))
        })
        .collect()
}

/// Takes credentials out of a request that turns out to go elsewhere.
pub(crate) fn hide(request: &mut Message) {
    for name in &SHOWN_IN {
        request.headers.remove(name);
    }
}
