//! Owns one Via value (RFC 3261 §20.42). Where a response goes is decided by the transport.

use core::fmt;
use core::net::IpAddr;

use super::error::{ParseError, malformed};
use super::host::{Host, HostRef, write_host_port};
use super::octets;
use super::params::Params;
use super::scan::{ParamScan, cut, is_space, is_token, trim};

/// One hop of the way that a request took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`, `TLS`, `WS`, … as it came.
    pub transport: String,
    /// The sent-by host.
    pub host: Host,
    /// The sent-by port, if it is written.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`, `maddr`, …
    pub params: Params,
}

/// The beginning of every branch of RFC 3261 (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

impl Via {
    /// Reads one value.
    ///
    /// # Errors
    /// If the text is not one Via value of SIP/2.0.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let via = ViaRef::parse(text)?;
        Ok(Self {
            transport: via.transport.to_owned(),
            host: via.host.into(),
            port: via.port,
            params: Params::parse_in(via.params, PART)?,
        })
    }

    /// The transaction's branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// The source address that the next hop saw. A bare or bracketed IPv6 address is read
    /// (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.value("received")?;
        text.parse().ok().or_else(|| Host::parse(text).ok()?.ip())
    }

    /// RFC 3581: `None` if it is not there, `Some(None)` if it asks to be filled in.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params
            .get("rport")
            .map(|value| value.and_then(|port| port.parse().ok()))
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in ["SIP/2.0/", &self.transport, " "] {
            f.write_str(part)?;
        }
        write_host_port(f, &self.host, self.port)?;
        self.params.fmt(f)
    }
}

const PART: &str = "Via";

/// A checked Via on borrowed text.
#[derive(Debug, Clone, Copy)]
pub(super) struct ViaRef<'a> {
    version: &'a str,
    transport: &'a str,
    host: HostRef<'a>,
    port: Option<u16>,
    /// From the first `;` on.
    params: &'a str,
    /// The branch is nothing but the cookie: it tells no transaction from another.
    pub(super) bare_cookie: bool,
}

impl<'a> ViaRef<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, ParseError> {
        let mut via = Self::parse_hop(text)?;
        if via.version != "2.0" {
            return Err(malformed(PART, "SIP/2.0 expected"));
        }
        for param in ParamScan::new(via.params, PART) {
            let param = param?;
            via.bare_cookie |= param.value_in(via.params) == Some(MAGIC_COOKIE)
                && param.name_in(via.params).eq_ignore_ascii_case("branch");
        }
        Ok(via)
    }

    pub(super) fn branch(&self) -> Option<&'a str> {
        ParamScan::new(self.params, PART).value("branch")
    }

    /// Protocol and sent-by; version and parameters are not looked at.
    fn parse_hop(text: &'a str) -> Result<Self, ParseError> {
        let semicolon = octets::find(b';', text.as_bytes()).unwrap_or(text.len());
        let hop = trim(text.get(..semicolon).unwrap_or(text));
        let params = text.get(semicolon..).unwrap_or("");
        let (version, rest) = match hop.strip_prefix("SIP/2.0/") {
            // Nearly all write it so.
            Some(rest) => ("2.0", rest),
            None => parse_protocol(hop)?,
        };
        let rest = trim(rest);
        let space = rest
            .bytes()
            .position(is_space)
            .ok_or(malformed(PART, "sent-by expected"))?;
        let (transport, sent_by) = cut(rest, space);
        if !is_token(transport) {
            return Err(malformed(PART, "transport expected"));
        }
        let (host, port) = HostRef::parse_with_port(trim(sent_by), PART)?;
        Ok(Self {
            version,
            transport,
            host,
            port,
            params,
            bare_cookie: false,
        })
    }

    /// What can be used of a faulty value: the hop and the parameters before the fault. Lets a
    /// request with a broken Via, or of another version, be answered.
    pub(super) fn salvage(text: &'a str) -> Option<Via> {
        let via = Self::parse_hop(text).ok()?;
        let mut params = Params::new();
        for param in ParamScan::new(via.params, PART) {
            let Ok(param) = param else { break };
            params.set(param.name_in(via.params), param.value_in(via.params));
        }
        Some(Via {
            transport: via.transport.to_owned(),
            host: via.host.into(),
            port: via.port,
            params,
        })
    }
}

/// `SIP`, in any case, with white space around the slashes: the version, and what follows it.
fn parse_protocol(hop: &str) -> Result<(&str, &str), ParseError> {
    let no_slash = malformed(PART, "protocol/version/transport expected");
    let (name, rest) = split_slash(hop).ok_or(no_slash)?;
    let (version, rest) = split_slash(rest).ok_or(no_slash)?;
    if !name.eq_ignore_ascii_case("SIP") {
        return Err(malformed(PART, "SIP/2.0 expected"));
    }
    Ok((version, rest))
}

fn split_slash(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(|octet| octet == b'/')?;
    let (before, after) = cut(text, at);
    Some((trim(before), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Via {
        Via::parse(text).unwrap()
    }

    #[test]
    fn usual_and_unusual_values_are_read() {
        let v = via("SIP/2.0/UDP 192.0.2.1:5061;rport;branch=z9hG4bKabc;received=192.0.2.9");
        assert_eq!((v.branch(), v.rport()), (Some("z9hG4bKabc"), Some(None)));
        assert_eq!(v.received(), Some("192.0.2.9".parse().unwrap()));
        assert_eq!(v.port, Some(5061));
        let v = via(" SIP  / 2.0  / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8 ");
        assert_eq!(
            (v.transport.as_str(), v.branch()),
            ("TCP", Some("z9hG4bK9ikj8"))
        );
        let v = via("sip/2.0/UNKNOWN [2001:db8::9:1] : 5070;rport=7");
        assert_eq!((v.port, v.rport()), (Some(5070), Some(Some(7))));
        assert_eq!(
            v.to_string(),
            "SIP/2.0/UNKNOWN [2001:db8::9:1]:5070;rport=7"
        );
    }

    #[test]
    fn received_is_read_with_and_without_brackets() {
        for text in ["[2001:db8::9:255]", "2001:db8::9:255"] {
            let v = via(&format!("SIP/2.0/UDP [2001:db8::9:1];received={text}"));
            assert_eq!(v.received(), Some("2001:db8::9:255".parse().unwrap()));
        }
    }

    #[test]
    fn faulty_values_are_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 h",
            "SIP/3.0/UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDP h;;",
            "SIP/2.0/UDP h;branch=",
            "SIP/2.0/U,P h",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP h:0x1",
            "SIP/2.0/UDP <h>",
        ] {
            assert!(Via::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_good_beginning_of_a_faulty_value_is_salvaged() {
        let v = ViaRef::salvage("SIP/2.0/UDP 192.0.2.15:5062;rport;branch=z9hG4bK1;;,;").unwrap();
        assert_eq!(
            v.to_string(),
            "SIP/2.0/UDP 192.0.2.15:5062;rport;branch=z9hG4bK1"
        );
        let v = ViaRef::salvage("SIP/7.0/UDP h;branch=z9hG4bK1").unwrap();
        assert_eq!(v.to_string(), "SIP/2.0/UDP h;branch=z9hG4bK1");
        assert!(ViaRef::salvage("SIP/2.0/UDP").is_none());
    }
}
