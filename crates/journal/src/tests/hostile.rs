//! Names made to do harm: they go through the journal and every export as text.

use super::*;
use crate::export;
use crate::forms::Forms;
use crate::query::Range;
use crate::report::{self, Kind, Wanted, render};
use crate::search::Filter;

#[path = "../../../../tests/engine/harness/hostile.rs"]
mod table;
use table::{VALUES as NAMES, values};

fn place() -> Place {
    let place = Place::new();
    let mut history = History::new(BOOT);
    for (n, name) in (1..).zip(NAMES) {
        answered_call(&mut history, call(n));
        for event in &mut history.events {
            if let Fact::CallArrived {
                call: id,
                caller_name,
                ..
            } = &mut event.fact
                && *id == call(n)
            {
                *caller_name = (*name).to_owned();
            }
        }
    }
    place.run(BOOT, &history.events);
    place
}

fn exported_csv(place: &Place, range: Range) -> Vec<csv::StringRecord> {
    let mut bytes = Vec::new();
    let written = block_on(export::csv(&place.database(), range, &mut bytes)).unwrap();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(bytes.as_slice());
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(written + 1, records.len() as u64);
    records
}

#[test]
fn names_come_back_from_sql_as_they_were() {
    let place = place();
    let mut rows = place.rows();
    rows.reverse();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row.entry.caller_name.as_str())
        .collect();
    assert_eq!(names, NAMES);
    assert_eq!(place.problems(), []);
}

#[test]
fn csv_has_no_formula_and_no_control_character_and_keeps_telephone_numbers() {
    let place = place();
    let records = exported_csv(&place, Range::default());
    let column = |name: &str| records[0].iter().position(|column| column == name).unwrap();
    let (name, caller, line) = (
        column("caller_name"),
        column("caller"),
        column("operator_line"),
    );
    for (record, original) in records[1..].iter().zip(NAMES) {
        let cell = &record[name];
        assert!(
            !cell.trim_start().starts_with(['=', '+', '-', '@', '＝']),
            "{cell:?}"
        );
        assert!(!cell.chars().any(char::is_control), "{cell:?}");
        let text = cell
            .strip_prefix('\'')
            .filter(|_| !original.starts_with('\''))
            .unwrap_or(cell);
        assert_eq!(text.chars().count(), original.chars().count());
        assert!(
            record[caller].starts_with("+7424200"),
            "{:?}",
            &record[caller]
        );
        assert_eq!(&record[line], "101");
    }
    assert_eq!(&records[5][name], "'-2+3");
    assert_eq!(
        &records[1][name], NAMES[0],
        "an apostrophe that was there stays alone"
    );
}

#[test]
fn csv_times_are_utc_and_a_range_is_kept() {
    let place = place();
    let records = exported_csv(&place, Range::default());
    let column = |name: &str| records[0].iter().position(|column| column == name).unwrap();
    assert_eq!(&records[1][column("call")], "0cff0000-00000001");
    assert_eq!(
        &records[1][column("arrived_at")],
        "2026-11-22T09:33:25.000Z"
    );
    assert_eq!(&records[1][column("wait_ms")], "3000");
    assert_eq!(&records[1][column("outcome")], "answered");
    // Each call takes 24.5 s.
    let from = Some(WallTime::from_unix_millis(wall(24_500)));
    let to = Some(WallTime::from_unix_millis(wall(3 * 24_500)));
    let records = exported_csv(&place, Range { from, to });
    let calls: Vec<_> = records[1..].iter().map(|record| &record[0]).collect();
    assert_eq!(calls, ["0cff0000-00000002", "0cff0000-00000003"]);
}

