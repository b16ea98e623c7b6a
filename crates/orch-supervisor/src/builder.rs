//! Putting a supervisor together.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use orch_core::journal::{Journal, MemoryJournal, ProcessId};
use orch_core::{
    Aggregator, ComplexTask, Decomposer, DecompositionPlan, ExecutionStrategy, FailureHandler,
    Memory, MemoryScope, MemorySnapshot, OwnerId, QualityGate, Reaper, Router, RunId, RunSettings,
    Worker,
};

use crate::defaults::{BestCanHandle, GivenOrSingle, InPlanOrder, InProcess, NoRetry, OWNER_TTL};
use crate::delegation::Delegation;
use crate::driver::Policies;
use crate::forecast::{Cast, Forecast, Script, forecast};
use crate::guard::{GuardedJournal, GuardedMemory, GuardedReaper};
use crate::part::{Inline, Part};
use crate::shell::{Clock, Guards, Parts, Ticker, run_entropy};
use crate::supervisor::Supervisor;

/// Puts a [`Supervisor`] together. Every part has a default that needs no other crate: the given plan or a single subtask,
/// the worker that can do it best, outputs in plan order, no retry, a journal in memory.
pub struct Builder {
    parts: Parts,
}

impl Default for Builder {
    fn default() -> Self {
        let now = Ticker::new(Clock::System).read();
        let start = RunId::new(now, run_entropy());
        Self {
            parts: Parts {
                name: "supervisor".to_owned(),
                user: None,
                scope: None,
                journal: Arc::new(MemoryJournal::new()),
                decomposer: Arc::new(GivenOrSingle),
                aggregator: Arc::new(InPlanOrder),
                policies: Policies {
                    router: Inline(BestCanHandle).into(),
                    failure_handler: Inline(NoRetry).into(),
                    gates: Vec::new(),
                    has_memory: false,
                },
                memory: None,
                reaper: GuardedReaper::new(Arc::new(InProcess)),
                workers: Vec::new(),
                settings: RunSettings::default(),
                process_cap: 1_024,
                clock: Clock::System,
                owner: OwnerId::new(start.to_string()),
                process: ProcessId::new(std::process::id(), 0, ""),
                owner_ttl: OWNER_TTL,
                guards: Guards::default(),
            },
        }
    }
}

impl Builder {
    /// Sets the name by which other processes see the owner of a run.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.parts.name = name.into();
        self
    }

    /// Sets the name of the user whom the process belongs to: it is recorded with what callers of this supervisor cause.
    #[must_use]
    pub fn user(mut self, user: impl Into<Option<String>>) -> Self {
        self.parts.user = user.into();
        self
    }

    /// Sets what the supervisor may do, and its name among the scopes; unless set it is called as by [`name`](Self::name), may
    /// run tasks and give work to every worker that takes it from anybody.
    ///
    /// What is learned is up to the [`memory`](Self::memory), which has scopes of its own.
    #[must_use]
    pub fn scope(mut self, scope: MemoryScope) -> Self {
        self.parts.scope = Some(scope);
        self
    }

    /// Adds a worker. One that the supervisor may not give work to is left out when it is built, with a warning that names the
    /// rule.
    #[must_use]
    pub fn worker(mut self, worker: impl Worker) -> Self {
        self.parts.workers.push(Arc::new(worker));
        self
    }

    /// Adds workers.
    #[must_use]
    pub fn workers(mut self, workers: impl IntoIterator<Item = Arc<dyn Worker>>) -> Self {
        self.parts.workers.extend(workers);
        self
    }

    /// Sets where runs are kept.
    #[must_use]
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.parts.journal = Arc::new(GuardedJournal::new(journal));
        self
    }

    /// Sets who makes plans.
    #[must_use]
    pub fn decomposer(mut self, decomposer: impl Decomposer) -> Self {
        self.parts.decomposer = Arc::new(decomposer);
        self
    }

    /// Sets who chooses workers. It has 1 s for an answer, unless it is [`Inline`].
    #[must_use]
    pub fn router(mut self, router: impl Into<Part<dyn Router>>) -> Self {
        self.parts.policies.router = router.into();
        self
    }

    /// Sets who makes one output of all results.
    #[must_use]
    pub fn aggregator(mut self, aggregator: impl Aggregator) -> Self {
        self.parts.aggregator = Arc::new(aggregator);
        self
    }

    /// Sets what follows from failures. The handler has 1 s for an answer, unless it is [`Inline`].
    #[must_use]
    pub fn failure_handler(mut self, handler: impl Into<Part<dyn FailureHandler>>) -> Self {
        self.parts.policies.failure_handler = handler.into();
        self
    }

    /// Adds a gate that every result must pass, beside those of its subtask. All gates together have 1 s for a
    /// result, unless each is [`Inline`].
    #[must_use]
    pub fn gate(mut self, gate: impl Into<Part<dyn QualityGate>>) -> Self {
        self.parts.policies.gates.push(gate.into());
        self
    }

    /// Sets who remembers: it is asked before a run starts and for every attempt, and told how the run went.
    #[must_use]
    pub fn memory(mut self, memory: Arc<dyn Memory>) -> Self {
        self.parts.memory = Some(GuardedMemory::new(memory));
        self.parts.policies.has_memory = true;
        self
    }

    /// Sets who ends what attempts of a dead supervisor left behind; needed when workers start processes.
    #[must_use]
    pub fn reaper(mut self, reaper: impl Reaper) -> Self {
        self.parts.reaper = GuardedReaper::new(Arc::new(reaper));
        self
    }

    /// Sets this process as others can check whether it lives.
    #[must_use]
    pub fn process(mut self, process: ProcessId) -> Self {
        self.parts.process = process;
        self
    }

    /// Sets the settings of runs that bring none.
    #[must_use]
    pub fn settings(mut self, settings: RunSettings) -> Self {
        self.parts.settings = settings;
        self
    }

    /// Sets how many subtasks run at once, in runs that bring no settings.
    #[must_use]
    pub fn strategy(mut self, strategy: ExecutionStrategy) -> Self {
        self.parts.settings.strategy = strategy;
        self
    }

    /// Sets the most attempts in flight in this process; 1,024 unless set.
    #[must_use]
    pub fn process_cap(mut self, cap: u32) -> Self {
        self.parts.process_cap = cap;
        self
    }

    /// Sets where the time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.parts.clock = clock;
        self
    }

    /// Sets how long this process owns its runs without a sign of life; 15 s unless set.
    #[must_use]
    pub fn owner_ttl(mut self, ttl: Duration) -> Self {
        self.parts.owner_ttl = ttl;
        self
    }

    /// Foretells a run of `plan`, which must be valid: who would do what and when, how long it takes and what it costs, by what
    /// `memory` knows. All attempts are taken to succeed. Starts nothing and writes nothing; the same arguments give the same
    /// answer. `now` is what deadlines are compared with.
    pub fn forecast(
        &self,
        task: &ComplexTask,
        plan: &DecompositionPlan,
        settings: &RunSettings,
        memory: &MemorySnapshot,
        now: Timestamp,
    ) -> Forecast {
        let workers = Delegation::new(self.parts.own_scope()).admitted(&self.parts.workers);
        let cast = Cast {
            workers: &workers,
            policies: self.parts.policies.clone(),
            process_cap: self.parts.process_cap,
        };
        forecast(&cast, &Script { task, plan, settings, memory, now })
    }

    /// Starts the supervisor's task.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled.
    pub fn build(self) -> Supervisor {
        Supervisor::start(self.parts)
    }
}
