//! Plans with real calls: the five that are shipped, keys pressed by INFO, a web service, and new plans
//! while the engine runs.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use crate::harness::journal::{Entry, finished};
use crate::harness::sipp::Sipp;
use crate::harness::{Engine, LogOnPanic, Place, Setup, audio, sipp, text_of, until};

const SOON: Duration = Duration::from_secs(30);

/// A shipped plan that is open at any hour, or at none, with short tones for its prompts.
fn place_of(
    name: &str,
    queues: &[&str],
    open: bool,
    change: fn(String, &Setup) -> String,
) -> Place {
    let more = queues.iter().map(|queue| {
        format!(
            "[[queue]]\nname = \"{queue}\"\nring_time = \"20s\"\nwrap_up = \"0s\"\n\
             leave_unserved_after = \"10s\"\n"
        )
    });
    let setup = Setup {
        operators: vec!["anna".to_owned(), "boris".to_owned()],
        more: more.collect(),
        ..Setup::default()
    };
    let place = Place::new(&setup);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans");
    let text = fs::read_to_string(shipped.join(format!("{name}.toml"))).unwrap();
    let text = change(at_all_hours(&text, open), &setup);
    let plan = dialplan::parse(name, &text).unwrap_or_else(|told| panic!("{told:#?}"));
    for prompt in plan.prompts() {
        let wav = format!("prompts/{}", prompt.name.trim_end_matches(".wav"));
        audio::write_tone(&place.path(&format!("{wav}.wav")), 400.0, 200);
    }
    fs::remove_file(place.path("dialplans/tests.toml")).unwrap();
    fs::write(place.path(&format!("dialplans/{name}.toml")), text).unwrap();
    fs::create_dir(place.path("dialplans/calendars")).unwrap();
    for entry in fs::read_dir(shipped.join("calendars")).unwrap() {
        let file = entry.unwrap().path();
        let copy = place
            .path("dialplans/calendars")
            .join(file.file_name().unwrap());
        fs::copy(&file, copy).unwrap();
    }
    place
}

fn as_it_is(text: String, _: &Setup) -> String {
    text
}

/// Complaints at once, to a department whose lines are those of the tests.
fn departments(text: String, _: &Setup) -> String {
    let queue = "queue = { name = \"sales\", music = \"music/waiting.wav\", priority = 3 }";
    assert!(text.contains(queue));
    text.replacen(
        queue,
        "set = { field = \"topic\", value = \"complaint\" }",
        1,
    )
    .replace("[\"201\", \"203\"]", "[\"101\", \"102\"]")
}

/// The plan with its hours replaced: what is tried here is not the clock of the machine.
fn at_all_hours(text: &str, open: bool) -> String {
    let hours = if open { "[\"00:00-24:00\"]" } else { "[]" };
    let mut changed = String::new();
    let mut within = false;
    for line in text.lines() {
        if line.starts_with('[') {
            within = line.starts_with("[hours.");
            if within && !line.contains(".dates]") {
                let week = format!("mon-sun = {hours}\nholidays = \"as usual\"");
                changed.push_str(&format!("{line}\n{week}\n"));
            }
        }
        if !within {
            changed.push_str(line);
            changed.push('\n');
        }
    }
    changed
}

/// Calls a number of the plan by a scenario, with the keys that it presses.
fn caller(engine: &Engine, scenario: &str, number: &str, keys: &str, stay: u32) -> Sipp {
    sipp::start_call(engine, scenario, |options| {
        options.number = number.to_owned();
        options.stay = stay;
        if !keys.is_empty() {
            options.fields = vec![keys.to_owned()];
        }
    })
}

fn one(place: &Place) -> Entry {
    finished(place, 1).remove(0)
}

/// The queues in which a call waited.
fn queues(entry: &Entry) -> Vec<String> {
    let rows = entry.rows("queue_list");
    rows.iter()
        .map(|row| row.text("queue").to_owned())
        .collect()
}

const SAKHALIN: &[&str] = &[
    "appointment",
    "visits",
    "reference",
    "rights",
    "quality",
    "free-care",
];

