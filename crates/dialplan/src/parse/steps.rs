//! Owns the reading of one step of each kind.

use core::time::Duration;
use std::collections::BTreeMap;

use toml::de::DeTable;

use super::voices::check_path;
use super::{BUILT_IN, Placed, Reader, number_fault, required_name};
use crate::fields::names_in;
use crate::kinds::{CHOICE_KEYS, QUEUE_STATES, keys_of, names};
use crate::plan::limits;
use crate::read::{At, Span, Table, date};
use crate::run::Unserved;
use crate::speech::Tongue;
use crate::spelling::{advice, one_of};
use crate::step::{
    Announce, Answer, Callback, Choice, Collect, Condition, Hangup, Http, If, Menu, Music,
    PlanStep, Queue, QueueAsked, Ring, Say, Set, Survey, Transfer, Voicemail, Whom,
};

/// The keys of a telephone.
const KEYS: &str = "0123456789*#";

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

impl Reader<'_, '_> {
    /// One step: exactly one key, which names its kind.
    pub(super) fn step(&mut self, table: &DeTable<'_>, at: &Span, header: &str) -> Option<Placed> {
        let kinds = names();
        let step = Table::new(table, "a step");
        let keys = step.keys();
        let Some((kind, rest)) = keys.split_first() else {
            let message = format!("an empty step; expected {}", one_of(&kinds));
            self.report.mistake(at, message);
            return None;
        };
        for key in rest {
            let message = format!(
                "a step has one key, found `{}` besides `{}`",
                key.value, kind.value
            );
            let help = if kinds.contains(&key.value) {
                format!("begin another `{header}` before it")
            } else {
                format!("put it inside of `{} = {{ … }}`", kind.value)
            };
            self.report.mistake_with_help(&key.span, message, help);
        }
        if !kinds.contains(&kind.value) {
            let message = format!("unknown step `{}`", kind.value);
            let help = advice(kind.value, &kinds);
            self.report.mistake_with_help(&kind.span, message, help);
            return None;
        }
        let body = step.table(self.report, kind.value)?;
        let what = format!("`{}`", kind.value);
        let body = Table::new(body, &what);
        let known = keys_of(kind.value);
        body.allow(self.report, &known);
        let status = body.value("status").map(toml::Spanned::span);
        Some(Placed {
            step: self.of_kind(kind.value, body, &kind.span)?,
            at: kind.span.clone(),
            status,
        })
    }

    fn of_kind(&mut self, kind: &str, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        let step = match kind {
            "answer" => {
                let after = body.time(self.report, "after", Duration::ZERO..=SECOND * 120);
                PlanStep::Answer(Answer {
                    after: after.unwrap_or_default(),
                })
            }
            "say" => {
                let notice = body.flag(self.report, "notice").unwrap_or(false);
                let prompt = self.prompt(body, "a `say`", at)?;
                PlanStep::Say(Say { prompt, notice })
            }
            "music" => self.music(body, at)?,
            "menu" => self.menu(body, at)?,
            "collect" => self.collect(body, at)?,
            "survey" => {
                let prompt = self.prompt(body, "a `survey`", at);
                let asking = self.asking(body);
                PlanStep::Survey(Box::new(Survey {
                    prompt: prompt?,
                    asking,
                }))
            }
            "queue" => self.queue(body, at)?,
            "ring" => self.ring(body, at)?,
            "transfer" => {
                body.need(self.report, "to", at, "to = \"1300\"");
                let to = self.filled(body, "to")?;
                PlanStep::Transfer(Transfer { to })
            }
            "voicemail" => self.voicemail(body, at)?,
            "callback" => self.callback(body, at)?,
            "http" => self.http(body, at)?,
            "set" => self.set(body, at)?,
            "if" => self.fork(body, at)?,
            "flow" => {
                body.need(self.report, "name", at, "name = \"…\"");
                PlanStep::Flow(self.flow_id(body, "name")?)
            }
            _ => {
                let status = body.number(self.report, "status", 400..=699);
                let cause = body.number(self.report, "cause", 1..=127);
                PlanStep::Hangup(Hangup {
                    status: status.map_or(Hangup::DEFAULT.status, |status| status.value),
                    cause: cause.and_then(|cause| u8::try_from(cause.value).ok()),
                })
            }
        };
        Some(step)
    }

