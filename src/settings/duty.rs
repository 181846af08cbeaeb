//! Owns the settings of operators' days: what makes one present, and the kinds of breaks.

use std::path::Path;
use std::time::Duration;

use acd::Hours;
use toml::Spanned;
use toml::de::DeValue;

use super::define::section;
use super::kinds::choice;
use super::value::{Fault, Listed, Value, text};

choice! {
    /// What makes an operator present.
    Attendance expected "\"telephone\" or \"sign-in\"" {
        /// A telephone that is registered.
        Telephone = "telephone",
        /// Signing in to a line.
        SignIn = "sign-in",
    }
}

choice! {
    /// What ends the work after a call.
    WrapUpEnd expected "\"time\", \"ready\" or \"entry\"" {
        /// The time alone.
        Time = "time",
        /// The operator's word, or the time.
        Ready = "ready",
        /// The completion of the entry, or the time.
        Entry = "entry",
    }
}

choice! {
    /// Who is called first when a caller is called back.
    CallbackFirst expected "\"caller\" or \"operator\"" {
        /// The one who is called back.
        Caller = "caller",
        /// The operator who is to talk.
        Operator = "operator",
    }
}

section! {
    /// Operators at work. What they choose is kept over a restart of the engine.
    one Duty "duty" {
        /// What makes an operator present: a registered "telephone" is enough, or the operator has to
        /// "sign-in" to a line (`hotline operators sign-in`), and the telephone to be registered as
        /// well. Signed in, an operator may be at another line than the own.
        attendance: Attendance = Default "\"telephone\"";
    }
}

section! {
    /// Codes that operators dial from their telephones to say what they do; a prompt in the first
    /// language of [prompts] languages says what came of it. A code that is not here does not exist.
    one FeatureCodes "feature_codes" {
        /// Signs in to the own line; with a number after it, to that line.
        sign_in: Option<String> = Empty "\"*11\"";
        /// Signs out.
        sign_out: Option<String> = Empty "\"*12\"";
        /// Begins a break: the code of a [[break]] follows, such as *131. Without any [[break]] alone.
        break_begin: Option<String> = Empty "\"*13\"";
        /// Ends a break: available again.
        break_end: Option<String> = Empty "\"*14\"";
        /// The work after a call is done, where its queue leaves that to the operator.
        done: Option<String> = Empty "\"*15\"";
    }
}

section! {
    /// A kind of break that operators may take. Without any kind every break is permitted; with some,
    /// others, and those against the rules of their kind, need a supervisor's leave.
    many Break "break" {
        /// The reason, by which it is asked for.
        reason: String = Required "\"lunch\"";
        /// What follows the code of [feature_codes] break_begin to begin it by telephone.
        code: Option<String> = Empty "\"1\"";
        /// How long an operator may be on it in a day, all together. Without it there is no limit.
        daily_max: Option<Duration> = Empty "\"45 min\"", in "\"1 min\"" ..= "\"1d\"";
        /// When it may begin, by the clock of [journal] time_zone. Without it at any time.
        hours: Vec<HoursWanted> = Empty "[\"10:00-10:15\", \"12:00-15:00\"]";
    }
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoursWanted(pub Hours);

impl Value for HoursWanted {
    const EXPECTED: &'static str = "a time of day such as \"12:00-15:00\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, hours)
    }
}

impl Listed for HoursWanted {
    const LIST: &'static str = "a list of times of day, such as [\"10:00-10:15\", \"12:00-15:00\"]";
}

fn hours(text: &str) -> Option<HoursWanted> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (time_of_day(from)?, time_of_day(to)?);
    (from != to).then_some(HoursWanted(Hours { from, to }))
}

fn time_of_day(text: &str) -> Option<Duration> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits =
        |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || minutes.len() != 2 || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let legal = minutes < 60 && (hours < 24 || (hours, minutes) == (24, 0));
    legal.then(|| Duration::from_secs(hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_and_what_is_none_is_refused() {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        let read = hours("9:30-24:00").unwrap().0;
        assert_eq!((read.from, read.to), (minutes(570), minutes(1_440)));
        assert!(hours("22:00-06:00").is_some(), "over midnight");
        for bad in [
            "",
            "12",
            "12:00",
            "12:00-12:00",
            "12:60-13:00",
            "25:00-26:00",
            "1:5-2:00",
        ] {
            assert_eq!(hours(bad), None, "{bad}");
        }
    }
}
