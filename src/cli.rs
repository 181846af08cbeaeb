//! Owns the command line: what may be typed, and its help. Refuses to do anything about it:
//! `main` dispatches.

mod acd;
mod call;
mod callers;
mod emergency;
mod journal;
mod operators;
mod password;
mod person;
mod recordings;
mod report;
mod sim;
mod simulate;
mod token;
mod voicemail;
mod webhook;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vocab::WallTime;

pub use acd::{AcdCommand, AcdExplain};
pub use call::{CallExport, CallShow, WhichCall};
pub use callers::{CallerAdd, CallerRemove, CallersCommand};
pub use emergency::{Emergency, EmergencyTo};
pub use journal::{
    BackupJournal, Contact, CopyJournal, Edit, Export, ExportFormat, JournalCommand, PruneJournal,
    Reopen, RestoreJournal, SetField, ShowEntry, TextFormat,
};
pub use operators::{
    CallFor, CallInto, ChosenStatus, Given, MissedCall, NewPriority, NewSkills, OfCall, OfOperator,
    OfQueue, OperatorsCommand, SignIn, StatusName, Supervised,
};
pub use password::UserPassword;
pub use person::{
    CardFields, PersonAdd, PersonCommand, PersonEdit, PersonFind, PersonHistory, PersonMerge,
};
pub use recordings::{
    Hold, Purge, RecordingExport, RecordingForm, RecordingOf, RecordingsCommand, Verify,
};
pub use report::{ReportFormat, ReportWanted};
pub use sim::{Replay, Sim};
pub use simulate::Simulate;
pub use token::{TokenAdd, TokenCommand, TokenNamed};
pub use voicemail::{MessageHeard, MessageList, VoicemailCommand};
pub use webhook::{Resend, WebhookCommand, WebhookNamed};

/// The settings file that is read when `--config` is not given.
const CONFIG: &str = "hotline.toml";

const EXAMPLES: &str = "\
Examples:
  hotline demo                            see it work: simulated callers and operators, real audio
  hotline settings > hotline.toml         begin a settings file
  hotline check --config hotline.toml     look for mistakes before a start
  hotline user add ivanova --name \"Ivanova A. P.\" --line 101 --skill health=80
  hotline serve --config hotline.toml     take calls
  hotline dialplan try PLAN --keys 1      see what a dialplan would do with a call
  hotline call show --last 1              see what was said in the newest call";

/// A SIP telephony engine with queues and call recording, in one binary.
#[derive(Debug, Parser)]
#[command(name = "hotline", version, about, after_help = EXAMPLES, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take calls until SIGTERM or SIGINT.
    #[command(after_help = "\
The first signal lets calls finish, the second ends at once; SIGHUP loads the dialplans anew, all or
none. Exit code 0 after a clean stop,
1 when the start failed (one sentence on standard error says why).

With --take-over the engine that runs with the same settings hands its sockets over: this one takes all
new calls at once, the other keeps those that are up, and ends with the last of them.

Examples:
  hotline serve --config /etc/hotline/hotline.toml
  hotline serve --config /etc/hotline/hotline.toml --take-over     a new version, and no call is lost")]
    Serve(ServeOptions),

    /// Look through settings, dialplans and prompts without taking calls.
    #[command(after_help = "\
Each mistake is printed as file:line:column, what was expected, what was found.
Exit code 0 when calls can be taken, 1 when something must be put right.

Example:
  hotline check --config hotline.toml && systemctl restart hotline")]
    Check(ConfigFile),

    /// Show the engine at work with simulated callers and operators on this machine.
    #[command(after_help = "\
The callers and operators are real SIP and RTP peers on the loopback interface. No settings file,
telephone or network is needed.

Examples:
  hotline demo                                        until Ctrl-C
  hotline demo --calls 20 --once --data demo-data     20 calls, a summary, then exit 0 if every
                                                      call was answered, recorded and journaled")]
    Demo(Demo),

    /// Bring the journal's database to this version.
    #[command(after_help = "\
`serve` does this itself at start; the command is for doing it beforehand, or for seeing that it
works. Running it twice does no harm.")]
    Migrate(ConfigFile),

    /// The electronic journal.
    Journal {
        /// What to do with it.
        #[command(subcommand)]
        command: JournalCommand,
    },

    /// Figures of the journal: of a day or any other range, with any threshold, in any form.
    #[command(after_help = "\
Reports: daily, queue, operator, line, abandoned, overruns, quality. What each figure means is in
docs/reports.md. Exit code 1 if calls offered are not the sum of their outcomes.

