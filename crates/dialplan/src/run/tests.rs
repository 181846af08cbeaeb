//! The run alone: every kind of step, every way out, and what does not fit.

use core::time::Duration;

use vocab::WallTime;

use super::*;
use crate::{Target, Trial};

const TEXT: &str = r#"
    name = "a"
    numbers = ["1"]
    languages = ["ru", "en"]
    [[step]]
    answer = {}
    [[step]]
    say = { name = "hello", notice = true, text = { ru = "да", en = "yes" } }
    [[step]]
    queue = { name = "first", music = "music/a.wav", priority = 7, wait_recorded = true }
    [[step]]
    queue = { name = "second", recorded = false, skills = { polish = 30 } }
    [[step]]
    say = { name = "sorry", file = "sorry.wav" }
"#;

/// A run and what it sees.
struct Walk {
    run: Run,
    sights: Trial,
}

impl Walk {
    fn of(text: &str) -> Self {
        let plan = crate::parse("a.toml", text).unwrap_or_else(|found| panic!("{found:#?}"));
        let plan = Arc::new(plan);
        Self {
            run: Run::new(Arc::clone(&plan), "+74242000001", "1"),
            sights: Trial::new(plan, "1", "+74242000001", WallTime::default()),
        }
    }

    /// A run of these steps, with flows behind them.
    fn steps(steps: &str) -> Self {
        Self::of(&format!(
            "name = \"a\"\nnumbers = [\"1\"]\nlanguages = [\"ru\", \"en\"]\nnotice = \"none\"\n{steps}"
        ))
    }

    fn next(&mut self, happened: Happened) -> Step {
        self.run.next(happened, &self.sights)
    }

    /// The first step of the call.
    fn start(&mut self) -> Step {
        self.next(Happened::Started)
    }

    fn keys(&mut self, keys: &str) -> Step {
        self.next(Happened::Keyed(keys.to_owned()))
    }
}

/// A run that waits in its first queue.
fn queued() -> Walk {
    let mut walk = Walk::of(TEXT);
    for happened in [Happened::Started, Happened::Answered, Happened::Said] {
        walk.next(happened);
    }
    assert!(matches!(
        walk.run.state,
        State::Queueing { after: None, .. }
    ));
    walk
}

fn hangup(outcome: Option<Outcome>) -> Step {
    Step::Hangup {
        outcome,
        status: 480,
        cause: None,
    }
}

fn say(prompt: &str, language: &str) -> Step {
    Step::Say {
        prompt: prompt.to_owned(),
        language: language.to_owned(),
        notice: false,
    }
}

#[track_caller]
fn is_question(step: &Step, prompt: &str) {
    assert!(
        matches!(step, Step::Ask(ask) if ask.prompt == prompt),
        "{step:?}"
    );
}

#[test]
fn steps_follow_one_another_with_what_the_plan_says() {
    let mut walk = Walk::of(TEXT);
    assert_eq!(walk.start(), Step::Answer);
    assert_eq!(
        walk.next(Happened::Answered),
        Step::Say {
            prompt: "hello".to_owned(),
            language: "ru".to_owned(),
            notice: true
        }
    );
    assert_eq!(
        walk.next(Happened::Said),
        Step::Queue {
            queue: "first".to_owned(),
            music: Some("music/a.wav".to_owned()),
            priority: 7,
            recorded: true,
            wait_recorded: true,
            skills: BTreeMap::new(),
            owner: None,
            announce: None,
        }
    );
    assert_eq!(
        walk.next(Happened::QueueLeft(QueueOutcome::TimedOut)),
        Step::Queue {
            queue: "second".to_owned(),
            music: None,
            priority: 0,
            recorded: false,
            wait_recorded: false,
            skills: BTreeMap::from([("polish".to_owned(), 30)]),
            owner: None,
            announce: None,
        }
    );
    assert_eq!(
        walk.next(Happened::QueueLeft(QueueOutcome::RefusedFull)),
        say("sorry", "ru")
    );
    assert_eq!(
        walk.next(Happened::Said),
        hangup(Some(Outcome::RefusedFull))
    );
}

