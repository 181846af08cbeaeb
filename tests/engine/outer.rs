//! Calls of operators to the outer network: carriers that ask for a password, Kamailio among them,
//! and what happens to a call whose first trunk is dead or full.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::harness::journal::{Entry, finished};
use crate::harness::kamailio::Kamailio;
use crate::harness::sipp::{self, Options, Sipp};
use crate::harness::wire::{Wire, header, to_tag};
use crate::harness::{Engine, LogOnPanic, Net, Place, Setup, free_port, password, text_of, until};

const OUTER: &str = "+74951112233";

fn free(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, free_port(address))
}

/// A trunk to which calls go; its settings beside the server.
fn trunk(name: &str, server: SocketAddr, more: &str) -> String {
    format!(
        "[[trunk]]\nname = \"{name}\"\nservers = [\"{server}\"]\ndial_allowed = [\"+7\"]\n{more}\n"
    )
}

/// An account of which the carrier asks a password in this realm.
fn account(realm: &str) -> String {
    format!(
        "account = \"74951110000\"\naccount_user = \"SIP0123@carrier.example\"\n\
         account_secret_file = \"carrier.secret\"\nrealm = \"{realm}\""
    )
}

/// An engine with two operators and these trunks, in the order in which they are tried.
fn engine(net: Net, trunks: &[String]) -> Engine {
    let place = Place::new(&Setup {
        net,
        operators: vec!["anna".to_owned(), "boris".to_owned()],
        more: trunks.concat(),
        ..Setup::default()
    });
    std::fs::write(place.path("carrier.secret"), "carrier-secret\n").unwrap();
    Engine::start_in(place)
}

/// An engine with two trunks, the first with these settings: its server by hand, and where the second is.
fn two_ways(first_more: &str) -> (Engine, Wire, SocketAddr) {
    let net = Net::fresh();
    let (first, second) = (free(net.other()), free(net.operators));
    let server = Wire::on(first, first);
    let trunks = [
        trunk("first", first, first_more),
        trunk("second", second, ""),
    ];
    (engine(net, &trunks), server, second)
}

/// A telephone of the outer network that waits for what comes.
fn outer(scenario: &str, at: SocketAddr, change: impl FnOnce(&mut Options)) -> Sipp {
    let mut options = Options::server(at);
    options.stay = 300;
    change(&mut options);
    let sipp = Sipp::start(scenario, &options);
    sipp.listens(&options);
    sipp
}

/// An operator calls the outer number.
fn dials(engine: &Engine, login: &str, scenario: &str, stay: u32) -> Sipp {
    sipp::start_call(engine, scenario, |options| {
        options.address = engine.place.net.operators;
        options.port = free_port(options.address);
        options.number = OUTER.to_owned();
        options.stay = stay;
        options.fields = vec![sipp::credentials(login, &password(login))];
    })
}

/// Trunk and number of the one talk of an entry.
fn went_by(entry: &Entry) -> String {
    let segments = entry.rows("segment_list");
    assert_eq!(segments.len(), 1, "{entry:?}");
    assert_eq!(segments[0].text("outer_number"), OUTER, "{entry:?}");
    assert_eq!(entry.text("outcome"), "answered", "{entry:?}");
    segments[0].text("outer_trunk").to_owned()
}

#[test]
fn a_carrier_that_asks_for_a_password_by_either_status_gets_it_and_the_call_goes_through() {
    let net = Net::fresh();
    for scenario in ["uas-carrier-401", "uas-carrier-407"] {
        let server = free(net.other());
        let carrier = outer(scenario, server, |options| {
            options.fields = vec!["carrier.example".to_owned()];
        });
        let engine = engine(
            net,
            &[trunk("carrier", server, &account("carrier.example"))],
        );
        let _log = LogOnPanic::of(&engine);
        dials(&engine, "anna", "uac-dial", 2_000).succeed();
        carrier.succeed();
        let entry = finished(&engine.place, 1).remove(0);
        assert_eq!(went_by(&entry), "carrier");
        assert_eq!(entry.end(), ("answered", "operator"), "{entry:?}");
        assert!(entry.check_recording(&engine.place).ms() > 1_500);
    }
}

