//! Owns what operators are told by telephone: of the caller who comes (a whisper), and what became of a code
//! that they dialled. Whole sentences, made when plans are loaded, as for callers.

use core::time::Duration;

use crate::plan::PromptRef;
use crate::speech::Tongue;

/// The waits that are told, in whole minutes; of one in between the next shorter, for nobody is to be
/// told more than it was.
const MINUTES: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 45, 60];

/// What became of a code that an operator dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Signed in to the line.
    SignedIn,
    /// Signed out.
    SignedOut,
    /// On a break.
    OnBreak,
    /// Back, and available.
    Back,
    /// The work after a call is over.
    Done,
    /// The break needs a supervisor's leave.
    NeedsLeave,
    /// Somebody else is signed in to the line.
    LineTaken,
    /// Anything else that was not to be.
    Refused,
}

impl Reply {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::SignedIn,
        Self::SignedOut,
        Self::OnBreak,
        Self::Back,
        Self::Done,
        Self::NeedsLeave,
        Self::LineTaken,
        Self::Refused,
    ];

    /// The name of its prompt.
    #[must_use]
    pub const fn prompt(self) -> &'static str {
        match self {
            Self::SignedIn => "duty-signed-in",
            Self::SignedOut => "duty-signed-out",
            Self::OnBreak => "duty-on-break",
            Self::Back => "duty-back",
            Self::Done => "duty-done",
            Self::NeedsLeave => "duty-needs-leave",
            Self::LineTaken => "duty-line-taken",
            Self::Refused => "duty-refused",
        }
    }

    const fn text(self, tongue: Tongue) -> &'static str {
        match (tongue, self) {
            (Tongue::Russian, Self::SignedIn) => "Вы на линии.",
            (Tongue::Russian, Self::SignedOut) => "Вы ушли с линии.",
            (Tongue::Russian, Self::OnBreak) => "Перерыв начался.",
            (Tongue::Russian, Self::Back) => "Вы снова принимаете звонки.",
            (Tongue::Russian, Self::Done) => "Работа по звонку завершена.",
            (Tongue::Russian, Self::NeedsLeave) => {
                "На этот перерыв нужно разрешение старшего смены."
            }
            (Tongue::Russian, Self::LineTaken) => "На этой линии уже работает другой оператор.",
            (Tongue::Russian, Self::Refused) => "Сейчас это невозможно.",
            (Tongue::Ukrainian, Self::SignedIn) => "Ви на лінії.",
            (Tongue::Ukrainian, Self::SignedOut) => "Ви пішли з лінії.",
            (Tongue::Ukrainian, Self::OnBreak) => "Перерва почалася.",
            (Tongue::Ukrainian, Self::Back) => "Ви знову приймаєте дзвінки.",
            (Tongue::Ukrainian, Self::Done) => "Роботу над дзвінком завершено.",
            (Tongue::Ukrainian, Self::NeedsLeave) => {
                "На цю перерву потрібен дозвіл старшого зміни."
            }
            (Tongue::Ukrainian, Self::LineTaken) => "На цій лінії вже працює інший оператор.",
            (Tongue::Ukrainian, Self::Refused) => "Зараз це неможливо.",
            (Tongue::English, Self::SignedIn) => "You are signed in.",
            (Tongue::English, Self::SignedOut) => "You are signed out.",
            (Tongue::English, Self::OnBreak) => "Your break has begun.",
            (Tongue::English, Self::Back) => "You are available again.",
            (Tongue::English, Self::Done) => "The work after the call is done.",
            (Tongue::English, Self::NeedsLeave) => "This break needs a supervisor's leave.",
            (Tongue::English, Self::LineTaken) => "Another operator is signed in to this line.",
            (Tongue::English, Self::Refused) => "That is not possible now.",
        }
    }
}

/// The prompts of all replies in a language; none if we do not speak it.
#[must_use]
pub fn replies(language: &str) -> Vec<PromptRef> {
    let Some(tongue) = Tongue::of(language) else {
        return Vec::new();
    };
    let one = |reply: Reply| prompt(reply.prompt(), language, reply.text(tongue).to_owned());
    Reply::ALL.into_iter().map(one).collect()
}

/// The name of the prompt that tells an operator of a queue.
#[must_use]
pub fn whisper_of(queue: &str) -> String {
    format!("whisper-{queue}")
}

/// The name of the prompt that tells how long the caller has waited.
///
/// ```
/// use core::time::Duration;
/// use dialplan::staff::whisper_after;
///
/// assert_eq!(whisper_after(Duration::from_secs(800)), "whisper-waited-10");
/// ```
#[must_use]
pub fn whisper_after(waited: Duration) -> String {
    let minutes = waited.as_secs() / 60;
    let told = MINUTES.into_iter().rev();
    let told = told.into_iter().find(|one| u64::from(*one) <= minutes);
    format!("whisper-waited-{}", told.unwrap_or_default())
}

/// The prompts of whispers in a language: one for each queue with its text, and those of waits.
#[must_use]
pub fn whispers(queues: &[(&str, &str)], language: &str) -> Vec<PromptRef> {
    let of_queue =
        |(queue, text): &(&str, &str)| prompt(&whisper_of(queue), language, (*text).to_owned());
    let mut prompts: Vec<PromptRef> = queues.iter().map(of_queue).collect();
    if let (Some(tongue), false) = (Tongue::of(language), queues.is_empty()) {
        for minutes in MINUTES {
            let waited = Duration::from_secs(u64::from(minutes) * 60);
            let sentence = tongue.waited(waited) + ".";
            prompts.push(prompt(&whisper_after(waited), language, sentence));
        }
    }
    prompts
}

fn prompt(name: &str, language: &str, text: String) -> PromptRef {
    PromptRef {
        name: name.to_owned(),
        language: language.to_owned(),
        text: Some(text),
        file: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_whispered_was_made_before() {
        for language in ["ru", "uk", "en"] {
            let made = whispers(&[("health", "Health line.")], language);
            for seconds in (0..8_000).step_by(30) {
                let name = whisper_after(Duration::from_secs(seconds));
                let times = made.iter().filter(|prompt| prompt.name == name).count();
                assert_eq!(times, 1, "{name} in {language}");
            }
            assert!(
                made.iter()
                    .any(|prompt| prompt.name == whisper_of("health"))
            );
            assert_eq!(replies(language).len(), Reply::ALL.len());
        }
        assert!(whispers(&[], "ru").is_empty() && replies("fr").is_empty());
    }

    #[test]
    fn a_wait_is_never_whispered_longer_than_it_was() {
        for seconds in 0..8_000 {
            let name = whisper_after(Duration::from_secs(seconds));
            let minutes: u64 = name.trim_start_matches("whisper-waited-").parse().unwrap();
            assert!(minutes * 60 <= seconds, "{seconds} s as {minutes} min");
        }
    }
}
