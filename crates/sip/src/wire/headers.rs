//! Owns the list of header fields of one message, in order. Knows names, not meanings.

use core::fmt::{self, Write as _};
use core::ops::Range;

use super::HeaderName;
use super::scan::Values;

/// Header fields in the order in which they stand. Values are raw text, folding undone.
///
/// All values stand in one buffer, so that reading or copying a message takes a few allocations
/// whatever the fields. Values that were replaced stay in it: a message lives for a moment.
#[derive(Clone, Default)]
pub struct Headers {
    fields: Vec<Field>,
    text: String,
}

#[derive(Clone)]
struct Field {
    name: HeaderName,
    /// Where the value stands in the text.
    begin: usize,
    end: usize,
}

impl Headers {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            fields: Vec::new(),
            text: String::new(),
        }
    }

    /// How many fields there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// True if there is no field.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of the first field of this name.
    #[must_use]
    pub fn first(&self, name: &HeaderName) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all fields of this name, one per field, not split at commas.
    pub fn all<'a, 'n>(
        &'a self,
        name: &'n HeaderName,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.fields
            .iter()
            .filter(move |field| field.name == *name)
            .map(|field| self.value(field))
    }

    /// The values of all fields of this name, split at commas outside of quotes and `<>`
    /// (RFC 3261 §7.3.1). Not for the digest headers and Date, where a comma means other things.
    pub fn values<'a, 'n>(
        &'a self,
        name: &'n HeaderName,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.all(name).flat_map(Values::new)
    }

    /// True if a comma-separated list of tokens holds this one: Supported, Require, Allow.
    #[must_use]
    pub fn lists(&self, name: &HeaderName, token: &str) -> bool {
        self.values(name)
            .any(|value| value.eq_ignore_ascii_case(token))
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: HeaderName, value: impl AsRef<str>) {
        let field = self.field(name, value.as_ref());
        self.fields.push(field);
    }

    /// Adds a field at the end, its value as it prints.
    pub fn print(&mut self, name: HeaderName, value: &impl fmt::Display) {
        self.make_room();
        let begin = self.text.len();
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{value}");
        self.fields.push(Field {
            name,
            begin,
            end: self.text.len(),
        });
    }

    /// Makes this the only field of its name; it stands where the first one was, or at the end.
    pub fn set(&mut self, name: HeaderName, value: impl AsRef<str>) {
        let place = self.place(&name);
        self.remove(&name);
        let field = self.field(name, value.as_ref());
        let end = self.fields.len();
        self.fields.insert(place.unwrap_or(end).min(end), field);
    }

    /// Takes all fields of this name out.
    pub fn remove(&mut self, name: &HeaderName) {
        self.fields.retain(|field| field.name != *name);
    }

    /// Replaces the value of the first field of this name; adds the field if there is none.
    pub fn replace_first(&mut self, name: HeaderName, value: impl AsRef<str>) {
        let place = self.place(&name);
        let field = self.field(name, value.as_ref());
        match place.and_then(|place| self.fields.get_mut(place)) {
            Some(old) => *old = field,
            None => self.fields.push(field),
        }
    }

    /// Adds a field before the first one of its name, or at the very beginning: Via, Route.
    pub fn insert_first(&mut self, name: HeaderName, value: impl AsRef<str>) {
        let place = self.place(&name);
        let field = self.field(name, value.as_ref());
        self.fields.insert(place.unwrap_or(0), field);
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.fields
            .iter()
            .map(|field| (&field.name, self.value(field)))
    }

    fn value(&self, field: &Field) -> &str {
        self.text.get(field.begin..field.end).unwrap_or_default()
    }

    fn place(&self, name: &HeaderName) -> Option<usize> {
        self.fields.iter().position(|field| field.name == *name)
    }

    /// Room for a usual message at once, before the first field.
    fn make_room(&mut self) {
        if self.text.capacity() == 0 {
            self.text.reserve(512);
            self.fields.reserve(16);
        }
    }

    /// Puts the value behind the others.
    fn field(&mut self, name: HeaderName, value: &str) -> Field {
        self.make_room();
        let begin = self.text.len();
        self.text.push_str(value);
        Field {
            name,
            begin,
            end: self.text.len(),
        }
    }
}

/// The fields of a head while it is read: most values stay where they are.
pub(super) struct HeadFields<'a> {
    head: &'a str,
    fields: Vec<Field>,
    /// Values that are not in the head as they are; their places are counted from its end.
    unfolded: String,
}

impl<'a> HeadFields<'a> {
    /// `head`: may be followed by the body.
    pub(super) fn of(head: &'a str) -> Self {
        Self {
            head,
            fields: Vec::with_capacity(24),
            unfolded: String::new(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.fields.len()
    }

    /// `value`: where it stands in the head.
    pub(super) fn push(&mut self, name: HeaderName, value: Range<usize>) {
        self.fields.push(Field {
            name,
            begin: value.start,
            end: value.end,
        });
    }

    pub(super) fn push_unfolded(&mut self, name: HeaderName, value: &str) {
        let begin = self.head.len() + self.unfolded.len();
        self.unfolded.push_str(value);
        self.push(name, begin..begin + value.len());
    }

    /// `end`: of the head, no value stands behind it.
    pub(super) fn finish(mut self, end: usize) -> Headers {
        let kept = self.head.get(..end).unwrap_or(self.head);
        let mut text = String::with_capacity(kept.len() + self.unfolded.len());
        text.push_str(kept);
        text.push_str(&self.unfolded);
        if !self.unfolded.is_empty() {
            let moved = self.head.len() - kept.len();
            let unfolded = |field: &&mut Field| field.begin >= self.head.len();
            for field in self.fields.iter_mut().filter(unfolded) {
                field.begin -= moved;
                field.end -= moved;
            }
        }
        Headers {
            fields: self.fields,
            text,
        }
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Headers {
        let mut headers = Headers::new();
        headers.push(HeaderName::Via, "a");
        headers.push(HeaderName::To, "b");
        headers.push(HeaderName::Via, "c, \"d,e\", <f,g>");
        headers
    }

    #[test]
    fn values_split_where_the_grammar_splits() {
        let headers = sample();
        let values: Vec<_> = headers.values(&HeaderName::Via).collect();
        assert_eq!(values, ["a", "c", "\"d,e\"", "<f,g>"]);
        assert_eq!(headers.all(&HeaderName::Via).count(), 2);
    }

    #[test]
    fn set_leaves_one_field_in_the_first_place() {
        let mut headers = sample();
        headers.set(HeaderName::Via, "x");
        let fields: Vec<_> = headers.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(fields, ["Via=x", "To=b"]);
    }

    #[test]
    fn a_printed_value_is_as_one_that_was_pushed() {
        let (mut printed, mut pushed) = (sample(), sample());
        printed.print(HeaderName::CSeq, &17);
        pushed.push(HeaderName::CSeq, "17");
        assert_eq!(printed, pushed);
    }

    #[test]
    fn insert_first_goes_before_its_kind() {
        let mut headers = sample();
        headers.insert_first(HeaderName::To, "z");
        headers.insert_first(HeaderName::Route, "r");
        let fields: Vec<_> = headers.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(fields[..4], ["Route=r", "Via=a", "To=z", "To=b"]);
    }
}
