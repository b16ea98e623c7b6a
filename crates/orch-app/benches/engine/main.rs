//! Measures one figure of the engine or of a floor beneath it: `cargo xtask bench engine` runs a process per figure.
//!
//! Arguments: `SUBJECT STORE SHAPE N`, for example `engine sqlite-normal fan 1000`; one line of JSON comes out. The engine's
//! start is not counted, the building of the plan is.

mod engine;
mod figure;
mod floor;
mod process;

fn main() -> std::process::ExitCode {
    figure::main(&|| None)
}
