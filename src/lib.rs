//! The process `hotline`: the only place that knows every crate.
//!
//! A library, so that tests and `main` share it; `main` stays thin.

pub mod boot;
pub mod cli;
pub mod commands;
mod daily;
pub mod demo;
pub mod driver;
mod handover;
mod hex;
pub mod input_log;
pub mod keeping;
mod priority;
mod private_socket;
pub mod prompts;
pub mod settings;
mod webhooks;
