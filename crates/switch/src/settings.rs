//! Owns what the switch must be told once: limits, trunks, queues, operators.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use acd::QueueSettings;
use serde::{Deserialize, Serialize};
use sip::{
    Flow, LockoutSettings, RegistrarSettings, Secrets, SessionTimerSettings, SubscriptionSettings,
    Timers, Transport, Uri,
};
use vocab::browser::Fingerprint;
use vocab::media::Codec;
use vocab::srtp::Protection;
use vocab::{OperatorId, QueueId};

use crate::call::{RecordingKeys, SupervisionKeys};
use crate::callbacks::CallbackRules;
use crate::features::FeatureCodes;
use crate::trunk::{StrangerSettings, Trunk};

/// All the switch is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Seconds from 2020-01-01T00:00:00Z to the start: makes ids unique over restarts.
    pub boot: u32,
    /// Randomness for tags, branches, nonces.
    pub seed: [u8; 32],
    /// Version of the program, for the journal.
    pub version: String,
    /// Digest realm.
    pub realm: String,
    /// Digest algorithms offered, the preferred one first.
    pub digest: Vec<sip::Algorithm>,
    /// Text of `Server` and `User-Agent`; empty to say nothing.
    pub user_agent: String,
    /// Calls up at once; above it a new one gets 503.
    pub calls_max: usize,
    /// SIP transactions at once; above it a new request gets 503.
    pub transactions_max: usize,
    /// What a refused peer is told in Retry-After.
    pub retry_after: Duration,
    /// The address to show to peers, where it is not the one they reach us on (NAT).
    pub advertised: Option<IpAddr>,
    /// From where requests of ours leave: a socket for each transport and address family that
    /// there is, those that are listened on first. Transports without one are not used.
    pub sockets: Vec<(Transport, SocketAddr)>,
    /// The one address at which audio is taken, where it is one.
    pub media_address: Option<IpAddr>,
    /// How long an operator's telephone may stay wholly silent before it counts as unreachable.
    pub unreachable_after: Duration,
    /// How often a line with a fixed address is asked whether it is there.
    pub probe_every: Duration,
    /// Session timers (RFC 4028).
    pub session_timer: SessionTimerSettings,
    /// Provisional responses are reliable (RFC 3262) for callers who support it, not only for those
    /// who require it.
    pub reliable: bool,
    /// The longest call; ends what a vanished peer left behind.
    pub call_longest: Duration,
    /// A party that ought to send audio and sends none for so long is hung up on.
    pub silence_timeout: Option<Duration>,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// Whether the audio of operators' telephones is protected; a trunk has its own word.
    pub protection: Protection,
    /// How browsers are served; `None`: they are not.
    pub browsers: Option<Browsers>,
    /// SIP transaction timers.
    pub timers: Timers,
    /// What those who guess passwords meet.
    pub lockout: LockoutSettings,
    /// Bounds of registrations.
    pub registrar: RegistrarSettings,
    /// Who may bring calls.
    pub trunks: Vec<Trunk>,
    /// What unknown addresses get.
    pub strangers: StrangerSettings,
    /// The queues; the id of each is its place here.
    pub queues: Vec<QueueSettings>,
    /// The queues that operators serve who are named at one, by login; others serve all that want
    /// no members of their own.
    pub members: BTreeMap<String, Vec<acd::Membership>>,
    /// How often operators are drawn by lot, by login; others once.
    pub weights: BTreeMap<String, u16>,
    /// What makes an operator present.
    pub attendance: acd::Attendance,
    /// The kinds of breaks; without any an operator may take any break at any time.
    pub breaks: Vec<acd::BreakSettings>,
    /// How each queue calls back.
    pub callbacks: BTreeMap<QueueId, CallbackRules>,
    /// The queues whose operators hear which queue it is, and how long the caller waited, before they hear
    /// the caller.
    pub whispers: BTreeSet<QueueId>,
    /// Codes that operators dial.
    pub feature_codes: FeatureCodes,
    /// The language in which operators are spoken to.
    pub staff_language: String,
    /// Where the language of a call is a skill that is needed or preferred.
    pub languages: BTreeMap<QueueId, acd::Need>,
    /// What operators may call.
    pub operator_calls: OperatorCalls,
    /// Bounds of subscriptions.
    pub subscriptions: SubscriptionSettings,
    /// Who may subscribe to the dialogs of a line.
    pub lines_watched_by: Audience,
    /// Who of them is told the other party of each dialog.
    pub parties_shown_to: Audience,
    /// What becomes of text messages.
    pub messages: Messages,
    /// How operators pause the recording of a talk.
    pub recording_keys: RecordingKeys,
    /// Keys with which an operator makes one conference of two talks; empty for none.
    pub conference_keys: String,
    /// How supervisors change what they do in a talk.
    pub supervision_keys: SupervisionKeys,
    /// New calls are refused while recordings cannot be written.
    pub recording_mandatory: bool,
}

