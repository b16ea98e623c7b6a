//! What each library shows to its users is what its `public-api.txt` lists, so that a change is seen in review.

use std::fs;

use super::Verdict;
use crate::{
    project::Project,
    surface::{self, Listing, Surface},
};

/// Lists the public items anew and compares them with those that are kept.
///
/// With a compiler whose JSON is of another format the check is not run.
pub(super) fn check(project: &Project) -> anyhow::Result<Verdict> {
    let listings = match surface::list(project)? {
        Surface::Listed(listings) => listings,
        Surface::Unreadable(reason) => return Ok(Verdict::NotRun(reason)),
    };
    let issues: Vec<_> = listings.iter().flat_map(changes).collect();
    let count: usize = listings.iter().map(|listing| listing.text.lines().count()).sum();
    Ok(Verdict::of_issues(&issues, format!("{count} public items"), "cargo xtask fix"))
}

/// Returns each item that came and each that went.
fn changes(Listing { path, text }: &Listing) -> Vec<String> {
    let kept = fs::read_to_string(path).unwrap_or_default();
    let is_in = |item: &str, list: &str| list.lines().any(|line| line == item);
    let came = text.lines().filter(|item| !is_in(item, &kept)).map(|item| format!("+ {item}"));
    let went = kept.lines().filter(|item| !is_in(item, text)).map(|item| format!("- {item}"));
    let changes: Vec<_> = came.chain(went).collect();
    if changes.is_empty() && kept != *text {
        return vec![format!("{}: the items stand in another order", path.display())];
    }
    changes
}