Examples:
  hotline report daily --from 2026-11-22 --format xlsx --output 2026-11-22.xlsx
  hotline report queue --from 2026-11-01 --to 2026-12-01 --interval day --by topic --within 30s
  hotline report abandoned --format json | jq '.tables.abandoned[] | select(.called_back==\"no\")'")]
    Report(ReportWanted),

    /// Dialplans: try one without a call, draw one, the schema for editors.
    Dialplan {
        /// What to do.
        #[command(subcommand)]
        command: DialplanCommand,
    },

    /// One call: what happened in it, and what was said in SIP.
    Call {
        /// What to do with it.
        #[command(subcommand)]
        command: CallCommand,
    },

    /// Recordings of calls: hold them against the journal, export, repair.
    Recordings {
        /// What to do with them.
        #[command(subcommand)]
        command: RecordingsCommand,
    },

    /// Messages that callers left: which nobody has heard.
    Voicemail {
        /// What to do with them.
        #[command(subcommand)]
        command: VoicemailCommand,
    },

    /// The queues: why a call went to whom; orders about waiting calls and queues.
    Acd {
        /// What to tell.
        #[command(subcommand)]
        command: AcdCommand,
    },

    /// Operators at work: who is there, signing in and out, statuses and breaks.
    #[command(after_help = "\
Orders go to the running engine, which writes each into the journal with who gave it. What was
chosen outlasts a restart.

Examples:
  hotline operators show
  hotline operators sign-in ivanova --line 105
  hotline operators status ivanova break --reason lunch")]
    Operators {
        /// What to do.
        #[command(subcommand)]
        command: OperatorsCommand,
    },

    /// Lists of callers: who comes first, who is declined, who has an operator of their own.
    Callers {
        /// What to do.
        #[command(subcommand)]
        command: CallersCommand,
    },

    /// How many operators a load needs, by the formulas of Erlang.
    #[command(after_help = "\
Calls arrive at random, handling times (talk and wrap-up) are exponential. Without --patience callers
wait for ever (Erlang C); with it they give up after that time on average (Erlang A). \"In time\" is
the part of all calls that is answered within --within.

Examples:
  hotline staffing --calls 100 --each '30 min' --handling '3 min'
  hotline staffing --calls 360 --handling '4 min' --patience '3 min' --level 90 --within 10s
  hotline staffing --calls 100 --each '30 min' --handling '3 min' --operators 11")]
    Staffing(Staffing),

    /// Hand what reached an engine to a new one, and see whether it does the same, to the byte.
    #[command(after_help = "\
The file is one of the input log (docs/simulator.md), the settings are those it was made with. Exits with 1
and names the step at which something else was done. Nothing is sent and nothing written.

Examples:
  hotline replay inputs/0187654321.inputs
  hotline replay inputs/0187654321.kept --config hotline.toml")]
    Replay(Replay),

    /// What if: a day of the journal, or a load, lived again with other operators.
    #[command(after_help = "\
The queue with all its rules is the one of the settings, and the ACD the one that takes real calls;
callers and operators are simulated. Of a day, arrivals, talks and those who gave up are as they were; the
patience of who was answered, and the talks of who was not, are drawn by lot from the others'.

Examples:
  hotline simulate --queue operators --from 2026-11-22 --operators 12
  hotline simulate --queue operators --calls 100 --each '30 min' --handling '3 min' --operators 14
  hotline simulate --queue operators --calls 360 --handling '4 min' --patience '3 min' --operators 24")]
    Simulate(Simulate),

    /// Live seeded worlds around the engine's core and check what must never happen.
    #[command(after_help = "\
Each world has callers, operators' telephones, a network, a disk and a process of its own, in virtual
time; faults are loss, doubles, delay, partition, refusals, garbage, transfers, slow-disk, full-disk,
ports, crash, reload, clock. The same seed is the same world. Nothing is listened on, and no file is
written. Exit code 1 with the shortest command found that shows a violation again.

Examples:
  hotline sim --seeds 1..1000
  hotline sim --seeds 7..7 --minutes 60 --faults loss,crash")]
    Sim(Sim),

    /// Operators, their lines and their passwords.
    User {
        /// What to do with them.
        #[command(subcommand)]
        command: UserCommand,
    },

    /// Cards of persons: names, numbers, notes.
    Person {
        /// What to do with them.
        #[command(subcommand)]
        command: PersonCommand,
    },

    /// Webhooks: what their servers did not take, and sending it again.
    Webhook {
        /// What to do with them.
        #[command(subcommand)]
        command: WebhookCommand,
    },

    /// Tokens: which programs may use the HTTP API.
    Token {
        /// What to do with them.
        #[command(subcommand)]
        command: TokenCommand,
    },

    /// Print a settings file with every setting, its default, its range and its reason.
    #[command(after_help = "\
