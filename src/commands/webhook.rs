//! Owns `hotline webhook`: how webhooks stand, and the letters that were given up.

use std::process::ExitCode;

use anyhow::bail;
use journal::export;
use journal::letters::{self, DeadLetter, Standing};
use vocab::WallTime;

use super::journal::block_on;
use crate::cli::{Resend, WebhookCommand, WebhookNamed};
use crate::driver::wall_clock;

pub(super) fn run(command: WebhookCommand) -> anyhow::Result<ExitCode> {
    match command {
        WebhookCommand::List(config) => {
            let settings = super::load(&config.config)?;
            let standings = block_on(letters::standings(&settings.journal.database))??;
            let lines = standings.iter().map(standing);
            super::print_out(&lines.collect::<String>())?;
        }
        WebhookCommand::Dead(WebhookNamed { name, config }) => {
            let settings = super::load(&config.config)?;
            let database = &settings.journal.database;
            let dead = block_on(letters::dead(database, name.as_deref()))??;
            super::print_out(&dead.iter().map(dead_letter).collect::<String>())?;
        }
        WebhookCommand::Resend(which) => resend(&which)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn resend(which: &Resend) -> anyhow::Result<()> {
    let settings = super::load(&which.config.config)?;
    let database = &settings.journal.database;
    let known = block_on(letters::standings(database))??;
    if !known.iter().any(|one| one.webhook == which.name) {
        let names: Vec<&str> = known.iter().map(|one| one.webhook.as_str()).collect();
        bail!(
            "no webhook {:?} ever ran here; known: {}",
            which.name,
            names.join(", ")
        );
    }
    let events = (!which.event.is_empty()).then_some(which.event.as_slice());
    let sent = letters::send_again(database, &which.name, events, wall_clock());
    let sent = block_on(sent)??;
    super::print_out(&format!("{}: {sent} sent again\n", which.name))
}

fn standing(one: &Standing) -> String {
    let Standing {
        webhook,
        waiting,
        dead,
        ..
    } = one;
    let oldest = one.oldest_at.map(|at| format!(" since {}", moment(at)));
    let problem = one.problem.as_ref().map(|why| format!(": {why}"));
    format!(
        "{webhook}: {waiting} on their way{}{}, {dead} given up\n",
        oldest.unwrap_or_default(),
        problem.unwrap_or_default()
    )
}

fn dead_letter(one: &DeadLetter) -> String {
    let DeadLetter {
        webhook,
        event,
        fact,
        attempts,
        dead_at,
        problem,
    } = one;
    let at = moment(*dead_at);
    format!("{webhook} {event} {fact}: given up {at} after {attempts} tries: {problem}\n")
}

fn moment(ms: i64) -> String {
    export::utc(WallTime::from_unix_millis(ms))
}
