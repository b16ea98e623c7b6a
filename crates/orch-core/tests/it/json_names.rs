//! The JSON form of every type of the stories: their field names and defaults, ours beside them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use orch_core::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Checks that `value` has exactly this form, and comes back from it.
#[track_caller]
fn check<T: serde::Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    value: &T,
    expected: Value,
) {
    let form = serde_json::to_value(value).unwrap();
    assert_eq!(
        serde_json::to_string_pretty(&form).unwrap(),
        serde_json::to_string_pretty(&expected).unwrap()
    );
    assert_eq!(serde_json::from_value::<T>(form).unwrap(), *value);
}

fn object(value: Value) -> JsonMap {
    value.as_object().unwrap().clone()
}

fn at() -> Timestamp {
    "2026-01-29T10:00:00Z".parse().unwrap()
}

#[test]
fn worker_interface() {
    check(
        &WorkerCapability::new("forms", ["form_testing"])
            .with_description("Tests forms")
            .with_proficiency(0.9),
        json!({ "name": "forms", "description": "Tests forms", "task_types": ["form_testing"], "proficiency": 0.9 }),
    );
    check(
        &Subtask::new("b", "Do b", "testing"),
        json!({
            "id": "b", "parent_task_id": "", "description": "Do b", "task_type": "testing", "priority": 50,
            "dependencies": [], "context": {},
        }),
    );
    check(
        &Subtask::new("b", "Do b", "testing")
            .with_parent_task_id("t")
            .with_priority(70_u8)
            .with_dependencies(["a"])
            .with_context(object(json!({ "x": 1 })))
            .with_deadline(at())
            .with_constraints(
                Constraints::new()
                    .with_require_worker(WorkerName::new("w"))
                    .with_kind(WorkerKind::Managed)
                    .with_exclude_workers(vec!["v".into()])
                    .with_prefer(vec!["u".into()])
                    .with_tags(vec!["forms".to_owned()])
                    .with_max_cost_usd(0.5),
            )
            .with_tolerates(["a"])
            .with_required(false)
            .with_locks(["db"])
            .with_replicas(3_u32)
            .with_group("g".to_owned())
            .with_gates(vec![
                Gate::NonEmpty,
                Gate::MinLength(1),
                Gate::MaxLength(9),
                Gate::HasKeys(vec!["k".to_owned()]),
                Gate::MinConfidencePercent(80),
            ])
            .with_artifacts(vec!["report".to_owned()])
            .with_timeout_ms(5_u64)
            .with_estimated_duration_ms(7_u64),
        json!({
            "id": "b", "parent_task_id": "t", "description": "Do b", "task_type": "testing", "priority": 70,
            "dependencies": ["a"], "context": { "x": 1 }, "deadline": "2026-01-29T10:00:00Z",
            "constraints": {
                "require_worker": "w", "kind": "managed", "exclude_workers": ["v"], "prefer": ["u"],
                "tags": ["forms"], "max_cost_usd": 0.5,
            },
            "tolerates": ["a"], "required": false, "locks": ["db"], "replicas": 3, "group": "g",
            "gates": ["non_empty", { "min_length": 1 }, { "max_length": 9 }, { "has_keys": ["k"] },
                { "min_confidence_percent": 80 }],
            "artifacts": ["report"], "timeout_ms": 5, "estimated_duration_ms": 7,
        }),
    );
    check(
        &WorkerResult::success("b", "w", json!([1])),
        json!({
            "subtask_id": "b", "worker_name": "w", "success": true, "output": [1], "duration_ms": 0, "confidence": 1.0,
        }),
    );
    check(
        &WorkerResult::failure("b", "w", "no")
            .with_output(json!("half"))
            .with_duration_ms(3_u64)
            .with_error_message("broke".to_owned())
            .with_metadata(object(json!({ "usage": {} }))),
        json!({
            "subtask_id": "b", "worker_name": "w", "success": false, "output": "half", "error_message": "broke",
            "duration_ms": 3, "confidence": 0.0, "metadata": { "usage": {} },
        }),
    );
}

#[test]
fn supervisor() {
    check(
        &ComplexTask::new("t", "Do it", "general"),
        json!({ "id": "t", "description": "Do it", "task_type": "general", "context": {} }),
    );
    check(
        &ComplexTask::new("t", "Do it", "general")
            .with_context(object(json!({ "x": 1 })))
            .with_constraints(Constraints::new())
            .with_deadline(at()),
        json!({
            "id": "t", "description": "Do it", "task_type": "general", "context": { "x": 1 }, "constraints": {},
            "deadline": "2026-01-29T10:00:00Z",
        }),
    );
    check(
        &OrchestrationResult::new("t", EndStatus::Partial)
            .with_success(true)
            .with_subtask_results(vec![])
            .with_aggregated_output(json!({ "a": 1 }))
            .with_total_duration_ms(9_u64)
            .with_worker_utilization(BTreeMap::from([("w".into(), 0.5)]))
            .with_errors(vec!["oh".to_owned()])
            .with_conflicts_resolved(vec!["a won".to_owned()])
            .with_confidence(0.7),
        json!({
            "task_id": "t", "success": true, "status": "partial", "subtask_results": [], "aggregated_output": { "a": 1 },
            "total_duration_ms": 9, "worker_utilization": { "w": 0.5 }, "errors": ["oh"],
            "conflicts_resolved": ["a won"], "confidence": 0.7,
        }),
    );
    assert!(OrchestrationResult::new("t", EndStatus::Completed).success);
    assert!(!OrchestrationResult::new("t", EndStatus::Cancelled).success);
}

