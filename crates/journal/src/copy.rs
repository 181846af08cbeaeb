//! Owns the carrying of a whole journal from one database to another, of whichever kinds: the move from
//! SQLite to PostgreSQL and back, a backup and its return. What is copied is what cannot be computed:
//! events, operators with the secrets of their telephones, who may sign in, registrations, what was
//! destroyed by which act, how far the event files are applied. Rows of entries are computed from the events at the other end.
//!
//! The source is read in one view, so a copy made while the engine runs is of one moment. Copying into
//! a database that has a part already adds what is missing: a copy that was broken off is begun again.

use crate::apply::{self, OnConflict};
use crate::callers;
use crate::db::{Connection, Location, Value};
use crate::error::DatabaseError;
use crate::rows::Table;
use crate::store;

/// Rows read at a time.
const PAGE: i64 = 2_000;

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Events that the source has.
    pub events: u64,
    /// Entries computed from them.
    pub entries: u64,
    /// Operators that the source has.
    pub operators: u64,
}

/// Why a journal cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the two cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// It would be copied onto itself.
    #[error("expected two databases, found one: {0}")]
    Same(Location),
    /// The target has events that the source does not have: it is another journal.
    #[error("{0} holds another journal already; copy into an empty database")]
    Other(Location),
}

/// Copies a journal. No engine may run over the target meanwhile.
///
/// # Errors
/// If one of the databases cannot be used, or the target holds another journal.
pub async fn copy(from: impl Into<Location>, to: impl Into<Location>) -> Result<Copied, CopyError> {
    let (from, to) = (from.into(), to.into());
    if from == to {
        return Err(CopyError::Same(to));
    }
    let of_source = |error| DatabaseError::of(&from, error);
    let of_target = |error| DatabaseError::of(&to, error);
    let mut source = store::open_reader(&from).await?;
    let mut target = store::open(&to).await?;
    source.begin_view().await.map_err(of_source)?;
    let newest = last_event(&mut source).await.map_err(of_source)?;
    let theirs = last_event(&mut target).await.map_err(of_target)?;
    if theirs > newest || !has(&mut source, theirs).await.map_err(of_source)? {
        return Err(CopyError::Other(to));
    }
    let mut copied = Copied {
        events: copy_events(&mut source, &mut target, (&from, &to)).await?,
        operators: copy_operators(&mut source, &mut target, (&from, &to)).await?,
        ..Copied::default()
    };
    copy_rest(&mut source, &mut target, (&from, &to)).await?;
    copy_letters(&mut source, &mut target, (&from, &to)).await?;
    for listed in callers::read(&mut source).await.map_err(of_source)? {
        callers::put_into(&mut target, &listed)
            .await
            .map_err(of_target)?;
    }
    source.roll_back().await;
    copied.entries = apply::rebuild(&mut target).await.map_err(of_target)?;
    store::mark_computed(&mut target).await.map_err(of_target)?;
    target.close().await;
    Ok(copied)
}

async fn last_event(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    let last: Option<(i64,)> = connection
        .first("SELECT id FROM events ORDER BY id DESC LIMIT 1", &[])
        .await?;
    Ok(last.map_or(0, |(id,)| id))
}

/// Whether a database has an event; the lowest there can be is of none.
async fn has(connection: &mut Connection, event: i64) -> Result<bool, sqlx::Error> {
    if event == 0 {
        return Ok(true);
    }
    let found: Option<(i64,)> = connection
        .first("SELECT id FROM events WHERE id = $1", &[event.into()])
        .await?;
    Ok(found.is_some())
}

type Ends<'a> = (&'a Location, &'a Location);

