//! Owns hosts and ports as they stand in URIs and Via.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::{ParseError, malformed};
use super::octets;
use super::scan::{DIGIT, NAME, is_run, number, split_run, trim};

/// A host: a name, or an IP address (IPv6 in brackets on the wire).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A domain name as it came; empty in `tel:` and unknown schemes.
    Name(String),
    /// An IP address.
    Ip(IpAddr),
}

impl Host {
    /// Reads a host without port.
    ///
    /// # Errors
    /// If the text is neither a domain name, an IPv4 address nor an IPv6 address in brackets.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        HostRef::parse(text, "host").map(Self::from)
    }

    /// The address, if the host is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Ip(address) => Some(*address),
        }
    }

    /// The same host: names without regard to case.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Name(_), Self::Ip(_)) | (Self::Ip(_), Self::Name(_)) => false,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(address @ IpAddr::V4(_)) => write_ip(f, *address),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// `host`, or `host:port`.
pub(super) fn write_host_port(
    f: &mut fmt::Formatter<'_>,
    host: &Host,
    port: Option<u16>,
) -> fmt::Result {
    fmt::Display::fmt(host, f)?;
    let Some(port) = port else { return Ok(()) };
    f.write_str(":")?;
    write_decimal(f, u32::from(port))
}

/// Writes an address without brackets. Each message has a handful of IPv4 addresses, so these are written
/// without the machinery of formats.
pub(crate) fn write_ip(out: &mut impl fmt::Write, address: IpAddr) -> fmt::Result {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            write_decimal(out, u32::from(a))?;
            for octet in [b, c, d] {
                out.write_str(".")?;
                write_decimal(out, u32::from(octet))?;
            }
            Ok(())
        }
        IpAddr::V6(address) => write!(out, "{address}"),
    }
}

/// Writes a number, as in ports and sequence numbers.
pub(crate) fn write_decimal(out: &mut impl fmt::Write, number: u32) -> fmt::Result {
    let mut digits = [b'0'; 10];
    let (mut rest, mut first) = (number, digits.len());
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        // A remainder of ten is below 256.
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = at;
        if rest == 0 {
            break;
        }
    }
    let text = digits.get(first..).unwrap_or_default();
    out.write_str(core::str::from_utf8(text).unwrap_or_default())
}

/// A host on borrowed text.
#[derive(Debug, Clone, Copy)]
pub(super) enum HostRef<'a> {
    /// Letters, digits, and what else stands in names. IPv4 addresses are told from names when
    /// the host is kept.
    Named(&'a str),
    Ipv6(Ipv6Addr),
}

impl<'a> HostRef<'a> {
    pub(super) fn parse(text: &'a str, part: &'static str) -> Result<Self, ParseError> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner
                .strip_suffix(']')
                .ok_or(malformed(part, "']' expected after an IPv6 address"))?;
            return parse_ipv6(inner)
                .map(Self::Ipv6)
                .ok_or(malformed(part, "IPv6 address expected in '[]'"));
        }
        if !is_run(text, NAME) {
            return Err(malformed(part, "host name or address expected"));
        }
        Ok(Self::Named(text))
    }

    /// Reads `host` or `host:port`; white space around the colon is allowed (sent-by).
    pub(super) fn parse_with_port(
        text: &'a str,
        part: &'static str,
    ) -> Result<(Self, Option<u16>), ParseError> {
        match Self::leading(text) {
            Some((host, port, "")) => Ok((host, port)),
            _ => Self::parse_unusual(text, part),
        }
    }

    /// A name or IPv4 address at the beginning of `text`, perhaps with a port, and what follows.
    /// `None`: it is something else, or faulty.
    #[inline]
    pub(super) fn leading(text: &'a str) -> Option<(Self, Option<u16>, &'a str)> {
        let (host, after) = split_run(text.as_bytes(), NAME);
        let (host, rest) = text.split_at_checked(host.len())?;
        if host.is_empty() {
            return None;
        }
        let [b':', after @ ..] = after else {
            return Some((Self::Named(host), None, rest));
        };
        let (port, _) = split_run(after, DIGIT);
        let (port, rest) = rest.get(1..)?.split_at_checked(port.len())?;
        Some((Self::Named(host), Some(port_number(port)?), rest))
    }

    fn parse_unusual(text: &'a str, part: &'static str) -> Result<(Self, Option<u16>), ParseError> {
        let search = if text.starts_with('[') {
            text.find(']').unwrap_or(0)
        } else {
            0
        };
        let colon = octets::find(b':', text.as_bytes().get(search..).unwrap_or_default());
        let Some(at) = colon.map(|at| at + search) else {
            return Ok((Self::parse(text, part)?, None));
        };
        let (host, port) = super::scan::cut(text, at);
        let port =
            port_number(trim(port)).ok_or(malformed(part, "port number expected after ':'"))?;
        Ok((Self::parse(trim(host), part)?, Some(port)))
    }
}

fn port_number(text: &str) -> Option<u16> {
    u16::try_from(number(text, u64::from(u16::MAX))?).ok()
}

impl From<HostRef<'_>> for Host {
    fn from(host: HostRef<'_>) -> Self {
        match host {
            HostRef::Named(text) => match text.parse::<Ipv4Addr>() {
                Ok(address) => Self::Ip(address.into()),
                Err(_) => Self::Name(text.to_owned()),
            },
            HostRef::Ipv6(address) => Self::Ip(address.into()),
        }
    }
}

/// RFC 5118 §4.10: the grammar of RFC 3261 yields `2001:db8:::192.0.2.1`; it means two colons.
fn parse_ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok().or_else(|| {
        text.contains(":::")
            .then(|| text.replacen(":::", "::", 1).parse().ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_and_printed() {
        for text in [
            "example.com",
            "192.0.2.1",
            "[2001:db8::10]",
            "a_b.local",
            "010.1",
        ] {
            assert_eq!(Host::parse(text).unwrap().to_string(), text);
        }
        let faulty_grammar = Host::parse("[2001:db8:::192.0.2.1]").unwrap();
        assert_eq!(
            faulty_grammar,
            Host::parse("[2001:db8::192.0.2.1]").unwrap()
        );
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "2001:db8::1",
            "[::1",
            "::1]",
            "a b",
            "a@b",
            "[fe80::1%eth0]",
            "хост",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ports_are_read_after_the_brackets() {
        let read = |text| HostRef::parse_with_port(text, "test").map(|(h, p)| (Host::from(h), p));
        assert_eq!(read("[2001:db8::10:5070]").unwrap().1, None);
        assert_eq!(read("[2001:db8::10]:5070").unwrap().1, Some(5070));
        assert_eq!(read("h : 5061").unwrap().1, Some(5061));
        for text in [
            "h:",
            "h:65536",
            "h:x",
            "h:1:2",
            ":5060",
            "2001:db8::10",
            "[::1]x:1",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
