//! From the URL of a database to what the driver is told.
//!
//! The URL alone says where the database is, who connects, and how. The driver would fill in what a URL leaves out from `PGHOST`,
//! `PGUSER`, `PGPASSWORD`, .. and from `~/.pgpass`. A project's configuration may name any server, which must not get the
//! passwords that its user keeps for other servers. So every value that the driver took from there is replaced by a fixed one.

use std::env;
use std::net::IpAddr;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::open::PostgresError;

/// What a URL may say after its `?`. Others are refused here: the driver would log them with their values.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// The host of a URL that names none.
const DEFAULT_HOST: &str = "localhost";
/// The port of a URL that names none.
const DEFAULT_PORT: u16 = 5432;
/// What the server is told to call its client.
const APPLICATION_NAME: &str = "orch";

/// Variables that the driver reads and that no value can replace, each with the parameters of a URL that do. Nothing replaces
/// `PGOPTIONS`: a URL adds to it.
const IRREPLACEABLE: [(&str, &[&str]); 3] = [
    ("PGSSLCERT", &["sslcert", "ssl-cert"]),
    ("PGSSLKEY", &["sslkey", "ssl-key"]),
    ("PGOPTIONS", &[]),
];

/// Reads the URL of a database. What it leaves out has a fixed value: host `localhost`, port 5432, the user of the system, a
/// database of the user's name, no password. Off the machine TLS is `verify-full` unless the URL has an `sslmode`; on it, `prefer`.
pub(super) fn connect_options(text: &str) -> Result<PgConnectOptions, PostgresError> {
    let url = Url::parse(text).map_err(|source| PostgresError::Url { source: source.into() })?;
    let parameters: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let says = |names: &[&str]| parameters.iter().any(|name| names.contains(&name.as_str()));
    let is_known =
        |name: &String| PARAMETERS.contains(&name.as_str()) || name.starts_with("options[");
    if let Some(name) = parameters.iter().find(|name| !name.is_empty() && !is_known(name)) {
        return Err(PostgresError::Parameter { name: name.clone() });
    }
    for (variable, instead) in IRREPLACEABLE {
        if env::var_os(variable).is_some() && !says(instead) {
            return Err(PostgresError::Environment { variable });
        }
    }
    let mut options = PgConnectOptions::from_str(text)
        .map_err(|source| PostgresError::Url { source: source.into() })?;
    if url.host_str().is_none_or(str::is_empty) && !says(&["host", "hostaddr"]) {
        options = options.host(DEFAULT_HOST);
    }
    if url.port().is_none() && !says(&["port"]) {
        options = options.port(DEFAULT_PORT);
    }
    if url.username().is_empty() && !says(&["user"]) {
        let user =
            whoami::username().map_err(|source| PostgresError::User { source: source.into() })?;
        options = options.username(&user);
    }
    if url.path().trim_start_matches('/').is_empty() && !says(&["dbname"]) {
        let user = options.get_username().to_owned();
        options = options.database(&user);
    }
    if url.password().is_none() && !says(&["password"]) {
        options = options.password("");
    }
    if !says(&["sslrootcert", "ssl-root-cert", "ssl-ca"]) {
        options = options.ssl_root_cert_from_pem(Vec::new());
    }
    if !says(&["sslmode", "ssl-mode"]) {
        let mode = if is_local(&options) { PgSslMode::Prefer } else { PgSslMode::VerifyFull };
        options = options.ssl_mode(mode);
    }
    if !says(&["application_name"]) {
        options = options.application_name(APPLICATION_NAME);
    }
    Ok(options)
}

/// Whether nobody between here and the server can read what is sent: a socket of the machine, or its loopback address.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    options.get_socket().is_some()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case(DEFAULT_HOST)
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_verified_off_the_machine_unless_the_url_says_otherwise() {
        for (url, mode) in [
            ("postgres://u@127.0.0.1/d", "Prefer"),
            ("postgres://u@127.8.9.1:1/d", "Prefer"),
            ("postgres://u@[::1]/d", "Prefer"),
            ("postgres://u@LOCALHOST/d", "Prefer"),
            ("postgres:///d", "Prefer"),
            ("postgres:///d?host=/run/postgresql", "Prefer"),
            ("postgres://u@%2Frun%2Fpostgresql/d", "Prefer"),
            ("postgres://u@db.test/d", "VerifyFull"),
            ("postgres://u@10.0.0.1/d", "VerifyFull"),
            ("postgres://u@[2001:db8::1]/d", "VerifyFull"),
            ("postgres://u@localhost.evil.test/d", "VerifyFull"),
            ("postgres://u@localhost/d?host=db.test", "VerifyFull"),
            ("postgres://u@localhost/d?hostaddr=10.0.0.1", "VerifyFull"),
            ("postgres://u@db.test/d?sslmode=require", "Require"),
            ("postgres://u@db.test/d?ssl-mode=disable", "Disable"),
            ("postgres://u@127.0.0.1/d?sslmode=verify-full", "VerifyFull"),
        ] {
            let options = connect_options(url).unwrap();
            assert_eq!(format!("{:?}", options.get_ssl_mode()), mode, "{url}");
        }
    }

    #[test]
    fn what_a_url_leaves_out_has_a_fixed_value() {
        let user = whoami::username().unwrap();
        for (url, host, port, name, database) in [
            ("postgres://u@h:1/d", "h", 1, "u", "d"),
            ("postgres://u@h", "h", 5432, "u", "u"),
            ("postgres://h/d", "h", 5432, user.as_str(), "d"),
            ("postgres:///", "localhost", 5432, user.as_str(), user.as_str()),
            ("postgres:///?host=h&port=2&user=v&dbname=e", "h", 2, "v", "e"),
        ] {
            let options = connect_options(url).unwrap();
            assert_eq!((options.get_host(), options.get_port()), (host, port), "{url}");
            assert_eq!(options.get_username(), name, "{url}");
            assert_eq!(options.get_database(), Some(database), "{url}");
            assert_eq!(options.get_application_name(), Some("orch"), "{url}");
        }
    }
}
