//! Owns the kinds of values that are ours: subnets, port ranges, and the named choices.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use super::value::{Fault, Value, text};

/// An address or a subnet, such as `198.51.100.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Whether an address lies in the subnet. IPv4 mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let shift = 32u32.saturating_sub(u32::from(self.bits));
                u32::from(net).checked_shr(shift) == u32::from(address).checked_shr(shift)
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let shift = 128u32.saturating_sub(u32::from(self.bits));
                u128::from(net).checked_shr(shift) == u128::from(address).checked_shr(shift)
            }
            _ => false,
        }
    }

    /// The network's address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }
}

impl FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(longest);
        if bits > longest {
            Err(())
        } else {
            Ok(Self { address, bits })
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Value for Cidr {
    const EXPECTED: &'static str =
        "an address or a subnet, such as \"192.0.2.1\" or \"198.51.100.0/24\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| text.parse().ok())
    }
}

/// UDP ports, both ends counted, such as `16384-32767`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

impl Value for PortRange {
    const EXPECTED: &'static str =
        "a range of ports above 1023, the lower first, such as \"16384-32767\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| {
            let (low, high) = text.split_once('-')?;
            let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (low >= 1_024 && low < high).then_some(Self(low..=high))
        })
    }
}

/// Defines a choice between names.
macro_rules! choice {
    (
        $(#[doc = $about:literal])+
        $name:ident expected $expected:literal {
            $($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $name {
            /// The name in the settings file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl Value for $name {
            const EXPECTED: &'static str = $expected;

            fn read(
                value: &Spanned<DeValue<'_>>,
                _: &Path,
                faults: &mut Vec<Fault>,
            ) -> Option<Self> {
                text(value, faults, |text| match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                })
            }
        }
    };
}

choice! {
    /// An audio codec.
    Codec expected "a codec: \"pcma\" (A-law) or \"pcmu\" (µ-law)" {
        /// G.711 A-law.
        Pcma = "pcma",
        /// G.711 µ-law.
        Pcmu = "pcmu",
    }
}

impl From<Codec> for vocab::media::Codec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Pcma => Self::Pcma,
            Codec::Pcmu => Self::Pcmu,
        }
    }
}

choice! {
    /// How media sockets are served.
    Backend expected "\"auto\" or \"epoll\"" {
        /// The best that this kernel and container allow.
        Auto = "auto",
        /// epoll, which works everywhere.
        Epoll = "epoll",
    }
}

choice! {
    /// The samples in a recording.
    RecordingFormat expected "\"alaw\" or \"pcm\"" {
        /// G.711 A-law: 16 kB a second in stereo, no quality lost on A-law calls.
        Alaw = "alaw",
        /// Linear 16-bit: twice the size, opened by everything.
        Pcm = "pcm",
    }
}

choice! {
    /// How much is logged.
    LogLevel expected "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"" {
        /// A person must act.
        Error = "error",
        /// And a peer or a limit misbehaved.
        Warn = "warn",
        /// And one line for each fact of a call.
        Info = "info",
        /// And decisions.
        Debug = "debug",
        /// And messages.
        Trace = "trace",
    }
}

choice! {
    /// The form of log lines.
    LogFormat expected "\"text\" or \"json\"" {
        /// For people.
        Text = "text",
        /// One JSON object on each line, for collectors.
        Json = "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_holds_its_addresses_and_no_others() {
        let net: Cidr = "198.51.100.0/24".parse().unwrap();
        assert!(net.contains("198.51.100.255".parse().unwrap()));
        assert!(net.contains("::ffff:198.51.100.7".parse().unwrap()));
        assert!(!net.contains("198.51.101.0".parse().unwrap()));
        assert!(!net.contains("2001:db8::1".parse().unwrap()));
        let one: Cidr = "192.0.2.1".parse().unwrap();
        assert!(one.contains("192.0.2.1".parse().unwrap()));
        assert!(!one.contains("192.0.2.2".parse().unwrap()));
        let all: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()));
        let six: Cidr = "2001:db8::/32".parse().unwrap();
        assert!(six.contains("2001:db8:ffff::1".parse().unwrap()));
        assert!(!six.contains("2001:db9::1".parse().unwrap()));
        for bad in [
            "",
            "198.51.100.0/33",
            "198.51.100/24",
            "host",
            "::/129",
            "1.2.3.4/-1",
        ] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }
}
