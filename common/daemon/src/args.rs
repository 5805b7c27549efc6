//! The command line all daemons share: libvirt's options, and `--root`.
//!
//! It knows no option of a single daemon; one that has its own adds them with clap's `flatten`.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser};

/// What a daemon is called and which versions it states.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Name of the binary, such as `virtqemud`.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Our own version.
    pub version: &'static str,
    /// The libvirt release whose interface is offered, such as `11.3.0`.
    pub libvirt: &'static str,
}

impl Program {
    /// The answer to `--version`: the first line in the form that tools parse.
    pub fn version_text(&self) -> String {
        format!("{} (libvirt) {}\nVirtbus {}", self.name, self.libvirt, self.version)
    }
}

/// The common options.
#[derive(Debug, Clone, Default, Parser)]
#[command(disable_version_flag = true)]
pub struct Args {
    /// Run in the background once ready, and write the pid file
    #[arg(short, long)]
    pub daemon: bool,
    /// Configuration file
    #[arg(short = 'f', long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Pid file
    #[arg(short, long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Exit after this many seconds without a client and without anything running; 0 means never
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u32>,
    /// Log more: level info at least
    #[arg(short, long)]
    pub verbose: bool,
    /// Show the version
    #[arg(short = 'V', long)]
    pub version: bool,
    /// Use DIR/etc/libvirt, DIR/run/libvirt and so on instead of the host's directories
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

impl Args {
    /// Reads the command line. `Err` is how to exit at once: after `--help` and `--version` with success, after an unknown
    /// option with 1, as libvirt's daemons do.
    pub fn from_command_line(program: &Program) -> Result<Self, ExitCode> {
        Self::from_words(program, std::env::args_os())
    }

    fn from_words(program: &Program, words: impl IntoIterator<Item = OsString>) -> Result<Self, ExitCode> {
        let command = Self::command().name(program.name).bin_name(program.name).about(program.about);
        let parsed = command.try_get_matches_from(words).and_then(|matches| Self::from_arg_matches(&matches));
        let args = parsed.map_err(|error| {
            let code = u8::from(error.use_stderr());
            // Nobody is left to be told when the terminal is gone.
            let _ = error.print();
            ExitCode::from(code)
        })?;
        if args.version {
            let _ = writeln!(std::io::stdout(), "{}", program.version_text());
            return Err(ExitCode::SUCCESS);
        }
        Ok(args)
    }

    /// How long to stay without work; `None` is for ever.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.timeout.filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program { name: "virttestd", about: "A test", version: "0.1.0", libvirt: "11.3.0" };

    fn parse(words: &[&str]) -> Result<Args, ExitCode> {
        Args::from_words(&PROGRAM, ["virttestd"].iter().chain(words).map(OsString::from))
    }

    #[test]
    fn libvirts_options_are_understood() {
        let args = parse(&["-d", "-v", "-t", "120", "-f", "/x.conf", "--pid-file", "/x.pid"]).expect("accepted");
        assert!(args.daemon && args.verbose);
        assert_eq!(args.idle_timeout(), Some(Duration::from_secs(120)));
        assert_eq!(args.config, Some("/x.conf".into()));
        assert_eq!(args.pid_file, Some("/x.pid".into()));
        let long = parse(&["--timeout=0", "--root", "/r"]).expect("accepted");
        assert_eq!((long.idle_timeout(), long.root), (None, Some("/r".into())));
    }

    #[test]
    fn others_end_the_program() {
        assert_eq!(parse(&["--no-such"]).expect_err("refused"), ExitCode::from(1));
        assert_eq!(parse(&["-t", "soon"]).expect_err("refused"), ExitCode::from(1));
        assert_eq!(parse(&["--version"]).expect_err("ends"), ExitCode::SUCCESS);
        assert_eq!(PROGRAM.version_text().lines().next(), Some("virttestd (libvirt) 11.3.0"));
    }
}
