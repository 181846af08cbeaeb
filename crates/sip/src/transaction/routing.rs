//! Owns the addressing of responses: what a server writes into the topmost Via of a request, and
//! where the response goes (RFC 3261 §18.2.1, §18.2.2, RFC 3581 §4).

use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};

use super::{Flow, Transport};
use crate::wire::{HeaderName, Host, Message, Via, write_decimal, write_ip};

/// Where responses go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reply {
    /// The way they take.
    pub(super) flow: Flow,
    /// The way that is left when the connection is lost (RFC 3261 §18.2.2).
    pub(super) alternate: Option<Flow>,
}

/// Completes the topmost Via of a request that came on `flow` with `received` and `rport`, and
/// tells where responses go.
pub(super) fn mark(request: &mut Message, mut via: Via, flow: Flow) -> Reply {
    let source = flow.remote;
    // `::ffff:192.0.2.1` is an IPv4 peer seen by a socket for both families.
    let address = source.ip().to_canonical();
    let asked_rport = via.params.get("rport").is_some();
    let named = match &via.host {
        Host::Ip(ip) => ip.to_canonical() == address,
        Host::Name(_) => false,
    };
    // A `received` that the peer wrote itself must not steer the response.
    let forged = via.params.has("received");
    if asked_rport {
        let mut port = String::with_capacity(5);
        let _ = write_decimal(&mut port, u32::from(source.port()));
        via.params.set("rport", Some(&port));
    }
    if asked_rport || !named {
        let mut text = String::with_capacity(15);
        let _ = write_ip(&mut text, address);
        via.params.set("received", Some(&text));
    } else if forged {
        via.params.remove("received");
    }
    let named_port = with_port(source, sent_by_port(&via, flow.transport));
    if asked_rport || !named || forged {
        replace_top(request, &via);
    }
    // maddr is for multicast, which we do not serve; obeying it would let a stranger aim our
    // responses at a third party.
    match flow.transport {
        Transport::Udp if asked_rport => Reply::by(flow),
        Transport::Udp => Reply::by(Flow {
            remote: named_port,
            ..flow
        }),
        Transport::Ws | Transport::Wss => Reply::by(flow),
        Transport::Tcp | Transport::Tls => Reply {
            flow,
            alternate: Some(Flow {
                remote: named_port,
                ..flow
            }),
        },
    }
}

impl Reply {
    const fn by(flow: Flow) -> Self {
        Self {
            flow,
            alternate: None,
        }
    }
}

/// Addresses a response made without a transaction: completes its topmost Via as `mark` does and
/// gives the flow it goes out on. `flow` is the one that the request came on.
#[must_use]
pub fn address_response(response: &mut Message, flow: Flow) -> Flow {
    match response.via() {
        Ok(via) => mark(response, via, flow).flow,
        Err(_) => flow,
    }
}

fn sent_by_port(via: &Via, transport: Transport) -> u16 {
    // Port 0 cannot be sent to.
    via.port
        .filter(|port| *port != 0)
        .unwrap_or(transport.default_port())
}

fn with_port(source: SocketAddr, port: u16) -> SocketAddr {
    match source {
        SocketAddr::V4(v4) => SocketAddr::new(IpAddr::V4(*v4.ip()), port),
        // The scope of a link-local address must survive.
        SocketAddr::V6(mut v6) => {
            v6.set_port(port);
            SocketAddr::V6(v6)
        }
    }
}

