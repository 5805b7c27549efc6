//! The ledgers of what is not done, in `tests/coverage`. The tests that read them also write them; this calls those.

use anyhow::Result;

use crate::command::{program, run, workspace};

/// Fails when a ledger is not true.
pub fn check() -> Result<()> {
    cargo_test(false)
}

/// Writes the ledgers anew, from what is there.
pub fn write() -> Result<()> {
    cargo_test(true)
}

fn cargo_test(update: bool) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = program(cargo);
    command.current_dir(workspace()).args(["test", "-p", "virtbus-tests", "--test", "coverage"]);
    if update {
        command.env("UPDATE_GOLDEN", "1");
    }
    run(&mut command)
}
