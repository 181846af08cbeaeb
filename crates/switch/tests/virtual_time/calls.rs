//! Whole calls in virtual time: what each party sees, and what the journal gets.

use core::time::Duration;

use crate::world::{OFFER, World, phone, settings, trunk};
use sip::{HeaderName, Method};
use vocab::media::{MediaCommand, RecordingKey};
use vocab::{EndedBy, Fact, OfferResult, OperatorState, Outcome};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_caller_is_greeted_queued_answered_recorded_and_journaled() {
    let mut world = World::new().with_operators(1);
    let (invite, answer) = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    assert_eq!(
        World::from_of(&ring).uri.user.as_deref(),
        Some("+74242123456")
    );
    world.answer(1, &ring, 180);
    world.pass(3 * SECOND);
    let accepted = world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.pass(60 * SECOND);
    world.operator_hangs_up(1, &ring, &accepted);
    world.take_bye(trunk());
    let kinds: Vec<String> = world
        .facts
        .iter()
        .filter(|event| event.fact.call().is_some())
        .map(|event| {
            format!("{:?}", event.fact)
                .split(' ')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "CallArrived",
            "CallAnswered",
            "NoticePlayed",
            "QueueEntered",
            "OfferMade",
            "LegStarted",
            "OfferEnded",
            "QueueLeft",
            "SegmentStarted",
            "SegmentEnded",
            "CallEnded"
        ]
    );
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    let bridged = world.commands.iter().find_map(|command| match command {
        MediaCommand::Bridge { call, record, .. } => Some((*call, *record)),
        _ => None,
    });
    let (call, record) = bridged.unwrap();
    assert_eq!(record, Some(RecordingKey { call, segment: 1 }));
    let _ = (invite, answer);
    world.assert_quiet();
}

#[test]
fn the_answer_to_call_and_bye_waits_for_the_journal() {
    let mut world = World::new();
    let invite = world.invite("1300");
    world.switch.handle(
        world.now,
        switch::Input::Datagram {
            flow: crate::world::flow(trunk()),
            bytes: invite.to_bytes(),
        },
    );
    // Drive the media by hand to see the outputs themselves.
    let mut opened = None;
    while let Some(output) = world.switch.poll() {
        if let switch::Output::Media(MediaCommand::Open { call, leg }) = output {
            opened = Some(vocab::media::MediaEvent::Opened {
                call,
                leg,
                port: 4_000,
                browser: None,
            });
        }
    }
    world
        .switch
        .handle(world.now, switch::Input::Media(opened.unwrap()));
    let mut last_event = None;
    let mut answered_after = None;
    while let Some(output) = world.switch.poll() {
        match output {
            switch::Output::Record(event) => last_event = Some(event.id),
            switch::Output::Send { bytes, after, .. } if bytes.starts_with(b"SIP/2.0 200") => {
                answered_after = after;
            }
            _ => {}
        }
    }
    assert!(answered_after.is_some());
    assert_eq!(answered_after, last_event);
}

