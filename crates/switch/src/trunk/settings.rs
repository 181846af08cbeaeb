//! Owns what the switch is told of one trunk. Data only; each part has its own module to act on it.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use sip::{Flow, HeaderName, Host, Secrets, Uri};
use vocab::media::Codec;
use vocab::srtp::Protection;

use super::{Dialling, Network, NumberRules};

/// Names one trunk: its place in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkId(pub(crate) usize);

/// How keys go with a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeysBy {
    /// As telephone-events (RFC 4733) if it takes them, else as tones in its audio.
    #[default]
    Events,
    /// By INFO if it takes it, else as tones.
    Info,
    /// As tones.
    Tones,
}

/// A route to the outer network.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name in the journal.
    pub name: String,
    /// How it writes numbers.
    pub numbers: NumberRules,
    /// What is a call of it.
    pub source: Source,
    /// What its calls are read from.
    pub inbound: Inbound,
    /// Calls to it; none: it only brings calls.
    pub outbound: Option<Outbound>,
    /// Our account with it, where it asks us for a password.
    pub account: Option<Account>,
    /// Our registration with it.
    pub registration: Option<Registration>,
    /// How it is watched.
    pub probe: Option<Probe>,
    /// Who transfers a caller whom it brought to a number that it is called for.
    pub transfer: TransferBy,
    /// Whether its audio is protected.
    pub protection: Protection,
    /// Codecs with it, the preferred one first; empty: those of everybody.
    pub codecs: Vec<Codec>,
    /// How keys go with it.
    pub keys: KeysBy,
    /// What is taken from it and given to it at once.
    pub limits: TrunkLimits,
}

/// What tells calls of one trunk from those of others.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Where they come from; empty means from anywhere, and then something else must tell.
    pub networks: Vec<Network>,
    /// The port they come from, where that matters: two exchanges behind one address.
    pub peer_port: Option<u16>,
    /// The port of ours they come to, where each trunk has one.
    pub our_port: Option<u16>,
    /// The user and the secrets with which the trunk answers our challenge.
    pub credentials: Option<(String, Secrets)>,
}

impl Source {
    /// Whether a request on this flow may be of this trunk.
    #[must_use]
    pub fn covers(&self, flow: &Flow) -> bool {
        self.holds(flow.remote.ip())
            && self.peer_port.is_none_or(|port| port == flow.remote.port())
            && self.our_port.is_none_or(|port| port == flow.local.port())
    }

    /// Whether the address alone is enough.
    pub(crate) fn is_open(&self) -> bool {
        self.credentials.is_none() && !self.networks.is_empty()
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|net| net.contains(address))
    }
}

/// A place in an INVITE where the number dialled may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DidSource {
    /// The Request-URI.
    RequestUri,
    /// To.
    To,
    /// Diversion (RFC 5806): who forwarded the call first.
    Diversion,
    /// History-Info (RFC 7044): the first target.
    HistoryInfo,
    /// P-Called-Party-ID (RFC 7315 §4.2).
    CalledParty,
    /// A header of the carrier's own, such as `X-DID`: a number or an address.
    Header(HeaderName),
}

/// A place in an INVITE where the caller's number may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerSource {
    /// P-Asserted-Identity (RFC 3325).
    Asserted,
    /// Remote-Party-ID (draft-ietf-sip-privacy-04).
    RemoteParty,
    /// From.
    From,
}

/// What the calls of a trunk are read from.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// Where the number dialled stands; the first place that holds one counts.
    pub did: Vec<DidSource>,
    /// Numbers behind which another one is meant: the city number to which an 8-800 number leads.
    /// Both in E.164, or as they come where no rule fits.
    pub aliases: BTreeMap<String, String>,
    /// Where the caller's number stands; the first place that holds one counts.
    pub caller: Vec<CallerSource>,
    /// Its word about the caller is believed: P-Asserted-Identity and Remote-Party-ID
    /// (RFC 3325 §5). Of others only From is read.
    pub trusted: bool,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            did: vec![DidSource::RequestUri],
            aliases: BTreeMap::new(),
            caller: vec![
                CallerSource::Asserted,
                CallerSource::RemoteParty,
                CallerSource::From,
            ],
            trusted: false,
        }
    }
}

/// In which header a trunk is told the number that the called party is to see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Identity {
    /// In From alone.
    #[default]
    From,
    /// And in P-Asserted-Identity, with Privacy where it is wished (RFC 3325).
    Asserted,
    /// And in Remote-Party-ID.
    RemoteParty,
}

