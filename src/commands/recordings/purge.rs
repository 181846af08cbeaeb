//! Owns `hotline recordings purge`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;

use super::super::journal::block_on;
use crate::cli::Purge;
use crate::driver;
use crate::keeping::{Candidate, CardDue, Due, Keeping, Passed, PersonalDue, Uploads};
use crate::settings::Settings;

pub(super) fn purge(wanted: &Purge) -> anyhow::Result<ExitCode> {
    let settings = super::super::load(&wanted.config.config)?;
    let keeping = Keeping::of(&settings)?;
    let now = driver::wall_clock();
    if wanted.dry_run {
        let plan = block_on(keeping.plan(now))??;
        let personal = block_on(keeping.plan_personal(now))??;
        let mut text = text_of(&plan, &personal)?;
        text.insert_str(0, &cards(&block_on(keeping.plan_cards(now))??)?);
        super::super::print_out(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let _engine_off = lock(&settings)?;
    // The journal is told by the engine's next start: the chain says what was done.
    let Passed { done, mut failed } = block_on(keeping.pass(now, |_| true))??;
    let (uploaded, waiting) = upload(&keeping, &mut failed)?;
    let mut text = format!(
        "{done} recordings destroyed or archived, cards destroyed, entries without their personal fields\n"
    );
    if uploaded + waiting > 0 {
        writeln!(
            text,
            "{uploaded} recordings uploaded, {waiting} wait for the bucket"
        )?;
    }
    super::super::print_out(&text)?;
    for why in &failed {
        eprintln!("hotline: {why}");
    }
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Uploads each recording that waits, or tries to; how many are there, and how many wait on.
fn upload(keeping: &Keeping, failed: &mut Vec<String>) -> anyhow::Result<(usize, usize)> {
    let mut uploads = Uploads::default();
    keeping.look_for_uploads(&mut uploads, driver::wall_clock())?;
    let waiting = uploads.waiting();
    for _ in 0..waiting {
        let done = keeping.upload_next(&mut uploads, driver::wall_clock(), &|_| true);
        failed.extend(done.err().map(|error| format!("{error:#}")));
    }
    Ok((waiting - uploads.waiting(), uploads.waiting()))
}

/// A running engine has the spool, and does this itself.
fn lock(settings: &Settings) -> anyhow::Result<std::fs::File> {
    let spool = &settings.recordings.spool;
    std::fs::create_dir_all(spool)?;
    let file = std::fs::File::create(spool.join("lock"))?;
    if file.try_lock().is_err() {
        bail!("the engine runs and does this itself; `--dry-run` shows what is due");
    }
    Ok(file)
}

fn cards(due: &[CardDue]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for CardDue { person, reason, .. } in due {
        writeln!(text, "destroy  card {person}: {reason}")?;
    }
    Ok(text)
}

fn text_of(plan: &[Candidate], personal: &[PersonalDue]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let (mut destroyed, mut archived, mut held) = (0, 0, 0);
    for one in plan {
        let (call, segment) = (one.key.call, one.key.segment);
        match (&one.due, &one.held) {
            (_, Some(reason)) => {
                held += 1;
                writeln!(text, "held     {call} segment {segment}: {reason}")?;
            }
            (Due::Destroy(rule), None) => {
                destroyed += 1;
                writeln!(text, "destroy  {call} segment {segment}: {rule}")?;
            }
            (Due::Archive, None) => {
                archived += 1;
                writeln!(text, "archive  {call} segment {segment}")?;
            }
        }
    }
    let mut stripped = 0;
    for PersonalDue {
        call, reason, held, ..
    } in personal
    {
        match held {
            Some(held) => writeln!(text, "held     {call} personal fields: {held}")?,
            None => {
                stripped += 1;
                writeln!(text, "destroy  {call} personal fields: {reason}")?;
            }
        }
    }
    if stripped > 0 {
        writeln!(
            text,
            "personal fields of {stripped} entries would be destroyed"
        )?;
    }
    writeln!(
        text,
        "{destroyed} would be destroyed, {archived} archived, {held} are held; nothing was changed"
    )?;
    Ok(text)
}
