//! Owns the tests of the registrar: the cases of RFC 3261 §10.3 and of real telephones.

use super::*;
use crate::transaction::Transport;
use crate::wire::{HeaderName, Method, Start};

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

    /// Who became reachable or unreachable.
    fn changes(&mut self) -> Vec<Change> {
        let all = core::iter::from_fn(|| self.registrar.poll());
        all.filter(|change| {
            matches!(
                change,
                Change::Reachable { .. } | Change::Unreachable { .. }
            )
        })
        .collect()
    }

    /// What is to be written down: the key, and until when, in seconds; `None` when it is gone.
    fn told(&mut self) -> Vec<(String, Option<u64>)> {
        let all = core::iter::from_fn(|| self.registrar.poll());
        all.filter_map(|change| match change {
            Change::Bound { binding, .. } => {
                Some((binding.key(), Some(binding.kept_until.as_millis() / 1_000)))
            }
            Change::Unbound { key, .. } => Some((key, None)),
            Change::Reachable { .. } | Change::Unreachable { .. } => None,
        })
        .collect()
    }

    /// A telephone that keeps flows (RFC 5626).
    fn outbound(&mut self, call_id: &str, contact: &str, more: &[(HeaderName, &str)]) -> Message {
        let instance = "+sip.instance=\"<urn:uuid:0-1>\"";
        let contact = format!("{contact};{instance}");
        let mut fields = vec![
            (HeaderName::Contact, contact.as_str()),
            (HeaderName::Supported, "path, outbound"),
        ];
        fields.extend_from_slice(more);
        self.register(call_id, 1, &fields)
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
    w.contact("c", 1, &format!("<sip:a@10.0.0.1>;{instance}"));
    // Without `outbound` in Supported the number of a flow means nothing.
    w.contact("d", 1, &format!("<sip:a@10.0.0.2>;{instance};reg-id=2"));
    assert_eq!(w.uris(), ["sip:a@10.0.0.2"]);
    w.contact("f", 1, "<sip:a@10.0.0.4>");
    assert_eq!(w.uris().len(), 2);
}

#[test]
fn each_flow_of_an_instance_is_a_binding_even_with_one_contact() {
    let mut w = World::new();
    let ok = w.outbound("c", "<sip:a@10.0.0.1>;reg-id=1", &[]);
    assert_eq!(ok.headers.first(&HeaderName::Require), Some("outbound"));
    let timer = HeaderName::parse("Flow-Timer");
    assert_eq!(ok.headers.first(&timer), Some("120"));
    w.outbound("d", "<sip:a@10.0.0.1>;reg-id=2", &[]);
    assert_eq!(w.uris().len(), 2);
    w.pass(1);
    w.outbound("e", "<sip:a@10.0.0.9>;reg-id=2", &[]);
    assert_eq!(w.uris(), ["sip:a@10.0.0.9", "sip:a@10.0.0.1"]);
    let two = "<sip:a@h>;reg-id=3;+sip.instance=\"<urn:uuid:0-1>\", <sip:b@h>;reg-id=4";
    assert_eq!(w.outbound("f", two, &[]).status(), Some(400));
    assert_eq!(w.uris().len(), 2);
    let gone = w.outbound("g", "<sip:a@10.0.0.1>;reg-id=1;expires=0", &[]);
    assert_eq!(gone.headers.first(&HeaderName::Require), None);
    assert_eq!(w.uris(), ["sip:a@10.0.0.9"]);
}

#[test]
fn flows_through_a_proxy_that_does_not_keep_them_are_refused_with_439() {
    let mut w = World::new();
    let proxy = (HeaderName::Via, "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2");
    let contact = "<sip:a@10.0.0.1>;reg-id=1";
    for path in ["<sip:edge;lr>", "<sip:inner;lr;ob>, <sip:edge;lr>"] {
        let fields = [proxy.clone(), (HeaderName::Path, path)];
        let refused = w.outbound("c", contact, &fields);
        assert_eq!(refused.status(), Some(439), "{path}");
    }
    let bare = w.outbound("c", contact, std::slice::from_ref(&proxy));
    assert_eq!(bare.status(), Some(439));
    let fields = [
        proxy.clone(),
        (HeaderName::Path, "<sip:inner;lr>, <sip:edge;lr;ob>"),
    ];
    assert_eq!(w.outbound("d", contact, &fields).status(), Some(200));
    // A telephone that wants no flow kept does not care.
    let plain = w.outbound("e", "<sip:b@10.0.0.2>", std::slice::from_ref(&proxy));
    assert_eq!(plain.status(), Some(200));
}

