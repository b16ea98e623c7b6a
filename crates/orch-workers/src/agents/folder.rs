//! The agent files of a project and of its user.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fault::{AgentFault, AgentIssue};
use super::file::AgentFile;

/// Where agent files are, in a project and in a home folder.
const FOLDER: &str = ".claude/agents";
/// The largest agent file, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;
/// Folders deeper than this are not looked into, which also ends circles of links.
const MOST_DEPTH: u32 = 16;

/// The agents that were found, and what is wrong with the files that are none.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct AgentFolder {
    /// The agents: those of the project, then those of the user whose name the project does not have; by path.
    pub agents: Vec<AgentFile>,
    /// What is wrong with files that were skipped.
    pub issues: Vec<AgentIssue>,
}

impl AgentFolder {
    /// Reads `.claude/agents/**/*.md` in the folder of a project and in the home folder of its user.
    ///
    /// A name that both have is the project's. A folder that is not there has no agents; a file that is no agent is skipped,
    /// and said why.
    pub fn load(project: &Path, user: Option<&Path>) -> Self {
        let mut folder = Self::default();
        folder.add(&project.join(FOLDER));
        if let Some(user) = user.filter(|user| *user != project) {
            folder.add(&user.join(FOLDER));
        }
        folder
    }

    fn add(&mut self, root: &Path) {
        let mut found = Vec::new();
        files(root, 0, &mut found, &mut self.issues);
        found.sort();
        let mut own: BTreeMap<String, PathBuf> = BTreeMap::new();
        for path in found {
            match read(&path) {
                Ok(agent) => match own.get(&agent.name) {
                    Some(first) => {
                        let fault = AgentFault::Repeated { name: agent.name, first: first.clone() };
                        self.issues.push(AgentIssue { path, line: 1, fault });
                    }
                    None => {
                        own.insert(agent.name.clone(), path);
                        if !self.agents.iter().any(|other| other.name == agent.name) {
                            self.agents.push(agent);
                        }
                    }
                },
                Err(issue) => self.issues.push(issue),
            }
        }
    }
}

fn read(path: &Path) -> Result<AgentFile, AgentIssue> {
    let issue = |fault| AgentIssue { path: path.to_owned(), line: 1, fault };
    let file = fs::File::open(path).map_err(|error| issue(AgentFault::Read(error)))?;
    let mut text = String::new();
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| issue(AgentFault::Read(error)))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(issue(AgentFault::TooLarge { limit: MOST_BYTES }));
    }
    AgentFile::parse(path, &text)
}

/// Links are followed, as people share agents between projects by them.
fn files(folder: &Path, depth: u32, found: &mut Vec<PathBuf>, issues: &mut Vec<AgentIssue>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            let fault = AgentFault::Read(error);
            issues.push(AgentIssue { path: folder.to_owned(), line: 1, fault });
            return;
        }
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            if depth < MOST_DEPTH {
                files(&path, depth + 1, found, issues);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}
