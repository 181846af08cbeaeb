//! Owns the figures that only the database has: the windows of the queues, the letters of webhooks. When it
//! does not answer in time the page comes without them, and says so.

use std::collections::BTreeMap;
use std::time::Duration;

use journal::letters::{self, Standing};
use serde_json::{Map, Value};
use vocab::{LiveQueue, QueueOutcome};

use super::page::{Labels, Page};
use super::{exact, seconds, word, yes};
use crate::app::App;
use crate::live::{Cut, windows};
use crate::problem::Problem;

/// How long a page waits for the database; Prometheus itself gives up after ten seconds unless told
/// otherwise.
const PATIENCE: Duration = Duration::from_secs(3);

/// The formulas of METRICS.md.
const LEVELS: [&str; 5] = [
    "answered_only",
    "asterisk_sl2",
    "ignore_abandoned",
    "abandoned_negative",
    "abandoned_positive",
];

/// What was read.
struct Read {
    windows: Map<String, Value>,
    webhooks: Vec<Standing>,
}

pub(super) async fn write(page: &mut Page, app: &App, queues: &[LiveQueue]) {
    let read = tokio::time::timeout(PATIENCE, read(app)).await;
    let read = read.ok().and_then(Result::ok);
    page.gauge(
        "hotline_database_answers",
        "Whether the database answered in time: if not, windows and webhooks are missing here.",
        yes(read.is_some()),
    );
    let Some(read) = read else { return };
    write_windows(page, &rows(&read.windows, queues));
    webhooks(page, app, &read.webhooks);
}

async fn read(app: &App) -> Result<Read, Problem> {
    let windows = windows(app, &Cut::default()).await?;
    let _place = app.place().await?;
    let webhooks = letters::standings(&app.console.database).await?;
    Ok(Read { windows, webhooks })
}

/// Window, queue, and its row; none where nobody entered the queue.
type Row<'a> = (&'a str, &'a str, Option<&'a Value>);

/// Every queue of every window, those included that nobody entered.
fn rows<'a>(windows: &'a Map<String, Value>, queues: &'a [LiveQueue]) -> Vec<Row<'a>> {
    let mut all = Vec::new();
    for (window, rows) in windows {
        let known = queues.iter().map(|queue| (queue.name.as_str(), None));
        let mut by_queue: BTreeMap<&str, Option<&Value>> = known.collect();
        let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
        // With several queues the last row is that of all.
        let own = match rows {
            [_] | [] => rows,
            [own @ .., _] => own,
        };
        for row in own {
            let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
            by_queue.insert(name, Some(row));
        }
        let of_window = by_queue.into_iter();
        all.extend(of_window.map(|(queue, row)| (window.as_str(), queue, row)));
    }
    all
}

fn write_windows(page: &mut Page, rows: &[Row<'_>]) {
    let mut outcomes = QueueOutcome::ALL.map(word).to_vec();
    outcomes.push("waiting".to_owned());
    let stays = rows.iter().flat_map(|(window, queue, row)| {
        outcomes.iter().map(move |outcome| {
            let labels = vec![
                ("queue", *queue),
                ("window", *window),
                ("outcome", outcome.as_str()),
            ];
            (labels, figure(*row, outcome).unwrap_or(0.0))
        })
    });
    page.gauges(
        "hotline_queue_window_calls",
        "Calls that entered a queue within a window, by what became of them.",
        stays,
    );
    let levels = rows.iter().flat_map(|(window, queue, row)| {
        LEVELS.iter().filter_map(move |formula| {
            let labels = vec![
                ("queue", *queue),
                ("window", *window),
                ("formula", *formula),
            ];
            Some((labels, figure(*row, formula)?))
        })
    });
    page.gauges(
        "hotline_queue_window_service_level",
        "Service level of a window at 20 s, 0 to 1; not there where there is nothing to divide by.",
        levels,
    );
    let waits = rows.iter().filter_map(|(window, queue, row)| {
        let labels = vec![("queue", *queue), ("window", *window)];
        Some((labels, figure(*row, "average_wait")? / 1_000.0))
    });
    page.gauges(
        "hotline_queue_window_average_wait_seconds",
        "Average wait of the answered of a window.",
        waits,
    );
}

fn figure(row: Option<&Value>, name: &str) -> Option<f64> {
    row?.get(name)?.as_f64()
}

fn labels(standing: &Standing) -> Labels<'_> {
    vec![("webhook", standing.webhook.as_str())]
}

fn webhooks(page: &mut Page, app: &App, standings: &[Standing]) {
    let now = app.console.live.now().as_unix_millis();
    let number = |number: i64| exact(u64::try_from(number).unwrap_or(0));
    page.gauges(
        "hotline_webhook_letters_waiting",
        "Letters of a webhook on their way.",
        standings
            .iter()
            .map(|one| (labels(one), number(one.waiting))),
    );
    page.gauges(
        "hotline_webhook_letters_dead",
        "Letters of a webhook that were given up.",
        standings.iter().map(|one| (labels(one), number(one.dead))),
    );
    let oldest = standings.iter().map(|one| {
        let waits = one.oldest_at.map_or(0, |at| now.saturating_sub(at));
        (labels(one), seconds(u64::try_from(waits).unwrap_or(0)))
    });
    page.gauges(
        "hotline_webhook_oldest_letter_seconds",
        "How long the oldest letter on its way has waited.",
        oldest,
    );
}
