//! Owns what an entry must have before it is complete: for each queue the required fields, the tree of
//! topics, and the time. Refuses to know any entry.
//!
//! ```
//! use journal::forms::Forms;
//! use vocab::EntryField;
//!
//! let forms = Forms::parse(r#"
//!     [[form]]
//!     queues = ["health"]
//!     required = ["full_name", "topic"]
//!     topics = ["Vaccination / Schedule", "Vaccination / Side effects"]
//!     complete_within = "5 min"
//! "#, std::time::Duration::from_secs(600))?;
//! let form = forms.of(Some("health"));
//! assert_eq!(form.required, [EntryField::FullName, EntryField::Topic]);
//! assert!(form.has_topic("Vaccination"));
//! assert!(!form.has_topic("Vacation"));
//! assert_eq!(forms.of(Some("other")).complete_within.as_secs(), 600);
//! # Ok::<(), journal::forms::FormsError>(())
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vocab::EntryField;

/// Between the parts of a topic.
pub const TOPIC_SEPARATOR: &str = " / ";

/// Longest topic, characters: an entry takes no longer one.
const TOPIC_MAX: usize = EntryField::Topic.longest();

/// Most topics of one form: more is a catalogue, and no operator finds anything in it.
pub const TOPICS_MAX: usize = 2_000;

/// A place in the tree of topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// Its own part of the name.
    pub name: String,
    /// The whole of it, as it stands in an entry.
    pub topic: String,
    /// What is below it; empty at a leaf.
    pub below: Vec<Topic>,
}

/// What the entries of some queues must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Fields without which an entry cannot be completed.
    pub required: Vec<EntryField>,
    /// Whole topics, ` / ` between their parts. With none any text is a topic.
    pub topics: Vec<String>,
    /// The time from the end of talk in which an entry is to be completed.
    pub complete_within: Duration,
}

impl Form {
    /// `complete_within` in milliseconds.
    pub(crate) fn complete_within_ms(&self) -> u64 {
        u64::try_from(self.complete_within.as_millis()).unwrap_or(u64::MAX)
    }

    /// The topics as a tree, each fork where it is named first. No deeper than a topic has characters,
    /// which is as long as a field of an entry may be.
    #[must_use]
    pub fn tree(&self) -> Vec<Topic> {
        let mut tree = Vec::new();
        for topic in &self.topics {
            grow(&mut tree, topic, 0);
        }
        tree
    }

    /// Whether a topic is in the tree, be it at a fork of it.
    #[must_use]
    pub fn has_topic(&self, topic: &str) -> bool {
        self.topics.is_empty()
            || self.topics.iter().any(|known| {
                known
                    .strip_prefix(topic)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(TOPIC_SEPARATOR))
            })
    }
}

/// Puts into a level of the tree what of a topic begins at an octet.
fn grow(level: &mut Vec<Topic>, topic: &str, begin: usize) {
    let rest = topic.get(begin..).unwrap_or_default();
    let (name, more) = rest.split_once(TOPIC_SEPARATOR).unwrap_or((rest, ""));
    let end = begin + name.len();
    let mut place = level.iter_mut().find(|one| one.name == name);
    if place.is_none() {
        level.push(Topic {
            name: name.to_owned(),
            topic: topic.get(..end).unwrap_or_default().to_owned(),
            below: Vec::new(),
        });
        place = level.last_mut();
    }
    if let (Some(fork), false) = (place, more.is_empty()) {
        grow(&mut fork.below, topic, end + TOPIC_SEPARATOR.len());
    }
}

/// The forms of all queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forms {
    by_queue: BTreeMap<String, Form>,
    otherwise: Form,
}

/// Why a file of forms cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FormsError {
    /// It is no TOML, or has keys that mean nothing.
    #[error("expected forms ([[form]] with queues, required, topics, complete_within), found {0}")]
    Syntax(String),
    /// A field that entries do not have.
    #[error("required = {0:?}: {1}")]
    Field(String, vocab::UnknownField),
    /// A time that is none.
    #[error(
        "complete_within = {0:?}: expected a time above zero, such as \"90s\", \"10 min\" or \"1h\""
    )]
    Time(String),
    /// A topic that cannot be shown.
    #[error("topics: expected parts that are not empty, ` / ` between them, found {0:?}")]
    Topic(String),
    /// A topic that no entry could have.
    #[error("topics: expected at most {TOPIC_MAX} characters, found {0:?}")]
    LongTopic(String),
    /// Too many.
    #[error("topics: expected at most {TOPICS_MAX}, found {0}")]
    TooManyTopics(usize),
    /// Two forms for one queue.
    #[error("queues: {0:?} has two forms")]
    Doubled(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    form: Vec<Read>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(default)]
    queues: Vec<String>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    topics: Vec<String>,
    complete_within: Option<String>,
}

impl Forms {
    /// One form for all queues: nothing is required but the time.
    #[must_use]
    pub const fn plain(complete_within: Duration) -> Self {
        Self {
            by_queue: BTreeMap::new(),
            otherwise: Form {
                required: Vec::new(),
                topics: Vec::new(),
                complete_within,
            },
        }
    }

