//! Owns the alarms before audio is lost: a disk that hangs, and one that is getting full. The watch
//! never touches the disk itself, or it would hang with it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Report;
use crate::disk::Disk;
use crate::shared::{Shared, Who};

/// How often the watch looks, at most; it looks often enough to see [`crate::Limits::hangs_after`].
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often free space is asked for.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Starts the watch over the writer.
pub(crate) fn start(
    shared: Arc<Shared>,
    hangs_after: Duration,
    report: impl Fn(Report) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("recorder-watch".into())
        .spawn(move || {
            while !shared.stopping() {
                watch(&shared, hangs_after, &report);
                std::thread::park_timeout(LOOK_EVERY.min(hangs_after / 2));
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

/// How full the disks are. Asked by the writer, after a write that came through.
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
