//! A number is what somebody wrote, or it is refused.

use serde_json::json;

use crate::support::Project;

const CONFIG: &str = "retry: { max_retries: 0 }
workers:
  say: { command: [printf, '%s', '{{ subtask.context.v }}'], stdin: none, capabilities: [{ name: s, task_types: [say] }] }
  give: { command: [sh, -c, 'printf %s \"$1\"', x, '{{ subtask.context.v }}'], stdin: none, output: json, capabilities: [{ name: g, task_types: [give] }] }
";

fn task(task_type: &str, value: &str) -> String {
    format!(
        "description: x\nshow: [/a]\nsubtasks:\n  - {{ id: a, task_type: {task_type}, description: a, context: {{ v: {value} }} }}\n"
    )
}

#[test]
fn a_number_of_a_file_is_kept_or_refused() {
    for (value, said) in [
        ("0755", "0755 begins with 0"),
        ("-02134", "-02134 begins with 0"),
        ("&z 02134", "02134 begins with 0"),
        ("12345678901234567890123", "12345678901234567890123 does not fit into 64 bits; quote it"),
        ("-9223372036854775809", "does not fit into 64 bits"),
        ("1e400", "1e400 is out of range"),
    ] {
        let project = Project::new(&[("orch.yaml", CONFIG), ("task.yaml", &task("say", value))]);
        let done = project.orch(&["run", "task.yaml"]).exits(2);
        done.says("task.yaml:4:");
        // The parser stops at one that is out of range, and knows its place only.
        assert!(value == "1e400" || done.stderr.contains("subtasks[0].context.v: "), "{done:?}");
        done.says(said);
        assert!(!project.store().exists());
        let set = task("say", "1").replace("subtasks:", "context: { v: 1 }\nsubtasks:");
        let project = Project::new(&[("orch.yaml", CONFIG), ("task.yaml", &set)]);
        let plain = value.trim_start_matches("&z ");
        project.orch(&["run", "task.yaml", "--set", &format!("v={plain}")]).exits(2).says(said);
        let config = format!("{CONFIG}limits: {{ max_parallel: {plain} }}\n");
        let project = Project::new(&[("orch.yaml", &config), ("task.yaml", &set)]);
        project.orch(&["run", "task.yaml"]).exits(2).says("orch.yaml:5:");
    }
    for (value, shown) in [
        ("755", "755"),
        ("'0755'", "0755"),
        ("\"02134\"", "02134"),
        ("0xFF", "255"),
        ("0o17", "15"),
        ("18446744073709551615", "18446744073709551615"),
        ("'12345678901234567890123'", "12345678901234567890123"),
        ("3.10", "3.1"),
        ("0.5", "0.5"),
        ("1234567e2", "123456700.0"),
        ("2026-11-30", "2026-11-30"),
        ("v0755", "v0755"),
    ] {
        // A mark and wide characters in front shift bytes and columns.
        for head in ["", "\u{feff}", "# 日本\n"] {
            let text = format!("{head}{}", task("say", value));
            let project = Project::new(&[("orch.yaml", CONFIG), ("task.yaml", &text)]);
            let done = project.orch(&["run", "task.yaml", "-q"]).exits(0);
            assert_eq!(done.stdout.trim_end(), shown, "{value} after {head:?}");
        }
    }
    let text =
        format!("\u{feff}{}", task("say", "0755").replace("description: x", "description: 日本"));
    let project = Project::new(&[("orch.yaml", CONFIG), ("task.yaml", &text)]);
    project.orch(&["run", "task.yaml"]).exits(2).says("0755 begins with 0");
}

#[test]
fn a_number_of_a_worker_is_kept_or_refused() {
    for (output, said) in [
        (r#"{"wei": 115792089237316195423570985008687907853}"#, "does not fit into 64 bits"),
        ("[-9223372036854775809]", "does not fit into 64 bits"),
        ("1e400", "the number 1e400 is out of range"),
        (r#"{"$orch": {"output": 99999999999999999999}}"#, "does not fit into 64 bits"),
    ] {
        let value = json!(output).to_string();
        let project = Project::new(&[("orch.yaml", CONFIG), ("task.yaml", &task("give", &value))]);
        let done = project.orch(&["run", "task.yaml"]).exits(1);
        done.says("bad_output");
        done.says(said);
    }
    let output = r#"{"id": 616581622363398142, "ratio": 0.30000000000000004, "wei": "115792089237316195423570985008687907853"}"#;
    let value = json!(output).to_string();
    let project = Project::new(&[("orch.yaml", CONFIG), ("task.yaml", &task("give", &value))]);
    let done = project.orch(&["run", "task.yaml", "-q"]).exits(0);
    for number in [
        "616581622363398142,",
        "0.30000000000000004,",
        "\"115792089237316195423570985008687907853\"",
    ] {
        assert!(done.stdout.contains(number), "{number} is not in {}", done.stdout);
    }
}
