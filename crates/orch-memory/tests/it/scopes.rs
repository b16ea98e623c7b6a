//! What scopes let agents learn and read.

use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{
    Cause, ComplexTask, Journal, Memory, MemoryScope, MemorySlice, OrchestrationOutcome, ProjectId,
    Scopes, Subtask,
};
use orch_memory::{LearnedMemory, MemoryError};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::lesson::{Lesson, Try, done, failed};
use crate::support::{TempFile, quick};

fn list(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn scope(agent: &str) -> MemoryScope {
    MemoryScope::new(agent)
}

async fn memory(file: &TempFile, journal: &Arc<dyn Journal>, scopes: Scopes) -> LearnedMemory {
    let memory = LearnedMemory::sqlite(file.path(), &quick(), journal.clone()).await.unwrap();
    memory.with_scopes(scopes)
}

/// A journal with lessons, and a memory that has learned from them under `scopes`.
async fn taught(
    file: &TempFile,
    lessons: &[Lesson],
    scopes: Scopes,
) -> (Arc<dyn Journal>, LearnedMemory) {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let memory = memory(file, &journal, scopes).await;
    for lesson in lessons {
        lesson.append_all(&*journal).await;
        assert!(memory.fold(lesson.id()).await.unwrap());
    }
    (journal, memory)
}

/// Three runs in which ann reads well and bob fails once.
fn lessons() -> Vec<Lesson> {
    let lesson = |number, tries| Lesson::new(number, &format!("Audit house {number}"), tries);
    vec![
        lesson(1, vec![done("read", "ann", 100), failed("read", "bob", Cause::Crash)]),
        lesson(2, vec![done("read", "ann", 200)]),
        lesson(3, vec![done("read", "ann", 300)]),
    ]
}

async fn slice(memory: &LearnedMemory, worker: &str) -> MemorySlice {
    let subtask = Subtask::new("s", "Audit house 2 part 0", "read");
    memory.slice(&ProjectId::new("p"), &worker.into(), &subtask, 2_000).await.unwrap()
}

/// Checks that a worker is not told anything about `read` subtasks, and that the rule which forbids it is named.
#[track_caller]
fn check_refused(memory: &LearnedMemory, worker: &str, rule: &str) -> impl Future<Output = ()> {
    let at = std::panic::Location::caller();
    async move {
        let subtask = Subtask::new("s", "Audit house 2 part 0", "read");
        let slice = memory.slice(&ProjectId::new("p"), &worker.into(), &subtask, 2_000).await;
        let error = slice.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`{worker}` may not learn about `read`: `{rule}`")),
            "{at}: {error}"
        );
    }
}

#[tokio::test]
async fn a_worker_reads_what_others_share_and_only_that() {
    let file = TempFile::new();
    let shared = || {
        let ann = scope("ann").with_share_with(list("bob"));
        Scopes::new(scope("boss"), [ann, scope("bob").with_inherit_from(list("ann eve"))])
    };
    let (journal, all) = taught(&file, &lessons(), shared()).await;
    let bob = slice(&all, "bob").await;
    assert_eq!(bob.anti_patterns, ["Failed once with `crash`, the last time: crash of bob"]);
    assert_eq!(
        bob.heuristics,
        ["`ann`: 3 of 3 attempts at `read` subtasks succeeded; half of those took at most 0.2 s."]
    );
    assert_eq!(
        bob.outcomes,
        [
            "`ann`: Succeeded: Audit house 2 part 0",
            "`ann`: Succeeded: Audit house 1 part 0",
            "`ann`: Succeeded: Audit house 3 part 0",
            "Failed: Audit house 1 part 1",
        ]
    );
    let ann = slice(&all, "ann").await;
    assert!(ann.anti_patterns.is_empty() && ann.outcomes.len() == 3, "{ann:?}");

    // The same store, and ann shares with nobody any more.
    let private = Scopes::new(scope("boss"), [scope("bob").with_inherit_from(list("ann"))]);
    let bob = slice(&memory(&file, &journal, private).await, "bob").await;
    assert_eq!((bob.heuristics.len(), bob.outcomes.len()), (0, 1), "{bob:?}");
}

#[tokio::test]
async fn a_worker_may_inherit_from_its_supervisor() {
    let file = TempFile::new();
    let eve = scope("eve").with_inherit_from(list("boss")).with_cannot_learn(list("payroll"));
    let scopes = Scopes::new(scope("boss").with_share_with(list("*")), [eve]);
    let often = |task_type| {
        [done(task_type, "ann", 1), done(task_type, "ann", 1), done(task_type, "ann", 1)]
    };
    // A run with parts of another type is similar all the same; the rule about these is not for eve.
    let told = [often("audit"), often("payroll")].concat();
    let (_, memory) = taught(&file, &[Lesson::new(1, "Audit the house", told)], scopes).await;
    let subtask = Subtask::new("s", "Audit the house", "audit");
    let eve = memory.slice(&ProjectId::new("p"), &"eve".into(), &subtask, 2_000).await.unwrap();
    assert_eq!(
        eve.heuristics,
        ["`boss`: When a subtask is of type `audit`: `ann` is the only one who has tried."]
    );
    assert_eq!(eve.outcomes, ["`boss`: Succeeded: Audit the house"]);
}

