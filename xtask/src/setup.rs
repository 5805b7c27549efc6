//! What the machine must have: asks the distribution's package tool for what is missing and for nothing else.
//!
//! Debian and Ubuntu. Debian 12 ships an older QEMU and libvirt than the ones Virtbus is measured against, so there
//! those come from its backports suite, on the mirror that the machine already uses.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::command::{output, program, run};

/// How much is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// To start the stack and boot a guest in it.
    Demo,
    /// Also every client, and the reference to compare with.
    Everything,
}

struct Package {
    name: &'static str,
    need: Need,
    /// On Debian 12, the backports suite's version is wanted.
    newer: bool,
}

const fn package(name: &'static str, need: Need) -> Package {
    Package { name, need, newer: false }
}

const fn newer(name: &'static str, need: Need) -> Package {
    Package { name, need, newer: true }
}

/// Sorted by need, then by name. The guest's kernel is not among them: [`crate::guest`] unpacks it without installing.
const PACKAGES: &[Package] = &[
    package("busybox-static", Need::Demo),
    package("dbus", Need::Demo),
    package("dnsmasq-base", Need::Demo),
    package("iproute2", Need::Demo),
    newer("libvirt-clients", Need::Demo),
    package("nftables", Need::Demo),
    newer("qemu-system-x86", Need::Demo),
    newer("qemu-utils", Need::Demo),
    package("systemd", Need::Demo),
    package("xz-utils", Need::Demo),
    package("zstd", Need::Demo),
    package("btrfs-progs", Need::Everything),
    package("fuse2fs", Need::Everything),
    package("g++", Need::Everything),
    newer("libnss-libvirt", Need::Everything),
    package("libsys-virt-perl", Need::Everything),
    newer("libvirt-daemon", Need::Everything),
    newer("libvirt-daemon-driver-qemu", Need::Everything),
    package("libvirt-dbus", Need::Everything),
    package("lvm2", Need::Everything),
    package("nfs-common", Need::Everything),
    package("parted", Need::Everything),
    package("passt", Need::Everything),
    package("polkitd", Need::Everything),
    package("procps", Need::Everything),
    package("python3-gi", Need::Everything),
    package("python3-libvirt", Need::Everything),
    package("socat", Need::Everything),
    package("strace", Need::Everything),
    package("swtpm", Need::Everything),
    package("swtpm-tools", Need::Everything),
    package("systemd-container", Need::Everything),
    // Of one version with systemd, which the newer packages bring along.
    newer("udev", Need::Everything),
    package("virtinst", Need::Everything),
    package("xfsprogs", Need::Everything),
];

/// Which distribution this is, from os-release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// `debian`, `ubuntu`, ...
    pub id: String,
    /// `bookworm`, ...; empty when the file does not say.
    pub codename: String,
    like: String,
}

impl Distribution {
    /// Reads `/etc/os-release`.
    pub fn here() -> Result<Self> {
        let text = fs::read_to_string("/etc/os-release").context("/etc/os-release")?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or_default().trim_matches('"').to_owned()
        };
        Self { id: field("ID"), codename: field("VERSION_CODENAME"), like: field("ID_LIKE") }
    }

    fn uses_apt(&self) -> bool {
        [&self.id, &self.like].iter().any(|it| it.split(' ').any(|word| word == "debian" || word == "ubuntu"))
    }

    fn wants_backports(&self) -> bool {
        self.id == "debian" && self.codename == "bookworm"
    }
}

