//! Owns `hotline demo`: the real engine, called and answered by simulated people on loopback.

mod screen;
mod verdict;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use load::Load;
use tokio::signal::unix::{SignalKind, signal};

use crate::boot::Engine;
use crate::cli;

use screen::{Heading, Screen};
use world::World;

/// How often the screen is renewed.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// How long recordings and journal may take after the last call.
const SETTLE: Duration = Duration::from_secs(20);

/// Runs the demonstration.
///
/// # Errors
/// One plain sentence if it cannot start.
pub fn run(args: &cli::Demo) -> anyhow::Result<ExitCode> {
    let world = World::make(args)?;
    world.start_log()?;
    let engine = Engine::start(&world.settings)?;
    let address = *engine
        .addresses()
        .first()
        .context("no SIP address is open")?;
    let heading = Heading {
        sip: address.to_string(),
        number: world::NUMBER.to_owned(),
        data: world.folder.display().to_string(),
    };
    let load = Load::start(world.load(args, address)).context("the simulated people")?;
    let stop = on_interrupt(&engine);
    let mut screen = Screen::open(heading)?;
    while !(stop.load(Ordering::Relaxed) || (args.once && load.finished())) {
        if let Some(failure) = engine.failure() {
            anyhow::bail!(failure);
        }
        screen.show(&engine.picture())?;
        std::thread::sleep(SHOW_EVERY);
    }
    let cut_short = stop.load(Ordering::Relaxed);
    let report = load.stop();
    settle(&engine);
    screen.close(&engine.picture())?;
    drop(screen);
    let stopped = engine.stop()?;
    let verdict = verdict::judge(args, &world, &report, stopped)?;
    println!("{verdict}");
    if args.once && (cut_short || !verdict.is_good()) {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until the last calls have left and their recordings are on disk.
fn settle(engine: &Engine) {
    let end = Instant::now() + SETTLE;
    while Instant::now() < end && (engine.picture().calls > 0 || engine.recordings_pending() > 0) {
        std::thread::sleep(SHOW_EVERY);
    }
}

/// Turns Ctrl-C and SIGTERM into a flag.
fn on_interrupt(engine: &Engine) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    engine.spawn(async move {
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        raised.store(true, Ordering::Relaxed);
    });
    flag
}
