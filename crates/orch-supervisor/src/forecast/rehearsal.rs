//! A run played through in virtual time: what the driver wants done is answered at once, and attempts end when they should.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{
    DecompositionPlan, Digest, Epoch, Event, Fence, JsonMap, MemorySnapshot, RoutingNote, RunId,
    SkipReason, StoredResult, Subtask, SubtaskIndex, Token, Usage, WorkerName, WorkerResult,
};
use serde_json::{Value, json};

use super::estimate::{Estimate, Length};
use super::{Cast, Script};
use crate::driver::{AttemptEnd, Driver, Input, Output, Submission};
use crate::machine::{Command, Report, after};

/// Who waits for the answers of a rehearsal: nobody.
const NOBODY: u64 = 0;

/// How a rehearsal went.
#[derive(Default)]
pub(super) struct Course {
    /// The first attempt at each subtask that started.
    pub(super) attempts: BTreeMap<SubtaskIndex, Attempt>,
    /// Why others did not.
    pub(super) failures: BTreeMap<SubtaskIndex, String>,
    pub(super) wall_ms: u64,
    pub(super) most_at_once: u32,
    pub(super) ends_early: Option<String>,
}

/// An attempt of a rehearsal.
pub(super) struct Attempt {
    pub(super) worker: WorkerName,
    pub(super) route: Option<Box<RoutingNote>>,
    pub(super) starts_at_ms: u64,
    pub(super) estimate: Estimate,
}

/// Plays a run of `plan`, which has no replicas any more, to its end.
pub(super) fn rehearse(
    cast: &Cast<'_>,
    script: &Script<'_>,
    plan: &DecompositionPlan,
    length: Length,
) -> Course {
    let mut stage = Stage::new(cast, script, plan, length);
    let mut inputs = opening(stage.run, cast, script);
    // An attempt needs a few steps; whatever should happen besides, a forecast comes to an end.
    for _ in 0..64 * (plan.subtasks.len() + 16) {
        for output in stage.driver.step(inputs, stage.now) {
            stage.answer(output);
        }
        inputs = stage.next_inputs();
        if stage.is_over || inputs.is_empty() {
            break;
        }
    }
    stage.course.wall_ms = stage.passed();
    stage.course
}

fn opening(run: RunId, cast: &Cast<'_>, script: &Script<'_>) -> Vec<Input> {
    let workers = cast.workers.iter().map(|worker| Input::Register(worker.clone()));
    let submission = Submission {
        run,
        task: Arc::new(script.task.clone()),
        settings: Arc::new(script.settings.clone()),
        given: None,
        request_key: None,
        origin: Arc::default(),
        by: None,
        reply: NOBODY,
    };
    workers.chain([Input::Submit(Box::new(submission))]).collect()
}

struct Stage<'a> {
    driver: Driver,
    run: RunId,
    plan: DecompositionPlan,
    memory: &'a MemorySnapshot,
    length: Length,
    begin: Timestamp,
    now: Timestamp,
    /// What reaches the driver in its next step.
    soon: Vec<Input>,
    /// Attempts by their end; the number keeps the order of what happens at the same time.
    later: BTreeMap<(Timestamp, u64), Ending>,
    numbers: u64,
    /// The pull workers, who claim what was offered.
    desks: BTreeMap<WorkerName, Desk>,
    at_once: u32,
    course: Course,
    is_over: bool,
}

/// An attempt that ends.
enum Ending {
    Managed(Fence, Box<AttemptEnd>),
    Pulled(WorkerName, Box<Report>),
}

/// A pull worker: takes what it was offered as far as it has slots.
struct Desk {
    slots: u32,
    offers: VecDeque<(SubtaskIndex, Fence, Token)>,
}

impl<'a> Stage<'a> {
    fn new(cast: &Cast<'_>, script: &Script<'a>, plan: &DecompositionPlan, length: Length) -> Self {
        let mut policies = cast.policies.clone();
        policies.gates.clear();
        policies.has_memory = true;
        let desk = |slots| Desk { slots, offers: VecDeque::new() };
        let slots = cast.workers.iter().map(|w| (w.name().clone(), w.max_concurrency().get()));
        Self {
            driver: Driver::new(policies, cast.process_cap, 0),
            run: RunId::new(script.now, 0),
            plan: without_gates(plan),
            memory: script.memory,
            length,
            begin: script.now,
            now: script.now,
            soon: Vec::new(),
            later: BTreeMap::new(),
            numbers: 0,
            desks: slots.map(|(name, slots)| (name, desk(slots))).collect(),
            at_once: 0,
            course: Course::default(),
            is_over: false,
        }
    }

