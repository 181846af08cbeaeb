//! Owns the text of `application/simple-message-summary` (RFC 3842 §5.2).

use serde::{Deserialize, Serialize};

use crate::wire::Uri;

/// What waits for somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Voice messages that were not heard yet.
    pub new: u32,
    /// Voice messages that were, and are kept.
    pub old: u32,
}

impl Waiting {
    /// The text; `account`: whose they are.
    pub(super) fn print(self, account: &Uri) -> String {
        let Self { new, old } = self;
        let any = if new > 0 { "yes" } else { "no" };
        format!(
            "Messages-Waiting: {any}\r\nMessage-Account: {account}\r\nVoice-Message: {new}/{old}\r\n"
        )
    }
}
