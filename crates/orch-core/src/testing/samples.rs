//! Sample runs and events.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::journal::{Append, RunHead, RunSummary};
use crate::learned::Priors;
use crate::*;

/// Returns the time that is so many seconds after the epoch, and some microseconds; stores keep times to the microsecond.
pub fn time(seconds: u32) -> Timestamp {
    let micros = i64::from(seconds) * 1_000_000 + 123_456;
    Timestamp::from_microsecond(micros).expect("every u32 of seconds is a time")
}

/// A run that a test appends to. Number `n` is submitted at [`time(n)`](time).
#[derive(Debug, Clone)]
pub struct SampleRun {
    /// What never changes.
    pub head: Arc<RunHead>,
}

impl SampleRun {
    /// Makes the run with this number in project `p`.
    pub fn new(number: u32) -> Self {
        Self::in_project(number, "p")
    }

    /// Makes the run with this number in `project`.
    pub fn in_project(number: u32, project: &str) -> Self {
        let run = RunId::new(time(number), u128::from(number) << 64);
        let task = ComplexTask::new(format!("task-{number}"), "Do \"it\"\nwell", "general");
        Self { head: Arc::new(RunHead::new(run, project.into(), &task, time(number))) }
    }

    /// Makes a run that was submitted under a request key.
    #[must_use]
    pub fn with_request_key(mut self, key: &str) -> Self {
        let key = Some(RequestKey::new(key));
        self.head = Arc::new(RunHead::clone(&self.head).with_request_key(key));
        self
    }

    /// Returns the run's id.
    pub fn id(&self) -> RunId {
        self.head.run
    }

    /// Returns an append of `events` after the event `expected`, one second each, that leaves the run active.
    pub fn append(&self, expected: u64, events: Vec<Event>) -> Append {
        self.append_in_phase(expected, events, RunPhase::Active, None)
    }

    /// Returns an append of `count` small events after the event `expected`.
    pub fn step(&self, expected: u64, count: u32) -> Append {
        self.append(
            expected,
            (1..=count)
                .map(|concurrency_limit| Event::ConcurrencyLimitChanged { concurrency_limit })
                .collect(),
        )
    }

    /// Returns an append that ends the run.
    pub fn end(&self, expected: u64) -> Append {
        let ended = Event::RunEnded {
            status: EndStatus::Completed,
            output: Value::Null,
            blob: None,
            conflicts: Vec::new(),
            confidence: 1.0,
            errors: Vec::new(),
        };
        self.append_in_phase(expected, vec![ended], RunPhase::Ended, Some(EndStatus::Completed))
    }

    fn append_in_phase(
        &self,
        expected: u64,
        events: Vec<Event>,
        phase: RunPhase,
        end: Option<EndStatus>,
    ) -> Append {
        let recorded: Vec<Recorded> = (expected + 1..)
            .zip(events)
            .map(|(seq, event)| {
                let at = time(u32::try_from(seq).expect("samples are short"));
                // Who caused it is stored with some events, and not with others.
                let by = (seq % 2 == 0).then(|| Arc::new(sample_actor()));
                Recorded::new(Seq(seq), at, event).with_by(by)
            })
            .collect();
        let summary = RunSummary::new(phase, end, Counts::default());
        Append::new(self.head.clone(), Seq(expected), None, recorded.into(), summary)
    }
}

/// Returns an actor of whom all is known.
fn sample_actor() -> Actor {
    Actor::new()
        .with_process("orch run".to_owned())
        .with_user("J\u{f6}rg \"}".to_owned())
        .with_client(Client::new("claude-code", "2.1.0"))
        .with_agent(worker())
}

/// Returns a plan of `count` subtasks, each depending on the one before.
pub fn sample_plan(count: u32) -> DecompositionPlan {
    let id = |number: u32| format!("subtask-{number}");
    DecompositionPlan::new((0..count).map(|number| {
        let before = number.checked_sub(1).map(id);
        Subtask::new(id(number), format!("Do step {number} of \u{1F4DA} many"), "general")
            .with_dependencies(before)
            .with_context(object(json!({ "number": number, "share": f64::from(number) / 3.0 })))
    }))
}

/// Returns events of every kind, with and without what may be left out, and with values that are easily damaged: large
/// integers, fractions, text beyond ASCII, keys out of order.
pub fn sample_events() -> Vec<Event> {
    [submission(), attempts(), results(), ends_of_attempts(), course(), end()].concat()
}

const SUBTASK: SubtaskIndex = SubtaskIndex(7);
const FENCE: Fence = Fence(9_007_199_254_740_993);
const TOKEN: Token = Token(0x0123_4567_89ab_cdef);

fn object(value: Value) -> JsonMap {
    let Value::Object(map) = value else { unreachable!("{value} is no object") };
    map
}

fn hostile() -> Value {
    json!({
        "z": [0.1 + 0.2, 1e300, -0.5, u64::MAX, i64::MIN],
        "a": { "\u{0}\n\"\\": "\u{1F980} \u{e4}\u{308}", "": null },
        "type": "run_ended",
        "nested": [[[[{}]], []], true],
    })
}

