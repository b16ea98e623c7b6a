//! The conformance suite of MCP against the real binary over HTTP.

use std::path::Path;

use crate::client::Project;
use crate::http_server::HttpServer;
use crate::inspector::node_command;
use crate::install;

/// What must pass. Everything else that the suite has is in `tests/conformance.yml`, with the reason; the suite fails when one
/// of those passes, or when anything that is not among them fails.
const PASSING: [&str; 7] = [
    "server-initialize",
    "ping",
    "tools-list",
    "server-sse-multiple-streams",
    "resources-list",
    "prompts-list",
    "dns-rebinding-protection",
];

#[test]
fn the_conformance_suite_finds_what_is_expected() {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    let server = HttpServer::start(&project, &[]);
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance.yml");
    let mut suite = node_command(&project, "conformance");
    suite.args(["server", "--url", &server.url(), "--expected-failures"]).arg(expected);
    let said = install::run(&mut suite);
    let passed: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("✓ ")?.split_once(": ").map(|(name, _)| name))
        .collect();
    assert_eq!(passed, PASSING, "{said}");
}
