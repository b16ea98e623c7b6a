//! One word for one thing: what the glossary bans is used nowhere else in code, documentation and help texts.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{Verdict, tree};
use crate::project::Project;

/// The page that decides, which may name what it bans.
const GLOSSARY: &str = "docs/glossary.md";
/// The heading above the table of banned words.
const HEADING: &str = "Banned words";

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Ban {
    word: String,
    instead: String,
}

/// Looks for every banned word in all sources and pages.
pub(super) fn check(project: &Project) -> anyhow::Result<Verdict> {
    let (count, issues) = issues(project.root())?;
    let note = format!("{count} banned words, none is used");
    Ok(Verdict::of_issues(&issues, note, "by hand: use the word that the glossary has instead"))
}

/// Returns how many words are banned, and where they are used.
fn issues(root: &Path) -> anyhow::Result<(usize, Vec<String>)> {
    let glossary = fs::read_to_string(root.join(GLOSSARY)).context(GLOSSARY)?;
    let bans = bans(&glossary)?;
    let mut issues = Vec::new();
    for path in tree::files(root, |path| tree::has_one_of(path, &["rs", "md"]))? {
        if path == Path::new(GLOSSARY) || !is_ours(&path) {
            continue;
        }
        let bytes = fs::read(root.join(&path)).with_context(|| path.display().to_string())?;
        for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            for Ban { word, instead } in bans.iter().filter(|ban| has_word(line, &ban.word)) {
                let place = format!("{}:{}", path.display(), number + 1);
                issues.push(format!("{place}: `{word}` is banned, use {instead}"));
            }
        }
    }
    Ok((bans.len(), issues))
}

/// Whether people read a file as part of the project: input for tests is not.
fn is_ours(path: &Path) -> bool {
    let is_page = path.extension().is_some_and(|extension| extension == "md");
    !(is_page && path.components().any(|part| part.as_os_str() == "tests"))
}

/// Reads the table: what is banned in its first column, what to use in its second.
fn bans(glossary: &str) -> anyhow::Result<Vec<Ban>> {
    let mut bans = Vec::new();
    let (mut heading, mut is_below) = (None::<String>, false);
    let mut cells: Vec<String> = Vec::new();
    for event in Parser::new_ext(glossary, Options::ENABLE_TABLES) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "most of Markdown is in no table")]
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => {
                heading = Some(String::new());
            }
            Event::End(TagEnd::Heading(HeadingLevel::H2)) => {
                is_below = heading.take().is_some_and(|text| text == HEADING);
            }
            Event::Start(Tag::TableRow) => cells.clear(),
            Event::Start(Tag::TableCell) => cells.push(String::new()),
            Event::End(TagEnd::TableRow) if is_below => {
                let [words, instead] = cells.as_slice() else {
                    anyhow::bail!("a row of `{HEADING}` has {} cells, not 2", cells.len());
                };
                let words = words.split(", ").map(str::trim);
                bans.extend(words.map(|word| Ban { word: word.into(), instead: instead.clone() }));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(text_so_far) = heading.as_mut().or(cells.last_mut()) {
                    text_so_far.push_str(&text);
                }
            }
            _ => {}
        }
    }
    ensure!(!bans.is_empty(), "{GLOSSARY} bans nothing below `## {HEADING}`");
    ensure!(bans.iter().all(|ban| !ban.word.is_empty()), "{GLOSSARY} bans an empty word");
    Ok(bans)
}

/// Tells whether `word` stands in a line, and not as a part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Glossary\n\n| `run` | a task |\n|-|-|\n| a | b |\n\n## Banned words\n\n| banned | instead |\n|-|-|\n| `Desk`, `on the way` | `Service` |\n| `width` | limit |\n\n## More\n";

    fn tree_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [(GLOSSARY, PAGE)].iter().chain(files) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let folder = tree_with(&[(path, text)]);
        assert_eq!(issues(folder.path()).unwrap(), (3, to_strings(expected)));
    }

    fn to_strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_banned_word_is_named_with_its_place_and_what_to_use() {
        let said = ["crates/a/src/b.rs:2: `Desk` is banned, use Service"];
        check("crates/a/src/b.rs", "//! A.\nstruct Desk;\n", &said);
        check(
            "README.md",
            "It is on the way.\n",
            &["README.md:1: `on the way` is banned, use Service"],
        );
        check("docs/a.md", "`width: 3`", &["docs/a.md:1: `width` is banned, use limit"]);
    }

    #[test]
    fn parts_of_longer_words_and_other_cases_are_not_meant() {
        check("a.rs", "Desks, OnDesk, my_Desk, Desk_2, desk, a/width_of", &[]);
        check("a.rs", "xDesk Desk", &["a.rs:1: `Desk` is banned, use Service"]);
    }

    #[test]
    fn input_for_tests_and_other_files_are_not_read() {
        check("crates/a/tests/x/page.md", "Desk", &[]);
        check("a.py", "Desk", &[]);
    }

    #[test]
    fn a_glossary_without_bans_is_an_error() {
        for page in
            ["# Glossary\n", "## Banned words\n", "## Other\n\n| a | b |\n|-|-|\n| c | d |\n"]
        {
            assert!(bans(page).is_err(), "{page}");
        }
    }
}
