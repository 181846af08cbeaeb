//! Numbers in words: cases by hand, and rules that hold for every number.

use proptest::prelude::*;

use super::*;

const RU: Tongue = Tongue::Russian;
const UK: Tongue = Tongue::Ukrainian;
const EN: Tongue = Tongue::English;
const CASES: [Case; 3] = [Case::Nominative, Case::Genitive, Case::Accusative];
const GENDERS: [Gender; 3] = [Gender::Masculine, Gender::Feminine, Gender::Neuter];

#[test]
fn numbers_are_said_as_a_native_says_them() {
    use Gender::{Feminine, Masculine, Neuter};
    for (tongue, number, gender, case, said) in [
        (RU, 0, Masculine, Case::Nominative, "ноль"),
        (RU, 1, Feminine, Case::Nominative, "одна"),
        (RU, 1, Neuter, Case::Nominative, "одно"),
        (RU, 2, Feminine, Case::Nominative, "две"),
        (RU, 2, Neuter, Case::Nominative, "два"),
        (RU, 12, Feminine, Case::Nominative, "двенадцать"),
        (RU, 22, Feminine, Case::Accusative, "двадцать две"),
        (RU, 40, Masculine, Case::Genitive, "сорока"),
        (RU, 90, Masculine, Case::Genitive, "девяноста"),
        (RU, 101, Feminine, Case::Genitive, "ста одной"),
        (RU, 121, Feminine, Case::Accusative, "сто двадцать одну"),
        (RU, 1_000, Masculine, Case::Nominative, "тысяча"),
        (RU, 1_001, Masculine, Case::Nominative, "тысяча один"),
        (RU, 2_002, Masculine, Case::Nominative, "две тысячи два"),
        (RU, 5_000, Masculine, Case::Nominative, "пять тысяч"),
        (RU, 11_000, Masculine, Case::Nominative, "одиннадцать тысяч"),
        (
            RU,
            21_000,
            Masculine,
            Case::Accusative,
            "двадцать одну тысячу",
        ),
        (RU, 2_300, Masculine, Case::Genitive, "двух тысяч трёхсот"),
        (
            RU,
            999_999,
            Feminine,
            Case::Nominative,
            "девятьсот девяносто девять тысяч девятьсот девяносто девять",
        ),
        (UK, 1, Feminine, Case::Genitive, "однієї"),
        (UK, 2, Feminine, Case::Nominative, "дві"),
        (UK, 1, Neuter, Case::Nominative, "одне"),
        (UK, 15, Masculine, Case::Nominative, "п'ятнадцять"),
        (UK, 68, Masculine, Case::Genitive, "шістдесяти восьми"),
        (UK, 200, Masculine, Case::Nominative, "двісті"),
        (UK, 4_000, Masculine, Case::Nominative, "чотири тисячі"),
        (
            UK,
            1_580,
            Masculine,
            Case::Nominative,
            "тисяча п'ятсот вісімдесят",
        ),
        (UK, 600, Masculine, Case::Genitive, "шестисот"),
        (EN, 0, Masculine, Case::Nominative, "zero"),
        (EN, 42, Masculine, Case::Genitive, "forty-two"),
        (EN, 101, Masculine, Case::Nominative, "one hundred and one"),
        (
            EN,
            1_300,
            Masculine,
            Case::Nominative,
            "one thousand three hundred",
        ),
        (
            EN,
            20_005,
            Masculine,
            Case::Nominative,
            "twenty thousand and five",
        ),
    ] {
        assert_eq!(tongue.cardinal(number, gender, case), said);
    }
}