/// Takes an INVITE and answers it; what was asked.
fn refuses(server: &Wire, engine: SocketAddr, answer: &str, more: &str) -> String {
    let invite = server.receive(Duration::from_secs(10)).expect("an INVITE");
    assert!(invite.starts_with("INVITE "), "{invite}");
    server.answer(engine, &invite, &format!("{answer}\r\n{more}"));
    invite
}

#[test]
fn a_carrier_of_another_realm_gets_no_credentials_and_the_next_trunk_takes_the_call() {
    let (engine, strange, second) = two_ways(&account("carrier.example"));
    let carrier = outer("uas-answer", second, |_| {});
    let _log = LogOnPanic::of(&engine);
    let call = dials(&engine, "anna", "uac-dial", 1_000);
    let challenge = "Proxy-Authenticate: Digest realm=\"elsewhere\", nonce=\"n\", qop=\"auth\"\r\n";
    let asked = "407 Proxy Authentication Required";
    let mut heard = vec![refuses(&strange, engine.sip, asked, challenge)];
    call.succeed();
    carrier.succeed();
    while let Some(text) = strange.receive(Duration::from_millis(200)) {
        heard.push(text);
    }
    assert!(
        heard.iter().any(|text| text.starts_with("ACK ")),
        "{heard:?}"
    );
    for text in &heard {
        assert!(!text.contains("uthorization:"), "{text}");
        assert!(!text.contains("SIP0123"), "{text}");
    }
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(went_by(&entry), "second");
}

/// A call through Kamailio to a telephone that does what `scenario` says; the entry.
fn through_kamailio(scenario: &str, operator: &str) -> (Engine, Entry) {
    let net = Net::fresh();
    let (proxy, telephone) = (free(net.callers), free(net.other()));
    let engine = engine(
        net,
        &[trunk("kamailio", proxy, &account("carrier.example"))],
    );
    let told = [
        ("ENGINE", engine.sip.to_string()),
        ("OUTER", telephone.to_string()),
    ];
    let _carrier = Kamailio::start_at("carrier", proxy, &told);
    let outer = outer(scenario, telephone, |options| options.stay = 1_500);
    let call = dials(&engine, "anna", operator, 2_000);
    call.succeed();
    outer.succeed();
    let entry = finished(&engine.place, 1).remove(0);
    (engine, entry)
}

#[test]
fn an_operator_calls_through_kamailio_by_digest_and_hangs_up_by_its_route() {
    let (engine, entry) = through_kamailio("uas-answer", "uac-dial");
    let _log = LogOnPanic::of(&engine);
    assert_eq!(went_by(&entry), "kamailio");
    assert_eq!(entry.end(), ("answered", "operator"), "{entry:?}");
    let shown = engine
        .place
        .run(&["call", "show", "--last", "1", "--messages"]);
    let text = text_of(&shown);
    for piece in ["SIP/2.0 407 ", "Proxy-Authorization: Digest "] {
        assert!(text.contains(piece), "no {piece:?} in:\n{text}");
    }
    assert!(entry.check_recording(&engine.place).ms() > 1_000);
}

#[test]
fn who_was_called_through_kamailio_hangs_up_and_the_operator_is_hung_up_on() {
    let (engine, entry) = through_kamailio("uas-answer-hangup", "uac-dial-until-bye");
    let _log = LogOnPanic::of(&engine);
    assert_eq!(went_by(&entry), "kamailio");
    assert_ne!(entry.text("ended_by"), "operator", "{entry:?}");
    assert_ne!(entry.text("ended_by"), "engine", "{entry:?}");
}