async fn copy_events(
    source: &mut Connection,
    target: &mut Connection,
    (from, to): Ends<'_>,
) -> Result<u64, DatabaseError> {
    type Row = (i64, i64, i64, i64, String, Option<i64>, String);
    let (mut after, mut copied) = (-1, 0);
    loop {
        let page: Vec<Row> = source
            .all(
                "SELECT id, boot, at, up, kind, call, json FROM events WHERE id > $1
                 ORDER BY id LIMIT $2",
                &[after.into(), PAGE.into()],
            )
            .await
            .map_err(|error| DatabaseError::of(from, error))?;
        let Some(last) = page.last() else {
            return Ok(copied);
        };
        after = last.0;
        copied += page.len() as u64;
        let values = |(id, boot, at, up, kind, call, json): Row| {
            vec![
                id.into(),
                boot.into(),
                at.into(),
                up.into(),
                kind.into(),
                call.into(),
                json.into(),
            ]
        };
        let rows: Vec<Vec<Value>> = page.into_iter().map(values).collect();
        write(target, &apply::EVENTS, &rows)
            .await
            .map_err(|error| DatabaseError::of(to, error))?;
    }
}

/// Rows of one page, in one transaction. What is there already stays.
async fn write(
    target: &mut Connection,
    table: &Table,
    rows: &[Vec<Value>],
) -> Result<(), sqlx::Error> {
    target.begin().await?;
    match apply::insert(target, table, rows, OnConflict::KeepOld).await {
        Ok(()) => target.commit().await,
        Err(error) => {
            target.roll_back().await;
            Err(error)
        }
    }
}

const OPERATORS: Table = Table {
    name: "operators",
    key: &["id"],
    columns: &[
        "id",
        "login",
        "name",
        "line",
        "ha1_sha256",
        "ha1_md5",
        "skills",
        "enabled",
        "address",
        "waiting_new",
        "waiting_old",
    ],
};

#[derive(sqlx::FromRow)]
struct OperatorRow {
    id: i64,
    login: String,
    name: String,
    line: String,
    ha1_sha256: String,
    ha1_md5: String,
    skills: String,
    enabled: bool,
    address: Option<String>,
    waiting_new: i64,
    waiting_old: i64,
}

async fn copy_operators(
    source: &mut Connection,
    target: &mut Connection,
    (from, to): Ends<'_>,
) -> Result<u64, DatabaseError> {
    let sql = format!(
        "SELECT {} FROM operators ORDER BY id",
        OPERATORS.columns.join(",")
    );
    let found: Result<Vec<OperatorRow>, _> = source.all(&sql, &[]).await;
    let found = found.map_err(|error| DatabaseError::of(from, error))?;
    let values = |row: &OperatorRow| -> Vec<Value> {
        vec![
            row.id.into(),
            (&row.login).into(),
            (&row.name).into(),
            (&row.line).into(),
            (&row.ha1_sha256).into(),
            (&row.ha1_md5).into(),
            (&row.skills).into(),
            row.enabled.into(),
            row.address.clone().into(),
            row.waiting_new.into(),
            row.waiting_old.into(),
        ]
    };
    let rows: Vec<Vec<Value>> = found.iter().map(values).collect();
    let of_target = |error| DatabaseError::of(to, error);
    write(target, &OPERATORS, &rows).await.map_err(of_target)?;
    if target.is_postgres() {
        // A number is never given twice, so those to come begin behind the ones that are there.
        target
            .run(
                "SELECT setval(pg_get_serial_sequence('operators', 'id'),
                 greatest((SELECT coalesce(max(id), 0) FROM operators), 1))",
                &[],
            )
            .await
            .map_err(of_target)?;
    }
    Ok(found.len() as u64)
}

const APPLIED: Table = Table {
    name: "applied",
    key: &["boot"],
    columns: &["boot", "event", "file", "\"offset\""],
};

const BINDINGS: Table = Table {
    name: "bindings",
    key: &["login", "key"],
    columns: &["login", "key", "until", "json"],
};

const CURSORS: Table = Table {
    name: "webhook_cursors",
    key: &["webhook"],
    columns: &["webhook", "event"],
};

const LETTERS: Table = Table {
    name: "webhook_letters",
    key: &["webhook", "event"],
    columns: &[
        "webhook", "event", "due_at", "since_at", "attempts", "dead_at", "problem",
    ],
};

