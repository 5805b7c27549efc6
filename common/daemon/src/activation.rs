//! The daemon's listening sockets: those a service manager passed, else bound here.
//!
//! A passed descriptor is recognised by the name of its socket unit, or by its path as the reference does. A socket of
//! our own replaces a file of that name only after nobody answers there. It knows sockets, not what is spoken on them.

use std::fs;
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::socket::{self as net, AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use nix::sys::stat::{Mode, fchmod};
use virtbus_host::inherited::Inherited;

use crate::bus;
use crate::config::DaemonConfig;
use crate::paths::{Paths, make_directory};
use crate::tasks::Tasks;

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Everything.
    ReadWrite,
    /// Reads only.
    ReadOnly,
    /// Administration of the daemon itself.
    Admin,
}

impl Role {
    /// What stands for the role among a value for each: read-write, read-only, admin.
    pub fn pick<T>(self, [read_write, read_only, admin]: [T; 3]) -> T {
        match self {
            Self::ReadWrite => read_write,
            Self::ReadOnly => read_only,
            Self::Admin => admin,
        }
    }
}

/// A socket that a daemon is to listen on.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is for.
    pub role: Role,
    /// Where it lies.
    pub path: PathBuf,
    /// The socket unit it comes from, such as `virtqemud-ro.socket`.
    pub unit: String,
    /// Permissions when bound here.
    pub mode: u32,
    /// Group when bound here.
    pub group: Option<String>,
}

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listener {
    /// What it is for.
    pub role: Role,
    /// Where it lies.
    pub path: PathBuf,
    /// Non-blocking.
    pub listener: UnixListener,
    /// Whether it was passed by a service manager, and so outlives this process.
    pub adopted: bool,
}

/// Why a socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process answers there.
    #[error("{}: another process listens there", .0.display())]
    InUse(PathBuf),
    /// The group of the sockets does not exist.
    #[error("there is no group {0:?} for the sockets")]
    NoGroup(String),
    /// A system call failed.
    #[error("{}: {step}", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What failed.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// The sockets of `daemon` as libvirt names them: `virtqemud-sock`, `-sock-ro` and `-admin-sock`; in session mode there is
/// no read-only one. `stem` differs from `daemon` for the proxy alone (`libvirt` for `virtproxyd`).
///
/// The read-write socket is open to everybody where polkit decides who is let in (`auth_unix_rw`, and no word about it), and
/// to its owner otherwise: opening it further is a decision that comes with a group.
pub fn wanted(daemon: &str, stem: &str, paths: &Paths, config: &DaemonConfig) -> Vec<Wanted> {
    let directory = config.unix_sock_dir.as_deref().unwrap_or_else(|| paths.run());
    let socket = |role, suffix: &str, unit: &str, mode| Wanted {
        role,
        path: directory.join(format!("{stem}{suffix}")),
        unit: format!("{daemon}{unit}.socket"),
        mode,
        group: config.unix_sock_group.clone(),
    };
    let polkit_decides = matches!(config.auth_unix_rw, Some("polkit") | None) && bus::is_polkit_asked(paths);
    let open = if polkit_decides { 0o666 } else { 0o600 };
    let mut wanted = vec![
        socket(Role::ReadWrite, "-sock", "", config.unix_sock_rw_perms.unwrap_or(open)),
        socket(Role::Admin, "-admin-sock", "-admin", config.unix_sock_admin_perms.unwrap_or(0o600)),
    ];
    if paths.is_session() {
        for socket in &mut wanted {
            socket.mode = 0o600;
            socket.group = None;
        }
    } else {
        wanted.insert(1, socket(Role::ReadOnly, "-sock-ro", "-ro", config.unix_sock_ro_perms.unwrap_or(0o666)));
    }
    wanted
}

/// Listens on all of `wanted`: on what is found among `passed`, else (and only if nothing of it was passed) by binding. A
/// wanted socket that a service manager left out stays out: its unit is switched off. Passed descriptors that nobody wants
/// are closed with a warning. Blocks; for start-up.
///
/// # Errors
/// For the first socket that cannot be had.
pub fn listen(wanted: &[Wanted], passed: Vec<Inherited>) -> Result<Vec<Listener>, ListenError> {
    let mut listeners = Vec::new();
    for Inherited { name, fd } in passed {
        match adopt(wanted, &name, fd)? {
            Some(listener) => listeners.push(listener),
            None => tracing::warn!("the passed descriptor {name:?} is none of this daemon's sockets"),
        }
    }
    if listeners.is_empty() {
        for socket in wanted {
            listeners.push(bind(socket)?);
        }
    } else {
        tracing::info!("sockets come from the service manager: unix_sock_* of the configuration has no effect");
    }
    for listener in &listeners {
        let how = if listener.adopted { "passed" } else { "bound" };
        tracing::info!("listening on {} ({how})", listener.path.display());
    }
    Ok(listeners)
}

