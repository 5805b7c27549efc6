//! A host of its own for daemons that are started without `--root`: its system directories are empty and it sees no
//! process but its own, while programs and kernel are this machine's. It ends with the test, and everything in it too.
//!
//! Its root directory is seen from outside through `/proc/PID/root`. It has no D-Bus until one is started.

#![allow(clippy::expect_used, reason = "what tests stand on fails by panicking")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use xtask::build::{self, Profile};
use xtask::command::{program, wait_for};
use xtask::guest;

/// Where the daemons' programs lie on the host.
pub const PROGRAMS: &str = "/run/programs";
/// A user with a home that it may write to, and that the host's password file knows: `nobody`.
pub const USER: u32 = 65534;
/// How long a daemon may take for what takes it milliseconds.
pub const SOON: Duration = Duration::from_secs(30);

/// Process 1 of the host: it takes in orphans, and ends when its standard input does, which is when the test does.
const INIT: &str = r#"set -e
mount -t tmpfs -o mode=755 tmpfs /run
for dir in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/dbus-1/system.d; do
    mkdir -p "$dir"
    mount -t tmpfs -o mode=755 tmpfs "$dir"
done
mkdir -p /run/programs /run/notify /run/log /run/guest /run/user/65534/home
mount --bind "$1" /run/programs
chown -R 65534:65534 /run/user/65534
chmod 700 /run/user/65534
echo ready
read -r _ || :
"#;

/// The host. It must be held by root.
#[derive(Debug)]
pub struct Host {
    init: Child,
    // Its end is the host's end.
    _life: ChildStdin,
    root: PathBuf,
    pid: u32,
}

impl Host {
    /// Builds the daemons and makes the host; nothing runs on it yet.
    ///
    /// # Panics
    ///
    /// When the machine lacks something, or the test is not run by root.
    #[must_use]
    pub fn new() -> Self {
        static BUILT: LazyLock<Result<(), String>> =
            LazyLock::new(|| build::daemons(Profile::Debug).map_err(|why| format!("{why:#}")));
        BUILT.as_ref().expect("the daemons; `cargo xtask setup` prepares a machine");
        let programs = Profile::Debug.bin_dir().canonicalize().expect("the daemons' directory");
        let mut unshare = program("unshare");
        unshare.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]);
        unshare.args(["bash", "-c", INIT, "init"]).arg(programs);
        let init = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut init = init.expect("unshare");
        let life = init.stdin.take().expect("an input");
        let mut said = String::new();
        BufReader::new(init.stdout.take().expect("an output")).read_line(&mut said).expect("a line");
        assert_eq!(said, "ready\n", "no host of its own: is this root?");
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", init.id())).expect("process 1");
        let pid = children.trim().parse().expect("its number");
        Self { init, _life: life, root: PathBuf::from(format!("/proc/{pid}/root")), pid }
    }

    /// A file of the host, as this process reaches it.
    ///
    /// # Panics
    ///
    /// When `path` is not absolute.
    #[must_use]
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path.as_ref().strip_prefix("/").expect("an absolute path"))
    }

    /// A file's text; empty when there is none.
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        fs::read(self.path(path)).map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default()
    }

    /// Writes a file, with the directories above it.
    ///
    /// # Panics
    ///
    /// When it cannot.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file of the test");
    }

    /// A program on the host, run by root with an environment that names nothing.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.enter(&[], program.as_ref())
    }

    /// A program on the host, run by [`USER`], who has a home and a directory for sockets.
    #[must_use]
    pub fn command_of_user(&self, program: impl AsRef<OsStr>) -> Command {
        let user = USER.to_string();
        let mut command = self.enter(
            &["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "--inh-caps=-all"],
            program.as_ref(),
        );
        command.env("HOME", self.home()).env("XDG_RUNTIME_DIR", format!("/run/user/{USER}"));
        command
    }

    /// The home of [`USER`].
    #[must_use]
    pub fn home(&self) -> String {
        format!("/run/user/{USER}/home")
    }

    fn enter(&self, becoming: &[&str], program: &OsStr) -> Command {
        let mut command = xtask::command::program("nsenter");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.arg("-t").arg(self.pid.to_string()).args(["--mount", "--pid", "--wd=/", "--"]);
        command.args(becoming).arg(program).stdin(Stdio::null());
        command
    }

    /// What root's virsh prints, or what it says on failing. It is given `qemu:///system`, by which it finds virtqemud's own
    /// socket, and virtproxyd's without that; a URI among `args` counts more.
    ///
    /// # Errors
    ///
    /// virsh's own message.
    ///
    /// # Panics
    ///
    /// When there is no virsh.
    pub fn virsh(&self, args: &[&str]) -> Result<String, String> {
        said(self.command("virsh").args(["-c", "qemu:///system"]).args(args))
    }

    /// As [`Host::virsh`], by [`USER`] and for `qemu:///session`.
    ///
    /// # Errors
    ///
    /// virsh's own message.
    ///
    /// # Panics
    ///
    /// When there is no virsh.
    pub fn virsh_of_user(&self, args: &[&str]) -> Result<String, String> {
        said(self.command_of_user("virsh").args(["-c", "qemu:///session"]).args(args))
    }

    /// A domain that boots the tiny guest, whose files are put where everybody on the host can read them.
    ///
    /// # Panics
    ///
    /// When there is no guest.
    #[must_use]
    pub fn bootable(&self, name: &str) -> String {
        guest::ready().expect("`cargo xtask setup` builds it").copy_to(&self.path("/run/guest")).expect("room for it");
        format!(
            "<domain type='qemu'><name>{name}</name><memory unit='MiB'>192</memory><vcpu>1</vcpu>\
             <os><type arch='x86_64' machine='q35'>hvm</type><kernel>/run/guest/kernel</kernel>\
             <initrd>/run/guest/initrd</initrd><cmdline>{}</cmdline></os><features><acpi/></features>\
             <devices><serial type='pty'/><console type='pty'/></devices></domain>",
            guest::CMDLINE
        )
    }

    /// Starts a daemon by that command and waits until it says that it is ready; `name` is for its log.
    ///
    /// # Panics
    ///
    /// When it does not get ready: with its log.
    #[must_use]
    pub fn daemon(&self, name: &str, command: &mut Command) -> Daemon {
        let mut daemon = self.begin(name, command);
        daemon.expect("READY=1");
        daemon
    }

    /// Starts a daemon by that command.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn begin(&self, name: &str, command: &mut Command) -> Daemon {
        let inside = format!("/run/notify/{name}");
        let path = self.path(&inside);
        let _ = fs::remove_file(&path);
        let notify = UnixDatagram::bind(&path).expect("a socket for what daemons say");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("its permissions");
        notify.set_nonblocking(true).expect("it does not block");
        let log = self.path(format!("/run/log/{name}"));
        let output = fs::File::create(&log).expect("a log");
        let child = command.env("NOTIFY_SOCKET", &inside).stdout(output.try_clone().expect("it twice")).stderr(output);
        Daemon { child: child.spawn().expect("a daemon"), notify, log, heard: Vec::new() }
    }

    /// The processes of that program (its name's beginning), as the host numbers them. A child that is about to become
    /// another program is none of them.
    #[must_use]
    pub fn pids(&self, program: &str) -> Vec<u32> {
        let proc = self.path("/proc");
        let is_it = |pid: u32| {
            let words = fs::read(proc.join(pid.to_string()).join("cmdline")).unwrap_or_default();
            let first = words.split(|it| *it == 0).next().unwrap_or_default();
            let name = Path::new(OsStr::from_bytes(first)).file_name().unwrap_or_default();
            name.as_bytes().starts_with(program.as_bytes())
        };
        let parent = |pid: u32| -> Option<u32> {
            let status = fs::read_to_string(proc.join(pid.to_string()).join("status")).ok()?;
            status.lines().find_map(|it| it.strip_prefix("PPid:"))?.trim().parse().ok()
        };
        let entries = fs::read_dir(&proc).into_iter().flatten().flatten();
        let all = entries.filter_map(|it| it.file_name().to_str()?.parse().ok());
        all.filter(|pid| is_it(*pid) && !parent(*pid).is_some_and(is_it)).collect()
    }

    /// Sends a signal, by name, to each process of [`Host::pids`].
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn signal(&self, name: &str, signal: &str) {
        let pids = self.pids(name);
        assert!(!pids.is_empty(), "no {name} on this host");
        let pids: String = pids.iter().map(|it| format!(" {it}")).collect();
        said(self.command("sh").args(["-c", &format!("kill -{signal}{pids}")])).expect("kill");
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Process 1 goes with its parent, and the whole host with process 1.
        let _ = self.init.kill();
        let _ = self.init.wait();
    }
}

