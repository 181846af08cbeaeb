//! Owns the ways out: which trunks may carry a call to a number, in which order, and how the
//! INVITE to each looks. A pure function of settings and live state; sends nothing.

use sip::{AuthError, HeaderName, Host, Message, Method, NameAddr, Uri};
use thiserror::Error;
use vocab::media::Codec;
use vocab::srtp::Protection;

use super::KeysBy;
use super::settings::{Account, EarlyMedia, Identity, Outbound, Trunk, TrunkId};

/// A call that is to go out.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The number to call, in E.164 or a short code.
    pub number: &'a str,
    /// The number of the caller on whose behalf; empty: nobody's.
    pub caller: &'a str,
    /// That caller's name.
    pub caller_name: &'a str,
    /// The caller does not want to be seen.
    pub private: bool,
}

/// One way out: all that is needed to send the INVITE.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Whose it is.
    pub trunk: TrunkId,
    /// That trunk's name, for logs and the journal.
    pub name: String,
    /// Which of its servers.
    pub server: usize,
    /// The Request-URI.
    pub target: Uri,
    /// Route, the next proxy first.
    pub route: Vec<NameAddr>,
    /// Where the INVITE is sent: to be resolved by RFC 3263.
    pub next_hop: Uri,
    /// From, without tag.
    pub from: NameAddr,
    /// To.
    pub to: NameAddr,
    /// The user of Contact.
    pub contact_user: Option<String>,
    /// Headers that tell who calls, and whether that is to be seen.
    pub identity: Vec<(HeaderName, String)>,
    /// For challenges.
    pub account: Option<Account>,
    /// What it is heard to say before the answer.
    pub early_media: EarlyMedia,
    /// Whether its audio is protected.
    pub protection: Protection,
    /// Codecs with it; empty: those of everybody.
    pub codecs: Vec<Codec>,
    /// How keys go with it.
    pub keys: KeysBy,
}

/// Why a call cannot go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoWay {
    /// The settings forbid the number, or have no trunk that takes calls.
    #[error("no trunk may carry a call to this number (allowed prefixes)")]
    NotAllowed,
    /// Trunks that may carry it are down or full.
    #[error("every trunk for this number is down or full")]
    Unavailable,
}

/// What the live state says of a server of a trunk; see [`super::Trunks`].
pub(super) trait Availability {
    /// Whether a call may be sent to it now.
    fn is_available(&self, trunk: TrunkId, server: usize) -> bool;

    /// The proxies that its registrar wants passed (RFC 3608).
    fn service_route(&self, _: TrunkId) -> &[NameAddr] {
        &[]
    }
}

/// The ways to a number: by priority of the trunks, and within a trunk by the order of its
/// servers. Only those that are up and have room; there is at least one.
///
/// # Errors
/// If there is none.
pub(super) fn ways(
    trunks: &[Trunk],
    live: &impl Availability,
    wanted: Wanted<'_>,
) -> Result<Vec<Way>, NoWay> {
    let mut able: Vec<(TrunkId, &Trunk, &Outbound)> = trunks
        .iter()
        .enumerate()
        .filter_map(|(at, trunk)| Some((TrunkId(at), trunk, trunk.outbound.as_ref()?)))
        .filter(|(_, _, outbound)| outbound.permits(wanted.number))
        .collect();
    if able.is_empty() {
        return Err(NoWay::NotAllowed);
    }
    able.sort_by_key(|(id, _, outbound)| (outbound.priority, *id));
    let ways: Vec<Way> = able
        .into_iter()
        .flat_map(|(id, trunk, outbound)| {
            let servers = outbound.servers.iter().enumerate();
            servers
                .filter(move |(server, _)| live.is_available(id, *server))
                .map(move |(server, uri)| {
                    let service = live.service_route(id);
                    way((id, trunk), outbound, (server, uri), service, wanted)
                })
        })
        .collect();
    if ways.is_empty() {
        return Err(NoWay::Unavailable);
    }
    Ok(ways)
}

impl Outbound {
    /// Whether a number may be called at all.
    fn permits(&self, number: &str) -> bool {
        let begins = |prefix: &String| !prefix.is_empty() && number.starts_with(prefix.as_str());
        let plain = number.strip_prefix('+').unwrap_or(number);
        // Digits only: nothing of a number may become URI syntax or a feature code.
        !plain.is_empty()
            && plain.bytes().all(|octet| octet.is_ascii_digit())
            && self.allowed.iter().any(begins)
            && !self.refused.iter().any(begins)
    }
}