fn adopt(wanted: &[Wanted], name: &str, fd: OwnedFd) -> Result<Option<Listener>, ListenError> {
    let listener = UnixListener::from(fd);
    let address = listener.local_addr().ok();
    let bound = address.as_ref().and_then(|address| address.as_pathname());
    let found = wanted
        .iter()
        .find(|socket| socket.unit == name)
        .or_else(|| wanted.iter().find(|socket| bound.is_some_and(|path| same_place(path, &socket.path))));
    let (Some(socket), Some(bound)) = (found, bound) else { return Ok(None) };
    listener.set_nonblocking(true).map_err(|source| ListenError::Io {
        path: bound.to_owned(),
        step: "cannot make it non-blocking",
        source,
    })?;
    Ok(Some(Listener { role: socket.role, path: bound.to_owned(), listener, adopted: true }))
}

/// Whether two paths name one place; `/var/run` is a link to `/run` on every host.
fn same_place(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| {
        let directory = path.parent().and_then(|parent| parent.canonicalize().ok());
        directory.zip(path.file_name()).map(|(directory, name)| directory.join(name))
    };
    a == b || resolved(a).is_some_and(|a| Some(a) == resolved(b))
}

/// Binds `socket`. The file appears closed to all, and nobody can connect before its permissions are as wanted.
fn bind(socket: &Wanted) -> Result<Listener, ListenError> {
    let path = &socket.path;
    let failed = |step| move |source| ListenError::Io { path: path.clone(), step, source };
    let errno = |step| move |errno: nix::Error| failed(step)(errno.into());
    let directory = path.parent().unwrap_or(Path::new("."));
    let for_all = nix::unistd::geteuid().is_root();
    make_directory(directory, if for_all { 0o755 } else { 0o700 }).map_err(failed("cannot create its directory"))?;
    remove_stale(path)?;
    let group = socket.group.as_deref().map(group_id).transpose()?;
    let address = UnixAddr::new(path).map_err(errno("not a path for a socket"))?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = net::socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(errno("cannot make a socket"))?;
    // Linux gives the new file the mode of the socket itself, less the umask.
    fchmod(&fd, Mode::empty()).map_err(errno("cannot close it at first"))?;
    net::bind(fd.as_raw_fd(), &address).map_err(errno("cannot bind"))?;
    let finish = || {
        if group.is_some() {
            std::os::unix::fs::chown(path, None, group)?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(socket.mode))?;
        net::listen(&fd, Backlog::MAXCONN).map_err(io::Error::from)
    };
    if let Err(source) = finish() {
        let _ = fs::remove_file(path);
        return Err(failed("cannot set its permissions")(source));
    }
    Ok(Listener { role: socket.role, path: path.clone(), listener: fd.into(), adopted: false })
}

/// Removes a socket that nobody listens on any more.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let failed = |step, source| ListenError::Io { path: path.to_owned(), step, source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("cannot look at it", error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(failed("something else than a socket is there", io::ErrorKind::AlreadyExists.into()));
        }
        Ok(_) => {}
    }
    match dial(path) {
        Ok(()) => Err(ListenError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|source| failed("cannot remove the stale socket", source))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full backlog (EAGAIN) and the like: somebody is there.
        Err(_) => Err(ListenError::InUse(path.to_owned())),
    }
}

/// Whether somebody listens at `path`, without waiting for a daemon whose backlog is full.
fn dial(path: &Path) -> io::Result<()> {
    let address = UnixAddr::new(path)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = net::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    Ok(net::connect(socket.as_raw_fd(), &address)?)
}

fn group_id(name: &str) -> Result<u32, ListenError> {
    match virtbus_host::account::group(name) {
        Ok(Some(gid)) => Ok(gid),
        Ok(None) => Err(ListenError::NoGroup(name.to_owned())),
        Err(error) => {
            tracing::error!("cannot look up group {name:?}: {error}");
            Err(ListenError::NoGroup(name.to_owned()))
        }
    }
}

/// Accepts on all of `listeners`, each in an essential task that `serve` makes of its role and socket. Must be called
/// within a runtime.
///
/// # Errors
/// A socket cannot be watched.
pub fn accept<F>(
    listeners: Vec<Listener>,
    tasks: &Tasks,
    serve: impl Fn(Role, tokio::net::UnixListener) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    for Listener { role, listener, .. } in listeners {
        let accepting = serve(role, tokio::net::UnixListener::from_std(listener)?);
        tasks.essential(format!("accept {role:?}"), accepting);
    }
    Ok(())
}

/// The socket files that were made here; dropping this removes them, so that nobody dials a daemon that is gone.
#[derive(Debug)]
pub struct BoundFiles(Vec<PathBuf>);

impl BoundFiles {
    /// Those of `listeners`, leaving out what the service manager owns.
    pub fn of(listeners: &[Listener]) -> Self {
        Self(listeners.iter().filter(|it| !it.adopted).map(|it| it.path.clone()).collect())
    }
}

impl Drop for BoundFiles {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = fs::remove_file(path) {
                tracing::debug!("cannot remove {}: {error}", path.display());
            }
        }
    }
}

#[cfg(test)]
mod tests;
