//! Owns the list of abandoned calls: who hung up while waiting, and what became of them.

use std::collections::BTreeMap;

use super::lists::{self, Listed};
use super::queues::seconds;
use super::source::unsigned;
use super::{Cell, LIST_MAX, Report, Table, Wanted, lots};
use crate::db::{Connection, Value};
use crate::persons;

/// A call whose caller hung up while waiting.
#[derive(Debug, Clone, sqlx::FromRow)]
struct CallRow {
    call_id: String,
    arrived_at: i64,
    caller: String,
    number: String,
    party_key: String,
    queue: Option<String>,
    trunk: String,
    wait_ms: Option<i64>,
}

/// A call that may be a call back, or a second try.
#[derive(Debug, Clone, sqlx::FromRow)]
struct LaterRow {
    direction: String,
    party_key: String,
    arrived_at: i64,
}

/// Calls that were abandoned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Abandoned {
    /// In order of arrival.
    calls: Listed<CallRow>,
    /// Of all, not of those who are listed only, who hung up soon.
    short: u64,
    /// Calls with those who are listed: who called whom, whether they talked, in order of arrival.
    later: Vec<LaterRow>,
}

const CALLS: &str = "SELECT call_id, arrived_at, caller, number, party_key, queue, trunk, wait_ms
    FROM entries
    WHERE outcome = 'abandoned' AND arrived_at >= $1 AND arrived_at < $2
      AND ($3 IS NULL OR queue = $3)";

const SHORT: &str = "SELECT count(*) FROM entries
    WHERE outcome = 'abandoned' AND arrived_at >= $1 AND arrived_at < $2
      AND ($3 IS NULL OR queue = $3) AND wait_ms <= $4";

/// Of nobody but the callers who are listed, by any number on their cards.
const LATER: &str = "WITH listed AS (
      SELECT party_key FROM entries
      WHERE outcome = 'abandoned' AND arrived_at >= $1 AND arrived_at < $2
        AND ($3 IS NULL OR queue = $3)
      ORDER BY arrived_at, call LIMIT $4
    ), callers AS (
      SELECT DISTINCT party_key FROM listed WHERE party_key <> ''
    ), keys AS (
      SELECT party_key FROM callers
      UNION SELECT other.key FROM callers
        JOIN person_numbers own ON own.key = callers.party_key
        JOIN person_numbers other ON other.person = own.person
    )
    SELECT direction, party_key, arrived_at FROM entries
    WHERE party_key IN (SELECT party_key FROM keys) AND arrived_at >= $1
      AND channel = 'call' AND segments > 0
    ORDER BY arrived_at, call";

/// Reads who hung up, and who of them came again or was called back.
pub(super) async fn read(view: &mut Connection, wanted: &Wanted) -> Result<Abandoned, sqlx::Error> {
    let range = lots::range(wanted);
    let with = |value: Value| [&range[..], &[value]].concat();
    let mut calls: Listed<CallRow> = lists::read(view, (CALLS, "arrived_at, call"), &range).await?;
    let short: Vec<(i64,)> = view
        .all(SHORT, &with(lots::signed(wanted.short_ms)))
        .await?;
    let listed = with(lots::signed(LIST_MAX as u64));
    let mut later: Vec<LaterRow> = view.all(LATER, &listed).await?;
    // Who has several numbers on a card is one person, whichever is used.
    let by_number = persons::by_number(view).await?;
    let keys = calls.rows.iter_mut().map(|call| &mut call.party_key);
    for key in keys.chain(later.iter_mut().map(|call| &mut call.party_key)) {
        if let Some(person) = by_number.get(key) {
            *key = format!("person {person}");
        }
    }
    Ok(Abandoned {
        calls,
        short: short.first().map_or(0, |(short,)| unsigned(*short)),
        later,
    })
}

/// Calls whose callers hung up while waiting, and whether somebody called them back.
pub(super) fn table(report: &mut Report, abandoned: &Abandoned, wanted: &Wanted) {
    let mut table = Table::new(
        "abandoned",
        [
            "entry",
            "arrived",
            "caller",
            "number",
            "queue",
            "trunk",
            "waited",
            "called_back",
            "when",
        ],
    );
    let later = later_by_party(abandoned);
    for call in &abandoned.calls.rows {
        let (state, when) = called_back(&later, call);
        table.rows.push(vec![
            Cell::Text(call.call_id.clone()),
            Cell::Moment(call.arrived_at),
            Cell::Text(call.caller.clone()),
            Cell::Text(call.number.clone()),
            Cell::text(call.queue.as_deref()),
            Cell::Text(call.trunk.clone()),
            Cell::ms(call.wait_ms.map(unsigned)),
            Cell::Text(state.to_owned()),
            Cell::moment(when),
        ]);
    }
    report.notes.push(format!(
        "{} abandoned, {} of them within {} s",
        abandoned.calls.all,
        abandoned.short,
        seconds(wanted.short_ms)
    ));
    lists::say_cut_off(report, &table, abandoned.calls.all);
    report.tables.push(table);
}

/// Calls of each party, in order of arrival.
type Later<'a> = BTreeMap<&'a str, Vec<&'a LaterRow>>;

fn later_by_party(abandoned: &Abandoned) -> Later<'_> {
    let mut by_party = Later::new();
    for later in &abandoned.later {
        let calls = by_party.entry(later.party_key.as_str());
        calls.or_default().push(later);
    }
    by_party
}

/// What became of a caller who hung up: `called back` by an operator, `called again` and talked to
/// one, `no`, or `withheld` where nobody can.
fn called_back(later: &Later<'_>, call: &CallRow) -> (&'static str, Option<i64>) {
    if call.party_key.is_empty() {
        return ("withheld", None);
    }
    let calls = later.get(call.party_key.as_str());
    let calls = calls.map(Vec::as_slice).unwrap_or_default();
    let begin = calls.partition_point(|later| later.arrived_at <= call.arrived_at);
    for later in calls.get(begin..).unwrap_or_default() {
        match later.direction.as_str() {
            "outbound" => return ("called back", Some(later.arrived_at)),
            "inbound" => return ("called again", Some(later.arrived_at)),
            _ => {}
        }
    }
    ("no", None)
}
