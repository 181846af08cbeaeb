//! Owns the reading of queries and of ids in paths: typed, and every mistake is named.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use vocab::{CallId, WallTime};

use crate::operation::Parameter;
use crate::problem::Problem;

/// Longest value of a parameter, in octets.
const VALUE_MAX: usize = 1_000;

/// The parameters of a request, each once, all of them known.
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query against what an operation knows.
    pub(crate) fn read(raw: Option<&str>, known: &[Parameter]) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for pair in raw
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            let Some(parameter) = known.iter().find(|known| known.name == name) else {
                let names: Vec<&str> = known.iter().map(|known| known.name).collect();
                return Err(Problem::bad_request(format!(
                    "unknown parameter {name:?}; expected one of {}",
                    names.join(", ")
                )));
            };
            if value.len() > VALUE_MAX {
                return Err(Problem::bad_request(format!(
                    "{name}: expected at most {VALUE_MAX} octets"
                )));
            }
            if !parameter.one_of.is_empty() && !parameter.one_of.contains(&value.as_str()) {
                return Err(Problem::bad_request(format!(
                    "{name}: expected one of {}, found {value:?}",
                    parameter.one_of.join(", ")
                )));
            }
            if values.insert(name.clone(), value).is_some() {
                return Err(Problem::bad_request(format!("{name}: given twice")));
            }
        }
        Ok(Self(values))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    pub(crate) fn parsed<T: FromStr>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.0.get(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            Problem::bad_request(format!("{name}: expected {expected}, found {text:?}"))
        })
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        self.parsed(name, "true or false")
    }

    pub(crate) fn moment(&self, name: &str) -> Result<Option<WallTime>, Problem> {
        let at: Option<Timestamp> =
            self.parsed(name, "a moment such as 2026-11-22T08:00:00+10:00")?;
        Ok(at.map(|at| WallTime::from_unix_millis(at.as_millisecond())))
    }

    /// A whole number within limits.
    pub(crate) fn number(&self, name: &str, low: u64, high: u64) -> Result<Option<u64>, Problem> {
        let number: Option<u64> = self.parsed(name, &format!("a whole number, {low} to {high}"))?;
        match number {
            Some(number) if number < low || number > high => Err(Problem::bad_request(format!(
                "{name}: expected {low} to {high}, found {number}"
            ))),
            other => Ok(other),
        }
    }
}

/// An id in a path. One that is none names nothing.
pub(crate) fn call_id(text: &str) -> Result<CallId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found(format!("there is no entry {text:?}")))
}

/// Percent-decoding of `application/x-www-form-urlencoded`.
pub(crate) fn decode(text: &str) -> Result<String, Problem> {
    let broken = || Problem::bad_request("expected a query in percent-encoded UTF-8");
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (rest.next(), rest.next());
                let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
                let (high, low) = digit(high).zip(digit(low)).ok_or_else(broken)?;
                u8::try_from(high * 16 + low).map_err(|_| broken())?
            }
            other => other,
        });
    }
    String::from_utf8(octets).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::FIND;

    #[test]
    fn queries_are_decoded_and_mistakes_named() {
        let query = Query::read(Some("topic=a%20/+b&limit=7&completed=true"), FIND)
            .ok()
            .unwrap();
        assert_eq!(query.text("topic").as_deref(), Some("a / b"));
        assert_eq!(query.number("limit", 1, 500).ok().unwrap(), Some(7));
        assert_eq!(query.flag("completed").ok().unwrap(), Some(true));
        for bad in [
            "tpoic=a",
            "limit=1&limit=2",
            "topic=%zz",
            "topic=%ff",
            "topic=%",
            "channel=pigeon",
            &format!("topic={}", "x".repeat(1_001)),
        ] {
            assert!(Query::read(Some(bad), FIND).is_err(), "{bad}");
        }
        let query = Query::read(Some("limit=0&from=now&completed=yes"), FIND)
            .ok()
            .unwrap();
        assert!(query.number("limit", 1, 500).is_err());
        assert!(query.moment("from").is_err());
        assert!(query.flag("completed").is_err());
    }
}
