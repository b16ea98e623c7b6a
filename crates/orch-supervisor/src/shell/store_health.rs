//! Says once that a store refuses, and once that it works again: never a line per try.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orch_core::journal::{AcquireError, AppendError, JournalError};
use tokio::time::Instant;

use super::clock::monotonic;

/// A store that has just worked again and fails anew is not spoken of before so much time has passed.
const QUIET: Duration = Duration::from_secs(30);

/// What a store was asked for: one that is full can still be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Whether a store works, as far as its last answers tell. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct StoreHealth {
    name: &'static str,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    reads_fail: bool,
    writes_fail: bool,
    is_said: bool,
    worked_again: Option<Instant>,
}

/// What is to be said.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Nothing,
    Refuses,
    WorksAgain,
}

impl StoreHealth {
    /// Begins with a store that works. `name` is how people know it.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, state: Arc::default() }
    }

    /// Takes note of an answer.
    pub(crate) fn note(&self, access: Access, failure: Option<&dyn Error>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let news = match failure {
            Some(_) => state.failed(access, monotonic()),
            None => state.worked(access, monotonic()),
        };
        drop(state);
        let name = self.name;
        match (news, failure) {
            (News::Refuses, Some(failure)) => {
                let what = with_causes(failure);
                tracing::warn!(
                    "{name} refuses: {what}. orch waits, and tries again every 30 s at the latest; nothing is lost"
                );
            }
            (News::WorksAgain, _) => tracing::warn!("{name} works again; orch goes on"),
            (News::Nothing | News::Refuses, _) => {}
        }
    }
}

impl State {
    fn failed(&mut self, access: Access, now: Instant) -> News {
        match access {
            Access::Read => self.reads_fail = true,
            Access::Write => self.writes_fail = true,
        }
        let is_quiet = self.worked_again.is_some_and(|at| now.duration_since(at) < QUIET);
        if self.is_said || is_quiet {
            return News::Nothing;
        }
        self.is_said = true;
        News::Refuses
    }

    fn worked(&mut self, access: Access, now: Instant) -> News {
        self.reads_fail = false;
        if access == Access::Write {
            self.writes_fail = false;
        }
        if self.writes_fail || !std::mem::take(&mut self.is_said) {
            return News::Nothing;
        }
        self.worked_again = Some(now);
        News::WorksAgain
    }
}

/// Returns why the store did not append, `None` when it has answered, be it that it may not.
pub(crate) fn append_failure<T>(appended: &Result<T, AppendError>) -> Option<&dyn Error> {
    let Err(AppendError::Store { source, .. }) = appended else { return None };
    Some(&**source)
}

/// Returns why the store did not do what it was asked for, `None` when it has answered.
pub(crate) fn failure<T>(done: &Result<T, JournalError>) -> Option<&dyn Error> {
    let Err(JournalError::Store { source, .. }) = done else { return None };
    Some(&**source)
}

/// Returns why the store did not give a run to its new owner, `None` when it has answered.
pub(crate) fn acquire_failure<T>(acquired: &Result<T, AcquireError>) -> Option<&dyn Error> {
    let Err(AcquireError::Journal(JournalError::Store { source, .. })) = acquired else {
        return None;
    };
    Some(&**source)
}

/// Returns an error with what caused it.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors repeat their cause.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Access::{Read, Write};
    use super::News::{Nothing, Refuses, WorksAgain};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_said_once_that_a_store_refuses_and_once_that_it_works_again() {
        let start = monotonic();
        let mut state = State::default();
        for (seconds, access, works, news) in [
            (0, Write, true, Nothing),
            (1, Write, false, Refuses),
            (2, Write, false, Nothing),
            (3, Read, true, Nothing),
            (3, Read, false, Nothing),
            (4, Write, false, Nothing),
            (60, Write, true, WorksAgain),
            (61, Write, true, Nothing),
            // Back and forth: a pair of lines in half a minute, not one per try.
            (62, Write, false, Nothing),
            (63, Write, true, Nothing),
            (89, Write, false, Nothing),
            (91, Write, false, Refuses),
            (92, Read, true, Nothing),
            (93, Write, true, WorksAgain),
            (200, Read, false, Refuses),
            (201, Read, true, WorksAgain),
            (300, Read, false, Refuses),
            (301, Write, true, WorksAgain),
        ] {
            let now = start + Duration::from_secs(seconds);
            let said = if works { state.worked(access, now) } else { state.failed(access, now) };
            assert_eq!(said, news, "after {seconds} s");
        }
    }
}
