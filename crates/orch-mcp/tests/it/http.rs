//! The real binary over HTTP: who is let in, and what hostile clients get.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use crate::client::Project;
use crate::http_server::{HttpServer, command, hello, request, request_to, tool_call};

const TOKEN: &str = "ours-0123456789abcdef";
const FOREIGN: &str = "theirs-0123456789abcdef";
const STATUS: &str = "alma_orchestration_status";

/// A project `shop` with a token file for it and another.
fn project() -> (Project, String) {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    fs::write(project.path().join("orch.yaml"), "project: shop\n").unwrap();
    let tokens = project.path().join("tokens");
    fs::write(&tokens, format!("# of two projects\nshop {TOKEN}\nother {FOREIGN}\n")).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let tokens = tokens.to_str().unwrap().to_owned();
    (project, tokens)
}

/// A request with our token and one header more, and what is expected of the answer.
type Case = (&'static str, Vec<u8>, u16, &'static str);

fn heads() -> Vec<Case> {
    let ours = format!("Bearer {TOKEN}");
    let status = |headers: &[(&str, &str)]| tool_call(STATUS, json!({}), headers);
    let with = |name: &str, value: &str| status(&[("authorization", &ours), (name, value)]);
    let auth = |value: &str| status(&[("authorization", value)]);
    let to =
        |path: &str, method: &str| request_to(path, method, &[("authorization", &ours)], b"{}");
    let many: Vec<(String, String)> = (0..100).map(|i| (format!("x-{i}"), "1".into())).collect();
    let mut many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    many.push(("authorization", &ours));
    vec![
        ("no token", status(&[]), 401, "www-authenticate: bearer"),
        ("an empty token", auth("Bearer "), 401, "www-authenticate: bearer"),
        ("a wrong token", auth("Bearer wrong-0123456789abcdef"), 401, "invalid_token"),
        ("half a token", auth(&ours[..ours.len() - 1]), 401, "invalid_token"),
        ("more than a token", auth(&format!("{ours}0")), 401, "invalid_token"),
        ("a token of another scheme", auth(&format!("Basic {TOKEN}")), 401, "www-authenticate"),
        ("a foreign token", auth(&format!("Bearer {FOREIGN}")), 403, "another project"),
        (
            "a token in the address",
            request_to(&format!("/mcp?token={TOKEN}"), "POST", &[], b"{}"),
            401,
            "www-authenticate",
        ),
        ("no token, unknown path", request_to("/", "GET", &[], b""), 401, "www-authenticate"),
        ("a rebinding host", with("host", "evil.example.com"), 403, "Host"),
        ("a rebinding host with our port", with("host", "evil.example.com:8377"), 403, "Host"),
        ("a host that only begins well", with("host", "localhost.evil.example.com"), 403, "Host"),
        ("a host that is none", with("host", "a b"), 400, ""),
        ("no host", with("host", ""), 400, ""),
        ("a host that is allowed", with("host", "mcp.example.com"), 200, ""),
        ("a cross-site origin", with("origin", "https://evil.example.com"), 403, "Origin"),
        ("an opaque origin", with("origin", "null"), 403, "Origin"),
        (
            "an allowed origin of another port",
            with("origin", "https://app.example.com:444"),
            403,
            "Origin",
        ),
        ("an allowed origin, unencrypted", with("origin", "http://app.example.com"), 403, "Origin"),
        (
            "an allowed origin",
            with("origin", "https://app.example.com"),
            200,
            "access-control-allow-origin: https://app.example.com",
        ),
        ("a loopback origin", with("origin", "http://localhost:6274"), 200, ""),
        ("a lower-case scheme", auth(&format!("bearer {TOKEN}")), 200, ""),
        ("an unknown path", to("/", "POST"), 404, ""),
        ("a path below", to("/mcp/x", "POST"), 404, ""),
        ("a path with dots", to("/mcp/../mcp", "POST"), 404, ""),
        ("PUT", to("/mcp", "PUT"), 405, "allow: get, post, delete"),
        ("TRACE", to("/mcp", "TRACE"), 405, ""),
        ("GET without a session", to("/mcp", "GET"), 400, "Session"),
        ("DELETE without a session", to("/mcp", "DELETE"), 400, "Session"),
        (
            "GET of an unknown session",
            request("GET", &[("authorization", &ours), ("mcp-session-id", "x")], b""),
            404,
            "Session",
        ),
        (
            "POST to an unknown session",
            request(
                "POST",
                &[("authorization", &ours), ("mcp-session-id", "x")],
                br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            ),
            404,
            "Session",
        ),
        (
            "GET without events",
            request("GET", &[("authorization", &ours), ("accept", "text/html")], b""),
            406,
            "",
        ),
        ("an answer that the client cannot take", with("accept", "text/html"), 406, ""),
        ("a form", with("content-type", "application/x-www-form-urlencoded"), 415, ""),
        ("a version that is none", with("mcp-protocol-version", "1999-01-01"), 400, ""),
        (
            "a version that is not the message's",
            with("mcp-protocol-version", "2025-06-18"),
            400,
            "",
        ),
        ("a method that is not the message's", with("mcp-method", "tools/list"), 400, ""),
        ("a name that is not the message's", with("mcp-name", "alma_delegate_task"), 400, ""),
        ("a head of 64 KiB", with("x-long", &"x".repeat(64 * 1024)), 431, ""),
        ("a head of 100 fields", status(&many), 431, ""),
        (
            "a long address",
            request_to(&format!("/{}", "x".repeat(64 * 1024)), "GET", &[], b""),
            431,
            "",
        ),
    ]
}

