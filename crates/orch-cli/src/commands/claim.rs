//! `orch claim`: a subtask for an agent that has a shell.

use orch_core::JsonMap;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Report, Text};
use crate::session::Session;
use crate::text;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run id, or a unique prefix of it [default: the latest open run].
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Claim this subtask.
    #[arg(long, value_name = "ID")]
    subtask: Option<String>,
    /// Agent that claims; it gets subtasks meant for it.
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
    /// Maximum number of subtasks the agent may hold at once [default: 1 with --worker].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    slots: Option<u32>,
    /// Idempotency key: the same key gets the same subtask while it is open.
    #[arg(long, value_name = "KEY")]
    request_key: Option<String>,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let desk = Desk::open(session, "orch claim").await?;
    let mut arguments = JsonMap::new();
    arguments.insert("orchestration_id".to_owned(), json!(desk.find(args.run.as_deref()).await?));
    let optional = [
        ("subtask_id", args.subtask.map(Value::from)),
        ("worker", args.worker.map(Value::from)),
        ("slots", args.slots.map(Value::from)),
        ("request_key", args.request_key.map(Value::from)),
    ];
    for (name, value) in optional {
        arguments.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(Box::new(Claimed(desk.call("alma_claim_subtask", arguments).await?.into())))
}

/// What the tool answered.
struct Claimed(Value);

impl Claimed {
    fn subtask(&self) -> Option<&Value> {
        self.0["ready"].get(0)
    }

    fn is_over(&self) -> bool {
        text::is_over(&self.0)
    }
}

impl Report for Claimed {
    fn text(&self) -> Text {
        let word = |value: &Value| text::shown(value.as_str().unwrap_or_default());
        let run = word(&self.0["orchestration_id"]);
        let Some(subtask) = self.subtask() else {
            let standing = text::standing_of(&self.0);
            let notice = match self.is_over() {
                true => format!("run {run} is over: {standing}"),
                false => format!("nothing to claim now in run {run}: {standing}"),
            };
            return Text { notice, ..Text::default() };
        };
        let [id, attempt, file] =
            ["subtask_id", "attempt", "result_file"].map(|field| word(&subtask[field]));
        let until = word(&subtask["lease_until"]);
        let remarks = format!(
            "run {run}\nsubtask {id} is yours until {until}; then report it:\norch report {run} {id} --attempt {attempt} --file {file}\n"
        );
        let prompt = subtask["prompt"].as_str().unwrap_or_default().to_owned();
        Text { data: prompt, remarks, ..Text::default() }
    }

    fn json(&self) -> Value {
        self.0.clone()
    }

    fn exit(&self) -> Exit {
        match (self.subtask(), self.is_over()) {
            (Some(_), _) => Exit::Success,
            (None, true) => Exit::Failed,
            (None, false) => Exit::Refused,
        }
    }
}
