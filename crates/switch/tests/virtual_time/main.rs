//! The switch in virtual time: whole calls, each file a subject. One program, so that the world they
//! share is compiled once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod announcements;
mod audio;
mod callbacks;
mod callers;
mod calls;
mod challenges;
mod conferences;
mod duties;
mod early_dialogs;
mod features;
mod flood;
mod forks;
mod groups;
mod handover;
mod holds;
mod lines;
mod loops;
mod messages;
mod next_hops;
mod operator_calls;
mod pair;
mod passwords;
mod pauses;
mod plans;
mod races;
mod rechoice;
mod referrals;
mod registration;
mod restarts;
mod sessions;
mod signalled_keys;
mod sips;
mod subscriptions;
mod supervision;
mod telephones;
mod transfers;
mod troubles;
mod trunks;
mod voicemail;
mod waits;
mod whispers;
mod world;
