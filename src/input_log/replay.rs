//! Owns the replay: hands the inputs of a log to a new switch and compares what it does.

use std::path::Path;

use anyhow::{Context, bail};
use switch::{Input, Switch};

use super::digest::Digest;
use super::file::{Next, Reader};
use super::record::{Head, Record, Sources, Step};
use crate::boot;
use crate::settings::Settings;

/// What a replay came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Steps of the log.
    pub steps: u64,
    /// Messages that the switch sent.
    pub messages: u64,
    /// Facts that it stated.
    pub facts: u64,
    /// Whether the log has the end of its process; a killed one has none.
    pub ended: bool,
    /// The step whose outputs were others, counted from 1: what it was, and what it made now.
    pub difference: Option<(u64, String)>,
}

/// The switch, and what its last step made.
struct Machine {
    switch: Switch,
    digest: Digest,
    /// The last step and its outputs, in words, for one that differs.
    last: String,
    made: Vec<String>,
    replayed: Replayed,
}

/// Replays the log in `path`.
///
/// # Errors
/// If the log is none, is of another version, or was made with other settings.
pub fn replay(path: &Path, settings: &Settings) -> anyhow::Result<Replayed> {
    let (mut reader, head) = Reader::open(path)?;
    fits(&head, settings)?;
    let known = boot::switch_settings(settings, &head)?;
    let mut machine = Machine {
        switch: Switch::new(known),
        digest: Digest::default(),
        last: String::new(),
        made: Vec::new(),
        replayed: Replayed::default(),
    };
    while let Next::Record(record) = reader.next() {
        if machine.differs(&record) {
            return Ok(machine.replayed);
        }
        if matches!(record.step, Step::End) {
            machine.replayed.ended = true;
            break;
        }
        machine.replayed.steps += 1;
        machine.take(*record)?;
    }
    Ok(machine.replayed)
}

fn fits(head: &Head, settings: &Settings) -> anyhow::Result<()> {
    let ours = env!("CARGO_PKG_VERSION");
    if head.version != ours {
        bail!("the log is of hotline {}, this is {ours}", head.version);
    }
    if head.settings != settings.sha256 {
        bail!(
            "the log was made with other settings: expected a file with the SHA-256 {}, found {}",
            head.settings,
            settings.sha256
        );
    }
    Ok(())
}

impl Machine {
    /// Whether the step before this record made something else than it did then.
    fn differs(&mut self, record: &Record) -> bool {
        if self.digest.take() == record.made {
            return false;
        }
        let made = self.made.join("\n  ");
        let told = format!("{}\n  {made}", self.last);
        self.replayed.difference = Some((self.replayed.steps, told));
        true
    }

    fn take(&mut self, record: Record) -> anyhow::Result<()> {
        self.last = format!("at {}: {}", record.at, in_short(&record.step));
        self.made.clear();
        match record.step {
            Step::Input(input) => self.switch.handle(record.at, input),
            Step::Plans(sources, input) => {
                let input = with_plans(&sources, input)?;
                self.switch.handle(record.at, input);
            }
            Step::Order(wanted) => {
                // A refusal is an answer to a person, and no output.
                let _ = self.switch.order(record.at, &wanted);
            }
            Step::Write(fact) => {
                self.switch.write(record.at, fact);
            }
            Step::Contact(contact) => {
                let call = self.switch.contact_id();
                let fact = vocab::Fact::ContactAdded { call, contact };
                self.switch.write(record.at, fact);
            }
            Step::Adopt(event) => {
                self.switch.adopt(record.at, *event);
            }
            Step::End => {}
        }
        while let Some(output) = self.switch.poll() {
            self.digest.add(&output);
            match &output {
                switch::Output::Send { bytes, .. } => {
                    self.replayed.messages += 1;
                    self.made.push(first_line(bytes));
                }
                switch::Output::Record(event) => {
                    self.replayed.facts += 1;
                    self.made.push(journal::kind(&event.fact).to_owned());
                }
                other => self.made.push(in_short(other)),
            }
        }
        Ok(())
    }
}

fn with_plans(sources: &Sources, input: Input) -> anyhow::Result<Input> {
    let Input::Plans { prompts, .. } = input else {
        bail!("the log has plans in a place where there are none");
    };
    let plans = boot::plans_of(sources)
        .ok()
        .context("the plans of the log cannot be read any more")?;
    Ok(Input::Plans { plans, prompts })
}

/// What it is, without what it is about: numbers and passwords are nobody's business.
fn in_short(what: &impl std::fmt::Debug) -> String {
    let text = format!("{what:?}");
    let word = |c: char| c.is_ascii_alphanumeric() || c == '(' || c == '_';
    let end = text.find(|c| !word(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().replace('(', " ")
}

/// The first line of a message: method or status; the URI of a request is left out.
fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    match (words.next(), words.next()) {
        (Some("SIP/2.0"), Some(_)) => line.to_owned(),
        (Some(method), _) => method.to_owned(),
        _ => String::new(),
    }
}
