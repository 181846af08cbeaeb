//! Owns what the journal keeps of a telephone's registration, so that the telephone is reached after
//! a restart without a new REGISTER.

use serde::{Deserialize, Serialize};

use crate::WallTime;

/// A telephone and the way to it, in SIP's own notation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Whose it is: the operator's login.
    pub login: String,
    /// What tells it from other telephones of the operator.
    pub key: String,
    /// The URI to call.
    pub contact: String,
    /// Parameters of the contact, as `;name=value…`; empty if there are none.
    pub params: String,
    /// What carries messages to it: `UDP`, `TCP`, …
    pub transport: String,
    /// The address of ours that it reaches.
    pub local: String,
    /// Its address as we see it.
    pub remote: String,
    /// Proxies between, the nearest to us first (RFC 3327).
    pub path: Vec<String>,
    /// Preference in thousandths.
    pub q: u16,
    /// Call-ID of its REGISTER.
    pub call_id: String,
    /// CSeq of the same.
    pub cseq: u32,
    /// When it ends at the latest unless it is renewed.
    pub until: WallTime,
    /// Tells whether the password is still the one it was made with; not the password.
    pub secret: String,
}
