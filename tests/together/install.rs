//! virt-install and virt-clone, as the distribution ships them.

use std::time::Duration;

use virtbus_tests::world::{Door, World};
use xtask::console::Console;

const NETWORK: &str = "<network><name>lan</name><ip address='192.168.160.1' netmask='255.255.255.0'>\
    <dhcp><range start='192.168.160.10' end='192.168.160.99'/></dhcp></ip></network>";

/// Runs a program of virtinst's; what it printed.
fn run(world: &World, program: &str, args: &[&str]) -> String {
    let uri = world.stack.uri(Door::Proxy.socket());
    // It keeps a log and a cache below the user's home.
    let mut command = world.client(program, Door::Proxy);
    command.env("HOME", world.files()).env("XDG_CACHE_HOME", world.files()).args(["--connect", &uri]).args(args);
    let out = command.output().expect("virtinst");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{program} {}: {said}\n{}", args.join(" "), world.stack.log("virtqemud"));
    said
}

#[test]
fn a_guest_is_installed_by_import_and_cloned() {
    let world = World::start();
    let target = world.stack.root().join("var/lib/libvirt/images");
    world.virsh(Door::Proxy, &["pool-define-as", "images", "dir", "--target", &target.display().to_string()]);
    world.virsh(Door::Proxy, &["pool-build", "images"]);
    world.virsh(Door::Proxy, &["pool-start", "images"]);
    world.virsh(Door::Proxy, &["vol-create-as", "images", "first.qcow2", "16M", "--format", "qcow2"]);
    world.write("lan.xml", NETWORK);
    world.virsh(Door::Proxy, &["net-define", "lan.xml"]);
    world.virsh(Door::Proxy, &["net-start", "lan"]);
    let files = world.files();
    let boot = format!(
        "kernel={},initrd={},kernel_args={}",
        files.join("kernel").display(),
        files.join("initrd").display(),
        xtask::guest::CMDLINE
    );
    #[rustfmt::skip]
    run(&world, "virt-install", &[
        "--name", "first", "--memory", "192", "--vcpus", "1", "--virt-type", "qemu", "--import",
        "--osinfo", "detect=off,require=off", "--graphics", "none", "--noautoconsole", "--boot", &boot,
        "--disk", "vol=images/first.qcow2,bus=virtio", "--network", "network=lan,model=virtio",
    ]);
    let mut console = Console::open(&world.stack, &world.stack.uri(Door::Proxy.socket()), "first", "--force").unwrap();
    console.prompt(Duration::from_secs(120)).unwrap();
    let mark = console.command("echo mark >/dev/vda; sync; grep -c vda /proc/partitions", Duration::from_secs(30));
    assert!(mark.unwrap().contains('1'));
    drop(console);
    world.virsh(Door::Proxy, &["destroy", "first"]);

    run(&world, "virt-clone", &["--original", "first", "--name", "second", "--auto-clone"]);
    let clone = world.virsh(Door::Proxy, &["dumpxml", "second"]);
    assert!(clone.contains("<name>second</name>") && clone.contains("network='lan'"), "{clone}");
    let volumes = world.virsh(Door::Proxy, &["vol-list", "images"]);
    let name = volumes.split_whitespace().find(|it| it.contains("clone") || it.starts_with("second"));
    let name = name.unwrap_or_else(|| panic!("no copy of the volume: {volumes}"));
    world.virsh(Door::Proxy, &["vol-download", "--pool", "images", name, "copy"]);
    let raw = files.join("copy.raw");
    let converted = std::process::Command::new("qemu-img")
        .args(["convert", "-f", "qcow2", "-O", "raw"])
        .args([files.join("copy"), raw.clone()])
        .status();
    assert!(converted.unwrap().success());
    assert!(std::fs::read(raw).unwrap().starts_with(b"mark\n"));
    world.virsh(Door::Proxy, &["start", "second"]);
    world.virsh(Door::Proxy, &["destroy", "second"]);
}
