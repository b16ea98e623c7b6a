//! Progress on stderr.

use std::collections::BTreeMap;
use std::io::{Write, stderr};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use orch_core::journal::Recorded;
use orch_core::{Fence, Seq, printable_lines};

use super::board::Board;
use crate::columns::Columns;
use crate::session::Style;
use crate::text::LINE_COLUMNS;

/// The most attempts that a terminal shows a line for.
const MOST_LINES: usize = 12;
/// How often a terminal is brought up to date by itself.
const TICK: Duration = Duration::from_millis(100);

/// Shows progress, in the way that fits who watches.
pub(crate) struct View {
    board: Board,
    screen: Screen,
}

enum Screen {
    Nothing,
    Lines,
    Live(Live),
}

impl View {
    pub(crate) fn new(style: Style) -> Self {
        let screen = match (style.quiet, style.live) {
            (true, _) => Screen::Nothing,
            (false, true) => Screen::Live(Live::new()),
            (false, false) => Screen::Lines,
        };
        Self { board: Board::default(), screen }
    }

    /// Returns the last event that was shown.
    pub(crate) fn seq(&self) -> Seq {
        self.board.seq
    }

    /// Says something beside the events: lines of ours, in which what others wrote is on one line.
    pub(crate) fn say(&self, text: &str) {
        // Asked anew each time: a person may have made the window another size.
        let columns = Columns::new(stderr(), LINE_COLUMNS);
        for line in printable_lines(text).lines() {
            let line = columns.cut(line);
            match &self.screen {
                Screen::Nothing => {}
                // A reader that closed the other end does not want it; the run goes on.
                Screen::Lines => _ = writeln!(stderr(), "{line}"),
                Screen::Live(live) => live.say(&line),
            }
        }
    }

    /// Takes note of what happened before anybody watched.
    pub(crate) fn skip(&mut self, events: &[Recorded]) {
        for recorded in events {
            self.board.apply(recorded);
        }
    }

    /// Shows events; those that were shown before are left out.
    pub(crate) fn apply(&mut self, events: &[Recorded]) {
        for recorded in events {
            if let Some(line) = self.board.apply(recorded) {
                // On a terminal, what runs has a line of its own.
                let started = matches!(self.screen, Screen::Live(_)) && line.starts_with('>');
                if !started {
                    self.say(&line);
                }
            }
        }
        if let Screen::Live(live) = &mut self.screen {
            live.update(&self.board);
        }
    }
}

/// A bar, and a line per attempt above it; cleared when it is dropped.
struct Live {
    all: MultiProgress,
    bar: ProgressBar,
    lines: BTreeMap<Fence, ProgressBar>,
}

impl Live {
    fn new() -> Self {
        let all = MultiProgress::new();
        let bar = all.add(ProgressBar::new(0).with_style(style("{bar:30} {pos}/{len} {elapsed}")));
        bar.enable_steady_tick(TICK);
        Self { all, bar, lines: BTreeMap::new() }
    }

    fn say(&self, line: &str) {
        let _ = self.all.println(line);
    }

    fn update(&mut self, board: &Board) {
        self.bar.set_length(board.total());
        self.bar.set_position(board.finished);
        self.lines.retain(|fence, line| {
            let runs = board.running.contains_key(fence);
            if !runs {
                line.finish_and_clear();
            }
            runs
        });
        for (fence, attempt) in &board.running {
            if self.lines.len() >= MOST_LINES {
                break;
            }
            self.lines.entry(*fence).or_insert_with(|| {
                let line = self.all.insert_before(&self.bar, ProgressBar::new_spinner());
                line.set_style(style("{spinner} {msg} {elapsed}"));
                line.set_message(board.label(attempt));
                line.enable_steady_tick(TICK);
                line
            });
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A terminal that is gone need not be cleared.
        let _ = self.all.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
