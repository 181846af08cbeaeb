//! Queues with a whole process: the load of a busy hour by SIPp, whispers, codes, lists of callers, tasks.

use std::time::Duration;

use crate::harness::baresip::{Baresip, Way};
use crate::harness::journal::{Entry, entries, finished};
use crate::harness::wire::Wire;
use crate::harness::{Engine, LogOnPanic, NUMBER, Place, Setup, audio, sipp, text_of, until};

const SOON: Duration = Duration::from_secs(20);

fn setup(operators: &[&str], more: &str) -> Setup {
    Setup {
        operators: operators.iter().map(ToString::to_string).collect(),
        more: more.to_owned(),
        ..Setup::default()
    }
}

/// Runs a command that must do as told, and gives what it printed.
fn run(engine: &Engine, arguments: &[&str]) -> String {
    let output = engine.place.run(arguments);
    let text = text_of(&output);
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

/// When each entry came into the queue, and when it was first offered, in the order of coming.
fn served(entries: &[Entry]) -> Vec<(String, String)> {
    let offers = |entry: &Entry| entry.rows("offer_list").into_iter();
    let mut served: Vec<(String, String)> = entries
        .iter()
        .filter_map(|entry| {
            let first = offers(entry)
                .map(|offer| offer.text("made_at").to_owned())
                .min();
            Some((entry.text("queue_entered_at").to_owned(), first?))
        })
        .collect();
    served.sort_unstable();
    served
}

#[test]
fn fifty_operators_and_two_hundred_callers_of_sipp_are_served_in_order() {
    let logins: Vec<String> = (0..50).map(|n| format!("operator{n}")).collect();
    let logins: Vec<&str> = logins.iter().map(String::as_str).collect();
    let engine = Engine::start(&setup(&logins, ""));
    let _log = LogOnPanic::of(&engine);
    // They come at 50 a second, four for each operator.
    let operators = sipp::operators(&engine, "uas-answer-hangup", &logins, |options| {
        options.calls = 200;
        options.stay = 1_000;
    });
    sipp::call(&engine, "uac-talk-until-bye", |options| options.calls = 200);
    operators.succeed();
    let entries = finished(&engine.place, 200);
    let mut took = std::collections::BTreeMap::new();
    for entry in &entries {
        assert_eq!(entry.end(), ("answered", "operator"), "{entry:?}");
        assert_eq!(entry.offers().len(), 1, "one offer was enough: {entry:?}");
        *took
            .entry(entry.text("operator_login").to_owned())
            .or_insert(0) += 1;
    }
    let served = served(&entries);
    assert_eq!(served.len(), 200);
    for pair in served.windows(2) {
        let came_later = pair[0].0 < pair[1].0;
        assert!(
            !came_later || pair[0].1 <= pair[1].1,
            "out of turn: {pair:?}"
        );
    }
    assert_eq!(took.len(), 50, "everybody took calls: {took:?}");
    assert!(
        took.values().all(|calls| (2..=6).contains(calls)),
        "{took:?}"
    );
}

#[test]
fn a_whisper_is_heard_before_the_two_are_joined_and_the_recording_begins_with_the_joining() {
    let engine = {
        let place = Place::new(&setup(&["anna"], "whisper = \"Operators.\"\n"));
        audio::write_tone(&place.path("prompts/whisper-operators.wav"), 800.0, 1_000);
        for minutes in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 45, 60] {
            let file = format!("prompts/whisper-waited-{minutes}.wav");
            audio::write_tone(&place.path(&file), 900.0, 500);
        }
        Engine::start_in(place)
    };
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 5_000);
    operator.succeed();
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    let talk = entry.number("talk_ms").unwrap();
    let recorded = entry.check_recording(&engine.place).ms() as i64;
    assert!((recorded - talk).abs() <= 40, "{recorded} ms of {talk}");
    let arrival = entry.number("arrival_wait_ms").unwrap();
    let waited = entry.number("wait_ms").unwrap();
    // Greeting, waiting, and then both whispers.
    let whispered = arrival - waited - 300;
    assert!(
        (1_450..=2_200).contains(&whispered),
        "{whispered} of {arrival} ms"
    );
}