fn way(
    (id, trunk): (TrunkId, &Trunk),
    outbound: &Outbound,
    (server, uri): (usize, &Uri),
    service: &[NameAddr],
    wanted: Wanted<'_>,
) -> Way {
    let dialled = outbound.dialling.written(wanted.number, &trunk.numbers);
    let mut target = Uri {
        user: Some(dialled),
        ..uri.clone()
    };
    let domain = outbound.domain.clone().unwrap_or_else(|| uri.host.clone());
    if outbound.domain.is_some() {
        target.host = domain.clone();
        target.port = None;
    }
    // Our own proxy first, then what the registrar said (RFC 3608 §6.1), which may begin with it.
    let mut route: Vec<NameAddr> = outbound.proxy.iter().map(loose).collect();
    let is_ours = |hop: &&NameAddr| {
        let proxy = outbound.proxy.as_ref();
        proxy.is_some_and(|proxy| proxy.host == hop.uri.host && proxy.port == hop.uri.port)
    };
    let skipped = usize::from(service.first().filter(is_ours).is_some());
    route.extend(service.iter().skip(skipped).map(|hop| loose(&hop.uri)));
    let service = || route.first().map(|hop| hop.uri.clone());
    let proxy = outbound.proxy.clone();
    let next_hop = proxy.or_else(service).unwrap_or_else(|| uri.clone());
    let shown = Shown::of(trunk, outbound, wanted);
    let to = NameAddr::new(Uri::sip(target.user.as_deref(), target.host.clone(), None));
    Way {
        trunk: id,
        name: trunk.name.clone(),
        server,
        target,
        route,
        next_hop,
        from: shown.from(outbound, &domain),
        to,
        contact_user: outbound.contact_user.clone(),
        identity: shown.headers(outbound, &domain),
        account: trunk.account.clone(),
        early_media: outbound.early_media,
        protection: trunk.protection,
        codecs: trunk.codecs.clone(),
        keys: trunk.keys,
    }
}

/// A Route to a loose router, which every proxy of today is (RFC 3261 §16.12.1.1).
pub(super) fn loose(proxy: &Uri) -> NameAddr {
    let mut uri = proxy.clone();
    if !uri.params.has("lr") {
        uri.params.set("lr", None);
    }
    NameAddr::new(uri)
}

/// Whom the called party is to see.
struct Shown {
    /// In the carrier's form; empty for nobody.
    number: String,
    name: String,
    hidden: bool,
}

impl Shown {
    fn of(trunk: &Trunk, outbound: &Outbound, wanted: Wanted<'_>) -> Self {
        let written = |number: &str| outbound.dialling.shown(number, &trunk.numbers);
        match &outbound.number {
            // The hotline's own number is no secret.
            Some(number) => Self {
                number: written(number),
                name: String::new(),
                hidden: false,
            },
            None => Self {
                number: written(wanted.caller),
                name: wanted.caller_name.to_owned(),
                hidden: wanted.private,
            },
        }
    }

    /// RFC 3323 §4.1.1.3 for one who hides: the anonymous From. A trunk that wants its own user in
    /// From gets that, which shows nobody.
    fn from(&self, outbound: &Outbound, domain: &Host) -> NameAddr {
        let user = outbound.from_user.as_deref();
        match user {
            Some(user) => {
                let mut from = NameAddr::new(Uri::sip(Some(user), domain.clone(), None));
                let plain = outbound.identity == Identity::From && !self.hidden;
                from.display = self.display().filter(|_| plain);
                from
            }
            None if self.hidden || self.number.is_empty() => anonymous(),
            None => self.address(domain),
        }
    }

    fn headers(&self, outbound: &Outbound, domain: &Host) -> Vec<(HeaderName, String)> {
        if self.number.is_empty() {
            return Vec::new();
        }
        let address = self.address(domain);
        match outbound.identity {
            Identity::From => Vec::new(),
            Identity::Asserted => {
                let mut headers = vec![(HeaderName::PAssertedIdentity, address.to_string())];
                if self.hidden {
                    headers.push((HeaderName::Privacy, "id".to_owned()));
                }
                headers
            }
            Identity::RemoteParty => {
                let privacy = if self.hidden { "full" } else { "off" };
                let value = format!("{address};party=calling;screen=yes;privacy={privacy}");
                vec![(HeaderName::RemotePartyId, value)]
            }
        }
    }

