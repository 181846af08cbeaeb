//! Owns the words of English, as said in Britain: "one hundred and one".

use super::Unit;

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

fn word(table: &[&'static str], place: u32) -> &'static str {
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    table.get(place).copied().unwrap_or_default()
}

pub(super) fn cardinal(number: u32) -> String {
    let (thousands, rest) = (number / 1_000, number % 1_000);
    if thousands == 0 {
        return below_thousand(number);
    }
    let thousands = format!("{} thousand", below_thousand(thousands));
    match rest {
        0 => thousands,
        1..=99 => format!("{thousands} and {}", below_thousand(rest)),
        _ => format!("{thousands} {}", below_thousand(rest)),
    }
}

fn below_thousand(number: u32) -> String {
    let (hundreds, rest) = (number / 100, number % 100);
    match (hundreds, rest) {
        (0, rest) => below_hundred(rest),
        (hundreds, 0) => format!("{} hundred", word(&SMALL, hundreds)),
        (hundreds, rest) => {
            format!(
                "{} hundred and {}",
                word(&SMALL, hundreds),
                below_hundred(rest)
            )
        }
    }
}

fn below_hundred(number: u32) -> String {
    match (number / 10, number % 10) {
        (0 | 1, _) => word(&SMALL, number).to_owned(),
        (tens, 0) => word(&TENS, tens - 2).to_owned(),
        (tens, ones) => format!("{}-{}", word(&TENS, tens - 2), word(&SMALL, ones)),
    }
}

pub(super) fn ordinal(number: u32) -> Option<String> {
    let cardinal = cardinal(number);
    let at = cardinal.rfind([' ', '-']).map_or(0, |at| at + 1);
    let (before, last) = (cardinal.get(..at)?, cardinal.get(at..)?);
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        tens if tens.ends_with('y') => format!("{}ieth", tens.trim_end_matches('y')),
        other => format!("{other}th"),
    };
    Some(format!("{before}{last}"))
}

pub(super) fn counted(number: u32, unit: Unit) -> String {
    let noun = match unit {
        Unit::Second => "second",
        Unit::Minute => "minute",
        Unit::Hour => "hour",
        Unit::Day => "day",
        Unit::Call => "call",
    };
    let plural = if number == 1 { "" } else { "s" };
    let said = cardinal(number.min(super::LARGEST));
    format!("{said} {noun}{plural}")
}

pub(super) fn clock(hour: u32, minute: u32) -> String {
    match (hour, minute) {
        (0, 0) => "midnight".to_owned(),
        (12, 0) => "noon".to_owned(),
        (hour @ 1..=11, 0) => format!("{} o'clock in the morning", below_hundred(hour)),
        (hour @ 13..=17, 0) => format!("{} o'clock in the afternoon", below_hundred(hour - 12)),
        (hour, 0) => format!(
            "{} o'clock in the evening",
            below_hundred(hour.saturating_sub(12))
        ),
        (hour, minute @ 1..=9) => {
            format!("{} oh {}", below_hundred(hour), below_hundred(minute))
        }
        (hour, minute) => format!("{} {}", below_hundred(hour), below_hundred(minute)),
    }
}
