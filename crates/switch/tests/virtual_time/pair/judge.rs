//! The checkers: what both journals tell of a call must be the same call.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use vocab::{CallId, Event, Fact, OperatorState, Outcome, Party, Time};

use super::Pair;
use super::link::Weather;

/// Begin and end of something.
type Span = (Time, Time);

/// What one engine's journal says of one call.
#[derive(Debug, Default)]
struct Told {
    /// Call-ID of the INVITE that brought it.
    came_as: String,
    outcomes: Vec<Outcome>,
    ended: Option<Time>,
    /// The talks, and whether each was with the outer network.
    talks: BTreeMap<u16, (bool, Time, Option<Time>)>,
    /// Call-IDs of the INVITEs that went to the outer network.
    went_as: Vec<String>,
}

fn told(facts: &[Event]) -> BTreeMap<CallId, Told> {
    let mut calls: BTreeMap<CallId, Told> = BTreeMap::new();
    for event in facts {
        let Some(call) = event.fact.call() else {
            continue;
        };
        let told = calls.entry(call).or_default();
        match &event.fact {
            Fact::CallArrived { sip_call_id, .. } => told.came_as.clone_from(sip_call_id),
            Fact::LegStarted {
                party: Party::Outer { .. },
                sip_call_id,
                ..
            } => told.went_as.push(sip_call_id.clone()),
            Fact::SegmentStarted { segment, party, .. } => {
                let outer = matches!(party, Party::Outer { .. });
                told.talks.insert(*segment, (outer, event.up, None));
            }
            Fact::SegmentEnded { segment, .. } => {
                told.talks.get_mut(segment).unwrap().2 = Some(event.up);
            }
            Fact::CallEnded { outcome, .. } => {
                told.outcomes.push(*outcome);
                told.ended = Some(event.up);
            }
            _ => {}
        }
    }
    calls
}

impl Told {
    /// From the first word to the end of the call.
    fn talked(&self) -> Option<Span> {
        let begun = self.talks.values().map(|(_, begun, _)| *begun).min()?;
        Some((begun, self.ended.unwrap()))
    }

    /// The talks with the outer network.
    fn outer_talks(&self) -> Vec<Span> {
        let outer = self.talks.values().filter(|(outer, ..)| *outer);
        outer
            .map(|(_, begun, ended)| (*begun, ended.expect("a talk without an end")))
            .collect()
    }
}

fn apart(a: Time, b: Time) -> Duration {
    a.since(b).max(b.since(a))
}

impl Pair {
    /// Nothing is left, every call has one end, and both journals tell the same of each.
    pub(crate) fn judge(&mut self) {
        let weather = self.link.weather;
        assert!(self.link.under_way.is_empty(), "{weather:?}");
        for world in &mut self.worlds {
            world.assert_quiet();
            for operator in world.switch.snapshot().operators {
                assert_eq!(
                    operator.state,
                    OperatorState::Free,
                    "{operator:?}, {weather:?}"
                );
            }
        }
        let journals = [0, 1].map(|side| told(&self.worlds[side].facts));
        for side in 0..2 {
            let known: BTreeMap<_, _> = journals[1 - side]
                .values()
                .map(|told| (told.came_as.as_str(), told))
                .collect();
            assert_eq!(
                known.len(),
                journals[1 - side].len(),
                "an INVITE made two calls"
            );
            let went = journals[side].values().flat_map(|told| &told.went_as);
            assert_eq!(
                went.clone().collect::<BTreeSet<_>>().len(),
                went.count(),
                "two legs share a Call-ID"
            );
            for here in journals[side].values() {
                assert_eq!(here.outcomes.len(), 1, "{here:?}, {weather:?}");
                let there = here.went_as.iter();
                let there = there.filter_map(|went| known.get(went.as_str()).copied());
                agree(here, &there.collect::<Vec<_>>(), weather);
            }
        }
    }
}

/// What went out here came in there: a talk there begins with the answer and ends with the call, and
/// here it is as long, but for what the link takes. Of several legs of one call some are not answered.
fn agree(here: &Told, there: &[&Told], weather: Weather) {
    let worst = weather.worst();
    let context = || format!("{here:?} and {there:?}, {weather:?}");
    let mut theirs: Vec<(Span, &Told)> = there
        .iter()
        .filter_map(|told| Some((told.talked()?, *told)))
        .collect();
    for ours in here.outer_talks() {
        let same = |(theirs, _): &(Span, &Told)| {
            // Who hangs up before the ACK has to wait for it: answer, ACK, BYE.
            let early = ours.1.since(theirs.0) <= weather.until_bye();
            apart(ours.0, theirs.0) <= worst && (early || apart(ours.1, theirs.1) <= worst)
        };
        let found = theirs.iter().position(same);
        let found = found.unwrap_or_else(|| panic!("{ours:?} is not there: {}", context()));
        let (_, told) = theirs.remove(found);
        for told in [here, told] {
            assert_eq!(told.outcomes, [Outcome::Answered], "{}", context());
        }
    }
    // The answer crossed the end of the leg here; ACK and BYE are two ways over the link.
    for ((begun, ended), _) in theirs {
        let lasted = ended.since(begun);
        assert!(lasted <= 3 * worst, "{lasted:?}: {}", context());
    }
}
