//! Which stores are the user's own: those that orch made for them, and those that they have trusted.
//!
//! What a store holds ends up in prompts, and a store can come with a folder. So the ids of the user's stores are kept outside of
//! all projects, in `orch/stores` in the user's state folder, one a line. A store that is not listed is refused.
//!
//! An id is known only once its store is made. The process that makes a store therefore holds the lock of the list from before until its id
//! is entered, and a process that finds a store that is not listed waits for the lock and looks again.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use orch_memory::{SqliteJournal, StoreId};

use super::{Trust, owner};
use crate::config::Config;
use crate::error::AppError;
use crate::store::Access;

/// The most stores that are listed; the oldest entries make room.
const MAX_STORES: usize = 10_000;
/// The most bytes that a list may have.
const MAX_BYTES: u64 = 1024 * 1024;
/// How often the lock is tried, and how long to wait between: 10 s in all.
const LOCK_TRIES: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// That a store may be opened, and what is left to do once it is open.
pub(crate) enum Admission {
    /// It is known, or need not be.
    Known,
    /// Its id is to be entered: it is being made.
    Made(Entering),
    /// The same, as far as that can be done: the user has given the word.
    Trusted(Option<Entering>),
}

impl Admission {
    /// Decides whether the SQLite store at `file` may be opened.
    ///
    /// # Errors
    /// When it is not the user's, or nothing says that it is, and the user has not given the word.
    pub(crate) async fn new(
        config: &Config,
        file: &Path,
        access: Access,
    ) -> Result<Self, AppError> {
        let list = config.state_dir.as_deref().map(StoreList::new);
        if config.trust.is_word() {
            let is_new = !is_there(file) && access == Access::Create;
            let is_entered = is_new || config.trust == Trust::Remembered;
            let list = list.filter(|_| is_entered);
            return Ok(Self::Trusted(match list {
                Some(list) => list.lock().await.inspect_err(cannot_note).ok(),
                None => None,
            }));
        }
        owner::check([file.parent().unwrap_or(file).to_owned(), file.to_owned()])?;
        let list = list.ok_or_else(|| unlisted(file, "HOME is not set".to_owned()))?;
        let failed =
            |source: io::Error| unlisted(file, format!("{}: {source}", list.file.display()));
        if !is_there(file) && access == Access::Create {
            let entering = list.lock().await.map_err(failed)?;
            if !is_there(file) {
                return Ok(Self::Made(entering));
            }
        }
        stays_inside(&config.project_dir, file)?;
        if let Ok(Some(id)) = SqliteJournal::read_store_id(file).await
            && list.has(id).map_err(failed)?
        {
            return Ok(Self::Known);
        }
        // Another process may be making it: then it has no id yet, or one that is not entered yet.
        let entering = list.lock().await.map_err(failed)?;
        let id = SqliteJournal::read_store_id(file).await;
        let id = id.map_err(|error| AppError::Store(error.into()))?;
        if let Some(id) = id
            && entering.list.has(id).map_err(failed)?
        {
            return Ok(Self::Known);
        }
        let why = format!(
            "orch has not made it for you, as {} does not list it, so it may have come with its folder",
            list.file.display()
        );
        Err(AppError::NotTrusted { path: file.to_owned(), why })
    }

    /// Enters the id of the store that was opened.
    ///
    /// # Errors
    /// When the list of a store that is being made cannot be written.
    pub(crate) fn enter(self, file: &Path, id: Option<StoreId>) -> Result<(), AppError> {
        match (self, id) {
            (Self::Known | Self::Trusted(None), _) | (_, None) => Ok(()),
            (Self::Made(entering), Some(id)) => {
                let list = entering.list.file.clone();
                let failed = |source| unlisted(file, format!("{}: {source}", list.display()));
                entering.enter(id).map_err(failed)
            }
            (Self::Trusted(Some(entering)), Some(id)) => {
                // The call goes on: the user vouches for the store, known or not.
                let _ = entering.enter(id).inspect_err(cannot_note);
                Ok(())
            }
        }
    }
}

fn cannot_note(error: &io::Error) {
    tracing::warn!(%error, "cannot note that the store is trusted; say it again with the next call");
}

fn unlisted(store: &Path, why: String) -> AppError {
    AppError::NoStoreList { store: store.to_owned(), why }
}

/// Whether anything has the name, be it a link that leads nowhere.
fn is_there(file: &Path) -> bool {
    file.symlink_metadata().is_ok()
}

