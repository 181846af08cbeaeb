//! What people write into entries while the engine runs and while it does not, and what reports and
//! the HTTP API make of a real call.

use crate::harness::http::ask;
use crate::harness::journal::finished;
use crate::harness::postgres::Server;
use crate::harness::{Engine, LogOnPanic, Place, Setup, sipp, text_of};
use serde_json::Value;

/// Runs `hotline` and gives what it printed; it must have gone well.
fn run(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text_of(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What `hotline` says when it refuses.
fn refused(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments);
    assert!(
        !output.status.success(),
        "{arguments:?}: {}",
        text_of(&output)
    );
    text_of(&output)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn an_entry_is_written_by_commands_and_by_the_api_and_survives_the_engine() {
    let setup = Setup {
        more: "[api]\nlisten = \"127.0.0.1:0\"\n[journal]\nforms = \"forms.toml\"\n".to_owned(),
        ..Setup::default()
    };
    let place = Place::new(&setup);
    let forms = "[[form]]\nrequired = [\"full_name\"]\ntopics = [\"Doctors / Eyes\"]\n";
    std::fs::write(place.path("forms.toml"), forms).unwrap();
    let token = run(&place, &["token", "add", "crm", "--right", "read,write"]);
    let token = token.trim();
    let kept = std::fs::read_to_string(place.path("tokens")).unwrap();
    assert!(!kept.contains(token) && kept.starts_with("crm "), "{kept}");
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 2_000);
    operator.succeed();
    let call = finished(&engine.place, 1).remove(0).text("call").to_owned();
    let (place, api) = (&engine.place, engine.others["http"]);

    let topic = refused(place, &["journal", "edit", &call, "--set", "topic=Weather"]);
    assert!(topic.contains("expected a topic"), "{topic}");
    run(
        place,
        &[
            "journal",
            "edit",
            &call,
            "--set",
            "topic=Doctors",
            "--by",
            "anna",
        ],
    );
    let missing = refused(place, &["journal", "complete", &call]);
    assert!(missing.contains("without full_name"), "{missing}");

    let path = format!("/api/v1/entries/{call}");
    assert_eq!(ask(api, "GET", &path, "wrong", "").0, 401);
    let body = r#"{"fields": {"full_name": "Иванова А. П.", "topic": "Doctors / Eyes"}}"#;
    let (status, answer) = ask(api, "PATCH", &path, token, body);
    assert_eq!(status, 200, "{answer}");
    run(place, &["journal", "complete", &call, "--by", "anna"]);
    let entry = json(&run(place, &["journal", "show", &call, "--format", "json"]));
    assert_eq!(entry["full_name"], "Иванова А. П.");
    assert_eq!(entry["completed_by"], "anna");
    assert_eq!(entry["operator_line"], "101");
    assert_eq!(entry["correction_list"][0]["old_value"], "Doctors");
    assert_eq!(entry["correction_list"][0]["written_by"], "crm");

    let report = json(&run(place, &["report", "daily", "--format", "json"]));
    assert_eq!(report["identity_holds"], true);
    assert_eq!(report["tables"]["queues"][0]["answered"], 1);
    assert_eq!(report["tables"]["operators"][0]["handled"], 1);
    let occupancy = &report["tables"]["operators"][0]["occupancy"];
    assert!(occupancy.as_f64().unwrap() > 0.0, "{report}");
    let (status, live) = ask(api, "GET", "/api/v1/live", token, "");
    assert_eq!(
        (status, json(&live)["counts"]["arrived"].as_u64()),
        (200, Some(1))
    );
    assert!(run(place, &["journal", "check"]).contains("sound"));
    let backup = place.path("backup.db");
    run(
        place,
        &["journal", "backup", "--output", backup.to_str().unwrap()],
    );

    // Without an engine a command takes the journal itself.
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));
    run(
        &place,
        &["journal", "reopen", &call, "--reason", "once more"],
    );
    let added = run(
        &place,
        &[
            "journal",
            "add",
            "--channel",
            "email",
            "--set",
            "full_name=Petrov",
            "--complete",
        ],
    );
    let engine = Engine::start_in(place);
    let place = &engine.place;
    let entry = json(&run(place, &["journal", "show", &call, "--format", "json"]));
    assert_eq!(entry["completed_at"], Value::Null);
    assert_eq!(entry["full_name"], "Иванова А. П.");
    let added = json(&run(
        place,
        &["journal", "show", added.trim(), "--format", "json"],
    ));
    assert_eq!(added["channel"], "email");
    assert!(run(place, &["journal", "check"]).contains("sound"));
}

/// What `hotline journal copy` says, which asks for no settings.
fn carried(from: &str, to: &str) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["journal", "copy", "--from", from, "--to", to])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
    text_of(&output)
}

/// Where the database of a place is.
const DATABASE: &str = "journal/journal.db";

/// The journal's database of a place, which no engine uses.
fn take_away_the_database(place: &Place) {
    for ending in ["", "-wal", "-shm"] {
        let path = place.path(&format!("{DATABASE}{ending}"));
        if path.exists() {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_lost_database_comes_back_from_a_backup_and_the_event_files_that_pruning_left() {
    let engine = Engine::start(&Setup::default());
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 1_000);
    operator.succeed();
    let call = finished(&engine.place, 1).remove(0).text("call").to_owned();
    let (_, place) = engine.terminate();
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let place = &engine.place;
    let early = refused(place, &["journal", "prune"]);
    assert!(early.contains("there is no backup"), "{early}");
    let backup = place.path("backup.db");
    let backup = backup.to_str().unwrap();
    let told = run(place, &["journal", "backup", "--output", backup]);
    assert!(told.contains("1 entries and 1 operators"), "{told}");
    let again = refused(place, &["journal", "backup", "--output", backup]);
    assert!(again.contains("is there already"), "{again}");
    let late = ["journal", "edit", &call, "--set", "full_name=Petrov"];
    run(place, &late);
    let pruned = run(place, &["journal", "prune"]);
    assert!(pruned.starts_with("1 event files of "), "{pruned}");
    assert!(pruned.contains("removed, 1 stay"), "{pruned}");
    let running = refused(place, &["journal", "restore", "--from", backup]);
    assert!(running.contains("the engine runs"), "{running}");

    let show = ["journal", "show", &call, "--format", "json"];
    let before = json(&run(place, &show));
    let (_, place) = engine.terminate();
    let full = refused(&place, &["journal", "restore", "--from", backup]);
    assert!(full.contains("copy into an empty database"), "{full}");
    take_away_the_database(&place);
    run(&place, &["journal", "restore", "--from", backup]);
    assert_eq!(json(&run(&place, &show))["full_name"], Value::Null);
    let engine = Engine::start_in(place);
    assert_eq!(json(&run(&engine.place, &show)), before);
    let (_, place) = engine.terminate();
    assert!(run(&place, &["journal", "check"]).contains("sound"));

    // To PostgreSQL and back.
    let server = Server::start();
    let url = server.database("carried");
    let ours = place.path(DATABASE);
    let ours = ours.to_str().unwrap();
    let there = carried(ours, &url);
    assert!(there.contains("1 entries and 1 operators"), "{there}");
    assert!(!there.contains("secret"), "{there}");
    take_away_the_database(&place);
    carried(&url, ours);
    assert_eq!(json(&run(&place, &show)), before);
    assert!(run(&place, &["journal", "check"]).contains("sound"));
    let engine = Engine::start_in(place);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 1_000);
    operator.succeed();
    finished(&engine.place, 2);
}
