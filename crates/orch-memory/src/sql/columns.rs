//! Rows as tuples and structs, by the places of their columns.

use super::Dialect;

/// What a column can be read as.
pub(crate) trait Column: Sized {
    /// Reads the column at this place.
    fn read<D: Dialect>(row: &D::Row, column: usize) -> sqlx::Result<Self>;
}

/// What a row can be read as.
pub(crate) trait FromColumns: Sized {
    /// Reads the columns from the first on.
    fn from_columns<D: Dialect>(row: &D::Row) -> sqlx::Result<Self>;
}

macro_rules! columns {
    ($($kind:ty => $read:ident),*) => { $(
        impl Column for Option<$kind> {
            fn read<D: Dialect>(row: &D::Row, column: usize) -> sqlx::Result<Self> {
                D::$read(row, column)
            }
        }

        impl Column for $kind {
            fn read<D: Dialect>(row: &D::Row, column: usize) -> sqlx::Result<Self> {
                D::$read(row, column)?.ok_or_else(|| null(column))
            }
        }

        impl FromColumns for Option<$kind> {
            fn from_columns<D: Dialect>(row: &D::Row) -> sqlx::Result<Self> {
                Self::read::<D>(row, 0)
            }
        }

        impl FromColumns for $kind {
            fn from_columns<D: Dialect>(row: &D::Row) -> sqlx::Result<Self> {
                Self::read::<D>(row, 0)
            }
        }
    )* };
}

columns! { String => text, i64 => integer, Vec<u8> => bytes }

fn null(column: usize) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_string(),
        source: Box::new(sqlx::error::UnexpectedNullError),
    }
}

macro_rules! tuples {
    ($(($($kind:ident $place:tt),*))*) => { $(
        impl<$($kind: Column),*> FromColumns for ($($kind,)*) {
            fn from_columns<D: Dialect>(row: &D::Row) -> sqlx::Result<Self> {
                Ok(($($kind::read::<D>(row, $place)?,)*))
            }
        }
    )* };
}

tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, E 3)
    (A 0, B 1, C 2, E 3, F 4)
    (A 0, B 1, C 2, E 3, F 4, G 5)
}

/// Declares a struct that is read from the columns of a row in the order of its fields.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$of:meta])* $seen:vis $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$of])* $seen $field: $kind,)* }

        impl $crate::sql::FromColumns for $name {
            fn from_columns<D: $crate::sql::Dialect>(row: &D::Row) -> sqlx::Result<Self> {
                let mut places = 0..;
                let mut next = || places.next().unwrap_or_default();
                Ok(Self { $($field: <$kind as $crate::sql::Column>::read::<D>(row, next())?,)* })
            }
        }
    };
}
pub(crate) use row;
