//! What is wrong with a configuration is said before anything runs: all of it, with file, line, column, field and remedy.

use crate::support::{Done, Project};

const TASK: &str = "description: x\nsubtasks: [{ id: a, task_type: t, description: a }]\n";
const GOOD: &str =
    "workers:\n  w: { command: [echo, hi], capabilities: [{ name: w, task_types: [t] }] }\n";

/// Runs with a configuration of `extra` lines before a worker that is fine.
#[track_caller]
fn check(extra: &str, expected: &[&str]) {
    let project = Project::new(&[("orch.yaml", &format!("{extra}{GOOD}")), ("task.yaml", TASK)]);
    let done = project.orch(&["run", "task.yaml"]).exits(2);
    for text in expected {
        done.says(text);
    }
    let lines = done.stderr.lines().count();
    assert_eq!(lines, expected.len(), "one line per issue:\n{}", done.stderr);
    assert_eq!(done.stdout, "");
    assert!(!project.store().exists(), "nothing is made for a run that cannot be");
}

/// Runs with a configuration of one worker.
#[track_caller]
fn check_worker(block: &str, expected: &[&str]) {
    let project =
        Project::new(&[("orch.yaml", &format!("workers:\n  w: {block}\n")), ("task.yaml", TASK)]);
    let done = project.orch(&["run", "task.yaml"]).exits(2);
    for text in expected {
        done.says(text);
    }
}

#[test]
fn unknown_keys_name_the_nearest() {
    check(
        "strategi: parallel\n",
        &["orch.yaml:1:1: strategi: unknown field `strategi`; did you mean `strategy`?"],
    );
    check(
        "limits:\n  max_paralel: 3\n",
        &[
            "orch.yaml:2:3: limits.max_paralel: unknown field `max_paralel`; did you mean `max_parallel`?",
        ],
    );
    check(
        "zebra: 1\n",
        &["orch.yaml:1:1: zebra: unknown field `zebra`; known: store, project, strategy"],
    );
    check(
        "routing: best_fti\n",
        &["orch.yaml:1:10: routing: unknown routing strategy `best_fti`, did you mean `best_fit`?"],
    );
}

#[test]
fn wrong_values_say_what_would_be_right() {
    for (extra, expected) in [
        (
            "strategy: paralel\n",
            "orch.yaml:1:11: strategy: unknown strategy `paralel`, did you mean `parallel`?",
        ),
        ("strategy: [1]\n", "orch.yaml:1:11: strategy: is sequence"),
        ("retry: [1]\n", "orch.yaml:1:8: retry: is sequence, expected a map"),
        (
            "retry: { max_retries: many }\n",
            "orch.yaml:1:23: retry.max_retries: is string \"many\", expected u32",
        ),
        (
            "retry: { retry_delay: 5 }\n",
            "orch.yaml:1:23: retry.retry_delay: is integer `5`, expected an unsigned duration",
        ),
        ("limits: { lease: 10x }\n", "orch.yaml:1:18: limits.lease: failed to parse"),
        ("limits: { attempt_timeout: -5s }\n", "orch.yaml:1:28: limits.attempt_timeout: "),
        (
            "limits: { grace: 5s, lease: 0s }\n",
            "orch.yaml:1:29: limits.lease: must be at least 1ms",
        ),
        (
            "limits: { max_parallel: 0 }\n",
            "orch.yaml:1:25: limits.max_parallel: is 0; give at least 1",
        ),
        (
            "limits: { max_parallel: 1.5 }\n",
            "orch.yaml:1:25: limits.max_parallel: is floating point `1.5`",
        ),
        (
            "budget: { max_cost_usd: -1 }\n",
            "orch.yaml:1:25: budget.max_cost_usd: is -1; give US dollars, at least 0",
        ),
        ("budget: { aggregation_reserve_usd: 2, max_cost_usd: 1 }\n", "is more than max_cost_usd"),
        (
            "routing: memory_informed\n",
            "`memory_informed` is not available here; available: best_fit, least_loaded, round_robin",
        ),
        ("decomposition: phase_based\n", "`phase_based`"),
        (
            "aggregation: vote\n",
            "strategy `vote` is not available here; available: concatenate, merge",
        ),
        ("aggregation: { min_success_ratio: 2 }\n", "min_success_ratio is 2; give 0 to 1"),
        (
            "store: mysql://me:secret@host/db\n",
            "orch.yaml:1:8: store: runs cannot be kept in `mysql://`",
        ),
        (
            "store: postgres://me:${PASS WORD}@host/db\n",
            "orch.yaml:1:8: store: `${PASS WORD}` names no environment variable",
        ),
        ("store: sqlite://\n", "orch.yaml:1:8: store: names no file"),
        ("project: yes: no\n", "orch.yaml:1:"),
        (
            "strategy: parallel\nstrategy: parallel\n",
            "orch.yaml:2:1: duplicate mapping key: strategy",
        ),
    ] {
        check(extra, &[expected]);
    }
}

