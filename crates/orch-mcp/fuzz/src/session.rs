//! A server on an engine in memory and in virtual time, and what must hold of every answer.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use orch_core::{RunSettings, Worker};
use orch_mcp::{Server, StdioTransport};
use orch_supervisor::{Clock, Supervisor};
use orch_workers::AgentWorker;
use rmcp::ServiceExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

/// The longest that a call may wait is 100 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);
/// The most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 4_096;
const START: i64 = 1_800_000_000;

/// A client of a server with an open run of two subtasks.
pub(crate) struct Session {
    to_server: DuplexStream,
    from_server: BufReader<DuplexStream>,
    project: tempfile::TempDir,
}

/// Starts a server and plays against it.
pub(crate) fn with(play: impl AsyncFnOnce(&mut Session)) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { play(&mut Session::start()).await });
}

impl Session {
    fn start() -> Self {
        let project = tempfile::tempdir().unwrap();
        let start = Timestamp::from_second(START).unwrap();
        #[expect(clippy::disallowed_methods, reason = "tokio's clock stands still here")]
        let began = tokio::time::Instant::now();
        let agents: Vec<Arc<dyn Worker>> =
            vec![Arc::new(AgentWorker::new("reviewer", "Reviews code and finds bugs"))];
        let settings = RunSettings::default().with_project("shop").with_lease_ms(60_000_u64);
        let supervisor = Supervisor::builder()
            .clock(Clock::Tokio(start))
            .workers(agents.iter().cloned())
            .settings(settings.clone())
            .build();
        let server = Server::builder(supervisor, project.path())
            .settings(settings)
            .now(move || start + began.elapsed())
            .build()
            .unwrap();
        let (to_server, reader) = tokio::io::duplex(1 << 16);
        let (writer, from_server) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            if let Ok(running) = server.serve(StdioTransport::new(reader, writer)).await {
                let _ = running.waiting().await;
            }
        });
        Self { to_server, from_server: BufReader::new(from_server), project }
    }

    /// Does what was handed out, and returns the file of its result.
    pub(crate) fn done<'a>(&self, entry: &'a Value) -> &'a str {
        let file = entry["result_file"].as_str().unwrap();
        fs::write(self.project.path().join(file), "done").unwrap();
        file
    }

    /// Says hello.
    pub(crate) async fn hello(&mut self) {
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "fuzz", "version": "1" } });
        self.request("initialize", params).await;
        self.send(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    }

    /// Calls a tool and returns what it says.
    pub(crate) async fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer =
            self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        let content = &answer["result"]["structuredContent"];
        assert!(content.to_string().len() <= MAX_ANSWER_BYTES, "too long: {answer}");
        content.clone()
    }

    async fn request(&mut self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": "fuzz", "method": method, "params": params });
        self.send(request.to_string().as_bytes()).await;
        let answer = self.receive().await;
        assert_eq!(answer["id"], "fuzz", "{request} -> {answer}");
        answer
    }

    /// Checks that nothing was said that nobody asked for: the next answer is that to a ping.
    pub(crate) async fn is_quiet(&mut self) {
        self.request("ping", json!({})).await;
    }

    pub(crate) async fn send(&mut self, line: &[u8]) {
        self.to_server.write_all(line).await.unwrap();
        self.to_server.write_all(b"\n").await.unwrap();
    }

    /// Returns the next answer; progress may come before it.
    pub(crate) async fn receive(&mut self) -> Value {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(ANSWER_TIMEOUT, self.from_server.read_line(&mut line));
            let bytes = read.await.expect("an answer is missing").unwrap();
            assert!(bytes > 0, "the server has ended");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message.get("method").is_none() {
                check(&message);
                return message;
            }
            assert!(message.get("id").is_none(), "a request to the client: {message}");
        }
    }
}

/// What must hold of every answer.
fn check(answer: &Value) {
    assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
    assert!(answer.get("result").is_some() != answer.get("error").is_some(), "{answer}");
    if let Some(error) = answer.get("error") {
        let message = error["message"].as_str().unwrap();
        assert!(error["code"].is_i64() && !message.is_empty(), "{answer}");
        assert!(message.len() <= MAX_ANSWER_BYTES, "{answer}");
    }
    let result = &answer["result"];
    let Some(content) = result.get("structuredContent") else { return };
    let text = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), *content);
    let success = content["success"].as_bool().unwrap();
    if result["isError"] == true {
        assert!(!success && !content["error"].as_str().unwrap().is_empty(), "{answer}");
    }
}
