//! The stored format: every event comes back from its JSON as it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::testing::sample_events;
use orch_core::{
    AggregationSettings, ComplexTask, DecompositionPlan, Digest, EndStatus, Event, Fence,
    RoutingNote, RunSettings, StoredResult, Subtask, SubtaskIndex, Token, WorkerResult,
};
use serde_json::Value;

/// Keys of maps whose keys the user or a worker chooses: whatever stands there is data.
const DATA: [&str; 8] = [
    "annotations",
    "context",
    "cost_micro_usd",
    "dependency_graph",
    "gates",
    "metadata",
    "output",
    "prefer",
];

/// Adds a field that nobody knows to every struct of an event; returns how many.
fn add_unknown_fields(value: &mut Value) -> usize {
    match value {
        Value::Object(map) => {
            let is_failure = map.contains_key("failure_type");
            let structs = map.iter_mut().filter(|(key, _)| {
                let is_evidence = is_failure && key.as_str() == "evidence";
                !is_evidence && !DATA.contains(&key.as_str())
            });
            let added: usize = structs.map(|(_, inner)| add_unknown_fields(inner)).sum();
            map.insert("of_a_later_version".to_owned(), serde_json::json!({ "is": [1, {}] }));
            added + 1
        }
        Value::Array(items) => items.iter_mut().map(add_unknown_fields).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[test]
fn a_field_that_this_version_does_not_know_is_passed_over_wherever_it_stands() {
    let mut nested = 0;
    for event in sample_events() {
        let mut value = serde_json::to_value(&event).unwrap();
        nested += add_unknown_fields(&mut value) - 1;
        let text = value.to_string();
        let read: Result<Event, _> = serde_json::from_str(&text);
        assert_eq!(read.unwrap_or_else(|error| panic!("{error}: {text}")), event);
    }
    assert!(nested > 60, "fields were added within events, too: {nested}");
}

#[test]
fn what_people_write_may_still_have_no_unknown_field() {
    let task = r#"{"id":"t","description":"d","task_type":"general","deadlin":null}"#;
    let error = serde_json::from_str::<ComplexTask>(task).unwrap_err().to_string();
    assert!(error.contains("unknown field `deadlin`"), "{error}");
}

/// How many kinds of events there are; the match below has to be extended with it.
const KINDS: usize = 21;

fn kind(event: &Event) -> usize {
    match event {
        Event::RunSubmitted { .. } => 1,
        Event::PlanAdopted { .. } => 2,
        Event::AttemptOffered { .. } => 3,
        Event::AttemptStarted { .. } => 4,
        Event::LeaseExtended { .. } => 5,
        Event::ResultReceived { .. } => 6,
        Event::SubtaskCompleted { .. } => 7,
        Event::AttemptFailed { .. } => 8,
        Event::AttemptLost { .. } => 9,
        Event::AttemptClosed { .. } => 10,
        Event::RetryScheduled { .. } => 11,
        Event::SubtaskFailed { .. } => 12,
        Event::SubtaskSkipped { .. } => 13,
        Event::InterventionMade { .. } => 14,
        Event::InterventionJudged { .. } => 15,
        Event::ConcurrencyLimitChanged { .. } => 16,
        Event::UsageNoted { .. } => 17,
        Event::RunSuspended { .. } => 18,
        Event::RunResumed { .. } => 19,
        Event::CancelRequested { .. } => 20,
        Event::RunEnded { .. } => 21,
    }
}

#[test]
fn the_samples_have_every_kind_of_event() {
    let kinds: BTreeSet<_> = sample_events().iter().map(kind).collect();
    assert!(kinds.into_iter().eq(1..=KINDS), "one sample of each kind");
}

#[test]
fn events_come_back_from_their_json_exactly() {
    for event in sample_events() {
        let text = serde_json::to_string(&event).unwrap();
        let back: Event = serde_json::from_str(&text).unwrap();
        assert_eq!(back, event);
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
        // Through a `Value` too: that is how a reader that does not know the event sees it.
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["type"], event.name());
        assert_eq!(serde_json::from_value::<Event>(value).unwrap(), event);
    }
}

#[test]
fn numbers_that_json_lacks_leave_events_readable() {
    let note = RoutingNote { confidence: f64::NAN, reason: String::new(), fallback: Vec::new() };
    let result = WorkerResult::success("a", "w", Value::Null).with_confidence(f64::INFINITY);
    let plan = DecompositionPlan::new([Subtask::new("a", "", "")])
        .with_confidence(f64::NAN)
        .with_parallelism_factor(f64::NEG_INFINITY);
    let ratio = AggregationSettings::default().with_min_success_ratio(f64::NAN);
    for event in [
        Event::AttemptOffered {
            subtask: SubtaskIndex(0),
            fence: Fence(1),
            token: Token(1),
            worker: "w".into(),
            card: None,
            until: Timestamp::UNIX_EPOCH,
            route: Some(Box::new(note)),
        },
        Event::ResultReceived {
            subtask: SubtaskIndex(0),
            fence: Fence(1),
            digest: Digest::of_bytes(b""),
            result: Arc::new(StoredResult { result: Arc::new(result), blob: None }),
            late: false,
            request_key: None,
        },
        Event::RunSubmitted {
            task: Arc::new(ComplexTask::new("t", "", "")),
            settings: Arc::new(RunSettings::default().with_aggregation(ratio)),
            given: Some(Arc::new(plan)),
            seed: 1,
            origin: Arc::default(),
        },
        Event::RunEnded {
            status: EndStatus::Failed,
            output: Value::Null,
            blob: None,
            conflicts: Vec::new(),
            confidence: f64::NAN,
            errors: Vec::new(),
        },
    ] {
        let text = serde_json::to_string(&event).unwrap();
        let back: Event = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }
}

#[test]
fn dotted_types_are_distinct_and_in_known_groups() {
    let mut seen = BTreeSet::new();
    for event in sample_events() {
        let (group, rest) = event.dotted_type().split_once('.').unwrap();
        assert!(["orchestration", "subtask", "convergence"].contains(&group), "{group}");
        assert!(!rest.contains('.') && !rest.is_empty());
        seen.insert(event.dotted_type());
    }
    // Whether an intervention helped is told by its type: one kind of event, two types.
    assert_eq!(seen.len(), KINDS + 1);
    assert_eq!(seen, Event::DOTTED_TYPES.iter().copied().collect());
}

#[test]
fn an_event_concerns_whom_its_json_names() {
    for event in sample_events() {
        let json = serde_json::to_value(&event).unwrap();
        let parts = [&json, &json["source"], &json["subject"]];
        let named = |key| parts.iter().find_map(|part| part.get(key)).cloned();
        let about = event.about();
        assert_eq!(named("subtask"), about.subtask().map(|index| index.0.into()), "{json}");
        assert_eq!(named("fence"), about.fence().map(|fence| fence.0.into()), "{json}");
    }
}