    /// Reads a file of forms. A form without queues is for all others; `complete_within` is the time
    /// of forms that do not say one.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn parse(text: &str, complete_within: Duration) -> Result<Self, FormsError> {
        let file: File = toml::from_str(text)
            .map_err(|error| FormsError::Syntax(error.to_string().trim().to_owned()))?;
        let mut forms = Self::plain(complete_within);
        let mut has_other = false;
        for read in file.form {
            let form = form(&read, complete_within)?;
            if read.queues.is_empty() {
                if has_other {
                    return Err(FormsError::Doubled("all others".to_owned()));
                }
                has_other = true;
                forms.otherwise = form.clone();
            }
            for queue in read.queues {
                if forms.by_queue.insert(queue.clone(), form.clone()).is_some() {
                    return Err(FormsError::Doubled(queue));
                }
            }
        }
        Ok(forms)
    }

    /// The form of entries whose queue has none of its own, or that were in none.
    #[must_use]
    pub const fn otherwise(&self) -> &Form {
        &self.otherwise
    }

    /// The form of a queue; of an entry without one that of all others.
    #[must_use]
    pub fn of(&self, queue: Option<&str>) -> &Form {
        queue
            .and_then(|queue| self.by_queue.get(queue))
            .unwrap_or(&self.otherwise)
    }

    /// Each queue with a form of its own, and its form.
    pub fn by_queue(&self) -> impl Iterator<Item = (&str, &Form)> {
        self.by_queue
            .iter()
            .map(|(queue, form)| (queue.as_str(), form))
    }
}

fn form(read: &Read, complete_within: Duration) -> Result<Form, FormsError> {
    let mut required = Vec::new();
    for name in &read.required {
        let field = name.parse();
        required.push(field.map_err(|error| FormsError::Field(name.clone(), error))?);
    }
    if read.topics.len() > TOPICS_MAX {
        return Err(FormsError::TooManyTopics(read.topics.len()));
    }
    for topic in &read.topics {
        let sound = topic
            .split(TOPIC_SEPARATOR)
            .all(|part| !part.trim().is_empty() && part.trim() == part);
        if !sound || topic.chars().any(char::is_control) {
            return Err(FormsError::Topic(topic.clone()));
        }
        if topic.chars().count() > TOPIC_MAX {
            return Err(FormsError::LongTopic(topic.clone()));
        }
    }
    let complete_within = match &read.complete_within {
        None => complete_within,
        Some(text) => time(text).ok_or_else(|| FormsError::Time(text.clone()))?,
    };
    Ok(Form {
        required,
        topics: read.topics.clone(),
        complete_within,
    })
}

/// `90s`, `10 min`, `1h`.
fn time(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let seconds = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn mistake(text: &str) -> String {
        Forms::parse(text, MINUTE).unwrap_err().to_string()
    }

    #[test]
    fn a_topic_that_no_entry_could_have_is_a_mistake() {
        let of = |length: usize| format!("[[form]]\ntopics = [\"{}\"]", "я".repeat(length));
        assert!(Forms::parse(&of(250), MINUTE).is_ok());
        assert!(mistake(&of(251)).contains("at most 250 characters"));
    }

    #[test]
    fn topics_are_a_tree_in_the_order_of_the_file() {
        let topics = "[[form]]\ntopics = [\"b / c\", \"a\", \"b\", \"b / d / c\", \"b / c\"]";
        let forms = Forms::parse(topics, MINUTE).unwrap();
        let topic = |name: &str, topic: &str, below: Vec<Topic>| Topic {
            name: name.to_owned(),
            topic: topic.to_owned(),
            below,
        };
        let deep = topic("d", "b / d", vec![topic("c", "b / d / c", vec![])]);
        let b = topic("b", "b", vec![topic("c", "b / c", vec![]), deep]);
        assert_eq!(forms.otherwise().tree(), [b, topic("a", "a", vec![])]);
        assert_eq!(Forms::plain(MINUTE).otherwise().tree(), []);
    }

    #[test]
    fn each_mistake_is_told() {
        for (text, said) in [
            ("[[form]]\nrequierd = []", "requierd"),
            (
                "[[form]]\nrequired = [\"name\"]",
                "expected a field of an entry",
            ),
            ("[[form]]\ncomplete_within = \"soon\"", "expected a time"),
            ("[[form]]\ncomplete_within = \"0s\"", "expected a time"),
            ("[[form]]\ntopics = [\"a / \"]", "expected parts"),
            (
                "[[form]]\nqueues = [\"a\"]\n[[form]]\nqueues = [\"a\"]",
                "\"a\" has two forms",
            ),
            ("[[form]]\n[[form]]", "has two forms"),
        ] {
            let mistake = mistake(text);
            assert!(mistake.contains(said), "{text}: {mistake}");
        }
    }

    #[test]
    fn a_fork_of_the_tree_is_a_topic_and_a_piece_of_a_word_is_not() {
        let forms = Forms::parse("[[form]]\ntopics = [\"a / b / c\"]", MINUTE).unwrap();
        let form = forms.of(None);
        for topic in ["a", "a / b", "a / b / c"] {
            assert!(form.has_topic(topic), "{topic}");
        }
        for topic in ["", "b", "a / ", "a / b /", "a / b / cc"] {
            assert!(!form.has_topic(topic), "{topic:?}");
        }
    }
}
