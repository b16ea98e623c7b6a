//! What commands return, and how it is written.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};

use orch_app::{Config, Part, with_causes};
use orch_core::{printable, printable_json, printable_lines};
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
    let said = print(&mut io::stderr().lock(), &printable_lines(&text.remarks))
        .and(print(&mut io::stderr().lock(), &printable_lines(&text.notice)));
    let data = text.data_for(io::stdout().is_terminal());
    if let Err(error) = print(&mut io::stdout().lock(), &data) {
        return failed(&CliError::Output(error));
    }
    match (report.exit(), said) {
        // The exit code is all that is left to tell it.
        (Exit::Success, Err(_)) => Exit::Failed,
        (exit, _) => exit,
    }
}

/// Says which of `parts` of a found configuration are not used, and what to do about it; nothing when all are used.
pub(crate) fn note_withheld(config: &Config, parts: &[Part]) {
    let notes = config.withheld(parts).map(|sentence| format!("note: {sentence}"));
    let notes = printable_lines(&notes.unwrap_or_default()).into_owned();
    // A remark that nobody can read changes nothing.
    let _ = print(&mut io::stderr().lock(), &notes);
}

/// Writes an error, and returns how to exit.
pub(crate) fn write_error(error: &CliError, style: Style) -> Exit {
    if style.json {
        let document = format!("{:#}", json!({ "error": with_causes(error) }));
        if let Err(error) = print(&mut io::stdout().lock(), &printable_json(&document)) {
            failed(&CliError::Output(error));
        }
    }
    failed(error)
}

/// Writes the help, the version, or what is wrong with the arguments, and returns how to exit.
pub(crate) fn of_arguments(said: &clap::Error) -> Exit {
    if said.use_stderr() {
        // It quotes the arguments; when it cannot be written, there is still the exit code.
        let _ = print(&mut io::stderr().lock(), &printable_lines(&said.render().to_string()));
        return Exit::Usage;
    }
    match unless_unread(said.print().and_then(|()| io::stdout().flush())) {
        Ok(()) => Exit::Success,
        Err(error) => failed(&CliError::Output(error)),
    }
}

/// Writes an error for people, and returns how to exit.
pub(crate) fn failed(error: &CliError) -> Exit {
    let text = format!("error: {}", with_causes(error));
    let text = if error.has_lines() { printable_lines(&text) } else { printable(&text) };
    // When it cannot be written, there is still the exit code.
    let _ = print(&mut io::stderr().lock(), &text);
    error.exit()
}

fn print(out: &mut dyn Write, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    unless_unread(writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()))
}

/// A reader that closed the other end does not want it.
fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    let is_unread = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    written.or_else(|error| if is_unread(&error) { Ok(()) } else { Err(error) })
}
