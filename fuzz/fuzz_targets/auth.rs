//! Feeds libFuzzer's octets to `hotline_fuzz::auth`.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| hotline_fuzz::auth(octets));
