//! `orch.yaml`.

use orch_app::{AppError, Store, WorkerConfig};
use orch_core::{
    AggregationSettings, AggregationStrategy, DecompositionStrategy, ExecutionStrategy, ProjectId,
    RoutingStrategy, RunSettings,
};

use crate::{config, folder, issues, load};

#[test]
fn what_is_not_said_has_its_default() {
    // Outputs of one shape are merged over each other only for who asks for it.
    let auto = AggregationSettings::default().with_strategy(AggregationStrategy::Auto);
    for text in ["", "# nothing\n", "retry: {}\nlimits: {}\nbudget: {}\naggregation: {}\n"] {
        let folder = folder(&[("orch.yaml", text)]);
        let config = load(folder.path()).unwrap();
        let name = folder.path().file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(
            config.settings(),
            RunSettings::default()
                .with_project(ProjectId::new(name))
                .with_aggregation(auto.clone()),
            "{text:?}"
        );
        assert_eq!(config.store, Store::default());
        assert_eq!(config.store.to_string(), ".orch/orch.db");
        assert_eq!(config.routing.strategy, RoutingStrategy::BestFit);
        assert_eq!(config.decomposition.strategy, DecompositionStrategy::Hybrid);
        assert!(config.workers.is_empty());
        assert_eq!(config.config_dir(), folder.path());
    }
}

#[test]
fn all_that_is_said_is_in_the_settings() {
    let config = config(
        r#"
store: sqlite://data/runs.db
project: tower
strategy: sequential
routing: { strategy: round_robin }
decomposition: { strategy: domain_based, item_key: rooms }
aggregation: { strategy: concatenate, allow_partial: false, min_success_ratio: 0.5 }
retry: { max_retries: 5, retry_delay: 2s, exponential_backoff: false, max_delay: 1m, use_fallback_worker: false }
limits:
  max_parallel: 3
  process_cap: 7
  max_subtasks: 9
  attempt_timeout: 1h 30m
  lease: 10s
  offer_timeout: 2m
  grace: 500ms
budget: { max_cost_usd: 1.5, max_tokens: 1000, max_active: 1h, aggregation_reserve_usd: 0.25 }
"#,
    );
    let settings = config.settings();
    assert_eq!(config.store, Store::Sqlite("data/runs.db".into()));
    assert_eq!(settings.project, "tower");
    assert_eq!(settings.strategy, ExecutionStrategy::Sequential);
    assert_eq!(config.routing.strategy, RoutingStrategy::RoundRobin);
    assert_eq!(config.decomposition.item_key.as_deref(), Some("rooms"));
    assert_eq!(settings.aggregation.strategy, AggregationStrategy::Concatenate);
    assert_eq!(
        (settings.aggregation.allow_partial, settings.aggregation.min_success_ratio),
        (false, 0.5)
    );
    let retry = &settings.retry;
    assert_eq!((retry.max_retries, retry.retry_delay_ms, retry.max_delay_ms), (5, 2_000, 60_000));
    assert_eq!((retry.exponential_backoff, retry.use_fallback_worker), (false, false));
    assert_eq!(config.limits.process_cap, Some(7));
    assert_eq!((settings.max_parallel, settings.max_subtasks), (3, 9));
    assert_eq!((settings.attempt_timeout_ms, settings.lease_ms), (5_400_000, 10_000));
    assert_eq!((settings.offer_timeout_ms, settings.grace_ms), (120_000, 500));
    let budget = &settings.budget;
    assert_eq!((budget.max_cost_micro_usd, budget.max_tokens), (Some(1_500_000), Some(1_000)));
    assert_eq!(
        (budget.max_active_ms, budget.aggregation_reserve_micro_usd),
        (Some(3_600_000), 250_000)
    );
}

#[test]
fn one_word_stands_for_a_section() {
    let config = config(
        "routing: least_loaded\ndecomposition: capability_based\naggregation: concatenate\n",
    );
    assert_eq!(config.routing.strategy, RoutingStrategy::LeastLoaded);
    assert_eq!(config.decomposition.strategy, DecompositionStrategy::CapabilityBased);
    assert_eq!(config.aggregation.strategy, AggregationStrategy::Concatenate);
}

