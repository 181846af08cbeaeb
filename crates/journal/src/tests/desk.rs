//! What people do to entries, by the ledger of a command.

use std::sync::Arc;

use vocab::{Channel, Contact, EntryField, FieldChange};

use super::*;
use crate::desk::{Desk, Done, Offline, Refusal, Seen, Wish};
use crate::forms::Forms;
use crate::query;

const FORMS: &str = "
[[form]]
queues = ['operators']
required = ['full_name', 'topic']
topics = ['Vaccination / Schedule', 'Doctors']
complete_within = '5 min'
";

/// A journal with one call, and a desk over it.
struct Office {
    place: Place,
    ledger: Arc<Offline>,
    desk: Desk,
}

impl Office {
    fn new() -> Self {
        let place = Place::new();
        let mut history = History::new(BOOT);
        answered_call(&mut history, call(1));
        place.run(BOOT, &history.events);
        Self::over(place)
    }

    fn over(place: Place) -> Self {
        let forms = Forms::parse(FORMS, Duration::from_secs(600)).unwrap();
        let ledger = Arc::new(Offline::start(place.settings(), "test").unwrap());
        let desk = Desk::new(place.database(), Arc::new(forms), Arc::clone(&ledger) as _);
        Self {
            place,
            ledger,
            desk,
        }
    }

    async fn edit(&self, changes: &[(EntryField, &str)]) -> Result<Done, Refusal> {
        let wish = Wish::Edit {
            call: call(1),
            by: "op1".into(),
            changes: self::changes(changes),
            seen: None,
        };
        self.desk.carry_out(wish).await
    }

    async fn complete(&self, changes: &[(EntryField, &str)]) -> Result<Done, Refusal> {
        let wish = Wish::Complete {
            call: call(1),
            by: "op1".into(),
            changes: self::changes(changes),
            seen: None,
        };
        self.desk.carry_out(wish).await
    }

    async fn row(&self, id: CallId) -> CallRows {
        let mut journal = query::open(&self.place.database()).await.unwrap();
        journal.call(id).await.unwrap().unwrap()
    }

    /// Lets go of the journal, which must be sound, and gives the place back.
    async fn close(self) -> Place {
        drop(self.desk);
        let stopped = Arc::into_inner(self.ledger).unwrap().stop();
        assert_eq!((stopped.not_in_sql, stopped.lost), (0, 0));
        let mut journal = query::open(&self.place.database()).await.unwrap();
        let found = journal.check(query::Range::default(), 9).await.unwrap();
        assert_eq!(found, []);
        self.place
    }
}

fn changes(changes: &[(EntryField, &str)]) -> Vec<FieldChange> {
    let change = |(field, value): &(EntryField, &str)| FieldChange {
        field: *field,
        value: (!value.is_empty()).then(|| (*value).to_owned()),
    };
    changes.iter().map(change).collect()
}

#[tokio::test]
async fn of_two_who_write_at_once_the_second_sees_what_the_first_wrote() {
    use EntryField::{FullName, Topic};
    let office = Office::new();
    let edit = |name: &str| Wish::Edit {
        call: call(1),
        by: name.into(),
        changes: changes(&[(FullName, name)]),
        seen: Some(Seen(None)),
    };
    let (one, other) = tokio::join!(
        office.desk.carry_out(edit("anna")),
        office.desk.carry_out(edit("boris")),
    );
    assert!(one.is_ok(), "{one:?}");
    assert!(matches!(other, Err(Refusal::Changed { .. })), "{other:?}");
    let all = [(Topic, "Doctors"), (FullName, "Ivanova")];
    let (one, other) = tokio::join!(office.complete(&all), office.complete(&all));
    assert!(one.is_ok(), "{one:?}");
    assert_eq!(other, Err(Refusal::Completed));
    office.close().await;
}

/// A ledger whose database never has anything while it is away.
struct Away {
    ledger: Arc<Offline>,
    away: std::sync::atomic::AtomicBool,
}

impl crate::desk::Ledger for Away {
    fn state(
        &self,
        statement: crate::desk::Statement,
    ) -> crate::desk::Answer<'_, Result<crate::desk::Stated, String>> {
        self.ledger.state(statement)
    }

    fn in_sql(&self, event: vocab::EventId) -> crate::desk::Answer<'_, ()> {
        if self.away.load(std::sync::atomic::Ordering::SeqCst) {
            return Box::pin(std::future::pending());
        }
        self.ledger.in_sql(event)
    }
}