    fn music(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        body.need(self.report, "file", at, "file = \"music/waiting.wav\"");
        body.need(self.report, "time", at, "time = \"20s\"");
        let time = body.time(self.report, "time", SECOND..=HOUR);
        let file = self.wav(body, "file");
        Some(PlanStep::Music(Music {
            file: file?,
            time: time?,
        }))
    }

    /// A WAV file without words.
    fn wav(&mut self, body: Table<'_>, key: &str) -> Option<String> {
        let path = body.text(self.report, key)?;
        check_path(self.report, key, &path);
        self.marks.prompts.push(At {
            value: path.value.to_owned(),
            span: path.span,
        });
        Some(path.value.to_owned())
    }

    fn menu(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        body.need(self.report, "keys", at, "keys = { 1 = \"…\" }");
        let prompt = self.prompt(body, "a `menu`", at);
        let asking = self.asking(body);
        let otherwise = self.flow_id(body, "otherwise");
        let table = body.table(self.report, "keys")?;
        let table = Table::new(table, "`keys`");
        let mut keys = BTreeMap::new();
        for key in table.keys() {
            let Some(pressed) = self.key(&key) else {
                continue;
            };
            if let Some(choice) = self.choice(table, &key) {
                keys.insert(pressed, choice);
            }
        }
        if table.keys().is_empty() {
            let help = "add at least one, as in `1 = \"appointment\"`";
            self.report
                .mistake_with_help(at, "a menu without keys", help);
        }
        Some(PlanStep::Menu(Box::new(Menu {
            prompt: prompt?,
            keys,
            asking,
            otherwise,
        })))
    }

    /// One key of a telephone.
    fn key(&mut self, given: &At<&str>) -> Option<char> {
        let mut chars = given.value.chars();
        let key = chars.next().filter(|key| KEYS.contains(*key));
        let key = key.filter(|_| chars.next().is_none());
        if key.is_none() {
            let message = format!("expected a key of a telephone, found \"{}\"", given.value);
            let help = "0 to 9, or \"*\" or \"#\" in quotes";
            self.report.mistake_with_help(&given.span, message, help);
        }
        key
    }

    /// What a key does: a flow's name, or a table.
    fn choice(&mut self, table: Table<'_>, key: &At<&str>) -> Option<Choice> {
        let value = table.value(key.value)?;
        if value.get_ref().is_str() {
            let flow = self.flow_id(table, key.value)?;
            return Some(Choice {
                language: None,
                flow: Some(flow),
                again: false,
            });
        }
        let choice = table.table(self.report, key.value)?;
        let choice = Table::new(choice, "a key");
        choice.allow(self.report, CHOICE_KEYS);
        let language = choice.text(self.report, "language");
        if let Some(language) = &language
            && !self.languages.contains(&language.value)
        {
            let message = format!("the plan does not speak \"{}\"", language.value);
            let help = advice(language.value, self.languages);
            self.report.mistake_with_help(&language.span, message, help);
        }
        let flow = self.flow_id(choice, "flow");
        let again = choice.flag(self.report, "again").unwrap_or(false);
        if choice.keys().is_empty() || (again && choice.value("flow").is_some()) {
            let help = "write a flow's name, or { language = \"…\" }, or { again = true }";
            let message = format!("the key {} must do one thing", key.value);
            self.report.mistake_with_help(&key.span, message, help);
        }
        Some(Choice {
            language: language.map(|language| language.value.to_owned()),
            flow,
            again,
        })
    }

