//! Registrations of telephones, from event to table to the next start.

use vocab::Registration;

use super::*;
use crate::bindings;

fn registration(login: &str, key: &str, until: i64) -> Box<Registration> {
    Box::new(Registration {
        login: login.into(),
        key: key.into(),
        contact: "sip:anna@192.0.2.9:5062".into(),
        params: String::new(),
        transport: "UDP".into(),
        local: "192.0.2.1:5060".into(),
        remote: "192.0.2.9:5062".into(),
        path: vec!["<sip:edge.example;lr>".into()],
        q: 500,
        call_id: "c".into(),
        cseq: 7,
        until: WallTime::from_unix_millis(until),
        secret: "01234567".into(),
    })
}

fn facts() -> Vec<Fact> {
    let registered = |login, key, until| Fact::TelephoneRegistered {
        registration: registration(login, key, until),
    };
    vec![
        registered("anna", "desk", 1),
        registered("anna", "mobile", 1),
        registered("boris", "desk", 1),
        Fact::TelephoneUnregistered {
            login: "anna".into(),
            key: "mobile".into(),
        },
        registered("anna", "desk", 2),
        Fact::TelephoneUnregistered {
            login: "vera".into(),
            key: "desk".into(),
        },
    ]
}

fn loaded(place: &Place, boot: u32) -> Vec<Registration> {
    let settings = place.settings();
    block_on(bindings::load(&settings.dir, &settings.database, boot)).unwrap()
}

#[test]
fn registrations_are_there_at_the_next_start_as_the_last_event_left_them() {
    let place = Place::new();
    place.run(BOOT, &History::new(BOOT).all(facts()).events);
    let expected = [
        *registration("anna", "desk", 2),
        *registration("boris", "desk", 1),
    ];
    assert_eq!(loaded(&place, BOOT + 1), expected);
}

#[test]
fn what_the_database_does_not_have_yet_is_read_from_the_event_files() {
    let place = Place::new();
    place.run(BOOT, &History::new(BOOT).all(facts()).events);
    // As if the database had heard of nothing.
    block_on(async {
        let mut connection = crate::sqlite::open(&place.database()).await.unwrap();
        for table in ["bindings", "applied"] {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        }
    });
    assert_eq!(loaded(&place, BOOT + 1).len(), 2);
}
