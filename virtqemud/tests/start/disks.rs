//! Limits, images over transient disks, reservations.

use std::path::{Path, PathBuf};
use std::process::Command;

use virtbus_api::{
    ErrorCode,
    flags::{StartFlags, XmlFlags},
    hypervisor::{Domains, State},
};

use super::stand::{Stand, until};
use super::{ask, started, text};

fn image(directory: &Path, name: &str, format: &str) -> PathBuf {
    let path = directory.join(name);
    let made = Command::new("qemu-img").args(["create", "-q", "-f", format]).arg(&path).arg("8M").status();
    assert!(made.expect("qemu-img").success());
    path
}

fn disk(path: &Path, format: &str, dev: &str, bus: &str, more: &str) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='{format}'/><source file='{}'/>\
         <target dev='{dev}' bus='{bus}'/>{more}</disk>",
        path.display()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_told_to_qemu() {
    let stand = Stand::new().await;
    let root = stand.root.path();
    let limits = "<iotune><read_bytes_sec>100000</read_bytes_sec><total_iops_sec>50</total_iops_sec>\
        <read_bytes_sec_max>200000</read_bytes_sec_max><size_iops_sec>4096</size_iops_sec><group_name>shared</group_name>\
        <read_bytes_sec_max_length>3</read_bytes_sec_max_length></iotune>";
    let total = "<iotune><total_bytes_sec>300000</total_bytes_sec></iotune>";
    let devices = [
        disk(&image(root, "a.qcow2", "qcow2"), "qcow2", "vda", "virtio", limits),
        disk(&image(root, "b.raw", "raw"), "raw", "vdb", "virtio", limits),
        disk(&image(root, "c.raw", "raw"), "raw", "sda", "sata", total),
        disk(&image(root, "d.raw", "raw"), "raw", "sdb", "scsi", total),
        disk(&image(root, "e.raw", "raw"), "raw", "sdc", "usb", total),
        "<controller type='scsi' index='0' model='virtio-scsi'/>".to_owned(),
        // A drive without a medium has no limits before it gets one.
        format!("<disk type='file' device='cdrom'><target dev='sdd' bus='sata'/>{total}</disk>"),
    ];
    let vm = started(&stand, "limited", "", &devices.concat()).await;
    let drives = ask(&stand, &vm, r#"{"execute":"query-block"}"#).await;
    let of = |name: &str, what: &str| {
        let drives = drives.as_array().expect("a list");
        let named = |it: &&serde_json::Value| it["qdev"].as_str().is_some_and(|it| it.contains(name));
        drives.iter().find(named).unwrap_or_else(|| panic!("no {name} in {drives:?}"))["inserted"][what].clone()
    };
    for name in ["virtio-disk0", "virtio-disk1"] {
        assert_eq!(of(name, "bps_rd"), 100_000);
        assert_eq!(of(name, "bps_rd_max"), 200_000);
        assert_eq!(of(name, "bps_rd_max_length"), 3);
        assert_eq!((of(name, "iops"), of(name, "iops_size")), (50.into(), 4096.into()));
        assert_eq!(of(name, "group"), "shared");
    }
    for name in ["sata0-0-0", "scsi0-0-0-1", "usb-disk2"] {
        assert_eq!(of(name, "bps"), 300_000, "{name}");
    }
    stand.destroy(&vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_transient_disk_takes_is_gone_with_its_guest() {
    let stand = Stand::new().await;
    let root = stand.root.path();
    let (base, shared) = (image(root, "base.qcow2", "qcow2"), image(root, "shared.raw", "raw"));
    let devices = |bus: &str| {
        let own = if bus == "own" { disk(&base, "qcow2", "vda", "virtio", "<transient/>") } else { String::new() };
        own + &disk(&shared, "raw", "vdb", "virtio", "<transient shareBacking='yes'/>")
    };
    let vm = started(&stand, "vm", "", &devices("own")).await;
    let over = |name: &str, of: &str| root.join(format!("{name}.TRANSIENT-{of}"));
    let live = stand.qemu.xml(&vm, XmlFlags::empty()).expect("known");
    let top = &live.devices.disks[0];
    assert_eq!(
        top.source.as_ref().and_then(|it| it.file.clone()),
        over("base.qcow2", "vm").to_str().map(str::to_owned)
    );
    let below = top.backing_store.as_ref().and_then(|it| it.source.as_ref()).and_then(|it| it.file.clone());
    assert_eq!(below.as_deref(), base.to_str());
    let defined = stand.qemu.xml(&vm, XmlFlags::INACTIVE).expect("known");
    assert_eq!(defined.devices.disks[0].source.as_ref().and_then(|it| it.file.as_deref()), base.to_str());
    // What the guest writes reaches the image over the disk's alone.
    let write = r#"{"execute":"human-monitor-command","arguments":{"command-line":"qemu-io libvirt-3-format \"write -P 7 0 4k\""}}"#;
    ask(&stand, &vm, write).await;

    // Another guest over the same image.
    let second = started(&stand, "second", "", &devices("shared")).await;
    assert!(over("shared.raw", "vm").exists() && over("shared.raw", "second").exists());
    let twice = stand.define_text(&text("third", "", &disk(&base, "qcow2", "vda", "virtio", "<transient/>"))).await;
    std::fs::write(over("base.qcow2", "third"), "somebody's").expect("a file");
    let there = stand.qemu.start(&twice, StartFlags::PAUSED, stand.guard.lease()).await.expect_err("is there");
    assert_eq!(there.code, ErrorCode::OperationUnsupported);
    assert!(there.message().contains("already exists"), "{there}");
    assert_eq!(std::fs::read_to_string(over("base.qcow2", "third")).expect("left alone"), "somebody's");

    // A daemon that comes back knows them.
    let again = stand.restarted().await;
    until("taken over", || again.state(&second).is_ok_and(|it| it == State::PausedUser)).await;
    again.destroy(&second, virtbus_api::flags::DestroyFlags::empty()).await.expect("destroyed");
    assert!(!over("shared.raw", "second").exists());
    stand.destroy(&vm).await;
    assert!(!over("base.qcow2", "vm").exists() && !over("shared.raw", "vm").exists());
    assert!(std::fs::read(&base).expect("there").iter().all(|it| *it != 7), "the image is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_takes_its_overlays_back() {
    let stand = Stand::new().await;
    let base = image(stand.root.path(), "base.qcow2", "qcow2");
    let over = stand.root.path().join("base.qcow2.TRANSIENT-vm");
    let one = disk(&base, "qcow2", "vda", "virtio", "<transient/>");
    // QEMU ends when it does not know the option.
    let unknown = "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\
        <qemu:arg value='-no-such-option'/></qemu:commandline>";
    let vm = stand.define_text(&text("vm", unknown, &one)).await;
    stand.qemu.start(&vm, StartFlags::PAUSED, stand.guard.lease()).await.expect_err("no such option");
    until("taken back", || !over.exists()).await;
    // An image that is none: qemu-img refuses.
    std::fs::write(&base, "no image at all").expect("a file");
    let vm = stand.define_text(&text("vm2", "", &one)).await;
    stand.qemu.start(&vm, StartFlags::PAUSED, stand.guard.lease()).await.expect_err("no image");
    let over = stand.root.path().join("base.qcow2.TRANSIENT-vm2");
    until("taken back", || !over.exists()).await;
}

/// Only host devices may have reservations, and QEMU refuses the one that every host has, a loop device: what was started
/// to keep them ends with the start that fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_helper_for_reservations_ends_with_a_start_that_fails() {
    let stand = Stand::new().await;
    let path = image(stand.root.path(), "a.raw", "raw");
    let losetup = |args: &[&str]| {
        let out = Command::new("losetup").args(args).output().expect("losetup");
        String::from_utf8(out.stdout).expect("text").trim().to_owned()
    };
    let device = losetup(&["--find", "--show", &path.display().to_string()]);
    let lun = format!(
        "<controller type='scsi' index='0' model='virtio-scsi'/><disk type='block' device='lun'>\
         <driver name='qemu' type='raw'/><source dev='{device}'><reservations managed='yes'/></source>\
         <target dev='sda' bus='scsi'/></disk>"
    );
    let vm = stand.define_text(&text("vm", "", &lun)).await;
    let failed = stand.qemu.start(&vm, StartFlags::PAUSED, stand.guard.lease()).await;
    losetup(&["--detach", &device]);
    let why = failed.expect_err("a loop device takes no SCSI commands").detail;
    assert!(why.contains("scsi-block"), "{why}");
    assert!(!stand.root.path().join("lib/domain-1-vm").exists());
    let at = stand.root.path().display().to_string();
    let left = Command::new("pgrep").args(["-f", &format!("qemu-pr-helper.*{at}")]).output().expect("pgrep");
    assert!(left.stdout.is_empty(), "{}", String::from_utf8_lossy(&left.stdout));
}