Examples:
  hotline settings > hotline.toml
  hotline settings --preset beeline >> hotline.toml
  hotline settings --sample > hotline.sample.toml
  hotline settings --reference > docs/settings.md")]
    Settings(SettingsText),
}

/// How to take calls.
#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    /// The settings.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Take over from the engine that runs with the same settings, if one does.
    #[arg(long)]
    pub take_over: bool,
}

/// Which settings file.
#[derive(Debug, Clone, Args)]
pub struct ConfigFile {
    /// The settings file; relative paths in it start at its folder.
    #[arg(long, short = 'c', value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
}

/// What to do with a dialplan.
#[derive(Debug, Subcommand)]
pub enum DialplanCommand {
    /// Print step by step what would happen to a call, without placing one.
    #[command(after_help = "\
Calendars are read from calendars/ beside the plan.

Examples:
  hotline dialplan try dialplans/sakhalin-1300.toml --dial 1300 --from +74242000001 \\
      --at 2026-11-21T12:59 --keys 1
  hotline dialplan try dialplans/ksamata-8800.toml --keys 3,1 --ends timed-out,answered")]
    Try(Try),

    /// Draw the flows of a plan.
    #[command(after_help = "\
Example:
  hotline dialplan draw dialplans/sakhalin-1300.toml > sakhalin-1300.svg")]
    Draw {
        /// The plan.
        #[arg(value_name = "PLAN")]
        plan: PathBuf,

        /// As what.
        #[arg(long, value_enum, default_value_t = Drawing::Svg)]
        format: Drawing,
    },

    /// Set the emergency switch of a plan, or show how all stand.
    #[command(after_help = "\
While it is on, new calls begin in the plan's emergency flow; calls that are up go on. It wins over
`emergency = { on = … }` in the file, holds at once and over restarts, and who set it stands in the
journal. `file` gives it back to the file.

Examples:
  hotline dialplan emergency
  hotline dialplan emergency sakhalin-1300 on
  hotline dialplan emergency sakhalin-1300 file")]
    Emergency(Emergency),

    /// Print the JSON Schema of dialplans, for editors.
    #[command(after_help = "\
Example:
  hotline dialplan schema > dialplan.schema.json")]
    Schema,
}

/// A call to be tried.
#[derive(Debug, Clone, Args)]
pub struct Try {
    /// The plan.
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,

    /// The number that is dialled; without it the plan's first.
    #[arg(long, value_name = "NUMBER")]
    pub dial: Option<String>,

    /// The caller's number; without it the number is withheld.
    #[arg(long, value_name = "NUMBER", default_value = "")]
    pub from: String,

    /// When, by the clock of the plan's time zone; without it now.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,

    /// What the caller presses at each question, in order; nothing between two commas for silence.
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub keys: Vec<String>,

    /// How queues and calls end, in order; the last one again and again. Answered unless said.
    #[arg(long, value_enum, value_name = "END", value_delimiter = ',')]
    pub ends: Vec<Ending>,

    /// What web services reply; without it they do not.
    #[arg(long, value_name = "JSON")]
    pub reply: Option<String>,

    /// No operator is free, and a thousand calls wait.
    #[arg(long)]
    pub busy: bool,
}

/// How a queue or a call to somebody ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ending {
    /// An operator answers.
    Answered,
    /// Nobody answers in time.
    TimedOut,
    /// There is no place.
    Full,
    /// Nobody serves it.
    Closed,
}

/// What a drawing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// A picture.
    Svg,
    /// Text that many editors and sites draw.
    Mermaid,
}

/// How the demonstration runs.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// How many calls to make; without it calls are made until Ctrl-C.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub calls: Option<u32>,

    /// Stop when the calls are over, print a summary, and tell by the exit code how it went.
    #[arg(long, requires = "calls")]
    pub once: bool,

    /// Where to keep journal.db and recordings/; without it a temporary folder is used.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Seed of the callers' behaviour: the same seed makes the same callers.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// How many operators are at work.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=2_000))]
    pub operators: u16,

    /// How many calls are up at once, at most.
    #[arg(long, value_name = "N", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(1..=2_000))]
    pub concurrent: u16,
}

/// A load, and what is to be reached.
#[derive(Debug, Clone, Args)]
pub struct Staffing {
    /// Calls that arrive in the time of --each.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub calls: u32,

    /// The time in which so many calls arrive.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub each: Duration,

    /// How long an operator is busy with a call, wrap-up included.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub handling: Duration,

