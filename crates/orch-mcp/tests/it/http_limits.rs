//! The real binary over HTTP, and clients that ask too much of it or leave it alone.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Project;
use crate::http_server::{HttpServer, Reply, hello, reply, request, tool_call};

const STATUS: &str = "alma_orchestration_status";
/// Between the bytes of a client that is slow on purpose.
const TRICKLE: Duration = Duration::from_millis(50);
/// How long a slow client may go on until the test fails.
const MAX_TRICKLE_TIME: Duration = Duration::from_secs(60);

fn project() -> Project {
    Project::new(&[("reviewer", "Reviews code")])
}

/// Calls with a well-behaved client; false when the server was too busy. Who is refused before the request was read may find the
/// connection reset, and no answer.
fn is_served(server: &HttpServer) -> bool {
    let reply = server.raw(&tool_call(STATUS, json!({}), &[]));
    assert!([0, 200, 429, 503].contains(&reply.status), "{reply:?}");
    reply.status == 200
}

/// Waits until a well-behaved client is served again.
#[track_caller]
fn is_served_again(server: &HttpServer) {
    let start = now();
    while !is_served(server) {
        assert!(start.elapsed() < MAX_TRICKLE_TIME, "the server is still busy");
    }
}

/// Sends the same so many times before it reads an answer.
fn at_once(server: &HttpServer, times: usize, bytes: &[u8]) -> Vec<Reply> {
    let asked = (0..times).map(|_| {
        let mut stream = server.connect();
        stream.write_all(bytes).unwrap();
        stream
    });
    let asked: Vec<TcpStream> = asked.collect();
    asked.into_iter().map(reply).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test over real connections takes real time")]
fn now() -> Instant {
    Instant::now()
}

/// Sends byte after byte, slowly, while another client works; returns what the server says in the end.
fn trickle(server: &HttpServer, mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    stream.set_read_timeout(Some(TRICKLE)).unwrap();
    let (start, mut answer) = (now(), Vec::new());
    for byte in bytes.iter().cycle() {
        assert!(start.elapsed() < MAX_TRICKLE_TIME, "the server still listens");
        assert!(is_served(server), "others are served meanwhile");
        let is_over = stream.write_all(&[*byte]).is_err();
        match stream.read_to_end(&mut answer) {
            Ok(_) => return answer,
            Err(error) if error.kind() == ErrorKind::WouldBlock && !is_over => {}
            Err(_) => return answer,
        }
    }
    answer
}

#[test]
fn a_client_that_trickles_is_cut_off_while_others_are_served() {
    let project = project();
    let server = HttpServer::start(&project, &["--client-timeout", "2s"]);
    let mut stream = server.connect();
    stream.write_all(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    let answer = trickle(&server, stream, b"x");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");

    let mut stream = server.connect();
    let head = request("POST", &[("content-length", "100000")], b"");
    stream.write_all(&head).unwrap();
    let answer = trickle(&server, stream, b" ");
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));

    // One that says nothing at all.
    let answer = reply(server.connect());
    assert!([0, 408].contains(&answer.status), "{answer:?}");
    assert!(server.stop().0.success());
}

#[test]
fn a_client_that_takes_no_answers_is_cut_off() {
    let project = project();
    let server = HttpServer::start(&project, &["--client-timeout", "2s"]);
    let mut stream = server.connect();
    stream.set_write_timeout(Some(TRICKLE)).unwrap();
    // Many at a time, and each whole: it takes thousands of answers to fill what the system keeps for a client.
    let asks = tool_call(STATUS, json!({}), &[("connection", "keep-alive")]).repeat(100);
    let (start, mut sent) = (now(), 0);
    loop {
        assert!(start.elapsed() < MAX_TRICKLE_TIME, "the server still waits");
        assert!(is_served(&server), "others are served meanwhile");
        match stream.write(&asks[sent % asks.len()..]) {
            Ok(bytes) => sent += bytes,
            // The server does not read any more, until it ends the connection.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    assert!(sent < 64 << 20, "{sent}");
}

#[test]
fn one_connection_too_many_is_told_so() {
    let project = project();
    let server = HttpServer::start(&project, &["--max-connections", "2"]);
    let held = [server.connect(), server.connect()];
    let reply = server.raw(&tool_call(STATUS, json!({}), &[]));
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{reply:?}");
    assert!(reply.body.contains("try again later"), "{reply:?}");
    drop(held);
    is_served_again(&server);
}

#[test]
fn very_many_connections_end_nothing() {
    let project = project();
    let server = HttpServer::start(&project, &["--max-connections", "8"]);
    let held: Vec<TcpStream> = (0..500).map(|_| server.connect()).collect();
    drop(held);
    is_served_again(&server);
    assert!(server.stop().0.success());
}

#[test]
fn one_session_too_many_is_told_so_and_a_session_can_be_ended() {
    let project = project();
    let server = HttpServer::start(&project, &["--max-sessions", "2"]);
    let first = server.raw(&hello(&[]));
    let session = first.header("mcp-session-id").unwrap().to_owned();
    assert_eq!(server.raw(&hello(&[])).status, 200);
    let reply = server.raw(&hello(&[]));
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("60")), "{reply:?}");
    assert!(is_served(&server), "the stateless era needs no session");

    let in_session = [("mcp-session-id", session.as_str())];
    let list = br#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let tools = server.raw(&request("POST", &in_session, list)).message();
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 5, "{tools}");
    assert_eq!(server.raw(&request("DELETE", &in_session, b"")).status, 202);
    assert_eq!(server.raw(&request("POST", &in_session, list)).status, 404);
    assert_eq!(server.raw(&hello(&[])).status, 200);
}