#[tokio::test]
async fn what_a_worker_may_not_learn_it_does_not_keep_and_its_supervisor_still_counts() {
    let file = TempFile::new();
    let refused = || Scopes::new(scope("boss"), [scope("bob").with_cannot_learn(list("read"))]);
    let (journal, strict) = taught(&file, &lessons(), refused()).await;
    check_refused(&strict, "bob", "cannot_learn").await;
    // The sums are the supervisor's; neither the texts nor the messages of failures were ever kept.
    let open = memory(&file, &journal, Scopes::default()).await;
    let learned = open.snapshot(&ProjectId::new("p"), &ComplexTask::new("t", "x", "audit")).await;
    let learned = learned.unwrap().learned;
    assert_eq!(learned.of(&"bob".into(), "read").unwrap().attempts, 1);
    let bob = slice(&open, "bob").await;
    assert!(bob.outcomes.is_empty() && bob.anti_patterns.is_empty());
    assert!(!open.fold(lessons()[0].id()).await.unwrap(), "it is not learned later");
    assert_eq!(slice(&open, "ann").await.outcomes.len(), 3);
}

#[tokio::test]
async fn what_the_supervisor_may_not_learn_is_not_counted() {
    let file = TempFile::new();
    let boss = scope("boss").with_cannot_learn(list("read"));
    let (_, memory) = taught(&file, &lessons(), Scopes::new(boss, [])).await;
    let task = ComplexTask::new("t", "Audit house 2", "audit");
    let learned = memory.snapshot(&ProjectId::new("p"), &task).await.unwrap().learned;
    assert!(learned.workers.is_empty() && learned.routing.is_empty());
    assert_eq!(learned.similar.len(), 3, "runs are of type `audit`");
    assert!(learned.similar.iter().all(|(_, past)| past.steps.is_empty()));
    // What ann has done is hers to keep; how often, the supervisor's.
    let ann = slice(&memory, "ann").await;
    assert_eq!((ann.heuristics.len(), ann.outcomes.len()), (0, 3));
}

#[tokio::test]
async fn runs_that_the_supervisor_may_not_learn_from_leave_nothing_and_say_why() {
    let file = TempFile::new();
    let boss = scope("boss").with_can_learn(list("read"));
    let (_, memory) = taught(&file, &lessons(), Scopes::new(boss, [])).await;
    let task = ComplexTask::new("t", "Audit house 2", "audit");
    let learned = memory.snapshot(&ProjectId::new("p"), &task).await.unwrap().learned;
    assert!(learned.similar.is_empty() && learned.decomposition.is_empty());
    assert!(learned.tasks.plans.is_empty());
    assert_eq!(learned.of(&"ann".into(), "read").unwrap().attempts, 3);

    let run = lessons()[0].id();
    let error = memory.feedback(run, 0.5, "").await.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(MemoryError::Scope(_))), "{error}");
    assert_eq!(
        error.to_string(),
        "`boss` may not learn about `audit`: `can_learn` of its scope does not name it"
    );
    let at = jiff::Timestamp::UNIX_EPOCH;
    let outcome = OrchestrationOutcome::new(format!("orch_{run}"), "boss", "p", "audit", at);
    memory.record_outcome(&outcome).await.unwrap();
}

#[tokio::test]
async fn what_was_learned_before_a_scope_forbade_it_is_read_by_nobody() {
    let file = TempFile::new();
    let (journal, open) = taught(&file, &lessons(), Scopes::default()).await;
    assert_eq!(slice(&open, "ann").await.outcomes.len(), 3);
    let ann = scope("ann").with_cannot_learn(list("read"));
    let ann = Scopes::new(scope("boss"), [ann]);
    check_refused(&memory(&file, &journal, ann).await, "ann", "cannot_learn").await;
    let boss = Scopes::new(scope("boss").with_cannot_learn(list("read audit")), []);
    let task = ComplexTask::new("t", "Audit house 2", "audit");
    let boss = memory(&file, &journal, boss).await;
    let learned = boss.snapshot(&ProjectId::new("p"), &task).await.unwrap();
    let mut nothing = orch_core::learned::Learned::new();
    (nothing.project, nothing.task_type) = ("p".into(), "audit".to_owned());
    assert_eq!(learned, nothing.into());
    let error = boss.feedback(lessons()[0].id(), 0.5, "").await.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(MemoryError::Scope(_))), "{error}");
    let elsewhere: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let imported =
        memory(&file, &elsewhere, Scopes::new(scope("boss").with_can_learn(list("x")), []));
    let error = imported.await.feedback(lessons()[0].id(), 0.5, "").await.unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(MemoryError::Scope(_))),
        "not in the journal: {error}"
    );
}

