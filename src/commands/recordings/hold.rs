//! Owns `hotline recordings hold` and `release`: the legal hold on a call's recordings, and on the personal
//! fields of its entry.

use std::process::ExitCode;

use anyhow::{Context, bail};
use journal::query;
use recorder::Deed;

use super::super::journal::block_on;
use crate::cli::{Hold, RecordingOf};
use crate::driver;

pub(super) fn hold(wanted: &Hold) -> anyhow::Result<ExitCode> {
    let reason = wanted.reason.trim().to_owned();
    if reason.is_empty() {
        bail!("a hold needs a reason: --reason TEXT");
    }
    let call = wanted.of.call;
    let by = super::who();
    write(&wanted.of, Deed::Held { call, reason, by })
}

pub(super) fn release(of: &RecordingOf) -> anyhow::Result<ExitCode> {
    let by = super::who();
    write(of, Deed::Released { call: of.call, by })
}

fn write(of: &RecordingOf, deed: Deed) -> anyhow::Result<ExitCode> {
    let settings = super::super::load(&of.config.config)?;
    let entry = block_on(async {
        let mut journal = query::open(&settings.journal.database).await?;
        journal.entry(of.call).await
    })??;
    if entry.is_none() {
        bail!(
            "the journal has no entry {}: a typing mistake must not hold nothing",
            of.call
        );
    }
    super::chain(&settings)
        .append(driver::wall_clock(), deed)
        .context("the chain of recordings cannot be written")?;
    Ok(ExitCode::SUCCESS)
}
