//! Owns the tests of where responses go.

use sip::HeaderName;

use crate::world::{World, flow_from, incoming, parsed};

#[test]
fn each_response_takes_the_way_that_the_request_asked_for() {
    for (via, source, to) in [
        (
            "SIP/2.0/UDP 10.0.0.5:5062;rport;branch=z9hG4bKa",
            "203.0.113.4:40123",
            "203.0.113.4:40123",
        ),
        (
            "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKa",
            "203.0.113.4:40123",
            "203.0.113.4:5062",
        ),
        (
            "SIP/2.0/UDP phone.example;branch=z9hG4bKa",
            "203.0.113.4:40123",
            "203.0.113.4:5060",
        ),
        (
            "SIP/2.0/UDP 203.0.113.4:0;branch=z9hG4bKa",
            "203.0.113.4:40123",
            "203.0.113.4:5060",
        ),
    ] {
        let mut w = World::new();
        let mut invite = incoming("INVITE", 1);
        invite.headers.set(HeaderName::Via, via);
        w.receive_on(flow_from(source), invite.clone());
        assert_eq!(w.last_flow.unwrap().remote.to_string(), to, "100 for {via}");
        w.respond(486);
        assert_eq!(w.last_flow.unwrap().remote.to_string(), to, "486 for {via}");
        w.receive_on(flow_from(source), invite);
        assert_eq!(
            w.last_flow.unwrap().remote.to_string(),
            to,
            "copy for {via}"
        );
        let mut cancel = incoming("CANCEL", 1);
        cancel.headers.set(HeaderName::Via, via);
        w.receive_on(flow_from(source), cancel);
        assert_eq!(
            w.last_flow.unwrap().remote.to_string(),
            to,
            "CANCEL for {via}"
        );
    }
}

#[test]
fn the_vias_behind_the_first_come_back_untouched() {
    let mut w = World::new();
    let mut invite = incoming("INVITE", 1);
    invite.headers.set(
        HeaderName::Via,
        "SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa, SIP/2.0/UDP b;x",
    );
    invite
        .headers
        .push(HeaderName::Via, "SIP/2.0/UDP c;branch=z9hG4bKc");
    w.receive_on(flow_from("203.0.113.4:7"), invite);
    w.respond(200);
    let response = parsed(&w.last_sent);
    let vias: Vec<_> = response
        .headers
        .values(&HeaderName::Via)
        .map(str::to_owned)
        .collect();
    assert_eq!(vias.len(), 3);
    assert_eq!(
        vias[1..],
        ["SIP/2.0/UDP b;x", "SIP/2.0/UDP c;branch=z9hG4bKc"]
    );
    let top = response.via().unwrap();
    assert_eq!(top.received().unwrap().to_string(), "203.0.113.4");
    assert_eq!(top.rport(), Some(Some(7)));
}