#[test]
fn an_answered_call_ends_answered_when_the_talk_is_over() {
    let mut walk = queued();
    assert_eq!(
        walk.next(Happened::QueueLeft(QueueOutcome::Answered)),
        Step::Talk
    );
    assert_eq!(
        walk.next(Happened::TalkEnded),
        hangup(Some(Outcome::Answered))
    );
}

#[test]
fn the_end_of_the_talk_alone_also_says_that_it_was_answered() {
    assert_eq!(
        queued().next(Happened::TalkEnded),
        hangup(Some(Outcome::Answered))
    );
}

#[test]
fn a_caller_who_left_the_queue_gets_no_more_steps() {
    let ends = [
        (QueueOutcome::Abandoned, Some(Outcome::Abandoned)),
        (QueueOutcome::CallbackTaken, None),
    ];
    for (left, outcome) in ends {
        assert_eq!(queued().next(Happened::QueueLeft(left)), hangup(outcome));
    }
}

#[test]
fn a_plan_without_a_queue_serves_the_call_itself() {
    let mut walk = Walk::steps("[[step]]\nanswer = {}\n");
    walk.start();
    assert_eq!(walk.next(Happened::Answered), hangup(Some(Outcome::Served)));
}

#[test]
fn a_plan_may_refuse_a_call_with_a_status_and_a_cause_of_its_own() {
    let mut walk = Walk::steps("[[step]]\nhangup = { status = 603, cause = 21 }\n");
    assert_eq!(
        walk.start(),
        Step::Hangup {
            outcome: Some(Outcome::Served),
            status: 603,
            cause: Some(21),
        }
    );
}

#[test]
fn the_answer_may_wait_while_it_rings() {
    let mut walk = Walk::steps("[[step]]\nanswer = { after = \"8s\" }\n");
    let time = Duration::from_secs(8);
    assert_eq!(walk.start(), Step::Wait { time });
    assert_eq!(walk.next(Happened::Waited), Step::Answer);
}

const MENU: &str = r#"
[[step]]
[step.menu]
name = "m"
file = "m.wav"
repeats = 1
wrong = { file = "wrong.wav" }
otherwise = "help"
keys = { 1 = "one", 2 = { language = "en" }, 3 = { again = true } }
[[step]]
say = { name = "next", file = "n.wav" }
[[flow.one]]
say = { name = "one", file = "o.wav" }
[[flow.help]]
say = { name = "help", file = "h.wav" }
"#;

#[test]
fn a_key_of_a_menu_leads_to_its_flow_and_back_to_the_next_step() {
    let mut walk = Walk::steps(MENU);
    is_question(&walk.start(), "m");
    assert_eq!(walk.keys("1"), say("one", "ru"));
    assert_eq!(walk.next(Happened::Said), say("next", "ru"));
    assert_eq!(walk.next(Happened::Said), hangup(Some(Outcome::Served)));
}

#[test]
fn a_key_may_choose_a_language_for_all_that_follows() {
    let mut walk = Walk::steps(MENU);
    walk.start();
    assert_eq!(walk.keys("2"), say("next", "en"));
    assert_eq!(
        (walk.run.language(), walk.run.field("language")),
        ("en", "en")
    );
}

#[test]
fn a_vain_try_is_scolded_and_asked_again_and_the_last_leads_elsewhere() {
    let mut walk = Walk::steps(MENU);
    walk.start();
    assert_eq!(walk.keys("9"), say("m.wrong", "ru"));
    is_question(&walk.next(Happened::Said), "m");
    is_question(&walk.keys("3"), "m");
    assert_eq!(walk.keys(""), say("help", "ru"), "the second vain try");
    let mut silent = Walk::steps(MENU);
    silent.start();
    is_question(&silent.keys(""), "m");
}

#[test]
fn digits_fill_a_field_and_personal_ones_are_not_told() {
    let steps = r#"
        [[step]]
        [step.collect]
        name = "c"
        file = "c.wav"
        field = "policy"
        digits_min = 4
        digits_max = 6
        PERSONAL
        [[step]]
        set = { field = "greeting", value = "dear {policy}, {caller}" }
    "#;
    let mut walk = Walk::steps(&steps.replace("PERSONAL", ""));
    let Step::Ask(ask) = walk.start() else {
        panic!("a question");
    };
    assert_eq!(
        (ask.digits_max, ask.end, ask.personal),
        (6, Some('#'), true)
    );
    is_question(&walk.keys("123"), "c");
    is_question(&walk.keys("12*4"), "c");
    let told = |step: Step| match step {
        Step::Set { field, value } => (field, value),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(walk.keys("1234")), ("policy".to_owned(), None));
    assert_eq!(
        told(walk.next(Happened::Noted)),
        ("greeting".to_owned(), None),
        "what is made of it is personal too"
    );
    assert_eq!(walk.run.field("greeting"), "dear 1234, +74242000001");
    let mut open = Walk::steps(&steps.replace("PERSONAL", "personal = false"));
    open.start();
    assert_eq!(told(open.keys("777777")).1.as_deref(), Some("777777"));
}

