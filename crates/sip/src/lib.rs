//! SIP (RFC 3261) as a core without IO: messages on the wire, transactions, dialogs,
//! authentication, registrar.

pub mod wire;

pub use wire::{
    CSeq, Datagram, HeaderName, Headers, Host, Malformed, Message, Method, NameAddr, Params,
    ParseError, Scheme, Start, Uri, Via, parse_datagram, reason_phrase,
};
