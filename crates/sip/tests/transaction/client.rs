//! Owns the walk through the tables of the two client machines.

use sip::{HeaderName, Message, parse_datagram};

use crate::world::{NOTHING, World, flow, flow_from, outgoing, parsed};

fn times(ms: &[u64], what: &str) -> Vec<String> {
    ms.iter().map(|ms| format!("{ms} {what}")).collect()
}

fn inviting() -> (World, sip::ClientTx, Vec<u8>) {
    let mut w = World::new();
    let (tx, seen) = w.request("INVITE");
    assert_eq!(seen, ["INVITE"]);
    let invite = w.last_sent.clone();
    (w, tx, invite)
}

fn send_ack(w: &mut World, tx: sip::ClientTx, to_tag: &str) -> Vec<String> {
    let mut ack = outgoing("ACK");
    ack.headers.set(
        HeaderName::To,
        format!("<sip:1300@example.com>;tag={to_tag}"),
    );
    let flow = flow_from("192.0.2.77:5070");
    let branch = format!("z9hG4bKack{to_tag}");
    w.table.ack(w.now, tx, flow, "192.0.2.1:5060", &branch, ack);
    w.drain()
}

#[test]
fn via_is_added_with_rport_and_branch() {
    let (w, _, invite) = inviting();
    let message = parsed(&invite);
    assert_eq!(
        message.headers.first(&HeaderName::Via),
        Some("SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKx")
    );
    assert_eq!(message.body, b"body");
    assert_eq!(w.last_flow, Some(flow()));
}

#[test]
fn invite_is_repeated_by_timer_a_until_timer_b() {
    let (mut w, _, _) = inviting();
    let start = w.now;
    let mut expected = times(&[500, 1500, 3500, 7500, 15500, 31500], "INVITE");
    expected.push("32000 timed out".into());
    assert_eq!(w.pass(start, 100_000), expected);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
}

#[test]
fn provisional_stops_the_timers_and_100_is_not_shown() {
    let (mut w, _, invite) = inviting();
    let start = w.now;
    assert_eq!(w.answer(&invite, 100, "t"), NOTHING);
    assert_eq!(w.table.timers_running(), 0);
    assert_eq!(w.answer(&invite, 180, "t"), ["shown 180"]);
    assert_eq!(
        w.answer(&invite, 180, "t2"),
        ["shown 180"],
        "of another branch"
    );
    assert_eq!(w.pass(start, 300_000), NOTHING);
    assert_eq!(w.answer(&invite, 200, "t"), ["shown 200"]);
}

#[test]
fn refusal_is_confirmed_again_for_each_copy() {
    let (mut w, tx, invite) = inviting();
    let start = w.now;
    assert_eq!(w.answer(&invite, 486, "theirs"), ["ACK", "shown 486"]);
    let ack = parsed(&w.last_sent);
    let sent = parsed(&invite);
    for name in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::CallId,
        HeaderName::Route,
    ] {
        assert_eq!(ack.headers.first(&name), sent.headers.first(&name));
    }
    assert_eq!(ack.request_uri(), sent.request_uri());
    assert_eq!(ack.to().unwrap().tag(), Some("theirs"));
    assert_eq!(ack.headers.first(&HeaderName::CSeq), Some("1 ACK"));
    assert!(ack.body.is_empty() && ack.headers.first(&HeaderName::ContentType).is_none());
    assert_eq!(w.answer(&invite, 486, "theirs"), ["ACK"]);
    assert_eq!(w.answer(&invite, 180, "theirs"), NOTHING);
    assert_eq!(
        w.answer(&invite, 200, "other"),
        NOTHING,
        "RFC 3261 figure 5"
    );
    w.table.cancel(w.now, tx);
    assert_eq!(w.drain(), NOTHING);
    assert_eq!(w.pass(start, 31_999), NOTHING);
    assert_eq!(w.table.len(), 1);
    w.pass(start, 32_000);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
}

