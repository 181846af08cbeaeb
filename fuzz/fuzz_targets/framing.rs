//! Feeds libFuzzer's octets to `hotline_fuzz::framing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| hotline_fuzz::framing(octets));
