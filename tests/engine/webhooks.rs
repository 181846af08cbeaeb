//! Webhooks: what a web server is told of a real call, and that it is told all of it, whatever is
//! killed or away meanwhile.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use crate::harness::http::{Request, Server};
use crate::harness::journal::finished;
use crate::harness::{Engine, LogOnPanic, Place, Setup, sipp, text_of, until};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;

const SECRET: &str = "a key of signatures";
const WAIT: Duration = Duration::from_secs(60);

fn webhook(name: &str, address: std::net::SocketAddr, more: &str) -> String {
    format!(
        "[[webhook]]\nname = \"{name}\"\nurl = \"http://{address}/hook?token=hidden\"\n\
         secret_file = \"hook.secret\"\n{more}"
    )
}

fn place(webhooks: String) -> Place {
    let place = Place::new(&Setup {
        more: webhooks,
        ..Setup::default()
    });
    std::fs::write(place.path("hook.secret"), format!("{SECRET}\n")).unwrap();
    place
}

fn run(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text_of(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Writes down a contact, which completes its entry at once.
fn complete_one(place: &Place) -> String {
    let add = ["journal", "add", "--channel", "email", "--complete"];
    run(place, &add).trim().to_owned()
}

/// The body, if the signature is that of the key.
fn letter(request: &Request) -> Value {
    let signature = request.header("hotline-signature");
    let (time, hex) = signature.split_once(",v1=").unwrap();
    let seconds = time.strip_prefix("t=").unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{}", request.body).as_bytes());
    let octets = mac.finalize().into_bytes();
    let expected: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(hex, expected, "{request:?}");
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(request.header("hotline-event-id"), body["id"]);
    assert_eq!(request.header("hotline-event"), body["type"]);
    body
}

fn completed(server: &Server) -> BTreeSet<String> {
    let bodies = server.requests().iter().map(letter).collect::<Vec<_>>();
    let calls = bodies.iter().map(|body| body["call"].as_str().unwrap());
    calls.map(str::to_owned).collect()
}

#[test]
fn a_server_is_told_of_a_call_from_its_arrival_to_its_recording_signed_and_masked() {
    let server = Server::start();
    let engine = Engine::start_in(place(webhook("crm", server.address, "")));
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 2_000);
    operator.succeed();
    let entry = finished(&engine.place, 1).remove(0);
    run(&engine.place, &["journal", "complete", entry.text("call")]);

    let told = [
        "call.arrived",
        "call.offered",
        "call.answered",
        "call.ended",
        "entry.completed",
        "recording.ready",
    ];
    until("all six letters", WAIT, || {
        let requests = server.requests();
        let types: BTreeSet<&str> = requests
            .iter()
            .map(|one| one.header("hotline-event"))
            .collect();
        (types == BTreeSet::from(told)).then_some(())
    });
    for request in server.requests() {
        let body = letter(&request);
        assert_eq!(body["call"], entry.text("call"));
        assert!(!request.body.contains("9140000001"), "{}", request.body);
        assert_eq!(request.head[0], "POST /hook?token=hidden HTTP/1.1");
    }
    let log = engine.log();
    assert!(!log.contains("hidden") && !log.contains(SECRET), "{log}");
    let list = run(&engine.place, &["webhook", "list"]);
    assert_eq!(list, "crm: 0 on their way, 0 given up\n");
}

#[test]
fn nothing_is_lost_when_the_server_is_away_and_the_engine_is_killed_in_between() {
    let address = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let only = "events = [\"entry.completed\"]\n";
    let mut engine = Engine::start_in(place(webhook("crm", address, only)));
    let mut written = BTreeSet::new();
    for _ in 0..3 {
        for _ in 0..4 {
            written.insert(complete_one(&engine.place));
        }
        // Anywhere: letters are put down, tried, or not yet known to the webhook.
        engine = Engine::start_in(engine.kill());
    }
    let _log = LogOnPanic::of(&engine);
    let server = Server::start_at(address);
    until("a letter for each completed entry", WAIT, || {
        (completed(&server) == written).then_some(())
    });
}

#[test]
fn letters_that_are_refused_for_too_long_are_listed_and_sent_again() {
    let server = Server::start();
    server.answer(400);
    let more = "events = [\"entry.completed\"]\ngive_up_after = \"1s\"\n";
    let engine = Engine::start_in(place(webhook("crm", server.address, more)));
    let _log = LogOnPanic::of(&engine);
    let entry = complete_one(&engine.place);
    let dead = until("the letter is given up", WAIT, || {
        let dead = run(&engine.place, &["webhook", "dead"]);
        (!dead.is_empty()).then_some(dead)
    });
    assert!(
        dead.starts_with("crm ") && dead.contains("entry_completed"),
        "{dead}"
    );
    assert!(dead.contains("the server answered 400"), "{dead}");
    let unknown = engine.place.run(&["webhook", "resend", "cmr"]);
    assert!(
        text_of(&unknown).contains("known: crm"),
        "{}",
        text_of(&unknown)
    );

    server.answer(204);
    let sent = run(&engine.place, &["webhook", "resend", "crm"]);
    assert_eq!(sent, "crm: 1 sent again\n");
    until("the letter is taken", WAIT, || {
        let list = run(&engine.place, &["webhook", "list"]);
        (list == "crm: 0 on their way, 0 given up\n").then_some(())
    });
    let ids: BTreeSet<String> = server
        .requests()
        .iter()
        .map(|request| request.header("hotline-event-id").to_owned())
        .collect();
    assert_eq!(ids.len(), 1, "each try has the id of the same event");
    assert_eq!(completed(&server), BTreeSet::from([entry]));
}
