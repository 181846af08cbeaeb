//! The destruction of personal fields: nothing of a person is left in any table, the figures are.

use vocab::{Channel, Contact, EntryField, FieldChange};

use super::*;
use crate::db::{Connection, Location};
use crate::personal::{self, Destruction};
use crate::store;

/// What may be found nowhere afterwards.
const SECRETS: [&str; 7] = [
    "+74242000001",
    "Иванова",
    "Петров",
    "+79140001122",
    "болит",
    "15.03.1961",
    "ошибся",
];

fn change(field: EntryField, value: &str) -> FieldChange {
    FieldChange {
        field,
        value: Some(value.to_owned()),
    }
}

/// Everything of one call in which something personal stands.
fn history() -> History {
    let mut history = History::new(BOOT);
    let by = || "op1".to_owned();
    answered_call(&mut history, call(1));
    answered_call(&mut history, call(2));
    history.all([
        Fact::FieldSet {
            call: call(1),
            field: "birthday".into(),
            value: Some("15.03.1961".into()),
        },
        Fact::FieldSet {
            call: call(1),
            field: "topic".into(),
            value: Some("complaint".into()),
        },
        Fact::EntryEdited {
            call: call(1),
            by: by(),
            changes: vec![
                change(EntryField::FullName, "Петров П. П."),
                change(EntryField::ContactNumber, "+79140001122"),
                change(EntryField::Content, "болит зуб"),
                change(EntryField::Department, "Поликлиника 2"),
            ],
        },
        Fact::EntryEdited {
            call: call(1),
            by: by(),
            changes: vec![change(EntryField::FullName, "Петрова П. П.")],
        },
        Fact::EntryCompleted {
            call: call(1),
            by: by(),
        },
        Fact::EntryReopened {
            call: call(1),
            by: by(),
            reason: "Петров ошибся".into(),
        },
        Fact::ContactAdded {
            call: call(3),
            contact: Box::new(Contact {
                channel: Channel::Letter,
                at: WallTime::from_unix_millis(AT),
                queue: "operators".into(),
                by: by(),
                operator: None,
                fields: vec![change(EntryField::FullName, "Петров П. П.")],
            }),
        },
    ]);
    history
}

/// All octets of a database, as hex digits, the index of the search among them.
async fn everything(connection: &mut Connection) -> String {
    let mut text = String::new();
    let tables: Vec<(String,)> = connection
        .all("SELECT name FROM sqlite_master WHERE type = 'table'", &[])
        .await
        .unwrap();
    for (table,) in tables {
        let columns: Vec<(String,)> = connection
            .all(
                &format!("SELECT name FROM pragma_table_info('{table}')"),
                &[],
            )
            .await
            .unwrap();
        for (column,) in columns {
            let sql = format!("SELECT hex(CAST(\"{column}\" AS BLOB)) FROM \"{table}\"");
            let found: Vec<(String,)> = connection.all(&sql, &[]).await.unwrap();
            text.extend(found.into_iter().map(|(value,)| value + "\n"));
        }
    }
    text
}

/// Which secrets stand in it, as they were written or as the search keeps them.
fn found(everything: &str) -> Vec<&'static str> {
    let hex = |text: &str| -> String { text.bytes().map(|byte| format!("{byte:02X}")).collect() };
    let stands = |secret: &&str| {
        everything.contains(&hex(secret)) || everything.contains(&hex(&secret.to_lowercase()))
    };
    SECRETS
        .into_iter()
        .filter(|secret| stands(secret))
        .collect()
}

#[test]
fn nothing_of_a_person_is_left_in_any_table_and_the_figures_are() {
    let place = Place::new();
    place.run(BOOT, &history().events);
    block_on(async {
        let database = Location::from(place.database());
        let mut journal = query::open(&database).await.unwrap();
        let later = WallTime::from_unix_millis(AT + 1_000_000_000);
        let kept = journal.personal_kept(later, None).await.unwrap();
        let seen: Vec<_> = kept
            .iter()
            .map(|entry| (entry.call(), entry.topic.as_deref()))
            .collect();
        let expected = [
            (call(1), Some("complaint")),
            (call(2), None),
            (call(3), None),
        ];
        assert_eq!(seen, expected);
        let before = journal.call(call(1)).await.unwrap().unwrap();
        let mut connection = store::open(&database).await.unwrap();
        assert_eq!(found(&everything(&mut connection).await), SECRETS);

        let why = Destruction {
            at: later,
            act: "20261122-030000".into(),
            reason: "kept for 1 d".into(),
        };
        for n in [1, 3, 1] {
            personal::destroy(&database, call(n), &why).await.unwrap();
        }
        let left = found(&everything(&mut connection).await);
        assert_eq!(left, ["Иванова"], "the other call has its name");
        let after = journal.call(call(1)).await.unwrap().unwrap();
        let (old, new) = (&before.entry, &after.entry);
        assert_eq!(
            (
                new.wait_ms,
                new.talk_ms,
                &new.operator_login,
                &new.outcome,
                &new.topic
            ),
            (
                old.wait_ms,
                old.talk_ms,
                &old.operator_login,
                &old.outcome,
                &old.topic
            )
        );
        assert_eq!(new.department.as_deref(), Some("Поликлиника 2"));
        let personal = [&new.full_name, &new.contact_number, &new.content];
        assert_eq!(personal, [&None, &None, &None]);
        assert_eq!((new.caller.as_str(), new.caller_name.as_str()), ("", ""));
        let kept = journal.personal_kept(later, None).await.unwrap();
        assert_eq!(kept.len(), 1, "what was destroyed is not due again");
        let faults = journal.check(query::Range::default(), 9).await.unwrap();
        assert_eq!(faults, []);

        // Rows computed anew know nothing of it either.
        personal::destroy(&database, call(2), &why).await.unwrap();
        store::rebuild(&database).await.unwrap();
        assert_eq!(found(&everything(&mut connection).await), [""; 0]);
    });
    // Nor does a start that reads the event files again.
    place.run(BOOT + 1, &[]);
    block_on(async {
        let mut connection = store::open(&place.database().into()).await.unwrap();
        assert_eq!(found(&everything(&mut connection).await), [""; 0]);
    });
}
