//! Walks through the events of a run and gathers what they say.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::journal::Recorded;
use orch_core::learned::{
    Day, FailurePattern, Lessons, Moments, PastRun, PastStep, PlanStats, Reward, TaskStats,
    WorkerStats, lessons,
};
use orch_core::{
    About, AggregationStrategy, AttemptChange, Cause, ComplexTask, EndStatus, Event, Failure,
    Fence, InterventionSubject, InterventionType, MemoryScope, OrchestrationOutcome, PlanSource,
    ResultSource, RoutingRecord, RunId, RunSettings, Scopes, Seq, SubtaskIndex, Usage, WorkerName,
    WorkerResult, check_lesson,
};

use super::slots::Slots;
use super::{Cell, Ended, Evidence, Grades};

/// The most subtasks of a run that are kept as an example, and the most characters of a text in it.
const STEPS: usize = 200;
const TEXT: usize = 2_000;
/// The most characters of a type, a worker or a project.
const NAME: usize = 256;

/// Returns what those of `events` say that come after `after`; `events` is the whole run from its first event on, since what
/// is said later can only be understood with what was said before. What nobody may learn is left out: how a worker did, and how
/// the run went, is the supervisor's to learn; what a worker has done, why it failed, in words, and its lessons are the worker's. `None` without
/// events.
pub(crate) fn evidence(
    run: RunId,
    events: &[Recorded],
    after: Seq,
    scopes: &Scopes,
) -> Option<Evidence> {
    let Event::RunSubmitted { task, settings, .. } = &events.first()?.event else { return None };
    if !is_name(settings.project.as_str()) {
        return None;
    }
    let mut walk = Walk::new(run, task.clone(), settings.clone(), events[0].at, after, scopes);
    for recorded in events {
        walk.step(recorded);
    }
    if !may_learn(scopes.supervisor(), &task.task_type) {
        walk.evidence.task = TaskStats::default();
    }
    Some(walk.evidence)
}

struct Walk<'a> {
    scopes: &'a Scopes,
    task: Arc<ComplexTask>,
    settings: Arc<RunSettings>,
    submitted_at: Timestamp,
    source: PlanSource,
    parallelism: f64,
    steps: Vec<Step>,
    attempts: BTreeMap<Fence, Attempt>,
    slots: Slots,
    interventions: BTreeMap<SubtaskIndex, InterventionType>,
    concurrency_limit: Option<u32>,
    liked: Option<AggregationStrategy>,
    evidence: Evidence,
}

struct Step {
    past: PastStep,
    tried: Vec<WorkerName>,
    retired: bool,
}

struct Attempt {
    worker: WorkerName,
    since: Timestamp,
    result: Option<Arc<WorkerResult>>,
}

impl<'a> Walk<'a> {
    fn new(
        run: RunId,
        task: Arc<ComplexTask>,
        settings: Arc<RunSettings>,
        submitted_at: Timestamp,
        after: Seq,
        scopes: &'a Scopes,
    ) -> Self {
        let evidence = Evidence {
            run,
            project: settings.project.clone(),
            task_type: task.task_type.clone(),
            after,
            upto: after,
            workers: BTreeMap::new(),
            task: TaskStats::default(),
            refused: Vec::new(),
            is_to_be_told: false,
            ended: None,
        };
        Self {
            scopes,
            task,
            settings,
            submitted_at,
            source: PlanSource::default(),
            parallelism: 1.0,
            steps: Vec::new(),
            attempts: BTreeMap::new(),
            slots: Slots::default(),
            interventions: BTreeMap::new(),
            concurrency_limit: None,
            liked: None,
            evidence,
        }
    }

