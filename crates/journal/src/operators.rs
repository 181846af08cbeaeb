//! Owns the table of operators: who may register a telephone, and at which line. Refuses to see a
//! password: the caller gives HA1 values (`sip::auth::Secrets`).
//!
//! Each function opens the database at the given path, and makes and migrates it if need be, so
//! that operators can be added before the first start. A running engine notices changes with
//! [`Watch`], whatever program made them.

use std::collections::BTreeMap;
use std::fmt;

use vocab::OperatorId;

use crate::db::{Connection, Location};
use crate::error::DatabaseError;
use crate::store;
use crate::watch::{self, Watched};

/// Longest login, name or line, in characters.
const TEXT_MAX: usize = 128;

/// Highest level of a skill.
const LEVEL_MAX: u8 = 100;

/// One operator.
#[derive(Clone, PartialEq, Eq)]
pub struct Operator {
    /// Number, never given twice. Ignored by [`add`], which gives one.
    pub id: OperatorId,
    /// Sign-in name and SIP user; unique without regard to case.
    pub login: String,
    /// Full name for people; may be empty.
    pub name: String,
    /// Number of the workplace; unique.
    pub line: String,
    /// HA1 by SHA-256, 64 hex digits.
    pub ha1_sha256: String,
    /// HA1 by MD5, 32 hex digits.
    pub ha1_md5: String,
    /// Skills and their levels, 0 to 100.
    pub skills: BTreeMap<String, u8>,
    /// Whether the operator may register and is offered calls.
    pub enabled: bool,
    /// A SIP URI where the line is reached without a registration; the caller has read it.
    pub address: Option<String>,
}

/// Voice messages that wait for an operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitingMessages {
    /// Not heard yet.
    pub new: u32,
    /// Heard and kept.
    pub old: u32,
}

impl fmt::Debug for Operator {
    /// Leaves the secrets out: they are as good as passwords to whoever speaks digest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator")
            .field("id", &self.id)
            .field("login", &self.login)
            .field("line", &self.line)
            .field("skills", &self.skills)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

/// Why an operator cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The login is not a SIP user name.
    #[error(
        "the login {0:?} cannot be used: 1 to 128 letters, digits and - _ . ! ~ * ' ( ) are allowed"
    )]
    Login(String),
    /// A name or line that cannot be shown.
    #[error("the {field} {value:?} cannot be used: at most 128 characters, no control characters{}", if *.field == "line" { ", not empty" } else { "" })]
    Text {
        /// `name`, `line` or `address`.
        field: &'static str,
        /// What was given.
        value: String,
    },
    /// A level above 100 or a skill without a name.
    #[error(
        "the skill {skill:?} with level {level} cannot be used: a skill has a name and a level from 0 to 100"
    )]
    Skill {
        /// Its name.
        skill: String,
        /// Its level.
        level: u8,
    },
    /// Not the result of a hash.
    #[error("the secrets of {0:?} are not HA1 values of 64 and 32 hex digits")]
    Secrets(String),
    /// The login is taken.
    #[error("there is already an operator with the login {0:?}")]
    LoginTaken(String),
    /// The line is taken.
    #[error("the line {line:?} belongs to the operator {login:?}")]
    LineTaken {
        /// The line.
        line: String,
        /// Whose it is.
        login: String,
    },
    /// No such operator.
    #[error("there is no operator with the login {0:?}; `hotline user list` shows them all")]
    Unknown(String),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Adds an operator and returns it with its number.
///
/// # Errors
/// If a field is not allowed, the login or line is taken, or the database cannot be used.
pub async fn add(
    database: impl Into<Location>,
    operator: Operator,
) -> Result<Operator, OperatorError> {
    check_login(&operator.login)?;
    check_text("name", &operator.name)?;
    check_text("line", &operator.line)?;
    check_text("address", operator.address.as_deref().unwrap_or_default())?;
    check_secrets(&operator.login, &operator.ha1_sha256, &operator.ha1_md5)?;
    let skills = skills_json(&operator.skills)?;
    let database = &database.into();
    let mut connection = store::open(database).await?;
    let inserted: sqlx::Result<Option<(i64,)>> = connection
        .first(
            "INSERT INTO operators (login, name, line, ha1_sha256, ha1_md5, skills, enabled, address)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
            &[
                (&operator.login).into(),
                (&operator.name).into(),
                (&operator.line).into(),
                (&operator.ha1_sha256).into(),
                (&operator.ha1_md5).into(),
                skills.into(),
                operator.enabled.into(),
                operator.address.clone().into(),
            ],
        )
        .await;
    let inserted = inserted.map(|row| row.map_or(0, |(id,)| id));
    match inserted {
        Ok(id) => Ok(Operator {
            id: number(id),
            ..operator
        }),
        Err(error) if is_unique_violation(&error) => {
            Err(who_has(database, &mut connection, operator).await?)
        }
        Err(error) => Err(DatabaseError::of(database, error).into()),
    }
}

