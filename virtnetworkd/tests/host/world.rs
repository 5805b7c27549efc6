//! Network namespaces, and what joins them.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use virtbus_host::netlink::Netlink;
use virtnetworkd::bridge::{self, PortSettings};
use virtnetworkd::dhcp::Places;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A network namespace, held by a process that sleeps.
pub(crate) struct Place(Child);

/// The host's namespace, and folders.
pub(crate) struct World {
    pub(crate) host: Place,
    pub(crate) places: Places,
    _folder: tempfile::TempDir,
}

/// Runs `test` as a host of its own; does nothing where that may not be made.
pub(crate) fn alone(test: impl AsyncFnOnce(World) + Send + 'static) {
    let programs = ["dnsmasq", "nft", "ip", "unshare"];
    if programs.iter().any(|program| virtbus_host::process::find_program(program).is_none()) {
        eprintln!("skipped: not all of {programs:?} are installed");
        return;
    }
    let thread = std::thread::spawn(move || {
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            eprintln!("skipped: no network namespace may be made");
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(test(World::new()));
    });
    thread.join().expect("the test holds");
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // dnsmasq reads it as nobody.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).expect("set");
        let places = Places {
            files: folder.path().join("dnsmasq"),
            run: folder.path().join("run"),
            dnsmasq: "dnsmasq".into(),
            helper: PathBuf::from(env!("CARGO_BIN_EXE_virtbus_leaseshelper")),
        };
        Self { host: Place::here(), places, _folder: folder }
    }

    /// A namespace behind the host, with a link between `ours` and `theirs`.
    pub(crate) fn outside(&self, ours: &str, theirs: &str) -> Place {
        let outside = Place::new();
        self.host.run("ip link add up0 type veth peer name out0");
        self.host.run(&format!("ip link set out0 netns {}", outside.0.id()));
        self.host.run(&format!("ip addr add {ours}/24 dev up0"));
        self.host.run("ip link set up0 up");
        outside.run(&format!("ip addr add {theirs}/24 dev out0"));
        outside.run("ip link set out0 up");
        outside
    }

    /// A guest with the device `name`, plugged into `bridge`.
    pub(crate) fn guest(&self, bridge: &str, name: &str) -> Place {
        let guest = Place::new();
        let port = format!("{name}p");
        Netlink::open().expect("a socket").add_veth(&port, name).expect("made");
        self.host.run(&format!("ip link set {name} netns {}", guest.0.id()));
        bridge::attach(bridge, &port, &PortSettings::default()).expect("plugged");
        self.host.run(&format!("ip link set {port} up"));
        guest.run(&format!("ip link set {name} up"));
        guest
    }

    /// Connects from one place to another, and says from which address it seemed to come.
    pub(crate) fn connect(&self, from: &Place, to: &Place, at: &str) -> Option<IpAddr> {
        let address = at.parse().expect("an address");
        let listener = to.inside(move || TcpListener::bind(address).expect("bound"));
        listener.set_nonblocking(true).expect("set");
        let stream = from.inside(move || TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok())?;
        let begun = Instant::now();
        loop {
            if let Ok((_, peer)) = listener.accept() {
                drop(stream);
                return Some(peer.ip());
            }
            assert!(begun.elapsed() < PATIENCE, "connected, but nobody came");
            std::thread::yield_now();
        }
    }

    /// How long it takes from here to a place to send so many bytes.
    pub(crate) fn send(&self, to: &Place, at: &str, bytes: usize) -> Duration {
        let address: std::net::SocketAddr = at.parse().expect("an address");
        let listener = to.inside(move || TcpListener::bind(address).expect("bound"));
        let reader = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody");
            std::io::copy(&mut stream, &mut std::io::sink()).expect("read")
        });
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connected");
        let begun = Instant::now();
        stream.write_all(&vec![0; bytes]).expect("sent");
        drop(stream);
        assert_eq!(reader.join().expect("no panic"), bytes as u64);
        begun.elapsed()
    }

    /// Whether `check` comes true.
    pub(crate) fn soon(&self, check: impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if check() {
                return true;
            }
        }
        false
    }
}

impl Place {
    /// A new namespace with nothing but a loopback device.
    fn new() -> Self {
        let place = Self::sleeping(&["unshare", "-n"]);
        place.run("ip link set lo up");
        place
    }

    /// The namespace of this thread.
    fn here() -> Self {
        Self::sleeping(&["env"])
    }

    #[allow(clippy::disallowed_methods, reason = "a test's own tool, not the daemon's")]
    fn sleeping(how: &[&str]) -> Self {
        let mut child = Command::new(how[0])
            .args(&how[1..])
            .args(["sh", "-c", "echo ready; exec sleep 600"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut ready = [0; 6];
        child.stdout.take().expect("piped").read_exact(&mut ready).expect("ready");
        Self(child)
    }

    /// Runs a command there, which must work.
    pub(crate) fn run(&self, command: &str) {
        self.tell(command);
    }

    /// Runs a command there, which must work, and says what it printed.
    #[allow(clippy::disallowed_methods, reason = "a test's own tool, not the daemon's")]
    pub(crate) fn tell(&self, command: &str) -> String {
        let pid = self.0.id().to_string();
        let done = Command::new("nsenter").args(["-t", &pid, "-n", "sh", "-c", command]).output().expect("started");
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Calls `work` on a thread that is there.
    pub(crate) fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let namespace = std::fs::File::open(format!("/proc/{}/ns/net", self.0.id())).expect("opened");
        let thread = std::thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("entered");
            work()
        });
        thread.join().expect("no panic")
    }
}

impl Drop for World {
    /// What a test that failed has left running.
    fn drop(&mut self) {
        for file in std::fs::read_dir(&self.places.run).into_iter().flatten().flatten() {
            let pid = std::fs::read_to_string(file.path()).ok().and_then(|text| text.trim().parse().ok());
            let process = pid.and_then(|pid| virtbus_host::process::Process::open_pid(pid).ok());
            let folder = self.places.files.display().to_string();
            if let Some(process) = process {
                let arguments = process.cmdline().unwrap_or_default();
                if arguments.iter().any(|it| String::from_utf8_lossy(it).contains(&folder)) {
                    let _ = process.signal(nix::sys::signal::Signal::SIGKILL);
                }
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It sleeps; nothing is lost.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
