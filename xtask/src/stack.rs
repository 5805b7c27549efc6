//! The whole stack below a private root: a bus and all daemons, with nothing of the machine's own touched.
//!
//! ```text
//! ROOT/env                      to be sourced: where clients find the stack
//! ROOT/log/NAME.log             what each program printed
//! ROOT/run/dbus/system_bus_socket
//! ROOT/run/stack/NAME.pid
//! ROOT/{etc,run,var}/...        the daemons' own, laid out as on a host
//! ```
//!
//! A stack that is dropped ends with everything in it; [`Stack::leave`] lets it go on after this program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::build::Profile;
use crate::command::program;
use crate::processes;

mod networks;
mod service;

pub use service::Service;

/// The longest root whose sockets still fit into a socket address (108 bytes with the longest name below it).
const LONGEST_ROOT: usize = 60;

/// The programs of a stack, in the order in which they start.
const BUS: &str = "dbus-daemon";
const DAEMONS: [&str; 4] = ["virtnetworkd", "virtstoraged", "virtqemud", "virtproxyd"];

/// Which network the programs of a stack see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The machine's.
    Host,
    /// One of their own with nothing but the loopback device, so that bridges and rules of the stack cannot meet the machine's.
    /// Only root can make one; for others it is the machine's.
    Own,
}

/// A running stack.
#[derive(Debug)]
pub struct Stack {
    root: PathBuf,
    profile: Profile,
    network: Network,
    services: BTreeMap<&'static str, Service>,
    ends_with_me: bool,
}

impl Stack {
    /// Starts everything and waits until it is ready. The programs must have been built.
    pub fn start(root: &Path, profile: Profile, network: Network) -> Result<Self> {
        let mut stack = Self::prepare(root, profile, network)?;
        stack.start_bus()?;
        for name in DAEMONS {
            stack.start_daemon(name)?;
        }
        stack.write_env()?;
        Ok(stack)
    }

