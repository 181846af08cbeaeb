//! Owns the walk through the tables of the two server machines.

use sip::{HeaderName, Message};

use crate::world::{NOTHING, World, flow, flow_from, incoming, incoming_ack, parsed};

fn invited() -> World {
    let mut w = World::new();
    assert_eq!(
        w.receive(incoming("INVITE", 1)),
        ["100 INVITE", "shown INVITE"]
    );
    w
}

fn cancel(number: u32) -> Message {
    incoming("CANCEL", number)
}

#[test]
fn invite_proceeding_answers_copies_with_the_last_provisional() {
    let mut w = invited();
    assert_eq!(w.receive(incoming("INVITE", 1)), ["100 INVITE"]);
    assert_eq!(w.respond(100), NOTHING, "sent already");
    assert_eq!(w.respond(180), ["180 INVITE first"]);
    assert_eq!(w.receive(incoming("INVITE", 1)), ["180 INVITE"]);
    assert_eq!(w.respond(183), ["183 INVITE first"]);
    assert_eq!(w.receive(incoming("INVITE", 1)), ["183 INVITE"]);
    assert_eq!(w.receive(incoming_ack(1, "ours", "z9hG4bK1")), NOTHING);
    assert_eq!(w.table.len(), 1);
}

#[test]
fn provisional_is_repeated_each_minute_while_ringing_lasts() {
    let mut w = invited();
    let start = w.now;
    assert_eq!(w.table.next_deadline(), None, "100 is not repeated");
    w.respond(180);
    assert_eq!(
        w.pass(start, 130_000),
        ["60000 180 INVITE", "120000 180 INVITE"]
    );
}

#[test]
fn refusal_is_repeated_by_timer_g_until_timer_h() {
    let mut w = invited();
    let start = w.now;
    assert_eq!(w.respond(486), ["486 INVITE first"]);
    assert_eq!(w.respond(200), NOTHING, "one final only");
    assert_eq!(w.receive(incoming("INVITE", 1)), ["486 INVITE"]);
    let times: Vec<String> = [
        500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500,
    ]
    .map(|ms| format!("{ms} 486 INVITE"))
    .to_vec();
    assert_eq!(w.pass(start, 60_000), times);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
}

#[test]
fn ack_for_a_refusal_is_absorbed_with_its_copies_for_t4() {
    let mut w = invited();
    let start = w.now;
    w.respond(486);
    assert_eq!(w.receive(incoming_ack(1, "ours", "z9hG4bK1")), NOTHING);
    assert_eq!(w.table.timers_running(), 1, "timer I alone");
    assert_eq!(w.receive(incoming_ack(1, "ours", "z9hG4bK1")), NOTHING);
    assert_eq!(w.receive(incoming("INVITE", 1)), NOTHING);
    assert_eq!(w.respond(200), NOTHING);
    assert_eq!(w.pass(start, 4_999), NOTHING);
    assert_eq!(w.table.len(), 1);
    w.pass(start, 5_000);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
}

#[test]
fn ok_is_repeated_until_its_ack_of_another_branch() {
    let mut w = invited();
    let start = w.now;
    assert_eq!(w.respond(200), ["200 INVITE first"]);
    assert_eq!(
        w.receive(incoming("INVITE", 1)),
        NOTHING,
        "it has its own schedule"
    );
    assert_eq!(
        w.pass(start, 4_000),
        ["500 200 INVITE", "1500 200 INVITE", "3500 200 INVITE"]
    );
    assert_eq!(
        w.receive(incoming_ack(1, "other", "z9hG4bKack")),
        NOTHING,
        "of no dialog of ours"
    );
    assert_eq!(
        w.receive(incoming_ack(1, "ours", "z9hG4bKack")),
        ["shown ACK"]
    );
    assert_eq!(
        w.receive(incoming_ack(1, "ours", "z9hG4bKack")),
        NOTHING,
        "once"
    );
    assert_eq!(w.receive(incoming("INVITE", 1)), NOTHING, "RFC 6026");
    assert_eq!(w.pass(start, 31_999), NOTHING);
    assert_eq!(w.table.len(), 1);
    assert_eq!(w.pass(start, 32_000), NOTHING);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
}