    fn passed(&self) -> u64 {
        u64::try_from(self.now.duration_since(self.begin).as_millis()).unwrap_or(0)
    }

    fn answer(&mut self, output: Output) {
        let run = self.run;
        match output {
            Output::Append(append) => {
                append.events.iter().for_each(|recorded| self.note(&recorded.event));
                self.soon.push(Input::Appended { run });
            }
            Output::Acquire { .. } => {
                self.soon.push(Input::Acquired { run, epoch: Epoch(0).next() });
            }
            Output::Recall { .. } => {
                self.soon.push(Input::Recalled { run, snapshot: self.memory.clone() });
            }
            Output::Plan { .. } => {
                self.soon.push(Input::Planned { run, plan: Ok(self.plan.clone()) });
            }
            Output::Ask(question) => self.soon.push(question.ask_inline()),
            Output::Start(start) => {
                let (fence, name) = (start.attempt.fence, start.worker.name());
                let estimate = Estimate::of(&self.memory.learned, name, &start.subtask);
                let (digest, body) = result(fence, &start.subtask, name, &estimate);
                let end = AttemptEnd { digest, body, blob: None, failure: None, has_begun: true };
                // What was accepted before was not too slow, and what is guessed need not be.
                let last = start.until.checked_sub(std::time::Duration::from_millis(1));
                let last = last.unwrap_or(start.until).max(self.now);
                let at = after(self.now, estimate.length_ms(self.length)).min(last);
                self.begin_attempt(at, Ending::Managed(fence, Box::new(end)));
            }
            // Whatever is to be known of the run is known when its output is to be made.
            Output::Aggregate(_) | Output::Ended { .. } | Output::Left { .. } => {
                self.is_over = true;
            }
            // A rehearsal has no past, no other processes, and nobody who asks.
            Output::Load { .. }
            | Output::CheckOwner { .. }
            | Output::Release { .. }
            | Output::Stop { .. }
            | Output::Reap { .. }
            | Output::Reply { .. }
            | Output::Publish { .. } => {}
        }
    }

