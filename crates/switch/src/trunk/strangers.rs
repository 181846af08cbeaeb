//! Owns what unknown addresses get: how often they are listened to, and which of their requests are
//! dropped without a word. Refuses to know who is known: it is told.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use sip::{HeaderName, Message, Method};
use vocab::Time;

use super::{Network, limits::Rate};

/// How unknown addresses are treated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StrangerPolicy {
    /// They are challenged or refused like everybody.
    #[default]
    Refuse,
    /// They get no answer, but for what a telephone needs to register.
    Drop,
}

/// What is done about strangers.
#[derive(Debug, Clone)]
pub struct StrangerSettings {
    /// Answer or silence.
    pub policy: StrangerPolicy,
    /// Where operators' telephones register from; empty: from anywhere.
    pub telephones: Vec<Network>,
    /// Requests that one unknown address may send a second; what is more is dropped.
    pub per_second: u32,
    /// Parts of User-Agent by which scanners are known; lower case.
    pub scanners: Vec<String>,
}

impl Default for StrangerSettings {
    fn default() -> Self {
        Self {
            policy: StrangerPolicy::Refuse,
            telephones: Vec::new(),
            per_second: 50,
            scanners: SCANNERS.map(str::to_owned).to_vec(),
        }
    }
}

/// Programs that look for exchanges to break into, as they name themselves.
const SCANNERS: [&str; 7] = [
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sipcli",
    "sundayddr",
    "pplsip",
    "vaxsipuseragent",
];

/// Addresses whose rate is remembered. Each is met at one place by a hash of it; two that meet
/// there share it by turns, so a flood from a million addresses costs no more than this.
const SOURCES: usize = 4_096;
/// Addresses from which a right password came. As many as telephones may be registered.
const FRIENDS: usize = 65_536;

/// What is remembered of addresses.
#[derive(Debug)]
pub struct Strangers {
    settings: StrangerSettings,
    /// Turns the hash of addresses, so that nobody can choose those that meet.
    key: u64,
    sources: Vec<Option<(IpAddr, Rate)>>,
    friends: BTreeMap<IpAddr, Time>,
}

/// Why a request is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// A scanner by its own name.
    Scanner,
    /// Too many requests from its address.
    Flood,
    /// The policy says so.
    Stranger,
}

impl Strangers {
    /// Nobody is known. `key`: random.
    #[must_use]
    pub fn new(settings: StrangerSettings, key: u64) -> Self {
        Self {
            settings,
            key,
            sources: vec![None; SOURCES],
            friends: BTreeMap::new(),
        }
    }

    /// A right password came from this address: until then it is no stranger.
    pub fn befriend(&mut self, now: Time, address: IpAddr, lasts: Duration) {
        let address = block(address);
        if self.friends.len() >= FRIENDS && !self.friends.contains_key(&address) {
            self.friends.retain(|_, until| *until > now);
            if self.friends.len() >= FRIENDS {
                return; // It stays a stranger who knows a password, and is served as one.
            }
        }
        let until = now + lasts;
        let known = self.friends.entry(address).or_insert(until);
        *known = until.max(*known);
    }

    /// Whether a right password came from this address lately.
    #[must_use]
    pub fn is_friend(&self, now: Time, address: IpAddr) -> bool {
        let until = self.friends.get(&block(address));
        until.is_some_and(|until| *until > now)
    }

    /// Judges a request that begins nothing known, from an address of which nothing is known;
    /// `None`: one that cannot be read.
    /// `challenges_invites`: a trunk may come from anywhere and shows who it is by a password.
    ///
    /// # Errors
    /// Why it is to be dropped.
    pub fn judge(
        &mut self,
        now: Time,
        address: IpAddr,
        request: Option<&Message>,
        challenges_invites: bool,
    ) -> Result<(), Dropped> {
        if request.is_some_and(|request| self.is_scanner(request)) {
            return Err(Dropped::Scanner);
        }
        self.count(now, address)?;
        if self.settings.policy == StrangerPolicy::Refuse {
            return Ok(());
        }
        let telephones = &self.settings.telephones;
        let may_register =
            telephones.is_empty() || telephones.iter().any(|net| net.contains(address));
        match request.and_then(Message::method) {
            Some(Method::Register) if may_register => Ok(()),
            Some(Method::Invite | Method::Ack | Method::Cancel) if challenges_invites => Ok(()),
            _ => Err(Dropped::Stranger),
        }
    }

    fn count(&mut self, now: Time, address: IpAddr) -> Result<(), Dropped> {
        let address = block(address);
        let place = self.place(address);
        let Some(slot) = self.sources.get_mut(place) else {
            return Ok(());
        };
        let fresh = (address, Rate::per_second(self.settings.per_second));
        let (_, rate) = match slot {
            Some(held) if held.0 == address => held,
            _ => slot.insert(fresh),
        };
        rate.take(now).map_err(|_| Dropped::Flood)
    }

