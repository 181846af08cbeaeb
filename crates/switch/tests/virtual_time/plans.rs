//! Plans in virtual time: keys, hours, calls to certain people, web services, what follows a talk.

use core::time::Duration;

use crate::world::peers::with_outer;
use crate::world::{OFFER, World, phone, settings, trunk};
use sip::{HeaderName, Message, Method};
use switch::Input;
use vocab::media::{MediaCommand, MediaEvent};
use vocab::{EndedBy, Fact, Outcome, WallTime};

const SECOND: Duration = Duration::from_secs(1);

/// A caller in a call of a plan.
struct Caller {
    invite: Message,
    answer: Message,
    cseq: u32,
}

impl Caller {
    /// Dials and is answered.
    #[track_caller]
    fn of(world: &mut World) -> Self {
        let (invite, answer) = world.waiting_caller();
        Self {
            invite,
            answer,
            cseq: 1,
        }
    }

    /// Presses a key, told by INFO.
    fn press(&mut self, world: &mut World, key: char) {
        self.cseq += 1;
        let mut info = world.in_dialog(&self.invite, &self.answer, Method::Info);
        let cseq = format!("{} INFO", self.cseq);
        info.headers.set(HeaderName::CSeq, cseq);
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        world.send(
            trunk(),
            &info.with_body("application/dtmf-relay", body.into()),
        );
        assert_eq!(world.response(trunk()).status(), Some(200));
    }
}

fn world(steps: &str) -> World {
    World::with_plan(settings(), &plan(steps))
}

fn plan(steps: &str) -> String {
    format!(
        "name = \"test\"\nnumbers = [\"1300\"]\nlanguages = [\"en\", \"ru\"]\n\
         notice = \"none\"\n{steps}"
    )
}

/// The prompts played, by the order of their names in the plan's list.
fn played(world: &World) -> Vec<u32> {
    let plays = world.commands.iter().filter_map(|command| match command {
        MediaCommand::Play { prompt, .. } => Some(prompt.0),
        _ => None,
    });
    plays.collect()
}

fn queues(world: &World) -> Vec<String> {
    let entered = world.facts.iter().filter_map(|event| match &event.fact {
        Fact::QueueEntered { queue, .. } => Some(queue.clone()),
        _ => None,
    });
    entered.collect()
}

const MENU: &str = r#"
[[step]]
answer = {}
[[step]]
[step.menu]
name = "a-menu"
file = "m.wav"
repeats = 1
wait = "5s"
barge_in = BARGE_IN
wrong = { file = "w.wav" }
otherwise = "vain"
keys = { 1 = "one", 2 = { language = "ru" } }
[[step]]
say = { name = "b-next", file = "n.wav" }
[[flow.one]]
queue = { name = "operators" }
[[flow.vain]]
say = { name = "c-vain", file = "v.wav" }
"#;

/// Ids of the prompts of `MENU`: each name has one for each language, in order.
const MENU_EN: u32 = 10;
const NEXT_EN: u32 = 14;
const NEXT_RU: u32 = 15;
const WRONG_EN: u32 = 12;
const VAIN_EN: u32 = 16;

fn menu(barge_in: bool) -> World {
    world(&MENU.replace("BARGE_IN", &barge_in.to_string()))
}

#[test]
fn a_key_of_a_menu_puts_the_caller_into_its_queue() {
    let mut world = menu(true).with_operators(1);
    let mut caller = Caller::of(&mut world);
    assert_eq!(queues(&world), [] as [&str; 0], "nothing was pressed yet");
    caller.press(&mut world, '1');
    assert_eq!(queues(&world), ["operators"]);
    let ring = world.request(phone(1), &Method::Invite);
    let accepted = world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.operator_hangs_up(1, &ring, &accepted);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.assert_quiet();
}

#[test]
fn a_key_as_telephone_event_is_as_good() {
    let mut world = menu(true);
    let _caller = Caller::of(&mut world);
    let (call, leg) = world
        .commands
        .iter()
        .find_map(|command| match command {
            MediaCommand::Open { call, leg } => Some((*call, *leg)),
            _ => None,
        })
        .unwrap();
    let digit = MediaEvent::Digit {
        call,
        leg,
        digit: '1',
    };
    world.input(Input::Media(digit));
    assert_eq!(queues(&world), ["operators"]);
}

