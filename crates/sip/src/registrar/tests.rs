//! Owns the tests of the registrar: the cases of RFC 3261 §10.3 and of real telephones.

use super::*;
use crate::transaction::Transport;
use crate::wire::{Method, Start};

fn flow(port: u16) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: ([192, 0, 2, 9], port).into(),
    }
}

fn request(call_id: &str, cseq: u32, fields: &[(HeaderName, &str)]) -> Message {
    let mut request = Message::request(Method::Register, Uri::parse("sip:example.com").unwrap());
    request
        .headers
        .push(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1");
    request
        .headers
        .push(HeaderName::From, "<sip:1001@example.com>;tag=1");
    request
        .headers
        .push(HeaderName::To, "<sip:1001@example.com>");
    request.headers.push(HeaderName::CallId, call_id);
    request
        .headers
        .push(HeaderName::CSeq, format!("{cseq} REGISTER"));
    for (name, value) in fields {
        request.headers.push(name.clone(), *value);
    }
    request
}

struct World {
    registrar: Registrar,
    now: Time,
}

impl World {
    fn new() -> Self {
        Self {
            registrar: Registrar::new(RegistrarSettings::default()),
            now: Time::ZERO,
        }
    }

    fn register(&mut self, call_id: &str, cseq: u32, fields: &[(HeaderName, &str)]) -> Message {
        let request = request(call_id, cseq, fields);
        self.registrar
            .register(self.now, "1001", flow(5062), &request)
    }

    fn contact(&mut self, call_id: &str, cseq: u32, contact: &str) -> Message {
        self.register(call_id, cseq, &[(HeaderName::Contact, contact)])
    }

    fn uris(&self) -> Vec<String> {
        self.registrar
            .bindings("1001")
            .map(|binding| binding.contact.to_string())
            .collect()
    }

    fn changes(&mut self) -> Vec<Change> {
        core::iter::from_fn(|| self.registrar.poll()).collect()
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.registrar.handle_timeout(self.now);
    }
}

fn listed(response: &Message) -> Vec<String> {
    response
        .headers
        .all(&HeaderName::Contact)
        .map(str::to_owned)
        .collect()
}

fn reachable() -> Vec<Change> {
    vec![Change::Reachable {
        user: "1001".into(),
    }]
}

fn unreachable() -> Vec<Change> {
    vec![Change::Unreachable {
        user: "1001".into(),
    }]
}

#[test]
fn binding_is_made_listed_refreshed_and_removed() {
    let mut w = World::new();
    let ok = w.contact("c", 1, "<sip:1001@192.0.2.9:5062>;expires=600;+x=\"y\"");
    assert_eq!(ok.status(), Some(200));
    assert_eq!(
        listed(&ok),
        ["<sip:1001@192.0.2.9:5062>;+x=\"y\";expires=600"]
    );
    assert!(ok.to().unwrap().tag().is_some());
    assert_eq!(w.changes(), reachable());
    w.pass(100);
    let asked = w.register("other", 1, &[]);
    assert_eq!(
        listed(&asked),
        ["<sip:1001@192.0.2.9:5062>;+x=\"y\";expires=500"]
    );
    w.contact("c", 2, "<sip:1001@192.0.2.9:5062>;expires=600");
    assert_eq!(
        w.registrar.next_deadline(),
        Some(Time::from_millis(700_000))
    );
    let gone = w.contact("c", 3, "<sip:1001@192.0.2.9:5062>;expires=0");
    assert_eq!((gone.status(), listed(&gone).len()), (Some(200), 0));
    assert_eq!(w.changes(), unreachable());
    assert_eq!(w.registrar.next_deadline(), None);
}

#[test]
fn binding_expires_by_its_deadline() {
    let mut w = World::new();
    w.contact("c", 1, "<sip:a@192.0.2.9>;expires=60");
    w.contact("c", 2, "<sip:b@192.0.2.9>;expires=90");
    w.changes();
    assert_eq!(w.registrar.next_deadline(), Some(Time::from_millis(60_000)));
    w.pass(59);
    assert_eq!(w.uris().len(), 2);
    w.pass(1);
    assert_eq!(w.uris(), ["sip:b@192.0.2.9"]);
    assert_eq!(w.changes(), []);
    w.pass(30);
    assert_eq!(w.changes(), unreachable());
    assert_eq!(w.registrar.next_deadline(), None);
}

#[test]
fn expired_binding_is_not_listed_before_the_timer_ran() {
    let mut w = World::new();
    w.contact("c", 1, "<sip:a@192.0.2.9>;expires=60");
    w.now = Time::from_millis(60_000);
    assert_eq!(listed(&w.register("d", 1, &[])).len(), 0);
    assert_eq!(w.changes(), [reachable(), unreachable()].concat());
}

#[test]
fn expires_comes_from_parameter_header_or_default_within_bounds() {
    let left = |fields: &[(HeaderName, &str)]| {
        let mut w = World::new();
        w.register("c", 1, fields);
        w.registrar
            .bindings("1001")
            .next()
            .unwrap()
            .expires_at
            .as_millis()
            / 1000
    };
    let plain = (HeaderName::Contact, "<sip:a@h>");
    assert_eq!(left(std::slice::from_ref(&plain)), 3600);
    assert_eq!(left(&[plain.clone(), (HeaderName::Expires, "120")]), 120);
    assert_eq!(left(&[plain.clone(), (HeaderName::Expires, "soon")]), 3600);
    assert_eq!(
        left(&[plain.clone(), (HeaderName::Expires, "4294967295")]),
        3600
    );
    let own = (HeaderName::Contact, "<sip:a@h>;expires=180");
    assert_eq!(left(&[own, (HeaderName::Expires, "120")]), 180);
    assert_eq!(left(&[(HeaderName::Contact, "<sip:a@h>;expires=x")]), 3600);
}

#[test]
fn too_short_wish_is_423_with_min_expires_and_changes_nothing() {
    let mut w = World::new();
    let brief = w.contact("c", 1, "<sip:a@h>;expires=600, <sip:b@h>;expires=59");
    assert_eq!(brief.status(), Some(423));
    assert_eq!(brief.headers.first(&HeaderName::MinExpires), Some("60"));
    assert_eq!(w.uris().len(), 0);
    assert_eq!(
        w.contact("c", 2, "<sip:a@h>;expires=60").status(),
        Some(200)
    );
}

#[test]
fn star_removes_all_only_alone_and_with_expires_zero() {
    let mut w = World::new();
    w.contact("c", 5, "<sip:a@h>, <sip:b@h>");
    w.changes();
    let zero = (HeaderName::Expires, "0");
    let star = (HeaderName::Contact, "*");
    for fields in [
        vec![star.clone()],
        vec![star.clone(), (HeaderName::Expires, "60")],
        vec![
            star.clone(),
            (HeaderName::Contact, "<sip:a@h>"),
            zero.clone(),
        ],
        vec![
            (HeaderName::Contact, "<sip:a@h>"),
            star.clone(),
            zero.clone(),
        ],
    ] {
        assert_eq!(
            w.register("c", 6, &fields).status(),
            Some(400),
            "{fields:?}"
        );
    }
    assert_eq!(w.uris().len(), 2);
    let late = w.register("c", 5, &[star.clone(), zero.clone()]);
    assert_eq!(late.status(), Some(500));
    assert_eq!(w.register("c", 6, &[star, zero]).status(), Some(200));
    assert_eq!(w.changes(), unreachable());
}

#[test]
fn overtaken_request_fails_and_changes_nothing() {
    let mut w = World::new();
    w.contact("c", 7, "<sip:a@h>;expires=600");
    for cseq in [6, 7] {
        let late = w.contact("c", cseq, "<sip:new@h>, <sip:a@h>;expires=0");
        assert_eq!(late.status(), Some(500));
        let Start::Response { reason, .. } = &late.start else {
            panic!("a request")
        };
        assert_eq!(reason, "CSeq Out of Order");
    }
    assert_eq!(w.uris(), ["sip:a@h"]);
    // A telephone that was switched off and on has a new Call-ID and may begin at 1.
    assert_eq!(w.contact("d", 1, "<sip:a@h>;expires=0").status(), Some(200));
    assert_eq!(w.uris().len(), 0);
}

#[test]
fn several_contacts_are_ordered_by_q_and_age() {
    let mut w = World::new();
    w.contact("c", 1, "<sip:old@h>;q=0.5, <sip:low@h>;q=0.1");
    w.pass(1);
    w.contact("d", 1, "<sip:new@h>;q=0.5");
    w.pass(1);
    let ok = w.contact("e", 1, "<sip:best@h>");
    assert_eq!(
        w.uris(),
        ["sip:best@h", "sip:new@h", "sip:old@h", "sip:low@h"]
    );
    assert_eq!(listed(&ok)[3], "<sip:low@h>;expires=3598;q=0.100");
    assert_eq!(w.changes(), reachable(), "once for the first of them");
}

#[test]
fn new_address_of_the_same_instance_replaces_the_old_one() {
    let mut w = World::new();
    let instance = "+sip.instance=\"<urn:uuid:0-1>\"";
    w.contact("c", 1, &format!("<sip:a@10.0.0.1>;{instance};reg-id=1"));
    w.contact("d", 1, &format!("<sip:a@10.0.0.2>;{instance};reg-id=1"));
    assert_eq!(w.uris(), ["sip:a@10.0.0.2"]);
    w.contact("e", 1, &format!("<sip:a@10.0.0.3>;{instance};reg-id=2"));
    w.contact("f", 1, "<sip:a@10.0.0.4>");
    assert_eq!(w.uris().len(), 3);
}

#[test]
fn refresh_moves_the_flow_of_a_binding() {
    let mut w = World::new();
    w.contact("c", 1, "<sip:a@10.0.0.1>");
    let again = request("c", 2, &[(HeaderName::Contact, "<sip:a@10.0.0.1>")]);
    w.registrar.register(w.now, "1001", flow(40_000), &again);
    let flows: Vec<_> = w
        .registrar
        .bindings("1001")
        .map(|b| b.flow.remote.port())
        .collect();
    assert_eq!(flows, [40_000]);
}

#[test]
fn too_many_contacts_evict_the_oldest_or_are_refused() {
    let mut w = World::new();
    for n in 0..5 {
        w.contact(&format!("c{n}"), 1, &format!("<sip:a@10.0.0.{n}>"));
        w.pass(1);
    }
    w.contact("new", 1, "<sip:a@10.0.0.9>;expires=60");
    let uris = w.uris();
    assert_eq!(uris.len(), 5);
    assert!(
        !uris.contains(&"sip:a@10.0.0.0".to_owned()),
        "expires first"
    );
    assert!(
        uris.contains(&"sip:a@10.0.0.9".to_owned()),
        "the new one is in"
    );
    let many: Vec<String> = (0..6).map(|n| format!("<sip:b@10.0.1.{n}>")).collect();
    assert_eq!(w.contact("many", 1, &many.join(", ")).status(), Some(403));
    assert_eq!(w.uris(), uris);
}

#[test]
fn path_is_stored_and_shown() {
    let mut w = World::new();
    let path = "<sip:edge.example;lr>, <sip:192.0.2.3:5070;lr>";
    let ok = w.register(
        "c",
        1,
        &[
            (HeaderName::Contact, "<sip:a@10.0.0.1>"),
            (HeaderName::Path, path),
            (HeaderName::Supported, "path"),
        ],
    );
    let shown: Vec<_> = ok.headers.all(&HeaderName::Path).collect();
    assert_eq!(shown, ["<sip:edge.example;lr>", "<sip:192.0.2.3:5070;lr>"]);
    assert_eq!(w.registrar.bindings("1001").next().unwrap().path.len(), 2);
}

#[test]
fn users_do_not_share_bindings() {
    let mut w = World::new();
    w.contact("c", 1, "<sip:a@h>");
    let other = request("c", 1, &[(HeaderName::Contact, "<sip:b@h>")]);
    assert_eq!(
        w.registrar
            .register(w.now, "1002", flow(1), &other)
            .status(),
        Some(200)
    );
    assert_eq!(w.uris(), ["sip:a@h"]);
    assert_eq!(w.registrar.bindings("1002").count(), 1);
    assert_eq!(w.registrar.bindings("nobody").count(), 0);
}

#[test]
fn a_lost_connection_takes_the_bindings_that_have_no_other_way() {
    let on = |transport, port| Flow {
        transport,
        ..flow(port)
    };
    let registered = |transport, contact: &str| {
        let mut w = World::new();
        let request = request("c", 1, &[(HeaderName::Contact, contact)]);
        w.registrar
            .register(w.now, "1001", on(transport, 40_000), &request);
        w.changes();
        w.registrar.flow_closed(on(transport, 40_001));
        assert_eq!(w.uris().len(), 1, "of another connection");
        w.registrar.flow_closed(on(transport, 40_000));
        w
    };
    let gone = [Change::Unreachable {
        user: "1001".to_owned(),
    }];
    let outbound = "<sip:a@192.0.2.9:5070;transport=tcp;ob>;reg-id=1;+sip.instance=\"<urn:x>\"";
    assert_eq!(registered(Transport::Tcp, outbound).changes(), gone);
    let browser = "<sip:a@x.invalid;transport=ws>";
    assert_eq!(registered(Transport::Wss, browser).changes(), gone);
    assert_eq!(
        registered(Transport::Tcp, "<sip:a@phone.local>").changes(),
        gone
    );
    let mut desk = registered(Transport::Tcp, "<sip:a@192.0.2.9:5070;transport=tcp>");
    assert_eq!(desk.changes(), []);
    let binding = desk.registrar.bindings("1001").next().unwrap();
    assert_eq!(binding.flow, on(Transport::Tcp, 5070));
}
