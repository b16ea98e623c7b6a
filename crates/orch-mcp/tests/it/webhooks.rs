//! The webhooks of a project hear of what is delegated.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, Project, timed};

#[test]
fn webhooks_hear_of_a_delegated_run_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let project = Project::new(&[]);
    let hook = format!(
        "webhooks:\n  - {{ url: 'http://{}/', events: ['orchestration.*', subtask.completed] }}\n",
        listener.local_addr().unwrap()
    );
    std::fs::write(project.path().join("orch.yaml"), hook).unwrap();
    let (told, heard) = channel();
    std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        loop {
            let mut length = 0;
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 0) && line.trim() != "" {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if length == 0 || stream.read_exact(&mut body).is_err() {
                return;
            }
            stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            let event: Value = serde_json::from_slice(&body).unwrap();
            if told.send(event["event_type"].as_str().unwrap().to_owned()).is_err() {
                return;
            }
        }
    });
    let mut client = Client::start_with(&project, &["--trust"]);
    let subtasks = json!([{ "id": "a", "description": "Do a" }]);
    let run = client.ok("alma_delegate_task", json!({ "task": "Do it", "subtasks": subtasks }));
    let report = json!({
        "orchestration_id": run["orchestration_id"], "subtask_id": "a", "result": "done",
    });
    client.ok("alma_report_subtask", report);
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "orchestration.ended") {
        kinds.push(heard.recv_timeout(Duration::from_secs(60)).unwrap());
    }
    let expected = [
        "orchestration.submitted",
        "orchestration.plan_adopted",
        "subtask.completed",
        "orchestration.ended",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_webhook_that_never_answers_does_not_keep_a_server_whose_client_has_gone() {
    // Nobody accepts: the kernel takes the connection, and no answer ever comes.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let project = Project::new(&[]);
    let hook = format!("webhooks: [{{ url: 'http://{}/' }}]\n", listener.local_addr().unwrap());
    std::fs::write(project.path().join("orch.yaml"), hook).unwrap();
    let mut client = Client::start_with(&project, &["--trust", "--grace", "1s"]);
    let subtasks = json!([{ "id": "a", "description": "Do a" }]);
    client.ok("alma_delegate_task", json!({ "task": "Do it", "subtasks": subtasks }));
    let (ended, took) = timed(|| client.close());
    assert!(ended.0);
    // 3 s are promised; the webhook alone would get 5 s.
    assert!(took < Duration::from_secs(4), "{took:?}");
    let log = std::fs::read_to_string(project.path().join("stderr.txt")).unwrap();
    assert!(log.contains("not all events were delivered"), "{log}");
    assert!(!project.path().join(".orch/orch.db-wal").exists(), "the store is closed");
}