/// What becomes of the audio that a trunk sends before the call is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EarlyMedia {
    /// The one who called hears it: tones and announcements of the network.
    #[default]
    Relay,
    /// It is left out: whoever called is told that it rings.
    Ignore,
}

/// Who carries a transfer out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TransferBy {
    /// We do, by calling the target: the call goes on through us.
    #[default]
    Here,
    /// The trunk does, asked by REFER (RFC 3515); we do where it does not.
    Refer,
}

/// Calls to a trunk.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Its servers, the preferred one first.
    pub servers: Vec<Uri>,
    /// The outbound proxy, through which everything goes.
    pub proxy: Option<Uri>,
    /// The domain of From and Request-URI; without it the server's.
    pub domain: Option<Host>,
    /// The user of From, where the trunk wants one of its own. Without it the shown number.
    pub from_user: Option<String>,
    /// The user of Contact; without it none.
    pub contact_user: Option<String>,
    /// The number shown to the called party; none: the caller's.
    pub number: Option<String>,
    /// Where the shown number stands.
    pub identity: Identity,
    /// What becomes of its audio before the answer.
    pub early_media: EarlyMedia,
    /// How numbers are dialled.
    pub dialling: Dialling,
    /// Beginnings of the numbers that may be called, in E.164. Nothing else goes out.
    pub allowed: Vec<String>,
    /// Beginnings of the numbers that may not, whatever `allowed` says.
    pub refused: Vec<String>,
    /// Lower is tried first; equals in the order of the settings.
    pub priority: usize,
}

/// A password in clear: carriers' challenges cannot be met without it. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// How we authenticate ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The authentication user, which need not be the number.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// The one realm whose challenges are answered.
    pub realm: String,
}

/// Our registration with a trunk.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its registrars, the preferred one first.
    pub registrars: Vec<Uri>,
    /// The address of record, `sip:USER@DOMAIN`.
    pub address: Uri,
    /// The user of From, where it is another than the address's.
    pub from_user: Option<String>,
    /// The user of Contact: what the trunk's calls then have in the Request-URI.
    pub contact_user: String,
    /// The outbound proxy.
    pub proxy: Option<Uri>,
    /// How long it is to last.
    pub expiry: Duration,
}

/// How a trunk is watched with OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// How often.
    pub every: Duration,
    /// So many in a row without an answer, and the server counts as down.
    pub failures: u32,
}

/// What is taken from a trunk and given to it; `None`: no bound of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrunkLimits {
    /// Of calls that it brings.
    pub inbound: DirectionLimits,
    /// Of calls to it.
    pub outbound: DirectionLimits,
}

/// The bounds of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DirectionLimits {
    /// Calls at once.
    pub calls: Option<u32>,
    /// New calls a second.
    pub per_second: Option<u32>,
}

impl Trunk {
    /// A trunk of which nothing but the name is known: it brings no calls and takes none.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            numbers: NumberRules::default(),
            source: Source::default(),
            inbound: Inbound::default(),
            outbound: None,
            account: None,
            registration: None,
            probe: None,
            transfer: TransferBy::default(),
            protection: Protection::Off,
            codecs: Vec::new(),
            keys: KeysBy::default(),
            limits: TrunkLimits::default(),
        }
    }

    /// Whether the settings name this host as the trunk's: its servers, its registrars, their proxies,
    /// and the networks that its calls come from.
    pub(crate) fn is_at(&self, host: &Host) -> bool {
        let outbound = self.outbound.iter();
        let called = outbound.flat_map(|way| way.servers.iter().chain(&way.proxy));
        let registration = self.registration.iter();
        let asked = registration.flat_map(|one| one.registrars.iter().chain(&one.proxy));
        let mut named = called.chain(asked).map(|uri| &uri.host);
        match host {
            Host::Ip(address) => {
                let within = |network: &Network| network.contains(*address);
                self.source.networks.iter().any(within) || named.any(|one| one == host)
            }
            Host::Name(name) => named.any(|one| match one {
                Host::Name(one) => one.eq_ignore_ascii_case(name),
                Host::Ip(_) => false,
            }),
        }
    }

    /// A trunk that is known by its addresses.
    #[must_use]
    pub fn at(name: &str, networks: Vec<Network>) -> Self {
        let source = Source {
            networks,
            ..Source::default()
        };
        Self {
            source,
            ..Self::new(name)
        }
    }
}
