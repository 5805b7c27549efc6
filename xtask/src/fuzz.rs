//! `cargo xtask fuzz`: the targets of `tests/fuzz` under libFuzzer, on the stable compiler.
//!
//! `cargo fuzz` would do the same with a nightly one; the coverage that guides the fuzzer needs only flags of the
//! code generator.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{program, run, target_dir, workspace};
use crate::setup::{self, Need};

/// The targets, each a program.
pub const TARGETS: [&str; 6] = ["frame", "row", "xml", "qmp", "documents", "image"];

/// What `cargo fuzz` passes as well, without its sanitizer: there is no unsafe code in what is fuzzed.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Runs the targets (or the one named) for so many seconds each, as many at once as there are processors.
pub fn run_targets(only: Option<&str>, seconds: u32) -> Result<()> {
    let targets: Vec<_> = TARGETS.into_iter().filter(|it| only.is_none_or(|only| only == *it)).collect();
    if targets.is_empty() {
        bail!("the targets are {}", TARGETS.join(", "));
    }
    setup::install(Need::Everything)?;
    let target = env!("TARGET");
    let dir = target_dir().join("fuzz");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = program(cargo);
    build.current_dir(workspace().join("tests/fuzz")).env("CARGO_TARGET_DIR", &dir).env("RUSTFLAGS", FLAGS);
    run(build.args(["build", "--quiet", "--release", "--bins", "--target", target]))?;
    let programs = dir.join(target).join("release");
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    for group in targets.chunks(at_once) {
        let results: Vec<Result<()>> = std::thread::scope(|scope| {
            let one = |name: &&'static str| {
                let (name, programs, dir) = (*name, &programs, &dir);
                scope.spawn(move || fuzz(name, programs, dir, seconds))
            };
            let threads: Vec<_> = group.iter().map(one).collect();
            threads.into_iter().map(|it| it.join().unwrap_or_else(|_| bail!("a runner failed"))).collect()
        });
        results.into_iter().collect::<Result<()>>()?;
    }
    Ok(())
}

fn fuzz(name: &str, programs: &Path, dir: &Path, seconds: u32) -> Result<()> {
    let corpus = dir.join("corpus").join(name);
    let findings = dir.join("findings").join(name);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&findings)?;
    let log = dir.join(format!("{name}.log"));
    let out = fs::File::create(&log)?;
    let mut command = Command::new(programs.join(name));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg("-max_len=16384")
        .arg("-timeout=10")
        .arg("-rss_limit_mb=2048");
    command.arg(format!("-artifact_prefix={}/", findings.display())).arg(&corpus);
    let seeds = workspace().join("tests/fuzz/seeds").join(name);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let status = command.stdout(out.try_clone()?).stderr(out).status()?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let last: Vec<_> = text.lines().rev().take(if status.success() { 1 } else { 40 }).collect();
    let shown = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    println!("fuzz {name}: {shown}");
    if !status.success() {
        bail!("{name} failed; the input is in {}", findings.display());
    }
    Ok(())
}
