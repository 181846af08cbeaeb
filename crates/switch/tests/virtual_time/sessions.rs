//! Sessions of callers and operators in virtual time: early media, reliable provisional answers,
//! session timers, offers that meet, hold, and what is refused.

use core::net::SocketAddr;
use core::time::Duration;

use crate::world::session::{ask, body, described, end, field, kinds, talk};
use crate::world::{OFFER, World, phone, settings, trunk};
use sip::{HeaderName, Message, Method};
use vocab::media::MediaCommand;
use vocab::{EndedBy, Outcome};

const SECOND: Duration = Duration::from_secs(1);

/// The caller hears the greeting and waits before the call is answered; an operator answers it.
const EARLY: &str = r#"
name = "early"
numbers = ["1300"]
languages = ["en"]

[[step]]
say = { name = "greeting", notice = true, text = { en = "Calls are recorded." } }

[[step]]
queue = { name = "operators", music = "music/waiting.wav" }

[[step]]
hangup = {}
"#;

fn early() -> World {
    World::with_plan(settings(), EARLY).with_operators(1)
}

// Before the answer.

#[test]
fn a_caller_hears_the_greeting_and_waits_before_an_operator_answers_the_call() {
    let mut world = early();
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    let progress = world.response(trunk());
    assert_eq!(progress.status(), Some(183));
    assert!(body(&progress).contains("m=audio"));
    assert_eq!(field(&progress, &HeaderName::RSeq), "-");
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    world.pass(5 * SECOND);
    assert!(world.try_next(trunk()).is_none(), "one 183 is enough");
    let operator = world.answer(1, &ring, 200);
    let answer = world.response(trunk());
    assert_eq!(answer.status(), Some(200));
    assert_eq!(body(&answer), body(&progress), "the same answer again");
    let caller = (invite, answer);
    let ack = ask(&mut world, &caller, Method::Ack, 1);
    world.send(trunk(), &ack);
    assert_eq!(
        kinds(&world),
        [
            "CallArrived",
            "NoticePlayed",
            "QueueEntered",
            "OfferMade",
            "LegStarted",
            "OfferEnded",
            "QueueLeft",
            "SegmentStarted",
            "CallAnswered",
        ]
    );
    world.clear();
    world.operator_hangs_up(1, &ring, &operator);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.assert_quiet();
}

#[test]
fn a_caller_who_gives_up_in_early_media_is_abandoned() {
    let mut world = early();
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    world.response(trunk());
    let mut cancel = Message::request(Method::Cancel, invite.request_uri().unwrap().clone());
    for name in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
    ] {
        cancel.headers.push(name.clone(), field(&invite, &name));
    }
    cancel.headers.push(HeaderName::CSeq, "1 CANCEL");
    world.send(trunk(), &cancel);
    assert_eq!(world.response(trunk()).status(), Some(200));
    assert_eq!(world.response(trunk()).status(), Some(487));
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn a_caller_without_offer_and_without_prack_is_answered_before_it_is_spoken_to() {
    let mut world = early();
    let uri = "sip:1300@198.51.100.1:5060";
    let invite = world.out_of_dialog(trunk(), Method::Invite, uri);
    world.send(trunk(), &invite);
    let mut answer = world.response(trunk());
    if answer.status() == Some(180) {
        answer = world.response(trunk());
    }
    assert_eq!(answer.status(), Some(200));
    assert!(!kinds(&world).contains(&"NoticePlayed".to_owned()));
    let caller = (invite, answer);
    let ack = ask(&mut world, &caller, Method::Ack, 1);
    world.send(trunk(), &described(ack, OFFER));
    assert_eq!(
        kinds(&world)[..4],
        [
            "CallArrived",
            "CallAnswered",
            "NoticePlayed",
            "QueueEntered"
        ]
    );
    world.clear();
    world.caller_hangs_up(&caller.0, &caller.1);
    world.assert_quiet();
}

fn requiring_100rel(mut invite: Message) -> Message {
    invite.headers.push(HeaderName::Require, "100rel");
    invite
}

fn prack(world: &mut World, invite: &Message, progress: &Message, number: u32) -> Message {
    let pair = (invite.clone(), progress.clone());
    let mut prack = ask(world, &pair, Method::Prack, number);
    let rack = format!("{} 1 INVITE", field(progress, &HeaderName::RSeq));
    prack.headers.push(HeaderName::RAck, rack);
    prack
}

