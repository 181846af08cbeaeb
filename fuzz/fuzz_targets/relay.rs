//! Feeds libFuzzer's octets to the relay of the media plane, as the orders of a session of two legs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| media::script::run(octets));
