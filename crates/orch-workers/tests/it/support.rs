//! What the tests share: attempts, workers made of a line of shell, and a look at who lives.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::journal::ProcessId;
use orch_core::{
    AttemptInfo, Fence, ProcessLog, RunId, Subtask, Token, Worker, WorkerContext, WorkerError,
    WorkerResult,
};
use orch_workers::{CommandConfig, CommandWorker, ProjectPaths};
use serde_json::{Value, json};

/// A run that no other test uses.
pub(crate) fn new_run() -> RunId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let entropy = u128::from(std::process::id()) << 96
        | u128::from(NEXT.fetch_add(1, Ordering::SeqCst)) << 64;
    RunId::new(jiff::Timestamp::from_second(1_700_000_000).unwrap(), entropy)
}

pub(crate) fn subtask() -> Subtask {
    Subtask::new("a", "Do it", "test")
}

pub(crate) fn context_of(subtask: Subtask) -> WorkerContext {
    let attempt = AttemptInfo::new(new_run(), Fence(3), Token(0xabc), &subtask.id, 60_000);
    WorkerContext::new(subtask, attempt)
}

pub(crate) fn context() -> WorkerContext {
    context_of(subtask())
}

pub(crate) fn worker_in(config: CommandConfig, folder: &str) -> CommandWorker {
    CommandWorker::new("w", config, ProjectPaths::new(folder, folder)).unwrap()
}

pub(crate) fn worker(config: CommandConfig) -> CommandWorker {
    worker_in(config, "/")
}

/// The configuration of a line of shell; further arguments are `$1`, `$2` and so on.
pub(crate) fn shell(script: &str) -> CommandConfig {
    CommandConfig::new(["sh", "-c", script, "sh"])
}

pub(crate) fn shell_with(script: &str, arguments: &[&str]) -> CommandConfig {
    let mut config = shell(script);
    config.command.extend(arguments.iter().map(ToString::to_string));
    config
}

pub(crate) async fn run(config: CommandConfig) -> Result<WorkerResult, WorkerError> {
    worker(config).execute(context()).await
}

pub(crate) fn evidence(result: &WorkerResult) -> Value {
    json!(result.evidence().unwrap().unwrap())
}

/// Waits until `holds`, and fails when that takes longer than any machine needs.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    let what = what.to_owned();
    async move {
        for _ in 0..4_000 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited in vain until {what}, at {place}");
    }
}

pub(crate) async fn until_there(file: &Path) {
    until(&format!("{} is there", file.display()), || file.exists()).await;
}

/// Who carries the name of the attempt in its environment and has not ended.
#[cfg(target_os = "linux")]
pub(crate) fn living(attempt: &AttemptInfo) -> Vec<u32> {
    let name = format!("ORCH_ATTEMPT={}/{}", attempt.run_id, attempt.fence);
    let pids = std::fs::read_dir("/proc").unwrap();
    pids.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|b| *b == 0).any(|entry| entry == name.as_bytes()) && runs(*pid)
        })
        .collect()
}

#[cfg(target_os = "linux")]
pub(crate) fn runs(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains("zombie"))
}

/// Remembers the processes that it was told of.
#[derive(Default)]
pub(crate) struct Noted(Mutex<Vec<ProcessId>>);

impl Noted {
    pub(crate) fn all(&self) -> Vec<ProcessId> {
        self.0.lock().unwrap().clone()
    }
}

impl ProcessLog for Noted {
    fn started(&self, process: ProcessId) {
        self.0.lock().unwrap().push(process);
    }
}

pub(crate) fn noting(mut context: WorkerContext) -> (WorkerContext, Arc<Noted>) {
    let noted = Arc::new(Noted::default());
    context.processes = Some(noted.clone());
    (context, noted)
}
