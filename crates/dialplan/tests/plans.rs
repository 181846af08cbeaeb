//! The shipped plans against their traces, and bad plans against the messages expected of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialplan::{Calendar, Calendars, Diagnostic, Plan, Plans, Trial};
use vocab::{QueueOutcome, WallTime};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The TOML files of a folder, in order.
fn plans_in(path: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(path)).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    assert!(!files.is_empty(), "no plans in {path}");
    files
}

fn read(file: &Path) -> Result<Plan, Vec<Diagnostic>> {
    let name = file.file_name().unwrap().to_string_lossy();
    let plan = dialplan::parse(&name, &fs::read_to_string(file).unwrap())?;
    plan.with_calendars(&calendars())
        .map_err(|missing| vec![*missing])
}

/// The calendars that are shipped.
fn calendars() -> Calendars {
    let all = plans_in("../../dialplans/calendars")
        .into_iter()
        .map(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let calendar = Calendar::parse(&name, &fs::read_to_string(&file).unwrap()).unwrap();
            assert_eq!(name, format!("{}-{}.toml", calendar.country, calendar.year));
            calendar
        });
    Calendars::new(all.collect())
}

fn load(file: &Path) -> Result<Plan, String> {
    read(file).map_err(|mistakes| {
        let told = mistakes.iter().map(Diagnostic::snippet);
        told.collect::<Vec<_>>().join("\n")
    })
}

/// Compares with what a file beside says; with `HOTLINE_BLESS=1` the file is made to say it.
fn expect(file: &Path, found: &str) {
    if std::env::var_os("HOTLINE_BLESS").is_some() {
        fs::write(file, found).unwrap();
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    assert_eq!(found, expected, "{}", file.display());
}

/// How the first line of a trial in a `.trace` file begins.
const TRY: &str = "$ hotline dialplan try ";

/// The trial that a line of a `.trace` file asks for.
fn trial(plan: &Arc<Plan>, line: &str) -> Trial {
    let mut words = line.strip_prefix(TRY).expect("a command").split(' ');
    let file = words.next().unwrap();
    assert_eq!(file, format!("{}.toml", plan.name), "{line}");
    let mut trial = Trial::new(Arc::clone(plan), "", "", WallTime::default());
    while let (Some(word), Some(value)) = (words.next(), words.next()) {
        match word {
            "--dial" => trial.number = value.to_owned(),
            "--from" => trial.caller = value.to_owned(),
            "--at" => {
                let zone = &plan.clockwork.as_ref().expect("a time zone").zone;
                trial.at = zone.wall(value.parse().unwrap()).unwrap();
            }
            "--keys" => trial.keys = value.split(',').map(str::to_owned).collect(),
            "--ends" => {
                let ends = value.split(',').map(|end| match end {
                    "answered" => QueueOutcome::Answered,
                    "timed-out" => QueueOutcome::TimedOut,
                    "full" => QueueOutcome::RefusedFull,
                    "closed" => QueueOutcome::Closed,
                    other => panic!("{other}"),
                });
                trial.ends = ends.collect();
            }
            "--reply" => trial.reply = Some(value.to_owned()),
            other => panic!("{other} in {line}"),
        }
    }
    assert!(plan.numbers.contains(&trial.number), "{line}");
    trial
}

/// Every plan that is shipped.
fn shipped() -> Vec<PathBuf> {
    let folders = ["../../dialplans", "../../dialplans/demo"];
    folders.into_iter().flat_map(plans_in).collect()
}

#[test]
fn every_shipped_plan_does_what_its_trace_says() {
    for file in shipped() {
        let plan = Arc::new(load(&file).unwrap_or_else(|mistakes| panic!("{mistakes}")));
        let traces = file.with_extension("trace");
        let expected = fs::read_to_string(&traces).expect("a trace beside it");
        let commands: Vec<&str> = expected.lines().filter(|l| l.starts_with(TRY)).collect();
        assert!(!commands.is_empty(), "{}", traces.display());
        let found = commands
            .iter()
            .map(|line| format!("{line}\n{}", trial(&plan, line).trace()));
        expect(&traces, &found.collect::<Vec<_>>().join("\n"));
        assert_eq!(
            plan.name,
            file.file_stem().unwrap().to_string_lossy(),
            "named as its file"
        );
    }
}

#[test]
fn the_shipped_plans_go_together() {
    let plans = plans_in("../../dialplans")
        .into_iter()
        .map(|file| Arc::new(load(&file).unwrap_or_else(|told| panic!("{told}"))));
    let plans = Plans::new(plans.collect()).unwrap();
    assert_eq!(plans.find("1300").unwrap().name, "sakhalin-1300");
    assert_eq!(
        plans.find("+380617871580").unwrap().name,
        "zaporizhzhia-1580"
    );
    assert_eq!(plans.iter().count(), 5);
}

#[test]
fn every_bad_plan_is_refused_with_the_messages_expected() {
    for file in plans_in("tests/bad") {
        let mistakes = load(&file).expect_err("a bad plan");
        expect(&file.with_extension("txt"), &mistakes);
    }
}

fn plan(file: &str, name: &str, numbers: &str) -> Arc<Plan> {
    let text = format!(
        "name = \"{name}\"\nnumbers = {numbers}\nlanguages = [\"en\"]\n[[step]]\nanswer = {{}}\n\
         [[step]]\nqueue = {{ name = \"operatrs\", recorded = false }}\n"
    );
    Arc::new(dialplan::parse(file, &text).unwrap())
}

#[test]
fn a_number_in_two_plans_is_told_with_both_places() {
    let (one, two) = (
        plan("one.toml", "one", "[\"1\"]"),
        plan("two.toml", "two", "[\"2\", \"1\"]"),
    );
    let mistakes = Plans::new(vec![one, two]).unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert_eq!(
        mistakes[0].to_string(),
        "two.toml:2:17: the number \"1\" is served by another plan (plan `one`, one.toml:2:12)"
    );
}

#[test]
fn two_plans_of_one_name_are_refused() {
    let (one, two) = (
        plan("one.toml", "same", "[\"1\"]"),
        plan("two.toml", "same", "[\"2\"]"),
    );
    let mistakes = Plans::new(vec![one, two]).unwrap_err();
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["two.toml:1:8: the plan name `same` is taken (plan `same`, one.toml:1:8)"]
    );
}

