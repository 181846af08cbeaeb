//! Telephones, proxies and scanners of others against a whole engine: baresip, linphone, Kamailio,
//! sipsak, SIPVicious. What they did is seen in the journal and in the SIP trace.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::harness::audio::write_tone;
use crate::harness::baresip::{Baresip, Way};
use crate::harness::journal::{Entry, finished};
use crate::harness::kamailio::Kamailio;
use crate::harness::linphone::Linphone;
use crate::harness::wire::Wire;
use crate::harness::{
    Engine, LogOnPanic, NUMBER, Net, Setup, need, sipp, text_of, until, with_tls,
};

fn tone(engine: &Engine) -> PathBuf {
    let file = engine.place.path("speech.wav");
    write_tone(&file, 440.0, 10_000);
    file
}

fn one(engine: &Engine) -> Entry {
    finished(&engine.place, 1).remove(0)
}

/// Whole messages of the newest call, as the trace has them, once its last BYE is answered.
fn messages(engine: &Engine) -> String {
    until("the trace of the call", Duration::from_secs(10), || {
        let output = engine
            .place
            .run(&["call", "show", "--last", "1", "--messages"]);
        let text = text_of(&output);
        (text.matches("200 BYE").count() >= 2).then_some(text)
    })
}

fn answered_by_anna(entry: &Entry, engine: &Engine) {
    assert_eq!(entry.text("outcome"), "answered", "{entry:?}");
    assert_eq!(entry.text("operator_login"), "anna", "{entry:?}");
    assert!(entry.number("talk_ms").unwrap() >= 1_000, "{entry:?}");
    let recording = entry.check_recording(&engine.place);
    assert!(recording.ms() >= 1_000, "{entry:?}");
}

#[test]
fn linphone_registers_and_takes_a_call() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let telephone = Linphone::start(&engine, "anna");
    until("linphone's registration", Duration::from_secs(30), || {
        engine.log().contains("reachable=true").then_some(())
    });
    sipp::call(&engine, "uac-talk", |options| options.stay = 5_000);
    let entry = one(&engine);
    assert_eq!(entry.end(), ("answered", "caller"), "{}", telephone.log());
    answered_by_anna(&entry, &engine);
}

#[test]
fn baresip_calls_and_baresip_answers_over_udp() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let speech = tone(&engine);
    let operator = Baresip::start(&engine, "anna", &speech);
    operator.registered();
    let mut caller = Baresip::caller(&engine, &speech, Way::UDP, 6);
    caller.ended();
    let entry = one(&engine);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    answered_by_anna(&entry, &engine);
}

/// Caller and operator are both baresip, over one transport.
fn baresip_to_baresip(engine: &Engine, way: Way<'_>) {
    let speech = tone(engine);
    let operator = Baresip::operator(engine, "anna", &speech, way);
    operator.registered();
    let mut caller = Baresip::caller(engine, &speech, way, 6);
    caller.ended();
    let entry = one(engine);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    answered_by_anna(&entry, engine);
    // The trace names the transport beside each message.
    let text = messages(engine);
    let name = way.transport.to_uppercase();
    assert!(
        text.contains(&format!("/{name} ")),
        "no Via of {name} in:\n{text}"
    );
}

#[test]
fn baresip_calls_and_baresip_answers_over_tcp() {
    let engine = Engine::start(&trunk_of_tools());
    let _log = LogOnPanic::of(&engine);
    baresip_to_baresip(&engine, Way::over("tcp", ""));
}

#[test]
fn baresip_calls_and_baresip_answers_over_tls() {
    let engine = Engine::start_in(with_tls(trunk_of_tools(), ""));
    let _log = LogOnPanic::of(&engine);
    let authorities = engine.place.path("certificate.pem");
    let more = format!("sip_cafile {}", authorities.display());
    baresip_to_baresip(&engine, Way::over("tls", &more));
}

