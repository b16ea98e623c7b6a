//! Scopes: every rule, and the law of reading.

use std::collections::BTreeSet;

use orch_core::{MemoryScope, ScopeError, Scopes};
use proptest::prelude::*;

fn list(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

/// Checks that something is allowed (`None`), or refused with this sentence.
#[track_caller]
fn check(answer: Result<(), ScopeError>, refusal: Option<&str>) {
    assert_eq!(answer.err().map(|error| error.to_string()).as_deref(), refusal);
}

#[test]
fn what_may_be_learned() {
    let cannot = "`ann` may not learn about `audit`: `cannot_learn` of its scope names it";
    let can = "`ann` may not learn about `audit`: `can_learn` of its scope does not name it";
    for (can_learn, cannot_learn, refusal) in [
        ("", "", None),
        ("audit", "", None),
        ("*", "", None),
        ("review", "", Some(can)),
        ("", "review", None),
        ("", "audit", Some(cannot)),
        ("audit", "audit", Some(cannot)),
        ("audit", "*", Some(cannot)),
    ] {
        let scope = MemoryScope::new("ann")
            .with_can_learn(list(can_learn))
            .with_cannot_learn(list(cannot_learn));
        check(scope.may_learn("audit"), refusal);
    }
}

#[test]
fn whose_memory_may_be_read() {
    let inherit = "`bob` may not read what `ann` has learned: `inherit_from` of its scope does not name `ann`";
    let share = "`bob` may not read what `ann` has learned: `share_with` in the scope of `ann` does not name `bob`";
    for (inherit_from, share_with, refusal) in [
        ("ann", "bob", None),
        ("*", "*", None),
        ("eve ann", "eve bob", None),
        ("", "bob", Some(inherit)),
        ("eve", "*", Some(inherit)),
        ("ann", "", Some(share)),
        ("*", "eve", Some(share)),
    ] {
        let ann = MemoryScope::new("ann").with_share_with(list(share_with));
        let bob = MemoryScope::new("bob").with_inherit_from(list(inherit_from));
        let scopes = Scopes::new(MemoryScope::new("boss"), [ann, bob]);
        check(scopes.may_read("bob", "ann"), refusal);
        check(scopes.may_read("bob", "bob"), None);
        let expected = if refusal.is_none() { vec!["bob", "ann"] } else { vec!["bob"] };
        assert_eq!(scopes.sources("bob", "audit").unwrap(), expected);
    }
}

#[test]
fn inherited_memories_are_not_handed_on_and_the_supervisor_may_share_too() {
    let boss = MemoryScope::new("boss").with_share_with(list("ann"));
    let ann = MemoryScope::new("ann").with_inherit_from(list("boss")).with_share_with(list("bob"));
    let bob = MemoryScope::new("bob").with_inherit_from(list("*")).with_cannot_learn(list("audit"));
    let scopes = Scopes::new(boss, [ann, bob]);
    assert_eq!(scopes.sources("ann", "audit").unwrap(), ["ann", "boss"]);
    assert_eq!(scopes.sources("bob", "review").unwrap(), ["bob", "ann"]);
    assert_eq!(
        scopes.sources("bob", "audit").unwrap_err().to_string(),
        "`bob` may not learn about `audit`: `cannot_learn` of its scope names it",
        "nor may others tell it"
    );
    assert_eq!(scopes.sources("new", "audit").unwrap(), ["new"]);
}

#[test]
fn who_may_run_tasks_and_give_work_to_whom() {
    check(MemoryScope::new("boss").may_orchestrate(), None);
    check(
        MemoryScope::new("boss").with_can_orchestrate(false).may_orchestrate(),
        Some("`boss` may not run tasks: `can_orchestrate` of its scope is false"),
    );
    let delegate =
        "`boss` may not give work to `ann`: `can_delegate_to` of its scope does not name `ann`";
    let subordinate = "`boss` may not give work to `ann`: `subordinate_to` in the scope of `ann` names another supervisor";
    for (can_delegate_to, subordinate_to, refusal) in [
        ("", None, None),
        ("ann", Some("boss"), None),
        ("*", Some("*"), None),
        ("bob", None, Some(delegate)),
        ("", Some("chief"), Some(subordinate)),
        ("bob", Some("chief"), Some(delegate)),
    ] {
        let boss = MemoryScope::new("boss").with_can_delegate_to(list(can_delegate_to));
        let ann = MemoryScope::new("ann").with_subordinate_to(subordinate_to.map(str::to_owned));
        check(Scopes::new(boss, [ann]).may_delegate(&"ann".into()), refusal);
    }
}

#[test]
fn what_does_not_fit_together_is_named() {
    let boss = MemoryScope::new("boss")
        .with_inherit_from(list("ann"))
        .with_subordinate_to("chief".to_owned())
        .with_can_delegate_to(list("ann"));
    let ann = MemoryScope::new("ann").with_can_orchestrate(false).with_can_delegate_to(list("bob"));
    let bob = MemoryScope::new("bob").with_inherit_from(list("ann *"));
    let faults = Scopes::new(boss, [ann, bob]).faults();
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "`inherit_from` means nothing in the scope of `boss`, which is the supervisor; leave it out",
            "`subordinate_to` means nothing in the scope of `boss`, which is the supervisor; leave it out",
            "`can_orchestrate` means nothing in the scope of `ann`, which is a worker; leave it out",
            "`can_delegate_to` means nothing in the scope of `ann`, which is a worker; leave it out",
            "`boss` may not give work to `bob`: `can_delegate_to` of its scope does not name `bob`",
            "`bob` may not read what `ann` has learned: `share_with` in the scope of `ann` does not name `bob`",
        ]
    );
    assert_eq!(Scopes::default().faults(), []);
}

