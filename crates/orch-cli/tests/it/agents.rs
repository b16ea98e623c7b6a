//! `orch claim` and `orch report`: agents that have a shell.

use std::fs;
use std::time::Duration;

use orch_app::{Access, Config, ProjectLocation, Trust, Workers};
use orch_core::{ComplexTask, Event, RunId, RunSettings, Seq};
use orch_mcp::Server;
use orch_supervisor::{SubmitOptions, Supervisor};
use serde_json::{Value, json};

use crate::support::{Done, Project, state_dir};

const AGENT: &str = "---\nname: reviewer\ndescription: Reviews code\n---\nDo it.\n";

pub(crate) fn project(config: &str) -> Project {
    Project::new(&[("orch.yaml", config), (".claude/agents/reviewer.md", AGENT)])
}

/// Does something in a process that serves the project, and then goes away.
fn served<T>(
    project: &Project,
    work: impl AsyncFnOnce(&Server, &Supervisor, RunSettings) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let place = ProjectLocation::find(project.path(), None, None).unwrap();
        let config = Config::load(&place.with_trust(Trust::ThisCall, Some(state_dir()))).unwrap();
        let mut workers = Workers::pull_only(&config);
        workers.add_agents(&config);
        let store = orch_app::open_store(&config, Access::Create).await.unwrap();
        let memory = orch_app::open_memory(&config, store.clone(), Access::Create).await.unwrap();
        let supervisor = orch_app::supervisor(&config, &workers, store.clone(), memory, "server");
        let server = Server::builder(supervisor.clone(), &config.project_dir)
            .settings(config.settings())
            .build()
            .unwrap();
        let done = work(&server, &supervisor, config.settings()).await;
        supervisor.shutdown(Duration::ZERO).await;
        store.close().await;
        done
    })
}

pub(crate) fn delegate(project: &Project, subtasks: Value) -> Value {
    let arguments = json!({ "task": "Release it", "subtasks": subtasks });
    let Value::Object(arguments) = arguments else { panic!("an object") };
    served(project, async |server, _, _| {
        server.call("alma_delegate_task", arguments).await.unwrap().into()
    })
}

/// Three, one after another.
fn chain() -> Value {
    json!([
        { "id": "a", "description": "Review the code of a" },
        { "id": "b", "description": "Review the code of b", "dependencies": ["a"] },
        { "id": "c", "description": "Review the code of c", "dependencies": ["b"] },
    ])
}

fn events(project: &Project, run: &str) -> Vec<Event> {
    let run: RunId = run.parse().unwrap();
    served(project, async |_, supervisor, _| {
        let recorded = supervisor.journal().load(run, Seq(0)).await.unwrap();
        recorded.into_iter().map(|recorded| recorded.event).collect()
    })
}

/// An agent sees the project's agent files only.
pub(crate) fn orch(project: &Project, args: &[&str]) -> Done {
    Done::from_command(project.command(args).env("HOME", project.path()))
}

#[test]
fn agents_claim_and_report_a_run_to_its_end_without_any_server() {
    let project = project("");
    let answer = delegate(&project, chain());
    let run = answer["orchestration_id"].as_str().unwrap();
    let done = orch(&project, &["report", "a", "--result", "of a"]).exits(0);
    assert_eq!(done.stdout, "accepted: a; active, 1 of 3 done, 1 ready, 1 waiting\n");

    let claimed = orch(&project, &["claim", "--worker", "reviewer"]).exits(0);
    let prompt = &claimed.stdout;
    assert!(prompt.contains("Your part, `b`: Review the code of b"), "{prompt}");
    let line = claimed.stderr.lines().find(|line| line.starts_with("orch report ")).unwrap();
    let file = line.split_once("--file ").unwrap().1;
    assert!(prompt.contains(file), "{prompt}");
    fs::write(project.path().join(file), "of b").unwrap();
    // As it was told, in a folder that is not the project's.
    fs::create_dir(project.path().join("src")).unwrap();
    let args: Vec<&str> = line.split(' ').skip(1).collect();
    let mut command = project.command(&args);
    command.env("HOME", project.path().join("src")).current_dir(project.path().join("src"));
    Done::from_command(&mut command).exits(0);
    let again = Done::from_command(&mut command).exits(0);
    assert!(again.stdout.starts_with("duplicate: b; "), "{}", again.stdout);

    let claimed = orch(&project, &["claim", &run[..13], "--json"]).exits(0).json();
    assert_eq!(claimed.as_object().unwrap().keys().next().unwrap(), "success");
    assert_eq!(claimed["ready"][0]["subtask_id"], "c");
    let usage = ["--usage", "input_tokens=1200,cost_usd=0.02", "--worker", "somebody"];
    let long = "x".repeat(401);
    let lessons = ["--lesson", "Look twice", "--lesson", &long];
    let report = ["report", run, "c", "--result", "of c", "--json"];
    let report = [&report[..], &usage[..], &lessons[..]].concat();
    let last = orch(&project, &report).exits(0).json();
    assert_eq!((&last["answer"], &last["status"]), (&json!("accepted"), &json!("completed")));
    assert_eq!(last["aggregated_output"], json!({ "a": "of a", "b": "of b", "c": "of c" }));
    let refused = last["lessons_refused"].as_array().unwrap();
    assert!(refused.len() == 1 && refused[0].as_str().unwrap().contains("may have 400"), "{last}");
    let known = project.orch(&["memory", "show", "--json"]).exits(0).json();
    let known = known["records"].as_array().unwrap().iter();
    let lessons: Vec<_> = known.filter_map(|record| record["lessons"].as_array()).collect();
    assert_eq!(lessons, [&vec![json!("Look twice")]], "learned by the agent that had the attempt");

    let status = project.orch(&["status", run, "--json"]).exits(0).json();
    assert_eq!(status["usage"]["input_tokens"], 1200, "{status}");
    orch(&project, &["claim", run]).exits(1).says("is over: completed, 3 of 3 done");
    orch(&project, &["claim"]).exits(2).says("no run is open");
}

