//! Lamps, waiting messages and text messages of operators' telephones, as SIPp asks for them, with real
//! calls and the command line beside.

use std::time::Duration;

use crate::harness::sipp::{self, Options, Sipp, credentials};
use crate::harness::{Engine, LogOnPanic, Setup, free_port, password, text_of, until};

fn setup() -> Setup {
    Setup {
        operators: ["anna", "boris"].map(str::to_owned).to_vec(),
        ..Setup::default()
    }
}

/// Starts a scenario of an operator's telephone about a line.
fn telephone(engine: &Engine, scenario: &str, login: &str, line: &str) -> Sipp {
    let address = engine.place.net.operators;
    let options = Options {
        address,
        port: free_port(address),
        number: line.to_owned(),
        fields: vec![credentials(login, &password(login))],
        ..Options::caller(engine)
    };
    Sipp::start(scenario, &options)
}

/// Waits until so many subscriptions were accepted.
fn subscribed(engine: &Engine, count: usize) {
    until("subscriptions", Duration::from_secs(20), || {
        (engine.log().matches("subscribed").count() >= count).then_some(())
    });
}

#[test]
fn lamps_and_waiting_messages_follow_a_real_call_and_a_voice_mail_system() {
    let engine = Engine::start(&setup());
    let _log = LogOnPanic::of(&engine);
    // Each state lasts longer than the second between two NOTIFYs.
    let anna = sipp::operators(&engine, "uas-answer", &["anna"], |options| {
        options.stay = 2_500;
    });
    let lamp = telephone(&engine, "uac-subscribe-dialog", "boris", "101");
    let summary = telephone(&engine, "uac-subscribe-message-summary", "anna", "anna");
    subscribed(&engine, 2);
    let output = engine.place.run(&["user", "waiting", "anna", "2", "5"]);
    assert!(output.status.success(), "{}", text_of(&output));
    sipp::call(&engine, "uac-talk-later", |options| options.stay = 4_000);
    anna.succeed();
    lamp.succeed();
    summary.succeed();
    assert!(
        !engine.log().contains("broken invariant"),
        "{}",
        engine.log()
    );
}

#[test]
fn what_is_not_to_be_subscribed_to_is_refused_as_the_rfcs_say() {
    let engine = Engine::start(&setup());
    let _log = LogOnPanic::of(&engine);
    let refused = [
        ("uac-subscribe-bad-event-489", "101"),
        ("uac-subscribe-brief-423", "101"),
        ("uac-subscribe-unknown-line-404", "199"),
        ("uac-subscribe-forbidden-403", "101"),
    ];
    let telephones = refused.map(|(scenario, line)| telephone(&engine, scenario, "boris", line));
    for telephone in telephones {
        telephone.succeed();
    }
    assert!(!engine.log().contains("subscribed"), "{}", engine.log());
}

#[test]
fn a_text_message_reaches_the_telephone_of_a_colleague() {
    let engine = Engine::start(&Setup {
        sip: "messages = \"operators\"".to_owned(),
        ..setup()
    });
    let _log = LogOnPanic::of(&engine);
    let boris = sipp::operators(&engine, "uas-message", &["boris"], |_| {});
    telephone(&engine, "uac-message-page-415", "anna", "102").succeed();
    telephone(&engine, "uac-message-routed-200", "anna", "102").succeed();
    boris.succeed();
    let log = engine.log();
    assert!(!log.contains("Lunch"), "the text is in the log: {log}");
    // Nor can it be read in the trace.
    let (_, place) = engine.terminate();
    let wanted = b"Lunch";
    for file in files_below(&place.path("trace")) {
        let octets = std::fs::read(&file).unwrap();
        let found = octets.windows(wanted.len()).any(|part| part == wanted);
        assert!(!found, "{}", file.display());
    }
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    assert!(!files.is_empty(), "nothing in {}", folder.display());
    files
}
