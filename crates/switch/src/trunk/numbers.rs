//! Owns the two directions of number writing: what a carrier sends becomes E.164, and E.164
//! becomes what a carrier wants dialled. Knows no message.

/// How a trunk's numbers become E.164 (`+` and digits). What fits no rule stays as it came:
/// short codes such as 1300 are numbers too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumberRules {
    /// Country code without `+`, `7` for Russia, `380` for Ukraine. Empty: no rule at all.
    pub country_code: String,
    /// What may be dialled before a national number, the one to dial first: `8` in Russia; `0`
    /// and the old `80` in Ukraine.
    pub national_prefixes: Vec<String>,
    /// What is dialled before a number of another country: `810` in Russia, `00` in Ukraine.
    pub international_prefix: String,
    /// Digits of a national number without prefix, 10 in Russia, 9 in Ukraine.
    pub national_length: usize,
    /// Area code put before a local number; empty where there are none.
    pub area_code: String,
}

/// Digits that a number of another country has at least, so that a short code which happens to
/// begin with the international prefix stays one.
const FOREIGN_DIGITS_MIN: usize = 7;

impl NumberRules {
    /// The number in E.164 where a rule fits it. Spaces, hyphens, dots and brackets go.
    ///
    /// ```
    /// let rules = switch::NumberRules {
    ///     country_code: "7".into(), national_prefixes: vec!["8".into()],
    ///     international_prefix: "810".into(), national_length: 10, area_code: "4242".into(),
    /// };
    /// assert_eq!(rules.normalise("8 (4242) 12-34-56"), "+74242123456");
    /// assert_eq!(rules.normalise("123456"), "+74242123456");
    /// assert_eq!(rules.normalise("810380617871580"), "+380617871580");
    /// assert_eq!(rules.normalise("1300"), "1300");
    /// ```
    #[must_use]
    pub fn normalise(&self, raw: &str) -> String {
        let number: String = raw
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
            .collect();
        let digits = !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit());
        if !digits || self.country_code.is_empty() {
            return number;
        }
        self.whole(&number).unwrap_or(number)
    }

    /// E.164 of a number of digits only, if a rule fits.
    fn whole(&self, number: &str) -> Option<String> {
        let (country, national) = (&self.country_code, self.national_length);
        let after_prefix = self
            .national_prefixes
            .iter()
            .filter(|prefix| !prefix.is_empty())
            .filter_map(|prefix| number.strip_prefix(prefix.as_str()))
            .find(|rest| rest.len() == national);
        if let Some(rest) = after_prefix {
            return Some(format!("+{country}{rest}"));
        }
        if number.len() == national + country.len() && number.starts_with(country.as_str()) {
            return Some(format!("+{number}"));
        }
        if number.len() == national {
            return Some(format!("+{country}{number}"));
        }
        if !self.area_code.is_empty() && number.len() + self.area_code.len() == national {
            return Some(format!("+{country}{}{number}", self.area_code));
        }
        let foreign = number
            .strip_prefix(self.international_prefix.as_str())
            .filter(|rest| !self.international_prefix.is_empty() && !rest.starts_with('0'))?;
        (foreign.len() >= FOREIGN_DIGITS_MIN).then(|| format!("+{foreign}"))
    }

    /// The national part of an E.164 number of the own country.
    fn national<'a>(&self, number: &'a str) -> Option<&'a str> {
        let rest = number.strip_prefix('+')?;
        let rest = rest.strip_prefix(self.country_code.as_str())?;
        // With anything but digits in it, it is a name that begins like a number.
        let whole = rest.len() == self.national_length && rest.bytes().all(|b| b.is_ascii_digit());
        (!self.country_code.is_empty() && whole).then_some(rest)
    }
}

/// In which form a carrier wants numbers dialled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DialForm {
    /// `+74242123456`.
    #[default]
    Plus,
    /// `74242123456`.
    Digits,
    /// `84242123456`, and `810380…` for other countries.
    National,
}

/// How a number is dialled on a trunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dialling {
    /// The form.
    pub form: DialForm,
    /// Taken off the front of the number in that form, where it is there.
    pub strip: String,
    /// Put before it then.
    pub prefix: String,
}

