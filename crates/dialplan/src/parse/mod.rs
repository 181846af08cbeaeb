//! Owns the way from text to a [`Plan`]: the shape of the file. `steps`, `voices` and `hours` read
//! its parts; what the steps mean together is `check`'s.

mod hours;
mod steps;
mod voices;

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use crate::check;
use crate::diagnostic::{Diagnostic, Place, Report};
use crate::kinds::PLAN_KEYS;
use crate::plan::{Emergency, Origin, Plan, limits};
use crate::read::{At, Span, Table, syntax_mistakes, wrong_kind};
use crate::spelling::advice;
use crate::step::{Flow, FlowId, PlanStep};

/// A step with the place of the key that names its kind, and of its status if it is a hang-up.
pub(crate) struct Placed {
    pub(crate) step: PlanStep,
    pub(crate) at: Span,
    pub(crate) status: Option<Span>,
}

/// A flow with the place of its name. Its order means something only if all steps could be read.
pub(crate) struct PlacedFlow {
    pub(crate) name: String,
    pub(crate) at: Span,
    pub(crate) steps: Vec<Placed>,
    pub(crate) whole: bool,
}

/// What stands where, gathered while steps are read.
#[derive(Default)]
struct Marks {
    /// Names that steps give to prompts.
    names: Vec<At<String>>,
    /// All names of prompts and music.
    prompts: Vec<At<String>>,
    queues: Vec<At<String>>,
    /// Fields that some step gives a value, and whether it is personal.
    fields: Vec<(String, bool)>,
    /// Fields that some step reads.
    fields_read: Vec<At<String>>,
    /// Hours and lists of callers that some step asks for.
    asked: BTreeSet<String>,
}

/// What the reading of steps needs to know.
struct Reader<'r, 'e> {
    report: &'r mut Report<'e>,
    languages: &'r [&'r str],
    flows: &'r BTreeMap<&'r str, FlowId>,
    hours: Vec<&'r str>,
    callers: Vec<&'r str>,
    marks: Marks,
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
        return Err(syntax_mistakes(report, text, errors));
    }
    let plan = plan(&mut report, file, Table::new(root.get_ref(), "a plan"));
    match plan {
        Some(plan) if report.is_clean() => Ok(plan),
        Some(_) | None => Err(report.finish()),
    }
}

fn plan(report: &mut Report<'_>, file: &str, root: Table<'_>) -> Option<Plan> {
    root.allow(report, PLAN_KEYS);
    let name = required_name(report, root, "name", "a plan", &(0..0));
    let numbers = numbers(report, root);
    let languages = languages(report, root);
    let waived = notice_waived(report, root);
    let (clockwork, calendar_at) = hours::clockwork(report, root);
    let hours = hours::all_hours(report, root);
    let callers = hours::callers(report, root);
    let named = flow_names(report, root);
    let ids: BTreeMap<&str, FlowId> = named
        .iter()
        .enumerate()
        .map(|(place, name)| (name.value, FlowId(place)))
        .collect();
    let mut reader = Reader {
        report,
        languages: &languages,
        flows: &ids,
        hours: hours.keys().map(String::as_str).collect(),
        callers: callers.keys().map(String::as_str).collect(),
        marks: Marks::default(),
    };
    let emergency = reader.emergency(root);
    let flows: Vec<PlacedFlow> = named.iter().map(|name| reader.flow(root, name)).collect();
    reader.unused(root);
    let marks = reader.marks;
    check::names(report, &marks.names);
    let checked = check::Checked {
        flows: &flows,
        emergency: emergency.as_ref().map(|emergency| emergency.flow),
        waived: waived.as_ref(),
    };
    check::program(report, &checked);
    let name = name?;
    let origin = origin(report, file, &name, &numbers, &marks, &calendar_at);
    let personal = marks.fields.iter().filter(|(_, personal)| *personal);
    Some(Plan {
        name: name.value.to_owned(),
        numbers: numbers
            .into_iter()
            .map(|number| number.value.to_owned())
            .collect(),
        languages: languages.iter().map(|one| (*one).to_owned()).collect(),
        flows: flows.into_iter().map(PlacedFlow::flow).collect(),
        emergency,
        hours,
        clockwork,
        callers,
        personal: personal.map(|(field, _)| field.clone()).collect(),
        origin,
    })
}

impl PlacedFlow {
    fn flow(self) -> Flow {
        Flow {
            name: self.name,
            steps: self.steps.into_iter().map(|placed| placed.step).collect(),
        }
    }
}

fn origin(
    report: &Report<'_>,
    file: &str,
    name: &At<&str>,
    numbers: &[At<&str>],
    marks: &Marks,
    calendar: &Span,
) -> Origin {
    let placed = |marks: &[At<String>]| -> Vec<(String, Place)> {
        let mut marks: Vec<&At<String>> = marks.iter().collect();
        marks.sort_by_key(|mark| mark.span.start);
        let place = |mark: &At<String>| (mark.value.clone(), report.place(&mark.span));
        marks.into_iter().map(place).collect()
    };
    Origin {
        file: file.to_owned(),
        name: report.place(&name.span),
        numbers: numbers
            .iter()
            .map(|number| report.place(&number.span))
            .collect(),
        queues: placed(&marks.queues),
        prompts: placed(&marks.prompts),
        calendar: report.place(calendar),
    }
}

