//! Bad input from the network and a bad machine: refused plainly, and the engine lives on.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::journal::{entries, finished};
use crate::harness::wire::{Wire, header, messages};
use crate::harness::{Engine, LogOnPanic, Place, Running, Setup, free_port, sipp, until};

#[test]
fn a_wrong_password_gets_403_and_the_right_one_is_let_in_after_it() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let port = free_port(engine.place.net.operators);
    let wrong = [("anna", "wrong".to_owned())];
    sipp::register(&engine, "uac-register-wrong-password-403", port, &wrong);
    let unknown = [("nobody", "wrong".to_owned())];
    sipp::register(&engine, "uac-register-wrong-password-403", port, &unknown);
    let right = [("anna", crate::harness::password("anna"))];
    sipp::register(&engine, "uac-register", port, &right);
}

#[test]
fn an_unknown_number_gets_404_and_an_entry() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    sipp::call(&engine, "uac-unknown-number-404", |options| {
        options.number = "1999".to_owned()
    });
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("unknown_number", "engine"), "{entry:?}");
    assert_eq!(entry.number("status"), Some(404));
    assert_eq!(entry.text("number"), "1999");
}

#[test]
fn a_full_engine_gets_503_with_retry_after_and_takes_calls_again() {
    let engine = Engine::start(&Setup {
        calls: 1,
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let first = sipp::start_call(&engine, "uac-hangup-waiting", |options| {
        options.stay = 4_000
    });
    until(
        "the first call in the journal",
        Duration::from_secs(10),
        || (!entries(&engine.place).is_empty()).then_some(()),
    );
    sipp::call(&engine, "uac-engine-full-503", |_| {});
    first.succeed();
    sipp::call(&engine, "uac-hangup-waiting", |options| options.stay = 500);
}

#[test]
fn a_stranger_is_not_served() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    // Of no trunk, and without credentials.
    let wire = Wire::new(engine.place.net.operators, engine.sip);
    wire.send(wire.request("INVITE", "1300", 1, "invite", ""));
    let (status, _) = wire
        .response("INVITE", |status| status >= 200)
        .expect("an answer");
    assert!([401, 403, 407].contains(&status), "{status}");
    assert!(entries(&engine.place).is_empty());
}

#[test]
fn malformed_packets_change_nothing() {
    let mut engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let wire = Wire::new(engine.place.net.callers, engine.sip);
    let good = wire.request("INVITE", "1300", 1, "x", "");
    let packets: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\r\n\r\n".to_vec(),
        b"\0\0\0\0".to_vec(),
        vec![0xff; 1_400],
        vec![b'A'; 60_000],
        b"INVITE".to_vec(),
        b"INVITE sip:1300@x SIP/2.0\r\n\r\n".to_vec(),
        b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
        good.replace("SIP/2.0/UDP", "SIP/9.9/UDP").into_bytes(),
        good.replace("CSeq: 1", "CSeq: 99999999999999999999")
            .into_bytes(),
        good.replace("Content-Length: ", "Content-Length: -")
            .into_bytes(),
        good.replace("Content-Length: ", "Content-Length: 9999")
            .into_bytes(),
        good.replace("m=audio", "m=\u{0}\u{1}audio").into_bytes(),
        good.replace("v=0", "v=\u{fffd}").into_bytes(),
        good.replace("From: ", &format!("From: {}", "\"".repeat(999)))
            .into_bytes(),
        good.replace(
            "Via:",
            &"Via: SIP/2.0/UDP h;branch=z9hG4bKv\r\nVia:".repeat(400),
        )
        .into_bytes(),
    ];
    for (index, packet) in packets.iter().enumerate() {
        wire.send(packet);
        assert!(
            wire.options_answered(&format!("o{index}")),
            "dead after packet {index}"
        );
    }
    assert!(engine.alive());
}

