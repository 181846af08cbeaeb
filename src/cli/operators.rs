//! Owns what may be typed after `hotline operators`, and what the orders after `hotline acd` take.

use clap::{Args, Subcommand, ValueEnum};
use vocab::{CallId, SupervisionMode};

use super::ConfigFile;

/// What an operator, or somebody for one, does while the engine runs.
#[derive(Debug, Subcommand)]
pub enum OperatorsCommand {
    /// Show every operator: line, what was chosen, what the engine observes and for how long.
    Show(ConfigFile),

    /// Sign an operator in to a line; then the operator is available.
    SignIn(SignIn),

    /// Sign an operator out: off until the next sign-in.
    SignOut(OfOperator),

    /// Choose a status for an operator.
    #[command(after_help = "\
Breaks against the rules of [[break]] are refused without --leave, and stand in the report of
operators as taken by leave.

Examples:
  hotline operators status ivanova available
  hotline operators status ivanova break --reason lunch
  hotline operators status ivanova break --reason smoke --leave")]
    Status(ChosenStatus),

    /// The work after a call is done, where its queue leaves that to the operator.
    Ready(OfOperator),

    /// Give an operator other skills: all of them, at once and for good.
    #[command(after_help = "\
Example:
  hotline operators skills ivanova health=80 uk=60")]
    Skills(NewSkills),
}

/// An operator by login or line.
#[derive(Debug, Clone, Args)]
pub struct OfOperator {
    /// Login or line.
    #[arg(value_name = "OPERATOR")]
    pub operator: String,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// Who gives an order, and to which engine.
#[derive(Debug, Clone, Args)]
pub struct Given {
    /// Who orders it; without it the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// The engine's settings.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Where an operator signs in.
#[derive(Debug, Clone, Args)]
pub struct SignIn {
    /// Login or line.
    #[arg(value_name = "OPERATOR")]
    pub operator: String,

    /// The number of the workplace; without it the operator's own.
    #[arg(long, value_name = "NUMBER")]
    pub line: Option<String>,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// A status to be chosen.
#[derive(Debug, Clone, Args)]
pub struct ChosenStatus {
    /// Login or line.
    #[arg(value_name = "OPERATOR")]
    pub operator: String,

    /// Which.
    #[arg(value_enum, value_name = "STATUS")]
    pub status: StatusName,

    /// The reason of a break.
    #[arg(long, value_name = "REASON", required_if_eq("status", "break"))]
    pub reason: Option<String>,

    /// With a supervisor's leave: the rules of breaks do not hold.
    #[arg(long)]
    pub leave: bool,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// The names of statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusName {
    /// Takes calls.
    Available,
    /// On a break.
    Break,
    /// In training.
    Training,
    /// At work on an earlier call.
    AfterCallWork,
    /// Not at work.
    Off,
}

/// All skills of an operator.
#[derive(Debug, Clone, Args)]
pub struct NewSkills {
    /// Login or line.
    #[arg(value_name = "OPERATOR")]
    pub operator: String,

    /// Skills and their levels, 0 to 100; none takes all away.
    #[arg(value_name = "NAME=LEVEL", value_parser = super::skill)]
    pub skills: Vec<(String, u8)>,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// Another priority for a call.
#[derive(Debug, Clone, Args)]
pub struct NewPriority {
    /// Which call, as the journal names it.
    #[arg(value_name = "CALL")]
    pub call: CallId,

    /// Which priority, in all: higher is served first.
    #[arg(value_name = "PRIORITY")]
    pub priority: u8,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// A waiting call for an operator.
#[derive(Debug, Clone, Args)]
pub struct CallFor {
    /// Which call, as the journal names it.
    #[arg(value_name = "CALL")]
    pub call: CallId,

    /// Login or line.
    #[arg(value_name = "OPERATOR")]
    pub operator: String,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// A waiting call for another queue.
#[derive(Debug, Clone, Args)]
pub struct CallInto {
    /// Which call, as the journal names it.
    #[arg(value_name = "CALL")]
    pub call: CallId,

    /// Which queue.
    #[arg(value_name = "QUEUE")]
    pub queue: String,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// A call that is to be supervised.
#[derive(Debug, Clone, Args)]
pub struct Supervised {
    /// Which call, as the journal names it.
    #[arg(value_name = "CALL")]
    pub call: CallId,

    /// What the supervisor does there.
    #[arg(long, value_enum, value_name = "MODE", default_value = "listen")]
    pub mode: ModeName,

    /// Login or line of the supervisor, whose telephone is called.
    #[arg(long, value_name = "OPERATOR")]
    pub with: String,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// The names of what a supervisor does in a talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// Hears all, and nobody hears the supervisor.
    Listen,
    /// Is heard by operators alone.
    Whisper,
    /// All hear each other.
    Barge,
}

impl From<ModeName> for SupervisionMode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Listen => Self::Listen,
            ModeName::Whisper => Self::Whisper,
            ModeName::Barge => Self::Barge,
        }
    }
}

/// A missed call that is to be made good.
#[derive(Debug, Clone, Args)]
pub struct MissedCall {
    /// Which call, as the journal names it.
    #[arg(value_name = "CALL")]
    pub call: CallId,

    /// Whose operators call back; without it the last queue that the call was in.
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// A call.
#[derive(Debug, Clone, Args)]
pub struct OfCall {
    /// Which call, as the journal names it.
    #[arg(value_name = "CALL")]
    pub call: CallId,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}

/// A queue by its name.
#[derive(Debug, Clone, Args)]
pub struct OfQueue {
    /// Which queue.
    #[arg(value_name = "QUEUE")]
    pub queue: String,

    /// Who orders it.
    #[command(flatten)]
    pub given: Given,
}
