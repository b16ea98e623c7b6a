//! The links of the documentation lead somewhere: to a file of this tree and, after `#`, to a heading in it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::Context as _;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Verdict, tree};
use crate::project::Project;

/// Follows every relative link of every Markdown file.
pub(super) fn check(project: &Project) -> anyhow::Result<Verdict> {
    let (count, issues) = issues(project.root())?;
    let note = format!("{count} links");
    Ok(Verdict::of_issues(&issues, note, "by hand, in the file that the output names"))
}

/// Returns how many links were followed, and which lead nowhere.
fn issues(root: &Path) -> anyhow::Result<(usize, Vec<String>)> {
    let mut count = 0;
    let mut issues = Vec::new();
    // Markdown below `tests` is input for tests, broken on purpose as a rule.
    let is_page = |path: &PathBuf| path.components().all(|part| part.as_os_str() != "tests");
    for page in
        tree::files(root, |path| tree::has_one_of(path, &["md"]))?.into_iter().filter(is_page)
    {
        let text = read(root, &page)?;
        for link in links(&text) {
            count += 1;
            if let Err(issue) = follow(root, &page, &link)? {
                issues.push(format!("{}: {link}: {issue}", page.display()));
            }
        }
    }
    Ok((count, issues))
}

/// The targets of links and images that stay in this tree.
fn links(text: &str) -> Vec<String> {
    let target = |event| {
        let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event else {
            return None;
        };
        Some(String::from(dest_url))
    };
    let is_outside = |link: &str| link.contains("://") || link.starts_with("mailto:");
    parse(text).filter_map(target).filter(|link| !is_outside(link)).collect()
}

/// The inner result says what is wrong with the link, the outer one that a file could not be read.
fn follow(root: &Path, page: &Path, link: &str) -> anyhow::Result<Result<(), String>> {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() { Some(page.to_path_buf()) } else { beside(page, path) };
    let Some(target) = target else {
        return Ok(Err("leaves the project".to_owned()));
    };
    if !root.join(&target).exists() {
        return Ok(Err(format!("there is no {}", target.display())));
    }
    if !heading.is_empty() && !anchors(&read(root, &target)?).contains(heading) {
        return Ok(Err(format!("{} has no heading #{heading}", target.display())));
    }
    Ok(Ok(()))
}

/// Resolves `link` from the folder of `page`; `None` if it leaves the root.
fn beside(page: &Path, link: &str) -> Option<PathBuf> {
    let mut path = page.parent()?.to_path_buf();
    for component in Path::new(link).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            Component::ParentDir => path.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// The headings of a page, in the form that a link names them by.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in parse(text) {
        if let Event::Start(Tag::Heading { .. }) = event {
            heading = Some(String::new());
        } else if let Event::End(TagEnd::Heading(_)) = event {
            anchors.extend(heading.take().map(|text| slug(&text)));
        } else if let (Event::Text(text) | Event::Code(text), Some(heading)) = (event, &mut heading)
        {
            heading.push_str(&text);
        }
    }
    anchors
}

/// Lower case, blanks to hyphens, no other punctuation: as the usual viewers of Markdown do.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

fn parse(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

fn read(root: &Path, path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("docs")).unwrap();
        fs::write(folder.path().join("README.md"), "# What `orch` is: a map\n").unwrap();
        fs::write(folder.path().join("docs/page.md"), text).unwrap();
        assert_eq!(issues(folder.path()).unwrap().1, expected);
    }

    #[test]
    fn input_for_tests_is_no_page() {
        let folder = tempfile::tempdir().unwrap();
        let bad = folder.path().join("crates/x/tests/bad");
        fs::create_dir_all(&bad).unwrap();
        fs::write(bad.join("page.md"), b"[a](gone.md) \xff").unwrap();
        assert_eq!(issues(folder.path()).unwrap(), (0, Vec::new()));
    }

    #[test]
    fn good_links_pass() {
        check(
            "# Own\n[a](../README.md) ![b](page.md) [c](#own) [d](../docs) [e][r]\n\n[r]: page.md",
            &[],
        );
        check("[a](../README.md#what-orch-is-a-map)", &[]);
        check("[a](https://example.org/none) [b](mailto:a@example.org)", &[]);
    }

    #[test]
    fn dead_links_are_named() {
        check("[a](gone.md)", &["docs/page.md: gone.md: there is no docs/gone.md"]);
        check("[a][r]\n\n[r]: gone.md", &["docs/page.md: gone.md: there is no docs/gone.md"]);
        check("|a|\n|-|\n|[b](no/)|", &["docs/page.md: no/: there is no docs/no"]);
        check("[a](../../x.md)", &["docs/page.md: ../../x.md: leaves the project"]);
        check("[a](/x.md)", &["docs/page.md: /x.md: leaves the project"]);
    }

    #[test]
    fn dead_headings_are_named() {
        check("[a](#gone)", &["docs/page.md: #gone: docs/page.md has no heading #gone"]);
        let issue = "docs/page.md: ../README.md#gone: README.md has no heading #gone";
        check("[a](../README.md#gone)", &[issue]);
    }

    #[test]
    fn code_has_no_links() {
        check("`[a](gone.md)`\n\n```\n[a](gone.md)\n```\n", &[]);
    }
}
