//! First-contact resolution: what the database adds up is what the formula says contact by contact.

use jiff::tz::TimeZone;

use super::*;
use crate::db::Connection;
use crate::forms::Forms;
use crate::metrics::{Contact, REPEAT_DAYS, first_contact_resolution};
use crate::report::{self, Kind, Wanted, render};

const HOUR: i64 = 3_600_000;

/// Calls of some twenty numbers on three topics over twenty days, some at the very end of a window; two numbers
/// are of one person, and one call came from nobody knows where.
async fn spread_out(connection: &mut Connection) {
    let spread = "UPDATE entries SET arrived_at = $1 + (call * 7919 % 80) * 6 * 3600000,
        party_key = CASE call % 11 WHEN 0 THEN '' ELSE CAST(call % 23 AS TEXT) END,
        contact_key = CASE call % 7 WHEN 0 THEN '' WHEN 1 THEN '3' END,
        topic = CASE call % 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'a' END,
        queue = CASE call % 3 WHEN 0 THEN 'health' ELSE 'roads' END";
    connection.run(spread, &[wall(0).into()]).await.unwrap();
    let card = "INSERT INTO person_numbers (key, number, person, version) VALUES
        ('1', '1', 9, 1), ('2', '2', 9, 1), ('3', '3', NULL, 1)";
    connection.run(card, &[]).await.unwrap();
}

async fn contacts(connection: &mut Connection) -> Vec<Contact> {
    let sql = "SELECT party_key, contact_key, topic, arrived_at FROM entries";
    type Row = (String, Option<String>, Option<String>, i64);
    let rows: Vec<Row> = connection.all(sql, &[]).await.unwrap();
    let contact = |(party, other, topic, at): Row| {
        let number = other.filter(|other| !other.is_empty()).unwrap_or(party);
        Contact {
            number: match number.as_str() {
                "1" | "2" => "person 9".to_owned(),
                _ => number,
            },
            topic: topic.unwrap_or_default(),
            at,
        }
    };
    rows.into_iter().map(contact).collect()
}

/// The figures of each window: judged, resolved, not yet.
async fn figures(place: &Place, wanted: &Wanted) -> Vec<[u64; 3]> {
    let forms = Forms::plain(Duration::from_secs(600));
    let made = report::make(place.database(), &forms, wanted).await;
    let json = render::json(&made.unwrap());
    let rows = json["tables"]["first_contact_resolution"].as_array();
    let of_row = |row: &serde_json::Value| {
        ["judged", "resolved", "not_yet"].map(|column| row[column].as_u64().unwrap())
    };
    rows.unwrap().iter().map(of_row).collect()
}

#[test]
fn the_database_judges_contacts_as_the_formula_does() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    for n in 1..=200 {
        answered_call(&mut history, call(n));
    }
    place.run(BOOT, &history.events);
    let range = (wall(2 * 24 * HOUR), wall(14 * 24 * HOUR));
    let (mut judged, mut resolved) = (0, 0);
    block_on(async {
        let mut connection = crate::store::open(&place.database().into()).await.unwrap();
        spread_out(&mut connection).await;
        let contacts = contacts(&mut connection).await;
        connection.close().await;
        for now in [16 * 24 * HOUR, 15 * 24 * HOUR + 1, 30 * 24 * HOUR].map(wall) {
            let wanted = Wanted {
                repeat_days: 7,
                ..Wanted::new(Kind::Daily, range, now, TimeZone::UTC)
            };
            let found = figures(&place, &wanted).await;
            // Each contact is that of one queue, to whichever it came again.
            let of_queue = async |queue: &str| {
                let queue = Some(queue.to_owned());
                let wanted = Wanted {
                    queue,
                    ..wanted.clone()
                };
                figures(&place, &wanted).await
            };
            let (health, roads) = (of_queue("health").await, of_queue("roads").await);
            for (row, days) in REPEAT_DAYS.into_iter().enumerate() {
                let exact = first_contact_resolution(&contacts, range, days, now);
                let expected = [exact.judged, exact.resolved, exact.pending];
                assert_eq!(found[row], expected, "{days} days, {now}");
                for place in 0..3 {
                    let (one, other) = (health[row][place], roads[row][place]);
                    assert_eq!(one + other, expected[place], "{days} days, {now}");
                    assert!(one < other || other == 0);
                }
                judged += exact.judged;
                resolved += exact.resolved;
            }
        }
    });
    assert!(resolved > 0 && resolved < judged, "{resolved} of {judged}");
}