    /// After how long callers give up, on average; without it they wait for ever.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub patience: Option<Duration>,

    /// The part of calls that is to be answered in time, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 80,
        value_parser = clap::value_parser!(u32).range(1..=99))]
    pub level: u32,

    /// What is in time.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time)]
    pub within: Duration,

    /// Show the figures around so many operators, in place of the number that is enough.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub operators: Option<u32>,
}

fn time(text: &str) -> Result<Duration, String> {
    crate::settings::duration(text)
        .ok_or_else(|| "expected a time, such as 20s, '5 min' or 1h".to_owned())
}

/// What to do with a call.
#[derive(Debug, Subcommand)]
pub enum CallCommand {
    /// Show its SIP messages as a ladder, with the journal's facts between them.
    #[command(after_help = "\
A column for each party, an arrow for each message, milliseconds on the left, the session
description on the right. Numbers and names of callers are masked unless --clear is given; digest
responses and nonces are not in the trace at all.

Examples:
  hotline call show --last 1
  hotline call show 0cff1234-0000002a --messages
  hotline call show 'a84b4c76e66710@192.0.2.7' --clear")]
    Show(CallShow),

    /// Write its SIP messages as pcapng, for Wireshark, tshark or sngrep.
    #[command(after_help = "\
Whatever carried a message, it is written as UDP in clear, with its real addresses; the interface
of a packet names the transport, its comment the call and the party. Numbers are in clear.

Example:
  hotline call export 0cff1234-0000002a --output call.pcapng && wireshark call.pcapng")]
    Export(CallExport),
}

/// What to do with operators.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add an operator. The password is asked for twice, or read from standard input.
    #[command(after_help = "\
A password is never an argument: arguments are seen in process lists and shell histories.

Examples:
  hotline user add ivanova --name \"Ivanova A. P.\" --line 101 --skill health=80 --skill en=40
  pass show hotline/ivanova | hotline user add ivanova --name \"Ivanova A. P.\" --line 101 \\
      --password-stdin")]
    Add(UserAdd),

    /// List the operators, one on each line.
    List(ConfigFile),

    /// Remove an operator. Entries of the journal keep the name.
    Remove(UserName),

    /// Change an operator's password.
    #[command(after_help = "\
Example:
  hotline user passwd ivanova")]
    Passwd(UserPasswd),

    /// Let somebody sign in to the HTTP API with login and password, or no more.
    #[command(after_help = "\
The password of the API, which is not that of a telephone. The login may be an operator's or anybody's.
With every change all sessions of the login end. Rights are those of `hotline token add`; without any
the person may sign in and see nothing.

Examples:
  hotline user password ivanova --right read,write
  hotline user password ivanova --remove")]
    Password(UserPassword),

    /// Give an operator's line a fixed SIP address, or take it away.
    #[command(after_help = "\
For a telephone behind another exchange, which does not register here. It is asked with OPTIONS
every [registrar] probe_every whether it is there; a telephone that registers as well rings first.

Examples:
  hotline user address ivanova sip:201@192.0.2.7
  hotline user address ivanova --none")]
    Address(UserAddress),

    /// Tell how many voice messages wait for an operator, for the lamps of the operator's telephones.
    #[command(after_help = "\
For the hook of a voice mail system that runs it whenever a message comes, is heard or is deleted.
Telephones that subscribe to message-summary (RFC 3842) are told within a second.

Examples:
  hotline user waiting ivanova 2
  hotline user waiting ivanova 0 5")]
    Waiting(UserWaiting),
}

/// The operator to be added.
#[derive(Debug, Clone, Args)]
pub struct UserAdd {
    /// The login: what the telephone registers as.
    #[arg(value_parser = login)]
    pub login: String,

    /// The person's name, as the journal shows it; the login if not given.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// The number of the workplace, as the journal shows it; the login if not given.
    #[arg(long, value_name = "NUMBER")]
    pub line: Option<String>,

    /// A skill and its level, 0 to 100; may be given several times.
    #[arg(long = "skill", value_name = "NAME=LEVEL", value_parser = skill)]
    pub skills: Vec<(String, u8)>,

    /// A fixed SIP address of the line, for a telephone behind another exchange.
    #[arg(long, value_name = "SIP-URI", value_parser = line_address)]
    pub address: Option<String>,

    /// Read the password from the first line of standard input instead of asking.
    #[arg(long)]
    pub password_stdin: bool,

    /// Whose operators.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// The operator whose line gets an address.
#[derive(Debug, Clone, Args)]
#[group(id = "where", required = true, multiple = false, args = ["address", "none"])]
pub struct UserAddress {
    /// The login.
    #[arg(value_parser = login)]
    pub login: String,