    fn step(&mut self, recorded: &Recorded) {
        let (at, is_new) = (recorded.at, recorded.seq > self.evidence.after);
        self.occupy(&recorded.event);
        self.evidence.upto = self.evidence.upto.max(recorded.seq);
        match &recorded.event {
            Event::PlanAdopted { revision, retire, add, priors, .. } => {
                if *revision <= 1 {
                    (self.source, self.parallelism) = (add.source, add.parallelism_factor);
                    self.liked = priors.aggregation;
                }
                for index in retire {
                    if let Some(step) = self.steps.get_mut(index.get()) {
                        step.retired = true;
                    }
                }
                let nameless = add.subtasks.iter().filter(|subtask| !is_name(&subtask.task_type));
                let reason = |id| {
                    format!("the type of subtask `{id}` is too long, or has control characters")
                };
                self.evidence.refused.extend(nameless.map(|subtask| reason(&subtask.id)));
                self.steps.extend(add.subtasks.iter().map(|subtask| Step::of(subtask)));
            }
            Event::AttemptOffered { fence, worker, .. }
            | Event::AttemptStarted { fence, worker, .. } => {
                let attempt = Attempt { worker: worker.clone(), since: at, result: None };
                self.attempts.insert(*fence, attempt);
            }
            Event::ResultReceived { subtask, fence, result, .. } => {
                if let Some(attempt) = self.attempts.get_mut(fence) {
                    attempt.result = Some(result.result.clone());
                }
                if is_new {
                    self.used(*subtask, *fence, result.result.usage().ok().flatten());
                }
            }
            Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } } => {
                self.completed(*subtask, *fence, at, is_new)
            }
            Event::AttemptFailed { subtask, fence, failure, usage, .. } => {
                self.failed(*subtask, *fence, failure, at, is_new);
                if is_new {
                    self.used(*subtask, *fence, *usage);
                }
            }
            Event::InterventionMade {
                subject: InterventionSubject::Subtask { subtask },
                intervention,
            } => {
                self.interventions.insert(*subtask, intervention.intervention_type);
            }
            Event::InterventionJudged { subtask, helped } => {
                if let Some(kind) = self.interventions.remove(subtask).filter(|_| is_new) {
                    let history = self.evidence.task.interventions.entry(kind).or_default();
                    history.record(Day::of(at), outcome(*helped));
                }
            }
            Event::ConcurrencyLimitChanged { concurrency_limit } => {
                self.concurrency_limit = Some(*concurrency_limit)
            }
            Event::RunEnded { status, .. } if is_new => self.ended(*status, at),
            Event::RunEnded { .. }
            | Event::RunSubmitted { .. }
            | Event::LeaseExtended { .. }
            | Event::AttemptLost { .. }
            | Event::AttemptClosed { .. }
            | Event::RetryScheduled { .. }
            | Event::SubtaskFailed { .. }
            | Event::SubtaskSkipped { .. }
            | Event::UsageNoted { .. }
            | Event::RunSuspended { .. }
            | Event::RunResumed { .. }
            | Event::CancelRequested { .. } => {}
        }
    }

    /// Follows which attempts are going on at once.
    fn occupy(&mut self, event: &Event) {
        if let Event::AttemptStarted { fence, worker, .. } = event {
            self.slots.take(*fence, worker);
        }
        let About::Attempt { fence, change, .. } = event.about() else { return };
        match change {
            AttemptChange::Accepted
            | AttemptChange::Failed
            | AttemptChange::Lost
            | AttemptChange::Closed => self.slots.give_back(fence),
            AttemptChange::Offered | AttemptChange::Started | AttemptChange::Received => {}
        }
    }

    fn stats(&mut self, subtask: SubtaskIndex, fence: Fence) -> Option<&mut WorkerStats> {
        let worker = self.attempts.get(&fence)?.worker.clone();
        let task_type = self.steps.get(subtask.get())?.past.task_type.clone();
        if !may_learn(self.scopes.supervisor(), &task_type) || !is_name(worker.as_str()) {
            return None;
        }
        Some(self.evidence.workers.entry(Cell { task_type, worker }).or_default())
    }

    fn used(&mut self, subtask: SubtaskIndex, fence: Fence, usage: Option<Usage>) {
        let Some(usage) = usage else { return };
        let Some(stats) = self.stats(subtask, fence) else { return };
        if let Some(cost) = usage.cost_micro_usd() {
            stats.cost_micro_usd.record(cost);
        }
        if let Some(tokens) = usage.tokens() {
            stats.tokens.record(tokens);
        }
    }

    fn completed(&mut self, subtask: SubtaskIndex, fence: Fence, at: Timestamp, is_new: bool) {
        let Some(attempt) = self.attempts.get(&fence) else { return };
        let taken = millis(attempt.since, at);
        let duration = attempt.result.as_ref().map_or(taken, |result| result.duration_ms);
        if let Some(step) = self.steps.get_mut(subtask.get()) {
            step.past.worker = Some(attempt.worker.clone());
            step.past.success = true;
            step.past.duration_ms = duration;
            step.past.ended_at = Some(at);
        }
        if is_new {
            self.said(subtask, fence, at);
        }
        if is_new && let Some(stats) = self.stats(subtask, fence) {
            stats.history.record(Day::of(at), outcome(true));
            stats.duration_ms.record(duration);
            stats.first_at.get_or_insert(at);
        }
    }

    /// Takes what the worker says that it has learned.
    fn said(&mut self, subtask: SubtaskIndex, fence: Fence, at: Timestamp) {
        let (Some(attempt), Some(step)) =
            (self.attempts.get(&fence), self.steps.get(subtask.get()))
        else {
            return;
        };
        let (worker, task_type) = (&attempt.worker, &step.past.task_type);
        if !is_name(task_type) || !is_name(worker.as_str()) {
            return;
        }
        let said = match attempt.result.as_ref().map(|result| result.lessons()) {
            Some(Ok(said)) if !said.is_empty() => said,
            Some(Ok(_)) | None => return,
            Some(Err(error)) => {
                return self.evidence.refused.push(format!("what `{worker}` has learned: {error}"));
            }
        };
        let (scope, mut kept) = (self.scopes.of(worker.as_str()), Lessons::default());
        for (before, lesson) in said.iter().enumerate() {
            match check_lesson(lesson, &scope, task_type, before) {
                Ok(()) => kept.record(at, lesson),
                Err(error) => {
                    let short: String = lesson.chars().take(60).collect();
                    self.evidence.refused.push(format!("lesson `{short}` of `{worker}`: {error}"));
                }
            }
        }
        if !kept.is_empty() {
            let cell = Cell { task_type: task_type.clone(), worker: worker.clone() };
            self.evidence.workers.entry(cell).or_default().lessons.merge(&kept);
        }
    }

    fn failed(
        &mut self,
        subtask: SubtaskIndex,
        fence: Fence,
        failure: &Failure,
        at: Timestamp,
        is_new: bool,
    ) {
        let Some(attempt) = self.attempts.get(&fence) else { return };
        if let Some(step) = self.steps.get_mut(subtask.get()) {
            step.past.worker = Some(attempt.worker.clone());
            step.past.failures += 1;
            step.past.ended_at = Some(at);
            step.tried.push(attempt.worker.clone());
        }
        if !is_new || !counts_against_worker(failure.cause) {
            return;
        }
        let keeps = self.steps.get(subtask.get()).is_some_and(|step| {
            may_learn(&self.scopes.of(attempt.worker.as_str()), &step.past.task_type)
        });
        let Some(stats) = self.stats(subtask, fence) else { return };
        stats.history.record(Day::of(at), outcome(false));
        stats.first_at.get_or_insert(at);
        if !keeps {
            return;
        }
        let pattern = FailurePattern::one(at, &failure.message);
        match stats.failures.get_mut(&failure.cause) {
            Some(known) => known.merge(&pattern),
            None => drop(stats.failures.insert(failure.cause, pattern)),
        }
    }

    fn ended(&mut self, status: EndStatus, at: Timestamp) {
        let wanted = || self.steps.iter().filter(|step| !step.retired);
        let (done, all) = (wanted().filter(|step| step.past.success).count(), wanted().count());
        let share = if all == 0 { 0.0 } else { done as f64 / all as f64 };
        let success = matches!(status, EndStatus::Completed | EndStatus::Partial);
        let duration = millis(self.submitted_at, at);
        // That somebody did not want the run any more says nothing about its plan.
        let counted = status != EndStatus::Cancelled;
        if counted {
            let mut plans = PlanStats::default();
            plans.first_at = Some(at);
            plans.history.record(Day::of(at), Moments::one(success, Reward::new(share)));
            plans.subtasks.record(all as u64);
            // The cast saturates, and takes NaN for 0.
            plans.parallelism_milli.record((self.parallelism * 1e3).round() as u64);
            plans.duration_ms.record(duration);
            self.evidence.task.plans.insert(self.source, plans);
            if let Some(limit) = self.concurrency_limit.filter(|_| success) {
                self.evidence.task.concurrency_limit.record(u64::from(limit));
            }
        }
        let grades = Grades { day: Day::of(at), counted, share, accepted: self.accepted() };
        let steps = self.kept_by_workers();
        let is_learned = may_learn(self.scopes.supervisor(), &self.task.task_type);
        let run = is_learned.then(|| (self.past(success, duration, at), grades));
        self.evidence.ended = Some(Box::new(Ended { run, steps }));
    }

    /// What was done, as far as those who did it may learn about it.
    fn kept_by_workers(&self) -> Vec<PastStep> {
        let wanted = self.steps.iter().filter(|step| !step.retired).map(|step| &step.past);
        let kept = wanted.filter(|past| {
            past.worker.as_ref().is_some_and(|worker| {
                is_name(worker.as_str())
                    && may_learn(&self.scopes.of(worker.as_str()), &past.task_type)
            })
        });
        kept.take(STEPS).cloned().collect()
    }

    fn accepted(&self) -> Vec<(String, WorkerName, Day, u32)> {
        let mut counts: BTreeMap<(String, WorkerName, Day), u32> = BTreeMap::new();
        let supervisor = self.scopes.supervisor();
        for step in self.steps.iter().filter(|step| step.past.success) {
            if !may_learn(supervisor, &step.past.task_type) {
                continue;
            }
            if let (Some(worker), Some(at)) = (&step.past.worker, step.past.ended_at) {
                let key = (step.past.task_type.clone(), worker.clone(), Day::of(at));
                *counts.entry(key).or_default() += 1;
            }
        }
        counts.into_iter().map(|((task, worker, day), count)| (task, worker, day, count)).collect()
    }

    fn past(&mut self, success: bool, duration_ms: u64, at: Timestamp) -> PastRun {
        let mut steps: Vec<Step> = std::mem::take(&mut self.steps);
        let supervisor = self.scopes.supervisor();
        steps.retain(|step| may_learn(supervisor, &step.past.task_type));
        let wanted: Vec<PastStep> =
            steps.iter().filter(|step| !step.retired).map(|step| step.past.clone()).collect();
        let routing = steps.iter().flat_map(Step::routing).take(STEPS).collect::<Vec<_>>();
        let outcome = OrchestrationOutcome::new(
            format!("orch_{}", self.evidence.run),
            supervisor.agent_name.as_str(),
            self.evidence.project.clone(),
            self.task.task_type.clone(),
            at,
        )
        .with_task_description(clip(&self.task.description))
        .with_decomposition_strategy(self.source.strategy())
        .with_subtask_count(u32::try_from(wanted.len()).unwrap_or(u32::MAX))
        .with_routing_decisions(routing)
        .with_aggregation_strategy(self.settings.aggregation.strategy.resolved(self.liked))
        .with_overall_success(success)
        .with_total_duration_ms(duration_ms)
        .with_worker_utilization(self.slots.utilization(&wanted, duration_ms))
        .with_lessons_learned(lessons(&wanted));
        PastRun::new(outcome, self.source).with_steps(wanted.into_iter().take(STEPS).collect())
    }
}

