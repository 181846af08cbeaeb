//! Owns the list of header fields of one message, in order. Knows names, not meanings.

use super::HeaderName;
use super::scan::Values;

/// Header fields in the order in which they stand. Values are raw text, folding undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, String)>);

impl Headers {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// How many fields there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is no field.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
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
    pub fn push(&mut self, name: HeaderName, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    /// Makes this the only field of its name; it stands where the first one was, or at the end.
    pub fn set(&mut self, name: HeaderName, value: impl Into<String>) {
        let place = self.0.iter().position(|(known, _)| *known == name);
        self.remove(&name);
        match place {
            Some(place) => self.0.insert(place.min(self.0.len()), (name, value.into())),
            None => self.push(name, value),
        }
    }

    /// Takes all fields of this name out.
    pub fn remove(&mut self, name: &HeaderName) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Replaces the value of the first field of this name; adds the field if there is none.
    pub fn replace_first(&mut self, name: HeaderName, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(field) => field.1 = value.into(),
            None => self.push(name, value),
        }
    }

    /// Adds a field before the first one of its name, or at the very beginning: Via, Route.
    pub fn insert_first(&mut self, name: HeaderName, value: impl Into<String>) {
        let place = self.0.iter().position(|(known, _)| *known == name);
        self.0.insert(place.unwrap_or(0), (name, value.into()));
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.0.iter().map(|(name, value)| (name, value.as_str()))
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
    fn insert_first_goes_before_its_kind() {
        let mut headers = sample();
        headers.insert_first(HeaderName::To, "z");
        headers.insert_first(HeaderName::Route, "r");
        let fields: Vec<_> = headers.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(fields[..4], ["Route=r", "Via=a", "To=z", "To=b"]);
    }
}
