//! Owns `hotline recordings show`: what a manifest says, for people.

use std::fmt::Write as _;
use std::process::ExitCode;

use recorder::{Manifest, SideManifest};
use vocab::{HeardSide, Unheard};

use crate::cli::RecordingOf;

pub(super) fn show(of: &RecordingOf) -> anyhow::Result<ExitCode> {
    let settings = super::super::load(&of.config.config)?;
    let stored = super::stored(&settings, of.call)?;
    if stored.is_empty() {
        anyhow::bail!("call {} has no recording", of.call);
    }
    let mut text = String::new();
    for (_, stored) in &stored {
        write_manifest(&mut text, &stored.manifest)?;
    }
    super::super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn write_manifest(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    let Manifest {
        segment,
        file,
        started_at,
        encoding,
        sample_rate,
        ..
    } = manifest;
    writeln!(text, "segment {segment}: {file}")?;
    let locked = match &manifest.encryption {
        Some(encryption) => format!("encrypted to {}", encryption.recipients.join(", ")),
        None => "not encrypted".to_owned(),
    };
    let length = seconds(manifest.duration_ms);
    writeln!(
        text,
        "  {started_at}, {length}, {encoding} at {sample_rate} Hz, {locked}"
    )?;
    let heard = manifest.heard.as_ref();
    for (name, side, heard) in [
        ("caller", &manifest.caller, heard.map(|heard| &heard.caller)),
        (
            "operator",
            &manifest.operator,
            heard.map(|heard| &heard.operator),
        ),
    ] {
        write_side(text, name, side, heard)?;
    }
    if let Some(heard) = heard {
        writeln!(
            text,
            "  dead air {} (longest silence {}), both spoke {}",
            seconds(heard.dead_air_ms),
            seconds(heard.dead_air_longest_ms),
            seconds(heard.talk_over_ms)
        )?;
        if let Some(unheard) = heard.unheard {
            let who = match unheard {
                Unheard::Caller => "the caller was",
                Unheard::Operator => "the operator was",
                Unheard::Both => "neither side was",
            };
            writeln!(text, "  {who} not heard")?;
        }
    }
    for pause in &manifest.pauses {
        let reason = format!("{:?}", pause.reason).to_lowercase();
        let (from, to) = (seconds(pause.from_ms), seconds(pause.to_ms));
        writeln!(text, "  paused from {from} to {to}: {reason}")?;
    }
    for gap in &manifest.gaps {
        let side = format!("{:?}", gap.side).to_lowercase();
        let (from, to) = (seconds(gap.from_ms), seconds(gap.to_ms));
        let packets = gap.packets;
        writeln!(
            text,
            "  gap from {from} to {to}: {packets} packets of the {side} not kept"
        )?;
    }
    if manifest.repaired {
        writeln!(text, "  put together from the spool after a crash")?;
    }
    Ok(())
}

fn write_side(
    text: &mut String,
    name: &str,
    side: &SideManifest,
    heard: Option<&HeardSide>,
) -> std::fmt::Result {
    let codecs = side.codecs.join(", ");
    let (packets, lost) = (side.packets, side.lost);
    write!(text, "  {name}: {codecs}, {packets} packets, {lost} lost")?;
    if let Some(heard) = heard {
        write!(text, ", spoke {}", seconds(heard.speech_ms))?;
        if let Some(level) = heard.level {
            write!(text, " at {:.1} dBov", f64::from(level) / 10.0)?;
        }
        if heard.clipped > 0 {
            write!(text, ", {} samples clipped", heard.clipped)?;
        }
    }
    writeln!(text)
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}