    /// Makes the root; starts nothing yet. For tests that start only a part.
    pub fn prepare(root: &Path, profile: Profile, network: Network) -> Result<Self> {
        let network = if nix::unistd::geteuid().is_root() { network } else { Network::Host };
        fs::create_dir_all(root).with_context(|| root.display().to_string())?;
        let root = root.canonicalize()?;
        if root.as_os_str().len() > LONGEST_ROOT {
            bail!(
                "{}: socket paths below it would be too long; take a root of at most {LONGEST_ROOT} bytes",
                root.display()
            );
        }
        // QEMU runs as a user of its own, and must be able to reach its files below.
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755))?;
        for dir in ["log", "run/dbus", "run/libvirt", "run/stack"] {
            fs::create_dir_all(root.join(dir))?;
        }
        Ok(Self { root, profile, network, services: BTreeMap::new(), ends_with_me: true })
    }

    /// Starts the private bus.
    pub fn start_bus(&mut self) -> Result<()> {
        let socket = self.bus_socket();
        let _ = fs::remove_file(&socket);
        let config = self.root.join("run/dbus/bus.conf");
        // The daemons check each caller themselves, so the bus lets all messages pass.
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*" eavesdrop="false"/>
  </policy>
</busconfig>
"#,
            socket.display()
        );
        fs::write(&config, text)?;
        let mut command = match self.network {
            Network::Host => program(BUS),
            Network::Own => {
                // /sys shows the devices of the network that it was mounted in.
                let begin = "mount -t sysfs sysfs /sys && ip link set lo up && exec \"$@\"";
                let mut command = program("unshare");
                command.args(["--net", "--mount", "--propagation", "slave", "--", "sh", "-c", begin, "sh", BUS]);
                command
            }
        };
        command.arg("--nofork").arg("--nopidfile").arg(format!("--config-file={}", config.display()));
        let connects = move || UnixStream::connect(&socket).is_ok();
        let service = Service::start(&self.root, BUS, &command, Some(&connects))?;
        self.services.insert(BUS, service);
        Ok(())
    }

    /// Starts one of the daemons and waits until it says that it is ready.
    pub fn start_daemon(&mut self, name: &'static str) -> Result<()> {
        self.start_and_wait(name, None)
    }

    /// Starts a daemon and waits until `ready` says so, whatever the daemon says.
    pub fn start_daemon_until(&mut self, name: &'static str, ready: &dyn Fn() -> bool) -> Result<()> {
        self.start_and_wait(name, Some(ready))
    }

    fn start_and_wait(&mut self, name: &'static str, ready: Option<&dyn Fn() -> bool>) -> Result<()> {
        let binary = self.profile.bin_dir().join(name);
        let mut command = self.inside(&binary);
        command.arg("--root").arg(&self.root).envs(self.env());
        let service = Service::start(&self.root, name, &command, ready)?;
        self.services.insert(name, service);
        Ok(())
    }

    /// The root directory, as an absolute path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A socket below `ROOT/run/libvirt`.
    #[must_use]
    pub fn socket(&self, name: &str) -> PathBuf {
        self.root.join("run/libvirt").join(name)
    }

    /// The connection URI for one of the sockets: `libvirt-sock` leads through the proxy, `virtqemud-sock` does not. The
    /// sockets of the other daemons lead to their drivers alone.
    #[must_use]
    pub fn uri(&self, socket: &str) -> String {
        let driver = if socket.starts_with("virtstoraged") {
            "storage"
        } else if socket.starts_with("virtnetworkd") {
            "network"
        } else {
            "qemu"
        };
        self.uri_of(driver, socket)
    }

    /// The connection URI for one driver (`secret`, say) of the daemon behind a socket.
    #[must_use]
    pub fn uri_of(&self, driver: &str, socket: &str) -> String {
        format!("{driver}+unix:///system?socket={}", self.socket(socket).display())
    }

    /// What clients need in their environment.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", self.bus_socket().display())),
            ("LIBVIRT_DEFAULT_URI", self.uri("libvirt-sock")),
        ]
    }

    /// A program with the environment of [`Stack::env`].
    #[must_use]
    pub fn client(&self, name: &str) -> std::process::Command {
        let mut command = program(name);
        command.envs(self.env());
        command
    }

    /// A program that sees the stack's network: that of its bus, which must have been started.
    #[must_use]
    pub fn inside(&self, name: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
        match (self.network, self.services.get(BUS)) {
            (Network::Own, Some(bus)) => {
                let mut command = program("nsenter");
                let [net, mount] = ["net", "mnt"].map(|it| format!("/proc/{}/ns/{it}", bus.pid()));
                command.arg(format!("--net={net}")).arg(format!("--mount={mount}")).arg("--").arg(name);
                command
            }
            _ => program(name),
        }
    }

    /// One of the running programs.
    pub fn service(&mut self, name: &str) -> Result<&mut Service> {
        self.services.get_mut(name).with_context(|| format!("{name} was not started"))
    }

    /// What a program printed so far.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        fs::read(service::log_file(&self.root, name))
            .map(|it| String::from_utf8_lossy(&it).into_owned())
            .unwrap_or_default()
    }

    /// Lets everything run on after this program has ended.
    pub fn leave(mut self) {
        self.ends_with_me = false;
    }

    /// Ends everything, guests too. Definitions and logs stay below the root.
    pub fn stop(mut self) -> Result<()> {
        self.ends_with_me = false;
        self.end()
    }

    /// Writes ROOT/env anew; after a daemon was started again its process id is another.
    pub fn write_env(&self) -> Result<()> {
        let mut lines: Vec<_> =
            self.env().into_iter().map(|(key, value)| format!("export {key}='{value}'\n")).collect();
        lines.push(format!("export VIRTBUS_ROOT='{}'\n", self.root.display()));
        for (name, service) in &self.services {
            lines.push(format!("export {}_PID={}\n", name.to_uppercase().replace('-', "_"), service.pid()));
        }
        fs::write(self.root.join("env"), lines.concat())?;
        Ok(())
    }

    fn bus_socket(&self) -> PathBuf {
        self.root.join("run/dbus/system_bus_socket")
    }

    /// Newest first: the proxy before the daemon, the daemon before its guests, the bus last.
    fn end(&mut self) -> Result<()> {
        let mut problems = Vec::new();
        if self.network == Network::Host {
            problems.extend(networks::stop(&self.root).err().map(|it| format!("{it:#}")));
        }
        for name in DAEMONS.iter().rev() {
            if let Some(mut service) = self.services.remove(name)
                && let Err(why) = service.stop()
            {
                problems.push(format!("{name}: {why:#}"));
            }
        }
        problems.extend(down_without(&self.root).err().map(|it| format!("{it:#}")));
        // The bus was ended by the line above; this reaps it.
        if let Some(mut bus) = self.services.remove(BUS) {
            bus.stop()?;
        }
        if !problems.is_empty() {
            bail!("{}", problems.join("; "));
        }
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.ends_with_me
            && let Err(why) = self.end()
        {
            eprintln!("stack: {why:#}");
        }
    }
}

/// Ends the stack below `root` that another program started and left. Nothing there is no error.
pub fn down(root: &Path) -> Result<()> {
    let Ok(root) = root.canonicalize() else { return Ok(()) };
    networks::stop(&root)?;
    for name in DAEMONS.iter().rev() {
        service::stop_by_pid_file(&root, name)?;
    }
    down_without(&root)
}

/// Ends what is left when the daemons are gone: guests, then the bus; then takes the files away that said it was up.
fn down_without(root: &Path) -> Result<()> {
    let names = ["qemu-", "dnsmasq", "virtqemud", "virtstoraged", "virtnetworkd", "virtproxyd"];
    let guests = processes::end(root, &names);
    service::stop_by_pid_file(root, BUS)?;
    let _ = fs::remove_file(root.join("env"));
    if let Err(pids) = guests {
        bail!("processes that do not die: {pids:?}");
    }
    Ok(())
}

/// How long a program may take to become ready or to end.
const PATIENCE: Duration = Duration::from_secs(30);