    fn address(&self, domain: &Host) -> NameAddr {
        let mut address = NameAddr::new(Uri::sip(Some(&self.number), domain.clone(), None));
        address.display = self.display();
        address
    }

    fn display(&self) -> Option<String> {
        (!self.name.is_empty()).then(|| self.name.clone())
    }
}

fn anonymous() -> NameAddr {
    let host = Host::Name("anonymous.invalid".to_owned());
    NameAddr {
        display: Some("Anonymous".to_owned()),
        ..NameAddr::new(Uri::sip(Some("anonymous"), host, None))
    }
}

impl Way {
    /// The INVITE of this way without Via, Contact and body. `tag` and `call_id` must be fresh.
    pub fn invite(&self, tag: &str, call_id: &str) -> Message {
        let mut invite = Message::request(Method::Invite, self.target.clone());
        let headers = &mut invite.headers;
        for hop in &self.route {
            headers.print(HeaderName::Route, hop);
        }
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(
            HeaderName::From,
            self.from.clone().with_tag(tag).to_string(),
        );
        headers.print(HeaderName::To, &self.to);
        headers.push(HeaderName::CallId, call_id);
        headers.push(HeaderName::CSeq, "1 INVITE");
        for (name, value) in &self.identity {
            headers.push(name.clone(), value.as_str());
        }
        invite
    }

    /// Whether the next way is to be tried after this final answer: the trunk could not or would
    /// not carry the call. What the called party or the number itself caused is no better elsewhere.
    pub const fn is_passed_over(status: u16) -> bool {
        matches!(status, 401 | 403 | 407 | 408 | 500..=599)
    }
}

/// Why a challenge gets no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// The settings hold no password for the trunk.
    #[error("the trunk asks for a password, its settings have none")]
    NoAccount,
    /// The challenge is of a realm that the account is not for: the password stays here.
    #[error("the challenge is of realm {found:?}, the password is for {expected:?}")]
    WrongRealm {
        /// Of the settings.
        expected: String,
        /// Of the challenge; of the first, where there are several.
        found: String,
    },
    /// The challenge cannot be met.
    #[error(transparent)]
    Unmet(#[from] AuthError),
}

impl Account {
    /// Adds credentials to a request that was answered 401 or 407, if the challenge is of the
    /// configured realm. Challenges of other realms are never answered. The caller raises CSeq,
    /// takes a new branch, and sends to the same place as before.
    ///
    /// # Errors
    /// [`Denied`]: nothing was added.
    pub fn authorize(
        &self,
        request: &mut Message,
        challenge: &Message,
        cnonce: &str,
        nc: u32,
    ) -> Result<(), Denied> {
        let ours = self.ours(challenge)?;
        sip::authorize(request, &ours, &self.user, &self.password.0, cnonce, nc)?;
        Ok(())
    }

    /// A challenge without what is of other realms.
    ///
    /// # Errors
    /// [`Denied::WrongRealm`] if nothing is left of it.
    pub(crate) fn ours(&self, challenge: &Message) -> Result<Message, Denied> {
        let mut ours = challenge.clone();
        let mut foreign = None;
        for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
            let (own, other): (Vec<&str>, Vec<&str>) = challenge
                .headers
                .all(&name)
                .partition(|value| realm(value).as_deref() == Some(self.realm.as_str()));
            ours.headers.remove(&name);
            for value in &own {
                ours.headers.push(name.clone(), *value);
            }
            if own.is_empty() {
                foreign = foreign.or_else(|| other.into_iter().find_map(realm));
            }
        }
        let left = [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate]
            .iter()
            .any(|name| ours.headers.first(name).is_some());
        match foreign {
            Some(found) if !left => Err(Denied::WrongRealm {
                expected: self.realm.clone(),
                found,
            }),
            Some(_) | None => Ok(ours),
        }
    }
}

fn realm(challenge: &str) -> Option<String> {
    sip::auth::challenge_realm(challenge)
}

#[cfg(test)]
mod tests;
