//! The graph of a plan: who waits for whom, and for how long. Everything here is linear in subtasks plus dependencies, and
//! iterative, so that a chain of 100,000 subtasks neither takes long nor overflows the stack.

use std::collections::HashMap;

use petgraph::Direction;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::{DecompositionPlan, Subtask};

/// A plan's dependencies among places in the plan. Unknown ids and dependencies on oneself are left out; an id that is used
/// twice means its first subtask.
pub(crate) struct PlanGraph {
    /// An edge leads from a subtask to one that it needs.
    graph: DiGraph<(), ()>,
}

impl PlanGraph {
    pub(crate) fn of(plan: &DecompositionPlan) -> Self {
        let mut places = HashMap::with_capacity(plan.subtasks.len());
        for (place, subtask) in plan.subtasks.iter().enumerate() {
            places.entry(subtask.id.as_str()).or_insert(place);
        }
        let edges: usize = plan.subtasks.iter().map(|s| s.dependencies.len()).sum();
        let mut graph = DiGraph::with_capacity(plan.subtasks.len(), edges);
        for _ in &plan.subtasks {
            graph.add_node(());
        }
        for (place, subtask) in plan.subtasks.iter().enumerate() {
            let needed = subtask.dependencies.iter().filter_map(|id| places.get(id.as_str()));
            for needed in needed.filter(|needed| **needed != place) {
                graph.add_edge(NodeIndex::new(place), NodeIndex::new(*needed), ());
            }
        }
        Self { graph }
    }

    /// Returns one cycle for every knot of subtasks that wait for each other: each subtask of it needs the next, the last
    /// needs the first, and the first is the one that comes first in the plan.
    pub(crate) fn cycles(&self) -> Vec<Vec<usize>> {
        // Nearly every plan has none, and to see that takes far less than to look for knots.
        if toposort(&self.graph, None).is_ok() {
            return Vec::new();
        }
        let knots = kosaraju_scc(&self.graph);
        let mut knot_of = vec![0; self.graph.node_count()];
        for (number, knot) in knots.iter().enumerate() {
            for node in knot {
                knot_of[node.index()] = number;
            }
        }
        let mut cycles: Vec<_> = knots
            .iter()
            .filter(|knot| knot.len() > 1)
            .filter_map(|knot| self.cycle_from(*knot.iter().min()?, &knot_of))
            .collect();
        cycles.sort();
        cycles
    }

    /// Walks from `start` within its knot until a subtask comes again. In a knot every subtask needs another of it.
    fn cycle_from(&self, start: NodeIndex, knot_of: &[usize]) -> Option<Vec<usize>> {
        let mut path: Vec<usize> = Vec::new();
        let mut seen_at = HashMap::new();
        let mut node = start;
        while !seen_at.contains_key(&node) {
            seen_at.insert(node, path.len());
            path.push(node.index());
            let within = |next: &NodeIndex| knot_of[next.index()] == knot_of[start.index()];
            node = self.graph.neighbors(node).filter(within).min()?;
        }
        let mut cycle = path.split_off(seen_at[&node]);
        let first = cycle.iter().enumerate().min_by_key(|(_, place)| **place)?.0;
        cycle.rotate_left(first);
        Some(cycle)
    }

    /// Returns for every subtask the length of the longest chain that begins with it and goes on through what waits for it.
    fn longest_chains(&self, lengths: &[u64]) -> Vec<u64> {
        let mut longest = vec![0_u64; lengths.len()];
        // Kosaraju's components come dependencies first.
        for node in kosaraju_scc(&self.graph).iter().rev().flatten() {
            let here = lengths[node.index()].saturating_add(longest[node.index()]);
            longest[node.index()] = here;
            for needed in self.graph.neighbors(*node) {
                longest[needed.index()] = longest[needed.index()].max(here);
            }
        }
        longest
    }