/// Installs what is missing. When nothing is, it takes a few milliseconds and needs neither root nor a network.
pub fn install(need: Need) -> Result<()> {
    let distribution = Distribution::here()?;
    let missing = missing(need, &distribution)?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|it| it.name).collect();
    eprintln!("setup: installing {}", names.join(" "));
    if !distribution.uses_apt() {
        bail!("this machine ({}) has no apt; install these by hand: {}", distribution.id, names.join(" "));
    }
    if !nix::unistd::geteuid().is_root() {
        bail!("only root can install packages; run: sudo apt-get install {}", names.join(" "));
    }
    let backports = distribution.wants_backports() && missing.iter().any(|it| it.newer);
    if backports {
        add_backports(&distribution.codename)?;
    }
    update_lists()?;
    let (from_backports, plain): (Vec<&Package>, Vec<_>) = missing.iter().partition(|it| backports && it.newer);
    let suite = format!("{}-backports", distribution.codename);
    apt_install(&from_backports, Some(&suite))?;
    apt_install(&plain, None)?;
    let still = self::missing(need, &distribution)?;
    if let Some(first) = still.first() {
        bail!("apt-get succeeded, yet {} is not installed in the version wanted", first.name);
    }
    eprintln!("setup: done");
    Ok(())
}

/// Fetches the package lists anew: an image's own are often empty or too old to download from.
pub fn update_lists() -> Result<()> {
    eprintln!("setup: apt-get update");
    run(apt_get().args(["-q", "update"]))
}

/// `apt-get`, asking nothing, with its chatter reduced.
#[must_use]
pub fn apt_get() -> std::process::Command {
    let mut command = program("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "Dpkg::Use-Pty=0"]);
    command
}

fn apt_install(packages: &[&Package], suite: Option<&str>) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let mut command = apt_get();
    command.args(["-q", "-y", "--no-install-recommends"]);
    if let Some(suite) = suite {
        command.args(["-t", suite]);
    }
    run(command.arg("install").args(packages.iter().map(|it| it.name)))
}

fn missing(need: Need, distribution: &Distribution) -> Result<Vec<&'static Package>> {
    let wanted = PACKAGES.iter().filter(|it| it.need <= need);
    let format = "-f=${Package} ${db:Status-Status} ${Version}\\n";
    // Names that dpkg has never heard of make it exit with 1, which is no error here.
    let out = program("dpkg-query").arg("-W").arg(format).args(wanted.clone().map(|it| it.name)).output();
    let out = out.context("dpkg-query")?;
    let installed: BTreeMap<_, _> = std::str::from_utf8(&out.stdout)?
        .lines()
        .filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [name, "installed", version] => Some((name, version)),
            _ => None,
        })
        .collect();
    let is_there = |it: &&Package| match installed.get(it.name) {
        Some(version) => !(it.newer && distribution.wants_backports()) || version.contains("bpo"),
        None => false,
    };
    Ok(wanted.filter(|it| !is_there(it)).collect())
}

/// Adds the backports suite beside the suites already there, from the same mirror, unless apt knows it.
fn add_backports(codename: &str) -> Result<()> {
    let suite = format!("{codename}-backports");
    let known = output(program("apt-get").args(["indextargets", "--format", "$(RELEASE) $(REPO_URI)"]))?;
    let mirror_of = |release: &str| known.lines().find_map(|line| line.strip_prefix(release)?.strip_prefix(' '));
    if mirror_of(&suite).is_some() {
        return Ok(());
    }
    let mirror = mirror_of(codename).with_context(|| format!("apt has no source for {codename}"))?;
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let options = if Path::new(keyring).exists() { format!("[signed-by={keyring}] ") } else { String::new() };
    let file = Path::new("/etc/apt/sources.list.d/virtbus-backports.list");
    eprintln!("setup: adding the suite {suite} in {}", file.display());
    fs::write(file, format!("deb {options}{mirror} {suite} main\n")).with_context(|| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_read() {
        let it = Distribution::parse("NAME=\"x\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=wilma\n");
        assert_eq!((it.id.as_str(), it.codename.as_str()), ("linuxmint", "wilma"));
        assert!(it.uses_apt() && !it.wants_backports());
        assert!(!Distribution::parse("ID=fedora\n").uses_apt());
    }

    #[test]
    fn packages_are_sorted() {
        assert!(PACKAGES.is_sorted_by_key(|it| (it.need, it.name)));
    }
}
