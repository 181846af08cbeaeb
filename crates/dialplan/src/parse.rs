//! Owns the way from text to a [`Plan`]: the shape of the file and of each value. What the steps
//! mean together is `check`'s.

use std::collections::BTreeMap;

use toml::de::DeTable;

use crate::check;
use crate::diagnostic::{Diagnostic, Report};
use crate::plan::{Hangup, Origin, Plan, PlanStep, Queue, Say, Voice, limits};
use crate::read::{At, Span, Table, text, wrong_kind};
use crate::spelling::{advice, one_of};

/// Kinds of steps.
const STEPS: [&str; 4] = ["answer", "say", "queue", "hangup"];

/// How the TOML reader tells of a key that stands twice; it leaves out which.
const DUPLICATE_KEY: &str = "duplicate key";

/// A step with the place of the key that names its kind, and of the queue's name if it is one.
pub(crate) struct Placed {
    pub(crate) step: PlanStep,
    pub(crate) at: Span,
    /// Where the name of a prompt or a queue stands, or the status of a hang-up.
    pub(crate) detail: Option<Span>,
}

/// The steps that could be read. Their order means something only if they are whole.
#[derive(Default)]
struct Steps {
    steps: Vec<Placed>,
    whole: bool,
}

/// Reads a plan. `file` names it in diagnostics.
///
/// # Errors
/// Every mistake of the file, in its order. If it is not TOML at all, only the mistakes of syntax.
pub fn parse(file: &str, text: &str) -> Result<Plan, Vec<Diagnostic>> {
    let mut report = Report::new(file, text);
    if text.len() > limits::FILE_BYTES {
        let bytes = text.len();
        let message = format!(
            "a plan has at most {} bytes, found {bytes}",
            limits::FILE_BYTES
        );
        report.mistake(&(0..0), message);
        return Err(report.finish());
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let at = error.span().unwrap_or(0..0);
            let mut message = error.message().lines().collect::<Vec<_>>().join(", ");
            if let (DUPLICATE_KEY, Some(key)) = (message.as_str(), text.get(at.clone())) {
                message = format!("{DUPLICATE_KEY} `{key}`");
            }
            report.mistake(&at, format!("not TOML: {message}"));
        }
        return Err(report.finish());
    }
    let plan = plan(&mut report, file, Table::new(root.get_ref(), "a plan"));
    match plan {
        Some(plan) if report.is_clean() => Ok(plan),
        Some(_) | None => Err(report.finish()),
    }
}

fn plan(report: &mut Report<'_>, file: &str, root: Table<'_>) -> Option<Plan> {
    root.allow(report, &["name", "numbers", "languages", "notice", "step"]);
    let name = required_name(report, root, "name", "a plan", &(0..0));
    let numbers = numbers(report, root);
    let languages = languages(report, root);
    let notice_waived = notice_waived(report, root);
    let Steps { steps, whole } = steps(report, root, &languages);
    check::names(report, &steps);
    if whole {
        check::order(report, &steps);
        check::notice(report, &steps, notice_waived.as_ref());
    }
    let name = name?;
    let named = |wanted: fn(&PlanStep) -> Option<&str>| {
        let place = |placed: &Placed| {
            let (name, at) = (wanted(&placed.step)?, placed.detail.as_ref()?);
            Some((name.to_owned(), report.place(at.start)))
        };
        steps.iter().filter_map(place).collect()
    };
    let origin = Origin {
        file: file.to_owned(),
        name: report.place(name.span.start),
        numbers: numbers
            .iter()
            .map(|number| report.place(number.span.start))
            .collect(),
        queues: named(PlanStep::queue_name),
        prompts: named(PlanStep::prompt_name),
    };
    Some(Plan {
        name: name.value.to_owned(),
        numbers: numbers
            .into_iter()
            .map(|number| number.value.to_owned())
            .collect(),
        languages: languages.into_iter().map(str::to_owned).collect(),
        steps: steps.into_iter().map(|placed| placed.step).collect(),
        origin,
    })
}

