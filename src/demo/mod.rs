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

use crate::boot::{Begin, Engine};
use crate::cli;
use crate::commands::print_out;

use screen::{Heading, Screen};
use world::World;

/// How often the screen is renewed.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// A run of `--once` in which no call ends for so long will not end by itself.
const STUCK: Duration = Duration::from_secs(180);
/// How long recordings and journal may take after the last call.
const SETTLE: Duration = Duration::from_secs(20);

/// Runs the demonstration.
///
/// # Errors
/// One plain sentence if it cannot start.
pub fn run(args: &cli::Demo) -> anyhow::Result<ExitCode> {
    let world = World::make(args)?;
    world.start_log()?;
    // From here on the folder is ours: a second demo on it is refused by the engine's locks,
    // before it could change the operators' passwords under the first.
    let engine = Engine::start(&world.settings, Begin::Anew)?;
    let address = *engine
        .addresses()
        .first()
        .context("no SIP address is open")?;
    let accounts = world.enrol(args.operators)?;
    engine.read_operators(&world.settings)?;
    let load = Load::start(world.load(args, accounts, address)).context("the simulated people")?;
    let stop = on_interrupt(&engine);
    let mut screen = Screen::open(Heading {
        sip: address.to_string(),
        number: world::NUMBER.to_owned(),
        data: world.folder.display().to_string(),
    });
    let ending = watch(args, &engine, &load, &stop, &mut screen);
    let report = load.stop();
    settle(&engine);
    screen.close(&engine.picture());
    drop(screen);
    let stopped = engine.stop()?;
    let mut verdict = verdict::judge(args, &world, &report, stopped)?;
    if let Some(why) = ending.failure() {
        verdict.fail(why);
    }
    print_out(&format!("{verdict}\n"))?;
    Ok(if args.once && !verdict.is_good() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Why the demonstration ended.
enum Ending {
    /// All calls of `--once` are over.
    Done,
    /// Ctrl-C, SIGTERM, or nobody reads our output any more.
    CutShort { once: bool },
    /// No call of `--once` has ended for a long time.
    Stuck,
    /// The engine cannot go on.
    Broken(&'static str),
}

impl Ending {
    fn failure(&self) -> Option<&'static str> {
        match self {
            Self::Done | Self::CutShort { once: false } => None,
            Self::CutShort { once: true } => Some("it was ended before all calls were made"),
            Self::Stuck => Some("no call came to an end for three minutes"),
            Self::Broken(why) => Some(why),
        }
    }
}

/// Shows the engine at work until there is a reason to end.
fn watch(
    args: &cli::Demo,
    engine: &Engine,
    load: &Load,
    stop: &AtomicBool,
    screen: &mut Screen,
) -> Ending {
    let mut progress = (Instant::now(), 0);
    loop {
        let ended = load.counts().ended;
        if ended != progress.1 {
            progress = (Instant::now(), ended);
        }
        if args.once && load.finished() {
            return Ending::Done;
        }
        if args.once && progress.0.elapsed() > STUCK {
            return Ending::Stuck;
        }
        if let Some(why) = engine.failure() {
            return Ending::Broken(why);
        }
        let read = screen.show(&engine.picture());
        if stop.load(Ordering::Relaxed) || read.is_err() {
            return Ending::CutShort { once: args.once };
        }
        std::thread::sleep(SHOW_EVERY);
    }
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
