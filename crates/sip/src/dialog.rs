//! Owns dialogs (RFC 3261 §12): who talks to whom, sequence numbers, routes. Refuses to know
//! what is talked about: offers, calls and transactions are others' work.

use core::net::{IpAddr, SocketAddr};

use crate::transaction::Flow;
use crate::wire::{HeaderName, Host, Message, Method, NameAddr, ParseError, Scheme, Uri};

/// What tells one dialog from another (RFC 3261 §12): Call-ID and both tags, seen from our side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId {
    /// Call-ID of all its messages.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's tag; empty if it sends none (RFC 2543).
    pub remote_tag: String,
}

impl DialogId {
    /// The dialog to which a request from the peer belongs; `None` if it is outside of any (no To
    /// tag) or cannot be read.
    #[must_use]
    pub fn of_incoming(request: &Message) -> Option<Self> {
        Some(Self {
            call_id: request.call_id().ok()?.to_owned(),
            local_tag: request.to_tag().ok()??.to_owned(),
            remote_tag: request.from_tag().ok()?.unwrap_or_default().to_owned(),
        })
    }

    /// The dialog that a response to our request belongs to; `None` without a To tag.
    #[must_use]
    pub fn of_response(response: &Message) -> Option<Self> {
        Some(Self {
            call_id: response.call_id().ok()?.to_owned(),
            local_tag: response.from_tag().ok()?.unwrap_or_default().to_owned(),
            remote_tag: response.to_tag().ok()??.to_owned(),
        })
    }
}

/// Where the next request of a dialog goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The first Route, or the remote target.
    pub uri: Uri,
    /// Its network address. Names are not resolved here (see [`Dialog::named_hop`]): where the URI
    /// holds no address, and where it holds a private one behind a NAT, this is the address on which
    /// the peer was seen.
    pub address: SocketAddr,
}

/// One dialog. The lists and numbers are RFC 3261 §12.1.1's and §12.1.2's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// Call-ID of all its messages.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's tag; empty if it sends none.
    pub remote_tag: String,
    /// Our address with our tag: the From of our requests.
    pub local: NameAddr,
    /// The peer's address with its tag: the To of our requests.
    pub remote: NameAddr,
    /// The peer's Contact.
    pub remote_target: Uri,
    /// Proxies on the way, the next one first.
    pub route_set: Vec<NameAddr>,
    /// Of our newest request; 0 if there was none.
    pub local_cseq: u32,
    /// Of the peer's newest request.
    pub remote_cseq: Option<u32>,
    /// Where the peer was seen.
    pub flow: Flow,
    /// The peer used `sips:`: our Contact is one, too, and requests go by TLS only (RFC 3261 §12.1.1,
    /// RFC 5630 §5.1.1.1).
    pub secure: bool,
    /// The connection on which it was seen is gone.
    lost: bool,
}

impl Dialog {
    /// The dialog that our answer to this INVITE makes (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// From, To, Call-ID, CSeq, Record-Route or Contact is missing or cannot be read.
    pub fn uas(request: &Message, local_tag: &str, flow: Flow) -> Result<Self, ParseError> {
        let remote = request.from()?;
        let contact = request.contacts()?.into_iter().next();
        let contact = contact.ok_or(ParseError::Missing("Contact"))?.uri;
        let route_set = request.record_routes()?;
        let nearest = route_set.first().map_or(&contact, |route| &route.uri);
        let sips = is_sips(nearest) || request.request_uri().is_some_and(is_sips);
        Ok(Self {
            secure: sips && flow.transport.is_secure(),
            call_id: request.call_id()?.to_owned(),
            local_tag: local_tag.to_owned(),
            remote_tag: remote.tag().unwrap_or_default().to_owned(),
            local: request.to()?.with_tag(local_tag),
            remote,
            remote_target: contact,
            route_set,
            local_cseq: 0,
            remote_cseq: Some(request.cseq()?.number),
            flow,
            lost: false,
        })
    }

    /// A dialog without a peer, for the side of a call on which nobody is: no request belongs to it.
    #[must_use]
    pub fn with_nobody(tag: &str, flow: Flow, uri: Uri) -> Self {
        let nobody = NameAddr::new(uri.clone());
        Self {
            secure: false,
            call_id: tag.to_owned(),
            local_tag: tag.to_owned(),
            remote_tag: String::new(),
            local: nobody.clone().with_tag(tag),
            remote: nobody,
            remote_target: uri,
            route_set: Vec::new(),
            local_cseq: 0,
            remote_cseq: None,
            flow,
            lost: true,
        }
    }

