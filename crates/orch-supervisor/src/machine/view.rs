//! A state as others see it: status, summary, result.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::journal::RunSummary;
use orch_core::{
    Absence, AttemptStatus, EndStatus, OrchestrationOutcome, OrchestrationResult, RoutingRecord,
    RunStatus, StoredResult, SubtaskId, SubtaskIndex, SubtaskStatus, Usage, WorkerName,
    WorkerResult, WorkerStatus,
};

use super::attempt::AttemptKind;
use super::node::{Node, SubtaskState};
use super::state::{State, millis_between};

impl State {
    /// Returns what lists show of the run.
    pub(crate) fn summary(&self) -> RunSummary {
        RunSummary::new(self.phase(), self.end().map(|e| e.status), self.counts)
    }

    /// Returns how the run stands.
    pub(crate) fn status(&self) -> RunStatus {
        let mut status = RunStatus::new(self.run, &self.task, &self.settings, self.submitted_at);
        status.status = self.phase();
        status.end_status = self.end().map(|e| e.status);
        status.concurrency_limit = self.limit();
        status.counts = self.counts;
        status.progress = self.progress();
        status.subtasks = self.nodes.iter().map(|node| self.subtask_status(node)).collect();
        status.worker_status = self.worker_status();
        status.usage = self.usage();
        status.seq = self.seq;
        status.updated_at = self.at;
        status
    }

    fn progress(&self) -> f64 {
        match self.counts.total {
            0 => f64::from(u8::from(self.is_ended())),
            total => f64::from(self.counts.finished()) / f64::from(total),
        }
    }

    /// Returns what was used so far, as far as it is known.
    pub(crate) fn usage(&self) -> Usage {
        let ledger = &self.ledger;
        let tokens = ledger.any_usage;
        Usage::default()
            .with_input_tokens(tokens.then_some(ledger.input_tokens))
            .with_output_tokens(tokens.then_some(ledger.output_tokens))
            .with_cost_usd(ledger.any_cost.then_some(ledger.spent as f64 / 1e6))
    }

    fn subtask_status(&self, node: &Node) -> SubtaskStatus {
        let mut status = SubtaskStatus::new(&node.spec, node.state.phase());
        status.attempts = node.attempts;
        status.reason = self.reason(node);
        match &node.state {
            SubtaskState::Done { result, .. } | SubtaskState::Checking { result, .. } => {
                status.worker = Some(result.result.worker_name.clone());
                status.duration_ms = Some(result.result.duration_ms);
            }
            SubtaskState::Offered { fence } => status.open = self.attempt_status(&[*fence]),
            SubtaskState::Running { attempts } => status.open = self.attempt_status(attempts),
            SubtaskState::Backoff { until } => {
                let class = self.class(node.class);
                let constraints = class.constraints.as_ref();
                status.retry_at = Some(*until);
                status.retry_by = constraints.and_then(|all| all.require_worker.clone());
            }
            SubtaskState::Ready => status.locks.clone_from(&node.spec.locks),
            SubtaskState::Waiting { .. }
            | SubtaskState::Undecided
            | SubtaskState::Failed { .. }
            | SubtaskState::Skipped { .. }
            | SubtaskState::Cancelled
            | SubtaskState::Retired { .. } => {}
        }
        status
    }

    fn attempt_status(&self, fences: &[orch_core::Fence]) -> Vec<AttemptStatus> {
        fences
            .iter()
            .filter_map(|f| {
                self.attempt(*f).map(|a| AttemptStatus::new(*f, a.worker.clone(), a.since, a.until))
            })
            .collect()
    }

