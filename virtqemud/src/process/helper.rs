//! Processes that serve one guest beside its QEMU: a software TPM, a file system, a network, a bus of its own.
//!
//! What is to be run is a [`Plan`], made before anything runs; a running one is a [`Helper`]. They live as long as the guest,
//! longer than this daemon: a file with the pid lets the next one find them. Which guest needs which is known in the files below.

pub(crate) mod bus;
pub(crate) mod passt;
pub(crate) mod reservations;
pub(crate) mod swtpm;
pub(crate) mod virtiofsd;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use virtbus_api::{Error, Result};
use virtbus_host::process::{self, Child, Spawn};

/// How long a helper may take until its socket is there, and until it has ended after it was asked to.
const UP: Duration = Duration::from_secs(10);
const DOWN: Duration = Duration::from_secs(3);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);
/// A helper that ends is left alone for so long: most end because their QEMU does, which is known a moment later.
const SETTLED: Duration = Duration::from_millis(300);
/// A helper that ends sooner than this after it was started is not started again.
const STABLE: Duration = Duration::from_secs(2);

/// What a helper serves, which says what its loss means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Serves {
    /// The guest's TPM.
    Tpm,
    /// The file system with this alias.
    Filesystem(String),
    /// The network card with this alias.
    Card(String),
    /// The guest's own bus.
    Bus,
    /// Reservations of disks.
    Reservations,
}

impl Serves {
    /// Whether QEMU connects to another one in its place: then it is started again. Of the others, QEMU keeps no state that
    /// another one could go on with.
    pub(crate) fn can_be_replaced(&self) -> bool {
        matches!(self, Self::Card(_) | Self::Reservations)
    }

    /// What the guest is without when it has ended.
    pub(crate) fn loss(&self) -> String {
        match self {
            Self::Tpm => "the guest has no TPM until it is started again".to_owned(),
            Self::Filesystem(alias) => format!("file system '{alias}' is gone until the guest is started again"),
            Self::Card(alias) => format!("interface '{alias}' is without a network"),
            Self::Bus => "its display cannot be reached by D-Bus until the guest is started again".to_owned(),
            Self::Reservations => "persistent reservations fail".to_owned(),
        }
    }
}

/// Something that has to be done before a helper runs, to its end.
pub(crate) struct Step {
    pub(crate) spawn: Spawn,
    /// What it does, for an error.
    pub(crate) what: String,
    /// What an installed program that does not know an option lacks.
    pub(crate) lacking: Option<&'static str>,
}

/// A helper to be run.
pub(crate) struct Plan {
    /// Its name in messages: `swtpm of tpm0`.
    pub(crate) name: String,
    pub(crate) serves: Serves,
    pub(crate) first: Vec<Step>,
    pub(crate) spawn: Spawn,
    /// Where it can be reached once it is up; none for one that was given its listening socket.
    pub(crate) socket: Option<PathBuf>,
    /// Whom the socket is given to.
    pub(crate) user: Option<crate::config::User>,
    /// Where its pid is kept.
    pub(crate) pid_file: PathBuf,
    /// Other files to be removed with it.
    pub(crate) files: Vec<PathBuf>,
}

/// A helper that runs, or ran when this daemon looked last.
#[derive(Debug)]
pub(crate) struct Helper {
    name: String,
    serves: Serves,
    held: Option<Held>,
    files: Vec<PathBuf>,
    begun: Instant,
    /// When it was seen to have ended.
    gone: Option<tokio::time::Instant>,
    /// Whether its end has been told.
    told: bool,
}

#[derive(Debug)]
enum Held {
    Own(Child),
    Found(process::Process),
}

impl Held {
    fn process(&self) -> &process::Process {
        match self {
            Self::Own(child) => child,
            Self::Found(process) => process,
        }
    }
}

impl Plan {
    /// Runs it until it can be reached.
    ///
    /// # Errors
    /// What kept it from coming up, in its own words where it had any.
    pub(crate) async fn start(self) -> Result<Helper> {
        let Self { name, serves, first, spawn, socket, user, pid_file, mut files } = self;
        for Step { spawn, what, lacking } in first {
            let done = spawn.output(UP).await.map_err(|error| Error::internal(what.clone()).caused_by(error))?;
            if !done.exit.success() {
                let unknown = String::from_utf8_lossy(&done.stderr).contains("unrecognized option");
                if let Some(lacking) = lacking.filter(|_| unknown) {
                    return Err(Error::unsupported_config(lacking));
                }
                return Err(Error::internal(format!("{what}: {}", done.last_error_line())));
            }
        }
        let child = spawn.setsid().cwd("/").spawn();
        let mut child = child.map_err(|error| Error::internal(format!("cannot start {name}")).caused_by(error))?;
        files.extend(socket.clone());
        files.push(pid_file.clone());
        let pid = child.pid();
        let mut helper = Helper { name, serves, held: None, files, begun: Instant::now(), gone: None, told: false };
        let up = match &socket {
            Some(socket) => wait_for(socket, &mut child, &helper.name).await,
            None => Ok(()),
        };
        helper.held = Some(Held::Own(child));
        let noted = up.and_then(|()| {
            let cannot = |error: io::Error| Error::system(format!("cannot write '{}'", pid_file.display()), &error);
            std::fs::write(&pid_file, format!("{pid}\n")).map_err(cannot)?;
            let Some(socket) = &socket else { return Ok(()) };
            let cannot = |error: io::Error| Error::system(format!("cannot hand over '{}'", socket.display()), &error);
            crate::security::own(socket, user.as_ref()).map_err(cannot)
        });
        if let Err(error) = noted {
            helper.stop();
            return Err(error);
        }
        Ok(helper)
    }
}

