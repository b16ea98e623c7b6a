//! A small MCP client: the real binary, one JSON message a line.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long an answer may take, on a machine that does other things too.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Measures what `work` takes.
#[expect(clippy::disallowed_methods, reason = "promises in seconds are measured in seconds")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// A project with agent files.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new(agents: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let agents_folder = folder.path().join(".claude/agents");
        fs::create_dir_all(&agents_folder).unwrap();
        for (name, description) in agents {
            let text = format!("---\nname: {name}\ndescription: {description}\n---\nDo it.\n");
            fs::write(agents_folder.join(name).with_extension("md"), text).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A server, and a client that talks to it.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: PathBuf,
    last_id: u64,
    /// Progress that was heard of.
    pub(crate) heard: Vec<Value>,
    /// Bytes of arguments and answers, as a model sees them.
    pub(crate) seen: usize,
    /// Bytes on the wire, both ways.
    pub(crate) wire: usize,
}

impl Client {
    /// Starts a server for a project and says hello.
    pub(crate) fn start(project: &Project) -> Self {
        Self::start_with(project, &[])
    }

    /// The same, with arguments of the command line.
    pub(crate) fn start_with(project: &Project, args: &[&str]) -> Self {
        let mut client = Self::spawn(project, args);
        client.hello();
        client
    }

    /// Says hello.
    pub(crate) fn hello(&mut self) {
        let hello = self.request(
            "initialize",
            json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } }),
        );
        assert_eq!(hello["result"]["serverInfo"]["name"], "alma-orchestration", "{hello}");
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }

    /// Starts a server, and says nothing.
    pub(crate) fn silent(project: &Project) -> Self {
        Self::spawn(project, &[])
    }

    fn spawn(project: &Project, args: &[&str]) -> Self {
        let stderr = project.path().join("stderr.txt");
        let mut child = Command::new(env!("CARGO_BIN_EXE_orch-mcp"))
            .args(args)
            .current_dir(project.path())
            .env("HOME", project.path())
            .env_remove("XDG_STATE_HOME")
            .env_remove("ORCH_TRUST")
            .env_remove("ORCH_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines, stderr, last_id: 0, heard: Vec::new(), seen: 0, wire: 0 }
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.raw(format!("{message}\n").as_bytes());
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.wire += bytes.len();
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).and_then(|()| stdin.flush()).unwrap();
    }

    /// Returns the next message. Everything on stdout must be one.
    pub(crate) fn receive(&mut self) -> Value {
        let line = self.lines.recv_timeout(ANSWER_TIMEOUT).unwrap_or_else(|error| {
            panic!("no answer ({error}); stderr: {}", fs::read_to_string(&self.stderr).unwrap())
        });
        self.wire += line.len() + 1;
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    }

    /// Sends a request and returns its answer; nothing but progress may come before it.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.answer_to(id)
    }

    /// Sends a request, and returns its id.
    pub(crate) fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// Returns the answer to a request that was begun.
    pub(crate) fn answer_to(&mut self, id: u64) -> Value {
        loop {
            let message = self.receive();
            if message["id"] == json!(id) {
                return message;
            }
            assert_eq!(message["method"], "notifications/progress", "{message}");
            self.heard.push(message["params"].clone());
        }
    }

    /// Calls a tool, whatever comes of it.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let sent = arguments.to_string().len();
        let answer = self.request("tools/call", json!({ "name": tool, "arguments": arguments }));
        let result = answer["result"].clone();
        if let Some(content) = result.get("structuredContent") {
            let text = result["content"][0]["text"].as_str().unwrap();
            assert_eq!(serde_json::from_str::<Value>(text).unwrap(), *content);
            self.seen += sent + text.len();
        }
        if result.is_null() { answer } else { result }
    }

    /// Calls a tool that does what it is asked.
    #[track_caller]
    pub(crate) fn ok(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], false, "{result}");
        result["structuredContent"].clone()
    }

    /// The process of the server.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the server has ended by itself.
    pub(crate) fn has_ended(&mut self) {
        self.child.wait().unwrap();
    }

    /// Closes stdin.
    pub(crate) fn hang_up(&mut self) {
        drop(self.stdin.take());
    }

    /// Closes stdin, and returns whether the server ended well, and what it had said on stdout that nobody read.
    pub(crate) fn close(mut self) -> (bool, Vec<String>) {
        self.hang_up();
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(ANSWER_TIMEOUT) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the server goes on without its client"),
            }
        }
        (self.child.wait().unwrap().success(), rest)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A server that has ended needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