    /// Returns why a subtask failed, was skipped, or is tried again.
    fn reason(&self, node: &Node) -> Option<String> {
        match &node.state {
            SubtaskState::Failed { failure, reason } if reason.is_empty() => {
                Some(failure.to_string())
            }
            SubtaskState::Failed { failure, reason } => Some(format!("{failure} ({reason})")),
            SubtaskState::Skipped { because } => {
                Some(format!("`{}` failed, which it depends on", self.node(*because).spec.id))
            }
            SubtaskState::Ready
            | SubtaskState::Running { .. }
            | SubtaskState::Backoff { .. }
            | SubtaskState::Undecided => {
                let last = node.trouble.as_ref().and_then(|t| t.last.as_ref())?;
                Some(format!("tried again after: {last}"))
            }
            SubtaskState::Waiting { .. }
            | SubtaskState::Offered { .. }
            | SubtaskState::Checking { .. }
            | SubtaskState::Done { .. }
            | SubtaskState::Cancelled
            | SubtaskState::Retired { .. } => None,
        }
    }

    fn worker_status(&self) -> Vec<WorkerStatus> {
        let mut all: BTreeMap<WorkerName, WorkerStatus> = BTreeMap::new();
        for (worker, busy) in &self.busy_ms {
            let mut status = WorkerStatus::new(worker.clone());
            status.busy_ms = *busy;
            all.insert(worker.clone(), status);
        }
        for fence in &self.open {
            let Some(attempt) = self.attempt(*fence) else { continue };
            let status = all
                .entry(attempt.worker.clone())
                .or_insert_with_key(|w| WorkerStatus::new(w.clone()));
            status.running += u32::from(attempt.kind != AttemptKind::Offered);
        }
        for node in &self.nodes {
            if let SubtaskState::Done { result, .. } = &node.state
                && let Some(status) = all.get_mut(&result.result.worker_name)
            {
                status.done += 1;
            }
            for worker in node.trouble.iter().flat_map(|t| &t.tried) {
                if let Some(status) = all.get_mut(worker) {
                    status.failed += 1;
                }
            }
        }
        all.into_values().collect()
    }

    /// Returns the accepted results, in plan order.
    pub(crate) fn results(&self) -> Vec<Arc<StoredResult>> {
        self.nodes.iter().filter_map(|node| node.state.accepted()).cloned().collect()
    }

    /// Returns the subtasks that are over without an accepted result, in plan order.
    pub(crate) fn without_result(&self) -> Vec<SubtaskId> {
        let over = |node: &&Node| node.state.phase().is_final() && node.state.accepted().is_none();
        self.nodes.iter().filter(over).map(|node| node.spec.id.clone()).collect()
    }

    /// Returns the accepted results of what `index` depends on, in plan order.
    pub(crate) fn inputs(&self, index: SubtaskIndex) -> Vec<Arc<StoredResult>> {
        let mut on: Vec<SubtaskIndex> =
            self.node(index).dependencies.iter().map(|(on, _)| *on).collect();
        on.sort();
        on.into_iter().filter_map(|i| self.node(i).state.accepted()).cloned().collect()
    }

    /// Returns the dependencies of `index` that failed and may.
    pub(crate) fn absences(&self, index: SubtaskIndex) -> Vec<Absence> {
        let mut on: Vec<SubtaskIndex> =
            self.node(index).dependencies.iter().map(|(on, _)| *on).collect();
        on.sort();
        on.into_iter()
            .map(|i| self.node(i))
            .filter(|node| node.state.accepted().is_none())
            .map(|node| {
                Absence::new(
                    node.spec.id.clone(),
                    node.state.phase(),
                    self.reason(node).unwrap_or_default(),
                )
            })
            .collect()
    }