#[test]
fn sakhalin_leads_a_topic_to_its_queue_and_an_operator() {
    let engine = Engine::start_in(place_of("sakhalin-1300", SAKHALIN, true, as_it_is));
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    caller(&engine, "uac-key-talk", "1300", "5", 3_000).succeed();
    operator.succeed();
    let entry = one(&engine.place);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(queues(&entry), ["quality"]);
    assert!(!entry.text("notice_played_at").is_empty(), "{entry:?}");
    entry.check_recording(&engine.place);
}

#[test]
fn sakhalin_tells_its_hours_when_it_is_closed() {
    let engine = Engine::start_in(place_of("sakhalin-1300", SAKHALIN, false, as_it_is));
    let _log = LogOnPanic::of(&engine);
    caller(&engine, "uac-told-bye", "1300", "", 0).succeed();
    let entry = one(&engine.place);
    assert_eq!(entry.end(), ("served", "engine"), "{entry:?}");
    assert_eq!(queues(&entry), [] as [&str; 0]);
}

#[test]
fn sakhalin_takes_a_message_when_it_is_closed() {
    let engine = Engine::start_in(place_of("sakhalin-1300", SAKHALIN, false, as_it_is));
    let _log = LogOnPanic::of(&engine);
    caller(&engine, "uac-talk", "1300", "", 8_000).succeed();
    let entry = until("the message", SOON, || {
        let entry = crate::harness::journal::entries(&engine.place).pop()?;
        (!entry.text("recording_path").is_empty()).then_some(entry)
    });
    assert_eq!(entry.end(), ("message", "caller"), "{entry:?}");
    assert_eq!(
        entry.rows("message_list")[0].text("mailbox"),
        "sakhalin-1300"
    );
    entry.check_recording(&engine.place);
}

#[test]
fn mospolytech_takes_a_message_when_nobody_is_signed_in() {
    let queues_of_it = ["admission", "study", "reception"];
    let place = place_of("mospolytech", &queues_of_it, true, as_it_is);
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    caller(&engine, "uac-key-talk", "0523", "2", 14_000).succeed();
    let entry = one(&engine.place);
    assert_eq!(queues(&entry), ["study"], "{entry:?}");
    let stay = &entry.rows("queue_list")[0];
    assert_eq!(stay.text("outcome"), "overflowed", "{entry:?}");
}

#[test]
fn ksamata_rings_a_department_at_once_and_who_answers_first_has_the_call() {
    let place = place_of("ksamata-8800", &["sales", "support"], true, departments);
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let first = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    let other = sipp::operators(&engine, "uas-rings-elsewhere", &["boris"], |_| {});
    caller(&engine, "uac-key-key-talk", "88007001580", "3;1", 3_000).succeed();
    first.succeed();
    other.succeed();
    let entry = one(&engine.place);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    let mut offers = entry.offers();
    offers.sort();
    let expected = [("anna", "answered"), ("boris", "withdrawn")];
    assert_eq!(
        offers,
        expected.map(|(who, how)| (who.to_owned(), how.to_owned()))
    );
}

#[test]
fn zaporizhzhia_serves_an_accident_first_and_asks_for_a_mark() {
    let queues_of_it = ["utilities-emergency", "utilities"];
    let place = place_of("zaporizhzhia-1580", &queues_of_it, true, as_it_is);
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer-hangup", &["anna"], |options| {
        options.stay = 500;
    });
    caller(&engine, "uac-key-mark-bye", "+380617871580", "1;4", 4_000).succeed();
    operator.succeed();
    let entry = one(&engine.place);
    assert_eq!(entry.text("outcome"), "answered", "{entry:?}");
    assert_eq!(queues(&entry), ["utilities-emergency"]);
    let shown = engine.place.run(&["call", "show", "--last", "1"]);
    let shown = text_of(&shown);
    for fact in ["topic = \"accident\"", "the caller gives the mark 4"] {
        assert!(shown.contains(fact), "{fact} in {shown}");
    }
}

#[test]
fn mospolytech_leads_a_student_to_study() {
    let queues_of_it = ["admission", "study", "reception"];
    let engine = Engine::start_in(place_of("mospolytech", &queues_of_it, true, as_it_is));
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    caller(&engine, "uac-key-talk", "0523", "2", 3_000).succeed();
    operator.succeed();
    let entry = one(&engine.place);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(queues(&entry), ["study"]);
}

/// The port of the institute's register; of one address, so that tests do not meet.
fn register_at(setup: &Setup) -> SocketAddr {
    SocketAddr::new(setup.net.other(), 8_099)
}

