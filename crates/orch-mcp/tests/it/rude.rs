//! Clients that do not listen, or go in the middle of an answer.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::client::{Client, Project};

const HELLO: &str = r#"{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"rude","version":"1"}}}"#;
/// Far more than fit into the pipes and what the server may hold.
const REQUESTS: usize = 2_000;
/// What a server may hold for a client that does not listen. It holds some 30 MB for anybody.
const MOST_RESIDENT_KB: u64 = 100 << 10;

/// A server whose pipes are in the test's own hands.
struct Rude {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Rude {
    fn start(project: &Project) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_orch-mcp"))
            .current_dir(project.path())
            .env("HOME", project.path())
            .env_remove("XDG_STATE_HOME")
            .env_remove("ORCH_TRUST")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{HELLO}").unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let hello = next(&mut stdout);
        assert_eq!(hello["id"], "hello");
        Self { child, stdin, stdout }
    }
}

fn next(stdout: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// A request of 1 KB whose answer has 8 KB.
fn request(id: usize) -> String {
    let params = json!({ "_meta": { "padding": "x".repeat(900) } });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params }).to_string()
}

fn resident_kb(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_client_that_does_not_read_is_not_listened_to_and_loses_nothing() {
    let project = Project::new(&[]);
    let rude = Rude::start(&project);
    let (mut child, mut stdin, mut stdout) = (rude.child, rude.stdin, rude.stdout);
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let writer = thread::spawn(move || {
        for id in 0..REQUESTS {
            writeln!(stdin, "{}", request(id)).unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
        stdin
    });
    // Another client of the same project is served meanwhile; its calls are the clock.
    let mut other = Client::start(&project);
    let (mut last, mut calm) = (0, 0);
    while calm < 50 {
        other.ok("alma_orchestration_status", json!({}));
        let now = written.load(Ordering::Relaxed);
        calm = if now == last && now > 0 { calm + 1 } else { 0 };
        last = now;
    }
    assert!(last < REQUESTS, "the server took all requests of a client that does not read");
    let resident = resident_kb(&child);
    assert!(resident < MOST_RESIDENT_KB, "{resident} kB");

    let mut heard: Vec<u64> = (0..REQUESTS)
        .map(|_| {
            let answer = next(&mut stdout);
            assert!(answer["result"]["tools"].is_array(), "{answer}");
            answer["id"].as_u64().unwrap()
        })
        .collect();
    heard.sort_unstable();
    assert!(heard.iter().copied().eq(0..REQUESTS as u64), "an answer is missing or came twice");
    drop(writer.join().unwrap());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_server_ends_when_its_client_vanishes_in_an_answer() {
    let project = Project::new(&[]);
    let Rude { mut child, mut stdin, mut stdout } = Rude::start(&project);
    for id in 0..20 {
        writeln!(stdin, "{}", request(id)).unwrap();
    }
    stdout.read_exact(&mut [0; 100]).unwrap();
    drop((stdin, stdout));
    assert!(child.wait().unwrap().success());
}

/// It keeps its end of stdin, but nobody is left to hear an answer.
#[test]
fn a_server_ends_when_nobody_can_hear_it() {
    let project = Project::new(&[]);
    let Rude { mut child, mut stdin, stdout } = Rude::start(&project);
    drop(stdout);
    // The server may be gone before all is written.
    let _ = writeln!(stdin, "{}", request(1)).and_then(|()| writeln!(stdin, "{}", request(2)));
    assert!(child.wait().unwrap().success());
}
