//! Owns what the demo shows: a small, calm screen on a terminal, plain lines anywhere else.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crossterm::{cursor, execute, queue, terminal};
use vocab::{LiveOperator, OperatorState};

use crate::driver::Picture;

/// Operators shown at most; the others are counted.
const OPERATORS_SHOWN: usize = 16;
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What the screen says besides the live picture; it does not change.
#[derive(Debug, Clone)]
pub(super) struct Heading {
    pub(super) sip: String,
    pub(super) number: String,
    pub(super) data: String,
}

/// Where the picture goes.
pub(super) struct Screen {
    heading: Heading,
    terminal: bool,
    /// Columns and rows of the terminal when it was drawn on last.
    size: (u16, u16),
    lines_shown: u16,
    line_at: Option<Instant>,
}

impl Screen {
    pub(super) fn open(heading: Heading) -> Self {
        let terminal = io::stdout().is_terminal();
        let mut out = io::stdout().lock();
        // What cannot be shown now is noticed when the first picture is.
        let _ = if terminal {
            execute!(out, cursor::Hide)
        } else {
            let Heading { sip, number, data } = &heading;
            writeln!(
                out,
                "hotline demo: number {number}, SIP on udp {sip}, data in {data}"
            )
        };
        Self {
            heading,
            terminal,
            size: (0, 0),
            lines_shown: 0,
            line_at: None,
        }
    }

    /// Shows the picture: draws the screen anew, or adds a line if it is time for one.
    pub(super) fn show(&mut self, picture: &Picture) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if !self.terminal {
            if self.line_at.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
                self.line_at = Some(Instant::now());
                writeln!(out, "{}", line(picture))?;
            }
            return out.flush();
        }
        let size = terminal::size().unwrap_or((80, 24));
        if self.size != size && self.size != (0, 0) {
            // Lines were wrapped or moved: what is where cannot be known any more.
            let all = terminal::Clear(terminal::ClearType::All);
            queue!(out, all, cursor::MoveTo(0, 0))?;
            self.lines_shown = 0;
        }
        self.size = size;
        let (width, height) = (usize::from(size.0), usize::from(size.1));
        let lines = draw(&self.heading, picture, height.saturating_sub(1));
        if self.lines_shown > 0 {
            queue!(out, cursor::MoveToPreviousLine(self.lines_shown))?;
        }
        for text in &lines {
            let text: String = text.chars().take(width.saturating_sub(1)).collect();
            queue!(out, terminal::Clear(terminal::ClearType::CurrentLine))?;
            writeln!(out, "{text}\r")?;
        }
        queue!(out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
        self.lines_shown = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        out.flush()
    }

    /// Shows the last picture, whatever was shown before.
    pub(super) fn close(&mut self, picture: &Picture) {
        self.line_at = None;
        // Nobody may be reading any more; the verdict is printed all the same.
        let _ = self.show(picture);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.terminal {
            let _ = execute!(io::stdout(), cursor::Show);
        }
    }
}

/// The whole screen as lines, as many as there are rows for: the operators give way first.
fn draw(heading: &Heading, picture: &Picture, rows: usize) -> Vec<String> {
    let counts = &picture.snapshot.counts;
    let mut lines = vec![
        format!(
            "  hotline demo   number {}   SIP udp {}",
            heading.number, heading.sip
        ),
        String::new(),
        format!(
            "  calls up {:>5}    waiting  {:>5}    talking      {:>6}    longest wait {:>6}",
            counts.calls,
            counts.waiting,
            counts.talking,
            clock(counts.longest_wait_ms)
        ),
        format!(
            "  arrived  {:>5}    answered {:>5}    abandoned    {:>6}    refused      {:>6}",
            counts.arrived, counts.answered, counts.abandoned, counts.refused
        ),
        String::new(),
        format!(
            "  {:<6}  {:<24}  {:<12}  {:>6}",
            "line", "operator", "state", "for"
        ),
    ];
    let footer = [
        String::new(),
        format!("  journal and recordings: {}", heading.data),
        "  Ctrl-C ends the demo".to_owned(),
    ];
    let operators = &picture.snapshot.operators;
    let room = rows.saturating_sub(lines.len() + footer.len());
    let most = room.min(OPERATORS_SHOWN);
    if operators.len() <= most {
        lines.extend(operators.iter().map(row));
    } else {
        let shown = most.saturating_sub(1);
        lines.extend(operators.iter().take(shown).map(row));
        lines.push(format!("  ... and {} more", operators.len() - shown));
    }
    lines.extend(footer);
    lines.truncate(rows);
    lines
}

