//! Owns the alarms before audio is lost: a disk that hangs, one that is getting full, a finaliser that
//! falls behind. The watch never touches the disk itself, or it would hang with it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::shared::{Shared, Who};
use crate::{Limits, Report};

/// How often the watch looks, at most; it looks often enough to see [`crate::Limits::hangs_after`].
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often free space is asked for.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Starts the watch over writer and finaliser.
pub(crate) fn start(
    shared: Arc<Shared>,
    limits: Limits,
    report: impl Fn(Report) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let look_every = LOOK_EVERY.min(limits.hangs_after / 2);
    std::thread::Builder::new()
        .name("recorder-watch".into())
        .spawn(move || {
            let mut late = false;
            while !shared.stopping() {
                watch(&shared, limits.hangs_after, &report);
                late = look_at_lag(&shared, limits.late_after, late, &report);
                std::thread::park_timeout(look_every);
            }
        })
}

fn watch(shared: &Shared, hangs_after: Duration, report: &impl Fn(Report)) {
    match shared.writing_for() {
        Some(lasted) if lasted >= hangs_after => {
            let ms = lasted.as_millis();
            let message =
                format!("the disk of the recording spool hangs: a write has lasted {ms} ms");
            shared.disk_failed(Who::Watch, message, report);
        }
        _ => shared.disk_works(Who::Watch, report),
    }
}

/// Tells once when the finaliser is late, and once when it is not any more; whether it is.
fn look_at_lag(
    shared: &Shared,
    late_after: Duration,
    before: bool,
    report: &impl Fn(Report),
) -> bool {
    let lag = shared.lag();
    let late = lag >= late_after;
    if late && !before {
        let waiting = shared.counts().waiting;
        report(Report::FinaliserLate { lag, waiting });
    } else if before && !late {
        report(Report::FinaliserInTime);
    }
    late
}

/// How full the disks are. Asked by the pen, between its writes.
pub(crate) struct Gauge {
    disk: Arc<dyn Disk>,
    low_water: u64,
    folders: [PathBuf; 2],
    measured: Option<Instant>,
    low: bool,
}

impl Gauge {
    pub(crate) const fn new(disk: Arc<dyn Disk>, low_water: u64, folders: [PathBuf; 2]) -> Self {
        Self {
            disk,
            low_water,
            folders,
            measured: None,
            low: false,
        }
    }

    /// Measures if it is time to, and tells of a change.
    pub(crate) fn look(&mut self, report: &impl Fn(Report)) {
        let now = Instant::now();
        let soon = self
            .measured
            .is_some_and(|before| now.duration_since(before) < MEASURE_EVERY);
        if self.low_water == 0 || soon {
            return;
        }
        self.measured = Some(now);
        let lowest = self
            .folders
            .iter()
            .filter_map(|folder| Some((self.disk.free(folder).ok()?, folder)))
            .min();
        let Some((free, path)) = lowest else {
            return;
        };
        let low = free < self.low_water;
        if low && !self.low {
            let path = path.clone();
            report(Report::LowWater { path, free });
        } else if !low && self.low {
            report(Report::RoomAgain);
        }
        self.low = low;
    }
}