/// What webhooks still have to tell.
async fn copy_letters(
    source: &mut Connection,
    target: &mut Connection,
    (from, to): Ends<'_>,
) -> Result<(), DatabaseError> {
    let of_source = |error| DatabaseError::of(from, error);
    let of_target = |error| DatabaseError::of(to, error);
    type Row = (String, i64, i64, i64, i64, Option<i64>, Option<String>);
    let letters: Vec<Row> = source
        .all(
            &format!("SELECT {} FROM {}", LETTERS.columns.join(","), LETTERS.name),
            &[],
        )
        .await
        .map_err(of_source)?;
    let values = |(webhook, event, due, since, attempts, dead, problem): Row| -> Vec<Value> {
        vec![
            webhook.into(),
            event.into(),
            due.into(),
            since.into(),
            attempts.into(),
            dead.into(),
            problem.into(),
        ]
    };
    let rows: Vec<Vec<Value>> = letters.into_iter().map(values).collect();
    write(target, &LETTERS, &rows).await.map_err(of_target)?;
    // After the letters: a cursor never stands before events that have none.
    let cursors: Vec<(String, i64)> = source
        .all("SELECT webhook, event FROM webhook_cursors", &[])
        .await
        .map_err(of_source)?;
    let rows: Vec<Vec<Value>> = cursors
        .into_iter()
        .map(|(webhook, event)| vec![webhook.into(), event.into()])
        .collect();
    write(target, &CURSORS, &rows).await.map_err(of_target)
}

/// How far the event files are applied, and which telephones are registered.
async fn copy_rest(
    source: &mut Connection,
    target: &mut Connection,
    (from, to): Ends<'_>,
) -> Result<(), DatabaseError> {
    let of_source = |error| DatabaseError::of(from, error);
    let of_target = |error| DatabaseError::of(to, error);
    let applied: Vec<(i64, i64, i64, i64)> = source
        .all("SELECT boot, event, file, \"offset\" FROM applied", &[])
        .await
        .map_err(of_source)?;
    let rows: Vec<Vec<Value>> = applied
        .into_iter()
        .map(|(boot, event, file, offset)| {
            vec![boot.into(), event.into(), file.into(), offset.into()]
        })
        .collect();
    write(target, &APPLIED, &rows).await.map_err(of_target)?;
    let bindings: Vec<(String, String, i64, String)> = source
        .all("SELECT login, key, until, json FROM bindings", &[])
        .await
        .map_err(of_source)?;
    let rows: Vec<Vec<Value>> = bindings
        .into_iter()
        .map(|(login, key, until, json)| vec![login.into(), key.into(), until.into(), json.into()])
        .collect();
    write(target, &BINDINGS, &rows).await.map_err(of_target)?;
    for table in [&PERSONAL_DESTROYED, &CARDS_DESTROYED] {
        let sql = format!("SELECT {} FROM {}", table.columns.join(","), table.name);
        let found: Vec<(i64, i64, String, String)> =
            source.all(&sql, &[]).await.map_err(of_source)?;
        let values = |(of, at, act, reason): (i64, i64, String, String)| {
            vec![of.into(), at.into(), act.into(), reason.into()]
        };
        let rows: Vec<Vec<Value>> = found.into_iter().map(values).collect();
        write(target, table, &rows).await.map_err(of_target)?;
    }
    let accounts: Vec<(String, String, String, i64)> = source
        .all(
            "SELECT login, password, rights, changed_at FROM accounts",
            &[],
        )
        .await
        .map_err(of_source)?;
    let values = |(login, password, rights, changed_at): (String, String, String, i64)| {
        vec![
            login.into(),
            password.into(),
            rights.into(),
            changed_at.into(),
        ]
    };
    let rows: Vec<Vec<Value>> = accounts.into_iter().map(values).collect();
    write(target, &ACCOUNTS, &rows).await.map_err(of_target)
}

const PERSONAL_DESTROYED: Table = Table {
    name: "personal_destroyed",
    key: &["call"],
    columns: &["call", "destroyed_at", "act", "reason"],
};

const CARDS_DESTROYED: Table = Table {
    name: "cards_destroyed",
    key: &["person"],
    columns: &["person", "destroyed_at", "act", "reason"],
};

const ACCOUNTS: Table = Table {
    name: "accounts",
    key: &["login"],
    columns: &["login", "password", "rights", "changed_at"],
};