const AGENTS: [&str; 4] = ["boss", "ann", "bob", "eve"];
const TOPICS: [&str; 2] = ["audit", "review"];

fn some_of<const N: usize>(words: [&'static str; N]) -> impl Strategy<Value = Vec<String>> {
    let all: Vec<String> = words.iter().copied().chain(["*"]).map(str::to_owned).collect();
    prop::sample::subsequence(all, 0..=N)
}

fn scope(agent: &'static str) -> impl Strategy<Value = MemoryScope> {
    let topics = || some_of(TOPICS);
    let agents = || some_of(AGENTS);
    (topics(), topics(), agents(), agents()).prop_map(move |(can, cannot, share, inherit)| {
        MemoryScope::new(agent)
            .with_can_learn(can)
            .with_cannot_learn(cannot)
            .with_share_with(share)
            .with_inherit_from(inherit)
    })
}

proptest! {
    /// An agent reads what it has learned itself, and what those have learned from whom it inherits and who share with it;
    /// never anything else. The law is written out here over plain sets of (who, topic) that were learned.
    #[test]
    fn nobody_reads_what_is_not_theirs_and_not_shared(
        boss in scope("boss"), ann in scope("ann"), bob in scope("bob"), eve in scope("eve"),
    ) {
        let all = [boss.clone(), ann.clone(), bob.clone(), eve.clone()];
        let scopes = Scopes::new(boss, [ann, bob, eve]);
        let has = |list: &[String], word: &str| list.iter().any(|w| w == word || w == "*");
        let learned: BTreeSet<(&str, &str)> = all
            .iter()
            .flat_map(|scope| TOPICS.map(|topic| (scope, topic)))
            .filter(|(scope, topic)| {
                (scope.can_learn.is_empty() || has(&scope.can_learn, topic)) && !has(&scope.cannot_learn, topic)
            })
            .map(|(scope, topic)| (scope.agent_name.as_str(), topic))
            .collect();
        for reader in &all {
            for topic in TOPICS {
                let sources = scopes.sources(&reader.agent_name, topic);
                prop_assert_eq!(sources.is_ok(), learned.contains(&(reader.agent_name.as_str(), topic)));
                let Ok(sources) = sources else { continue };
                let read: BTreeSet<String> = sources.into_iter().collect();
                let allowed: BTreeSet<String> = all
                    .iter()
                    .filter(|other| learned.contains(&(other.agent_name.as_str(), topic)))
                    .filter(|other| {
                        other.agent_name == reader.agent_name
                            || (has(&reader.inherit_from, &other.agent_name)
                                && has(&other.share_with, &reader.agent_name))
                    })
                    .map(|other| other.agent_name.clone())
                    .collect();
                prop_assert_eq!(read, allowed);
            }
        }
    }
}