#[test]
fn ok_is_shown_once_and_its_ack_repeated() {
    let (mut w, tx, invite) = inviting();
    let start = w.now;
    assert_eq!(w.answer(&invite, 200, "a"), ["shown 200"]);
    assert_eq!(w.answer(&invite, 200, "a"), NOTHING, "no ACK yet");
    assert_eq!(send_ack(&mut w, tx, "a"), ["ACK"]);
    let ack = w.last_sent.clone();
    assert_eq!(w.last_flow, Some(flow_from("192.0.2.77:5070")));
    assert!(
        parsed(&ack)
            .headers
            .first(&HeaderName::Via)
            .unwrap()
            .ends_with("z9hG4bKacka")
    );
    assert_eq!(w.answer(&invite, 200, "a"), ["ACK"]);
    assert_eq!(w.last_sent, ack, "to the octet");
    assert_eq!(w.last_flow, Some(flow_from("192.0.2.77:5070")));
    assert_eq!(w.answer(&invite, 486, "a"), NOTHING);
    assert_eq!(w.pass(start, 32_000), NOTHING);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
    assert_eq!(
        send_ack(&mut w, tx, "a"),
        ["ACK"],
        "a late ACK goes out all the same"
    );
}

#[test]
fn ok_of_another_branch_is_shown_and_has_its_own_ack() {
    let (mut w, tx, invite) = inviting();
    w.answer(&invite, 200, "a");
    send_ack(&mut w, tx, "a");
    assert_eq!(w.answer(&invite, 200, "b"), ["shown 200"]);
    assert_eq!(
        w.last_response.as_ref().unwrap().to().unwrap().tag(),
        Some("b")
    );
    send_ack(&mut w, tx, "b");
    assert_eq!(w.answer(&invite, 200, "b"), ["ACK"]);
    assert_eq!(parsed(&w.last_sent).to().unwrap().tag(), Some("b"));
    let shown: usize = (0..100)
        .map(|n| w.answer(&invite, 200, &format!("n{n}")).len())
        .sum();
    assert_eq!(shown, 14, "branches are bounded");
}

#[test]
fn cancel_waits_for_the_first_provisional() {
    let (mut w, tx, invite) = inviting();
    let start = w.now;
    w.table.cancel(w.now, tx);
    assert_eq!(w.drain(), NOTHING);
    assert_eq!(
        w.pass(start, 600),
        ["500 INVITE"],
        "something must provoke a response"
    );
    assert_eq!(w.answer(&invite, 100, "t"), ["CANCEL"]);
    let cancel = parsed(&w.last_sent);
    let sent = parsed(&invite);
    let kept = [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
    ];
    for name in kept.iter().chain([&HeaderName::Route]) {
        assert_eq!(cancel.headers.first(name), sent.headers.first(name));
    }
    assert_eq!(cancel.headers.first(&HeaderName::CSeq), Some("1 CANCEL"));
    assert_eq!(cancel.request_uri(), sent.request_uri());
    w.table.cancel(w.now, tx);
    assert_eq!(w.drain(), NOTHING, "once");
    let cancel = w.last_sent.clone();
    assert_eq!(w.answer(&cancel, 200, "t"), NOTHING, "not shown");
    assert_eq!(w.answer(&invite, 487, "t"), ["ACK", "shown 487"]);
    w.pass(start, 60_000);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
}

#[test]
fn cancel_while_ringing_goes_out_at_once_and_crosses_a_200() {
    let (mut w, tx, invite) = inviting();
    w.answer(&invite, 180, "t");
    w.table.cancel(w.now, tx);
    assert_eq!(w.drain(), ["CANCEL"]);
    assert_eq!(
        w.answer(&invite, 200, "t"),
        ["shown 200"],
        "the user must end it with BYE"
    );
    assert_eq!(send_ack(&mut w, tx, "t"), ["ACK"]);
}

#[test]
fn cancelled_invite_without_final_response_times_out() {
    let (mut w, tx, invite) = inviting();
    w.answer(&invite, 180, "t");
    let start = w.now;
    w.table.cancel(w.now, tx);
    w.drain();
    let cancel = w.last_sent.clone();
    w.answer(&cancel, 481, "t");
    w.pass(start, 10_000);
    assert_eq!(
        w.answer(&invite, 180, "t"),
        ["shown 180"],
        "does not prolong the wait"
    );
    assert_eq!(w.pass(start, 100_000), ["32000 timed out"]);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
}

#[test]
fn lost_cancel_is_repeated_quietly() {
    let (mut w, tx, invite) = inviting();
    w.answer(&invite, 180, "t");
    let start = w.now;
    w.table.cancel(w.now, tx);
    w.drain();
    let seen = w.pass(start, 100_000);
    let mut expected = times(
        &[
            500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500,
        ],
        "CANCEL",
    );
    expected.push("32000 timed out".into());
    assert_eq!(seen, expected);
    assert_eq!(w.table.len(), 0);
}

