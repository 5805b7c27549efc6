//! What a new process is to be: program, arguments, descriptors, identity, limits.
//!
//! The child gets exactly the descriptors named here; whatever else this process has open, close-on-exec or not, is
//! closed. Nothing is inherited by accident: unless told otherwise the standard streams are `/dev/null`.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::sys::resource::Resource;

use crate::inherited::PRIVATE_VARIABLES;

use super::vfork::{Plan, start};
use super::{Child, SpawnError as Error};

/// Where a standard stream of the child leads.
#[derive(Debug, Default)]
pub enum Stdio {
    /// `/dev/null`.
    #[default]
    Null,
    /// The same as this process's.
    Inherit,
    /// This descriptor; it is closed here once the child has it.
    Fd(OwnedFd),
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Stdio::Fd(fd)
    }
}

/// A limit of setrlimit(2); `u64::MAX` is unlimited.
#[derive(Debug, Clone, Copy)]
pub struct Rlimit {
    /// Which resource.
    pub resource: Resource,
    /// The limit in force.
    pub soft: u64,
    /// How far the process itself may raise it.
    pub hard: u64,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program does not exist, or is not in PATH.
    #[error("there is no program {}", .0.display())]
    NoProgram(PathBuf),
    /// An argument or path holds a NUL byte, or two descriptors were given the same number.
    #[error("{program}: {what}", program = .program.display())]
    Invalid {
        /// The program that was to be started.
        program: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A step between fork and exec failed.
    #[error("{program}: {step}", program = .program.display())]
    Step {
        /// The program that was to be started.
        program: PathBuf,
        /// The step in words, such as "cannot change to user 64055".
        step: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// A process to be started.
///
/// ```no_run
/// # use virtbus_host::process::Spawn;
/// let child = Spawn::new("/usr/bin/qemu-system-x86_64").arg("-S").env_clear().env("LC_ALL", "C").spawn();
/// ```
#[derive(Debug)]
pub struct Spawn {
    pub(super) program: PathBuf,
    arg0: Option<OsString>,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    fds: Vec<(OwnedFd, RawFd)>,
    pub(super) stdio: [Stdio; 3],
    cwd: Option<PathBuf>,
    identity: Option<(u32, u32, Vec<u32>)>,
    capabilities: u64,
    setsid: bool,
    umask: Option<u32>,
    rlimits: Vec<Rlimit>,
}

impl Spawn {
    /// A process that runs `program`; without a slash it is looked for in PATH. The environment begins as a copy of this
    /// process's, without what the service manager meant for this process alone (LISTEN_FDS, NOTIFY_SOCKET, ...).
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arg0: None,
            args: Vec::new(),
            env: std::env::vars_os().filter(|(name, _)| !PRIVATE_VARIABLES.iter().any(|it| name == it)).collect(),
            fds: Vec::new(),
            stdio: Default::default(),
            cwd: None,
            identity: None,
            capabilities: 0,
            setsid: false,
            umask: None,
            rlimits: Vec::new(),
        }
    }

    /// Shows `name` as the first argument instead of the program's path.
    pub fn arg0(mut self, name: impl Into<OsString>) -> Self {
        self.arg0 = Some(name.into());
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Forgets all variables set or inherited so far.
    pub fn env_clear(mut self) -> Self {
        self.env.clear();
        self
    }

    /// Passes `fd` to the child as number `target`. It is closed here when the child has started (or failed to).
    pub fn fd(mut self, fd: OwnedFd, target: RawFd) -> Self {
        self.fds.push((fd, target));
        self
    }

    /// Passes `fd` to the child under the number it has here, and returns that number for the child's arguments.
    pub fn pass(&mut self, fd: OwnedFd) -> RawFd {
        let number = fd.as_raw_fd();
        self.fds.push((fd, number));
        number
    }

    /// Where standard input comes from.
    pub fn stdin(mut self, from: impl Into<Stdio>) -> Self {
        self.stdio[0] = from.into();
        self
    }

    /// Where standard output goes.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.stdio[1] = to.into();
        self
    }

    /// Where standard error goes.
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.stdio[2] = to.into();
        self
    }

    /// The working directory.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// Runs as this user and group, with exactly these supplementary groups. Capabilities are lost with uid 0.
    pub fn uid_gid(mut self, uid: u32, gid: u32, groups: &[u32]) -> Self {
        self.identity = Some((uid, gid, groups.to_vec()));
        self
    }