    /// Takes note of what happens.
    fn note(&mut self, event: &Event) {
        match event {
            Event::AttemptStarted { subtask, worker, route, .. } => {
                self.first_attempt(*subtask, worker, route.clone());
            }
            Event::AttemptOffered { subtask, fence, token, worker, route, .. } => {
                self.first_attempt(*subtask, worker, route.clone());
                if let Some(desk) = self.desks.get_mut(worker) {
                    desk.offers.push_back((*subtask, *fence, *token));
                }
                self.claim(worker);
            }
            Event::SubtaskFailed { subtask, failure, .. } => {
                self.course.failures.insert(*subtask, failure.message.clone());
            }
            Event::SubtaskSkipped {
                subtask,
                because: SkipReason::Dependency { subtask: because },
            } => {
                let why = self.plan.subtasks.get(because.get());
                let why = why.map(|root| format!("`{}` fails", root.id)).unwrap_or_default();
                self.course.failures.insert(*subtask, why);
            }
            Event::CancelRequested { reason, detail, .. } => {
                let why = if detail.is_empty() { reason.as_str() } else { detail };
                self.course.ends_early = Some(why.to_owned());
            }
            Event::RunEnded { errors, .. } => {
                self.course.ends_early = (!errors.is_empty()).then(|| errors.join("; "));
            }
            Event::RunSubmitted { .. }
            | Event::PlanAdopted { .. }
            | Event::LeaseExtended { .. }
            | Event::ResultReceived { .. }
            | Event::SubtaskCompleted { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptLost { .. }
            | Event::AttemptClosed { .. }
            | Event::RetryScheduled { .. }
            | Event::InterventionMade { .. }
            | Event::InterventionJudged { .. }
            | Event::ConcurrencyLimitChanged { .. }
            | Event::UsageNoted { .. }
            | Event::RunSuspended { .. }
            | Event::RunResumed { .. } => {}
        }
    }

    fn first_attempt(
        &mut self,
        index: SubtaskIndex,
        worker: &WorkerName,
        route: Option<Box<RoutingNote>>,
    ) {
        let Some(subtask) = self.plan.subtasks.get(index.get()) else { return };
        let estimate = Estimate::of(&self.memory.learned, worker, subtask);
        let attempt =
            Attempt { worker: worker.clone(), route, starts_at_ms: self.passed(), estimate };
        self.course.attempts.entry(index).or_insert(attempt);
    }

    /// Lets a pull worker take what it was offered, as far as it has slots.
    fn claim(&mut self, worker: &WorkerName) {
        let Some(desk) = self.desks.get_mut(worker).filter(|desk| desk.slots > 0) else { return };
        let Some((index, fence, token)) = desk.offers.pop_front() else { return };
        desk.slots -= 1;
        let Some(subtask) = self.plan.subtasks.get(index.get()).cloned() else { return };
        let estimate = Estimate::of(&self.memory.learned, worker, &subtask);
        let passed = self.passed();
        if let Some(attempt) = self.course.attempts.get_mut(&index) {
            attempt.starts_at_ms = passed;
        }
        let (digest, body) = result(fence, &subtask, worker, &estimate);
        let report = Report {
            subtask: None,
            attempt: Some((fence, token)),
            digest,
            body,
            blob: None,
            failure: None,
            usage: None,
            request_key: None,
        };
        let at = after(self.now, estimate.length_ms(self.length));
        self.begin_attempt(at, Ending::Pulled(worker.clone(), Box::new(report)));
    }

    fn begin_attempt(&mut self, until: Timestamp, ending: Ending) {
        self.numbers += 1;
        self.later.insert((until, self.numbers), ending);
        self.at_once += 1;
        self.course.most_at_once = self.course.most_at_once.max(self.at_once);
    }

    /// Returns what reaches the driver next, and goes on to that time; nothing when nothing will ever happen.
    fn next_inputs(&mut self) -> Vec<Input> {
        if !self.soon.is_empty() || self.is_over {
            return std::mem::take(&mut self.soon);
        }
        let ends = self.later.first_key_value().map(|((at, _), _)| *at);
        let Some(at) = [ends, self.driver.next_wake(self.now)].into_iter().flatten().min() else {
            return Vec::new();
        };
        self.now = self.now.max(at);
        let mut inputs = vec![Input::Time];
        while let Some(entry) = self.later.first_entry().filter(|e| e.key().0 <= self.now) {
            let ending = entry.remove();
            self.at_once -= 1;
            inputs.push(self.end_attempt(ending));
        }
        inputs
    }

    fn end_attempt(&mut self, ending: Ending) -> Input {
        let run = self.run;
        match ending {
            Ending::Managed(fence, end) => Input::Finished { run, fence, end },
            Ending::Pulled(worker, report) => {
                if let Some(desk) = self.desks.get_mut(&worker) {
                    desk.slots += 1;
                }
                self.claim(&worker);
                Input::Command { run, command: Command::Report(*report), by: None, reply: NOBODY }
            }
        }
    }
}

/// Results of a rehearsal are empty, and no gate would take them.
fn without_gates(plan: &DecompositionPlan) -> DecompositionPlan {
    let mut plan = plan.clone();
    for subtask in &mut plan.subtasks {
        if !subtask.gates.is_empty() || !subtask.artifacts.is_empty() {
            let subtask = Arc::make_mut(subtask);
            subtask.gates.clear();
            subtask.artifacts.clear();
        }
    }
    plan
}

/// The result of an attempt that uses what it is expected to.
fn result(
    fence: Fence,
    subtask: &Subtask,
    worker: &WorkerName,
    estimate: &Estimate,
) -> (Digest, Arc<StoredResult>) {
    let cost = estimate.cost_micro_usd.map(|micro| micro as f64 / 1e6);
    let usage = Usage::default().with_cost_usd(cost).with_input_tokens(estimate.tokens);
    let metadata = JsonMap::from_iter([("usage".to_owned(), json!(usage))]);
    let result = WorkerResult::success(subtask.id.clone(), worker.clone(), Value::Null)
        .with_metadata(metadata);
    let stored = StoredResult { result: Arc::new(result), blob: None };
    (Digest::of_bytes(&fence.0.to_le_bytes()), Arc::new(stored))
}
