//! Messages of callers with real calls: what was said is in the file, the telephone of who is to hear
//! it shows it, and it is heard once.

use std::fs;
use std::time::Duration;

use crate::harness::audio::{self, Recording, likeness};
use crate::harness::http::{self, ask};
use crate::harness::journal::{Entry, entries};
use crate::harness::sipp::{self, Options, Sipp, credentials, g711a};
use crate::harness::{Engine, LogOnPanic, Place, Setup, free_port, password, text_of, until};

const SOON: Duration = Duration::from_secs(30);

const PLAN: &str = r#"
name = "tests"
numbers = ["1300"]
languages = ["en"]
[[step]]
answer = {}
[[step]]
[step.voicemail]
name = "leave"
file = "leave.wav"
lines = ["101"]
silence = "2s"
[[step]]
say = { name = "thanks", file = "leave.wav" }
"#;

fn place() -> Place {
    place_with("")
}

/// With more lines in the settings.
fn place_with(more: &str) -> Place {
    let place = Place::new(&Setup {
        operators: vec!["anna".to_owned()],
        more: more.to_owned(),
        ..Setup::default()
    });
    audio::write_tone(&place.path("prompts/leave.wav"), 400.0, 200);
    fs::write(place.path("dialplans/tests.toml"), PLAN).unwrap();
    place
}

/// The entry of the only call once all is known of its messages.
fn settled(place: &Place) -> Entry {
    until("the message in the journal", SOON, || {
        let mut all = entries(place);
        let entry = all.pop()?;
        let known = !entry.rows("recording_list").is_empty();
        (known && !entry.text("outcome").is_empty()).then_some(entry)
    })
}

fn listed(place: &Place, more: &[&str]) -> String {
    let output = place.run(&[&["voicemail", "list"], more].concat());
    assert!(output.status.success(), "{}", text_of(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_words_of_a_caller_are_in_the_file_and_wait_until_somebody_heard_them() {
    let engine = Engine::start_in(place());
    let _log = LogOnPanic::of(&engine);
    let address = engine.place.net.operators;
    let options = Options {
        address,
        port: free_port(address),
        number: "anna".to_owned(),
        fields: vec![credentials("anna", &password("anna"))],
        ..Options::caller(&engine)
    };
    let lamp = Sipp::start("uac-subscribe-voicemail", &options);
    until("a subscription", SOON, || {
        engine.log().contains("subscribed").then_some(())
    });
    sipp::call(&engine, "uac-talk", |options| options.stay = 8_000);
    let entry = settled(&engine.place);
    assert_eq!(entry.end(), ("message", "caller"), "{entry:?}");
    let message = &entry.rows("message_list")[0];
    assert_eq!(message.text("mailbox"), "tests");
    assert_eq!(message.text("waits_for"), "anna");
    assert!(message.number("length_ms") > Some(5_000), "{message:?}");

    let heard = Recording::read(&entry.recording(&engine.place));
    let said = audio::pcap_audio(&g711a());
    let (_, like) = likeness(&said, &heard.caller);
    assert!(like > 0.95, "what was said is recorded: {like}");
    assert!(
        heard.operator.iter().all(|sample| sample.abs() < 16),
        "nobody else spoke"
    );

    let list = listed(&engine.place, &[]);
    assert!(
        list.contains("79140000001") && list.contains(".wav"),
        "{list}"
    );
    let call = list.split(' ').next().unwrap();
    let unknown = engine
        .place
        .run(&["voicemail", "heard", "00000001-00000001"]);
    assert!(!unknown.status.success(), "{}", text_of(&unknown));
    let known = engine
        .place
        .run(&["voicemail", "heard", call, "--by", "anna"]);
    assert!(known.status.success(), "{}", text_of(&known));
    assert_eq!(listed(&engine.place, &[]), "");
    assert!(listed(&engine.place, &["--all"]).contains("heard by anna"));
    // The lamp: none, then one that is new, then one that is old.
    lamp.succeed();

    until("the manifest of the call", Duration::from_secs(40), || {
        let path = entry
            .recording(&engine.place)
            .with_file_name(format!("{call}.json"));
        let text = fs::read(path).ok()?;
        let manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(manifest["notices"][0]["prompt"], "leave", "{manifest}");
        assert_eq!(
            manifest["segments"][0]["sha256"],
            entry.text("recording_sha256")
        );
        Some(())
    });
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));
    let verified = place.run(&["recordings", "verify"]);
    assert!(verified.status.success(), "{}", text_of(&verified));
}

#[test]
fn a_message_is_found_and_heard_over_http() {
    let place = place_with("[api]\nlisten = \"127.0.0.1:0\"\n");
    let token = place.run(&["token", "add", "desk", "--right", "read,write,listen"]);
    let token = String::from_utf8(token.stdout).unwrap();
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    sipp::call(&engine, "uac-talk", |options| options.stay = 6_000);
    let entry = settled(&engine.place);
    let ask = |method: &str, path: &str, body: &str| {
        let (status, answer) = ask(engine.others["http"], method, path, token.trim(), body);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
        (status, answer)
    };
    let (status, list) = ask("GET", "/api/v1/messages", "");
    assert_eq!(status, 200, "{list}");
    let message = &list["messages"][0];
    let call = entry.text("call");
    assert_eq!(message["call"], call, "{list}");
    assert_eq!(message["waits_for"], serde_json::json!(["anna"]));
    let audio = message["audio"].as_str().unwrap();
    let api = engine.others["http"];
    assert_eq!(http::octets(api, audio, token.trim()).1[..4], *b"RIFF");
    let (status, _) = http::octets(api, audio, "wrong");
    assert_eq!(status, 401);

    let (status, nothing) = ask("POST", &format!("/api/v1/messages/{call}/9/heard"), "{}");
    assert_eq!(status, 404, "{nothing}");
    let heard = format!("/api/v1/messages/{call}/{}/heard", message["segment"]);
    let (status, answer) = ask("POST", &heard, r#"{"operator": "anna"}"#);
    assert_eq!(status, 200, "{answer}");
    let (_, list) = ask("GET", "/api/v1/messages", "");
    assert_eq!(list["messages"], serde_json::json!([]));
    let (_, list) = ask("GET", "/api/v1/messages?heard=true", "");
    assert_eq!(list["messages"][0]["heard_by"], "anna", "{list}");
}

#[test]
fn who_says_nothing_leaves_no_message_and_the_plan_goes_on() {
    let engine = Engine::start_in(place());
    let _log = LogOnPanic::of(&engine);
    sipp::call(&engine, "uac-told-bye", |_| {});
    let entry = settled(&engine.place);
    assert_eq!(entry.end(), ("served", "engine"), "{entry:?}");
    let message = &entry.rows("message_list")[0];
    assert_eq!(message.text("ended_by"), "silence");
    let recording = &entry.rows("recording_list")[0];
    assert_eq!(recording.text("missing"), "too_short");
    assert_eq!(listed(&engine.place, &["--all"]), "");
    assert!(recording.text("path").is_empty(), "{recording:?}");
}