    fn collect(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        let prompt = self.prompt(body, "a `collect`", at);
        let asking = self.asking(body);
        let otherwise = self.flow_id(body, "otherwise");
        let digits = |at: Option<At<u16>>, usual: u8| {
            at.and_then(|at| u8::try_from(at.value).ok())
                .unwrap_or(usual)
        };
        let most = body.number(self.report, "digits_max", 1..=32);
        let fewest = body.number(self.report, "digits_min", 1..=32);
        if let (Some(fewest), Some(most)) = (&fewest, &most)
            && fewest.value > most.value
        {
            let message = format!(
                "`digits_min` is {}, and `digits_max` only {}",
                fewest.value, most.value
            );
            self.report.mistake(&fewest.span, message);
        }
        let end = body.text(self.report, "end");
        let end = end.and_then(|end| self.key(&end)).unwrap_or('#');
        let personal = body.flag(self.report, "personal").unwrap_or(true);
        let field = self.new_field(body, at, personal);
        Some(PlanStep::Collect(Box::new(Collect {
            prompt: prompt?,
            field: field?,
            digits_min: digits(fewest, 1),
            digits_max: digits(most, 20),
            end,
            personal,
            asking,
            otherwise,
        })))
    }

    /// The field that a step gives a value.
    fn new_field(&mut self, body: Table<'_>, at: &Span, personal: bool) -> Option<String> {
        let field = required_name(self.report, body, "field", "this step", at)?;
        self.field_set(&field, personal);
        Some(field.value.to_owned())
    }

    fn field_set(&mut self, field: &At<&str>, personal: bool) {
        if BUILT_IN.contains(&field.value) {
            let message = format!("the field `{}` is the engine's", field.value);
            let help = "give it another name";
            self.report.mistake_with_help(&field.span, message, help);
        }
        let known = self
            .marks
            .fields
            .iter()
            .any(|(name, _)| name == field.value);
        if !known && self.marks.fields.len() >= limits::FIELDS {
            let message = format!("a plan has at most {} fields", limits::FIELDS);
            self.report.mistake(&field.span, message);
        }
        self.marks.fields.push((field.value.to_owned(), personal));
    }

    /// A text in which fields are filled in.
    fn filled(&mut self, body: Table<'_>, key: &str) -> Option<String> {
        let text = body.text(self.report, key)?;
        self.fields_in(&text);
        Some(text.value.to_owned())
    }

    fn fields_in(&mut self, text: &At<&str>) {
        for name in names_in(text.value) {
            self.marks.fields_read.push(At {
                value: name.to_owned(),
                span: text.span.clone(),
            });
        }
    }

    fn queue(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        let name = required_name(self.report, body, "name", "a `queue`", at);
        let music = self.wav(body, "music");
        let priority = body.number(self.report, "priority", 0..=255);
        let recorded = body.flag(self.report, "recorded").unwrap_or(true);
        let wait_recorded = body.flag(self.report, "wait_recorded").unwrap_or(false);
        let skills = self.skills(body);
        let owner = self.filled(body, "owner");
        let announce = self.announce(body);
        let after = self.flow_id(body, "after");
        let overflow = Unserved::ALL
            .into_iter()
            .filter_map(|cause| Some((cause, self.flow_id(body, cause.key())?)))
            .collect();
        let name = name?;
        self.marks.queues.push(At {
            value: name.value.to_owned(),
            span: name.span,
        });
        Some(PlanStep::Queue(Box::new(Queue {
            name: name.value.to_owned(),
            music,
            priority: priority
                .and_then(|at| u8::try_from(at.value).ok())
                .unwrap_or(0),
            recorded,
            wait_recorded,
            skills,
            owner,
            announce,
            after,
            overflow,
        })))
    }

    fn announce(&mut self, body: Table<'_>) -> Option<Announce> {
        let wanted = body.flag(self.report, "announce").unwrap_or(false);
        let after = body.time(self.report, "announce_after", SECOND * 5..=HOUR);
        let every = body.time(self.report, "announce_every", SECOND * 15..=HOUR);
        let value = body.value("announce")?;
        let strange = self
            .languages
            .iter()
            .find(|one| Tongue::of(one).is_none())
            .filter(|_| wanted);
        if let Some(language) = strange {
            let message = format!("nobody taught this version to count in \"{language}\"");
            let help = "`announce` speaks ru, uk and en; remove it, or the language";
            self.report.mistake_with_help(&value.span(), message, help);
        }
        wanted.then_some(Announce {
            after: after.unwrap_or(SECOND * 20),
            every: every.unwrap_or(SECOND * 60),
        })
    }

