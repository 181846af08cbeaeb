//! Owns the emergency switches as people set them: the fold of their events into the table
//! `emergencies`, and its reading at the start. What a plan's file says is not known here.

use std::collections::BTreeMap;
use std::path::Path;

use vocab::{Event, Fact};

use crate::apply;
use crate::bindings::{BindingsError, with_newer};
use crate::db::{Connection, Location};

/// The last word about each plan.
type Fold = BTreeMap<String, Event>;

fn note(fold: &mut Fold, event: &Event) {
    if let Fact::EmergencySwitched { plan, .. } = &event.fact {
        fold.insert(plan.clone(), event.clone());
    }
}

/// Brings the table up to a batch of events.
pub(crate) async fn write(connection: &mut Connection, batch: &[Event]) -> Result<(), sqlx::Error> {
    let mut fold = Fold::new();
    for event in batch {
        note(&mut fold, event);
    }
    for (plan, event) in fold {
        let json =
            serde_json::to_string(&event).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        connection
            .run(
                "INSERT INTO emergencies (plan, json) VALUES ($1, $2)
                 ON CONFLICT (plan) DO UPDATE SET json = excluded.json",
                &[plan.into(), json.into()],
            )
            .await?;
    }
    Ok(())
}

/// Where each switch stands as of the last event on disk, in the order of the plans' names; each event
/// is an `EmergencySwitched`. `boot`: the one that now begins, or the highest for whoever only looks.
///
/// # Errors
/// If database or event files cannot be read.
pub async fn load(
    events: &Path,
    database: impl Into<Location>,
    boot: u32,
) -> Result<Vec<Event>, BindingsError> {
    let database = &database.into();
    let sql = "SELECT json FROM emergencies";
    let (rows, newer): (Vec<(String,)>, Vec<Event>) =
        with_newer(events, database, boot, sql, |fact| {
            matches!(fact, Fact::EmergencySwitched { .. })
        })
        .await?;
    let mut fold = Fold::new();
    for event in rows.iter().filter_map(|(json,)| apply::read(json)) {
        note(&mut fold, &event);
    }
    for event in &newer {
        note(&mut fold, event);
    }
    Ok(fold.into_values().collect())
}
