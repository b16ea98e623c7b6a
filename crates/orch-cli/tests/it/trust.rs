//! What a folder of somebody else can do to a user who calls orch in it: nothing that the user has not allowed.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{Done, Project, sleeping, tell};

const SECRET: &str = "aws-very-secret";

/// A listener that a hostile folder names, and whether somebody came.
struct Trap(TcpListener);

impl Trap {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// Fills the port into a text.
    fn fill(&self, text: &str) -> String {
        text.replace("PORT", &self.0.local_addr().unwrap().port().to_string())
    }

    /// Returns how many connections have come since the last time.
    fn visits(&self) -> usize {
        let mut count = 0;
        loop {
            match self.0.accept() {
                Ok(_) => count += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

const EMBEDDINGS: &str = "
memory:
  embeddings: { url: 'http://127.0.0.1:PORT/v1/embeddings', model: m, key_env: AWS_SECRET_ACCESS_KEY, timeout: 100ms }
";
const WORKERS: &str = "
workers:
  toucher:
    command: [touch, ran]
    capabilities: [{ name: sleep, task_types: [sleep] }]
";

fn orch(project: &Project, args: &[&str], variables: &[(&str, &str)]) -> Done {
    let mut command = project.command(args);
    command.env("AWS_SECRET_ACCESS_KEY", SECRET).envs(variables.iter().copied());
    let done = Done::from_command(&mut command);
    for text in [&done.stdout, &done.stderr] {
        assert!(!text.contains(SECRET), "{args:?}: {text}");
    }
    done
}

#[test]
fn who_only_looks_opens_no_socket_reads_no_variable_and_starts_nothing() {
    let trap = Trap::new();
    let store = "store: postgres://u:${AWS_SECRET_ACCESS_KEY}@127.0.0.1:PORT/d?sslmode=disable\n";
    let hooks =
        "webhooks: [{ url: 'http://127.0.0.1:PORT/', secret_env: AWS_SECRET_ACCESS_KEY }]\n";
    let config = trap.fill(&[store, hooks, EMBEDDINGS, WORKERS].concat());
    let project = Project::new(&[
        ("orch.yaml", &config),
        ("task.yaml", &sleeping(1, 0.0)),
        (".alma/config.yaml", "project_id: ${AWS_SECRET_ACCESS_KEY}\n"),
    ]);
    for (args, code) in [
        (&["status"][..], 2),
        (&["status", "--all"], 2),
        (&["status", "--json"], 2),
        (&["show"], 2),
        (&["memory", "stats"], 2),
        (&["memory", "list"], 2),
        (&["feedback", "--score", "1"], 2),
        (&["plan", "task.yaml"], 0),
    ] {
        let done = orch(&project, args, &[]).exits(code);
        assert_eq!(trap.visits(), 0, "{args:?}: {}", done.stderr);
        done.says("orch.yaml was found and not named, so orch does not use its store postgres://u@127.0.0.1");
        done.says("set ORCH_TRUST=1 or pass --trust");
    }
    let planned = orch(&project, &["plan", "task.yaml"], &[]);
    planned.says("its memory.embeddings, the variables in .alma/config.yaml");
    assert!(!project.path().join("ran").exists());

    // The word, each way that there is to give it. Nobody answers at the port, so that they fail.
    let named = &["--config", "orch.yaml", "status"];
    for (args, variables) in
        [(&["status"][..], &[("ORCH_TRUST", "1")][..]), (&["status", "--trust"], &[]), (named, &[])]
    {
        let mut command = project.command(args);
        command.envs(variables.iter().copied()).env("AWS_SECRET_ACCESS_KEY", "x");
        let mut started = command.spawn().unwrap();
        let came = (0..3_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            trap.visits() > 0
        });
        started.kill().unwrap();
        started.wait().unwrap();
        assert!(came, "{args:?}");
    }
}

#[test]
fn an_embedder_is_asked_by_a_plan_only_with_the_word() {
    let trap = Trap::new();
    let config = trap.fill(&[EMBEDDINGS, WORKERS].concat());
    let project = Project::new(&[("orch.yaml", &config), ("task.yaml", &sleeping(1, 0.0))]);
    orch(&project, &["run", "task.yaml"], &[]).exits(0);
    trap.visits();
    let plan = &["plan", "task.yaml"];
    orch(&project, plan, &[]).says("so orch does not use its memory.embeddings");
    orch(&project, &["memory", "show"], &[]).exits(0).says("its memory.embeddings");
    assert_eq!(trap.visits(), 0);
    orch(&project, plan, &[("ORCH_TRUST", "1")]);
    assert!(trap.visits() > 0);
}

/// Copies a folder as git does, with everything in it.
fn clone(of: &Project) -> Project {
    let git = |folder: &Path, args: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@t.invalid"]).args(args);
        assert!(command.current_dir(folder).output().unwrap().status.success(), "{args:?}");
    };
    git(of.path(), &["init", "-q"]);
    git(of.path(), &["add", "-A", "-f"]);
    git(of.path(), &["commit", "-q", "-m", "all"]);
    let clone = Project::new(&[]);
    git(clone.path(), &["clone", "-q", of.path().to_str().unwrap(), "."]);
    clone
}

#[test]
fn a_store_that_came_with_its_folder_is_refused_until_it_is_trusted_once() {
    let theirs = Project::with_workers(&sleeping(1, 0.0));
    let their_state = tempfile::tempdir().unwrap();
    let their_state = [("XDG_STATE_HOME", their_state.path().to_str().unwrap())];
    orch(&theirs, &["run", "task.yaml"], &their_state).exits(0);
    let project = clone(&theirs);
    for args in [
        &["status"][..],
        &["show"],
        &["plan", "task.yaml"],
        &["memory", "stats"],
        &["run", "task.yaml"],
        &["resume"],
        &["claim"],
        &["report", "s0", "--result", "x"],
        &["cancel"],
        &["--config", "orch.yaml", "run", "task.yaml"],
    ] {
        let done = orch(&project, args, &[]).exits(2);
        done.says(".orch/orch.db is not trusted: orch has not made it for you");
        done.says("pass --trust, or set ORCH_TRUST=1");
    }
    // For one call, then from now on.
    orch(&project, &["status"], &[("ORCH_TRUST", "1")]).exits(0);
    orch(&project, &["status"], &[("ORCH_TRUST", "0")]).exits(2);
    orch(&project, &["status"], &[]).exits(2);
    orch(&project, &["--trust", "status"], &[]).exits(0);
    orch(&project, &["status"], &[]).exits(0);
    orch(&project, &["run", "task.yaml"], &[]).exits(0);
}

#[test]
fn a_store_that_is_a_link_out_of_the_project_is_refused() {
    let other = Project::with_workers(&sleeping(1, 0.0));
    orch(&other, &["run", "task.yaml"], &[]).exits(0);
    let project = Project::with_workers(&sleeping(1, 0.0));
    project.write("orch.yaml", &format!("store: data/runs.db\n{}", crate::support::WORKERS));
    fs::create_dir(project.path().join("data")).unwrap();
    symlink(other.store(), project.path().join("data/runs.db")).unwrap();
    // A link that leads nowhere yet would be made where it leads.
    let dangling = Project::new(&[
        ("orch.yaml", &format!("store: runs.db\n{}", crate::support::WORKERS)),
        ("task.yaml", &sleeping(1, 0.0)),
    ]);
    let target = other.path().join("new.db");
    symlink(&target, dangling.path().join("runs.db")).unwrap();
    orch(&dangling, &["run", "task.yaml"], &[]).exits(2).says("leads nowhere");
    assert!(!target.exists());
    for args in [&["status"][..], &["run", "task.yaml"]] {
        orch(&project, args, &[]).exits(2).says("outside of the project");
    }
    orch(&project, &["status", "--trust"], &[]).exits(0);
}

#[test]
fn what_everybody_may_write_to_is_refused() {
    let agent = ".claude/agents/deep/a.md";
    for (what, mode) in
        [(".", 0o1777), (".", 0o777), ("orch.yaml", 0o666), (".orch", 0o777), (agent, 0o666)]
    {
        let project = Project::with_workers(&sleeping(1, 0.0));
        project.write(agent, "---\nname: a\ndescription: Reads\n---\nRead.\n");
        orch(&project, &["run", "task.yaml"], &[]).exits(0);
        fs::set_permissions(project.path().join(what), Permissions::from_mode(mode)).unwrap();
        fs::create_dir(project.path().join("deep")).unwrap();
        for args in [&["run", "task.yaml"][..], &["status"]] {
            let done = orch(&project, args, &[]).exits(2);
            done.says("is not trusted: everybody may write to it");
        }
        let mut deeper = project.command(&["status"]);
        Done::from_command(deeper.current_dir(project.path().join("deep"))).exits(2);
        orch(&project, &["run", "task.yaml"], &[("ORCH_TRUST", "1")]).exits(0);
        orch(&project, &["status", "--trust"], &[]).exits(0);
    }
}

#[test]
fn a_file_outside_of_the_project_is_no_memory_of_alma_without_the_word() {
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("places.sqlite");
    let project = Project::with_workers(&sleeping(1, 0.0));
    project.orch(&["run", "task.yaml"]).exits(0);
    let alma = format!(
        "alma: {{ project_id: shop, storage: sqlite, storage_dir: {}, db_name: places.sqlite }}\n",
        outside.path().display()
    );
    project.write(".alma/config.yaml", &alma);
    project.write("orch.yaml", &format!("memory: {{ store: alma }}\n{}", crate::support::WORKERS));
    // A database of another program.
    fs::write(&file, "not a database").unwrap();
    for args in [&["plan", "task.yaml"][..], &["memory", "list"], &["memory", "stats"]] {
        let done = orch(&project, args, &[]);
        done.says("outside of the project");
        assert_eq!(fs::read_to_string(&file).unwrap(), "not a database", "{args:?}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{args:?}");
    }
}

#[test]
fn what_a_group_may_write_to_is_fine() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    for what in [".", "orch.yaml"] {
        fs::set_permissions(project.path().join(what), Permissions::from_mode(0o775)).unwrap();
    }
    orch(&project, &["run", "task.yaml"], &[]).exits(0);
    orch(&project, &["status"], &[]).exits(0);
}

#[test]
fn what_belongs_to_others_is_refused() {
    for what in [".", "orch.yaml", ".orch"] {
        let project = Project::with_workers(&sleeping(1, 0.0));
        orch(&project, &["run", "task.yaml"], &[]).exits(0);
        let path = project.path().join(what);
        if fs::metadata(&path).unwrap().uid() != 0 || chown(&path, Some(65_534), None).is_err() {
            tell("NOT RUN: only root can give files to somebody else");
            return;
        }
        for args in [&["run", "task.yaml"][..], &["status"], &["plan", "task.yaml"]] {
            let done = orch(&project, args, &[]).exits(2);
            done.says("is not trusted: it belongs to user 65534, and you are user 0");
        }
        orch(&project, &["run", "task.yaml"], &[("ORCH_TRUST", "1")]).exits(0);
    }
}

#[test]
fn without_a_place_for_the_list_no_store_is_made_but_in_ci() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    // No folder can be made below a file.
    let state = project.path().join("task.yaml");
    let nowhere = [("XDG_STATE_HOME", state.to_str().unwrap())];
    let done = orch(&project, &["run", "task.yaml"], &nowhere).exits(2);
    done.says("set XDG_STATE_HOME to a folder that you can write to, or ORCH_TRUST=1 in CI");
    let mut homeless = project.command(&["run", "task.yaml"]);
    homeless.env_remove("XDG_STATE_HOME").env_remove("HOME");
    Done::from_command(&mut homeless).exits(2).says("HOME is not set");
    assert!(!project.store().exists());
    let ci = [nowhere[0], ("ORCH_TRUST", "1")];
    orch(&project, &["run", "task.yaml"], &ci).exits(0);
    orch(&project, &["status"], &ci).exits(0);
}

#[test]
fn of_many_who_make_a_store_at_once_nobody_is_refused() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    let started: Vec<_> = (0..8).map(|_| project.start(&["run", "task.yaml"])).collect();
    for run in started {
        run.finish().exits(0);
    }
}
