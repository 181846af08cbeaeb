//! Owns the way of orders into the running engine, whoever gives them: the command line, the API.

use std::collections::BTreeMap;

use console::Given;
use journal::Location;
use vocab::{Instruction, Order, OrderRefusal};

use crate::driver::Inbox;

/// Where orders go.
#[derive(Clone)]
pub(super) struct Orders {
    pub(super) inbox: Inbox,
    pub(super) database: Location,
}

impl console::Orders for Orders {
    fn give(&self, wanted: Instruction) -> Given<'_> {
        Box::pin(async move {
            let carried_out = self.inbox.order(wanted.clone()).await;
            let event = carried_out.map_err(|_| OrderRefusal::Unavailable {
                cause: "the engine is about to stop".to_owned(),
            })??;
            if let Order::Skills { operator, skills } = wanted.order {
                self.keep_skills(operator, skills);
            }
            Ok(event)
        })
    }
}

impl Orders {
    /// Writes skills into the table of operators, from which they come at the next start. The opening
    /// of a database for writing may wait, so it is done aside.
    fn keep_skills(&self, operator: String, skills: BTreeMap<String, u8>) {
        let database = self.database.clone();
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let kept = runtime.block_on(async {
                let all = journal::operators::list(&database).await?;
                let by_login = all.iter().find(|one| one.login == operator);
                let found = by_login.or_else(|| all.iter().find(|one| one.line == operator));
                let login = found.map_or(operator.as_str(), |one| one.login.as_str());
                journal::operators::set_skills(&database, login, &skills).await
            });
            if let Err(error) = kept {
                tracing::error!(%error, operator, "skills are in force and cannot be kept");
            }
        });
    }
}
