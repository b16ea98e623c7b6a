//! The transport alone, with a server that answers when it is told to.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    ClientJsonRpcMessage, EmptyObject, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
    ServerResult,
};
use rmcp::transport::Transport as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

use super::StdioTransport;
use super::request_permits::MAX_REQUESTS;

/// A transport, and the client at its other end.
struct Pair {
    server: StdioTransport,
    sent: DuplexStream,
    answers: BufReader<DuplexStream>,
}

/// `answers` is how many bytes of answers fit before somebody has to read them.
fn pair(answers: usize) -> Pair {
    let (reader, sent) = tokio::io::duplex(1 << 20);
    let (answers, writer) = tokio::io::duplex(answers);
    Pair { server: StdioTransport::new(reader, writer), sent, answers: BufReader::new(answers) }
}

impl Pair {
    async fn say(&mut self, message: Value) {
        self.sent.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn ping(&mut self, id: usize) {
        self.say(json!({ "jsonrpc": "2.0", "id": id, "method": "ping" })).await;
    }

    async fn heard(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The id of the next request, `None` when none comes however long one waits.
    async fn next(&mut self) -> Option<RequestId> {
        match tokio::time::timeout(Duration::from_secs(60), self.server.receive()).await.ok()?? {
            JsonRpcMessage::Request(request) => Some(request.id),
            ClientJsonRpcMessage::Response(_)
            | ClientJsonRpcMessage::Notification(_)
            | ClientJsonRpcMessage::Error(_) => panic!("no request"),
        }
    }

    fn answer(&mut self, id: RequestId) -> impl Future<Output = std::io::Result<()>> + use<> {
        let result = ServerResult::EmptyResult(EmptyObject {});
        let answer = ServerJsonRpcMessage::response(result, id);
        let shared = Arc::clone(&self.server.shared);
        async move { shared.send(&answer).await }
    }
}

fn id(number: usize) -> RequestId {
    RequestId::Number(i64::try_from(number).unwrap())
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_permits_wait_until_one_is_answered() {
    let mut pair = pair(1 << 20);
    for number in 0..MAX_REQUESTS + 2 {
        pair.ping(number).await;
    }
    for number in 0..MAX_REQUESTS {
        assert_eq!(pair.next().await, Some(id(number)));
    }
    assert_eq!(pair.next().await, None);
    pair.answer(id(5)).await.unwrap();
    assert_eq!(pair.next().await, Some(id(MAX_REQUESTS)));
    assert_eq!(pair.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_gives_its_permit_back() {
    let mut pair = pair(1 << 20);
    pair.ping(0).await;
    assert_eq!(pair.next().await, Some(id(0)));
    pair.server.shared.is_greeted.store(true, std::sync::atomic::Ordering::Relaxed);
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 0 } });
    pair.say(cancel).await;
    assert!(matches!(pair.server.receive().await, Some(JsonRpcMessage::Notification(_))));
    assert!(pair.server.shared.permits.release(&id(0)).is_none());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_not_listened_to() {
    let mut pair = pair(64);
    for number in 0..20 {
        pair.ping(number).await;
    }
    let mut heard = 0;
    while let Some(id) = pair.next().await {
        tokio::spawn(pair.answer(id));
        heard += 1;
    }
    assert!(heard < 6, "{heard} requests were taken while their answers waited");
    // Nothing is lost: a client that reads gets all.
    for number in 0..20 {
        if number >= heard {
            let id = pair.next().await.unwrap();
            tokio::spawn(pair.answer(id));
        }
        assert_eq!(pair.heard().await["id"], number);
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_in_use_is_refused_and_free_again_once_answered() {
    let mut pair = pair(1 << 20);
    pair.ping(7).await;
    pair.ping(7).await;
    assert_eq!(pair.next().await, Some(id(7)));
    let refused = pair.heard().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(7), &json!(-32_600)));
    pair.answer(id(7)).await.unwrap();
    assert_eq!(pair.heard().await["result"], json!({}));
    pair.ping(7).await;
    assert_eq!(pair.next().await, Some(id(7)));
}

#[tokio::test(start_paused = true)]
async fn before_hello_only_requests_count() {
    let mut pair = pair(1 << 20);
    pair.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    pair.say(json!({ "jsonrpc": "2.0", "id": 1, "result": {} })).await;
    pair.say(json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 1, "message": "x" } })).await;
    pair.ping(2).await;
    assert_eq!(pair.next().await, Some(id(2)));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_either_stream_ends_it() {
    let mut gone = pair(1 << 20);
    drop(gone.sent);
    assert!(gone.server.receive().await.is_none());

    let mut deaf = pair(1 << 20);
    deaf.ping(1).await;
    assert_eq!(deaf.next().await, Some(id(1)));
    let answer = deaf.answer(id(1));
    drop(deaf.answers);
    assert!(answer.await.is_err());
    assert!(deaf.server.receive().await.is_none());
    assert!(deaf.server.close().await.is_ok());
}
