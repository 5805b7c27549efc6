//! A stack of its own for a test: a private root, a bus, the daemons, and the tiny guest's files. It ends with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;
use xtask::build::{self, Profile};
use xtask::guest::{self, Guest};
use xtask::stack::{Network, Stack};

/// The ways into a stack: through virtproxyd, or directly to the daemon of one driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `libvirt-sock`.
    Proxy,
    /// `virtqemud-sock`.
    Direct,
    /// `virtstoraged-sock`, for pools and volumes.
    Storage,
    /// `virtstoraged-sock`, for secrets.
    Secret,
    /// `virtnetworkd-sock`.
    Network,
}

/// The two that lead to a hypervisor, and through it to everything.
pub const DOORS: [Door; 2] = [Door::Proxy, Door::Direct];

impl Door {
    /// The socket's name.
    #[must_use]
    pub fn socket(self) -> &'static str {
        match self {
            Self::Proxy => "libvirt-sock",
            Self::Direct => "virtqemud-sock",
            Self::Storage | Self::Secret => "virtstoraged-sock",
            Self::Network => "virtnetworkd-sock",
        }
    }
}

/// A running stack and what tests need around it.
#[derive(Debug)]
pub struct World {
    /// The stack; its programs may be killed and started again.
    pub stack: Stack,
    guest: Guest,
    // Goes last: the stack ends in it.
    _dir: TempDir,
}

impl World {
    /// Builds the daemons (once) and starts them below a new root.
    ///
    /// # Panics
    ///
    /// When the machine lacks something, or a daemon does not come up: the message says what.
    #[must_use]
    pub fn start() -> Self {
        Self::start_in(None)
    }

    /// As [`World::start`], with the root below a directory of the caller's (a small file system, say).
    ///
    /// # Panics
    ///
    /// As [`World::start`].
    #[must_use]
    pub fn start_in(parent: Option<&Path>) -> Self {
        Self::start_with(parent, Network::Own)
    }

    /// As [`World::start`], with the machine's own network and mounts: what is mounted outside is seen inside.
    ///
    /// # Panics
    ///
    /// As [`World::start`].
    #[must_use]
    pub fn start_on_host() -> Self {
        Self::start_with(None, Network::Host)
    }

    fn start_with(parent: Option<&Path>, network: Network) -> Self {
        static BUILT: LazyLock<Result<(), String>> =
            LazyLock::new(|| build::daemons(Profile::Debug).map_err(|why| format!("{why:#}")));
        must(BUILT.as_ref(), "cannot build the daemons; `cargo xtask setup` prepares a machine");
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let dir = must(tempfile::Builder::new().prefix("vt-").tempdir_in(parent), "no directory");
        let stack = must(Stack::start(dir.path(), Profile::Debug, network), "the stack does not start");
        let guest = must(guest::ready(), "no guest; `cargo xtask setup` builds it");
        let guest = must(guest.copy_to(&stack.root().join("guest")), "no guest");
        let world = Self { stack, guest, _dir: dir };
        world.write("vm.xml", &world.domain("vm", ""));
        world
    }

    /// A file for clients, in the directory in which scripts run; its path comes back.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files().join(name);
        must(fs::write(&path, text), "cannot write a test's file");
        path
    }

    /// The directory of a test's own files.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.stack.root().join("guest")
    }

    /// A domain that boots the tiny guest; `devices` come behind its serial console.
    #[must_use]
    pub fn domain(&self, name: &str, devices: &str) -> String {
        format!(
            "<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>192</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{}</kernel>
    <initrd>{}</initrd>
    <cmdline>{}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <serial type='pty'/>
    <console type='pty'/>
    {devices}
  </devices>
</domain>
",
            self.guest.kernel.display(),
            self.guest.initrd.display(),
            guest::CMDLINE
        )
    }

    /// A program with the environment that leads to this stack through that door.
    #[must_use]
    pub fn client(&self, program: &str, door: Door) -> Command {
        let mut command = self.stack.client(program);
        let uri = |socket: &str| match door {
            Door::Secret => self.stack.uri_of("secret", socket),
            _ => self.stack.uri(socket),
        };
        command.current_dir(self.files()).env("LIBVIRT_DEFAULT_URI", uri(door.socket()));
        command.env("LIBVIRT_READONLY_URI", uri(&format!("{}-ro", door.socket())));
        command.env("ROOT", self.stack.root()).env("LC_ALL", "C").env("TZ", "UTC");
        command
    }

    /// Runs virsh; its output when it succeeds.
    ///
    /// # Panics
    ///
    /// When it fails: with what it said.
    #[track_caller]
    pub fn virsh(&self, door: Door, args: &[&str]) -> String {
        let result = self.try_virsh(door, args);
        result.unwrap_or_else(|why| panic!("virsh {}: {why}\n{}", args.join(" "), self.stack.log("virtqemud")))
    }

    /// Runs virsh; its output, or what it said on failing.
    ///
    /// # Errors
    ///
    /// virsh's own message.
    ///
    /// # Panics
    ///
    /// When virsh is not there.
    #[track_caller]
    pub fn try_virsh(&self, door: Door, args: &[&str]) -> Result<String, String> {
        let out = must(self.client("virsh", door).args(args).output(), "virsh");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
    }
}

/// The value, or a panic that says what was wanted.
#[track_caller]
fn must<T, E: std::fmt::Debug>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|why| panic!("{what}: {why:?}"))
}