#[test]
fn a_key_during_the_prompt_ends_it_only_where_that_is_wanted() {
    for (barge_in, there) in [(true, 1), (false, 0)] {
        let mut world = menu(barge_in);
        world.plays_end = false;
        let mut caller = Caller::of(&mut world);
        caller.press(&mut world, '1');
        let stopped = world
            .commands
            .iter()
            .filter(|command| matches!(command, MediaCommand::Stop { .. }));
        assert_eq!(stopped.count(), there, "barge-in {barge_in}");
        assert_eq!(queues(&world).len(), there);
    }
}

#[test]
fn a_wrong_key_and_silence_are_vain_tries_and_the_last_leads_elsewhere() {
    let mut world = menu(true);
    let mut caller = Caller::of(&mut world);
    caller.press(&mut world, '7');
    assert_eq!(played(&world), [MENU_EN, WRONG_EN, MENU_EN]);
    world.pass(4 * SECOND);
    assert_eq!(played(&world).len(), 3, "a key may still come");
    world.pass(2 * SECOND);
    let all = [MENU_EN, WRONG_EN, MENU_EN, VAIN_EN, NEXT_EN];
    assert_eq!(played(&world), all);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Served, EndedBy::Engine)]);
    world.assert_quiet();
}

#[test]
fn a_chosen_language_is_spoken_from_then_on() {
    let mut world = menu(true);
    let mut caller = Caller::of(&mut world);
    caller.press(&mut world, '2');
    assert_eq!(played(&world), [MENU_EN, NEXT_RU]);
    world.take_bye(trunk());
    world.assert_quiet();
}

