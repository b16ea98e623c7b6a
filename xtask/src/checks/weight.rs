//! The light crates stay light: a crate that depends on one gets no runtime, no database, no HTTP client and few crates.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail, ensure};

use super::Verdict;
use crate::project::{Project, words};

/// The crates that must stay light.
const LIGHT: [&str; 5] =
    ["orch-core", "orch-decompose", "orch-route", "orch-aggregate", "orch-failure"];

/// The most crates, itself included, that a light crate may bring.
const MAX_CRATES: usize = 45;

/// Reads the normal dependencies of each light crate, with its default features, from `cargo tree`.
pub(super) fn check(project: &Project) -> anyhow::Result<Verdict> {
    let mut issues = Vec::new();
    let mut counts = Vec::new();
    for name in LIGHT {
        let tree = tree(project, name)?;
        let brought = brought(&tree)?;
        issues.extend(heavy(name, &brought));
        counts.push(format!("{name} {}", brought.len()));
    }
    let note = format!("crates of {MAX_CRATES}: {}", counts.join(", "));
    Ok(Verdict::of_issues(
        &issues,
        note,
        "by hand: `cargo tree -e normal -i CRATE` says who brings it",
    ))
}

fn tree(project: &Project, package: &str) -> anyhow::Result<String> {
    let mut command = project.cargo(["tree", "--locked", "--package", package]);
    command.args(["--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"]);
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("{}: {}", words(&command), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A crate of the tree.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Brought<'a> {
    name: &'a str,
    version: &'a str,
    features: Vec<&'a str>,
}

/// Reads lines such as `tokio v1.2.3|rt,sync` and `syn v2.0.1 (proc-macro)|full (*)`, each crate once.
fn brought(tree: &str) -> anyhow::Result<BTreeSet<Brought<'_>>> {
    let crates: BTreeSet<_> = tree
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line_of(line).with_context(|| format!("no line of a tree: {line:?}")))
        .collect::<anyhow::Result<_>>()?;
    ensure!(!crates.is_empty(), "the tree is empty");
    Ok(crates)
}

fn line_of(line: &str) -> Option<Brought<'_>> {
    let (package, features) = line.split_once('|')?;
    let mut words = package.split_whitespace();
    let features = features.trim_end_matches("(*)").trim();
    let features = features.split(',').filter(|feature| !feature.is_empty()).collect();
    Some(Brought { name: words.next()?, version: words.next()?, features })
}

/// What makes a crate heavy.
fn heavy(package: &str, brought: &BTreeSet<Brought<'_>>) -> Vec<String> {
    let mut issues: Vec<_> = brought
        .iter()
        .filter_map(|found| Some(format!("{package} brings {}: {}", found.name, ban(found)?)))
        .collect();
    if brought.len() > MAX_CRATES {
        issues.push(format!(
            "{package} brings {} crates, at most {MAX_CRATES} are allowed",
            brought.len()
        ));
    }
    issues
}

/// Why a light crate may not bring this one.
fn ban(found: &Brought<'_>) -> Option<&'static str> {
    match found.name {
        "sqlx" => Some("a database client"),
        name if name.starts_with("sqlx-") => Some("a database client"),
        "reqwest" | "hyper" => Some("an HTTP client"),
        "tokio" if found.features.contains(&"rt") => Some("a runtime (feature `rt`)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tree: &str, expected: &[&str]) {
        assert_eq!(heavy("orch-core", &brought(tree).unwrap()), expected);
    }

    #[test]
    fn light_trees_pass() {
        check(
            "orch-core v0.1.0 (/a/b)|\nserde v1.0.0|default,derive\nserde v1.0.0|default,derive (*)",
            &[],
        );
        check("tokio v1.2.0|default,sync", &[]);
        check("sqlparser v0.1.0|", &[]);
    }

    #[test]
    fn banned_crates_are_named() {
        check("sqlx v0.9.0|json", &["orch-core brings sqlx: a database client"]);
        check("sqlx-core v0.9.0|", &["orch-core brings sqlx-core: a database client"]);
        check("reqwest v0.13.0|json (*)", &["orch-core brings reqwest: an HTTP client"]);
        check("tokio v1.2.0|rt,sync", &["orch-core brings tokio: a runtime (feature `rt`)"]);
        check("tokio v1.2.0|sync,rt (*)", &["orch-core brings tokio: a runtime (feature `rt`)"]);
    }

    #[test]
    fn each_crate_counts_once_and_the_count_is_capped() {
        let tree = |count: usize| {
            let line = |index| format!("crate-{index} v1.0.0|std\ncrate-{index} v1.0.0|std (*)");
            (0..count).map(line).collect::<Vec<_>>().join("\n")
        };
        check(&tree(MAX_CRATES), &[]);
        check(&tree(MAX_CRATES + 1), &["orch-core brings 46 crates, at most 45 are allowed"]);
    }

    #[test]
    fn what_is_no_tree_is_an_error() {
        assert!(brought("").is_err());
        assert!(brought("error: no such package").is_err());
    }
}
