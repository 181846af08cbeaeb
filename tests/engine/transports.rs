//! Calls over each transport with real clients: SIPp over TCP and IPv6, baresip over TCP and TLS, a
//! WebSocket client; hostile octets on streams; certificates that cannot be used.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::harness::baresip::Baresip;
use crate::harness::browser::{Browser, HOST};
use crate::harness::journal::finished;
use crate::harness::wire::{Wire, messages};
use crate::harness::{Engine, LogOnPanic, Net, Setup, sipp, text_of, until, with_tls};
use sip::Method;
use tokio_tungstenite::tungstenite::Error;

/// The caller talks to an operator until it hangs up; the journal says so.
fn talk(engine: &Engine, transport: &'static str, operators: &'static str) {
    let operator = sipp::operators(engine, "uas-answer", &["anna"], |options| {
        options.transport = operators;
    });
    sipp::call(engine, "uac-talk", |options| {
        options.transport = transport;
        options.stay = 1_500;
    });
    operator.succeed();
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(entry.text("operator_login"), "anna");
    entry.check_recording(&engine.place);
}

#[test]
fn caller_and_operator_talk_over_tcp() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    assert_eq!(engine.others["tcp"], engine.sip, "one port for both");
    talk(&engine, "t1", "t1");
}

#[test]
fn a_caller_over_tcp_talks_to_an_operator_over_udp() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    // A connection for each call.
    talk(&engine, "tn", "u1");
}

#[test]
fn caller_and_operator_talk_over_ipv6() {
    let engine = Engine::start(&Setup {
        net: Net::v6(),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    assert!(engine.sip.is_ipv6());
    talk(&engine, "u1", "u1");
}

/// baresip registers over a transport and answers a call.
fn baresip_answers(engine: &Engine, transport: &str, more: &str) {
    let speech = engine.place.path("operator.wav");
    crate::harness::audio::write_tone(&speech, 700.0, 4_000);
    let operator = Baresip::start_over(engine, "anna", &speech, transport, more);
    until("baresip's registration", Duration::from_secs(20), || {
        let log = operator.log();
        (log.contains("200 OK") || log.contains("registered successfully")).then_some(())
    });
    sipp::call(engine, "uac-talk", |options| options.stay = 2_000);
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(
        entry.end(),
        ("answered", "caller"),
        "{entry:?}\n{}",
        operator.log()
    );
    assert_eq!(entry.text("operator_login"), "anna");
}

#[test]
fn baresip_answers_over_tcp() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    baresip_answers(&engine, "tcp", "");
}

#[test]
fn baresip_answers_over_tls() {
    let engine = Engine::start_in(with_tls(Setup::default(), ""));
    let _log = LogOnPanic::of(&engine);
    let authorities = engine.place.path("certificate.pem");
    let more = format!("sip_cafile {}", authorities.display());
    baresip_answers(&engine, "tls", &more);
}

#[test]
fn torture_messages_are_survived_octet_by_octet_over_tcp() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = root.join("../shared/testdata");
    let testdata = std::env::var_os("HOTLINE_TESTDATA").map_or(beside, Into::into);
    let mut files = messages(&root.join("crates/sip/tests/corpus/messages"));
    let theirs = messages(&testdata.join("sip-torture"));
    assert!(theirs.len() >= 61, "{} messages", theirs.len());
    files.extend(theirs);
    let mut engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let probe = Wire::new(engine.place.net.callers, engine.sip);
    for (index, file) in files.iter().enumerate() {
        let mut stream = TcpStream::connect(engine.others["tcp"]).unwrap();
        stream.set_nodelay(true).unwrap();
        for octet in std::fs::read(file).unwrap() {
            // It may be closed before all of it is taken.
            if stream.write_all(&[octet]).is_err() {
                break;
            }
        }
        drop(stream);
        let answered = probe.options_answered(&format!("after{index}"));
        assert!(answered, "dead after {}", file.display());
    }
    assert!(engine.alive());
    assert!(!engine.log().contains("panicked"), "{}", engine.log());
}

#[test]
fn requests_over_tcp_are_answered_on_their_connection_and_keep_alives_too() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let wire = Wire::new(engine.place.net.callers, engine.sip);
    let mut stream = TcpStream::connect(engine.others["tcp"]).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let text = wire
        .request("OPTIONS", "1300", 1, "tcp", "")
        .replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    stream
        .write_all(format!("\r\n\r\n{text}").as_bytes())
        .unwrap();
    let mut answer = String::new();
    let mut buffer = [0; 4_096];
    while !answer.ends_with("\r\n\r\n") || answer.len() < 10 {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "{answer}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert!(answer.starts_with("\r\nSIP/2.0 200 OK\r\n"), "{answer}");
    let contact = format!("Contact: <sip:{};transport=tcp>", engine.others["tcp"]);
    assert!(answer.contains(&contact), "{answer}");
}

