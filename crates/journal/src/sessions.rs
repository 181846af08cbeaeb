//! Owns the tables of who may sign in to the API and of who is signed in. Sees no password and no secret of
//! a session: the caller gives what is kept of them. Refuses to judge whether a session is over.

use vocab::WallTime;

use crate::db::{Connection, Location, Value};
use crate::error::DatabaseError;
use crate::store;

/// Sessions of one login at most; with another one the oldest ends.
const SESSIONS_MAX: i64 = 20;

/// Who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Account {
    /// The login, as it was made; found without regard to case.
    pub login: String,
    /// What is kept of the password.
    pub password: String,
    /// Names of rights, with a comma between two.
    pub rights: String,
}

/// A session that was begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Found {
    /// Whose.
    pub login: String,
    /// What the account may do now.
    pub rights: String,
    /// When it began, UTC ms.
    pub began_at: i64,
    /// When it was last used, UTC ms.
    pub seen_at: i64,
}

async fn written<const N: usize>(
    database: &Location,
    statements: [(&str, Vec<Value>); N],
) -> Result<u64, DatabaseError> {
    let mut connection = store::open_writer(database).await?;
    let done = all_or_none(&mut connection, &statements).await;
    if done.is_err() {
        connection.roll_back().await;
    }
    connection.close().await;
    done.map_err(|error| DatabaseError::of(database, error))
}

/// Carries statements out in one transaction; how many rows the last one touched.
async fn all_or_none(
    connection: &mut Connection,
    statements: &[(&str, Vec<Value>)],
) -> Result<u64, sqlx::Error> {
    connection.begin().await?;
    let mut touched = 0;
    for (sql, args) in statements {
        touched = connection.run(sql, args).await?;
    }
    connection.commit().await?;
    Ok(touched)
}

/// Logins are the same without regard to case.
fn key(login: &str) -> Value {
    login.to_lowercase().into()
}

/// Writes an account, in place of one that is there. Its sessions end.
///
/// # Errors
/// If the database cannot be used.
pub async fn set_account(
    database: &Location,
    account: &Account,
    now: WallTime,
) -> Result<(), DatabaseError> {
    let args = vec![
        key(&account.login),
        (&account.password).into(),
        (&account.rights).into(),
        now.as_unix_millis().into(),
    ];
    let sql = "INSERT INTO accounts (login, password, rights, changed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (login) DO UPDATE SET password = excluded.password, rights = excluded.rights,
            changed_at = excluded.changed_at";
    let ended = "DELETE FROM sessions WHERE login = $1";
    let statements = [(ended, vec![key(&account.login)]), (sql, args)];
    written(database, statements).await.map(drop)
}

/// Removes an account and ends its sessions; whether there was one.
///
/// # Errors
/// If the database cannot be used.
pub async fn remove_account(database: &Location, login: &str) -> Result<bool, DatabaseError> {
    let statements = [
        ("DELETE FROM sessions WHERE login = $1", vec![key(login)]),
        ("DELETE FROM accounts WHERE login = $1", vec![key(login)]),
    ];
    Ok(written(database, statements).await? > 0)
}

/// All accounts, by login.
///
/// # Errors
/// If the database cannot be used.
pub async fn accounts(database: &Location) -> Result<Vec<Account>, DatabaseError> {
    let mut connection = store::open_reader(database).await?;
    let sql = "SELECT login, password, rights FROM accounts ORDER BY login";
    let found = connection.all(sql, &[]).await;
    connection.close().await;
    found.map_err(|error| DatabaseError::of(database, error))
}

/// The account of a login.
///
/// # Errors
/// If the database cannot be used.
pub async fn account(database: &Location, login: &str) -> Result<Option<Account>, DatabaseError> {
    let mut connection = store::open_reader(database).await?;
    let sql = "SELECT login, password, rights FROM accounts WHERE login = $1";
    let found = connection.first(sql, &[key(login)]).await;
    connection.close().await;
    found.map_err(|error| DatabaseError::of(database, error))
}

/// Begins a session. Those of all that began before `oldest` go.
///
/// # Errors
/// If the database cannot be used.
pub async fn begin(
    database: &Location,
    hash: &str,
    login: &str,
    (now, oldest): (WallTime, i64),
) -> Result<(), DatabaseError> {
    let now: Value = now.as_unix_millis().into();
    let too_many = "DELETE FROM sessions WHERE login = $1 AND hash NOT IN
        (SELECT hash FROM sessions WHERE login = $1 ORDER BY began_at DESC, hash LIMIT $2)";
    let statements = [
        (
            "DELETE FROM sessions WHERE began_at < $1",
            vec![oldest.into()],
        ),
        (
            "INSERT INTO sessions (hash, login, began_at, seen_at) VALUES ($1, $2, $3, $3)",
            vec![hash.into(), key(login), now],
        ),
        (too_many, vec![key(login), SESSIONS_MAX.into()]),
    ];
    written(database, statements).await.map(drop)
}

/// The session of a secret's hash, if there is one and its account is there.
///
/// # Errors
/// If the database cannot be used.
pub async fn find(database: &Location, hash: &str) -> Result<Option<Found>, DatabaseError> {
    let mut connection = store::open_reader(database).await?;
    let sql = "SELECT a.login, a.rights, s.began_at, s.seen_at FROM sessions s
        JOIN accounts a ON a.login = s.login WHERE s.hash = $1";
    let found = connection.first(sql, &[hash.into()]).await;
    connection.close().await;
    found.map_err(|error| DatabaseError::of(database, error))
}

/// Notes that a session was used.
///
/// # Errors
/// If the database cannot be used.
pub async fn seen(database: &Location, hash: &str, now: WallTime) -> Result<(), DatabaseError> {
    let args = vec![hash.into(), now.as_unix_millis().into()];
    let sql = "UPDATE sessions SET seen_at = $2 WHERE hash = $1";
    written(database, [(sql, args)]).await.map(drop)
}

/// Ends a session.
///
/// # Errors
/// If the database cannot be used.
pub async fn end(database: &Location, hash: &str) -> Result<(), DatabaseError> {
    let sql = "DELETE FROM sessions WHERE hash = $1";
    written(database, [(sql, vec![hash.into()])])
        .await
        .map(drop)
}
