//! `orch-mcp install`: makes a project's client know the server, and may call its tools without asking each time.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use orch_files::Folder;
use serde_json::{Map, Value, json};

/// The name of the server in a client's configuration; that of ALMA's own server is `alma-memory`.
const NAME: &str = "alma-orchestration";
const TOOLS: [&str; 5] = [
    "alma_delegate_task",
    "alma_report_subtask",
    "alma_claim_subtask",
    "alma_orchestration_status",
    "alma_cancel_orchestration",
];

/// Print the configuration that a client needs, or write it.
///
/// Examples:
///   orch-mcp install --client claude
///   orch-mcp --project ~/shop install --client vscode --write
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct InstallArgs {
    /// Client to configure.
    #[arg(long)]
    client: Client,
    /// Merge it into the files of the project; everything else in them stays.
    #[arg(long)]
    write: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Client {
    /// Claude Code: `.mcp.json`, and the permissions in `.claude/settings.json`.
    Claude,
    /// VS Code: `.vscode/mcp.json`.
    Vscode,
}

/// The largest file of a client that is merged into, in bytes.
const MAX_CLIENT_FILE_BYTES: u64 = 1024 * 1024;

/// A file, and what belongs into it.
struct Part {
    /// In the project.
    path: PathBuf,
    put: fn(&mut Map<String, Value>, &str) -> Result<(), &'static str>,
}

pub(crate) fn install(project: &Path, args: &InstallArgs) -> anyhow::Result<()> {
    let command = command()?;
    // All files are looked at before one is written: either all that is needed is there in the end, or nothing has changed.
    let mut changes = Vec::new();
    for part in parts(args.client) {
        let path = project.join(&part.path);
        let (before, mut file) =
            if args.write { read(project, &part.path)? } else { (None, Map::new()) };
        (part.put)(&mut file, &command).map_err(|key| {
            anyhow::anyhow!("`{key}` in {} is of another kind than it must be; put in by hand what `orch-mcp install` prints without --write", path.display())
        })?;
        changes.push((part.path, path, before, Value::Object(file)));
    }
    let mut out = io::stdout().lock();
    for (within, path, before, after) in changes {
        if !args.write {
            writeln!(out, "{}:\n{after:#}\n", path.display())?;
        } else if before.as_ref() == Some(&after) {
            writeln!(out, "{} has it already", path.display())?;
        } else {
            replace(project, &within, &format!("{after:#}\n"))
                .with_context(|| format!("cannot write {}", path.display()))?;
            writeln!(out, "{} is written", path.display())?;
        }
    }
    if !args.write {
        writeln!(out, "Nothing was written; --write merges it into these files.")?;
    }
    Ok(())
}

fn parts(client: Client) -> Vec<Part> {
    match client {
        Client::Claude => vec![
            Part { path: ".mcp.json".into(), put: put_claude_server },
            Part { path: ".claude/settings.json".into(), put: put_claude_permissions },
        ],
        Client::Vscode => vec![Part { path: ".vscode/mcp.json".into(), put: put_vscode_server }],
    }
}

fn put_claude_server(file: &mut Map<String, Value>, command: &str) -> Result<(), &'static str> {
    let server = json!({ "command": command, "args": [] });
    object(file, "mcpServers")?.insert(NAME.to_owned(), server);
    Ok(())
}

fn put_vscode_server(file: &mut Map<String, Value>, command: &str) -> Result<(), &'static str> {
    let server = json!({ "type": "stdio", "command": command, "args": [] });
    object(file, "servers")?.insert(NAME.to_owned(), server);
    Ok(())
}

fn put_claude_permissions(file: &mut Map<String, Value>, _: &str) -> Result<(), &'static str> {
    let allow = object(file, "permissions")?.entry("allow").or_insert_with(|| json!([]));
    let allow = allow.as_array_mut().ok_or("permissions.allow")?;
    for tool in TOOLS {
        let line = json!(format!("mcp__{NAME}__{tool}"));
        if !allow.contains(&line) {
            allow.push(line);
        }
    }
    Ok(())
}

/// Returns the object at a key, made when it is not there.
fn object<'a>(
    file: &'a mut Map<String, Value>,
    key: &'static str,
) -> Result<&'a mut Map<String, Value>, &'static str> {
    file.entry(key).or_insert_with(|| json!({})).as_object_mut().ok_or(key)
}

/// How a client starts this program: by its name where that finds it, else by its path.
fn command() -> anyhow::Result<String> {
    let own = std::env::current_exe()?.canonicalize()?;
    let name = own.file_name().unwrap_or_default();
    let found = std::env::var_os("PATH").is_some_and(|path| {
        let mut there = std::env::split_paths(&path).map(|folder| folder.join(name));
        there.find(|file| file.is_file()).and_then(|file| file.canonicalize().ok())
            == Some(own.clone())
    });
    let command = if found { Path::new(name) } else { &own };
    Ok(command.to_str().context("the path of this program is not UTF-8")?.to_owned())
}

/// Reads a file of the project that may not be there.
fn read(project: &Path, within: &Path) -> anyhow::Result<(Option<Value>, Map<String, Value>)> {
    let path = project.join(within);
    let bytes = match Folder::open(project)?
        .read(within, MAX_CLIENT_FILE_BYTES)
        .map_err(io::Error::from)
    {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((None, Map::new())),
        Err(error) => {
            return Err(error).with_context(|| {
                format!("cannot read {}; links are not followed here. Put in by hand what `orch-mcp install` prints without --write", path.display())
            });
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(file)) => Ok((Some(Value::Object(file.clone())), file)),
        Ok(_) => bail!("{} is not a JSON object; it is left as it is", path.display()),
        Err(error) => bail!(
            "{} is not plain JSON ({error}); it is left as it is. Put in by hand what `orch-mcp install` prints without --write",
            path.display()
        ),
    }
}

/// Writes a file of the project as a whole; one that is there keeps its permissions. No link is followed.
fn replace(project: &Path, within: &Path, text: &str) -> io::Result<()> {
    let mut folder = Folder::open(project)?;
    for part in within.parent().into_iter().flat_map(Path::components) {
        folder = folder.make_folder(part)?;
    }
    let name = within.file_name().unwrap_or_default();
    let mut file = folder.new_file()?;
    file.write_all(text.as_bytes())?;
    file.keep_mode_of(name)?;
    file.replace(name)
}