#[test]
fn a_call_through_kamailio_as_carrier_keeps_its_route_to_the_end() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let speech = tone(&engine);
    // The carrier's proxy stands at the trunk's address.
    let told = [
        ("ENGINE", engine.sip.to_string()),
        ("OUTER", "127.0.0.1:9".to_owned()),
    ];
    let carrier = Kamailio::start("carrier", engine.place.net.callers, &told);
    let operator = Baresip::start(&engine, "anna", &speech);
    operator.registered();
    let way = Way {
        proxy: Some(carrier.address),
        ..Way::UDP
    };
    let mut caller = Baresip::caller(&engine, &speech, way, 6);
    caller.ended();
    let entry = one(&engine);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    answered_by_anna(&entry, &engine);
    let text = messages(&engine);
    let route = format!("Record-Route: <sip:{}", carrier.address);
    assert!(text.contains(&route), "{route} in:\n{text}");
}

#[test]
fn an_operator_who_hangs_up_ends_the_call_behind_kamailio() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let told = [
        ("ENGINE", engine.sip.to_string()),
        ("OUTER", "127.0.0.1:9".to_owned()),
    ];
    let carrier = Kamailio::start("carrier", engine.place.net.callers, &told);
    let operator = sipp::operators(&engine, "uas-answer-hangup", &["anna"], |options| {
        options.stay = 2_000;
    });
    let way = Way {
        proxy: Some(carrier.address),
        ..Way::UDP
    };
    let mut caller = Baresip::caller(&engine, &tone(&engine), way, 12);
    operator.succeed();
    let entry = one(&engine);
    assert_eq!(entry.end(), ("answered", "operator"), "{entry:?}");
    // Our BYE to the caller goes by the way of the Record-Route.
    let text = messages(&engine);
    let route = format!("Route: <sip:{}", carrier.address);
    let bye = text.split("\n--- ").find(|message| {
        message.contains("\nBYE ") && message.contains(&format!("to {}", carrier.address))
    });
    let bye = bye.unwrap_or_else(|| panic!("no BYE to the carrier in:\n{text}"));
    assert!(bye.contains(&route), "{bye}");
    caller.ended();
}

#[test]
fn the_engine_registers_with_kamailio_by_digest_and_another_authentication_user() {
    let net = Net::fresh();
    let nobody = "127.0.0.1:9".to_owned();
    let told = [("ENGINE", nobody.clone()), ("OUTER", nobody)];
    let carrier = Kamailio::start("carrier", net.callers, &told);
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "carrier-secret\n").unwrap();
    let engine = Engine::start(&Setup {
        net,
        more: format!(
            "[[trunk]]\nname = \"carrier\"\nservers = [\"{}\"]\naccount = \"74951112233\"\n\
             account_user = \"SIP0123@carrier.example\"\naccount_secret_file = \"{}\"\n\
             realm = \"carrier.example\"\nregister = true\n",
            carrier.address,
            secret.display()
        ),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    until("the registration", Duration::from_secs(20), || {
        let log = engine.log();
        log.lines()
            .any(|line| line.contains("registered trunk=\"carrier\""))
            .then_some(())
    });
    let (code, _place) = engine.terminate();
    assert_eq!(code, Some(0));
}

#[test]
fn a_telephone_behind_kamailio_registers_by_path_and_is_rung_by_it() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let speech = tone(&engine);
    let told = [("ENGINE", engine.sip.to_string())];
    let edge = Kamailio::start("edge", engine.place.net.operators, &told);
    let way = Way {
        proxy: Some(edge.address),
        ..Way::UDP
    };
    let operator = Baresip::operator(&engine, "anna", &speech, way);
    operator.registered();
    sipp::call(&engine, "uac-talk", |options| options.stay = 4_000);
    let entry = one(&engine);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    answered_by_anna(&entry, &engine);
    let text = messages(&engine);
    let invite = text.split("\n--- ").find(|message| {
        message.contains("\nINVITE ") && message.contains(&format!("to {}", edge.address))
    });
    let invite = invite.unwrap_or_else(|| panic!("no INVITE to the proxy in:\n{text}"));
    assert!(
        invite.contains(&format!("Route: <sip:{}", edge.address)),
        "{invite}"
    );
}