#[test]
fn workers_come_in_the_order_of_the_file() {
    let config = config(
        r#"
workers:
  zoe: { pull: true, slots: 3, capabilities: [{ name: review, task_types: [review] }] }
  adder: { command: [expr, "1", +, "1"], capabilities: [{ name: add, task_types: [add] }], timeout: 5s }
"#,
    );
    let names: Vec<&str> = config.workers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["zoe", "adder"]);
    match (&config.workers[0].1, &config.workers[1].1) {
        (WorkerConfig::Pull(pull), WorkerConfig::Command(command)) => {
            assert_eq!((pull.slots.get(), pull.capabilities.len()), (3, 1));
            assert_eq!(command.timeout.unwrap().as_secs(), 5);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_could_do_harm_is_refused_quickly() {
    let bomb = (0..9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        let alias = format!("*a{n}");
        text + &format!("a{}: &a{} [{}]\n", n + 1, n + 1, [alias.as_str(); 10].join(", "))
    });
    let deep = format!("project: {}{}\n", "[".repeat(100), "]".repeat(100));
    for text in
        [bomb.as_str(), &deep, "project: a\nproject: b\n", "project: [\n", "project: .inf\n"]
    {
        let said = issues(load(folder(&[("orch.yaml", text)]).path()));
        assert_eq!(said.len(), 1, "{said:?}");
    }
}

#[test]
fn only_true_and_false_are_booleans() {
    let said =
        issues(load(folder(&[("orch.yaml", "retry: { exponential_backoff: no }\n")]).path()));
    assert_eq!(said, ["is string \"no\", expected a boolean"]);
}

#[test]
fn what_is_no_map_is_no_configuration() {
    for (text, expected) in [
        ("- a\n", "is not a map of settings"),
        ("workers: [a]\n", "is not a map of names and workers"),
        ("workers: { a: 1 }\n", "is not a map"),
        ("limits: []\n", "is sequence, expected a map"),
        ("routing: 1\n", "is integer `1`, expected a strategy, or a map with `strategy`"),
    ] {
        assert_eq!(issues(load(folder(&[("orch.yaml", text)]).path())), [expected], "{text}");
    }
}

/// Checks what is wrong with the scopes of a supervisor (`extra`) and of the workers ann and bob.
#[track_caller]
fn check_scopes(extra: &str, ann: &str, bob: &str, expected: &[&str]) {
    let able = "pull: true, capabilities: [{ name: x, task_types: [x] }]";
    let text = format!(
        "{extra}workers:\n  ann: {{ {able}, scope: {ann} }}\n  bob: {{ {able}, scope: {bob} }}\n"
    );
    let said = match load(folder(&[("orch.yaml", &text)]).path()) {
        Ok(_) => Vec::new(),
        Err(AppError::Invalid(issues)) => issues.0,
        Err(other) => panic!("{other}"),
    };
    let said: Vec<String> =
        said.iter().map(|issue| format!("{}: {}", issue.field, issue.message)).collect();
    assert_eq!(said, expected, "{text}");
}

#[test]
fn scopes_are_read_and_belong_to_their_agents() {
    let config = config(
        "supervisor: { name: boss, scope: { cannot_learn: [x], can_delegate_to: [ann, cat] } }\nworkers:\n  ann: { pull: true, capabilities: [{ name: x, task_types: [x] }], scope: { agent_name: ann, share_with: [cat] } }\n  cat: { command: [cat], memory_tokens: 500, capabilities: [{ name: x, task_types: [x] }], scope: { inherit_from: [ann] } }\n",
    );
    let scopes = config.scopes();
    assert_eq!(scopes.supervisor().agent_name, "boss");
    assert!(scopes.supervisor().may_learn("x").is_err());
    assert_eq!(scopes.sources("cat", "x").unwrap(), ["cat", "ann"]);
    let workers = orch_app::Workers::new(&config).unwrap();
    let asked: Vec<_> =
        workers.all().iter().map(|w| (w.name().as_str(), w.memory_tokens())).collect();
    assert_eq!(asked, [("ann", 0), ("cat", 500)]);
    let named = workers.all().iter().map(|worker| worker.scope().unwrap().agent_name.as_str());
    assert_eq!(named.collect::<Vec<_>>(), ["ann", "cat"]);
}

#[test]
fn scopes_of_agent_files_count_unless_the_configuration_has_such_a_worker() {
    let agent = |name: &str, scope: &str| {
        format!("---\nname: {name}\ndescription: Does it\nx-orch: {{ scope: {scope} }}\n---\n")
    };
    let config = "supervisor: { name: boss }\nworkers:\n  ann: { pull: true, memory_tokens: 5, capabilities: [{ name: x, task_types: [x] }], scope: { inherit_from: [eve] } }\n";
    let folder = folder(&[
        ("orch.yaml", config),
        (".claude/agents/ann.md", &agent("ann", "{ cannot_learn: [x] }")),
        (".claude/agents/boss.md", &agent("boss", "{ cannot_learn: [x] }")),
        (".claude/agents/eve.md", &agent("eve", "{ share_with: [ann] }")),
        (".claude/agents/lea.md", &agent("lea", "{ subordinate_to: chief }")),
        (".claude/agents/zoe.md", &agent("zoe", "{ inherit_from: [eve] }")),
    ]);
    let config = load(folder.path()).unwrap();
    let scopes = config.scopes();
    assert_eq!(
        scopes.sources("ann", "x").unwrap(),
        ["ann", "eve"],
        "the file ann.md does not count"
    );
    assert_eq!(scopes.sources("zoe", "x").unwrap(), ["zoe"], "eve does not share with zoe");
    assert!(scopes.supervisor().may_learn("x").is_ok());
    let mut workers = orch_app::Workers::new(&config).unwrap();
    workers.add_agents(&config);
    let named = workers.all().iter().map(|worker| (worker.name().as_str(), worker.memory_tokens()));
    // boss is the supervisor, and lea works for another.
    assert_eq!(named.collect::<Vec<_>>(), [("ann", 5), ("eve", 0), ("zoe", 0)]);
}

#[test]
fn scopes_that_do_not_fit_together_are_refused_by_rule() {
    check_scopes("", "{}", "{ share_with: [ann] }", &[]);
    check_scopes(
        "",
        "{}",
        "{ inherit_from: [ann] }",
        &[
            "workers.bob.scope.inherit_from: `bob` may not read what `ann` has learned: `share_with` in the scope of `ann` does not name `bob`",
        ],
    );
    check_scopes(
        "supervisor: { scope: { can_delegate_to: [ann], inherit_from: [ann] } }\n",
        "{ subordinate_to: chief, can_orchestrate: false }",
        "{ can_learn: [x] }",
        &[
            "supervisor.scope.inherit_from: `inherit_from` means nothing in the scope of `orch`, which is the supervisor; leave it out",
            "workers.ann.scope.can_orchestrate: `can_orchestrate` means nothing in the scope of `ann`, which is a worker; leave it out",
            "workers.ann: `orch` may not give work to `ann`: `subordinate_to` in the scope of `ann` names another supervisor",
            "workers.bob: `orch` may not give work to `bob`: `can_delegate_to` of its scope does not name `bob`",
        ],
    );
    check_scopes(
        "supervisor: { name: ann, scpoe: {} }\n",
        "{ agent_name: bob }",
        "{ cannot_lern: [x] }",
        &[
            "supervisor.scpoe: unknown field `scpoe`; did you mean `scope`?",
            "workers.ann.scope.agent_name: names `bob` in the block of `ann`; leave it out",
            "workers.bob.scope.cannot_lern: unknown field `cannot_lern`; did you mean `cannot_learn`?",
            "workers.ann: is the name of the supervisor, too; give one of them another",
        ],
    );
}