fn row(operator: &LiveOperator) -> String {
    let name: String = operator.name.chars().take(24).collect();
    format!(
        "  {:<6}  {:<24}  {:<12}  {:>6}",
        operator.line,
        name,
        state(operator.state),
        clock(operator.since_ms)
    )
}

/// The picture in one line, for a log or a pipe.
fn line(picture: &Picture) -> String {
    let counts = &picture.snapshot.counts;
    let operators = &picture.snapshot.operators;
    let free = operators
        .iter()
        .filter(|o| o.state == OperatorState::Free)
        .count();
    format!(
        "calls {}, waiting {}, talking {}, answered {}, abandoned {}, refused {}, longest wait {}, \
         operators {} of {} free",
        counts.calls,
        counts.waiting,
        counts.talking,
        counts.answered,
        counts.abandoned,
        counts.refused,
        clock(counts.longest_wait_ms),
        free,
        operators.len()
    )
}

fn state(state: OperatorState) -> &'static str {
    match state {
        OperatorState::Unreachable => "unreachable",
        OperatorState::Free => "free",
        OperatorState::Reserved => "reserved",
        OperatorState::Ringing => "ringing",
        OperatorState::Talking => "talking",
        OperatorState::Held => "on hold",
        OperatorState::OtherCall => "other call",
        OperatorState::WrapUp => "wrap-up",
        OperatorState::Resting => "resting",
        OperatorState::Paused => "paused",
    }
}

/// Minutes and seconds, as on a wall board.
fn clock(ms: u64) -> String {
    let seconds = ms / 1_000;
    if seconds >= 3_600 {
        format!(
            "{}:{:02}:{:02}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        )
    } else {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::{LiveCounts, OperatorId, Snapshot};

    fn picture(operators: u32) -> Picture {
        let operators = (0..operators)
            .map(|n| LiveOperator {
                status: String::new(),
                id: OperatorId(n),
                name: format!("Operator {n}"),
                line: (101 + n).to_string(),
                at_line: true,
                state: OperatorState::Talking,
                since_ms: 61_000,
            })
            .collect();
        let counts = LiveCounts {
            waiting: 3,
            longest_wait_ms: 3_723_000,
            ..Default::default()
        };
        Picture {
            snapshot: Snapshot {
                counts,
                operators,
                ..Snapshot::default()
            },
            ..Picture::default()
        }
    }

    #[test]
    fn the_screen_shows_waits_and_operators_and_stays_small() {
        let heading = Heading {
            sip: "s".into(),
            number: "1300".into(),
            data: "d".into(),
        };
        let lines = draw(&heading, &picture(40), 50);
        let text = lines.join("\n");
        assert!(text.contains("waiting      3"), "{text}");
        assert!(text.contains("1:02:03"), "{text}");
        assert!(
            text.contains("101     Operator 0                talking         1:01"),
            "{text}"
        );
        assert!(text.contains("... and 25 more"), "{text}");
        assert!(
            lines.len() < 30 && lines.iter().all(|line| line.len() < 90),
            "{text}"
        );
    }

    #[test]
    fn a_low_terminal_shows_the_counts_and_fewer_operators() {
        let heading = Heading {
            sip: "s".into(),
            number: "1300".into(),
            data: "d".into(),
        };
        for rows in [3, 9, 12, 24] {
            let lines = draw(&heading, &picture(30), rows);
            assert!(lines.len() <= rows, "{rows}: {lines:?}");
            assert!(lines[0].contains("hotline demo"));
        }
    }

    #[test]
    fn a_pipe_gets_one_line() {
        let text = line(&picture(2));
        assert!(text.starts_with("calls 0, waiting 3, talking 0"), "{text}");
        assert!(text.ends_with("operators 0 of 2 free"), "{text}");
    }
}
