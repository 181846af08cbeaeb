//! Owns subscriptions to events (RFC 6665) as the notifier has them: `dialog` (RFC 4235) and
//! `message-summary` (RFC 3842). Each is a dialog, an end, and a NOTIFY at the right moment.
//!
//! Refuses to know who may subscribe to what, and what there is to tell: it says when something is to
//! be told ([`Subscriptions::poll`]) and is handed the newest state then ([`Subscriptions::tell`]), so
//! however much happens between two NOTIFYs, the last state is what goes out.

mod dialog_info;
mod machine;
mod request;
mod summary;
mod table;

pub use dialog_info::{Direction, LineDialog, LineState, Party};
pub use machine::Reason;
pub use request::{BadSubscribe, Event, Package};
pub use summary::Waiting;
pub use table::{Due, Subscriber, SubscriptionId, SubscriptionSettings, Subscriptions};

/// The packages that there are: the value of Allow-Events (RFC 6665 §8.2.2).
pub const ALLOW_EVENTS: &str = "dialog, message-summary";

/// The state that is to be told, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// All dialogs of a line.
    Dialogs(Vec<LineDialog>),
    /// What waits for its operator.
    Messages(Waiting),
}

#[cfg(test)]
mod tests;
