//! Owns the live picture of the queues. Refuses to remember anything for it: all is read from what the
//! core decides by.

use std::collections::BTreeMap;

use vocab::{LiveQueue, OperatorId, QueueId, Time};

use crate::Acd;
use crate::calls::Queue;

/// Callers of a queue on the line, and since when the first of them waits there.
type OnLine = (u32, Time);

impl Acd {
    /// Every queue, in the order of the settings. Looks along waiting calls and free operators: for
    /// screens, not for every event.
    #[must_use]
    pub fn live_queues(&self, now: Time) -> Vec<LiveQueue> {
        let on_line = self.on_line();
        let queues = self.queues.iter().map(|(id, queue)| {
            let (waiting, since) = on_line.get(id).copied().unwrap_or((0, now));
            let longest = now.since(since).as_millis();
            LiveQueue {
                name: queue.settings.name.clone(),
                open: queue.is_open(),
                refuses: self.refusal(*id),
                waiting,
                longest_wait_ms: u64::try_from(longest).unwrap_or(u64::MAX),
                callbacks: number(queue.calls.len()).saturating_sub(waiting),
                free: self.free_for(queue),
                serving: queue.staffing.serving(&self.pool),
            }
        });
        queues.collect()
    }

    /// By queue; the calls come in order of their entry, so the first of each waits longest.
    fn on_line(&self) -> BTreeMap<QueueId, OnLine> {
        let mut on_line: BTreeMap<QueueId, OnLine> = BTreeMap::new();
        for (entered, call) in &self.by_entry {
            if let Some(call) = self.calls.get(call) {
                on_line.entry(call.queue).or_insert((0, *entered)).0 += 1;
            }
        }
        on_line
    }

    /// How many are free who would get a call of a queue at once.
    fn free_for(&self, queue: &Queue) -> u32 {
        let Some(first) = self.pool.way(queue.way).first() else {
            return 0;
        };
        let levels = |operator: OperatorId| self.levels(operator, first.group);
        let group = self.pool.groups.get(first.group);
        number(group.map_or(0, |group| group.free_for(first.shelf, levels)))
    }
}

fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
