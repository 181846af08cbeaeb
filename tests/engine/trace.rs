//! The SIP trace of real calls: what `hotline call show` and `hotline call export` say of them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::journal::finished;
use crate::harness::wire::Wire;
use crate::harness::{Engine, LogOnPanic, Place, Setup, need, sipp, text_of, until};

/// What `hotline call show` prints of the newest call, once its last message is written.
fn shown(place: &Place, arguments: &[&str], last: &str) -> String {
    until("the trace of the call", Duration::from_secs(10), || {
        let output = place.run(&[&["call", "show"], arguments].concat());
        let text = text_of(&output);
        (output.status.success() && text.contains(last)).then_some(text)
    })
}

/// The last message of a call that the caller ends: the operator's answer to our BYE.
const LAST: &str = "200 BYE";

fn talk(engine: &Engine) -> String {
    let operator = sipp::operators(engine, "uas-answer", &["anna"], |_| {});
    sipp::call(engine, "uac-talk", |options| options.stay = 2_500);
    operator.succeed();
    finished(&engine.place, 1)
        .remove(0)
        .text("sip_call_id")
        .to_owned()
}

/// Fails unless the pieces stand in the text in this order.
fn in_order(text: &str, pieces: &[&str]) {
    let mut rest = text;
    for piece in pieces {
        let at = rest.find(piece);
        let at = at.unwrap_or_else(|| panic!("{piece:?} does not follow in:\n{text}"));
        rest = &rest[at + piece.len()..];
    }
}

#[test]
fn a_call_is_shown_with_both_legs_and_the_journals_facts_between() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let sip_call_id = talk(&engine);
    let text = shown(&engine.place, &["--last", "1"], LAST);
    in_order(
        &text,
        &[
            "answered, ended by caller",
            "caller",
            "hotline",
            "anna (101)",
            "INVITE",
            "[PCMA",
            "call arrived: ",
            "call answered by the engine",
            "200 OK",
            "ACK",
            "queue operators entered",
            "offer made to anna",
            "leg to anna on line 101",
            "INVITE",
            "180 Ringing",
            "200 OK",
            "segment 1: talk with anna begins, recorded",
            "ACK",
            "BYE",
            "call ended: answered, by caller",
            "recording of segment 1 stored",
        ],
    );
    assert!(
        text.matches("- BYE -").count() >= 2,
        "of both legs:\n{text}"
    );
    assert!(text.matches(LAST).count() >= 2, "of both legs:\n{text}");
    assert!(!text.contains("9140000001"), "masked:\n{text}");

    // The call is found by the Call-ID of either leg.
    let by_id = shown(&engine.place, &[&sip_call_id, "--messages"], LAST);
    assert!(by_id.contains("\nCall-ID: "), "whole messages:\n{by_id}");
    assert!(!by_id.contains("9140000001"), "masked:\n{by_id}");
    let ids = by_id
        .lines()
        .filter_map(|line| line.strip_prefix("Call-ID: "));
    let other = ids.into_iter().find(|id| *id != sip_call_id).unwrap();
    let by_other = shown(&engine.place, &[other, "--clear", "--messages"], LAST);
    assert!(by_other.contains("9140000001"), "in clear:\n{by_other}");
    assert!(by_other.contains("answered, ended by caller"), "{by_other}");
}

#[test]
fn an_export_is_read_by_tshark_as_sip_of_the_real_addresses() {
    need("tshark", "tshark");
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    talk(&engine);
    shown(&engine.place, &["--last", "1"], LAST);
    let file = engine.place.path("call.pcapng");
    let name = file.display().to_string();
    let output = engine
        .place
        .run(&["call", "export", "--last", "1", "--output", &name]);
    assert!(output.status.success(), "{}", text_of(&output));
    let fields = [
        "ip.src",
        "sip.Method",
        "sip.Status-Code",
        "frame.comment",
        "ip.checksum.status",
        "udp.checksum.status",
    ];
    let rows = tshark(&file, &fields);
    assert!(rows.len() >= 12, "{rows:?}");
    let net = engine.place.net;
    let row = |src: String, method: &str| {
        rows.iter()
            .any(|row| row[0] == src && row[1] == method && row[3].starts_with("call "))
    };
    for (src, method) in [
        (net.callers.to_string(), "INVITE"),
        (net.callers.to_string(), "BYE"),
        (net.engine.to_string(), "INVITE"),
        (net.engine.to_string(), "BYE"),
    ] {
        assert!(row(src.clone(), method), "{method} of {src} in {rows:?}");
    }
    assert!(
        rows.iter().any(|row| row[3].ends_with(", caller")),
        "{rows:?}"
    );
    assert!(
        rows.iter().any(|row| row[3].ends_with(", anna (101)")),
        "{rows:?}"
    );
    // Good by tshark's own sums (1), and every packet is SIP.
    for row in &rows {
        assert_eq!((&*row[4], &*row[5]), ("1", "1"), "{row:?}");
        assert!(!row[1].is_empty() || !row[2].is_empty(), "no SIP: {row:?}");
    }
}

fn tshark(file: &Path, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(file)
        .args(["-T", "fields", "-E", "separator=|"]);
    command.args([
        "-o",
        "ip.check_checksum:TRUE",
        "-o",
        "udp.check_checksum:TRUE",
    ]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.split('|').map(str::to_owned).collect())
        .collect()
}

#[test]
fn a_killed_engine_leaves_the_trace_readable_and_no_proof_of_a_password_in_it() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let wire = Wire::new(engine.place.net.callers, engine.sip);
    sipp::register(
        &engine,
        "uac-register",
        crate::harness::free_port(engine.place.net.operators),
        &[("anna", crate::harness::password("anna"))],
    );
    assert!(wire.options_answered("probe"));
    let probe = format!("wire-{}-", std::process::id());
    let folder = engine.place.path("trace");
    let files = || -> Vec<String> {
        std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    };
    until("the trace on the disk", Duration::from_secs(10), || {
        files()
            .iter()
            .any(|text| text.contains(&probe))
            .then_some(())
    });
    let place = engine.kill();
    let all = files().concat();
    assert!(
        all.contains("Authorization: Digest"),
        "the registration is there"
    );
    let proof = all.split("response=\"").nth(1).unwrap();
    assert!(proof.starts_with("xxxxxxxx"), "{}", &proof[..40]);
    // Whoever has no call is found by the Call-ID, too.
    let id = all.split(&probe).nth(1).unwrap();
    let id = format!("{probe}{}", id.split(['\r', '\n']).next().unwrap());
    let text = shown(&place, &[&id], "200 OPTIONS");
    assert!(text.contains("OPTIONS"), "{text}");
}

#[test]
fn a_call_that_nobody_knows_is_said_to_be_unknown() {
    let engine = Engine::start(&Setup {
        more: "[trace]\nenabled = false\n".to_owned(),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let output = engine.place.run(&["call", "show", "nobody@nowhere"]);
    assert!(!output.status.success());
    assert!(text_of(&output).contains("neither a call of the journal nor"));
    let output = engine.place.run(&["call", "show", "--last", "1"]);
    assert!(
        text_of(&output).contains("no calls yet"),
        "{}",
        text_of(&output)
    );
    sipp::call(&engine, "uac-unknown-number-404", |options| {
        options.number = "999".to_owned();
    });
    let text = shown(&engine.place, &["--last", "1"], "call ended");
    assert!(text.contains("[trace] enabled = false"), "{text}");
    assert!(!engine.place.path("trace").exists());
}