#[test]
fn what_is_to_be_written_down_is_told_once_and_again_when_it_would_run_out() {
    let mut w = World::new();
    let contact = "<sip:a@10.0.0.1>;expires=60";
    let key = "sip:a@10.0.0.1".to_owned();
    w.contact("c", 1, contact);
    assert_eq!(w.told(), [(key.clone(), Some(660))]);
    let mut told = 0;
    for n in 0..120 {
        w.pass(30);
        w.contact("c", n + 2, contact);
        told += w.told().len();
    }
    assert_eq!(told, 5, "an hour of refreshes");
    // Another way to it, another q, an end: each is news.
    w.contact("c", 500, "<sip:a@10.0.0.1>;expires=60;q=0.5");
    assert_eq!(w.told().len(), 1);
    w.pass(60);
    assert_eq!(w.told(), [(key, None)]);
}

#[test]
fn a_binding_comes_back_after_a_restart_and_is_not_told_again() {
    let mut w = World::new();
    w.contact(
        "c",
        1,
        "<sip:a@10.0.0.1>;expires=60;q=0.3, <sip:b@10.0.0.1>;expires=90",
    );
    let kept: Vec<Binding> = w.registrar.bindings("1001").cloned().collect();
    let mut after = World::new();
    for mut binding in kept.into_iter().rev() {
        binding.expires_at = binding.kept_until;
        after.registrar.restore("1001", binding);
    }
    assert_eq!(after.uris(), ["sip:b@10.0.0.1", "sip:a@10.0.0.1"]);
    assert_eq!(after.told(), []);
    // The telephone goes on with its Call-ID and count.
    let late = after.contact("c", 1, "<sip:a@10.0.0.1>");
    assert_eq!(late.status(), Some(500));
    assert_eq!(
        after.contact("c", 2, "<sip:a@10.0.0.1>").status(),
        Some(200)
    );
    after.pass(3_700);
    assert_eq!(after.uris(), [] as [&str; 0]);
}

#[test]
fn a_user_who_registers_without_end_is_told_to_wait() {
    let mut w = World::new();
    let mut told = 0;
    for n in 0..1_000_u32 {
        let contact = format!("<sip:a@10.0.0.{}>;expires={}", n % 2, 60 + n % 2);
        let answer = w.contact(&format!("c{n}"), 1, &contact);
        let status = if n < 30 { 200 } else { 503 };
        assert_eq!(answer.status(), Some(status), "{n}");
        if status == 503 {
            let wait = answer.headers.first(&HeaderName::RetryAfter).unwrap();
            assert_eq!(wait, "2");
        }
        told += w.told().len();
    }
    assert!(told <= 60, "{told}");
    w.pass(2);
    assert_eq!(w.contact("later", 1, "<sip:z@h>").status(), Some(200));
    assert_eq!(w.contact("again", 1, "<sip:z@h>").status(), Some(503));
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
        let outbound = (HeaderName::Supported, "outbound");
        let request = request("c", 1, &[(HeaderName::Contact, contact), outbound]);
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

#[test]
fn a_registrar_on_hold_keeps_what_another_one_refreshes() {
    let mut w = World::new();
    w.contact("c", 1, "<sip:a@192.0.2.9:5070>;expires=60");
    w.contact("d", 1, "<sip:b@192.0.2.9:5071>;expires=3600");
    w.registrar.hold();
    w.changes();
    assert_eq!(w.registrar.next_deadline(), None);
    w.pass(120);
    assert_eq!(w.uris().len(), 2);
    // Somebody who comes here all the same does not drive out the others.
    w.contact("c2", 1, "<sip:c@192.0.2.9:5072>;expires=3600");
    assert_eq!(w.uris().len(), 3);
    w.registrar.resume(w.now);
    assert_eq!(w.changes(), []);
    let due = w.registrar.next_deadline().unwrap();
    assert_eq!(due, Time::ZERO + Duration::from_secs(3_600));
    w.pass(3_599);
    assert_eq!(w.uris(), ["sip:c@192.0.2.9:5072", "sip:a@192.0.2.9:5070"]);
    w.pass(1);
    assert_eq!(w.uris().len(), 0, "nobody has refreshed");
}