#[test]
fn ok_without_ack_is_reported_after_32_seconds() {
    let mut w = invited();
    let start = w.now;
    w.respond(200);
    let seen = w.pass(start, 60_000);
    assert_eq!(seen.len(), 11, "{seen:?}");
    assert_eq!(seen.last().map(String::as_str), Some("32000 ack missing"));
    assert_eq!(seen[9], "31500 200 INVITE");
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
    assert_eq!(
        w.receive(incoming_ack(1, "ours", "z9hG4bKack")),
        NOTHING,
        "too late"
    );
}

#[test]
fn ack_for_ok_with_the_branch_of_the_invite_is_understood() {
    let mut w = invited();
    w.respond(200);
    assert_eq!(
        w.receive(incoming_ack(1, "ours", "z9hG4bK1")),
        ["shown ACK"]
    );
}

#[test]
fn cancel_is_answered_and_shown_once() {
    let mut w = invited();
    w.respond(180);
    assert_eq!(w.receive(cancel(1)), ["200 CANCEL", "cancelled"]);
    let tag = parsed(&w.last_sent).to().unwrap().tag().unwrap().to_owned();
    assert_eq!(tag, "ours", "the tag of the 180");
    assert_eq!(w.receive(cancel(1)), ["200 CANCEL"]);
    assert_eq!(w.respond(487), ["487 INVITE first"]);
    assert_eq!(w.receive(cancel(1)), ["200 CANCEL"]);
    w.receive(incoming_ack(1, "ours", "z9hG4bK1"));
    assert_eq!(w.receive(cancel(1)), ["200 CANCEL"]);
}

#[test]
fn late_cancel_after_200_is_answered_without_effect() {
    let mut w = invited();
    w.respond(200);
    assert_eq!(w.receive(cancel(1)), ["200 CANCEL"]);
    w.receive(incoming_ack(1, "ours", "z9hG4bKack"));
    assert_eq!(w.receive(cancel(1)), ["200 CANCEL"]);
}

#[test]
fn cancel_of_nothing_is_481() {
    let mut w = World::new();
    assert_eq!(w.receive(cancel(1)), ["481 CANCEL"]);
    assert!(parsed(&w.last_sent).to().unwrap().tag().is_some());
    w.receive(incoming("OPTIONS", 1));
    assert_eq!(
        w.receive(cancel(1)),
        ["481 CANCEL"],
        "only INVITEs can be cancelled"
    );
    assert_eq!(w.table.len(), 1);
}

#[test]
fn unmatched_ack_is_dropped() {
    let mut w = World::new();
    assert_eq!(w.receive(incoming_ack(1, "x", "z9hG4bKack")), NOTHING);
    assert_eq!(w.table.len(), 0);
}

#[test]
fn other_request_walks_through_its_table() {
    let mut w = World::new();
    assert_eq!(w.receive(incoming("OPTIONS", 1)), ["shown OPTIONS"]);
    let start = w.now;
    assert_eq!(w.receive(incoming("OPTIONS", 1)), NOTHING, "Trying");
    assert_eq!(w.respond(183), ["183 OPTIONS first"]);
    assert_eq!(
        w.receive(incoming("OPTIONS", 1)),
        ["183 OPTIONS"],
        "Proceeding"
    );
    assert_eq!(w.respond(200), ["200 OPTIONS first"]);
    assert_eq!(w.respond(500), NOTHING, "Completed");
    assert_eq!(w.receive(incoming("OPTIONS", 1)), ["200 OPTIONS"]);
    assert_eq!(w.pass(start, 31_999), NOTHING);
    assert_eq!(w.table.len(), 1);
    w.pass(start, 32_000);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
    assert_eq!(
        w.receive(incoming("OPTIONS", 1)),
        ["shown OPTIONS"],
        "a new one"
    );
}