#[test]
fn several_messages_in_one_segment_are_each_answered_and_so_is_one_in_two() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let wire = Wire::new(engine.place.net.callers, engine.sip);
    let mut stream = TcpStream::connect(engine.others["tcp"]).unwrap();
    stream.set_nodelay(true).unwrap();
    let wait = Some(Duration::from_secs(10));
    stream.set_read_timeout(wait).unwrap();
    let count = 20;
    let asked: String = (1..=count)
        .map(|n| wire.request("OPTIONS", "1300", n, &format!("segment{n}"), ""))
        .map(|text| text.replace("SIP/2.0/UDP", "SIP/2.0/TCP"))
        .collect();
    // The last one breaks in the middle of its headers.
    let (first, rest) = asked.as_bytes().split_at(asked.len() - 90);
    stream.write_all(first).unwrap();
    let mut heard = String::new();
    let mut buffer = [0; 8_192];
    let mut hear = |stream: &mut TcpStream, answers: usize| {
        while heard.matches("\r\n\r\n").count() < answers {
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "{heard}");
            heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        heard.clone()
    };
    hear(&mut stream, count as usize - 1);
    stream.write_all(rest).unwrap();
    let heard = hear(&mut stream, count as usize);
    assert_eq!(heard.matches("SIP/2.0 200 OK").count(), count as usize);
    for n in 1..=count {
        assert!(heard.contains(&format!("CSeq: {n} OPTIONS\r\n")), "{n}");
    }
}

#[test]
fn a_browser_registers_over_websocket_and_takes_a_call() {
    let net = Net::fresh();
    let engine = Engine::start(&Setup {
        sip: format!(
            "ws = [\"{}:0\"]\norigins = [\"https://desk.example\"]",
            net.engine
        ),
        net,
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ws = engine.others["ws"];
    runtime.block_on(async {
        match Browser::open(ws, "https://evil.example").await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 403),
            other => panic!("{:?}", other.map(|_| ())),
        }
        let mut browser = Browser::open(ws, "https://desk.example").await.unwrap();
        browser.register().await;
        let caller = sipp::start_call(&engine, "uac-talk", |options| options.stay = 1_500);
        let invite = browser.request(&Method::Invite).await;
        assert_eq!(invite.via().unwrap().transport, "WS");
        let contact = invite.contacts().unwrap().remove(0).uri.to_string();
        assert_eq!(contact, format!("sip:{ws};transport=ws"));
        let target = invite.request_uri().unwrap().to_string();
        assert_eq!(target, format!("sip:anna@{HOST};transport=ws"));
        let offer = String::from_utf8_lossy(&invite.body);
        assert!(offer.contains("UDP/TLS/RTP/SAVPF 8 0 "), "{offer}");
        assert!(offer.contains("a=ice-lite\r\n"), "{offer}");
        browser.take(&invite, engine.place.net.operators).await;
        let bye = browser.request(&Method::Bye).await;
        browser.send(&bye.respond(200, None)).await;
        caller.succeed();
    });
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(entry.text("operator_login"), "anna");
}

#[test]
fn a_browser_that_is_gone_is_not_offered_calls() {
    let net = Net::fresh();
    let engine = Engine::start(&Setup {
        sip: format!("ws = [\"{}:0\"]\norigins = [\"*\"]", net.engine),
        net,
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut browser = Browser::open(engine.others["ws"], "https://any.example")
            .await
            .unwrap();
        browser.register().await;
    });
    until(
        "the end of the registration",
        Duration::from_secs(20),
        || engine.log().contains("reachable=false").then_some(()),
    );
    sipp::call(&engine, "uac-hangup-waiting", |options| options.stay = 500);
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("abandoned", "caller"), "{entry:?}");
    assert_eq!(entry.offers(), []);
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_at_its_place() {
    let place = with_tls(Setup::default(), "");
    std::fs::remove_file(place.path("certificate.pem")).unwrap();
    std::fs::write(place.path("key.pem"), "no key").unwrap();
    let lines = std::fs::read_to_string(place.config()).unwrap();
    let line = |key: &str| {
        1 + lines
            .lines()
            .position(|line| line.starts_with(key))
            .unwrap()
    };
    let output = place.run(&["check"]);
    assert!(!output.status.success());
    let said = text_of(&output);
    let at = format!("hotline.toml:{}:", line("certificate"));
    assert!(
        said.contains(&at) && said.contains("expected a certificate in PEM"),
        "{said}"
    );
    let made = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap();
    std::fs::write(place.path("certificate.pem"), made.cert.pem()).unwrap();
    let said = text_of(&place.run(&["check"]));
    let at = format!("hotline.toml:{}:", line("key"));
    assert!(
        said.contains(&at) && said.contains("expected a key in PEM"),
        "{said}"
    );
}
