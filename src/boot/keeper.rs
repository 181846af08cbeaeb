//! Owns the thread that keeps recordings: the manifest of each call that is over, archive and
//! destruction when their time has come, and what goes into the bucket; at low priority, beside the calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bucket::Next;
use switch::Input;
use vocab::MissingReason;

use crate::driver::{self, Inbox};
use crate::keeping::{Calls, Done, Keeping, Uploads};
use crate::priority;

/// How often it is looked what is due; the ages are in days.
const EVERY: Duration = Duration::from_secs(3_600);
/// The first look comes soon after the start, but not into it.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// How often it is looked for calls that are over.
const CALLS_EVERY: Duration = Duration::from_secs(10);
/// When it is first looked what waits for the bucket: what the last stop cut off goes on soon.
const UPLOADS_AFTER: Duration = Duration::from_secs(5);
/// How long one upload goes on before it is looked for other work; never less than a part.
const UPLOAD_SLICE: Duration = Duration::from_secs(5);
/// How long a stop waits for a bucket that says nothing. All that is done here can be cut off at any moment.
const LAST_WORK: Duration = Duration::from_secs(10);
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
        let Some(thread) = self.thread.take() else {
            return;
        };
        let until = Instant::now() + LAST_WORK;
        while !thread.is_finished() {
            if Instant::now() >= until {
                tracing::warn!("the keeper of recordings waits for the bucket, and is left there");
                return;
            }
            std::thread::sleep(LOOK_EVERY / 10);
        }
        if thread.join().is_err() {
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
    let mut uploads = Uploads::default();
    let mut uploads_due = Instant::now() + UPLOADS_AFTER;
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
            uploads_due = now;
        } else if now >= uploads_due {
            uploads_due = due + EVERY;
            if let Err(error) = keeping.look_for_uploads(&mut uploads, driver::wall_clock()) {
                tracing::error!(%error, "nothing is uploaded; tried again later");
            }
        } else if uploads.is_due(driver::wall_clock()) {
            upload(keeping, &mut uploads, stop);
        } else {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    // Those of the calls that ended last.
    if let Err(error) = runtime.block_on(keeping.write_calls(&mut calls)) {
        tracing::error!(%error, "manifests of calls are written by the next start");
    }
}

fn upload(keeping: &Keeping, uploads: &mut Uploads, stop: &AtomicBool) {
    let until = Instant::now() + UPLOAD_SLICE;
    let go_on = |next: Next| {
        let in_time = match next {
            Next::Part => Instant::now() < until,
            Next::Reading => true,
        };
        in_time && !stop.load(Ordering::Relaxed)
    };
    if let Err(error) = keeping.upload_next(uploads, driver::wall_clock(), &go_on) {
        let error = format!("{error:#}");
        tracing::error!(%error, "a recording is not uploaded; tried again later");
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