#[tokio::test]
async fn lessons_are_the_worker_s_even_where_its_supervisor_may_not_learn() {
    let file = TempFile::new();
    let lesson = |number, agent: &str| {
        let said = Try { lesson: Some(format!("lesson of {agent}")), ..done("read", agent, 1) };
        Lesson::new(number, "Audit the house", [said])
    };
    let boss = scope("boss").with_cannot_learn(list("read"));
    let bob = scope("bob").with_can_learn(list("write"));
    let told = [lesson(1, "ann"), lesson(2, "bob")];
    let (_, memory) = taught(&file, &told, Scopes::new(boss, [bob])).await;
    let ann = slice(&memory, "ann").await;
    assert_eq!(ann.domain_knowledge, ["lesson of ann"]);
    assert!(ann.heuristics.is_empty(), "how it did is the supervisor's");
    check_refused(&memory, "bob", "can_learn").await;
}

#[tokio::test]
async fn a_rule_takes_as_many_outcomes_as_its_owner_s_scope_says() {
    let file = TempFile::new();
    let (journal, _) = taught(&file, &lessons(), Scopes::default()).await;
    let task = ComplexTask::new("t", "x", "read");
    for (least, rules, records) in [(1, 1, 1), (3, 1, 1), (4, 1, 0), (5, 0, 0)] {
        let few = |agent| scope(agent).with_min_occurrences_for_heuristic(least as u32);
        let memory = memory(&file, &journal, Scopes::new(few("boss"), [few("ann")])).await;
        let learned = memory.snapshot(&ProjectId::new("p"), &task).await.unwrap().learned;
        assert_eq!(learned.routing.len(), rules, "{least}");
        let listed = memory.rules(&ProjectId::new("p")).await.unwrap();
        let routing = listed.iter().filter(|rule| rule.heuristic.id().starts_with("route"));
        assert_eq!(routing.count(), rules, "{least}");
        assert_eq!(slice(&memory, "ann").await.heuristics.len(), records, "{least}");
    }
}

const AGENTS: [&str; 3] = ["ann", "bob", "eve"];

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let most = words.len();
    prop::sample::subsequence(words, 0..=most)
}

fn any_scope(agent: &'static str) -> impl Strategy<Value = MemoryScope> {
    let agents = || some_of(&["ann", "bob", "eve", "*"]);
    (some_of(&["read", "write"]), agents(), agents()).prop_map(move |(cannot, share, inherit)| {
        MemoryScope::new(agent)
            .with_cannot_learn(cannot)
            .with_share_with(share)
            .with_inherit_from(inherit)
    })
}

proptest! {
    #![proptest_config(Config::with_cases(32))]

    /// What a slice says comes from its reader, or from somebody from whom it inherits and who shares with it, and from
    /// nobody who may not learn about the type.
    #[test]
    fn a_slice_says_nothing_that_is_not_shared(
        ann in any_scope("ann"), bob in any_scope("bob"), eve in any_scope("eve"),
    ) {
        let all = [ann, bob, eve];
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let file = TempFile::new();
            // Each worker has done something of each type, and its text says who it was.
            let told = AGENTS.iter().enumerate().flat_map(|(number, agent)| {
                ["read", "write"].iter().enumerate().map(move |(part, task_type)| {
                    let number = (number * 2 + part) as u32;
                    let secret = format!("secret of {agent}");
                    let told = Try { lesson: Some(secret.clone()), ..done(task_type, agent, 1) };
                    Lesson::new(number, &secret, [told])
                })
            });
            let told: Vec<Lesson> = told.collect();
            let (_, memory) = taught(&file, &told, Scopes::new(scope("boss"), all.clone())).await;
            let has = |list: &[String], name: &str| list.iter().any(|word| word == name || word == "*");
            for reader in &all {
                for task_type in ["read", "write"] {
                    let subtask = Subtask::new("s", "secret of somebody", task_type);
                    let name = reader.agent_name.as_str();
                    let slice = memory.slice(&ProjectId::new("p"), &name.into(), &subtask, 9_000).await;
                    assert_eq!(slice.is_err(), has(&reader.cannot_learn, task_type));
                    let Ok(slice) = slice else { continue };
                    for other in &all {
                        let secret = format!("secret of {}", other.agent_name);
                        let has_it = |texts: &[String]| texts.iter().any(|text| text.contains(&secret));
                        let is_read = has_it(&slice.outcomes);
                        assert_eq!(is_read, has_it(&slice.domain_knowledge), "examples and lessons");
                        let is_shared = other.agent_name == name
                            || (has(&reader.inherit_from, &other.agent_name) && has(&other.share_with, name));
                        assert_eq!(is_read, is_shared && !has(&other.cannot_learn, task_type), "{name} {slice:?}");
                    }
                }
            }
        });
    }
}
