//! The server: found, or started.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Starts a server in a new folder, says so, waits until the process that asked for it is gone, and tidies up.
const SCRIPT: &str = r#"
set -eu
bin=$1 port=$2
as() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups --reset-env "$@"; else "$@"; fi
}
dir=$(mktemp -d)
trap 'as "$bin/pg_ctl" -D "$dir/data" -m immediate stop >"$dir/stop" 2>&1 || true; rm -rf "$dir"' EXIT
trap '' INT TERM HUP
if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
cd "$dir"
if as "$bin/initdb" -D "$dir/data" -A trust -U postgres --no-sync -E UTF8 --locale=C >log 2>&1 &&
    as "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/data/log" -o "-p $port -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c fsync=off -c full_page_writes=off -c shared_buffers=64MB -c max_connections=300" \
        start </dev/null >>log 2>&1
then
    echo ready
    cat >/dev/null
else
    cat log; cat "$dir/data/log" || true
    exit 1
fi
"#;

/// The address of the server without a database, for example `postgres://postgres@127.0.0.1:5432`; or why there is none.
pub(super) fn url() -> Result<&'static str, &'static str> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    match SERVER.get_or_init(Server::find) {
        Ok(server) => Ok(&server.url),
        Err(reason) => Err(reason),
    }
}

struct Server {
    url: String,
    /// Its standard input is the pipe that keeps the server alive.
    _shell: Option<Child>,
}

impl Server {
    fn find() -> Result<Self, String> {
        if let Ok(url) = std::env::var("ORCH_TEST_POSTGRES_URL") {
            return Ok(Self { url: url.trim_end_matches('/').to_owned(), _shell: None });
        }
        let programs = programs().ok_or(
            "there is no initdb, neither on PATH nor in /usr/lib/postgresql; install PostgreSQL (Debian: postgresql)",
        )?;
        // Another process may take the port before the server does.
        Self::start(&programs).or_else(|_| Self::start(&programs))
    }

    fn start(programs: &Path) -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| format!("there is no free port: {error}"))?.port();
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(programs)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for the tests; the shell outlives them to tidy up.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("there is no shell: {error}"))?;
        let output = shell.stdout.take().expect("it is piped");
        let mut said = String::new();
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|error| format!("the shell cannot be heard: {error}"))?;
            if line == "ready" {
                let url = format!("postgres://postgres@127.0.0.1:{port}");
                return Ok(Self { url, _shell: Some(shell) });
            }
            said.push('\n');
            said.push_str(&line);
        }
        shell.wait().ok();
        Err(format!("the server does not start:{said}"))
    }
}

/// The folder of the server's programs: that of `initdb` on `PATH`, else Debian's for the latest version.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path)
        .filter_map(|folder| folder.join("initdb").canonicalize().ok())
        .find_map(|program| program.parent().map(Path::to_owned));
    let debian = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let version = |entry: &std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
        let latest = versions.flatten().max_by_key(version)?;
        Some(latest.path().join("bin")).filter(|bin| bin.join("initdb").exists())
    };
    on_path.filter(|bin| bin.join("pg_ctl").exists()).or_else(debian)
}

/// Says why a test does not run, past the test harness, which would keep it to itself.
pub(super) fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    assert!(std::env::var_os("ORCH_TEST_REQUIRED").is_none(), "no PostgreSQL: {reason}");
    writeln!(std::io::stderr(), "SKIPPED {test}: {reason}").ok();
}