#[test]
fn a_reliable_progress_is_repeated_until_its_prack_and_not_described_twice() {
    let mut world = early();
    let invite = requiring_100rel(world.invite("1300"));
    world.send(trunk(), &invite);
    let progress = world.response(trunk());
    assert_eq!(progress.status(), Some(183));
    assert!(progress.headers.lists(&HeaderName::Require, "100rel"));
    world.pass(2 * SECOND);
    for _ in 0..2 {
        assert_eq!(world.response(trunk()), progress, "at 0.5 and 1.5 s");
    }
    let acknowledged = prack(&mut world, &invite, &progress, 2);
    world.send(trunk(), &acknowledged);
    assert_eq!(world.response(trunk()).status(), Some(200));
    // A PRACK of nothing that is out.
    let again = prack(&mut world, &invite, &progress, 3);
    world.send(trunk(), &again);
    assert_eq!(world.response(trunk()).status(), Some(481));
    world.pass(SECOND);
    assert!(world.try_next(trunk()).is_none());
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 200);
    let answer = world.response(trunk());
    assert_eq!((answer.status(), body(&answer).as_str()), (Some(200), ""));
    let caller = (invite, answer);
    let ack = ask(&mut world, &caller, Method::Ack, 1);
    world.send(trunk(), &ack);
    world.clear();
    end(&mut world, &caller, 4);
}

#[test]
fn an_answer_waits_for_the_prack_of_the_description_before_it() {
    let mut world = early();
    let invite = requiring_100rel(world.invite("1300"));
    world.send(trunk(), &invite);
    let progress = world.response(trunk());
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 200);
    assert!(world.try_next(trunk()).is_none(), "no 200 before the PRACK");
    let acknowledged = prack(&mut world, &invite, &progress, 2);
    world.send(trunk(), &acknowledged);
    let statuses = [world.response(trunk()), world.response(trunk())];
    let mut of: Vec<String> = statuses
        .iter()
        .map(|response| {
            format!(
                "{} {}",
                response.status().unwrap(),
                response.cseq().unwrap().method
            )
        })
        .collect();
    of.sort();
    assert_eq!(of, ["200 INVITE", "200 PRACK"]);
    let answer = statuses
        .into_iter()
        .find(|response| response.cseq().unwrap().method == Method::Invite);
    let caller = (invite, answer.unwrap());
    let ack = ask(&mut world, &caller, Method::Ack, 1);
    world.send(trunk(), &ack);
    world.clear();
    end(&mut world, &caller, 4);
}

#[test]
fn a_progress_without_prack_ends_the_call_with_504() {
    let mut world = early();
    let invite = requiring_100rel(world.invite("1300"));
    world.send(trunk(), &invite);
    world.response(trunk());
    world.pass(33 * SECOND);
    let last = loop {
        let response = world.response(trunk());
        if response.status() != Some(183) {
            break response.status();
        }
    };
    assert_eq!(last, Some(504));
    assert_eq!(world.ended(), [(Outcome::Failed, EndedBy::Engine)]);
    world.assert_quiet();
}

#[test]
fn a_late_offer_goes_in_a_reliable_progress_and_the_prack_has_the_answer() {
    let mut world = early();
    let uri = "sip:1300@198.51.100.1:5060";
    let invite = world.out_of_dialog(trunk(), Method::Invite, uri);
    let invite = requiring_100rel(invite);
    world.send(trunk(), &invite);
    let progress = world.response(trunk());
    assert_eq!(progress.status(), Some(183));
    assert!(body(&progress).contains("m=audio"), "our offer");
    assert!(
        !kinds(&world).contains(&"NoticePlayed".to_owned()),
        "nobody hears it yet"
    );
    let answered = prack(&mut world, &invite, &progress, 2);
    world.send(trunk(), &described(answered, OFFER));
    assert_eq!(world.response(trunk()).status(), Some(200));
    assert_eq!(
        kinds(&world)[..3],
        ["CallArrived", "NoticePlayed", "QueueEntered"]
    );
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 200);
    let answer = world.response(trunk());
    assert_eq!((answer.status(), body(&answer).as_str()), (Some(200), ""));
    let caller = (invite, answer);
    let ack = ask(&mut world, &caller, Method::Ack, 1);
    world.send(trunk(), &ack);
    world.clear();
    end(&mut world, &caller, 4);
}

