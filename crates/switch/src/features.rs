//! Owns the codes that operators dial to change what they do: sign in and out, break, back, done. A code is an
//! order like one by any other way, with the operator as the one who gives it; a prompt says what came
//! of it. Refuses to judge: `orders` does.

use dialplan::staff::Reply;
use vocab::{CallId, Instruction, OperatorId, Order, OrderRefusal, Rank};

use crate::context::Context;
use crate::engine::Switch;

/// The reason of a break where the settings have no kinds of breaks.
const ANY_BREAK: &str = "break";

/// The codes; one that is empty does not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureCodes {
    /// Signs in to the own line; followed by the number of another one, to that.
    pub sign_in: String,
    /// Signs out.
    pub sign_out: String,
    /// Begins a break; followed by the code of its kind.
    pub break_off: String,
    /// Ends a break.
    pub back: String,
    /// The work after a call is done.
    pub done: String,
    /// The kinds of breaks that have a code: code and reason.
    pub kinds: Vec<(String, String)>,
}

/// What a code wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Feature {
    SignIn {
        line: Option<String>,
    },
    SignOut,
    Break {
        reason: String,
    },
    Back,
    Done,
    /// The code of a break that the settings do not have.
    NoSuchBreak,
}

impl FeatureCodes {
    /// What was dialled, if it is a code.
    pub(crate) fn find(&self, dialled: &str, any_break: bool) -> Option<Feature> {
        let is = |code: &str| !code.is_empty() && dialled == code;
        let after = |code: &str| dialled.strip_prefix(code).filter(|_| !code.is_empty());
        // Whole codes first: one may begin like another.
        if is(&self.sign_out) {
            return Some(Feature::SignOut);
        }
        if is(&self.back) {
            return Some(Feature::Back);
        }
        if is(&self.done) {
            return Some(Feature::Done);
        }
        if let Some(kind) = after(&self.break_off) {
            let kind = kind.trim_start_matches('*');
            let found = self.kinds.iter().find(|(code, _)| code == kind);
            let any = || (kind.is_empty() && any_break).then(|| ANY_BREAK.to_owned());
            let reason = found.map(|(_, reason)| reason.clone()).or_else(any);
            return Some(reason.map_or(Feature::NoSuchBreak, |reason| Feature::Break { reason }));
        }
        let line = after(&self.sign_in)?.trim_start_matches('*');
        let line = (!line.is_empty()).then(|| line.to_owned());
        Some(Feature::SignIn { line })
    }
}

impl Context {
    /// What an operator wants who dials this, if it is a code.
    pub(crate) fn feature(&self, dialled: &str) -> Option<Feature> {
        let any_break = self.settings.breaks.is_empty();
        self.settings.feature_codes.find(dialled, any_break)
    }
}

impl Switch {
    /// Does what a code wants, and lets the call say what came of it.
    pub(crate) fn feature_dialled(&mut self, id: CallId, operator: OperatorId, what: Feature) {
        let reply = self.do_feature(operator, what);
        if let Some(call) = self.calls.get_mut(&id) {
            call.tell_only(reply.prompt());
        }
    }

    fn do_feature(&mut self, operator: OperatorId, what: Feature) -> Reply {
        let Some(login) = self
            .ctx
            .operators
            .get(&operator)
            .map(|one| one.login.clone())
        else {
            return Reply::Refused;
        };
        let operator = login.clone();
        let (order, reply) = match what {
            Feature::SignIn { line } => (Order::SignIn { operator, line }, Reply::SignedIn),
            Feature::SignOut => (Order::SignOut { operator }, Reply::SignedOut),
            Feature::Break { reason } => {
                let status = format!("break: {reason}");
                (Order::Choose { operator, status }, Reply::OnBreak)
            }
            Feature::Back => {
                let status = "available".to_owned();
                (Order::Choose { operator, status }, Reply::Back)
            }
            Feature::Done => (Order::Ready { operator }, Reply::Done),
            Feature::NoSuchBreak => return Reply::Refused,
        };
        let wanted = Instruction {
            by: login,
            rank: Rank::Operator,
            order,
        };
        match self.carry_out(&wanted) {
            Ok(_) => reply,
            Err(OrderRefusal::NeedsLeave { .. }) => Reply::NeedsLeave,
            Err(OrderRefusal::LineTaken { .. }) => Reply::LineTaken,
            Err(refusal) => {
                tracing::info!(by = wanted.by, %refusal, "a code was refused");
                Reply::Refused
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_by_what_follows_them_and_nothing_else_is_one() {
        let codes = FeatureCodes {
            sign_in: "*11".to_owned(),
            sign_out: "*12".to_owned(),
            break_off: "*1".to_owned(),
            kinds: vec![("7".to_owned(), "lunch".to_owned())],
            ..FeatureCodes::default()
        };
        let find = |dialled| codes.find(dialled, false);
        assert_eq!(find("*12"), Some(Feature::SignOut));
        let reason = "lunch".to_owned();
        assert_eq!(find("*17"), Some(Feature::Break { reason }));
        assert_eq!(find("*1*8"), Some(Feature::NoSuchBreak));
        assert_eq!(find("*1"), Some(Feature::NoSuchBreak));
        let codes = FeatureCodes {
            break_off: "*13".to_owned(),
            ..codes
        };
        let line = |line: &str| {
            Some(Feature::SignIn {
                line: Some(line.to_owned()),
            })
        };
        assert_eq!(
            codes.find("*11", true),
            Some(Feature::SignIn { line: None })
        );
        assert_eq!(codes.find("*11*205", true), line("205"));
        assert_eq!(codes.find("*11205", true), line("205"));
        let reason = ANY_BREAK.to_owned();
        assert_eq!(codes.find("*13", true), Some(Feature::Break { reason }));
        for other in ["", "11", "*", "*14", "1300"] {
            assert_eq!(codes.find(other, true), None, "{other}");
        }
        assert_eq!(FeatureCodes::default().find("", true), None);
    }
}
