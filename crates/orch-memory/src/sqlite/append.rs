//! The appends of one transaction: what they need is read at its beginning, what they change is written at its end.
//!
//! Since nobody else can write before the commit, `admission` judges them in memory. Rows are gathered and written for all
//! runs at once, because every statement costs a change of threads.

use orch_core::journal::AppendError;
use sqlx::{Sqlite, SqliteConnection};

use super::{blobs, events};
use crate::admission::{Admission, Wanted};
use crate::journal::runs;
use crate::prepared::{EventRow, Prepared};
use crate::sql::Conn;

/// What the appends of one transaction have come to.
pub(super) struct Appends {
    admission: Admission,
    rows: Vec<EventRow>,
}

impl Appends {
    /// Begins a transaction that writes, and reads what must be known of `wanted`.
    pub(super) async fn begin(conn: &mut Conn<'_, Sqlite>, wanted: &Wanted) -> sqlx::Result<Self> {
        let found = runs::found(conn, wanted).await?;
        Ok(Self { admission: Admission::new(found), rows: Vec::new() })
    }

    /// Checks `append`, and takes it in unless it must be refused.
    pub(super) async fn admit(
        &mut self,
        conn: &mut Conn<'_, Sqlite>,
        append: &mut Prepared,
    ) -> sqlx::Result<Result<(), AppendError>> {
        if let Err(refusal) = self.admission.admit(append) {
            return Ok(Err(refusal));
        }
        if !append.rows.is_empty() {
            self.rows.append(&mut append.rows);
            for blob in &append.blobs {
                blobs::write(conn, blob).await?;
            }
        }
        Ok(Ok(()))
    }

    /// Writes what was gathered.
    pub(super) async fn flush(self, conn: &mut SqliteConnection) -> sqlx::Result<()> {
        let rows =
            runs::write(&mut Conn::<Sqlite>::new(conn), self.admission.into_changes()).await?;
        events::insert(conn, self.rows, &rows).await
    }
}
