//! An engine on a host of its own: a network, a `/sys` that shows it, and folders of its own.
#![allow(clippy::disallowed_methods, reason = "a test may run programs and wait")]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use virtbus_schema::{Network, NetworkPort};
use virtnetworkd::{config::Config, dhcp::Places, driver::Networkd, firewall};

/// Runs `test` in namespaces of its own, on a thread of its own.
pub(crate) fn alone(test: impl Future<Output = ()> + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let ready = unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).and_then(|()| {
            let none: Option<&str> = None;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)
        });
        if ready.is_err() || Command::new("dnsmasq").arg("--version").output().is_err() {
            eprintln!("skipped: needs namespaces of its own, and dnsmasq");
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(test);
    });
    thread.join().expect("the test holds");
}

/// Folders of a host.
pub(crate) struct Stand {
    root: tempfile::TempDir,
}

impl Stand {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        // dnsmasq becomes nobody, who has to get in.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(root.path(), open).expect("ours");
        Self { root }
    }

    pub(crate) fn definitions(&self) -> PathBuf {
        self.root.path().join("etc")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.root.path().join("run")
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.root.path().join("dnsmasq")
    }

    pub(crate) fn hooks(&self) -> PathBuf {
        self.root.path().join("hooks")
    }

    /// A daemon's engine, as far as it comes before its clients do.
    pub(crate) async fn engine(&self) -> Networkd {
        let config = Config {
            definitions: self.definitions(),
            run: self.run(),
            dnsmasq: Places {
                files: self.files(),
                run: self.run(),
                dnsmasq: PathBuf::from("dnsmasq"),
                helper: PathBuf::from(env!("CARGO_BIN_EXE_virtbus_leaseshelper")),
            },
            hooks: virtbus_host::hook::Hooks::new(self.hooks()),
            uri: "network:///system".to_owned(),
        };
        let engine = Networkd::new(config, firewall::choose(false));
        engine.load().await.expect("loads");
        engine.recover().await;
        engine
    }

    pub(crate) fn has_device(&self, name: &str) -> bool {
        Path::new("/sys/class/net").join(name).exists()
    }

    pub(crate) fn delete_device(&self, name: &str) {
        let done = Command::new("ip").args(["link", "delete", name]).status().expect("ip runs");
        assert!(done.success());
    }

    /// The pid of a network's server, if it runs.
    pub(crate) fn dnsmasq(&self, name: &str) -> Option<i32> {
        let pid = std::fs::read_to_string(self.run().join(format!("{name}.pid"))).ok()?;
        let pid: i32 = pid.trim().parse().ok()?;
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (!state.contains(") Z")).then_some(pid)
    }

    pub(crate) fn kill(&self, pid: i32) {
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is there");
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        // A test that failed leaves servers behind.
        for file in std::fs::read_dir(self.run()).into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if let Some(pid) = name.strip_suffix(".pid").and_then(|name| self.dnsmasq(name)) {
                self.kill(pid);
            }
        }
    }
}

pub(crate) fn network(text: &str) -> Box<Network> {
    Box::new(Network::parse(text).expect("a network"))
}

pub(crate) fn port(uuid: &str) -> Box<NetworkPort> {
    let text = format!(
        "<networkport><uuid>{uuid}</uuid><owner><name>d</name><uuid>19b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f</uuid></owner>\
         <mac address='52:54:00:11:22:33'/></networkport>"
    );
    Box::new(NetworkPort::parse(&text).expect("a port"))
}

/// Waits for what comes by itself.
pub(crate) async fn until(patience: Duration, condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < patience, "it does not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
