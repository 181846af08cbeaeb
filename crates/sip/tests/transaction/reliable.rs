//! Owns the differences that a connection makes: RFC 3261 §17's timers for reliable transports, and
//! the loss of a flow.

use sip::{Flow, Transport};

use crate::world::{NOTHING, World, incoming, incoming_ack};

const CONNECTIONS: [Transport; 4] = [
    Transport::Tcp,
    Transport::Tls,
    Transport::Ws,
    Transport::Wss,
];

/// Walks the same way over each of them.
fn over_each(walk: impl Fn(World)) {
    for transport in CONNECTIONS {
        assert!(transport.is_reliable());
        walk(World::over(transport));
    }
}

fn is_empty(w: &World) -> bool {
    (
        w.table.len(),
        w.table.timers_running(),
        w.table.next_deadline(),
    ) == (0, 0, None)
}

#[test]
fn no_timer_a_or_e_repeats_a_request_and_b_and_f_end_it() {
    over_each(|mut w| {
        for method in ["INVITE", "OPTIONS"] {
            let start = w.now;
            assert_eq!(w.request(method).1, [method]);
            assert_eq!(w.table.timers_running(), 1, "B or F alone");
            assert_eq!(w.pass(start, 100_000), ["32000 timed out"]);
            assert!(is_empty(&w));
        }
    });
}

#[test]
fn the_via_names_the_transport() {
    for transport in Transport::ALL {
        let mut w = World::over(transport);
        w.request("OPTIONS");
        let text = String::from_utf8(w.last_sent.clone()).unwrap();
        let via = format!("Via: SIP/2.0/{} 192.0.2.1:5060;", transport.as_str());
        assert!(text.contains(&via), "{text}");
        assert_eq!(w.last_flow, Some(w.flow()));
    }
}

#[test]
fn a_refused_invite_is_confirmed_and_over_timer_d_being_zero() {
    over_each(|mut w| {
        w.request("INVITE");
        let invite = w.last_sent.clone();
        assert_eq!(w.answer(&invite, 180, "t"), ["shown 180"]);
        assert_eq!(w.answer(&invite, 486, "t"), ["ACK", "shown 486"]);
        assert_eq!(w.last_flow, Some(w.flow()));
        assert!(is_empty(&w));
        assert_eq!(w.answer(&invite, 486, "t"), NOTHING);
    });
}

#[test]
fn an_accepted_invite_stays_for_other_branches_until_timer_m() {
    over_each(|mut w| {
        w.request("INVITE");
        let invite = w.last_sent.clone();
        let start = w.now;
        assert_eq!(w.answer(&invite, 200, "a"), ["shown 200"]);
        assert_eq!(w.answer(&invite, 200, "b"), ["shown 200"]);
        assert_eq!(w.pass(start, 31_999), NOTHING);
        assert_eq!(w.table.len(), 1);
        w.pass(start, 32_000);
        assert!(is_empty(&w));
    });
}

#[test]
fn another_request_is_over_with_its_answer_timer_k_being_zero() {
    over_each(|mut w| {
        w.request("BYE");
        let bye = w.last_sent.clone();
        assert_eq!(w.answer(&bye, 183, "t"), ["shown 183"]);
        let start = w.now;
        assert_eq!(w.pass(start, 31_000), NOTHING, "no timer E in Proceeding");
        assert_eq!(w.answer(&bye, 200, "t"), ["shown 200"]);
        assert!(is_empty(&w));
    });
}

#[test]
fn a_cancelled_invite_is_bounded_without_repeating_the_cancel() {
    over_each(|mut w| {
        let (tx, _) = w.request("INVITE");
        let invite = w.last_sent.clone();
        w.answer(&invite, 180, "t");
        let start = w.now;
        w.table.cancel(w.now, tx);
        assert_eq!(w.drain(), ["CANCEL"]);
        assert_eq!(w.pass(start, 100_000), ["32000 timed out"]);
        assert!(is_empty(&w));
    });
}

#[test]
fn an_invite_gets_its_100_and_a_refusal_waits_for_the_ack_without_timer_g() {
    over_each(|mut w| {
        assert_eq!(
            w.receive(incoming("INVITE", 1)),
            ["100 INVITE", "shown INVITE"]
        );
        let start = w.now;
        assert_eq!(w.respond(486), ["486 INVITE first"]);
        assert_eq!(w.pass(start, 31_999), NOTHING);
        assert_eq!(w.table.len(), 1);
        w.pass(start, 32_000);
        assert!(is_empty(&w), "timer H");
    });
}

#[test]
fn the_ack_of_a_refusal_ends_it_timer_i_being_zero() {
    over_each(|mut w| {
        w.receive(incoming("INVITE", 1));
        w.respond(180);
        w.respond(486);
        assert_eq!(w.receive(incoming_ack(1, "ours", "z9hG4bK1")), NOTHING);
        assert!(is_empty(&w));
    });
}

