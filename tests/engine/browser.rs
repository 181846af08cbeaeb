//! Operators in browsers: Chromium with a page of this folder, which registers over WebSocket and talks by
//! WebRTC; the far side is SIPp or baresip. What each side hears is measured at that side.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::audio::{RATE, share_of_tone, write_tone};
use crate::harness::baresip::{Baresip, Way};
use crate::harness::chromium::{Chromium, Page, Phone};
use crate::harness::journal::finished;
use crate::harness::{Engine, LogOnPanic, Place, Setup, sipp, until, with_tls};
use serde_json::json;

/// What the browser's microphone says.
const OPERATOR: f64 = 1_000.0;
/// What the far side says.
const CALLER: f64 = 700.0;
/// What a person would notice as well.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);

/// An engine that browsers reach, and a browser of anna's that is registered there.
fn desk(setup: Setup) -> (Engine, Chromium) {
    desk_over("ws", None, setup)
}

/// The same over a protocol, and with these codecs alone.
fn desk_over(protocol: &str, codec: Option<&str>, setup: Setup) -> (Engine, Chromium) {
    let page = Page::new();
    let listens = format!(
        "{protocol} = [\"{}:0\"]\norigins = [\"{}\"]",
        setup.net.engine,
        page.origin()
    );
    let place = with_tls(
        Setup {
            // A browser takes a while to open its microphone on a busy machine.
            ring_time: "50s",
            ..setup
        },
        &listens,
    );
    let speech = speech(&place, "operator", OPERATOR);
    let engine = Engine::start_in(place);
    let phone = Phone {
        url: format!("{protocol}://{}", engine.others[protocol]),
        login: "anna",
        speech: &speech,
        codec,
    };
    let browser = Chromium::start(page, &phone);
    browser.registered();
    (engine, browser)
}

/// A file of a minute of a tone.
fn speech(place: &Place, name: &str, hertz: f64) -> PathBuf {
    let path = place.path(&format!("{name}.wav"));
    write_tone(&path, hertz, 60_000);
    path
}

/// Most of the sound is this tone.
fn is_tone(what: &str, samples: &[i16], hertz: f64) {
    let share = share_of_tone(samples, hertz);
    assert!(share > 0.8, "{what}: {share:.2} of it is at {hertz} Hz");
}

/// The middle of a side of a talk: at its ends there is silence.
fn middle(samples: &[i16]) -> &[i16] {
    &samples[samples.len() * 2 / 5..samples.len() * 3 / 5]
}

#[test]
fn a_browser_answers_and_both_sides_and_the_recording_hear_what_was_said() {
    talks(desk(Setup::default()), "8");
}

#[test]
fn a_browser_that_takes_opus_alone_hears_and_is_heard_over_wss() {
    let (engine, browser) = desk_over("wss", Some("opus"), Setup::default());
    talks((engine, browser), "111");
}

/// A caller, who has PCMA, talks to the operator in the browser, who answers with this payload type.
fn talks((engine, browser): (Engine, Chromium), payload_type: &str) {
    let _log = LogOnPanic::of(&engine);
    let said = speech(&engine.place, "caller", CALLER);
    let mut caller = Baresip::caller(&engine, &said, Way::UDP, 30);
    let answered = browser.told("answered");
    let answer = answered["answer"].as_str().unwrap();
    assert!(
        answer.contains(&format!("UDP/TLS/RTP/SAVPF {payload_type} ")),
        "{payload_type} first: {answer}"
    );
    browser.hears(CALLER);
    caller.ended();
    browser.told("over");
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(entry.text("operator_login"), "anna");
    let recording = entry.check_recording(&engine.place);
    is_tone("the caller's channel", middle(&recording.caller), CALLER);
    is_tone(
        "the operator's channel",
        middle(&recording.operator),
        OPERATOR,
    );
    let heard = caller.heard();
    // Prompts and music before, silence after: some second of it is the operator's.
    let best = heard
        .chunks(RATE)
        .map(|second| share_of_tone(second, OPERATOR));
    let best = best.fold(0.0, f64::max);
    assert!(
        best > 0.8,
        "the caller heard at most {best:.2} of the operator"
    );
}

/// Sent once, by whichever telephone-events, these keys pause the recording and let it go on.
const PAUSE_KEYS: &str = "[recordings]\npause_card_keys = \"*71\"\nresume_keys = \"*70\"\n";

/// Presses the keys of a pause; a key that came twice would make others of them.
fn presses_a_pause(engine: &Engine, browser: &Chromium, so_far: usize) {
    let paused = || engine.log().matches("recording paused").count();
    let resumed = || engine.log().matches("recording goes on").count();
    browser.command(json!({ "do": "press", "keys": "*71" }));
    until("the pause", NOTICED_WITHIN, || {
        (paused() > so_far).then_some(())
    });
    browser.command(json!({ "do": "press", "keys": "*70" }));
    until("its end", NOTICED_WITHIN, || {
        (resumed() > so_far).then_some(())
    });
    assert_eq!((paused(), resumed()), (so_far + 1, so_far + 1));
}