#[test]
fn what_is_counted_has_its_form() {
    for (tongue, number, unit, case, said) in [
        (RU, 1, Unit::Minute, Case::Nominative, "одна минута"),
        (RU, 1, Unit::Minute, Case::Accusative, "одну минуту"),
        (RU, 2, Unit::Minute, Case::Nominative, "две минуты"),
        (RU, 5, Unit::Minute, Case::Nominative, "пять минут"),
        (RU, 5, Unit::Minute, Case::Genitive, "пяти минут"),
        (RU, 11, Unit::Minute, Case::Nominative, "одиннадцать минут"),
        (
            RU,
            21,
            Unit::Minute,
            Case::Genitive,
            "двадцати одной минуты",
        ),
        (RU, 21, Unit::Hour, Case::Nominative, "двадцать один час"),
        (
            RU,
            112,
            Unit::Call,
            Case::Nominative,
            "сто двенадцать звонков",
        ),
        (RU, 3, Unit::Day, Case::Nominative, "три дня"),
        (UK, 2, Unit::Minute, Case::Nominative, "дві хвилини"),
        (UK, 5, Unit::Minute, Case::Nominative, "п'ять хвилин"),
        (UK, 1, Unit::Hour, Case::Accusative, "одну годину"),
        (UK, 3, Unit::Day, Case::Nominative, "три дні"),
        (UK, 2, Unit::Call, Case::Nominative, "два дзвінки"),
        (UK, 1, Unit::Call, Case::Genitive, "одного дзвінка"),
        (UK, 4, Unit::Second, Case::Genitive, "чотирьох секунд"),
        (EN, 1, Unit::Minute, Case::Nominative, "one minute"),
        (EN, 0, Unit::Call, Case::Nominative, "zero calls"),
    ] {
        assert_eq!(tongue.counted(number, unit, case), said);
    }
}

#[test]
fn places_waits_and_times_of_day_are_sentences() {
    for (said, expected) in [
        (RU.place(1).unwrap(), "вы следующий в очереди"),
        (RU.place(3).unwrap(), "вы третий в очереди"),
        (RU.place(21).unwrap(), "вы двадцать первый в очереди"),
        (RU.place(40).unwrap(), "вы сороковой в очереди"),
        (UK.place(3).unwrap(), "ви третій у черзі"),
        (UK.place(112).unwrap(), "ви сто дванадцятий у черзі"),
        (EN.place(12).unwrap(), "you are twelfth in the queue"),
        (EN.place(30).unwrap(), "you are thirtieth in the queue"),
        (RU.ordinal(3, Gender::Feminine).unwrap(), "третья"),
        (RU.ordinal(200, Gender::Neuter).unwrap(), "двухсотое"),
        (RU.ordinal(46, Gender::Feminine).unwrap(), "сорок шестая"),
        (UK.ordinal(3, Gender::Feminine).unwrap(), "третя"),
        (UK.ordinal(5, Gender::Neuter).unwrap(), "п'яте"),
        (RU.wait(Duration::from_secs(30)), "ожидание меньше минуты"),
        (
            RU.wait(Duration::from_secs(61)),
            "ожидание около двух минут",
        ),
        (
            UK.wait(Duration::from_secs(300)),
            "очікування близько п'яти хвилин",
        ),
        (
            RU.wait(Duration::from_secs(7_200)),
            "ожидание около двух часов",
        ),
        (
            EN.wait(Duration::from_secs(120)),
            "the wait is about two minutes",
        ),
        (RU.clock(21, 5), "двадцать один час пять минут"),
        (RU.clock(10, 0), "десять часов ровно"),
        (UK.clock(10, 2), "десята година дві хвилини"),
        (UK.clock(0, 0), "нуль годин"),
        (EN.clock(9, 5), "nine oh five"),
        (EN.clock(20, 0), "eight o'clock in the evening"),
        (EN.clock(13, 45), "thirteen forty-five"),
    ] {
        assert_eq!(said, expected);
    }
    for number in [0, LAST_PLACE + 1] {
        assert_eq!(RU.place(number), None);
    }
}

#[test]
fn a_language_of_a_plan_has_its_tongue() {
    assert_eq!(Tongue::of("uk"), Some(UK));
    assert_eq!(Tongue::of("en-GB"), Some(EN));
    assert_eq!(Tongue::of("de"), None);
}

