//! The runs in the driver, and when each of them wants to be looked at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use orch_core::RunId;

use super::run::Run;

/// All runs that are here, by their ids.
///
/// A method that may change a run leaves its id in `changed`; the agenda is brought up to date when it is read. So a wait costs
/// what has changed since the last one, and not what is open.
#[derive(Default)]
pub(super) struct Runs {
    runs: BTreeMap<RunId, Run>,
    changed: BTreeSet<RunId>,
    agenda: BTreeSet<(Timestamp, RunId)>,
    /// What the agenda has of each run.
    noted: BTreeMap<RunId, Timestamp>,
}

impl Runs {
    pub(super) fn get(&self, run: &RunId) -> Option<&Run> {
        self.runs.get(run)
    }

    pub(super) fn get_mut(&mut self, run: &RunId) -> Option<&mut Run> {
        let entry = self.runs.get_mut(run)?;
        self.changed.insert(*run);
        Some(entry)
    }

    /// Returns a run; one that is not here is put here, to be loaded.
    pub(super) fn get_or_unloaded(&mut self, run: RunId) -> &mut Run {
        self.changed.insert(run);
        self.runs.entry(run).or_insert_with(Run::unloaded)
    }

    pub(super) fn insert(&mut self, run: RunId, entry: Run) {
        self.changed.insert(run);
        self.runs.insert(run, entry);
    }

    pub(super) fn remove(&mut self, run: &RunId) {
        self.changed.insert(*run);
        self.runs.remove(run);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (RunId, &Run)> {
        self.runs.iter().map(|(id, run)| (*id, run))
    }

    /// Returns the next time at which a run wants to be looked at.
    pub(super) fn next_wake(&mut self) -> Option<Timestamp> {
        self.look_at_changed();
        let first = self.agenda.first().map(|(at, _)| *at);
        #[cfg(any(test, feature = "sim"))]
        assert_eq!(
            first,
            self.runs.values().filter_map(Run::next_wake).min(),
            "the agenda has what the runs say"
        );
        first
    }

    /// Returns the runs that want to be looked at by `now`, in the order of their ids.
    pub(super) fn due(&mut self, now: Timestamp) -> BTreeSet<RunId> {
        self.look_at_changed();
        self.agenda.iter().take_while(|(at, _)| *at <= now).map(|(_, run)| *run).collect()
    }

    fn look_at_changed(&mut self) {
        while let Some(run) = self.changed.pop_first() {
            let wake = self.runs.get(&run).and_then(Run::next_wake);
            let before = match wake {
                Some(at) => self.noted.insert(run, at),
                None => self.noted.remove(&run),
            };
            if before != wake {
                self.agenda.extend(wake.map(|at| (at, run)));
                if let Some(before) = before {
                    self.agenda.remove(&(before, run));
                }
            }
        }
    }
}
