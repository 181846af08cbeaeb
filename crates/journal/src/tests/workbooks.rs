//! Workbooks, read back: what is in the cells is of its type, and charts show what they seem to.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::tz::TimeZone;

use super::*;
use crate::forms::Forms;
use crate::metrics::Interval;
use crate::report::{self, By, Kind, Wanted, render};

/// 2026-11-22T09:00:00Z.
const NINE: i64 = 1_795_338_000_000;

const HOUR: i64 = 3_600_000;

/// A queue with such a name is text all the same.
const FORMULA: &str = "=1+1";

/// A workbook as its parts are.
struct Book(BTreeMap<String, String>);

/// What is in a cell.
#[derive(Debug, Clone)]
enum Seen {
    Text(String),
    /// A number, and how it is shown.
    Number(f64, String),
}

impl PartialEq for Seen {
    /// A workbook has 15 digits of a number: a day's millisecond in all of them.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Number(one, shown), Self::Number(other, as_other)) => {
                (one - other).abs() < 1e-9 && shown == as_other
            }
            (Self::Text(_), Self::Number(..)) | (Self::Number(..), Self::Text(_)) => false,
        }
    }
}

impl Book {
    fn read(file: &[u8]) -> Self {
        let mut parts = zip::ZipArchive::new(std::io::Cursor::new(file)).unwrap();
        let mut texts = BTreeMap::new();
        for index in 0..parts.len() {
            let mut part = parts.by_index(index).unwrap();
            let mut text = String::new();
            part.read_to_string(&mut text).unwrap();
            texts.insert(part.name().unwrap().into_owned(), text);
        }
        Self(texts)
    }

    fn sheets(&self) -> Vec<&str> {
        let sheets = self.0["xl/workbook.xml"].split("<sheet name=\"").skip(1);
        sheets.map(|rest| rest.split('"').next().unwrap()).collect()
    }

    fn sheet(&self, name: &str) -> &str {
        let sheets = self.sheets();
        let place = sheets.iter().position(|one| *one == name).unwrap();
        &self.0[&format!("xl/worksheets/sheet{}.xml", place + 1)]
    }

    /// The cells of a sheet by their addresses.
    fn cells(&self, name: &str) -> BTreeMap<String, Seen> {
        let texts: Vec<&str> = between(&self.0["xl/sharedStrings.xml"], "<t", "</t>")
            .map(|text| text.split_once('>').unwrap().1)
            .collect();
        let mut cells = BTreeMap::new();
        for cell in between(self.sheet(name), "<c ", "</c>") {
            let address = attribute(cell, "r").unwrap().to_owned();
            let value = between(cell, "<v>", "</v>").next().unwrap();
            let seen = match attribute(cell, "t") {
                Some("s") => Seen::Text(texts[value.parse::<usize>().unwrap()].to_owned()),
                None => {
                    let style = attribute(cell, "s").map_or(0, |style| style.parse().unwrap());
                    Seen::Number(value.parse().unwrap(), self.format(style))
                }
                Some(other) => panic!("{address} is of type {other}"),
            };
            cells.insert(address, seen);
        }
        cells
    }

    /// How a style shows numbers.
    fn format(&self, style: usize) -> String {
        let styles = &self.0["xl/styles.xml"];
        let all = between(styles, "<cellXfs", "</cellXfs>").next().unwrap();
        let style = all.split("<xf ").nth(style + 1).unwrap();
        let number = attribute(style, "numFmtId").unwrap();
        match number {
            "0" => return "General".to_owned(),
            "2" => return "0.00".to_owned(),
            "10" => return "0.00%".to_owned(),
            _ => {}
        }
        let own = styles.split("<numFmt ").skip(1);
        let mut own = own.filter(|own| attribute(own, "numFmtId") == Some(number));
        attribute(own.next().unwrap(), "formatCode")
            .unwrap()
            .to_owned()
    }

    /// What each chart is drawn from: kind, then name, categories and values of each series.
    fn charts(&self) -> Vec<(String, Vec<String>)> {
        let charts = (1..).map_while(|n| self.0.get(&format!("xl/charts/chart{n}.xml")));
        let of = |chart: &String| {
            assert!(!chart.contains("<c:auto val=\"1\"/>"), "an axis of dates");
            let grouping = between(chart, "<c:grouping val=\"", "\"/>").next().unwrap();
            let from = between(chart, "<c:f>", "</c:f>").map(str::to_owned);
            (grouping.to_owned(), from.collect())
        };
        charts.map(of).collect()
    }
}

