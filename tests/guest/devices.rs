//! Devices from both sides: what the document says, and what the guest finds.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use virtbus_tests::world::{Door, World};

use super::{SOON, boot};

/// An image that begins with a word to look for inside the guest.
fn image(world: &World, name: &str, word: &str) -> String {
    let path = world.files().join(name);
    fs::write(&path, format!("{word:<512}")).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(4 << 20).unwrap();
    path.display().to_string()
}

/// A qcow2 overlay over another image.
fn overlay(world: &World, name: &str, base: &str) -> String {
    let path = world.files().join(name).display().to_string();
    let status = world
        .client("qemu-img", Door::Proxy)
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, &path])
        .status();
    assert!(status.unwrap().success());
    path
}

fn disk(path: &str, format: &str, device: &str, target: &str, bus: &str) -> String {
    format!(
        "<disk type='file' device='{device}'><driver name='qemu' type='{format}'/><source file='{path}'/>\
         <target dev='{target}' bus='{bus}'/></disk>"
    )
}

#[test]
fn the_guest_finds_what_the_document_says() {
    let world = World::start();
    let base = image(&world, "base.raw", "on-virtio");
    let devices = [
        disk(&overlay(&world, "top.qcow2", &base), "qcow2", "disk", "vda", "virtio"),
        disk(&image(&world, "sata.raw", "on-sata"), "raw", "disk", "sda", "sata"),
        disk(&image(&world, "scsi.raw", "on-scsi"), "raw", "disk", "sdb", "scsi"),
        disk(&image(&world, "usb.raw", "on-usb"), "raw", "disk", "sdc", "usb"),
        disk(&image(&world, "cd.iso", "on-cdrom"), "raw", "cdrom", "sdd", "sata"),
        "<controller type='scsi' index='0' model='virtio-scsi'/>".into(),
        "<controller type='usb' index='0' model='qemu-xhci'/>".into(),
        "<interface type='user'><mac address='52:54:00:12:34:56'/><model type='virtio'/></interface>".into(),
        "<interface type='user'><mac address='52:54:00:12:34:57'/><model type='e1000e'/></interface>".into(),
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>".into(),
        "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>".into(),
        "<memballoon model='virtio'/>".into(),
        "<input type='tablet' bus='usb'/>".into(),
    ];
    let mut console = boot(&world, Door::Proxy, &devices.concat());
    let mut ask = |command: &str| console.command(command, SOON).unwrap();

    for disk in ["on-virtio", "on-sata", "on-scsi", "on-usb", "on-cdrom"] {
        // USB takes a moment after the prompt.
        let command = format!(
            "for n in 1 2 3 4 5 6 7 8; do head -qc 9 /dev/vd? /dev/sd? /dev/sr? 2>/dev/null | grep -c {disk} && break; sleep 1; done"
        );
        let told = ask(&command);
        assert!(told.lines().any(|it| it.trim() == "1"), "{disk}: {told}\n{}", ask("cat /proc/partitions"));
    }
    let told =
        ask("for n in 1 2 3 4 5 6 7 8; do ip a | grep 10.0.2 && break; sleep 1; done; cat /sys/class/net/*/address");
    for word in ["10.0.2.15", "52:54:00:12:34:56", "52:54:00:12:34:57"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(ask("cat /sys/class/virtio-ports/*/name").contains("org.qemu.guest_agent.0"));
    assert!(ask("cat /sys/class/misc/hw_random/rng_available").contains("virtio_rng"));
    assert!(ask("grep -c Tablet /proc/bus/input/devices").contains('1'));
    let told = world.virsh(Door::Direct, &["domblklist", "vm"]);
    assert!(told.contains("top.qcow2") && told.contains("usb.raw"), "{told}");

    // Written below, read above: the overlay took it, its base did not.
    ask("echo changed | dd of=/dev/vda conv=notrunc 2>/dev/null; sync");
    assert!(fs::read(&base).unwrap().starts_with(b"on-virtio"));

    owned_while_it_runs(&world);
}

/// QEMU runs as its own user where that exists; what it writes belongs to it meanwhile, and to its owner afterwards.
fn owned_while_it_runs(world: &World) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let uid = users.lines().find_map(|it| it.strip_prefix("libvirt-qemu:")).map(|it| it.split(':').nth(1).unwrap());
    let Some(uid) = uid else { return };
    let uid: u32 = uid.parse().unwrap();
    let owner = |name: &str| fs::metadata(world.files().join(name)).unwrap().uid();
    assert_eq!((owner("top.qcow2"), owner("sata.raw")), (uid, uid), "while it runs");
    let pid = fs::read_to_string(world.stack.root().join("run/libvirt/qemu/vm.pid")).unwrap();
    let proc = Path::new("/proc").join(pid.trim());
    assert_eq!(fs::metadata(&proc).unwrap().uid(), uid);
    let arguments = fs::read(proc.join("cmdline")).unwrap();
    let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
    assert!(arguments.contains("-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"));
    world.virsh(Door::Proxy, &["destroy", "vm"]);
    assert_eq!((owner("top.qcow2"), owner("sata.raw")), (0, 0), "afterwards");
}