#[test]
fn a_mark_is_asked_after_the_talk_and_the_call_stays_answered() {
    let steps = r#"
        [[step]]
        queue = { name = "q", after = "rating" }
        [[step]]
        say = { name = "sorry", file = "s.wav" }
        [[flow.rating]]
        survey = { name = "s", file = "s.wav" }
        [[flow.rating]]
        say = { name = "thanks", file = "t.wav" }
    "#;
    let mut walk = Walk::steps(steps);
    walk.start();
    is_question(&walk.next(Happened::TalkEnded), "s");
    is_question(&walk.keys("6"), "s");
    assert_eq!(walk.keys("5"), Step::Rate { mark: 5 });
    assert_eq!(walk.next(Happened::Noted), say("thanks", "ru"));
    assert_eq!(walk.next(Happened::Said), hangup(Some(Outcome::Answered)));
}

#[test]
fn a_group_is_called_one_after_the_other_and_an_unknown_one_is_passed_over() {
    let steps = r#"
        [[step]]
        http = { url = "http://x/", save = { manager = "line" } }
        [[step]]
        ring = { group = ["101", "{manager}", "103"], time = "9s" }
        [[step]]
        transfer = { to = "+7{caller}" }
    "#;
    let mut walk = Walk::steps(steps);
    walk.start();
    let target = |step: Step| match step {
        Step::Ring { target, time, .. } => {
            assert_eq!(time, Duration::from_secs(9));
            target
        }
        other => panic!("{other:?}"),
    };
    let operator = |line: &str| Target::Operator(line.to_owned());
    let first = walk.next(Happened::Fetched(None));
    assert_eq!(target(first), operator("101"));
    assert_eq!(target(walk.next(Happened::NotReached)), operator("103"));
    let to = "+7+74242000001".to_owned();
    assert_eq!(walk.next(Happened::NotReached), Step::Transfer { to });
    assert_eq!(
        walk.next(Happened::NotReached),
        hangup(Some(Outcome::Unreached))
    );
}

#[test]
fn a_service_is_asked_with_escaped_fields_and_its_reply_fills_fields() {
    let steps = r#"
        [[step]]
        [step.http]
        url = "http://x/p?c={caller}"
        send = { who = "{caller}" }
        save = { manager = "m.line" }
        timeout = "2s"
        otherwise = "none"
        [[step]]
        ring = { operator = "{manager}" }
        [[flow.none]]
        say = { name = "none", file = "n.wav" }
    "#;
    let mut walk = Walk::steps(steps);
    assert_eq!(
        walk.start(),
        Step::Fetch {
            url: "http://x/p?c=%2B74242000001".to_owned(),
            body: Some("{\"who\":\"+74242000001\"}".to_owned()),
            timeout: Duration::from_secs(2),
        }
    );
    let reply = r#"{"m": {"line": "104"}}"#;
    assert!(matches!(
        walk.next(Happened::Fetched(Some(reply.to_owned()))),
        Step::Ring { target: Target::Operator(line), .. } if line == "104"
    ));
    for bad in [
        None,
        Some("{}"),
        Some("not json"),
        Some("{\"m\": {\"line\": null}}"),
    ] {
        let mut walk = Walk::steps(steps);
        walk.start();
        let step = walk.next(Happened::Fetched(bad.map(str::to_owned)));
        assert_eq!(step, say("none", "ru"), "{bad:?}");
    }
}

