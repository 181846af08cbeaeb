//! The table of operators.

use std::collections::BTreeMap;

use super::*;
use crate::operators::{self, Operator, OperatorError, WaitingMessages, Watch};

fn person(login: &str, line: &str) -> Operator {
    Operator {
        id: OperatorId(0),
        login: login.into(),
        name: "Мария Петрова".into(),
        line: line.into(),
        ha1_sha256: "a".repeat(64),
        ha1_md5: "b".repeat(32),
        skills: BTreeMap::from([("health".to_owned(), 80)]),
        enabled: true,
        address: None,
    }
}

#[tokio::test]
async fn operators_are_added_before_the_first_start_listed_and_removed() {
    let place = Place::new();
    let db = place.database();
    let ten = operators::add(&db, person("maria", "10")).await.unwrap();
    let two = operators::add(&db, person("ivan", "2")).await.unwrap();
    assert_ne!(ten.id, two.id);
    assert_eq!(
        operators::list(&db).await.unwrap(),
        [two.clone(), ten.clone()]
    );
    operators::remove(&db, "MARIA").await.unwrap();
    let again = operators::add(&db, person("maria", "10")).await.unwrap();
    assert!(
        again.id > ten.id && again.id > two.id,
        "a number is never given twice"
    );
    let (journal, _) = place.start(BOOT);
    let _ = journal.stop();
}

#[tokio::test]
async fn what_is_taken_is_named() {
    let place = Place::new();
    let db = place.database();
    operators::add(&db, person("maria", "10")).await.unwrap();
    let error = operators::add(&db, person("Maria", "11"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, OperatorError::LoginTaken(login) if login == "Maria"),
        "{error}"
    );
    let error = operators::add(&db, person("ivan", "10")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the line \"10\" belongs to the operator \"maria\""
    );
    let error = operators::remove(&db, "nobody").await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("there is no operator with the login \"nobody\"")
    );
    assert_eq!(operators::list(&db).await.unwrap().len(), 1);
}

#[tokio::test]
async fn fields_that_are_not_allowed_are_refused() {
    let place = Place::new();
    let db = place.database();
    for login in [
        "",
        "a b",
        "a@b",
        "мария",
        "a\"b",
        "a;b",
        "a\r\n",
        &"x".repeat(200),
    ] {
        let error = operators::add(&db, person(login, "1")).await.unwrap_err();
        assert!(matches!(error, OperatorError::Login(_)), "{login:?}");
    }
    for line in ["", "  ", "1\n2"] {
        let error = operators::add(&db, person("maria", line))
            .await
            .unwrap_err();
        assert!(
            matches!(error, OperatorError::Text { field: "line", .. }),
            "{line:?}"
        );
    }
    let secrets = Operator {
        ha1_md5: "B".repeat(32),
        ..person("maria", "1")
    };
    assert!(matches!(
        operators::add(&db, secrets).await,
        Err(OperatorError::Secrets(_))
    ));
    let skills = BTreeMap::from([("health".to_owned(), 101)]);
    let skilled = Operator {
        skills,
        ..person("maria", "1")
    };
    assert!(matches!(
        operators::add(&db, skilled).await,
        Err(OperatorError::Skill { .. })
    ));
    assert!(!db.exists(), "nothing was touched");
}

#[tokio::test]
async fn a_running_engine_notices_each_change_and_only_changes() {
    let place = Place::new();
    let db = place.database();
    let (journal, _) = place.start(BOOT);
    let mut watch = Watch::open(&db).await.unwrap();
    assert_eq!(watch.changes().await.unwrap(), Some(vec![]));
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    for event in &history.events {
        journal.append(event.clone());
    }
    journal.flushed().await;
    assert_eq!(
        watch.changes().await.unwrap(),
        None,
        "calls are no change of operators"
    );
    let before = operators::version(&db).await.unwrap();
    operators::add(&db, person("maria", "10")).await.unwrap();
    assert_eq!(watch.changes().await.unwrap().unwrap().len(), 1);
    operators::set_secrets(&db, "maria", &"c".repeat(64), &"d".repeat(32))
        .await
        .unwrap();
    assert_eq!(
        watch.changes().await.unwrap().unwrap()[0].ha1_md5,
        "d".repeat(32)
    );
    operators::set_enabled(&db, "maria", false).await.unwrap();
    assert!(!watch.changes().await.unwrap().unwrap()[0].enabled);
    operators::set_skills(&db, "maria", &BTreeMap::new())
        .await
        .unwrap();
    assert!(watch.changes().await.unwrap().unwrap()[0].skills.is_empty());
    operators::remove(&db, "maria").await.unwrap();
    assert_eq!(watch.changes().await.unwrap(), Some(vec![]));
    assert_eq!(watch.changes().await.unwrap(), None);
    assert_eq!(operators::version(&db).await.unwrap(), before + 5);
    let _ = journal.stop();
}

#[test]
fn secrets_are_not_in_debug_output() {
    let text = format!("{:?}", person("maria", "10"));
    assert!(text.contains("maria"));
    assert!(!text.contains("aaaa") && !text.contains("bbbb"), "{text}");
}

#[tokio::test]
async fn a_line_gets_an_address_and_loses_it() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("journal.db");
    operators::add(&database, person("ivanova", "101"))
        .await
        .unwrap();
    let mut watch = Watch::open(&database).await.unwrap();
    watch.changes().await.unwrap();
    for address in [Some("sip:201@192.0.2.7"), None] {
        operators::set_address(&database, "IVANOVA", address)
            .await
            .unwrap();
        let seen = watch.changes().await.unwrap().unwrap();
        assert_eq!(seen[0].address.as_deref(), address);
    }
    let unknown = operators::set_address(&database, "nobody", None).await;
    assert!(matches!(unknown, Err(OperatorError::Unknown(_))));
}

#[tokio::test]
async fn the_numbers_of_waiting_messages_are_kept_and_seen_by_who_watches() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("journal.db");
    operators::add(&database, person("ivanova", "101"))
        .await
        .unwrap();
    let mut watch = Watch::open(&database).await.unwrap();
    watch.changes().await.unwrap();
    let waiting = WaitingMessages { new: 2, old: 5 };
    operators::set_waiting(&database, "ivanova", waiting)
        .await
        .unwrap();
    let seen = watch.changes().await.unwrap().unwrap();
    assert_eq!(seen.len(), 1);
    let told = operators::waiting(&database).await.unwrap();
    assert_eq!(told, [("ivanova".to_owned(), waiting)]);
    let unknown = operators::set_waiting(&database, "nobody", waiting).await;
    assert!(matches!(unknown, Err(OperatorError::Unknown(_))));
}
