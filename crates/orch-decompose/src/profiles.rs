//! Capability profiles, and how well a clause matches them.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use orch_core::{Constraints, Subtask, WorkerCapability, infer_task_type};

use crate::eligible_workers::EligibleWorkers;
use crate::words::stems;

/// What a word counts that is in the name or a type of a profile, and one that is in its description only.
const STRONG: f64 = 1.0;
const WEAK: f64 = 0.5;
/// The least that a match must count.
const MIN_SCORE: f64 = 1.0;
/// What a match counts that is beyond doubt; less in a clause of fewer words.
const FULL_SCORE: f64 = 2.0;

/// The profiles of all workers that may work on the task, equal ones once.
pub(crate) struct CapabilityProfiles<'a> {
    eligible: EligibleWorkers<'a>,
    profiles: Vec<CapabilityProfile<'a>>,
}

struct CapabilityProfile<'a> {
    capability: &'a WorkerCapability,
    strong: BTreeSet<String>,
    weak: BTreeSet<String>,
}

/// The profile that a clause matches best.
pub(crate) struct Match {
    pub(crate) task_type: String,
    /// The capability that the worker must have, when the type alone does not lead to it.
    pub(crate) constraints: Option<Constraints>,
    /// 0 to 1: how much of the clause is in the profile, less when a profile of another type matches as well.
    pub(crate) quality: f64,
}

impl<'a> CapabilityProfiles<'a> {
    pub(crate) fn new(eligible: EligibleWorkers<'a>) -> Self {
        let mut profiles: Vec<CapabilityProfile<'a>> = Vec::new();
        for capability in eligible.admitted().flat_map(|worker| worker.capabilities()) {
            if !profiles.iter().any(|profile| profile.capability == capability) {
                profiles.push(CapabilityProfile::new(capability));
            }
        }
        Self { eligible, profiles }
    }

    /// Finds the profile that matches `text` best and that somebody serves; of equals the first registered.
    pub(crate) fn best(&self, text: &str) -> Option<Match> {
        let words = stems(text);
        let mut matches: Vec<(f64, &CapabilityProfile<'_>)> = self
            .profiles
            .iter()
            .map(|profile| (profile.score(&words), profile))
            .filter(|(score, _)| *score >= MIN_SCORE)
            .collect();
        matches.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let mut offers = matches.iter().filter_map(|(score, profile)| {
            let (task_type, constraints) = self.offer(profile, text, &words);
            let probe =
                Subtask::new("probe", text, &*task_type).with_constraints(constraints.clone());
            self.eligible.serves(&probe).then_some((score, task_type, constraints))
        });
        let (score, task_type, constraints) = offers.next()?;
        let rival = offers.find(|(_, other, named)| *other != task_type || *named != constraints);
        let doubt = rival.map_or(0.0, |(second, ..)| 0.5 * second / score);
        let full = FULL_SCORE.min(words.len() as f64);
        let quality = (score / full).min(1.0) * (1.0 - doubt);
        Some(Match { task_type, constraints, quality })
    }

    /// Returns the type that a subtask for `profile` gets: the one with most words of the clause, of equals the one that fewest
    /// profiles have, then the first. A profile for every type has none of its own; then the subtask asks for the capability by
    /// name.
    fn offer(
        &self,
        profile: &CapabilityProfile<'_>,
        text: &str,
        words: &BTreeSet<String>,
    ) -> (String, Option<Constraints>) {
        let shared = |kind: &str| stems(kind).intersection(words).count();
        let listed = |kind: &str| {
            self.profiles
                .iter()
                .filter(|profile| profile.capability.task_types.iter().any(|t| t == kind))
                .count()
        };
        let own = profile.capability.task_types.iter().filter(|kind| *kind != "*");
        match own.min_by_key(|kind| (Reverse(shared(kind)), listed(kind))) {
            Some(kind) => (kind.clone(), None),
            None => {
                let named = Constraints::new().with_tags([profile.capability.name.clone()]);
                (infer_task_type(text).to_owned(), Some(named))
            }
        }
    }
}

impl<'a> CapabilityProfile<'a> {
    fn new(capability: &'a WorkerCapability) -> Self {
        let names = std::iter::once(&capability.name).chain(&capability.task_types);
        let strong = names.flat_map(|name| stems(name)).collect();
        Self { capability, strong, weak: stems(&capability.description) }
    }

    fn score(&self, words: &BTreeSet<String>) -> f64 {
        let count = |word: &String| {
            if self.strong.contains(word) {
                STRONG
            } else if self.weak.contains(word) {
                WEAK
            } else {
                0.0
            }
        };
        words.iter().map(count).sum()
    }
}
