//! From exit codes, signals and output to results and failures.

use orch_core::Cause;
use orch_workers::{CommandConfig, OutputMode};
use serde_json::{Value, json};

use crate::support::{context, evidence, run, shell, shell_with, worker, worker_in};
use orch_core::Worker;

#[tokio::test]
async fn exit_codes_become_typed_failures() {
    for (code, cause, retried, meaning) in [
        (1, Cause::Reported, true, ""),
        (2, Cause::Reported, true, ""),
        (64, Cause::InvalidInput, false, " (wrong usage)"),
        (65, Cause::InvalidInput, false, " (bad data)"),
        (66, Cause::InvalidInput, false, " (no input)"),
        (69, Cause::Unavailable, true, " (unavailable)"),
        (75, Cause::Reported, true, " (try again later)"),
        (77, Cause::Auth, false, " (not allowed)"),
        (126, Cause::Unavailable, true, " (not executable)"),
        (127, Cause::Unavailable, true, " (not found)"),
        (255, Cause::Reported, true, ""),
    ] {
        let script = "echo out; echo first >&2; echo ' the reason ' >&2; echo >&2; exit $1";
        let error = run(shell_with(script, &[&code.to_string()])).await.unwrap_err();
        assert_eq!(error.cause, cause, "{code}");
        assert_eq!(error.cause.is_retryable(), retried, "{code}");
        assert_eq!(error.message, format!("`sh` exited with code {code}{meaning}: the reason"));
        assert_eq!(
            Value::Object(error.evidence),
            json!({
                "exit_code": code,
                "stderr": "first\n the reason \n\n", "stderr_bytes": 20,
                "stdout": "out\n", "stdout_bytes": 4,
            })
        );
    }
}

#[tokio::test]
async fn without_a_word_on_stderr_the_reason_is_the_last_line_of_stdout() {
    let failed = "echo 'test_total FAILED'; echo; echo '1 failed, 41 passed'; echo; exit 1";
    let error = run(shell(failed)).await.unwrap_err();
    assert_eq!(error.message, "`sh` exited with code 1: 1 failed, 41 passed");
    assert_eq!(error.evidence["stdout"], "test_total FAILED\n\n1 failed, 41 passed\n\n");

    let mut context = context();
    context.attempt.timeout_ms = 500;
    let late = "echo 'step 2: waiting for a lock'; exec sleep 1000";
    let error = worker(shell(late)).execute(context).await.unwrap_err();
    assert_eq!(error.cause, Cause::Timeout);
    assert_eq!(error.message, "`sh` ran out of time: step 2: waiting for a lock");
    assert_eq!(error.evidence["stdout_bytes"], 27);
}

#[tokio::test]
async fn of_a_long_stdout_both_ends_are_kept() {
    let error = run(shell("seq 1 100000; exit 1")).await.unwrap_err();
    let stdout = error.evidence["stdout"].as_str().unwrap();
    assert!(stdout.starts_with("1\n2\n3\n") && stdout.ends_with("99999\n100000\n"), "{stdout}");
    assert!(stdout.contains("\n[580703 bytes left out]\n"), "{stdout}");
    assert_eq!(error.evidence["stdout_bytes"], 588_895);
    assert!(error.message.ends_with(": 100000"), "{}", error.message);

    let mut config = shell("yes");
    config.max_output_bytes = 100_000;
    let error = run(config).await.unwrap_err();
    assert_eq!(error.cause, Cause::OutputLimit);
    assert!(error.evidence["stdout"].as_str().unwrap().contains("\n[91808 bytes left out]\n"));
}

#[tokio::test]
async fn a_signal_is_a_crash_that_names_it() {
    for (signal, number, name) in
        [("KILL", 9, "SIGKILL"), ("TERM", 15, "SIGTERM"), ("SEGV", 11, "SIGSEGV")]
    {
        let error = run(shell_with("kill -$1 $$", &[signal])).await.unwrap_err();
        assert_eq!(error.cause, Cause::Crash);
        assert!(error.message.contains(name), "{}", error.message);
        assert_eq!(Value::Object(error.evidence), json!({"signal": number}));
    }
}

