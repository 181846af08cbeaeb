//! Owns `hotline.toml`: what may stand in it, and the reading of it into typed values.
//!
//! Every mistake is found in one go and told with file, line and column. Refuses to touch
//! anything but that file: whether folders exist or ports are free is found out at start.
//!
//! ```
//! use hotline::settings::Settings;
//!
//! let text = "[limits]\ncals = 10\n";
//! let problems = Settings::parse("hotline.toml", text).unwrap_err();
//! assert_eq!(
//!     problems[0].to_string(),
//!     "hotline.toml:2:1: unknown key \"cals\" in [limits] (did you mean calls?)",
//! );
//! ```

mod bucket;
mod callers;
mod check;
mod check_trunk;
mod daily;
mod define;
mod duty;
mod generate;
mod kinds;
mod overflow;
mod presets;
mod problem;
mod queues;
mod reader;
mod sections;
mod trunks;
mod value;
mod webhooks;
mod whatif;

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use toml::de::DeTable;

pub use bucket::ArchiveBucket;
pub use callers::{CallerLine, CallerList, is_number, read_list};
pub use daily::{DailyReport, MailTls, ReportForm, TimeOfDay};
pub use duty::{Attendance, Break, CallbackFirst, Duty, FeatureCodes, HoursWanted, WrapUpEnd};
pub use generate::{reference, sample};
pub use kinds::{
    Audience, Backend, Codec, Digest, Dtmf, Encryption, LogFormat, LogLevel, Messages, PortRange,
    Protection, RecordingFormat, Reliable, Size, Strangers, TelephoneProtection, Tones, Zone,
};
pub use overflow::{Elsewhere, FailureRule, UnservedRule};
pub use presets::{preset, preset_names};
pub use problem::Problem;
pub use queues::{CallLanguage, Levels, Member, SkillWanted, Step, Strategy};
pub use sections::{
    Api, Dialplans, InputLog, Journal, Limits, Log, Media, OperatorCalls, Prompts, Queue,
    Recordings, Registrar, Retention, Sip, Supervision, Trace, Trunk,
};

pub use trunks::{CallerPlace, DialForm, DidPlace, EarlyMedia, SipServer, TransferBy};
pub use webhooks::{Topic, Webhook};
pub use whatif::{Staff, WhatIf};

pub(crate) use value::duration;

use crate::hex::hex;
use problem::Places;
use reader::Reader;

/// Largest settings file, in bytes: a log or a database named by mistake is not read whole.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Everything in `hotline.toml`, with defaults filled in and paths made whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Signalling.
    pub sip: Sip,
    /// What is taken at once.
    pub limits: Limits,
    /// Registration of telephones.
    pub registrar: Registrar,
    /// Audio.
    pub media: Media,
    /// Recordings of calls.
    pub recordings: Recordings,
    /// How long recordings of some calls are kept.
    pub retention: Vec<Retention>,
    /// The bucket for archived recordings.
    pub bucket: ArchiveBucket,
    /// The electronic journal.
    pub journal: Journal,
    /// The daily report.
    pub daily_report: DailyReport,
    /// The HTTP API.
    pub api: Api,
    /// The SIP trace.
    pub trace: Trace,
    /// The input log.
    pub input_log: InputLog,
    /// Dialplans.
    pub dialplans: Dialplans,
    /// Prompts.
    pub prompts: Prompts,
    /// The log.
    pub log: Log,
    /// Calls that operators make.
    pub operator_calls: OperatorCalls,
    /// Supervisors in talks.
    pub supervision: Supervision,
    /// What makes operators present.
    pub duty: Duty,
    /// `[feature_codes]`
    pub feature_codes: FeatureCodes,
    /// `[[caller_list]]`
    pub caller_lists: Vec<CallerList>,
    /// Kinds of breaks.
    pub breaks: Vec<Break>,
    /// Routes to the outer network.
    pub trunks: Vec<Trunk>,
    /// Queues; a queue's place here is its `vocab::QueueId`.
    pub queues: Vec<Queue>,
    /// Web services that are told what happens.
    pub webhooks: Vec<Webhook>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
    /// SHA-256 of the text they were read from, in hexadecimal digits.
    pub sha256: String,
    places: Places,
}

/// Reads a settings file.
///
/// # Errors
/// Every mistake in it; one problem without a place when it cannot be read at all.
pub fn load(path: &Path) -> Result<Settings, Vec<Problem>> {
    let file = path.display().to_string();
    let whole = |message: String, help: Option<String>| {
        vec![Problem {
            file: file.clone(),
            place: None,
            message,
            help,
        }]
    };
    let help = "hotline settings > hotline.toml writes one to begin with";
    let size = std::fs::metadata(path)
        .map_err(|error| whole(format!("cannot be read: {error}"), Some(help.to_owned())))?;
    if size.is_dir() {
        let message = "expected a settings file, found a folder".to_owned();
        let inside = path.join("hotline.toml").is_file();
        let help =
            inside.then(|| format!("name the file: {}", path.join("hotline.toml").display()));
        return Err(whole(message, help));
    }
    if !size.is_file() {
        let message = "expected a settings file, found something else".to_owned();
        return Err(whole(message, None));
    }
    if size.len() > FILE_BYTES_MAX {
        let message = format!(
            "expected a settings file of at most 1 MiB, found {} bytes",
            size.len()
        );
        return Err(whole(message, None));
    }
    let bytes =
        std::fs::read(path).map_err(|error| whole(format!("cannot be read: {error}"), None))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| whole("expected text in UTF-8, found other bytes".to_owned(), None))?;
    Settings::parse(&file, &text)
}

