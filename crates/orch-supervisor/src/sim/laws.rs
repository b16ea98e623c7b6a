//! Laws about a process, checked after every step: its states are the journal's, its effects are its obligations.

use std::collections::BTreeSet;

use orch_core::{Fence, RunId, SubtaskView};

use super::book::Book;
use super::processes::Address;
use super::violation::{Check, Law, ensure};
use super::world::World;
use crate::machine::State;

impl World {
    pub(super) fn check_process(&mut self, address: Address) -> Check {
        let Some(driver) = &self.processes[address.process].driver else { return Ok(()) };
        let idle: Vec<RunId> =
            driver.loaded_runs().into_iter().filter(|run| !driver.is_in_flight(*run)).collect();
        for run in idle {
            self.check_accepted(run)?;
            self.replay_equals_live(address, run)?;
            self.effects_are_obligations(address, run)?;
        }
        Ok(())
    }

    /// The fold of the journal is the live state. Both are brought to the present first: time moves states too.
    fn replay_equals_live(&mut self, address: Address, run: RunId) -> Check {
        let now = self.time();
        let process = &self.processes[address.process];
        let Some(live) = process.driver.as_ref().and_then(|driver| driver.state(run)) else {
            return Ok(());
        };
        let Some(book) = self.books.get(&run) else {
            return Self::violated(
                Law::ReplayEqualsLive,
                format!("{address} has run {run}, which is not in the journal"),
            );
        };
        ensure(live.seq() <= book.seq, Law::ReplayEqualsLive, || {
            format!("{address} has run {run} at event {}, the journal at {}", live.seq(), book.seq)
        })?;
        if live.seq() < book.seq || process.compared.get(&run) == Some(&live.seq()) {
            return Ok(());
        }
        let (mut live, mut fold) = (live.clone(), book.fold.clone());
        live.advance(now);
        fold.advance(now);
        let seq = live.seq();
        ensure(live == fold, Law::ReplayEqualsLive, || {
            format!(
                "{address} has another state of run {run} at event {seq} than the journal: {}",
                difference(&live, &fold)
            )
        })?;
        self.processes[address.process].compared.insert(run, seq);
        Ok(())
    }

    fn effects_are_obligations(&self, address: Address, run: RunId) -> Check {
        let process = &self.processes[address.process];
        let Some(driver) = &process.driver else { return Ok(()) };
        let Some(state) = driver.state(run) else { return Ok(()) };
        let carries_out = driver.carries_out(run);
        let needs = state.obligations();
        let own = || self.physicals.iter().filter(|p| p.by == address && p.run == run);
        for physical in own().filter(|p| p.is_running() && p.stop_told.is_none()) {
            let wanted = carries_out && needs.run.contains(&physical.fence);
            ensure(wanted, Law::EffectsAreObligations, || {
                format!("{address} lets attempt {} run that nobody wants", physical.fence)
            })?;
        }
        if !carries_out {
            return Ok(());
        }
        let mut going: BTreeSet<Fence> =
            own().filter(|p| !p.is_delivered()).map(|p| p.fence).collect();
        going.extend(driver.at_gates(run));
        let missing: Vec<&Fence> =
            needs.run.iter().chain(&needs.stop).filter(|f| !going.contains(f)).collect();
        ensure(missing.is_empty(), Law::EffectsAreObligations, || {
            format!("{address} does not carry out attempts {missing:?} of run {run}")
        })?;
        let plans = process.planning.contains(&run) || process.recalling.contains(&run);
        ensure(!needs.plan || plans, Law::EffectsAreObligations, || {
            format!("{address} does not make the plan of run {run}")
        })?;
        let aggregates = process.aggregating.contains(&run);
        ensure(!needs.aggregate || aggregates, Law::EffectsAreObligations, || {
            format!("{address} does not make the output of run {run}")
        })
    }
}

/// Checks that the view of a run says the same as the machine's fold of the same events.
pub(super) fn view_equals_state(book: &Book) -> Check {
    let (view, state) = (&book.view, &book.fold);
    let says = |same: bool, what: &str| {
        ensure(same, Law::ViewEqualsState, || {
            format!("the view and the machine differ in {what} after event {}", state.seq())
        })
    };
    let end = state.end().map(|end| end.status);
    says((view.seq, view.phase()) == (state.seq(), state.phase()), "where the run stands")?;
    says(view.end_status == end, "how the run ended")?;
    says(view.counts() == state.counts(), "the counts of subtasks")?;
    let phases = view.subtasks.iter().map(|subtask| subtask.phase_at(state.at()));
    says(phases.eq(state.nodes().iter().map(|node| node.state.phase())), "where subtasks stand")?;
    let accepted = view.subtasks.iter().map(SubtaskView::accepted);
    says(accepted.eq(state.nodes().iter().map(|node| node.state.accepted())), "what is accepted")?;
    let shown = view.open_attempts().map(|(fence, subtask, attempt)| {
        (fence, subtask, attempt.token, &attempt.worker, attempt.kind, attempt.since, attempt.until)
    });
    let open = state.open().iter().filter_map(|fence| {
        let attempt = state.attempt(*fence)?;
        let (worker, kind) = (&attempt.worker, attempt.kind);
        Some((*fence, attempt.subtask, attempt.token, worker, kind, attempt.since, attempt.until))
    });
    says(shown.eq(open), "open attempts")
}

/// Says where two states differ, in a few words.
fn difference(a: &State, b: &State) -> String {
    let (a, b) = (format!("{a:#?}"), format!("{b:#?}"));
    let differing = a.lines().zip(b.lines()).filter(|(a, b)| a != b).take(3);
    let lines: Vec<String> =
        differing.map(|(a, b)| format!("`{}` / `{}`", a.trim(), b.trim())).collect();
    lines.join("; ")
}