fn with_register(text: String, setup: &Setup) -> String {
    text.replace("127.0.0.1:8099", &register_at(setup).to_string())
}

/// Answers one request, or never.
fn register(address: IpAddr, reply: Option<&'static str>) -> std::thread::JoinHandle<String> {
    let listener = TcpListener::bind(SocketAddr::new(address, 8_099)).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 2_048];
        let read = stream.read(&mut asked).unwrap();
        if let Some(reply) = reply {
            let length = reply.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{reply}");
            stream.write_all(head.as_bytes()).unwrap();
        } else {
            // Until the engine gives up.
            let _ = stream.read(&mut [0; 1]);
        }
        String::from_utf8_lossy(&asked[..read]).into_owned()
    })
}

#[test]
fn the_institute_rings_the_manager_whom_its_register_names() {
    let place = place_of("institute-contact", &["general"], true, with_register);
    let register = register(place.net.other(), Some("{\"manager\": \"101\"}"));
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    caller(&engine, "uac-key-talk", "3501", "2", 3_000).succeed();
    operator.succeed();
    let asked = register.join().unwrap();
    assert!(asked.starts_with("GET /manager?caller="), "{asked}");
    let entry = one(&engine.place);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(queues(&entry), [] as [&str; 0], "{entry:?}");
    assert_eq!(entry.text("operator_login"), "anna");
}

#[test]
fn a_register_that_hangs_holds_no_call_and_general_operators_answer() {
    let place = place_of("institute-contact", &["general"], true, with_register);
    let register = register(place.net.other(), None);
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    caller(&engine, "uac-key-talk", "3501", "3", 6_000).succeed();
    operator.succeed();
    register.join().unwrap();
    let entry = one(&engine.place);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(queues(&entry), ["general"]);
}

#[test]
fn ksamata_is_answered_by_the_operator_alone() {
    let engine = Engine::start_in(place_of(
        "ksamata-8800",
        &["sales", "support"],
        true,
        as_it_is,
    ));
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    caller(&engine, "uac-talk", "88007001580", "", 2_000).succeed();
    operator.succeed();
    let entry = one(&engine.place);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(queues(&entry), ["sales"]);
    let (offered, answered) = (
        entry.text("queue_entered_at"),
        entry.text("answered_by_engine_at"),
    );
    assert!(offered < answered, "the wait was free of charge: {entry:?}");
}

/// A plan that tells something and hangs up.
fn told(prompt: &str) -> String {
    format!(
        "name = \"tests\"\nnumbers = [\"1300\"]\nlanguages = [\"en\"]\n[[step]]\nanswer = {{}}\n\
         [[step]]\nsay = {{ name = \"{prompt}\", file = \"{prompt}.wav\" }}\n"
    )
}

#[test]
fn a_broken_plan_is_refused_whole_and_a_good_one_taken_while_calls_are_up() {
    let place = Place::new(&Setup {
        operators: vec!["anna".to_owned()],
        ..Setup::default()
    });
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    let first = caller(&engine, "uac-talk-later", "1300", "", 6_000);
    until("the first call", SOON, || {
        engine.log().contains("call arrived").then_some(())
    });
    let plan = engine.place.path("dialplans/tests.toml");
    let reload = |told: &str| {
        let pid = rustix::process::Pid::from_raw(engine.process().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        until(told, SOON, || engine.log().contains(told).then_some(()));
    };
    fs::write(&plan, told("news").replace("answer", "anser")).unwrap();
    reload("the plans stay as they were");
    assert!(engine.log().contains("did you mean `answer`?"));
    audio::write_tone(&engine.place.path("prompts/news.wav"), 500.0, 300);
    fs::write(&plan, told("news")).unwrap();
    reload("new plans are in force");
    assert!(
        engine.log().contains("flow main changed"),
        "{}",
        engine.log()
    );
    caller(&engine, "uac-told-bye", "1300", "", 0).succeed();
    first.succeed();
    operator.succeed();
    let entries = finished(&engine.place, 2);
    let mut ends: Vec<_> = entries.iter().map(|entry| entry.text("outcome")).collect();
    ends.sort_unstable();
    assert_eq!(ends, ["answered", "served"], "{entries:#?}");
}