#[test]
fn a_caller_who_hangs_up_while_waiting_is_abandoned() {
    let mut world = World::new();
    let (invite, answer) = world.waiting_caller();
    world.pass(20 * SECOND);
    world.caller_hangs_up(&invite, &answer);
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn a_caller_who_hangs_up_in_the_greeting_left_early() {
    let mut world = World::new();
    world.plays_end = false;
    let (invite, answer) = world.waiting_caller();
    world.caller_hangs_up(&invite, &answer);
    assert_eq!(world.ended(), [(Outcome::AbandonedEarly, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_stops_the_ringing() {
    let mut world = World::new().with_operators(1);
    let (invite, answer) = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    world.caller_hangs_up(&invite, &answer);
    let cancel = world.request(phone(1), &Method::Cancel);
    world.send(phone(1), &cancel.respond(200, None));
    world.answer(1, &ring, 487);
    world.request(phone(1), &Method::Ack);
    assert_eq!(world.offer_results(), [OfferResult::CallerGone]);
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn an_answer_that_crosses_the_callers_bye_is_accepted_and_hung_up() {
    let mut world = World::new().with_operators(1);
    let (invite, answer) = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    world.caller_hangs_up(&invite, &answer);
    world.request(phone(1), &Method::Cancel);
    world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.take_bye(phone(1));
    assert_eq!(world.offer_results(), [OfferResult::CallerGone]);
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn busy_declining_and_dead_telephones_hand_the_call_to_the_next_operator() {
    for (status, result) in [
        (486, OfferResult::Busy),
        (600, OfferResult::Busy),
        (603, OfferResult::Rejected),
        (302, OfferResult::Rejected),
        (480, OfferResult::Unreachable),
        (500, OfferResult::Unreachable),
    ] {
        let mut world = World::new().with_operators(2);
        let (invite, answer) = world.waiting_caller();
        let ring = world.request(phone(1), &Method::Invite);
        world.answer(1, &ring, status);
        world.request(phone(1), &Method::Ack);
        let second = world.request(phone(2), &Method::Invite);
        world.answer(2, &second, 200);
        world.request(phone(2), &Method::Ack);
        world.caller_hangs_up(&invite, &answer);
        world.take_bye(phone(2));
        assert_eq!(
            world.offer_results(),
            [result, OfferResult::Answered],
            "{status}"
        );
        assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Caller)]);
        world.assert_quiet();
    }
}

#[test]
fn a_telephone_that_says_nothing_costs_the_caller_seconds_not_half_a_minute() {
    let mut world = World::new().with_operators(2);
    let (invite, answer) = world.waiting_caller();
    world.request(phone(1), &Method::Invite);
    world.pass(settings().unreachable_after);
    let second = world.request(phone(2), &Method::Invite);
    world.answer(2, &second, 200);
    world.request(phone(2), &Method::Ack);
    assert_eq!(
        world.offer_results(),
        [OfferResult::Unreachable, OfferResult::Answered]
    );
    world.caller_hangs_up(&invite, &answer);
    world.take_bye(phone(2));
    world.assert_quiet();
}

#[test]
fn an_operator_who_does_not_answer_is_passed_over_after_the_ring_time() {
    let mut world = World::new().with_operators(2);
    let (invite, answer) = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    world.pass(settings().queues[0].ring_time);
    let cancel = world.request(phone(1), &Method::Cancel);
    world.send(phone(1), &cancel.respond(200, None));
    world.answer(1, &ring, 487);
    let second = world.request(phone(2), &Method::Invite);
    world.answer(2, &second, 200);
    world.request(phone(2), &Method::Ack);
    assert_eq!(
        world.offer_results(),
        [OfferResult::NoAnswer, OfferResult::Answered]
    );
    world.caller_hangs_up(&invite, &answer);
    world.take_bye(phone(2));
    world.assert_quiet();
}

#[test]
fn no_operator_is_offered_two_calls() {
    let mut world = World::new().with_operators(1);
    let first = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    let second = world.waiting_caller();
    assert!(
        world.try_next(phone(1)).is_none(),
        "a second offer while the first rings"
    );
    let accepted = world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.pass(10 * SECOND);
    assert!(world.try_next(phone(1)).is_none(), "an offer during a talk");
    world.operator_hangs_up(1, &ring, &accepted);
    world.take_bye(trunk());
    world.pass(settings().queues[0].wrap_up.longest());
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.caller_hangs_up(&second.0, &second.1);
    world.take_bye(phone(1));
    let _ = first;
    assert_eq!(world.ended().len(), 2);
    world.assert_quiet();
}

#[test]
fn a_retransmitted_invite_makes_no_second_call() {
    let mut world = World::new();
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    world.send(trunk(), &invite);
    world.send(trunk(), &invite);
    let arrived = |world: &World| {
        world
            .facts
            .iter()
            .filter(|e| matches!(e.fact, Fact::CallArrived { .. }))
            .count()
    };
    assert_eq!(arrived(&world), 1);
    let answer = world.response(trunk());
    let ack = world.in_dialog(&invite, &answer, Method::Ack);
    world.send(trunk(), &ack);
    world.clear();
    world.caller_hangs_up(&invite, &answer);
    world.assert_quiet();
}

#[test]
fn an_ack_that_never_comes_ends_the_call_and_one_lost_does_not() {
    let mut world = World::new();
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    world.pass(40 * SECOND);
    assert_eq!(world.ended(), [(Outcome::Failed, EndedBy::Engine)]);
    world.assert_quiet();

    let mut world = World::new();
    let again = world.invite("1300");
    world.send(trunk(), &again);
    world.response(trunk());
    world.pass(SECOND);
    let repeated = world.response(trunk());
    assert_eq!(
        repeated.status(),
        Some(200),
        "the 200 is sent again until the ACK comes"
    );
    let ack = world.in_dialog(&again, &repeated, Method::Ack);
    world.send(trunk(), &ack);
    world.clear();
    world.pass(40 * SECOND);
    assert!(world.ended().is_empty());
    world.caller_hangs_up(&again, &repeated);
    let _ = (invite, answer);
    world.assert_quiet();
}

#[test]
fn cancel_before_the_answer_is_487_and_an_early_leave() {
    let mut world = World::new();
    let invite = world.invite("1300");
    world.switch.handle(
        world.now,
        switch::Input::Datagram {
            flow: crate::world::flow(trunk()),
            bytes: invite.to_bytes(),
        },
    );
    // The media plane has not answered yet, so the INVITE has no final response.
    let mut opened = None;
    while let Some(output) = world.switch.poll() {
        match output {
            switch::Output::Media(MediaCommand::Open { call, leg }) => opened = Some((call, leg)),
            switch::Output::Record(event) => world.facts.push(event),
            _ => {}
        }
    }
    let (call, leg) = opened.unwrap();
    let mut cancel = sip::Message::request(Method::Cancel, invite.request_uri().unwrap().clone());
    for name in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
    ] {
        cancel
            .headers
            .push(name.clone(), invite.headers.first(&name).unwrap());
    }
    cancel.headers.push(HeaderName::CSeq, "1 CANCEL");
    world.switch.handle(
        world.now,
        switch::Input::Datagram {
            flow: crate::world::flow(trunk()),
            bytes: cancel.to_bytes(),
        },
    );
    let mut statuses = Vec::new();
    while let Some(output) = world.switch.poll() {
        match output {
            switch::Output::Send { bytes, .. } => {
                statuses.push(String::from_utf8_lossy(&bytes[8..11]).into_owned());
            }
            switch::Output::Record(event) => world.facts.push(event),
            switch::Output::Media(_)
            | switch::Output::Tell(_)
            | switch::Output::ForgetPrompts(_)
            | switch::Output::Fetch { .. }
            | switch::Output::Resolve { .. }
            | switch::Output::ExpectName { .. } => {}
        }
    }
    statuses.sort();
    assert_eq!(statuses, ["200", "487"]);
    world.switch.handle(
        world.now,
        switch::Input::Media(vocab::media::MediaEvent::Closed {
            call,
            leg,
            counts: Default::default(),
            quality: Default::default(),
        }),
    );
    assert_eq!(world.ended(), [(Outcome::AbandonedEarly, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn unknown_numbers_full_engines_and_strangers_get_their_status() {
    let mut world = World::new();
    let invite = world.invite("5555");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(404));
    assert_eq!(world.ended(), [(Outcome::UnknownNumber, EndedBy::Engine)]);
    let ack = invite_ack(&invite);
    world.send(trunk(), &ack);

    let mut full = settings();
    full.calls_max = 0;
    let mut world = World::with(full);
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    let refused = world.response(trunk());
    assert_eq!(refused.status(), Some(503));
    assert!(refused.headers.first(&HeaderName::RetryAfter).is_some());
    assert!(world.ended().is_empty(), "a full engine makes no state");

    let mut world = World::new().with_operators(1);
    let uri = "sip:1300@198.51.100.1:5060";
    let invite = world.out_of_dialog(phone(9), Method::Invite, uri);
    world.send(phone(9), &invite);
    assert_eq!(world.response(phone(9)).status(), Some(401));
    assert_eq!(world.register(1, "wrong"), 403);
    assert_eq!(world.switch.snapshot().counts.auth_failures, 1);
}

fn invite_ack(invite: &sip::Message) -> sip::Message {
    let mut ack = sip::Message::request(Method::Ack, invite.request_uri().unwrap().clone());
    for name in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
    ] {
        ack.headers
            .push(name.clone(), invite.headers.first(&name).unwrap());
    }
    ack.headers.push(HeaderName::CSeq, "1 ACK");
    ack
}

#[test]
fn descriptions_without_common_codec_are_488_and_nonsense_is_400() {
    let g729 = OFFER.replace("8 0 101", "18");
    for (body, status) in [(g729.as_str(), 488), ("m=nonsense", 400)] {
        let mut world = World::new();
        let invite = world
            .invite("1300")
            .with_body("application/sdp", body.into());
        world.send(trunk(), &invite);
        assert_eq!(world.response(trunk()).status(), Some(status), "{body}");
        assert_eq!(world.ended(), [(Outcome::Failed, EndedBy::Engine)]);
        world.send(trunk(), &invite_ack(&invite));
        world.assert_quiet();
    }
}

/// A session description beside the data of the telephone network, as trunks send it.
fn beside_isup(description: &str, handling: &str) -> (&'static str, Vec<u8>) {
    let body = format!(
        "--b\r\nContent-Type: application/ISUP;version=itu-t92+\r\n\
         Content-Disposition: signal;handling={handling}\r\n\r\n\u{1}\u{2}\r\n\
         --b\r\nContent-Type: application/sdp\r\n\r\n{description}\r\n--b--\r\n"
    );
    ("multipart/mixed;boundary=b", body.into())
}

#[test]
fn a_description_among_other_parts_makes_a_call_and_changes_it() {
    let mut world = World::new().with_operators(1);
    let (kind, body) = beside_isup(OFFER, "optional");
    let invite = world.invite("1300").with_body(kind, body);
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    assert_eq!(answer.status(), Some(200));
    let ack = world.in_dialog(&invite, &answer, Method::Ack);
    world.send(trunk(), &ack);
    let ring = world.request(phone(1), &Method::Invite);
    world.answer_in_parts(1, &ring);
    world.request(phone(1), &Method::Ack);
    for (handling, status) in [("optional", 200), ("required", 415)] {
        let mut modify = world.in_dialog(&invite, &answer, Method::Update);
        let contact = "<sip:192.0.2.10:5060>";
        modify.headers.set(HeaderName::Contact, contact);
        let number = if status == 200 { 2 } else { 3 };
        let cseq = format!("{number} UPDATE");
        modify.headers.set(HeaderName::CSeq, cseq);
        let (kind, body) = beside_isup(OFFER, handling);
        world.send(trunk(), &modify.with_body(kind, body));
        let response = world.response(trunk());
        assert_eq!(response.status(), Some(status));
        let accept = response.headers.first(&HeaderName::Accept);
        assert_eq!(accept, (status == 415).then_some(sip::ACCEPTED_BODIES));
    }
    world.clear();
    world.caller_hangs_up(&invite, &answer);
    world.assert_quiet();
}

#[test]
fn an_unknown_body_that_must_be_understood_is_415_and_faulty_parts_are_400() {
    let (kind, body) = beside_isup(OFFER, "required");
    let cut = body[..body.len() - 8].to_vec();
    for (body, status) in [(body, 415), (cut, 400)] {
        let mut world = World::new().with_operators(1);
        let invite = world.invite("1300").with_body(kind, body);
        world.send(trunk(), &invite);
        assert_eq!(world.response(trunk()).status(), Some(status));
        world.send(trunk(), &invite_ack(&invite));
        assert_eq!(world.ended(), []);
        world.assert_quiet();
    }
}

#[test]
fn an_invite_without_description_gets_our_offer_and_the_ack_has_the_answer() {
    let mut world = World::new().with_operators(1);
    let uri = "sip:1300@198.51.100.1:5060";
    let invite = world.out_of_dialog(trunk(), Method::Invite, uri);
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    assert!(String::from_utf8_lossy(&answer.body).contains("m=audio"));
    let ack = world.in_dialog(&invite, &answer, Method::Ack);
    world.send(trunk(), &ack.with_body("application/sdp", OFFER.into()));
    let remote = world.commands.iter().find_map(|command| match command {
        MediaCommand::SetRemote { remote, .. } => Some(remote.address),
        _ => None,
    });
    assert_eq!(remote, Some("192.0.2.10:4000".parse().unwrap()));
    world.clear();
    world.caller_hangs_up(&invite, &answer);
    world.assert_quiet();
}

#[test]
fn a_caller_on_hold_is_sent_nothing_and_comes_back() {
    let mut world = World::new().with_operators(1);
    let (invite, answer) = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    for (direction, sends) in [("a=sendonly", false), ("a=sendrecv", true)] {
        let mut hold = world.in_dialog(&invite, &answer, Method::Invite);
        hold.headers
            .set(HeaderName::Contact, "<sip:192.0.2.10:5060>");
        let number = if sends { 3 } else { 2 };
        hold.headers
            .set(HeaderName::CSeq, format!("{number} INVITE"));
        let hold = hold.with_body("application/sdp", format!("{OFFER}{direction}\r\n").into());
        world.send(trunk(), &hold);
        let held = world.response(trunk());
        assert_eq!(held.status(), Some(200));
        let ack = world.in_dialog(&hold, &held, Method::Ack);
        world.send(trunk(), &ack);
        let last = world
            .commands
            .iter()
            .rev()
            .find_map(|command| match command {
                MediaCommand::SetRemote { remote, .. } => Some(remote.send),
                _ => None,
            });
        assert_eq!(last, Some(sends), "{direction}");
    }
    let mut bye = world.in_dialog(&invite, &answer, Method::Bye);
    bye.headers.set(HeaderName::CSeq, "4 BYE");
    world.send(trunk(), &bye);
    assert_eq!(world.response(trunk()).status(), Some(200));
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn an_invite_without_contact_is_refused_and_leaves_nothing() {
    let mut world = World::new();
    let mut invite = world.invite("1300");
    invite.headers.remove(&HeaderName::Contact);
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(400));
    world.send(trunk(), &invite_ack(&invite));
    assert!(world.facts.iter().all(|event| event.fact.call().is_none()));
    world.assert_quiet();
}

#[test]
fn a_new_password_or_a_removal_ends_the_registration() {
    let mut world = World::new().with_operators(2);
    let mut operators = crate::world::operators(2);
    operators.remove(1);
    operators[0].secrets = sip::Secrets::new("op1", "hotline", "changed");
    world.input(switch::Input::Operators(operators));
    let states: Vec<OperatorState> = world
        .switch
        .snapshot()
        .operators
        .iter()
        .map(|operator| operator.state)
        .collect();
    assert_eq!(states, [OperatorState::Unreachable]);
    assert_eq!(world.register(1, "secret"), 403);
    assert_eq!(world.register(2, "secret"), 403);
    assert_eq!(world.register(1, "changed"), 200);
}

#[test]
fn the_longest_wait_ends_with_a_time_out() {
    let mut settings = settings();
    settings.queues[0].wait_max = Some(30 * SECOND);
    let mut world = World::with(settings);
    world.waiting_caller();
    world.pass(31 * SECOND);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::TimedOut, EndedBy::Engine)]);
    world.assert_quiet();
}

#[test]
fn a_stop_ends_every_call_and_takes_no_new_one() {
    let mut world = World::new().with_operators(1);
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.waiting_caller();
    world.input(switch::Input::Stop);
    world.take_bye(trunk());
    world.take_bye(trunk());
    world.take_bye(phone(1));
    assert_eq!(
        world.ended(),
        [
            (Outcome::Answered, EndedBy::Engine),
            (Outcome::Interrupted, EndedBy::Engine)
        ]
    );
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(503));
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let run = || {
        let mut world = World::new().with_operators(2);
        world.waiting_caller();
        let ring = world.request(phone(1), &Method::Invite);
        world.answer(1, &ring, 486);
        world.pass(5 * SECOND);
        let next = world.next(phone(2));
        format!("{:?}{next:?}", world.facts)
    };
    assert_eq!(run(), run());
}
