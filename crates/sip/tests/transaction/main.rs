//! Owns the tests of the transaction layer: each machine's table walked in virtual time, the
//! schedules to the millisecond, and random orders of events.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod client;
mod random;
mod reliable;
mod routing;
mod server;
mod world;