fn worker() -> WorkerName {
    WorkerName::new("W\u{f6}rker 1")
}

fn blob() -> BlobRef {
    BlobRef { hash: Digest::of_bytes(b"blob"), size: u64::MAX }
}

fn subtask() -> Subtask {
    Subtask::new("b", "Do b", "testing")
        .with_parent_task_id("t")
        .with_priority(99_u8)
        .with_dependencies(["a", "c"])
        .with_context(object(hostile()))
        .with_deadline(Timestamp::MAX)
        .with_constraints(
            Constraints::new()
                .with_require_worker(worker())
                .with_exclude_workers(vec!["x".into()])
                .with_prefer(vec!["y".into()])
                .with_tags(vec!["tag".to_owned()])
                .with_max_cost_usd(0.1 + 0.2),
        )
        .with_tolerates(["c"])
        .with_required(true)
        .with_locks(["lock"])
        .with_replicas(3_u32)
        .with_group("g".to_owned())
        .with_gates(vec![
            Gate::NonEmpty,
            Gate::MinLength(1),
            Gate::MaxLength(u64::MAX),
            Gate::HasKeys(vec!["k".to_owned()]),
            Gate::MinConfidencePercent(80),
        ])
        .with_artifacts(vec!["report".to_owned()])
        .with_timeout_ms(1_u64)
        .with_estimated_duration_ms(u64::MAX)
}

fn submission() -> Vec<Event> {
    let task = ComplexTask::new("t", "Do it", "general");
    let full = task
        .clone()
        .with_context(object(hostile()))
        .with_constraints(Constraints::new().with_tags(vec!["tag".to_owned()]))
        .with_deadline(time(1));
    let plan = DecompositionPlan::new([Subtask::new("a", "Do a", ""), subtask()])
        .with_confidence(1.0 / 3.0)
        .with_source(PlanSource::Memory)
        .with_notes(vec!["note".to_owned()]);
    let settings = RunSettings::default();
    let parent = ParentAttempt::new(RunId::new(time(1), 1), "a", FENCE);
    let origin = Origin::new()
        .with_parent(parent)
        .with_depth(u32::MAX)
        .with_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned())
        .with_client(Client::new("a client", ""));
    let adopted = |revision, retire, add: DecompositionPlan| Event::PlanAdopted {
        revision,
        base_seq: Seq(u64::MAX),
        retire,
        add: Arc::new(add),
        priors: Priors::default(),
    };
    vec![
        Event::RunSubmitted {
            task: Arc::new(task),
            settings: Arc::new(settings.clone()),
            given: None,
            seed: 0,
            origin: Arc::default(),
        },
        Event::RunSubmitted {
            task: Arc::new(full),
            settings: Arc::new(settings.with_project("project")),
            given: Some(Arc::new(plan.clone())),
            seed: u64::MAX,
            origin: Arc::new(origin),
        },
        adopted(1, Vec::new(), plan.clone()),
        adopted(2, vec![SUBTASK, SubtaskIndex(u32::MAX)], plan),
    ]
}

fn attempts() -> Vec<Event> {
    let route = || {
        Some(Box::new(RoutingNote {
            confidence: 0.1 + 0.2,
            reason: "best".to_owned(),
            fallback: vec![worker()],
        }))
    };
    let card = || Some(Digest::of_bytes(b"card"));
    let offered = |route| Event::AttemptOffered {
        subtask: SUBTASK,
        fence: FENCE,
        token: TOKEN,
        worker: worker(),
        card: card(),
        until: time(2),
        route,
    };
    let started = |claimed, reserved_micro_usd, request_key, route| Event::AttemptStarted {
        subtask: SUBTASK,
        fence: FENCE,
        token: TOKEN,
        worker: worker(),
        card: card().filter(|_| claimed),
        claimed,
        until: time(2),
        reserved_micro_usd,
        request_key,
        route,
    };
    vec![
        offered(None),
        offered(route()),
        started(false, None, None, None),
        started(true, Some(u64::MAX), Some("key".into()), route()),
        Event::LeaseExtended { fence: FENCE, until: Timestamp::MIN },
    ]
}

fn stored(blob: Option<BlobRef>) -> Arc<StoredResult> {
    let metadata = json!({
        "usage": { "input_tokens": u64::MAX, "cost_usd": 0.1 + 0.2 },
        "artifacts": [{ "name": "report", "uri": "file:///r.md" }],
        "evidence": { "stderr": "oh\n" },
    });
    let output = if blob.is_some() { Value::Null } else { hostile() };
    let result = WorkerResult::success("b", worker(), output)
        .with_duration_ms(5_u64)
        .with_confidence(2.0 / 3.0)
        .with_metadata(object(metadata));
    Arc::new(StoredResult { result: Arc::new(result), blob })
}

