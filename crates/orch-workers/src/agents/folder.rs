//! The agent files of a project and of its user.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use orch_files::ReadError;

use super::fault::{AgentFault, AgentIssue};
use super::file::AgentFile;

/// Where agent files are, in a project and in a home folder.
const FOLDER: &str = ".claude/agents";
/// The largest agent file, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;
/// A folder deeper than this is not looked into, which also ends circles of links.
const MOST_DEPTH: u32 = 16;
/// The most entries of a folder of agents and the folders in it.
const MOST_ENTRIES: usize = 1_000;
/// The user that may change every file anyway.
const SYSTEM: u32 = 0;

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
    /// Links are followed, as people share agents between projects by them, when they lead to files of the owner of the folder or
    /// of the system. A folder with more than 1,000 entries has no agents.
    ///
    /// A name that both have is the project's. A folder that is not there has no agents; a file that is no agent is skipped,
    /// and said why.
    pub fn load(project: &Path, user: Option<&Path>) -> Self {
        let mut folder = Self::default();
        folder.add(project);
        if let Some(user) = user.filter(|user| *user != project) {
            folder.add(user);
        }
        folder
    }

    /// Adds the agents in the folder of a project or a user.
    fn add(&mut self, root: &Path) {
        let found = match Search::in_folder_of(root, &mut self.issues) {
            Ok(found) => found,
            Err(issue) => return self.issues.push(issue),
        };
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
    let text = orch_files::read_text(path, MOST_BYTES).map_err(|error| {
        let fault = match error {
            ReadError::TooLarge(limit) => AgentFault::TooLarge { limit },
            ReadError::NotRegular => AgentFault::NotRegular,
            ReadError::NotText | ReadError::Io(_) => AgentFault::Read(error.into()),
        };
        issue(path, fault)
    })?;
    AgentFile::parse(path, &text)
}

fn issue(path: &Path, fault: AgentFault) -> AgentIssue {
    AgentIssue { path: path.to_owned(), line: 1, fault }
}

/// The search for agent files in a folder.
struct Search<'a> {
    /// The project or home folder, without links.
    root: PathBuf,
    /// Whose files links may lead to, beside those of the system.
    owner: u32,
    entries: usize,
    found: Vec<PathBuf>,
    issues: &'a mut Vec<AgentIssue>,
}

impl<'a> Search<'a> {
    /// Returns the agent files in the folder of a project or a user, sorted.
    fn in_folder_of(
        root: &Path,
        issues: &'a mut Vec<AgentIssue>,
    ) -> Result<Vec<PathBuf>, AgentIssue> {
        let folder = root.join(FOLDER);
        let owner = match folder.symlink_metadata() {
            Ok(there) => there.uid(),
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(issue(&folder, AgentFault::Read(error))),
        };
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let mut search = Self { root, owner, entries: 0, found: Vec::new(), issues };
        search.entry(&folder, 0)?;
        search.found.sort();
        Ok(search.found)
    }

    /// Looks at a file or folder. An error ends the search.
    fn entry(&mut self, path: &Path, depth: u32) -> Result<(), AgentIssue> {
        let is_named_as_agent = path.extension().is_some_and(|extension| extension == "md");
        let is_link = path.symlink_metadata().is_ok_and(|there| there.is_symlink());
        let there = match path.metadata() {
            Ok(there) => there,
            // A link that leads nowhere is an agent that cannot be read.
            Err(_) if is_named_as_agent => {
                self.found.push(path.to_owned());
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        if !there.is_dir() && !is_named_as_agent {
            return Ok(());
        }
        if is_link && let Some(fault) = self.fault_of_link(path, &there) {
            self.issues.push(issue(path, fault));
        } else if !there.is_dir() {
            self.found.push(path.to_owned());
        } else if depth <= MOST_DEPTH {
            self.folder(path, depth)?;
        }
        Ok(())
    }

    /// Returns why a link is not followed.
    fn fault_of_link(&self, link: &Path, target: &fs::Metadata) -> Option<AgentFault> {
        let is_ours = target.uid() == self.owner || target.uid() == SYSTEM;
        let is_upwards = || link.canonicalize().is_ok_and(|target| self.root.starts_with(target));
        match is_ours {
            false => Some(AgentFault::ForeignLink),
            true => (target.is_dir() && is_upwards()).then_some(AgentFault::LinkUpwards),
        }
    }

    fn folder(&mut self, folder: &Path, depth: u32) -> Result<(), AgentIssue> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => {
                self.issues.push(issue(folder, AgentFault::Read(error)));
                return Ok(());
            }
        };
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries > MOST_ENTRIES {
                let root = self.root.join(FOLDER);
                return Err(issue(&root, AgentFault::TooMany { limit: MOST_ENTRIES }));
            }
            self.entry(&entry.path(), depth + 1)?;
        }
        Ok(())
    }
}

/// Tells whether there is no such folder, or no folder that it could be in.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
