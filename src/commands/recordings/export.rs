//! Owns `hotline recordings export`.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;

use anyhow::{Context, bail};
use recorder::Deed;
use recorder::export::{self, Kind};

use crate::cli::{RecordingExport, RecordingForm};
use crate::driver;

pub(super) fn export(wanted: &RecordingExport) -> anyhow::Result<ExitCode> {
    let settings = super::super::load(&wanted.of.config.config)?;
    let keys = super::keys(&settings)?;
    let call = wanted.of.call;
    let mut stored = super::stored(&settings, call)?;
    if let Some(segment) = wanted.segment {
        stored.retain(|(row, _)| row.key().segment == segment);
    }
    if stored.is_empty() {
        bail!("call {call} has no recording of what was asked for");
    }
    let mut sounds = Vec::new();
    for (_, stored) in &stored {
        if let Some(fault) = stored.fault(&keys)? {
            bail!("{} is not as it was stored: {fault}", stored.manifest.file);
        }
        let sound = stored.sound(&keys);
        sounds.push(sound.with_context(|| format!("{} cannot be read", stored.manifest.file))?);
    }
    let (kind, format) = match wanted.format {
        RecordingForm::Wav => (Kind::Wav, "wav"),
        RecordingForm::Opus => (Kind::Opus, "opus"),
    };
    // Before the audio leaves: an export that is not written down does not happen.
    let deed = Deed::Exported {
        call,
        segments: stored.iter().map(|(row, _)| row.key().segment).collect(),
        format: format.to_owned(),
        by: super::who(),
    };
    super::chain(&settings)
        .append(driver::wall_clock(), deed)
        .context("the export cannot be written into the chain of recordings")?;
    let out: Box<dyn Write> = if wanted.to.as_os_str() == "-" {
        Box::new(io::stdout().lock())
    } else {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&wanted.to)
            .with_context(|| format!("cannot write {}", wanted.to.display()))?;
        Box::new(file)
    };
    let ms = export::write(sounds, kind, BufWriter::new(out))?;
    eprintln!("hotline: {} s of call {call} exported", ms / 1_000);
    Ok(ExitCode::SUCCESS)
}
