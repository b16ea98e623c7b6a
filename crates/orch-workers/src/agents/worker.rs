//! Agents as workers that fetch their work themselves.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::{
    Cause, Digest, MemoryScope, Standing, Subtask, Worker, WorkerCapability, WorkerContext,
    WorkerError, WorkerKind, WorkerName, WorkerResult,
};

use super::file::AgentFile;
use super::matching::AgentProfile;

/// How many subtasks an agent may hold at once when its file does not say: it is a description, of which a client can start
/// many.
const SLOTS: NonZeroU32 = NonZeroU32::new(8).unwrap();

/// An agent that somebody outside runs: it claims subtasks and reports on them, and the engine only offers.
///
/// With `task_types` it handles subtasks of those types. Without, it is matched by its words: `can_handle` is the share of
/// the words of the subtask (description and type) that are in its name or its description, 0 to 0.9.
///
/// ```
/// use orch_core::{Standing, Subtask, Worker};
/// use orch_workers::AgentWorker;
///
/// let reviewer = AgentWorker::new("reviewer", "Finds bugs in code");
/// let fits = |text: &str| reviewer.can_handle(&Subtask::new("a", text, ""), &Standing::IDLE);
/// assert!(fits("Review the code") > 0.6);
/// assert_eq!(fits("Bake bread"), 0.0);
/// ```
#[derive(Debug, Clone)]
pub struct AgentWorker {
    name: WorkerName,
    /// One capability: the agent's name, its description and its task types.
    capabilities: Vec<WorkerCapability>,
    profile: AgentProfile,
    /// The digest of its prompt and of all that its file says beside; `None` when there is no file.
    content: Option<Digest>,
    /// The least that it fits anything.
    floor: f64,
    slots: NonZeroU32,
    timeout: Option<Duration>,
    memory_tokens: u32,
    scope: Option<MemoryScope>,
}

impl AgentWorker {
    /// Makes a worker of an agent that is known by name and description.
    pub fn new(name: impl Into<WorkerName>, description: impl Into<String>) -> Self {
        let (name, description) = (name.into(), description.into());
        let profile = AgentProfile::new(name.as_str(), &description);
        let capability =
            WorkerCapability::new(name.as_str(), [""; 0]).with_description(description);
        Self {
            name,
            capabilities: vec![capability],
            profile,
            content: None,
            floor: 0.0,
            slots: SLOTS,
            timeout: None,
            memory_tokens: 0,
            scope: None,
        }
    }

    /// Sets how well it fits any subtask at least, 0 to 1; 0 unless set. A small number makes it the one that takes what no
    /// other agent fits.
    #[must_use]
    pub fn with_floor(mut self, floor: f64) -> Self {
        self.floor = floor;
        self
    }

    /// Sets how many subtasks it may hold at once.
    #[must_use]
    pub fn with_slots(mut self, slots: NonZeroU32) -> Self {
        self.slots = slots;
        self
    }

    /// Makes a worker of an agent file.
    pub fn from_file(file: &AgentFile) -> Self {
        let mut worker = Self::new(file.name.as_str(), file.description.as_str());
        let extras = &file.extras;
        worker.slots = extras.max_concurrency.unwrap_or(SLOTS);
        worker.timeout = extras.timeout;
        worker.memory_tokens = extras.memory_tokens;
        worker.scope.clone_from(&extras.scope);
        worker.content = Digest::of_json(&(&file.prompt, &file.tools, &file.other)).ok();
        if let Some(capability) = worker.capabilities.first_mut() {
            capability.task_types.clone_from(&extras.task_types);
            capability.proficiency = extras.proficiency.unwrap_or(capability.proficiency);
        }
        worker
    }
}

/// How well an agent fits at least what it is required for by name.
const NAMED_FIT: f64 = 0.5;

