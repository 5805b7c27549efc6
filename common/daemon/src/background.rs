//! `--daemon`: the same program again, in a session of its own, left behind once it is ready.
//!
//! A process with threads cannot safely fork into the background, so this one starts the daemon as a child, waits for its
//! READY=1 like a service manager would, passes on what it says meanwhile, and exits with its fate.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use virtbus_host::process::{Child, Exit, Spawn};

/// Starts this process's program and arguments again without `--daemon`. Returns how to exit: 0 once the child is ready,
/// else its own status.
pub(crate) fn run(name: &str) -> ExitCode {
    match start_and_wait(name) {
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

fn start_and_wait(name: &str) -> io::Result<ExitCode> {
    let directory = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&directory)?;
    let meeting = Meeting { directory };
    let socket_path = meeting.directory.join("ready");
    let socket = UnixDatagram::bind(&socket_path)?;
    let (words, words_end) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    let child = Spawn::new(std::env::current_exe()?)
        .arg0(std::env::args_os().next().unwrap_or_default())
        .args(without_daemon(std::env::args_os().skip(1)))
        .env("NOTIFY_SOCKET", &socket_path)
        .stderr(words_end)
        .setsid()
        .cwd("/")
        .spawn()
        .map_err(io::Error::other)?;
    watch(child, &socket, words)
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

fn watch(mut child: Child, socket: &UnixDatagram, words: OwnedFd) -> io::Result<ExitCode> {
    let mut words = std::fs::File::from(words);
    let mut open = true;
    let mut buffer = [0_u8; 4096];
    loop {
        let mut fds =
            vec![PollFd::new(socket.as_fd(), PollFlags::POLLIN), PollFd::new(child.as_fd(), PollFlags::POLLIN)];
        if open {
            fds.push(PollFd::new(words.as_fd(), PollFlags::POLLIN));
        }
        poll(&mut fds, PollTimeout::NONE)?;
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(fds);
        if ready.get(2) == Some(&true) {
            let length = words.read(&mut buffer)?;
            open = length > 0;
            io::stderr().write_all(buffer.get(..length).unwrap_or_default())?;
        } else if ready.first() == Some(&true) {
            let length = socket.recv(&mut buffer)?;
            let message = buffer.get(..length).unwrap_or_default();
            if message.split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                return Ok(ExitCode::SUCCESS);
            }
        } else if ready.get(1) == Some(&true) {
            return Ok(match child.try_exited()? {
                Some(Exit::Code(code)) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
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