#[tokio::test]
async fn success_is_what_the_configuration_calls_so() {
    let mut config = shell("echo none found; exit 1");
    config.success_exit_codes = vec![0, 1];
    let result = run(config.clone()).await.unwrap();
    assert!(result.success);
    assert_eq!(result.output, "none found");
    assert_eq!(evidence(&result), json!({"exit_code": 1}));

    config.success_exit_codes = vec![3];
    assert_eq!(run(config).await.unwrap_err().cause, Cause::Reported);
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let not_executable = folder.path().join("plain.txt");
    std::fs::write(&not_executable, "text").unwrap();
    for program in ["orch-no-such-program", "/no/such/program", not_executable.to_str().unwrap()] {
        let error = run(CommandConfig::new([program])).await.unwrap_err();
        assert_eq!(error.cause, Cause::Unavailable, "{program}");
        assert_eq!(error.message, format!("`{program}` cannot be started"));
        assert!(error.source.is_some());
    }
}

#[tokio::test]
async fn a_missing_folder_is_said_to_be_missing() {
    let mut config = CommandConfig::new(["true"]);
    config.cwd = Some("no/such/folder".into());
    let error = run(config).await.unwrap_err();
    assert_eq!(error.cause, Cause::InvalidInput);
    assert_eq!(error.message, "`true`: there is no folder /no/such/folder");
}

#[tokio::test]
async fn more_arguments_than_the_system_takes_are_invalid_input() {
    let error =
        run(CommandConfig::new(["true".to_owned(), "x".repeat(4 << 20)])).await.unwrap_err();
    assert_eq!(error.cause, Cause::InvalidInput);
}

#[tokio::test]
async fn relative_programs_and_folders_start_where_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(folder.path()).unwrap();
    std::fs::create_dir_all(root.join("tools")).unwrap();
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::os::unix::fs::symlink("/bin/sh", root.join("tools/mysh")).unwrap();
    let mut config = CommandConfig::new(["tools/mysh", "-c", "pwd"]);
    config.cwd = Some("sub".into());
    let worker = worker_in(config, root.to_str().unwrap());
    let result = worker.execute(context()).await.unwrap();
    assert_eq!(result.output, root.join("sub").to_str().unwrap());
}

#[tokio::test]
async fn text_loses_its_last_newline_only() {
    for (written, output) in [
        ("", ""),
        ("a", "a"),
        ("a\\n", "a"),
        ("a\\r\\n", "a"),
        ("a\\n\\n", "a\n"),
        ("  a \\n", "  a "),
        ("\\303\\251", "é"),
    ] {
        let result = run(shell_with("printf \"$1\"", &[written])).await.unwrap();
        assert_eq!(result.output, output, "{written}");
        assert_eq!((result.subtask_id.as_str(), result.worker_name.as_str()), ("a", "w"));
        assert_eq!(evidence(&result), json!({"exit_code": 0}));
    }
}

#[tokio::test]
async fn text_that_is_no_utf8_is_replaced_and_noted() {
    let result = run(shell("printf 'a\\377b'; printf 'e\\377' >&2")).await.unwrap();
    assert_eq!(result.output, "a\u{fffd}b");
    assert_eq!(
        evidence(&result),
        json!({"exit_code": 0, "stderr": "e\u{fffd}", "stderr_bytes": 2, "stdout_lossy": true})
    );
}

fn json_printer(text: &str) -> CommandConfig {
    let mut config = CommandConfig::new(["printf", "%s", text]);
    config.output = OutputMode::Json;
    config
}

