//! Owns a list of parameters, of a URI or of a header value.

use core::fmt;

use super::error::ParseError;
use super::scan::{ParamScan, is_param_value, quote};

/// Parameters in the order in which they stand. Values are kept as on the wire: quoted strings
/// with their quotes (see [`unquote`](super::unquote)), escapes of URI parameters undecoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reads `;name=value;name`, or nothing.
    ///
    /// # Errors
    /// If the text is not a list of parameters.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_in(text, "parameters")
    }

    pub(super) fn parse_in(text: &str, part: &'static str) -> Result<Self, ParseError> {
        let mut params = Vec::new();
        for param in ParamScan::new(text, part) {
            let (name, value) = param?;
            params.push((name.to_owned(), value.map(str::to_owned)));
        }
        Ok(Self(params))
    }

    /// The value of a parameter: `None` if it is not there, `Some(None)` if it has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_deref())
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
        let value = value.map(str::to_owned);
        match self
            .0
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            Some(param) => param.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) {
        self.0
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// How many parameters there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes `;name=value;name`. A value that would not be read back (set by our own code, with a
/// space in it, say) is quoted.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            write!(f, ";{name}")?;
            match value {
                None => {}
                Some(value) if is_param_value(value) => write!(f, "={value}")?,
                Some(value) => write!(f, "={}", quote(value))?,
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
