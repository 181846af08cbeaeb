//! Owns a list of parameters, of a URI or of a header value.

use core::fmt;
use core::ops::Range;

use super::error::ParseError;
use super::scan::{Param, ParamScan, is_param_value, quote};

/// Parameters in the order in which they stand. Values are kept as on the wire: quoted strings
/// with their quotes (see [`unquote`](super::unquote)), escapes of URI parameters undecoded.
///
/// All stand in one text, so that reading or copying a list takes two allocations at most. What
/// was replaced or taken out stays in the text: a list lives for a moment.
#[derive(Clone, Default)]
pub struct Params {
    text: String,
    list: Vec<Param>,
}

impl Params {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            text: String::new(),
            list: Vec::new(),
        }
    }

    /// Reads `;name=value;name`, or nothing.
    ///
    /// # Errors
    /// If the text is not a list of parameters.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_in(text, "parameters")
    }

    pub(super) fn parse_in(text: &str, part: &'static str) -> Result<Self, ParseError> {
        let list: Vec<_> = ParamScan::new(text, part).collect::<Result<_, _>>()?;
        let text = if list.is_empty() { "" } else { text };
        Ok(Self {
            text: text.to_owned(),
            list,
        })
    }

    /// The value of a parameter: `None` if it is not there, `Some(None)` if it has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of a parameter that has one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).flatten()
    }

    /// True if the parameter is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a parameter in its place, or adds it at the end.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(|value| self.keep(value));
        match self.place(name) {
            Some(place) => {
                if let Some(param) = self.list.get_mut(place) {
                    param.value = value;
                }
            }
            None => {
                let name = self.keep(name);
                self.list.push(Param { name, value });
            }
        }
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) {
        while let Some(place) = self.place(name) {
            self.list.remove(place);
        }
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.list
            .iter()
            .map(|param| (param.name_in(&self.text), param.value_in(&self.text)))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Puts a text behind the others.
    fn keep(&mut self, text: &str) -> Range<usize> {
        let begin = self.text.len();
        self.text.push_str(text);
        begin..self.text.len()
    }

    /// How many parameters there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// True if there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Params {}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list: Vec<_> = self.iter().collect();
        f.debug_tuple("Params").field(&list).finish()
    }
}

/// Writes `;name=value;name`. A value that would not be read back (set by our own code, with a
/// space in it, say) is quoted.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            f.write_str(";")?;
            f.write_str(name)?;
            let Some(value) = value else { continue };
            f.write_str("=")?;
            if is_param_value(value) {
                f.write_str(value)?;
            } else {
                f.write_str(&quote(value))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_printed_as_they_came() {
        let params = Params::parse(";LR;Transport=UDP;q=\"a;b\"").unwrap();
        assert_eq!(params.get("lr"), Some(None));
        assert_eq!(params.value("transport"), Some("UDP"));
        assert_eq!(params.get("maddr"), None);
        assert_eq!(params.to_string(), ";LR;Transport=UDP;q=\"a;b\"");
    }

    #[test]
    fn set_and_remove_keep_the_order() {
        let mut params = Params::parse(";a=1;b;c=3").unwrap();
        params.set("A", Some("9"));
        params.set("d", None);
        params.remove("B");
        assert_eq!(params.to_string(), ";a=9;c=3;d");
    }

    #[test]
    fn what_is_no_token_is_quoted() {
        let mut params = Params::new();
        params.set("text", Some("a \"b\";c"));
        assert_eq!(params.to_string(), ";text=\"a \\\"b\\\";c\"");
        assert!(Params::parse(&params.to_string()).is_ok());
    }
}
