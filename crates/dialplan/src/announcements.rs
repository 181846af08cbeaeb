//! Owns what a waiting caller is told: the place in the queue and the expected wait, as prompts that
//! are made when plans are loaded. Whole sentences, so that gender and case are right and nothing
//! has to be glued together while somebody listens.

use core::time::Duration;

use crate::plan::PromptRef;
use crate::speech::Tongue;

/// The last place that is told: farther back it is no news.
pub const LAST_PLACE: usize = 30;

/// The waits that are told, in minutes; one in between is told as the next longer one. A longer one
/// than the last is not told.
pub const MINUTES: [u32; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 45, 60, 90];

/// The prompts that tell of a place, counted from 1, and of a wait, in the order in which they are
/// to be heard. None if there is nothing worth telling.
///
/// ```
/// use core::time::Duration;
/// use dialplan::announcements::told;
///
/// let names = told(3, Some(Duration::from_secs(700)));
/// assert_eq!(names, ["queue-place-3", "queue-wait-15"]);
/// ```
#[must_use]
pub fn told(place: usize, wait: Option<Duration>) -> Vec<String> {
    let place = (1..=LAST_PLACE).contains(&place).then_some(place);
    let minutes = wait.map(|wait| wait.as_secs().div_ceil(60));
    let minutes = minutes.and_then(|wait| MINUTES.into_iter().find(|one| u64::from(*one) >= wait));
    let place = place.map(|place| format!("queue-place-{place}"));
    let wait = minutes.map(|minutes| format!("queue-wait-{minutes}"));
    place.into_iter().chain(wait).collect()
}

/// What a caller hears whom the queue itself lets go with the promise of a callback.
pub const PROMISED: &str = "callback-promised";

/// The prompt of [`PROMISED`] in each language that we speak.
#[must_use]
pub fn promise(languages: &[String]) -> Vec<PromptRef> {
    let spoken = |language: &String| {
        let text = match Tongue::of(language)? {
            Tongue::Russian => "Сейчас все операторы заняты. Мы перезвоним вам на этот номер.",
            Tongue::Ukrainian => "Зараз усі оператори зайняті. Ми зателефонуємо вам на цей номер.",
            Tongue::English => "All operators are busy. We will call you back on this number.",
        };
        Some(PromptRef {
            name: PROMISED.to_owned(),
            language: language.clone(),
            text: Some(text.to_owned()),
            file: None,
        })
    };
    languages.iter().filter_map(spoken).collect()
}

/// Every prompt that [`told`] may name, in each language that we can count in.
pub(crate) fn prompts(languages: &[String]) -> Vec<PromptRef> {
    let mut prompts = Vec::new();
    for language in languages {
        let Some(tongue) = Tongue::of(language) else {
            continue;
        };
        let mut add = |name: String, sentence: String| {
            prompts.push(PromptRef {
                name,
                language: language.clone(),
                text: Some(sentence + "."),
                file: None,
            });
        };
        for place in (1..).take(LAST_PLACE) {
            if let Some(sentence) = tongue.place(place) {
                add(format!("queue-place-{place}"), sentence);
            }
        }
        for minutes in MINUTES {
            let wait = Duration::from_secs(u64::from(minutes) * 60);
            add(format!("queue-wait-{minutes}"), tongue.wait(wait));
        }
    }
    prompts
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn whatever_is_told_was_made_before_in_each_language() {
        let languages = ["ru".to_owned(), "uk".to_owned(), "en".to_owned()];
        let made = prompts(&languages);
        for place in 0..200 {
            for minutes in 0..200 {
                for name in told(place, Some(MINUTE * minutes)) {
                    let times = made.iter().filter(|prompt| prompt.name == name).count();
                    assert_eq!(times, languages.len(), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_wait_is_never_told_shorter_than_it_is() {
        for seconds in 0..=5_400 {
            let names = told(0, Some(Duration::from_secs(seconds)));
            let minutes: u64 = names[0].trim_start_matches("queue-wait-").parse().unwrap();
            assert!(minutes * 60 >= seconds, "{seconds} s as {minutes} min");
        }
        assert!(told(0, Some(MINUTE * 91)).is_empty());
    }

    #[test]
    fn a_place_far_behind_and_an_unknown_wait_are_not_told() {
        assert_eq!(told(LAST_PLACE, None), ["queue-place-30"]);
        assert!(told(LAST_PLACE + 1, None).is_empty());
        assert!(told(0, None).is_empty());
    }

    #[test]
    fn sentences_have_the_grammar_of_their_language() {
        let of = |language: &str, name: &str| {
            let all = prompts(&[language.to_owned()]);
            let prompt = all.into_iter().find(|prompt| prompt.name == name);
            prompt.and_then(|prompt| prompt.text).unwrap()
        };
        assert_eq!(of("ru", "queue-place-3"), "вы третий в очереди.");
        assert_eq!(of("ru", "queue-wait-5"), "ожидание около пяти минут.");
        assert_eq!(of("uk", "queue-wait-2"), "очікування близько двох хвилин.");
        assert_eq!(of("en", "queue-wait-1"), "the wait is less than a minute.");
    }
}
