//! Owns the text format of Prometheus (version 0.0.4): families, each with its help, its kind and its
//! samples. Refuses to know what they tell.

use std::fmt::Write;

use journal::metrics::Histogram;

use super::{exact, seconds};

/// Names and values.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// The text so far.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, [(Labels::new(), value)]);
    }

    pub(super) fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) {
        self.family("gauge", name, help, samples);
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [(Labels::new(), exact(value))]);
    }

    pub(super) fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) {
        self.family("counter", name, help, samples);
    }

    fn family<'a>(
        &mut self,
        kind: &str,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) {
        self.head(kind, name, help);
        for (labels, value) in samples {
            self.sample(name, &labels, value);
        }
    }

    /// Durations in seconds.
    pub(super) fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        all: impl IntoIterator<Item = (Labels<'a>, &'a Histogram)>,
    ) {
        self.head("histogram", name, help);
        let part = |part: &str| format!("{name}_{part}");
        for (labels, histogram) in all {
            let bounds = histogram.buckets();
            let bounds = bounds.map(|(ms, count)| (seconds(ms).to_string(), count));
            let last = ("+Inf".to_owned(), histogram.count());
            for (bound, count) in bounds.chain([last]) {
                let mut labels: Vec<(&str, &str)> = labels.clone();
                labels.push(("le", &bound));
                self.sample(&part("bucket"), &labels, exact(count));
            }
            self.sample(&part("sum"), &labels, seconds(histogram.sum_ms()));
            self.sample(&part("count"), &labels, exact(histogram.count()));
        }
    }

    fn head(&mut self, kind: &str, name: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = writeln!(self.0, "{name}{} {value}", braces(labels));
    }
}

/// Labels, with `\`, `"` and line breaks escaped.
fn braces(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let one = |(name, value): &(&str, &str)| {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        format!("{name}=\"{value}\"")
    };
    let all: Vec<String> = labels.iter().map(one).collect();
    format!("{{{}}}", all.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_within_its_label() {
        assert_eq!(
            braces(&[("trunk", "a\"} 1\nx\\")]),
            "{trunk=\"a\\\"} 1\\nx\\\\\"}"
        );
    }
}