#[test]
fn a_caller_who_hangs_up_in_a_menu_has_abandoned_early() {
    let mut world = menu(true);
    let caller = Caller::of(&mut world);
    world.caller_hangs_up(&caller.invite, &caller.answer);
    assert_eq!(world.ended(), [(Outcome::AbandonedEarly, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn digits_are_gathered_to_the_end_key_and_personal_ones_are_in_no_fact() {
    for (personal, value) in [(true, None), (false, Some("98765".to_owned()))] {
        let mut world = world(&format!(
            "[[step]]\nanswer = {{}}\n[[step]]\n[step.collect]\nname = \"c\"\nfile = \"c.wav\"\n\
             field = \"policy\"\ndigits_min = 4\npersonal = {personal}\n"
        ));
        let mut caller = Caller::of(&mut world);
        for key in "98765".chars() {
            caller.press(&mut world, key);
            world.pass(4 * SECOND);
        }
        caller.press(&mut world, '#');
        let set = world.facts.iter().find_map(|event| match &event.fact {
            Fact::FieldSet { field, value, .. } => Some((field.clone(), value.clone())),
            _ => None,
        });
        assert_eq!(set, Some(("policy".to_owned(), value)));
        assert!(personal != format!("{:?}", world.facts).contains("98765"));
        world.take_bye(trunk());
        world.assert_quiet();
    }
}

#[test]
fn the_hours_of_the_plan_decide_by_its_own_time_zone() {
    let steps = r#"
        time_zone = "Asia/Sakhalin"
        [hours.line]
        sat = ["10:00-13:00"]
        [[step]]
        if = { hours = "line", else = "closed" }
        [[step]]
        queue = { name = "operators" }
        [[flow.closed]]
        hangup = { status = 603, cause = 21 }
    "#;
    // 2026-11-21 is a Saturday; Sakhalin is 11 hours ahead of UTC.
    let noon = 1_795_222_800_000 + 59 * 60_000;
    for (wall, open) in [(noon, true), (noon + 60_000, false)] {
        let mut world = world(steps);
        world.input(Input::Wall(WallTime::from_unix_millis(wall)));
        let invite = world.invite("1300");
        world.send(trunk(), &invite);
        let response = world.response(trunk());
        assert_eq!(queues(&world).len(), usize::from(open));
        if !open {
            assert_eq!(response.status(), Some(603));
            let reason = response.headers.first(&HeaderName::Reason);
            assert_eq!(reason, Some("Q.850;cause=21"));
            assert_eq!(world.ended(), [(Outcome::Served, EndedBy::Engine)]);
            world.assert_quiet();
        }
    }
}

#[test]
fn the_cause_is_told_in_the_bye_of_an_answered_call() {
    let mut world = world("[[step]]\nanswer = {}\n[[step]]\nhangup = { cause = 17 }\n");
    let _caller = Caller::of(&mut world);
    let bye = world.request(trunk(), &Method::Bye);
    let reason = bye.headers.first(&HeaderName::Reason);
    assert_eq!(reason, Some("Q.850;cause=17"));
    world.send(trunk(), &bye.respond(200, None));
    world.assert_quiet();
}

#[test]
fn the_answer_may_wait_while_the_caller_hears_it_ring() {
    let mut world = world("[[step]]\nanswer = { after = \"8s\" }\n");
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(180));
    world.pass(7 * SECOND);
    assert!(world.try_next(trunk()).is_none());
    world.pass(SECOND);
    let answer = world.response(trunk());
    assert_eq!(answer.status(), Some(200));
    let ack = world.in_dialog(&invite, &answer, Method::Ack);
    world.send(trunk(), &ack);
    world.take_bye(trunk());
    world.assert_quiet();
}

#[test]
fn a_caller_who_waits_for_the_answer_may_give_up() {
    let mut world = world("[[step]]\nanswer = { after = \"8s\" }\n");
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    let mut cancel = invite.clone();
    cancel.start = Message::request(Method::Cancel, invite.request_uri().unwrap().clone()).start;
    cancel.headers.set(HeaderName::CSeq, "1 CANCEL");
    cancel.body.clear();
    world.send(trunk(), &cancel);
    assert_eq!(world.ended(), [(Outcome::AbandonedEarly, EndedBy::Caller)]);
}

const RING: &str = r#"
[[step]]
answer = {}
[[step]]
ring = { group = ["101", "op2"], time = "10s", music = "music/waiting.wav", after = "rating" }
[[step]]
say = { name = "sorry", file = "s.wav" }
[[flow.rating]]
survey = { name = "survey", file = "r.wav" }
"#;

#[test]
fn a_group_rings_one_after_the_other_and_a_mark_follows_the_talk() {
    let mut world = world(RING).with_operators(2);
    let mut caller = Caller::of(&mut world);
    let first = world.request(phone(1), &Method::Invite);
    world.answer(1, &first, 180);
    world.pass(10 * SECOND);
    world.request(phone(1), &Method::Cancel);
    let second = world.request(phone(2), &Method::Invite);
    let accepted = world.answer(2, &second, 200);
    world.request(phone(2), &Method::Ack);
    world.pass(30 * SECOND);
    world.operator_hangs_up(2, &second, &accepted);
    caller.press(&mut world, '4');
    let mark = world.facts.iter().find_map(|event| match event.fact {
        Fact::CallRated { mark, .. } => Some(mark),
        _ => None,
    });
    assert_eq!(mark, Some(4));
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.send(phone(1), &first.respond(487, Some("phone1")));
    world.assert_quiet();
}

#[test]
fn nobody_of_a_group_answers_and_the_plan_goes_on() {
    let mut world = world(RING);
    let _caller = Caller::of(&mut world);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Unreached, EndedBy::Engine)]);
    world.assert_quiet();
}

#[test]
fn a_caller_who_hangs_up_while_the_plan_rings_somebody_has_abandoned() {
    let mut world = world(RING).with_operators(1);
    let caller = Caller::of(&mut world);
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    world.caller_hangs_up(&caller.invite, &caller.answer);
    world.request(phone(1), &Method::Cancel);
    world.send(phone(1), &ring.respond(487, Some("phone1")));
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn an_outer_number_is_called_and_its_tones_are_heard_before_the_answer() {
    let steps = "[[step]]\nring = { number = \"+74951112233\", recorded = false }\n";
    let mut world = World::with_plan(with_outer(), &plan(steps));
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(180));
    let ring = world.request(trunk(), &Method::Invite);
    let with_sound = |status: u16| {
        let mut response = ring.respond(status, Some("outer"));
        let contact = format!("<sip:outer@{}>", trunk());
        response.headers.push(HeaderName::Contact, contact);
        response.with_body("application/sdp", OFFER.into())
    };
    world.send(trunk(), &with_sound(183));
    let early = world.response(trunk());
    assert_eq!((early.status(), early.body.is_empty()), (Some(183), false));
    world.send(trunk(), &with_sound(200));
    world.request(trunk(), &Method::Ack);
    let answer = world.response(trunk());
    assert_eq!(answer.status(), Some(200));
    let ack = world.in_dialog(&invite, &answer, Method::Ack);
    world.send(trunk(), &ack);
    let recorded = world.facts.iter().find_map(|event| match event.fact {
        Fact::SegmentStarted { recorded, .. } => Some(recorded),
        _ => None,
    });
    assert_eq!(recorded, Some(false));
    let bye = world.in_dialog(&invite, &answer, Method::Bye);
    world.send(trunk(), &bye);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Caller)]);
    world.assert_quiet();
}