impl Dialling {
    /// The number as the carrier wants it. What is no E.164 number, a short code, say, keeps its
    /// digits.
    #[must_use]
    pub fn written(&self, number: &str, rules: &NumberRules) -> String {
        let formed = match (self.form, number.strip_prefix('+')) {
            (_, None) => number.to_owned(),
            (DialForm::Plus, Some(_)) => number.to_owned(),
            (DialForm::Digits, Some(digits)) => digits.to_owned(),
            (DialForm::National, Some(digits)) => match rules.national(number) {
                Some(national) => {
                    let prefix = rules.national_prefixes.first().map_or("", String::as_str);
                    format!("{prefix}{national}")
                }
                None => format!("{}{digits}", rules.international_prefix),
            },
        };
        let rest = formed.strip_prefix(self.strip.as_str()).unwrap_or(&formed);
        format!("{}{rest}", self.prefix)
    }

    /// The number as the called party is to see it: in the form of the carrier, where nothing is
    /// dialled before a number.
    #[must_use]
    pub fn shown(&self, number: &str, rules: &NumberRules) -> String {
        let form = match self.form {
            DialForm::Plus => DialForm::Plus,
            DialForm::Digits | DialForm::National => DialForm::Digits,
        };
        let plain = Self {
            form,
            ..Self::default()
        };
        plain.written(number, rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn russia() -> NumberRules {
        NumberRules {
            country_code: "7".into(),
            national_prefixes: vec!["8".into()],
            international_prefix: "810".into(),
            national_length: 10,
            area_code: "4242".into(),
        }
    }

    fn ukraine() -> NumberRules {
        NumberRules {
            country_code: "380".into(),
            national_prefixes: vec!["0".into(), "80".into()],
            international_prefix: "00".into(),
            national_length: 9,
            area_code: "61".into(),
        }
    }

    #[test]
    fn each_way_of_writing_a_russian_number_gives_one_number() {
        for raw in [
            "+74242123456",
            "84242123456",
            "74242123456",
            "4242123456",
            "123456",
            "8 (4242) 12-34-56",
        ] {
            assert_eq!(russia().normalise(raw), "+74242123456", "{raw}");
        }
        let seven = NumberRules {
            area_code: "495".into(),
            ..russia()
        };
        assert_eq!(seven.normalise("1234567"), "+74951234567");
        assert_eq!(russia().normalise("88001234567"), "+78001234567");
    }

    #[test]
    fn each_way_of_writing_a_ukrainian_number_gives_one_number() {
        for raw in [
            "+380617871580",
            "380617871580",
            "80617871580",
            "0617871580",
            "617871580",
            "7871580",
            "(061) 787-15-80",
        ] {
            assert_eq!(ukraine().normalise(raw), "+380617871580", "{raw}");
        }
        assert_eq!(ukraine().normalise("0074242123456"), "+74242123456");
    }

    #[test]
    fn short_codes_names_and_foreign_numbers_stay() {
        for raw in ["1300", "112", "8101", "+380617871580", "anonymous", ""] {
            assert_eq!(russia().normalise(raw), raw);
        }
        assert_eq!(
            NumberRules::default().normalise("84242123456"),
            "84242123456"
        );
    }

    #[test]
    fn a_number_is_dialled_in_the_form_of_the_carrier() {
        let dialled = |form, strip: &str, prefix: &str, number: &str| {
            let (strip, prefix) = (strip.to_owned(), prefix.to_owned());
            Dialling {
                form,
                strip,
                prefix,
            }
            .written(number, &russia())
        };
        let own = "+74242123456";
        assert_eq!(dialled(DialForm::Plus, "", "", own), own);
        assert_eq!(dialled(DialForm::Digits, "", "", own), "74242123456");
        assert_eq!(dialled(DialForm::National, "", "", own), "84242123456");
        let foreign = "+380617871580";
        assert_eq!(
            dialled(DialForm::National, "", "", foreign),
            "810380617871580"
        );
        assert_eq!(dialled(DialForm::Digits, "7", "", own), "4242123456");
        assert_eq!(dialled(DialForm::National, "", "9", own), "984242123456");
        assert_eq!(dialled(DialForm::Plus, "", "", "112"), "112");
    }

    proptest::proptest! {
        #[test]
        fn what_was_made_whole_stays_and_survives_the_way_out_and_in(
            raw in "[0-9+() .-]{0,20}"
        ) {
            let whole = russia().normalise(&raw);
            proptest::prop_assert_eq!(russia().normalise(&whole), whole.clone());
            if russia().national(&whole).is_some() {
                for form in [DialForm::Plus, DialForm::Digits, DialForm::National] {
                    let dialling = Dialling { form, ..Dialling::default() };
                    let out = dialling.written(&whole, &russia());
                    proptest::prop_assert_eq!(russia().normalise(&out), whole.clone());
                }
            }
        }
    }
}