/// The verdict of the parser on each is tested in crates/sip; here each goes over a socket, and
/// the engine must live on. The torture messages of RFC 4475 and RFC 5118 are found as
/// crates/sip/tests/torture.rs finds them, beside the checkout or in `HOTLINE_TESTDATA`.
#[test]
fn torture_messages_are_survived() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = root.join("../shared/testdata");
    let testdata = std::env::var_os("HOTLINE_TESTDATA").map_or(beside, PathBuf::from);
    let torture = testdata.join("sip-torture");
    let mut files = messages(&root.join("crates/sip/tests/corpus/messages"));
    assert!(files.len() > 50, "{} messages of ours", files.len());
    let theirs = messages(&torture);
    assert!(
        theirs.len() >= 61,
        "{} messages in {}",
        theirs.len(),
        torture.display()
    );
    files.extend(theirs);
    let mut engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let callers = engine.place.net.callers;
    let sender = Wire::new(callers, engine.sip);
    let probe = Wire::new(callers, engine.sip);
    for (index, file) in files.iter().enumerate() {
        sender.send(std::fs::read(file).unwrap());
        let answered = probe.options_answered(&format!("after{index}"));
        assert!(answered, "dead after {}", file.display());
    }
    assert!(engine.alive());
    let log = engine.log();
    let control = |c: char| c.is_control() && c != '\n' && c != '\u{1b}';
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(
        log.chars().find(|c| control(*c)),
        None,
        "raw control characters in the log"
    );
}

/// Runs `serve` to its end; its exit code and what it said.
fn serve(place: &Place) -> (Option<i32>, String) {
    let folder = place.path("said.log");
    let said = std::fs::File::create(&folder).unwrap();
    let mut child = Running(
        Command::new(env!("CARGO_BIN_EXE_hotline"))
            .args(["serve", "--config"])
            .arg(place.config())
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap(),
    );
    let status = until("the refusal to start", Duration::from_secs(60), || {
        child.0.try_wait().unwrap()
    });
    (status.code(), std::fs::read_to_string(folder).unwrap())
}

/// It ended with 1, and the last thing it said is one sentence with the words that help.
fn refused_with(place: &Place, words: &[&str]) {
    let (code, said) = serve(place);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        !said.contains("panicked") && !said.lines().any(|line| line.starts_with("ready ")),
        "{said}"
    );
    let sentence = said.lines().last().unwrap_or_default();
    for word in words {
        assert!(sentence.contains(word), "{word:?} is not in: {sentence}");
    }
    assert!(
        !said.contains("Caused by") && !said.contains("stack backtrace"),
        "{said}"
    );
}

#[test]
fn a_port_in_use_is_one_plain_sentence() {
    let place = Place::new(&Setup::default());
    let taken = UdpSocket::bind((place.net.engine, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = std::fs::read_to_string(place.config()).unwrap();
    let text = text.replace(":0\"", &format!(":{port}\""));
    std::fs::write(place.config(), text).unwrap();
    refused_with(&place, &[&port.to_string()]);
}

#[test]
fn a_folder_that_cannot_be_written_is_one_plain_sentence() {
    let place = Place::new(&Setup::default());
    // A file stands where the folder should be: even root cannot write below it.
    std::fs::write(place.path("recordings"), "not a folder").unwrap();
    refused_with(&place, &["recordings"]);
}

#[test]
fn a_broken_database_is_one_plain_sentence() {
    let place = Place::new(&Setup::default());
    let database = place.path("journal/journal.db");
    assert!(database.is_file(), "`user add` made the database");
    for suffix in ["", "-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{suffix}", database.display()));
        if path.exists() {
            std::fs::write(path, vec![0x5a; 8_192]).unwrap();
        }
    }
    refused_with(&place, &["journal.db"]);
}

#[test]
fn an_answer_to_options_says_what_is_allowed() {
    let engine = Engine::start(&Setup::default());
    let wire = Wire::new(engine.place.net.callers, engine.sip);
    wire.send(wire.request("OPTIONS", "1300", 1, "options", ""));
    let (status, text) = wire
        .response("OPTIONS", |status| status >= 200)
        .expect("an answer");
    assert_eq!(status, 200);
    assert!(
        header(&text, "Allow").is_some_and(|allow| allow.contains("INVITE")),
        "{text}"
    );
}
