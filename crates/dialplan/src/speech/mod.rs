//! Owns how numbers, places in a queue, waits and times of day are said: with the gender and case
//! that Russian and Ukrainian ask for, and in English.
//!
//! ```
//! use dialplan::speech::{Case, Tongue, Unit};
//!
//! let russian = Tongue::of("ru").unwrap();
//! assert_eq!(russian.counted(21, Unit::Minute, Case::Nominative), "двадцать одна минута");
//! assert_eq!(russian.counted(2, Unit::Minute, Case::Genitive), "двух минут");
//! assert_eq!(russian.place(3).unwrap(), "вы третий в очереди");
//! ```

mod english;
mod russian;
mod slavic;
mod ukrainian;

use core::time::Duration;

/// The largest number that is said.
pub const LARGEST: u32 = 999_999;
/// The largest place in a queue that is said; what is behind it is nobody's comfort.
pub const LAST_PLACE: u32 = 999;

/// A language whose numbers we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// Russian.
    Russian,
    /// Ukrainian.
    Ukrainian,
    /// English.
    English,
}

/// The gender of what is counted. English has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// один час
    Masculine,
    /// одна минута
    Feminine,
    /// одно место
    Neuter,
}

/// The case that the sentence asks for. English has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// "осталась одна минута"
    Nominative,
    /// "около одной минуты"
    Genitive,
    /// "через одну минуту"
    Accusative,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// секунда
    Second,
    /// минута
    Minute,
    /// час
    Hour,
    /// день
    Day,
    /// звонок
    Call,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Second,
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Call,
    ];
}

impl Tongue {
    /// The tongue of a plan's language, such as `ru` or `en-GB`.
    #[must_use]
    pub fn of(language: &str) -> Option<Self> {
        match language.split('-').next() {
            Some("ru") => Some(Self::Russian),
            Some("uk") => Some(Self::Ukrainian),
            Some("en") => Some(Self::English),
            Some(_) | None => None,
        }
    }

    /// A number in words. Above [`LARGEST`] it is said digit by digit.
    #[must_use]
    pub fn cardinal(self, number: u32, gender: Gender, case: Case) -> String {
        if number > LARGEST {
            let digits = number.to_string();
            let digits = digits.chars().filter_map(|digit| digit.to_digit(10));
            let said = digits.map(|digit| self.cardinal(digit, Gender::Masculine, case));
            return said.collect::<Vec<_>>().join(" ");
        }
        match self {
            Self::Russian => slavic::cardinal(&russian::WORDS, number, gender, case),
            Self::Ukrainian => slavic::cardinal(&ukrainian::WORDS, number, gender, case),
            Self::English => english::cardinal(number),
        }
    }

    /// Which one of a row: "третий", "двадцать первая". From 1 to [`LAST_PLACE`].
    #[must_use]
    pub fn ordinal(self, number: u32, gender: Gender) -> Option<String> {
        if !(1..=LAST_PLACE).contains(&number) {
            return None;
        }
        match self {
            Self::Russian => slavic::ordinal(&russian::WORDS, number, gender),
            Self::Ukrainian => slavic::ordinal(&ukrainian::WORDS, number, gender),
            Self::English => english::ordinal(number),
        }
    }

    /// So many of something: "две минуты", "пять минут".
    #[must_use]
    pub fn counted(self, number: u32, unit: Unit, case: Case) -> String {
        match self {
            Self::Russian => slavic::counted(&russian::WORDS, number, unit, case),
            Self::Ukrainian => slavic::counted(&ukrainian::WORDS, number, unit, case),
            Self::English => english::counted(number, unit),
        }
    }

    /// A caller's place in the queue, as a sentence; the first one is told that it is next.
    #[must_use]
    pub fn place(self, number: u32) -> Option<String> {
        let ordinal = self.ordinal(number, Gender::Masculine)?;
        Some(match (self, number) {
            (Self::Russian, 1) => "вы следующий в очереди".to_owned(),
            (Self::Ukrainian, 1) => "ви наступний у черзі".to_owned(),
            (Self::English, 1) => "you are next in the queue".to_owned(),
            (Self::Russian, _) => format!("вы {ordinal} в очереди"),
            (Self::Ukrainian, _) => format!("ви {ordinal} у черзі"),
            (Self::English, _) => format!("you are {ordinal} in the queue"),
        })
    }

    /// How long it may last, as a sentence, in whole minutes rounded up; hours above 90 minutes.
    #[must_use]
    pub fn wait(self, time: Duration) -> String {
        let minutes = u32::try_from(time.as_secs().div_ceil(60)).unwrap_or(LARGEST);
        let about = match minutes {
            0..=1 => {
                return match self {
                    Self::Russian => "ожидание меньше минуты",
                    Self::Ukrainian => "очікування менше хвилини",
                    Self::English => "the wait is less than a minute",
                }
                .to_owned();
            }
            2..=90 => self.counted(minutes, Unit::Minute, Case::Genitive),
            _ => self.counted(minutes.div_ceil(60), Unit::Hour, Case::Genitive),
        };
        match self {
            Self::Russian => format!("ожидание около {about}"),
            Self::Ukrainian => format!("очікування близько {about}"),
            Self::English => format!("the wait is about {about}"),
        }
    }

    /// How long somebody has waited, for the one who is about to talk to them: whole minutes, never
    /// more than it was.
    #[must_use]
    pub fn waited(self, time: Duration) -> String {
        let minutes = u32::try_from(time.as_secs() / 60).unwrap_or(LARGEST);
        let so_long = match (self, minutes) {
            (Self::Russian, 0) => "меньше минуты".to_owned(),
            (Self::Ukrainian, 0) => "менше хвилини".to_owned(),
            (Self::English, 0) => "less than a minute".to_owned(),
            (_, _) => self.counted(minutes, Unit::Minute, Case::Accusative),
        };
        match self {
            Self::Russian => format!("в очереди {so_long}"),
            Self::Ukrainian => format!("у черзі {so_long}"),
            Self::English => format!("waiting for {so_long}"),
        }
    }

    /// A time of day by the 24-hour clock.
    #[must_use]
    pub fn clock(self, hour: u32, minute: u32) -> String {
        let (hour, minute) = (hour % 24, minute % 60);
        match self {
            Self::Russian => {
                let hours = self.counted(hour, Unit::Hour, Case::Nominative);
                match minute {
                    0 => format!("{hours} ровно"),
                    _ => {
                        let minutes = self.counted(minute, Unit::Minute, Case::Nominative);
                        format!("{hours} {minutes}")
                    }
                }
            }
            Self::Ukrainian => {
                // The hour is an ordinal: "десята година"; midnight is "нуль годин".
                let hours = match self.ordinal(hour, Gender::Feminine) {
                    Some(ordinal) => format!("{ordinal} година"),
                    None => self.counted(0, Unit::Hour, Case::Nominative),
                };
                match minute {
                    0 => hours,
                    _ => {
                        let minutes = self.counted(minute, Unit::Minute, Case::Nominative);
                        format!("{hours} {minutes}")
                    }
                }
            }
            Self::English => english::clock(hour, minute),
        }
    }
}

#[cfg(test)]
mod tests;
