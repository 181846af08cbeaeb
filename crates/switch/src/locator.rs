//! Owns what is known of the DNS and of our own addresses: answers for as long as they hold, and
//! the questions that are out. Refuses to ask by itself: questions are outputs, answers inputs.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sip::{Answer, Question};
use vocab::Time;

/// Answers kept; beyond it the one that expires first goes.
const ANSWERS_MAX: usize = 1_024;
/// Questions out at once; beyond it none is asked, and who waits for it runs into the time limit.
const ASKED_MAX: usize = 1_024;
/// How long an answer holds at least: one of 0 s would be asked for again by the same request.
const HOLDS_MIN: Duration = Duration::from_secs(5);
/// How long an answer holds at most, whatever the DNS says: a moved server is found within it.
const HOLDS_MAX: Duration = Duration::from_secs(3_600);
/// How long a question may be out; then it may be asked again.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Locator {
    answers: BTreeMap<Question, (Answer, Time)>,
    expiries: BTreeSet<(Time, Question)>,
    asked: BTreeMap<Question, Time>,
    to_ask: VecDeque<Question>,
}

impl Locator {
    /// An answer that still holds.
    pub(crate) fn known(&self, now: Time, question: &Question) -> Option<Answer> {
        let (answer, until) = self.answers.get(question)?;
        (*until > now).then(|| answer.clone())
    }

    /// Wants an answer; a question that is out is not asked twice.
    pub(crate) fn ask(&mut self, now: Time, question: Question) {
        self.asked.retain(|_, until| *until > now);
        if self.asked.len() < ASKED_MAX && !self.asked.contains_key(&question) {
            self.asked.insert(question.clone(), now + ANSWER_WITHIN);
            self.to_ask.push_back(question);
        }
    }

    /// Takes an answer. One that was not asked for is not believed.
    pub(crate) fn answered(
        &mut self,
        now: Time,
        question: Question,
        answer: Answer,
        holds: Duration,
    ) {
        if self.asked.remove(&question).is_none() {
            return;
        }
        let until = now + holds.clamp(HOLDS_MIN, HOLDS_MAX);
        if let Some((_, old)) = self.answers.insert(question.clone(), (answer, until)) {
            self.expiries.remove(&(old, question.clone()));
        }
        self.expiries.insert((until, question));
        while self.answers.len() > ANSWERS_MAX
            && let Some((_, first)) = self.expiries.pop_first()
        {
            self.answers.remove(&first);
        }
    }

    /// The next question to put.
    pub(crate) fn poll(&mut self) -> Option<Question> {
        self.to_ask.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(n: usize) -> Question {
        Question::Addresses(format!("h{n}"))
    }

    fn answer() -> Answer {
        Answer::Addresses(vec!["192.0.2.1".parse().unwrap()])
    }

    #[test]
    fn an_answer_holds_for_its_time_within_bounds() {
        let mut locator = Locator::default();
        for (n, (holds, kept)) in [(0, 5), (60, 60), (1_000_000, 3_600)]
            .into_iter()
            .enumerate()
        {
            locator.ask(Time::ZERO, question(n));
            let holds = Duration::from_secs(holds);
            locator.answered(Time::ZERO, question(n), answer(), holds);
            let just_before = Time::from_millis(kept * 1_000 - 1);
            assert!(locator.known(just_before, &question(n)).is_some(), "{n}");
            let then = Time::from_millis(kept * 1_000);
            assert!(locator.known(then, &question(n)).is_none(), "{n}");
        }
    }

    #[test]
    fn a_question_is_asked_once_and_again_when_nobody_answers() {
        let mut locator = Locator::default();
        locator.ask(Time::ZERO, question(1));
        locator.ask(Time::ZERO, question(1));
        assert_eq!(locator.poll(), Some(question(1)));
        assert_eq!(locator.poll(), None);
        locator.ask(Time::from_millis(5_000), question(1));
        assert_eq!(locator.poll(), Some(question(1)));
    }

    #[test]
    fn what_nobody_asked_is_not_believed_and_the_store_is_bounded() {
        let mut locator = Locator::default();
        locator.answered(Time::ZERO, question(1), answer(), HOLDS_MAX);
        assert_eq!(locator.known(Time::ZERO, &question(1)), None);
        for n in 0..2 * ANSWERS_MAX {
            locator.ask(Time::ZERO, question(n));
            locator.answered(Time::ZERO, question(n), answer(), HOLDS_MAX);
        }
        assert_eq!(locator.answers.len(), ANSWERS_MAX);
        assert_eq!(locator.expiries.len(), ANSWERS_MAX);
        for n in 0..2 * ASKED_MAX {
            locator.ask(Time::ZERO, question(10 * ANSWERS_MAX + n));
        }
        assert_eq!(locator.asked.len(), ASKED_MAX);
    }
}
