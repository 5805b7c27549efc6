//! `<host>` of the capabilities: what is read at each call, around the facts that do not change.

use std::io;

use uuid::Uuid;
use virtbus_host::cpu::Topology;
use virtbus_host::memory;
use virtbus_schema::capabilities::host::{BaseLabel, Host, MigrationFeatures, PowerManagement, SecurityModel};
use virtbus_schema::xml::YesNo;

use super::arch::Arch;
use super::cpu_map::CpuMap;
use super::host_cpu::{HostCpuFacts, page_sizes};
use super::topology::{Sysfs, caches, cells, cpu_topology};

/// What an administrator has a say in.
#[derive(Debug, Clone, Default)]
pub struct HostSettings {
    /// The host's UUID; `None` is the machine's own.
    pub uuid: Option<Uuid>,
    /// Who owns what guests use, user and group; `None` where nobody is changed to.
    pub owner: Option<(u32, u32)>,
}

/// The element, read now. Blocks on sysfs.
///
/// # Errors
/// When the kernel does not tell the host's memory.
pub fn read(
    sys: &Sysfs,
    arch: Arch,
    cpu: &HostCpuFacts,
    map: Option<&CpuMap>,
    settings: &HostSettings,
) -> io::Result<Host> {
    let topology = Topology::read();
    let cells = cells(&topology, &memory::cells()?, memory::page_size());
    Ok(Host {
        uuid: settings.uuid.or_else(|| machine_uuid(sys)),
        cpu: cpu.element(arch, map, cpu_topology(&topology), &page_sizes()),
        power_management: Some(power_management(sys)),
        iommu: Some(YesNo::from(!sys.names("kernel/iommu_groups").is_empty())),
        migration_features: Some(MigrationFeatures {
            live: true,
            uri_transports: ["tcp", "rdma"].map(str::to_owned).to_vec(),
        }),
        cells: Some(cells),
        caches: caches(sys),
        security: security_models(settings.owner),
    })
}

/// The machine's UUID: the firmware's; where it has none (or one that its maker forgot to set), the installation's id, which is
/// as unique and stays the same over restarts.
#[must_use]
pub fn machine_uuid(sys: &Sysfs) -> Option<Uuid> {
    let firmware = sys.text("class/dmi/id/product_uuid").and_then(|it| Uuid::try_parse(&it).ok());
    let is_set = |it: &Uuid| {
        let bytes = it.as_bytes();
        bytes.iter().any(|it| *it != bytes[0])
    };
    firmware.filter(is_set).or_else(|| {
        let id = std::fs::read_to_string("/etc/machine-id").ok()?;
        Uuid::try_parse(id.trim_end()).ok()
    })
}

fn power_management(sys: &Sysfs) -> PowerManagement {
    let states = sys.text("power/state").unwrap_or_default();
    let has = |state: &str| states.split_whitespace().any(|it| it == state);
    let disk = has("disk") && !sys.text("power/disk").unwrap_or_default().contains("[disabled]");
    PowerManagement { suspend_mem: has("mem"), suspend_disk: disk, suspend_hybrid: has("mem") && disk }
}

/// The models in use, in the order they are asked.
#[must_use]
pub fn security_models(owner: Option<(u32, u32)>) -> Vec<SecurityModel> {
    let model = |model: &str, baselabels| SecurityModel { model: model.to_owned(), doi: "0".to_owned(), baselabels };
    let mut models = vec![model("none", Vec::new())];
    if let Some((uid, gid)) = owner {
        let label = |kind: &str| BaseLabel { kind: kind.to_owned(), label: format!("+{uid}:+{gid}") };
        models.push(model("dac", ["kvm", "qemu"].map(label).to_vec()));
    }
    models
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_files_say() {
        let root = tempfile::tempdir().expect("a directory");
        let sys = Sysfs::new(root.path());
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        assert_eq!(power_management(&sys), PowerManagement::default());
        write("power/state", "freeze mem disk\n");
        write("power/disk", "[disabled]\n");
        assert_eq!(power_management(&sys), PowerManagement { suspend_mem: true, ..PowerManagement::default() });
        write("class/dmi/id/product_uuid", "00000000-0000-0000-0000-000000000000\n");
        assert_ne!(machine_uuid(&sys), Some(Uuid::nil()));
        write("class/dmi/id/product_uuid", "4c4c4544-0050-3010-8058-b6c04f4c4e32\n");
        assert_eq!(
            machine_uuid(&sys).map(|it| it.to_string()).as_deref(),
            Some("4c4c4544-0050-3010-8058-b6c04f4c4e32")
        );
    }
}