#[tokio::test]
async fn json_is_the_output() {
    for text in [
        "1",
        "null",
        "\"x\"",
        "[1, 2]",
        r#"{"a": {"b": 1.5}}"#,
        r#"{"$orch": 1, "x": 2}"#,
        "{}",
        " true\n",
    ] {
        let result = run(json_printer(text)).await.unwrap();
        assert_eq!(result.output, serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(result.confidence, 1.0);
    }
}

#[tokio::test]
async fn a_whole_result_can_be_handed_over() {
    let said = json!({"$orch": {
        "output": [1], "success": false, "error_message": "half", "confidence": 0.25,
        "metadata": {"usage": {"input_tokens": 5}, "evidence": {"theirs": 1, "exit_code": "theirs"}, "other": true},
    }});
    let result = run(json_printer(&said.to_string())).await.unwrap();
    assert!(!result.success);
    assert_eq!(result.output, json!([1]));
    assert_eq!(result.error_message.as_deref(), Some("half"));
    assert_eq!(result.confidence, 0.25);
    assert_eq!(result.usage().unwrap().unwrap().input_tokens, Some(5));
    assert_eq!(result.metadata["other"], true);
    assert_eq!(evidence(&result), json!({"theirs": 1, "exit_code": 0}));

    let result = run(json_printer(r#"{"$orch": {}}"#)).await.unwrap();
    assert!(result.success);
    assert_eq!((result.output, result.confidence), (Value::Null, 1.0));
}

#[tokio::test]
async fn what_a_program_says_of_its_failure_counts_whatever_its_exit_code() {
    let said = |text: &str| shell_with("printf '%s' \"$1\"", &[text]);
    for (config, message) in [
        (said("FAILED: no repo"), "no repo"),
        (said("{\"success\": false, \"error_message\": \"no repo\"}"), "no repo"),
        (json_printer(r#"{"success": false, "error_message": "no repo"}"#), "no repo"),
        (
            json_printer(r#"{"success": false}"#),
            "the result says `success: false` and gives no reason",
        ),
        (json_printer(r#""FAILED: no repo""#), "no repo"),
        (json_printer(r#"{"$orch": {"output": 1, "error_message": "no repo"}}"#), "no repo"),
        (json_printer(r#"{"$orch": {"output": "FAILED: no repo"}}"#), "no repo"),
    ] {
        let result = run(config.clone()).await.unwrap();
        assert_eq!(
            (result.success, result.error_message.as_deref()),
            (false, Some(message)),
            "{config:?}"
        );
    }
    for config in [
        json_printer(r#"{"$orch": {"success": true, "output": {"success": false}}}"#),
        json_printer("null"),
        json_printer("{}"),
        said(""),
        said("FAILED tests: 0"),
    ] {
        assert!(run(config.clone()).await.unwrap().success, "{config:?}");
    }
}

#[tokio::test]
async fn output_that_cannot_be_read_is_bad_output() {
    let long = format!("no json {}", "x".repeat(1_000));
    for (text, said) in [
        ("", "no JSON: EOF"),
        ("{\"a\": ", "no JSON: EOF"),
        ("1 2", "no JSON: trailing characters"),
        (long.as_str(), "no JSON: expected ident"),
        (r#"{"$orch": 5}"#, "`$orch`: invalid type"),
        (r#"{"$orch": {"ouput": 5}}"#, "`$orch`: unknown field `ouput`"),
        (r#"{"$orch": {"confidence": 1.5}}"#, "confidence 1.5 is not in 0 to 1"),
        (r#"{"$orch": {"metadata": {"usage": 5}}}"#, "metadata.usage"),
        (r#"{"$orch": {"metadata": {"artifacts": 5}}}"#, "metadata.artifacts"),
        (r#"{"$orch": {"metadata": {"lessons": ["x", 5]}}}"#, "metadata.lessons"),
        (r#"{"$orch": {"metadata": {"evidence": 5}}}"#, "metadata.evidence"),
    ] {
        let error = run(json_printer(text)).await.unwrap_err();
        assert_eq!(error.cause, Cause::BadOutput, "{text}");
        assert!(error.message.contains(said), "{}", error.message);
        let mut expected = json!({"exit_code": 0});
        if !text.is_empty() {
            expected["stdout"] = json!(text);
            expected["stdout_bytes"] = json!(text.len());
        }
        assert_eq!(Value::Object(error.evidence), expected);
    }
    let error = worker({
        let mut config = shell("printf '\"\\377\"'");
        config.output = OutputMode::Json;
        config
    })
    .execute(context())
    .await
    .unwrap_err();
    assert_eq!(error.cause, Cause::BadOutput, "JSON is UTF-8");
}