#[test]
fn one_prompt_name_means_one_thing_in_all_plans() {
    let saying = |name: &str, number: u8, text: &str| {
        let text = format!(
            "name = \"{name}\"\nnumbers = [\"{number}\"]\nlanguages = [\"en\"]\n[[step]]\nanswer = {{}}\n\
             [[step]]\nsay = {{ name = \"hello\", text = {{ en = \"{text}\" }} }}\n"
        );
        Arc::new(dialplan::parse(&format!("{name}.toml"), &text).unwrap())
    };
    let (one, same, other) = (
        saying("a", 1, "Hi"),
        saying("b", 2, "Hi"),
        saying("c", 3, "Ho"),
    );
    assert!(Plans::new(vec![Arc::clone(&one), Arc::clone(&same)]).is_ok());
    let mistakes = Plans::new(vec![one, same, other]).unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert_eq!(
        mistakes[0].to_string(),
        "c.toml:7:16: another plan says something else as `hello` (plan `a`, a.toml:7:16)"
    );
}

#[test]
fn a_number_finds_its_plan_and_no_other() {
    let plans = Plans::new(vec![
        plan("one.toml", "one", "[\"1\", \"+1\"]"),
        plan("two.toml", "two", "[\"2\"]"),
    ])
    .unwrap();
    assert_eq!(plans.find("+1").unwrap().name, "one");
    assert_eq!(plans.find("2").unwrap().name, "two");
    assert_eq!(plans.find("+2"), None);
    assert_eq!(plans.numbers().collect::<Vec<_>>(), ["+1", "1", "2"]);
}

#[test]
fn changes_of_plans_are_told_in_words() {
    let text = "name = \"a\"\nnumbers = [\"1\"]\nlanguages = [\"en\"]\n[[step]]\nanswer = {}\n\
                [[step]]\nflow = { name = \"b\" }\n[[flow.b]]\nhangup = {}\n";
    let plans = |texts: &[String]| {
        let all = texts
            .iter()
            .map(|text| Arc::new(dialplan::parse("p.toml", text).unwrap()));
        Plans::new(all.collect()).unwrap()
    };
    let old = plans(&[
        text.to_owned(),
        text.replace("\"a\"", "\"gone\"").replace('1', "2"),
    ]);
    let new = plans(&[
        text.replace("hangup = {}", "hangup = { cause = 16 }")
            .replace("\"1\"", "\"3\""),
        text.replace("\"a\"", "\"c\""),
    ]);
    assert_eq!(
        old.changes(&new),
        [
            "plan a: new number 3",
            "plan a: no more number 1",
            "plan a: flow b changed",
            "plan c added",
            "plan gone removed",
        ]
    );
    assert_eq!(old.changes(&old), [] as [&str; 0]);
}

#[test]
fn a_queue_that_the_settings_lack_is_told_with_the_nearest() {
    let plan = plan("one.toml", "one", "[\"1\"]");
    assert_eq!(plan.queues().collect::<Vec<_>>(), ["operatrs"]);
    assert!(plan.unknown_queues(&["operatrs"]).is_empty());
    assert_eq!(
        plan.unknown_queues(&["doctors", "operators"])[0].to_string(),
        "one.toml:7:18: no queue `operatrs` in the settings (did you mean `operators`?)"
    );
}

#[test]
fn a_queue_where_the_settings_have_none_is_told_with_what_to_add() {
    let plan = plan("one.toml", "one", "[\"1\"]");
    assert_eq!(
        plan.unknown_queues(&[])[0].to_string(),
        "one.toml:7:18: no queue `operatrs` in the settings \
         (they have no queue at all: add a table [[queue]] with that name)"
    );
}

