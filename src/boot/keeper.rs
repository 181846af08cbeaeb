//! Owns the thread that keeps recordings: the manifest of each call that is over, archive and
//! destruction when their time has come; at low priority, beside the calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use switch::Input;
use vocab::MissingReason;

use crate::driver::{self, Inbox};
use crate::keeping::{Calls, Done, Keeping};
use crate::priority;

/// How often it is looked what is due; the ages are in days.
const EVERY: Duration = Duration::from_secs(3_600);
/// The first look comes soon after the start, but not into it.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// How often it is looked for calls that are over.
const CALLS_EVERY: Duration = Duration::from_secs(10);
/// How soon the thread notices that it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The thread; dropping it lets it finish the recording at which it is.
pub(super) struct Keeper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts it.
    pub(super) fn start(keeping: Keeping, inbox: Inbox) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let stop = Arc::clone(&stop);
            let keep = move || run(&keeping, &inbox, &stop);
            let named = std::thread::Builder::new().name("recording-keeper".into());
            Some(named.spawn(keep)?)
        };
        Ok(Self { stop, thread })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the keeper of recordings ended by a panic");
        }
    }
}

fn run(keeping: &Keeping, inbox: &Inbox, stop: &AtomicBool) {
    priority::set(priority::KEEPING);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime.inspect_err(|error| {
        tracing::error!(%error, "recordings are not kept by their rules");
    }) else {
        return;
    };
    let mut calls = Calls::new(driver::wall_clock());
    let mut calls_due = Instant::now() + CALLS_EVERY;
    let mut due = Instant::now() + FIRST_AFTER;
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        if now >= calls_due {
            calls_due = now + CALLS_EVERY;
            if let Err(error) = runtime.block_on(keeping.write_calls(&mut calls)) {
                tracing::error!(%error, "manifests of calls are not written; tried again later");
            }
        } else if now >= due {
            due = now + EVERY;
            pass(keeping, inbox, stop, &runtime);
        } else {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    // Those of the calls that ended last.
    if let Err(error) = runtime.block_on(keeping.write_calls(&mut calls)) {
        tracing::error!(%error, "manifests of calls are written by the next start");
    }
}

fn pass(keeping: &Keeping, inbox: &Inbox, stop: &AtomicBool, runtime: &tokio::runtime::Runtime) {
    if keeping.is_idle() {
        return;
    }
    let tell = |done: Done| {
        inbox.input(match done {
            Done::Archived(key, file) => Input::RecordingStored { key, file: *file },
            Done::Destroyed(key) => Input::RecordingMissing {
                key,
                reason: MissingReason::Destroyed,
            },
        });
        !stop.load(Ordering::Relaxed)
    };
    if let Err(error) = runtime.block_on(keeping.pass(driver::wall_clock(), tell)) {
        tracing::error!(%error, "recordings are not kept by their rules; tried again later");
    }
}
