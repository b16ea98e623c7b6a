//! Tests of the choice between runs: it is fair, and it comes to rest.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use orch_core::{
    ComplexTask, DecompositionPlan, Digest, Epoch, ExecutionStrategy, RunId, RunSettings,
    StoredResult, Subtask, WorkerResult,
};

use super::{AttemptEnd, Driver, Input, Output, Submission};
use crate::sim::{policies_of_defaults, worker_of};

/// A driver whose journal, planner and aggregator answer at once.
struct Process {
    driver: Driver,
    started: Vec<(RunId, orch_core::Fence)>,
}

impl Process {
    fn new(cap: u32) -> Self {
        let mut driver = Driver::new(policies_of_defaults(), cap, 0);
        let one = |name| Input::Register(worker_of(name, 1));
        driver.step([one("busy"), one("other")], Timestamp::UNIX_EPOCH);
        Self { driver, started: Vec::new() }
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.driver.step([input], Timestamp::UNIX_EPOCH) {
                inputs.extend(self.answer(output));
            }
        }
    }

    fn answer(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Append(append) => Some(Input::Appended { run: append.head.run }),
            Output::Acquire { run } => Some(Input::Acquired { run, epoch: Epoch(1) }),
            Output::Plan { run, given, .. } => Some(Input::Planned {
                run,
                plan: Ok((*given.expect("all plans are given")).clone()),
            }),
            Output::Start(start) => {
                self.started.push((start.run, start.attempt.fence));
                None
            }
            Output::Load { .. }
            | Output::Release { .. }
            | Output::Stop { .. }
            | Output::Reap { .. }
            | Output::Recall { .. }
            | Output::Ask(_)
            | Output::Aggregate(_)
            | Output::Reply { .. }
            | Output::Publish { .. }
            | Output::Ended { .. }
            | Output::CheckOwner { .. }
            | Output::Left { .. } => None,
        }
    }

    /// Submits a run of one subtask for `worker`. Runs are ordered by `number`.
    fn submit(&mut self, number: u8, worker: &str) -> RunId {
        let run = RunId::new(Timestamp::UNIX_EPOCH, u128::from(number) << 120);
        let plan = DecompositionPlan::new([Subtask::new("s", "Do it", worker)]);
        let settings = RunSettings::default().with_strategy(ExecutionStrategy::Parallel);
        let submission = Submission {
            run,
            task: Arc::new(ComplexTask::new("t", "Do it", "test")),
            settings: Arc::new(settings),
            given: Some(Arc::new(plan)),
            request_key: None,
            origin: Arc::default(),
            by: None,
            reply: 0,
        };
        self.feed(Input::Submit(Box::new(submission)));
        run
    }

    fn finish(&mut self, run: RunId) {
        let place = self.started.iter().position(|(started, _)| *started == run);
        let (run, fence) = self.started.remove(place.expect("the run makes an attempt"));
        let result = WorkerResult::success("s", "w", 1.into());
        let body = Arc::new(StoredResult { result: Arc::new(result), blob: None });
        let digest = Digest::of_bytes(&[]);
        let end = Box::new(AttemptEnd { digest, body, blob: None, failure: None, has_begun: true });
        self.feed(Input::Finished { run, fence, end });
    }
}

/// Three runs wait for the process, then for a worker that is busy; each of them finds another before it, in the one queue or
/// in the other.
#[test]
fn runs_that_wait_for_each_other_come_to_rest() {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let mut process = Process::new(2);
        let busy = process.submit(1, "busy");
        let other = process.submit(2, "other");
        let waiting = [5, 4, 3].map(|number| process.submit(number, "busy"));
        // There is room in the process, but none at the worker.
        process.finish(other);
        assert_eq!(process.started, [(busy, orch_core::Fence(1))]);
        process.finish(busy);
        assert_eq!(process.started.len(), 1, "one of those who wait has its turn");
        while let Some((run, _)) = process.started.first().copied() {
            process.finish(run);
        }
        assert!(waiting.iter().all(|run| process.driver.state(*run).is_some_and(|s| s.all_over())));
        let _ = done.send(());
    });
    // A thread that turns in circles, or has panicked, never sends.
    assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(()));
}
