//! Owns which entries' personal fields and which cards of persons are due for destruction, and destroying
//! them: the chain first, then the journal. A legal hold on the call stops it, and so keeps the card.

use journal::personal::{self, Destruction};
use journal::query;
use recorder::{Chain, Deed};
use vocab::{CallId, EventId, WallTime};

use super::{Keeping, PASS_MAX, Rules};

/// An entry whose personal fields are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalDue {
    /// Which entry.
    pub call: CallId,
    /// When it came.
    pub arrived_at: WallTime,
    /// By which rule.
    pub reason: String,
    /// Why they are not destroyed all the same: the reason of a legal hold.
    pub held: Option<String>,
}

/// A card of a person that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardDue {
    /// Which card.
    pub person: EventId,
    /// When it was last written.
    pub written_at: WallTime,
    /// By which rule.
    pub reason: String,
}

fn due(rules: &Rules, entry: &personal::KeptEntry, now: WallTime) -> Option<PersonalDue> {
    let (keep, reason) = rules.keep_personal(entry.queue.as_deref(), entry.topic.as_deref())?;
    let age = now.as_unix_millis().saturating_sub(entry.arrived_at);
    let over = u128::try_from(age).is_ok_and(|age| age >= keep.as_millis());
    over.then(|| PersonalDue {
        call: entry.call(),
        arrived_at: WallTime::from_unix_millis(entry.arrived_at),
        reason,
        held: None,
    })
}

impl Keeping {
    /// Entries whose personal fields are due at a moment, in the order of the calls.
    ///
    /// # Errors
    /// If journal or chain cannot be read.
    pub async fn plan_personal(&self, now: WallTime) -> anyhow::Result<Vec<PersonalDue>> {
        let Some(youngest) = self.rules.youngest_personal() else {
            return Ok(Vec::new());
        };
        let age = i64::try_from(youngest.as_millis()).unwrap_or(i64::MAX);
        let before = WallTime::from_unix_millis(now.as_unix_millis().saturating_sub(age));
        let mut journal = query::open(&self.database).await?;
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < PASS_MAX {
            let page = journal.personal_kept(before, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.call());
            found.extend(page.iter().filter_map(|entry| due(&self.rules, entry, now)));
        }
        if !found.is_empty() {
            let ledger = self.ledger()?;
            for one in &mut found {
                one.held = ledger.held(one.call).map(str::to_owned);
            }
        }
        Ok(found)
    }

    /// Destroys what is due now; of how many entries.
    pub(super) async fn destroy_personal(
        &self,
        now: WallTime,
        act: &str,
        chain: &mut Chain,
    ) -> anyhow::Result<usize> {
        let plan = self.plan_personal(now).await?;
        if plan.is_empty() {
            return Ok(0);
        }
        let ledger = self.ledger()?;
        let mut count = 0;
        for one in plan.into_iter().filter(|one| one.held.is_none()) {
            let call = one.call;
            // A crash may have come between the chain and the journal.
            if !ledger.is_impersonal(call) {
                let deed = Deed::PersonalDestroyed {
                    call,
                    arrived_at: recorder::call::rfc3339(one.arrived_at),
                    act: act.to_owned(),
                    reason: one.reason.clone(),
                };
                chain.append(now, deed)?;
            }
            let why = Destruction {
                at: now,
                act: act.to_owned(),
                reason: one.reason,
            };
            match personal::destroy(&self.database, call, &why).await {
                Ok(()) => {
                    count += 1;
                    tracing::info!(%call, reason = why.reason, "personal fields destroyed");
                }
                Err(error) => tracing::error!(%call, %error, "personal fields kept as they are"),
            }
        }
        Ok(count)
    }

    /// Cards that are due at a moment: not written for as long as personal fields are kept, and of no
    /// number that an entry still has.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn plan_cards(&self, now: WallTime) -> anyhow::Result<Vec<CardDue>> {
        let Some((keep, reason)) = self.rules.keep_personal(None, None) else {
            return Ok(Vec::new());
        };
        let age = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let before = WallTime::from_unix_millis(now.as_unix_millis().saturating_sub(age));
        let mut journal = query::open(&self.database).await?;
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < PASS_MAX {
            let page = journal.cards_unused(before, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.person);
            found.extend(page.iter().map(|card| CardDue {
                person: card.person,
                written_at: card.written_at,
                reason: format!("card of nobody who is in the journal: {reason}"),
            }));
        }
        Ok(found)
    }

    /// Destroys the cards that are due now; how many.
    pub(super) async fn destroy_cards(
        &self,
        now: WallTime,
        act: &str,
        chain: &mut Chain,
    ) -> anyhow::Result<usize> {
        let plan = self.plan_cards(now).await?;
        let Some(first) = plan.first() else {
            return Ok(0);
        };
        let why = Destruction {
            at: now,
            act: act.to_owned(),
            reason: first.reason.clone(),
        };
        let ledger = self.ledger()?;
        for one in plan.iter().filter(|one| !ledger.is_card_gone(one.person)) {
            let deed = Deed::CardDestroyed {
                person: one.person,
                written_at: recorder::call::rfc3339(one.written_at),
                act: act.to_owned(),
                reason: one.reason.clone(),
            };
            chain.append(now, deed)?;
        }
        let cards: Vec<EventId> = plan.iter().map(|one| one.person).collect();
        personal::destroy_cards(&self.database, &cards, &why).await?;
        tracing::info!(cards = cards.len(), "cards of persons destroyed");
        Ok(cards.len())
    }
}
