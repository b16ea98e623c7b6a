//! The graph of subtasks: new ones are linked and ranked, and every change of one keeps all indexes of it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{DecompositionPlan, Subtask, SubtaskIndex, SubtaskPhase, WorkerName};

use super::node::{Node, SubtaskState};
use super::state::{Stage, State, Timer};

/// What a subtask without an estimate is expected to take, in milliseconds.
const DEFAULT_ESTIMATE_MS: u64 = 1_000;

impl State {
    pub(super) fn adopt(
        &mut self,
        revision: u32,
        retire: &[SubtaskIndex],
        add: &Arc<DecompositionPlan>,
    ) {
        if self.revision == 0 {
            self.source = add.source;
        }
        self.revision = revision;
        if self.stage == Stage::Planning {
            self.stage = Stage::Active;
        }
        for index in retire {
            self.set(*index, SubtaskState::Retired { revision });
        }
        let first = self.nodes.len();
        self.nodes.reserve_exact(add.subtasks.len());
        self.slots.reserve(add.subtasks.len());
        for (place, spec) in (first..).zip(&add.subtasks) {
            let index = SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX));
            self.by_id.insert(spec.id.clone(), index);
            if let Some(group) = &spec.group {
                self.groups.entry(group.clone()).or_default().push(index);
            }
            self.push_node(spec.clone());
        }
        self.counts.total += u32::try_from(add.subtasks.len()).unwrap_or(u32::MAX);
        for place in first..self.nodes.len() {
            self.link(place);
        }
        self.rank();
        for place in first..self.nodes.len() {
            let index = SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX));
            if self.nodes[place].state == SubtaskState::Ready {
                self.ready.insert(self.nodes[place].class, self.key(index));
            }
        }
    }

    fn push_node(&mut self, spec: Arc<Subtask>) {
        let constraints = self.constraints_of(&spec);
        let class = self.ready.class_of(&spec, constraints);
        self.nodes.push(Node {
            spec,
            dependencies: Box::default(),
            dependants: Vec::new(),
            state: SubtaskState::Ready,
            rank: 0,
            class,
            attempts: 0,
            failures: 0,
            losses: 0,
            trouble: None,
        });
    }

    /// Connects a new node with what it depends on, and counts it.
    fn link(&mut self, place: usize) {
        let index = SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX));
        let spec = self.nodes[place].spec.clone();
        let mut seen = std::collections::BTreeSet::new();
        let dependencies: Box<[_]> = spec
            .dependencies
            .iter()
            .filter_map(|id| self.by_id.get(id).map(|on| (*on, spec.tolerates.contains(id))))
            .filter(|(on, _)| seen.insert(*on))
            .collect();
        let mut unmet = 0;
        for (on, tolerated) in &dependencies {
            self.nodes[on.get()].dependants.push(index);
            unmet += u32::from(!is_met(self.nodes[on.get()].state.phase(), *tolerated));
        }
        let node = &mut self.nodes[place];
        node.dependencies = dependencies;
        if let Some(unmet) = NonZeroU32::new(unmet) {
            node.state = SubtaskState::Waiting { unmet };
        }
        let phase = node.state.phase();
        if let Some(count) = self.counts.of(phase) {
            *count += 1;
        }
    }

    /// Recomputes the longest remaining path of every node, from the ends backwards.
    fn rank(&mut self) {
        let mut open: Vec<usize> = self.nodes.iter().map(|n| n.dependants.len()).collect();
        let mut next: Vec<usize> = (0..self.nodes.len()).filter(|i| open[*i] == 0).collect();
        let mut below: HashMap<usize, u64> = HashMap::new();
        while let Some(place) = next.pop() {
            let node = &mut self.nodes[place];
            let own = node.spec.estimated_duration_ms.unwrap_or(DEFAULT_ESTIMATE_MS);
            node.rank = own.saturating_add(below.remove(&place).unwrap_or(0));
            let rank = node.rank;
            for (on, _) in self.nodes[place].dependencies.clone() {
                let longest = below.entry(on.get()).or_default();
                *longest = rank.max(*longest);
                open[on.get()] -= 1;
                if open[on.get()] == 0 {
                    next.push(on.get());
                }
            }
        }
    }

    /// Moves a subtask to another state and keeps every index of it.
    pub(super) fn set(&mut self, index: SubtaskIndex, state: SubtaskState) {
        let key = self.key(index);
        let node = &mut self.nodes[index.get()];
        let (old, class) = (std::mem::replace(&mut node.state, state), node.class);
        let new = &node.state;
        let (before, phase) = (old.phase(), new.phase());
        if let SubtaskState::Backoff { until } = &old {
            self.timers.remove(&(*until, Timer::Backoff(index)));
        }
        if let SubtaskState::Backoff { until } = new {
            self.timers.insert((*until, Timer::Backoff(index)));
        }
        if *new == SubtaskState::Undecided {
            self.undecided.insert(index);
        } else if old == SubtaskState::Undecided {
            self.undecided.remove(&index);
        }
        if before == SubtaskPhase::Ready {
            self.ready.remove(class, key);
        }
        if phase == SubtaskPhase::Ready {
            self.ready.insert(class, key);
        }
        if let Some(count) = self.counts.of(before) {
            *count -= 1;
        }
        match self.counts.of(phase) {
            Some(count) => *count += 1,
            None => self.counts.total -= 1,
        }
    }

    pub(super) fn schedule(
        &mut self,
        index: SubtaskIndex,
        until: Timestamp,
        worker: Option<&WorkerName>,
    ) {
        let spec = self.nodes[index.get()].spec.clone();
        let mut constraints = self.constraints_of(&spec);
        if let Some(worker) = worker {
            constraints.get_or_insert_default().require_worker = Some(worker.clone());
        }
        let class = self.ready.class_of(&spec, constraints);
        // The subtask is in no queue now, so its class can change.
        self.nodes[index.get()].class = class;
        let state =
            if until <= self.at { SubtaskState::Ready } else { SubtaskState::Backoff { until } };
        self.set(index, state);
    }

    /// Tells the dependants that `index` is over: met if it is done, or if they tolerate its failure.
    pub(super) fn release_dependants(&mut self, index: SubtaskIndex, done: bool) {
        // Taken out while the dependants change, which does not change who they are.
        let dependants = std::mem::take(&mut self.nodes[index.get()].dependants);
        for dependant in &dependants {
            let node = &self.nodes[dependant.get()];
            let SubtaskState::Waiting { unmet } = node.state else { continue };
            if !done && !node.tolerates(index) {
                continue;
            }
            let state = match NonZeroU32::new(unmet.get() - 1) {
                Some(unmet) => SubtaskState::Waiting { unmet },
                None => SubtaskState::Ready,
            };
            self.set(*dependant, state);
        }
        self.nodes[index.get()].dependants = dependants;
    }

    /// Cancels every subtask on which nobody works.
    pub(super) fn cancel_unstarted(&mut self) {
        let ended = self.is_ended();
        for place in 0..self.nodes.len() {
            let unstarted = match self.nodes[place].state.phase() {
                SubtaskPhase::Waiting | SubtaskPhase::Ready => true,
                SubtaskPhase::Backoff => {
                    ended || self.nodes[place].state != SubtaskState::Undecided
                }
                SubtaskPhase::Offered | SubtaskPhase::Running | SubtaskPhase::Checking => ended,
                SubtaskPhase::Done
                | SubtaskPhase::Failed
                | SubtaskPhase::Skipped
                | SubtaskPhase::Cancelled
                | SubtaskPhase::Retired => false,
            };
            if unstarted {
                self.set(
                    SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX)),
                    SubtaskState::Cancelled,
                );
            }
        }
    }
}

fn is_met(phase: SubtaskPhase, tolerated: bool) -> bool {
    phase == SubtaskPhase::Done || (tolerated && phase.is_final())
}