#[test]
fn an_offer_of_the_caller_before_its_first_one_is_answered_is_500_with_a_time() {
    let mut world = early();
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    let progress = world.response(trunk());
    let pair = (invite.clone(), progress);
    let update = ask(&mut world, &pair, Method::Update, 2);
    world.send(trunk(), &described(update, OFFER));
    let refused = world.response(trunk());
    assert_eq!(refused.status(), Some(500));
    let wait: u32 = field(&refused, &HeaderName::RetryAfter).parse().unwrap();
    assert!(wait <= 10);
    // Without an offer it is only a sign of life.
    let update = ask(&mut world, &pair, Method::Update, 3);
    world.send(trunk(), &update);
    assert_eq!(world.response(trunk()).status(), Some(200));
    let bye = ask(&mut world, &pair, Method::Bye, 4);
    world.send(trunk(), &bye);
    world.assert_quiet();
}

// What is required, forwarded and not known.

#[test]
fn only_extensions_that_are_not_known_are_refused_and_named() {
    let mut world = World::new();
    let mut invite = world.invite("1300");
    invite.headers.push(HeaderName::Require, "100rel, foo");
    invite.headers.push(HeaderName::Require, "bar");
    world.send(trunk(), &invite);
    let refused = world.response(trunk());
    assert_eq!(refused.status(), Some(420));
    assert_eq!(field(&refused, &HeaderName::Unsupported), "foo, bar");
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    let mut bye = ask(&mut world, &caller, Method::Bye, 2);
    bye.headers.push(HeaderName::Require, "foo");
    world.send(trunk(), &bye);
    let refused = world.response(trunk());
    assert_eq!(refused.status(), Some(420));
    assert_eq!(field(&refused, &HeaderName::Unsupported), "foo");
    end(&mut world, &caller, 3);
}

#[test]
fn a_call_that_must_not_be_forwarded_is_483_and_others_are_forwarded_once_less() {
    let mut world = World::new().with_operators(1);
    let mut spent = world.invite("1300");
    spent.headers.set(HeaderName::MaxForwards, "0");
    world.send(trunk(), &spent);
    assert_eq!(world.response(trunk()).status(), Some(483));
    world.clear();
    let mut invite = world.invite("1300");
    invite.headers.set(HeaderName::MaxForwards, "12");
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    let caller = (invite, answer);
    let ack = ask(&mut world, &caller, Method::Ack, 1);
    world.send(trunk(), &ack);
    let ring = world.request(phone(1), &Method::Invite);
    assert_eq!(ring.max_forwards(), Some(11));
    world.clear();
    world.caller_hangs_up(&caller.0, &caller.1);
    world.pass(40 * SECOND);
    world.assert_quiet();
}

#[test]
fn keys_by_info_are_taken_in_both_kinds_and_others_are_told_what_we_know() {
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    let cases = [
        (
            "application/dtmf-relay",
            "Signal=5\r\nDuration=160\r\n",
            200,
        ),
        ("application/dtmf", "5", 200),
        ("text/plain", "5", 415),
    ];
    for (number, (kind, text, status)) in (2..).zip(cases) {
        let info = ask(&mut world, &caller, Method::Info, number);
        world.send(trunk(), &info.with_body(kind, text.into()));
        let answer = world.response(trunk());
        assert_eq!(answer.status(), Some(status), "{kind}");
        if status == 415 {
            assert!(field(&answer, &HeaderName::Accept).contains("application/dtmf-relay"));
        }
    }
    let mut packaged = ask(&mut world, &caller, Method::Info, 5);
    packaged
        .headers
        .push(HeaderName::parse("Info-Package"), "foo");
    world.send(trunk(), &packaged);
    let refused = world.response(trunk());
    assert_eq!(refused.status(), Some(469));
    assert_eq!(
        refused.headers.first(&HeaderName::parse("Recv-Info")),
        Some("")
    );
    end(&mut world, &caller, 6);
}

// Session timers.

fn with_timer(mut invite: Message, expires: &str) -> Message {
    invite.headers.push(HeaderName::Supported, "timer");
    invite.headers.push(HeaderName::SessionExpires, expires);
    invite
}

/// A caller with these fields waits in the queue.
fn waiting(world: &mut World, invite: Message) -> (Message, Message) {
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    assert_eq!(answer.status(), Some(200));
    let caller = (invite, answer);
    let ack = ask(world, &caller, Method::Ack, 1);
    world.send(trunk(), &ack);
    world.clear();
    caller
}