    fn skills(&mut self, body: Table<'_>) -> BTreeMap<String, u8> {
        let mut skills = BTreeMap::new();
        let Some(table) = body.table(self.report, "skills") else {
            return skills;
        };
        let table = Table::new(table, "`skills`");
        if let (Some(value), true) = (body.value("skills"), table.keys().len() > limits::SKILLS) {
            let (most, found) = (limits::SKILLS, table.keys().len());
            let message = format!("`skills` has at most {most} members, found {found}");
            self.report.mistake(&value.span(), message);
        }
        for key in table.keys() {
            let level = table.number(self.report, key.value, 1..=100);
            let level = level.and_then(|level| u8::try_from(level.value).ok());
            skills.insert(key.value.to_owned(), level.unwrap_or(1));
        }
        skills
    }

    fn ring(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        let time = body.time(self.report, "time", SECOND..=SECOND * 180);
        let music = self.wav(body, "music");
        let recorded = body.flag(self.report, "recorded").unwrap_or(true);
        let after = self.flow_id(body, "after");
        let at_once = body.flag(self.report, "at_once").unwrap_or(false);
        let ways: Vec<&str> = ["operator", "group", "number"]
            .into_iter()
            .filter(|key| body.value(key).is_some())
            .collect();
        let [way] = ways.as_slice() else {
            let message = match ways.as_slice() {
                [] => "a `ring` needs somebody to call".to_owned(),
                ways => format!("a `ring` calls one of {}", one_of(ways)),
            };
            let help = "give one of `operator = \"101\"`, `group = [\"101\", \"102\"]`, \
                        `number = \"+7…\"`";
            self.report.mistake_with_help(at, message, help);
            return None;
        };
        if let Some(value) = body.value("at_once").filter(|_| at_once && *way != "group") {
            let message = "`at_once` is for a `group`; this rings one alone";
            let help = "remove it, or give `group = [\"101\", \"102\"]`";
            self.report.mistake_with_help(&value.span(), message, help);
        }
        let whom = match *way {
            "operator" => Whom::Operators(vec![self.filled(body, "operator")?]),
            "group" => {
                let group = body.texts(self.report, "group")?;
                group.value.iter().for_each(|one| self.fields_in(one));
                if !(1..=20).contains(&group.value.len()) {
                    let message =
                        format!("`group` has 1 to 20 members, found {}", group.value.len());
                    self.report.mistake(&group.span, message);
                }
                let members = group.value.iter().map(|one| one.value.to_owned());
                Whom::Operators(members.collect())
            }
            _ => {
                let number = body.text(self.report, "number")?;
                self.fields_in(&number);
                if names_in(number.value).is_empty()
                    && let Some(help) = number_fault(number.value)
                {
                    let message =
                        format!("expected a telephone number, found \"{}\"", number.value);
                    self.report.mistake_with_help(&number.span, message, help);
                }
                Whom::Number(number.value.to_owned())
            }
        };
        Some(PlanStep::Ring(Box::new(Ring {
            whom,
            at_once,
            time: time.unwrap_or(SECOND * 25),
            music,
            recorded,
            after,
        })))
    }

    fn voicemail(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        let prompt = self.prompt(body, "a `voicemail`", at);
        let longest = body.time(self.report, "longest", SECOND..=HOUR);
        let shortest = body.time(self.report, "shortest", Duration::ZERO..=SECOND * 60);
        let silence = body.time(self.report, "silence", SECOND..=SECOND * 60);
        let mailbox = body.text(self.report, "box");
        let end = body.text(self.report, "end");
        let end = end.and_then(|end| self.key(&end)).unwrap_or('#');
        let lines = body.texts(self.report, "lines");
        if let Some(lines) = lines.as_ref().filter(|lines| lines.value.len() > 20) {
            let message = format!("`lines` has at most 20, found {}", lines.value.len());
            self.report.mistake(&lines.span, message);
        }
        let lines = lines.into_iter().flat_map(|lines| lines.value);
        Some(PlanStep::Voicemail(Box::new(Voicemail {
            prompt: prompt?,
            mailbox: mailbox.map(|mailbox| mailbox.value.to_owned()),
            lines: lines.map(|line| line.value.to_owned()).collect(),
            longest: longest.unwrap_or(SECOND * 180),
            shortest: shortest.unwrap_or(SECOND),
            silence: silence.unwrap_or(SECOND * 5),
            end,
        })))
    }