/// The names of the flows, that of the `[[step]]`s first.
fn flow_names<'t>(report: &mut Report<'_>, root: Table<'t>) -> Vec<At<&'t str>> {
    let mut names = vec![At {
        value: Flow::MAIN,
        span: root.value("step").map_or(0..0, |steps| steps.span()),
    }];
    let Some(flows) = root.table(report, "flow") else {
        return names;
    };
    for key in Table::new(flows, "`flow`").keys() {
        if key.value == Flow::MAIN {
            let message = format!("the flow `{}` is that of the `[[step]]`s", Flow::MAIN);
            report.mistake_with_help(&key.span, message, "give it another name");
        } else {
            check_name(report, "flow", &key);
            names.push(key);
        }
    }
    if names.len() > limits::FLOWS {
        let (most, found) = (limits::FLOWS, names.len());
        let message = format!("a plan has at most {most} flows, found {found}");
        report.mistake(&(0..0), message);
        names.truncate(limits::FLOWS);
    }
    names
}

impl Reader<'_, '_> {
    /// The steps of one flow.
    fn flow(&mut self, root: Table<'_>, name: &At<&str>) -> PlacedFlow {
        let mut flow = PlacedFlow {
            name: name.value.to_owned(),
            at: name.span.clone(),
            steps: Vec::new(),
            whole: false,
        };
        let main = name.value == Flow::MAIN;
        let header = if main {
            "[[step]]".to_owned()
        } else {
            format!("[[flow.{}]]", name.value)
        };
        let flows = root
            .value("flow")
            .and_then(|flows| flows.get_ref().as_table());
        let value = if main {
            root.value("step")
        } else {
            flows.and_then(|flows| flows.get(name.value))
        };
        let Some(value) = value else {
            let help = "add `[[step]]` and below it `answer = {}`";
            self.report
                .mistake_with_help(&(0..0), "a plan needs at least one step", help);
            return flow;
        };
        let Some(array) = value.get_ref().as_array() else {
            let what = if main { "step" } else { name.value };
            let message = format!("`{what}` must be a list of steps, found one");
            let help = format!("write `{header}` with two brackets");
            self.report.mistake_with_help(&value.span(), message, help);
            return flow;
        };
        if array.is_empty() {
            let of = if main { "a plan" } else { "a flow" };
            let message = format!("{of} needs at least one step, found none");
            self.report.mistake(&value.span(), message);
        }
        if array.len() > limits::STEPS {
            let (most, found) = (limits::STEPS, array.len());
            let message = format!("a flow has at most {most} steps, found {found}");
            self.report.mistake(&value.span(), message);
            return flow;
        }
        for member in array.iter() {
            match member.get_ref() {
                DeValue::Table(table) => {
                    flow.steps.extend(self.step(table, &member.span(), &header));
                }
                _ => wrong_kind(self.report, "step", "a table", member),
            }
        }
        flow.whole = flow.steps.len() == array.len();
        flow
    }

    /// `emergency = { on = false, flow = "…" }`.
    fn emergency(&mut self, root: Table<'_>) -> Option<Emergency> {
        let at = root.value("emergency")?.span();
        let table = Table::new(root.table(self.report, "emergency")?, "`emergency`");
        table.allow(self.report, &["on", "flow"]);
        table.need(self.report, "on", &at, "on = false");
        table.need(self.report, "flow", &at, "flow = \"…\"");
        let on = table.flag(self.report, "on");
        let flow = self.flow_id(table, "flow");
        Some(Emergency {
            on: on?,
            flow: flow?,
        })
    }

    /// The flow that a key names.
    fn flow_id(&mut self, table: Table<'_>, key: &str) -> Option<FlowId> {
        let name = table.text(self.report, key)?;
        self.flow_named(&name)
    }

    fn flow_named(&mut self, name: &At<&str>) -> Option<FlowId> {
        let found = self.flows.get(name.value).copied();
        if found.is_none() {
            let known: Vec<&str> = self.flows.keys().copied().collect();
            let message = format!("no flow `{}` in this plan", name.value);
            let help = match known.as_slice() {
                [Flow::MAIN] => format!("add steps under `[[flow.{}]]`", name.value),
                known => advice(name.value, known),
            };
            self.report.mistake_with_help(&name.span, message, help);
        }
        found
    }

    /// Hours and lists of callers that no step asks for, fields that no step gives a value.
    fn unused(&mut self, root: Table<'_>) {
        for key in ["hours", "callers"] {
            let table = root.value(key).and_then(|value| value.get_ref().as_table());
            let Some(table) = table else { continue };
            for name in Table::new(table, key).keys() {
                if !self.marks.asked.contains(&format!("{key}.{}", name.value)) {
                    let message = format!("no step asks for the {key} `{}`", name.value);
                    let by = if key == "hours" { "hours" } else { "caller_in" };
                    let help = format!(
                        "ask with `if = {{ {by} = \"{}\", … }}`, or remove",
                        name.value
                    );
                    self.report.mistake_with_help(&name.span, message, help);
                }
            }
        }
        let mut known: Vec<&str> = BUILT_IN.to_vec();
        known.extend(self.marks.fields.iter().map(|(field, _)| field.as_str()));
        for read in &self.marks.fields_read {
            if !known.contains(&read.value.as_str()) {
                let message = format!("no step gives the field `{}` a value", read.value);
                let help = advice(&read.value, &known);
                self.report.mistake_with_help(&read.span, message, help);
            }
        }
    }
}

/// Fields that every call has.
pub(crate) const BUILT_IN: &[&str] = &["caller", "number", "language"];

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
    check_name(report, key, &name);
    Some(name)
}

fn check_name(report: &mut Report<'_>, key: &str, name: &At<&str>) {
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
