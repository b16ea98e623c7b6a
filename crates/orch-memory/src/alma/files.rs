//! Reading ALMA's JSON files, whole and anew each time: they are as small as ALMA can stand, which writes them whole each time.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::BoxError;
use serde_json::Value;

use super::row::{Kind, LOOKED_AT, Row, Wanted};

/// ALMA writes in place: a file that is no JSON is looked at again after so long, as often as that.
const PAUSE: Duration = Duration::from_millis(20);
const LOOKS: usize = 3;
/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Returns the rows that are wanted, the newest first; none of a file that is not there yet.
pub(super) async fn read(folder: &Path, wanted: &Wanted<'_>) -> Result<Vec<(Kind, Row)>, BoxError> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let rows = whole(folder.join(kind.name()).with_extension("json")).await?;
        let rows = rows.into_iter().filter(|row| row.is_wanted(kind, wanted));
        all.extend(rows.take(LOOKED_AT).map(|row| (kind, row)));
    }
    Ok(all)
}

async fn whole(file: PathBuf) -> Result<Vec<Row>, BoxError> {
    for _ in 1..LOOKS {
        if let Ok(rows) = parsed(file.clone()).await {
            return Ok(rows);
        }
        tokio::time::sleep(PAUSE).await;
    }
    parsed(file).await
}

async fn parsed(file: PathBuf) -> Result<Vec<Row>, BoxError> {
    tokio::task::spawn_blocking(move || parse(&file)).await?
}

/// Reads a list of objects; what is none, or has something else where a text or a number is expected, is left out.
fn parse(file: &Path) -> Result<Vec<Row>, BoxError> {
    let bytes = match orch_files::read(file, MOST_BYTES).map_err(io::Error::from) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", file.display()).into()),
    };
    let values: Vec<Value> =
        serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut rows: Vec<Row> =
        values.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect();
    rows.sort_by(|a, b| b.at().cmp(a.at()));
    Ok(rows)
}
