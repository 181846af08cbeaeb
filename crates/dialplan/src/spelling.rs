//! Owns the guess at what a misspelt name was meant to be. Refuses to know any names itself.

/// Names in a row for people: "`a`, `b` or `c`".
pub(crate) fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
    }
}

/// Advice for a name that nobody knows: the nearest known one, and all of them where even that
/// one is not much like it.
pub(crate) fn advice(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some((near, true)) => format!("did you mean `{near}`?"),
        Some((near, false)) if known.len() > 1 => {
            format!("expected {}; the nearest is `{near}`", one_of(known))
        }
        Some(_) | None => format!("expected {}", one_of(known)),
    }
}

/// The known name nearest to a given one, and whether it is so near that it may be meant.
/// `None` only where nothing is known.
#[must_use]
pub fn nearest<'k>(given: &str, known: &[&'k str]) -> Option<(&'k str, bool)> {
    /// Likeness from which a slip of the fingers or of memory is likelier than another meaning.
    const LIKE: f64 = 0.5;
    let mut best: Option<(&str, f64)> = None;
    for name in known {
        let likeness = likeness(given, name);
        // Of several alike the first stands.
        if best.is_none_or(|(_, most)| likeness > most) {
            best = Some((name, likeness));
        }
    }
    best.map(|(name, likeness)| (name, likeness >= LIKE))
}

/// How much two names are alike, of 1: letter by letter, or word by word in whatever order.
fn likeness(given: &str, known: &str) -> f64 {
    let whole = strsim::normalized_damerau_levenshtein(given, known);
    whole.max(likeness_of_words(given, known))
}

/// Each word's likeness to the word most like it, a word without a partner being like nothing.
fn likeness_of_words(given: &str, known: &str) -> f64 {
    let words = |name: &str| -> Vec<String> {
        name.split(['_', '-', '.', ' '])
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let (given, mut left) = (words(given), words(known));
    let most = given.len().max(left.len());
    let mut sum = 0.0;
    for word in given {
        let alike = |other: &String| strsim::normalized_damerau_levenshtein(&word, other);
        let partner = left
            .iter()
            .map(alike)
            .enumerate()
            .max_by(|(_, one), (_, other)| one.total_cmp(other));
        if let Some((at, likeness)) = partner {
            left.swap_remove(at);
            sum += likeness;
        }
    }
    // A name has few words: the number is exact.
    #[expect(clippy::cast_precision_loss, reason = "names have few words")]
    let most = most.max(1) as f64;
    sum / most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_led_back_to_the_name_that_was_meant() {
        let known = [
            "name",
            "ring_time",
            "wait_max",
            "length_max",
            "wrap_up",
            "skill",
            "retry_delay",
            "rest_after_no_answer",
        ];
        for (given, meant) in [
            ("max_length", "length_max"),
            ("max_lenght", "length_max"),
            ("length", "length_max"),
            ("lengthmax", "length_max"),
            ("time_ring", "ring_time"),
            ("wrapup", "wrap_up"),
            ("delay_retry", "retry_delay"),
            ("retry-delay", "retry_delay"),
            ("no_answer_rest", "rest_after_no_answer"),
            ("Name", "name"),
            ("nmae", "name"),
        ] {
            assert_eq!(nearest(given, &known), Some((meant, true)), "{given}");
        }
    }

    #[test]
    fn a_name_like_none_gets_the_nearest_all_the_same() {
        assert_eq!(
            nearest("colour", &["name", "numbers"]),
            Some(("numbers", false))
        );
        assert_eq!(nearest("", &["a"]), Some(("a", false)));
        assert_eq!(nearest("a", &[]), None);
        assert_eq!(
            advice("colour", &["name", "numbers"]),
            "expected `name` or `numbers`; the nearest is `numbers`"
        );
    }
}
