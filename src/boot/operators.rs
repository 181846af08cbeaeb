//! Owns the watch on the table of operators: what `hotline user` changes, the running engine
//! knows within a second.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use journal::operators::{Operator, Watch};
use switch::Input;

use crate::driver::Inbox;

/// How often the table is asked whether it changed.
const EVERY: Duration = Duration::from_millis(500);

/// Hands the table to the engine; the future that comes back goes on watching it.
pub(super) async fn follow(
    database: &Path,
    inbox: Inbox,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let mut watch = Watch::open(database).await?;
    if let Some(operators) = watch.changes().await? {
        hand_in(&inbox, operators);
    }
    Ok(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            match watch.changes().await {
                Ok(Some(operators)) => hand_in(&inbox, operators),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the table of operators cannot be read"),
            }
        }
    })
}

/// Hands the table to the engine once.
pub(super) async fn read_once(database: &Path, inbox: &Inbox) -> anyhow::Result<()> {
    hand_in(inbox, journal::operators::list(database).await?);
    Ok(())
}

fn hand_in(inbox: &Inbox, operators: Vec<Operator>) {
    let operators: Vec<switch::Operator> = operators
        .into_iter()
        .filter(|operator| operator.enabled)
        .map(|operator| switch::Operator {
            id: operator.id,
            login: operator.login,
            name: operator.name,
            line: operator.line,
            secrets: sip::Secrets {
                sha256: operator.ha1_sha256,
                md5: operator.ha1_md5,
            },
            skills: operator.skills,
        })
        .collect();
    tracing::info!(operators = operators.len(), "operators loaded");
    inbox.input(Input::Operators(operators));
}
