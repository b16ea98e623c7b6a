//! Statements with their values.

use std::borrow::Cow;
use std::fmt::Write as _;

use orch_core::BoxError;
use serde::Serialize;
use sqlx::{Arguments as _, AssertSqlSafe, SqlSafeStr as _};

use super::{Conn, Dialect, FromColumns, Value};

/// A statement with its values, which are `$1`, `$2`, .. in the text.
pub(crate) struct Statement<D: Dialect> {
    text: Cow<'static, str>,
    arguments: Result<D::Arguments, BoxError>,
}

/// Begins a statement.
pub(crate) fn sql<D: Dialect>(text: impl Into<Cow<'static, str>>) -> Statement<D> {
    Statement { text: text.into(), arguments: Ok(D::Arguments::default()) }
}

/// Puts the rows of the list that [`bind_list`](Statement::bind_list) binds first in the place of `{list}`; each is `u.value`.
pub(crate) fn with_list<D: Dialect>(text: &str) -> String {
    text.replace("{list}", D::LIST)
}

impl<D: Dialect> Statement<D> {
    /// Binds a list, whose items have their parts at the places `u.value ->> 0`, `u.value ->> 1`, ..
    pub(crate) fn bind_list(self, list: impl Serialize) -> Self {
        self.bind(serde_json::to_string(&list).expect("texts and numbers have a JSON form"))
    }

    /// Binds the next value.
    pub(crate) fn bind<'v>(mut self, value: impl Into<Value<'v>>) -> Self {
        self.add(value.into());
        self
    }

    /// Goes on with `text`, which is made of constants.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Goes on with a placeholder, and binds its value.
    pub(crate) fn push_bind<'v>(&mut self, value: impl Into<Value<'v>>) -> &mut Self {
        self.add(value.into());
        let count = self.arguments.as_ref().map_or(0, |arguments| arguments.len());
        write!(self.text.to_mut(), "${count}").expect("a string takes every text");
        self
    }

    /// Goes on with a list of placeholders in parentheses, and binds their values.
    pub(crate) fn push_list<'v>(
        &mut self,
        values: impl IntoIterator<Item: Into<Value<'v>>>,
    ) -> &mut Self {
        let mut between = "(";
        for value in values {
            self.push(between).push_bind(value);
            between = ", ";
        }
        self.push(")")
    }

    fn add(&mut self, value: Value<'_>) {
        if let Ok(arguments) = &mut self.arguments
            && let Err(error) = D::bind(arguments, value)
        {
            self.arguments = Err(error);
        }
    }

    /// Executes it, and returns how many rows it has changed.
    pub(crate) async fn execute(self, conn: &mut Conn<'_, D>) -> sqlx::Result<u64> {
        let arguments = self.arguments.map_err(sqlx::Error::Encode)?;
        D::execute(conn.0, AssertSqlSafe(self.text).into_sql_str(), arguments).await
    }

    /// Executes it, and returns all rows.
    pub(crate) async fn fetch_all<R: FromColumns>(
        self,
        conn: &mut Conn<'_, D>,
    ) -> sqlx::Result<Vec<R>> {
        let arguments = self.arguments.map_err(sqlx::Error::Encode)?;
        let text = AssertSqlSafe(self.text).into_sql_str();
        let rows = D::fetch_all(conn.0, text, arguments).await?;
        rows.iter().map(R::from_columns::<D>).collect()
    }

    /// Executes it, and returns the first row.
    pub(crate) async fn fetch_optional<R: FromColumns>(
        self,
        conn: &mut Conn<'_, D>,
    ) -> sqlx::Result<Option<R>> {
        Ok(self.fetch_all(conn).await?.into_iter().next())
    }
}
