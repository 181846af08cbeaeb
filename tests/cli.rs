//! Bad input at the command line and in the settings: one plain sentence, the right exit code.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn hotline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(arguments)
        .output()
        .unwrap()
}

fn both(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!err.contains("panicked"), "{err}");
    format!("{out}{err}")
}

/// A folder with a settings file, and a dialplan that fits it.
struct Place(TempDir);

impl Place {
    fn new(settings: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let plan = r#"
name = "test"
numbers = ["1300"]
languages = ["en"]

[[step]]
answer = {}

[[step]]
say = { name = "greeting", notice = true, text = { en = "This call is recorded." } }

[[step]]
queue = { name = "operators", music = "music/waiting.wav" }

[[step]]
hangup = {}
"#;
        place.write("dialplans/test.toml", plan);
        place.write("hotline.toml", settings);
        place
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn check(&self) -> Output {
        hotline(&["check", "--config", &self.file("hotline.toml")])
    }
}

#[test]
fn staffing_answers_with_the_figures_of_the_formulas() {
    let arguments = "staffing --calls 100 --handling 3m --each".split(' ');
    let mut arguments: Vec<&str> = arguments.collect();
    arguments.push("30 min");
    let text = both(&hotline(&arguments));
    assert!(text.contains("10.00 Erlang"), "{text}");
    assert!(
        text.contains("80 % answered within 20s: 14 operators"),
        "{text}"
    );
    let row = |operators: &str, text: &str| {
        let found = text.lines().find(|line| line.trim().starts_with(operators));
        let words = found.unwrap_or_default().split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("14 ", &text), "14 71.4 % 17.4 % 88.8 % 7.8 s");
    assert_eq!(row("11 ", &text), "11 90.9 % 68.2 % 39.0 % 122.8 s");
    arguments.extend(["--operators", "10"]);
    assert!(row("10 ", &both(&hotline(&arguments))).contains("unstable"));
    arguments.extend(["--patience", "2 min"]);
    let text = both(&hotline(&arguments));
    assert!(row("10 ", &text).ends_with("13.7 % 16.5 s"), "{text}");
    let wrong = hotline(&["staffing", "--calls", "5", "--handling", "long"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(both(&wrong).contains("expected a time"));
}

const QUEUE: &str = "[[queue]]\nname = \"operators\"\n";

#[test]
fn a_good_place_passes_the_check() {
    let place = Place::new(QUEUE);
    let output = place.check();
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let text = both(&output);
    let summary = "calls can be taken (1 plan for 1 number, 2 prompts, 0 trunks, 1 queue)";
    assert!(text.contains(summary), "{text}");
}

#[test]
fn every_mistake_in_the_settings_is_told_with_its_place() {
    let place = Place::new("[limits]\ncals = 5\n[sip]\nlisten = [\"nowhere\"]\n");
    let output = place.check();
    let text = both(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let file = place.file("hotline.toml");
    assert!(
        text.contains(&format!("{file}:2:1: unknown key \"cals\"")),
        "{text}"
    );
    assert!(text.contains("did you mean calls?"), "{text}");
    assert!(
        text.contains(&format!("{file}:4:11: listen: expected an address")),
        "{text}"
    );
}

#[test]
fn a_missing_settings_file_is_one_sentence() {
    let place = Place::new("");
    for command in ["check", "serve", "migrate"] {
        let output = hotline(&[command, "--config", &place.file("none.toml")]);
        let text = both(&output);
        assert_eq!(output.status.code(), Some(1), "{command}: {text}");
        assert!(
            text.contains("none.toml") && text.contains("cannot be read"),
            "{command}: {text}"
        );
        assert!(text.trim().lines().count() <= 2, "{command}: {text}");
    }
}

#[test]
fn a_broken_dialplan_is_told_with_its_place() {
    let place = Place::new(QUEUE);
    place.write(
        "dialplans/broken.toml",
        "name = \"broken\"\nnumbers = [\"1400\"]\nlangages = []\n",
    );
    let output = place.check();
    let text = both(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("broken.toml:3:"), "{text}");
    assert!(text.contains("languages"), "the nearest known key: {text}");
}

/// The commands in the `.trace` files are what a person may type, and print what stands below.
#[test]
fn a_trial_on_the_command_line_prints_what_the_trace_says() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans");
    let mut tried = 0;
    for entry in fs::read_dir(&shipped).unwrap() {
        let file = entry.unwrap().path();
        if file
            .extension()
            .is_none_or(|extension| extension != "trace")
        {
            continue;
        }
        for block in fs::read_to_string(&file).unwrap().split("\n\n") {
            let (command, expected) = block.split_once('\n').unwrap();
            let words: Vec<&str> = command.split(' ').skip(2).collect();
            let output = Command::new(env!("CARGO_BIN_EXE_hotline"))
                .current_dir(&shipped)
                .args(&words)
                .output()
                .unwrap();
            assert_eq!(both(&output).trim_end(), expected.trim_end(), "{command}");
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn a_plan_is_drawn_and_the_schema_is_printed() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/zaporizhzhia-1580.toml");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hotline"))
            .arg("dialplan")
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", both(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let plan = plan.to_str().unwrap();
    let svg = run(&["draw", plan]);
    assert!(
        svg.starts_with("<svg ") && svg.contains(">accident<"),
        "{svg}"
    );
    let mermaid = run(&["draw", plan, "--format", "mermaid"]);
    assert!(mermaid.starts_with("flowchart TD\n"), "{mermaid}");
    let schema: serde_json::Value = serde_json::from_str(&run(&["schema"])).unwrap();
    assert_eq!(schema, dialplan::schema());
}

#[test]
fn a_plan_with_an_unknown_queue_is_refused() {
    let place = Place::new("[[queue]]\nname = \"others\"\n");
    let output = place.check();
    let text = both(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("operators"), "{text}");
}

#[test]
fn a_plan_that_names_a_queue_where_there_is_none_says_what_to_add() {
    let text = both(&Place::new("").check());
    for part in [
        "error: no queue `operators` in the settings\n",
        "test.toml:13:18\n",
        "^^^^^^^^^^^\n",
        "help: they have no queue at all: add a table [[queue]] with that name\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_folder_without_plans_is_told_at_the_setting() {
    let settings = format!("{QUEUE}[dialplans]\nfolder = \"plans\"\n");
    let place = Place::new(&settings);
    let file = place.file("hotline.toml");
    for expected in ["cannot be read", "found no .toml file"] {
        let text = both(&place.check());
        assert!(
            text.starts_with(&format!("{file}:4:10: the folder of plans ")),
            "{text}"
        );
        assert!(text.contains(expected), "{text}");
        place.write("plans/readme.txt", "");
    }
}

#[test]
fn a_missing_trunk_secret_is_told_at_its_key() {
    let settings =
        format!("{QUEUE}[[trunk]]\nname = \"a\"\nuser = \"u\"\nsecret_file = \"none\"\n");
    let place = Place::new(&settings);
    let output = place.check();
    let text = both(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let expected = format!(
        "{}:6:15: secret_file of trunk \"a\": ",
        place.file("hotline.toml")
    );
    assert!(text.starts_with(&expected), "{text}");
}

/// Settings with a speech command that is not there, listening on any port.
fn speechless() -> String {
    format!(
        "{QUEUE}[sip]\nlisten = [\"127.0.0.1:0\"]\n[prompts]\nspeech_command = \
         [\"surely-no-such-command\", \"{{text_file}}\", \"{{output}}\"]\n"
    )
}

#[test]
fn no_calls_are_taken_when_the_notice_of_the_recording_cannot_be_made() {
    let place = Place::new(&speechless());
    let output = hotline(&["serve", "--config", &place.file("hotline.toml")]);
    let text = both(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains("ready"), "{text}");
    let said = text.lines().last().unwrap();
    let at = format!(
        "{}:10:16: prompt \"greeting\" in \"en\": ",
        place.file("dialplans/test.toml")
    );
    assert!(said.contains(&at), "{said}");
    assert!(said.contains("surely-no-such-command"), "{said}");
    assert!(said.contains("no calls are taken"), "{said}");
}

#[test]
fn a_prompt_that_is_no_notice_may_be_a_tone() {
    let place = Place::new(&speechless());
    let plan = fs::read_to_string(place.file("dialplans/test.toml")).unwrap();
    let plan = plan
        .replace("notice = true, ", "")
        .replace("languages", "notice = \"none\"\nlanguages");
    place.write("dialplans/test.toml", &plan);
    let mut engine = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["serve", "--config", &place.file("hotline.toml")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    // At the end of its output, if it refuses to start.
    let read = BufReader::new(engine.stdout.take().unwrap()).read_line(&mut ready);
    engine.kill().unwrap();
    let output = engine.wait_with_output().unwrap();
    let log = both(&output);
    assert!(read.is_ok() && ready.starts_with("ready sip="), "{log}");
    assert!(log.contains("a tone stands in for a prompt"), "{log}");
}

#[test]
fn a_prompt_that_cannot_be_made_is_refused() {
    let place = Place::new(&speechless());
    let output = place.check();
    let text = both(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("greeting") && text.contains("surely-no-such-command"),
        "{text}"
    );
    let at = format!("{}:10:16: prompt ", place.file("dialplans/test.toml"));
    assert!(text.starts_with(&at), "{text}");
}

#[test]
fn a_prompt_is_told_at_the_plan_that_speaks_its_language() {
    let place = Place::new(&speechless());
    let plan = fs::read_to_string(place.file("dialplans/test.toml")).unwrap();
    let russian = plan
        .replace("\"test\"", "\"first\"")
        .replace("1300", "1400")
        .replace("[\"en\"]", "[\"ru\"]")
        .replace(
            "en = \"This call is recorded.\"",
            "ru = \"Разговор записывается.\"",
        );
    place.write("dialplans/first.toml", &russian);
    let text = both(&place.check());
    for (file, language) in [("first", "ru"), ("test", "en")] {
        let file = place.file(&format!("dialplans/{file}.toml"));
        let expected = format!("{file}:10:16: prompt \"greeting\" in \"{language}\": ");
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn a_wrong_command_line_is_told_with_exit_code_2() {
    let cases: [&[&str]; 7] = [
        &[],
        &["answer"],
        &["serve", "--confg", "x"],
        &["demo", "--calls", "none"],
        &["demo", "--once"],
        &["user", "add", "ivanova", "--password", "secret"],
        &["journal", "export", "--format", "xml"],
    ];
    for arguments in cases {
        let output = hotline(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            both(&output)
        );
    }
}

#[test]
fn settings_and_version_are_printed() {
    let sample = hotline(&["settings"]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("hotline.sample.toml");
    assert_eq!(
        String::from_utf8_lossy(&sample.stdout),
        fs::read_to_string(path).unwrap()
    );
    let reference = hotline(&["settings", "--reference"]);
    assert!(String::from_utf8_lossy(&reference.stdout).starts_with("# Settings"));
    let version = String::from_utf8(hotline(&["--version"]).stdout).unwrap();
    assert_eq!(
        version.trim(),
        format!("hotline {}", env!("CARGO_PKG_VERSION"))
    );
}
