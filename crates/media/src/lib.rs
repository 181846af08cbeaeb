//! The media plane: relays audio between the legs of calls, plays prompts, reads telephone keys,
//! and hands every packet that is to be recorded to a [`Tap`].
//!
//! Contract: [`Media::start`] makes its own threads, each of which owns the legs of its calls
//! outright. Commands ([`vocab::media::MediaCommand`]) go in through bounded rings and never block;
//! events ([`vocab::media::MediaEvent`]) come out through a closure called on those threads. Per
//! packet there is no lock, no allocation and no log line. What becomes of a packet is a pure
//! function of state, bytes and time (`relay`), tested without sockets.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::mpsc;
//! use std::time::Instant;
//! use media::{Media, NoTap, Settings};
//! use vocab::media::{MediaCommand, MediaEvent};
//! use vocab::{CallId, LegId};
//!
//! let (sender, events) = mpsc::channel();
//! let settings = Settings { address: "127.0.0.1".parse().unwrap(), ..Settings::default() };
//! let report = move |event| { let _ = sender.send(event); };
//! let media =
//!     Media::start(settings, Instant::now(), BTreeMap::new(), vec![Box::new(NoTap)], report)?;
//! let (call, leg) = (CallId::new(1, 1), LegId::new(1, 1));
//! media.send(MediaCommand::Open { call, leg });
//! assert!(matches!(events.recv(), Ok(MediaEvent::Opened { .. })));
//! media.stop();
//! # Ok::<(), media::StartError>(())
//! ```
//!
//! Non-goals: signalling, files.

mod audio;
pub mod codec;
mod conceal;
mod digits;
mod dtmf;
mod ear;
mod emodel;
mod inband;
mod incoming;
mod jitter;
mod lane;
mod latch;
mod listener;
mod metronome;
mod mix;
mod outgoing;
mod plane;
mod ports;
mod presses;
mod relay;
mod reports;
mod rtcp;
pub mod rtp;
#[doc(hidden)]
pub mod script;
mod silence;
mod speaker;
mod speech;
#[doc(hidden)]
pub mod srtp;
mod stock;
mod tap;
mod worker;
mod xr;

pub use audio::{Audio, FRAME, FRAME_SAMPLES};
pub use browser::{Identity, IdentityError};
pub use latch::Latching;
pub use plane::{BrowserSettings, Media, Settings, StartError};
pub use tap::{NoTap, Tap};
pub use udp_io::Choice;
