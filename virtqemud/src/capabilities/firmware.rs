//! Firmware that is installed: QEMU's descriptors (`/usr/share/qemu/firmware/*.json`), or a list of usual places.
//!
//! Descriptors of a later directory stand in for those of the same name in an earlier one, and an empty file takes one away;
//! the order of their names is the order of preference. Choosing one for a guest is not done here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where descriptors lie, the most general place first.
pub const DIRECTORIES: &[&str] = &["/usr/share/qemu/firmware", "/etc/qemu/firmware"];

/// Where firmware lies that has no descriptor, and what stores of its variables begin as.
const USUAL_PLACES: &[(&str, &str)] = &[
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/OVMF/OVMF_CODE.secboot.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
    ("/usr/share/AAVMF/AAVMF32_CODE.fd", "/usr/share/AAVMF/AAVMF32_VARS.fd"),
];

/// A descriptor, as QEMU's `firmware.json` defines it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Firmware {
    /// `bios`, `uefi`.
    #[serde(rename = "interface-types", default)]
    pub interfaces: Vec<String>,
    /// Which files, and how they are given to QEMU.
    pub mapping: Mapping,
    /// For what it was built.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// What it can do: `secure-boot`, `requires-smm`, `enrolled-keys`.
    #[serde(default)]
    pub features: Vec<String>,
}

/// How firmware is given to QEMU.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "device", rename_all = "kebab-case")]
pub enum Mapping {
    /// As flash, with a store for its variables.
    Flash {
        /// The code.
        executable: Image,
        /// What a guest's variable store begins as.
        #[serde(rename = "nvram-template")]
        nvram_template: Option<Image>,
    },
    /// As ROM.
    Memory {
        /// The code.
        filename: PathBuf,
    },
    /// As a kernel.
    Kernel {
        /// The code.
        filename: PathBuf,
    },
}

/// A file and its format.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Image {
    /// The file.
    pub filename: PathBuf,
    /// `raw`, `qcow2`.
    pub format: Option<String>,
}

/// An architecture and patterns of its machine types.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Target {
    /// By QEMU's name.
    pub architecture: String,
    /// With `*` for anything.
    #[serde(default)]
    pub machines: Vec<String>,
}

impl Firmware {
    /// Whether it was built for this machine type.
    #[must_use]
    pub fn fits(&self, arch: &str, machine: &str) -> bool {
        let mut targets = self.targets.iter().filter(|it| it.architecture == arch);
        targets.any(|it| it.machines.iter().any(|pattern| matches(pattern, machine)))
    }

    /// The file with its code.
    #[must_use]
    pub fn code(&self) -> &Path {
        match &self.mapping {
            Mapping::Flash { executable, .. } => &executable.filename,
            Mapping::Memory { filename } | Mapping::Kernel { filename } => filename,
        }
    }

    /// Whether it enforces secure boot, and lets no guest get round it.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        let has = |feature: &str| self.features.iter().any(|it| it == feature);
        has("secure-boot") && has("requires-smm")
    }
}

/// Whether a text is what a pattern with `*` and `?` says.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // The last star seen, and the text it has eaten up to: to go back to when what follows does not fit.
    let (mut at, mut p, mut star) = (0, 0, None);
    while at < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, at));
                p += 1;
            }
            Some(b) if *b == b'?' || *b == text[at] => {
                p += 1;
                at += 1;
            }
            _ => match star {
                Some((back, eaten)) => {
                    star = Some((back, eaten + 1));
                    p = back + 1;
                    at = eaten + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|it| *it == b'*')
}

/// All descriptors, in order of preference. One that cannot be read is passed over with a warning. Blocks.
#[must_use]
pub fn installed(directories: &[PathBuf]) -> Vec<Firmware> {
    let mut files: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for directory in directories {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|it| it == "json") {
                files.insert(entry.file_name(), entry.path());
            }
        }
    }
    let read = |path: &PathBuf| {
        let text = std::fs::read(path).map_err(|it| it.to_string());
        let text = text.ok().filter(|it| !it.is_empty())?;
        let firmware = serde_json::from_slice(&text);
        firmware.inspect_err(|error| tracing::warn!("firmware {}: {error}", path.display())).ok()
    };
    files.values().filter_map(read).collect()
}

/// Firmware files at the usual places.
#[must_use]
pub fn at_usual_places() -> Vec<PathBuf> {
    USUAL_PLACES.iter().map(|(code, _)| PathBuf::from(code)).filter(|it| it.exists()).collect()
}

/// What the store of variables begins as for firmware at a usual place, whether it is there or not.
#[must_use]
pub fn usual_store(code: &Path) -> Option<PathBuf> {
    USUAL_PLACES.iter().find(|(it, _)| Path::new(it) == code).map(|(_, store)| PathBuf::from(store))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("pc-q35-*", "pc-q35-10.0", true),
            ("pc-q35-*", "pc-i440fx-10.0", false),
            ("virt", "virt", true),
            ("virt", "virt-9.0", false),
            ("*-a*b", "x-aab", true),
            ("?irt*", "virt", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn later_directories_stand_in_and_empty_files_take_away() {
        let root = tempfile::tempdir().expect("a directory");
        let (general, local) = (root.path().join("a"), root.path().join("b"));
        std::fs::create_dir_all(&general).expect("made");
        std::fs::create_dir_all(&local).expect("made");
        let text = |file: &str| {
            format!(
                r#"{{"interface-types": ["uefi"], "mapping": {{"device": "flash", "executable": {{"filename": "{file}",
                "format": "raw"}}}}, "targets": [{{"architecture": "x86_64", "machines": ["pc-q35-*"]}}],
                "features": ["secure-boot", "requires-smm"], "tags": []}}"#
            )
        };
        std::fs::write(general.join("50.json"), text("/general")).expect("written");
        std::fs::write(general.join("60.json"), text("/gone")).expect("written");
        std::fs::write(general.join("70.json"), "{").expect("written");
        std::fs::write(local.join("50.json"), text("/local")).expect("written");
        std::fs::write(local.join("60.json"), "").expect("written");
        let found = installed(&[general, local]);
        assert_eq!(found.iter().map(Firmware::code).collect::<Vec<_>>(), [Path::new("/local")]);
        assert!(found[0].fits("x86_64", "pc-q35-10.0") && !found[0].fits("i386", "pc-q35-10.0"));
        assert!(found[0].is_secure());
    }
}
