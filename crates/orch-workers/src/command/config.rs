//! The block of a command worker in `orch.yaml`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact;
use orch_core::{MemoryScope, WorkerCapability};
use serde::{Deserialize, Serialize};

/// How to run one program as a worker.
///
/// Every element of `command`, every value of `env` and `cwd` are templates: `{{ subtask.context.path }}` stands for a
/// value, and each element stays one argument whatever the value holds. Known names: `task.context`, `subtask.id`,
/// `subtask.description`, `subtask.task_type`, `subtask.priority`, `subtask.context`, `run.id`, `attempt.number`,
/// `attempt.fence`, `results.<id of a dependency>` (its output), `config_dir`, `project_dir`. Text stands as it is, any
/// other value as JSON. A missing value is an error; `{{ x | default("y") }}` and `{% if x is defined %}` avoid it, and
/// `{% raw %}` switches templates off. Further filters: `join`, `tojson`.
///
/// Durations are text with units, such as `90s`, `5m` or `1h 30m`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CommandConfig {
    /// The program and its arguments, never read by a shell. A program without `/` is searched in the `PATH` that the
    /// program itself gets; a relative one with `/` starts at the folder of the configuration file.
    pub command: Vec<String>,
    /// What the worker can do.
    #[serde(default)]
    pub capabilities: Vec<WorkerCapability>,
    /// What the program reads on stdin.
    #[serde(default)]
    pub stdin: StdinMode,
    /// What its stdout is.
    #[serde(default)]
    pub output: OutputMode,
    /// How long one attempt may take unless the subtask says; the run's default when absent.
    #[serde(default, with = "compact::optional", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How long the program may take to end after SIGTERM before it is killed. Keep it below the run's `grace_ms`, after
    /// which the engine kills without waiting.
    #[serde(default = "default_grace", with = "compact::required")]
    pub grace: Duration,
    /// The most that stdout may hold, in bytes; a program that writes more is killed.
    #[serde(default = "default_max_output")]
    pub max_output_bytes: usize,
    /// How much of stderr is kept as evidence, in bytes: half from its beginning, half from its end.
    #[serde(default = "default_max_stderr")]
    pub max_stderr_bytes: usize,
    /// Variables that the program gets, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Variables that the program gets from our own environment; replaces the default list.
    #[serde(default = "default_env_allow")]
    pub env_allow: Vec<String>,
    /// The folder in which it runs; a relative one starts at the project's folder, which is also the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// How many attempts may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<NonZeroU32>,
    /// Exit codes that mean success.
    #[serde(default = "default_success_exit_codes")]
    pub success_exit_codes: Vec<i32>,
    /// What the worker may learn and read, and whose work it takes; `agent_name` may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<MemoryScope>,
    /// How many tokens of memory it gets with every attempt, as `memory_slice` of the context and as part of the prompt.
    #[serde(default)]
    pub memory_tokens: u32,
}

/// What the program reads on stdin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdinMode {
    /// The whole [`WorkerContext`](orch_core::WorkerContext) as JSON.
    #[default]
    Context,
    /// Text for a language model: the description, guidance, contexts and the results of dependencies.
    Prompt,
    /// Nothing.
    None,
}

/// What the program's stdout is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputMode {
    /// Text: the output is a string without its last newline.
    #[default]
    Text,
    /// One JSON value: the output. An object with the only key `$orch` is a whole result instead, with the optional keys
    /// `output`, `success`, `error_message`, `confidence` and `metadata`. What the worker has learned is a list of texts in
    /// `metadata.lessons`.
    Json,
}

impl CommandConfig {
    /// Makes the configuration of a program with its arguments; all else has its default.
    pub fn new<T: Into<String>>(command: impl IntoIterator<Item = T>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            capabilities: Vec::new(),
            stdin: StdinMode::default(),
            output: OutputMode::default(),
            timeout: None,
            grace: default_grace(),
            max_output_bytes: default_max_output(),
            max_stderr_bytes: default_max_stderr(),
            env: BTreeMap::new(),
            env_allow: default_env_allow(),
            cwd: None,
            max_concurrency: None,
            success_exit_codes: default_success_exit_codes(),
            scope: None,
            memory_tokens: 0,
        }
    }
}

fn default_grace() -> Duration {
    Duration::from_secs(3)
}

fn default_max_output() -> usize {
    16 << 20
}

fn default_max_stderr() -> usize {
    8 << 10
}

/// What programs need to find others, write text and make temporary files; no secret is among it.
fn default_env_allow() -> Vec<String> {
    ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER"].map(String::from).to_vec()
}

fn default_success_exit_codes() -> Vec<i32> {
    vec![0]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_said_has_its_default() {
        let config: CommandConfig = serde_json::from_value(json!({"command": ["x"]})).unwrap();
        assert_eq!(config, CommandConfig::new(["x"]));
    }

    #[test]
    fn all_that_is_said_survives() {
        let block = json!({
            "command": ["sh", "-c", "true"],
            "capabilities": [],
            "stdin": "none",
            "output": "json",
            "timeout": "1h 30m",
            "grace": "500ms",
            "max_output_bytes": 10,
            "max_stderr_bytes": 20,
            "env": {"A": "b"},
            "env_allow": ["PATH"],
            "cwd": "sub",
            "max_concurrency": 3,
            "success_exit_codes": [0, 1],
            "scope": {"cannot_learn": ["payroll"]},
            "memory_tokens": 500,
        });
        let config: CommandConfig = serde_json::from_value(block).unwrap();
        assert_eq!(config.timeout, Some(Duration::from_secs(5_400)));
        assert_eq!(config.grace, Duration::from_millis(500));
        let again = serde_json::from_value(serde_json::to_value(&config).unwrap()).unwrap();
        assert_eq!(config, again);
    }

    #[test]
    fn nonsense_is_refused() {
        for (block, said) in [
            (json!({"command": ["x"], "comand": 1}), "unknown field `comand`"),
            (json!({"command": ["x"], "stdin": "all"}), "unknown variant `all`"),
            (json!({"command": ["x"], "grace": "-5s"}), "negative"),
            (json!({"command": ["x"], "grace": 5}), "invalid type: integer"),
            (json!({"command": ["x"], "max_concurrency": 0}), "nonzero"),
            (json!({}), "missing field `command`"),
        ] {
            let error = serde_json::from_value::<CommandConfig>(block).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