#[test]
fn cancel_while_calling_ends_with_timer_b_or_the_final_response() {
    let (mut w, tx, _) = inviting();
    let start = w.now;
    w.table.cancel(w.now, tx);
    let seen = w.pass(start, 100_000);
    assert_eq!(seen.last().map(String::as_str), Some("32000 timed out"));
    let (mut w, tx, invite) = inviting();
    w.table.cancel(w.now, tx);
    assert_eq!(
        w.answer(&invite, 486, "t"),
        ["ACK", "shown 486"],
        "nothing is left to cancel"
    );
}

#[test]
fn other_request_is_repeated_by_timer_e_until_timer_f() {
    let mut w = World::new();
    let start = w.now;
    w.request("OPTIONS");
    let mut expected = times(
        &[
            500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500,
        ],
        "OPTIONS",
    );
    expected.push("32000 timed out".into());
    assert_eq!(w.pass(start, 100_000), expected);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
}

#[test]
fn provisional_slows_timer_e_down_to_t2() {
    let mut w = World::new();
    let start = w.now;
    w.request("OPTIONS");
    let options = w.last_sent.clone();
    assert_eq!(w.pass(start, 600), ["500 OPTIONS"]);
    assert_eq!(w.answer(&options, 183, "t"), ["shown 183"]);
    let mut expected = times(
        &[1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500],
        "OPTIONS",
    );
    expected.push("32000 timed out".into());
    assert_eq!(w.pass(start, 100_000), expected);
}

#[test]
fn final_response_is_shown_once_and_copies_absorbed_for_t4() {
    let mut w = World::new();
    let start = w.now;
    let (tx, _) = w.request("BYE");
    let bye = w.last_sent.clone();
    assert_eq!(w.answer(&bye, 200, "t"), ["shown 200"]);
    assert_eq!(w.answer(&bye, 200, "t"), NOTHING);
    assert_eq!(w.answer(&bye, 481, "t"), NOTHING);
    w.table.cancel(w.now, tx);
    assert_eq!(w.drain(), NOTHING);
    w.pass(start, 4_999);
    assert_eq!(w.table.len(), 1);
    w.pass(start, 5_000);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
}

#[test]
fn foreign_responses_are_dropped() {
    let (mut w, _, invite) = inviting();
    let mut response = parsed(&invite).respond(200, Some("t"));
    response
        .headers
        .set(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother");
    assert_eq!(w.receive(response), NOTHING, "unknown branch");
    let mut response = parsed(&invite).respond(200, Some("t"));
    response
        .headers
        .push(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx");
    assert_eq!(w.receive(response), NOTHING, "two Vias");
    let mut response = parsed(&invite).respond(200, Some("t"));
    response.headers.set(HeaderName::CSeq, "1 BYE");
    assert_eq!(w.receive(response), NOTHING, "another method");
    assert_eq!(
        w.receive(Message::response(200, "OK")),
        NOTHING,
        "no fields at all"
    );
    assert_eq!(w.answer(&invite, 200, "t"), ["shown 200"]);
}

#[test]
fn line_ends_in_values_reach_no_socket() {
    let mut w = World::new();
    let mut request = outgoing("OPTIONS");
    request
        .headers
        .push(HeaderName::UserAgent, "x\r\nEvil: 1\r\n\r\nbody");
    w.table.request(
        w.now,
        flow(),
        "192.0.2.1\r\nEvil: 2",
        "z9hG4bKy\r\nEvil: 3",
        request,
    );
    while let Some(output) = w.table.poll() {
        let sip::Output::Send { bytes, .. } = output else {
            panic!("not a Send")
        };
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(!text.contains("\r\nEvil"), "{text}");
        let _ = parse_datagram(&bytes);
    }
}

#[test]
fn an_answer_is_known_while_its_request_is_and_the_flow_is_in_use() {
    let mut w = World::new();
    w.request("OPTIONS");
    let sent = parsed(&w.last_sent);
    let answer = sent.respond(200, Some("t"));
    assert!(w.table.knows(&answer) && w.table.uses(&flow()));
    let mut other = answer.clone();
    let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKtheirs";
    other.headers.set(HeaderName::Via, via);
    assert!(!w.table.knows(&other));
    w.receive(answer.clone());
    let start = w.now;
    w.pass(start, 40_000);
    assert!(!w.table.knows(&answer) && !w.table.uses(&flow()));
}
