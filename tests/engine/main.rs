//! The engine as its users meet it: the real program, real sockets, real telephones; each file a
//! subject. One program, so that the harness they share is compiled and linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod browser;
mod bucket;
mod calls;
mod clients;
mod daily_report;
mod dialplans;
mod faults;
mod figures;
mod flood;
mod harness;
mod hostile;
mod impairment;
mod interop;
mod journal;
mod openapi;
mod operators;
mod outer;
mod queues;
mod recordings;
mod refusals;
mod registrations;
mod replay;
mod restart;
mod scenarios;
mod subscriptions;
mod supervision;
mod trace;
mod transfers;
mod transports;
mod trunks;
mod voicemail;
mod webhooks;
