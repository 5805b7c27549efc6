//! A start that goes wrong half-way leaves nothing behind: a full disk, a daemon that is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use virtbus_proto::testing::Source;
use virtbus_tests::world::{Door, World};

/// How often the daemon is killed.
const KILLS: u64 = 12;

/// Files over the images of transient disks.
fn overlays(dir: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).unwrap().flatten().map(|it| it.path());
    all.filter(|it| it.to_string_lossy().contains(".TRANSIENT-")).collect()
}

fn run(program: &str, args: &[&str]) {
    assert!(Command::new(program).args(args).status().unwrap().success(), "{program} {args:?}");
}

fn transient(image: &Path) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/>\
         <target dev='vda' bus='virtio'/><transient/></disk>",
        image.display()
    )
}

fn define(world: &World, name: &str, image: &Path) {
    let xml = format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os><devices>{}</devices></domain>",
        transient(image)
    );
    world.write("transient.xml", &xml);
    world.virsh(Door::Direct, &["define", "transient.xml"]);
}

/// A file system of a mebibyte, for as long as this lives.
struct Small(PathBuf);

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_no_overlay() {
    let world = World::start_on_host();
    let dir = world.stack.root().join("images");
    fs::create_dir_all(&dir).unwrap();
    run("mount", &["-t", "tmpfs", "-o", "size=1m,mode=755", "small", dir.to_str().unwrap()]);
    let _small = Small(dir.clone());
    let image = dir.join("a.qcow2");
    run("qemu-img", &["create", "-q", "-f", "qcow2", image.to_str().unwrap(), "1M"]);
    let mut ballast = vec![0_u8; 1 << 20];
    while fs::write(dir.join("ballast"), &ballast).is_err() {
        let less = ballast.len() - 4096;
        ballast.truncate(less);
    }
    define(&world, "full", &image);
    let why = world.try_virsh(Door::Direct, &["start", "full"]).unwrap_err();
    assert!(why.contains("No space left on device"), "{why}");
    assert_eq!(overlays(&dir), [] as [PathBuf; 0]);
    assert_eq!(world.virsh(Door::Direct, &["list", "--name"]), "");
    fs::remove_file(dir.join("ballast")).unwrap();
    world.virsh(Door::Direct, &["start", "full", "--paused"]);
    assert_eq!(overlays(&dir).len(), 1);
    world.virsh(Door::Direct, &["destroy", "full"]);
    assert_eq!(overlays(&dir), [] as [PathBuf; 0]);
}

#[test]
fn a_killed_daemon_leaves_no_overlay() {
    let mut world = World::start();
    let image = world.files().join("a.qcow2");
    run("qemu-img", &["create", "-q", "-f", "qcow2", image.to_str().unwrap(), "1M"]);
    define(&world, "vm", &image);
    // QEMU is probed by the first start alone; how long the second takes decides where the kills fall.
    let mut usual = 0;
    for _ in 0..2 {
        let begin = std::time::Instant::now();
        world.virsh(Door::Direct, &["start", "vm", "--paused"]);
        usual = u64::try_from(begin.elapsed().as_micros()).unwrap();
        world.virsh(Door::Direct, &["destroy", "vm"]);
    }
    let mut source = Source::new(std::process::id().into());
    for number in 0..KILLS {
        let mut client = world.client("virsh", Door::Direct).args(["start", "vm", "--paused"]).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(source.below(usual)));
        world.stack.service("virtqemud").unwrap().kill().unwrap();
        let _ = client.wait();
        world.stack.start_daemon("virtqemud").unwrap();
        // What was begun is ended, what was finished goes on: sooner or later there is one or the other.
        let settled = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            let state = world.virsh(Door::Direct, &["domstate", "vm"]);
            let left = overlays(&world.files());
            (state == "shut off" && left.is_empty()) || (state == "paused" && left.len() == 1)
        });
        assert!(settled, "kill {number}: {:?}\n{}", overlays(&world.files()), world.stack.log("virtqemud"));
        if world.virsh(Door::Direct, &["domstate", "vm"]) == "paused" {
            world.virsh(Door::Direct, &["destroy", "vm"]);
        }
    }
    assert_eq!(overlays(&world.files()), [] as [PathBuf; 0]);
    let left = xtask::processes::holding(world.stack.root(), &["qemu-"]);
    assert!(left.is_empty(), "QEMUs that nobody knows: {left:?}");
}
