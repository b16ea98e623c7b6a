//! Texts of workers, files and clients: shown, never obeyed, wherever they come out.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{Done, Project};
use crate::terminal::{Ends, at_a_terminal};

/// What a terminal would obey, or hide; `orch_core::printable` has its own test of every character.
const CONTROL: [&str; 9] = [
    "\u{1b}]0;pwned\u{7}",
    "\u{1b}]52;c;Y3VybA==\u{7}",
    "\u{1b}[1A\u{1b}[2K",
    "\u{9b}31m",
    "\r",
    "\u{8}\u{7f}",
    "\u{202e}",
    "\u{2066}\u{200f}",
    "\u{2028}",
];

/// What begins a line that a text of others must not make.
const FORGED: &str = "FORGED";

/// A text of others: something to obey, and an attempt to forge a line.
fn text() -> impl Strategy<Value = String> {
    let parts = prop::collection::vec(prop::sample::select(&CONTROL[..]), 1..4);
    parts.prop_map(|parts| format!("a{}\n{FORGED}\tb", parts.concat()))
}

/// A project in which everything that may be any text is `text`, and `name` everything that is on one line.
fn project(text: &str, name: &str) -> Project {
    let capability =
        |task_type: &str| json!([{ "name": text, "description": text, "task_types": [task_type] }]);
    let whole = json!({ "$orch": { "output": { text: text }, "metadata": { "lessons": ["x"], "notes": text } } });
    let failed = json!({ "$orch": { "success": false, "error_message": text } });
    let both = "printf %s \"$1\"; printf %s \"$1\" >&2; exit $2";
    let say = |code: &str| json!(["sh", "-c", both, "x", "{{ subtask.context.text }}", code]);
    let print = |output: &Value| json!(["printf", "%s", output.to_string()]);
    let config = json!({
        "project": name,
        "strategy": "parallel",
        "retry": { "max_retries": 1, "retry_delay": "1ms" },
        "aggregation": { "strategy": "merge", "min_success_ratio": 0.1 },
        "workers": {
            format!("{name}good"): { "command": say("0"), "capabilities": capability("good"), "stdin": "none" },
            format!("{name}bad"): { "command": say("1"), "capabilities": capability("bad"), "stdin": "none" },
            format!("{name}whole"): { "command": print(&whole), "capabilities": capability("whole"), "output": "json", "stdin": "none" },
            format!("{name}failed"): { "command": print(&failed), "capabilities": capability("failed"), "output": "json", "stdin": "none" },
            format!("{name}hand"): { "pull": true, "capabilities": capability("hand") },
        },
    });
    let subtask = |task_type: &str| {
        json!({
            "id": format!("{task_type}{name}"), "task_type": task_type, "description": text, "context": { "text": text },
            "required": false,
        })
    };
    let task = |types: &[&str]| {
        json!({
            "description": text, "task_type": text,
            "subtasks": types.iter().map(|of| subtask(of)).collect::<Vec<_>>(),
        })
    };
    let project = Project::new(&[]);
    let write = |file: &str, value: &Value| {
        project.write(file, &orch_core::printable_json(&value.to_string()));
    };
    write("orch.yaml", &config);
    write("task.json", &task(&["good", "bad", "whole", "failed"]));
    write("hand.json", &task(&["hand"]));
    project
}

#[track_caller]
fn is_shown(what: &str, seen: &str) {
    let hostile = |c: &char| orch_core::printable_lines(&c.to_string()) != c.to_string();
    if let Some(c) = seen.chars().find(hostile) {
        panic!("{what} sends {c:?}:\n{seen:?}");
    }
    if let Some(line) = seen.lines().find(|line| line.trim_start().starts_with(FORGED)) {
        panic!("{what} has a line of others, {line:?}:\n{seen}");
    }
}