#[tokio::test]
async fn nobody_writes_over_what_the_database_does_not_have_yet() {
    let office = Office::new();
    let ledger = Arc::new(Away {
        ledger: Arc::clone(&office.ledger),
        away: true.into(),
    });
    let forms = Forms::parse(FORMS, Duration::from_secs(600)).unwrap();
    let desk = Desk::new(
        office.place.database(),
        Arc::new(forms),
        Arc::clone(&ledger) as _,
    );
    let edit = |id: CallId, name: &str| Wish::Edit {
        call: id,
        by: "op1".into(),
        changes: changes(&[(EntryField::FullName, name)]),
        seen: None,
    };
    let first = desk.carry_out(edit(call(1), "Ivanova")).await.unwrap();
    assert!(!first.in_sql);
    let second = desk.carry_out(edit(call(1), "Petrova")).await;
    assert!(
        matches!(second, Err(Refusal::Unavailable { .. })),
        "{second:?}"
    );
    // It holds up nobody who writes about something else.
    let elsewhere = desk.carry_out(edit(call(2), "Petrova")).await;
    assert_eq!(elsewhere, Err(Refusal::Unknown { call: call(2) }));
    ledger
        .away
        .store(false, std::sync::atomic::Ordering::SeqCst);
    let third = desk.carry_out(edit(call(1), "Petrova")).await.unwrap();
    assert!(third.in_sql);
    let corrections = office.row(call(1)).await.corrections;
    assert_eq!(corrections[0].old_value.as_deref(), Some("Ivanova"));
    drop((desk, ledger));
    office.close().await;
}