#[test]
fn decomposer_and_router() {
    check(
        &DecompositionPlan::new([Subtask::new("a", "A", "t")])
            .with_estimated_total_duration_ms(4_u64)
            .with_parallelism_factor(2.0)
            .with_confidence(0.6)
            .with_source(PlanSource::Planner)
            .with_notes(vec!["n".to_owned()]),
        json!({
            "subtasks": [{
                "id": "a", "parent_task_id": "", "description": "A", "task_type": "t", "priority": 50,
                "dependencies": [], "context": {},
            }],
            "dependency_graph": { "a": [] }, "estimated_total_duration_ms": 4, "parallelism_factor": 2.0,
            "confidence": 0.6, "source": "planner", "notes": ["n"],
        }),
    );
    check(
        &RoutingDecision::new("a", "w", "best")
            .with_fallback_workers(vec!["v".into()])
            .with_confidence(0.9),
        json!({
            "subtask_id": "a", "primary_worker": "w", "fallback_workers": ["v"], "confidence": 0.9, "reasoning": "best",
        }),
    );
}

#[test]
fn aggregator() {
    check(
        &AggregationResult::new(json!(1))
            .with_source_results(vec![])
            .with_failed_subtasks(vec!["b".into()])
            .with_conflicts_resolved(vec![Conflict::new("c")])
            .with_confidence(0.5),
        json!({
            "output": 1, "source_results": [], "failed_subtasks": ["b"], "conflicts_resolved": ["c"], "confidence": 0.5,
        }),
    );
    let (task, settings) = (ComplexTask::new("t", "", ""), AggregationSettings::default());
    let failed = ["a".into()];
    let input = AggregationInput::new(&task, &[], &[], &settings).with_failed(&failed);
    assert_eq!(input.failed, failed);
}

#[test]
fn memory() {
    check(
        &OrchestrationOutcome::new("o", "s", "p", "t", at())
            .with_task_description("Do it")
            .with_decomposition_strategy(DecompositionStrategy::PhaseBased)
            .with_subtask_count(1_u32)
            .with_routing_decisions(vec![RoutingRecord::new("a", "w", true)])
            .with_aggregation_strategy(AggregationStrategy::Vote)
            .with_overall_success(true)
            .with_total_duration_ms(9_u64)
            .with_worker_utilization(BTreeMap::from([("w".into(), 1.0)]))
            .with_lessons_learned("Go slow.".to_owned()),
        json!({
            "id": "o", "supervisor": "s", "project_id": "p", "task_type": "t", "task_description": "Do it",
            "decomposition_strategy": "phase_based", "subtask_count": 1,
            "routing_decisions": [{ "subtask": "a", "worker": "w", "success": true }],
            "aggregation_strategy": "vote", "overall_success": true, "total_duration_ms": 9,
            "worker_utilization": { "w": 1.0 }, "lessons_learned": "Go slow.", "timestamp": "2026-01-29T10:00:00Z",
        }),
    );
    check(
        &RoutingHeuristic::new("h", "When APIs", "Prefer Victor", at())
            .with_worker_preference(vec!["victor".into()])
            .with_confidence(0.5)
            .with_success_rate(0.6)
            .with_occurrence_count(7_u64),
        json!({
            "id": "h", "condition": "When APIs", "routing_strategy": "Prefer Victor", "worker_preference": ["victor"],
            "confidence": 0.5, "success_rate": 0.6, "occurrence_count": 7, "created_at": "2026-01-29T10:00:00Z",
        }),
    );
    let kept = RoutingHeuristic::new("h", "", "", at()).with_metadata(object(json!({ "k": 1 })));
    assert_eq!(serde_json::to_value(&kept).unwrap()["metadata"], json!({ "k": 1 }));
    check(
        &DecompositionHeuristic::new("d", "Refactoring", DecompositionStrategy::DomainBased, at())
            .with_typical_subtask_count(5_u32)
            .with_parallelism_factor(2.5)
            .with_confidence(0.5)
            .with_success_rate(0.6),
        json!({
            "id": "d", "task_pattern": "Refactoring", "decomposition_strategy": "domain_based",
            "typical_subtask_count": 5, "parallelism_factor": 2.5, "confidence": 0.5, "success_rate": 0.6,
            "created_at": "2026-01-29T10:00:00Z",
        }),
    );
    check(
        &MemoryScope::new("helena")
            .with_can_learn(vec!["a".to_owned()])
            .with_cannot_learn(vec!["b".to_owned()])
            .with_share_with(vec!["c".to_owned()])
            .with_inherit_from(vec!["d".to_owned()])
            .with_min_occurrences_for_heuristic(4_u32)
            .with_can_orchestrate(false)
            .with_subordinate_to("e".to_owned())
            .with_can_delegate_to(vec!["f".to_owned()]),
        json!({
            "agent_name": "helena", "can_learn": ["a"], "cannot_learn": ["b"], "share_with": ["c"],
            "inherit_from": ["d"], "min_occurrences_for_heuristic": 4, "can_orchestrate": false,
            "subordinate_to": "e", "can_delegate_to": ["f"],
        }),
    );
    let list = |name: &str| vec![name.to_owned()];
    check(
        &MemorySlice::new()
            .with_heuristics(list("h"))
            .with_outcomes(list("o"))
            .with_preferences(list("p"))
            .with_domain_knowledge(list("d"))
            .with_anti_patterns(list("a")),
        json!({
            "heuristics": ["h"], "outcomes": ["o"], "preferences": ["p"], "domain_knowledge": ["d"],
            "anti_patterns": ["a"],
        }),
    );
}