fn tool(program: &str, package: &str, arguments: &[&str]) -> Output {
    need(program, package);
    // `timeout` bounds tools that would wait for ever.
    Command::new("timeout")
        .args(["60", program])
        .args(arguments)
        .output()
        .unwrap()
}

/// An engine whose trunk is 127.0.0.1: sipsak and SIPVicious send from there.
fn trunk_of_tools() -> Setup {
    Setup {
        more: "[[trunk]]\nname = \"tools\"\naddresses = [\"127.0.0.1\"]\n".to_owned(),
        ..Setup::default()
    }
}

#[test]
fn sipsak_is_answered_and_its_flood_leaves_the_engine_standing() {
    let mut engine = Engine::start(&trunk_of_tools());
    let _log = LogOnPanic::of(&engine);
    let uri = format!("sip:{NUMBER}@{}", engine.sip);
    let probe = tool("sipsak", "sipsak", &["-vv", "-s", &uri]);
    assert!(probe.status.success(), "{}", text_of(&probe));
    assert!(
        text_of(&probe).contains("SIP/2.0 200"),
        "{}",
        text_of(&probe)
    );
    // Text has no place in a hotline: the message is refused, not lost.
    let text = engine.place.path("message.txt");
    std::fs::write(&text, message(&uri)).unwrap();
    let text = text.display().to_string();
    let refused = tool("sipsak", "sipsak", &["-f", &text, "-vvv", "-s", &uri]);
    let answer = text_of(&refused);
    assert!(answer.contains("\nSIP/2.0 4"), "{answer}");
    let begun = Instant::now();
    let flood = tool("sipsak", "sipsak", &["-F", "-e", "2000", "-s", &uri]);
    assert!(
        begun.elapsed() < Duration::from_secs(50),
        "{}",
        text_of(&flood)
    );
    assert!(engine.alive());
    let after = tool("sipsak", "sipsak", &["-s", &uri]);
    assert!(after.status.success(), "{}", text_of(&after));
    // And calls go on as before.
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 2_500);
    operator.succeed();
    assert_eq!(one(&engine).end(), ("answered", "caller"));
}

fn message(uri: &str) -> String {
    format!(
        "MESSAGE {uri} SIP/2.0\r\nFrom: <sip:me@127.0.0.1>;tag=1\r\nTo: <{uri}>\r\n\
         Call-ID: message-{}\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n\
         Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
        std::process::id()
    )
}

#[test]
fn sipvicious_finds_no_operator_and_no_password() {
    let mut engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let (host, port) = (engine.sip.ip().to_string(), engine.sip.port().to_string());
    let scan = tool("svmap", "sipvicious", &[&host, "-p", &port]);
    let seen = text_of(&scan);
    assert!(!seen.contains("anna") && !seen.contains("101"), "{seen}");
    // The name of the program is the most that a scanner learns, and no version of it.
    assert!(!seen.contains("hotline/"), "{seen}");
    let names = engine.place.path("names.txt");
    std::fs::write(&names, "100\n101\nanna\nboris\nadmin\n1300\n").unwrap();
    let names = names.display().to_string();
    for method in ["REGISTER", "INVITE", "OPTIONS"] {
        let arguments = ["-p", &port, "-d", &names, "-m", method, "--force", &host];
        let war = tool("svwar", "sipvicious", &arguments);
        let seen = text_of(&war);
        assert!(seen.contains("found nothing"), "{method}: {seen}");
    }
    let words = engine.place.path("words.txt");
    std::fs::write(&words, "anna\n1234\nsecret\npassword\n").unwrap();
    let words = words.display().to_string();
    let crack = tool(
        "svcrack",
        "sipvicious",
        &["-p", &port, "-u", "anna", "-d", &words, &host],
    );
    let seen = text_of(&crack);
    assert!(seen.contains("found nothing"), "{seen}");

    // The engine stands, its tables are as before: no call, no entry, and the operator registers.
    assert!(engine.alive());
    let wire = Wire::new(engine.place.net.callers, engine.sip);
    assert!(wire.options_answered("after"));
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 2_500);
    operator.succeed();
    let entries = finished(&engine.place, 1);
    assert_eq!(entries.len(), 1, "{entries:?}");
}
