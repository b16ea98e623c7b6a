//! The stored format: every event comes back from its JSON as it was.

use std::collections::BTreeSet;

use orch_core::Event;
use orch_core::testing::sample_events;
use serde_json::Value;

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
        Event::WidthChanged { .. } => 16,
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
}
