//! Owns the lines of the ladder: columns, arrows, notes.

/// Characters between two columns.
const WIDTH: usize = 24;
/// Characters before the first column: the time.
const LEFT: usize = 10;
/// Columns at most; further parties share the last one.
const LANES_MAX: usize = 9;

/// The columns: one for the engine, the first party to its left, the others to its right.
pub(super) struct Lanes {
    /// Name and address, in the order of the columns.
    names: Vec<(String, String)>,
}

/// The place of the engine's column.
const ENGINE: usize = 1;

/// A message.
pub(super) struct Arrow {
    /// Milliseconds since the call began.
    pub(super) offset: i64,
    /// The column of the party.
    pub(super) lane: usize,
    /// From the party to the engine.
    pub(super) inbound: bool,
    /// Method or status.
    pub(super) label: String,
    /// What stands to the right.
    pub(super) remark: String,
}

impl Lanes {
    /// Columns for the parties.
    pub(super) fn new(mut parties: Vec<(String, String)>) -> Self {
        if parties.len() >= LANES_MAX {
            parties.truncate(LANES_MAX - 2);
            parties.push(("others".to_owned(), String::new()));
        }
        let at = ENGINE.min(parties.len());
        parties.insert(at, ("hotline".to_owned(), String::new()));
        Self { names: parties }
    }

    /// The column of a party.
    pub(super) fn of(&self, name: &str) -> usize {
        self.names
            .iter()
            .position(|(known, _)| known == name)
            .unwrap_or(self.names.len() - 1)
    }

    /// Two lines: names and addresses.
    pub(super) fn heading(&self) -> String {
        let line = |first: &str, texts: &mut dyn Iterator<Item = &str>| {
            let mut line = format!("{first:>8}  ");
            for text in texts {
                line.push_str(&format!("{:<WIDTH$}", cut(text, WIDTH - 1)));
            }
            format!("{}\n", line.trim_end())
        };
        let names = line("ms", &mut self.names.iter().map(|(name, _)| name.as_str()));
        let mut addresses = self.names.iter().map(|(_, address)| address.as_str());
        format!("{names}{}", line("", &mut addresses))
    }

    /// A fact between the messages.
    pub(super) fn note(&self, offset: i64, text: &str) -> String {
        if self.names.len() < 2 {
            return format!("{offset:>8}  {text}\n");
        }
        format!("{offset:>8}  |  {text}\n")
    }

    /// A message between the engine and a party.
    pub(super) fn arrow(&self, arrow: &Arrow) -> String {
        let mut line = vec![' '; LEFT + (self.names.len() - 1) * WIDTH + 1];
        for lane in 0..self.names.len() {
            put(&mut line, LEFT + lane * WIDTH, "|");
        }
        let (engine, party) = (LEFT + ENGINE * WIDTH, LEFT + arrow.lane * WIDTH);
        let (low, high) = (engine.min(party) + 1, engine.max(party));
        for at in low..high {
            put(&mut line, at, "-");
        }
        // To the right if the party is on the right and is sent to, or on the left and sends.
        if (party > engine) != arrow.inbound {
            put(&mut line, high - 1, ">");
        } else {
            put(&mut line, low, "<");
        }
        let label = format!(" {} ", cut(&arrow.label, WIDTH - 6));
        // Beside the party, where no other column is crossed.
        let middle = if party > engine {
            party - WIDTH / 2
        } else {
            party + WIDTH / 2
        };
        put(&mut line, middle - label.chars().count() / 2, &label);
        let line: String = line.into_iter().collect();
        let text = format!(
            "{:>8}{}  {}",
            arrow.offset,
            line.get(8..).unwrap_or_default(),
            arrow.remark
        );
        format!("{}\n", text.trim_end())
    }
}

fn put(line: &mut [char], at: usize, text: &str) {
    for (place, character) in line.iter_mut().skip(at).zip(text.chars()) {
        *place = character;
    }
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(lane: usize, inbound: bool) -> Arrow {
        Arrow {
            offset: 12,
            lane,
            inbound,
            label: "INVITE".to_owned(),
            remark: String::new(),
        }
    }

    #[test]
    fn arrows_point_the_way_the_message_went() {
        let names = ["caller", "anna"].map(|name| (name.to_owned(), String::new()));
        let lanes = Lanes::new(names.to_vec());
        assert_eq!((lanes.of("caller"), lanes.of("anna")), (0, 2));
        let head = "      12  |";
        assert_eq!(
            lanes.arrow(&arrow(0, true)),
            format!("{head}------- INVITE ------->|{:23}|\n", "")
        );
        assert_eq!(
            lanes.arrow(&arrow(0, false)),
            format!("{head}<------ INVITE --------|{:23}|\n", "")
        );
        assert_eq!(
            lanes.arrow(&arrow(2, false)),
            format!("{head}{:23}|------- INVITE ------->|\n", "")
        );
        assert_eq!(
            lanes.arrow(&arrow(2, true)),
            format!("{head}{:23}|<------ INVITE --------|\n", "")
        );
    }

    #[test]
    fn more_parties_than_columns_share_the_last() {
        let names: Vec<_> = (0..40).map(|n| (format!("p{n}"), String::new())).collect();
        let lanes = Lanes::new(names);
        assert_eq!(lanes.names.len(), LANES_MAX);
        assert_eq!(lanes.of("p39"), LANES_MAX - 1);
        assert!(lanes.arrow(&arrow(lanes.of("p39"), true)).len() < 250);
    }
}