/// A name that must be there: letters, digits, `-`, `_`, `.`.
fn required_name<'t>(
    report: &mut Report<'_>,
    table: Table<'t>,
    key: &str,
    of: &str,
    otherwise: &Span,
) -> Option<At<&'t str>> {
    if table.value(key).is_none() {
        let help = format!("add `{key} = \"…\"`");
        report.mistake_with_help(otherwise, format!("{of} needs a `{key}`"), help);
    }
    let name = table.text(report, key)?;
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let length = name.value.chars().count();
    if length == 0 || length > limits::NAME_CHARS || !name.value.chars().all(legal) {
        let most = limits::NAME_CHARS;
        let message = format!(
            "`{key}` must be 1 to {most} letters, digits, `-`, `_` or `.`, found \"{}\"",
            name.value
        );
        report.mistake(&name.span, message);
    }
    Some(name)
}

fn numbers<'t>(report: &mut Report<'_>, root: Table<'t>) -> Vec<At<&'t str>> {
    let Some(list) = list(
        report,
        root,
        "numbers",
        "numbers = [\"1300\"]",
        limits::NUMBERS,
    ) else {
        return Vec::new();
    };
    for number in &list {
        if let Some(help) = number_fault(number.value) {
            let message = format!("expected a telephone number, found \"{}\"", number.value);
            report.mistake_with_help(&number.span, message, help);
        }
    }
    check::twice(report, "number", &list);
    list
}

/// Why a text is not a number: digits, `*` and `#`, a leading `+` before digits only.
fn number_fault(number: &str) -> Option<String> {
    let international = number.strip_prefix('+');
    let dialled = international.unwrap_or(number);
    let legal = |c: char| c.is_ascii_digit() || (international.is_none() && "*#".contains(c));
    if dialled.chars().all(legal) && (1..=limits::NUMBER_CHARS).contains(&dialled.len()) {
        return None;
    }
    let kept: String = dialled.chars().filter(|c| legal(*c)).collect();
    let separators = |c: char| legal(c) || " -().".contains(c);
    if !kept.is_empty() && kept.len() <= limits::NUMBER_CHARS && dialled.chars().all(separators) {
        let plus = if international.is_some() { "+" } else { "" };
        return Some(format!("write it without separators: \"{plus}{kept}\""));
    }
    let most = limits::NUMBER_CHARS;
    Some(format!(
        "1 to {most} digits, with `+` before them, or `*` and `#` among them"
    ))
}

fn languages<'t>(report: &mut Report<'_>, root: Table<'t>) -> Vec<&'t str> {
    let Some(list) = list(
        report,
        root,
        "languages",
        "languages = [\"ru\"]",
        limits::LANGUAGES,
    ) else {
        return Vec::new();
    };
    for language in &list {
        if !is_language(language.value) {
            let message = format!("expected a language, found \"{}\"", language.value);
            let help = "two or three small letters, as in \"ru\", \"uk\", \"en\"";
            report.mistake_with_help(&language.span, message, help);
        }
    }
    check::twice(report, "language", &list);
    list.into_iter().map(|language| language.value).collect()
}

/// A primary language subtag of two or three letters (RFC 5646 §2.2.1), and maybe a region.
fn is_language(text: &str) -> bool {
    let (primary, region) = text
        .split_once('-')
        .map_or((text, None), |(p, r)| (p, Some(r)));
    let primary_fits =
        (2..=3).contains(&primary.len()) && primary.chars().all(|c| c.is_ascii_lowercase());
    let region_fits = region
        .is_none_or(|region| region.len() == 2 && region.chars().all(|c| c.is_ascii_uppercase()));
    primary_fits && region_fits
}

/// A list of texts that must be there with at least one member.
fn list<'t>(
    report: &mut Report<'_>,
    root: Table<'t>,
    key: &str,
    example: &str,
    most: usize,
) -> Option<Vec<At<&'t str>>> {
    if root.value(key).is_none() {
        let help = format!("add `{example}`");
        report.mistake_with_help(&(0..0), format!("a plan needs `{key}`"), help);
    }
    let list = root.texts(report, key)?;
    let empty = root
        .value(key)
        .and_then(|value| value.get_ref().as_array()?.is_empty().then_some(()));
    if empty.is_some() {
        let message = format!("`{key}` must have at least one member, found none");
        report.mistake_with_help(&list.span, message, format!("as in `{example}`"));
    }
    if list.value.len() > most {
        let found = list.value.len();
        report.mistake(
            &list.span,
            format!("`{key}` has at most {most} members, found {found}"),
        );
    }
    Some(list.value)
}