#[tokio::test]
async fn old_values_are_kept_with_who_and_when_and_the_rebuild_has_them_too() {
    use EntryField::{Content, FullName};
    let office = Office::new();
    let done = office.edit(&[(FullName, "Ivanova")]).await.unwrap();
    assert!(done.in_sql);
    office
        .edit(&[(FullName, " Ivanova A. P. "), (Content, "a\nb")])
        .await
        .unwrap();
    let same = office.edit(&[(FullName, "Ivanova A. P.")]).await.unwrap();
    assert_eq!(same.event, None, "nothing changed, so nothing is written");
    office.edit(&[(FullName, "")]).await.unwrap();
    let rows = office.row(call(1)).await;
    assert_eq!(rows.entry.full_name, None);
    assert_eq!(rows.entry.content.as_deref(), Some("a\nb"));
    let kept: Vec<_> = rows
        .corrections
        .iter()
        .map(|c| {
            (
                c.field.as_str(),
                c.old_value.as_deref(),
                c.new_value.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        kept,
        [
            ("full_name", Some("Ivanova"), Some("Ivanova A. P.")),
            ("full_name", Some("Ivanova A. P."), None),
        ]
    );
    assert!(
        rows.corrections
            .iter()
            .all(|c| c.written_by == "op1" && c.written_at > 0)
    );
    let place = office.close().await;
    crate::rebuild(&place.database()).await.unwrap();
    let office = Office::over(place);
    assert_eq!(office.row(call(1)).await, rows);
    office.close().await;
}

#[tokio::test]
async fn an_entry_is_completed_with_all_required_fields_and_then_closed_to_edits() {
    use EntryField::{FullName, Topic};
    let office = Office::new();
    let refused = office.complete(&[(FullName, "Ivanova")]).await.unwrap_err();
    assert_eq!(
        refused,
        Refusal::Missing {
            fields: vec![Topic]
        }
    );
    let refused = office.edit(&[(Topic, "Weather")]).await.unwrap_err();
    assert!(
        refused.to_string().contains("topic: expected a topic"),
        "{refused}"
    );
    office
        .complete(&[(FullName, "Ivanova"), (Topic, "Vaccination")])
        .await
        .unwrap();
    let row = office.row(call(1)).await.entry;
    assert_eq!(row.completed_by.as_deref(), Some("op1"));
    assert_eq!(row.talk_ended_at, Some(wall(24_200)));
    assert!(row.entry_delay_ms.is_some());
    let refused = office.edit(&[(FullName, "x")]).await.unwrap_err();
    assert_eq!(refused, Refusal::Completed);
    let reopen = Wish::Reopen {
        call: call(1),
        by: "chief".into(),
        reason: "wrong topic".into(),
    };
    office.desk.carry_out(reopen.clone()).await.unwrap();
    let refused = office.desk.carry_out(reopen).await.unwrap_err();
    assert_eq!(refused, Refusal::NotCompleted);
    office.edit(&[(Topic, "Doctors")]).await.unwrap();
    let rows = office.row(call(1)).await;
    assert_eq!(rows.entry.completed_at, None);
    let fields: Vec<_> = rows.corrections.iter().map(|c| c.field.as_str()).collect();
    assert_eq!(fields, ["completed", "topic"]);
    assert_eq!(rows.corrections[0].reason.as_deref(), Some("wrong topic"));
    office.close().await;
}

#[tokio::test]
async fn execution_goes_on_after_an_entry_is_complete_and_moves_its_completion_by_nothing() {
    use EntryField::{Department, Execution, FullName, Topic};
    let office = Office::new();
    let fields = [(FullName, "Ivanova"), (Topic, "Vaccination")];
    office.complete(&fields).await.unwrap();
    let before = office.row(call(1)).await.entry;
    let assigned = [(Department, "Roads"), (Execution, "assigned")];
    office.edit(&assigned).await.unwrap();
    office.edit(&[(Execution, "done")]).await.unwrap();
    let rows = office.row(call(1)).await;
    assert_eq!(rows.entry.completed_at, before.completed_at);
    assert_eq!(rows.entry.entry_delay_ms, before.entry_delay_ms);
    assert_eq!(rows.entry.execution.as_deref(), Some("done"));
    let corrected = &rows.corrections[0];
    assert_eq!(
        (corrected.field.as_str(), corrected.old_value.as_deref()),
        ("execution", Some("assigned"))
    );
    let mixed = [(Execution, "declined"), (FullName, "x")];
    let refused = office.edit(&mixed).await.unwrap_err();
    assert_eq!(refused, Refusal::Completed);
    let refused = office.complete(&[(Execution, "declined")]).await;
    assert_eq!(refused.unwrap_err(), Refusal::Completed);
    office.close().await;
}

#[tokio::test]
async fn who_saw_an_older_version_writes_nothing() {
    let office = Office::new();
    let first = office.edit(&[(EntryField::Action, "one")]).await.unwrap();
    let late = Wish::Edit {
        call: call(1),
        by: "op2".into(),
        changes: changes(&[(EntryField::Action, "two")]),
        seen: Some(Seen(None)),
    };
    let refused = office.desk.carry_out(late).await.unwrap_err();
    let version = first.event;
    assert_eq!(refused, Refusal::Changed { version });
    let now = Wish::Edit {
        call: call(1),
        by: "op2".into(),
        changes: changes(&[(EntryField::Action, "two")]),
        seen: Some(Seen(version)),
    };
    office.desk.carry_out(now).await.unwrap();
    assert_eq!(
        office.row(call(1)).await.entry.action.as_deref(),
        Some("two")
    );
    office.close().await;
}

#[tokio::test]
async fn a_contact_that_was_no_call_has_an_entry_like_any_other() {
    let office = Office::new();
    let contact = Contact {
        channel: Channel::Email,
        at: WallTime::from_unix_millis(wall(-3_600_000)),
        queue: "operators".into(),
        by: "op2".into(),
        operator: Some(operator(2)),
        fields: changes(&[
            (EntryField::FullName, "Petrov"),
            (EntryField::Topic, "Doctors"),
        ]),
    };
    let wish = Wish::Add {
        contact: Box::new(contact.clone()),
        complete: true,
    };
    let done = office.desk.carry_out(wish).await.unwrap();
    let row = office.row(done.call).await.entry;
    assert_eq!(row.channel, "email");
    assert_eq!(row.outcome.as_deref(), Some("contact"));
    assert_eq!(row.operator_line.as_deref(), Some("102"));
    assert_eq!(row.arrived_at, Some(wall(-3_600_000)));
    assert_eq!(row.written_by.as_deref(), Some("op2"));
    assert!(row.completed_at.is_some() && row.entry_delay_ms.is_some());
    let wish = Wish::Add {
        contact: Box::new(Contact {
            channel: Channel::Call,
            ..contact
        }),
        complete: false,
    };
    let refused = office.desk.carry_out(wish).await.unwrap_err();
    assert!(refused.to_string().contains("another channel"), "{refused}");
    let place = office.close().await;
    let office = Office::over(place);
    assert_eq!(
        office.row(done.call).await.entry,
        row,
        "it survives a restart"
    );
    office.close().await;
}

#[tokio::test]
async fn values_that_no_field_can_have_are_refused_one_by_one() {
    use EntryField as F;
    let office = Office::new();
    for (field, value, said) in [
        (F::FullName, "a\u{1b}[2J", "without control characters"),
        (F::FullName, "two\nlines", "without control characters"),
        (F::Deadline, "tomorrow", "expected a moment"),
        (F::Execution, "maybe", "expected one of assigned"),
        (F::FullName, &"x".repeat(251), "at most 250"),
    ] {
        let refused = office
            .edit(&[(field, value)])
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains(said), "{field:?}: {refused}");
    }
    let nobody = Wish::Edit {
        call: call(1),
        by: " ".into(),
        changes: Vec::new(),
        seen: None,
    };
    assert!(office.desk.carry_out(nobody).await.is_err());
    let unknown = Wish::Edit {
        call: call(99),
        by: "op1".into(),
        changes: Vec::new(),
        seen: None,
    };
    let refused = office.desk.carry_out(unknown).await.unwrap_err();
    assert_eq!(refused, Refusal::Unknown { call: call(99) });
    office
        .edit(&[(F::Deadline, "2026-12-01T10:00:00+10:00")])
        .await
        .unwrap();
    office.edit(&[(F::Execution, "done")]).await.unwrap();
    let row = office.row(call(1)).await.entry;
    assert_eq!(row.deadline_at, Some(1_796_083_200_000));
    assert!(row.executed_at.is_some());
    office.close().await;
}
