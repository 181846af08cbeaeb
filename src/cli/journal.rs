//! Owns what may be typed after `hotline journal`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use vocab::{CallId, Channel, EntryField, FieldChange, WallTime};

use super::{ConfigFile, moment};

/// What to do with the journal.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Show an entry: what the engine knows, what people wrote, what was corrected.
    #[command(after_help = "\
Examples:
  hotline journal show 0cff1234-0000002a
  hotline journal show 0cff1234-0000002a --format json | jq .topic")]
    Show(ShowEntry),

    /// Write fields of an entry. Old values are kept, with who wrote over them and when.
    #[command(after_help = "\
Fields: full_name, contact_number, topic, content, action, department, deadline, execution (assigned,
in_progress, done, declined), crm, emergency, emergency_at. Nothing behind the = takes a value away.
Works while the engine runs and while it does not.

Example:
  hotline journal edit 0cff1234-0000002a --set full_name='Ivanova A. P.' --set topic='Vaccination'")]
    Edit(Edit),

    /// Write fields and mark an entry as completed; refused while required fields are missing.
    #[command(after_help = "\
Example:
  hotline journal complete 0cff1234-0000002a --set action='Appointment made'")]
    Complete(Edit),

    /// Take the mark of completion back, so that fields can be written again.
    #[command(after_help = "\
Example:
  hotline journal reopen 0cff1234-0000002a --reason 'the caller called again'")]
    Reopen(Reopen),

    /// Write down a contact that came another way than by telephone; prints its id.
    #[command(after_help = "\
Channels: web_form, email, chat, in_person, letter, other_call.

Example:
  hotline journal add --channel email --at 2026-11-22T09:15:00+10:00 --queue health \\
      --set full_name='Petrov I. I.' --set topic='Vaccination' --operator ivanova")]
    Add(Contact),

    /// Compute all rows of the journal anew from its events.
    #[command(after_help = "\
The engine does this itself when a new version needs it. Rows are written over, none are lost.")]
    Rebuild(ConfigFile),

    /// Carry a journal from one database to another, such as from SQLite to PostgreSQL.
    #[command(after_help = "\
Events, operators with the secrets of their telephones, and registrations are copied; entries are
computed from the events. The source may be in use; the target must be empty, or hold a part of the
same journal: a copy that was broken off is begun again.

Example:
  hotline journal copy --from journal/journal.db --to postgres://hotline@127.0.0.1/hotline")]
    Copy(CopyJournal),

    /// Write the journal as it is at this moment into a new SQLite file, while the engine runs.
    #[command(after_help = "\
The file holds callers' numbers and the secrets of telephones; it is readable by its owner alone.

Example:
  hotline journal backup --output /backup/journal-2026-11-22.db")]
    Backup(BackupJournal),

    /// Bring a backup back into the database of the settings, which must be empty; the engine must
    /// not run. What came after the backup follows from the event files at the next start.
    Restore(RestoreJournal),

    /// Remove event files that the database and a backup have.
    #[command(after_help = "\
Files with a call that is up, or with a recording that is still awaited, stay, and so does the newest.
The engine may run.

Example, each night:
  hotline journal backup --output /backup/journal-$(date +%F).db && hotline journal prune")]
    Prune(PruneJournal),

    /// Look through the entries for what cannot be: exit code 1 if anything is found.
    #[command(after_help = "\
Each entry is computed anew from its events and held against its rows and against what must hold of
every call: one outcome, segments within the call, a recording or a reason for none.")]
    Check(ConfigFile),

    /// Write entries out, one row or one JSON object for each call.
    #[command(after_help = "\
Examples:
  hotline journal export --format csv --output calls.csv
  hotline journal export --format jsonl --from 2026-11-01 --to 2026-12-01 | jq .outcome
  hotline journal export --format csv --from 2026-11-22T08:00:00+10:00")]
    Export(Export),
}

/// Which entries, in which form, to where.
#[derive(Debug, Clone, Args)]
pub struct Export {
    /// The form.
    #[arg(long, value_enum)]
    pub format: ExportFormat,

    /// Calls that came at this moment or later: a date (midnight here) or an RFC 3339 time.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub from: Option<WallTime>,

    /// Calls that came before this moment: a date (midnight here) or an RFC 3339 time.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub to: Option<WallTime>,

    /// Where to write; without it, or with `-`, standard output.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values with a heading row (RFC 4180).
    Csv,
    /// One JSON object on each line.
    Jsonl,
}

/// From where to where a journal is carried.
#[derive(Debug, Clone, Args)]
pub struct CopyJournal {
    /// A file of SQLite, or the URL of a PostgreSQL.
    #[arg(long, value_name = "DATABASE")]
    pub from: String,

    /// The same.
    #[arg(long, value_name = "DATABASE")]
    pub to: String,
}

/// Where a backup goes.
#[derive(Debug, Clone, Args)]
pub struct BackupJournal {
    /// The file, which must not be there yet.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: PathBuf,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Where a backup comes from.
#[derive(Debug, Clone, Args)]
pub struct RestoreJournal {
    /// The file.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Which event files may go.
#[derive(Debug, Clone, Args)]
pub struct PruneJournal {
    /// Files that no backup has may go as well.
    #[arg(long)]
    pub without_backup: bool,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// How an entry is shown.
#[derive(Debug, Clone, Args)]
pub struct ShowEntry {
    /// The entry: the id of its call.
    #[arg(value_name = "ID")]
    pub id: CallId,

    /// The form.
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// The form of what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// A field and its new value, as `name=value`.
#[derive(Debug, Clone)]
pub struct SetField(pub FieldChange);

impl std::str::FromStr for SetField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((field, value)) = text.split_once('=') else {
            return Err("expected FIELD=VALUE".to_owned());
        };
        let field: EntryField = field
            .trim()
            .parse()
            .map_err(|error: vocab::UnknownField| error.to_string())?;
        let value = (!value.trim().is_empty()).then(|| value.to_owned());
        Ok(Self(FieldChange { field, value }))
    }
}

/// What is written into an entry.
#[derive(Debug, Clone, Args)]
pub struct Edit {
    /// The entry: the id of its call.
    #[arg(value_name = "ID")]
    pub id: CallId,

    /// A field and its value; may be given several times.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub set: Vec<SetField>,

    /// Who writes; without it the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Which entry is opened again, and why.
#[derive(Debug, Clone, Args)]
pub struct Reopen {
    /// The entry: the id of its call.
    #[arg(value_name = "ID")]
    pub id: CallId,

    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,

    /// Who; without it the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// A contact that was no call.
#[derive(Debug, Clone, Args)]
pub struct Contact {
    /// How it came.
    #[arg(long, value_parser = channel, value_name = "CHANNEL")]
    pub channel: Channel,

    /// When it came; without it now.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub at: Option<WallTime>,

    /// The queue whose form it follows.
    #[arg(long, value_name = "QUEUE", default_value = "")]
    pub queue: String,

    /// The login of the operator who served it.
    #[arg(long, value_name = "LOGIN")]
    pub operator: Option<String>,

    /// A field and its value; may be given several times.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub set: Vec<SetField>,

    /// Its entry is complete with that.
    #[arg(long)]
    pub complete: bool,

    /// Who writes; without it the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

fn channel(text: &str) -> Result<Channel, String> {
    let written = Channel::ALL.into_iter().filter(|one| *one != Channel::Call);
    let names: Vec<&str> = written.clone().map(Channel::name).collect();
    let mut written = written;
    written
        .find(|one| one.name() == text)
        .ok_or_else(|| format!("expected one of {}", names.join(", ")))
}
