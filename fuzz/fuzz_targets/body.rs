//! Feeds libFuzzer's octets to `hotline_fuzz::body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| hotline_fuzz::body(octets));
