//! Owns the two kinds of databases behind one face: where one is, a connection to it, values on their
//! way into a statement. Knows no table.
//!
//! Statements are written once, with `$1`, `$2`… which both understand, and in the part of SQL that
//! both read alike. Where they differ the one who writes the statement asks [`Connection::is_postgres`].

use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Postgres, Sqlite};

/// Where a journal's database is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// A file of SQLite.
    File(PathBuf),
    /// A server of PostgreSQL, as a URL: `postgres://user@host:port/database`. A password is best
    /// left to `PGPASSWORD` or `~/.pgpass`, where libpq keeps it too.
    Postgres(String),
}

impl Location {
    /// What `text` names: a URL of PostgreSQL, or else a file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            Self::Postgres(text.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl fmt::Display for Location {
    /// Without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => {
                let url = url.split('?').next().unwrap_or_default();
                let Some((scheme, rest)) = url.split_once("://") else {
                    return f.write_str("postgres");
                };
                let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
                let user = user.split(':').next().unwrap_or_default();
                let at = if user.is_empty() { "" } else { "@" };
                write!(f, "{scheme}://{user}{at}{host}")
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::File(path.to_path_buf())
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Self> for Location {
    fn from(location: &Self) -> Self {
        location.clone()
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// What a column that has no value would have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Integer,
    Real,
    Text,
}

/// One SQL value on its way into a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null(Kind),
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(String),
}

macro_rules! value_from {
    ($($from:ty, $kind:ident => $make:expr);+ $(;)?) => { $(
        impl From<$from> for Value {
            fn from(value: $from) -> Self { ($make)(value) }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self { value.map_or(Self::Null(Kind::$kind), $make) }
        }
    )+ };
}
value_from! {
    bool, Bool => Value::Bool;
    i64, Integer => Value::Integer;
    f64, Real => Value::Real;
    String, Text => Value::Text;
    &str, Text => |text: &str| Value::Text(text.to_owned());
    &String, Text => |text: &String| Value::Text(text.clone());
    u32, Integer => |number: u32| Value::Integer(i64::from(number));
}

/// A row that can be read from both.
pub(crate) trait Readable:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Readable for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

/// A connection to either.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

macro_rules! bind_all {
    ($query:expr, $args:expr, $text:expr) => {{
        let mut query = $query;
        for value in $args {
            query = match value {
                Value::Null(Kind::Bool) => query.bind(None::<bool>),
                Value::Null(Kind::Integer) => query.bind(None::<i64>),
                Value::Null(Kind::Real) => query.bind(None::<f64>),
                Value::Null(Kind::Text) => query.bind(None::<String>),
                Value::Bool(bool) => query.bind(*bool),
                Value::Integer(number) => query.bind(*number),
                Value::Real(number) => query.bind(*number),
                Value::Text(text) => query.bind(($text)(text)),
            };
        }
        query
    }};
}

/// PostgreSQL has no U+0000 in a text; what comes from the network may. It becomes U+FFFD.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl Connection {
    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// All rows of a query. The text is constant but for names of this crate's own.
    pub(crate) async fn all<T: Readable>(
        &mut self,
        sql: &str,
        args: &[Value],
    ) -> sqlx::Result<Vec<T>> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_as::<Sqlite, T>(sql);
                bind_all!(query, args, String::clone)
                    .fetch_all(connection)
                    .await
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_as::<Postgres, T>(sql);
                bind_all!(query, args, storable).fetch_all(connection).await
            }
        }
    }

    /// The first row of a query.
    pub(crate) async fn first<T: Readable>(
        &mut self,
        sql: &str,
        args: &[Value],
    ) -> sqlx::Result<Option<T>> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_as::<Sqlite, T>(sql);
                bind_all!(query, args, String::clone)
                    .fetch_optional(connection)
                    .await
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_as::<Postgres, T>(sql);
                bind_all!(query, args, storable)
                    .fetch_optional(connection)
                    .await
            }
        }
    }

    /// Carries out a statement; how many rows it touched.
    pub(crate) async fn run(&mut self, sql: &str, args: &[Value]) -> sqlx::Result<u64> {
        self.run_with(sql, args.iter()).await
    }

    /// The same for values that stand in several lists.
    pub(crate) async fn run_with<'a>(
        &mut self,
        sql: &str,
        args: impl Iterator<Item = &'a Value> + Send,
    ) -> sqlx::Result<u64> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query::<Sqlite>(sql);
                let query: sqlx::query::Query<'_, Sqlite, SqliteArguments> =
                    bind_all!(query, args, String::clone);
                Ok(query.execute(connection).await?.rows_affected())
            }
            Self::Postgres(connection) => {
                let query = sqlx::query::<Postgres>(sql);
                let query: sqlx::query::Query<'_, Postgres, PgArguments> =
                    bind_all!(query, args, storable);
                Ok(query.execute(connection).await?.rows_affected())
            }
        }
    }

    /// Begins a transaction that writes. One that is not committed ends with the connection, or with
    /// [`Self::roll_back`].
    pub(crate) async fn begin(&mut self) -> sqlx::Result<()> {
        let sql = if self.is_postgres() {
            "BEGIN"
        } else {
            "BEGIN IMMEDIATE"
        };
        self.run(sql, &[]).await.map(drop)
    }

    /// Begins a transaction in which all queries see the same.
    pub(crate) async fn begin_view(&mut self) -> sqlx::Result<()> {
        let sql = if self.is_postgres() {
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        } else {
            "BEGIN"
        };
        self.run(sql, &[]).await.map(drop)
    }

    /// Reads as of one moment: whatever becomes of the reading, the view is over afterwards.
    pub(crate) async fn view<T>(
        &mut self,
        read: impl AsyncFnOnce(&mut Self) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        self.begin_view().await?;
        let read = read(self).await;
        // Nothing was written.
        self.roll_back().await;
        read
    }

    pub(crate) async fn commit(&mut self) -> sqlx::Result<()> {
        self.run("COMMIT", &[]).await.map(drop)
    }

    /// Takes back what a transaction did. That it fails means that there is none.
    pub(crate) async fn roll_back(&mut self) {
        let _ = self.run("ROLLBACK", &[]).await;
    }

    /// Closes it, so that nothing of it is left in the middle of what follows.
    pub(crate) async fn close(self) {
        use sqlx::Connection as _;
        match self {
            Self::Sqlite(connection) => drop(connection.close().await),
            Self::Postgres(connection) => drop(connection.close().await),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let location =
            Location::parse("postgres://hotline:s3cret@db.example:5433/journal?x=s3cret");
        assert_eq!(
            format!("{location} {location:?}"),
            "postgres://hotline@db.example:5433/journal postgres://hotline@db.example:5433/journal"
        );
        let bare = Location::parse("postgresql:///journal");
        assert_eq!(bare.to_string(), "postgresql:///journal");
        assert_eq!(
            Location::parse("data/journal.db"),
            Location::File("data/journal.db".into())
        );
    }
}