async fn wait_for(socket: &Path, child: &mut Child, name: &str) -> Result<()> {
    let begun = Instant::now();
    while !socket.exists() {
        if let Ok(Some(exit)) = child.try_exited() {
            return Err(Error::internal(format!("{name} did not come up: {exit:?}")));
        }
        if begun.elapsed() > UP {
            return Err(Error::internal(format!("{name} did not come up: no socket '{}'", socket.display())));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

impl Helper {
    /// Takes hold of a helper an earlier daemon started, if it still runs: `marks` must stand in its command line.
    pub(crate) fn find(
        name: String,
        serves: Serves,
        pid_file: &Path,
        marks: &str,
        files: Vec<PathBuf>,
    ) -> Option<Self> {
        let text = std::fs::read_to_string(pid_file).ok()?;
        let mut all = files;
        all.push(pid_file.to_owned());
        let process = text.trim().parse().ok().and_then(|pid| process::Process::open_pid(pid).ok());
        let is_it = |it: &process::Process| {
            it.cmdline().is_ok_and(|words| words.iter().any(|it| String::from_utf8_lossy(it).contains(marks)))
        };
        let held = process.filter(is_it).map(Held::Found);
        Some(Self { name, serves, held, files: all, begun: Instant::now(), gone: None, told: false })
    }

    /// What it serves.
    pub(crate) fn serves(&self) -> &Serves {
        &self.serves
    }

    /// Its name in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it was up long enough for another one to be worth a try.
    pub(crate) fn was_stable(&self) -> bool {
        self.begun.elapsed() > STABLE + SETTLED
    }

    /// How it ended, in words.
    pub(crate) fn how(&mut self) -> String {
        let exit = match &mut self.held {
            Some(Held::Own(child)) => child.try_exited().ok().flatten(),
            _ => None,
        };
        exit.map_or_else(|| "exit status unknown".to_owned(), |it| it.to_string())
    }

    /// Waits until it has ended while its QEMU has not; told once. Cancel-safe.
    pub(crate) async fn lost(&mut self) {
        if self.told {
            return std::future::pending().await;
        }
        let watched = match &mut self.held {
            Some(Held::Own(child)) => child.exited().await.map(drop),
            Some(Held::Found(process)) => process.ended().await,
            None => Ok(()),
        };
        if let Err(error) = watched {
            tracing::warn!("cannot watch {}: {error}", self.name);
            return std::future::pending().await;
        }
        let gone = *self.gone.get_or_insert_with(tokio::time::Instant::now);
        tokio::time::sleep_until(gone + SETTLED).await;
        self.told = true;
    }

    /// Ends it and removes what it leaves; returns what did not work out. Blocks for as long as it takes to end.
    pub(crate) fn stop(mut self) -> Vec<String> {
        let mut errors = Vec::new();
        if let Some(held) = &mut self.held
            && let Err(error) = end(held)
        {
            errors.push(format!("cannot end {}: {error}", self.name));
        }
        for file in &self.files {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    errors.push(format!("cannot remove '{}': {error}", file.display()));
                }
                _ => {}
            }
        }
        errors
    }
}

fn end(held: &mut Held) -> io::Result<()> {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        if !held.process().is_alive() {
            break;
        }
        match held.process().signal(signal) {
            Err(error) if error.raw_os_error() != Some(nix::libc::ESRCH) => return Err(error),
            _ => {}
        }
        let begun = Instant::now();
        while held.process().is_alive() && begun.elapsed() < DOWN {
            #[allow(clippy::disallowed_methods, reason = "on a thread of its own that may block")]
            std::thread::sleep(LOOK);
        }
    }
    if let Held::Own(child) = held {
        child.try_exited()?;
    }
    Ok(())
}

/// A program a guest cannot do without.
fn program(name: &str, element: &str) -> Result<PathBuf> {
    process::find_program(name).ok_or_else(|| {
        Error::unsupported_config(format!("{element} needs the program '{name}', which is not installed"))
    })
}

/// Makes a directory with its parents.
fn make_directory(path: &Path, mode: u32, user: Option<&crate::config::User>) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let cannot = |error: io::Error| Error::system(format!("cannot create directory '{}'", path.display()), &error);
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o711).create(parent).map_err(cannot)?;
    }
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| crate::security::own(path, user)).map_err(cannot),
    }
}
