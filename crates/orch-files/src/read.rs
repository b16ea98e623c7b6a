//! Reading a regular file of bounded size from one handle.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use cap_fs_ext::OpenOptionsSyncExt as _;
use cap_std::ambient_authority;
use cap_std::fs::OpenOptions;
use rustix::io::Errno;
use thiserror::Error;

/// Why a file was not read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is a folder, a pipe, a socket, a device, or a link where none is followed.
    #[error("it is not a regular file")]
    NotRegular,
    /// It has more bytes than the limit.
    #[error("it is larger than {0} bytes")]
    TooLarge(
        /// The limit, in bytes.
        u64,
    ),
    /// It is not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// The operating system refused.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            // Opening a link that is not followed, and opening a socket.
            Some(Errno::LOOP | Errno::NXIO) => Self::NotRegular,
            Some(_) | None => Self::Io(error),
        }
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            ReadError::NotRegular | ReadError::TooLarge(_) | ReadError::NotText => {
                Self::new(io::ErrorKind::InvalidData, error)
            }
        }
    }
}

/// Reads the regular file at `path`, which has at most `limit` bytes. Links in the path are followed.
///
/// # Errors
/// When it is not a regular file, is larger, or cannot be read. A pipe or a device is refused at once.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    read_opened(&open(path)?, limit)
}

/// Reads the regular file at `path` as [`read`] does, as text.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    String::from_utf8(read(path, limit)?).map_err(|_| ReadError::NotText)
}

/// Opens the regular file at `path` for reading. Links in the path are followed.
///
/// # Errors
/// When it is not a regular file or cannot be opened. A pipe or a device is refused at once.
pub fn open(path: &Path) -> Result<File, ReadError> {
    let file = cap_std::fs::File::open_ambient_with(path, &read_options(), ambient_authority())?;
    let file = file.into_std();
    if file.metadata()?.is_file() { Ok(file) } else { Err(ReadError::NotRegular) }
}

/// Options to open a file for reading without waiting: the open of a pipe would wait for a writer.
pub(crate) fn read_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).nonblock(true);
    options
}

/// Reads a file that is open. The checks are of this handle: what is at its path by now does not matter.
pub(crate) fn read_opened(file: &File, limit: u64) -> Result<Vec<u8>, ReadError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadError::NotRegular);
    }
    if metadata.len() > limit {
        return Err(ReadError::TooLarge(limit));
    }
    // It may grow while it is read.
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge(limit));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_regular_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "four").unwrap();
        symlink(&path, folder.path().join("link")).unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        assert_eq!(read_text(&folder.path().join("link"), 4).unwrap(), "four");
        assert!(matches!(read(&path, 3), Err(ReadError::TooLarge(3))));
        fs::write(&path, b"\xff").unwrap();
        assert!(matches!(read_text(&path, 4), Err(ReadError::NotText)));
        let gone = read(&folder.path().join("gone"), 4).unwrap_err();
        assert_eq!(io::Error::from(gone).kind(), io::ErrorKind::NotFound);
    }

    /// Each of these hangs or never ends when it is read like a file.
    #[test]
    fn what_is_not_a_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, socket, zero] = ["pipe", "socket", "zero"].map(|name| folder.path().join(name));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink("/dev/zero", &zero).unwrap();
        for path in [&pipe, &socket, &zero, folder.path()] {
            let error = read(path, 10).unwrap_err();
            assert!(matches!(error, ReadError::NotRegular), "{}: {error}", path.display());
        }
    }
}