#[test]
fn many_handshakes_at_once_make_no_session_too_many() {
    let project = project();
    let server = HttpServer::start(&project, &["--max-sessions", "3"]);
    let statuses: Vec<u16> =
        at_once(&server, 12, &hello(&[])).into_iter().map(|reply| reply.status).collect();
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(200), count(503)), (3, 9), "{statuses:?}");
}

#[test]
fn more_requests_than_there_may_be_are_told_so() {
    let project = project();
    let token = "ours-0123456789abcdef";
    let server =
        HttpServer::start_with(&project, &["--max-requests", "1"], &[("ORCH_MCP_TOKEN", token)]);
    for _ in 0..20 {
        let reply = server.raw(&tool_call(STATUS, json!({}), &[]));
        assert_eq!(reply.status, 401, "who has no token takes nothing from those who have");
    }
    let bearer = format!("Bearer {token}");
    let asks = tool_call(STATUS, json!({}), &[("authorization", &bearer)]);
    let replies = at_once(&server, 20, &asks);
    let served = replies.iter().filter(|reply| reply.status == 200).count();
    let later = replies.iter().filter(|reply| reply.status == 429).count();
    assert!(served >= 1 && later >= 1 && served + later == 20, "{replies:?}");
    let told = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert_eq!(told.header("retry-after"), Some("1"), "{told:?}");
}

#[test]
fn a_client_that_vanishes_loses_nothing_and_ends_nothing() {
    let project = project();
    let server = HttpServer::start(&project, &[]);
    let subtasks = json!([{ "id": "a", "description": "Review the code" }]);
    let delegate = json!({ "task": "Review", "subtasks": subtasks });
    let answer = server.call("alma_delegate_task", delegate, &[]);
    let run = answer["orchestration_id"].clone();
    let waiting = tool_call(STATUS, json!({ "orchestration_id": run, "wait_s": 25 }), &[]);
    let report = json!({
        "orchestration_id": run, "subtask_id": "a", "attempt": answer["ready"][0]["attempt"], "result": "fine",
    });
    let reports = tool_call("alma_report_subtask", report.clone(), &[]);
    let parts = [&waiting[..], &waiting[..40], &reports[..reports.len() / 2], &reports[..]];
    for part in parts.into_iter().cycle().take(80) {
        let mut stream = server.connect();
        stream.write_all(part).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    }
    let again: Value = server.call("alma_report_subtask", report, &[]);
    assert!(["accepted", "duplicate"].map(Value::from).contains(&again["answer"]), "{again}");
    let status = server.call(STATUS, json!({ "orchestration_id": run }), &[]);
    assert_eq!(status["status"], "completed", "{status}");
    let (ended, log) = server.stop();
    assert!(ended.success() && !log.iter().any(|line| line.contains("panic")), "{log:?}");
}

#[test]
fn a_server_that_is_asked_to_end_ends_streams_that_wait() {
    let project = project();
    let server = HttpServer::start(&project, &[]);
    let first = server.raw(&hello(&[]));
    let session = first.header("mcp-session-id").unwrap().to_owned();
    let mut stream = server.connect();
    stream.write_all(&request("GET", &[("mcp-session-id", &session)], b"")).unwrap();
    let mut begin = [0; 15];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    assert!(server.stop().0.success());
    assert!(stream.read_to_end(&mut Vec::new()).is_ok(), "the stream has an end");
}
