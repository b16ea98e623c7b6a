//! What a program finds in its environment.

use std::collections::BTreeMap;

use orch_core::{Worker, WorkerContext};
use orch_workers::{CommandConfig, CommandError, CommandWorker, ProjectPaths};

use crate::support::{context, worker};

/// Runs `env` by its full path, so that it is found with any `PATH`.
fn env() -> CommandConfig {
    CommandConfig::new(["/usr/bin/env"])
}

async fn variables(config: CommandConfig, context: WorkerContext) -> BTreeMap<String, String> {
    let result = worker(config).execute(context).await.unwrap();
    let lines = result.output.as_str().unwrap().lines();
    lines.map(|l| l.split_once('=').unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn own(context: &WorkerContext) -> BTreeMap<String, String> {
    let attempt = &context.attempt;
    [
        ("ORCH_ATTEMPT", format!("{}/3", attempt.run_id)),
        ("ORCH_ATTEMPT_TOKEN", "0000000000000abc".to_owned()),
        ("ORCH_ATTEMPT_NUMBER", "1".to_owned()),
        ("ORCH_IDEMPOTENCY_KEY", format!("{}/a", attempt.run_id)),
        ("ORCH_RUN_ID", attempt.run_id.to_string()),
        ("ORCH_SUBTASK_ID", "a".to_owned()),
        ("ORCH_RUN_DEPTH", "0".to_owned()),
        ("TRACEPARENT", attempt.traceparent.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[tokio::test]
async fn nothing_but_the_list_is_inherited() {
    assert!(std::env::var("CARGO_MANIFEST_DIR").is_ok(), "the test needs something to leave out");
    let context = context();
    let mut expected = own(&context);
    for name in ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER"] {
        expected.extend(std::env::var(name).ok().map(|value| (name.to_owned(), value)));
    }
    assert_eq!(variables(env(), context).await, expected);
}

#[tokio::test]
async fn the_list_and_the_settings_are_followed() {
    let context = context();
    let mut config = env();
    config.env_allow = vec!["CARGO_MANIFEST_DIR".into(), "ORCH_NO_SUCH_VARIABLE".into()];
    config.env.insert("A".into(), "{{ subtask.id }} {{ attempt.number }}".into());
    let mut expected = own(&context);
    expected.insert("CARGO_MANIFEST_DIR".into(), std::env::var("CARGO_MANIFEST_DIR").unwrap());
    expected.insert("A".into(), "a 1".into());
    assert_eq!(variables(config, context).await, expected);
}

#[tokio::test]
async fn a_setting_wins_over_what_is_inherited() {
    let mut config = env();
    config.env.insert("PATH".into(), "/nowhere".into());
    assert_eq!(variables(config, context()).await["PATH"], "/nowhere");
}

#[test]
fn impossible_and_reserved_names_are_refused() {
    for name in ["", "A=B", "A\0"] {
        let mut config = env();
        config.env.insert(name.into(), "x".into());
        let error = CommandWorker::new("w", config, ProjectPaths::new("/", "/")).err().unwrap();
        assert!(matches!(error, CommandError::VariableName { name: n, .. } if n == name));
    }
    for name in ["ORCH_ATTEMPT", "ORCH_IDEMPOTENCY_KEY", "TRACEPARENT"] {
        let mut config = env();
        config.env_allow = vec![name.into()];
        let error = CommandWorker::new("w", config, ProjectPaths::new("/", "/")).err().unwrap();
        assert!(matches!(error, CommandError::ReservedVariable { name: n, .. } if n == name));
    }
}