/// Reads a file of these sections. Relative paths in it start at its folder.
fn read_text<T>(
    file: &str,
    text: &str,
    sections: &[define::Section],
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let (root, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        // Half-read tables would only give mistakes that are none.
        let syntax = |error: &toml::de::Error| Problem {
            file: file.to_owned(),
            place: error.span().map(|span| problem::place(text, span.start)),
            message: problem::syntax(text, error),
            help: None,
        };
        return Err(broken.iter().map(syntax).collect());
    }
    let base = Path::new(file)
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf);
    let mut reader = Reader::new(file, text, &base, root.get_ref());
    reader.refuse_unknown_sections(sections);
    let found = read(&mut reader);
    let problems = reader.into_problems();
    match found {
        Some(found) if problems.is_empty() => Ok(found),
        _ => Err(problems),
    }
}

impl Journal {
    /// The zone of reports and of days.
    #[must_use]
    pub fn zone(&self) -> jiff::tz::TimeZone {
        let zone = self.time_zone.as_ref().map(|zone| zone.0.clone());
        zone.unwrap_or_else(jiff::tz::TimeZone::system)
    }
}

impl Settings {
    /// Reads settings from a text. `file` is its name in messages; relative paths in the
    /// settings start at its folder.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the file.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let settings = read_text(file, text, sections::SECTIONS, Self::read)?;
        Ok(Self {
            sha256: hex(&Sha256::digest(text.as_bytes())),
            ..settings
        })
    }

    /// A mistake with a setting that comes to light beside the file: a folder that is not there,
    /// say. `path` is the setting's, such as `dialplans.folder`.
    #[must_use]
    pub fn problem_at(&self, path: &str, message: String) -> Problem {
        self.places.problem(path, message)
    }

    /// The trunks, webhooks and other services whose secrets are not where the settings say.
    #[must_use]
    pub fn secret_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (at, trunk) in self.trunks.iter().enumerate() {
            for (prefix, secret) in [("", trunk.secret()), ("account_", trunk.account_secret())] {
                let Err(message) = secret else { continue };
                let file = match prefix {
                    "" => &trunk.secret_file,
                    _ => &trunk.account_secret_file,
                };
                let kind = if file.is_some() { "file" } else { "env" };
                let path = reader::path_of("trunk", at);
                problems.push(self.problem_at(&format!("{path}.{prefix}secret_{kind}"), message));
            }
        }
        if let Err(message) = self.daily_report.mail_secret() {
            problems.push(self.problem_at("daily_report.mail_user", message));
        }
        if let Err(message) = self.bucket.place() {
            problems.push(self.problem_at("bucket.secret_file", message));
        }
        for (at, webhook) in self.webhooks.iter().enumerate() {
            if webhook.url.is_none() {
                continue;
            }
            let Err(message) = webhook.secret() else {
                continue;
            };
            let kind = webhook.secret_file.as_ref().map_or("env", |_| "file");
            let path = reader::path_of("webhook", at);
            problems.push(self.problem_at(&format!("{path}.secret_{kind}"), message));
        }
        problems
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let sip = reader.one();
        let limits = reader.one();
        let registrar = reader.one();
        let media = reader.one();
        let recordings = reader.one();
        let retention = reader.many();
        let bucket = reader.one();
        let journal = reader.one();
        let daily_report = reader.one();
        let api = reader.one();
        let trace = reader.one();
        let input_log = reader.one();
        let dialplans = reader.one();
        let prompts = reader.one();
        let log = reader.one();
        let operator_calls = reader.one();
        let supervision = reader.one();
        let duty = reader.one();
        let feature_codes = reader.one();
        let caller_lists = reader.many();
        let breaks = reader.many();
        let trunks = reader.many();
        let queues = reader.many();
        let webhooks = reader.many();
        let mut settings = Self {
            sip: sip?,
            limits: limits?,
            registrar: registrar?,
            media: media?,
            recordings: recordings?,
            retention: retention?,
            bucket: bucket?,
            journal: journal?,
            daily_report: daily_report?,
            api: api?,
            trace: trace?,
            input_log: input_log?,
            dialplans: dialplans?,
            prompts: prompts?,
            log: log?,
            operator_calls: operator_calls?,
            supervision: supervision?,
            duty: duty?,
            feature_codes: feature_codes?,
            caller_lists: caller_lists?,
            breaks: breaks?,
            trunks: trunks?,
            queues: queues?,
            webhooks: webhooks?,
            warnings: Vec::new(),
            sha256: String::new(),
            places: reader.places(),
        };
        settings.warnings = check::check(&settings, reader);
        Some(settings)
    }
}

#[cfg(test)]
mod tests;
