//! Trunks of a whole process: a registrar as SIPp plays it, and what strangers get.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::harness::journal::{entries, finished};
use crate::harness::sipp::{Options, Sipp};
use crate::harness::wire::Wire;
use crate::harness::{Engine, LogOnPanic, Net, Place, Setup, free_port, sipp, until};

/// The settings of a carrier that wants us registered, at an address of its own.
fn carrier(server: SocketAddr) -> String {
    format!(
        r#"[[trunk]]
name = "carrier"
servers = ["{server}"]
domain = "sip.example"
account = "74951112233"
account_user = "SIP01@sip.example"
account_secret_file = "carrier.secret"
register = true
contact_user = "line1"
did = ["x-did"]
"#
    )
}

/// An engine that registers with `server`.
fn engine(net: Net, server: SocketAddr) -> Engine {
    let place = Place::new(&Setup {
        net,
        more: carrier(server),
        ..Setup::default()
    });
    std::fs::write(place.path("carrier.secret"), "secret\n").unwrap();
    Engine::start_in(place)
}

#[test]
fn it_registers_with_a_carrier_and_takes_the_calls_that_come_from_there() {
    let net = Net::fresh();
    let server = SocketAddr::new(net.operators, free_port(net.operators));
    let options = Options::server(server);
    let registrar = Sipp::start("uas-registrar-401", &options);
    registrar.listens(&options);
    let engine = engine(net, server);
    let _log = LogOnPanic::of(&engine);
    registrar.succeed();
    until(
        "the word that it is registered",
        Duration::from_secs(10),
        || {
            let log = engine.log();
            log.lines()
                .any(|line| line.contains("registered") && line.contains("carrier"))
                .then_some(())
        },
    );
    let wire = Wire::new(net.operators, engine.sip);
    let invite = wire.request("INVITE", "line1", 1, "call", "");
    wire.send(invite.replace("Max-Forwards", "X-DID: 1300\r\nMax-Forwards"));
    let answer = wire.response("INVITE", |status| status >= 200);
    assert_eq!(answer.map(|(status, _)| status), Some(200));
}

#[test]
fn a_registrar_of_another_realm_gets_no_credentials() {
    let net = Net::fresh();
    let server = SocketAddr::new(net.operators, free_port(net.operators));
    let registrar = Wire::on(server, server);
    let engine = engine(net, server);
    let _log = LogOnPanic::of(&engine);
    let register = registrar
        .receive(Duration::from_secs(10))
        .expect("a REGISTER");
    let challenge = "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"elsewhere\", \
                     nonce=\"n\", qop=\"auth\"";
    registrar.answer(engine.sip, &register, challenge);
    until(
        "the word of the other realm",
        Duration::from_secs(10),
        || engine.log().contains("elsewhere").then_some(()),
    );
    // Copies of the first REGISTER may be on their way; nothing else is.
    while let Some(text) = registrar.receive(Duration::from_millis(500)) {
        assert!(!text.contains("Authorization:"), "{text}");
    }
}

