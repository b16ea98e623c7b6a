//! `cargo xtask soak bugs`: every planted bug must be caught by the simulator.

use std::io::Write;

use anyhow::ensure;

use crate::bugs::{MAX_CASES, PlantedBug, ScratchCopy};
use crate::project::Project;

/// Plays the engine as it is, in which all laws must hold, and then each planted bug, which must be caught in the same cases.
pub(super) fn run(project: &Project, out: &mut impl Write) -> anyhow::Result<String> {
    let planted = PlantedBug::read_all(project)?;
    let copy = ScratchCopy::new(project)?;
    if let Some(caught) = copy.simulate()? {
        anyhow::bail!("the engine without a planted bug breaks {}", caught.law);
    }
    writeln!(out, "no bug: all laws hold in {MAX_CASES} cases")?;
    let mut missed = Vec::new();
    for bug in &planted {
        match copy.play(bug).and_then(|caught| bug.judge(caught)) {
            Ok(caught) => {
                writeln!(
                    out,
                    "{}: caught after {} cases by {}",
                    bug.name, caught.cases, caught.law
                )?;
            }
            Err(error) => {
                writeln!(out, "{}: {error:#}", bug.name)?;
                missed.push(bug.name.as_str());
            }
        }
    }
    ensure!(missed.is_empty(), "not caught: {}", missed.join(", "));
    Ok(format!("{} planted bugs caught", planted.len()))
}
