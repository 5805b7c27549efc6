//! `--daemon`: the same program again, in a session of its own, left behind once it is ready.
//!
//! A process with threads cannot safely fork into the background, so this one starts the daemon as a child, waits for its
//! READY=1 like a service manager would, and exits with its fate. The child's standard error is the daemon's log file: what
//! it logs there goes on being kept when nobody waits for it any more. Of one that fails, what it said is shown here.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::ExitCode;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use virtbus_host::process::{Child, Exit, Spawn};

use crate::paths::make_directory;

/// Starts this process's program and arguments again without `--daemon`, with its standard error added to `log`. Returns
/// how to exit: 0 once the child is ready, else its own status.
pub(crate) fn run(name: &str, log: &Path) -> ExitCode {
    match start_and_wait(name, log) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{name}: cannot go to the background: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A private directory for the notification socket, removed in the end.
struct Meeting {
    directory: std::path::PathBuf,
}

impl Drop for Meeting {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn start_and_wait(name: &str, log: &Path) -> io::Result<ExitCode> {
    let directory = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&directory)?;
    let meeting = Meeting { directory };
    let socket_path = meeting.directory.join("ready");
    let socket = UnixDatagram::bind(&socket_path)?;
    if let Some(directory) = log.parent() {
        make_directory(directory, if nix::unistd::geteuid().is_root() { 0o755 } else { 0o700 })?;
    }
    let mut log = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(log)?;
    let said_before = log.metadata()?.len();
    let child = Spawn::new(std::env::current_exe()?)
        .arg0(std::env::args_os().next().unwrap_or_default())
        .args(without_daemon(std::env::args_os().skip(1)))
        .env("NOTIFY_SOCKET", &socket_path)
        .stderr(OwnedFd::from(log.try_clone()?))
        .setsid()
        .cwd("/")
        .spawn()
        .map_err(io::Error::other)?;
    let code = watch(child, &socket)?;
    if code != ExitCode::SUCCESS {
        show(&mut log, said_before)?;
    }
    Ok(code)
}

/// What was added to `log` behind its first `from` bytes.
fn show(log: &mut File, from: u64) -> io::Result<()> {
    log.seek(SeekFrom::Start(from))?;
    io::copy(log, &mut io::stderr()).map(drop)
}

/// The arguments without `-d`, `--daemon`, also where `-d` is bundled with other single letters.
fn without_daemon(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    for arg in args {
        match arg.to_str() {
            Some("-d" | "--daemon") => {}
            Some(bundle) if bundle.starts_with("-d") && bundle[2..].starts_with(['v', 't', 'f', 'p']) => {
                kept.push(format!("-{}", &bundle[2..]).into());
            }
            Some(bundle) if bundle.starts_with("-vd") => kept.push(format!("-v{}", &bundle[3..]).into()),
            _ => kept.push(arg),
        }
    }
    kept
}

fn watch(mut child: Child, socket: &UnixDatagram) -> io::Result<ExitCode> {
    let mut buffer = [0_u8; 4096];
    loop {
        let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN), PollFd::new(child.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE)?;
        let [has_word, _] = fds.map(|fd| fd.any().unwrap_or(false));
        if has_word {
            let length = socket.recv(&mut buffer)?;
            let message = buffer.get(..length).unwrap_or_default();
            if message.split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                return Ok(ExitCode::SUCCESS);
            }
        } else if let Some(exit) = child.try_exited()? {
            return Ok(match exit {
                Exit::Code(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
                _ => ExitCode::FAILURE,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_does_not_go_to_the_background_again() {
        let left = |words: &[&str]| -> Vec<String> {
            let kept = without_daemon(words.iter().map(OsString::from));
            kept.into_iter().map(|word| word.into_string().expect("text")).collect()
        };
        assert_eq!(left(&["-d", "-t", "5"]), ["-t", "5"]);
        assert_eq!(left(&["--daemon", "-dv", "-vd", "--root", "/x"]), ["-v", "-v", "--root", "/x"]);
    }
}
