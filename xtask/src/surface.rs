//! What each library shows to its users, a line an item, kept beside its manifest as `public-api.txt`.
//!
//! rustdoc writes the crate as JSON, which the public-api crate reads. The JSON is not stable: it has a number that must fit.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::project::{self, Package, Project};

/// Read by the public-api crate.
const FORMAT: u32 = 57;

/// Calls rustdoc so that it may write JSON. Only rustdoc sees the variable: with it, cargo would build everything anew.
const RUSTDOC: &str = "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec \"${REAL_RUSTDOC:-rustdoc}\" \"$@\"\n";

/// What a library shows.
pub(crate) struct Listing {
    /// Where it is kept.
    pub(crate) path: PathBuf,
    /// A line an item.
    pub(crate) text: String,
}

/// What there is to compare.
pub(crate) enum Surface {
    /// A listing for each library.
    Listed(Vec<Listing>),
    /// The compiler in use writes JSON that cannot be read here; the text says so.
    Unreadable(String),
}

/// Lists the public items of all libraries of the workspace, with all features.
pub(crate) fn list(project: &Project) -> anyhow::Result<Surface> {
    write_json(project)?;
    let mut listings = Vec::new();
    for package in project.packages().iter().filter(|package| is_library(project, package)) {
        let json = project.target().join("doc").join(package.name.replace('-', "_") + ".json");
        if let Some(found) = other_format(&json)? {
            return Ok(Surface::Unreadable(format!(
                "this rustdoc writes format {found} of its JSON, and {FORMAT} is read here"
            )));
        }
        let path = folder(project, package).join("public-api.txt");
        listings.push(Listing { path, text: items(&json)? });
    }
    Ok(Surface::Listed(listings))
}

/// Writes the listings anew; leaves them as they are if this compiler's JSON cannot be read.
pub(crate) fn write(project: &Project) -> anyhow::Result<()> {
    match list(project)? {
        Surface::Listed(listings) => listings.iter().try_for_each(|Listing { path, text }| {
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
        }),
        Surface::Unreadable(reason) => {
            eprintln!("the public-api.txt files stay as they are: {reason}");
            Ok(())
        }
    }
}

fn folder(project: &Project, package: &Package) -> PathBuf {
    project.root().join("crates").join(&package.name)
}

fn is_library(project: &Project, package: &Package) -> bool {
    folder(project, package).join("src/lib.rs").exists()
}

fn write_json(project: &Project) -> anyhow::Result<()> {
    let rustdoc = project.target().join("rustdoc-json.sh");
    fs::write(&rustdoc, RUSTDOC)?;
    make_executable(&rustdoc)?;
    let mut command = project.cargo(["doc", "--quiet", "--locked", "--workspace", "--lib"]);
    command.args(["--no-deps", "--all-features"]).env("RUSTDOC", rustdoc);
    if let Some(real) = env::var_os("RUSTDOC") {
        command.env("REAL_RUSTDOC", real);
    }
    command.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json");
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("{}\n{}", project::words(&command), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Returns the number of the JSON's format if it is not the one that is read here.
fn other_format(json: &Path) -> anyhow::Result<Option<u32>> {
    #[derive(Deserialize)]
    struct Head {
        format_version: u32,
    }
    let text = fs::read(json).with_context(|| format!("cannot read {}", json.display()))?;
    let Head { format_version } = serde_json::from_slice(&text)?;
    Ok((format_version != FORMAT).then_some(format_version))
}

/// Returns the public items, without what every type has and what a derive adds.
fn items(json: &Path) -> anyhow::Result<String> {
    let surface = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let mut text = String::new();
    for item in surface.items().map(ToString::to_string).filter(|item| !item.starts_with("impl")) {
        writeln!(text, "{item}")?;
    }
    Ok(text)
}
