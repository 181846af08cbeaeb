//! Trunks of a whole process: a registrar as SIPp plays it, and what strangers get.

mod harness;

use std::net::SocketAddr;
use std::time::Duration;

use harness::sipp::{Options, Sipp};
use harness::wire::{Wire, header};
use harness::{Engine, Net, Place, Setup, free_port, until};

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
    let place = Place::new(&Setup {
        net,
        more: carrier(server),
        ..Setup::default()
    });
    std::fs::write(place.path("carrier.secret"), "secret\n").unwrap();
    let engine = Engine::start_in(place);
    let registrar = Sipp::start(
        "uas-registrar-401",
        &Options {
            address: server.ip(),
            port: server.port(),
            remote: None,
            ..Options::caller(&engine)
        },
    );
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
    let register = registrar
        .receive(Duration::from_secs(10))
        .expect("a REGISTER");
    let lines = ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| {
        let value = header(&register, name).unwrap();
        format!("{name}: {value}\r\n")
    });
    let challenge = format!(
        "SIP/2.0 401 Unauthorized\r\n{}WWW-Authenticate: Digest realm=\"elsewhere\", \
         nonce=\"n\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n",
        lines.concat()
    );
    registrar
        .socket
        .send_to(challenge.as_bytes(), engine.sip)
        .unwrap();
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
    let place = Place::new(&Setup {
        net,
        ..Setup::default()
    });
    let text = std::fs::read_to_string(place.config()).unwrap();
    let text = text.replace("[sip]\n", "[sip]\nstrangers = \"drop\"\n");
    std::fs::write(place.config(), text).unwrap();
    let engine = Engine::start_in(place);
    let stranger = Wire::new(net.operators, engine.sip);
    for method in ["OPTIONS", "INVITE", "MESSAGE"] {
        stranger.send(stranger.request(method, "1300", 1, method, ""));
    }
    // The trunk is answered, so the engine has read what came before.
    let trunk = Wire::new(net.callers, engine.sip);
    assert!(trunk.options_answered("trunk"));
    assert_eq!(stranger.receive(Duration::from_millis(200)), None);
}
