//! Owns `hotline recordings verify`.

use std::process::ExitCode;

use journal::query::{self, Range};
use journal::recordings::SegmentRecording;
use recorder::SigningKey;
use recorder::ledger::{Expected, Ledger};
use vocab::media::RecordingKey;

use super::super::journal::block_on;
use crate::cli::Verify;
use crate::keeping::Afar;
use crate::settings::Settings;

/// What was looked at.
#[derive(Debug, Default)]
struct Totals {
    segments: u64,
    verified: u64,
    reasons: u64,
    not_recorded: u64,
    files: u64,
    findings: u64,
}

pub(super) fn verify(wanted: &Verify) -> anyhow::Result<ExitCode> {
    let settings = super::super::load(&wanted.config.config)?;
    let keys = super::keys(&settings)?;
    let root = &settings.recordings.root;
    let ours = SigningKey::load(&settings.recordings.signing_key).ok();
    let public_key = wanted.public_key.clone().or(ours.map(|key| key.public()));
    let blind =
        settings.recordings.encryption == crate::settings::Encryption::Age && !keys.can_read();
    let afar = Afar::of_recorder(&settings)?;
    let mut ledger = Ledger::open(root, keys, public_key.as_deref())?.with_afar(afar);
    let mut totals = Totals::default();
    tell(&mut ledger, &mut totals)?;
    check_segments(wanted, &settings, &mut ledger, &mut totals)?;
    check_files(&settings, &mut ledger, &mut totals)?;
    let Totals {
        segments,
        verified,
        reasons,
        not_recorded,
        files,
        findings,
    } = totals;
    let lines = ledger.lines();
    super::super::print_out(&format!(
        "{segments} segments: {verified} with verified audio, {reasons} with a reason for none, \
         {not_recorded} not to be recorded; {files} files, {lines} lines of the chain\n"
    ))?;
    if blind {
        eprintln!("hotline: without recordings.identity nothing inside encrypted files was heard");
    }
    if findings > 0 {
        eprintln!("hotline: {findings} findings");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Journal against disk.
fn check_segments(
    wanted: &Verify,
    settings: &Settings,
    ledger: &mut Ledger,
    totals: &mut Totals,
) -> anyhow::Result<()> {
    let range = Range {
        from: wanted.from,
        to: wanted.to,
    };
    let mut after = None;
    loop {
        let page = block_on(async {
            let mut journal = query::open(&settings.journal.database).await?;
            journal.segments_to_record(range, after).await
        })??;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.key());
        for segment in &page {
            let expected = expected(segment);
            let good = ledger.check(&expected)?;
            totals.segments += 1;
            match (&expected.file, &expected.missing) {
                (_, Some(_)) => totals.reasons += u64::from(good),
                (Some(_), None) => totals.verified += u64::from(good),
                (None, None) => totals.not_recorded += u64::from(good && !expected.recorded),
            }
            tell(ledger, totals)?;
        }
    }
}

/// Disk against journal.
fn check_files(
    settings: &Settings,
    ledger: &mut Ledger,
    totals: &mut Totals,
) -> anyhow::Result<()> {
    if !settings.recordings.root.is_dir() {
        return Ok(());
    }
    // A connection to a server lives in the runtime that opened it, and in no other.
    let runtime = super::super::journal::runtime()?;
    let mut journal = runtime.block_on(query::open(&settings.journal.database))?;
    let mut failed = None;
    let known = |key: RecordingKey| match runtime.block_on(journal.segment_to_record(key)) {
        Ok(found) => found.and_then(|segment| segment.path),
        Err(error) => {
            failed = Some(error);
            None
        }
    };
    totals.files = ledger.check_orphans(known)?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    tell(ledger, totals)
}

fn tell(ledger: &mut Ledger, totals: &mut Totals) -> anyhow::Result<()> {
    for finding in ledger.findings() {
        totals.findings += 1;
        super::super::print_out(&format!("{finding}\n"))?;
    }
    Ok(())
}

fn expected(segment: &SegmentRecording) -> Expected {
    Expected {
        key: segment.key(),
        recorded: segment.recorded,
        talk_ms: segment.talk_ms.and_then(|ms| u64::try_from(ms).ok()),
        file: segment.path.clone().zip(segment.sha256.clone()),
        missing: segment.missing.clone(),
    }
}