#[test]
fn json_lines_have_everything_as_it_was() {
    let place = place();
    let mut bytes = Vec::new();
    let written = block_on(export::jsonl(
        &place.database(),
        Range::default(),
        &mut bytes,
    ))
    .unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((lines.len(), written), (NAMES.len(), NAMES.len() as u64));
    for (line, name) in lines.iter().zip(NAMES) {
        assert_eq!(line["caller_name"], name);
        assert_eq!(line["arrived_at"].as_str().map(str::len), Some(24));
        assert_eq!(line["status"], serde_json::Value::Null);
        assert_eq!(line["segment_list"][0]["recorded"], true);
        assert_eq!(line["segment_list"][0]["talk_ms"], 20_000);
        assert_eq!(
            line["offer_list"][0]["offer"],
            line["segment_list"][0]["offer"]
        );
        assert_eq!(line["recording_list"][0]["sha256"], "0".repeat(64));
        assert_eq!(line["queue_list"][0]["outcome"], "answered");
    }
}

#[test]
fn an_export_goes_on_over_many_pages() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    for n in 1..=1_203 {
        history.say(arrived(call(n)));
        history
            .after(1)
            .say(ended(call(n), Outcome::UnknownNumber, EndedBy::Engine));
    }
    place.run(BOOT, &history.events);
    assert_eq!(exported_csv(&place, Range::default()).len(), 1_204);
}

#[test]
fn an_output_that_takes_no_more_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }
    let place = place();
    assert!(block_on(export::csv(&place.database(), Range::default(), Full)).is_err());
    assert!(block_on(export::jsonl(&place.database(), Range::default(), Full)).is_err());
}

#[test]
fn an_export_without_a_database_says_so() {
    let place = Place::new();
    let error = block_on(export::csv(&place.database(), Range::default(), Vec::new())).unwrap_err();
    assert!(
        error.to_string().contains("there is no journal database"),
        "{error}"
    );
    assert!(!place.database().exists());
}

/// A call for each value, with the value in every text that a person or a network gives.
fn everywhere() -> Place {
    const TEXTS: [&str; 12] = [
        "caller",
        "caller_name",
        "number",
        "trunk",
        "plan",
        "queue",
        "name",
        "line",
        "reason",
        "why",
        "value",
        "sip_call_id",
    ];
    fn spoil(json: &mut serde_json::Value, value: &str) {
        match json {
            serde_json::Value::Object(object) => {
                for (key, field) in object {
                    if field.is_string() && TEXTS.contains(&key.as_str()) {
                        *field = value.into();
                    } else {
                        spoil(field, value);
                    }
                }
            }
            serde_json::Value::Array(all) => all.iter_mut().for_each(|one| spoil(one, value)),
            _ => {}
        }
    }
    let place = Place::new();
    let mut history = History::new(BOOT);
    for (n, value) in (1..).zip(values()) {
        let before = history.events.len();
        answered_call(&mut history, call(n));
        history.say(Fact::EntryEdited {
            call: call(n),
            by: "op1".into(),
            changes: [
                vocab::EntryField::FullName,
                vocab::EntryField::Topic,
                vocab::EntryField::Content,
                vocab::EntryField::Department,
            ]
            .map(|field| vocab::FieldChange {
                field,
                value: Some("x".into()),
            })
            .to_vec(),
        });
        history
            .say(arrived(call(n + 1_000)))
            .say(queued(call(n + 1_000)));
        history.say(left(call(n + 1_000), QueueOutcome::Abandoned));
        history.say(ended(call(n + 1_000), Outcome::Abandoned, EndedBy::Caller));
        for event in &mut history.events[before..] {
            let mut json = serde_json::to_value(&event.fact).unwrap();
            spoil(&mut json, &value);
            event.fact = serde_json::from_value(json).unwrap();
        }
    }
    place.run(BOOT, &history.events);
    assert_eq!(place.problems(), []);
    place
}

fn is_formula(cell: &str) -> bool {
    let number = cell.trim_start_matches(['+', '-']);
    let number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    !number
        && cell
            .trim_start()
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

/// What is left of a page without its own tags and entities has none of anybody else's.
fn foreign_tags(html: &str) -> Vec<&str> {
    const OURS: [&str; 18] = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table",
        "thead", "tbody", "tr", "th", "td", "ul", "li",
    ];
    let tags = html.split('<').skip(1);
    let names = tags.map(|tag| {
        let tag = tag.trim_start_matches('/');
        let end = tag.find(|c: char| !c.is_ascii_alphanumeric() && c != '!');
        &tag[..end.unwrap_or(tag.len())]
    });
    names
        .filter(|name| !OURS.contains(&name.to_ascii_lowercase().as_str()))
        .collect()
}