    fn callback(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        let prompt = self.prompt(body, "a `callback`", at);
        let asking = self.asking(body);
        let key = body.text(self.report, "key");
        let key = key.and_then(|key| self.key(&key)).unwrap_or('1');
        let queue = required_name(self.report, body, "queue", "a `callback`", at)?;
        self.marks.queues.push(At {
            value: queue.value.to_owned(),
            span: queue.span,
        });
        Some(PlanStep::Callback(Box::new(Callback {
            prompt: prompt?,
            queue: queue.value.to_owned(),
            key,
            asking,
        })))
    }

    fn http(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        body.need(self.report, "url", at, "url = \"https://…\"");
        if let Some(url) = body.text(self.report, "url")
            && !["http://", "https://"]
                .iter()
                .any(|scheme| url.value.starts_with(scheme))
        {
            let message = format!(
                "`url` must begin with http:// or https://, found \"{}\"",
                url.value
            );
            self.report.mistake(&url.span, message);
        }
        let url = self.filled(body, "url");
        let send = self.pairs(body, "send");
        for value in send.values() {
            self.fields_in(value);
        }
        let save = self.pairs(body, "save");
        let saved: Vec<At<&str>> = body
            .table(self.report, "save")
            .map(|table| Table::new(table, "`save`").keys())
            .unwrap_or_default();
        // What a service tells of a caller is personal.
        saved.iter().for_each(|field| self.field_set(field, true));
        let bounds = Duration::from_millis(100)..=limits::HTTP_TIMEOUT;
        let timeout = body.time(self.report, "timeout", bounds);
        let otherwise = self.flow_id(body, "otherwise");
        let owned = |pairs: BTreeMap<String, At<&str>>| {
            let pairs = pairs.into_iter();
            pairs
                .map(|(key, value)| (key, value.value.to_owned()))
                .collect()
        };
        Some(PlanStep::Http(Box::new(Http {
            url: url?,
            send: owned(send),
            save: owned(save),
            timeout: timeout.unwrap_or(SECOND * 3),
            otherwise,
        })))
    }

