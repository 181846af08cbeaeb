//! Operators' days with a whole process: orders by the command line, the restart, the report.

use std::time::Duration;

use crate::harness::{Engine, Setup, text_of, until};

const SETTINGS: &str = r#"
[duty]
attendance = "sign-in"

[[break]]
reason = "lunch"
daily_max = "45 min"
"#;

/// Runs a command that must do as told, and gives what it printed.
fn run(engine: &Engine, arguments: &[&str]) -> String {
    let output = engine.place.run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text_of(&output)
    );
    text_of(&output)
}

fn refused(engine: &Engine, arguments: &[&str]) -> String {
    let output = engine.place.run(arguments);
    assert!(!output.status.success(), "{arguments:?} was carried out");
    text_of(&output)
}

fn row(engine: &Engine, login: &str) -> String {
    let table = run(engine, &["operators", "show"]);
    let row = table.lines().find(|line| line.contains(login));
    row.unwrap_or_default().to_owned()
}

#[test]
fn a_day_by_the_command_line_outlasts_a_restart_and_stands_in_the_report() {
    let engine = Engine::start(&Setup {
        operators: vec!["anna".to_owned(), "boris".to_owned()],
        more: SETTINGS.to_owned(),
        ..Setup::default()
    });
    run(&engine, &["operators", "sign-in", "anna", "--line", "205"]);
    let taken = refused(&engine, &["operators", "sign-in", "boris", "--line", "205"]);
    assert!(
        taken.contains("anna is signed in to the line 205"),
        "{taken}"
    );
    let rules = ["operators", "status", "anna", "break", "--reason", "smoke"];
    assert!(refused(&engine, &rules).contains("needs a supervisor's leave"));
    run(&engine, &[&rules[..], &["--leave"]].concat());
    run(
        &engine,
        &["operators", "status", "anna", "break", "--reason", "lunch"],
    );
    run(&engine, &["operators", "skills", "boris", "health=80"]);
    run(&engine, &["acd", "close", "operators"]);
    let shown = |engine: &Engine| {
        until("the picture", Duration::from_secs(5), || {
            let row = row(engine, "anna");
            (row.contains("205") && row.contains("break: lunch")).then_some(())
        });
    };
    shown(&engine);
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));

    let nobody = place.run(&["operators", "status", "anna", "available"]);
    assert!(
        text_of(&nobody).contains("no engine runs"),
        "{}",
        text_of(&nobody)
    );
    let engine = Engine::start_in(place);
    shown(&engine);
    run(&engine, &["operators", "status", "anna", "available"]);
    run(&engine, &["acd", "open", "operators"]);
    let report = until("both breaks in the report", Duration::from_secs(10), || {
        let report = run(&engine, &["report", "operator", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let breaks = report.pointer("/tables/breaks")?.as_array()?.clone();
        (breaks.len() == 2).then_some(breaks)
    });
    let leave = |reason: &str| {
        let row = report.iter().find(|row| row["reason"] == reason).unwrap();
        (row["ended"].clone(), row["by_leave"].clone())
    };
    assert_eq!(leave("smoke"), (1.into(), 1.into()), "{report:?}");
    assert_eq!(leave("lunch"), (1.into(), 0.into()), "{report:?}");
    let skills = run(&engine, &["user", "list"]);
    let boris = skills.lines().find(|line| line.contains("boris")).unwrap();
    assert!(boris.contains("health"), "{boris}");
}
