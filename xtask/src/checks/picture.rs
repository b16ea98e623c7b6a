//! The picture in `docs/architecture.md` shows the crates as they are.

use std::fs;

use super::Verdict;
use crate::{picture, project::Project};

/// Draws the picture and compares it with the one that is kept.
pub(super) fn check(project: &Project) -> anyhow::Result<Verdict> {
    let path = picture::path(project);
    if !path.with_extension("md").exists() {
        return Ok(Verdict::Passed("no docs/architecture.md, no picture".to_owned()));
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    Ok(if kept == picture::draw(project.packages()) {
        Verdict::Passed(format!("{} crates", project.packages().len() - 1))
    } else {
        Verdict::failed("docs/architecture.svg is not what the manifests say", "cargo xtask fix")
    })
}
