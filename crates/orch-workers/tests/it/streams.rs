//! Large and capped streams.

use std::sync::Arc;

use orch_core::{Cause, Worker, WorkerResult};
use orch_workers::{CommandConfig, OutputMode, StdinMode};
use serde_json::json;

use crate::support::{context, evidence, run, shell, worker};

const TEN_MB: usize = 10 << 20;

#[tokio::test]
async fn the_program_reads_the_whole_context() {
    let mut config = CommandConfig::new(["cat"]);
    config.output = OutputMode::Json;
    let mut context = context();
    context.subtask = Arc::new(crate::support::subtask().with_dependencies(["d"]));
    Arc::make_mut(&mut context.parent_context).insert("k".into(), json!([1, "é\u{0}"]));
    context.sibling_results = vec![Arc::new(WorkerResult::success("d", "v", json!({"x": 1})))];
    let sent = serde_json::to_value(&context).unwrap();
    let result = worker(config).execute(context).await.unwrap();
    assert_eq!(result.output, sent);
    assert_eq!(result.output["attempt"]["fence"], 3);
}

#[tokio::test]
async fn ten_megabytes_go_each_way_at_once() {
    let mut config = CommandConfig::new(["tee", "/dev/stderr"]);
    config.output = OutputMode::Json;
    let mut context = context();
    Arc::make_mut(&mut context.parent_context).insert("big".into(), "x".repeat(TEN_MB).into());
    let result = worker(config).execute(context).await.unwrap();
    assert_eq!(result.output["parent_context"]["big"].as_str().unwrap().len(), TEN_MB);
    let evidence = evidence(&result);
    assert!(evidence["stderr_bytes"].as_u64().unwrap() > TEN_MB as u64);
    let kept = evidence["stderr"].as_str().unwrap();
    assert!(kept.len() < (8 << 10) + 50, "{}", kept.len());
}

#[tokio::test]
async fn a_program_need_not_read_its_input() {
    let mut context = context();
    Arc::make_mut(&mut context.parent_context).insert("big".into(), "x".repeat(TEN_MB).into());
    let result = worker(shell("exec <&-; echo done")).execute(context).await.unwrap();
    assert_eq!(result.output, "done");
}

#[tokio::test]
async fn stdin_is_what_the_configuration_says() {
    for (mode, expected) in [(StdinMode::None, ""), (StdinMode::Prompt, "Do it")] {
        let mut config = CommandConfig::new(["cat"]);
        config.stdin = mode;
        let output = run(config).await.unwrap().output;
        // A prompt ends with what to do when it cannot be done.
        assert_eq!(output.as_str().unwrap().lines().next().unwrap_or_default(), expected);
    }
}

#[tokio::test]
async fn a_program_that_writes_without_end_is_killed() {
    let mut config = CommandConfig::new(["yes"]);
    config.max_output_bytes = 100_000;
    let error = run(config).await.unwrap_err();
    assert_eq!(error.cause, Cause::OutputLimit);
    assert_eq!(error.message, "`yes` wrote more than 100000 bytes");
    // Whether the signal or the closed pipe is first is up to the system.
    assert_eq!(error.evidence["ended_by"], "output_limit");
}

#[tokio::test]
async fn the_cap_itself_is_allowed() {
    for (cap, allowed) in [(6, true), (5, false), (0, false)] {
        let mut config = shell("printf 123456");
        config.max_output_bytes = cap;
        match run(config).await {
            Ok(result) => assert!(allowed && result.output == "123456", "{cap}"),
            Err(error) => assert!(!allowed && error.cause == Cause::OutputLimit, "{cap}"),
        }
    }
}

#[tokio::test]
async fn the_two_ends_of_stderr_are_kept() {
    let mut config = shell("seq 1 100000 >&2");
    config.max_stderr_bytes = 20;
    let result = run(config).await.unwrap();
    assert_eq!(
        evidence(&result),
        json!({
            "exit_code": 0,
            "stderr": "1\n2\n3\n4\n5\n\n[588875 bytes left out]\n99\n100000\n",
            "stderr_bytes": 588_895,
        })
    );
}