#[test]
fn a_result_that_says_failed_is_a_failure_unless_success_is_said() {
    let project = project("retry: { max_retries: 0 }\n");
    for (said, expected) in [
        (&["--result", "FAILED: no repo"][..], "accepted: a; failed"),
        (&["--result", "FAILED: 2 of 90 tests", "--success"][..], "accepted: a; completed"),
    ] {
        let answer = delegate(&project, json!([{ "id": "a", "description": "Review the code" }]));
        let run = answer["orchestration_id"].as_str().unwrap();
        orch(&project, &["report", run, "a", "--result", " ", "--success"]).says("is empty");
        let done = orch(&project, &[&["report", run, "a"], said].concat()).exits(0);
        assert!(done.stdout.starts_with(expected), "{}", done.stdout);
        done.says("begins with `FAILED:`");
    }
}

#[test]
fn an_agent_is_told_what_its_scope_lets_it_read() {
    let file = |name: &str, extras: &str| {
        let text = format!(
            "---\nname: {name}\ndescription: Works in {name}\nx-orch:\n  task_types: [explore]\n{extras}---\n"
        );
        (format!(".claude/agents/{name}.md"), text)
    };
    let files = [
        file("ann", "  scope: { share_with: [bob] }\n"),
        file("bob", "  memory_tokens: 300\n  scope: { inherit_from: [ann] }\n"),
        file("eve", "  memory_tokens: 300\n  scope: { cannot_learn: [explore] }\n"),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let project = Project::new(&[&files[..], &[("orch.yaml", "")]].concat());
    let explore = |agent: &str, lesson: &str| {
        let subtask = json!({ "id": "a", "description": "Explore the cellar", "task_type": "explore", "worker": agent });
        let answer = delegate(&project, json!([subtask]));
        let run = answer["orchestration_id"].as_str().unwrap();
        let report = ["report", run, "a", "--result", "seen", "--lesson", lesson, "--json"];
        let reported = orch(&project, &report).exits(0).json();
        let prompt = answer["ready"][0]["prompt"].as_str().unwrap().to_owned();
        (prompt, reported["lessons_refused"].clone())
    };

    let (prompt, refused) = explore("ann", "The cellar is dark");
    assert!(!prompt.contains("cellar is dark") && refused.is_null(), "{prompt}: {refused}");
    let (prompt, _) = explore("bob", "Take a lamp");
    assert!(prompt.contains("The cellar is dark"), "ann shares with bob: {prompt}");
    let (prompt, refused) = explore("eve", "There is a cat");
    assert!(!prompt.contains("The cellar is dark"), "nobody shares with eve: {prompt}");
    assert!(refused[0].as_str().unwrap().contains("`cannot_learn`"), "{refused}");
    let (prompt, _) = explore("ann", "The stairs creak");
    assert!(!prompt.contains("The cellar is dark"), "ann does not ask: {prompt}");
    let known = project.orch(&["memory", "show"]).exits(0).stdout;
    assert!(known.contains("Take a lamp") && !known.contains("There is a cat"), "{known}");
}

#[test]
fn what_is_in_vain_exits_with_4_and_what_is_wrong_with_2() {
    let project = project("");
    let answer = delegate(&project, chain());
    let run = answer["orchestration_id"].as_str().unwrap();
    let attempt = answer["ready"][0]["attempt"].as_str().unwrap();
    orch(&project, &["claim"]).exits(4).says("nothing to claim now in run");
    orch(&project, &["claim", "--subtask", "b"]).exits(4).says("nothing to claim now in run");
    orch(&project, &["report", "c", "--result", "x"]).exits(4).says("; call `orch status` to see");
    let refused = orch(&project, &["report", "c", "--result", "x", "--json"]).exits(4).json();
    assert!(refused["error"].as_str().unwrap().starts_with("Refused: "), "{refused}");
    let forged = "1-00c0ffee00c0ffee";
    let done = orch(&project, &["report", "a", "--attempt", forged, "--result", "x"]).exits(4);
    assert!(done.stdout.starts_with("stale: a; "), "{}", done.stdout);
    done.says("does not count");
    orch(&project, &["report", "a", "--attempt", attempt, "--result", "x"]).exits(0);
    let done = orch(&project, &["report", "a", "--attempt", attempt, "--result", "y"]).exits(4);
    assert!(done.stdout.starts_with("rejected: a; "), "{}", done.stdout);

    project.write("large.json", "[115792089237316195423570985008687907853]");
    for (args, expected) in [
        (&["report", "d", "--result", "x"][..], "has no subtask `d`"),
        (&["report", "a"], "required"),
        (&["report", "a", "--result", "x", "--error", "y"], "cannot be used with"),
        (&["report", "a", "--result", "x", "--cause", "auth"], "cannot be used with"),
        (&["report", "b", "--error", "x", "--cause", "aut"], "pass one of"),
        (&["report", "a", "--attempt", "1", "--result", "x"], "`attempt` is `1`"),
        (&["report", "a", "--file", "none.md"], "the result none.md cannot be read"),
        (&["report", "a", "--file", "/dev/zero"], "it is not a regular file"),
        (&["report", "a", "--file", "large.json"], "quote it"),
        (&["report", "a", "--result", "x", "--usage", "much"], "is not a usage field"),
        (&["report", "a", "--result", "x", "--usage", "tokens=1"], "unknown field `tokens`"),
        (&["report", "ffff", "a", "--result", "x"], "no run begins with `ffff`"),
        (&["claim", "--slots", "0"], "--slots"),
    ] {
        orch(&project, args).exits(2).says(expected);
    }
    orch(&project, &["report", "b", "--error", "no access", "--cause", "auth"]).exits(0);
    let status = project.orch(&["status", run, "--json"]).exits(0).json();
    assert_eq!(status["end_status"], "failed", "{status}");
}

#[test]
fn whoever_asks_in_vain_writes_nothing_and_keeps_nobody_s_lease_alive() {
    let project = project("");
    let answer = delegate(&project, chain());
    let run = answer["orchestration_id"].as_str().unwrap();
    orch(&project, &["report", "a", "--result", "of a"]).exits(0);
    orch(&project, &["claim", "--worker", "reviewer"]).exits(0);
    let before = events(&project, run).len();
    let lease = |project: &Project| {
        let status = project.orch(&["status", run, "--json"]).exits(0).json();
        assert_eq!((&status["status"], &status["owner"]), (&json!("active"), &Value::Null));
        status["subtasks"][1]["open"][0]["until"].clone()
    };
    let until = lease(&project);
    for _ in 0..3 {
        orch(&project, &["claim"]).exits(4);
    }
    assert_eq!((events(&project, run).len(), lease(&project)), (before, until));
}

#[test]
fn a_run_that_has_an_owner_is_left_to_it() {
    let project = project("");
    let arguments = json!({ "task": "Release it", "subtasks": chain() });
    let Value::Object(arguments) = arguments else { panic!("an object") };
    let run = served(&project, async |server, _, _| {
        let answer = server.call("alma_delegate_task", arguments).await.unwrap();
        let reported = orch(&project, &["report", "a", "--result", "of a"]).exits(0);
        assert!(reported.stdout.starts_with("accepted: a; "), "{}", reported.stdout);
        let claimed = orch(&project, &["claim", "--json"]).exits(0).json();
        assert_eq!(claimed["ready"][0]["subtask_id"], "b", "{claimed}");
        answer["orchestration_id"].as_str().unwrap().to_owned()
    });
    let taken = events(&project, &run).iter().any(|e| matches!(e, Event::RunResumed { .. }));
    assert!(!taken, "nobody took it over");
}

/// Who runs programs for a run is the server of the configuration; somebody else would only find that nobody can do them.
#[test]
fn a_managed_run_is_not_taken_over() {
    let config = "workers:\n  lint: { command: [sleep, '60'], capabilities: [{ name: lint, task_types: [lint] }] }\n";
    let project = project(config);
    let run = served(&project, async |_, supervisor, settings| {
        let note = json!({ "mode": "managed", "guests": [] });
        let note = orch_core::JsonMap::from_iter([("orch_mcp".to_owned(), note)]);
        let options =
            SubmitOptions::new().settings(settings.with_annotations(note)).request_key("mcp/key/k");
        let task = ComplexTask::new("t", "Lint it", "lint");
        // It is suspended before it has a plan.
        supervisor.submit_with(task, options).await.unwrap().to_string()
    });
    let before = events(&project, &run).len();
    orch(&project, &["claim", &run]).exits(4).says("nothing to claim now");
    assert_eq!(events(&project, &run).len(), before);
}
