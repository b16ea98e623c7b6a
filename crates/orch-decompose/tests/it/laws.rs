//! What holds for every description, context and set of workers.

use std::collections::BTreeSet;

use orch_core::{DecompositionPlan, DecompositionStrategy, PlanLimits, Subtask};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use crate::world::{TEAM, World, worker};

/// Texts of words that matter to a splitter, and some that do not.
fn descriptions() -> impl Strategy<Value = String> {
    let words = select(vec![
        "fetch",
        "pages",
        "parse",
        "the",
        "log",
        "count",
        "lines",
        "summary",
        "write",
        "it",
        "results",
        "them",
        "then",
        "and",
        "and then",
        "after that",
        "finally",
        "next",
        "Then",
        "Fetch",
        "Count",
        "music",
        "\n",
        ".",
        ",",
        ";",
        "1.",
        "2)",
        "-",
        "é…",
        "e.g.",
    ]);
    let glued = proptest::collection::vec((words, any::<bool>()), 0..24).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, gap)| format!("{}{word}", if gap { " " } else { "" }))
            .collect()
    });
    prop_oneof![3 => glued, 1 => any::<String>()]
}

fn worlds() -> impl Strategy<Value = World> {
    let strategies = select(vec![
        DecompositionStrategy::CapabilityBased,
        DecompositionStrategy::DomainBased,
        DecompositionStrategy::Hybrid,
    ]);
    let profiles =
        [TEAM, &["all | * | does anything with pages", "tester | testing general"]].concat();
    let teams = subsequence(profiles, 0..=6);
    let types = select(vec!["", "count", "general", "research"]);
    let items = proptest::option::of(proptest::collection::vec(".{0,6}", 0..5));
    (strategies, descriptions(), types, teams, items, 1..6_usize).prop_map(
        |(strategy, description, task_type, eligible, items, max)| {
            let world = World::new(strategy, &description, task_type).workers(&eligible).max(max);
            match items {
                Some(items) => world.context("items", json!(items)),
                None => world,
            }
        },
    )
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let workers: Vec<_> = self.workers.iter().map(|worker| worker.name()).collect();
        write!(f, "{:?} {:?} {workers:?} at most {}", self.decomposer, self.task, self.max)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_plan_is_valid_within_the_limit_and_says_how_sure_it_is(world in worlds()) {
        match world.ask(None) {
            Ok(plan) => {
                let limits = PlanLimits::new(world.max);
                prop_assert_eq!(plan.validate_within(&world.workers, limits, None), []);
                prop_assert!(plan.subtasks.len() <= world.max);
                prop_assert!((0.0..=1.0).contains(&plan.confidence));
                prop_assert_eq!(&plan, &world.plan(), "the same question gets the same answer");
                let before_it = |(place, subtask): (usize, &std::sync::Arc<Subtask>)| {
                    subtask.dependencies.iter().all(|id| plan.subtasks[..place].iter().any(|s| s.id == *id))
                };
                prop_assert!(plan.subtasks.iter().enumerate().all(before_it));
            }
            Err(error) => prop_assert!(!matches!(error, orch_core::DecomposeError::Invalid(_)), "{error}"),
        }
    }

    #[test]
    fn no_word_of_the_description_is_lost(description in descriptions()) {
        let world = World::new(DecompositionStrategy::CapabilityBased, &description, "research");
        let Ok(plan) = world.ask(None) else { return Ok(()) };
        let texts: Vec<_> = plan.subtasks.iter().map(|s| s.description.as_str()).collect();
        let texts = texts.join("\n");
        let separators = ["and", "then", "after", "that", "this", "finally", "next"];
        let kept = words(&texts);
        for word in words(&description) {
            let is_number = word.chars().all(|c| c.is_ascii_digit());
            prop_assert!(
                kept.contains(word) || is_number || separators.contains(&&*word.to_lowercase()),
                "{word:?} is lost from {description:?} in {texts:?}"
            );
        }
    }

    #[test]
    fn what_a_given_plan_says_stays(
        types in proptest::collection::vec(select(vec!["", "count", "general"]), 1..6),
        estimates in proptest::collection::vec(proptest::option::of(0..100_u64), 6),
        edges in proptest::collection::vec((0..6_usize, 0..6_usize), 0..8),
    ) {
        let id = |i: usize| format!("s{i}");
        let subtasks = types.iter().enumerate().map(|(i, kind)| {
            let needs: BTreeSet<_> = edges.iter().filter(|(a, b)| *a == i && *b < i).map(|(_, b)| id(*b)).collect();
            Subtask::new(id(i), "do it", *kind)
                .with_estimated_duration_ms(estimates[i])
                .with_dependencies(needs)
        });
        let given = DecompositionPlan::new(subtasks);
        let mut world = World::new(DecompositionStrategy::Hybrid, "whatever", "count");
        world.workers.push(worker("all | general"));
        let plan = world.ask(Some(&given)).unwrap();
        prop_assert_eq!(plan.dependency_graph(), given.dependency_graph());
        prop_assert_eq!(plan.source, given.source);
        for (new, old) in plan.subtasks.iter().zip(&given.subtasks) {
            prop_assert!(new.task_type == old.task_type || old.task_type.is_empty());
            prop_assert!(!new.task_type.is_empty());
            prop_assert!(old.estimated_duration_ms.is_none_or(|ms| new.estimated_duration_ms == Some(ms)));
            prop_assert_eq!(&new.description, &old.description);
        }
        prop_assert_eq!(&world.ask(Some(&plan)).unwrap(), &plan, "completing twice changes nothing more");
    }
}
