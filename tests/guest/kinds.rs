//! Devices of many kinds in one guest: memory that was plugged in, shared directories and memory, a TPM, and the processes that
//! serve them.

use std::fs;
use std::path::{Path, PathBuf};

use virtbus_tests::world::{Door, World};
use xtask::guest::PROMPT;

use super::{BOOT, SOON, boot, open};

/// PCI devices by the number that tells what they are, with what they are for the message.
const ON_PCI: &[(&str, &str)] = &[
    ("0x1054", "crypto"),
    ("0x1049", "9p"),
    ("0x1058", "virtio-mem"),
    ("0x105b", "virtio-pmem"),
    ("0x1110", "ivshmem"),
    ("0x0012", "acpi-erst"),
];

fn is_installed(program: &str) -> bool {
    ["/usr/bin", "/usr/sbin", "/usr/local/bin"].iter().any(|it| Path::new(it).join(program).exists())
}

/// A guest whose memory can grow, with these devices.
fn document(world: &World, devices: &str) -> String {
    let numa = "<cpu mode='custom'><model>qemu64</model><numa><cell id='0' cpus='0' memory='327680'/></numa></cpu>";
    world
        .domain("vm", devices)
        .replace(
            "<memory unit='MiB'>192</memory>",
            "<maxMemory slots='4' unit='MiB'>2048</maxMemory><memory unit='MiB'>320</memory>",
        )
        .replace("<features>", &format!("{numa}<features>"))
}

#[test]
fn a_guest_has_devices_of_many_kinds() {
    let world = World::start();
    let shared = world.files().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("greeting"), "hello from the host\n").unwrap();
    let pmem = world.files().join("pmem.raw");
    fs::File::create(&pmem).unwrap().set_len(32 << 20).unwrap();
    let devices = [
        "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>".to_owned(),
        format!(
            "<filesystem type='mount'><source dir='{}'/><target dir='shared'/><readonly/></filesystem>",
            shared.display()
        ),
        "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>".to_owned(),
        "<memory model='virtio-mem'><target><size unit='MiB'>128</size><node>0</node><block unit='MiB'>2</block>\
         <requested unit='MiB'>64</requested></target></memory>"
            .to_owned(),
        format!(
            "<memory model='virtio-pmem' access='shared'><source><path>{}</path></source><target>\
             <size unit='MiB'>32</size></target></memory>",
            pmem.display()
        ),
        format!(
            "<shmem name='virtbus-test-{}'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>",
            std::process::id()
        ),
        format!(
            "<pstore backend='acpi-erst'><path>{}</path><size unit='KiB'>64</size></pstore>",
            world.files().join("pstore").display()
        ),
        "<iommu model='intel'/>".to_owned(),
        "<redirdev bus='usb' type='pty'/>".to_owned(),
    ];
    world.write("kinds.xml", &document(&world, &devices.concat()));
    world.virsh(Door::Proxy, &["define", "kinds.xml"]);
    world.virsh(Door::Proxy, &["start", "vm"]);
    let mut console = open(&world, Door::Proxy);
    console.expect(PROMPT, BOOT).unwrap();
    let mut ask = |command: &str| console.command(command, SOON).unwrap();

    let there = ask("cat /sys/bus/pci/devices/*/device");
    for (number, kind) in ON_PCI {
        assert!(there.contains(number), "{kind}: {there}");
    }
    // The driver of what was found may still be loading.
    let told = ask("modprobe 9pnet_virtio; mkdir -p /mnt; for n in 1 2 3 4 5 6 7 8; do \
         mount -t 9p -o trans=virtio,version=9p2000.L,ro shared /mnt 2>/dev/null && break; sleep 1; done; cat /mnt/greeting");
    assert!(told.contains("hello from the host"), "{told}");
    // The tables say what the board has: memory in slots, the IOMMU.
    let tables = ask("ls /sys/firmware/acpi/tables /sys/bus/acpi/devices");
    assert!(tables.contains("DMAR") && tables.contains("PNP0C80:00"), "{tables}");
    let shown = world.virsh(Door::Direct, &["dumpxml", "vm"]);
    assert!(shown.contains("<alias name='dimm0'/>") && shown.contains("<alias name='virtiomem0'/>"), "{shown}");
}

/// In a guest of its own: QEMU puts the initial RAM disk of a guest it boots itself over the tables when these are large, as a
/// TPM's log makes them. So the guest does not find it, but QEMU has it.
#[test]
fn a_tpm_is_a_process_that_ends_with_its_guest() {
    if !(is_installed("swtpm") && is_installed("swtpm_setup")) {
        eprintln!("skipped: swtpm is not installed");
        return;
    }
    let world = World::start();
    let tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>";
    boot(&world, Door::Proxy, tpm);
    let told = world.virsh(Door::Direct, &["qemu-monitor-command", "vm", "--hmp", "info tpm"]);
    assert!(told.contains("model=tpm-crb") && told.contains("type=emulator"), "{told}");
    let (pid_file, process) = helper(&world, "swtpm", "-swtpm.pid");
    world.virsh(Door::Proxy, &["destroy", "vm"]);
    assert!(!pid_file.exists() && !process.exists(), "swtpm ends with its guest");
}

/// The pid file of the only process of a kind that serves a guest, and the process itself.
fn helper(world: &World, kind: &str, ending: &str) -> (PathBuf, PathBuf) {
    let directory = world.stack.root().join("run/libvirt/qemu").join(kind);
    let files = fs::read_dir(&directory).unwrap().map(|it| it.unwrap().path());
    let pid_file = files.into_iter().find(|it| it.to_string_lossy().ends_with(ending)).unwrap();
    let pid = fs::read_to_string(&pid_file).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    let words = fs::read(process.join("cmdline")).unwrap();
    assert!(String::from_utf8_lossy(&words).contains(kind), "{}", process.display());
    (pid_file, process)
}
