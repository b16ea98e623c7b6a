//! Closed sets of words: what they are called in JSON, and what is said about words that are not in them.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use orch_core::*;
use proptest::prelude::*;
use serde::de::DeserializeOwned;

#[track_caller]
fn check<T>(all: &[T], words: &[&str])
where
    T: Copy
        + Debug
        + Display
        + PartialEq
        + FromStr<Err = UnknownWord>
        + DeserializeOwned
        + serde::Serialize,
{
    assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), words);
    for value in all {
        let json = serde_json::to_string(value).unwrap();
        assert_eq!(json, format!("\"{value}\""));
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), *value);
        // From a reader, too, where no text can be borrowed.
        assert_eq!(serde_json::from_reader::<_, T>(json.as_bytes()).unwrap(), *value);
        assert_eq!(value.to_string().parse::<T>().unwrap(), *value);
    }
    for unknown in ["", "Nope", words[0].to_uppercase().as_str()] {
        let error = unknown.parse::<T>().unwrap_err();
        assert_eq!((error.word.as_str(), error.known), (unknown, words));
        let json = serde_json::from_str::<T>(&format!("\"{unknown}\"")).unwrap_err();
        assert!(json.to_string().starts_with(&error.to_string()), "{json}");
    }
}

#[test]
fn the_words_of_the_stories() {
    check(ExecutionStrategy::ALL, &["sequential", "parallel", "adaptive"]);
    check(
        DecompositionStrategy::ALL,
        &["capability_based", "phase_based", "domain_based", "hybrid"],
    );
    check(RoutingStrategy::ALL, &["best_fit", "least_loaded", "round_robin", "memory_informed"]);
    check(AggregationStrategy::ALL, &["concatenate", "merge", "vote", "reduce", "custom", "auto"]);
    check(FailureType::ALL, &["timeout", "error", "quality", "unavailable"]);
}

#[test]
fn the_words_of_the_engine() {
    check(
        SubtaskPhase::ALL,
        &[
            "waiting",
            "ready",
            "offered",
            "running",
            "checking",
            "backoff",
            "done",
            "failed",
            "skipped",
            "cancelled",
            "retired",
        ],
    );
    check(
        RunPhase::ALL,
        &["submitted", "planning", "active", "suspended", "cancelling", "aggregating", "ended"],
    );
    check(EndStatus::ALL, &["completed", "partial", "failed", "cancelled"]);
    check(CancelReason::ALL, &["requested", "deadline", "budget", "aborted"]);
    check(AttemptClosedReason::ALL, &["superseded", "cancelled", "retired"]);
    check(LossCause::ALL, &["restart", "suspended", "owner_changed"]);
    check(EvidenceKind::ALL, &["stale", "conflicting", "stopped"]);
    check(
        PlanSource::ALL,
        &[
            "explicit",
            "single",
            "planner",
            "capability_based",
            "phase_based",
            "domain_based",
            "memory",
        ],
    );
    check(WorkerKind::ALL, &["managed", "pull"]);
    check(IssueKind::ALL, &["loop", "quality", "stall"]);
    check(
        InterventionType::ALL,
        &["break_loop", "escalate", "reset_context", "human_review", "retry_with_backoff"],
    );
    assert_eq!(Cause::WORDS.len(), Cause::ALL.len());
}

#[test]
fn unknown_words_are_refused_by_name() {
    for (word, expected) in [
        (
            "paralel",
            "unknown strategy `paralel`, did you mean `parallel`?; known: sequential, parallel, adaptive",
        ),
        ("fast", "unknown strategy `fast`; known: sequential, parallel, adaptive"),
    ] {
        assert_eq!(word.parse::<ExecutionStrategy>().unwrap_err().to_string(), expected);
    }
}

#[test]
fn words_can_be_aligned() {
    assert_eq!(
        format!("[{:>10}] [{:<8}]", RunPhase::Active, EndStatus::Failed),
        "[    active] [failed  ]"
    );
}

#[test]
fn phases_know_their_end_and_their_counter() {
    for phase in SubtaskPhase::ALL {
        let mut counts = Counts::default();
        let counted = counts.of(*phase).map(|counter| *counter += 1).is_some();
        assert_eq!(counted, *phase != SubtaskPhase::Retired);
        assert_eq!(counts.finished() == 1, phase.is_final() && counted, "{phase}");
        let sum = counts.waiting + counts.ready + counts.running + counts.finished();
        assert_eq!(sum, u32::from(counted), "{phase} is in one counter");
    }
}

#[test]
fn task_types_are_inferred_by_words() {
    for (description, expected) in [
        ("", "general"),
        ("Write a poem", "general"),
        ("Run all TESTS", "testing"),
        ("validate: the form", "testing"),
        ("Test the API endpoint", "testing"),
        ("call the api", "api_testing"),
        ("API/form", "api_testing"),
        ("fill in the form of the database", "form_testing"),
        ("user-input", "form_testing"),
        ("Optimise queries", "database_validation"),
        ("database", "database_validation"),
        ("the latest contest", "general"),
        ("transform the rapid information", "general"),
        ("api_endpoint", "api_testing"),
    ] {
        assert_eq!(infer_task_type(description), expected, "{description}");
    }
}

#[test]
fn the_nearest_word() {
    for (word, candidates, expected) in [
        ("abc", &["abd", "abc"][..], Some("abc")),
        ("abd", &["abc", "abe"], Some("abc")),
        ("ABC", &["abd"], Some("abd")),
        ("ba", &["ab"], Some("ab")),
        ("a", &["b"], Some("b")),
        ("ab", &["cd"], None),
        ("", &["ab"], None),
        ("word", &[], None),
        ("stra\u{df}e", &["strasse"], Some("strasse")),
    ] {
        assert_eq!(nearest(word, candidates.iter().copied()), expected, "{word}");
    }
    let long = "x".repeat(129);
    assert_eq!(nearest(&long, [long.as_str()]), None, "too long to be compared");
    assert_eq!(nearest(&long[1..], [&long[1..]]), Some(&long[1..]));
}

proptest! {
    #[test]
    fn a_word_is_nearest_to_itself(word in "\\PC{1,20}", others in proptest::collection::vec("\\PC{1,20}", 0..5)) {
        let all: Vec<_> = others.iter().chain([&word]).map(String::as_str).collect();
        let found = nearest(&word, all).unwrap();
        prop_assert_eq!(found.to_lowercase(), word.to_lowercase());
    }

    #[test]
    fn nearness_is_mutual(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
        let mutual = nearest(&a, [b.as_str()]).is_some() == nearest(&b, [a.as_str()]).is_some();
        prop_assert!(mutual);
    }

    #[test]
    fn one_slip_is_forgiven(word in "[a-z]{3,12}", at in any::<proptest::sample::Index>(), with in "[a-z]") {
        let at = at.index(word.len());
        let mut dropped = word.clone();
        dropped.remove(at);
        let mut added = word.clone();
        added.insert_str(at, &with);
        let mut replaced = word.clone();
        replaced.replace_range(at..=at, &with);
        for slip in [dropped, added, replaced] {
            prop_assert_eq!(nearest(&slip, [word.as_str()]), Some(word.as_str()), "{}", slip);
        }
    }
}