    /// Returns what became of the run: all results, failed ones with their error, and the output unless it is in a blob.
    ///
    /// `slots` says how many attempts each worker can make at once, for the utilization.
    pub(crate) fn result(&self, slots: &BTreeMap<WorkerName, u32>) -> OrchestrationResult {
        let status = self.end().map_or(EndStatus::Failed, |e| e.status);
        let mut result = OrchestrationResult::new(self.task.id.clone(), status);
        result.success = matches!(status, EndStatus::Completed | EndStatus::Partial);
        result.total_duration_ms = millis_between(self.submitted_at, self.at);
        result.subtask_results = Vec::with_capacity(self.nodes.len());
        result.subtask_results.extend(self.nodes.iter().filter_map(|node| self.result_of(node)));
        result.worker_utilization = self.utilization(slots, result.total_duration_ms);
        result.errors = self.errors();
        if let Some(end) = self.end() {
            result.aggregated_output = end.output.clone();
            result.conflicts_resolved =
                end.conflicts.iter().map(|conflict| conflict.sentence.clone()).collect();
            result.confidence = end.confidence;
        }
        result
    }

    /// Returns how the run went, as memory keeps it.
    pub(crate) fn outcome(
        &self,
        supervisor: &str,
        slots: &BTreeMap<WorkerName, u32>,
    ) -> OrchestrationOutcome {
        let wall_ms = millis_between(self.submitted_at, self.at);
        let id = format!("orch_{}", self.run);
        let project = self.settings.project.clone();
        let status = self.end().map_or(EndStatus::Failed, |e| e.status);
        OrchestrationOutcome::new(id, supervisor, project, self.task.task_type.clone(), self.at)
            .with_task_description(self.task.description.clone())
            .with_decomposition_strategy(self.source.strategy())
            .with_subtask_count(self.counts.total)
            .with_routing_decisions(self.nodes.iter().flat_map(routing_of).collect::<Vec<_>>())
            .with_aggregation_strategy(self.aggregation().strategy.resolved(None))
            .with_overall_success(matches!(status, EndStatus::Completed | EndStatus::Partial))
            .with_total_duration_ms(wall_ms)
            .with_worker_utilization(self.utilization(slots, wall_ms))
    }

    fn result_of(&self, node: &Node) -> Option<WorkerResult> {
        if let Some(stored) = node.state.accepted() {
            return Some((*stored.result).clone());
        }
        let trouble = node.trouble.as_ref();
        let message = self.reason(node)?;
        let worker =
            trouble.and_then(|t| t.tried.last().cloned()).unwrap_or_else(|| WorkerName::new(""));
        Some(WorkerResult::failure(node.spec.id.clone(), worker, message))
    }

    fn utilization(
        &self,
        slots: &BTreeMap<WorkerName, u32>,
        wall_ms: u64,
    ) -> BTreeMap<WorkerName, f64> {
        self.busy_ms
            .iter()
            .map(|(worker, busy)| {
                let slots = u64::from(slots.get(worker).copied().unwrap_or(1).max(1));
                let share = *busy as f64 / wall_ms.max(1).saturating_mul(slots) as f64;
                (worker.clone(), share.min(1.0))
            })
            .collect()
    }

    fn errors(&self) -> Vec<String> {
        let mut errors: Vec<String> = Vec::new();
        if let Some(end) = self.end() {
            errors.extend(end.errors.iter().cloned());
        }
        let failed = |node: &Node| {
            let gone = node.state.failure().is_some()
                || matches!(node.state, SubtaskState::Skipped { .. });
            gone.then(|| self.reason(node))
                .flatten()
                .map(|reason| format!("subtask `{}`: {reason}", node.spec.id))
        };
        errors.extend(self.nodes.iter().filter_map(failed));
        errors
    }
}

/// Who tried a subtask, and whether it went well: failures first, in order.
fn routing_of(node: &Node) -> Vec<RoutingRecord> {
    let tried = node.trouble.iter().flat_map(|trouble| &trouble.tried);
    let failed =
        tried.map(|worker| RoutingRecord::new(node.spec.id.clone(), worker.clone(), false));
    let done = node.state.accepted().map(|stored| {
        RoutingRecord::new(node.spec.id.clone(), stored.result.worker_name.clone(), true)
    });
    failed.chain(done).collect()
}