#[test]
fn forks_look_at_caller_field_day_and_queue() {
    let fork = |condition: &str, lists: &str| {
        let steps = format!(
            "{lists}\n[[step]]\nset = {{ field = \"topic\", value = \"visit\" }}\n[[step]]\n\
             if = {{ {condition}, then = \"yes\", else = \"no\" }}\n\
             [[flow.yes]]\nsay = {{ name = \"yes\", file = \"y.wav\" }}\n\
             [[flow.no]]\nsay = {{ name = \"no\", file = \"n.wav\" }}\n"
        );
        let mut walk = Walk::steps(&steps);
        walk.sights.queues.waiting = 5;
        walk.sights.queues.free = false;
        walk.start();
        match walk.next(Happened::Noted) {
            Step::Say { prompt, .. } => prompt,
            other => panic!("{other:?}"),
        }
    };
    let zone = "time_zone = \"Asia/Sakhalin\"";
    let vip = "callers = { vip = [\"+1\", \"+7424*\"] }";
    for (condition, lists, way) in [
        ("caller_in = \"vip\"", vip, "yes"),
        (
            "caller_in = \"vip\"",
            "callers = { vip = [\"+7424\"] }",
            "no",
        ),
        ("field = \"topic\", is = \"visit\"", "", "yes"),
        ("field = \"topic\", is = \"other\"", "", "no"),
        ("field = \"topic\"", "", "yes"),
        ("queue = \"q\", is = \"served\"", "", "yes"),
        ("queue = \"q\", is = \"free\"", "", "no"),
        ("queue = \"q\", waiting_above = 4", "", "yes"),
        ("queue = \"q\", waiting_above = 5", "", "no"),
        ("between = [\"1970-01-01\", \"1970-01-01\"]", zone, "yes"),
        ("between = [\"1970-01-02\", \"2999-01-01\"]", zone, "no"),
    ] {
        assert_eq!(fork(condition, lists), way, "{condition}");
    }
}

#[test]
fn the_emergency_switch_takes_new_calls_to_its_flow() {
    let steps = |on: bool| {
        format!(
            "emergency = {{ on = {on}, flow = \"alarm\" }}\n[[step]]\nanswer = {{}}\n\
             [[flow.alarm]]\nsay = {{ name = \"alarm\", file = \"a.wav\" }}\n"
        )
    };
    assert_eq!(Walk::steps(&steps(true)).start(), say("alarm", "ru"));
    assert_eq!(Walk::steps(&steps(false)).start(), Step::Answer);
}

#[test]
fn a_person_at_the_emergency_switch_wins_over_the_file() {
    for (file, person, alarm) in [
        (true, Some(false), false),
        (false, Some(true), true),
        (true, None, true),
    ] {
        let mut walk = Walk::steps(&format!(
            "emergency = {{ on = {file}, flow = \"alarm\" }}\n[[step]]\nanswer = {{}}\n\
             [[flow.alarm]]\nsay = {{ name = \"alarm\", file = \"a.wav\" }}\n"
        ));
        walk.run = walk.run.switched(person);
        let first = if alarm {
            say("alarm", "ru")
        } else {
            Step::Answer
        };
        assert_eq!(walk.start(), first, "{file} {person:?}");
    }
}

#[test]
fn a_call_that_is_not_served_goes_where_its_cause_leads() {
    let steps = r#"
        [[step]]
        queue = { name = "q", on_full = "full", on_closed = "closed", on_break = "pause" }
        [[step]]
        say = { name = "sorry", file = "s.wav" }
        [[flow.full]]
        say = { name = "full", file = "s.wav" }
        [[flow.closed]]
        say = { name = "closed", file = "s.wav" }
        [[flow.pause]]
        transfer = { to = "+74951112233" }
    "#;
    let led = |cause: Unserved| {
        let mut walk = Walk::steps(steps);
        walk.start();
        let overflows = walk.run.overflows(cause);
        (walk.next(Happened::NotServed(cause)), overflows)
    };
    let to = "+74951112233".to_owned();
    assert_eq!(led(Unserved::Full), (say("full", "ru"), true));
    assert_eq!(led(Unserved::Closed), (say("closed", "ru"), true));
    assert_eq!(led(Unserved::Nobody), (say("closed", "ru"), true));
    assert_eq!(led(Unserved::OnBreak), (Step::Transfer { to }, true));
    assert_eq!(led(Unserved::WaitedTooLong), (say("sorry", "ru"), false));
    let mut walk = Walk::steps(steps);
    walk.start();
    let full = walk.next(Happened::QueueLeft(QueueOutcome::RefusedFull));
    assert_eq!(full, say("full", "ru"), "as a trial tells it");
    assert_eq!(
        walk.next(Happened::Said),
        say("sorry", "ru"),
        "it comes back"
    );
    let end = hangup(Some(Outcome::RefusedFull));
    assert_eq!(walk.next(Happened::Said), end);
}

