//! Owns the telling of webhooks: what is read from the journal, sent, tried again, given up.
//!
//! A webhook follows the journal by a cursor of its own that the database keeps, so none of what
//! happened is lost by a crash, and a server that was away gets it when it is back. Each letter is sent
//! at least once, with the id of its event, by which a receiver knows one that comes again.

mod message;
mod schedule;
mod send;

use std::sync::Arc;
use std::time::Duration;

use journal::letters::{Fate, Letter, Letters};
use journal::{DatabaseError, Location, Progress};
use tokio::task::JoinSet;
use vocab::EventId;

use crate::driver::wall_clock;
use crate::settings::{Settings, Webhook};
use send::NotTaken;

/// Letters of one webhook under way at once. At 50 ms a letter these are 160 a second; eleven calls
/// a second have 66.
const AT_ONCE: u32 = 8;

/// Least time between two looks at the journal, so that letters of one moment go down in one
/// transaction.
const PACE: Duration = Duration::from_millis(50);

/// How long a quiet webhook waits before it looks for letters that are due again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long it waits when the database is away.
const DATABASE_AWAY: Duration = Duration::from_secs(2);

/// A webhook and the key of its signatures.
#[derive(Clone)]
struct Receiver {
    webhook: Arc<Webhook>,
    url: Arc<str>,
    secret: Arc<str>,
}

impl Receiver {
    /// Of settings.
    ///
    /// # Errors
    /// If the secret is not where they say.
    fn of(webhook: &Webhook, url: &str) -> Result<Self, String> {
        let secret = webhook.secret()?;
        Ok(Self {
            webhook: Arc::new(webhook.clone()),
            url: url.into(),
            secret: secret.into(),
        })
    }
}

/// Begins to tell the webhooks of the settings.
///
/// # Errors
/// If a secret is not where the settings say.
pub(crate) fn start(
    runtime: &tokio::runtime::Runtime,
    settings: &Settings,
    progress: &Progress,
) -> anyhow::Result<()> {
    for webhook in &settings.webhooks {
        let Some(url) = &webhook.url else { continue };
        let to = Receiver::of(webhook, url).map_err(anyhow::Error::msg)?;
        let database = settings.journal.database.clone();
        runtime.spawn(run(to, database, progress.clone()));
    }
    Ok(())
}

/// Tells a webhook whatever happens, for as long as the process lives.
async fn run(to: Receiver, database: Location, mut progress: Progress) {
    loop {
        if let Err(error) = tell(&to, &database, &mut progress).await {
            let webhook = to.webhook.name.as_str();
            tracing::warn!(webhook, %error, "a webhook waits for the journal's database");
        }
        tokio::time::sleep(DATABASE_AWAY).await;
    }
}

async fn tell(
    to: &Receiver,
    database: &Location,
    progress: &mut Progress,
) -> Result<(), DatabaseError> {
    let kinds = message::kinds(&to.webhook.events);
    let mut letters = Letters::open(database, &to.webhook.name).await?;
    // How often in a row the server was away.
    let mut away: u32 = 0;
    loop {
        progress.mark_seen();
        while letters.put_down(&kinds, wall_clock()).await? {}
        let at_once = if away > 0 { 1 } else { AT_ONCE };
        let due = letters.due(wall_clock(), at_once).await?;
        if due.is_empty() {
            let _ = tokio::time::timeout(LOOK_EVERY, progress.changed()).await;
            tokio::time::sleep(PACE).await;
            continue;
        }
        let sent = send_all(to, due).await;
        let gone = sent.iter().any(|(_, away)| *away);
        let fates: Vec<(EventId, Fate)> = sent.into_iter().map(|(fate, _)| fate).collect();
        letters.settle(&fates).await?;
        if gone {
            if away == 0 {
                let webhook = to.webhook.name.as_str();
                tracing::warn!(
                    webhook,
                    "the server of a webhook is away; letters wait for it"
                );
            }
            tokio::time::sleep(schedule::rest(away)).await;
            away = away.saturating_add(1);
        } else if away > 0 {
            away = 0;
            tracing::info!(webhook = to.webhook.name, "the server of a webhook is back");
        }
    }
}

/// Sends letters at the same time; what became of each, and whether the server was away.
async fn send_all(to: &Receiver, due: Vec<Letter>) -> Vec<((EventId, Fate), bool)> {
    let mut under_way = JoinSet::new();
    for letter in due {
        let to = to.clone();
        under_way.spawn_blocking(move || {
            let sent = send::send(&to, &letter.event, wall_clock());
            let away = sent.as_ref().is_err_and(|not_taken| not_taken.away);
            ((letter.event.id, fate(&to, &letter, sent)), away)
        });
    }
    let mut sent = Vec::new();
    while let Some(one) = under_way.join_next().await {
        match one {
            Ok(one) => sent.push(one),
            // A panic of the HTTP client: the letter is as it was, and is tried again.
            Err(error) => tracing::error!(%error, "the sending of a letter broke off"),
        }
    }
    sent
}

fn fate(to: &Receiver, letter: &Letter, sent: Result<(), NotTaken>) -> Fate {
    let Err(NotTaken { problem, .. }) = sent else {
        return Fate::Taken;
    };
    let give_up = to.webhook.give_up_after;
    let fate = schedule::after_failure(letter, wall_clock(), give_up, problem);
    if let Fate::Dead { problem, .. } = &fate {
        let (webhook, event) = (to.webhook.name.as_str(), letter.event.id);
        tracing::error!(webhook, %event, problem, "a letter of a webhook is given up");
    }
    fate
}