/// `notice = "none"`: the plan records without telling the caller, and says so.
fn notice_waived(report: &mut Report<'_>, root: Table<'_>) -> Option<Span> {
    let notice = root.text(report, "notice")?;
    if notice.value != "none" {
        let message = format!("`notice` may only be \"none\", found \"{}\"", notice.value);
        let help = "a notice is a `say` with `notice = true`";
        report.mistake_with_help(&notice.span, message, help);
    }
    Some(notice.span)
}

fn steps(report: &mut Report<'_>, root: Table<'_>, languages: &[&str]) -> Steps {
    let Some(value) = root.value("step") else {
        let help = "add `[[step]]` and below it `answer = {}`";
        report.mistake_with_help(&(0..0), "a plan needs at least one step", help);
        return Steps::default();
    };
    let Some(array) = value.get_ref().as_array() else {
        let message = "`step` must be a list of steps, found one";
        report.mistake_with_help(&value.span(), message, "write `[[step]]` with two brackets");
        return Steps::default();
    };
    if array.is_empty() {
        report.mistake(&value.span(), "a plan needs at least one step, found none");
    }
    if array.len() > limits::STEPS {
        let message = format!(
            "a plan has at most {} steps, found {}",
            limits::STEPS,
            array.len()
        );
        report.mistake(&value.span(), message);
        return Steps::default();
    }
    let mut steps = Vec::new();
    for member in array.iter() {
        match member.get_ref().as_table() {
            Some(table) => steps.extend(step(report, table, &member.span(), languages)),
            None => wrong_kind(report, "step", "a table", member),
        }
    }
    let whole = steps.len() == array.len();
    Steps { steps, whole }
}

/// One `[[step]]`: exactly one key, which names its kind.
fn step(
    report: &mut Report<'_>,
    table: &DeTable<'_>,
    at: &Span,
    languages: &[&str],
) -> Option<Placed> {
    let step = Table::new(table, "a step");
    let keys = step.keys();
    let Some((kind, rest)) = keys.split_first() else {
        report.mistake(at, format!("an empty step; expected {}", one_of(&STEPS)));
        return None;
    };
    for key in rest {
        let message = format!(
            "a step has one key, found `{}` besides `{}`",
            key.value, kind.value
        );
        let help = if STEPS.contains(&key.value) {
            "begin another `[[step]]` before it".to_owned()
        } else {
            format!("put it inside of `{} = {{ … }}`", kind.value)
        };
        report.mistake_with_help(&key.span, message, help);
    }
    if !STEPS.contains(&kind.value) {
        let message = format!("unknown step `{}`", kind.value);
        report.mistake_with_help(&kind.span, message, advice(kind.value, &STEPS));
        return None;
    }
    let body = step.table(report, kind.value)?;
    let (step, detail) = match kind.value {
        "answer" => {
            Table::new(body, "`answer`").allow_none(report);
            (PlanStep::Answer, None)
        }
        "say" => {
            let (say, name) = say(report, Table::new(body, "`say`"), &kind.span, languages)?;
            (PlanStep::Say(say), Some(name))
        }
        "queue" => {
            let (queue, name) = queue(report, Table::new(body, "`queue`"), &kind.span)?;
            (PlanStep::Queue(queue), Some(name))
        }
        _ => {
            let body = Table::new(body, "`hangup`");
            body.allow(report, &["status"]);
            let status = body.number(report, "status", 400..=699);
            let hangup = status.as_ref().map_or(Hangup::DEFAULT, |status| Hangup {
                status: status.value,
            });
            (PlanStep::Hangup(hangup), status.map(|status| status.span))
        }
    };
    Some(Placed {
        step,
        at: kind.span.clone(),
        detail,
    })
}

