//! What commands return, and how it is written.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};

use orch_app::with_causes;
use orch_core::{printable_json, printable_lines};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::exit::Exit;
use crate::session::Style;

/// What a command found or did.
pub(crate) trait Report {
    /// Returns what a person reads: data, and what is said about it.
    fn text(&self) -> Text;
    /// Returns all of it as one document.
    fn json(&self) -> Value;
    /// Returns how the command ended.
    fn exit(&self) -> Exit {
        Exit::Success
    }
}

/// What a person reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text {
    /// The data: to stdout.
    pub(crate) data: String,
    /// Whether `data` is the value that was asked for: a program that reads it gets it byte by byte.
    pub(crate) exact: bool,
    /// What is said about it: to stderr, unless it is to be quiet.
    pub(crate) remarks: String,
    /// What must be known in any case: to stderr.
    pub(crate) notice: String,
}

impl Text {
    pub(crate) fn data(data: impl Into<String>) -> Self {
        Self { data: data.into(), ..Self::default() }
    }

    /// Returns the data as it is written: whatever is in it, a terminal is only to show it.
    fn data_for(&self, is_terminal: bool) -> Cow<'_, str> {
        if self.exact && !is_terminal {
            Cow::Borrowed(&self.data)
        } else {
            printable_lines(&self.data)
        }
    }
}

/// Writes a report, and returns how to exit.
pub(crate) fn write(report: &dyn Report, style: Style) -> Exit {
    let mut text = match style.json {
        true => {
            let document = format!("{:#}", report.json());
            Text { data: printable_json(&document).into_owned(), exact: true, ..Text::default() }
        }
        false => report.text(),
    };
    if style.quiet {
        text.remarks.clear();
    }
    print(&mut io::stderr().lock(), &printable_lines(&text.remarks));
    print(&mut io::stderr().lock(), &printable_lines(&text.notice));
    print(&mut io::stdout().lock(), &text.data_for(io::stdout().is_terminal()));
    report.exit()
}

/// Writes an error, and returns how to exit.
pub(crate) fn write_error(error: &CliError, style: Style) -> Exit {
    if style.json {
        let document = format!("{:#}", json!({ "error": with_causes(error) }));
        print(&mut io::stdout().lock(), &printable_json(&document));
    }
    failed(error)
}

/// Writes an error for people, and returns how to exit.
pub(crate) fn failed(error: &CliError) -> Exit {
    print(&mut io::stderr().lock(), &printable_lines(&format!("error: {}", with_causes(error))));
    error.exit()
}

/// Whoever closed the other end does not want to read it.
fn print(out: &mut dyn Write, text: &str) {
    if !text.is_empty() {
        let _ = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
    }
}
