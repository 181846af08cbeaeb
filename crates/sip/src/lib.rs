//! SIP (RFC 3261) as a core without IO: messages on the wire, transactions, dialogs, sessions,
//! authentication, registrar, subscriptions.
//!
//! Contract: nothing here reads a clock, makes random numbers, or touches a socket. Time, branches,
//! tags and keys come in; octets to send and facts to act upon come out by `poll`, which is drained
//! after each input. The same inputs give the same outputs, to the octet.
//!
//! ```
//! use sip::{Datagram, Flow, Output, Timers, Transactions, Transport, parse_datagram};
//! use vocab::Time;
//!
//! let octets = b"OPTIONS sip:1300@192.0.2.1 SIP/2.0\r\n\
//!     Via: SIP/2.0/UDP 192.0.2.9:5060;rport;branch=z9hG4bK1\r\n\
//!     From: <sip:ann@example.com>;tag=1\r\nTo: <sip:1300@192.0.2.1>\r\n\
//!     Call-ID: a\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
//! let flow = Flow {
//!     transport: Transport::Udp,
//!     local: "192.0.2.1:5060".parse().unwrap(),
//!     remote: "192.0.2.9:5060".parse().unwrap(),
//! };
//! let mut transactions = Transactions::new(Timers::default(), 1_000);
//! let Ok(Datagram::Message(message)) = parse_datagram(octets) else { panic!() };
//! transactions.receive(Time::ZERO, flow, message);
//! let Some(Output::Request { tx, request, .. }) = transactions.poll() else { panic!() };
//! transactions.respond(Time::ZERO, tx, request.respond(200, Some("tag")));
//! let Some(Output::Send { bytes, .. }) = transactions.poll() else { panic!() };
//! assert!(bytes.starts_with(b"SIP/2.0 200 OK\r\n"));
//! ```
//!
//! Non-goals: being a proxy; asking the DNS ([`locate`] says what to ask); what a call is.

pub mod auth;
pub mod dialog;
pub mod locate;
pub mod refer;
pub mod registrar;
pub mod session;
pub mod subscription;
pub mod transaction;
pub mod wire;

pub use auth::{
    Algorithm, Attempt, AuthError, Authenticator, Lockout, LockoutSettings, Ruling, Secrets,
    Verdict, authorize,
};
pub use dialog::{Destination, Dialog, DialogId, is_secured};
pub use locate::{Answer, Candidate, Located, Naptr, Nowhere, Question, Srv, locate};
pub use refer::{Refer, Replaces};
pub use registrar::{Binding, Change, Registrar, RegistrarSettings};
pub use session::{
    Forks, Heard, Keys, Offers, Refusal, Reliable, ReliableDue, SessionDue, SessionTimer,
    SessionTimerSettings, Side, Task,
};
pub use subscription::{Subscriber, SubscriptionId, SubscriptionSettings, Subscriptions};
pub use transaction::{
    ClientTx, Flow, Output, ServerTx, Timers, Transactions, Transport, address_response,
    stateless_tag,
};
pub use wire::{
    ACCEPTED_BODIES, BodyFault, CSeq, Datagram, Frame, HeaderName, Headers, Host, Malformed,
    Message, Method, NameAddr, Opener, Params, ParseError, Scheme, Start, StreamFramer, Uri, Via,
    frame_of_websocket, parse_datagram, reason_phrase,
};
