//! The real binary over HTTP, and requests by the byte.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Project;

/// How long anything may take, on a machine that does other things too.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A server that listens.
pub(crate) struct HttpServer {
    child: Child,
    stderr: Receiver<String>,
    pub(crate) address: SocketAddr,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// 0 when the connection was closed without an answer.
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl HttpServer {
    /// Starts a server for a project at a free port.
    pub(crate) fn start(project: &Project, args: &[&str]) -> Self {
        Self::start_with(project, args, &[])
    }

    /// Starts a server with variables in its environment.
    pub(crate) fn start_with(project: &Project, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut child =
            command(project, "127.0.0.1:0", args, env).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, stderr) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut seen = String::new();
        let address = loop {
            let line =
                stderr.recv_timeout(ANSWER_TIMEOUT).unwrap_or_else(|_| panic!("no line: {seen}"));
            if let Some((_, rest)) = line.split_once("orch-mcp listens at http://") {
                break rest.strip_suffix("/mcp").unwrap().parse().unwrap();
            }
            seen.push_str(&line);
        };
        Self { child, stderr, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).unwrap();
        stream
    }

    /// Sends bytes on a connection of their own and returns the answer.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // A server that has refused already need not take the rest.
        let _ = stream.write_all(bytes);
        reply(stream)
    }

    /// Calls a tool in the stateless era and returns its answer.
    pub(crate) fn call(&self, tool: &str, arguments: Value, headers: &[(&str, &str)]) -> Value {
        let reply = self.raw(&tool_call(tool, arguments, headers));
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.message()["result"]["structuredContent"].clone()
    }

    /// Asks the server to end, and returns how it did and what it wrote to stderr.
    pub(crate) fn stop(mut self) -> (ExitStatus, Vec<String>) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        (status, self.stderr.iter().collect())
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reply {
    /// The message: the body, or the last event of the stream.
    pub(crate) fn message(&self) -> Value {
        let mut data = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
        let text = data.rfind(|data| !data.trim().is_empty()).unwrap_or(&self.body);
        serde_json::from_str(text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The command of a server, with nothing on stdin.
pub(crate) fn command(
    project: &Project,
    address: &str,
    args: &[&str],
    env: &[(&str, &str)],
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orch-mcp"));
    command.args(["--http", address]).args(args).current_dir(project.path());
    command.env("HOME", project.path()).env_remove("ORCH_LOG").env_remove("ORCH_MCP_TOKEN");
    command.env_remove("XDG_STATE_HOME").env_remove("ORCH_TRUST");
    command.envs(env.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A request. `headers` replace those that every request has; one without a value is left out.
pub(crate) fn request(method: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    request_to("/mcp", method, headers, body)
}

/// A request to another path.
pub(crate) fn request_to(
    path: &str,
    method: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let length = body.len().to_string();
    let usual = [
        ("host", "localhost"),
        ("connection", "close"),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("content-length", length.as_str()),
    ];
    let kept = usual.iter().filter(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in kept.chain(headers).filter(|(_, value)| !value.is_empty()) {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// A call of a tool in the stateless era.
pub(crate) fn tool_call(tool: &str, arguments: Value, headers: &[(&str, &str)]) -> Vec<u8> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let message =
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }).to_string();
    let usual =
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", tool)];
    let kept = usual.iter().filter(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    let all: Vec<_> = kept.chain(headers).copied().collect();
    request("POST", &all, message.as_bytes())
}

/// The handshake's first message.
pub(crate) fn hello(headers: &[(&str, &str)]) -> Vec<u8> {
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } });
    let message =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string();
    request("POST", headers, message.as_bytes())
}

/// Reads an answer to the end of the connection.
#[track_caller]
pub(crate) fn reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&bytes)),
    }
    let text = String::from_utf8_lossy(&bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Reply { status: 0, head: text.into_owned(), body: String::new() };
    };
    let head = head.to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body =
        if head.contains("transfer-encoding: chunked") { dechunked(body) } else { body.into() };
    Reply { status, head, body }
}

fn dechunked(mut text: &str) -> String {
    let mut body = String::new();
    while let Some((length, rest)) = text.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        body.push_str(&rest[..length]);
        text = &rest[(length + 2).min(rest.len())..];
    }
    body
}
