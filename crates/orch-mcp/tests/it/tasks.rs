//! The tasks extension, with the client of rmcp.

use std::fs;
use std::process::Stdio;

use rmcp::ServiceExt as _;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, ClientCapabilities, ClientConfig,
    GetTaskParams, Implementation, Task, TaskPayload, TaskStatus,
};
use rmcp::service::{RoleClient, RunningService};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::client::Project;

const CONFIG: &str = r#"
workers:
  work:
    command: [sh, -c, 'while [ ! -e go ]; do sleep 0.02; done; echo done']
    capabilities: [{ name: work, task_types: [work] }]
  broken:
    command: ["false"]
    capabilities: [{ name: broken, task_types: [broken] }]
retry: { max_retries: 0 }
"#;

/// A server, and a client that says whether it knows tasks.
struct Session {
    child: Child,
    client: RunningService<RoleClient, ClientConfig>,
}

impl Session {
    async fn start(project: &Project, capabilities: ClientCapabilities) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_orch-mcp"))
            .args(["--trust", "--grace", "0s"])
            .current_dir(project.path())
            .env("HOME", project.path())
            .env_remove("XDG_STATE_HOME")
            .env_remove("ORCH_TRUST")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let transport = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let config = ClientConfig::new(capabilities, Implementation::new("test", "1"));
        let client = config.serve(transport).await.unwrap();
        Self { child, client }
    }

    async fn delegate(&self, mode: &str, kind: &str) -> CallToolResponse {
        let subtasks = json!([{ "id": "a", "description": "Work", "task_type": kind }]);
        let arguments = json!({ "task": "Do all", "mode": mode, "subtasks": subtasks });
        let params = CallToolRequestParams::new("alma_delegate_task")
            .with_arguments(arguments.as_object().unwrap().clone());
        self.client.call_tool_once(params).await.unwrap()
    }

    async fn begin(&self, kind: &str) -> Task {
        let answer = self.delegate("managed", kind).await;
        let CallToolResponse::Task(created) = answer else { panic!("{answer:?}") };
        created.task
    }

    /// Asks until a task is over.
    async fn end_of(&self, id: &str) -> TaskPayload {
        loop {
            let answer = self.client.get_task(GetTaskParams::new(id)).await.unwrap();
            if answer.task.status().is_terminal() {
                return answer.task.payload;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Goes, and waits until the server has gone too.
    async fn leave(mut self) {
        self.client.cancel().await.unwrap();
        assert!(self.child.wait().await.unwrap().success());
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

fn project() -> Project {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    fs::write(project.path().join("orch.yaml"), CONFIG).unwrap();
    project
}

fn tasks() -> ClientCapabilities {
    ClientCapabilities::builder().enable_tasks().build()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

#[test]
fn a_managed_delegation_is_a_task_that_outlives_its_server() {
    run(async {
        let project = project();
        let session = Session::start(&project, tasks()).await;
        let task = session.begin("work").await;
        assert_eq!((task.status, task.ttl_ms), (TaskStatus::Working, None));
        let answer = session.client.get_task(GetTaskParams::new(&task.task_id)).await.unwrap();
        assert_eq!(answer.task.payload, TaskPayload::Working);
        assert_eq!(
            session.begin("work").await.task_id,
            task.task_id,
            "the same request, the same task"
        );
        session.kill().await;

        fs::write(project.path().join("go"), "").unwrap();
        let session = Session::start(&project, tasks()).await;
        let TaskPayload::Completed { result } = session.end_of(&task.task_id).await else {
            panic!("not completed")
        };
        let answer = &result["structuredContent"];
        assert_eq!((&result["isError"], &answer["status"]), (&json!(false), &json!("completed")));
        assert_eq!(answer["aggregated_output"], json!({ "a": "done" }));
        assert_eq!(answer["orchestration_id"], Value::from(task.task_id));
    });
}

#[test]
fn whoever_asks_for_a_task_goes_on_with_its_suspended_run() {
    run(async {
        let project = project();
        let session = Session::start(&project, tasks()).await;
        let id = session.begin("work").await.task_id;
        session.leave().await;
        fs::write(project.path().join("go"), "").unwrap();
        let session = Session::start(&project, tasks()).await;
        let end = session.end_of(&id).await;
        assert!(matches!(end, TaskPayload::Completed { .. }), "{end:?}");
    });
}

#[test]
fn a_task_whose_run_failed_has_a_result_that_says_so() {
    run(async {
        let project = project();
        let session = Session::start(&project, tasks()).await;
        let id = session.begin("broken").await.task_id;
        let end = session.end_of(&id).await;
        let TaskPayload::Completed { result } = end else { panic!("{end:?}") };
        assert_eq!(result["isError"], true, "{result:?}");
        assert_eq!(result["structuredContent"]["status"], "failed");
        assert_eq!(result["structuredContent"]["success"], false);
        assert!(result["structuredContent"]["errors"][0].is_string(), "{result:?}");
    });
}

#[test]
fn cancelling_a_task_ends_its_run() {
    run(async {
        let project = project();
        let session = Session::start(&project, tasks()).await;
        let id = session.begin("work").await.task_id;
        session.client.cancel_task(CancelTaskParams::new(&id)).await.unwrap();
        assert_eq!(session.end_of(&id).await, TaskPayload::Cancelled);
        session.client.cancel_task(CancelTaskParams::new(&id)).await.unwrap();
    });
}

#[test]
fn only_who_knows_tasks_gets_one_and_only_of_a_managed_run() {
    run(async {
        let project = project();
        let session = Session::start(&project, ClientCapabilities::default()).await;
        let plain = session.delegate("managed", "work").await;
        let CallToolResponse::Complete(plain) = plain else { panic!("{plain:?}") };
        assert_eq!(plain.structured_content.unwrap()["status"], "active");

        let session = Session::start(&project, tasks()).await;
        let external = session.delegate("external", "work").await;
        let CallToolResponse::Complete(external) = external else { panic!("{external:?}") };
        let answer = external.structured_content.unwrap();
        assert_eq!(answer["ready"].as_array().unwrap().len(), 1, "{answer}");
        for id in [answer["orchestration_id"].as_str().unwrap(), "no-such-task"] {
            let refused = session.client.get_task(GetTaskParams::new(id)).await;
            assert!(refused.is_err(), "{refused:?}");
        }
    });
}
