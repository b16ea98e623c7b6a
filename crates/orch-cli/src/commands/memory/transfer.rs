//! `orch memory export` and `import`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Opened;
use crate::error::CliError;
use crate::report::{Report, Text};

const EXPORT_EXAMPLES: &str = "Examples:
  orch memory export all.jsonl
  orch memory export - | gzip > all.jsonl.gz";

const IMPORT_EXAMPLES: &str = "Examples:
  orch memory import all.jsonl
  gunzip --stdout all.jsonl.gz | orch memory import -";

#[derive(Debug, clap::Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(super) struct ExportArgs {
    /// The file; - is stdout.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(super) struct ImportArgs {
    /// The file; - is stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn export(
    opened: &Opened,
    args: &ExportArgs,
) -> Result<Box<dyn Report>, CliError> {
    if args.file == Path::new("-") {
        let mut lines = Vec::new();
        opened.memory.export(&mut lines).await?;
        return Ok(Box::new(Lines(String::from_utf8_lossy(&lines).into_owned())));
    }
    let mut out = BufWriter::new(File::create(&args.file).map_err(unopened(&args.file))?);
    let lines = opened.memory.export(&mut out).await?;
    out.flush()?;
    Ok(Box::new(Done { verb: "written", lines, what: "lines" }))
}

pub(super) async fn import(
    opened: &Opened,
    args: &ImportArgs,
) -> Result<Box<dyn Report>, CliError> {
    let runs = if args.file == Path::new("-") {
        opened.memory.import(&mut BufReader::new(std::io::stdin())).await?
    } else {
        let file = File::open(&args.file).map_err(unopened(&args.file))?;
        opened.memory.import(&mut BufReader::new(file)).await?
    };
    Ok(Box::new(Done { verb: "learned", lines: runs as u64, what: "runs" }))
}

fn unopened(file: &Path) -> impl FnOnce(io::Error) -> CliError {
    |source| CliError::File { file: file.to_owned(), source }
}

/// The export itself.
struct Lines(String);

impl Report for Lines {
    fn text(&self) -> Text {
        Text::data(self.0.clone())
    }

    fn json(&self) -> Value {
        self.0.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect()
    }
}

struct Done {
    verb: &'static str,
    lines: u64,
    what: &'static str,
}

impl Report for Done {
    fn text(&self) -> Text {
        let remarks = format!("{} {}: {}\n", self.what, self.verb, self.lines);
        Text { remarks, ..Text::default() }
    }

    fn json(&self) -> Value {
        json!({ self.what: self.lines })
    }
}
