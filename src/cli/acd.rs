//! Owns what may be typed after `hotline acd`. What most of its orders take is in `operators`.

use clap::{Args, Subcommand};

use super::operators::{
    CallFor, CallInto, MissedCall, NewPriority, OfCall, OfOperator, OfQueue, Supervised,
};
use super::{ConfigFile, WhichCall};

/// What to tell of the queues.
#[derive(Debug, Subcommand)]
pub enum AcdCommand {
    /// Tell where a call waited, at whom it rang and why, and who else was considered.
    #[command(after_help = "\
Seconds on the left count from the arrival of the call.

Examples:
  hotline acd explain --last 1
  hotline acd explain 0cff1234-0000002a")]
    Explain(AcdExplain),

    /// Give a waiting call another priority.
    Priority(NewPriority),

    /// Take a waiting call for an operator who asks for it.
    Pull(CallFor),

    /// Offer a waiting call to this operator, whatever the skills.
    Assign(CallFor),

    /// Move a waiting call into another queue, with the waiting time it has.
    Move(CallInto),

    /// Make a missed call a task: its caller is called back as soon as an operator is free.
    #[command(after_help = "\
The caller is called first, then an operator rings. Who is owed a callback already gets no second one.

Example:
  hotline acd callback 0cff1234-0000002a")]
    Callback(MissedCall),

    /// List the callbacks that are owed: of which call, whom, since when, and how often yet.
    Callbacks(ConfigFile),

    /// A callback that is owed is done by other means, or is not to be.
    Settle(OfCall),

    /// Call a supervisor's telephone into a talk, or change what the supervisor does there.
    #[command(after_help = "\
Neither side is told. The supervisor's own keys change the mode as well (settings, [supervision]), and
hanging up ends it. When the call goes to somebody else the supervisor stays, and listens.

Examples:
  hotline acd supervise 0cff1234-0000002a --mode listen --with petrova
  hotline acd supervise 0cff1234-0000002a --mode whisper --with petrova")]
    Supervise(Supervised),

    /// End the supervision of a call; the talk goes on.
    Unsupervise(OfCall),

    /// Make one conference of the two talks of an operator, one of them on hold.
    Conference(OfOperator),

    /// A queue takes calls again.
    Open(OfQueue),

    /// A queue takes no more calls, until it is opened again; those in it go on.
    Close(OfQueue),
}

/// Which call is explained.
#[derive(Debug, Clone, Args)]
pub struct AcdExplain {
    /// Which call.
    #[command(flatten)]
    pub which: WhichCall,

    /// The settings.
    #[command(flatten)]
    pub config: ConfigFile,
}
