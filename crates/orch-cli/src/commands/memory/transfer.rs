//! `orch memory export` and `import`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use orch_files::Folder;
use orch_memory::{Imported, LearnedMemory};
use serde_json::{Value, json};

use super::Opened;
use crate::error::CliError;
use crate::report::{Report, Text};
use crate::session::Session;

const EXPORT_EXAMPLES: &str = "Examples:
  orch memory export all.jsonl
  orch memory export - | gzip > all.jsonl.gz";

const IMPORT_EXAMPLES: &str = "Examples:
  orch memory import all.jsonl
  gunzip --stdout all.jsonl.gz | orch memory import -";

#[derive(Debug, clap::Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(super) struct ExportArgs {
    /// File to write, replaced once all is written; - is stdout.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(super) struct ImportArgs {
    /// File to read; - is stdin.
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
    let lines = write_whole(&opened.memory, &args.file).await?;
    Ok(Box::new(Written { lines }))
}

/// Writes a file beside and moves it into its place, so that one that was there is kept until the new one is whole. A new one is
/// private (0600), one that is there keeps its permissions. A person has named it: a link stays a link; what is no file, such as a pipe, is written to.
async fn write_whole(memory: &LearnedMemory, path: &Path) -> Result<u64, CliError> {
    let failed = |source| CliError::Export { file: path.to_owned(), source };
    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if place.exists() && !place.is_file() {
        let mut out = File::options().write(true).open(&place).map_err(unopened(path))?;
        return Ok(memory.export(&mut out).await?);
    }
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = Folder::open(parent.unwrap_or(Path::new("."))).map_err(unopened(path))?;
    let name =
        place.file_name().ok_or_else(|| unopened(path)(io::ErrorKind::IsADirectory.into()))?;
    let mut file = folder.new_file().map_err(unopened(path))?;
    let mut out = BufWriter::new(&mut file);
    let lines = memory.export(&mut out).await?;
    out.flush().map_err(failed)?;
    drop(out);
    file.keep_mode_of(name).and_then(|()| file.sync()).map_err(failed)?;
    file.replace(name).map_err(failed)?;
    Ok(lines)
}

/// Opens what is to be read before the memory, which it makes if there is none: not for a name that was mistyped.
pub(super) async fn import(
    session: &Session,
    args: &ImportArgs,
) -> Result<Box<dyn Report>, CliError> {
    let mut lines: Box<dyn BufRead + Send> = if args.file == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(&args.file).map_err(unopened(&args.file))?))
    };
    let opened = Opened::to_import(session).await?;
    let imported = opened.memory.import(&mut *lines).await?;
    orch_app::catch_up(&opened.config, &opened.memory).await;
    Ok(Box::new(Taken(imported)))
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

struct Written {
    lines: u64,
}

impl Report for Written {
    fn text(&self) -> Text {
        let remarks = format!("lines written: {}\n", self.lines);
        Text { remarks, ..Text::default() }
    }

    fn json(&self) -> Value {
        json!({ "lines": self.lines })
    }
}

/// What an import has brought.
struct Taken(Imported);

impl Report for Taken {
    fn text(&self) -> Text {
        let Imported { runs, runs_known, rulings, rulings_kept, feedback, feedback_kept, .. } =
            self.0;
        let mut remarks = format!("runs learned: {runs}, known before: {runs_known}\n");
        if runs_known > 0 {
            remarks +=
                &format!("opinions taken: {feedback}, left as they are here: {feedback_kept}\n");
        }
        remarks += &format!("decisions taken: {rulings}, left as they are here: {rulings_kept}\n");
        Text { remarks, ..Text::default() }
    }

    fn json(&self) -> Value {
        json!(self.0)
    }
}
