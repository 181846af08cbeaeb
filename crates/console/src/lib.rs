//! The HTTP API of hotline: journal, recordings, reports, the live picture, events as they happen,
//! figures for Prometheus.
//!
//! Contract: every path is in one table ([`operations`]), of which the router, the rights and the
//! OpenAPI document are made, so none can drift from the others. Whatever is not in it is 404; what is
//! in it needs a bearer token, or the session of somebody who signed in, with the right it names. Errors are problem details (RFC 9457). Nothing
//! here decides about calls: it reads the journal, and writes by [`journal::desk::Desk`].
//!
//! ```
//! use console::operations;
//!
//! let document = console::openapi();
//! assert_eq!(document["openapi"], "3.1.0");
//! for operation in operations() {
//!     assert!(document["paths"][operation.path][operation.method].is_object());
//! }
//! ```
//!
//! Non-goals: TLS (a proxy in front has it), pages, roles of people: they come with the console.

// The schemas of the OpenAPI document are one `json!`, which goes deep.
#![recursion_limit = "256"]

mod app;
mod auth;
mod cards;
mod entries;
mod forms;
mod guesses;
mod live;
mod messages;
mod openapi;
mod operation;
mod orders;
mod password;
mod problem;
mod prometheus;
mod query;
mod recordings;
mod reports;
mod session;
mod stream;
mod token;
mod webhooks;
mod write;

pub use app::{Console, Live, router, serve};
pub use openapi::document as openapi;
pub use operation::{Door, Operation, Right, operations};
pub use orders::{Given, Orders};
pub use password::{PasswordError, is_it, kept};
pub use recordings::{Afar, Keys, Sound};
pub use session::SessionRules;
pub use token::{Token, TokenError, Tokens, hash};
