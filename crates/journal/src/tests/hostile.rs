//! Names made to do harm: they go through the journal and every export as text.

use super::*;
use crate::export;
use crate::query::Range;

const NAMES: [&str; 12] = [
    "'); DROP TABLE entries; --",
    "=HYPERLINK(\"http://x\",\"y\")",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1:A9)",
    "\tx",
    "\r=1",
    "a,b;\"c\"\r\nd",
    "<script>alert(1)</script>",
    "\u{1b}[2J\u{7}nul\0end",
    "＝1+1",
    "Їжак 🦔 \u{202e}evil",
];

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
            !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']),
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
    assert_eq!(&records[4][name], "'-2+3");
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