#[test]
fn strangers_hear_nothing_where_they_are_dropped() {
    let net = Net::fresh();
    let engine = Engine::start(&Setup {
        net,
        sip: "strangers = \"drop\"".to_owned(),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let stranger = Wire::new(net.operators, engine.sip);
    for method in ["OPTIONS", "INVITE", "MESSAGE"] {
        stranger.send(stranger.request(method, "1300", 1, method, ""));
    }
    // The trunk is answered, so the engine has read what came before.
    let trunk = Wire::new(net.callers, engine.sip);
    assert!(trunk.options_answered("trunk"));
    assert_eq!(stranger.receive(Duration::from_millis(200)), None);
}

/// A line of `uac-headers`: users of Request-URI, To and From, and two headers.
fn line(users: [&str; 3], headers: [&str; 2]) -> String {
    format!("{};{}", users.join(";"), headers.join(";"))
}

/// A header that tells nothing.
const NOTHING: &str = "X-Nothing: 0";

fn calls(engine: &Engine, address: IpAddr, lines: Vec<String>) -> Sipp {
    sipp::start_call(engine, "uac-headers", |options| {
        options.address = address;
        options.port = free_port(address);
        options.calls = lines.len() as u32;
        options.stay = 2_500;
        options.fields = lines;
    })
}

#[test]
fn the_number_dialled_is_read_from_the_first_place_of_the_list_that_has_one() {
    let engine = Engine::start(&Setup {
        trunk: r#"did = ["x-did", "p-called-party-id", "diversion", "history-info", "to"]"#
            .to_owned(),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let case = |target, to, headers| line([target, to, "79140000001"], headers);
    let history = "History-Info: <sip:1300@sip.example>";
    let diversion = "Diversion: <tel:1300>";
    let called_party = "P-Called-Party-ID: <sip:1300@sip.example>";
    let wrong = "P-Called-Party-ID: <sip:1999@sip.example>";
    let cases = [
        case("line1", "1300", [NOTHING, NOTHING]),
        case("line1", "line1", [history, NOTHING]),
        case("line1", "1999", [diversion, NOTHING]),
        case("1999", "1999", [called_party, "Diversion: <tel:1999>"]),
        case("1999", "1999", [wrong, "X-DID: 1300"]),
    ];
    let count = cases.len();
    calls(&engine, engine.place.net.callers, cases.to_vec()).succeed();
    for entry in finished(&engine.place, count) {
        assert_eq!(entry.text("number"), "1300", "{entry:?}");
        assert_eq!(entry.end(), ("abandoned", "caller"), "{entry:?}");
    }
}

#[test]
fn an_asserted_caller_is_believed_of_a_trusted_trunk_alone_and_hidden_where_that_is_wished() {
    let net = Net::fresh();
    let other = net.other();
    let engine = Engine::start(&Setup {
        net,
        trunk: "trusted = true".to_owned(),
        more: format!("[[trunk]]\nname = \"other\"\naddresses = [\"{other}\"]\n"),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let asserted = "P-Asserted-Identity: \"Pyotr\" <sip:+79003334455@sip.example>";
    let one = || {
        vec![line(
            ["1300", "1300", "79140000001"],
            [asserted, "Privacy: id"],
        )]
    };
    let operator = sipp::operators(&engine, "uas-caller-hidden-486", &["anna"], |_| {});
    calls(&engine, net.callers, one()).succeed();
    operator.succeed();
    calls(&engine, other, one()).succeed();
    // The older header counts where there is no other.
    let remote = "Remote-Party-ID: <sip:+79003334466@sip.example>";
    let older = line(["1300", "1300", "79140000001"], [remote, NOTHING]);
    for address in [net.callers, other] {
        calls(&engine, address, vec![older.clone()]).succeed();
    }
    let entries = finished(&engine.place, 4);
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (entry.text("trunk"), entry.text("caller")))
        .collect();
    let expected = [
        ("loopback", "+79003334455"),
        ("other", "79140000001"),
        ("loopback", "+79003334466"),
        ("other", "79140000001"),
    ];
    assert_eq!(found, expected, "{entries:#?}");
    let first = entries[0].offers().first().cloned();
    assert_eq!(first, Some(("anna".to_owned(), "busy".to_owned())));
}

#[test]
fn a_trunk_that_brings_too_many_calls_gets_503_and_another_is_served() {
    let net = Net::fresh();
    let other = net.other();
    let engine = Engine::start(&Setup {
        net,
        trunk: "calls_in = 1".to_owned(),
        more: format!("[[trunk]]\nname = \"other\"\naddresses = [\"{other}\"]\n"),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let first = sipp::start_call(&engine, "uac-hangup-waiting", |options| {
        options.stay = 5_000
    });
    until(
        "the first call in the journal",
        Duration::from_secs(10),
        || (!entries(&engine.place).is_empty()).then_some(()),
    );
    sipp::call(&engine, "uac-engine-full-503", |_| {});
    sipp::call(&engine, "uac-hangup-waiting", |options| {
        options.address = other;
        options.port = free_port(other);
        options.stay = 300;
    });
    first.succeed();
    sipp::call(&engine, "uac-hangup-waiting", |options| options.stay = 300);
    assert_eq!(finished(&engine.place, 3).len(), 3);
}
