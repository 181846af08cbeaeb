//! SIP (RFC 3261) as a core without IO: messages on the wire, transactions, dialogs,
//! authentication, registrar.

pub mod auth;
pub mod dialog;
pub mod registrar;
pub mod transaction;
pub mod wire;

pub use auth::{Algorithm, AuthError, Authenticator, Secrets, Verdict, authorize};
pub use dialog::{Destination, Dialog, DialogId};
pub use registrar::{Binding, Change, Registrar, RegistrarSettings};
pub use transaction::{
    ClientTx, Flow, Output, ServerTx, Timers, Transactions, Transport, stateless_tag,
};
pub use wire::{
    CSeq, Datagram, HeaderName, Headers, Host, Malformed, Message, Method, NameAddr, Params,
    ParseError, Scheme, Start, Uri, Via, parse_datagram, reason_phrase,
};
