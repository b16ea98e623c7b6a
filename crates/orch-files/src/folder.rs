//! An open folder. Its names are never followed through links.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Component, Path};

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::ambient_authority;
use cap_std::fs::{
    Dir, DirBuilder, DirBuilderExt as _, MetadataExt as _, OpenOptions, OpenOptionsExt as _,
    Permissions, PermissionsExt as _,
};
use cap_tempfile::TempFile;

use crate::read::{ReadError, read_opened, read_options};

/// Permissions of new files: the owner reads and writes.
const FILE_MODE: u32 = 0o600;
/// Permissions of new folders.
const FOLDER_MODE: u32 = 0o700;
/// The permissions of a mode.
const MODE_MASK: u32 = 0o7777;
/// The permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// A folder that is held open. What is done in it is done there, even when another folder or a link takes its place.
#[derive(Debug)]
pub struct Folder {
    dir: Dir,
}

impl Folder {
    /// Opens the folder at `path`. Links in the path are followed: somebody has named it.
    ///
    /// # Errors
    /// When it is not a folder or cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { dir: Dir::open_ambient_dir(path, ambient_authority())? })
    }

    /// Opens the folder `name` in this one.
    ///
    /// # Errors
    /// When it is a link, is not a folder, or cannot be opened.
    pub fn folder(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let name = Path::new(name.as_ref());
        match self.dir.open_dir_nofollow(name) {
            Ok(dir) => Ok(Self { dir }),
            Err(error) => match self.dir.symlink_metadata(name) {
                Ok(there) if !there.is_dir() => Err(io::Error::new(
                    io::ErrorKind::NotADirectory,
                    format!("`{}` is a link or a file where a folder must be", name.display()),
                )),
                Ok(_) | Err(_) => Err(error),
            },
        }
    }

    /// Opens the folder `name` in this one, and makes it when it is not there (0700).
    ///
    /// # Errors
    /// As [`Folder::folder`], and when it cannot be made.
    pub fn make_folder(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let mut private = DirBuilder::new();
        private.mode(FOLDER_MODE);
        match self.dir.create_dir_with(Path::new(name.as_ref()), &private) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => self.folder(name),
        }
    }

    /// Reads the regular file at `path`, which lies in this folder or beneath it and has at most `limit` bytes.
    ///
    /// # Errors
    /// When a part of the path is a link or leads upwards, when the file is not a regular one or is larger, and when it cannot
    /// be read. A pipe or a device is refused at once.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        let mut parts = path.components().peekable();
        let mut below: Option<Self> = None;
        while let Some(part) = parts.next() {
            let Component::Normal(name) = part else { return Err(ReadError::NotRegular) };
            let folder = below.as_ref().unwrap_or(self);
            if parts.peek().is_none() {
                let mut options = read_options();
                options.follow(FollowSymlinks::No);
                let file = folder.dir.open_with(Path::new(name), &options)?.into_std();
                return read_opened(&file, limit);
            }
            below = Some(folder.folder(name)?);
        }
        Err(ReadError::NotRegular)
    }

    /// Checks that `name` is a regular file or that nothing has the name: for a program that will open it by its path, and would
    /// follow a link.
    ///
    /// # Errors
    /// When it is something else.
    pub fn check_file(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        let name = Path::new(name.as_ref());
        match self.dir.symlink_metadata(name) {
            Ok(there) if there.is_file() => Ok(()),
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{}` is a link, or not a file; move it away", name.display()),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes the file `name` (0600) unless something is there already, be it a link.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn create(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        match self.dir.open_with(Path::new(name.as_ref()), &options) {
            Ok(mut file) => file.write_all(bytes),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sees to it that the file `name` has these bytes and that others cannot read it. Anything else that has the name is
    /// replaced at once and as a whole; a link is replaced, and what it leads to is not touched.
    ///
    /// # Errors
    /// When it cannot be written, or `name` is a folder.
    pub fn put(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<()> {
        let name = name.as_ref();
        if self.has(name, bytes) {
            return Ok(());
        }
        let mut file = self.new_file()?;
        file.write_all(bytes)?;
        file.replace(name)
    }

    fn has(&self, name: &OsStr, bytes: &[u8]) -> bool {
        let mode = self.dir.symlink_metadata(Path::new(name)).map(|there| there.mode());
        mode.is_ok_and(|mode| mode & OTHERS == 0)
            && self.read(Path::new(name), bytes.len() as u64).is_ok_and(|there| there == bytes)
    }

    /// Begins a file (0600) that has no name that anybody could guess, until [`NewFile::replace`] gives it one.
    ///
    /// # Errors
    /// When no file can be made here.
    pub fn new_file(&self) -> io::Result<NewFile<'_>> {
        let file = TempFile::new(&self.dir)?;
        file.as_file().set_permissions(Permissions::from_mode(FILE_MODE))?;
        Ok(NewFile { folder: self, file })
    }
}

/// A file that is being written. It is gone when it is dropped.
#[derive(Debug)]
pub struct NewFile<'a> {
    folder: &'a Folder,
    file: TempFile<'a>,
}

impl NewFile<'_> {
    /// Takes over the permissions of the file `name`, if there is a regular file of that name.
    ///
    /// # Errors
    /// When they cannot be set.
    pub fn keep_mode_of(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        match self.folder.dir.symlink_metadata(Path::new(name.as_ref())) {
            Ok(there) if there.is_file() => {
                let mode = Permissions::from_mode(there.mode() & MODE_MASK);
                self.file.as_file().set_permissions(mode)
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Waits until the bytes are on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> io::Result<()> {
        self.file.as_file().sync_all()
    }

    /// Gives the file its name. What had the name before is replaced in one step; a link is not followed.
    ///
    /// # Errors
    /// When `name` is a folder or the folder cannot be written to.
    pub fn replace(self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.file.replace(name)
    }
}

impl Write for NewFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A folder, and beside it a secret and a folder that must not be reached.
    struct World {
        root: tempfile::TempDir,
        folder: Folder,
    }

    impl World {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("own/sub")).unwrap();
            fs::create_dir(root.path().join("outside")).unwrap();
            fs::write(root.path().join("outside/secret"), "secret").unwrap();
            let folder = Folder::open(&root.path().join("own")).unwrap();
            Self { root, folder }
        }

        fn own(&self, name: &str) -> std::path::PathBuf {
            self.root.path().join("own").join(name)
        }

        fn link(&self, target: &str, name: &str) {
            symlink(self.root.path().join(target), self.own(name)).unwrap();
        }

        #[track_caller]
        fn outside_is_untouched(&self) {
            let names = fs::read_dir(self.root.path().join("outside")).unwrap().count();
            assert_eq!(names, 1);
            let secret = fs::read_to_string(self.root.path().join("outside/secret")).unwrap();
            assert_eq!(secret, "secret");
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn nothing_is_read_through_a_link_or_upwards() {
        let world = World::new();
        fs::write(world.own("sub/a"), "text").unwrap();
        assert_eq!(world.folder.read(Path::new("sub/a"), 10).unwrap(), b"text");
        world.link("outside/secret", "link");
        world.link("outside", "up");
        world.link("own/sub", "within");
        let absolute = world.own("sub/a");
        for path in
            ["link", "up/secret", "within/a", "../outside/secret", "sub/../sub/a", "", ".", "sub"]
                .map(Path::new)
                .into_iter()
                .chain([absolute.as_path()])
        {
            assert!(world.folder.read(path, 10).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn what_is_put_has_the_bytes_whatever_was_there() {
        let world = World::new();
        world.link("outside/secret", "link");
        world.link("outside/new", "dangling");
        fs::write(world.own("forged"), "forged").unwrap();
        fs::hard_link(world.root.path().join("outside/secret"), world.own("hard")).unwrap();
        fs::write(world.own("open"), "true").unwrap();
        for name in ["link", "dangling", "forged", "hard", "open", "absent"] {
            world.folder.put(name, b"true").unwrap();
            assert_eq!(fs::read_to_string(world.own(name)).unwrap(), "true", "{name}");
            assert!(fs::symlink_metadata(world.own(name)).unwrap().is_file(), "{name}");
            assert_eq!(mode(&world.own(name)), 0o600, "{name}");
        }
        world.outside_is_untouched();
        assert!(world.folder.put("sub", b"true").is_err());
        // Nothing half-written is left behind.
        assert_eq!(fs::read_dir(world.own("")).unwrap().count(), 7);
    }

    #[test]
    fn a_file_that_is_right_is_left_alone() {
        let world = World::new();
        world.folder.put("a", b"true").unwrap();
        let changed = || fs::metadata(world.own("a")).unwrap().modified().unwrap();
        let before = changed();
        world.folder.put("a", b"true").unwrap();
        assert_eq!(changed(), before);
    }

    #[test]
    fn folders_are_private_and_links_to_folders_are_refused() {
        let world = World::new();
        world.folder.make_folder("new").unwrap().put("a", b"text").unwrap();
        assert_eq!(mode(&world.own("new")), 0o700);
        world.link("outside", "up");
        fs::write(world.own("file"), "").unwrap();
        for name in ["up", "file"] {
            let error = world.folder.make_folder(name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotADirectory, "{name}: {error}");
        }
        world.outside_is_untouched();
    }

    #[test]
    fn a_new_file_can_keep_the_permissions_of_the_one_it_replaces() {
        let world = World::new();
        fs::write(world.own("shared"), "old").unwrap();
        fs::set_permissions(world.own("shared"), fs::Permissions::from_mode(0o640)).unwrap();
        for (name, expected) in [("shared", 0o640), ("new", 0o600)] {
            let mut file = world.folder.new_file().unwrap();
            file.write_all(b"new").unwrap();
            file.keep_mode_of(name).unwrap();
            file.sync().unwrap();
            file.replace(name).unwrap();
            assert_eq!(mode(&world.own(name)), expected, "{name}");
        }
        drop(world.folder.new_file().unwrap());
        assert_eq!(fs::read_dir(world.own("")).unwrap().count(), 3);
    }
}