    /// Returns the places of a longest chain, first things first, by the lengths that [`longest_chains`](Self::longest_chains)
    /// gave; of equals the one that comes first in the plan.
    fn longest_chain(&self, longest: &[u64]) -> Vec<usize> {
        let best = |places: &mut dyn Iterator<Item = usize>| {
            places.min_by_key(|place| (std::cmp::Reverse(longest[*place]), *place))
        };
        let mut chain = Vec::new();
        let mut next = best(&mut (0..longest.len()));
        // In a cycle the chain would never end.
        while let Some(place) = next.filter(|_| chain.len() < longest.len()) {
            chain.push(place);
            let waiting = self.graph.neighbors_directed(NodeIndex::new(place), Direction::Incoming);
            next = best(&mut waiting.map(NodeIndex::index));
        }
        chain
    }

    /// Returns for every subtask how many there are before it on the longest way to it.
    fn levels(&self) -> Vec<usize> {
        let mut levels = vec![0; self.graph.node_count()];
        for node in kosaraju_scc(&self.graph).iter().flatten() {
            let needed = self.graph.neighbors(*node).map(|needed| levels[needed.index()] + 1);
            levels[node.index()] = needed.max().unwrap_or(0);
        }
        levels
    }
}

impl DecompositionPlan {
    /// Returns for every subtask, in plan order, how long the run still takes from its start at best, in milliseconds: its
    /// own estimate (1,000 when it has none) and the longest remaining path among those that depend on it. Saturates.
    ///
    /// The numbers mean nothing for subtasks in a cycle.
    ///
    /// ```
    /// use orch_core::{DecompositionPlan, Subtask};
    ///
    /// let plan = DecompositionPlan::new([
    ///     Subtask::new("fetch", "Fetch it", "web").with_estimated_duration_ms(200),
    ///     Subtask::new("read", "Read it", "text").with_dependencies(["fetch"]),
    /// ]);
    /// assert_eq!(plan.remaining_path(), [1_200, 1_000]);
    /// ```
    pub fn remaining_path(&self) -> Vec<u64> {
        PlanGraph::of(self).longest_chains(&self.estimates())
    }

    /// Returns the places of the subtasks on the longest path, first things first: they decide how long the run takes at best.
    ///
    /// ```
    /// use orch_core::{DecompositionPlan, Subtask};
    ///
    /// let plan = DecompositionPlan::new([
    ///     Subtask::new("fetch", "Fetch it", "web").with_estimated_duration_ms(2_000),
    ///     Subtask::new("list", "List it", "web"),
    ///     Subtask::new("read", "Read it", "text").with_dependencies(["list", "fetch"]),
    /// ]);
    /// assert_eq!(plan.longest_path(), [0, 2]);
    /// assert_eq!(plan.levels(), [0, 0, 1]);
    /// ```
    pub fn longest_path(&self) -> Vec<usize> {
        let graph = PlanGraph::of(self);
        graph.longest_chain(&graph.longest_chains(&self.estimates()))
    }

    /// Returns for every subtask, in plan order, how many others there are before it on the longest way to it: 0 when it
    /// depends on nothing. The numbers mean nothing for subtasks in a cycle.
    pub fn levels(&self) -> Vec<usize> {
        PlanGraph::of(self).levels()
    }

    /// Returns how many subtasks run at once on average when only dependencies limit them: the sum of all estimates over
    /// the longest path. 1 when nothing takes time.
    pub fn parallelism(&self) -> f64 {
        let longest = self.remaining_path().into_iter().max().unwrap_or(0);
        if longest == 0 {
            return 1.0;
        }
        let total: u128 = self.estimates().into_iter().map(u128::from).sum();
        (total as f64 / longest as f64).max(1.0)
    }

    fn estimates(&self) -> Vec<u64> {
        let estimate =
            |s: &Subtask| s.estimated_duration_ms.unwrap_or(Subtask::GUESSED_DURATION_MS);
        self.subtasks.iter().map(|s| estimate(s)).collect()
    }
}
