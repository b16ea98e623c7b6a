//! Who waits until a run has settled: until all is done that follows at once.

use jiff::Timestamp;
use orch_core::RunId;

use super::Driver;
use super::io::ReplyId;
use super::run::Run;

/// Somebody who waits.
pub(super) struct Waiting {
    /// When the answer is due, whatever it is.
    until: Timestamp,
    reply: ReplyId,
}

impl Driver {
    /// Takes note of who waits; a run that is not here is loaded, and followed as long as somebody waits.
    pub(super) fn await_settled(&mut self, run: RunId, until: Timestamp, reply: ReplyId) {
        self.settling.entry(run).or_default().push(Waiting { until, reply });
        self.runs.get_or_unloaded(run);
        self.load_for_inbox(run);
    }

    /// Answers those whose run has settled, and those whose time is over. Called when all turns are taken.
    pub(super) fn tell_settled(&mut self, now: Timestamp) {
        let runs: Vec<RunId> = self.settling.keys().copied().collect();
        for run in runs {
            let settled = self.runs.get(&run).is_none_or(Run::is_settled);
            let Some(waiting) = self.settling.get_mut(&run) else { continue };
            let due = waiting.extract_if(.., |who| settled || who.until <= now);
            let due: Vec<ReplyId> = due.map(|who| who.reply).collect();
            let is_last = waiting.is_empty();
            if is_last {
                self.settling.remove(&run);
            }
            for reply in due {
                self.status(run, reply);
            }
            if is_last {
                // It may have been here for them only.
                self.reconcile(run);
            }
        }
    }

    /// Returns when the next answer is due.
    pub(super) fn next_settled(&self) -> Option<Timestamp> {
        self.settling.values().flatten().map(|who| who.until).min()
    }
}

impl Run {
    /// Tells whether nothing follows at once, as far as can be seen from here.
    fn is_settled(&self) -> bool {
        let Some(state) = &self.state else { return false };
        let is_current = self.turn.is_none() && self.inbox.is_empty() && self.behind <= state.seq();
        let is_coming = self.acquiring
            || self.has_open_questions()
            || self.resuming.is_some()
            || (self.wants_ownership && !self.carries_out());
        // What is ready after a turn of the owner has no place now; that of another owner has not seen it yet.
        let is_offered = self.carries_out() || !state.could_start();
        is_current && !is_coming && is_offered && !state.must_go_on()
    }
}
