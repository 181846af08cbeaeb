//! Owns the finding of entries: by time, queue, operator, topic, outcome, number, and whether they are
//! complete; page by page, newest first.

use std::fmt::Write;
use std::str::FromStr;

use vocab::CallId;

use crate::db::Value;
use crate::error::DatabaseError;
use crate::query::{Journal, Range, columns};
use crate::rows::EntryRow;
use crate::words;

/// Most entries of one page.
pub const PAGE_MAX: u32 = 500;

/// What entries are looked for. What is not given is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// When they came.
    pub range: Range,
    /// The last queue they were in.
    pub queue: Option<String>,
    /// Login of the operator of the last segment.
    pub operator: Option<String>,
    /// A topic, or a fork of the tree of topics.
    pub topic: Option<String>,
    /// What became of them, in the spelling of the journal.
    pub outcome: Option<String>,
    /// How they came.
    pub channel: Option<String>,
    /// Which way the calls went.
    pub direction: Option<String>,
    /// A number of the person, however it is spelt: the caller's, the one called, or the one to
    /// reach them under. Where it is on a card, any number of that card.
    pub person: Option<String>,
    /// Whether they are completed; of those that are to be.
    pub completed: Option<bool>,
    /// Only those that are still to be completed, and matters that a department has not done.
    pub open: bool,
    /// Whether they are marked as an emergency.
    pub emergency: Option<bool>,
    /// Whether they are calls that are up.
    pub up: Option<bool>,
    /// Words that stand in names, topic, content, what was done or department; all of them.
    pub text: Option<String>,
}

/// Where a page ended, and the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    arrived_at: i64,
    call: i64,
}

/// Text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the cursor of an earlier page")]
pub struct NoCursor;

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.arrived_at, CallId::from_i64(self.call))
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (at, call) = text.split_once('.').ok_or(NoCursor)?;
        let call: CallId = call.parse().map_err(|_| NoCursor)?;
        Ok(Self {
            arrived_at: at.parse().map_err(|_| NoCursor)?,
            call: call.as_i64(),
        })
    }
}

/// A page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries, newest first.
    pub entries: Vec<EntryRow>,
    /// Where the next page begins; none if this is the last.
    pub next: Option<Cursor>,
}

impl Journal {
    /// A page of entries, newest first, at most [`PAGE_MAX`] of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn find(
        &mut self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page, DatabaseError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let keys = match &filter.person {
            Some(number) => self.keys_of(number).await?,
            None => Vec::new(),
        };
        let words = match &filter.text {
            Some(text) => self.words(text).await?,
            None => None,
        };
        let (condition, mut args) = condition(filter, &keys, words, after);
        // One more than asked for tells whether there is another page.
        args.push(Value::Integer(i64::from(limit) + 1));
        let sql = format!(
            "SELECT {} FROM entries WHERE {condition} ORDER BY arrived_at DESC, call DESC LIMIT ${}",
            columns::<EntryRow>(),
            args.len()
        );
        let found: Result<Vec<EntryRow>, _> = self.connection.all(&sql, &args).await;
        let mut entries = found.map_err(|error| DatabaseError::of(&self.database, error))?;
        let more = entries.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if more {
            entries.pop();
        }
        let last = entries.last().filter(|_| more);
        let next = last.and_then(|row| {
            Some(Cursor {
                arrived_at: row.arrived_at?,
                call: row.call,
            })
        });
        Ok(Page { entries, next })
    }

    /// The condition that entries have the words of a text.
    async fn words(&mut self, text: &str) -> Result<Option<(&'static str, Value)>, DatabaseError> {
        let way = words::way(&mut self.connection, text).await;
        let way = way.map_err(|error| DatabaseError::of(&self.database, error))?;
        let postgres = self.connection.is_postgres();
        Ok(words::condition(text, postgres, way))
    }

    /// The history of a number: everything of that person, newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn history(&mut self, number: &str, limit: u32) -> Result<Page, DatabaseError> {
        let filter = Filter {
            person: Some(number.to_owned()),
            ..Filter::default()
        };
        self.find(&filter, None, limit).await
    }
}

/// The condition and its values. Every text of the filter goes into a value.
fn condition(
    filter: &Filter,
    keys: &[String],
    words: Option<(&str, Value)>,
    after: Option<Cursor>,
) -> (String, Vec<Value>) {
    let mut sql = "arrived_at IS NOT NULL".to_owned();
    let mut args: Vec<Value> = Vec::new();
    let mut and = |condition: &str, values: Vec<Value>| {
        let mut condition = condition.to_owned();
        for value in values {
            args.push(value);
            condition = condition.replacen('?', &format!("${}", args.len()), 1);
        }
        // Writing to a String cannot fail.
        let _ = write!(sql, " AND {condition}");
    };
    let [from, to] = filter.range.values();
    if filter.range.from.is_some() {
        and("arrived_at >= ?", vec![from]);
    }
    if filter.range.to.is_some() {
        and("arrived_at < ?", vec![to]);
    }
    for (column, value) in [
        ("queue", &filter.queue),
        ("operator_login", &filter.operator),
        ("outcome", &filter.outcome),
        ("channel", &filter.channel),
        ("direction", &filter.direction),
    ] {
        if let Some(value) = value {
            and(&format!("{column} = ?"), vec![value.into()]);
        }
    }
    if let Some(topic) = &filter.topic {
        // All topics below it lie between it with a separator and with the character after that.
        let (low, high) = (format!("{topic} / "), format!("{topic} / \u{10ffff}"));
        let values = vec![topic.into(), low.into(), high.into()];
        and("(topic = ? OR (topic >= ? AND topic < ?))", values);
    }
    if filter.person.is_some() {
        let places = vec!["?"; keys.len()].join(",");
        let values = keys.iter().chain(keys).map(Value::from).collect();
        and(
            &format!("(party_key IN ({places}) OR contact_key IN ({places}))"),
            values,
        );
    }
    match filter.completed {
        Some(true) => and("completed_at IS NOT NULL", Vec::new()),
        Some(false) => and("to_complete AND completed_at IS NULL", Vec::new()),
        None => {}
    }
    if filter.open {
        let undone =
            "(to_complete AND completed_at IS NULL OR execution IN ('assigned', 'in_progress'))";
        and(undone, Vec::new());
    }
    match filter.emergency {
        Some(true) => and("emergency IS NOT NULL", Vec::new()),
        Some(false) => and("emergency IS NULL", Vec::new()),
        None => {}
    }
    match filter.up {
        Some(true) => and("outcome IS NULL", Vec::new()),
        Some(false) => and("outcome IS NOT NULL", Vec::new()),
        None => {}
    }
    if let Some((condition, value)) = words {
        and(condition, vec![value]);
    }
    if let Some(after) = after {
        let values = vec![after.arrived_at.into(), after.call.into()];
        and("(arrived_at, call) < (?, ?)", values);
    }
    (sql, args)
}