#[test]
fn failure_handler() {
    check(
        &RetryPolicy::default(),
        json!({
            "max_retries": 2, "retry_delay_ms": 1000, "exponential_backoff": true, "max_delay_ms": 60000,
            "use_fallback_worker": true,
        }),
    );
    check(
        &RetryPolicy::default()
            .with_max_retries(1_u32)
            .with_retry_delay_ms(2_u64)
            .with_exponential_backoff(false)
            .with_max_delay_ms(3_u64)
            .with_use_fallback_worker(false),
        json!({
            "max_retries": 1, "retry_delay_ms": 2, "exponential_backoff": false, "max_delay_ms": 3,
            "use_fallback_worker": false,
        }),
    );
    let failure = Failure::new(Cause::RateLimit, "slow down").with_retry_after_ms(9_u64);
    check(
        &FailureEvent::new("a".into(), "w".into(), &failure, at()),
        json!({
            "subtask_id": "a", "worker": "w", "failure_type": "unavailable", "error_message": "slow down",
            "timestamp": "2026-01-29T10:00:00Z", "cause": "rate_limit", "retry_after_ms": 9,
        }),
    );
    check(
        &Issue::new(IssueKind::Loop, "a".into(), 0.5, "again"),
        json!({ "kind": "loop", "subtask_id": "a", "severity": 0.5, "reason": "again" }),
    );
    check(
        &Intervention::new(InterventionType::Escalate, "why", "how"),
        json!({ "type": "escalate", "reason": "why", "suggested_action": "how" }),
    );
    let (workers, loads, outcome_counts) = ([], BTreeMap::new(), OutcomeCounts::default());
    let (policy, tried) = (RetryPolicy::default(), ["w".into()]);
    let context = RoutingContext::new(&workers, &loads, &outcome_counts);
    let context = FailureContext::new(&policy, context, &tried, 0.5);
    assert_eq!((context.failures, context.with_failures(3_u32).failures), (1, 3));
}

#[test]
fn settings() {
    check(
        &RunSettings::default(),
        json!({
            "project": "default", "strategy": "adaptive", "max_parallel": 64, "initial_concurrency_limit": 1,
            "retry": {
                "max_retries": 2, "retry_delay_ms": 1000, "exponential_backoff": true, "max_delay_ms": 60000,
                "use_fallback_worker": true,
            },
            "aggregation": { "strategy": "merge", "allow_partial": true, "min_success_ratio": 0.8 },
            "budget": { "aggregation_reserve_micro_usd": 0 },
            "attempt_timeout_ms": 600000, "lease_ms": 1800000, "offer_timeout_ms": 86400000, "grace_ms": 5000,
            "max_subtasks": 10000,
        }),
    );
    check(
        &RunSettings::default()
            .with_project("p")
            .with_strategy(ExecutionStrategy::Sequential)
            .with_max_parallel(1_u32)
            .with_initial_concurrency_limit(2_u32)
            .with_retry(RetryPolicy::default())
            .with_aggregation(
                AggregationSettings::default()
                    .with_strategy(AggregationStrategy::Vote)
                    .with_allow_partial(false)
                    .with_min_success_ratio(0.5),
            )
            .with_budget(
                Budget::default()
                    .with_max_cost_micro_usd(1_u64)
                    .with_max_tokens(2_u64)
                    .with_max_active_ms(3_u64)
                    .with_aggregation_reserve_micro_usd(4_u64),
            )
            .with_attempt_timeout_ms(3_u64)
            .with_lease_ms(4_u64)
            .with_offer_timeout_ms(5_u64)
            .with_grace_ms(6_u64)
            .with_max_subtasks(7_u32),
        json!({
            "project": "p", "strategy": "sequential", "max_parallel": 1, "initial_concurrency_limit": 2,
            "retry": {
                "max_retries": 2, "retry_delay_ms": 1000, "exponential_backoff": true, "max_delay_ms": 60000,
                "use_fallback_worker": true,
            },
            "aggregation": { "strategy": "vote", "allow_partial": false, "min_success_ratio": 0.5 },
            "budget": {
                "max_cost_micro_usd": 1, "max_tokens": 2, "max_active_ms": 3, "aggregation_reserve_micro_usd": 4,
            },
            "attempt_timeout_ms": 3, "lease_ms": 4, "offer_timeout_ms": 5, "grace_ms": 6, "max_subtasks": 7,
        }),
    );
    // What is not said is the default.
    assert_eq!(serde_json::from_value::<RunSettings>(json!({})).unwrap(), RunSettings::default());
}