const HTTP: &str = r#"
[[step]]
answer = {}
[[step]]
[step.http]
url = "http://127.0.0.1/m?c={caller}"
save = { manager = "line" }
timeout = "2s"
otherwise = "none"
[[step]]
ring = { operator = "{manager}", recorded = false }
[[flow.none]]
hangup = {}
"#;

#[test]
fn the_reply_of_a_service_says_whom_to_ring() {
    let mut world = world(HTTP).with_operators(2);
    let _caller = Caller::of(&mut world);
    let (call, question, url) = world.fetches[0].clone();
    assert_eq!(url, "http://127.0.0.1/m?c=%2B74242123456");
    let reply = Some("{\"line\": \"102\"}".to_owned());
    world.input(Input::Fetched {
        call,
        question,
        reply,
    });
    world.request(phone(2), &Method::Invite);
}

/// Who is named by a service as the caller's own operator gets the call first, and if the service
/// names somebody who left long ago, anybody gets it.
#[test]
fn the_reply_of_a_service_says_whose_caller_it_is() {
    const OWNED: &str = r#"
[[step]]
answer = {}
[[step]]
http = { url = "http://127.0.0.1/m?c={caller}", save = { manager = "line" }, timeout = "1s", otherwise = "none" }
[[step]]
queue = { name = "operators", owner = "{manager}", recorded = false }
[[flow.none]]
hangup = {}
"#;
    for (line, first) in [("103", 3), ("op2", 2), ("999", 1)] {
        let mut settings = settings();
        settings.queues[0].sticky = Some(20 * SECOND);
        let mut world = World::with_plan(settings, &plan(OWNED)).with_operators(3);
        let _caller = Caller::of(&mut world);
        let (call, question, _) = world.fetches[0].clone();
        let reply = Some(format!("{{\"line\": \"{line}\"}}"));
        world.input(Input::Fetched {
            call,
            question,
            reply,
        });
        world.request(phone(first), &Method::Invite);
        for other in (1..=3).filter(|other| *other != first) {
            assert!(world.try_next(phone(other)).is_none(), "{line}");
        }
    }
}

#[test]
fn a_service_that_hangs_holds_the_call_no_longer_than_its_timeout() {
    let mut world = world(HTTP).with_operators(2);
    let _caller = Caller::of(&mut world);
    world.pass(2 * SECOND);
    world.take_bye(trunk());
    let (call, question, _) = world.fetches[0].clone();
    let reply = Some("{\"line\": \"102\"}".to_owned());
    world.input(Input::Fetched {
        call,
        question,
        reply,
    });
    assert!(world.try_next(phone(2)).is_none(), "too late is never");
    world.assert_quiet();
}

#[test]
fn plans_that_transfer_a_call_in_a_circle_end_it() {
    let mut world = world("[[step]]\nanswer = {}\n[[step]]\ntransfer = { to = \"1300\" }\n");
    let _caller = Caller::of(&mut world);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Unreached, EndedBy::Engine)]);
    world.assert_quiet();
}

#[test]
fn a_transfer_may_lead_to_an_operator_or_a_queue() {
    for to in ["op1", "operators"] {
        let steps = format!("[[step]]\nanswer = {{}}\n[[step]]\ntransfer = {{ to = \"{to}\" }}\n");
        let mut world = world(&steps).with_operators(1);
        let caller = Caller::of(&mut world);
        let ring = world.request(phone(1), &Method::Invite);
        world.answer(1, &ring, 200);
        world.request(phone(1), &Method::Ack);
        world.caller_hangs_up(&caller.invite, &caller.answer);
        world.take_bye(phone(1));
        assert_eq!(
            world.ended(),
            [(Outcome::Answered, EndedBy::Caller)],
            "{to}"
        );
        world.assert_quiet();
    }
}