#[test]
fn a_caller_who_does_not_refresh_as_agreed_is_hung_up_on() {
    let mut world = World::new();
    let invite = with_timer(world.invite("1300"), "90;refresher=uac");
    let caller = waiting(&mut world, invite);
    assert_eq!(
        field(&caller.1, &HeaderName::SessionExpires),
        "90;refresher=uac"
    );
    assert!(caller.1.headers.lists(&HeaderName::Require, "timer"));
    world.pass(50 * SECOND);
    let update = with_timer(
        ask(&mut world, &caller, Method::Update, 2),
        "90;refresher=uac",
    );
    world.send(trunk(), &update);
    let refreshed = world.response(trunk());
    assert_eq!(refreshed.status(), Some(200));
    assert_eq!(
        field(&refreshed, &HeaderName::SessionExpires),
        "90;refresher=uac"
    );
    assert!(refreshed.body.is_empty());
    world.pass(59 * SECOND);
    assert!(world.try_next(trunk()).is_none());
    world.pass(2 * SECOND);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Engine)]);
    world.assert_quiet();
}

#[test]
fn a_session_too_short_for_us_is_422_with_what_we_take() {
    let mut strict = settings();
    strict.session_timer.min_s = 120;
    let mut world = World::with(strict);
    let invite = with_timer(world.invite("1300"), "90");
    world.send(trunk(), &invite);
    let refused = world.response(trunk());
    assert_eq!(refused.status(), Some(422));
    assert_eq!(field(&refused, &HeaderName::MinSe), "120");
    assert!(world.ended().is_empty(), "no state is made");
}

#[test]
fn we_refresh_by_update_where_the_caller_takes_it_and_end_what_is_gone() {
    let mut world = World::new();
    let mut invite = with_timer(world.invite("1300"), "1800;refresher=uas");
    invite
        .headers
        .push(HeaderName::Allow, "INVITE, ACK, BYE, CANCEL, UPDATE");
    let caller = waiting(&mut world, invite);
    world.pass(900 * SECOND);
    let update = world.request(trunk(), &Method::Update);
    assert!(update.body.is_empty());
    assert_eq!(
        field(&update, &HeaderName::SessionExpires),
        "1800;refresher=uac"
    );
    let mut ok = update.respond(200, None);
    ok.headers
        .push(HeaderName::SessionExpires, "1800;refresher=uac");
    world.send(trunk(), &ok);
    world.pass(900 * SECOND);
    let update = world.request(trunk(), &Method::Update);
    world.send(trunk(), &update.respond(481, None));
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Engine)]);
    let _ = caller;
    world.assert_quiet();
}

#[test]
fn we_refresh_by_the_same_description_where_update_is_not_known() {
    let mut world = World::new();
    let invite = world.invite("1300");
    let caller = waiting(&mut world, invite);
    assert_eq!(
        field(&caller.1, &HeaderName::SessionExpires),
        "1800;refresher=uas"
    );
    world.pass(900 * SECOND);
    let again = world.request(trunk(), &Method::Invite);
    assert_eq!(body(&again), body(&caller.1), "not even another version");
    let mut ok = again.respond(200, None);
    ok.headers
        .push(HeaderName::Contact, format!("<sip:{}>", trunk()));
    world.send(trunk(), &described(ok, OFFER));
    world.request(trunk(), &Method::Ack);
    // Refused, but not gone: the peer lives.
    world.pass(900 * SECOND);
    let again = world.request(trunk(), &Method::Invite);
    world.send(trunk(), &again.respond(488, None));
    world.request(trunk(), &Method::Ack);
    world.pass(800 * SECOND);
    assert!(world.ended().is_empty());
    // Silent: gone.
    world.pass(200 * SECOND);
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Engine)]);
    world.assert_quiet();
}

#[test]
fn the_operator_is_refreshed_too_and_a_vanished_one_ends_the_talk() {
    let mut world = World::new().with_operators(1);
    let caller = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    assert_eq!(field(&ring, &HeaderName::SessionExpires), "1800");
    assert!(ring.headers.lists(&HeaderName::Supported, "timer"));
    let mut ok = ring.respond(200, Some("p"));
    ok.headers
        .push(HeaderName::Contact, format!("<sip:op1@{}>", phone(1)));
    ok.headers
        .push(HeaderName::SessionExpires, "90;refresher=uas");
    ok.headers.push(HeaderName::Require, "timer");
    world.send(phone(1), &described(ok, &OFFER.replace("8 0 101", "8 101")));
    world.request(phone(1), &Method::Ack);
    world.clear();
    world.pass(61 * SECOND);
    world.take_bye(phone(1));
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    let _ = caller;
    world.assert_quiet();
}

// Offers that meet.

