//! Owns the watch on the lists of callers: what a file or `hotline callers` changes, the running engine
//! knows within a second.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use journal::callers::{Listed, Watch};
use switch::{Input, KnownCaller};

use crate::driver::Inbox;
use crate::settings::{CallerLine, CallerList, Settings, read_list};

/// How often the table and the files are asked whether they changed.
const EVERY: Duration = Duration::from_millis(500);

/// What tells that a file changed.
type Stamp = Option<(SystemTime, u64)>;

/// The lists, and what was read of them last.
struct Lists {
    lists: Vec<CallerList>,
    /// By path: a file that cannot be read, or is wrong, leaves what was read before.
    files: BTreeMap<PathBuf, (Stamp, Vec<CallerLine>)>,
    table: Vec<Listed>,
    watch: Watch,
}

impl Lists {
    /// Reads what changed; says whether anything did.
    async fn look(&mut self) -> bool {
        let mut changed = false;
        match self.watch.changes().await {
            Ok(Some(table)) => {
                self.table = table;
                changed = true;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the table of callers cannot be read"),
        }
        for path in self.lists.iter().filter_map(|list| list.file.clone()) {
            let stamp = stamp(&path);
            let known = self.files.get(&path);
            if known.is_some_and(|(before, _)| *before == stamp) {
                continue;
            }
            let before = known.map(|(_, lines)| lines.clone()).unwrap_or_default();
            let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
            let lines = text.and_then(|text| read_list(&text)).unwrap_or_else(|problem| {
                tracing::error!(path = %path.display(), problem, "a list of callers stays as it was");
                before
            });
            self.files.insert(path, (stamp, lines));
            changed = true;
        }
        changed
    }

    /// All numbers with what their lists say.
    fn known(&self) -> Vec<KnownCaller> {
        let mut known = Vec::new();
        for list in &self.lists {
            let mut add = |number: &str, owner: Option<&String>| {
                known.push(KnownCaller {
                    number: number.to_owned(),
                    list: list.name.clone(),
                    priority: u8::try_from(list.priority).unwrap_or(u8::MAX),
                    credit: list.credit,
                    owner: owner.or(list.owner.as_ref()).cloned(),
                    blocked: list.blocked,
                });
            };
            let lines = list.file.as_ref().and_then(|path| self.files.get(path));
            for line in lines.into_iter().flat_map(|(_, lines)| lines) {
                add(&line.number, line.owner.as_ref());
            }
            for row in self.table.iter().filter(|row| row.list == list.name) {
                add(&row.number, row.owner.as_ref());
            }
        }
        known
    }
}

fn stamp(path: &std::path::Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// Hands the lists to the engine; the future that comes back goes on watching them.
pub(super) async fn follow(
    settings: &Settings,
    inbox: Inbox,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let mut lists = Lists {
        lists: settings.caller_lists.clone(),
        files: BTreeMap::new(),
        table: Vec::new(),
        watch: Watch::open(&settings.journal.database).await?,
    };
    if lists.look().await && !lists.lists.is_empty() {
        inbox.input(Input::Callers(lists.known()));
    }
    Ok(async move {
        while !lists.lists.is_empty() {
            tokio::time::sleep(EVERY).await;
            if lists.look().await {
                let known = lists.known();
                tracing::info!(numbers = known.len(), "lists of callers loaded");
                inbox.input(Input::Callers(known));
            }
        }
    })
}
