//! A machine whose process 1 is systemd: this machine's programs in a container, with the daemons, units and D-Bus files
//! installed where a package puts them. It can be switched off and on again, and ends with the test.

#![allow(clippy::expect_used, reason = "what tests stand on fails by panicking")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use xtask::command::{wait_for, workspace};

use crate::host::{Host, USER, said};

/// How long it may take to boot or to power off; alone on two cores it takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lays out the machine's disk below `/run/machine/root`, and what a package adds to `/usr` below `/run/machine/usr`.
const INSTALL: &str = r#"set -e
root=/run/machine/root usr=/run/machine/usr
mkdir -p $root/etc $root/var $root/usr $root/run $root/tmp $root/proc $root/sys $root/dev $root/root
mkdir -p $usr/sbin $usr/lib/systemd/system $usr/share/dbus-1/system.d $usr/share/dbus-1/system-services
for dir in bin sbin lib lib32 lib64 libx32; do
    if [ -L /$dir ]; then ln -s usr/$dir $root/$dir; fi
done
cp /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache /etc/os-release $root/etc
cp -a /etc/alternatives $root/etc
touch $root/etc/machine-id
mkdir -p $root/etc/systemd/system
ln -s /usr/lib/systemd/system/multi-user.target $root/etc/systemd/system/default.target
mkdir -p $usr/share/polkit-1/actions $root/etc/polkit-1/rules.d
for program in virtqemud virtstoraged virtnetworkd virtproxyd; do cp /run/programs/$program $usr/sbin; done
cp "$1"/systemd/*.service "$1"/systemd/*.socket $usr/lib/systemd/system
cp "$1"/systemd/dbus/*.conf $usr/share/dbus-1/system.d
cp "$1"/systemd/dbus/*.service $usr/share/dbus-1/system-services
cp "$1"/systemd/polkit/*.policy $usr/share/polkit-1/actions
"#;

/// The machine.
#[derive(Debug)]
pub struct Machine {
    container: Child,
    /// Its process 1, as the host around it numbers it.
    init: String,
    host: Host,
}

impl Machine {
    /// Installs and boots it.
    ///
    /// # Panics
    ///
    /// When this machine lacks something, or it does not boot: with what it said.
    #[must_use]
    pub fn boot() -> Self {
        let host = Host::new();
        let mut install = host.command("bash");
        said(install.args(["-c", INSTALL, "install"]).arg(workspace())).expect("a place to install to");
        let (container, init) = start(&host);
        Self { container, init, host }
    }

    /// Switches it off and on again.
    ///
    /// # Panics
    ///
    /// When it does not go off, or does not come up again.
    pub fn reboot(&mut self) {
        // It may be gone before it has answered.
        let _ = self.run(&["systemctl", "poweroff"]);
        let off = wait_for(PATIENCE, || self.container.try_wait().ok().flatten());
        assert!(off.is_some(), "it does not go off: {}", self.host.read("/run/machine/said"));
        (self.container, self.init) = start(&self.host);
    }

    /// Runs a program on it, by root: what it prints.
    ///
    /// # Errors
    ///
    /// What it says on failing.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Result<String, String> {
        said(&mut self.command(words))
    }

    /// Runs a program on it, by [`USER`]: what it prints.
    ///
    /// # Errors
    ///
    /// What it says on failing.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[track_caller]
    pub fn run_as_user(&self, words: &[&str]) -> Result<String, String> {
        let user = USER.to_string();
        let become_user = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"];
        self.run(&[&become_user, words].concat())
    }

    fn command(&self, words: &[&str]) -> Command {
        enter(&self.host, &self.init, words)
    }

    /// Writes a file of the machine.
    ///
    /// # Panics
    ///
    /// When it cannot.
    pub fn write(&self, path: &str, text: &str) {
        self.host.write(&format!("/run/machine/root{path}"), text);
    }

    /// What its journal says of a unit.
    #[must_use]
    pub fn journal(&self, unit: &str) -> String {
        self.run(&["journalctl", "--boot", "--no-pager", "--unit", unit]).unwrap_or_else(|why| why)
    }

    /// Whether systemd says that the unit is in this state: `active`, `inactive`, `failed`.
    #[must_use]
    pub fn is(&self, unit: &str, state: &str) -> bool {
        // Its exit status depends on the state.
        let out = self.command(&["systemctl", "is-active", unit]).output();
        out.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).trim() == state)
    }
}

fn enter(host: &Host, init: &str, words: &[&str]) -> Command {
    let mut command = host.command("nsenter");
    command.args(["-t", init, "--all", "--wd=/", "--"]).args(words);
    command
}

/// Boots what is installed; returns when systemd says that it is up.
fn start(host: &Host) -> (Child, String) {
    let mut container = host.command("systemd-nspawn");
    container.args(["--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe", "--link-journal=no"]);
    container.args(["-D", "/run/machine/root", "--overlay-ro=/usr:/run/machine/usr:/usr"]);
    let output = std::fs::File::create(host.path("/run/machine/said")).expect("a file for what it says");
    container.stdin(Stdio::null()).stdout(output.try_clone().expect("it twice")).stderr(output);
    let mut container = container.spawn().expect("nsenter");
    let up = wait_for(PATIENCE, || {
        let said = || host.read("/run/machine/said");
        assert!(container.try_wait().ok().flatten().is_none(), "it does not boot: {}", said());
        let outside = *host.pids("systemd-nspawn").first()?;
        let children = host.read(&format!("/proc/{outside}/task/{outside}/children"));
        let init = children.split_whitespace().next()?.to_owned();
        let state = enter(host, &init, &["systemctl", "is-system-running"]).output().ok()?;
        // Services of this machine that cannot run in a container are no matter of ours.
        let is_up = matches!(String::from_utf8_lossy(&state.stdout).trim(), "running" | "degraded");
        is_up.then_some(init)
    });
    let init = up.unwrap_or_else(|| panic!("it is not up after {PATIENCE:?}: {}", host.read("/run/machine/said")));
    (container, init)
}
