//! Simulated callers and operators: real SIP and RTP peers that speak real audio on loopback.
//!
//! Contract: [`Load::start`] opens its own sockets and threads, registers the operators, places
//! the calls and judges by itself what each call went through: who answered, who hung up, and
//! whether each side really heard what the other one said. Everything random comes from one
//! seed. The demo and the benchmarks run on it, so it must cost far less than the engine:
//! frames are encoded once, sockets are shared by many calls, nothing is allocated per packet.
//!
//! ```
//! use load::{CallerPattern, LoadSettings, OperatorAccount, Voices};
//!
//! let settings = LoadSettings {
//!     callers: CallerPattern { number: "1300".into(), calls: Some(10), ..CallerPattern::default() },
//!     operators: vec![OperatorAccount::new("anna", "secret")],
//!     voices: Voices::generated(7),
//!     ..LoadSettings::new("127.0.0.1:5060".parse().unwrap())
//! };
//! assert_eq!(settings.callers.calls, Some(10));
//! // let load = load::Load::start(settings)?; ... let report = load.stop();
//! ```
//!
//! Non-goals: being a telephone for people; loss, jitter and virtual time (the simulator's);
//! transports other than UDP, codecs other than G.711, keys (RFC 4733).

mod agent;
mod audio;
mod callers;
mod clock;
mod hearing;
mod operators;
mod random;
mod registering;
mod report;
mod rtp;
mod settings;
mod signalling;
mod sockets;
mod speech;
mod start;
mod voice;

pub use hearing::Heard;
pub use report::{Audio, CallReport, Ending, LoadCounts, LoadReport, OfferEnd, OfferReport};
pub use settings::{
    CallerPattern, DurationRange, LoadSettings, OperatorAccount, OperatorBehaviour,
};
pub use start::{Load, StartError};
pub use voice::{Library, Voices};