    /// The dialog that a response with To tag to our request makes (RFC 3261 §12.1.2). Without a
    /// Contact (some gateways leave it out of 1xx) the Request-URI stays the target.
    ///
    /// # Errors
    /// From, To, Call-ID, CSeq, Record-Route or Contact cannot be read.
    pub fn uac(request: &Message, response: &Message, flow: Flow) -> Result<Self, ParseError> {
        let local = request.from()?;
        let remote = response.to()?;
        let contact = response
            .contacts()?
            .into_iter()
            .next()
            .map(|contact| contact.uri);
        let target = contact.or_else(|| request.request_uri().cloned());
        let mut route_set = response.record_routes()?;
        route_set.reverse();
        Ok(Self {
            call_id: request.call_id()?.to_owned(),
            local_tag: local.tag().unwrap_or_default().to_owned(),
            remote_tag: remote.tag().unwrap_or_default().to_owned(),
            local,
            remote,
            remote_target: target.ok_or(ParseError::Missing("Contact"))?,
            route_set,
            local_cseq: request.cseq()?.number,
            remote_cseq: None,
            flow,
            secure: is_secured(request) && flow.transport.is_secure(),
            lost: false,
        })
    }

    /// What tells this dialog from others.
    #[must_use]
    pub fn id(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: self.local_tag.clone(),
            remote_tag: self.remote_tag.clone(),
        }
    }

    /// A new request within the dialog (RFC 3261 §12.2.1.1), without Via, Contact and body.
    /// For ACK and CANCEL there are [`ack`](Self::ack) and
    /// [`Transactions::cancel`](crate::transaction::Transactions::cancel).
    pub fn request(&mut self, method: Method) -> Message {
        // A sequence number is below 2^31 (§8.1.1.5); a peer's INVITE cannot raise ours.
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.numbered(method, self.local_cseq)
    }

    /// The ACK for a 2xx to the INVITE with this sequence number (RFC 3261 §13.2.2.4).
    #[must_use]
    pub fn ack(&self, invite_cseq: u32) -> Message {
        self.numbered(Method::Ack, invite_cseq)
    }

    /// Takes note of a request from the peer, before it is acted upon.
    ///
    /// # Errors
    /// The status to answer with: 500 if the sequence number is lower than an earlier one (RFC 3261
    /// §12.2.2), 400 if it cannot be read.
    pub fn accept(&mut self, request: &Message) -> Result<(), u16> {
        let cseq = request.cseq().map_err(|problem| problem.status())?;
        // ACK and CANCEL carry the number of their INVITE.
        if matches!(cseq.method, Method::Ack | Method::Cancel) {
            return Ok(());
        }
        if self.remote_cseq.is_some_and(|newest| cseq.number < newest) {
            return Err(500);
        }
        self.remote_cseq = Some(cseq.number);
        Ok(())
    }

    /// Takes over the Contact of a target refresh: INVITE or UPDATE and its 2xx (RFC 3261 §12.2).
    /// The route set stays what it was.
    pub fn refresh_target(&mut self, message: &Message) {
        if let Ok(contacts) = message.contacts()
            && let Some(contact) = contacts.into_iter().next()
        {
            self.remote_target = contact.uri;
        }
    }

    /// Where the next request goes.
    #[must_use]
    pub fn destination(&self) -> Destination {
        let uri = self
            .route_set
            .first()
            .map_or(&self.remote_target, |route| &route.uri);
        Destination {
            uri: uri.clone(),
            address: self.address_of(uri),
        }
    }

    /// The flow on which the next request goes. A peer on a connection is reached by it, not at
    /// its Contact, as long as that names the same machine or none: a telephone's connection
    /// passes its NAT, a browser has no other way.
    #[must_use]
    pub fn next_flow(&self) -> Flow {
        let remote = self.destination().address;
        let accepted_only = self.flow.transport.is_accepted_only();
        let same = self.flow.transport.is_reliable() && remote.ip() == self.flow.remote.ip();
        if accepted_only || same {
            return self.flow;
        }
        Flow {
            remote,
            ..self.flow
        }
    }

    /// The name by which the next hop is known, where the next request goes by it: the first Route or
    /// the remote target, to be located (RFC 3261 §12.2.1.1, §8.1.2). `None`: the flow is the way. A
    /// connection that is up is one (RFC 5923 §8), and a browser has no other.
    #[must_use]
    pub fn named_hop(&self) -> Option<&Uri> {
        let uri = self
            .route_set
            .first()
            .map_or(&self.remote_target, |route| &route.uri);
        let by_name = matches!(uri.host, Host::Name(_));
        let connected = self.flow.transport.is_reliable() && !self.lost;
        let sip = matches!(uri.scheme, Scheme::Sip | Scheme::Sips);
        (by_name && sip && !connected && !self.flow.transport.is_accepted_only()).then_some(uri)
    }

    /// The peer's connection is gone: the next request goes to its Contact, if that is an address
    /// to which a connection can be opened.
    pub fn flow_lost(&mut self, flow: Flow) {
        if self.flow != flow || flow.transport.is_accepted_only() {
            return;
        }
        self.lost = true;
        if let Some(remote) = self.remote_target.socket_addr() {
            self.flow.remote = remote;
        }
    }

    /// The peer sent a request within the dialog: if it is on a new connection of the same kind,
    /// the old one is of no use (a browser that has come back, RFC 5626 §5.3).
    pub fn follow(&mut self, flow: Flow) {
        if flow.transport == self.flow.transport && flow.transport.is_reliable() {
            self.flow = flow;
            self.lost = false;
        }
    }

    /// The address in the URI, with two exceptions, both towards the address where the peer was
    /// seen: a name, which cannot be resolved here, and a private address given by a peer that we
    /// see under a public one. The latter is a telephone behind a NAT; an ACK sent to its Contact
    /// would be lost and the call would drop after 32 s.
    fn address_of(&self, uri: &Uri) -> SocketAddr {
        let seen = self.flow.remote;
        match uri.socket_addr() {
            Some(named) if named.ip().is_unspecified() || named.port() == 0 => seen,
            Some(named) if is_inner(named.ip()) && !is_inner(seen.ip()) => seen,
            Some(named) if named.ip().is_loopback() && !seen.ip().is_loopback() => seen,
            Some(named) if named.is_ipv4() == seen.is_ipv4() => named,
            // Our socket serves one address family.
            Some(_) | None => seen,
        }
    }

    fn numbered(&self, method: Method, cseq: u32) -> Message {
        let first_is_loose = self
            .route_set
            .first()
            .is_none_or(|route| route.uri.params.has("lr"));
        let (target, strict) = match self.route_set.first() {
            Some(router) if !first_is_loose => (as_request_uri(&router.uri), true),
            Some(_) | None => (as_request_uri(&self.remote_target), false),
        };
        let field = format!("{cseq} {method}");
        let mut request = Message::request(method, target);
        if strict {
            // §12.2.1.1: the strict router goes into the Request-URI, the target to the end.
            for route in self.route_set.iter().skip(1) {
                request.headers.print(HeaderName::Route, route);
            }
            let target = format!("<{}>", self.remote_target);
            request.headers.push(HeaderName::Route, target);
        } else {
            for route in &self.route_set {
                request.headers.print(HeaderName::Route, route);
            }
        }
        request.headers.push(HeaderName::MaxForwards, "70");
        request.headers.print(HeaderName::From, &self.local);
        request.headers.print(HeaderName::To, &self.remote);
        request
            .headers
            .push(HeaderName::CallId, self.call_id.as_str());
        request.headers.push(HeaderName::CSeq, field);
        request
    }
}