/// A daemon on a host.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    notify: UnixDatagram,
    log: PathBuf,
    heard: Vec<String>,
}

impl Daemon {
    /// What it printed.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default()
    }

    /// Waits until it tells the service manager `line`. What it told before that is not waited for again.
    ///
    /// # Panics
    ///
    /// When it does not, or has ended: with its log.
    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        let end = Instant::now() + SOON;
        loop {
            let ended = self.child.try_wait().ok().flatten();
            let mut buffer = [0; 4096];
            while let Ok(length) = self.notify.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                self.heard.extend(text.lines().map(ToOwned::to_owned));
            }
            if let Some(at) = self.heard.iter().position(|it| it == line) {
                self.heard.drain(..=at);
                return;
            }
            assert!(ended.is_none(), "it ended ({ended:?}) and never said {line}\n{}", self.log());
            assert!(Instant::now() < end, "it never said {line}, but {:?}\n{}", self.heard, self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until its log contains `text`.
    ///
    /// # Panics
    ///
    /// When it does not: with the log.
    #[track_caller]
    pub fn expect_log(&self, text: &str) {
        let seen = wait_for(SOON, || self.log().contains(text).then_some(()));
        assert!(seen.is_some(), "{text:?} is not in the log:\n{}", self.log());
    }

    /// Its exit status, when it ends within the deadline.
    pub fn ended(&mut self, deadline: Duration) -> Option<ExitStatus> {
        wait_for(deadline, || self.child.try_wait().ok().flatten())
    }

    /// Waits for its end; the code it exits with.
    ///
    /// # Panics
    ///
    /// When it does not end.
    #[track_caller]
    pub fn code(&mut self) -> Option<i32> {
        let status = self.ended(SOON);
        assert!(status.is_some(), "it does not end\n{}", self.log());
        status.and_then(|it| it.code())
    }
}

/// What a command prints, without the white space around it; or what it says on failing.
///
/// # Errors
///
/// Its standard error.
///
/// # Panics
///
/// When it cannot be started.
#[track_caller]
pub fn said(command: &mut Command) -> Result<String, String> {
    let out = command.output().expect("a program of this machine");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
}