#[test]
fn a_secret_in_a_url_is_not_repeated() {
    let worker = "workers: { w: { command: [x], capabilities: [{ name: t, task_types: [t] }] } }\n";
    for (store, code) in
        [("mysql://me:secret@host/db", 2), ("postgres://me:secret@127.0.0.1:1/db", 1)]
    {
        let project = Project::new(&[
            ("orch.yaml", &format!("store: {store}\n{worker}")),
            ("task.yaml", TASK),
        ]);
        let mut command = project.command(&["run", "task.yaml"]);
        let done = Done::from_command(command.env("ORCH_LOG", "trace")).exits(code);
        assert!(!done.stderr.contains("secret"), "{}", done.stderr);
    }
}

#[test]
fn wrong_workers_are_named_with_what_is_wrong() {
    for (block, expected) in [
        (
            "{ comand: [x] }",
            &[
                "workers.w.comand: unknown field `comand`; did you mean `command`?",
                "missing field `command`",
            ][..],
        ),
        (
            "{ command: [] , capabilities: [{ name: w, task_types: [t] }] }",
            &["workers.w: `command` is empty"],
        ),
        ("{ command: [x] }", &["orch.yaml:2:6: workers.w: has no capabilities"]),
        (
            "{ command: [x], capabilities: [{ name: w, task_typs: [t] }] }",
            &["capabilities[0].task_typs: unknown field `task_typs`; did you mean `task_types`?"],
        ),
        (
            "{ command: [x], stdin: al, timeout: no, capabilities: [{ name: w }] }",
            &[
                "workers.w.stdin: unknown word `al`; known: context, prompt, none",
                "workers.w.timeout: ",
            ],
        ),
        (
            "{ command: [echo, '{{ taks.context }}'], capabilities: [{ name: w, task_types: [t] }] }",
            &["workers.w: command[1]: unknown name `taks`"],
        ),
        ("{ pull: true, slots: 0 }", &["workers.w.slots: is integer `0`"]),
        (
            "{ pull: false, capabilities: [{ name: w, task_types: [t] }] }",
            &["workers.w.pull: can only be `true`"],
        ),
        ("{ pull: true, command: [x] }", &["workers.w.command: unknown field `command`"]),
        ("[x]", &["workers.w: is not a map"]),
    ] {
        check_worker(block, expected);
    }
}

#[test]
fn everything_is_said_at_once() {
    check(
        "strategi: parallel\nlimits: { lease: 10x, max_parallel: 0 }\naggregation: vote\n",
        &["strategi", "limits.lease", "limits.max_parallel", "aggregation"],
    );
}

#[test]
fn a_missing_file_is_named() {
    let project = Project::new(&[("task.yaml", TASK)]);
    project
        .orch(&["run", "task.yaml", "--config", "gone.yaml"])
        .exits(2)
        .says("gone.yaml: No such file");
    project
        .orch(&["run", "task.yaml"])
        .exits(2)
        .says("there is no orch.yaml beside the task or in");
    project.orch(&["status"]).exits(2).says("there are no runs here");
}

#[test]
fn the_block_in_almas_file_is_read_and_checked_too() {
    let alma = |block: &str| {
        Project::new(&[
            (".alma/config.yaml", &format!("alma: {{ x: 1 }}\n{block}")),
            ("task.yaml", TASK),
        ])
    };
    let good = alma(
        "orchestration:\n  workers:\n    w: { command: [echo, hi], capabilities: [{ name: w, task_types: [t] }] }\n",
    );
    assert_eq!(
        good.orch(&["run", "task.yaml", "-q"]).exits(0).json(),
        serde_json::json!({ "a": "hi" })
    );
    let bad = alma("orchestration:\n  strategi: x\n");
    bad.orch(&["run", "task.yaml"])
        .exits(2)
        .says(".alma/config.yaml:3:3: orchestration.strategi: unknown field");
    alma("").orch(&["run", "task.yaml"]).exits(2).says("there is no orch.yaml");
    alma("orchestration: {\n").orch(&["run", "task.yaml"]).exits(2).says(".alma/config.yaml:2:");
}

#[test]
fn a_configuration_is_found_upwards() {
    let project = Project::new(&[("orch.yaml", GOOD), ("deep/er/task.yaml", TASK)]);
    let mut command = project.command(&["run", "task.yaml", "-q"]);
    crate::support::Done::from_command(command.current_dir(project.path().join("deep/er")))
        .exits(0);
    assert!(project.store().exists(), "runs are kept in the project's folder");
}