#[test]
fn a_plan_asks_for_a_skill_at_a_level_besides_those_of_the_queue() {
    let steps = "[[step]]\nanswer = {}\n[[step]]\n\
                 queue = { name = \"operators\", skills = { polish = 50 } }\n";
    let mut world = world(steps).with_operators(2);
    let mut people = crate::world::operators(2);
    people[0].skills.insert("polish".to_owned(), 49);
    people[1].skills.insert("polish".to_owned(), 50);
    world.input(Input::Operators(people));
    let _caller = Caller::of(&mut world);
    assert!(world.try_next(phone(1)).is_none(), "49 is not enough");
    world.request(phone(2), &Method::Invite);
}

#[test]
fn music_plays_for_its_time() {
    let steps = "[[step]]\nanswer = {}\n[[step]]\nmusic = { file = \"music/waiting.wav\", time = \"20s\" }\n";
    let mut world = world(steps);
    let _caller = Caller::of(&mut world);
    world.pass(19 * SECOND);
    assert!(world.try_next(trunk()).is_none());
    world.pass(SECOND);
    world.take_bye(trunk());
    world.assert_quiet();
}

#[test]
fn a_live_call_finishes_on_the_plan_it_began_with() {
    let mut world = menu(true).with_operators(1);
    let mut caller = Caller::of(&mut world);
    let refuse = dialplan::parse("test.toml", &plan("[[step]]\nhangup = { status = 603 }\n"));
    let plans = dialplan::Plans::new(vec![std::sync::Arc::new(refuse.unwrap())]).unwrap();
    let prompts = std::collections::BTreeMap::new();
    world.input(Input::Plans { plans, prompts });
    caller.press(&mut world, '1');
    assert_eq!(queues(&world), ["operators"]);
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(603));
}

#[test]
fn audio_of_a_plan_that_is_gone_is_kept_for_the_calls_that_began_with_it_and_no_longer() {
    let mut world = menu(true).with_operators(1);
    let mut caller = Caller::of(&mut world);
    let before = played(&world);
    let refuse = dialplan::parse("test.toml", &plan("[[step]]\nhangup = { status = 603 }\n"));
    let plans = dialplan::Plans::new(vec![std::sync::Arc::new(refuse.unwrap())]).unwrap();
    let kept = vocab::media::PromptId(2);
    let prompts = [(("music/waiting.wav".to_owned(), String::new()), kept)].into();
    world.input(Input::Plans { plans, prompts });
    caller.press(&mut world, '9');
    let heard = played(&world);
    assert_eq!(
        heard[before.len()..],
        [WRONG_EN, MENU_EN],
        "its own plan's words"
    );
    assert!(world.forgotten.is_empty(), "a call may still play them");
    let bye = world.in_dialog(&caller.invite, &caller.answer, Method::Bye);
    let mut bye = bye;
    bye.headers.set(HeaderName::CSeq, "9 BYE");
    world.send(trunk(), &bye);
    world.pass(200 * SECOND);
    let gone = world.forgotten.contains(&vocab::media::PromptId(MENU_EN));
    assert!(
        gone && !world.forgotten.contains(&kept),
        "{:?}",
        world.forgotten
    );
}

#[test]
fn a_telephone_that_dies_while_a_plan_rings_it_costs_nobody_the_turn() {
    let steps = r#"
        [[step]]
        answer = {}
        [[step]]
        ring = { operator = "101", time = "10s" }
        [[step]]
        queue = { name = "operators" }
    "#;
    let mut world = world(steps).with_operators(1);
    let rung = Caller::of(&mut world);
    world.request(phone(1), &Method::Invite);
    // The operator is busy with the first, so the second waits and is the first in the queue.
    let waiting = Caller::of(&mut world);
    assert_eq!(queues(&world), ["operators"]);
    world.pass(4 * SECOND);
    assert_eq!(
        queues(&world).len(),
        2,
        "not a word: the registration is gone"
    );
    world.clear();
    assert_eq!(world.register(1, "secret"), 200);
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.caller_hangs_up(&waiting.invite, &waiting.answer);
    world.caller_hangs_up(&rung.invite, &rung.answer);
    let all = [
        (Outcome::Answered, EndedBy::Caller),
        (Outcome::Abandoned, EndedBy::Caller),
    ];
    assert_eq!(world.ended(), all);
}
