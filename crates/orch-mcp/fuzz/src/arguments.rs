//! Calls of the tools with arguments that are mostly of the right names and sometimes of the right types: bytes choose among
//! known keys, values that earlier answers gave, and nonsense.

use serde_json::{Map, Value, json};

use crate::session::{self, Session};

const CALLS: usize = 16;
const TOOLS: [&str; 5] = [
    "alma_delegate_task",
    "alma_report_subtask",
    "alma_claim_subtask",
    "alma_orchestration_status",
    "alma_cancel_orchestration",
];
const KEYS: [&str; 29] = [
    "task",
    "task_type",
    "context",
    "subtasks",
    "workers",
    "mode",
    "constraints",
    "strategy",
    "aggregation",
    "deadline",
    "budget",
    "request_key",
    "orchestration_id",
    "subtask_id",
    "attempt",
    "result",
    "result_file",
    "worker",
    "usage",
    "next",
    "slots",
    "wait_s",
    "resume",
    "detail",
    "cursor",
    "max_cost_usd",
    "input_tokens",
    "success",
    "error_message",
];
const WORDS: [&str; 22] = [
    "a",
    "b",
    "c",
    "task",
    "reviewer",
    "general-purpose",
    "human",
    "parallel",
    "sequential",
    "adaptive",
    "merge",
    "vote",
    "external",
    "managed",
    "mixed",
    "all",
    "own",
    "none",
    "../x",
    "",
    "$plan",
    "a\u{0}\u{feff}\u{202e}",
];

/// Plays the calls.
pub(crate) fn play(bytes: &[u8]) {
    session::with(async |session| {
        session.hello().await;
        let mut choice = Choice { bytes, known: Vec::new() };
        for _ in 0..CALLS {
            if choice.bytes.is_empty() {
                break;
            }
            let tool = TOOLS[choice.below(TOOLS.len())];
            let arguments = choice.arguments(tool);
            let answer = session.call(tool, &arguments).await;
            choice.learn(session, &answer);
        }
    });
}

/// Bytes, and what earlier answers named.
struct Choice<'a> {
    bytes: &'a [u8],
    known: Vec<Value>,
}

impl Choice<'_> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first)
    }

    fn below(&mut self, most: usize) -> usize {
        self.byte() % most
    }

    /// The arguments that a tool must have, as a rule, and a few of any.
    fn arguments(&mut self, tool: &str) -> Value {
        let mut all = Map::new();
        let must: &[&str] = match tool {
            "alma_delegate_task" => &["task", "subtasks"],
            "alma_report_subtask" => &["orchestration_id", "subtask_id", "result"],
            _ => &["orchestration_id"],
        };
        for key in must {
            if self.below(16) > 0 {
                all.insert((*key).to_owned(), self.of(key));
            }
        }
        for _ in 0..self.below(4) {
            let key = KEYS[self.below(KEYS.len())];
            all.insert(key.to_owned(), self.of(key));
        }
        Value::Object(all)
    }

    /// A value for a key: as a rule one that fits.
    fn of(&mut self, key: &str) -> Value {
        if self.below(8) == 0 {
            return self.any(0);
        }
        match key {
            "subtasks" => (0..self.below(6)).map(|_| self.subtask()).collect(),
            "orchestration_id" | "attempt" | "result_file" | "cursor" => self.known(),
            "context" | "constraints" | "budget" | "usage" => {
                let key = KEYS[self.below(KEYS.len())];
                json!({ key: self.any(1) })
            }
            "workers" => (0..self.below(4)).map(|_| self.word()).collect(),
            "slots" | "wait_s" | "max_cost_usd" | "input_tokens" => self.number(),
            "resume" | "detail" | "success" => json!(self.below(2) == 0),
            "result" => self.any(0),
            _ => self.word(),
        }
    }

    fn subtask(&mut self) -> Value {
        let mut subtask = json!({ "id": self.word(), "description": self.word() });
        match self.below(8) {
            0 | 1 => subtask["dependencies"] = json!([self.word()]),
            2 => subtask["worker"] = self.word(),
            3 => subtask["priority"] = self.number(),
            4 => subtask["context"] = self.any(1),
            5 => subtask["task_type"] = self.word(),
            6 => subtask["required"] = self.any(1),
            _ => {}
        }
        subtask
    }

    fn any(&mut self, depth: usize) -> Value {
        match self.below(if depth < 5 { 10 } else { 7 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => self.number(),
            3 | 4 => self.word(),
            5 => self.known(),
            6 => json!("long \u{1f600} ".repeat(self.byte() * 40)),
            7 => (0..self.below(4)).map(|_| self.any(depth + 1)).collect(),
            _ => {
                let mut object = Map::new();
                for _ in 0..self.below(4) {
                    let key = KEYS[self.below(KEYS.len())];
                    object.insert(key.to_owned(), self.any(depth + 1));
                }
                Value::Object(object)
            }
        }
    }

    fn word(&mut self) -> Value {
        let index = self.below(WORDS.len() + 2);
        let Some(word) = WORDS.get(index) else {
            let length = self.below(24).min(self.bytes.len());
            let (text, rest) = self.bytes.split_at(length);
            self.bytes = rest;
            return json!(String::from_utf8_lossy(text));
        };
        json!(word)
    }

    fn number(&mut self) -> Value {
        let numbers =
            [json!(0), json!(1), json!(-1), json!(3), json!(u64::MAX), json!(1e300), json!(0.5)];
        numbers[self.below(numbers.len())].clone()
    }

    /// Something that an answer named.
    fn known(&mut self) -> Value {
        let index = self.byte();
        let known = index.checked_rem(self.known.len()).map(|index| self.known[index].clone());
        known.unwrap_or_default()
    }

    /// Keeps the names in an answer; what was handed out is done.
    fn learn(&mut self, session: &Session, answer: &Value) {
        let names = ["orchestration_id", "next_cursor"].map(|key| answer.get(key).cloned());
        self.known.extend(names.into_iter().flatten());
        for entry in answer["ready"].as_array().into_iter().flatten() {
            session.done(entry);
            self.known.extend([entry["attempt"].clone(), entry["result_file"].clone()]);
        }
    }
}
