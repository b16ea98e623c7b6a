//! The server as a client sees it: a process, a JSON message a line, one call at a time.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::stopwatch::Stopwatch;

/// A running server. Ended with `kill -9`, as a client that crashes does.
pub(super) struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    last_id: u64,
}

impl Server {
    /// Starts a server for the project in `folder`, and says hello; also returns how long that took.
    pub(super) fn start(program: &Path, folder: &Path) -> anyhow::Result<(Self, Duration)> {
        let watch = Stopwatch::start();
        let mut child = Command::new(program)
            .current_dir(folder)
            .env("HOME", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("stderr.txt"))?)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (stdin, stdout) = stdin.zip(stdout).context("the server has no pipes")?;
        let mut server = Self { child, stdin, stdout: BufReader::new(stdout), last_id: 0 };
        let client = json!({ "name": "bench", "version": "1" });
        server.request(
            "initialize",
            &json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client }),
        )?;
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok((server, watch.elapsed()))
    }

    /// Makes a request; returns its result, and how long that took.
    pub(super) fn request(
        &mut self,
        method: &str,
        params: &Value,
    ) -> anyhow::Result<(Value, Duration)> {
        self.last_id += 1;
        let id = self.last_id;
        let watch = Stopwatch::start();
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        let mut line = String::new();
        loop {
            line.clear();
            ensure!(self.stdout.read_line(&mut line)? > 0, "the server has ended");
            let elapsed = watch.elapsed();
            let mut message: Value = serde_json::from_str(&line)?;
            if message["id"] == id {
                ensure!(message.get("error").is_none(), "{method}: {message}");
                return Ok((message["result"].take(), elapsed));
            }
        }
    }

    /// Calls a tool that does what it is asked.
    pub(super) fn tool(
        &mut self,
        name: &str,
        arguments: &Value,
    ) -> anyhow::Result<(Value, Duration)> {
        let params = json!({ "name": name, "arguments": arguments });
        let (mut result, elapsed) = self.request("tools/call", &params)?;
        ensure!(result["isError"] != true, "{name}: {result}");
        Ok((result["structuredContent"].take(), elapsed))
    }

    /// Returns the most memory that the process ever had, in KiB, as Linux says.
    pub(super) fn peak_kib(&self) -> anyhow::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.context("Linux says no VmHWM")?.parse().context("VmHWM is no number")
    }

    fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        let line = format!("{message}\n");
        self.stdin.write_all(line.as_bytes())?;
        Ok(self.stdin.flush()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
