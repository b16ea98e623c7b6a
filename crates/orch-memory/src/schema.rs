//! Tables that belong together and migrate together. Journal and memory may be in one place or in two.

use sqlx::migrate::Migrator;

use crate::sql::{Conn, Dialect, sql};

/// The migrations of some tables.
pub(crate) struct Schema {
    pub(crate) migrations: fn() -> Migrator,
    /// The table that says which migrations a place has; its name is ours, since there may be other tenants.
    pub(crate) table: &'static str,
    /// Reads version and checksum of the last migration from it.
    pub(crate) applied: &'static str,
}

/// How the tables are that a place has.
pub(crate) enum Tables {
    Missing,
    /// Of an earlier version, which migrations bring up to date.
    Older,
    Current,
    /// Of a version before the first migration, or of a build that was never released: nothing brings them up to date.
    Outdated,
    Newer {
        version: i64,
        known: i64,
    },
}

impl Schema {
    /// Returns the migrations.
    pub(crate) fn migrations(&self) -> Migrator {
        let mut migrations = (self.migrations)();
        migrations.dangerous_set_table_name(self.table);
        migrations
    }

    /// Looks at the tables, by reading only.
    pub(crate) async fn look<D: Dialect>(&self, conn: &mut Conn<'_, D>) -> sqlx::Result<Tables> {
        if !table_exists(conn, self.table).await? {
            return Ok(Tables::Missing);
        }
        let applied: Option<(i64, Vec<u8>)> = sql(self.applied).fetch_optional(conn).await?;
        let Some((version, checksum)) = applied else { return Ok(Tables::Missing) };
        let migrations = self.migrations();
        let known = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
        if version > known {
            return Ok(Tables::Newer { version, known });
        }
        let same = migrations.iter().find(|migration| migration.version == version);
        Ok(match same.filter(|migration| *migration.checksum == *checksum) {
            None => Tables::Outdated,
            Some(_) if version < known => Tables::Older,
            Some(_) => Tables::Current,
        })
    }
}

/// Tells whether there is a table with this name.
pub(crate) async fn table_exists<D: Dialect>(
    conn: &mut Conn<'_, D>,
    name: &str,
) -> sqlx::Result<bool> {
    let found: Option<Option<String>> = sql(D::FIND_TABLE).bind(name).fetch_optional(conn).await?;
    Ok(found.flatten().is_some())
}