fn usage() -> Usage {
    Usage::default().with_input_tokens(1_u64).with_output_tokens(2_u64).with_cost_usd(1e-7)
}

fn results() -> Vec<Event> {
    let received = |result, late, request_key| Event::ResultReceived {
        subtask: SUBTASK,
        fence: FENCE,
        digest: Digest::of_bytes(b"report"),
        result,
        late,
        request_key,
    };
    let evidence = |kind| {
        let digest = Digest::of_bytes(b"late");
        Some(Box::new(Evidence { kind, subtask: SUBTASK, digest, result: stored(None) }))
    };
    let noted = |usage, evidence| Event::UsageNoted { fence: FENCE, usage, evidence };
    vec![
        received(stored(None), false, None),
        received(stored(Some(blob())), true, Some("key".into())),
        Event::SubtaskCompleted {
            subtask: SUBTASK,
            source: ResultSource::Attempt { fence: FENCE },
        },
        noted(None, evidence(EvidenceKind::Stale)),
        noted(Some(usage()), evidence(EvidenceKind::Conflicting)),
        noted(None, evidence(EvidenceKind::Stopped)),
    ]
}

fn failures() -> impl Iterator<Item = Failure> {
    let full = |cause| {
        Failure::new(cause, "it broke: \u{1F4A5}")
            .with_retry_after_ms(u64::MAX)
            .with_evidence(object(hostile()))
    };
    Cause::ALL.iter().map(move |cause| full(*cause))
}

fn ends_of_attempts() -> Vec<Event> {
    let failed = |failure, digest, usage, request_key| Event::AttemptFailed {
        subtask: SUBTASK,
        fence: FENCE,
        failure: Box::new(failure),
        digest,
        usage,
        request_key,
    };
    let bare = failed(Failure::new(Cause::Crash, ""), None, None, None);
    let digest = Some(Digest::of_bytes(b"report"));
    let full = failures().map(|f| failed(f, digest, Some(usage()), Some("key".into())));
    let lost = LossCause::ALL.iter().map(|cause| Event::AttemptLost {
        subtask: SUBTASK,
        fence: FENCE,
        cause: *cause,
    });
    let closed = AttemptClosedReason::ALL.iter().map(|reason| Event::AttemptClosed {
        subtask: SUBTASK,
        fence: FENCE,
        reason: *reason,
    });
    [bare].into_iter().chain(full).chain(lost).chain(closed).collect()
}

fn course() -> Vec<Event> {
    let retry = |worker| Event::RetryScheduled {
        subtask: SUBTASK,
        retry: 1,
        until: time(3),
        worker,
        reason: "again".to_owned(),
    };
    let made = InterventionType::ALL.iter().map(|kind| Event::InterventionMade {
        subject: InterventionSubject::Subtask { subtask: SUBTASK },
        intervention: Box::new(Intervention::new(*kind, "a loop", "another way")),
    });
    let rest = [
        retry(None),
        retry(Some(worker())),
        Event::SubtaskFailed {
            subtask: SUBTASK,
            failure: Box::new(Failure::new(Cause::Auth, "no")),
            reason: "no retry".to_owned(),
        },
        Event::SubtaskSkipped {
            subtask: SUBTASK,
            because: SkipReason::Dependency { subtask: SubtaskIndex(0) },
        },
        Event::InterventionJudged { subtask: SUBTASK, helped: true },
        Event::InterventionJudged { subtask: SUBTASK, helped: false },
        Event::ConcurrencyLimitChanged { concurrency_limit: u32::MAX },
    ];
    made.chain(rest).collect()
}

fn resolution() -> Resolution {
    Resolution {
        path: "/a~1b/\u{e4}".to_owned(),
        kept: Claimant { subtask: "a".into(), confidence: 0.1 + 0.2 },
        dropped: Claimant { subtask: "b".into(), confidence: 0.0 },
        decided_by: DecidedBy::Confidence,
    }
}

fn end() -> Vec<Event> {
    let cancelled = CancelReason::ALL.iter().map(|reason| Event::CancelRequested {
        reason: *reason,
        until: time(4),
        detail: if *reason == CancelReason::Requested { String::new() } else { "why".to_owned() },
    });
    let ended = EndStatus::ALL.iter().map(|status| Event::RunEnded {
        status: *status,
        output: hostile(),
        blob: None,
        conflicts: vec![
            Conflict::new("a lost"),
            Conflict::new("b lost").with_resolution(resolution()),
        ],
        confidence: 0.1 + 0.2,
        errors: vec!["oh".to_owned()],
    });
    let bare = Event::RunEnded {
        status: EndStatus::Partial,
        output: Value::Null,
        blob: Some(blob()),
        conflicts: Vec::new(),
        confidence: 0.0,
        errors: Vec::new(),
    };
    let pause = [
        Event::RunSuspended { reason: "Ctrl-C".to_owned() },
        Event::RunResumed { epoch: Epoch(u64::MAX) },
    ];
    pause.into_iter().chain(cancelled).chain(ended).chain([bare]).collect()
}
