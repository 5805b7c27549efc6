//! One of the two that are compared: a stack of ours, the installed reference, or whatever listens behind a URI.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use crate::build::Profile;
use crate::client::Client;
use crate::command::program;
use crate::stack::{Network, Service, Stack};

/// A way to reach a side: what the table calls it, and the socket.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) column: String,
    pub(super) socket: PathBuf,
    /// Who answers on the message bus.
    pub(super) bus_name: Option<&'static str>,
}

/// A side and the ways to it; the first is the direct one.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) ways: Vec<Way>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Ours(Box<Stack>),
    Reference { root: PathBuf, service: Service },
    Foreign,
}

impl Side {
    /// The release build of this tree.
    pub(super) fn ours(root: &Path) -> Result<Self> {
        let stack = Stack::start(root, Profile::Release, Network::Host)?;
        let way = |column: &str, socket: &str, bus_name| Way {
            column: column.to_owned(),
            socket: stack.socket(socket),
            bus_name: Some(bus_name),
        };
        let direct = way("virtbus", "virtqemud-sock", "org.libvirt.virtqemud");
        let ways = vec![direct, way("virtbus via proxy", "libvirt-sock", "org.libvirt")];
        Ok(Self { ways, kind: Kind::Ours(Box::new(stack)) })
    }

    /// The installed reference, in a mount namespace of its own: nothing that the machine's own one has is seen or touched.
    pub(super) fn reference(root: &Path) -> Result<Self> {
        prepare_reference(root)?;
        let socket = root.join("run/libvirt/libvirt-sock");
        let service = start_reference(root, &|| Client::open(&socket).is_ok())?;
        let ways = vec![Way { column: "reference".into(), socket, bus_name: None }];
        Ok(Self { ways, kind: Kind::Reference { root: root.to_path_buf(), service } })
    }

    /// A daemon that somebody else started; it cannot be started again, nor weighed.
    pub(super) fn foreign(uri: &str) -> Result<Self> {
        let socket = match uri.split_once("socket=") {
            Some((_, rest)) => PathBuf::from(rest.split('&').next().unwrap_or(rest)),
            None if uri == "qemu:///system" => PathBuf::from("/run/libvirt/libvirt-sock"),
            None => bail!("{uri}: name the socket, as in qemu+unix:///system?socket=PATH"),
        };
        Ok(Self { ways: vec![Way { column: "reference".into(), socket, bus_name: None }], kind: Kind::Foreign })
    }

    /// The direct way's name.
    pub(super) fn column(&self) -> &str {
        &self.ways[0].column
    }

    /// A new connection by the direct way.
    pub(super) fn client(&self) -> Result<Client> {
        Client::open(&self.ways[0].socket)
    }

    /// Ends the daemon and starts it again; the time from the start until `ready`. `None` for a foreign one.
    pub(super) fn restart(&mut self, ready: &dyn Fn(&Path) -> bool) -> Result<Option<Duration>> {
        let socket = self.ways[0].socket.clone();
        let is_ready = || ready(&socket);
        match &mut self.kind {
            Kind::Ours(stack) => {
                stack.service("virtqemud")?.stop()?;
                let begin = Instant::now();
                stack.start_daemon_until("virtqemud", &is_ready)?;
                Ok(Some(begin.elapsed()))
            }
            Kind::Reference { root, service } => {
                end_reference(service)?;
                let begin = Instant::now();
                *service = start_reference(root, &is_ready)?;
                Ok(Some(begin.elapsed()))
            }
            Kind::Foreign => Ok(None),
        }
    }

    /// Resident memory of the daemon that owns the domains, in MiB, once it has nothing more to do.
    pub(super) fn resident_at_rest(&mut self) -> Result<Option<f64>> {
        let pid = match &mut self.kind {
            Kind::Ours(stack) => stack.service("virtqemud")?.pid(),
            Kind::Reference { service, .. } => service.pid(),
            Kind::Foreign => return Ok(None),
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut used = cpu_ticks(pid)?;
        while Instant::now() < deadline {
            std::thread::sleep(Duration::from_secs(1));
            match cpu_ticks(pid)? {
                now if now == used => break,
                now => used = now,
            }
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(Some(kib / 1024.0))
    }

    /// The bus our side is on.
    pub(super) fn bus(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Ours(stack) => Some(stack.root().join("run/dbus/system_bus_socket")),
            Kind::Reference { .. } | Kind::Foreign => None,
        }
    }

    /// Where our side keeps definitions.
    pub(super) fn definitions(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Ours(stack) => Some(stack.root().join("etc/libvirt/qemu")),
            Kind::Reference { .. } | Kind::Foreign => None,
        }
    }

    pub(super) fn stop(self) -> Result<()> {
        match self.kind {
            Kind::Ours(stack) => stack.stop(),
            Kind::Reference { root, mut service } => {
                end_reference(&mut service)?;
                let _ = crate::processes::end(&root, &["qemu-"]);
                Ok(())
            }
            Kind::Foreign => Ok(()),
        }
    }
}

/// CPU time a process has used, in clock ticks.
fn cpu_ticks(pid: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
    // utime and stime are the 14th and 15th field, and two are cut off.
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<Result<u64, _>>()?)
}

/// The directories that the reference uses; each is replaced by one below the private root.
const REPLACED: &str = "etc/libvirt var/lib/libvirt var/cache/libvirt var/log/libvirt run/libvirt";

/// No log daemon, no labels and no cgroups: less work for the reference than it has on a host, never more.
const QEMU_CONF: &str = "stdio_handler = \"file\"\nsecurity_driver = \"none\"\ncgroup_controllers = [ ]\n";
const LIBVIRTD_CONF: &str = "auth_unix_rw = \"none\"\nunix_sock_rw_perms = \"0777\"\n";

fn prepare_reference(root: &Path) -> Result<()> {
    for dir in REPLACED.split(' ') {
        fs::create_dir_all(root.join(dir))?;
    }
    for dir in ["log", "run/stack", "var/lib/libvirt/qemu"] {
        fs::create_dir_all(root.join(dir))?;
    }
    fs::write(root.join("etc/libvirt/qemu.conf"), QEMU_CONF)?;
    fs::write(root.join("etc/libvirt/libvirtd.conf"), LIBVIRTD_CONF)?;
    Ok(())
}

/// Now and then it does not end when asked to, with thousands of domains; how it ends is not what is measured.
fn end_reference(service: &mut Service) -> Result<()> {
    service.signal(Signal::SIGTERM);
    if service.wait(Duration::from_secs(5)).is_none() {
        service.kill()?;
    }
    Ok(())
}

fn start_reference(root: &Path, ready: &dyn Fn() -> bool) -> Result<Service> {
    let script = format!(
        "set -e; mount --make-rprivate /; \
         for dir in {REPLACED}; do mkdir -p /$dir; mount --bind \"$ROOT/$dir\" /$dir; done; \
         rm -f /run/libvirt/*sock*; chown libvirt-qemu: /var/lib/libvirt/qemu; \
         exec libvirtd -p \"$ROOT/run/libvirtd.pid\""
    );
    let mut command = program("unshare");
    command.args(["-m", "sh", "-c", &script]).env("ROOT", root);
    Service::start(root, "libvirtd", &command, Some(ready))
}
