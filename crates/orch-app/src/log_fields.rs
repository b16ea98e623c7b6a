//! How the values of log records are written.

use std::fmt;

use orch_core::printable;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// Returns the format of the fields of log records, for both binaries: each record stays on one line, and what workers, models,
/// clients or files have put into it is only shown.
pub fn log_fields() -> impl for<'w> FormatFields<'w> + Clone + Send + Sync + 'static {
    debug_fn(write_field).delimited(" ")
}

fn write_field(out: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => write!(out, "{}", printable(&value)),
        name => write!(out, "{name}={}", printable(&value)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_record_is_a_line_whatever_is_in_it() {
        let text = "a\u{1b}[2J\u{9b}m\u{202e}\r\nWARN forged";
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_ansi(false)
            .fmt_fields(log_fields())
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::warn_span!("of a run", task = text);
            let _entered = span.enter();
            let error = io::Error::other(text);
            tracing::warn!(%error, debug = ?error, shown = %text, text, number = 7, "it says {text}");
        });
        let seen = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(seen.lines().count(), 1, "{seen}");
        assert!(
            !seen.trim_end_matches('\n').contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{seen:?}"
        );
        for part in [
            r"it says a\u{1b}[2J\u{9b}m\u{202e}\r\nWARN forged",
            r"shown=a\u{1b}[2J",
            r"error=a\u{1b}[2J",
            r#"text="a\u{1b}[2J"#,
            "number=7",
            r#"task="a\u{1b}"#,
        ] {
            assert!(seen.contains(part), "`{part}` is not in {seen}");
        }
    }
}
