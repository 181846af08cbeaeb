//! Owns the watch on the table of operators: what `hotline user` changes, the running engine
//! knows within a second.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use journal::Location;
use journal::operators::{Operator, WaitingMessages, Watch};
use sip::subscription::Waiting;
use switch::{FixedAddress, Input};

use crate::driver::Inbox;

/// How often the table is asked whether it changed.
const EVERY: Duration = Duration::from_millis(500);

/// Hands the table to the engine; the future that comes back goes on watching it.
pub(super) async fn follow(
    database: &Location,
    listening: Vec<SocketAddr>,
    inbox: Inbox,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let mut watch = Watch::open(database).await?;
    if let Some(operators) = watch.changes().await? {
        hand_in(&inbox, &listening, operators);
        hand_in_waiting(&inbox, database).await?;
    }
    let database = database.clone();
    Ok(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            match watch.changes().await {
                Ok(Some(operators)) => {
                    hand_in(&inbox, &listening, operators);
                    if let Err(error) = hand_in_waiting(&inbox, &database).await {
                        tracing::warn!(%error, "the waiting messages cannot be read");
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the table of operators cannot be read"),
            }
        }
    })
}

/// Hands the table to the engine once.
pub(super) async fn read_once(
    database: &Location,
    listening: &[SocketAddr],
    inbox: &Inbox,
) -> anyhow::Result<()> {
    hand_in(inbox, listening, journal::operators::list(database).await?);
    hand_in_waiting(inbox, database).await
}

fn hand_in(inbox: &Inbox, listening: &[SocketAddr], operators: Vec<Operator>) {
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
            address: operator
                .address
                .and_then(|address| fixed_address(listening, &address)),
        })
        .collect();
    tracing::info!(operators = operators.len(), "operators loaded");
    inbox.input(Input::Operators(operators));
}

/// Hands in how many voice messages wait; after the table, by which the operators are known.
async fn hand_in_waiting(inbox: &Inbox, database: &Location) -> anyhow::Result<()> {
    for (login, WaitingMessages { new, old }) in journal::operators::waiting(database).await? {
        let waiting = Waiting { new, old };
        inbox.input(Input::MessagesWaiting { login, waiting });
    }
    Ok(())
}

/// The way to a line's fixed address, if there is one.
fn fixed_address(listening: &[SocketAddr], address: &str) -> Option<FixedAddress> {
    let uri = sip::Uri::parse(address).ok();
    let found = uri.and_then(|uri| {
        let remote = uri.socket_addr()?;
        let local = transport::local_toward(listening, remote)?;
        let flow = sip::Flow {
            transport: sip::Transport::Udp,
            local,
            remote,
        };
        Some(FixedAddress { uri, flow })
    });
    if found.is_none() {
        tracing::error!(
            address,
            "no way to a line's address: [sip] listen has none of its kind"
        );
    }
    found
}