fn is_sips(uri: &Uri) -> bool {
    uri.scheme == Scheme::Sips
}

/// Whether a request of ours is to have a `sips:` Contact: its Request-URI or first Route is one (RFC
/// 3261 §8.1.1.8).
#[must_use]
pub fn is_secured(request: &Message) -> bool {
    let target = request.request_uri().is_some_and(is_sips);
    let routes = request.addresses(&HeaderName::Route, "Route");
    let first = routes.ok().and_then(|routes| routes.into_iter().next());
    target || first.is_some_and(|first| is_sips(&first.uri))
}

/// A URI without what may not stand in a Request-URI (RFC 3261 §19.1.1, table 1).
fn as_request_uri(uri: &Uri) -> Uri {
    let mut uri = uri.clone();
    uri.headers = None;
    uri.params.remove("method");
    uri
}

/// Addresses that mean nothing outside of their network.
fn is_inner(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // 100.64/10: carriers' NAT (RFC 6598).
            v4.is_private()
                || v4.is_link_local()
                || v4.is_loopback()
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::Transport;

    fn flow(remote: &str) -> Flow {
        Flow {
            transport: Transport::Udp,
            local: "127.0.0.1:5060".parse().unwrap(),
            remote: remote.parse().unwrap(),
        }
    }

    fn invite(contact: &str, record_routes: &[&str]) -> Message {
        let uri = Uri::parse("sip:1300@192.0.2.1").unwrap();
        let mut invite = Message::request(Method::Invite, uri);
        let headers = &mut invite.headers;
        headers.push(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1");
        headers.push(HeaderName::From, "\"Ann\" <sip:ann@example.com>;tag=ft");
        headers.push(HeaderName::To, "<sip:1300@192.0.2.1>");
        headers.push(HeaderName::CallId, "c1@x");
        headers.push(HeaderName::CSeq, "7 INVITE");
        headers.push(HeaderName::Contact, contact);
        for route in record_routes {
            headers.push(HeaderName::RecordRoute, *route);
        }
        invite
    }

    fn routes(message: &Message) -> Vec<String> {
        message
            .headers
            .all(&HeaderName::Route)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn uas_keeps_the_order_of_record_routes_and_counts_its_own_cseq() {
        let invite = invite(
            "<sip:ann@192.0.2.9:5070>",
            &["<sip:p1;lr>, <sip:p2;lr>", "<sip:p3;lr>"],
        );
        let mut dialog = Dialog::uas(&invite, "ours", flow("192.0.2.9:5070")).unwrap();
        let bye = dialog.request(Method::Bye);
        assert_eq!(
            bye.request_uri().unwrap().to_string(),
            "sip:ann@192.0.2.9:5070"
        );
        assert_eq!(routes(&bye), ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]);
        assert_eq!(bye.headers.first(&HeaderName::CSeq), Some("1 BYE"));
        assert_eq!(bye.from().unwrap().tag(), Some("ours"));
        assert_eq!(bye.to().unwrap().tag(), Some("ft"));
        assert_eq!(bye.max_forwards(), Some(70));
        assert_eq!(dialog.request(Method::Info).cseq().unwrap().number, 2);
        assert_eq!(dialog.destination().uri.to_string(), "sip:p1;lr");
    }

    #[test]
    fn uac_reverses_record_routes_and_goes_on_from_its_cseq() {
        let invite = invite("<sip:us@192.0.2.1>", &[]);
        let mut ok = invite.respond(200, Some("theirs"));
        ok.headers
            .push(HeaderName::Contact, "<sip:bob@10.1.1.1:5099>");
        ok.headers
            .push(HeaderName::RecordRoute, "<sip:p2;lr>, <sip:p1;lr>");
        let mut dialog = Dialog::uac(&invite, &ok, flow("192.0.2.9:5060")).unwrap();
        assert_eq!(Some(dialog.id()), DialogId::of_response(&ok));
        let ack = dialog.ack(7);
        assert_eq!(ack.cseq().unwrap().number, 7);
        assert_eq!(routes(&ack), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!(ack.to().unwrap().tag(), Some("theirs"));
        assert_eq!(dialog.request(Method::Bye).cseq().unwrap().number, 8);
    }

    #[test]
    fn strict_router_takes_the_request_uri() {
        let invite = invite(
            "<sip:ann@192.0.2.9>",
            &["<sip:strict.example>", "<sip:p2;lr>"],
        );
        let mut dialog = Dialog::uas(&invite, "ours", flow("192.0.2.9:5060")).unwrap();
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.request_uri().unwrap().to_string(), "sip:strict.example");
        assert_eq!(routes(&bye), ["<sip:p2;lr>", "<sip:ann@192.0.2.9>"]);
    }

    #[test]
    fn incoming_requests_find_the_dialog_and_keep_their_order() {
        let invite = invite("<sip:ann@192.0.2.9>", &[]);
        let mut dialog = Dialog::uas(&invite, "ours", flow("192.0.2.9:5060")).unwrap();
        assert_eq!(DialogId::of_incoming(&invite), None);
        let mut bye = invite.clone();
        bye.headers
            .set(HeaderName::To, "<sip:1300@192.0.2.1>;tag=ours");
        bye.headers.set(HeaderName::CSeq, "9 BYE");
        assert_eq!(DialogId::of_incoming(&bye), Some(dialog.id()));
        assert_eq!(dialog.accept(&bye), Ok(()));
        bye.headers.set(HeaderName::CSeq, "8 INFO");
        assert_eq!(dialog.accept(&bye), Err(500));
        bye.headers.set(HeaderName::CSeq, "7 ACK");
        assert_eq!(dialog.accept(&bye), Ok(()));
        assert_eq!(dialog.remote_cseq, Some(9));
        bye.headers.set(HeaderName::Contact, "<sip:ann@192.0.2.77>");
        dialog.refresh_target(&bye);
        assert_eq!(dialog.remote_target.to_string(), "sip:ann@192.0.2.77");
    }

    #[test]
    fn telephone_behind_nat_is_reached_where_it_was_seen() {
        let address = |contact: &str, seen: &str| {
            let dialog = Dialog::uas(&invite(contact, &[]), "t", flow(seen)).unwrap();
            dialog.destination().address.to_string()
        };
        assert_eq!(
            address("<sip:a@192.168.1.5:5062>", "203.0.113.4:40001"),
            "203.0.113.4:40001"
        );
        assert_eq!(
            address("<sip:a@phone.local>", "203.0.113.4:40001"),
            "203.0.113.4:40001"
        );
        assert_eq!(
            address("<sip:a@203.0.113.9:5070>", "203.0.113.4:5060"),
            "203.0.113.9:5070"
        );
        assert_eq!(
            address("<sip:a@127.0.0.1:5071>", "127.0.0.1:5080"),
            "127.0.0.1:5071"
        );
        assert_eq!(
            address("<sip:a@127.0.0.1:5071>", "10.0.0.2:5080"),
            "10.0.0.2:5080"
        );
        assert_eq!(
            address("<sip:a@10.0.0.9:5071>", "10.0.0.2:5080"),
            "10.0.0.9:5071"
        );
    }

    #[test]
    fn peer_on_a_connection_is_reached_by_it() {
        let next = |transport, contact: &str| {
            let seen = Flow {
                transport,
                ..flow("192.0.2.9:40000")
            };
            let dialog = Dialog::uas(&invite(contact, &[]), "t", seen).unwrap();
            dialog.next_flow().remote.to_string()
        };
        let own = "<sip:a@192.0.2.9:5070;transport=tcp>";
        assert_eq!(next(Transport::Tcp, own), "192.0.2.9:40000");
        assert_eq!(next(Transport::Udp, own), "192.0.2.9:5070");
        let other = "<sip:a@192.0.2.77:5070;transport=tcp>";
        assert_eq!(next(Transport::Tcp, other), "192.0.2.77:5070");
        assert_eq!(next(Transport::Wss, other), "192.0.2.9:40000");
        let browser = "<sip:a@x.invalid;transport=ws>";
        assert_eq!(next(Transport::Ws, browser), "192.0.2.9:40000");
    }

    #[test]
    fn dialog_outlives_its_connection() {
        let on = |transport, remote: &str| Flow {
            transport,
            ..flow(remote)
        };
        let seen = on(Transport::Tcp, "192.0.2.9:40000");
        let invite = invite("<sip:a@192.0.2.9:5070;transport=tcp>", &[]);
        let mut dialog = Dialog::uas(&invite, "t", seen).unwrap();
        dialog.flow_lost(on(Transport::Tcp, "192.0.2.9:40001"));
        assert_eq!(dialog.next_flow(), seen, "of another connection");
        dialog.flow_lost(seen);
        assert_eq!(dialog.next_flow(), on(Transport::Tcp, "192.0.2.9:5070"));
        let again = on(Transport::Tcp, "192.0.2.9:40002");
        dialog.follow(on(Transport::Udp, "192.0.2.9:5060"));
        dialog.follow(again);
        assert_eq!(dialog.next_flow(), again);
        let browser = on(Transport::Wss, "192.0.2.9:40000");
        let mut dialog = Dialog::uas(&invite, "t", browser).unwrap();
        dialog.flow_lost(browser);
        assert_eq!(dialog.next_flow(), browser, "it has to come back");
    }

    #[test]
    fn invite_without_contact_makes_no_dialog() {
        let mut invite = invite("<sip:a@192.0.2.9>", &[]);
        invite.headers.remove(&HeaderName::Contact);
        let dialog = Dialog::uas(&invite, "t", flow("192.0.2.9:5060"));
        assert_eq!(dialog, Err(ParseError::Missing("Contact")));
    }
}
