//! Owns the watch on the table of operators: what `hotline user` changes, the running engine
//! knows within a second.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use journal::operators::{Operator, WaitingMessages, Watch};
use journal::{Location, messages};
use sip::subscription::Waiting;
use switch::{FixedAddress, Input};

use crate::driver::Inbox;

/// How often the table is asked whether it changed.
const EVERY: Duration = Duration::from_millis(500);

/// What waits for operators: what a voice mail system beside the engine tells (`hotline user
/// waiting`), and the messages of our own callers.
struct Waitings {
    database: Location,
    messages: messages::Watch,
    left: BTreeMap<String, WaitingMessages>,
    told: BTreeMap<String, Waiting>,
}

impl Waitings {
    async fn open(database: &Location) -> anyhow::Result<Self> {
        Ok(Self {
            database: database.clone(),
            messages: messages::Watch::open(database).await?,
            left: BTreeMap::new(),
            told: BTreeMap::new(),
        })
    }

    /// Hands in what is different from what was handed in before; after the table, by which the
    /// operators are known. `anew`: the table is another one.
    async fn hand_in(&mut self, inbox: &Inbox, anew: bool) -> anyhow::Result<()> {
        match self.messages.changes().await? {
            Some(left) => self.left = left,
            None if anew => {}
            None => return Ok(()),
        }
        for (login, beside) in journal::operators::waiting(&self.database).await? {
            let ours = self.left.get(&login).copied().unwrap_or_default();
            let waiting = Waiting {
                new: beside.new.saturating_add(ours.new),
                old: beside.old.saturating_add(ours.old),
            };
            let before = self.told.insert(login.clone(), waiting);
            // Who left the table for a while is forgotten by the switch, which takes the same twice.
            if anew || before.unwrap_or_default() != waiting {
                inbox.input(Input::MessagesWaiting { login, waiting });
            }
        }
        Ok(())
    }
}

/// Hands the table to the engine; the future that comes back goes on watching it.
pub(super) async fn follow(
    database: &Location,
    listening: Vec<SocketAddr>,
    inbox: Inbox,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let mut watch = Watch::open(database).await?;
    let mut waitings = Waitings::open(database).await?;
    if let Some(operators) = watch.changes().await? {
        hand_in(&inbox, &listening, operators);
        waitings.hand_in(&inbox, true).await?;
    }
    Ok(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            let anew = match watch.changes().await {
                Ok(Some(operators)) => {
                    hand_in(&inbox, &listening, operators);
                    true
                }
                Ok(None) => false,
                Err(error) => {
                    tracing::warn!(%error, "the table of operators cannot be read");
                    continue;
                }
            };
            if let Err(error) = waitings.hand_in(&inbox, anew).await {
                tracing::warn!(%error, "the waiting messages cannot be read");
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
    Waitings::open(database).await?.hand_in(inbox, true).await
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
