//! What reaches the database that a project names.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};
use std::{fs, thread};

use crate::support::{Project, WORKERS, sleeping};

/// The request for TLS, which comes before all else.
const TLS: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];
/// What a server answers that wants the password in clear.
const PASSWORD: &[u8] = &[b'R', 0, 0, 0, 8, 0, 0, 0, 3];

/// A server that has no TLS, asks for the password in clear, and lets nobody in.
struct FakePostgres {
    port: u16,
    heard: Receiver<String>,
}

impl FakePostgres {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, heard) = channel();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                // The client ends when the stream is closed, and then everything must be here.
                let _ = sender.send(talk(&mut stream));
            }
        });
        Self { port, heard }
    }

    /// Returns what the clients that came have said.
    fn heard(&self) -> Vec<String> {
        self.heard.try_iter().collect()
    }
}

/// Returns all that a client says: its parameters and its password.
fn talk(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let message = &buffer[..count];
        said.extend(message);
        let answered = match message {
            TLS => stream.write_all(b"N"),
            [b'p', ..] => break,
            _ => stream.write_all(PASSWORD),
        };
        if answered.is_err() {
            break;
        }
    }
    String::from_utf8_lossy(&said).replace('\0', " ")
}

/// Runs a task whose runs are to be kept at `address`, with variables in the environment; returns what it wrote to stderr, and what
/// the server heard.
fn run(address: &str, variables: &[(&str, &str)]) -> (String, Vec<String>) {
    let server = FakePostgres::start();
    let config = format!("store: {}\n{WORKERS}", address.replace("PORT", &server.port.to_string()));
    let project = Project::new(&[
        ("orch.yaml", &config),
        ("task.yaml", &sleeping(1, 0.0)),
        (".pgpass", "*:*:*:*:secret-from-file\n"),
    ]);
    fs::set_permissions(project.path().join(".pgpass"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = project.command(&["run", "task.yaml"]);
    command.env("HOME", project.path()).envs(variables.iter().copied());
    let done = crate::support::Done::from_command(&mut command);
    assert_ne!(done.code, 0, "{}", done.stderr);
    (done.stderr, server.heard())
}

#[test]
fn a_projects_database_gets_nothing_that_its_address_does_not_say() {
    let variables = [
        ("PGPASSWORD", "secret-password"),
        ("PGUSER", "secret-user"),
        ("PGDATABASE", "secret-database"),
        ("PGAPPNAME", "secret-application"),
        ("PGHOST", "secret-host.invalid"),
        ("PGPORT", "1"),
        ("PGSSLMODE", "disable"),
        ("PGSSLROOTCERT", "/secret/certificate"),
    ];
    for (address, variables) in [
        ("postgres://127.0.0.1:PORT", &variables[..]),
        ("postgres://me@127.0.0.1:PORT/runs", &variables[..]),
        ("postgres://me@127.0.0.1:PORT/runs", &[]),
    ] {
        let (stderr, heard) = run(address, variables);
        assert_eq!(heard.len(), 1, "{address} {heard:?}\n{stderr}");
        assert!(!heard[0].contains("secret"), "{address}: {heard:?}");
        assert!(heard[0].contains("application_name orch "), "{heard:?}");
        if address.contains("me@") {
            assert!(heard[0].contains("user me database runs "), "{heard:?}");
        }
    }
    let (_, heard) = run("postgres://me:its-own@127.0.0.1:PORT/runs", &variables);
    assert!(heard[0].contains("its-own"), "{heard:?}");
}

#[test]
fn a_variable_that_the_driver_would_use_anyway_is_refused_by_name() {
    for variable in ["PGOPTIONS", "PGSSLCERT", "PGSSLKEY"] {
        let (stderr, heard) = run("postgres://me@127.0.0.1:PORT/runs", &[(variable, "/secret")]);
        assert!(heard.is_empty(), "{heard:?}");
        assert!(
            stderr.contains(&format!("the environment variable {variable} is set")),
            "{stderr}"
        );
    }
}
