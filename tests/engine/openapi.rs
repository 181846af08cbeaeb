//! The OpenAPI document against the engine that serves it: schemathesis makes requests of the document,
//! valid ones, at the bounds, and beyond them, and judges every answer by it.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Engine, LogOnPanic, Place, Setup, free_port, text_of};

/// The version that `scripts/setup test` installs.
const VERSION: &str = "4.32.5";

/// Where `scripts/setup test` puts it.
fn schemathesis() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or_else(home).unwrap_or_default();
    let program = cache.join(format!("hotline/schemathesis-{VERSION}/bin/st"));
    assert!(
        program.exists(),
        "schemathesis {VERSION} is not there: run scripts/setup test"
    );
    program
}

#[test]
fn every_answer_is_one_that_the_document_tells_of_and_none_is_a_fault_of_ours() {
    let net = crate::harness::Net::fresh();
    let port = free_port(net.engine);
    let address = format!("{}:{port}", net.engine);
    let place = Place::new(&Setup {
        net,
        more: format!("[api]\nlisten = \"{address}\"\n"),
        ..Setup::default()
    });
    let rights = "read,write,listen,duty,supervise,metrics,manage";
    let made = place.run(&["token", "add", "all", "--right", rights]);
    assert!(made.status.success(), "{}", text_of(&made));
    let token = String::from_utf8(made.stdout).unwrap();
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let run = Command::new(schemathesis())
        .current_dir(engine.place.path("."))
        .args(["run", &format!("http://{address}/api/v1/openapi.json")])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", token.trim()),
        ])
        .args(["--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing"])
        // A stream has no end to wait for; its mistakes are tested in crates/console.
        .args(["--exclude-path", "/api/v1/events"])
        .args(["--max-examples", "15", "--seed", "8", "--workers", "2"])
        .args(["--generation-database", "none", "--no-color"])
        .output()
        .unwrap();
    let told = text_of(&run);
    assert!(run.status.success(), "{told}");
    let generated = told.split(" generated,").next().unwrap_or_default();
    let generated = generated.rsplit(' ').next().unwrap_or_default();
    let generated: u32 = generated.parse().unwrap_or_default();
    assert!(
        generated > 500,
        "{generated} requests are hardly any: {told}"
    );
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,unsupported_method";
