//! `cargo xtask test`: everything set up, then every test of the workspace.

use anyhow::Result;

use crate::build::{self, Profile};
use crate::command::{program, run, workspace};
use crate::guest;
use crate::setup::{self, Need};

/// Sets up, builds, and runs all tests; `args` go to `cargo test` (a filter, or `-p CRATE`).
pub fn run_all(args: &[String]) -> Result<()> {
    setup::install(Need::Everything)?;
    guest::ready()?;
    build::daemons(Profile::Debug)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = program(cargo);
    command.current_dir(workspace()).args(["test", "--no-fail-fast"]);
    if !args.iter().any(|it| it == "-p" || it == "--package") {
        command.arg("--workspace");
    }
    run(command.args(args))
}