/// The one operator talks to somebody else: who waits hears music, the place, and music again.
#[test]
fn a_waiting_caller_hears_the_place_between_the_music() {
    let place = Place::new(&setup(&["anna"], ""));
    let plan = place.path("dialplans/tests.toml");
    let told =
        "recorded = true, announce = true, announce_after = \"5s\", announce_every = \"15s\"";
    let steps = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, steps.replace("recorded = true", told)).unwrap();
    let said = audio::pcap_audio(&sipp::g711a());
    let said = &said[..2 * audio::RATE];
    audio::write_mono(&place.path("prompts/queue-place-1.wav"), said);
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    let talk = sipp::start_call(&engine, "uac-talk", |options| options.stay = 14_000);
    until("the operator's talk", SOON, || {
        let states = text_of(&engine.place.run(&["operators", "show"]));
        states.contains("talking").then_some(())
    });
    let silence = engine.place.path("silence.wav");
    audio::write_mono(&silence, &[0; 30 * audio::RATE]);
    let mut caller = Baresip::caller(&engine, &silence, Way::UDP, 10);
    caller.ended();
    let heard = caller.heard();
    let (at, alike) = audio::likeness(said, &heard);
    assert!(alike > 0.95, "alike by {alike}");
    // Greeting, 5 s of music, the place, and music for the rest.
    let second = audio::RATE as isize;
    assert!((5 * second..=7 * second).contains(&at), "at sample {at}");
    let loud = |from: isize| {
        let part = &heard[usize::try_from(from).unwrap()..][..audio::RATE];
        part.iter()
            .filter(|sample| sample.unsigned_abs() > 1_000)
            .count()
            > audio::RATE / 2
    };
    assert!(loud(at - second - second / 10), "music before");
    assert!(loud(at + 2 * second + second / 10), "music after");
    talk.succeed();
    operator.succeed();
    let entries = finished(&engine.place, 2);
    let mut ends: Vec<_> = entries.iter().map(Entry::end).collect();
    ends.sort_unstable();
    assert_eq!(ends, [("abandoned", "caller"), ("answered", "caller")]);
}

#[test]
fn a_blocked_caller_is_declined_until_taken_off_the_list_without_a_restart() {
    let lists = "[[caller_list]]\nname = \"blocked\"\nblocked = true\nfile = \"blocked.txt\"\n";
    let place = Place::new(&setup(&["anna"], lists));
    std::fs::write(place.path("blocked.txt"), "# nobody\n").unwrap();
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    // As the wire writes it, and as SIPp is told to.
    let number = "79140009999";
    run(
        &engine,
        &["callers", "add", "blocked", number, "--note", "a test"],
    );
    assert!(run(&engine, &["callers", "list"]).contains(number));
    let loaded = |times: usize| {
        until("the lists", SOON, || {
            (engine.log().matches("lists of callers loaded").count() >= times).then_some(())
        });
    };
    loaded(1);
    let declined = || {
        let wire = Wire::new(engine.place.net.callers, engine.sip);
        wire.send(wire.request("INVITE", NUMBER, 1, "one", ""));
        wire.response("INVITE", |status| status >= 200)
            .map(|(status, _)| status)
    };
    assert_eq!(declined(), Some(603));
    std::fs::write(engine.place.path("blocked.txt"), format!("{number}\n")).unwrap();
    loaded(2);
    run(&engine, &["callers", "remove", "blocked", number]);
    loaded(3);
    assert_eq!(declined(), Some(603), "the file has it yet");
    std::fs::write(engine.place.path("blocked.txt"), "").unwrap();
    loaded(4);
    sipp::call(&engine, "uac-hangup-waiting", |options| {
        options.stay = 500;
        options.caller = number.to_owned();
    });
    let entries = finished(&engine.place, 3);
    let ends: Vec<_> = entries.iter().map(Entry::end).collect();
    assert_eq!(ends[2], ("abandoned", "caller"), "{ends:?}");
}

#[test]
fn a_missed_call_becomes_a_task_that_is_listed_and_done() {
    let engine = Engine::start(&setup(&["anna"], ""));
    let _log = LogOnPanic::of(&engine);
    sipp::call(&engine, "uac-hangup-waiting", |options| options.stay = 500);
    finished(&engine.place, 1);
    let call = entries(&engine.place)[0].text("call").to_owned();
    run(&engine, &["acd", "callback", &call]);
    let listed = until("the task", SOON, || {
        let listed = run(&engine, &["acd", "callbacks"]);
        listed.contains(&call).then_some(listed)
    });
    assert!(
        listed.contains("operators") && listed.contains("79140000001"),
        "{listed}"
    );
    run(&engine, &["acd", "settle", &call]);
    until("nothing owed", SOON, || {
        (!run(&engine, &["acd", "callbacks"]).contains(&call)).then_some(())
    });
    let again = engine.place.run(&["acd", "settle", &call]);
    assert!(!again.status.success(), "{}", text_of(&again));
}