/// Several Via values may share one line; only the first one of the first line changes.
fn replace_top(request: &mut Message, via: &Via) {
    let name = HeaderName::Via;
    let Some(line) = request.headers.first(&name) else {
        return;
    };
    let first = request.headers.values(&name).next().unwrap_or("");
    let rest = line.trim_start().strip_prefix(first).unwrap_or("");
    let mut marked = String::with_capacity(line.len() + 48);
    let _ = write!(marked, "{via}{rest}");
    request.headers.replace_first(name, marked);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Method;
    use crate::wire::Uri;

    fn flow(transport: Transport, source: &str) -> Flow {
        Flow {
            transport,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: source.parse().unwrap(),
        }
    }

    fn marked(via: &str, source: &str) -> (String, String) {
        let uri = Uri::parse("sip:1300@example.com").unwrap();
        let mut request = Message::request(Method::Options, uri);
        request.headers.push(HeaderName::Via, via);
        let parsed = request.via().unwrap();
        let to = mark(&mut request, parsed, flow(Transport::Udp, source));
        assert_eq!(to.alternate, None, "nothing is lost with a datagram's flow");
        (
            request.headers.first(&HeaderName::Via).unwrap().to_owned(),
            to.flow.remote.to_string(),
        )
    }

    #[test]
    fn rport_brings_the_response_to_the_source() {
        let (via, to) = marked(
            "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKa",
            "192.0.2.7:31000",
        );
        assert_eq!(to, "192.0.2.7:31000");
        assert!(via.contains(";rport=31000"), "{via}");
        assert!(via.contains(";received=192.0.2.7"), "{via}");
    }

    #[test]
    fn without_rport_the_sent_by_port_counts() {
        let (via, to) = marked(
            "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa",
            "192.0.2.7:31000",
        );
        assert_eq!(to, "192.0.2.7:5070");
        assert!(via.contains(";received=192.0.2.7"), "{via}");
        let (via, to) = marked("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa", "192.0.2.7:31000");
        assert_eq!(to, "192.0.2.7:5060");
        assert!(!via.contains("received"), "{via}");
    }

    #[test]
    fn forged_received_and_maddr_do_not_steer() {
        let (via, to) = marked(
            "SIP/2.0/UDP 192.0.2.7;received=203.0.113.9;maddr=203.0.113.9;branch=z9hG4bKa",
            "192.0.2.7:5060",
        );
        assert_eq!(to, "192.0.2.7:5060");
        assert!(!via.contains("received"), "{via}");
    }

    #[test]
    fn ipv6_sources_and_shared_lines_work() {
        let (via, to) = marked(
            "SIP/2.0/UDP phone.example:5062;branch=z9hG4bKa;rport , SIP/2.0/UDP b;branch=z9hG4bKb",
            "[2001:db8::9]:6000",
        );
        assert_eq!(to, "[2001:db8::9]:6000");
        assert!(via.contains("received=2001:db8::9"), "{via}");
        assert!(via.ends_with("SIP/2.0/UDP b;branch=z9hG4bKb"), "{via}");
    }

    #[test]
    fn responses_go_back_on_the_connection_and_to_the_sent_by_port_when_it_is_lost() {
        let reply = |transport: Transport, via: &str| {
            let uri = Uri::parse("sip:1300@example.com").unwrap();
            let mut request = Message::request(Method::Options, uri);
            request.headers.push(HeaderName::Via, via);
            let parsed = request.via().unwrap();
            let reply = mark(&mut request, parsed, flow(transport, "192.0.2.7:31000"));
            let alternate = reply.alternate.map(|flow| flow.remote.to_string());
            (reply.flow.remote.to_string(), alternate)
        };
        let seen = || "192.0.2.7:31000".to_owned();
        assert_eq!(
            reply(Transport::Tcp, "SIP/2.0/TCP 10.0.0.1:5070;branch=z9hG4bKa"),
            (seen(), Some("192.0.2.7:5070".to_owned()))
        );
        assert_eq!(
            reply(Transport::Tls, "SIP/2.0/TLS h;rport;branch=z9hG4bKa"),
            (seen(), Some("192.0.2.7:5061".to_owned()))
        );
        assert_eq!(
            reply(Transport::Wss, "SIP/2.0/WSS x.invalid;branch=z9hG4bKa"),
            (seen(), None)
        );
    }
}
