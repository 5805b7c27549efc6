//! Volumes' content in and out: equal to the byte, sparse where asked for, and clear about a disk that is full.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use virtbus_tests::world::{DOORS, Door, World};

/// A file with data at both ends and a hole of 32 MiB between.
fn sparse(world: &World) -> Vec<u8> {
    let path = world.files().join("in");
    let file = fs::File::create(&path).unwrap();
    let end = 32 << 20;
    file.write_all_at(&[0xa5; 100_000], 0).unwrap();
    file.write_all_at(&[0x5a; 70_001], end).unwrap();
    fs::read(path).unwrap()
}

fn pool(world: &World, target: &std::path::Path) {
    world.virsh(Door::Proxy, &["pool-create-as", "pool", "dir", "--target", &target.display().to_string()]);
}

#[test]
fn what_goes_up_comes_down_again() {
    let world = World::start();
    let target = world.files().join("pool");
    fs::create_dir(&target).unwrap();
    pool(&world, &target);
    let wanted = sparse(&world);
    for door in DOORS {
        for sparse in [false, true] {
            let name = format!("v-{}-{sparse}", door.socket());
            let size = format!("{}B", wanted.len());
            world.virsh(door, &["vol-create-as", "pool", &name, &size, "--allocation", "0"]);
            let flag: &[&str] = if sparse { &["--sparse"] } else { &[] };
            world.virsh(door, &[&["vol-upload", "--pool", "pool", &name, "in"], flag].concat());
            assert!(fs::read(target.join(&name)).unwrap() == wanted, "{name}");
            if sparse {
                let blocks = fs::metadata(target.join(&name)).unwrap().blocks();
                assert!(blocks * 512 < 1 << 20, "{name} takes {blocks} blocks");
            }
            world.virsh(door, &[&["vol-download", "--pool", "pool", &name, "out"], flag].concat());
            assert!(fs::read(world.files().join("out")).unwrap() == wanted, "{name}");
            if sparse {
                let blocks = fs::metadata(world.files().join("out")).unwrap().blocks();
                assert!(blocks * 512 < 1 << 20, "the copy of {name} takes {blocks} blocks");
            }
            // A piece from the middle.
            let piece = ["--offset", "50000", "--length", "60000"];
            world.virsh(door, &[&["vol-download", "--pool", "pool", &name, "out"], &piece[..]].concat());
            assert!(fs::read(world.files().join("out")).unwrap() == wanted[50_000..110_000], "{name}");
        }
    }
}
