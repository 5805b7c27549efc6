//! The first steps of every `main`, in their order: command line, paths, configuration, log, pid file, runtime.
//!
//! It ends before anything that one daemon does and another does not. A configuration that is wrong ends the process with
//! status 64, saying file, line and key.

use std::error::Error;
use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;

use tokio::runtime::Runtime;
use virtbus_host::inherited::{self, Inherited};

use crate::activation::{self, ListenError, Listener};
use crate::args::{Args, Program};
use crate::config::{Config, ConfigError, DaemonConfig};
use crate::logging::{Log, Rules};
use crate::paths::{Paths, make_directory};
use crate::pid_file::PidFile;

/// What ends a daemon before it could serve.
pub type Failure = Box<dyn Error>;

/// Exit status for a configuration that cannot be used (sysexits' EX_USAGE).
pub const EXIT_CONFIG: u8 = 64;

/// A daemon that knows its surroundings and does nothing yet.
#[derive(Debug)]
pub struct Started {
    /// Its names and versions.
    pub program: Program,
    /// Its command line.
    pub args: Args,
    /// Where everything lies.
    pub paths: Paths,
    /// The daemon's own file, for keys beyond the shared ones; call [`Started::warn_of_unknown_keys`] after reading those.
    pub config_file: Config,
    /// The shared keys.
    pub config: DaemonConfig,
    /// The log.
    pub log: Log,
    /// Descriptors that the service manager passed.
    pub passed: Vec<Inherited>,
    /// Held while the daemon lives.
    pub pid_file: PidFile,
}

/// All of `main` but what one daemon does and another does not: that is `serve`, run in the daemon's runtime. A failure is
/// logged, said on standard error, and decides how the process exits.
pub fn main<F>(program: Program, serve: impl FnOnce(Started) -> F) -> ExitCode
where
    F: Future<Output = Result<ExitCode, Failure>>,
{
    let (started, runtime) = match start(program).and_then(|it| it.runtime().map(|runtime| (it, runtime))) {
        Ok(it) => it,
        Err(code) => return code,
    };
    runtime.block_on(serve(started)).unwrap_or_else(|error| {
        tracing::error!("{}", chain(&*error));
        exit_for(program.name, &*error)
    })
}

/// Takes the steps. `Err` is how the process is to exit; the reason has been said on standard error.
pub fn start(program: Program) -> Result<Started, ExitCode> {
    let args = Args::from_command_line(&program)?;
    let failed = |error: &dyn Error| {
        complain(program.name, error);
        ExitCode::FAILURE
    };
    let paths = Paths::choose(args.root.as_deref()).map_err(|error| failed(&error))?;
    if args.daemon {
        return Err(crate::background::run(program.name, &paths.daemon_log(program.name)));
    }
    let passed = inherited::listen_fds().map_err(|error| failed(&error))?;
    let (config_file, config, rules) = configuration(&program, &args, &paths).map_err(|error| {
        complain(program.name, &*error);
        ExitCode::from(EXIT_CONFIG)
    })?;
    let banner = vec![
        format!("libvirt version: {}, package: Virtbus {}", program.libvirt, program.version),
        format!("hostname: {}", nix::unistd::gethostname().unwrap_or_default().to_string_lossy()),
    ];
    let log = Log::start(rules, banner).map_err(|error| failed(&error))?;
    if paths.is_session() {
        for directory in [paths.run(), paths.etc(), paths.cache()] {
            make_directory(directory, 0o700).map_err(|error| failed(&error))?;
        }
    }
    let at = args.pid_file.clone().unwrap_or_else(|| paths.pid_file(program.name));
    let pid_file = PidFile::take(&at).map_err(|error| failed(&error))?;
    Ok(Started { program, args, paths, config_file, config, log, passed, pid_file })
}

type Configured = (Config, DaemonConfig, Rules);

fn configuration(program: &Program, args: &Args, paths: &Paths) -> Result<Configured, Box<dyn Error>> {
    let file = args.config.clone().unwrap_or_else(|| paths.config_file(program.name));
    let config_file = Config::read(&file, args.config.is_some())?;
    let config = DaemonConfig::from_config(&config_file)?;
    let rules = Rules::new(&config, args.verbose)?;
    Ok((config_file, config, rules))
}

impl Started {
    /// Logs a warning for each key of the daemon's file that nobody has asked for.
    pub fn warn_of_unknown_keys(&self) {
        for unknown in self.config_file.unknown() {
            tracing::warn!("{unknown}");
        }
    }

    /// Reads the daemon's file again and logs by it; the other shared keys hold from the next start. Returns the new file.
    /// Blocks on the file system.
    ///
    /// # Errors
    /// When the file is wrong; everything stays as it is then.
    pub fn reload(&self) -> Result<(Config, DaemonConfig), Box<dyn Error + Send + Sync>> {
        let file = self.args.config.clone().unwrap_or_else(|| self.paths.config_file(self.program.name));
        let config_file = Config::read(&file, self.args.config.is_some())?;
        let config = DaemonConfig::from_config(&config_file)?;
        self.log.change(Rules::new(&config, self.args.verbose)?)?;
        tracing::info!("the configuration was read again");
        Ok((config_file, config))
    }

    /// As [`Started::reload`], for SIGHUP: says in the log how it went.
    pub async fn reread(&self) {
        match tokio::task::block_in_place(|| self.reload()) {
            Ok(_) => tracing::info!("configuration read again"),
            Err(error) => tracing::error!("configuration not read again: {}", chain(&*error)),
        }
    }

    /// Listens on the daemon's sockets, whose names begin with `stem`: [`activation::wanted`], [`activation::listen`].
    /// Blocks; for start-up.
    ///
    /// # Errors
    /// For the first socket that cannot be had.
    pub fn listen(&mut self, stem: &str) -> Result<Vec<Listener>, ListenError> {
        let wanted = activation::wanted(self.program.name, stem, &self.paths, &self.config);
        activation::listen(&wanted, std::mem::take(&mut self.passed))
    }

    /// The runtime the daemon lives in.
    ///
    /// # Errors
    /// When threads cannot be started; said on standard error.
    pub fn runtime(&self) -> Result<Runtime, ExitCode> {
        let built = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name(self.program.name).build();
        built.map_err(|error| {
            complain(self.program.name, &error);
            ExitCode::FAILURE
        })
    }
}

/// Says `error` with its causes on standard error, and how to exit: 64 for a configuration, else 1.
pub fn exit_for(name: &str, error: &(dyn Error + 'static)) -> ExitCode {
    complain(name, error);
    if error.is::<ConfigError>() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
}

fn complain(name: &str, error: &dyn Error) {
    let _ = writeln!(std::io::stderr(), "{name}: {}", chain(error));
}

/// An error and its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
