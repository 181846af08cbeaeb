//! Owns blocks of network addresses: where a trunk's calls may come from.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
