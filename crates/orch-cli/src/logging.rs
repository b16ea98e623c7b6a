//! Logs: to stderr, from warnings up unless asked for more.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// The variable that says what is logged, for example `orch_supervisor=debug`.
const VARIABLE: &str = "ORCH_LOG";

/// Starts to log. A wrong filter is said once and replaced by the default.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        // That a pooled connection broke is the database's fault, which the engine says once.
        0 => "warn,sqlx_core::pool=error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = match std::env::var(VARIABLE) {
        Ok(text) => EnvFilter::try_new(&text).unwrap_or_else(|error| {
            eprintln!("{VARIABLE}: {}", orch_core::printable(&error.to_string()));
            EnvFilter::new(level)
        }),
        Err(_) => EnvFilter::new(level),
    };
    // Colours are for terminals, and for those who did not ask to have none.
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let format = tracing_subscriber::fmt().with_ansi(std::io::stderr().is_terminal() && !no_colour);
    // Only the first subscriber of a process counts, and this is the only place that makes one.
    let format = format.fmt_fields(orch_app::log_fields());
    let _ = format.with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