/// The texts between two marks.
fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
    let pieces = text.split(from).skip(1);
    pieces.filter_map(move |piece| Some(piece.split_once(to)?.0))
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let element = element.split('>').next()?;
    let mut words = element.split(' ');
    words.find_map(|word| {
        let value = word.strip_prefix(name)?.strip_prefix("=\"")?;
        // A value with a space in it goes on in the next words.
        let begin = element.find(value)?;
        element.get(begin..)?.split('"').next()
    })
}

fn text(text: &str) -> Option<Seen> {
    Some(Seen::Text(text.to_owned()))
}

fn number(number: f64) -> Option<Seen> {
    Some(Seen::Number(number, "General".to_owned()))
}

/// Days of a workbook, as a moment is shown.
fn moment(days: f64) -> Option<Seen> {
    Some(Seen::Number(days, "yyyy-mm-dd hh:mm:ss".to_owned()))
}

/// Three calls between nine and ten, none in the next hour, one in the third.
fn place(queues: [&str; 2]) -> Place {
    let place = Place::new();
    let mut history = History::new(BOOT);
    for (n, queue, minutes, wait, outcome) in [
        (1, queues[0], 40, 3_000, QueueOutcome::Answered),
        (2, queues[0], 45, 4_500, QueueOutcome::Answered),
        (3, queues[1], 50, 6_000, QueueOutcome::Abandoned),
        (4, queues[0], 130, 1_500, QueueOutcome::Answered),
    ] {
        let at = NINE + minutes * 60_000 - AT;
        history.ms = u64::try_from(at).unwrap();
        let queue = queue.to_owned();
        history.say(arrived(call(n)));
        history.say(Fact::QueueEntered {
            call: call(n),
            queue: queue.clone(),
            priority: 0,
            skills: Vec::new(),
        });
        history.after(wait).say(Fact::QueueLeft {
            call: call(n),
            queue,
            outcome,
        });
        history.say(ended(call(n), Outcome::Served, EndedBy::Caller));
    }
    history.say(Fact::EngineStopped);
    place.run(BOOT, &history.events);
    place
}

fn book(place: &Place, wanted: &Wanted) -> Book {
    let forms = Forms::plain(Duration::from_secs(600));
    let report = block_on(report::make(&place.database(), &forms, wanted)).unwrap();
    Book::read(&render::xlsx(&report).unwrap())
}

/// Three hours, cut by hours.
fn hours(zone: TimeZone) -> Wanted {
    Wanted {
        interval: Interval::Hour,
        ..Wanted::new(Kind::Queue, (NINE, NINE + 3 * HOUR), NINE + 5 * HOUR, zone)
    }
}

/// 2026-11-22, 09:00, in days of a workbook.
const NINE_IN_DAYS: f64 = 46_348.0 + 9.0 / 24.0;

#[test]
fn what_is_in_a_cell_is_of_its_type_and_no_text() {
    let place = place([FORMULA, "b"]);
    let book = book(&place, &hours(TimeZone::UTC));
    assert_eq!(book.sheets(), ["about", "queues", "queues_chart"]);
    let cells = book.cells("queues");
    let column = |name: &str| {
        let heads = cells.iter().filter(|(address, _)| address.ends_with('1'));
        let mut heads = heads.filter(|(address, _)| {
            let digits = address.trim_start_matches(|c: char| c.is_ascii_uppercase());
            digits == "1"
        });
        let found = heads.find(|(_, seen)| Some((*seen).clone()) == text(name));
        found.unwrap().0.trim_end_matches('1').to_owned()
    };
    let cell = |name: &str, row: u32| cells.get(&format!("{}{row}", column(name))).cloned();
    assert_eq!(cell("name", 2), text(FORMULA));
    assert_eq!(cell("name", 4), text("all"));
    assert_eq!(cell("interval", 2), moment(NINE_IN_DAYS));
    assert_eq!(cell("offered", 2), number(2.0));
    let percent = |part: f64| Some(Seen::Number(part, "0.00%".to_owned()));
    assert_eq!(cell("answered_only", 2), percent(1.0));
    assert_eq!(cell("abandonment", 3), percent(1.0));
    let lasted = |ms: f64| Some(Seen::Number(ms / 86_400_000.0, "[h]:mm:ss".to_owned()));
    assert_eq!(cell("average_wait", 2), lasted(3_750.0));
    assert_eq!(cell("longest_wait", 3), lasted(6_000.0));
    // Of nobody who was answered there is no average: nothing, and not zero.
    assert_eq!(cell("average_wait", 3), None);
    assert_eq!(cell("interval", 8), text("total"));
    assert_eq!(cell("offered", 8), number(4.0));
}

