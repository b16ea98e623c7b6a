//! Templates: what fills in, what is refused and when.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use orch_core::{Cause, JsonMap, Subtask, Worker, WorkerCapability, WorkerContext, WorkerResult};
use orch_workers::{CommandConfig, CommandError, CommandWorker, ProjectPaths, TemplateIssue};
use serde_json::{Value, json};

use crate::support::{context_of, subtask, worker};

fn map(value: Value) -> JsonMap {
    let Value::Object(map) = value else { panic!("no object: {value}") };
    map
}

fn subtask_with(context: Value) -> Subtask {
    subtask().with_context(map(context))
}

/// The configuration of a program that prints `template` filled in, and a `|`, so that nothing at its end is lost.
fn printer(template: &str) -> CommandConfig {
    CommandConfig::new(["printf", "%s|", template])
}

async fn filled(template: &str, context: WorkerContext) -> String {
    let result = worker(printer(template)).execute(context).await.unwrap();
    result.output.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn values_fill_in() {
    let subtask = subtask_with(json!({
        "s": "text", "n": 5, "f": 1.5, "t": true, "z": null, "l": [1, "b"], "o": {"k": "v", "j": "\"<"},
    }))
    .with_dependencies(["d", "sum-up"]);
    let mut context = context_of(subtask);
    context.parent_context = Arc::new(map(json!({"repo": "/r"})));
    context.sibling_results = vec![
        Arc::new(WorkerResult::success("d", "w", json!({"count": 7}))),
        Arc::new(WorkerResult::success("sum-up", "w", json!("short"))),
    ];
    let run = context.attempt.run_id;
    for (template, expected) in [
        ("plain", "plain"),
        ("{{ subtask.context.s }}-{{ subtask.context.n }}", "text-5"),
        (
            "{{ subtask.context.f }} {{ subtask.context.t }} {{ subtask.context.z }}",
            "1.5 true null",
        ),
        ("{{ subtask.context.l }}", r#"[1,"b"]"#),
        ("{{ subtask.context.l | join('+') }}", "1+b"),
        ("{{ subtask.context.o.k }}", "v"),
        ("{{ subtask.context.o.j | tojson }}", r#""\"<""#),
        (
            "{{ subtask.id }} {{ subtask.description }} {{ subtask.task_type }} {{ subtask.priority }}",
            "a Do it test 50",
        ),
        ("{{ task.context.repo }}", "/r"),
        ("{{ attempt.number }}/{{ attempt.fence }}", "1/3"),
        ("{{ run.id }}", &run.to_string()),
        ("{{ config_dir }}{{ project_dir }}", "//"),
        ("{{ results.d.count }} {{ results['sum-up'] }}", "7 short"),
        ("{{ subtask.context.nope | default('else') }}", "else"),
        ("{% if subtask.context.nope is defined %}yes{% else %}no{% endif %}", "no"),
        ("{% for x in subtask.context.l %}<{{ x }}>{% endfor %}", "<1><b>"),
        ("{% raw %}{{ kept }}{% endraw %}", "{{ kept }}"),
        ("ends with a newline\n", "ends with a newline\n"),
        ("", ""),
    ] {
        assert_eq!(filled(template, context.clone()).await, format!("{expected}|"), "{template}");
    }
}

#[tokio::test]
async fn a_value_is_one_argument_whatever_it_holds() {
    for value in [
        "; rm -rf /",
        "$(id) `id` ${HOME} $HOME",
        "a b\tc",
        "\"'\\",
        "line\nline\n",
        "--flag",
        "*",
        "{{ run.id }}",
        "é\u{1F41D}",
        "",
    ] {
        let context = context_of(subtask_with(json!({"v": value})));
        let printed = filled("{{ subtask.context.v }}", context).await;
        assert_eq!(printed, format!("{value}|"));
    }
}

#[track_caller]
fn refused(template: &str) -> TemplateIssue {
    match CommandWorker::new("w", printer(template), ProjectPaths::new("/", "/")) {
        Err(CommandError::Template(issue)) => issue,
        Err(other) => panic!("{template}: {other}"),
        Ok(_) => panic!("{template} was taken"),
    }
}

#[test]
fn names_that_no_attempt_has_are_refused_at_once() {
    for (template, said) in [
        ("{{ subtsk.id }}", "command[2]: unknown name `subtsk`, did you mean `subtask`?"),
        (
            "{{ subtask.contxt.x }}",
            "command[2]: unknown name `subtask.contxt`, did you mean `subtask.context`?",
        ),
        ("{{ env.HOME }}", "command[2]: unknown name `env`"),
        ("{{ range(5) }}", "command[2]: unknown name `range`"),
        ("{{ attempt.token }}", "command[2]: unknown name `attempt.token`"),
        ("{% if zzzzzz %}{% endif %}", "command[2]: unknown name `zzzzzz`"),
    ] {
        assert_eq!(refused(template).to_string(), said);
    }
    for template in ["{{ subtask.id", "{% if %}", "${#variable}", "{% include 'x' %}"] {
        let issue = refused(template);
        assert!(matches!(issue, TemplateIssue::Syntax { .. }), "{template}: {issue}");
        assert_eq!(issue.to_string(), "command[2]: not a template");
        assert!(issue.source().is_some());
    }
}

#[test]
fn templates_stand_in_variables_and_the_folder_too() {
    let mut config = CommandConfig::new(["true"]);
    config.env.insert("X".into(), "{{ nope }}".into());
    let error = CommandWorker::new("w", config, ProjectPaths::new("/", "/")).err().unwrap();
    assert_eq!(error.to_string(), "env.X: unknown name `nope`");

    let mut config = CommandConfig::new(["true"]);
    config.cwd = Some("{{ nope }}".into());
    let error = CommandWorker::new("w", config, ProjectPaths::new("/", "/")).err().unwrap();
    assert_eq!(error.to_string(), "cwd: unknown name `nope`");
}

#[test]
fn a_command_needs_a_program() {
    for command in [vec![], vec![""]] {
        let config = CommandConfig::new(command);
        let error = CommandWorker::new("w", config, ProjectPaths::new("/", "/")).err().unwrap();
        assert!(matches!(error, CommandError::NoProgram));
    }
}

#[test]
fn what_a_subtask_lacks_is_said_before_the_run() {
    let subtask =
        subtask_with(json!({"path": "p", "deep": {"name": 1}})).with_dependencies(["fetch"]);
    let task = map(json!({"repo": "r"}));
    for (template, said) in [
        ("{{ subtask.context.path }} {{ task.context.repo }}", ""),
        (
            "{{ subtask.context.paht }}",
            "command[2]: `subtask.context.paht` is missing, did you mean `subtask.context.path`?",
        ),
        (
            "{{ subtask.context.deep.nam }}",
            "command[2]: `subtask.context.deep.nam` is missing, did you mean `subtask.context.deep.name`?",
        ),
        (
            "{{ subtask.context.deep.name.more }}",
            "command[2]: `subtask.context.deep.name.more` is missing",
        ),
        ("{{ subtask.context.other }}", "command[2]: `subtask.context.other` is missing"),
        (
            "{{ task.context.rep }}",
            "command[2]: `task.context.rep` is missing, did you mean `task.context.repo`?",
        ),
        ("{{ subtask.context['gone'] }}", "command[2]: `{{ subtask.context['gone'] }}` is missing"),
        ("{{ subtask.context.other | default('x') }}", ""),
        (
            "{% if subtask.context.other %}x{% endif %}",
            "command[2]: `subtask.context.other` is missing",
        ),
        ("{{ results.fetch }} {{ results.fetch.any.thing }} {{ results.fetch[0] }}", ""),
        ("{{ results.fetch.n + 1 }}", ""),
        (
            "{{ results.fetc }}",
            "command[2]: `results.fetc` is missing, did you mean `results.fetch`?",
        ),
        ("{{ results['parse'] }}", "command[2]: `{{ results['parse'] }}` is missing"),
        ("{{ run.id }} {{ attempt.number }} {{ attempt.fence }} {{ config_dir }}", ""),
        ("{{ subtask.context.path + 1 }}", "command[2]: cannot be filled in"),
    ] {
        let issue = worker(printer(template)).check(&subtask, &task).err();
        assert_eq!(issue.map(|i| i.to_string()).unwrap_or_default(), said, "{template}");
    }
}

#[tokio::test]
async fn nul_and_missing_results_are_invalid_input() {
    let context = context_of(subtask_with(json!({"v": "a\0b"})));
    let worker_of_v = worker(printer("{{ subtask.context.v }}"));
    let issue = worker_of_v.check(&context.subtask, &context.parent_context).unwrap_err();
    assert!(matches!(issue, TemplateIssue::Nul { .. }), "{issue}");
    let error = worker_of_v.execute(context).await.unwrap_err();
    assert_eq!(error.cause, Cause::InvalidInput);
    assert_eq!(
        error.into_failure().message,
        "the command cannot be filled in: command[2]: has a NUL character"
    );

    // Tolerated dependencies may be absent.
    let context = context_of(subtask().with_dependencies(["d"]));
    let error = worker(printer("{{ results.d }}")).execute(context).await.unwrap_err();
    assert_eq!(error.cause, Cause::InvalidInput);
    assert_eq!(
        error.into_failure().message,
        "the command cannot be filled in: command[2]: `results.d` is missing"
    );

    // An id is no template, but it becomes a variable.
    let error = worker(printer("")).execute(context_of(Subtask::new("a\0", "x", "y"))).await;
    assert_eq!(error.unwrap_err().cause, Cause::InvalidInput);
}

#[test]
fn a_worker_says_what_it_was_told() {
    let mut config = printer("");
    assert_eq!(worker(config.clone()).max_concurrency().get(), 8);
    config.capabilities = vec![WorkerCapability::new("c", ["t"])];
    config.timeout = Some(Duration::from_secs(9));
    config.max_concurrency = NonZeroU32::new(2);
    let worker = worker(config);
    assert_eq!(worker.name(), &"w");
    assert_eq!(worker.capability_names(), ["c"]);
    assert_eq!(worker.timeout(), Some(Duration::from_secs(9)));
    assert_eq!(worker.max_concurrency().get(), 2);
}
