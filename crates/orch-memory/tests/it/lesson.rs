//! Whole runs as a journal has them, to learn from.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use orch_core::journal::{Append, Recorded, RunHead, RunSummary};
use orch_core::learned::Priors;
use orch_core::{
    Cause, ComplexTask, Counts, DecompositionPlan, Digest, EndStatus, Event, Failure, Fence,
    Journal, ResultSource, RunId, RunPhase, RunSettings, Seq, StoredResult, Subtask, SubtaskIndex,
    Token, WorkerResult,
};
use serde_json::{Value, json};

/// One attempt of a lesson: each has a subtask of its own.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) task_type: String,
    pub(crate) worker: String,
    /// `None` when it succeeds.
    pub(crate) cause: Option<Cause>,
    pub(crate) duration_ms: u64,
    /// What its worker says that it has learned, when it succeeds.
    pub(crate) lesson: Option<String>,
}

/// A run with its attempts.
#[derive(Debug, Clone)]
pub(crate) struct Lesson {
    pub(crate) number: u32,
    pub(crate) day: i32,
    pub(crate) task_type: String,
    pub(crate) text: String,
    pub(crate) tries: Vec<Try>,
}

pub(crate) fn done(task_type: &str, worker: &str, duration_ms: u64) -> Try {
    Try {
        task_type: task_type.to_owned(),
        worker: worker.to_owned(),
        cause: None,
        duration_ms,
        lesson: None,
    }
}

pub(crate) fn failed(task_type: &str, worker: &str, cause: Cause) -> Try {
    Try { cause: Some(cause), ..done(task_type, worker, 0) }
}

impl Lesson {
    pub(crate) fn new(number: u32, text: &str, tries: impl Into<Vec<Try>>) -> Self {
        let (task_type, text) = ("audit".to_owned(), text.to_owned());
        Self { number, day: 20_000, task_type, text, tries: tries.into() }
    }

    pub(crate) fn id(&self) -> RunId {
        RunId::new(self.start(), u128::from(self.number) << 64)
    }

    fn start(&self) -> Timestamp {
        let start = i64::from(self.day) * 86_400 + i64::from(self.number % 80_000);
        Timestamp::from_second(start).unwrap()
    }

    fn task(&self) -> ComplexTask {
        ComplexTask::new(format!("task-{}", self.number), self.text.clone(), self.task_type.clone())
    }

    /// The events, a millisecond apart.
    pub(crate) fn recorded(&self) -> Vec<Recorded> {
        let settings = RunSettings::default().with_project("p");
        let (task, settings) = (Arc::new(self.task()), Arc::new(settings));
        let mut events = vec![Event::RunSubmitted {
            task,
            settings,
            given: None,
            seed: 1,
            origin: Arc::default(),
        }];
        let subtasks = (0..).zip(&self.tries).map(|(index, attempt): (u32, _)| {
            let text = format!("{} part {index}", self.text);
            Subtask::new(format!("s{index}"), text, attempt.task_type.clone())
        });
        let add = Arc::new(DecompositionPlan::new(subtasks).with_parallelism_factor(2.0));
        events.push(Event::PlanAdopted {
            revision: 1,
            base_seq: Seq(1),
            retire: Vec::new(),
            add,
            priors: Priors::default(),
        });
        for (index, attempt) in (0..).zip(&self.tries) {
            events.extend(attempt.events(SubtaskIndex(index), Fence(u64::from(index) + 1)));
        }
        let status = if self.tries.iter().all(|attempt| attempt.cause.is_none()) {
            EndStatus::Completed
        } else {
            EndStatus::Failed
        };
        events.push(Event::RunEnded {
            status,
            output: Value::Null,
            blob: None,
            conflicts: Vec::new(),
            confidence: 1.0,
            errors: Vec::new(),
        });
        (1_u64..)
            .zip(events)
            .map(|(seq, event)| {
                let at = self.start() + SignedDuration::from_millis(seq.cast_signed());
                Recorded::new(Seq(seq), at, event)
            })
            .collect()
    }

    /// Appends those of its events that come after `from` and up to `to`.
    pub(crate) async fn append(&self, journal: &dyn Journal, from: usize, to: usize) {
        let events = self.recorded();
        let to = to.min(events.len());
        if from >= to {
            return;
        }
        let is_over = to == events.len();
        let phase = if is_over { RunPhase::Ended } else { RunPhase::Active };
        let head = RunHead::new(self.id(), "p".into(), &self.task(), self.start());
        let summary =
            RunSummary::new(phase, is_over.then_some(EndStatus::Completed), Counts::default());
        let piece = events[from..to].to_vec().into();
        journal
            .append(Append::new(head.into(), Seq(from as u64), None, piece, summary))
            .await
            .unwrap();
    }

    /// Appends all of its events.
    pub(crate) async fn append_all(&self, journal: &dyn Journal) {
        self.append(journal, 0, usize::MAX).await;
    }
}

impl Try {
    fn events(&self, subtask: SubtaskIndex, fence: Fence) -> Vec<Event> {
        let started = Event::AttemptStarted {
            subtask,
            fence,
            token: Token(fence.0),
            worker: self.worker.as_str().into(),
            card: None,
            claimed: false,
            until: Timestamp::UNIX_EPOCH,
            reserved_micro_usd: None,
            request_key: None,
            route: None,
        };
        let Some(cause) = self.cause else {
            let result = WorkerResult::success("s", self.worker.as_str(), json!(1))
                .with_duration_ms(self.duration_ms)
                .with_metadata(
                    json!({ "usage": { "cost_usd": 0.01, "output_tokens": 50 }, "lessons": Vec::from_iter(&self.lesson) })
                        .as_object()
                        .cloned()
                        .unwrap(),
                );
            let result = Arc::new(StoredResult { result: result.into(), blob: None });
            let digest = Digest::of_bytes(&fence.0.to_le_bytes());
            let received = Event::ResultReceived {
                subtask,
                fence,
                digest,
                result,
                late: false,
                request_key: None,
            };
            return vec![
                started,
                received,
                Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } },
            ];
        };
        let failure = Failure::new(cause, format!("{cause} of {}", self.worker));
        let (failure, reason) = (Box::new(failure), "no more".to_owned());
        let attempt_failed = Event::AttemptFailed {
            subtask,
            fence,
            failure: failure.clone(),
            digest: None,
            usage: None,
            request_key: None,
        };
        vec![started, attempt_failed, Event::SubtaskFailed { subtask, failure, reason }]
    }
}
