//! The address of a PostgreSQL database, with secrets that stay in the environment.

use std::fmt;

use crate::error::AppError;

/// The address of a PostgreSQL database as it is written: `postgres://USER@HOST:PORT/DATABASE?PARAMETERS`.
///
/// `${NAME}` in it stands for an environment variable, whose value is percent-encoded where it is a part of the address; an
/// address that is nothing but `${NAME}` is the variable's value as it is. `Display` and `Debug` show neither password nor
/// parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the address with the variables filled in. It may hold a password.
    ///
    /// # Errors
    /// When the environment has no such variable.
    pub fn url(&self) -> Result<String, AppError> {
        self.filled_in(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn filled_in(&self, variable: impl Fn(&str) -> Option<String>) -> Result<String, AppError> {
        let value = |name: &str| {
            variable(name).ok_or_else(|| AppError::NoSecret {
                variable: name.to_owned(),
                what: self.to_string(),
            })
        };
        if let Some(name) = self.whole() {
            return value(name);
        }
        let mut url = String::new();
        let mut rest = self.0.as_str();
        while let Some((before, name, after)) = next_variable(rest) {
            url.push_str(before);
            url.push_str(&percent_encoded(&value(name)?));
            rest = after;
        }
        url.push_str(rest);
        Ok(url)
    }

    /// The variable that the whole address is.
    fn whole(&self) -> Option<&str> {
        match next_variable(&self.0)? {
            ("", name, "") => Some(name),
            _ => None,
        }
    }

    pub(super) fn fault(&self) -> Option<String> {
        if !cfg!(feature = "postgres") {
            return Some(
                "this build cannot keep runs in PostgreSQL: build it with the feature `postgres`"
                    .to_owned(),
            );
        }
        let mut rest = self.0.as_str();
        while let Some((_, name, after)) = next_variable(rest) {
            let is_name = !name.is_empty()
                && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
            if !is_name {
                return Some(format!("`${{{name}}}` names no environment variable"));
            }
            rest = after;
        }
        if rest.contains("${") {
            return Some("a `${` has no `}`".to_owned());
        }
        let is_url = self.whole().is_some() || self.0.contains("://");
        (!is_url).then(|| "is not a database URL: it has no scheme".to_owned())
    }
}

/// Splits a text at its first `${NAME}`: what is before it, the name, what is after it.
fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// Encodes everything that could mean something in a URL.
fn percent_encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str(&self.0) };
        let shown = rest.split(['?', '#']).next().unwrap_or_default();
        // A password may hold any of `/@?#` as it is, however wrong that is.
        match shown.rsplit_once('@') {
            None if rest.contains('@') => write!(f, "{scheme}://"),
            None => write!(f, "{scheme}://{shown}"),
            Some((user, host)) => {
                let user = user.split(':').next().unwrap_or_default();
                write!(f, "{scheme}://{user}@{host}")
            }
        }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str, filled_in: Result<&str, &str>) {
        let url = PostgresUrl::new(text);
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), format!("PostgresUrl({shown})"));
        let variable = |name: &str| match name {
            "PW" => Some("p@s/s:w?rd é".to_owned()),
            "URL" => Some("postgres://u:p%40@h/d".to_owned()),
            _ => None,
        };
        let found = url.filled_in(variable).map_err(|error| error.to_string());
        assert_eq!(found, filled_in.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn variables_are_filled_in_and_secrets_are_not_shown() {
        check("postgres://h/d", "postgres://h/d", Ok("postgres://h/d"));
        check("postgres://u@h:1/d", "postgres://u@h:1/d", Ok("postgres://u@h:1/d"));
        check(
            "postgres://u:secret@h/d?password=secret",
            "postgres://u@h/d",
            Ok("postgres://u:secret@h/d?password=secret"),
        );
        check("postgres://u:s/e@c@h/d", "postgres://u@h/d", Ok("postgres://u:s/e@c@h/d"));
        check("postgres://u:s?c@h/d", "postgres://", Ok("postgres://u:s?c@h/d"));
        check(
            "postgresql://u:${PW}@h/d",
            "postgresql://u@h/d",
            Ok("postgresql://u:p%40s%2Fs%3Aw%3Frd%20%C3%A9@h/d"),
        );
        check("${URL}", "${URL}", Ok("postgres://u:p%40@h/d"));
        check(
            "postgres://u:${GONE}@h/d",
            "postgres://u@h/d",
            Err("the environment variable GONE, the secret for postgres://u@h/d, is not set"),
        );
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn what_is_no_address_is_refused() {
        let fault = |text: &str| PostgresUrl::new(text).fault();
        for fine in ["postgres://u@h/d", "${URL}", "postgres://u:${PW}@${HOST_2}/d"] {
            assert_eq!(fault(fine), None, "{fine}");
        }
        for (text, expected) in [
            ("postgres://u:${PW@h/d", "a `${` has no `}`"),
            ("postgres://u:${P W}@h/d", "`${P W}` names no environment variable"),
            ("${}", "`${}` names no environment variable"),
            ("${A}${B}", "is not a database URL: it has no scheme"),
        ] {
            assert_eq!(fault(text).as_deref(), Some(expected), "{text}");
        }
    }
}
