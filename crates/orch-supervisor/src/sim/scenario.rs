//! What a case is about: plans, settings, workers, and the troubles to come. All of it follows from the case.

use std::sync::Arc;

use orch_core::{
    AggregationSettings, Budget, ComplexTask, Constraints, DecompositionPlan, ExecutionStrategy,
    Gate, RequestKey, RetryPolicy, RunSettings, Subtask, WorkerKind,
};

use super::Case;
use super::dice::Dice;
use super::parts::SimWorker;
use super::world::at;

/// What is going to happen, apart from what follows from it.
pub(super) struct Scenario {
    pub(super) processes: usize,
    pub(super) process_cap: u32,
    pub(super) workers: Vec<Arc<SimWorker>>,
    pub(super) runs: Vec<PlannedRun>,
    pub(super) troubles: Vec<(u64, Trouble)>,
    /// Chances in a hundred.
    pub(super) chances: Chances,
    /// When faults stop.
    pub(super) quiet_at: u64,
}

/// A run to be submitted.
pub(super) struct PlannedRun {
    pub(super) at: u64,
    pub(super) process: usize,
    pub(super) task: Arc<ComplexTask>,
    pub(super) settings: Arc<RunSettings>,
    pub(super) plan: Arc<DecompositionPlan>,
    pub(super) key: Option<RequestKey>,
}

/// How often small things go wrong, in a hundred.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chances {
    pub(super) lost: u64,
    pub(super) unknown: u64,
    /// An append that is carried out after its writer was told that it failed.
    pub(super) belated: u64,
    pub(super) late: u64,
    pub(super) load_fails: u64,
    pub(super) acquire_fails: u64,
    pub(super) reap_fails: u64,
    pub(super) odd_policy: u64,
    /// Pull workers forge, contradict and repeat themselves.
    pub(super) mischief: u64,
}

/// Something that happens to the world as a whole. Runs and processes are named by number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    /// The process dies after so many more outputs.
    Crash {
        process: usize,
        outputs: u64,
    },
    /// The process lives, but gives no sign of life for so long, in milliseconds.
    Silence {
        process: usize,
        ms: u64,
    },
    /// The process wants to own the run.
    Resume {
        process: usize,
        run: usize,
    },
    Suspend {
        process: usize,
        run: usize,
    },
    Cancel {
        process: usize,
        run: usize,
    },
    /// The process suspends its runs and ends.
    Shutdown {
        process: usize,
    },
    /// The wall clock jumps, in milliseconds.
    Jump {
        ms: u64,
    },
    /// A worker leaves a process and comes back after so long, in milliseconds.
    Absence {
        process: usize,
        worker: usize,
        ms: u64,
    },
}

/// Faults begin to fade after this time, in milliseconds.
const TROUBLED_MS: u64 = 3_000;

impl Scenario {
    pub(super) fn of(case: Case, dice: &mut Dice) -> Self {
        let processes = 1 + dice.index(2);
        let runs = (0..1 + dice.index(if case.size > 2 { 3 } else { 1 }))
            .map(|number| planned_run(number, case, processes, dice))
            .collect::<Vec<_>>();
        let troubles = troubles(case, processes, runs.len(), dice);
        let last = troubles.iter().map(|(at, _)| *at).max().unwrap_or(0);
        Self {
            processes,
            process_cap: u32::try_from(dice.between(1, 6)).unwrap_or(1),
            workers: workers(dice),
            runs,
            troubles,
            chances: chances(case, dice),
            quiet_at: last.max(TROUBLED_MS),
        }
    }
}

fn workers(dice: &mut Dice) -> Vec<Arc<SimWorker>> {
    let slots = dice.between(1, 3);
    vec![
        Arc::new(SimWorker::new("anna", &["a", "b"], WorkerKind::Managed, slots)),
        Arc::new(SimWorker::new("bert", &["a"], WorkerKind::Managed, 2)),
        Arc::new(SimWorker::new("carl", &["b"], WorkerKind::Managed, 1)),
        Arc::new(SimWorker::new("pia", &["p"], WorkerKind::Pull, 2)),
        Arc::new(SimWorker::new("paul", &["p", "b"], WorkerKind::Pull, 1)),
    ]
}

/// Every kind of fault is there in some cases and not in others, so that none hides another.
fn chances(case: Case, dice: &mut Dice) -> Chances {
    let level = u64::from(case.faults);
    let mut some = |most: u64| if dice.percent(60) { most * level / 10 } else { 0 };
    Chances {
        lost: some(20),
        unknown: some(20),
        belated: some(10),
        late: some(30),
        load_fails: some(30),
        acquire_fails: some(20),
        reap_fails: some(40),
        odd_policy: some(8),
        mischief: some(60),
    }
}

