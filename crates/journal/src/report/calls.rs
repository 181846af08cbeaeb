//! Owns the summary of entries: how they came, which way they went, what became of them.

use std::collections::BTreeMap;

use super::{Cell, Source, Table};

/// One row for each channel, direction and outcome.
pub(super) fn summary(source: &Source) -> Table {
    #[derive(Default)]
    struct Sum {
        entries: u64,
        talk_ms: u64,
        duration_ms: u64,
        emergencies: u64,
    }
    let mut sums: BTreeMap<(&str, &str, &str), Sum> = BTreeMap::new();
    for entry in &source.entries {
        let outcome = entry.outcome.as_deref().unwrap_or("(up)");
        let key = (entry.channel.as_str(), entry.direction.as_str(), outcome);
        let sum = sums.entry(key).or_default();
        sum.entries += 1;
        sum.talk_ms += entry.talk_ms.map_or(0, super::source::unsigned);
        sum.duration_ms += entry.duration_ms.map_or(0, super::source::unsigned);
        sum.emergencies += u64::from(entry.emergency.is_some());
    }
    let mut table = Table::new(
        "summary",
        [
            "channel",
            "direction",
            "outcome",
            "entries",
            "talk",
            "duration",
            "emergencies",
        ],
    );
    for ((channel, direction, outcome), sum) in sums {
        table.rows.push(vec![
            Cell::Text(channel.to_owned()),
            Cell::Text(direction.to_owned()),
            Cell::Text(outcome.to_owned()),
            Cell::Count(sum.entries),
            Cell::ms(Some(sum.talk_ms)),
            Cell::ms(Some(sum.duration_ms)),
            Cell::Count(sum.emergencies),
        ]);
    }
    table
}
