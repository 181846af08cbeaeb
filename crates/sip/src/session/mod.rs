//! Owns what an INVITE session has beyond its dialog and its transactions: who may offer now
//! (RFC 3264, 3261 §14, 3311, 6337), reliable provisional responses (RFC 3262), the early dialogs of
//! a forked INVITE (RFC 3261 §13.2.2), session timers (RFC 4028), option tags and keys sent by INFO.
//!
//! Refuses to know what is described (the body is someone else's) and what a call is. Like all of this crate
//! it has no clock and no randomness: both are handed in.

mod extensions;
mod forks;
mod glare;
mod keys;
mod offers;
mod reliable;
mod timer;

pub use extensions::{require, supports, unsupported};
pub use forks::{EarlyDialog, FORKED_DIALOGS_MAX, Forks, Heard};
pub use glare::{UPDATE_RETRY_AFTER_MAX_S, retry_interval};
pub use keys::{Keys, info_of_key, keys_of_info};
pub use offers::{Carrier, Offers, Refusal, Side, Task};
pub use reliable::{PrackRefused, Reliable, ReliableDue};
pub use timer::{SessionDue, SessionExpiry, SessionTimer, SessionTimerSettings, allows};
