//! `cargo xtask bench`: Virtbus and the reference side by side, in one run, with one client, in turns.
//!
//! Each case is a function of a [`Side`]; a round runs it on each side before the next round starts, so that what the
//! machine does in the background meets both. The numbers go to a table and to `target/bench/results.json`.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::build::{self, Profile};
use crate::command::target_dir;
use crate::setup::{self, Need};

mod bus;
mod calls;
mod definitions;
mod guests;
mod report;
mod side;

use definitions::KINDS;
use report::Report;
use side::Side;

/// What to run.
#[derive(Debug, Default)]
pub struct Options {
    /// Another daemon to compare with, by its URI (`qemu+unix:///system?socket=PATH`), instead of the installed reference.
    pub against: Option<String>,
    /// Only cases whose name contains this.
    pub only: Option<String>,
}

impl Options {
    fn wants(&self, case: &str) -> bool {
        self.only.as_deref().is_none_or(|it| case.contains(it))
    }
}

/// Names of the cases, grouped as they run.
const CALLS: [&str; 2] = ["call.lib-version", "call.info"];
const THROUGHPUT: &str = "throughput.8-connections";
const GUEST: [&str; 2] = ["guest.create-paused", "guest.destroy"];
const BUS: &str = "bus.get-state";

/// Runs the cases and prints the table.
pub fn run(options: &Options) -> Result<()> {
    setup::install(Need::Everything)?;
    eprintln!("bench: building the daemons with optimisations");
    build::daemons(Profile::Release)?;
    let dir = tempfile::Builder::new().prefix("virtbus-bench-").tempdir()?;
    let mut sides = sides(options, dir.path())?;
    let mut report = Report::default();

    if CALLS.iter().chain(&[THROUGHPUT, BUS]).any(|it| options.wants(it)) {
        calls::run(&mut sides, options, &mut report)?;
    }
    if GUEST.iter().any(|it| options.wants(it)) {
        guests::run(&mut sides, &mut report)?;
    }
    definitions::run(&mut sides, options, &mut report)?;
    if report.is_empty() {
        bail!(
            "no case is called like {:?}; there are {CALLS:?} {THROUGHPUT} {BUS} {GUEST:?} {:?}",
            options.only,
            KINDS.map(|it| it.0)
        );
    }
    for side in sides {
        side.stop()?;
    }
    print!("{}", report.table());
    let file = results_file()?;
    std::fs::write(&file, report.json()?)?;
    println!("\n{}", file.display());
    Ok(())
}

fn sides(options: &Options, dir: &std::path::Path) -> Result<Vec<Side>> {
    let ours = Side::ours(&dir.join("virtbus"))?;
    let other = match &options.against {
        Some(uri) => Side::foreign(uri)?,
        None => Side::reference(&dir.join("reference"))?,
    };
    Ok(vec![ours, other])
}

fn results_file() -> Result<PathBuf> {
    let dir = target_dir().join("bench");
    std::fs::create_dir_all(&dir)?;
    Ok(dir.join("results.json"))
}