/// What a word is worth, by the beginning that all its forms share; longest first.
fn worth(word: &str) -> u32 {
    const RUSSIAN: &[(&str, u32)] = &[
        ("одиннадцат", 11),
        ("двенадцат", 12),
        ("тринадцат", 13),
        ("четырнадцат", 14),
        ("пятнадцат", 15),
        ("шестнадцат", 16),
        ("семнадцат", 17),
        ("восемнадцат", 18),
        ("девятнадцат", 19),
        ("двадцат", 20),
        ("тридцат", 30),
        ("сорок", 40),
        ("пятьдесят", 50),
        ("пятидесят", 50),
        ("шестьдесят", 60),
        ("шестидесят", 60),
        ("семьдесят", 70),
        ("семидесят", 70),
        ("восемьдесят", 80),
        ("восьмидесят", 80),
        ("девяност", 90),
        ("двести", 200),
        ("двухсот", 200),
        ("триста", 300),
        ("трёхсот", 300),
        ("четыреста", 400),
        ("четырёхсот", 400),
        ("пятьсот", 500),
        ("пятисот", 500),
        ("шестьсот", 600),
        ("шестисот", 600),
        ("семьсот", 700),
        ("семисот", 700),
        ("восемьсот", 800),
        ("восьмисот", 800),
        ("девятьсот", 900),
        ("девятисот", 900),
        ("тысяч", 1_000),
        ("сто", 100),
        ("ста", 100),
        ("ноль", 0),
        ("нуля", 0),
        ("од", 1),
        ("дв", 2),
        ("тр", 3),
        ("четыр", 4),
        ("пят", 5),
        ("шест", 6),
        ("сем", 7),
        ("вос", 8),
        ("девят", 9),
        ("десят", 10),
    ];
    const UKRAINIAN: &[(&str, u32)] = &[
        ("одинадцят", 11),
        ("дванадцят", 12),
        ("тринадцят", 13),
        ("чотирнадцят", 14),
        ("п'ятнадцят", 15),
        ("шістнадцят", 16),
        ("сімнадцят", 17),
        ("вісімнадцят", 18),
        ("дев'ятнадцят", 19),
        ("двадцят", 20),
        ("тридцят", 30),
        ("п'ятдесят", 50),
        ("шістдесят", 60),
        ("сімдесят", 70),
        ("вісімдесят", 80),
        ("дев'яност", 90),
        ("двісті", 200),
        ("двохсот", 200),
        ("трьохсот", 300),
        ("чотириста", 400),
        ("чотирьохсот", 400),
        ("п'ятсот", 500),
        ("п'ятисот", 500),
        ("шістсот", 600),
        ("шестисот", 600),
        ("сімсот", 700),
        ("вісімсот", 800),
        ("дев'ятсот", 900),
        ("дев'ятисот", 900),
        ("тисяч", 1_000),
        ("нуль", 0),
        ("чотир", 4),
        ("п'ят", 5),
        ("шіст", 6),
        ("сім", 7),
        ("вісім", 8),
        ("дев'ят", 9),
    ];
    const ENGLISH: &[(&str, u32)] = &[
        ("thirteen", 13),
        ("fourteen", 14),
        ("fifteen", 15),
        ("sixteen", 16),
        ("seventeen", 17),
        ("eighteen", 18),
        ("nineteen", 19),
        ("twenty", 20),
        ("thirty", 30),
        ("forty", 40),
        ("fifty", 50),
        ("sixty", 60),
        ("seventy", 70),
        ("eighty", 80),
        ("ninety", 90),
        ("zero", 0),
        ("one", 1),
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("six", 6),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("eleven", 11),
        ("twelve", 12),
    ];
    let all = UKRAINIAN.iter().chain(RUSSIAN).chain(ENGLISH);
    let fitting = all.filter(|(beginning, _)| word.starts_with(beginning));
    let longest = fitting.max_by_key(|(beginning, _)| beginning.len());
    longest.unwrap_or_else(|| panic!("{word}")).1
}

