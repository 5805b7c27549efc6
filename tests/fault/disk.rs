//! A full disk while a definition is written: a clear error, and the old definition as it was.

use std::fs;
use std::path::{Path, PathBuf};

use virtbus_tests::world::{Door, World};

/// A small file system of its own over a directory, for as long as this lives.
struct Small(PathBuf);

impl Small {
    fn over(dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=755", "small"])
            .arg(dir)
            .status();
        assert!(status.unwrap().success(), "mount on {}", dir.display());
        Self(dir.to_path_buf())
    }

    /// Writes until nothing fits; taken away, there is room again.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut size = 128 << 10;
        while size > 0 {
            let chunk = vec![0; size];
            let mut file = fs::File::options().create(true).append(true).open(&path).unwrap();
            if std::io::Write::write_all(&mut file, &chunk).is_err() {
                size /= 2;
            }
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_keeps_the_old_definition() {
    let mut world = World::start_on_host();
    world.stack.service("virtqemud").unwrap().stop().unwrap();
    let dir = world.stack.root().join("etc/libvirt/qemu");
    let small = Small::over(&dir);
    world.stack.start_daemon("virtqemud").unwrap();
    world.virsh(Door::Proxy, &["define", "vm.xml"]);
    world.virsh(Door::Proxy, &["desc", "vm", "--config", "the old one"]);
    let before = (world.virsh(Door::Direct, &["dumpxml", "vm"]), fs::read(dir.join("vm.xml")).unwrap());

    let ballast = small.fill();
    let why = world.try_virsh(Door::Proxy, &["desc", "vm", "--config", &"the new one ".repeat(400)]).unwrap_err();
    assert!(why.contains("No space left on device"), "{why}");
    world.write("new.xml", &world.domain("new", ""));
    let why = world.try_virsh(Door::Proxy, &["define", "new.xml"]).unwrap_err();
    assert!(why.contains("No space left on device"), "{why}");
    let after = (world.virsh(Door::Direct, &["dumpxml", "vm"]), fs::read(dir.join("vm.xml")).unwrap());
    assert_eq!(before, after);
    assert_eq!(world.virsh(Door::Direct, &["list", "--all", "--name"]), "vm");

    world.stack.service("virtqemud").unwrap().kill().unwrap();
    world.stack.start_daemon("virtqemud").unwrap();
    assert_eq!(world.virsh(Door::Direct, &["desc", "vm"]), "the old one");
    fs::remove_file(ballast).unwrap();
    world.virsh(Door::Proxy, &["define", "new.xml"]);
    assert_eq!(world.virsh(Door::Direct, &["list", "--all", "--name"]), "new\nvm");
}