    fn place(&self, address: IpAddr) -> usize {
        let bits = match address {
            IpAddr::V4(v4) => u64::from(v4.to_bits()),
            IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).unwrap_or_default(),
        };
        // A keyed multiply-and-fold: enough to spread addresses, too little to be a secret.
        let wide = u128::from(bits ^ self.key) * 0x9e37_79b9_7f4a_7c15;
        let folded = u64::try_from(wide >> 64 ^ (wide & u128::from(u64::MAX))).unwrap_or_default();
        usize::try_from(folded).unwrap_or_default() % SOURCES
    }

    fn is_scanner(&self, request: &Message) -> bool {
        let program = request.headers.first(&HeaderName::UserAgent);
        let from = request.headers.first(&HeaderName::From);
        let named = |text: &str| {
            let text = text.to_ascii_lowercase();
            self.settings
                .scanners
                .iter()
                .any(|scanner| text.contains(scanner.as_str()))
        };
        [program, from].into_iter().flatten().any(named)
    }
}

/// What one owner has: an IPv4 address, or the 64 bits of IPv6 that a customer gets.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use sip::Uri;

    use super::*;

    fn request(method: Method, program: &str) -> Message {
        let mut request = Message::request(method, Uri::parse("sip:100@192.0.2.1").unwrap());
        request.headers.push(HeaderName::UserAgent, program);
        request
    }

    fn strangers(policy: StrangerPolicy) -> Strangers {
        let settings = StrangerSettings {
            policy,
            ..StrangerSettings::default()
        };
        Strangers::new(settings, 7)
    }

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn scanners_are_dropped_under_every_policy() {
        for policy in [StrangerPolicy::Refuse, StrangerPolicy::Drop] {
            let scan = request(Method::Register, "Friendly-Scanner/1.0");
            let verdict = strangers(policy).judge(Time::ZERO, address(1), Some(&scan), true);
            assert_eq!(verdict, Err(Dropped::Scanner));
        }
    }

    #[test]
    fn under_drop_only_what_a_telephone_needs_is_answered() {
        let mut strangers = strangers(StrangerPolicy::Drop);
        let mut judge = |method, challenges| {
            strangers.judge(
                Time::ZERO,
                address(1),
                Some(&request(method, "x")),
                challenges,
            )
        };
        assert_eq!(judge(Method::Register, false), Ok(()));
        assert_eq!(judge(Method::Invite, false), Err(Dropped::Stranger));
        assert_eq!(judge(Method::Options, true), Err(Dropped::Stranger));
        assert_eq!(judge(Method::Invite, true), Ok(()));
    }

    #[test]
    fn telephones_register_from_their_networks_only() {
        let mut strangers = strangers(StrangerPolicy::Drop);
        strangers.settings.telephones = vec!["10.0.0.0/8".parse().unwrap()];
        let register = request(Method::Register, "x");
        let inside = strangers.judge(
            Time::ZERO,
            "10.1.2.3".parse().unwrap(),
            Some(&register),
            false,
        );
        assert_eq!(inside, Ok(()));
        let outside = strangers.judge(Time::ZERO, address(1), Some(&register), false);
        assert_eq!(outside, Err(Dropped::Stranger));
    }

    #[test]
    fn an_address_is_listened_to_as_often_as_the_rate_says() {
        let mut strangers = strangers(StrangerPolicy::Refuse);
        let options = request(Method::Options, "x");
        let mut heard = |now, address| {
            (0..200)
                .filter(|_| strangers.judge(now, address, Some(&options), false).is_ok())
                .count()
        };
        assert_eq!(heard(Time::ZERO, address(1)), 50);
        assert_eq!(heard(Time::ZERO, address(2)), 50);
        assert_eq!(heard(Time::from_millis(500), address(1)), 25);
        let one = "2001:db8::1".parse().unwrap();
        assert_eq!(heard(Time::ZERO, one), 50);
        assert_eq!(heard(Time::ZERO, "2001:db8::2".parse().unwrap()), 0);
    }

    #[test]
    fn a_flood_from_a_million_addresses_costs_no_memory() {
        let mut strangers = strangers(StrangerPolicy::Refuse);
        let options = request(Method::Options, "x");
        for n in 0..1_000_000 {
            let _ = strangers.judge(Time::ZERO, address(n), Some(&options), false);
        }
        assert_eq!(strangers.sources.len(), SOURCES);
        assert!(strangers.friends.is_empty());
    }

    #[test]
    fn friends_are_forgotten_in_time_and_are_not_without_number() {
        let mut strangers = strangers(StrangerPolicy::Drop);
        strangers.befriend(Time::ZERO, address(1), Duration::from_secs(60));
        assert!(strangers.is_friend(Time::from_millis(59_999), address(1)));
        assert!(!strangers.is_friend(Time::from_millis(60_000), address(1)));
        for n in 0..100_000 {
            strangers.befriend(Time::ZERO, address(n), Duration::from_secs(60));
        }
        assert_eq!(strangers.friends.len(), FRIENDS);
        strangers.befriend(
            Time::from_millis(60_000),
            address(0),
            Duration::from_secs(60),
        );
        assert!(strangers.friends.len() <= FRIENDS);
    }
}
