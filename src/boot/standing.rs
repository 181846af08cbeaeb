//! Owns the handing in of what stood before this process began: telephones, duties, closed queues,
//! callbacks, who talked to whom, emergency switches.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use switch::Input;
use tokio::runtime::Handle;

use crate::driver::Inbox;
use crate::settings::Settings;

/// Callers whose operators are handed in at once: a millisecond of the driver's.
const REGULARS_PIECE: usize = 1_000;
/// And then the driver has so long for calls.
const REGULARS_PAUSE: Duration = Duration::from_millis(20);

/// Hands in the telephones that were registered before. Without them the engine starts as well:
/// each telephone comes back with its next REGISTER.
pub(super) fn bindings(
    runtime: &Handle,
    settings: &Settings,
    boot: u32,
    (listening, inbox): (&[SocketAddr], &Inbox),
) {
    let ours = &settings.journal;
    let load = journal::bindings::load(&ours.events, &ours.database, boot);
    match runtime.block_on(load) {
        Ok(registrations) => inbox.input(Input::Bindings {
            registrations,
            listening: listening.to_vec(),
        }),
        Err(error) => tracing::error!(%error, "registered telephones are not taken up again"),
    }
}

/// Hands in what stood at the last event: who was on duty, which queues were closed. Without it the
/// engine starts as well, and everybody is as if nothing had been chosen.
pub(super) fn standing(runtime: &Handle, settings: &Settings, boot: u32, inbox: &Inbox) {
    let ours = &settings.journal;
    let load = journal::standing::load(&ours.events, &ours.database, boot);
    match runtime.block_on(load) {
        Ok(standing) => inbox.input(Input::Standing(standing)),
        Err(error) => tracing::error!(%error, "what operators chose is not taken up again"),
    }
}

/// Hands in who talked to whom longer ago, in pieces and while calls are taken already: the talks of a
/// month are a second's work for the database. Until then such callers go to whoever is free.
pub(super) fn regulars(runtime: &Handle, settings: &Settings, inbox: &Inbox) {
    let (database, inbox) = (settings.journal.database.clone(), inbox.clone());
    runtime.spawn(async move {
        match journal::regulars(&database).await {
            Ok(regulars) => {
                for piece in regulars.chunks(REGULARS_PIECE) {
                    inbox.input(Input::Regulars(piece.to_vec()));
                    tokio::time::sleep(REGULARS_PAUSE).await;
                }
            }
            Err(error) => tracing::error!(%error, "who talked to whom before is not known"),
        }
    });
}

/// Hands in the emergency switches that people have set. Should they not be readable, the plans' files
/// count, and that is told as loudly as can be.
pub(super) fn emergencies(runtime: &Handle, settings: &Settings, boot: u32, inbox: &Inbox) {
    let ours = &settings.journal;
    let load = journal::emergencies::load(&ours.events, &ours.database, boot);
    match runtime.block_on(load) {
        Ok(events) => {
            let switched: BTreeMap<String, bool> = events.iter().filter_map(switched).collect();
            for (plan, on) in &switched {
                tracing::warn!(plan, on, "the emergency switch stands as a person set it");
            }
            inbox.input(Input::Emergencies(switched));
        }
        Err(error) => tracing::error!(%error, "the emergency switches are not known"),
    }
}

/// The plan and the place of its switch, where it is not as the file says.
fn switched(event: &vocab::Event) -> Option<(String, bool)> {
    match &event.fact {
        vocab::Fact::EmergencySwitched { plan, on, .. } => Some((plan.clone(), (*on)?)),
        _ => None,
    }
}