/// No sheet of a workbook has a formula or a link, and its texts are well-formed.
fn assert_no_formula(workbook: &[u8], kind: Kind) {
    let mut parts = zip::ZipArchive::new(std::io::Cursor::new(workbook)).unwrap();
    let names: Vec<String> = parts
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    let of_sheets =
        |name: &&String| name.starts_with("xl/worksheets/") || name.ends_with("sharedStrings.xml");
    let mut read = 0;
    for name in names.iter().filter(of_sheets) {
        let mut text = String::new();
        let mut part = parts.by_name(name).unwrap();
        std::io::Read::read_to_string(&mut part, &mut text).unwrap();
        for element in ["<f>", "<f ", "<hyperlink", "<script"] {
            assert!(!text.contains(element), "{element} in {name} of {kind:?}");
        }
        let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
        assert!(text.chars().all(allowed), "{name} of {kind:?}");
        read += 1;
    }
    assert!(read > 1, "sheets and their texts: {names:?}");
}

#[test]
fn every_report_in_every_form_has_every_value_as_text() {
    let place = everywhere();
    let forms = Forms::plain(Duration::from_secs(1));
    let unfit = |c: char| crate::export::steers(c) && c != '\n' && c != '\r';
    for (_, kind) in Kind::NAMES {
        let range = (wall(-1_000), wall(100_000_000));
        let wanted = Wanted::new(kind, range, wall(100_000_000), jiff::tz::TimeZone::UTC);
        let made = block_on(report::make(&place.database(), &forms, &wanted)).unwrap();
        let (html, text, csv) = (render::html(&made), render::text(&made), render::csv(&made));
        for form in [&html, &text, &csv] {
            let found = form.chars().find(|c| unfit(*c));
            assert_eq!(found, None, "{kind:?}");
        }
        assert_eq!(foreign_tags(&html), [""; 0], "{kind:?}");
        assert!(text.lines().all(|line| line.chars().count() < 3_000));
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(csv.as_bytes());
        for record in reader.records() {
            let record = record.unwrap();
            let formula = record.iter().find(|cell| is_formula(cell));
            assert_eq!(formula, None, "{kind:?}");
        }
        let json = render::json(&made);
        let again: serde_json::Value = serde_json::from_str(&json.to_string()).unwrap();
        assert_eq!(again, json);
        assert_no_formula(&render::xlsx(&made).unwrap(), kind);
    }
}

#[test]
fn every_value_may_be_looked_for_and_finds_what_has_it() {
    let place = everywhere();
    block_on(async {
        let mut journal = query::open(&place.database()).await.unwrap();
        for value in values() {
            let some = Some(value.clone());
            let of_queue = Filter {
                queue: some.clone(),
                ..Filter::default()
            };
            let found = journal.find(&of_queue, None, 500).await.unwrap();
            assert_eq!(found.entries.len(), 2, "{value:.60}");
            assert!(found.entries.iter().all(|entry| entry.trunk == value));
            for filter in [
                Filter {
                    topic: some.clone(),
                    ..Filter::default()
                },
                Filter {
                    operator: some.clone(),
                    outcome: some.clone(),
                    ..Filter::default()
                },
                Filter {
                    person: some.clone(),
                    ..Filter::default()
                },
                Filter {
                    text: some,
                    ..Filter::default()
                },
            ] {
                journal.find(&filter, None, 500).await.unwrap();
            }
            journal.persons(&value, None, 10).await.unwrap();
            journal.history(&value, 10).await.unwrap();
        }
        let all = journal.find(&Filter::default(), None, 500).await.unwrap();
        assert_eq!(all.entries.len(), values().len() * 2, "nothing was dropped");
    });
}
