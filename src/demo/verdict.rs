//! Owns the judgement of a demo: what the callers and operators saw, against what the journal and
//! the recordings say.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use journal::query::{self, Range};
use journal::rows::EntryRow;
use load::{CallReport, Ending, LoadReport};
use sha2::{Digest, Sha256};
use vocab::CallId;

use super::world::World;
use crate::boot::Stopped;
use crate::cli;
use crate::hex::hex;

/// How far the length of a recording may be off the talk.
const LENGTH_TOLERANCE_MS: u64 = 40;
/// Failures shown in full.
const SHOWN: usize = 20;
/// Entries read at a time.
const PAGE: u32 = 1_000;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// A caller who gave up, or was cut off by Ctrl-C, is a failure.
    all_answered: bool,
    placed: u64,
    answered: u64,
    gave_up: u64,
    recorded: u64,
    journaled: u64,
    longest_wait: Duration,
    talk: Duration,
    bytes: u64,
    folder: PathBuf,
    failures: Vec<String>,
}

impl Verdict {
    /// Adds what went wrong with the run as a whole.
    pub(super) fn fail(&mut self, why: &str) {
        self.failures.push(why.to_owned());
    }

    /// Whether every call was answered, recorded and journaled.
    pub(super) fn is_good(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Holds each call against its entry and its recording.
pub(super) fn judge(
    args: &cli::Demo,
    world: &World,
    report: &LoadReport,
    stopped: Stopped,
) -> anyhow::Result<Verdict> {
    let database = world.settings.journal.database.clone();
    let range = Range {
        from: Some(report.started),
        to: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (entries, unsound) = runtime.block_on(async {
        let mut journal = query::open(&database).await?;
        let entries = entries_since(&mut journal, report).await?;
        let unsound = journal.check(range, SHOWN).await?;
        anyhow::Ok((entries, unsound))
    })?;
    let mut verdict = Verdict {
        all_answered: args.once,
        placed: report.counts.placed,
        folder: world.folder.clone(),
        ..Verdict::default()
    };
    for call in &report.calls {
        let found = entries
            .get(call.sip_call_id.as_str())
            .map_or(&[][..], Vec::as_slice);
        verdict.take(call, found, &world.settings.recordings.root);
    }
    verdict.take_totals(report, &entries, unsound, stopped);
    Ok(verdict)
}

/// The entries of this run by the Call-ID of the caller's INVITE.
async fn entries_since(
    journal: &mut query::Journal,
    report: &LoadReport,
) -> anyhow::Result<BTreeMap<String, Vec<EntryRow>>> {
    let mut entries: BTreeMap<String, Vec<EntryRow>> = BTreeMap::new();
    let mut before = None;
    loop {
        let page = journal.newest(before, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(entries);
        };
        before = Some(CallId::from_i64(last.call));
        for row in page {
            let started = report.started.as_unix_millis();
            if row.arrived_at.is_some_and(|arrived| arrived < started) {
                return Ok(entries);
            }
            entries
                .entry(row.sip_call_id.clone())
                .or_default()
                .push(row);
        }
    }
}

impl Verdict {
    fn take(&mut self, call: &CallReport, entries: &[EntryRow], recordings: &Path) {
        let mut wrong = Vec::new();
        let unanswered =
            call.talk().is_none() && matches!(call.ending, Ending::GaveUp | Ending::Stopped);
        match call.judge() {
            Ok(()) => self.answered += 1,
            Err(_) if unanswered && !self.all_answered => self.gave_up += 1,
            Err(what) => wrong.push(what),
        }
        match entries {
            [entry] => {
                self.journaled += 1;
                self.longest_wait = self
                    .longest_wait
                    .max(Duration::from_millis(unsigned(entry.wait_ms)));
                self.talk += Duration::from_millis(unsigned(entry.talk_ms));
                wrong.extend(wrong_in_entry(call, entry));
                if entry.segments > 0 {
                    match check_recording(entry, recordings) {
                        Ok(bytes) => {
                            self.recorded += 1;
                            self.bytes += bytes;
                        }
                        Err(what) => wrong.push(what),
                    }
                }
            }
            [] => wrong.push("it has no entry in the journal".to_owned()),
            many => wrong.push(format!("it has {} entries in the journal", many.len())),
        }
        for what in wrong {
            self.failures
                .push(format!("call {} of {}: {what}", call.index, call.caller));
        }
    }

    fn take_totals(
        &mut self,
        report: &LoadReport,
        entries: &BTreeMap<String, Vec<EntryRow>>,
        unsound: Vec<(CallId, Vec<String>)>,
        stopped: Stopped,
    ) {
        for (call, problems) in unsound {
            self.failures
                .push(format!("entry {call}: {}", problems.join("; ")));
        }
        for (login, reason) in &report.not_registered {
            self.failures
                .push(format!("{login} could not register: {reason}"));
        }
        let mut state = |count: u64, what: &str| {
            if count > 0 {
                self.failures.push(format!("{count} {what}"));
            }
        };
        state(
            report.counts.double_offers,
            "offers to an operator who was taken",
        );
        state(
            report.strange_offers.len() as u64,
            "offers of calls that nobody placed",
        );
        state(
            stopped.bugs,
            "broken invariants in the engine (see hotline.log)",
        );
        state(stopped.facts_lost, "facts were not written");
        state(
            stopped.facts_not_in_sql,
            "facts are not in the database yet",
        );
        let extra = entries.len() as u64;
        if extra > report.counts.placed {
            self.failures.push(format!(
                "{extra} entries for {} calls",
                report.counts.placed
            ));
        }
    }
}

fn unsigned(value: Option<i64>) -> u64 {
    value
        .and_then(|value| u64::try_from(value).ok())
        .unwrap_or_default()
}

/// What the entry says otherwise than the telephones.
fn wrong_in_entry(call: &CallReport, entry: &EntryRow) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, journal: &str, seen: &str| {
        if journal != seen {
            wrong.push(format!(
                "the journal says {what} {journal}, the telephones say {seen}"
            ));
        }
    };
    compare("number", &entry.number, &call.number);
    let digits = |number: &str| number.trim_start_matches('+').to_owned();
    compare("caller", &digits(&entry.caller), &digits(&call.caller));
    let outcome = entry.outcome.as_deref().unwrap_or("nothing");
    let Some(talk) = call.talk() else {
        if call.ending == Ending::GaveUp {
            compare("outcome", outcome, "abandoned");
        }
        return wrong;
    };
    compare("outcome", outcome, "answered");
    compare(
        "operator",
        entry.operator_login.as_deref().unwrap_or("nobody"),
        &talk.login,
    );
    let by = if talk.hung_up { "operator" } else { "caller" };
    compare(
        "ended by",
        entry.ended_by.as_deref().unwrap_or("nobody"),
        by,
    );
    wrong
}

/// The file is there, is what the journal says, and lasts as long as the talk; its size.
fn check_recording(entry: &EntryRow, root: &Path) -> Result<u64, String> {
    let (Some(path), Some(sha256)) = (&entry.recording_path, &entry.recording_sha256) else {
        let why = entry
            .recording_missing
            .as_deref()
            .unwrap_or("no reason is given");
        return Err(format!("it has no recording: {why}"));
    };
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 1 << 16];
    let mut file = File::open(root.join(path)).map_err(|error| format!("{path}: {error}"))?;
    loop {
        let n = file
            .read(&mut buffer)
            .map_err(|error| format!("{path}: {error}"))?;
        let Some(read) = buffer.get(..n).filter(|read| !read.is_empty()) else {
            break;
        };
        hash.update(read);
        bytes += read.len() as u64;
    }
    let found = hex(&hash.finalize());
    if found != *sha256 {
        return Err(format!("{path} is not the file that the journal speaks of"));
    }
    let (talk, length) = (unsigned(entry.talk_ms), unsigned(entry.recording_ms));
    if entry.segments == 1 && talk.abs_diff(length) > LENGTH_TOLERANCE_MS {
        return Err(format!(
            "its recording lasts {length} ms, its talk {talk} ms"
        ));
    }
    Ok(bytes)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} calls: {} answered, {} recorded, {} journaled{}",
            self.placed,
            self.answered,
            self.recorded,
            self.journaled,
            match self.gave_up {
                0 => String::new(),
                n => format!("; {n} were not answered by an operator"),
            }
        )?;
        writeln!(
            f,
            "longest wait {:.1} s, talk {:.1} s in all, {:.1} MB of recordings",
            self.longest_wait.as_secs_f64(),
            self.talk.as_secs_f64(),
            self.bytes as f64 / 1e6
        )?;
        let folder = self.folder.display();
        write!(
            f,
            "journal: {folder}/journal.db\nrecordings: {folder}/recordings"
        )?;
        for failure in self.failures.iter().take(SHOWN) {
            write!(f, "\nfailed: {failure}")?;
        }
        match self.failures.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => write!(f, "\nfailed: and {more} more"),
            _ => Ok(()),
        }
    }
}
