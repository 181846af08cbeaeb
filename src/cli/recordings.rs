//! Owns what may be typed after `hotline recordings`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use vocab::{CallId, WallTime};

use super::{ConfigFile, moment};

/// What to do with recordings.
#[derive(Debug, Subcommand)]
pub enum RecordingsCommand {
    /// Hold the journal against the disk and the chain, and name all that is wrong.
    #[command(after_help = "\
Each answered segment must have audio that is as it was stored, or a reason why it has none. Each
line names one gap, changed file, orphan, disagreement, broken link or missing signature. Changes
nothing, and may run while calls are taken. Exit code 0 when nothing was found, 1 otherwise.

Without recordings.identity what is inside encrypted files is not looked at; that they are the files
that were stored is.

Examples:
  hotline recordings verify
  hotline recordings verify --from 2026-11-01 --public-key \"$(cat key-from-the-safe)\"")]
    Verify(Verify),

    /// Make recordings of what a crash left in the spool, and put the chain in order.
    #[command(after_help = "\
The engine does the same at its start; this is for a machine that is not to take calls. Recordings
that are whole and stand nowhere in the chain are entered; half-made files are removed. What was
changed or is missing is not touched: `hotline recordings verify` names it. Needs the spool for
itself, so the engine must not run.")]
    Repair(ConfigFile),

    /// Write the recording of a call as one plain file.
    #[command(after_help = "\
Caller left, operator right; the segments of a call one after another. Who exported what, and when,
is written into the chain of recordings. The file is for the owner alone (mode 0600).

Examples:
  hotline recordings export 0cff1234-0000002a --format wav --to call.wav
  hotline recordings export 0cff1234-0000002a --format opus --segment 2 --to call.opus")]
    Export(RecordingExport),

    /// Show what is known of a call's recordings: what was heard, gaps, pauses.
    #[command(after_help = "\
Example:
  hotline recordings show 0cff1234-0000002a")]
    Show(RecordingOf),

    /// Destroy recordings whose time is over, and move old ones into the archive.
    #[command(after_help = "\
The rules are recordings.keep, recordings.archive_after and the tables [[retention]]. A running
engine does this by itself every hour; without --dry-run the command does it for one that does not
run. Each destruction stands in the chain and in an act (acts/ below the root of recordings: the act
and the export of the event log of order 179 to Federal Law 152-FZ; keep them for three years).

Example:
  hotline recordings purge --dry-run")]
    Purge(Purge),

    /// Keep the recordings of a call from being destroyed, whatever their age.
    #[command(after_help = "\
Example:
  hotline recordings hold 0cff1234-0000002a --reason 'request of the court, case 2-117/2026'")]
    Hold(Hold),

    /// End the hold on a call's recordings.
    Release(RecordingOf),

    /// Make a pair of keys for the encryption of recordings.
    #[command(after_help = "\
The secret key goes into the file, for the owner alone; the public key is printed. A file that is
there gets the new key besides its old ones, which are needed for as long as there are recordings
made for them.

Example:
  hotline recordings keygen /etc/hotline/recordings.identity
  # then, in the settings: encryption = \"age\", recipients = [\"age1…\"], identity = \"…\"")]
    Keygen {
        /// The identity file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// What is held against the disk.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Calls that came at this moment or later: a date (midnight here) or an RFC 3339 time.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub from: Option<WallTime>,

    /// Calls that came before this moment: a date (midnight here) or an RFC 3339 time.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub to: Option<WallTime>,

    /// The public key by which each day must be signed; without it that of recordings.signing_key.
    #[arg(long, value_name = "HEX")]
    pub public_key: Option<String>,

    /// Whose recordings.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// One call.
#[derive(Debug, Clone, Args)]
pub struct RecordingOf {
    /// The call as the journal names it (0cff1234-0000002a).
    #[arg(value_name = "CALL")]
    pub call: CallId,

    /// Whose recordings.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// What is destroyed and archived.
#[derive(Debug, Clone, Args)]
pub struct Purge {
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,

    /// Whose recordings.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// What is held, and why.
#[derive(Debug, Clone, Args)]
pub struct Hold {
    /// Which call.
    #[command(flatten)]
    pub of: RecordingOf,

    /// Why, without numbers and names of callers.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// What is exported, and to where.
#[derive(Debug, Clone, Args)]
pub struct RecordingExport {
    /// Which call.
    #[command(flatten)]
    pub of: RecordingOf,

    /// As what.
    #[arg(long, value_enum)]
    pub format: RecordingForm,

    /// Only this segment of the call.
    #[arg(long, value_name = "N")]
    pub segment: Option<u16>,

    /// Where to write; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// The form of an exported recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordingForm {
    /// Linear 16-bit PCM, which every program opens.
    Wav,
    /// Ogg Opus: 20 MB an hour.
    Opus,
}
