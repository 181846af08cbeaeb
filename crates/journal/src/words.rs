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
    // To take old words out of the index costs a hundred times what all other rows of a call cost.
    connection
        .run(
            "INSERT OR REPLACE INTO entry_texts (rowid, words) SELECT $1, $2
             WHERE (SELECT words FROM entry_texts WHERE rowid = $1) IS NOT $2",
            &[call, text.into()],
        )
        .await
        .map(drop)
}

/// How the entries that have the words of a text are come by. PostgreSQL decides for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Each of them is looked up.
    LookUp,
    /// Entries are gone through from the newest on until enough of them have the words.
    GoThrough,
}

/// The quicker way for a text. From so many entries on that have its words, some are soon met.
pub(crate) async fn way(connection: &mut Connection, text: &str) -> Result<Way, sqlx::Error> {
    const MANY: i64 = 5_000;
    if connection.is_postgres() {
        return Ok(Way::LookUp);
    }
    let Some((_, query)) = condition(text, false, Way::LookUp) else {
        return Ok(Way::LookUp);
    };
    let count = "SELECT count(*) FROM (
        SELECT 1 FROM entry_texts WHERE entry_texts MATCH $1 LIMIT $2
    ) AS found";
    let found: Option<(i64,)> = connection.first(count, &[query, MANY.into()]).await?;
    Ok(match found {
        Some((found,)) if found >= MANY => Way::GoThrough,
        _ => Way::LookUp,
    })
}

/// The condition that an entry has all words of a text, with `?` for its one value; none if the text
/// has no word.
pub(crate) fn condition(text: &str, postgres: bool, way: Way) -> Option<(&'static str, Value)> {
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
    // The sign keeps SQLite from looking each call up.
    let condition = match way {
        Way::LookUp => "call IN (SELECT rowid FROM entry_texts WHERE entry_texts MATCH ?)",
        Way::GoThrough => "+call IN (SELECT rowid FROM entry_texts WHERE entry_texts MATCH ?)",
    };
    // A quoted string is a word to FTS5, whatever it is.
    let query: Vec<String> = words.iter().map(|word| format!("\"{word}\"*")).collect();
    Some((condition, query.join(" ").into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{BOOT, History, Place, answered_call, block_on, call};

    #[test]
    fn both_ways_find_the_same_entries() {
        let place = Place::new();
        let mut history = History::new(BOOT);
        for n in 1..=9 {
            answered_call(&mut history, call(n));
            history.say(Fact::EntryEdited {
                call: call(n),
                by: "op1".into(),
                changes: vec![vocab::FieldChange {
                    field: vocab::EntryField::Content,
                    value: Some(format!("улица Мира {}", n % 3)),
                }],
            });
        }
        place.run(BOOT, &history.events);
        block_on(async {
            let database = place.database().into();
            let mut connection = crate::store::open_reader(&database).await.unwrap();
            for (text, some) in [("улица 1", 3), ("мир", 9), ("мир 4", 0)] {
                for way in [Way::LookUp, Way::GoThrough] {
                    let (condition, value) = condition(text, false, way).unwrap();
                    let condition = condition.replace('?', "$1");
                    let sql = format!("SELECT call FROM entries WHERE {condition}");
                    let found: Vec<(i64,)> = connection.all(&sql, &[value]).await.unwrap();
                    assert_eq!(found.len(), some, "{text} {way:?}");
                }
                assert_eq!(way(&mut connection, text).await.unwrap(), Way::LookUp);
            }
        });
    }
}
