//! What a line says: a message, or why it is none.

use orch_core::NumberFault;
use rmcp::model::{ClientJsonRpcMessage, ErrorCode, ErrorData, RequestId};
use serde::Deserialize;
use serde_json::Value;

use super::line::MAX_LINE_BYTES;

/// What a line is.
#[derive(Debug)]
pub(super) enum Parsed {
    /// A message.
    Message(Box<ClientJsonRpcMessage>),
    /// None: the error, and the request that it answers as far as that can be seen.
    Refused(ErrorData, Option<RequestId>),
    /// Nothing that wants an answer.
    Ignored,
}

/// The head of a request, which can be read whatever its arguments are.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "method")]
    _method: String,
    id: Option<RequestId>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a line.
pub(super) fn parse(line: &[u8]) -> Parsed {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Parsed::Ignored;
    }
    if let Some(fault) = NumberFault::in_json(line)
        && let Ok(Head { id: Some(id), .. }) = serde_json::from_slice(line)
    {
        return refused(ErrorCode::INVALID_PARAMS, "Invalid params", &fault, Some(id));
    }
    match serde_json::from_slice(line) {
        Ok(message) => Parsed::Message(message),
        Err(error) => match serde_json::from_slice::<Value>(line) {
            Ok(json) => refuse(&json, &error),
            Err(error) => refused(ErrorCode::PARSE_ERROR, "Parse error", &error, None),
        },
    }
}

/// Refuses a line that was too long to be read.
pub(super) fn too_long() -> Parsed {
    let most = format!("a message has at most {} MiB", MAX_LINE_BYTES >> 20);
    refused(ErrorCode::INVALID_REQUEST, "Invalid request", &most, None)
}

/// JSON that is no message: requests get an error; notifications and answers never do.
fn refuse(json: &Value, error: &serde_json::Error) -> Parsed {
    let is_answer = json.get("method").is_none()
        && (json.get("result").is_some() || json.get("error").is_some());
    let is_notification = json.get("method").is_some_and(Value::is_string)
        && json.get("id").is_none()
        && json["jsonrpc"] == "2.0";
    if is_answer || is_notification {
        return Parsed::Ignored;
    }
    let id = json.get("id").and_then(|id| RequestId::deserialize(id).ok());
    match json {
        Value::Array(_) => {
            let batch = "batches are not part of MCP; send one message a line";
            refused(ErrorCode::INVALID_REQUEST, "Invalid request", &batch, id)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            refused(ErrorCode::INVALID_REQUEST, "Invalid request", error, id)
        }
    }
}

fn refused(
    code: ErrorCode,
    what: &str,
    why: &dyn std::fmt::Display,
    id: Option<RequestId>,
) -> Parsed {
    Parsed::Refused(ErrorData::new(code, format!("{what}: {why}."), None), id)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What a line leads to: `message`, `ignored`, or the code of the error and the id that it is for.
    #[track_caller]
    fn check(line: &str, expected: Value) {
        let found = match parse(line.as_bytes()) {
            Parsed::Message(_) => json!("message"),
            Parsed::Ignored => json!("ignored"),
            Parsed::Refused(error, id) => json!([error.code, id]),
        };
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn messages_are_read() {
        for line in [
            r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":"x","method":"no/such","params":{"a":1}}"#,
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}\r",
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}"#,
        ] {
            check(line, json!("message"));
        }
    }

    #[test]
    fn what_is_no_json_is_a_parse_error() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for line in ["hello", "{\"id\":7,", "\0\0", "Content-Length: 5\r", "{}{}", "1e999", &deep] {
            check(line, json!([-32_700, null]));
        }
        let Parsed::Refused(error, None) = parse(b"{\"id\":\"\xff\"}") else { panic!() };
        assert_eq!(error.code, ErrorCode::PARSE_ERROR);
    }

    #[test]
    fn what_is_no_message_is_an_invalid_request_with_its_id() {
        for (line, id) in [
            ("5", json!(null)),
            ("null", json!(null)),
            ("[]", json!(null)),
            (r#"[{"jsonrpc":"2.0","id":7,"method":"ping"}]"#, json!(null)),
            ("{}", json!(null)),
            (r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, json!(7)),
            (r#"{"id":"x","method":"ping"}"#, json!("x")),
            (r#"{"jsonrpc":"2.0","id":7}"#, json!(7)),
            (r#"{"jsonrpc":"2.0","id":7,"method":5}"#, json!(7)),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, json!(null)),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, json!(null)),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, json!(null)),
        ] {
            check(line, json!([-32_600, id]));
        }
    }

    #[test]
    fn a_number_that_would_change_is_refused_with_the_id() {
        for number in ["115792089237316195423570985008687907853", "-9223372036854775809", "1e400"] {
            let call = format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"n":[{number}]}}}}"#
            );
            check(&call, json!([-32_602, 7]));
            let Parsed::Refused(error, _) = parse(call.as_bytes()) else { panic!() };
            assert!(
                error.message.contains(number) && error.message.contains("quote it"),
                "{}",
                error.message
            );
            check(&call.replace(number, &format!("\"{number}\"")), json!("message"));
        }
    }

    #[test]
    fn notifications_and_answers_get_no_answer() {
        for line in [
            "",
            "  \r",
            r#"{"jsonrpc":"2.0","id":[1],"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[1],"result":1}"#,
        ] {
            check(line, json!("ignored"));
        }
    }
}
