//! Owns which calls each operator is in, so that a line's dialogs are found without a walk through all
//! calls. Refuses to know what the operators do there: that is read from the calls themselves, each
//! time it is told, so nothing here can be out of date.

use std::collections::{BTreeMap, BTreeSet};

use vocab::{CallId, OperatorId};

#[derive(Debug, Default)]
pub(crate) struct LineCalls {
    by_call: BTreeMap<CallId, BTreeSet<OperatorId>>,
    by_operator: BTreeMap<OperatorId, BTreeSet<CallId>>,
}

impl LineCalls {
    /// Who is in a call now; whom this may concern: those who are, and those who were.
    pub(crate) fn set(&mut self, call: CallId, now: BTreeSet<OperatorId>) -> BTreeSet<OperatorId> {
        let before = self.by_call.remove(&call).unwrap_or_default();
        for left in before.difference(&now) {
            if let Some(calls) = self.by_operator.get_mut(left) {
                calls.remove(&call);
                if calls.is_empty() {
                    self.by_operator.remove(left);
                }
            }
        }
        for came in now.difference(&before) {
            self.by_operator.entry(*came).or_default().insert(call);
        }
        let concerned = before.union(&now).copied().collect();
        if !now.is_empty() {
            self.by_call.insert(call, now);
        }
        concerned
    }

    /// The calls of an operator, the oldest first.
    pub(crate) fn of(&self, operator: OperatorId) -> impl Iterator<Item = CallId> {
        self.by_operator
            .get(&operator)
            .into_iter()
            .flatten()
            .copied()
    }

    /// How many entries there are; none when no operator is in a call.
    pub(crate) fn len(&self) -> usize {
        self.by_call.len() + self.by_operator.len()
    }
}
