//! What a person can do about a database that does not do what it is asked.

use std::fmt;

/// Says what a database answered, and what to do about it where that is known.
#[expect(clippy::wildcard_enum_match_arm, reason = "an enum of another crate, which may grow")]
pub(crate) fn explain(error: &sqlx::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        sqlx::Error::Database(database) => f.write_str(database.message())?,
        sqlx::Error::Io(error) => write!(f, "no connection to the database: {error}")?,
        sqlx::Error::PoolTimedOut => f.write_str("no connection to the database in time")?,
        other => write!(f, "{other}")?,
    }
    match advice(error) {
        Some(advice) => write!(f, "; {advice}"),
        None => Ok(()),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an enum of another crate, which may grow")]
fn advice(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Database(database) => of_code(&database.code()?),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => {
            Some("check that its server runs and can be reached")
        }
        _ => None,
    }
}

/// PostgreSQL's codes have five characters, SQLite's are numbers below 10,000 whose low byte says what kind of error it is.
fn of_code(code: &str) -> Option<&'static str> {
    if code.len() == 5 {
        return of_postgres(code);
    }
    Some(match code.parse::<u32>().ok()? & 0xff {
        5 | 6 => "another program has locked the file of the store: wait for it, or end it",
        8 => "make the file of the store and its folder writable",
        10 => "check the disk of the store, and the limit on the size of files",
        11 | 26 => "the file of the store is damaged: restore it from a copy",
        13 => "free some space on the disk of the store",
        14 => "check that the file of the store and its folder exist and are writable",
        _ => return None,
    })
}

fn of_postgres(code: &str) -> Option<&'static str> {
    Some(match code {
        "25006" => {
            "the database only accepts reads, as a replica does: wait for the primary, or name it in `store`"
        }
        "3D000" => "create the database, or correct its name in `store`",
        "53100" => "free some space on the disk of the database server",
        "53300" => "the database server has no connection left: end others, or raise its limit",
        "55P03" => "another session holds a lock in the database: wait for it, or end it",
        _ if code.starts_with("28") => "check the user and the password in `store`",
        _ if code.starts_with("57P") => "wait until the database server is up again",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Explained(sqlx::Error);

    impl fmt::Display for Explained {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            explain(&self.0, f)
        }
    }

    #[test]
    fn what_a_person_can_do_is_said() {
        for (code, part) in [
            ("13", Some("free some space")),
            ("5", Some("locked")),
            ("517", Some("locked")),
            ("778", Some("limit on the size")),
            ("25006", Some("replica")),
            ("53100", Some("free some space")),
            ("28P01", Some("password")),
            ("57P03", Some("up again")),
            ("23505", None),
            ("19", None),
            ("", None),
        ] {
            match (of_code(code), part) {
                (Some(advice), Some(part)) => assert!(advice.contains(part), "{code}: {advice}"),
                (advice, part) => assert_eq!(advice, part, "{code}"),
            }
        }
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(
            Explained(sqlx::Error::Io(refused)).to_string(),
            "no connection to the database: connection refused; check that its server runs and can be reached"
        );
        assert_eq!(
            Explained(sqlx::Error::RowNotFound).to_string(),
            sqlx::Error::RowNotFound.to_string()
        );
    }
}
