//! `cargo xtask coverage`: runs the tests instrumented and compares the lines they reach with the floors.
//!
//! Not a part of `ci`, since it builds everything a second time.

mod lcov;
mod report;

use std::{env, fs, io::Write, path::PathBuf, process::Command, process::ExitCode};

use anyhow::{Context as _, bail};

use crate::{
    project::{self, Project},
    tools,
};

/// Measures, prints the share of each crate and each floor, and fails if one is below its floor.
pub(crate) fn run(project: &Project, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    tools::LLVM_COV.require(project)?;
    let path = project.target().join("coverage.lcov");
    measure(project, &path)?;
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let files = lcov::read(&text, project.root())?;
    let report = report::Report::new(&files);
    write!(out, "{report}")?;
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(project: &Project, path: &PathBuf) -> anyhow::Result<()> {
    let mut command = project.cargo(["llvm-cov", "--locked", "--workspace", "--lcov"]);
    command.arg("--output-path").arg(path);
    if env::var_os("LLVM_COV").is_none() {
        let llvm = Llvm::find(project)?;
        command.env("LLVM_COV", llvm.cov).env("LLVM_PROFDATA", llvm.profdata);
    }
    project::run(&mut command)
}

/// The programs that read what an instrumented binary wrote; they must be of the compiler's own LLVM version.
struct Llvm {
    cov: PathBuf,
    profdata: PathBuf,
}

impl Llvm {
    /// Looks in the toolchain (rustup's `llvm-tools`), then on PATH (the system's package).
    fn find(project: &Project) -> anyhow::Result<Self> {
        let version = rustc(&["-vV"])?;
        let host = line_after(&version, "host: ")?;
        let major = line_after(&version, "LLVM version: ")?.split('.').next().unwrap_or_default();
        let library = PathBuf::from(rustc(&["--print", "sysroot"])?.trim()).join("lib/rustlib");
        let own = library.join(host).join("bin");
        let find = |name: &str| {
            let own = own.join(format!("{name}{}", env::consts::EXE_SUFFIX));
            let own = own.is_file().then_some(own);
            own.or_else(|| project.executable(&format!("{name}-{major}")))
        };
        let (Some(cov), Some(profdata)) = (find("llvm-cov"), find("llvm-profdata")) else {
            bail!(
                "llvm-cov and llvm-profdata of LLVM {major} are missing; \
                 `rustup component add llvm-tools` or `apt-get install llvm-{major}` installs them"
            );
        };
        Ok(Self { cov, profdata })
    }
}

fn rustc(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(arguments)
        .output()
        .context("cannot start rustc")?;
    Ok(String::from_utf8(output.stdout)?)
}

fn line_after<'a>(text: &'a str, start: &str) -> anyhow::Result<&'a str> {
    let found = text.lines().find_map(|line| line.strip_prefix(start));
    found.with_context(|| format!("rustc -vV says nothing about {start:?}"))
}