impl Step {
    fn of(subtask: &orch_core::Subtask) -> Self {
        let id = subtask.id.clone();
        let mut past = PastStep::new(id, subtask.task_type.clone(), clip(&subtask.description));
        past.dependencies = subtask.dependencies.iter().take(STEPS).cloned().collect();
        Self { past, tried: Vec::new(), retired: false }
    }

    /// Who tried it, and whether it went well: failures first, in order.
    fn routing(&self) -> Vec<RoutingRecord> {
        let record = |worker: &WorkerName, success| {
            RoutingRecord::new(self.past.id.clone(), worker.clone(), success)
        };
        let failed = self.tried.iter().map(|worker| record(worker, false));
        let done = self.past.worker.iter().filter(|_| self.past.success);
        failed.chain(done.map(|worker| record(worker, true))).collect()
    }
}

fn outcome(success: bool) -> Moments {
    Moments::one(success, if success { Reward::FULL } else { Reward::NONE })
}

/// Tells whether a failure says something about the worker, rather than about the run that called it.
pub(crate) fn counts_against_worker(cause: Cause) -> bool {
    match cause {
        Cause::Deadline
        | Cause::Lost
        | Cause::NoWorker
        | Cause::Budget
        | Cause::Cancelled
        | Cause::Policy => false,
        Cause::Timeout
        | Cause::RateLimit
        | Cause::Auth
        | Cause::InvalidInput
        | Cause::Reported
        | Cause::Crash
        | Cause::BadOutput
        | Cause::OutputLimit
        | Cause::Gate
        | Cause::LeaseLost
        | Cause::Unavailable => true,
    }
}

/// Tells whether an agent may learn about a topic. What is no proper name is no topic, whatever scopes say.
fn may_learn(scope: &MemoryScope, topic: &str) -> bool {
    is_name(topic) && scope.may_learn(topic).is_ok()
}

/// Tells whether both databases can take a text as part of a key: an entry of an index has a limit, and PostgreSQL does not take NUL.
pub(crate) fn is_name(text: &str) -> bool {
    text.chars().count() <= NAME && !text.chars().any(char::is_control)
}

/// Clips a text, without what PostgreSQL does not take.
fn clip(text: &str) -> String {
    text.chars().take(TEXT).map(|c| if c == '\0' { ' ' } else { c }).collect()
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}