#[test]
fn a_group_may_be_called_at_once_without_those_of_whom_nothing_is_known() {
    let steps = r#"
        [[step]]
        http = { url = "http://x/", save = { manager = "line" } }
        [[step]]
        ring = { group = ["101", "{manager}", "103"], at_once = true }
        [[step]]
        say = { name = "sorry", file = "s.wav" }
    "#;
    let mut walk = Walk::steps(steps);
    walk.start();
    let Step::Ring { target, .. } = walk.next(Happened::Fetched(None)) else {
        panic!("nobody is called");
    };
    let both = ["101", "103"].map(str::to_owned).to_vec();
    assert_eq!(target, Target::Operators(both));
    assert_eq!(walk.next(Happened::NotReached), say("sorry", "ru"));
}

#[test]
fn a_menu_that_leads_back_to_itself_does_not_pile_up_and_a_run_has_an_end() {
    let steps = r#"
        [[step]]
        flow = { name = "topics" }
        [[flow.topics]]
        menu = { name = "m", file = "m.wav", keys = { 0 = "topics" } }
    "#;
    let mut walk = Walk::steps(steps);
    is_question(&walk.start(), "m");
    let mut asked = 1;
    while matches!(walk.keys("0"), Step::Ask(_)) {
        assert!(walk.run.stack.len() <= 2, "{:?}", walk.run.stack);
        asked += 1;
        assert!(asked <= limits::RUN_STEPS);
    }
    assert_eq!(walk.keys("0"), hangup(Some(Outcome::Served)));
    assert!(asked > limits::RUN_STEPS / 2);
}

#[test]
fn flows_that_wait_for_each_other_are_bounded() {
    let steps = r#"
        [[step]]
        flow = { name = "deep" }
        [[flow.deep]]
        say = { name = "s", file = "s.wav" }
        [[flow.deep]]
        menu = { name = "m", file = "m.wav", keys = { 0 = "deep", 1 = "out" } }
        [[flow.deep]]
        say = { name = "t", file = "t.wav" }
        [[flow.out]]
        hangup = {}
    "#;
    let mut walk = Walk::steps(steps);
    walk.start();
    for _ in 0..100 {
        is_question(&walk.next(Happened::Said), "m");
        assert_eq!(walk.keys("0"), say("s", "ru"));
        assert!(walk.run.stack.len() <= limits::DEPTH);
    }
}

#[test]
fn what_does_not_fit_ends_the_call_as_failed_and_an_end_stays() {
    let all = [
        Happened::Started,
        Happened::Waited,
        Happened::Answered,
        Happened::Said,
        Happened::Keyed("1".to_owned()),
        Happened::Noted,
        Happened::QueueLeft(QueueOutcome::TimedOut),
        Happened::NotReached,
        Happened::Fetched(None),
        Happened::TalkEnded,
    ];
    let failed = Step::Hangup {
        outcome: Some(Outcome::Failed),
        status: 500,
        cause: None,
    };
    let (started, answered, said, left) = (0, 2, 3, 6);
    let ways: [(&[usize], &[usize]); 5] = [
        (&[], &[started]),
        (&[started], &[answered]),
        (&[started, answered], &[said]),
        (&[started, answered, said], &[left, 9]),
        (&[started, answered, said, 9], &[]),
    ];
    for (way, fitting) in ways {
        for (place, happened) in all.iter().enumerate() {
            if fitting.contains(&place) {
                continue;
            }
            let mut walk = Walk::of(TEXT);
            for before in way {
                walk.next(all[*before].clone());
            }
            let ended = walk.next(happened.clone());
            if way.len() < 4 {
                assert_eq!(ended, failed, "{way:?} then {happened:?}");
            }
            for later in &all {
                assert_eq!(walk.next(later.clone()), ended, "an end stays an end");
            }
        }
    }
}
