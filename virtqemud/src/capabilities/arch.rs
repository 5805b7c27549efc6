//! Architectures by libvirt's names: how wide they are, which emulator serves them, which part of the CPU map is theirs.

use std::path::PathBuf;

use virtbus_host::process::find_program;

/// An architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arch {
    /// libvirt's name.
    pub name: &'static str,
    /// Bits of an address.
    pub bits: u32,
    /// The `NAME` of `qemu-system-NAME`.
    pub qemu: &'static str,
}

/// All of them, in the order the reference lists guests.
pub const ARCHES: &[Arch] = &[
    arch("alpha", 64, "alpha"),
    arch("armv6l", 32, "arm"),
    arch("armv7l", 32, "arm"),
    arch("armv7b", 32, "armv7b"),
    arch("aarch64", 64, "aarch64"),
    arch("cris", 32, "cris"),
    arch("i686", 32, "i386"),
    arch("ia64", 64, "ia64"),
    arch("lm32", 32, "lm32"),
    arch("loongarch64", 64, "loongarch64"),
    arch("m68k", 32, "m68k"),
    arch("microblaze", 32, "microblaze"),
    arch("microblazeel", 32, "microblazeel"),
    arch("mips", 32, "mips"),
    arch("mipsel", 32, "mipsel"),
    arch("mips64", 64, "mips64"),
    arch("mips64el", 64, "mips64el"),
    arch("openrisc", 32, "or1k"),
    arch("parisc", 32, "hppa"),
    arch("parisc64", 64, "parisc64"),
    arch("ppc", 32, "ppc"),
    arch("ppc64", 64, "ppc64"),
    arch("ppc64le", 64, "ppc64"),
    arch("ppcemb", 32, "ppcemb"),
    arch("riscv32", 32, "riscv32"),
    arch("riscv64", 64, "riscv64"),
    arch("s390", 32, "s390"),
    arch("s390x", 64, "s390x"),
    arch("sh4", 32, "sh4"),
    arch("sh4eb", 32, "sh4eb"),
    arch("sparc", 32, "sparc"),
    arch("sparc64", 64, "sparc64"),
    arch("unicore32", 32, "unicore32"),
    arch("x86_64", 64, "x86_64"),
    arch("xtensa", 32, "xtensa"),
    arch("xtensaeb", 32, "xtensaeb"),
];

const fn arch(name: &'static str, bits: u32, qemu: &'static str) -> Arch {
    Arch { name, bits, qemu }
}

impl Arch {
    /// The architecture of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ARCHES.iter().copied().find(|it| it.name == name)
    }

    /// Whether any name is a CPU model of it: no map describes them.
    #[must_use]
    pub fn takes_any_model(self) -> bool {
        self.is_arm() || matches!(self.name, "s390" | "s390x" | "riscv64" | "loongarch64")
    }

    /// The host's.
    ///
    /// # Errors
    /// When the kernel does not say, or says what libvirt has no name for.
    pub fn of_host() -> std::io::Result<Self> {
        let machine = nix::sys::utsname::uname()?.machine().to_string_lossy().into_owned();
        let name = match machine.as_str() {
            "i386" | "i486" | "i586" => "i686",
            "amd64" => "x86_64",
            other => other,
        };
        Self::named(name).ok_or_else(|| std::io::Error::other(format!("unknown architecture {machine}")))
    }

    /// Whether it is one of the x86 family.
    #[must_use]
    pub fn is_x86(self) -> bool {
        matches!(self.name, "i686" | "x86_64")
    }

    /// Whether it is one of the ARM family.
    #[must_use]
    pub fn is_arm(self) -> bool {
        matches!(self.name, "armv6l" | "armv7l" | "armv7b" | "aarch64")
    }

    /// Its part of the CPU map, where it has models there that count: ARM's are names of hosts only.
    #[must_use]
    pub fn map_family(self) -> Option<&'static str> {
        match self.name {
            "i686" | "x86_64" => Some("x86"),
            "ppc64" | "ppc64le" => Some("ppc64"),
            _ => None,
        }
    }

    /// Whether a host of architecture `self` runs guests of `guest` on its own CPU.
    #[must_use]
    pub fn runs(self, guest: Self) -> bool {
        self == guest
            || matches!(
                (self.name, guest.name),
                ("x86_64", "i686") | ("aarch64", "armv7l") | ("ppc64" | "ppc64le", "ppc64" | "ppc64le")
            )
    }

    /// The emulator of this architecture on a host of architecture `host`, where one is installed.
    #[must_use]
    pub fn emulator(self, host: Self) -> Option<PathBuf> {
        let mut names = vec![format!("qemu-system-{}", self.qemu)];
        if host.runs(self) {
            names.push(format!("qemu-system-{}", host.qemu));
        }
        if host == self {
            names.extend(["qemu-kvm", "/usr/libexec/qemu-kvm"].map(str::to_owned));
        }
        names.iter().find_map(find_program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for it in ARCHES {
            assert_eq!(Arch::named(it.name), Some(*it));
        }
        let of = |name| Arch::named(name).expect(name);
        assert!(of("x86_64").runs(of("i686")) && !of("i686").runs(of("x86_64")));
        assert!(Arch::of_host().is_ok());
    }
}
