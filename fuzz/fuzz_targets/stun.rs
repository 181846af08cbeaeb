//! Feeds libFuzzer's octets to the port of browsers, as a check that names a leg.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| browser::stun::holds(octets));