/// Looks at everything that can be asked, in a project of such texts.
fn look_at_everything(text: &str) {
    let name: String = text.chars().filter(|c| !c.is_control()).collect();
    let project = project(text, &name);
    let seen = |args: &[&str]| {
        // Logs have colours of their own.
        let done = Done::from_command(project.command(args).env("NO_COLOR", "1"));
        let what = args.join(" ");
        is_shown(&what, &done.stderr);
        (what, done)
    };
    let all = |args: &[&str]| {
        let (what, done) = seen(args);
        is_shown(&what, &done.stdout);
        assert!(!done.stdout.is_empty() || !done.stderr.is_empty(), "{what} says nothing");
        done
    };
    all(&["plan", "task.json"]);
    let (_, run) = seen(&["run", "task.json", "-vvv"]);
    let run = run.exits(0);
    assert!(run.stdout.contains("\\u001b") || run.stdout.contains(FORGED), "{}", run.stdout);
    let id = run.stderr.lines().find_map(|line| line.strip_prefix("run ")).unwrap().to_owned();
    for of in ["good", "bad", "whole", "failed"] {
        all(&["show", "latest", &format!("{of}{name}")]).exits(0);
    }
    let by_hand = claimed_and_reported(&project, text);
    all(&["run", "task.json", "--json"]);
    for args in [
        &["plan", "task.json"][..],
        &["plan", "task.json", "--json"],
        &["status"],
        &["status", "--json"],
        &["status", "--all"],
        &["status", "--all", "--json"],
        &["show", &id, "--json"],
        &["show", &id, text],
        &["status", text],
        &["status", "0"],
        &["resume", text],
        &["cancel", &id],
        &["run", "task.json", "--set", text],
        &["run", "task.json", "--strategy", text],
        &["memory", "show"],
        &["memory", "show", "--json"],
        &["memory", "show", text],
        &["memory", "list"],
        &["memory", "stats"],
        &["memory", "forget", "--worker", text],
        &["memory", "forget", "--task-type", text],
        &["memory", "export", "-"],
        &["feedback", "--score", "0.5", "--note", text],
        &["feedback", text, "--score", "0.5"],
        &["report", text, "--result", text],
        &["claim", text],
        &["claim", "--worker", text],
        &[text],
        &["--config", text, "status"],
    ] {
        all(args);
    }
    let rules = project.orch(&["memory", "list", "--json"]).exits(0).json();
    let rule = rules["rules"][0]["heuristic"]["id"].as_str().unwrap().to_owned();
    all(&["memory", "pin", &rule, "--note", text]).exits(0);
    is_shown("the run by hand", &by_hand.stderr);

    let wrong = json!({ text: text, "description": text, "strategy": text, "subtasks": [{ "id": text, (text): 1 }] });
    project.write("wrong.json", &orch_core::printable_json(&wrong.to_string()));
    all(&["run", "wrong.json"]).exits(2);
    for args in [&["show", &id][..], &["run", "task.json", "-q"], &["status"], &["memory", "list"]]
    {
        let (seen, _) = at_a_terminal(&project, Ends::Stdout, args);
        let shown = seen.replace("\r\n", "\n");
        let what = format!("{} at a terminal", args.join(" "));
        is_shown(&what, &shown);
        assert!(!shown.is_empty(), "{what} says nothing");
    }
}

/// A worker outside takes its subtask and reports; returns what the run said.
fn claimed_and_reported(project: &Project, text: &str) -> Done {
    let mut run = project.start(&["run", "hand.json"]);
    run.run();
    run.until("> hand");
    let claim = project.orch(&["claim"]).exits(0);
    is_shown("claim", &claim.stderr);
    assert!(!claim.stdout.contains('\u{1b}'), "{}", claim.stdout);
    let line = claim.stderr.lines().find(|line| line.starts_with("subtask ")).unwrap();
    let id = project.orch(&["status", "--json"]).exits(0).json()["subtasks"][0]["subtask_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(line.starts_with("subtask hand"), "{line}");
    let report = project.orch(&["report", &id, "--error", text, "--lesson", text]).exits(0);
    is_shown("report", &report.stdout);
    is_shown("report", &report.stderr);
    project.orch(&["cancel"]);
    run.finish()
}

#[test]
fn what_others_wrote_is_shown_and_never_sent() {
    // Each case is some fifty processes.
    let config =
        Config { cases: 2, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&text(), |text| {
            look_at_everything(&text);
            Ok(())
        })
        .unwrap();
    look_at_everything(&format!("a{}\n{FORGED}\tb", CONTROL.concat()));
}

#[test]
fn a_program_gets_the_value_it_asked_for_as_it_is() {
    let config = "workers:\n  w: { command: [printf, 'a\\033[31m\\tb\\r\\nc'], capabilities: [{ name: w, task_types: [t] }] }\n";
    let task = "description: x\nshow: [/a]\nsubtasks: [{ id: a, task_type: t, description: a }]\n";
    let project = Project::new(&[("orch.yaml", config), ("task.yaml", task)]);
    let exact = "a\u{1b}[31m\tb\r\nc\n";
    assert_eq!(project.orch(&["run", "task.yaml", "-q"]).exits(0).stdout, exact);
    assert_eq!(project.orch(&["show"]).exits(0).stdout, exact);
    let shown = "a\\u{1b}[31m\tb\r\nc\r\n";
    assert_eq!(at_a_terminal(&project, Ends::Stdout, &["show"]).0, shown);
}

#[test]
fn a_long_text_takes_one_line_of_a_list_and_of_a_terminal() {
    let long = "word ".repeat(30_000);
    let task = json!({ "description": long, "subtasks": [{ "id": "a", "task_type": "t", "description": long }] });
    let config = "workers:\n  w: { command: [sh, -c, 'yes out | head -c 3000 | tr -d \"\\n\" >&2; exit 1'], capabilities: [{ name: w, task_types: [t] }] }\n";
    let project = Project::new(&[("orch.yaml", config), ("task.json", &task.to_string())]);
    let (seen, _) = at_a_terminal(&project, Ends::Stderr, &["run", "task.json"]);
    let summary = seen.lines().find(|line| line.starts_with("  ✗ a ")).unwrap();
    assert!(
        summary.trim_end().ends_with('…') && summary.trim_end().chars().count() <= 100,
        "{summary}"
    );
    for args in [&["status"][..], &["status", "--all"]] {
        let (seen, _) = at_a_terminal(&project, Ends::Stdout, args);
        assert!(seen.contains('…'), "{seen}");
        for line in seen.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
    let list = project.orch(&["status", "--all"]).exits(0).stdout;
    assert!(list.lines().all(|line| line.chars().count() <= 200), "{list}");
}
