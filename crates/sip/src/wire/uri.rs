//! Owns URIs: `sip:`, `sips:`, `tel:`, and others as opaque text. Resolves nothing.

use core::fmt;
use core::net::SocketAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::ParseError;
use super::escape;
use super::host::{Host, write_host_port};
use super::params::Params;
use super::uri_ref::UriRef;
use crate::transaction::Transport;

/// The scheme of a URI.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966).
    Tel,
    /// Any other, in lower case, without the colon.
    Other(String),
}

impl Scheme {
    /// The scheme without the colon.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(name) => name,
        }
    }
}

/// A URI (RFC 3261 §19.1). Prints back what was read, but for needless or missing escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    /// What kind of URI it is.
    pub scheme: Scheme,
    /// `sip:`: the user, unescaped. `tel:`: the number. Other schemes: all that follows the colon.
    pub user: Option<String>,
    /// The password, unescaped. Never logged; only old telephones send it.
    pub password: Option<String>,
    /// The host; an empty name in `tel:` and other schemes.
    pub host: Host,
    /// The port, if it is written.
    pub port: Option<u16>,
    /// The URI's own parameters.
    pub params: Params,
    /// What follows the `?`, as it came.
    pub headers: Option<String>,
}

impl Uri {
    /// A `sip:` URI.
    #[must_use]
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        Self {
            scheme: Scheme::Sip,
            user: user.map(str::to_owned),
            password: None,
            host,
            port,
            params: Params::new(),
            headers: None,
        }
    }

    /// Reads a URI without `<>`.
    ///
    /// # Errors
    /// If the text is not a URI, or too long.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        UriRef::parse(text, "URI").map(Self::from)
    }

    /// The transport that the URI asks for: by its `transport` parameter, which `sips:` raises to
    /// the same over TLS (RFC 3261 §26.2.2), or by `sips:` alone. `None` if it asks for none, or
    /// for one that is not ours. `tls` and `wss` as parameters are no standard, but are written.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        let sips = self.scheme == Scheme::Sips;
        let Some(name) = self.params.value("transport") else {
            return sips.then_some(Transport::Tls);
        };
        let named = [
            ("udp", Transport::Udp, None),
            ("tcp", Transport::Tcp, Some(Transport::Tls)),
            ("tls", Transport::Tls, Some(Transport::Tls)),
            ("ws", Transport::Ws, Some(Transport::Wss)),
            ("wss", Transport::Wss, Some(Transport::Wss)),
        ];
        let (_, plain, secure) = named
            .into_iter()
            .find(|(text, _, _)| name.eq_ignore_ascii_case(text))?;
        if sips { secure } else { Some(plain) }
    }

    /// The socket address, when the host is an IP address; the port is the one of the transport
    /// that the URI asks for (5060, or 5061 for TLS) unless it is written.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let transport = self.transport().unwrap_or(Transport::Udp);
        let port = self.port.unwrap_or(transport.default_port());
        self.host.ip().map(|address| SocketAddr::new(address, port))
    }

    /// The same URI by RFC 3261 §19.1.4.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.user == other.user
            && self.password == other.password
            && self.host.equivalent(&other.host)
            && self.port == other.port
            && params_agree(&self.params, &other.params)
            && headers_agree(self.headers.as_deref(), other.headers.as_deref())
    }
}

/// These must be in both or in none; any other parameter only has to agree when it is in both.
const COMPARED_PARAMS: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

fn params_agree(a: &Params, b: &Params) -> bool {
    let same = |name: &str| match (a.get(name), b.get(name)) {
        (Some(x), Some(y)) => escape::same_text(x.unwrap_or(""), y.unwrap_or("")),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    COMPARED_PARAMS.iter().all(|name| same(name))
        && a.iter().all(|(name, _)| !b.has(name) || same(name))
}

/// Header components must all be equal, in any order.
fn headers_agree(a: Option<&str>, b: Option<&str>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return a.is_none() && b.is_none();
    };
    let parts = |text: &str| {
        let mut parts: Vec<String> = text.split('&').map(escape::folded).collect();
        parts.sort_unstable();
        parts
    };
    parts(a) == parts(b)
}

/// As its text.
impl Serialize for Uri {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uri {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme.as_str())?;
        f.write_str(":")?;
        match self.scheme {
            Scheme::Other(_) => {
                return f.write_str(self.user.as_deref().unwrap_or(""));
            }
            Scheme::Tel => escape::write(f, self.user.as_deref().unwrap_or(""), escape::TEL)?,
            Scheme::Sip | Scheme::Sips => {
                if let Some(user) = &self.user {
                    escape::write(f, user, escape::USER)?;
                    if let Some(password) = &self.password {
                        f.write_str(":")?;
                        escape::write(f, password, escape::PASSWORD)?;
                    }
                    f.write_str("@")?;
                }
                write_host_port(f, &self.host, self.port)?;
            }
        }
        self.params.fmt(f)?;
        if let Some(headers) = &self.headers {
            f.write_str("?")?;
            f.write_str(headers)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits;
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }

