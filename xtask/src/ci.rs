//! `cargo xtask ci`: runs every check, whatever the others found, and changes nothing.

use std::{io::Write, process::ExitCode, time::Duration};

use crate::{
    checks::{self, Check, Verdict},
    project::Project,
    stopwatch::Stopwatch,
};

/// Runs all checks, shows each with its time, and fails if one failed.
pub(crate) fn run(project: &Project, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    run_checks(&checks::ALL, project, out)
}

fn run_checks(
    checks: &[Check],
    project: &Project,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let whole = Stopwatch::start();
    let (mut failed, mut not_run) = (Vec::new(), Vec::new());
    for check in checks {
        write!(out, "{:<10}", check.name)?;
        out.flush()?; // before a check that may take minutes
        let stopwatch = Stopwatch::start();
        let verdict = (check.run)(project).unwrap_or_else(could_not_run);
        show(&verdict, stopwatch.elapsed(), out)?;
        match verdict {
            Verdict::Passed(_) => {}
            Verdict::NotRun(_) => not_run.push(check.name),
            Verdict::Failed { repair, .. } => failed.push((check.name, repair)),
        }
    }
    summarise(checks.len(), &not_run, &failed, whole.elapsed(), out)?;
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A check that could not run has not passed.
fn could_not_run(error: anyhow::Error) -> Verdict {
    Verdict::Failed { output: format!("{error:#}"), repair: "see the message above".to_owned() }
}

fn show(verdict: &Verdict, time: Duration, out: &mut impl Write) -> anyhow::Result<()> {
    let seconds = time.as_secs_f64();
    match verdict {
        Verdict::Passed(note) => writeln!(out, "ok     {seconds:>6.1} s  {note}")?,
        Verdict::NotRun(reason) => writeln!(out, "NOT RUN {seconds:>5.1} s  {reason}")?,
        Verdict::Failed { output, repair } => {
            writeln!(out, "FAILED {seconds:>6.1} s")?;
            for line in output.trim_end().lines() {
                writeln!(out, "  | {line}")?;
            }
            writeln!(out, "  repair: {repair}")?;
        }
    }
    Ok(())
}

fn summarise(
    count: usize,
    not_run: &[&str],
    failed: &[(&str, String)],
    time: Duration,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let passed = count - failed.len() - not_run.len();
    let seconds = time.as_secs_f64();
    write!(out, "{count} checks in {seconds:.0} s: {passed} passed, ")?;
    if !not_run.is_empty() {
        write!(out, "{} NOT RUN ({}), ", not_run.len(), not_run.join(", "))?;
    }
    writeln!(out, "{} failed", failed.len())?;
    for (name, repair) in failed {
        writeln!(out, "  {name}: {repair}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    const PASSES: Check = Check { name: "passes", run: |_| Ok(Verdict::Passed("7 seen".into())) };
    const FAILS: Check = Check { name: "fails", run: |_| Ok(Verdict::failed("line 1", "mend")) };
    const BREAKS: Check = Check { name: "breaks", run: |_| bail!("no such tool") };

    fn outcome(checks: &[Check]) -> (ExitCode, String) {
        let mut out = Vec::new();
        let code = run_checks(checks, &Project::find().unwrap(), &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn all_checks_run_after_a_failure() {
        let (code, text) = outcome(&[FAILS, BREAKS, PASSES]);
        assert_eq!(code, ExitCode::FAILURE);
        for part in ["| line 1", "repair: mend", "| no such tool", "7 seen", "1 passed, 2 failed"] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }

    #[test]
    fn a_clean_tree_succeeds() {
        let (code, text) = outcome(&[PASSES]);
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(text.ends_with("1 checks in 0 s: 1 passed, 0 failed\n"), "{text}");
    }
}