/// The number that words say.
fn heard(said: &str) -> u32 {
    let (mut whole, mut part) = (0, 0);
    for word in said.split([' ', '-']).filter(|word| *word != "and") {
        match word {
            "hundred" => part *= 100,
            "thousand" => {
                whole = part * 1_000;
                part = 0;
            }
            word => match worth(word) {
                1_000 => {
                    whole = part.max(1) * 1_000;
                    part = 0;
                }
                worth => part += worth,
            },
        }
    }
    whole + part
}

/// One, few or many, by the rule as grammars give it.
fn form(number: u32) -> usize {
    let (tens, ones) = (number / 10 % 10, number % 10);
    if tens == 1 {
        return 2;
    }
    match ones {
        1 => 0,
        2..=4 => 1,
        _ => 2,
    }
}

proptest! {
    #[test]
    fn what_is_said_is_the_number(number in 0..=LARGEST) {
        for tongue in [RU, UK, EN] {
            for gender in GENDERS {
                for case in CASES {
                    let said = tongue.cardinal(number, gender, case);
                    prop_assert_eq!(heard(&said), number, "{}", said);
                }
            }
        }
    }

    #[test]
    fn nouns_follow_the_rule_of_one_few_and_many(number in 0..=LARGEST) {
        for (tongue, forms) in [
            (RU, ["минута", "минуты", "минут"]),
            (UK, ["хвилина", "хвилини", "хвилин"]),
        ] {
            let said = tongue.counted(number, Unit::Minute, Case::Nominative);
            prop_assert_eq!(said.rsplit(' ').next(), Some(forms[form(number)]));
            let about = tongue.counted(number, Unit::Minute, Case::Genitive);
            let genitive = if form(number) == 0 { forms[1] } else { forms[2] };
            prop_assert_eq!(about.rsplit(' ').next(), Some(genitive));
        }
    }

    #[test]
    fn only_one_and_two_know_a_gender(number in 0..=LARGEST) {
        for tongue in [RU, UK] {
            let said = |gender| tongue.cardinal(number, gender, Case::Nominative);
            let differs = said(Gender::Masculine) != said(Gender::Feminine);
            let knows = form(number) == 0 || (number % 10 == 2 && number / 10 % 10 != 1);
            prop_assert_eq!(differs, knows, "{}", number);
        }
    }
}

#[test]
fn every_number_below_ten_thousand_is_heard_right_in_every_case() {
    for number in 0..10_000 {
        for tongue in [RU, UK, EN] {
            for case in CASES {
                let said = tongue.cardinal(number, Gender::Feminine, case);
                assert_eq!(heard(&said), number, "{said}");
            }
        }
    }
}

#[test]
fn every_place_has_words_of_its_own() {
    for tongue in [RU, UK, EN] {
        for gender in GENDERS {
            let said: std::collections::BTreeSet<String> = (1..=LAST_PLACE)
                .map(|number| tongue.ordinal(number, gender).unwrap())
                .collect();
            assert_eq!(said.len(), 999);
        }
    }
}

#[test]
fn a_number_too_large_is_said_digit_by_digit() {
    assert_eq!(
        RU.cardinal(1_000_002, Gender::Feminine, Case::Nominative),
        "один ноль ноль ноль ноль ноль два"
    );
}

#[test]
fn a_wait_that_has_passed_is_said_in_the_accusative_and_never_longer_than_it_was() {
    let seconds = Duration::from_secs;
    for (tongue, wait, said) in [
        (RU, 59, "в очереди меньше минуты"),
        (RU, 60, "в очереди одну минуту"),
        (RU, 179, "в очереди две минуты"),
        (RU, 1_260, "в очереди двадцать одну минуту"),
        (UK, 30, "у черзі менше хвилини"),
        (UK, 60, "у черзі одну хвилину"),
        (UK, 300, "у черзі п'ять хвилин"),
        (EN, 119, "waiting for one minute"),
        (EN, 120, "waiting for two minutes"),
    ] {
        assert_eq!(tongue.waited(seconds(wait)), said);
    }
}