/// A store within the project must not be a link out of it.
fn stays_inside(project: &Path, file: &Path) -> Result<(), AppError> {
    if file.components().any(|part| part == Component::ParentDir) || !file.starts_with(project) {
        return Ok(());
    }
    let (Ok(folder), Ok(target)) = (project.canonicalize(), file.canonicalize()) else {
        let why = "it is a link that leads nowhere".to_owned();
        return match is_there(file) {
            true => Err(AppError::NotTrusted { path: file.to_owned(), why }),
            false => Ok(()),
        };
    };
    if !target.starts_with(folder) {
        let why = format!(
            "it is a link to {}, outside of the project; a store elsewhere is named by `store` in orch.yaml",
            target.display()
        );
        return Err(AppError::NotTrusted { path: file.to_owned(), why });
    }
    Ok(())
}

/// The list of the user's stores.
#[derive(Debug, Clone)]
struct StoreList {
    file: PathBuf,
}

/// The list while its lock is held, which the end of the process also gives up.
pub(crate) struct Entering {
    list: StoreList,
    _lock: File,
}

impl StoreList {
    /// The list in a state folder, there or not.
    fn new(state_dir: &Path) -> Self {
        Self { file: state_dir.join("orch/stores") }
    }

    fn has(&self, id: StoreId) -> io::Result<bool> {
        Ok(self.read()?.contains(&id.to_string()))
    }

    /// Returns the ids, the oldest first. There are none where there is no list.
    fn read(&self) -> io::Result<VecDeque<String>> {
        let file = match File::open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(VecDeque::new()),
            Err(error) => return Err(error),
        };
        is_ours(&file)?;
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Waits for the lock, and makes the folder if there is none.
    async fn lock(&self) -> io::Result<Entering> {
        let folder = self.file.parent().unwrap_or(&self.file);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        is_ours(&File::open(folder)?)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(self.file.with_extension("lock"))?;
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(Entering { list: self.clone(), _lock: lock }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "another process of orch holds its lock"))
    }
}

impl Entering {
    /// Enters an id. The list is replaced as a whole, so that nobody reads half of it.
    fn enter(self, id: StoreId) -> io::Result<()> {
        let (mut ids, id) = (self.list.read()?, id.to_string());
        if ids.contains(&id) {
            return Ok(());
        }
        ids.push_back(id);
        let excess = ids.len().saturating_sub(MAX_STORES);
        ids.drain(..excess);
        let folder = self.list.file.parent().unwrap_or(&self.list.file);
        // Readable for its owner only.
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        for id in ids {
            writeln!(new, "{id}")?;
        }
        new.as_file().sync_all()?;
        new.persist(&self.list.file)?;
        fs::File::open(folder)?.sync_all()
    }
}

/// The list says what is trusted, so nobody else may write to it.
fn is_ours(file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    let is_mine = metadata.uid() == rustix::process::geteuid().as_raw();
    match is_mine && metadata.mode() & 0o022 == 0 {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it must belong to you, and nobody else may write to it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn id(number: u128) -> StoreId {
        format!("{number:032x}").parse().unwrap()
    }

    #[tokio::test]
    async fn ids_are_entered_once_and_the_oldest_make_room() {
        let state = tempfile::tempdir().unwrap();
        let list = StoreList::new(state.path());
        assert!(!list.has(id(1)).unwrap());
        for number in [1, 2, 1] {
            list.lock().await.unwrap().enter(id(number)).unwrap();
        }
        assert_eq!(list.read().unwrap().len(), 2);
        let full: String = (2..MAX_STORES as u128 + 2).map(|n| format!("{}\n", id(n))).collect();
        fs::write(&list.file, full).unwrap();
        list.lock().await.unwrap().enter(id(1)).unwrap();
        assert!(list.has(id(1)).unwrap() && !list.has(id(2)).unwrap() && list.has(id(3)).unwrap());
        assert!(fs::metadata(&list.file).unwrap().len() < MAX_BYTES);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&list.file), mode(list.file.parent().unwrap())), (0o600, 0o700));
    }

    #[tokio::test]
    async fn writers_at_the_same_time_lose_nothing() {
        let state = tempfile::tempdir().unwrap();
        let list = StoreList::new(state.path());
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let list = list.clone();
                tokio::spawn(async move { list.lock().await?.enter(id(number)) })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(list.read().unwrap().len(), 20);
    }

    #[tokio::test]
    async fn a_list_that_others_may_write_to_says_nothing() {
        let state = tempfile::tempdir().unwrap();
        let list = StoreList::new(state.path());
        list.lock().await.unwrap().enter(id(1)).unwrap();
        fs::set_permissions(&list.file, fs::Permissions::from_mode(0o660)).unwrap();
        assert!(list.has(id(1)).is_err() && list.lock().await.unwrap().enter(id(2)).is_err());
        fs::set_permissions(list.file.parent().unwrap(), fs::Permissions::from_mode(0o770))
            .unwrap();
        assert!(list.lock().await.is_err());
    }
}
