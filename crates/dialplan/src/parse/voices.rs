//! Owns the reading of what is heard: texts and files by language, and how a caller is asked.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Reader, is_language, required_name};
use crate::diagnostic::Report;
use crate::kinds::PROMPT_KEYS;
use crate::plan::limits;
use crate::read::{At, Span, Table, text, wrong_kind};
use crate::step::{Asking, Prompt, Voice};

type Voices = BTreeMap<String, Voice>;

impl Reader<'_, '_> {
    /// The prompt of a step: its name and its voices.
    pub(super) fn prompt(&mut self, body: Table<'_>, of: &str, at: &Span) -> Option<Prompt> {
        let name = required_name(self.report, body, "name", of, at);
        let voices = self.voices(body);
        let (name, voices) = (name?, voices?);
        self.missing_voices(name.value, at, &voices);
        let name = At {
            value: name.value.to_owned(),
            span: name.span,
        };
        self.marks.prompts.push(name.clone());
        self.marks.names.push(name.clone());
        Some(Prompt {
            name: name.value,
            voices,
        })
    }

    /// A prompt within a step, named after it.
    fn inner_prompt(&mut self, body: Table<'_>, key: &str, of: Option<&str>) -> Option<Prompt> {
        let at = body.value(key)?.span();
        let table = body.table(self.report, key)?;
        let what = format!("`{key}`");
        let table = Table::new(table, &what);
        table.allow(self.report, PROMPT_KEYS);
        let voices = self.voices(table)?;
        let name = format!("{}.{key}", of?);
        self.missing_voices(&name, &at, &voices);
        self.marks.prompts.push(At {
            value: name.clone(),
            span: at,
        });
        Some(Prompt { name, voices })
    }

    /// How a caller is asked.
    pub(super) fn asking(&mut self, body: Table<'_>) -> Asking {
        let waits = Duration::from_millis(500)..=Duration::from_secs(60);
        let name = body.value("name").and_then(|name| name.get_ref().as_str());
        let barge_in = body.flag(self.report, "barge_in").unwrap_or(true);
        let wait = body.time(self.report, "wait", waits);
        let repeats = body.number(self.report, "repeats", 0..=9);
        Asking {
            barge_in,
            wait: wait.unwrap_or(Duration::from_secs(6)),
            repeats: repeats
                .and_then(|at| u8::try_from(at.value).ok())
                .unwrap_or(2),
            wrong: self.inner_prompt(body, "wrong", name),
            silent: self.inner_prompt(body, "silent", name),
        }
    }

    /// What is heard for each language; `None` if `text` or `file` is of a wrong kind.
    fn voices(&mut self, body: Table<'_>) -> Option<Voices> {
        let mut voices = Voices::new();
        texts(self.report, body, self.languages, &mut voices);
        files(self.report, body, self.languages, &mut voices);
        let text = body.value("text");
        let file = body.value("file");
        let fits = text.is_none_or(|value| value.get_ref().is_table())
            && file.is_none_or(|value| value.get_ref().is_table() || value.get_ref().is_str());
        fits.then_some(voices)
    }

    fn missing_voices(&mut self, name: &str, at: &Span, voices: &Voices) {
        let missing = self
            .languages
            .iter()
            .filter(|language| !voices.contains_key(**language));
        // A language that is wrong itself was reported where it stands.
        for language in missing.filter(|language| is_language(language)) {
            let message = format!("prompt `{name}` has no text and no file for \"{language}\"");
            let help = format!("add `text = {{ {language} = \"…\" }}` or `file = \"….wav\"`");
            self.report.mistake_with_help(at, message, help);
        }
    }
}

fn texts(report: &mut Report<'_>, body: Table<'_>, languages: &[&str], voices: &mut Voices) {
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
fn files(report: &mut Report<'_>, body: Table<'_>, languages: &[&str], voices: &mut Voices) {
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
        let expected = "text in quotes or a table of languages";
        wrong_kind(report, "file", expected, value);
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

/// Files of a plan stay below its folder, on every system.
pub(super) fn check_path(report: &mut Report<'_>, key: &str, path: &At<&str>) {
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
