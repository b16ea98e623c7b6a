//! What is wrong with a task is said before anything runs.

use crate::support::{Done, Project, WORKERS};

#[track_caller]
fn check(task: &str, args: &[&str], expected: &[&str]) {
    let project = Project::new(&[("orch.yaml", WORKERS), ("task.yaml", task)]);
    let done = project.orch(&[&["run", "task.yaml"], args].concat()).exits(2);
    for text in expected {
        done.says(text);
    }
    assert_eq!(done.stderr.lines().count(), expected.len(), "one line per issue:\n{}", done.stderr);
    assert!(!project.store().exists());
}

#[test]
fn fields_are_checked_all_at_once() {
    check(
        "descripton: x\nshow: [summary]\ndeadline: tomorrow\nsubtasks:\n  - { id: a, dependencys: [], description: a, priority: high }\n  - { id: b }\n",
        &[],
        &[
            "task.yaml:1:1: descripton: unknown field `descripton`; did you mean `description`?",
            "task.yaml:2:8: show[0]: `summary` is not a JSON Pointer; write `/summary`",
            "task.yaml:3:11: deadline: ",
            "task.yaml:1:1: missing field `description`",
            "task.yaml:5:14: subtasks[0].dependencys: unknown field `dependencys`; did you mean `dependencies`?",
            "task.yaml:5:57: subtasks[0].priority: is string \"high\", expected u8",
            "task.yaml:6:5: subtasks[1]: missing field `description`",
        ],
    );
    check("[1]\n", &[], &["task.yaml:1:1: a task is a map with at least `description`"]);
    check(
        "description: x\nsubtasks: {}\n",
        &[],
        &["task.yaml:2:11: subtasks: is not a list of subtasks"],
    );
    check(
        "description: x\nbudget: { max_cost_usd: -1 }\naggregation: vote\n",
        &[],
        &["aggregation", "budget.max_cost_usd"],
    );
    check("description: x\nbad\n", &[], &["task.yaml:2:"]);
}

#[test]
fn plans_are_checked_with_the_workers() {
    check(
        "description: x\nsubtasks:\n  - { id: a, task_type: sleep, description: a, context: { seconds: 0 }, dependencies: [bb] }\n  - { id: b, task_type: slep, description: b }\n  - { id: c, task_type: sleep, description: c, constraints: { require_worker: sleepr } }\n",
        &[],
        &[
            "task.yaml:3:5: subtask `a` depends on `bb`, which is not in the plan; did you mean `b`?",
            "task.yaml:4:5: no worker can do subtask `b` of type `slep`: none handles that type; did you mean `sleep`?",
            "task.yaml:5:5: subtask `c` requires worker `sleepr`, which does not exist; did you mean `sleeper`?",
        ],
    );
    let two = "  - { id: a, task_type: fail, description: a, dependencies: [b] }\n  - { id: b, task_type: fail, description: b, dependencies: [a] }\n";
    check(&format!("description: x\nsubtasks:\n{two}"), &[], &["wait for each other: a -> b -> a"]);
}

#[test]
fn a_variable_that_a_command_would_miss_is_seen_before_the_run() {
    check(
        "description: x\nsubtasks:\n  - { id: a, task_type: sleep, description: a, context: { secnds: 1 } }\n",
        &[],
        &[
            "task.yaml:3:5: subtask `a`: worker `sleeper` cannot do it: command[2]: `subtask.context.seconds` is missing",
        ],
    );
}

#[test]
fn set_changes_only_what_the_task_declares() {
    let task = "description: x\ncontext: { repo: ., deep: { er: 1 } }\nsubtasks: [{ id: a, task_type: fail, description: a }]\n";
    check(
        task,
        &["--set", "repp=x"],
        &["--set repp=x: the task's context has no `repp`; did you mean `repo`?"],
    );
    check(
        task,
        &["--set", "deep.err=x", "--set", "repo"],
        &[
            "--set deep.err=x: the task's context has no `err`; did you mean `er`?",
            "--set repo: give it as key=value",
        ],
    );
}

#[test]
fn a_task_that_nobody_can_do_is_refused() {
    let project = Project::new(&[("orch.yaml", WORKERS)]);
    let done = project.orch(&["run", "Paint the fence"]).exits(2);
    done.says("no worker fits task type `general`; workers: sleeper, failer");
    project.orch(&["run", "gone.yaml"]).exits(2).says("there is no file `gone.yaml`");
}

#[test]
fn huge_numbers_are_refused_before_anything_is_made_of_them() {
    let task = "description: x\nsubtasks: [{ id: a, task_type: fail, description: a, replicas: 4000000000 }]\n";
    let project = Project::new(&[("orch.yaml", WORKERS), ("task.yaml", task)]);
    let deep = format!("{}b=1", "a.".repeat(50_000));
    for (args, expected) in [
        (vec!["task.yaml"], "4000000000 subtasks with all replicas, more than 10000"),
        (vec!["Fix it all", "--set", &deep], "the key has more than 32 parts"),
    ] {
        for command in ["run", "plan"] {
            // In little memory: what is made before it is checked would not fit.
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_orch")]);
            shell.arg(command).args(&args).current_dir(project.path());
            Done::from_command(&mut shell).exits(2).says(expected);
        }
    }
    assert!(!project.store().exists());
}

#[test]
fn an_output_that_no_store_could_read_again_is_a_bad_output() {
    let worker = "workers: { deep: { command: [cat, deep.json], output: json, capabilities: [{ name: deep, task_types: [general] }] } }\n";
    for (levels, code) in [(64, 0), (65, 1), (126, 1)] {
        let json = "[".repeat(levels) + &"]".repeat(levels);
        let project = Project::new(&[
            ("orch.yaml", &format!("retry: {{ max_retries: 0 }}\n{worker}")),
            ("deep.json", &json),
        ]);
        let done = project.orch(&["run", "Fix it all"]).exits(code);
        if code == 1 {
            done.says("more than 64 lists and maps in each other");
        }
        project.orch(&["status", "--all"]).exits(0);
        project.orch(&["show", "latest"]).exits(0);
    }
}
