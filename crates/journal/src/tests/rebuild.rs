//! The journal that was followed live and the one that is computed anew of its events are the same, to the
//! unit, over many simulated calls; so is every report over them.
//!
//! `HOTLINE_JOURNAL_CALLS=100000 cargo test -p journal --lib rebuild:: -- --nocapture` is the full count.

use jiff::tz::TimeZone;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::random::{play, script};
use super::*;
use crate::db::{Connection, Location};
use crate::forms::Forms;
use crate::metrics::Interval;
use crate::report::{self, Kind, Wanted, render};
use crate::store;

/// Calls of the usual run.
const CALLS: u32 = 1_500;

/// Every table that is computed, and its order.
const TABLES: [(&str, &str); 14] = [
    ("entries", "call"),
    ("queue_entries", "event"),
    ("offers", "offer"),
    ("segments", "call, segment"),
    ("messages", "call, segment"),
    ("transfers", "call, transfer"),
    ("legs", "leg"),
    ("recordings", "call, segment"),
    ("entry_fields", "call, field"),
    ("corrections", "call, event, field"),
    ("operator_turns", "event"),
    ("breaks_taken", "event"),
    ("persons", "person"),
    ("person_numbers", "key"),
];

fn calls() -> u32 {
    let wanted = std::env::var("HOTLINE_JOURNAL_CALLS").ok();
    wanted.map_or(CALLS, |calls| calls.parse().unwrap())
}

/// Simulated calls of every kind, one begun each second, so that dozens are up at once.
fn events(calls: u32) -> Vec<Event> {
    let mut runner = TestRunner::deterministic();
    let scripts = script();
    let mut facts = Vec::new();
    for n in 1..=calls {
        let script = scripts.new_tree(&mut runner).unwrap().current();
        let begin = u64::from(n) * 1_000;
        facts.extend(
            play(&script, call(n))
                .into_iter()
                .map(|(ms, fact)| (begin + ms, fact)),
        );
    }
    // Stable: what happens to a call at one moment stays in its order.
    facts.sort_by_key(|(ms, _)| *ms);
    let event = |(number, (ms, fact)): (u32, (u64, Fact))| Event {
        id: EventId::new(BOOT, number),
        at: WallTime::from_unix_millis(AT + i64::try_from(ms).unwrap()),
        up: Time::from_millis(ms),
        fact,
    };
    (1..).zip(facts).map(event).collect()
}

/// All rows of a table as text, one each.
async fn dump(connection: &mut Connection, table: &str, order: &str) -> Vec<String> {
    let sql = format!("SELECT name FROM pragma_table_info('{table}')");
    let columns: Vec<(String,)> = connection.all(&sql, &[]).await.unwrap();
    let columns: Vec<String> = columns.into_iter().map(|(name,)| name).collect();
    let sql = format!(
        "SELECT json_array({}) FROM {table} ORDER BY {order}",
        columns.join(",")
    );
    let rows: Vec<(String,)> = connection.all(&sql, &[]).await.unwrap();
    rows.into_iter().map(|(row,)| row).collect()
}

async fn dump_all(database: &Location) -> Vec<Vec<String>> {
    let mut connection = store::open(database).await.unwrap();
    let mut tables = Vec::new();
    for (table, order) in TABLES {
        tables.push(dump(&mut connection, table, order).await);
    }
    connection.close().await;
    tables
}

async fn empty_all(database: &Location) {
    let mut connection = store::open(database).await.unwrap();
    for (table, _) in TABLES {
        let sql = format!("DELETE FROM {table}");
        connection.run(&sql, &[]).await.unwrap();
    }
    connection.close().await;
}

/// Every report over all of it, each of which says that the identity holds.
async fn reports(database: &Location, to: i64) -> Vec<serde_json::Value> {
    let forms = Forms::plain(Duration::from_secs(600));
    let mut all = Vec::new();
    for (_, kind) in Kind::NAMES {
        let wanted = Wanted {
            interval: Interval::Hour,
            ..Wanted::new(kind, (AT, to), to, TimeZone::UTC)
        };
        let made = report::make(database, &forms, &wanted).await.unwrap();
        assert!(made.identity, "{kind:?}");
        all.push(render::json(&made));
    }
    all
}

#[test]
fn the_journal_computed_anew_is_the_live_one_to_the_unit() {
    let calls = calls();
    let events = events(calls);
    let place = Place::new();
    place.run_in_files(1 << 20, BOOT, &events);
    let database = Location::from(place.database());
    let to = AT + i64::from(calls) * 1_000 + 86_400_000;
    block_on(async {
        let live = dump_all(&database).await;
        let told = reports(&database, to).await;
        assert_eq!(live[0].len(), calls as usize, "every call has its entry");
        empty_all(&database).await;
        assert!(dump_all(&database).await.iter().all(Vec::is_empty));
        let begun = Instant::now();
        assert_eq!(store::rebuild(&database).await.unwrap(), u64::from(calls));
        let took = begun.elapsed();
        let anew = dump_all(&database).await;
        for ((table, _), (live, anew)) in TABLES.iter().zip(live.iter().zip(&anew)) {
            assert_eq!(live.len(), anew.len(), "{table}");
            let differs = live.iter().zip(anew).find(|(live, anew)| live != anew);
            assert_eq!(differs, None, "{table}");
        }
        assert_eq!(reports(&database, to).await, told);
        let rows: usize = live.iter().map(Vec::len).sum();
        println!(
            "{calls} calls, {} events, {rows} rows: computed anew in {took:.1?}, equal to the unit",
            events.len()
        );
    });
    assert_eq!(place.problems(), [], "and each is what its events say");
}
