//! What callers ask with: how a task is to be run, what is reported.

use std::sync::Arc;

use orch_core::{
    ComplexTask, DecompositionPlan, Failure, Fence, Origin, RequestKey, RunSettings, SubtaskId,
    Token, Worker, WorkerResult, has_nested_too_deep, is_nested_too_deep,
};

use crate::machine::Refusal;

/// How a task is to be run; see [`Supervisor::submit_with`](crate::Supervisor::submit_with).
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// The settings; those of the supervisor when absent.
    pub settings: Option<RunSettings>,
    /// A plan to follow.
    pub plan: Option<DecompositionPlan>,
    /// The same key again gets the same run.
    pub request_key: Option<RequestKey>,
    /// Where the run comes from; its client is that of the handle unless it names one.
    pub origin: Origin,
    /// Pull workers that only this run knows; see [`Supervisor::resume_with`](crate::Supervisor::resume_with).
    pub guests: Vec<Arc<dyn Worker>>,
}

impl SubmitOptions {
    /// Options that leave everything to the supervisor.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the settings.
    #[must_use]
    pub fn settings(mut self, settings: RunSettings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Sets the plan to follow.
    #[must_use]
    pub fn plan(mut self, plan: DecompositionPlan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Sets the key of the request.
    #[must_use]
    pub fn request_key(mut self, key: impl Into<RequestKey>) -> Self {
        self.request_key = Some(key.into());
        self
    }

    /// Sets where the run comes from.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Sets the guests: pull workers that only this run knows. They are not kept in the journal.
    #[must_use]
    pub fn guests(mut self, guests: impl IntoIterator<Item = Arc<dyn Worker>>) -> Self {
        self.guests = guests.into_iter().collect();
        self
    }
}

/// What a pull worker, or a person, reports on a subtask.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SubtaskReport {
    /// The subtask.
    pub subtask: SubtaskId,
    /// The attempt; may be left out while exactly one is open.
    pub attempt: Option<(Fence, Token)>,
    /// The result; its subtask and worker are filled in.
    pub result: WorkerResult,
    /// Why it failed, when it did; a result with `success: false` says so too.
    pub failure: Option<Failure>,
    /// The same key again gets the same answer.
    pub request_key: Option<RequestKey>,
}

impl SubtaskReport {
    /// Makes a report on whichever attempt of `subtask` is open.
    pub fn new(subtask: impl Into<SubtaskId>, result: WorkerResult) -> Self {
        Self { subtask: subtask.into(), attempt: None, result, failure: None, request_key: None }
    }

    /// Names the attempt.
    #[must_use]
    pub fn attempt(mut self, fence: Fence, token: Token) -> Self {
        self.attempt = Some((fence, token));
        self
    }

    /// Sets why it failed.
    #[must_use]
    pub fn failure(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }

    /// Sets the key of the request.
    #[must_use]
    pub fn request_key(mut self, key: impl Into<RequestKey>) -> Self {
        self.request_key = Some(key.into());
        self
    }
}

/// Refuses a task that could be written and never read again.
pub(crate) fn task_may_be_stored(
    task: &ComplexTask,
    options: &SubmitOptions,
) -> Result<(), Refusal> {
    let too_deep = |what: String| Err(Refusal::TooDeep { what });
    if has_nested_too_deep(&task.context) {
        return too_deep("the context of the task".to_owned());
    }
    let noted = options.settings.as_ref().map(|settings| &settings.annotations);
    if noted.is_some_and(has_nested_too_deep) {
        return too_deep("what is noted with the run".to_owned());
    }
    let mut subtasks = options.plan.iter().flat_map(|plan| &plan.subtasks);
    match subtasks.find(|subtask| has_nested_too_deep(&subtask.context)) {
        Some(subtask) => too_deep(format!("the context of subtask `{}`", subtask.id)),
        None => Ok(()),
    }
}

/// Refuses a result that could be written and never read again.
pub(crate) fn result_may_be_stored(result: &WorkerResult) -> Result<(), Refusal> {
    if is_nested_too_deep(&result.output) || has_nested_too_deep(&result.metadata) {
        return Err(Refusal::TooDeep { what: "the result".to_owned() });
    }
    Ok(())
}