/// How browsers are served: who comes by WebSocket is one (RFC 7118).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browsers {
    /// Our certificate, as the media plane has it.
    pub certificate: Fingerprint,
    /// Where browsers find the media plane, the best address first. Empty: where other peers do.
    pub addresses: Vec<IpAddr>,
}

/// Who may know something of an operator's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Every operator.
    Operators,
    /// The operator whose line it is.
    Own,
    /// Nobody.
    Nobody,
}

/// What becomes of text messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Messages {
    /// They are refused.
    #[default]
    Refuse,
    /// Those of operators are passed on to operators.
    Operators,
}

/// Calls that operators make, and transfers, which are calls on another's behalf.
#[derive(Debug, Clone)]
pub struct OperatorCalls {
    /// Calls that one operator may have made at once: a talk and a consultation are two.
    pub at_once_max: usize,
    /// How long one who is called directly may ring.
    pub ring_time: Duration,
    /// Whether calls of operators are recorded.
    pub recorded: bool,
}

impl Default for OperatorCalls {
    fn default() -> Self {
        Self {
            at_once_max: 2,
            ring_time: Duration::from_secs(30),
            recorded: true,
        }
    }
}

impl Settings {
    /// The transports by which requests of ours can go.
    pub(crate) fn transports(&self) -> Vec<Transport> {
        let mut all: Vec<Transport> = self.sockets.iter().map(|(one, _)| *one).collect();
        all.dedup();
        all
    }

    /// Settings for tests and examples: no trunk, one queue, nothing random.
    #[doc(hidden)]
    #[must_use]
    pub fn example() -> Self {
        let queue = QueueSettings {
            length_max: 100,
            wrap_up: acd::WrapUp::Fixed(Duration::from_secs(10)),
            ..QueueSettings::new(QueueId(0), "operators")
        };
        Self {
            boot: 1,
            seed: [7; 32],
            version: "test".to_owned(),
            realm: "hotline".to_owned(),
            digest: vec![sip::Algorithm::Sha256, sip::Algorithm::Md5],
            user_agent: "hotline".to_owned(),
            calls_max: 1_000,
            transactions_max: 10_000,
            retry_after: Duration::from_secs(5),
            advertised: None,
            sockets: [Transport::Udp, Transport::Tcp]
                .map(|transport| (transport, SocketAddr::from(([198, 51, 100, 1], 5060))))
                .to_vec(),
            media_address: None,
            unreachable_after: Duration::from_secs(4),
            probe_every: Duration::from_secs(30),
            session_timer: SessionTimerSettings::default(),
            reliable: false,
            call_longest: Duration::from_secs(14_400),
            silence_timeout: None,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            protection: Protection::Off,
            browsers: None,
            timers: Timers::default(),
            lockout: LockoutSettings::default(),
            registrar: RegistrarSettings::default(),
            trunks: Vec::new(),
            strangers: StrangerSettings::default(),
            queues: vec![queue],
            members: BTreeMap::new(),
            weights: BTreeMap::new(),
            attendance: acd::Attendance::ByTelephone,
            breaks: Vec::new(),
            callbacks: BTreeMap::new(),
            whispers: BTreeSet::new(),
            feature_codes: FeatureCodes::default(),
            staff_language: "en".to_owned(),
            languages: BTreeMap::new(),
            operator_calls: OperatorCalls::default(),
            subscriptions: SubscriptionSettings::default(),
            lines_watched_by: Audience::Operators,
            parties_shown_to: Audience::Own,
            messages: Messages::Refuse,
            recording_keys: RecordingKeys::default(),
            conference_keys: String::new(),
            supervision_keys: SupervisionKeys::default(),
            recording_mandatory: false,
        }
    }
}

/// An operator as the switch needs to know one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operator {
    /// Row in the journal's table of operators.
    pub id: OperatorId,
    /// SIP user.
    pub login: String,
    /// Full name.
    pub name: String,
    /// Number of the workplace.
    pub line: String,
    /// Digest secrets.
    pub secrets: Secrets,
    /// Skill → level 0-100.
    pub skills: BTreeMap<String, u8>,
    /// Where the line is reached without a registration, if it has such an address.
    pub address: Option<FixedAddress>,
}

/// The address of a line behind another exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedAddress {
    /// What is called.
    pub uri: Uri,
    /// The way there.
    pub flow: Flow,
}