#[test]
fn keys_that_a_browser_presses_arrive_once() {
    let (engine, browser) = desk(Setup {
        more: PAUSE_KEYS.to_owned(),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let caller = sipp::start_call(&engine, "uac-talk-until-bye", |_| {});
    browser.told("answered");
    browser.told_that("connection", |one| one["state"] == "connected");
    presses_a_pause(&engine, &browser, 0);
    browser.command(json!({ "do": "hang up" }));
    caller.succeed();
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "operator"), "{entry:?}");
}

/// Opus is agreed on before G.711, with telephone-events of both clocks, and the browser goes over to
/// A-law by itself: its keys then come with those of 8,000 Hz.
#[test]
fn a_browser_with_opus_first_may_send_pcma_and_its_keys_arrive_in_both() {
    let setup = Setup {
        more: PAUSE_KEYS.to_owned(),
        ..Setup::default()
    };
    let (engine, browser) = desk_over("ws", Some("opus pcma"), setup);
    let _log = LogOnPanic::of(&engine);
    let said = speech(&engine.place, "caller", CALLER);
    let mut caller = Baresip::caller(&engine, &said, Way::UDP, 40);
    let answered = browser.told("answered");
    let answer = answered["answer"].as_str().unwrap();
    for line in [
        "SAVPF 111 8 ",
        "telephone-event/48000",
        "telephone-event/8000",
    ] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
    browser.told_that("connection", |one| one["state"] == "connected");
    browser.hears(CALLER);
    presses_a_pause(&engine, &browser, 0);
    browser.command(json!({ "do": "speak", "codec": "pcma" }));
    let speaks = browser.told("speaks");
    assert_eq!(speaks["codec"], "audio/PCMA", "{speaks}");
    presses_a_pause(&engine, &browser, 1);
    std::thread::sleep(Duration::from_secs(4));
    browser.command(json!({ "do": "hang up" }));
    caller.ended();
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "operator"), "{entry:?}");
    let recording = entry.check_recording(&engine.place);
    // What it says in A-law is in the recording, and the caller heard it.
    let seconds = |samples: &[i16], hertz| {
        let shares = samples
            .chunks(RATE)
            .rev()
            .map(|part| share_of_tone(part, hertz));
        shares.skip(1).take_while(|share| *share > 0.8).count()
    };
    let recorded = seconds(&recording.operator, OPERATOR);
    assert!(recorded >= 2, "{recorded} s of the end are recorded");
    let heard = caller.heard();
    let heard = heard
        .chunks(RATE)
        .filter(|part| share_of_tone(part, OPERATOR) > 0.8);
    assert!(heard.count() >= 4, "the caller heard the operator");
}

#[test]
fn a_browser_calls_a_colleague_holds_goes_on_and_begins_ice_anew() {
    let (engine, browser) = desk(Setup {
        operators: vec!["anna".to_owned(), "boris".to_owned()],
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let said = speech(&engine.place, "colleague", CALLER);
    let colleague = Baresip::start(&engine, "boris", &said);
    colleague.registered();
    browser.command(json!({ "do": "dial", "number": "102" }));
    let answered = browser.told("answered");
    let answer = answered["answer"].as_str().unwrap();
    assert!(answer.contains("a=ice-lite"), "{answer}");
    browser.hears(CALLER);
    for (command, direction) in [("hold", "recvonly"), ("resume", "sendrecv")] {
        let before = browser.events("changed").len();
        browser.command(json!({ "do": command }));
        browser.told_that("changed", |one| {
            assert_eq!(one["status"], 200, "{one}");
            let said = one["answer"].as_str().unwrap();
            browser.events("changed").len() > before && said.contains(&format!("a={direction}"))
        });
    }
    let names = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("a=ice-ufrag:"));
        line.unwrap().to_owned()
    };
    browser.command(json!({ "do": "restart" }));
    let first = names(answer);
    let restarted = browser.told_that("changed", |one| {
        names(one["answer"].as_str().unwrap()) != first
    });
    assert_eq!(restarted["status"], 200);
    let before = browser.events("heard").len();
    browser.told_that("heard", |_| browser.events("heard").len() > before + 6);
    let last = browser.events("heard").pop().unwrap();
    let hertz = last["hertz"].as_f64().unwrap();
    assert!((hertz - CALLER).abs() < 15.0, "audio goes on: {last}");
    browser.command(json!({ "do": "hang up" }));
    browser.told("hung up");
    let entry = finished(&engine.place, 1).remove(0);
    let recording = entry.check_recording(&engine.place);
    is_tone(
        "what the colleague said",
        middle(&recording.operator),
        CALLER,
    );
}

#[test]
fn a_browser_that_is_killed_in_a_talk_is_noticed_and_the_talk_is_accounted_for() {
    let (engine, browser) = desk(Setup::default());
    let _log = LogOnPanic::of(&engine);
    let caller = sipp::start_call(&engine, "uac-talk-until-bye", |_| {});
    browser.told_that("connection", |one| one["state"] == "connected");
    std::thread::sleep(Duration::from_secs(2));
    browser.kill();
    caller.succeed();
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "operator"), "{entry:?}");
    let recording = entry.check_recording(&engine.place);
    assert!(recording.ms() > 1_500, "{} ms", recording.ms());
    assert!(engine.log().contains("a browser is gone"));
}