#[async_trait]
impl Worker for AgentWorker {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &self.capabilities
    }

    fn content(&self) -> Option<Digest> {
        self.content
    }

    fn kind(&self) -> WorkerKind {
        WorkerKind::Pull
    }

    fn can_handle(&self, subtask: &Subtask, standing: &Standing) -> f64 {
        let best = self.capabilities.iter().map(|capability| {
            let matches = match capability.task_types.is_empty() {
                true => self.profile.score(subtask),
                false => f64::from(u8::from(capability.covers(&subtask.task_type))),
            };
            matches * capability.proficiency
        });
        // A user who asks for an agent by name knows better than words do what it can.
        let floor = if standing.required { self.floor.max(NAMED_FIT) } else { self.floor };
        let best = best.fold(floor, f64::max);
        best * standing.success * (1.0 - standing.load.clamp(0.0, 1.0))
    }

    fn max_concurrency(&self) -> NonZeroU32 {
        self.slots
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    fn memory_tokens(&self) -> u32 {
        self.memory_tokens
    }

    fn scope(&self) -> Option<&MemoryScope> {
        self.scope.as_ref()
    }

    /// Always fails: the engine never calls an agent, so somebody else did.
    async fn execute(&self, _context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        let message =
            format!("agent `{}` is run by a client and never called by the engine", self.name);
        Err(WorkerError::new(Cause::Unavailable, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(extras: &str) -> AgentWorker {
        let text = format!("---\nname: reviewer\ndescription: Finds bugs\n{extras}---\n");
        AgentWorker::from_file(&AgentFile::parse("reviewer.md", &text).unwrap())
    }

    #[track_caller]
    fn check(worker: &AgentWorker, description: &str, task_type: &str, expected: f64) {
        let subtask = Subtask::new("a", description, task_type);
        let score = worker.can_handle(&subtask, &Standing::IDLE);
        assert!((score - expected).abs() < 1e-9, "{description} ({task_type}): {score}");
    }

    #[test]
    fn without_task_types_words_decide() {
        check(&file(""), "Find bugs", "", 0.54);
        check(&file("x-orch: { proficiency: 0.5 }\n"), "Find bugs", "", 0.27);
        check(&file(""), "Bake bread", "baking", 0.0);
    }

    #[test]
    fn another_prompt_or_model_is_another_content() {
        let content = |model: &str, prompt: &str| {
            let text = format!("---\nname: a\ndescription: b\nmodel: {model}\n---\n{prompt}");
            let file = AgentFile::parse("a.md", &text).unwrap();
            AgentWorker::from_file(&file).content().unwrap()
        };
        let known = content("opus", "Be brief.");
        assert_eq!(content("opus", "Be brief."), known);
        assert_ne!(content("haiku", "Be brief."), known);
        assert_ne!(content("opus", "Be thorough."), known);
        assert_eq!(AgentWorker::new("a", "b").content(), None, "nobody knows its prompt");
    }

    #[test]
    fn with_task_types_they_decide() {
        let worker = file("x-orch: { task_types: review, proficiency: 0.8 }\n");
        check(&worker, "Bake bread", "review", 0.8);
        check(&worker, "Find bugs", "baking", 0.0);
        check(&file("x-orch: { task_types: ['*'] }\n"), "Bake bread", "baking", 1.0);
    }

    #[test]
    fn an_agent_that_is_required_by_name_takes_any_type() {
        let subtask = Subtask::new("a", "Bake bread", "baking");
        for extras in ["", "x-orch: { task_types: review }\n"] {
            let named = Standing::IDLE.with_required(true);
            assert_eq!(file(extras).can_handle(&subtask, &named), 0.5, "{extras}");
            assert_eq!(file(extras).can_handle(&subtask, &Standing::IDLE), 0.0, "{extras}");
        }
    }

    #[test]
    fn a_floor_is_what_it_fits_at_least() {
        let worker = file("").with_floor(0.15).with_slots(NonZeroU32::MIN);
        check(&worker, "Bake bread", "baking", 0.15);
        check(&worker, "Find bugs", "", 0.54);
        assert_eq!(worker.max_concurrency(), NonZeroU32::MIN);
    }

    #[test]
    fn history_and_load_count() {
        let subtask = Subtask::new("a", "Find bugs", "");
        let score = file("").can_handle(&subtask, &Standing::new(0.5, 0.5));
        assert!((score - 0.135).abs() < 1e-9, "{score}");
    }

    #[test]
    fn extras_become_the_worker_s_limits() {
        let worker = file("x-orch: { max_concurrency: 3, timeout: 90s }\n");
        assert_eq!(
            (worker.max_concurrency().get(), worker.timeout()),
            (3, Some(Duration::from_secs(90)))
        );
        assert_eq!((file("").max_concurrency().get(), file("").timeout()), (8, None));
        assert_eq!(worker.kind(), WorkerKind::Pull);
    }

    #[tokio::test]
    async fn an_agent_is_never_called() {
        let subtask = Subtask::new("a", "Find bugs", "");
        let run = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let (fence, token) = (orch_core::Fence(1), orch_core::Token(1));
        let attempt = orch_core::AttemptInfo::new(run, fence, token, &subtask.id, 1_000);
        let error = file("").execute(WorkerContext::new(subtask, attempt)).await.unwrap_err();
        assert_eq!(error.cause, Cause::Unavailable);
        assert!(error.message.contains("`reviewer`"), "{}", error.message);
    }
}
