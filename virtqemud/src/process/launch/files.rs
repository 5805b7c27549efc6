//! Files of the host that a guest uses, as its devices name them.

use std::path::Path;

use virtbus_host::pci::SYS;
use virtbus_schema::domain::Domain;

use super::nvram_file;
use crate::device::{Cx, QemuDevice, Resource};
use crate::process::capabilities::QemuCaps;
use crate::process::passthrough;
use crate::security::Use;

/// What is to be given to QEMU's user.
pub(super) fn used(document: &Domain, caps: &QemuCaps) -> Vec<Use> {
    let cx = Cx::new(document, caps);
    let devices = &document.devices;
    let mut files = Vec::new();
    for disk in &devices.disks {
        let shared = disk.shareable || disk.readonly;
        add(&mut files, disk.resources(&cx), shared);
    }
    let others = devices.serials.iter().flat_map(|it| it.resources(&cx));
    let others = others.chain(devices.parallels.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.consoles.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.inputs.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.rngs.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.channels.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.smartcards.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.redirdevs.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.hostdevs.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.memories.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.pstores.iter().flat_map(|it| it.resources(&cx)));
    add(&mut files, others.collect(), false);
    for function in passthrough::wanted(document) {
        if let Some(node) = passthrough::node(Path::new(SYS), &function.name) {
            files.push(Use { path: node, write: true, shared: true, device: true });
        }
    }
    let os = &document.os;
    for path in [&os.kernel, &os.initrd, &os.dtb, &os.shim].into_iter().flatten() {
        files.push(Use { path: path.into(), write: false, shared: true, device: false });
    }
    if let Some(nvram) = nvram_file(document) {
        files.push(Use { path: nvram, write: true, shared: false, device: false });
    }
    files
}

fn add(files: &mut Vec<Use>, resources: Vec<Resource>, shared: bool) {
    for resource in resources {
        match resource {
            Resource::File { path, write } => {
                files.push(Use { path: path.into(), write, shared: shared || !write, device: false });
            }
            Resource::Device { path } => files.push(Use { path: path.into(), write: true, shared, device: true }),
            // Made by QEMU itself.
            Resource::Socket { .. } => {}
        }
    }
}
