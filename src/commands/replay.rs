//! Owns `hotline replay`: whether the engine does the same again.

use std::process::ExitCode;

use crate::cli::Replay;
use crate::input_log;

pub(super) fn run(wanted: &Replay) -> anyhow::Result<ExitCode> {
    let settings = super::load(&wanted.config.config)?;
    let replayed = input_log::replay(&wanted.file, &settings)?;
    let input_log::Replayed {
        steps,
        messages,
        facts,
        ended,
        difference,
    } = replayed;
    if let Some((step, made)) = difference {
        let text = format!("step {step} does something else now, {made}\n");
        super::print_out(&text)?;
        return Ok(ExitCode::FAILURE);
    }
    let end = if ended {
        ""
    } else {
        "; the log ends before its process did"
    };
    super::print_out(&format!(
        "{steps} steps, {messages} messages, {facts} facts: all as they were{end}\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}