    /// Where the line is reached, as sip:201@192.0.2.7 or sip:201@192.0.2.7:5070.
    #[arg(value_name = "SIP-URI", value_parser = line_address)]
    pub address: Option<String>,

    /// The line has no address any more.
    #[arg(long)]
    pub none: bool,

    /// Whose operators.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// The operator for whom messages wait.
#[derive(Debug, Clone, Args)]
pub struct UserWaiting {
    /// The login.
    #[arg(value_parser = login)]
    pub login: String,

    /// Messages that were not heard yet.
    #[arg(value_name = "NEW")]
    pub new: u32,

    /// Messages that were heard and are kept.
    #[arg(value_name = "OLD", default_value_t = 0)]
    pub old: u32,

    /// Whose operators.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// An operator by login.
#[derive(Debug, Clone, Args)]
pub struct UserName {
    /// The login.
    #[arg(value_parser = login)]
    pub login: String,

    /// Whose operators.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// The operator whose password is to be changed.
#[derive(Debug, Clone, Args)]
pub struct UserPasswd {
    /// The login.
    #[arg(value_parser = login)]
    pub login: String,

    /// Read the password from the first line of standard input instead of asking.
    #[arg(long)]
    pub password_stdin: bool,

    /// Whose operators.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Which text about the settings.
#[derive(Debug, Clone, Args)]
pub struct SettingsText {
    /// A settings file ready to be filled in; this is what comes without an option, too.
    #[arg(long, conflicts_with = "reference")]
    pub sample: bool,

    /// The trunk of a carrier, to be put under a settings file and filled in.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["sample", "reference"],
          value_parser = clap::builder::PossibleValuesParser::new(crate::settings::preset_names()))]
    pub preset: Option<String>,

    /// The page docs/settings.md.
    #[arg(long)]
    pub reference: bool,
}

/// Longest login; it stands in SIP URIs and in the journal.
const LOGIN_MAX: usize = 64;

/// A login: what may stand unescaped as the user part of a SIP URI (RFC 3261 §25.1), without
/// the characters that shells and CSV files trip over.
fn login(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > LOGIN_MAX {
        return Err(format!("a login has 1 to {LOGIN_MAX} characters"));
    }
    match text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-_.+".contains(*c)))
    {
        Some(c) => Err(format!(
            "a login holds letters a-z, digits and - _ . + only, not {c:?}"
        )),
        None => Ok(text.to_owned()),
    }
}

/// A fixed address of a line: a SIP URI whose host is an IP address, reached over UDP.
fn line_address(text: &str) -> Result<String, String> {
    let uri = sip::Uri::parse(text)
        .map_err(|_| "expected a SIP URI such as sip:201@192.0.2.7".to_owned())?;
    if uri.scheme != sip::Scheme::Sip || uri.headers.is_some() {
        return Err("expected a URI that begins with sip: and has no headers".to_owned());
    }
    if uri.socket_addr().is_none_or(|address| address.port() == 0) {
        return Err("expected an IP address as host: names are not looked up here".to_owned());
    }
    match uri.params.value("transport") {
        Some(other) if !other.eq_ignore_ascii_case("udp") => Err(format!(
            "transport={other} cannot be used: lines with an address are reached over UDP"
        )),
        Some(_) | None => Ok(uri.to_string()),
    }
}

/// A skill with its level.
fn skill(text: &str) -> Result<(String, u8), String> {
    let (name, level) = text
        .split_once('=')
        .ok_or("expected NAME=LEVEL, for example health=80")?;
    if name.trim().is_empty() {
        return Err("the skill has no name: expected NAME=LEVEL, for example health=80".to_owned());
    }
    match level.trim().parse::<u8>() {
        Ok(level @ 0..=100) => Ok((name.trim().to_owned(), level)),
        _ => Err(format!("expected a level from 0 to 100, found {level:?}")),
    }
}

/// An RFC 3339 time, or a date or a time of the local time zone.
fn moment(text: &str) -> Result<WallTime, String> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(WallTime::from_unix_millis(timestamp.as_millisecond()));
    }
    // A civil time without its hour is the midnight that begins the day.
    text.parse::<jiff::civil::DateTime>()
        .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::system()))
        .map(|zoned| WallTime::from_unix_millis(zoned.timestamp().as_millisecond()))
        .map_err(|_| {
            "expected a date (2026-11-22) or a time (2026-11-22T08:00:00+10:00)".to_owned()
        })
}

#[cfg(test)]
mod tests;