#[test]
fn a_trunk_that_answers_no_probe_gets_no_call_until_it_does() {
    let (engine, dead, second) = two_ways("probe = \"5s\"\nprobe_failures = 1");
    let carrier = outer("uas-answer", second, |_| {});
    let _log = LogOnPanic::of(&engine);
    let said = |word: &str| {
        let word = word.to_owned();
        let log = || engine.log().contains(&word).then_some(());
        until(&word.clone(), Duration::from_secs(20), log);
    };
    said("server is down");
    dials(&engine, "anna", "uac-dial", 500).succeed();
    carrier.succeed();
    // It was asked, and nothing else.
    while let Some(text) = dead.receive(Duration::from_millis(100)) {
        assert!(text.starts_with("OPTIONS "), "{text}");
    }
    // It is there again, and refuses what it gets.
    let call = std::thread::scope(|scope| {
        let answered = scope.spawn(|| {
            let probe = dead.receive(Duration::from_secs(10)).expect("a probe");
            dead.answer(engine.sip, &probe, "200 OK");
        });
        said("server is back");
        answered.join().unwrap();
        let carrier = outer("uas-answer", second, |_| {});
        let call = dials(&engine, "anna", "uac-dial", 500);
        refuses(&dead, engine.sip, "503 Service Unavailable", "");
        call.succeed();
        carrier.succeed();
        finished(&engine.place, 2)
    });
    for entry in &call {
        assert_eq!(went_by(entry), "second");
    }
}

#[test]
fn a_trunk_without_probe_that_is_silent_costs_seconds_and_the_next_takes_the_call() {
    let (engine, dead, second) = two_ways("");
    let carrier = outer("uas-answer", second, |_| {});
    let _log = LogOnPanic::of(&engine);
    dials(&engine, "anna", "uac-dial", 500).succeed();
    carrier.succeed();
    let tried = dead.receive(Duration::from_secs(1)).expect("an INVITE");
    assert!(tried.starts_with("INVITE "), "{tried}");
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(went_by(&entry), "second");
    assert!(entry.number("duration_ms").unwrap() < 20_000, "{entry:?}");
}

#[test]
fn a_trunk_that_is_full_leaves_the_next_call_to_the_next_trunk() {
    let net = Net::fresh();
    let (first, second) = (free(net.other()), free(net.operators));
    let carriers = [first, second].map(|at| outer("uas-answer", at, |_| {}));
    let engine = engine(
        net,
        &[
            trunk("first", first, "calls_out = 1"),
            trunk("second", second, ""),
        ],
    );
    let _log = LogOnPanic::of(&engine);
    let one = dials(&engine, "anna", "uac-dial", 4_000);
    until("the first talk", Duration::from_secs(10), || {
        engine.log().contains("outer=true").then_some(())
    });
    dials(&engine, "boris", "uac-dial", 500).succeed();
    one.succeed();
    for carrier in carriers {
        carrier.succeed();
    }
    let entries = finished(&engine.place, 2);
    let mut ways: Vec<_> = entries.iter().map(went_by).collect();
    ways.sort();
    assert_eq!(ways, ["first", "second"]);
}

#[test]
fn a_trunk_that_brings_calls_too_fast_gets_503_with_retry_after_and_another_is_served() {
    let net = Net::fresh();
    let other = net.other();
    let engine = Engine::start(&Setup {
        net,
        trunk: "rate_in = 1".to_owned(),
        more: format!("[[trunk]]\nname = \"other\"\naddresses = [\"{other}\"]\n"),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let fast: Vec<_> = (0..8).map(|_| Wire::new(net.callers, engine.sip)).collect();
    for wire in &fast {
        wire.send(wire.request("INVITE", "1300", 1, "fast", ""));
    }
    let slow = Wire::new(other, engine.sip);
    slow.send(slow.request("INVITE", "1300", 1, "slow", ""));
    let mut refused = 0;
    for wire in fast.iter().chain([&slow]) {
        let (status, text) = wire
            .response("INVITE", |status| status >= 200)
            .expect("an answer");
        let tag = to_tag(&text);
        if status == 503 {
            let after = header(&text, "Retry-After").and_then(|text| text.parse::<u32>().ok());
            assert!(after.is_some_and(|seconds| seconds > 0), "{text}");
            wire.send(wire.request("ACK", "1300", 1, "fast", &tag));
            refused += 1;
        } else {
            assert_eq!(status, 200, "{text}");
            wire.send(wire.request("ACK", "1300", 1, "ack", &tag));
            wire.send(wire.request("BYE", "1300", 2, "bye", &tag));
        }
    }
    assert!((5..8).contains(&refused), "{refused} of 8 refused");
    let entries = finished(&engine.place, 9 - refused);
    let of_other = entries
        .iter()
        .filter(|entry| entry.text("trunk") == "other");
    assert_eq!(of_other.count(), 1, "{entries:#?}");
}
