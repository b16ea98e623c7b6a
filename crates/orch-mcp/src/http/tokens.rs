//! Bearer tokens, each bound to a project. They are kept as hashes, whose comparison takes the same time wherever two differ.

use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use blake3::Hash;
use orch_files::ReadError;
use thiserror::Error;

/// The fewest characters of a token.
const SHORTEST: usize = 16;
/// The most bytes of a token file.
const LONGEST_FILE: u64 = 64 * 1024;

/// Who may call: the tokens of the project that is served, and those that are known to be another's.
#[derive(Clone)]
pub struct Tokens {
    own: Vec<Hash>,
    foreign: Vec<Hash>,
}

/// Whose a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The served project's.
    Ours,
    /// Another project's.
    Foreign,
    /// Nobody's.
    Nobody,
}

/// Why tokens are not used. No message has a token in it.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The file.
    #[error("cannot read the token file {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("others can read the token file {}: run `chmod 600` on it, and change its tokens if they may have been seen", .0.display())]
    Exposed(PathBuf),
    /// A directory, a device, or too long.
    #[error("the token file {} must be a regular file of at most 64 KiB", .0.display())]
    NoFile(PathBuf),
    /// Guessable.
    #[error("the token{} has fewer than 16 characters: take a random one, for example of `openssl rand -hex 32`", at(*.0))]
    Short(Option<usize>),
    /// Not fit for a header.
    #[error("the token{} must be of letters, digits and -._~+/ with perhaps = at its end", at(*.0))]
    Characters(Option<usize>),
    /// Of two projects at once.
    #[error("the token in line {0} is there twice: each project needs its own")]
    Twice(usize),
    /// Nobody could call.
    #[error("the token file has no token for this project: add a line `{0} TOKEN`")]
    None(String),
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(" in line {line}")).unwrap_or_default()
}

impl Tokens {
    /// Takes one token, of the project that is served.
    ///
    /// # Errors
    /// When it is shorter than 16 characters, or cannot stand in a header.
    pub fn one(token: &str) -> Result<Self, TokenError> {
        Ok(Self { own: vec![hash(token, None)?], foreign: Vec::new() })
    }

    /// Reads the file `path`: a line `PROJECT TOKEN` for each token. Empty lines and those that begin with `#` are skipped. The
    /// tokens of `project` are its own, the others are foreign.
    ///
    /// # Errors
    /// When the file cannot be read, can be read by others, has a wrong line, or no token of `project`.
    pub fn read(path: &Path, project: &str) -> Result<Self, TokenError> {
        let broken = |source| TokenError::Read { path: path.to_owned(), source };
        let file = orch_files::open(path).map_err(|error| match error {
            ReadError::NotRegular => TokenError::NoFile(path.to_owned()),
            ReadError::TooLarge(_) | ReadError::NotText | ReadError::Io(_) => broken(error.into()),
        })?;
        // Of the file that is open, not of what may be at the path by now.
        let found = file.metadata().map_err(broken)?;
        if found.len() > LONGEST_FILE {
            return Err(TokenError::NoFile(path.to_owned()));
        }
        if found.mode() & 0o077 != 0 {
            return Err(TokenError::Exposed(path.to_owned()));
        }
        let mut text = String::new();
        file.take(LONGEST_FILE).read_to_string(&mut text).map_err(broken)?;
        Self::parse(&text, project)
    }

    /// Reads the lines of a token file.
    fn parse(text: &str, project: &str) -> Result<Self, TokenError> {
        let mut tokens = Self { own: Vec::new(), foreign: Vec::new() };
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // A project's name may have spaces, a token has none.
            let (name, token) = line.rsplit_once(char::is_whitespace).unwrap_or((project, line));
            let hash = hash(token, Some(number))?;
            if tokens.whose(hash) != Whose::Nobody {
                return Err(TokenError::Twice(number));
            }
            let list =
                if name.trim_end() == project { &mut tokens.own } else { &mut tokens.foreign };
            list.push(hash);
        }
        if tokens.own.is_empty() { Err(TokenError::None(project.to_owned())) } else { Ok(tokens) }
    }

    /// Says whose a token is that a client sent.
    pub(super) fn whose_token(&self, token: &[u8]) -> Whose {
        self.whose(blake3::hash(token))
    }

    /// Compares with all, so that the time tells nothing.
    fn whose(&self, hash: Hash) -> Whose {
        let is_among =
            |known: &[Hash]| known.iter().fold(false, |found, known| found | (*known == hash));
        match (is_among(&self.own), is_among(&self.foreign)) {
            (true, _) => Whose::Ours,
            (false, true) => Whose::Foreign,
            (false, false) => Whose::Nobody,
        }
    }
}

/// Checks a token and forgets it.
fn hash(token: &str, line: Option<usize>) -> Result<Hash, TokenError> {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    if !token.trim_end_matches('=').chars().all(is_fit) {
        return Err(TokenError::Characters(line));
    }
    if token.len() < SHORTEST {
        return Err(TokenError::Short(line));
    }
    Ok(blake3::hash(token.as_bytes()))
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({} own, {} foreign)", self.own.len(), self.foreign.len())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const OURS: &str = "ours-0123456789abcdef";
    const THEIRS: &str = "theirs-0123456789abcdef";

    #[test]
    fn a_token_is_its_projects() {
        let text = format!("# tokens\n\n  my shop   {OURS}\nother {THEIRS}\n");
        let tokens = Tokens::parse(&text, "my shop").unwrap();
        let whose = [OURS, THEIRS, "ours-0123456789abcdeg", ""]
            .map(|token| tokens.whose_token(token.as_bytes()));
        assert_eq!(whose, [Whose::Ours, Whose::Foreign, Whose::Nobody, Whose::Nobody]);
        assert_eq!(format!("{tokens:?}"), "Tokens(1 own, 1 foreign)");
        let alone = Tokens::parse(OURS, "any").unwrap();
        assert_eq!(alone.whose_token(OURS.as_bytes()), Whose::Ours);
    }

    #[test]
    fn a_wrong_file_is_refused_without_a_word_of_its_tokens() {
        let cases = [
            (String::new(), "add a line `shop TOKEN`"),
            (format!("other {THEIRS}"), "add a line `shop TOKEN`"),
            ("shop short-secret".into(), "the token in line 1 has fewer than 16"),
            ("\nshop pässwörter-secret".into(), "the token in line 2 must be of letters"),
            (format!("shop {OURS}\nother {OURS}"), "in line 2 is there twice"),
        ];
        for (text, expected) in cases {
            let error = Tokens::parse(&text, "shop").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(
                !error.contains(OURS) && !error.contains(THEIRS) && !error.contains("secret"),
                "{error}"
            );
        }
        assert!(matches!(Tokens::one(""), Err(TokenError::Short(None))));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, OURS).unwrap();
        for (mode, is_taken) in
            [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = Tokens::read(&path, "shop");
            assert_eq!(read.is_ok(), is_taken, "{mode:o}: {read:?}");
        }
        assert!(matches!(Tokens::read(folder.path(), "shop"), Err(TokenError::NoFile(_))));
        assert!(matches!(
            Tokens::read(&folder.path().join("no"), "shop"),
            Err(TokenError::Read { .. })
        ));
    }
}
