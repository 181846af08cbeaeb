//! The SIP trace: what was said on the wire, kept for some days, found again by call.
//!
//! Contract: [`start`] gives a [`Tracer`], which any thread hands messages to and which never
//! blocks: what its queue has no room for is dropped and counted. A thread of its own appends them
//! to pcapng files, in two rings bounded by size and age: messages of calls, and all others
//! (registrations, probes, strangers), so that a flood of the latter costs no call its trace.
//! [`find`] reads them back, also while they are written, and [`ladder`] shows them to people.
//!
//! The files are the store itself: Wireshark, tshark and sngrep read them. Whatever carried a
//! message, it is written as UDP in clear, with its real addresses; the interface of the packet
//! names the transport, its comment the call. What proves or could be used to guess a password
//! (digest responses, nonces), and keys of media, are made unreadable before they are written.
//!
//! ```
//! use sip::{Flow, Transport};
//! use trace::{Direction, Settings, Wanted};
//!
//! # let folder = tempfile::tempdir()?;
//! let settings = Settings::new(folder.path());
//! let (tracer, running) = trace::start(settings)?;
//! let flow = Flow {
//!     transport: Transport::Udp,
//!     local: "192.0.2.1:5060".parse()?,
//!     remote: "192.0.2.7:5060".parse()?,
//! };
//! let bytes = b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nCall-ID: probe-1\r\n\r\n".to_vec();
//! tracer.message(1_795_340_000_000_000, &flow, Direction::In, bytes);
//! drop(tracer);
//! running.join();
//! let found = trace::find(folder.path(), &Wanted::sip_call_id("probe-1"))?;
//! assert_eq!(found.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Non-goals: deciding whose a message is (the engine says so), audio, being evidence: a trace is
//! for finding faults, and what the disk does not take is dropped.

mod find;
mod known;
pub mod ladder;
mod packet;
pub mod pcapng;
mod ring;
pub mod text;
mod tracer;
mod writer;

pub use find::{FindError, Wanted, find};
pub use packet::{Direction, Packet};
pub use tracer::{Running, Settings, StartError, Tracer, start};