#[test]
fn a_refresh_that_meets_an_offer_is_491_both_ways_and_tried_again_later() {
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    world.pass(900 * SECOND);
    let ours = world.request(trunk(), &Method::Invite);
    let theirs = ask(&mut world, &caller, Method::Invite, 2);
    world.send(trunk(), &described(theirs.clone(), OFFER));
    let refused = world.response(trunk());
    assert_eq!(refused.status(), Some(491));
    world.send(trunk(), &ours.respond(491, None));
    world.request(trunk(), &Method::Ack);
    // The caller chose the Call-ID, so we wait for 2 s at most.
    world.pass(Duration::from_millis(2_010));
    let again = world.request(trunk(), &Method::Invite);
    world.clear();
    assert_eq!(body(&again), body(&ours));
    assert!(again.cseq().unwrap().number > ours.cseq().unwrap().number);
    let mut ok = again.respond(200, None);
    ok.headers
        .push(HeaderName::Contact, format!("<sip:{}>", trunk()));
    world.send(trunk(), &described(ok, OFFER));
    world.request(trunk(), &Method::Ack);
    // The operator's leg was refreshed meanwhile, or is about to be: it has its own course.
    world.clear();
    let bye = ask(&mut world, &caller, Method::Bye, 3);
    world.send(trunk(), &bye);
    world.pass(100 * SECOND);
    world.assert_quiet();
}

#[test]
fn a_fax_or_a_codec_that_nobody_has_is_488_and_the_talk_goes_on() {
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    let before = world.commands.len();
    let t38 = "v=0\r\no=- 1 2 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
        m=audio 0 RTP/AVP 8\r\nm=image 4002 udptl t38\r\na=T38FaxVersion:0\r\n";
    for (number, offer) in [(2, t38.to_owned()), (3, OFFER.replace("8 0 101", "18"))] {
        let invite = ask(&mut world, &caller, Method::Invite, number);
        world.send(trunk(), &described(invite.clone(), &offer));
        let refused = world.response(trunk());
        assert_eq!(refused.status(), Some(488));
        assert!(
            field(&refused, &HeaderName::Warning).starts_with("30"),
            "{refused:?}"
        );
    }
    assert_eq!(
        world.commands.len(),
        before,
        "nothing of the talk was touched"
    );
    // The version is that of the session: what was refused never was.
    let invite = ask(&mut world, &caller, Method::Invite, 4);
    world.send(trunk(), &described(invite, OFFER));
    let same = world.response(trunk());
    assert_eq!(body(&same), body(&caller.1));
    world.clear();
    end(&mut world, &caller, 5);
}

#[test]
fn an_invite_without_offer_in_mid_call_keeps_every_stream_in_its_place() {
    let mut world = World::new().with_operators(1);
    let video = format!("{OFFER}m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n");
    let invite = world.invite("1300");
    let caller = waiting(&mut world, described(invite, &video));
    assert!(body(&caller.1).contains("m=video 0"));
    let again = ask(&mut world, &caller, Method::Invite, 2);
    world.send(trunk(), &again);
    let offer = world.response(trunk());
    let text = body(&offer);
    assert!(
        text.contains("m=audio") && text.contains("RTP/AVP 8 0 101"),
        "{text}"
    );
    assert!(text.contains("m=video 0"), "{text}");
    let ack = ask(&mut world, &(again, offer), Method::Ack, 2);
    world.send(trunk(), &described(ack, &video.replace("4000", "4100")));
    let moved = world
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            MediaCommand::SetRemote { remote, .. } => Some(remote.address.port()),
            _ => None,
        });
    assert_eq!(moved, Some(4_100));
    world.clear();
    let bye = ask(&mut world, &caller, Method::Bye, 3);
    world.send(trunk(), &bye);
    world.pass(60 * SECOND);
    world.assert_quiet();
}

#[test]
fn a_caller_who_moves_in_mid_call_is_followed() {
    let mut world = World::new().with_operators(1);
    let (caller, operator) = talk(&mut world);
    let new: SocketAddr = "192.0.2.77:5070".parse().unwrap();
    let mut moved = ask(&mut world, &caller, Method::Invite, 2);
    moved
        .headers
        .set(HeaderName::Contact, format!("<sip:{new}>"));
    let via = format!("SIP/2.0/UDP {new};rport;branch={}", world.branch());
    moved.headers.set(HeaderName::Via, via);
    let there = OFFER.replace("192.0.2.10", "192.0.2.77");
    world.send(new, &described(moved.clone(), &there));
    let answer = world.response(new);
    assert_eq!(answer.status(), Some(200));
    let ack = ask(&mut world, &(moved, answer), Method::Ack, 2);
    world.send(new, &ack);
    world.operator_hangs_up(1, &operator.0, &operator.1);
    world.take_bye(new);
    world.assert_quiet();
}
