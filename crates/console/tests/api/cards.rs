//! Cards of persons: made, found, written by two at once, merged, split.

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use crate::Office;

#[tokio::test]
async fn cards_are_made_found_merged_and_split() {
    let office = Office::new();
    let cards = "/api/v1/cards";
    let hostile = "=cmd()<script>'; DROP TABLE persons;--";
    let new = json!({ "name": hostile, "numbers": ["+7 (424) 212-34-501"], "notes": "first" });
    let (status, first) = office.write("POST", cards, &[], &new).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    let first = first["person"].as_str().unwrap().to_owned();
    let (status, problem) = office
        .write("POST", cards, &[], &json!({ "numbers": ["x"] }))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let new = json!({ "name": "Petrov", "numbers": ["+7424212345"] });
    let (_, second) = office.write("POST", cards, &[], &new).await;
    let second = second["person"].as_str().unwrap().to_owned();

    let one = format!("{cards}/{first}");
    let (status, _) = office
        .write("PATCH", &one, &[], &json!({ "notes": "second" }))
        .await;
    assert_eq!(status, StatusCode::OK);
    let response = office.get(&one).await;
    let tag = response.headers()[header::ETAG]
        .to_str()
        .unwrap()
        .to_owned();
    let same = office.get_with(&one, &[("if-none-match", &tag)]).await;
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    let third = json!({ "notes": "third" });
    let seen = [("if-match", tag.as_str())];
    let (status, _) = office.write("PATCH", &one, &seen, &third).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = office.write("PATCH", &one, &seen, &third).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    let bad = [("if-match", "\"x\"")];
    let (status, _) = office.write("PATCH", &one, &bad, &third).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    let second_notes = json!({ "notes": "second" });
    office.write("PATCH", &one, &[], &second_notes).await;
    let events = office.json(&format!("{one}/events")).await;
    let notes: Vec<&Value> = (0..4)
        .map(|n| &events["events"][n]["fact"]["card"]["notes"])
        .collect();
    assert_eq!(notes, ["first", "second", "third", "second"], "{events}");
    let merge = format!("{one}/merge");
    let (status, _) = office
        .write("POST", &merge, &[], &json!({ "from": second }))
        .await;
    assert_eq!(status, StatusCode::OK);
    let found = office.json(&format!("{cards}?text=petrov")).await;
    assert_eq!(
        found["cards"],
        json!([]),
        "merged: its name is that of the first"
    );
    let found = office.json(&format!("{cards}?text=second")).await;
    assert_eq!(found["cards"][0]["name"], hostile);
    assert_eq!(found["cards"][0]["numbers"].as_array().unwrap().len(), 2);
    let split = json!({ "name": "Petrov", "numbers": ["+7424212345"] });
    let (status, _) = office
        .write("POST", &format!("{one}/split"), &[], &split)
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let history = office.json("/api/v1/persons/+7424212345").await;
    assert_eq!(history["card"]["name"], "Petrov");
    assert_eq!(
        office.get(&format!("{cards}/nobody")).await.status(),
        StatusCode::NOT_FOUND
    );
}