#[test]
fn unanswered_request_is_forgotten_after_timer_f_of_the_peer() {
    let mut w = World::new();
    w.receive(incoming("OPTIONS", 1));
    let start = w.now;
    assert_eq!(w.pass(start, 32_000), NOTHING);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
    assert_eq!(w.respond(200), NOTHING);
}

#[test]
fn challenged_stranger_leaves_no_state() {
    let mut w = World::new();
    w.receive(incoming("REGISTER", 1));
    let (tx, request) = w.last_request.clone().unwrap();
    w.table
        .respond_stateless(tx, &request.respond(401, Some("t")));
    assert_eq!(w.drain(), ["401 REGISTER first"]);
    assert_eq!((w.table.len(), w.table.timers_running()), (0, 0));
    assert_eq!(w.receive(incoming("REGISTER", 1)), ["shown REGISTER"]);
}

#[test]
fn merged_request_is_482_and_a_new_one_in_the_dialog_is_not() {
    let mut w = invited();
    let mut merged = incoming("INVITE", 1);
    merged
        .headers
        .set(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother");
    assert_eq!(
        w.receive(merged.clone()),
        ["100 INVITE", "482 INVITE first"]
    );
    assert_eq!(w.receive(merged.clone()), ["482 INVITE"], "a copy");
    merged
        .headers
        .set(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKthird");
    merged
        .headers
        .set(HeaderName::To, "<sip:1300@example.com>;tag=ours");
    assert_eq!(w.receive(merged), ["100 INVITE", "shown INVITE"]);
}

#[test]
fn second_attempt_with_the_old_cseq_after_a_challenge_is_not_merged() {
    let mut w = World::new();
    w.receive(incoming("REGISTER", 1));
    w.respond(401);
    let mut again = incoming("REGISTER", 1);
    again.headers.set(
        HeaderName::Via,
        "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKsecond",
    );
    assert_eq!(w.receive(again), ["shown REGISTER"]);
}

#[test]
fn same_branch_of_another_sender_or_method_is_another_transaction() {
    let mut w = invited();
    let mut other = incoming("INVITE", 2);
    other.headers.set(
        HeaderName::Via,
        "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1",
    );
    assert_eq!(w.receive(other), ["100 INVITE", "shown INVITE"]);
    assert_eq!(w.receive(incoming("OPTIONS", 1)), ["shown OPTIONS"]);
    let mut copy = incoming("INVITE", 1);
    copy.headers
        .set(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=Z9HG4BK1");
    assert_eq!(
        w.receive(copy),
        ["100 INVITE"],
        "tokens are compared without case"
    );
}

#[test]
fn requests_of_rfc_2543_are_matched_without_a_branch() {
    let old = |method: &str| {
        let mut request = incoming(method, 1);
        request
            .headers
            .set(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9:5060");
        request
    };
    let mut w = World::new();
    assert_eq!(w.receive(old("INVITE")), ["100 INVITE", "shown INVITE"]);
    assert_eq!(w.receive(old("INVITE")), ["100 INVITE"]);
    assert_eq!(w.receive(old("CANCEL")), ["200 CANCEL", "cancelled"]);
    let start = w.now;
    w.respond(487);
    let mut ack = old("ACK");
    ack.headers
        .set(HeaderName::To, "<sip:1300@example.com>;tag=ours");
    w.receive(ack);
    assert_eq!(w.pass(start, 5_000), NOTHING, "the ACK stopped timer G");
    assert_eq!(w.table.len(), 0);
    let mut next = old("INVITE");
    next.headers.set(HeaderName::CSeq, "2 INVITE");
    assert_eq!(w.receive(next), ["100 INVITE", "shown INVITE"]);
    w.respond(200);
    let mut ack = old("ACK");
    ack.headers.set(HeaderName::CSeq, "2 ACK");
    ack.headers
        .set(HeaderName::To, "<sip:1300@example.com>;tag=ours");
    assert_eq!(w.receive(ack), ["shown ACK"]);
}

#[test]
fn full_table_answers_503_without_state_but_lets_calls_end() {
    let mut w = World::with_limit(4);
    for number in 0..4 {
        assert_eq!(w.receive(incoming("OPTIONS", number)), ["shown OPTIONS"]);
    }
    assert_eq!(w.receive(incoming("INVITE", 10)), ["503 INVITE"]);
    let response = parsed(&w.last_sent);
    assert_eq!(response.headers.first(&HeaderName::RetryAfter), Some("5"));
    assert!(response.to().unwrap().tag().is_some());
    let tag = response.to().unwrap().tag().unwrap().to_owned();
    w.receive(incoming("INVITE", 10));
    assert_eq!(parsed(&w.last_sent).to().unwrap().tag(), Some(tag.as_str()));
    assert_eq!(w.receive(incoming_ack(10, &tag, "z9hG4bK10")), NOTHING);
    assert_eq!(w.table.len(), 4);
    let bye = |number| {
        let mut bye = incoming("BYE", number);
        bye.headers
            .set(HeaderName::To, "<sip:1300@example.com>;tag=ours");
        bye
    };
    assert_eq!(
        w.receive(bye(20)),
        ["shown BYE"],
        "a quarter is kept for dialogs"
    );
    assert_eq!(w.receive(bye(21)), ["503 BYE"]);
    assert_eq!(
        w.receive(incoming("OPTIONS", 0)),
        NOTHING,
        "a copy is still known"
    );
}

#[test]
fn stalled_loop_does_not_burst_retransmissions() {
    let mut w = invited();
    w.respond(486);
    w.now = w.now + std::time::Duration::from_secs(20);
    w.table.handle_timeout(w.now);
    assert_eq!(w.drain(), ["486 INVITE"]);
    assert!(w.table.next_deadline().unwrap() > w.now);
}

#[test]
fn what_belongs_to_a_transaction_is_known_and_nothing_else() {
    let mut w = World::new();
    let invite = incoming("INVITE", 1);
    assert!(!w.table.knows(&invite));
    w.receive(invite.clone());
    assert!(w.table.knows(&invite), "a copy");
    assert!(w.table.knows(&incoming("CANCEL", 1)));
    assert!(!w.table.knows(&incoming("CANCEL", 2)));
    assert!(!w.table.knows(&incoming("BYE", 1)));
    let ack = incoming_ack(1, "ours", "z9hG4bKown");
    assert!(!w.table.knows(&ack), "nothing was accepted");
    let (tx, request) = w.last_request.clone().unwrap();
    let accepted = request.respond(200, Some("ours"));
    w.table.respond(w.now, tx, accepted);
    w.drain();
    assert!(w.table.knows(&ack));
    assert!(!w.table.knows(&incoming_ack(1, "other", "z9hG4bKown")));
    // A BYE of that branch is no ACK.
    let mut bye = ack;
    bye.headers.set(HeaderName::CSeq, "1 BYE");
    assert!(!w.table.knows(&bye));
}

#[test]
fn call_ids_of_invites_are_remembered_as_long_as_they_are() {
    let mut w = World::new();
    w.receive(incoming("INVITE", 1));
    w.respond(486);
    w.receive(incoming("OPTIONS", 2));
    let invited = |w: &World| w.table.invited().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(invited(&w), ["call1@192.0.2.9"]);
    assert!(w.table.uses(&flow()) && !w.table.uses(&flow_from("192.0.2.10:5060")));
    let start = w.now;
    w.pass(start, 40_000);
    assert_eq!(invited(&w), [""; 0]);
    assert!(!w.table.uses(&flow()));
}