#[test]
fn status() {
    let run = RunId::new(at(), 0);
    let task = ComplexTask::new("t", "Do it", "general");
    let subtask = Subtask::new("a", "Do a", "general").with_dependencies(["b"]);
    let mut status = RunStatus::new(run, &task, &RunSettings::default(), at());
    let mut waiting = SubtaskStatus::new(&subtask, SubtaskPhase::Waiting);
    waiting.open.push(AttemptStatus::new(Fence(1), "w".into(), at(), at()));
    status.subtasks.push(waiting);
    status.worker_status.push(WorkerStatus::new("w".into()));
    check(
        &status,
        json!({
            "orchestration_id": run.to_string(), "task_id": "t", "project": "default", "description": "Do it",
            "task_type": "general", "status": "submitted", "strategy": "adaptive", "concurrency_limit": 0,
            "counts": {
                "total": 0, "waiting": 0, "ready": 0, "running": 0, "done": 0, "failed": 0, "skipped": 0, "cancelled": 0,
            },
            "progress": 0.0,
            "subtasks": [{
                "subtask_id": "a", "description": "Do a", "task_type": "general", "status": "waiting",
                "dependencies": ["b"], "attempts": 0,
                "open": [{
                    "fence": 1, "worker": "w", "since": "2026-01-29T10:00:00Z", "until": "2026-01-29T10:00:00Z",
                }],
            }],
            "worker_status": [{ "worker": "w", "running": 0, "done": 0, "failed": 0, "busy_ms": 0 }],
            "usage": {}, "seq": 0, "submitted_at": "2026-01-29T10:00:00Z", "updated_at": "2026-01-29T10:00:00Z",
        }),
    );
}

#[track_caller]
fn refuses<T: DeserializeOwned + std::fmt::Debug>(json: Value, expected: &str) {
    let error = serde_json::from_value::<T>(json).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn unknown_fields_and_words_are_refused_by_name() {
    refuses::<ComplexTask>(
        json!({ "id": "t", "description": "", "task_type": "", "contxt": {} }),
        "unknown field `contxt`, expected one of",
    );
    refuses::<Subtask>(
        json!({ "id": "a", "description": "", "depends_on": [] }),
        "unknown field `depends_on`",
    );
    refuses::<Constraints>(json!({ "tag": [] }), "unknown field `tag`");
    refuses::<WorkerCapability>(json!({ "name": "a", "types": [] }), "unknown field `types`");
    refuses::<DecompositionPlan>(json!({ "subtasks": [], "edges": [] }), "unknown field `edges`");
    refuses::<WorkerResult>(
        json!({ "subtask_id": "a", "worker_name": "w", "success": true, "result": 1 }),
        "unknown field `result`",
    );
    refuses::<RunSettings>(json!({ "paralel": 1 }), "unknown field `paralel`");
    refuses::<RetryPolicy>(json!({ "retries": 1 }), "unknown field `retries`");
    refuses::<Budget>(json!({ "max_cost": 1 }), "unknown field `max_cost`");
    refuses::<MemoryScope>(json!({ "agent_name": "a", "learn": [] }), "unknown field `learn`");
    refuses::<Gate>(json!({ "min_lenght": 1 }), "unknown variant `min_lenght`");
    refuses::<RunSettings>(
        json!({ "strategy": "adaptve" }),
        "unknown strategy `adaptve`, did you mean `adaptive`?; known: sequential, parallel, adaptive",
    );
    refuses::<Subtask>(
        json!({ "id": "a", "description": "", "priority": 300 }),
        "invalid value: integer `300`",
    );
}