#[test]
fn a_mistake_of_a_prompt_is_told_at_the_step_that_plays_it() {
    let plan = load(&folder("../../dialplans/demo/health-line.toml")).unwrap();
    let told = |name: &str| {
        let mistake = plan.mistake_of_prompt(name, "is hoarse".to_owned());
        mistake.map(|mistake| mistake.to_string())
    };
    assert_eq!(
        told("greeting").unwrap(),
        "health-line.toml:17:8: is hoarse"
    );
    assert_eq!(told("sorry").unwrap(), "health-line.toml:33:8: is hoarse");
    assert_eq!(
        told("music/waiting.wav").unwrap(),
        "health-line.toml:27:9: is hoarse",
        "where the queue names the music"
    );
    assert_eq!(told("operators"), None);
}

#[test]
fn the_prompt_with_the_notice_is_known() {
    let plan = load(&folder("../../dialplans/demo/health-line.toml")).unwrap();
    assert!(plan.is_notice("greeting"));
    assert!(!plan.is_notice("sorry") && !plan.is_notice("music/waiting.wav"));
}

#[test]
fn prompts_are_listed_once_for_each_language_and_music_without_one() {
    let plan = load(&folder("../../dialplans/demo/health-line.toml")).unwrap();
    let prompts = plan.prompts();
    let listed: Vec<(&str, &str)> = prompts
        .iter()
        .map(|prompt| (prompt.name.as_str(), prompt.language.as_str()))
        .collect();
    assert_eq!(
        listed,
        [
            ("greeting", "en"),
            ("greeting", "ru"),
            ("music/waiting.wav", ""),
            ("sorry", "en"),
            ("sorry", "ru"),
        ]
    );
    assert_eq!(prompts[2].file.as_deref(), Some("music/waiting.wav"));
    assert!(prompts[1].text.as_deref().unwrap().contains("записываются"));
}

#[test]
fn one_file_serves_all_languages_and_a_text_may_stand_beside_it() {
    let text = "name = \"a\"\nnumbers = [\"1\"]\nlanguages = [\"ru\", \"en\"]\n[[step]]\nanswer = {}\n\
                [[step]]\nsay = { name = \"b\", file = \"b.wav\", text = { en = \"Hello\" } }\n";
    let prompts = dialplan::parse("a.toml", text).unwrap().prompts();
    assert_eq!(prompts[0].text.as_deref(), Some("Hello"));
    assert_eq!(prompts[1].text, None);
    assert!(
        prompts
            .iter()
            .all(|prompt| prompt.file.as_deref() == Some("b.wav"))
    );
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let text = "#".repeat(dialplan::limits::FILE_BYTES + 1);
    let mistakes = dialplan::parse("large.toml", &text).unwrap_err();
    assert_eq!(
        mistakes[0].to_string(),
        "large.toml:1:1: a plan has at most 262144 bytes, found 262145"
    );
}

#[test]
fn mistakes_are_bounded() {
    let text: String = (0..1_000)
        .map(|number| format!("key{number} = 1\n"))
        .collect();
    let mistakes = dialplan::parse("many.toml", &text).unwrap_err();
    assert_eq!(mistakes.len(), dialplan::limits::MISTAKES);
}

/// Pieces of plans, good and bad, from which proptest makes files.
const PIECES: [&str; 24] = [
    "name = \"a\"\n",
    "numbers = [\"1\"]\n",
    "numbers = [\"1\", \"1\", 1]\n",
    "languages = [\"ru\"]\n",
    "languages = [\"ru\", \"e\"]\n",
    "notice = \"none\"\n",
    "[[step]]\n",
    "[step]\n",
    "step = []\n",
    "answer = {}\n",
    "answer.x = 1\n",
    "say = { name = \"b\", text = { ru = \"в\" } }\n",
    "say = { file = \"ы/../b.wav\" }\n",
    "queue = { name = \"q\" }\n",
    "queue = { name = \"q\", priority = -1 }\n",
    "hangup = { status = 0x1ff }\n",
    "hangup = {}\n",
    "[step.say]\n",
    "notice = true\n",
    "text = 1979-05-27\n",
    "\u{feff}",
    "é = \"",
    "\"\"\"",
    "\r\n",
];

proptest::proptest! {
    #[test]
    fn any_file_is_a_plan_that_runs_to_its_end_or_a_list_of_mistakes_inside_of_it(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..20),
        cut in 0_usize..400,
    ) {
        let text: String = pieces.concat().chars().take(cut).collect();
        match dialplan::parse("any.toml", &text) {
            Ok(plan) => {
                let trial = Trial::new(Arc::new(plan), "1", "", WallTime::default());
                proptest::prop_assert!(trial.trace().contains("outcome"));
            }
            Err(mistakes) => {
                proptest::prop_assert!(!mistakes.is_empty());
                for mistake in &mistakes {
                    proptest::prop_assert!(mistake.snippet().contains('^'));
                }
                let lines = text.matches('\n').count() + 1;
                let inside = |line: usize, column: usize| {
                    line <= lines && (1..=text.len() + 1).contains(&column)
                };
                proptest::prop_assert!(mistakes.iter().all(|m| inside(m.line, m.column)));
            }
        }
    }
}
