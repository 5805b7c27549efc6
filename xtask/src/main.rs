//! The command line of the project's own tools. It parses and calls; the work is in the library beside it.
#![allow(clippy::print_stderr, reason = "progress is for the person at the terminal")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::build::{self, Profile};
use xtask::setup::{self, Need};
use xtask::stack::{self, Network, Stack};
use xtask::{bench, demo, fuzz, guest, lab, ledgers, test, tidy};

/// The project's own tools.
#[derive(Parser, Debug)]
#[command(bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Boot a guest through the whole stack and show it: set-up included, cleaned up by Ctrl-C.
    Demo {
        /// End after the proof instead of waiting for Ctrl-C.
        #[arg(long)]
        once: bool,
    },
    /// Install what the machine lacks, and build the tiny guest.
    Setup,
    /// Set up, then run every test.
    Test {
        /// Goes to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Check what the compiler does not: crate edges, module docs, manifests, ledgers.
    Tidy,
    /// Write the ledgers of what is not done (tests/coverage) anew.
    Coverage,
    /// Compare with the reference, side by side in one run.
    Bench {
        /// Compare with the daemon behind this URI instead of the installed reference.
        #[arg(long, value_name = "URI")]
        against: Option<String>,
        /// Only cases whose name contains this.
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
    },
    /// Run the fuzz targets.
    Fuzz {
        /// Only this target.
        target: Option<String>,
        /// How long each one runs.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Boot a virtual machine with a full kernel and run scripts in it, or the lines of standard input.
    Lab {
        /// Run by bash, one after another.
        scripts: Vec<PathBuf>,
    },
    /// Start the stack below DIR and leave it running; source DIR/env to use it.
    Up {
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
        #[arg(long)]
        release: bool,
    },
    /// End the stack below DIR, with its guests; definitions stay.
    Down {
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
    },
}

fn main() -> ExitCode {
    match act(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(command: Command) -> Result<()> {
    match command {
        Command::Demo { once } => demo::show(once),
        Command::Setup => {
            setup::install(Need::Everything)?;
            guest::ready().map(drop)
        }
        Command::Test { args } => test::run_all(&args),
        Command::Bench { against, only } => bench::run(&bench::Options { against, only }),
        Command::Fuzz { target, seconds } => fuzz::run_targets(target.as_deref(), seconds),
        Command::Lab { scripts } => lab::show(&scripts),
        Command::Tidy => tidy::check(),
        Command::Coverage => ledgers::write(),
        Command::Up { root, release } => up(&root, if release { Profile::Release } else { Profile::Debug }),
        Command::Down { root } => stack::down(&root),
    }
}

/// What a package installs, so that guests have a network to be on.
const DEFAULT_NETWORK: &str = include_str!("../../virtnetworkd/default.xml");

fn up(root: &std::path::Path, profile: Profile) -> Result<()> {
    setup::install(Need::Demo)?;
    build::daemons(profile)?;
    stack::down(root)?;
    let networks = root.join("etc/libvirt/qemu/networks");
    if !networks.exists() {
        std::fs::create_dir_all(&networks)?;
        std::fs::write(networks.join("default.xml"), DEFAULT_NETWORK)?;
    }
    let stack = Stack::start(root, profile, Network::Host)?;
    let guest = guest::ready()?.copy_to(&stack.root().join("guest"))?;
    eprintln!("The stack is up. Use it with:  . {}/env", stack.root().display());
    eprintln!("A guest to boot:  {} {}", guest.kernel.display(), guest.initrd.display());
    stack.leave();
    Ok(())
}
