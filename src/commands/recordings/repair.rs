//! Owns `hotline recordings repair`.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use recorder::Report;

use crate::settings::Settings;
use crate::{boot, driver};

pub(super) fn repair(settings: &Settings) -> anyhow::Result<ExitCode> {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&lines);
    let report = move |report: Report| {
        let line = match report {
            Report::Stored { key, file } => {
                format!("call {} segment {}: {}", key.call, key.segment, file.path)
            }
            Report::Missing { key, reason } => {
                format!(
                    "call {} segment {}: nothing left ({reason:?})",
                    key.call, key.segment
                )
            }
            Report::DiskTrouble { message } => message,
            Report::DiskFine
            | Report::LowWater { .. }
            | Report::RoomAgain
            | Report::FinaliserLate { .. }
            | Report::FinaliserInTime => return,
        };
        told.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    };
    let told = boot::recorder_settings(settings)?;
    let (taps, recorder) = recorder::start(told, driver::wall_clock(), report)?;
    drop(taps);
    let left = recorder.pending();
    recorder.stop();
    let mended = recorder::mend::mend(
        &settings.recordings.root,
        &super::keys(settings)?,
        &mut super::chain(settings),
    )?;
    let mut text: String = lines
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    let recordings = text.lines().count();
    for done in &mended {
        text.push_str(&format!("{done}\n"));
    }
    text.push_str(&format!(
        "{recordings} recordings of the spool, {} things mended, {left} still wait for the disk\n",
        mended.len()
    ));
    super::super::print_out(&text)?;
    Ok(if left == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
