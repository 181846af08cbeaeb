//! Owns what Russian and Ukrainian have in common: the form of a noun after a number, the gender of
//! one and two, thousands that are feminine.

use super::{Case, Gender, Unit};

/// A noun in the forms that numbers ask for.
pub(super) struct Noun {
    pub(super) gender: Gender,
    /// одна минута
    pub(super) one: &'static str,
    /// через одну минуту
    pub(super) one_accusative: &'static str,
    /// две минуты
    pub(super) few: &'static str,
    /// пять минут
    pub(super) many: &'static str,
    /// около одной минуты
    pub(super) one_genitive: &'static str,
}

impl Noun {
    /// A feminine noun: its genitive is the form after two.
    pub(super) const fn feminine(
        one: &'static str,
        one_accusative: &'static str,
        few: &'static str,
        many: &'static str,
    ) -> Self {
        Self {
            gender: Gender::Feminine,
            one,
            one_accusative,
            few,
            many,
            one_genitive: few,
        }
    }

    /// A masculine noun for something without life: its accusative is its nominative. After two to four
    /// Russian has the genitive ("два дня"), Ukrainian the plural of the nominative ("два дні").
    pub(super) const fn masculine(
        one: &'static str,
        few: &'static str,
        many: &'static str,
        one_genitive: &'static str,
    ) -> Self {
        Self {
            gender: Gender::Masculine,
            one,
            one_accusative: one,
            few,
            many,
            one_genitive,
        }
    }
}

/// The words of a tongue.
pub(super) struct Words {
    /// 0 to 19, masculine.
    pub(super) small: [&'static str; 20],
    /// The same in the genitive.
    pub(super) small_genitive: [&'static str; 20],
    /// One: feminine, neuter; genitive feminine; accusative feminine.
    pub(super) one: [&'static str; 4],
    /// Two, feminine.
    pub(super) two_feminine: &'static str,
    /// 20 to 90.
    pub(super) tens: [&'static str; 8],
    pub(super) tens_genitive: [&'static str; 8],
    /// 100 to 900.
    pub(super) hundreds: [&'static str; 9],
    pub(super) hundreds_genitive: [&'static str; 9],
    pub(super) thousand: Noun,
    /// The first to the nineteenth, masculine.
    pub(super) ordinals: [&'static str; 19],
    pub(super) ordinal_tens: [&'static str; 8],
    pub(super) ordinal_hundreds: [&'static str; 9],
    /// Endings of an ordinal: masculine ones that are replaced, then feminine and neuter.
    pub(super) endings: &'static [(&'static str, &'static str, &'static str)],
    pub(super) units: fn(Unit) -> Noun,
}

pub(super) fn cardinal(words: &Words, number: u32, gender: Gender, case: Case) -> String {
    let mut said: Vec<&str> = Vec::new();
    let (thousands, rest) = (number / 1_000, number % 1_000);
    if thousands > 0 {
        // "тысяча", not "одна тысяча".
        if thousands > 1 {
            below_thousand(words, thousands, words.thousand.gender, case, &mut said);
        }
        said.push(form(&words.thousand, thousands, case));
    }
    if rest > 0 || thousands == 0 {
        below_thousand(words, rest, gender, case, &mut said);
    }
    said.join(" ")
}

fn below_thousand(
    words: &Words,
    number: u32,
    gender: Gender,
    case: Case,
    said: &mut Vec<&'static str>,
) {
    let genitive = case == Case::Genitive;
    let (hundreds, tens, small) = if genitive {
        (
            &words.hundreds_genitive,
            &words.tens_genitive,
            &words.small_genitive,
        )
    } else {
        (&words.hundreds, &words.tens, &words.small)
    };
    let (hundred, rest) = (number / 100, number % 100);
    said.extend(word(hundreds, hundred.checked_sub(1)));
    let ones = if rest < 20 { rest } else { rest % 10 };
    if rest >= 20 {
        said.extend(word(tens, (rest / 10).checked_sub(2)));
    }
    if ones == 0 && number > 0 {
        return;
    }
    let [one_feminine, one_neuter, one_of_feminine, one_accusative] = words.one;
    let special = match (ones, gender, case) {
        (1, Gender::Feminine, Case::Nominative) => Some(one_feminine),
        (1, Gender::Feminine, Case::Genitive) => Some(one_of_feminine),
        (1, Gender::Feminine, Case::Accusative) => Some(one_accusative),
        (1, Gender::Neuter, Case::Nominative | Case::Accusative) => Some(one_neuter),
        (2, Gender::Feminine, Case::Nominative | Case::Accusative) => Some(words.two_feminine),
        _ => None,
    };
    said.extend(special.or_else(|| word(small, Some(ones))));
}

fn word(table: &[&'static str], place: Option<u32>) -> Option<&'static str> {
    table.get(usize::try_from(place?).ok()?).copied()
}

/// The form of a noun after a number: after 11 to 14 as after five.
fn form(noun: &Noun, number: u32, case: Case) -> &'static str {
    match (number % 10, number % 100, case) {
        (_, 11..=14, _) => noun.many,
        (1, _, Case::Nominative) => noun.one,
        (1, _, Case::Genitive) => noun.one_genitive,
        (1, _, Case::Accusative) => noun.one_accusative,
        (2..=4, _, Case::Nominative | Case::Accusative) => noun.few,
        _ => noun.many,
    }
}

pub(super) fn counted(words: &Words, number: u32, unit: Unit, case: Case) -> String {
    let noun = (words.units)(unit);
    let said = cardinal(words, number.min(super::LARGEST), noun.gender, case);
    format!("{said} {}", form(&noun, number, case))
}

/// Only the last word is an ordinal: "двадцать первый", "сто двадцатый".
pub(super) fn ordinal(words: &Words, number: u32, gender: Gender) -> Option<String> {
    let rest = number % 100;
    let (before, last) = if rest == 0 {
        (
            0,
            word(&words.ordinal_hundreds, (number / 100).checked_sub(1))?,
        )
    } else if rest < 20 {
        (number - rest, word(&words.ordinals, rest.checked_sub(1))?)
    } else if rest.is_multiple_of(10) {
        let tens = word(&words.ordinal_tens, (rest / 10).checked_sub(2))?;
        (number - rest, tens)
    } else {
        let ones = rest % 10;
        (number - ones, word(&words.ordinals, ones.checked_sub(1))?)
    };
    let last = match gender {
        Gender::Masculine => last.to_owned(),
        Gender::Feminine | Gender::Neuter => {
            let ending = words
                .endings
                .iter()
                .find_map(|(masculine, feminine, neuter)| {
                    let stem = last.strip_suffix(masculine)?;
                    let ending = if gender == Gender::Feminine {
                        feminine
                    } else {
                        neuter
                    };
                    Some(format!("{stem}{ending}"))
                });
            ending?
        }
    };
    if before == 0 {
        return Some(last);
    }
    let before = cardinal(words, before, Gender::Masculine, Case::Nominative);
    Some(format!("{before} {last}"))
}
