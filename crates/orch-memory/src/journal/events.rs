//! The rows of events, read in pages and checked along their chain.

use orch_core::journal::{JournalError, Readable};
use orch_core::{RunId, Seq};

use super::Reader;
use super::blobs;
use super::chain::{self, Link};
use super::stored::{PAGE, StoredEvent, event_corrupt};
use crate::error::failed_to;
use crate::sql::{Conn, Dialect, row, sql};

row! {
    /// Where a run stands, as its row says.
    struct Head {
        id: i64,
        seq: i64,
        digest: String,
    }
}

impl<D: Dialect> Reader<D> {
    /// Loads the events of `run` after `after`, up to the first that cannot be read.
    pub(crate) async fn load(&self, run: RunId, after: Seq) -> Result<Readable, JournalError> {
        let doing = || format!("load run {run}");
        let failed = |source| failed_to(doing(), source);
        let mut conn = self.connection(doing).await?;
        let conn = &mut Conn::from(&mut conn);
        let after = after.0.cast_signed();
        // Read before the events, so that at least as many of these are there.
        let head =
            sql("SELECT id, seq, digest FROM orch_runs WHERE run = $1").bind(run.to_string());
        let head: Option<Head> = head.fetch_optional(conn).await.map_err(failed)?;
        let Some(head) = head.filter(|head| head.seq > after) else { return Ok(Readable::new()) };
        let mut walk =
            Walk { run, last: after, link: chain::START, readable: Readable::new(), head };
        if after > 0 {
            let before = "SELECT digest FROM orch_events WHERE run = $1 AND seq = $2";
            let before = sql(before).bind(walk.head.id).bind(after);
            let before: Option<Vec<u8>> = before.fetch_optional(conn).await.map_err(failed)?;
            match before.and_then(|digest| digest.try_into().ok()) {
                Some(link) => walk.link = link,
                None => return Ok(walk.broken(after, "it is missing, or its digest is")),
            }
        }
        loop {
            let page = match page(conn, walk.head.id, walk.last).await {
                Ok(page) => page,
                Err(error) if is_damage(&error) => {
                    let next = walk.last + 1;
                    return Ok(walk.broken(next, "it or one soon after it cannot be decoded"));
                }
                Err(error) => return Err(failed(error)),
            };
            let is_last = page.len() < usize::try_from(PAGE).expect("a page is small");
            for row in page {
                if let Err(error) = walk.step(conn, row).await? {
                    walk.readable.broken = Some(error);
                    return Ok(walk.readable);
                }
            }
            if is_last {
                return Ok(walk.end());
            }
        }
    }
}

/// Tells whether a row was read and makes no sense: SQLite keeps what is not text in a column of text.
fn is_damage(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
}

async fn page<D: Dialect>(
    conn: &mut Conn<'_, D>,
    run: i64,
    after: i64,
) -> sqlx::Result<Vec<StoredEvent>> {
    let text = format!(
        "SELECT seq, version, at, {}, blob, digest FROM orch_events \
         WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        D::BODY
    );
    sql(text).bind(run).bind(after).bind(PAGE).fetch_all(conn).await
}

/// A way along the events of a run.
struct Walk {
    run: RunId,
    head: Head,
    /// The last event that was read.
    last: i64,
    /// Its digest.
    link: Link,
    readable: Readable,
}

impl Walk {
    /// Takes the next event; the inner error says why it, and so what follows, cannot be read.
    async fn step<D: Dialect>(
        &mut self,
        conn: &mut Conn<'_, D>,
        row: StoredEvent,
    ) -> Result<Result<(), JournalError>, JournalError> {
        let seq = self.last + 1;
        if row.seq != seq {
            return Ok(Err(event_corrupt(self.run, seq, "it is missing")));
        }
        let link = chain::link(&self.link, &row.content(self.run));
        let is_head = seq == self.head.seq;
        if row.digest != link || is_head && self.head.digest != chain::to_text(&link) {
            return Ok(Err(event_corrupt(self.run, seq, "it does not match its digest")));
        }
        let blob = match row.blob(self.run).map(|hash| hash.map(|hash| blobs::read(conn, hash))) {
            Err(error) => return Ok(Err(error)),
            Ok(None) => None,
            Ok(Some(read)) => match read.await {
                Err(error @ JournalError::Corrupt { .. }) => return Ok(Err(error)),
                read => read?,
            },
        };
        match row.into_recorded(self.run, blob) {
            Err(error) => return Ok(Err(error)),
            Ok(recorded) => self.readable.events.push(recorded),
        }
        (self.last, self.link) = (seq, link);
        Ok(Ok(()))
    }

    fn broken(mut self, seq: i64, reason: &str) -> Readable {
        self.readable.broken = Some(event_corrupt(self.run, seq, reason));
        self.readable
    }

    fn end(self) -> Readable {
        let missing = self.last + 1;
        if missing <= self.head.seq { self.broken(missing, "it is missing") } else { self.readable }
    }
}
