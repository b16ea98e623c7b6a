//! Lines of a client, as they are. Whatever they say, each gets exactly the answer that JSON-RPC asks for, and the server goes
//! on. `$RUN`, `$ATT` and `$FILE` stand for the open run, its attempt and the
//! file of its result; the first byte says whether the client says hello first.

use serde_json::{Value, json};

use crate::session::{self, Session};

const LINES: usize = 32;

/// What a line must lead to.
enum Expected {
    Nothing,
    /// An answer to this id.
    Answer(Value),
    /// An error, to this id or to nobody.
    Error(Value),
}

/// Plays the lines.
pub(crate) fn play(bytes: &[u8]) {
    let Some((first, lines)) = bytes.split_first() else { return };
    session::with(async |session| {
        let mut names =
            [("$RUN", String::new()), ("$ATT", String::new()), ("$FILE", String::new())];
        if first % 2 == 0 {
            session.hello().await;
            let subtasks = json!([{ "id": "a", "description": "A" }, { "id": "b", "description": "B", "dependencies": ["a"] }]);
            let delegate = json!({ "task": "Do", "subtasks": subtasks });
            let answer = session.call("alma_delegate_task", &delegate).await;
            names[0].1 = answer["orchestration_id"].as_str().unwrap().to_owned();
            let first = &answer["ready"][0];
            names[1].1 = first["attempt"].as_str().unwrap().to_owned();
            names[2].1 = session.done(first).to_owned();
        }
        for line in lines.split(|byte| *byte == b'\n').take(LINES) {
            let mut line = line.to_vec();
            for (name, value) in &names {
                line = replaced(&line, name.as_bytes(), value.as_bytes());
            }
            say(session, &line).await;
        }
    });
}

async fn say(session: &mut Session, line: &[u8]) {
    session.send(line).await;
    let said = || String::from_utf8_lossy(line);
    match expected(line) {
        Expected::Nothing => {}
        Expected::Answer(id) => {
            let answer = session.receive().await;
            assert_eq!(answer["id"], id, "{} -> {answer}", said());
        }
        Expected::Error(id) => {
            let answer = session.receive().await;
            let is_his = answer["id"].is_null() || answer["id"] == id;
            assert!(is_his && answer.get("error").is_some(), "{} -> {answer}", said());
        }
    }
    session.is_quiet().await;
}

fn expected(line: &[u8]) -> Expected {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Expected::Nothing;
    }
    let Ok(json) = serde_json::from_slice::<Value>(line) else {
        return Expected::Error(Value::Null);
    };
    let has = |key| json.get(key).is_some();
    let id = json.get("id").map(readable).unwrap_or_default();
    let is_call = json["method"].is_string() && json["jsonrpc"] == "2.0";
    if !has("method") && (has("result") || has("error")) || is_call && !has("id") {
        Expected::Nothing
    } else if is_call && (id.is_string() || id.is_i64()) {
        Expected::Answer(id)
    } else {
        Expected::Error(id)
    }
}

/// An id as it comes back: 1.0 is 1.
fn readable(id: &Value) -> Value {
    let whole = id.as_f64().filter(|id| id.fract() == 0.0 && id.abs() < 9_007_199_254_740_992.0);
    match whole {
        Some(whole) if id.is_f64() => json!(whole as i64),
        Some(_) | None => id.clone(),
    }
}

fn replaced(line: &[u8], name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.windows(name.len()).position(|window| window == name) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(value);
        rest = &rest[at + name.len()..];
    }
    out.extend_from_slice(rest);
    out
}