    /// Lets the process keep a capability (its number, as in `linux/capability.h`) that it would lose with its identity; it
    /// keeps no other. Without a change of identity nothing is lost and nothing done.
    #[must_use]
    pub fn keep_capability(mut self, number: u8) -> Self {
        self.capabilities |= 1_u64.checked_shl(number.into()).unwrap_or(0);
        self
    }

    /// Makes it the leader of a session of its own, without terminal.
    pub fn setsid(mut self) -> Self {
        self.setsid = true;
        self
    }

    /// Sets its file mode creation mask.
    pub fn umask(mut self, mask: u32) -> Self {
        self.umask = Some(mask);
        self
    }

    /// Sets limits, applied before privileges are dropped.
    pub fn rlimits(mut self, limits: impl IntoIterator<Item = Rlimit>) -> Self {
        self.rlimits.extend(limits);
        self
    }

    /// The arguments so far, program excluded; for logs.
    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }

    /// The environment so far; for logs.
    pub fn environment(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.env.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Starts the process. Blocks this thread until the program has been loaded (usually below a millisecond,
    /// independent of this process's size: memory is shared until then, not copied).
    ///
    /// # Errors
    /// When the program is missing or any step before running it fails; nothing is left behind then.
    pub fn spawn(self) -> Result<Child, SpawnError> {
        let program = resolve(&self.program)?;
        let invalid = |what: String| Error::Invalid { program: program.clone(), what };
        let text =
            |value: &OsStr| CString::new(value.as_bytes()).map_err(|_| invalid(format!("{value:?} holds a NUL byte")));
        let mut argv = vec![text(self.arg0.as_deref().unwrap_or(program.as_os_str()))?];
        for arg in &self.args {
            argv.push(text(arg)?);
        }
        let mut env = Vec::with_capacity(self.env.len());
        for (name, value) in &self.env {
            let mut line = name.clone().into_vec();
            line.push(b'=');
            line.extend_from_slice(value.as_bytes());
            env.push(text(OsStr::from_bytes(&line))?);
        }
        let null = open_null().map_err(|source| Error::Step { program: program.clone(), step: "/dev/null", source })?;
        let mut fds: Vec<(RawFd, RawFd)> = Vec::with_capacity(self.fds.len() + 3);
        for (target, stream) in (0..).zip(&self.stdio) {
            let source = match stream {
                Stdio::Null => null.as_raw_fd(),
                Stdio::Inherit => target,
                Stdio::Fd(fd) => fd.as_raw_fd(),
            };
            fds.push((source, target));
        }
        fds.extend(self.fds.iter().map(|(fd, target)| (fd.as_raw_fd(), *target)));
        let mut targets: Vec<RawFd> = fds.iter().map(|(_, target)| *target).collect();
        targets.sort_unstable();
        if let Some(twice) = targets.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(invalid(format!("descriptor {} is given twice", twice[0])));
        }
        if targets.first().is_some_and(|lowest| *lowest < 0) {
            return Err(invalid("a descriptor number is negative".to_owned()));
        }
        let plan = Plan {
            program: text(program.as_os_str())?,
            argv,
            env,
            fds,
            cwd: self.cwd.as_deref().map(|path| text(path.as_os_str())).transpose()?,
            identity: self.identity.clone(),
            capabilities: self.capabilities,
            setsid: self.setsid,
            umask: self.umask,
            rlimits: self.rlimits.iter().map(|limit| (limit.resource as _, limit.soft, limit.hard)).collect(),
        };
        start(&plan).map_err(|(step, source)| Error::Step { program, step, source })
    }
}

/// The file that would be run for `name`: itself if it has a slash, else the first executable of that name in PATH.
pub fn find_program(name: impl AsRef<Path>) -> Option<PathBuf> {
    resolve(name.as_ref()).ok()
}

fn resolve(program: &Path) -> Result<PathBuf, SpawnError> {
    let missing = || Error::NoProgram(program.to_owned());
    if program.as_os_str().as_bytes().contains(&b'/') {
        return if program.exists() { Ok(program.to_owned()) } else { Err(missing()) };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|file| file.is_file() && nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok())
        .ok_or_else(missing)
}

fn open_null() -> io::Result<OwnedFd> {
    Ok(std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
}