fn say(
    report: &mut Report<'_>,
    body: Table<'_>,
    at: &Span,
    languages: &[&str],
) -> Option<(Say, Span)> {
    body.allow(report, &["name", "notice", "text", "file"]);
    let name = required_name(report, body, "name", "a `say`", at);
    let notice = body.flag(report, "notice").unwrap_or(false);
    let mut voices: BTreeMap<String, Voice> = BTreeMap::new();
    texts(report, body, languages, &mut voices);
    files(report, body, languages, &mut voices);
    let name = name?;
    let of_right_kind = body
        .value("text")
        .is_none_or(|value| value.get_ref().is_table())
        && body
            .value("file")
            .is_none_or(|value| value.get_ref().is_table() || value.get_ref().is_str());
    if !of_right_kind {
        return None;
    }
    let missing = languages
        .iter()
        .filter(|language| !voices.contains_key(**language));
    // A language that is wrong itself was reported where it stands.
    for language in missing.filter(|language| is_language(language)) {
        let message = format!(
            "prompt `{}` has no text and no file for \"{language}\"",
            name.value
        );
        let help = format!("add `text = {{ {language} = \"…\" }}` or `file = \"….wav\"`");
        report.mistake_with_help(at, message, help);
    }
    Some((
        Say {
            name: name.value.to_owned(),
            notice,
            voices,
        },
        name.span,
    ))
}

fn texts(
    report: &mut Report<'_>,
    body: Table<'_>,
    languages: &[&str],
    voices: &mut BTreeMap<String, Voice>,
) {
    let Some(table) = body.table(report, "text") else {
        return;
    };
    let table = Table::new(table, "`text`");
    table.allow(report, languages);
    for language in languages {
        let Some(spoken) = table.text(report, language) else {
            continue;
        };
        let length = spoken.value.chars().count();
        if spoken.value.trim().is_empty() {
            report.mistake(
                &spoken.span,
                format!("the text for \"{language}\" is empty"),
            );
        } else if length > limits::TEXT_CHARS {
            let most = limits::TEXT_CHARS;
            let message = format!("a text has at most {most} characters, found {length}");
            report.mistake(&spoken.span, message);
        }
        let voice = voices.entry((*language).to_owned()).or_default();
        voice.text = Some(spoken.value.trim().to_owned());
    }
}

/// `file`: one for all languages, or one for each.
fn files(
    report: &mut Report<'_>,
    body: Table<'_>,
    languages: &[&str],
    voices: &mut BTreeMap<String, Voice>,
) {
    let Some(value) = body.value("file") else {
        return;
    };
    let mut add = |language: &str, path: &At<&str>| {
        let voice = voices.entry(language.to_owned()).or_default();
        voice.file = Some(path.value.to_owned());
    };
    if value.get_ref().is_str() {
        let Some(path) = text(report, "file", value) else {
            return;
        };
        check_path(report, "file", &path);
        languages.iter().for_each(|language| add(language, &path));
        return;
    }
    let Some(table) = value.get_ref().as_table() else {
        wrong_kind(
            report,
            "file",
            "text in quotes or a table of languages",
            value,
        );
        return;
    };
    let table = Table::new(table, "`file`");
    table.allow(report, languages);
    for language in languages {
        if let Some(path) = table.text(report, language) {
            check_path(report, "file", &path);
            add(language, &path);
        }
    }
}

fn queue(report: &mut Report<'_>, body: Table<'_>, at: &Span) -> Option<(Queue, Span)> {
    body.allow(report, &["name", "music", "priority", "recorded"]);
    let name = required_name(report, body, "name", "a `queue`", at);
    let music = body.text(report, "music");
    if let Some(path) = &music {
        check_path(report, "music", path);
    }
    let priority = body.number(report, "priority", 0..=255);
    let recorded = body.flag(report, "recorded").unwrap_or(true);
    let name = name?;
    let queue = Queue {
        name: name.value.to_owned(),
        music: music.map(|path| path.value.to_owned()),
        priority: priority
            .and_then(|at| u8::try_from(at.value).ok())
            .unwrap_or(0),
        recorded,
    };
    Some((queue, name.span))
}

/// Files of a plan stay below its folder, on every system.
fn check_path(report: &mut Report<'_>, key: &str, path: &At<&str>) {
    let parts_fit = path
        .value
        .split('/')
        .all(|part| !part.is_empty() && part != "." && part != "..");
    let wav = path
        .value
        .strip_suffix(".wav")
        .is_some_and(|stem| !stem.ends_with('/'));
    let clean = !path
        .value
        .chars()
        .any(|c| c.is_control() || matches!(c, '\\' | ':'));
    if !(parts_fit && clean && wav && path.value != ".wav") {
        let message = format!(
            "`{key}` must be a .wav file below the folder of the plan, found \"{}\"",
            path.value
        );
        report.mistake_with_help(&path.span, message, "as in \"music/waiting.wav\"");
    }
}
