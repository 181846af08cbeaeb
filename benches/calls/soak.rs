//! A soak: as many recorded calls at once for as long as wished, talks of two minutes that end and begin
//! anew. What grows meanwhile, memory or descriptors, is told as a slope over the second half.

use std::fs;
use std::time::{Duration, Instant};

use super::Engine;

const TALK: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Memory and descriptors at one moment of a soak.
#[derive(Debug, Clone, Copy)]
struct Sample {
    hours: f64,
    memory_kib: f64,
    descriptors: f64,
}

/// Keeps `calls` up for so many minutes and prints what was used, once a minute and as a slope.
pub(crate) fn soak(calls: usize, minutes: u64, io: &str) {
    let engine = Engine::start(calls + 20, true, io);
    let rate = 2.0 * calls as f64 / TALK.as_secs_f64();
    let load = engine.load(None, calls, rate, TALK);
    let began = Instant::now();
    let length = Duration::from_secs(minutes * 60);
    let mut samples = Vec::new();
    println!("| minutes | calls | memory, MiB | descriptors |");
    println!("|---|---|---|---|");
    while began.elapsed() < length {
        std::thread::sleep(LOOK_EVERY);
        let sample = Sample {
            hours: began.elapsed().as_secs_f64() / 3_600.0,
            memory_kib: engine.memory_kib(),
            descriptors: descriptors(engine.process.id()),
        };
        samples.push(sample);
        if samples.len().is_multiple_of(6) {
            println!(
                "| {:.0} | {} | {:.1} | {:.0} |",
                sample.hours * 60.0,
                load.counts().talking,
                sample.memory_kib / 1024.0,
                sample.descriptors
            );
        }
    }
    let counts = load.counts();
    drop(load.stop());
    // The first half fills pools and caches.
    let settled = &samples[samples.len() / 2..];
    println!(
        "{} calls answered, {} failed, {} refused, {} offered twice; memory {:+.2} MiB and descriptors {:+.1} an \
         hour over the second half",
        counts.talked,
        counts.failed,
        counts.refused,
        counts.double_offers,
        slope(settled, |sample| sample.memory_kib / 1024.0),
        slope(settled, |sample| sample.descriptors),
    );
}

fn descriptors(process: u32) -> f64 {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count() as f64
}

/// Least squares: how much of it more an hour.
fn slope(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let count = samples.len() as f64;
    let mean_hours = samples.iter().map(|sample| sample.hours).sum::<f64>() / count;
    let mean = samples.iter().map(&of).sum::<f64>() / count;
    let (mut together, mut spread) = (0.0, 0.0);
    for sample in samples {
        let off = sample.hours - mean_hours;
        together += off * (of(sample) - mean);
        spread += off * off;
    }
    together / spread
}
