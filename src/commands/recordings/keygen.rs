//! Owns `hotline recordings keygen`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

pub(super) fn keygen(path: &Path) -> anyhow::Result<ExitCode> {
    let (text, recipient) = recorder::crypt::new_identity();
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .with_context(|| format!("cannot write {}", path.display()))?;
    super::super::print_out(&format!("{recipient}\n"))?;
    Ok(ExitCode::SUCCESS)
}