#[test]
fn moments_are_by_the_clock_of_the_zone() {
    let vladivostok = TimeZone::get("Asia/Vladivostok").unwrap();
    let book = book(&place(["a", "b"]), &hours(vladivostok));
    assert_eq!(
        book.cells("queues").get("A2").cloned(),
        moment(NINE_IN_DAYS + 10.0 / 24.0)
    );
}

#[test]
fn charts_of_several_queues_have_one_series_for_each_over_all_intervals() {
    let book = book(&place([FORMULA, "b"]), &hours(TimeZone::UTC));
    let cells = book.cells("queues_chart");
    let row = |row: u32| {
        let of_row = ["A", "B", "C", "D", "E", "F", "G"];
        of_row.map(|column| cells.get(&format!("{column}{row}")).cloned())
    };
    let heads = ["interval", "offered", "answered", "abandoned", FORMULA, "b"];
    assert_eq!(row(1)[..6], heads.map(text));
    let hour = |hour: f64| moment(NINE_IN_DAYS + hour / 24.0);
    let [one, two, three, zero] = [1.0, 2.0, 3.0, 0.0].map(number);
    for (at, expected) in [
        (
            2,
            [
                hour(0.0),
                three,
                two.clone(),
                one.clone(),
                two,
                one.clone(),
                None,
            ],
        ),
        (
            3,
            [
                hour(1.0),
                zero.clone(),
                zero.clone(),
                zero.clone(),
                None,
                None,
                None,
            ],
        ),
        (
            4,
            [hour(2.0), one.clone(), one.clone(), zero, one, None, None],
        ),
    ] {
        assert_eq!(row(at), expected, "row {at}");
    }
    assert_eq!(row(5), [const { None }; 7], "no total among the points");
    let series = |columns: &[&str]| {
        let series = columns.iter().flat_map(|column| {
            [
                format!("queues_chart!${column}$1"),
                "queues_chart!$A$2:$A$4".to_owned(),
                format!("queues_chart!${column}$2:${column}$4"),
            ]
        });
        series.collect::<Vec<String>>()
    };
    let told = book.charts();
    assert_eq!(
        told,
        [
            ("clustered".to_owned(), series(&["B", "C", "D"])),
            ("stacked".to_owned(), series(&["E", "F"])),
        ]
    );
    assert!(book.sheet("queues_chart").contains("<drawing"));
    assert!(!book.sheet("queues").contains("<drawing"));
}

#[test]
fn a_chart_of_one_row_for_each_interval_is_drawn_from_the_table_without_its_total() {
    let place = place(["a", "b"]);
    for wanted in [
        Wanted {
            by: By::All,
            ..hours(TimeZone::UTC)
        },
        Wanted {
            queue: Some("a".to_owned()),
            ..hours(TimeZone::UTC)
        },
    ] {
        let book = book(&place, &wanted);
        assert_eq!(book.sheets(), ["about", "queues"]);
        let cells = book.cells("queues");
        assert_eq!(cells.get("A5").cloned(), text("total"));
        let series = ["C", "D", "E"].map(|column| {
            [
                format!("queues!${column}$1"),
                "queues!$A$2:$A$4".to_owned(),
                format!("queues!${column}$2:${column}$4"),
            ]
        });
        let heads = ["C1", "D1", "E1"].map(|at| cells.get(at).cloned());
        assert_eq!(heads, ["offered", "answered", "abandoned"].map(text));
        assert_eq!(book.charts(), [("clustered".to_owned(), series.concat())]);
    }
}

#[test]
fn a_chart_of_many_queues_shows_those_with_the_most() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    let mut number = 0;
    for queue in 1..=14 {
        for _ in 0..queue {
            number += 1;
            history.ms = u64::try_from(NINE + 40 * 60_000 - AT).unwrap() + u64::from(number);
            history.say(arrived(call(number)));
            let name = format!("queue {queue:02}");
            history.say(Fact::QueueEntered {
                call: call(number),
                queue: name.clone(),
                priority: 0,
                skills: Vec::new(),
            });
            history.say(Fact::QueueLeft {
                call: call(number),
                queue: name,
                outcome: QueueOutcome::Abandoned,
            });
            history.say(ended(call(number), Outcome::Abandoned, EndedBy::Caller));
        }
    }
    history.say(Fact::EngineStopped);
    place.run(BOOT, &history.events);
    let book = book(&place, &hours(TimeZone::UTC));
    let cells = book.cells("queues_chart");
    let names: Vec<Option<Seen>> = ('E'..='Q')
        .map(|column| cells.get(&format!("{column}1")).cloned())
        .collect();
    let mut expected: Vec<Option<Seen>> =
        (3..=14).map(|n| text(&format!("queue {n:02}"))).collect();
    expected.push(None);
    assert_eq!(names, expected);
}