    fn pairs<'t>(&mut self, body: Table<'t>, key: &str) -> BTreeMap<String, At<&'t str>> {
        let Some(table) = body.table(self.report, key) else {
            return BTreeMap::new();
        };
        let table = Table::new(table, "a table of texts");
        let keys = table.keys();
        let pairs = keys.iter().filter_map(|key| {
            let text = table.text(self.report, key.value)?;
            Some((key.value.to_owned(), text))
        });
        pairs.collect()
    }

    fn set(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        body.need(self.report, "value", at, "value = \"…\"");
        let value = self.filled(body, "value");
        let personal = body
            .value("value")
            .and_then(|value| value.get_ref().as_str())
            .is_some_and(|text| names_in(text).iter().any(|name| self.is_personal(name)));
        let field = self.new_field(body, at, personal);
        Some(PlanStep::Set(Set {
            field: field?,
            value: value?,
        }))
    }

    fn is_personal(&self, field: &str) -> bool {
        let mut fields = self.marks.fields.iter();
        fields.any(|(name, personal)| name == field && *personal)
    }

    fn fork(&mut self, body: Table<'_>, at: &Span) -> Option<PlanStep> {
        let then = self.flow_id(body, "then");
        let otherwise = self.flow_id(body, "else");
        if body.value("then").is_none() && body.value("else").is_none() {
            let help = "add `then = \"…\"` or `else = \"…\"` with the name of a flow";
            self.report
                .mistake_with_help(at, "an `if` that leads nowhere", help);
        }
        let asked: Vec<&str> = ["hours", "between", "caller_in", "field", "queue"]
            .into_iter()
            .filter(|key| body.value(key).is_some())
            .collect();
        let [asked] = asked.as_slice() else {
            let all = "`hours`, `between`, `caller_in`, `field` or `queue`";
            let message = match asked.as_slice() {
                [] => "an `if` that asks nothing".to_owned(),
                asked => format!("an `if` asks one thing, found {}", asked.len()),
            };
            self.report
                .mistake_with_help(at, message, format!("ask for one of {all}"));
            return None;
        };
        let condition = match *asked {
            "hours" => Condition::Hours(self.known(body, "hours")?),
            "caller_in" => Condition::Caller(self.known(body, "caller_in")?),
            "between" => self.between(body)?,
            "field" => {
                let name = body.text(self.report, "field")?;
                self.marks.fields_read.push(At {
                    value: name.value.to_owned(),
                    span: name.span,
                });
                Condition::Field {
                    name: name.value.to_owned(),
                    is: body.text(self.report, "is").map(|is| is.value.to_owned()),
                }
            }
            _ => self.queue_asked(body, at)?,
        };
        let others = [
            ("is", ["field", "queue"].as_slice()),
            ("waiting_above", &["queue"]),
        ];
        for (key, with) in others {
            if let Some(value) = body.value(key)
                && !with.contains(asked)
            {
                let message = format!("`{key}` says nothing about `{asked}`");
                let help = format!("it goes with {}", one_of(with));
                self.report.mistake_with_help(&value.span(), message, help);
            }
        }
        Some(PlanStep::If(Box::new(If {
            condition,
            then,
            otherwise,
        })))
    }

    /// Hours or a list of callers, which the plan must have.
    fn known(&mut self, body: Table<'_>, key: &str) -> Option<String> {
        let name = body.text(self.report, key)?;
        let (kind, known) = match key {
            "hours" => ("hours", &self.hours),
            _ => ("callers", &self.callers),
        };
        self.marks.asked.insert(format!("{kind}.{}", name.value));
        if !known.contains(&name.value) {
            let message = format!("the plan has no {kind} `{}`", name.value);
            let help = match (known.as_slice(), kind) {
                ([], "hours") => format!(
                    "add `[hours.{}]` with `mon-fri = [\"09:00-18:00\"]`",
                    name.value
                ),
                ([], _) => format!("add `[callers]` with `{} = [\"+7…\"]`", name.value),
                (known, _) => advice(name.value, known),
            };
            self.report.mistake_with_help(&name.span, message, help);
        }
        Some(name.value.to_owned())
    }

    fn between(&mut self, body: Table<'_>) -> Option<Condition> {
        let days = body.texts(self.report, "between")?;
        let [first, last] = days.value.as_slice() else {
            let message = format!(
                "`between` must have a first and a last day, found {}",
                days.value.len()
            );
            let help = "as in `between = [\"2026-12-28\", \"2027-01-08\"]`";
            self.report.mistake_with_help(&days.span, message, help);
            return None;
        };
        let (from, until) = (date(self.report, first)?, date(self.report, last)?);
        if from > until {
            let message = format!("the first day {from} is after the last day {until}");
            self.report.mistake(&days.span, message);
        }
        Some(Condition::Between(from, until))
    }

    fn queue_asked(&mut self, body: Table<'_>, at: &Span) -> Option<Condition> {
        let name = body.text(self.report, "queue")?;
        self.marks.queues.push(At {
            value: name.value.to_owned(),
            span: name.span,
        });
        let is = body.text(self.report, "is");
        let waiting = body.number(self.report, "waiting_above", 0..=10_000);
        let state = match (is, waiting) {
            (Some(is), None) => match is.value {
                "served" => QueueAsked::Served,
                "free" => QueueAsked::Free,
                other => {
                    let message = format!("a queue is never \"{other}\"");
                    let help = advice(other, QUEUE_STATES);
                    self.report.mistake_with_help(&is.span, message, help);
                    return None;
                }
            },
            (None, Some(waiting)) => QueueAsked::WaitingAbove(u32::from(waiting.value)),
            (Some(_), Some(_)) | (None, None) => {
                let message = "an `if` about a queue asks for `is` or for `waiting_above`";
                let help = "as in `is = \"free\"` or `waiting_above = 10`";
                self.report.mistake_with_help(at, message, help);
                return None;
            }
        };
        Some(Condition::Queue {
            name: name.value.to_owned(),
            state,
        })
    }
}