fn bodies() -> Vec<Case> {
    let ours = format!("Bearer {TOKEN}");
    let auth = ("authorization", ours.as_str());
    let post = |body: &[u8]| request("POST", &[auth], body);
    let chunked = |body: &str| {
        let headers = [auth, ("transfer-encoding", "chunked"), ("content-length", "")];
        request("POST", &headers, body.as_bytes())
    };
    let length = |value: &str| request("POST", &[auth, ("content-length", value)], b"{}");
    let ours = [auth];
    let long = "x".repeat(9 << 20);
    vec![
        ("nothing", post(b""), 400, "-32700"),
        ("half a message", post(br#"{"jsonrpc": "2.0", "id": 1,"#), 400, "-32700"),
        ("no JSON", post(b"hello"), 400, "-32700"),
        ("two messages", post(br#"{"jsonrpc":"2.0"}{"jsonrpc":"2.0"}"#), 400, "-32700"),
        ("NUL", post(b"\0"), 400, "-32700"),
        ("no UTF-8", post(b"{\"method\": \"\xff\xfe\"}"), 400, "-32700"),
        ("deep nesting", post("[".repeat(200_000).as_bytes()), 400, "-32"),
        (
            "deep nesting within",
            post(format!(r#"{{"params": {}"#, "[".repeat(200_000)).as_bytes()),
            400,
            "-32700",
        ),
        ("a batch", post(br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#), 400, "-32600"),
        ("a number", post(b"7"), 400, "-32600"),
        ("an empty object", post(b"{}"), 400, "-32600"),
        ("another JSON-RPC", post(br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#), 400, "-32600"),
        (
            "a method that is a number",
            post(br#"{"jsonrpc":"2.0","id":1,"method":7}"#),
            400,
            "-32600",
        ),
        (
            "an id that is an object",
            post(br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#),
            400,
            "-32600",
        ),
        (
            "no handshake before",
            post(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#),
            400,
            "",
        ),
        ("an unknown tool", tool_call("rm", json!({}), &ours), 200, "Unknown tool"),
        ("wrong arguments", tool_call(STATUS, json!({ "detail": [] }), &ours), 200, "success"),
        ("9 MiB", post(long.as_bytes()), 413, "8388608 bytes"),
        (
            "9 MiB in one chunk",
            chunked(&format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len())),
            413,
            "8388608 bytes",
        ),
        ("a chunk that is none", chunked("zz\r\n{}\r\n0\r\n\r\n"), 400, ""),
        ("a chunk without an end", chunked("fffffffffffffffff\r\n"), 400, ""),
        ("a negative length", length("-1"), 400, ""),
        ("two lengths", length("2\r\ncontent-length: 3"), 400, ""),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400, ""),
        ("HTTP/2, which has other answers", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 0, ""),
    ]
}

#[test]
fn each_hostile_request_is_answered_and_the_server_goes_on() {
    let (project, tokens) = project();
    let args = [
        "--token-file",
        &tokens,
        "--allow-host",
        "mcp.example.com",
        "--allow-origin",
        "https://app.example.com",
    ];
    let server = HttpServer::start_with(&project, &args, &[("ORCH_LOG", "trace")]);
    let ours = format!("Bearer {TOKEN}");
    let mut wrong = Vec::new();
    for (name, bytes, status, expected) in heads().into_iter().chain(bodies()) {
        let reply = server.raw(&bytes);
        let said = format!("{}\n{}", reply.head, reply.body);
        if reply.status != status || !said.contains(expected) {
            wrong.push(format!("{name}: expected {status} {expected:?}, got {said}"));
        }
        assert!(reply.body.len() < 16_384, "{name}: {}", reply.body.len());
        let answer = server.call(STATUS, json!({}), &[("authorization", &ours)]);
        assert_eq!(answer["success"], true, "after {name}: {answer}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let (ended, log) = server.stop();
    assert!(ended.success());
    assert!(log.len() > 100, "the log is as talkative as it can be");
    let told: Vec<_> =
        log.iter().filter(|line| line.contains(TOKEN) || line.contains(FOREIGN)).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn a_page_is_let_in_only_from_an_allowed_origin() {
    let (project, tokens) = project();
    let args = ["--token-file", &tokens, "--allow-origin", "https://app.example.com"];
    let server = HttpServer::start(&project, &args);
    for (origin, is_allowed) in [
        ("https://app.example.com", true),
        ("https://evil.example.com", false),
        ("http://localhost:6274", false),
    ] {
        let asks = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization, content-type"),
        ];
        let reply = server.raw(&request("OPTIONS", &asks, b""));
        assert_eq!(
            reply.header("access-control-allow-origin"),
            is_allowed.then_some(origin),
            "{reply:?}"
        );
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{reply:?}");
    }
}

#[test]
fn a_server_that_anybody_could_call_does_not_start() {
    let (project, tokens) = project();
    let exposed = project.path().join("exposed");
    fs::write(&exposed, format!("shop {TOKEN}")).unwrap();
    fs::set_permissions(&exposed, fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = exposed.to_str().unwrap();
    let cases: [(&str, &[&str], Option<&str>, &str); 8] = [
        (
            "0.0.0.0:0",
            &[],
            None,
            "set ORCH_MCP_TOKEN or pass --token-file FILE, or listen at 127.0.0.1",
        ),
        ("[::]:0", &[], None, "set ORCH_MCP_TOKEN"),
        ("0.0.0.0:0", &[], Some("short-secret"), "fewer than 16 characters"),
        ("127.0.0.1:0", &[], Some(""), "fewer than 16 characters"),
        ("0.0.0.0:0", &["--token-file", exposed], None, "chmod 600"),
        ("0.0.0.0:0", &["--token-file", "nowhere"], None, "cannot read the token file nowhere"),
        ("127.0.0.1:0", &["--token-file", &tokens], Some(TOKEN), "keep one of them"),
        ("127.0.0.1:0", &["--allow-origin", "app.example.com"], None, "is not an origin"),
    ];
    for (address, args, token, expected) in cases {
        let env: Vec<_> = token.map(|token| ("ORCH_MCP_TOKEN", token)).into_iter().collect();
        let output =
            command(&project, address, args, &env).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{address} {args:?}: {said}");
        assert!(said.contains(expected), "{address} {args:?}: {said}");
        assert!(!said.contains("secret") && !said.contains(TOKEN), "{said}");
    }
}

#[test]
fn a_token_of_the_environment_lets_in_at_any_address() {
    let (project, _) = project();
    let server = HttpServer::start_with(&project, &[], &[("ORCH_MCP_TOKEN", TOKEN)]);
    assert_eq!(server.raw(&hello(&[])).status, 401, "on loopback, too");
    let ours = format!("Bearer {TOKEN}");
    let reply = server.raw(&hello(&[("authorization", &ours)]));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.message()["result"]["serverInfo"]["name"], "alma-orchestration");
}