    #[test]
    fn uris_are_printed_as_they_came() {
        for text in [
            "sip:example.com",
            "sip:1300@192.0.2.1:5070;transport=udp;lr",
            "sips:a:b@[2001:db8::1]:5061",
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            "sip:null-%00-null@example.com",
            "sip:user;par=u%40example.net@example.com",
            "tel:+7-4242-12-34-56;phone-context=example.com",
            "tel:*78#",
            "urn:service:sos",
            "soap.beep://192.0.2.103:3002",
            "sip:%D0%B0@example.com",
        ] {
            assert_eq!(uri(text).to_string(), text);
        }
    }

    #[test]
    fn users_are_unescaped_once() {
        assert_eq!(
            uri("sip:sips%3Auser%40example.com@example.net")
                .user
                .unwrap(),
            "sips:user@example.com"
        );
        assert_eq!(uri("sip:%2525@h").user.unwrap(), "%25");
        assert_eq!(
            uri("sip:user;par=u%40example.net@h").user.unwrap(),
            "user;par=u@example.net"
        );
    }

    #[test]
    fn the_unusual_uri_of_rfc_4475_is_read() {
        let text = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com";
        let uri = uri(text);
        assert_eq!(
            uri.password.as_deref(),
            Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
        );
        assert_eq!(uri.host, Host::Name("example.com".into()));
        assert_eq!(Uri::parse(&uri.to_string()).unwrap(), uri);
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "sip:",
            "sip",
            "1300",
            "sip:@h",
            "sip:a@",
            "sip:a@b@c",
            "sip:a b@c",
            "<sip:a@b>",
            "sip:2001:db8::10",
            "sip:a@h:99999",
            "sip:a%4@h",
            "sip:a%FF@h",
            "sip:a@h;",
            "sip:a@h;;",
            "tel:",
            "1a:b",
            "sip:\"a\"@h",
            "sip:a@h\r\n",
        ] {
            assert!(Uri::parse(text).is_err(), "{text:?}");
        }
        assert!(Uri::parse(&format!("sip:{}@h", "a".repeat(limits::URI_OCTETS))).is_err());
    }

    #[test]
    fn equivalence_follows_rfc_3261_19_1_4() {
        let pairs = [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
            ),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:carol@chicago.com;newparam=5",
                "sip:carol@chicago.com;security=on",
            ),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ];
        for (a, b) in pairs {
            assert!(
                uri(a).equivalent(&uri(b)) && uri(b).equivalent(&uri(a)),
                "{a} {b}"
            );
        }
        let pairs = [
            (
                "SIP:ALICE@AtLanTa.CoM;Transport=udp",
                "sip:alice@AtLanTa.CoM;Transport=UDP",
            ),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com?Subject=next%20meeting",
            ),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:a@h;p=1", "sip:a@h;p=2"),
            ("sip:a@h", "sips:a@h"),
        ];
        for (a, b) in pairs {
            assert!(
                !uri(a).equivalent(&uri(b)) && !uri(b).equivalent(&uri(a)),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn socket_addresses_have_default_ports() {
        assert_eq!(
            uri("sip:a@192.0.2.1").socket_addr(),
            Some("192.0.2.1:5060".parse().unwrap())
        );
        assert_eq!(
            uri("sips:[::1]").socket_addr(),
            Some("[::1]:5061".parse().unwrap())
        );
        assert_eq!(
            uri("sip:[::1]:9").socket_addr(),
            Some("[::1]:9".parse().unwrap())
        );
        assert_eq!(
            uri("sip:[::1];transport=tls").socket_addr(),
            Some("[::1]:5061".parse().unwrap())
        );
        assert_eq!(uri("sip:a@example.com").socket_addr(), None);
    }

    #[test]
    fn a_uri_names_its_transport_and_sips_raises_it() {
        for (text, expected) in [
            ("sip:a@h", None),
            ("sip:a@h;transport=UDP", Some(Transport::Udp)),
            ("sip:a@h;transport=tcp", Some(Transport::Tcp)),
            ("sip:a@h;transport=tls", Some(Transport::Tls)),
            ("sip:a@h;transport=ws", Some(Transport::Ws)),
            ("sip:a@h;transport=sctp", None),
            ("sips:a@h", Some(Transport::Tls)),
            ("sips:a@h;transport=tcp", Some(Transport::Tls)),
            ("sips:a@h;transport=ws", Some(Transport::Wss)),
            ("sips:a@h;transport=udp", None),
        ] {
            assert_eq!(uri(text).transport(), expected, "{text}");
        }
    }
}