/// All operators, by line: numeric lines in order of their numbers, then the others.
///
/// # Errors
/// If the database cannot be used.
pub async fn list(database: impl Into<Location>) -> Result<Vec<Operator>, OperatorError> {
    let database = &database.into();
    let mut connection = store::open(database).await?;
    read(database, &mut connection).await
}

/// The operator of a login, if there is one. Reads only, and makes no database.
///
/// # Errors
/// If the database cannot be used.
pub async fn find(
    database: impl Into<Location>,
    login: &str,
) -> Result<Option<Operator>, OperatorError> {
    let database = database.into();
    let mut connection = store::open_reader(&database).await?;
    let operators = read(&database, &mut connection).await?;
    let mut operators = operators.into_iter();
    Ok(operators.find(|operator| operator.login.eq_ignore_ascii_case(login)))
}

/// Removes an operator. The journal keeps what they did under their name.
///
/// # Errors
/// If there is none of that login or the database cannot be used.
pub async fn remove(database: impl Into<Location>, login: &str) -> Result<(), OperatorError> {
    let database = &database.into();
    let mut connection = store::open(database).await?;
    let done = connection
        .run(
            "DELETE FROM operators WHERE lower(login) = lower($1)",
            &[login.into()],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    changed_one(login, done)
}

/// Replaces an operator's secrets (a new password).
///
/// # Errors
/// If there is none of that login, the values are no HA1, or the database cannot be used.
pub async fn set_secrets(
    database: impl Into<Location>,
    login: &str,
    ha1_sha256: &str,
    ha1_md5: &str,
) -> Result<(), OperatorError> {
    check_secrets(login, ha1_sha256, ha1_md5)?;
    let database = &database.into();
    let mut connection = store::open(database).await?;
    let done = connection
        .run(
            "UPDATE operators SET ha1_sha256 = $1, ha1_md5 = $2 WHERE lower(login) = lower($3)",
            &[ha1_sha256.into(), ha1_md5.into(), login.into()],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    changed_one(login, done)
}

/// Allows or forbids an operator to register and be offered calls.
///
/// # Errors
/// If there is none of that login or the database cannot be used.
pub async fn set_enabled(
    database: impl Into<Location>,
    login: &str,
    enabled: bool,
) -> Result<(), OperatorError> {
    let database = &database.into();
    let mut connection = store::open(database).await?;
    let done = connection
        .run(
            "UPDATE operators SET enabled = $1 WHERE lower(login) = lower($2)",
            &[enabled.into(), login.into()],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    changed_one(login, done)
}

/// Replaces an operator's skills.
///
/// # Errors
/// If there is none of that login, a skill is not allowed, or the database cannot be used.
pub async fn set_skills(
    database: impl Into<Location>,
    login: &str,
    skills: &BTreeMap<String, u8>,
) -> Result<(), OperatorError> {
    let json = skills_json(skills)?;
    let database = &database.into();
    let mut connection = store::open(database).await?;
    let done = connection
        .run(
            "UPDATE operators SET skills = $1 WHERE lower(login) = lower($2)",
            &[json.into(), login.into()],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    changed_one(login, done)
}

/// Gives an operator's line a fixed address, or takes it away.
///
/// # Errors
/// If there is none of that login, the address is too long, or the database cannot be used.
pub async fn set_address(
    database: impl Into<Location>,
    login: &str,
    address: Option<&str>,
) -> Result<(), OperatorError> {
    check_text("address", address.unwrap_or_default())?;
    let database = &database.into();
    let mut connection = store::open(database).await?;
    let done = connection
        .run(
            "UPDATE operators SET address = $1 WHERE lower(login) = lower($2)",
            &[address.into(), login.into()],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    changed_one(login, done)
}

/// Takes down how many voice messages wait for an operator.
///
/// # Errors
/// If there is none of that login or the database cannot be used.
pub async fn set_waiting(
    database: impl Into<Location>,
    login: &str,
    waiting: WaitingMessages,
) -> Result<(), OperatorError> {
    let WaitingMessages { new, old } = waiting;
    let database = &database.into();
    let mut connection = store::open(database).await?;
    let done = connection
        .run(
            "UPDATE operators SET waiting_new = $1, waiting_old = $2 WHERE lower(login) = lower($3)",
            &[new.into(), old.into(), login.into()],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    changed_one(login, done)
}

/// How many voice messages wait for each operator who is enabled, by login.
///
/// # Errors
/// If the database cannot be used.
pub async fn waiting(
    database: impl Into<Location>,
) -> Result<Vec<(String, WaitingMessages)>, OperatorError> {
    let database = &database.into();
    let mut connection = store::open_reader(database).await?;
    let rows: Vec<(String, i64, i64)> = connection
        .all(
            "SELECT login, waiting_new, waiting_old FROM operators WHERE enabled ORDER BY id",
            &[],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    let count = |number: i64| u32::try_from(number).unwrap_or_default();
    let waiting = |(login, new, old)| {
        let (new, old) = (count(new), count(old));
        (login, WaitingMessages { new, old })
    };
    Ok(rows.into_iter().map(waiting).collect())
}

/// The version of the table: another number after each change, by whatever program.
///
/// # Errors
/// If the database cannot be used.
pub async fn version(database: impl Into<Location>) -> Result<i64, DatabaseError> {
    let database = &database.into();
    let mut connection = store::open_reader(database).await?;
    watch::version(database, &mut connection, VERSION).await
}

/// A connection kept open to ask often whether operators changed (a few microseconds each time).
#[derive(Debug)]
pub struct Watch(Watched);

const VERSION: &str = "SELECT version FROM operators_version";

impl Watch {
    /// Begins to watch; the first [`Watch::changes`] gives the table as it is.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn open(database: impl Into<Location>) -> Result<Self, DatabaseError> {
        Watched::open(database.into()).await.map(Self)
    }

    /// The whole table if it changed since the last call.
    ///
    /// # Errors
    /// If the database cannot be used; ask again later.
    pub async fn changes(&mut self) -> Result<Option<Vec<Operator>>, OperatorError> {
        let Some(version) = self.0.changed(VERSION).await? else {
            return Ok(None);
        };
        let operators = read(&self.0.database, &mut self.0.connection).await?;
        self.0.saw(version);
        Ok(Some(operators))
    }
}

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
}

async fn read(
    database: &Location,
    connection: &mut Connection,
) -> Result<Vec<Operator>, OperatorError> {
    let rows: Vec<OperatorRow> = connection
        .all(
            "SELECT id, login, name, line, ha1_sha256, ha1_md5, skills, enabled, address
             FROM operators ORDER BY length(line), line, id",
            &[],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    let operator = |row: OperatorRow| {
        let skills = serde_json::from_str(&row.skills).unwrap_or_else(|error| {
            tracing::error!(operator = row.id, %error, "skills in the database are not readable");
            BTreeMap::new()
        });
        Operator {
            id: number(row.id),
            login: row.login,
            name: row.name,
            line: row.line,
            ha1_sha256: row.ha1_sha256,
            ha1_md5: row.ha1_md5,
            skills,
            enabled: row.enabled,
            address: row.address,
        }
    };
    Ok(rows.into_iter().map(operator).collect())
}

/// RFC 3261 §25.1 `user` without escapes: unreserved only. The other characters it allows
/// (`&=+$,;?/`) would need care in every place that prints a login.
fn check_login(login: &str) -> Result<(), OperatorError> {
    let unreserved = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()".contains(c);
    if login.is_empty() || login.len() > TEXT_MAX || !login.chars().all(unreserved) {
        return Err(OperatorError::Login(login.to_owned()));
    }
    Ok(())
}

fn check_text(field: &'static str, value: &str) -> Result<(), OperatorError> {
    let empty = field == "line" && value.trim().is_empty();
    if empty || value.chars().count() > TEXT_MAX || value.chars().any(char::is_control) {
        return Err(OperatorError::Text {
            field,
            value: value.to_owned(),
        });
    }
    Ok(())
}

fn check_secrets(login: &str, sha256: &str, md5: &str) -> Result<(), OperatorError> {
    let hex = |text: &str, length| {
        text.len() == length && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    };
    if hex(sha256, 64) && hex(md5, 32) {
        return Ok(());
    }
    Err(OperatorError::Secrets(login.to_owned()))
}

fn skills_json(skills: &BTreeMap<String, u8>) -> Result<String, OperatorError> {
    for (skill, &level) in skills {
        if level > LEVEL_MAX || skill.trim().is_empty() || skill.chars().any(char::is_control) {
            return Err(OperatorError::Skill {
                skill: skill.clone(),
                level,
            });
        }
    }
    Ok(serde_json::to_value(skills).unwrap_or_default().to_string())
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.is_unique_violation())
}

/// Which of the two unique columns is taken, and by whom.
async fn who_has(
    database: &Location,
    connection: &mut Connection,
    operator: Operator,
) -> Result<OperatorError, DatabaseError> {
    let holder: Option<(String,)> = connection
        .first(
            "SELECT login FROM operators WHERE line = $1",
            &[(&operator.line).into()],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    Ok(match holder.map(|(login,)| login) {
        Some(login) if !login.eq_ignore_ascii_case(&operator.login) => OperatorError::LineTaken {
            line: operator.line,
            login,
        },
        Some(_) | None => OperatorError::LoginTaken(operator.login),
    })
}

fn changed_one(login: &str, rows: u64) -> Result<(), OperatorError> {
    if rows == 0 {
        Err(OperatorError::Unknown(login.to_owned()))
    } else {
        Ok(())
    }
}

fn number(id: i64) -> OperatorId {
    OperatorId(u32::try_from(id).unwrap_or(u32::MAX))
}
