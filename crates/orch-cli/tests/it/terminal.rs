//! What a person at a terminal sees.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{Project, sleeping};

/// What of a command ends at a terminal.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ends {
    Stdout,
    Stderr,
}

/// Runs with a terminal of 100 columns, and returns what was written to it, and to the other of stdout and stderr.
pub(crate) fn at_a_terminal(project: &Project, ends: Ends, args: &[&str]) -> (String, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 })
        .unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let screen = OpenOptions::new().write(true).open(name.to_str().unwrap()).unwrap();
    // The command is dropped at once: as long as it holds its end, the terminal does not end.
    let (stdout, stderr) = match ends {
        Ends::Stdout => (screen.into(), Stdio::piped()),
        Ends::Stderr => (Stdio::piped(), screen.into()),
    };
    let child = project.command(args).stdout(stdout).stderr(stderr).spawn().unwrap();
    let mut seen = Vec::new();
    // A terminal whose other side is gone ends by an error.
    let _ = File::from(terminal).read_to_end(&mut seen);
    let output = child.wait_with_output().unwrap();
    let other = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&seen).into_owned(), String::from_utf8(other).unwrap())
}

#[test]
fn progress_is_live_and_the_summary_stays() {
    let project = Project::with_workers(&sleeping(20, 0.3));
    let (seen, data) = at_a_terminal(&project, Ends::Stderr, &["run", "task.yaml"]);
    let erase = "\u{1b}[2K";
    for part in [
        erase,
        "s0 (sleeper)",
        "0/20",
        "20/20",
        "✓ s19 (sleeper)",
        "completed: 20 of 20 done",
        "✓ s0   done",
    ] {
        assert!(seen.contains(part), "`{part}` is not in:\n{seen}");
    }
    let (_, after) = seen.rsplit_once(erase).unwrap();
    assert!(
        after.contains("completed: 20 of 20 done"),
        "nothing of the progress is left below the summary"
    );
    assert!(data.starts_with('{') && !data.contains('\u{1b}'), "data is data, whatever stderr is");
}

#[test]
fn quiet_is_quiet_at_a_terminal_too() {
    let project = Project::with_workers(&sleeping(2, 0.0));
    assert_eq!(at_a_terminal(&project, Ends::Stderr, &["run", "task.yaml", "--quiet"]).0, "");
}
