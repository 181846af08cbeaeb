//! Owns the search by text: which words of an entry are kept, and how a query is put to each database.
//! SQLite has FTS5, which finds words by their beginnings; PostgreSQL finds Russian words by their stems
//! as well. What a person types is never the language of either.

use vocab::Fact;

use crate::db::{Connection, Value};
use crate::rows::EntryRow;

/// Words of a query that count; more is a text, and no search.
const WORDS_MAX: usize = 10;

/// Everything of an entry that is found by text.
fn text_of(entry: &EntryRow) -> String {
    let fields = [
        Some(&entry.caller_name),
        entry.full_name.as_ref(),
        entry.topic.as_ref(),
        entry.content.as_ref(),
        entry.action.as_ref(),
        entry.department.as_ref(),
    ];
    let fields = fields.into_iter().flatten().filter(|text| !text.is_empty());
    fields.map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// Whether a fact may change the words of its entry.
pub(crate) const fn changes(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::CallArrived { .. }
            | Fact::FieldSet { .. }
            | Fact::ContactAdded { .. }
            | Fact::EntryEdited { .. }
    )
}

/// Brings the words of an entry up to what stands in it now. One that never had any has no row.
pub(crate) async fn write(
    connection: &mut Connection,
    entry: &EntryRow,
) -> Result<(), sqlx::Error> {
    let (call, text) = (Value::Integer(entry.call), text_of(entry));
    if text.is_empty() && entry.written_version == 0 {
        return Ok(());
    }
    if connection.is_postgres() {
        return connection
            .run(
                "INSERT INTO entry_texts (call, words)
                 VALUES ($1, to_tsvector('simple', $2) || to_tsvector('russian', $2))
                 ON CONFLICT (call) DO UPDATE SET words = excluded.words",
                &[call, text.into()],
            )
            .await
            .map(drop);
    }
    connection
        .run(
            "INSERT OR REPLACE INTO entry_texts (rowid, words) VALUES ($1, $2)",
            &[call, text.into()],
        )
        .await
        .map(drop)
}

/// The condition that an entry has all words of a text, with `?` for its one value; none if the text
/// has no word.
pub(crate) fn condition(text: &str, postgres: bool) -> Option<(&'static str, Value)> {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let words: Vec<&str> = words.take(WORDS_MAX).collect();
    if words.is_empty() {
        return None;
    }
    if postgres {
        let condition = "call IN (SELECT call FROM entry_texts WHERE words @@
            (SELECT to_tsquery('simple', q) || to_tsquery('russian', q) FROM (SELECT ? AS q) asked))";
        // A word as it stands or begins, or its stem.
        let word = |word: &&str| format!("{}:*", word.to_lowercase());
        let query: Vec<String> = words.iter().map(word).collect();
        return Some((condition, query.join(" & ").into()));
    }
    let condition = "call IN (SELECT rowid FROM entry_texts WHERE entry_texts MATCH ?)";
    // A quoted string is a word to FTS5, whatever it is.
    let query: Vec<String> = words.iter().map(|word| format!("\"{word}\"*")).collect();
    Some((condition, query.join(" ").into()))
}
