//! Tests of a crate's integration binary, run as a soak.

use std::io::{BufRead as _, BufReader, Write};
use std::process::Stdio;

use anyhow::{Context as _, ensure};

use crate::project::{Project, words};

/// Tests that are run together, with what the environment tells them.
pub(super) struct Suite<'a> {
    /// The crate whose `tests/it` holds them.
    pub(super) package: &'a str,
    /// Their full names, `MODULE::TEST`.
    pub(super) tests: &'a [&'a str],
    /// Variables that make them long.
    pub(super) environment: &'a [(&'a str, String)],
}

impl Suite<'_> {
    /// Runs the tests, one after the other, and hands on what they print. A test that would be skipped fails, and so does one that no
    /// longer exists under its name.
    pub(super) fn run(&self, project: &Project, out: &mut impl Write) -> anyhow::Result<()> {
        let mut command = project.cargo(["test", "--locked", "--quiet", "--test", "it"]);
        command.args(["--package", self.package, "--", "--exact", "--test-threads", "1"]);
        command.args(["--format", "pretty"]).args(self.tests);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("ORCH_TEST_REQUIRED", "1").stdout(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", words(&command)))?;
        let stdout = child.stdout.take().context("the tests have no output")?;
        let mut passed = 0;
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            passed += tests_passed(&line);
            writeln!(out, "{line}")?;
        }
        let status = child.wait()?;
        ensure!(status.success(), "{} failed with {status}", words(&command));
        let all = self.tests.len();
        ensure!(passed == all, "{passed} of {all} tests ran: {}", self.tests.join(", "));
        Ok(())
    }
}

/// Returns how many tests a line of the test harness says to have passed.
fn tests_passed(line: &str) -> usize {
    let passed =
        line.strip_prefix("test result: ok. ").and_then(|rest| rest.split_once(" passed;"));
    passed.and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::tests_passed;

    #[test]
    fn only_the_line_of_the_result_counts() {
        for (line, expected) in [
            ("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 99 filtered out", 2),
            ("test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 99 filtered out", 0),
            ("running 2 tests", 0),
            ("", 0),
        ] {
            assert_eq!(tests_passed(line), expected, "{line}");
        }
    }
}
