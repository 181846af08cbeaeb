//! The fuzz targets of `fuzz/` over mutated seeds, bounded, so that every test run has some of them.
//!
//! The mutations are the same in every run. `HOTLINE_FUZZ_SEED` sets another beginning and
//! `HOTLINE_FUZZ_ROUNDS` another length; a failing input is printed with its beginning.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[allow(
    unreachable_pub,
    reason = "public for the programs in the folder of the file"
)]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use std::panic::catch_unwind;
use std::path::PathBuf;

/// Mutated inputs of each target: a second or two of an unoptimised build.
const ROUNDS: u64 = 4_000;
const SEED: u64 = 0x5eed;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// SplitMix64: the same numbers from the same beginning.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

/// Pieces that mean something to one of the grammars.
const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "\n",
    " ",
    "\t",
    "\"",
    "\\",
    "<",
    ">",
    ";",
    ",",
    ":",
    "=",
    "@",
    "%",
    "%00",
    "*",
    "[",
    "]",
    "?",
    "&",
    "\0",
    "\r",
    "--",
    "sip:",
    "tel:",
    ";lr",
    ";tag=",
    ";branch=z9hG4bK",
    "Via: ",
    "l: ",
    "Content-Length: ",
    "Contact: *\r\n",
    "4294967296",
    "-1",
    "99999999999999999999",
    "SIP/2.0",
    "SIP/2.0 200 OK\r\n",
    "INVITE",
    "m=audio 1 RTP/AVP 8\r\n",
    "a=rtpmap:",
    "Digest ",
    "nonce=",
    "boundary=",
    "handling=optional",
    "é",
    "\u{fffd}",
];

/// A seed after some changes; sometimes crossed with another one.
fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(octets.len() + 1);
        let until = (at + random.below(24)).min(octets.len());
        match random.below(7) {
            0 if at < octets.len() => octets[at] = random.next().to_le_bytes()[0],
            1 => octets.insert(at, random.next().to_le_bytes()[0]),
            2 => drop(octets.drain(at..until)),
            3 => {
                let copy = octets[at..until].repeat(1 + random.below(9));
                octets.splice(at..at, copy);
            }
            4 => {
                let other = &seeds[random.below(seeds.len())];
                octets.truncate(at);
                octets.extend(&other[random.below(other.len() + 1)..]);
            }
            _ => {
                let word = WORDS[random.below(WORDS.len())].bytes();
                octets.splice(at..at, word);
            }
        }
    }
    octets.truncate(4_096);
    octets
}

fn folder(path: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

fn run(name: &str, target: fn(&[u8]), more_seeds: Vec<Vec<u8>>) {
    let mut seeds = folder(&format!("fuzz/seeds/{name}"));
    assert!(seeds.len() >= 3, "{name} has {} seeds", seeds.len());
    seeds.extend(more_seeds);
    let begin = setting("HOTLINE_FUZZ_SEED", SEED);
    println!("{name}: HOTLINE_FUZZ_SEED={begin}, {} seeds", seeds.len());
    let mut random = Random(begin);
    for seed in &seeds {
        target(seed);
    }
    for round in 0..setting("HOTLINE_FUZZ_ROUNDS", ROUNDS) {
        let octets = mutated(&mut random, &seeds);
        if catch_unwind(|| target(&octets)).is_err() {
            let text = octets.escape_ascii();
            panic!("{name}, HOTLINE_FUZZ_SEED={begin}, round {round}: {text}");
        }
    }
}

#[test]
fn messages_hold() {
    let corpus = folder("crates/sip/tests/corpus/messages");
    run("message", targets::message, corpus);
}

#[test]
fn framing_holds() {
    run("framing", targets::framing, Vec::new());
}

#[test]
fn uris_hold() {
    run("uri", targets::uri, Vec::new());
}

#[test]
fn vias_hold() {
    run("via", targets::via, Vec::new());
}

#[test]
fn credentials_hold() {
    run("auth", targets::auth, Vec::new());
}

#[test]
fn descriptions_hold() {
    run("sdp", targets::sdp, Vec::new());
}

#[test]
fn bodies_hold() {
    run("body", targets::body, Vec::new());
}
