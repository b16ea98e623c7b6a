//! `orch report`: what an agent that has a shell made of a subtask.

use std::io;
use std::path::{Path, PathBuf};

use orch_core::JsonMap;
use orch_files::ReadError;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Report, Text};
use crate::session::Session;
use crate::text;

/// The largest file that is taken as a result, in bytes.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["file", "result", "error"]))]
pub(crate) struct Args {
    /// Run id, or a unique prefix of it [default: the latest open run].
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// The subtask.
    #[arg(value_name = "SUBTASK")]
    subtask: String,
    /// Read the result from this file; JSON if the name ends in `.json`.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Result as text.
    #[arg(long, value_name = "TEXT")]
    result: Option<String>,
    /// Accept the result although it begins with `FAILED:` or has `success: false`.
    #[arg(long, conflicts_with = "error")]
    success: bool,
    /// Report a failure: what went wrong, in a sentence.
    #[arg(long, value_name = "MESSAGE")]
    error: Option<String>,
    /// Cause of the failure: reported, timeout, rate_limit, auth, invalid_input or unavailable [default: reported].
    #[arg(long, value_name = "CAUSE", conflicts_with_all = ["file", "result"])]
    cause: Option<String>,
    /// Attempt, as `orch claim` showed it; optional while only one is open.
    #[arg(long, value_name = "ATTEMPT")]
    attempt: Option<String>,
    /// Agent that did the work [default: the agent that claimed it].
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
    /// Usage: input_tokens=N,output_tokens=N,cost_usd=N.
    #[arg(long, value_name = "FIELD=N", value_delimiter = ',')]
    usage: Vec<String>,
    /// Lesson for later runs, in a sentence; may be repeated.
    #[arg(long, value_name = "TEXT")]
    lesson: Vec<String>,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let usage = usage(&args.usage)?;
    let result = match &args.file {
        Some(file) => Some(read(session, file)?),
        None => args.result.map(Value::from),
    };
    let desk = Desk::open(session, "orch report").await?;
    let mut arguments = JsonMap::new();
    arguments.insert("orchestration_id".to_owned(), json!(desk.find(args.run.as_deref()).await?));
    arguments.insert("subtask_id".to_owned(), args.subtask.into());
    arguments.insert("lessons".to_owned(), args.lesson.into());
    // An agent that wants another one claims it.
    arguments.insert("next".to_owned(), "none".into());
    let optional = [
        ("result", result),
        ("success", args.success.then_some(true.into())),
        ("error_message", args.error.map(Value::from)),
        ("cause", args.cause.map(Value::from)),
        ("attempt", args.attempt.map(Value::from)),
        ("worker", args.worker.map(Value::from)),
        ("usage", usage),
    ];
    for (name, value) in optional {
        arguments.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(Box::new(Reported(desk.call("alma_report_subtask", arguments).await?.into())))
}

/// Reads a result. The caller's word counts for the file: it may be any that the caller can read. It is where the shell sees it;
/// else it is one of the project, as prompts name them.
fn read(session: &Session, file: &Path) -> Result<Value, CliError> {
    let bytes = match orch_files::read(&session.cwd.join(file), MOST_BYTES) {
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            let location = session.location(None)?;
            orch_files::read(&location.project_dir.join(file), MOST_BYTES)
        }
        read => read,
    };
    let unread = |source| CliError::Unread { file: file.to_owned(), source };
    let bytes = bytes.map_err(|error| unread(error.into()))?;
    if file.extension().is_some_and(|extension| extension == "json") {
        let read = orch_core::read_json(&bytes);
        read.map_err(|error| unread(io::Error::new(io::ErrorKind::InvalidData, error)))
    } else {
        let text = String::from_utf8(bytes).map_err(|_| unread(ReadError::NotText.into()))?;
        Ok(Value::String(text))
    }
}

fn usage(fields: &[String]) -> Result<Option<Value>, CliError> {
    let mut usage = JsonMap::new();
    for field in fields {
        let read = field.split_once('=').and_then(|(name, number)| {
            let number: serde_json::Number = number.trim().parse().ok()?;
            Some((name.trim().to_owned(), Value::Number(number)))
        });
        usage.extend([read.ok_or_else(|| {
            CliError::Argument(format!(
                "`{field}` is not a usage field; write for example --usage input_tokens=1200,cost_usd=0.02"
            ))
        })?]);
    }
    Ok((!usage.is_empty()).then_some(Value::Object(usage)))
}

/// What the tool answered.
struct Reported(Value);

impl Reported {
    fn counts(&self) -> bool {
        self.0["success"] == true
    }
}

impl Report for Reported {
    fn text(&self) -> Text {
        let word = |value: &Value| text::shown(value.as_str().unwrap_or_default());
        let standing = text::standing_of(&self.0);
        let data =
            format!("{}: {}; {standing}\n", word(&self.0["answer"]), word(&self.0["subtask_id"]));
        let refused = self.0["lessons_refused"].as_array().into_iter().flatten();
        let notices = (!self.counts()).then(|| word(&self.0["message"])).into_iter();
        let read_as = self.0["read_as"].as_str();
        let read_as = read_as.map(|read_as| format!("It is read as {}.", text::shown(read_as)));
        let notices: Vec<String> = notices.chain(read_as).chain(refused.map(word)).collect();
        Text { data, notice: notices.join("\n"), ..Text::default() }
    }

    fn json(&self) -> Value {
        self.0.clone()
    }

    fn exit(&self) -> Exit {
        if self.counts() { Exit::Success } else { Exit::Refused }
    }
}