#[test]
fn a_2xx_is_repeated_over_any_transport_until_its_ack() {
    over_each(|mut w| {
        w.receive(incoming("INVITE", 1));
        let start = w.now;
        assert_eq!(w.respond(200), ["200 INVITE first"]);
        assert_eq!(
            w.pass(start, 2_000),
            ["500 200 INVITE", "1500 200 INVITE"],
            "RFC 3261 §13.3.1.4"
        );
        assert_eq!(
            w.receive(incoming_ack(1, "ours", "z9hG4bKack")),
            ["shown ACK"]
        );
        assert_eq!(w.pass(start, 32_000), NOTHING);
        assert!(is_empty(&w), "timer L");
    });
}

#[test]
fn another_requests_answer_ends_it_timer_j_being_zero() {
    over_each(|mut w| {
        w.receive(incoming("OPTIONS", 1));
        assert_eq!(w.respond(183), ["183 OPTIONS first"]);
        assert_eq!(w.respond(200), ["200 OPTIONS first"]);
        assert_eq!(w.last_flow, Some(w.flow()));
        assert!(is_empty(&w));
    });
}

#[test]
fn an_unanswered_request_is_forgotten_when_the_peer_has_given_up() {
    over_each(|mut w| {
        w.receive(incoming("OPTIONS", 1));
        let start = w.now;
        assert_eq!(w.pass(start, 32_000), NOTHING);
        assert!(is_empty(&w));
    });
}

#[test]
fn a_lost_flow_fails_what_waits_on_it_at_once_and_nothing_else() {
    for transport in Transport::ALL {
        let mut w = World::over(transport);
        let other = Flow {
            remote: "192.0.2.77:5060".parse().unwrap(),
            ..w.flow()
        };
        let request = crate::world::outgoing("OPTIONS");
        w.table
            .request(w.now, other, "192.0.2.1:5060", "z9hG4bKother", request);
        w.drain();
        assert_eq!(w.request("INVITE").1, ["INVITE"]);
        assert_eq!(w.lose_flow(), ["failed"]);
        assert_eq!(w.table.len(), 1, "of the other flow");
        assert_eq!(w.lose_flow(), NOTHING);
        let start = w.now;
        assert_eq!(w.pass(start, 60_000).last().unwrap(), "32000 timed out");
        assert!(is_empty(&w));
    }
}

#[test]
fn a_lost_flow_ends_each_unanswered_state_and_leaves_answered_ones() {
    over_each(|mut w| {
        w.request("INVITE");
        let invite = w.last_sent.clone();
        w.answer(&invite, 180, "t");
        assert_eq!(w.lose_flow(), ["failed"], "INVITE, Proceeding");
        let (tx, _) = w.request("INVITE");
        let invite = w.last_sent.clone();
        w.answer(&invite, 180, "t");
        w.table.cancel(w.now, tx);
        w.drain();
        assert_eq!(
            w.lose_flow(),
            ["failed"],
            "of the INVITE, not of the CANCEL"
        );
        w.request("OPTIONS");
        let options = w.last_sent.clone();
        w.answer(&options, 183, "t");
        assert_eq!(w.lose_flow(), ["failed"], "other, Proceeding");
        assert!(is_empty(&w));
        w.request("INVITE");
        let invite = w.last_sent.clone();
        w.answer(&invite, 200, "t");
        assert_eq!(w.lose_flow(), NOTHING, "INVITE, Accepted");
        assert_eq!(w.answer(&invite, 200, "u"), ["shown 200"]);
        let start = w.now;
        w.pass(start, 32_000);
        assert!(is_empty(&w));
    });
    let mut w = World::new();
    w.request("INVITE");
    let invite = w.last_sent.clone();
    w.answer(&invite, 486, "t");
    w.request("BYE");
    let bye = w.last_sent.clone();
    w.answer(&bye, 200, "t");
    assert_eq!(w.lose_flow(), NOTHING, "both Completed");
}

#[test]
fn after_the_loss_of_a_connection_responses_go_to_where_the_peer_listens() {
    for (transport, port) in [(Transport::Tcp, 5060), (Transport::Tls, 5061)] {
        let mut w = World::over(transport);
        let seen = Flow {
            remote: "192.0.2.9:40000".parse().unwrap(),
            ..w.flow()
        };
        let mut invite = incoming("INVITE", 1);
        let via = format!("SIP/2.0/{} 192.0.2.9;branch=z9hG4bK1", transport.as_str());
        invite.headers.set(sip::HeaderName::Via, via);
        w.receive_on(seen, invite);
        w.respond(180);
        assert_eq!(w.last_flow, Some(seen));
        w.table.flow_lost(w.now, seen);
        assert_eq!(w.drain(), NOTHING);
        w.respond(486);
        let remote = ([192, 0, 2, 9], port).into();
        assert_eq!(w.last_flow, Some(Flow { remote, ..seen }));
    }
}
