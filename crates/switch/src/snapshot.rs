//! Owns the live picture of the switch for screens.

use vocab::{LiveOperator, OperatorState, Snapshot};

use crate::duties::status_name;
use crate::engine::Switch;

impl Switch {
    /// The live picture of this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut operators: Vec<LiveOperator> = self
            .ctx
            .logins
            .values()
            .filter_map(|id| self.ctx.operators.get(id))
            .map(|operator| {
                let (state, since) = self
                    .ctx
                    .acd
                    .operator_state(operator.id)
                    .unwrap_or((OperatorState::Unreachable, self.ctx.now));
                let lasts = self.ctx.now.since(since).as_millis();
                let line = self.ctx.line_of(operator);
                let signed_in = self.ctx.acd.signed_in_at(line);
                LiveOperator {
                    id: operator.id,
                    name: match operator.name.as_str() {
                        "" => operator.login.clone(),
                        name => name.to_owned(),
                    },
                    line: line.to_owned(),
                    at_line: signed_in.is_none_or(|who| who == operator.id),
                    status: self
                        .ctx
                        .acd
                        .operator_status(operator.id)
                        .map_or_else(String::new, status_name),
                    state,
                    since_ms: u64::try_from(lasts).unwrap_or(u64::MAX),
                }
            })
            .collect();
        operators.sort_by(|a, b| (a.line.len(), &a.line).cmp(&(b.line.len(), &b.line)));
        Snapshot {
            counts: self.counts(),
            queues: self.ctx.acd.live_queues(self.ctx.now),
            operators,
            trunks: self.ctx.trunks.picture(self.ctx.now),
        }
    }
}
