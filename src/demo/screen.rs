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
    lines_shown: u16,
    line_at: Option<Instant>,
}

impl Screen {
    pub(super) fn open(heading: Heading) -> io::Result<Self> {
        let terminal = io::stdout().is_terminal();
        let mut out = io::stdout().lock();
        if terminal {
            execute!(out, cursor::Hide)?;
        } else {
            let Heading { sip, number, data } = &heading;
            writeln!(
                out,
                "hotline demo: number {number}, SIP on udp {sip}, data in {data}"
            )?;
        }
        Ok(Self {
            heading,
            terminal,
            lines_shown: 0,
            line_at: None,
        })
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
        let width = terminal::size().map_or(80, |(columns, _)| usize::from(columns));
        let lines = draw(&self.heading, picture);
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
    pub(super) fn close(&mut self, picture: &Picture) -> io::Result<()> {
        self.line_at = None;
        self.show(picture)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.terminal {
            let _ = execute!(io::stdout(), cursor::Show);
        }
    }
}

/// The whole screen as lines.
fn draw(heading: &Heading, picture: &Picture) -> Vec<String> {
    let counts = &picture.snapshot.counts;
    let mut lines = vec![
        format!(
            "  hotline demo   number {}   SIP udp {}",
            heading.number, heading.sip
        ),
        String::new(),
        format!(
            "  waiting  {:>5}    talking  {:>5}    longest wait {:>6}",
            counts.waiting,
            counts.talking,
            clock(counts.longest_wait_ms)
        ),
        format!(
            "  arrived  {:>5}    answered {:>5}    abandoned    {:>6}    refused {:>4}",
            counts.arrived, counts.answered, counts.abandoned, counts.refused
        ),
        String::new(),
        format!(
            "  {:<6}  {:<24}  {:<12}  {:>6}",
            "line", "operator", "state", "for"
        ),
    ];
    let operators = &picture.snapshot.operators;
    lines.extend(operators.iter().take(OPERATORS_SHOWN).map(row));
    if let Some(more) = operators
        .len()
        .checked_sub(OPERATORS_SHOWN)
        .filter(|more| *more > 0)
    {
        lines.push(format!("  ... and {more} more"));
    }
    lines.push(String::new());
    lines.push(format!("  journal and recordings: {}", heading.data));
    lines.push("  Ctrl-C ends the demo".to_owned());
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
        "waiting {}, talking {}, answered {}, abandoned {}, refused {}, longest wait {}, \
         operators {} of {} free",
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
                id: OperatorId(n),
                name: format!("Operator {n}"),
                line: (101 + n).to_string(),
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
            snapshot: Snapshot { counts, operators },
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
        let lines = draw(&heading, &picture(40));
        let text = lines.join("\n");
        assert!(text.contains("waiting      3"), "{text}");
        assert!(text.contains("1:02:03"), "{text}");
        assert!(
            text.contains("101     Operator 0                talking         1:01"),
            "{text}"
        );
        assert!(text.contains("... and 24 more"), "{text}");
        assert!(
            lines.len() < 30 && lines.iter().all(|line| line.len() < 80),
            "{text}"
        );
    }

    #[test]
    fn a_pipe_gets_one_line() {
        let text = line(&picture(2));
        assert!(text.starts_with("waiting 3, talking 0"), "{text}");
        assert!(text.ends_with("operators 0 of 2 free"), "{text}");
    }
}