fn troubles(case: Case, processes: usize, runs: usize, dice: &mut Dice) -> Vec<(u64, Trouble)> {
    let count = dice.below(u64::from(case.faults) + 1);
    let mut all = Vec::new();
    for _ in 0..count {
        let at = dice.between(1, TROUBLED_MS);
        let (process, run) = (dice.index(processes), dice.index(runs));
        let other = processes - 1 - process.min(processes - 1);
        match dice.below(12) {
            0..4 => all.push((at, Trouble::Crash { process, outputs: dice.below(12) })),
            4 => {
                let ms = dice.between(1_500, 4_000);
                all.push((at, Trouble::Silence { process, ms }));
                all.push((at + ms / 2 + 600, Trouble::Resume { process: other, run }));
            }
            5 => all.push((at, Trouble::Resume { process, run })),
            6 => {
                all.push((at, Trouble::Suspend { process, run }));
                let again = at + dice.between(0, 400);
                all.push((again, Trouble::Resume { process: dice.index(processes), run }));
            }
            7 => all.push((at, Trouble::Cancel { process, run })),
            8 => all.push((at, Trouble::Shutdown { process })),
            9 => all.push((at, Trouble::Jump { ms: dice.between(5_000, 20_000) })),
            10 => {
                let (worker, ms) = (dice.index(3), dice.between(10, 500));
                all.push((at, Trouble::Absence { process, worker, ms }));
            }
            _else => {
                // A crash right after another one, while the first is being repaired.
                all.push((at, Trouble::Crash { process, outputs: dice.below(4) }));
                let again = at + dice.between(100, 700);
                all.push((again, Trouble::Crash { process, outputs: dice.below(8) }));
            }
        }
    }
    all
}

fn planned_run(number: usize, case: Case, processes: usize, dice: &mut Dice) -> PlannedRun {
    let deadline = dice.percent(6).then(|| at(dice.between(300, 4_000)));
    let task = ComplexTask::new(format!("task-{number}"), "Simulate something", "simulation")
        .with_deadline(deadline);
    PlannedRun {
        at: dice.below(200),
        process: dice.index(processes),
        task: Arc::new(task),
        settings: Arc::new(settings(dice)),
        plan: Arc::new(plan(case.size, dice)),
        key: dice.percent(50).then(|| RequestKey::new(format!("submit-{number}"))),
    }
}

fn settings(dice: &mut Dice) -> RunSettings {
    let strategies = [
        ExecutionStrategy::Sequential,
        ExecutionStrategy::Parallel,
        ExecutionStrategy::Parallel,
        ExecutionStrategy::Adaptive,
    ];
    let mut budget = Budget::default();
    if dice.percent(25) {
        budget.max_cost_micro_usd = Some(dice.between(1_000, 12_000));
        budget.aggregation_reserve_micro_usd = dice.below(500);
    }
    if dice.percent(8) {
        budget.max_tokens = Some(dice.between(50, 500));
    }
    if dice.percent(8) {
        budget.max_active_ms = Some(dice.between(500, 5_000));
    }
    let retry = RetryPolicy::default()
        .with_max_retries(dice.below(4) as u32)
        .with_retry_delay_ms(20_u64)
        .with_max_delay_ms(500_u64);
    RunSettings::default()
        .with_strategy(dice.pick(&strategies).unwrap_or(ExecutionStrategy::Parallel))
        .with_max_parallel(dice.between(1, 4) as u32)
        .with_initial_concurrency_limit(dice.between(1, 2) as u32)
        .with_retry(retry)
        .with_aggregation(AggregationSettings::default().with_min_success_ratio(0.5))
        .with_budget(budget)
        .with_attempt_timeout_ms(dice.between(300, 2_000))
        .with_lease_ms(dice.between(200, 1_500))
        .with_offer_timeout_ms(dice.between(500, 3_000))
        .with_grace_ms(dice.between(20, 200))
}

fn plan(size: u32, dice: &mut Dice) -> DecompositionPlan {
    let count = dice.between(1, u64::from(size.clamp(1, 12)));
    let mut subtasks: Vec<Subtask> = Vec::new();
    for number in 0..count {
        let subtask = subtask(number, &subtasks, dice);
        subtasks.push(subtask);
    }
    DecompositionPlan::new(subtasks)
}

fn subtask(number: u64, before: &[Subtask], dice: &mut Dice) -> Subtask {
    let task_type = dice.pick(&["a", "a", "b", "b", "p"]).unwrap_or("a");
    let mut on: Vec<_> = Vec::new();
    for earlier in before.iter().rev().take(4) {
        if dice.percent(35) {
            on.push(earlier.id.clone());
        }
    }
    let tolerated: Vec<_> = on.iter().filter(|_| dice.percent(25)).cloned().collect();
    let locks: Vec<&str> = ["red", "blue"].into_iter().filter(|_| dice.percent(15)).collect();
    let mut subtask = Subtask::new(format!("s{number}"), "Do a part of it", task_type)
        .with_dependencies(on)
        .with_tolerates(tolerated)
        .with_locks(locks);
    if dice.percent(20) {
        subtask.gates.push(Gate::NonEmpty);
    }
    if dice.percent(10) && task_type != "p" {
        subtask.replicas = 2;
    }
    if dice.percent(20) {
        subtask.priority = dice.below(101) as u8;
    }
    if dice.percent(20) {
        subtask.required = Some(dice.percent(50));
    }
    if dice.percent(20) {
        subtask.timeout_ms = Some(dice.between(50, 1_000));
    }
    if dice.percent(4) {
        subtask.deadline = Some(at(dice.between(100, 3_000)));
    }
    if dice.percent(20) {
        subtask.estimated_duration_ms = Some(dice.below(2_000));
    }
    if dice.percent(12) {
        let cost = dice.between(1, 3_000) as f64 / 1e6;
        subtask.constraints = Some(Constraints::new().with_max_cost_usd(cost));
    }
    subtask
}
