//! Whether ALMA's memory, which a found configuration names, may be used.

use std::path::{Component, Path};

use super::owner;
use crate::config::{AlmaStorage, Config};

impl Config {
    /// Whether ALMA's files may be opened: those in the project that are the user's own, and with the user's word all. When they
    /// may not, it is logged, and orch goes on without them.
    pub(crate) fn may_use_alma(&self) -> bool {
        let Some(alma) = self.alma.as_ref().filter(|_| !self.is_trusted()) else { return true };
        let place = match &alma.storage {
            AlmaStorage::Sqlite(place) | AlmaStorage::Files(place) => place,
            AlmaStorage::Elsewhere(_) => return true,
        };
        let own = place.parent().into_iter().chain([&**place]).map(Path::to_owned);
        let why = match owner::check(own) {
            Ok(()) if is_inside(&self.project_dir, place) => return true,
            Ok(()) => "it is outside of the project".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(
            "the memory of ALMA in {} is not used: {why}; if you trust this folder, pass --trust, or set {}=1",
            place.display(),
            super::Trust::VARIABLE
        );
        false
    }
}

/// Whether a file or folder is in the project, wherever links lead; if it is not there yet, its place would be.
fn is_inside(project: &Path, place: &Path) -> bool {
    let has_name = |path: &Path| path.symlink_metadata().is_ok();
    let is_upwards = place.components().any(|part| part == Component::ParentDir);
    let nearest = place.ancestors().find(|path| has_name(path));
    // What has a name and leads nowhere is a link to a place that could be anywhere.
    match (project.canonicalize(), nearest.map(Path::canonicalize)) {
        (Ok(project), Some(Ok(nearest))) => !is_upwards && nearest.starts_with(project),
        (Ok(_) | Err(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_in_the_project_is_found_by_where_it_leads() {
        let (project, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| project.path().join(name);
        fs::create_dir(at(".alma")).unwrap();
        fs::write(at(".alma/alma.db"), "").unwrap();
        symlink(outside.path(), at("away")).unwrap();
        symlink(outside.path().join("not-there"), at(".alma/dangling.db")).unwrap();
        symlink(at(".alma/alma.db"), at("inner.db")).unwrap();
        for (place, expected) in [
            (at(".alma/alma.db"), true),
            (at(".alma/new/alma.db"), true),
            (at("inner.db"), true),
            (at("away/alma.db"), false),
            (at(".alma/dangling.db"), false),
            (at(".alma/../../x/alma.db"), false),
            (outside.path().join("alma.db"), false),
        ] {
            assert_eq!(is_inside(project.path(), &place), expected, "{}", place.display());
        }
    }
}
