//! A small workspace in a folder of its own, and what a chore says of it.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

const LIGHT: [&str; 5] =
    ["orch-core", "orch-decompose", "orch-route", "orch-aggregate", "orch-failure"];

pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

/// A finished chore.
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) succeeded: bool,
    /// Whether every file is as it was before.
    pub(crate) is_unchanged: bool,
}

impl Workspace {
    /// A workspace that keeps all the rules.
    pub(crate) fn tidy() -> Self {
        let workspace = Self { folder: tempfile::tempdir().unwrap() };
        // `clippy --fix` refuses a folder without version control.
        assert!(workspace.command("git").args(["init", "--quiet"]).status().unwrap().success());
        workspace.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
        workspace.write("deny.toml", include_str!("../../../deny.toml"));
        workspace.write("README.md", "# Small\n[code](crates) [here](#small)\n");
        let bans = "# Glossary\n\n## Banned words\n\n| banned | instead |\n|---|---|\n| `thingy` | `part` |\n";
        workspace.write("docs/glossary.md", bans);
        for name in LIGHT {
            workspace.write_crate(name, "", "//! Nothing.\n");
        }
        let featured = "//! One.\n\n/// Returns one.\n#[cfg(feature = \"one\")]\npub fn one() -> u8 {\n    1\n}\n";
        workspace.write_crate("orch-core", "[features]\none = []\n", featured);
        let listing = "pub mod orch_core\npub fn orch_core::one() -> u8\n";
        workspace.write("crates/orch-core/public-api.txt", listing);
        workspace.write_simulator();
        workspace.lock();
        workspace
    }

    /// Takes away what plays cases, and its planted bugs.
    pub(crate) fn without_simulator(self) -> Self {
        fs::remove_dir_all(self.folder.path().join("crates/orch-supervisor")).unwrap();
        self.lock();
        self
    }

    /// Plants a further bug, which changes nothing that can be seen.
    pub(crate) fn with_unnoticed_bug(self) -> Self {
        self.write_bug("same", "1 + 1", "1 + 2 - 1");
        self
    }

    /// Breaks every rule but that of the lock file.
    pub(crate) fn with_every_defect(self) -> Self {
        self.write("README.md", "# Small\n[gone](docs/gone.md) thingy\n");
        self.write("docs/architecture.md", "# Without its picture\n");
        self.write("crates/orch-core/src/long.rs", &format!("//! Long.\n\n{}", "//\n".repeat(500)));
        let defects = "//! See [`Nothing`].\n\nmod long;\n\n/// Badly formatted, with a warning.\npub fn one()  { let unused = 1; }\n\n\
            #[cfg(not(feature = \"one\"))]\nfn never() {}\n";
        let tables = "[features]\none = []\n[dependencies]\nsqlx = { path = \"../sqlx\" }\n";
        self.write_crate("orch-core", tables, defects);
        let sideways = "[dependencies]\norch-failure = { path = \"../orch-failure\" }\n";
        self.write_crate("orch-route", sideways, "//! Nothing.\n");
        self.write_bug("two", "2 + 1", "2 + 2");
        self.write_crate("sqlx", "", "//! Not the real one.\n");
        self.write_crate("serde_yaml", "", "//! Not the real one.\n");
        self.lock();
        self
    }

    /// Breaks the rules that a tool can restore.
    pub(crate) fn with_fixable_defects(self) -> Self {
        let tables = "[dependencies]\norch-core = { path = \"../orch-core\" }\n";
        let library = "//! Nothing.\n/// Returns one.\npub fn one( ) -> u8 { return 1; }\n";
        self.write_crate("orch-route", tables, library);
        self.write("docs/architecture.md", "# Without its picture\n");
        self.lock();
        self
    }

    /// Adds a crate that the lock file does not know.
    pub(crate) fn with_stale_lock(self) -> Self {
        self.write_crate("orch-late", "", "//! Nothing.\n");
        self
    }

    /// Runs `cargo xtask CHORE` in it.
    pub(crate) fn run(&self, chore: &str) -> Run {
        let before = files(self.folder.path());
        let output = self.command(XTASK).args(chore.split(' ')).output().unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap()
        );
        let is_unchanged = before == files(self.folder.path());
        Run { text, succeeded: output.status.success(), is_unchanged }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env("PATH", search_path());
        command.env("CARGO_TARGET_DIR", self.folder.path().join("target"));
        command
    }

    fn lock(&self) {
        let mut command = self.command(env!("CARGO"));
        assert!(command.args(["generate-lockfile", "--offline"]).status().unwrap().success());
    }

    fn write_crate(&self, name: &str, tables: &str, library: &str) {
        let package = "version = \"0.1.0\"\nedition = \"2024\"\nlicense = \"MIT\"\npublish = false";
        let manifest = format!("[package]\nname = {name:?}\n{package}\n{tables}");
        self.write(&format!("crates/{name}/Cargo.toml"), &manifest);
        self.write(&format!("crates/{name}/src/lib.rs"), library);
        let listing = format!("pub mod {}\n", name.replace('-', "_"));
        self.write(&format!("crates/{name}/public-api.txt"), &listing);
    }

    /// Writes an engine that adds, a simulator that plays until a sum is wrong, and a planted bug.
    fn write_simulator(&self) {
        let tables =
            "[features]\nsim = []\n[[example]]\nname = \"sim\"\nrequired-features = [\"sim\"]\n";
        let engine = "//! Adds.\n\n/// Returns two.\npub fn two() -> u8 {\n    1 + 1\n}\n";
        self.write_crate("orch-supervisor", tables, engine);
        let listing = "pub mod orch_supervisor\npub fn orch_supervisor::two() -> u8\n";
        self.write("crates/orch-supervisor/public-api.txt", listing);
        let simulator = "//! Plays.\n\nfn main() {\n    if orch_supervisor::two() != 2 {\n        \
            println!(\"5 cases in 1 s\\n1 times Sum: wrong\");\n        std::process::exit(1);\n    }\n}\n";
        self.write("crates/orch-supervisor/examples/sim.rs", simulator);
        self.write_bug("two", "1 + 1", "2 + 2");
    }

    fn write_bug(&self, name: &str, from: &str, to: &str) {
        let file = "crates/orch-supervisor/src/lib.rs";
        let head = format!("diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n");
        let hunk =
            format!("@@ -4,3 +4,3 @@\n pub fn two() -> u8 {{\n-    {from}\n+    {to}\n }}\n");
        let path = format!("crates/orch-supervisor/src/sim/bugs/{name}.patch");
        self.write(&path, &format!("Wrong.\nCaught-by: Sum\n\n{head}{hunk}"));
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Run {
    /// The names of the checks that failed, in their order.
    pub(crate) fn failed(&self) -> Vec<&str> {
        let words = |line: &'_ str| line.split_once(" FAILED ").is_some();
        let lines = self.text.lines().filter(|line| words(line));
        lines.filter_map(|line| line.split_whitespace().next()).collect()
    }
}

/// Whether a chore can find a tool.
pub(crate) fn has_tool(name: &str) -> bool {
    env::split_paths(&search_path()).any(|folder| folder.join(name).is_file())
}

/// PATH and the tools of the workspace under test, since a small workspace has none of its own.
fn search_path() -> OsString {
    let built = Path::new(XTASK).ancestors().nth(2).unwrap();
    let path = env::var_os("PATH").unwrap();
    env::join_paths(env::split_paths(&path).chain([built.join("tools/bin")])).unwrap()
}

/// Every file with its content, but for what was built.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("target") {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    files
}
