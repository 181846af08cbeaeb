//! Owns what stands beyond calls: what operators chose, which queues are closed. The fold of those
//! facts into the table `standing`, the last word of each, and its reading at the start.

use std::collections::BTreeMap;
use std::path::Path;

use vocab::{CallId, Callback, Duty, Event, Fact, Order, Standing};

use crate::bindings::{self, BindingsError};
use crate::db::{Connection, Location};
use crate::remembered;

/// What an operator chose, by login.
const DUTY: &str = "duty";
/// A queue that a supervisor closed, by name.
const CLOSED: &str = "closed_queue";
/// A callback that is owed, by the call that was promised it.
const CALLBACK: &str = "callback";

/// The last word about each thing: kind and key, and what stands; none if nothing does any more.
#[derive(Debug, Default)]
struct Fold(BTreeMap<(&'static str, String), Option<String>>);

/// Kinds of facts that the fold takes, as the table of events names them.
pub(crate) const KINDS: [&str; 4] = [
    "operator_on_duty",
    "ordered",
    "callback_owed",
    "callback_settled",
];

impl Fold {
    fn note(&mut self, event: &Event) {
        match &event.fact {
            Fact::OperatorOnDuty { operator, duty, .. } => {
                let json = serde_json::to_string(duty).ok();
                self.0.insert((DUTY, operator.login.clone()), json);
            }
            Fact::CallbackOwed { call, callback } => {
                // Whose number was destroyed is called no more.
                let number = (!callback.number.is_empty()).then_some(callback);
                let json = number.and_then(|callback| serde_json::to_string(callback).ok());
                self.0.insert((CALLBACK, call.to_string()), json);
            }
            Fact::CallbackSettled { call, .. } => {
                self.0.insert((CALLBACK, call.to_string()), None);
            }
            Fact::Ordered { order, .. } => match order {
                Order::CloseQueue { queue } => {
                    self.0
                        .insert((CLOSED, queue.clone()), Some("{}".to_owned()));
                }
                Order::OpenQueue { queue } => {
                    self.0.insert((CLOSED, queue.clone()), None);
                }
                // What they change is told by facts of its own, or ends with the call.
                Order::SignIn { .. }
                | Order::SignOut { .. }
                | Order::Choose { .. }
                | Order::Ready { .. }
                | Order::Skills { .. }
                | Order::Priority { .. }
                | Order::Pull { .. }
                | Order::Assign { .. }
                | Order::CallBack { .. }
                | Order::Settle { .. }
                | Order::Supervise { .. }
                | Order::EndSupervision { .. }
                | Order::Conference { .. }
                | Order::Move { .. } => {}
            },
            _ => {} // Facts of calls and of the engine: the table of all of them is `events`.
        }
    }
}

/// Brings the table up to a batch of events.
pub(crate) async fn write(connection: &mut Connection, batch: &[Event]) -> Result<(), sqlx::Error> {
    let mut fold = Fold::default();
    for event in batch {
        fold.note(event);
    }
    for ((kind, key), json) in fold.0 {
        match json {
            Some(json) => {
                connection
                    .run(
                        "INSERT INTO standing (kind, key, json) VALUES ($1, $2, $3)
                         ON CONFLICT (kind, key) DO UPDATE SET json = excluded.json",
                        &[kind.to_owned().into(), key.into(), json.into()],
                    )
                    .await?;
            }
            None => {
                connection
                    .run(
                        "DELETE FROM standing WHERE kind = $1 AND key = $2",
                        &[kind.to_owned().into(), key.into()],
                    )
                    .await?;
            }
        }
    }
    Ok(())
}

/// What stands as of the last event on disk. `boot`: the one that now begins.
///
/// # Errors
/// If database or event files cannot be read.
pub async fn load(
    events: &Path,
    database: impl Into<Location>,
    boot: u32,
) -> Result<Standing, BindingsError> {
    let database = &database.into();
    let sql = "SELECT kind, key, json FROM standing";
    let (rows, newer): (Vec<(String, String, String)>, Vec<Event>) =
        bindings::with_newer(events, database, boot, sql, |fact| {
            matches!(
                fact,
                Fact::OperatorOnDuty { .. }
                    | Fact::Ordered { .. }
                    | Fact::CallbackOwed { .. }
                    | Fact::CallbackSettled { .. }
            )
        })
        .await?;
    let mut fold = Fold::default();
    for (kind, key, json) in rows {
        let known = [DUTY, CLOSED, CALLBACK]
            .into_iter()
            .find(|known| *known == kind);
        if let Some(kind) = known {
            fold.0.insert((kind, key), Some(json));
        }
    }
    for event in &newer {
        fold.note(event);
    }
    let mut standing = Standing {
        remembered: remembered::load(events, database, boot).await?,
        ..Standing::default()
    };
    for ((kind, key), json) in fold.0 {
        let Some(json) = json else { continue };
        if kind == CLOSED {
            standing.closed.push(key);
            continue;
        }
        if kind == CALLBACK {
            let what = serde_json::from_str::<Callback>(&json).ok();
            match (key.parse::<CallId>().ok(), what) {
                (Some(call), Some(what)) => standing.callbacks.push((call, what)),
                _ => tracing::error!(key, "a callback that is owed is unreadable"),
            }
            continue;
        }
        match serde_json::from_str::<Duty>(&json) {
            Ok(duty) => {
                standing.duties.insert(key, duty);
            }
            Err(error) => tracing::error!(%error, key, "what an operator chose is unreadable"),
        }
    }
    Ok(standing)
}
