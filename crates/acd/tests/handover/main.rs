//! Two cores share the operators of one floor: each operator is held by one of them or is on the way, and nobody
//! gets two offers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub
)]

#[path = "../floor/mod.rs"]
mod floor;
mod pair;
mod random;
mod rules;
