//! Which runs a filter lets through, the same for every database.

use orch_core::journal::RunFilter;
use sqlx::{Database, Encode, QueryBuilder, Type};

use crate::stored::StoredRun;

/// How many runs are listed when the filter does not say.
const LISTED: u32 = 100;

/// Returns the query for the runs that `filter` lets through, newest first.
pub(crate) fn listing<DB: Database>(filter: &RunFilter) -> QueryBuilder<DB>
where
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(StoredRun::SELECT);
    query.push("true");
    if let Some(project) = &filter.project {
        query.push(" AND r.project = ").push_bind(project.as_str().to_owned());
    }
    if filter.open {
        query.push(" AND r.phase <> 'ended'");
    }
    begins(&mut query, "r.run", filter.prefix.as_deref());
    begins(&mut query, "r.request_key", filter.request_prefix.as_deref());
    if let Some(before) = filter.before {
        // Ids sort by time.
        query.push(" AND r.run < ").push_bind(before.to_string());
    }
    let limit = if filter.limit == 0 { LISTED } else { filter.limit };
    query.push(" ORDER BY r.run DESC LIMIT ").push_bind(i64::from(limit));
    query
}

/// All texts that begin so, as a range of the index: nothing sorts above the last code point, which Unicode keeps from ever being
/// a character.
fn begins<DB: Database>(query: &mut QueryBuilder<DB>, column: &str, prefix: Option<&str>)
where
    for<'q> String: Encode<'q, DB> + Type<DB>,
{
    if let Some(prefix) = prefix {
        query.push(format!(" AND {column} >= ")).push_bind(prefix.to_owned());
        query.push(format!(" AND {column} < ")).push_bind(format!("{prefix}{}", char::MAX));
    }
}
