//! Owns what the switch must be told once: limits, trunks, queues, operators.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;
use core::time::Duration;
use std::collections::BTreeMap;

use acd::QueueSettings;
use sip::{RegistrarSettings, Secrets, Timers};
use vocab::media::Codec;
use vocab::{OperatorId, QueueId};

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
    /// The one address at which audio is taken, where it is one.
    pub media_address: Option<IpAddr>,
    /// How long an operator's telephone may stay wholly silent before it counts as unreachable.
    pub unreachable_after: Duration,
    /// The longest call; ends what a vanished peer left behind.
    pub call_longest: Duration,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// SIP transaction timers.
    pub timers: Timers,
    /// Bounds of registrations.
    pub registrar: RegistrarSettings,
    /// Who may bring calls.
    pub trunks: Vec<Trunk>,
    /// The queues; the id of each is its place here.
    pub queues: Vec<QueueSettings>,
}

impl Settings {
    /// Settings for tests and examples: no trunk, one queue, nothing random.
    #[doc(hidden)]
    #[must_use]
    pub fn example() -> Self {
        let queue = QueueSettings {
            id: QueueId(0),
            name: "operators".to_owned(),
            ring_time: Duration::from_secs(20),
            wait_max: None,
            length_max: 100,
            wrap_up: Duration::from_secs(10),
            skill: None,
            retry_delay: Duration::from_secs(5),
            rest_after_no_answer: Duration::from_secs(30),
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
            media_address: None,
            unreachable_after: Duration::from_secs(4),
            call_longest: Duration::from_secs(14_400),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            timers: Timers::default(),
            registrar: RegistrarSettings::default(),
            trunks: Vec::new(),
            queues: vec![queue],
        }
    }
}

/// A route to the outer network.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name in the journal.
    pub name: String,
    /// Where its calls come from; empty means from anywhere, and then it must authenticate.
    pub networks: Vec<Network>,
    /// The digest user and its secrets, if it must authenticate.
    pub credentials: Option<(String, Secrets)>,
    /// How it writes numbers.
    pub numbers: NumberRules,
}

impl Trunk {
    /// Whether calls of this trunk may come from `source`.
    #[must_use]
    pub fn covers(&self, source: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|net| net.contains(source))
    }
}

/// An operator as the switch needs to know one.
#[derive(Debug, Clone)]
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
}

/// A block of addresses (RFC 4632 notation, `192.0.2.0/24`; no length means one address).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// Text that is not a block of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotANetwork(String);

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected an address or block such as 192.0.2.0/24, found {:?}",
            self.0
        )
    }
}

impl core::error::Error for NotANetwork {}

impl Network {
    /// Whether the block holds `address`. An IPv4 address in IPv6 clothes counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (net, seen, width) = match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(seen)) => {
                (u128::from(net.to_bits()), u128::from(seen.to_bits()), 32)
            }
            (IpAddr::V6(net), IpAddr::V6(seen)) => (net.to_bits(), seen.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let host_bits = width - u32::from(self.length).min(width);
        (net ^ seen).checked_shr(host_bits).unwrap_or(0) == 0
    }
}

impl Network {
    /// How many leading bits count; 0 means every address.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse().map_err(|_| wrong())?,
            None => width,
        };
        if length > width {
            Err(wrong())
        } else {
            Ok(Self { address, length })
        }
    }
}

/// How a trunk's numbers become E.164 (`+` and digits). What fits no rule stays as it came:
/// short codes such as 1300 are numbers too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumberRules {
    /// Country code without `+`, `7` for Russia, `380` for Ukraine. Empty: no rule at all.
    pub country_code: String,
    /// What is dialled before a national number, `8` in Russia, `0` in Ukraine.
    pub national_prefix: String,
    /// Digits of a national number without prefix, 10 in Russia, 9 in Ukraine.
    pub national_length: usize,
    /// Area code put before a local number; empty where there are none.
    pub area_code: String,
}

impl NumberRules {
    /// The number in E.164 where a rule fits it. Spaces, hyphens, dots and brackets go.
    ///
    /// ```
    /// let rules = switch::NumberRules {
    ///     country_code: "7".into(), national_prefix: "8".into(),
    ///     national_length: 10, area_code: "4242".into(),
    /// };
    /// assert_eq!(rules.normalise("8 (4242) 12-34-56"), "+74242123456");
    /// assert_eq!(rules.normalise("123456"), "+74242123456");
    /// assert_eq!(rules.normalise("1300"), "1300");
    /// ```
    #[must_use]
    pub fn normalise(&self, raw: &str) -> String {
        let number: String = raw
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
            .collect();
        if number.starts_with('+')
            || self.country_code.is_empty()
            || number.is_empty()
            || !number.bytes().all(|b| b.is_ascii_digit())
        {
            return number;
        }
        let (country, national) = (&self.country_code, self.national_length);
        if let Some(rest) = number.strip_prefix(self.national_prefix.as_str())
            && !self.national_prefix.is_empty()
            && rest.len() == national
        {
            return format!("+{country}{rest}");
        }
        if number.len() == national + country.len() && number.starts_with(country.as_str()) {
            return format!("+{number}");
        }
        if number.len() == national {
            return format!("+{country}{number}");
        }
        if !self.area_code.is_empty() && number.len() + self.area_code.len() == national {
            return format!("+{country}{}{number}", self.area_code);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn russia() -> NumberRules {
        NumberRules {
            country_code: "7".into(),
            national_prefix: "8".into(),
            national_length: 10,
            area_code: "4242".into(),
        }
    }

    #[test]
    fn each_way_of_writing_a_russian_number_gives_one_number() {
        for raw in [
            "+74242123456",
            "84242123456",
            "74242123456",
            "4242123456",
            "123456",
            "8 (4242) 12-34-56",
        ] {
            assert_eq!(russia().normalise(raw), "+74242123456", "{raw}");
        }
    }

    #[test]
    fn short_codes_names_and_foreign_numbers_stay() {
        for raw in ["1300", "112", "+380617871580", "anonymous", ""] {
            assert_eq!(russia().normalise(raw), raw);
        }
        assert_eq!(
            NumberRules::default().normalise("84242123456"),
            "84242123456"
        );
    }

    #[test]
    fn a_block_holds_its_addresses_and_no_others() {
        let net: Network = "192.0.2.0/25".parse().unwrap();
        assert!(net.contains("192.0.2.127".parse().unwrap()));
        assert!(!net.contains("192.0.2.128".parse().unwrap()));
        assert!(!net.contains("2001:db8::1".parse().unwrap()));
        assert!(net.contains("::ffff:192.0.2.1".parse().unwrap()));
        let one: Network = "2001:db8::1".parse().unwrap();
        assert!(one.contains("2001:db8::1".parse().unwrap()));
        assert!(!one.contains("2001:db8::2".parse().unwrap()));
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn text_that_is_no_block_is_refused() {
        for text in [
            "",
            "192.0.2",
            "192.0.2.0/33",
            "192.0.2.0/x",
            "2001:db8::/129",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
