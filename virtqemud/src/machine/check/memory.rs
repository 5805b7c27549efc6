//! Memory among the devices: slots, nodes, sizes.

use std::collections::BTreeSet;

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::Address;
use virtbus_schema::domain::device::address::DimmAddress;
use virtbus_schema::domain::device::memory::{MemoryDevice, MemoryModel};
use virtbus_schema::xml::YesNo;

use super::unsupported;

fn detail<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::new(ErrorCode::XmlDetail, text))
}

pub(super) fn check(domain: &Domain) -> Result<()> {
    let devices = &domain.devices.memories;
    let slots = match &domain.max_memory {
        Some(most) => most.slots,
        None if devices.iter().all(|it| it.model == MemoryModel::SgxEpc) => 0,
        None => return unsupported("cannot use/hotplug a memory device when domain 'maxMemory' is not defined"),
    };
    let cells = domain.cpu.as_ref().and_then(|it| it.numa.as_ref()).map_or(0, |it| it.cells.len());
    for it in devices {
        device(it, cells)?;
    }
    let wants_slot = |it: &&MemoryDevice| matches!(it.model, MemoryModel::Dimm | MemoryModel::Nvdimm);
    if devices.iter().filter(wants_slot).count() > usize::try_from(slots).unwrap_or(usize::MAX) {
        return Err(Error::internal("failed to find an empty memory slot"));
    }
    let modules: Vec<_> = devices
        .iter()
        .filter_map(|it| match it.info.address {
            Some(Address::Dimm(place)) => Some(place),
            _ => None,
        })
        .collect();
    slots_are_free(&modules, slots)?;
    apart(devices)
}

fn slots_are_free(modules: &[DimmAddress], slots: u32) -> Result<()> {
    let mut taken = BTreeSet::new();
    for slot in modules.iter().filter_map(|it| it.slot) {
        if slot >= slots {
            return unsupported(format!("memory device slot '{slot}' exceeds slots count '{slots}'"));
        }
        if !taken.insert(slot) {
            return unsupported(format!("memory device slot '{slot}' is already being used by another memory device"));
        }
    }
    Ok(())
}

/// Where memory begins in the guest, if the document says so, and how many bytes of it the guest sees there.
fn window(it: &MemoryDevice) -> Option<(u64, u64)> {
    let base = match it.info.address {
        Some(Address::Dimm(place)) => place.base,
        _ => it.target.base.map(|it| it.0),
    }?;
    // Labels are seen through a window of their own; what is left is cut to whole units.
    let kib = it.size().kib.saturating_sub(it.target.label.map_or(0, |it| it.kib));
    let unit = it.source.as_ref().and_then(|it| it.alignsize).map_or(1, |it| it.kib.max(1));
    Some((base, (kib - kib % unit).saturating_mul(1024)))
}

/// No two pieces of memory overlap.
fn apart(devices: &[MemoryDevice]) -> Result<()> {
    let mut windows: Vec<_> = devices.iter().filter_map(window).collect();
    windows.sort_unstable();
    for pair in windows.windows(2) {
        let [(first, size), (second, _)] = pair else { continue };
        let end = first.saturating_add(*size);
        if *second < end {
            return unsupported(format!(
                "memory device address [0x{first:x}:0x{end:x}] overlaps with other memory device (0x{second:x})"
            ));
        }
    }
    Ok(())
}

fn device(it: &MemoryDevice, cells: usize) -> Result<()> {
    let target = &it.target;
    let on_pci = matches!(it.model, MemoryModel::VirtioPmem | MemoryModel::VirtioMem);
    if on_pci && !matches!(it.info.address, None | Some(Address::Pci(_))) {
        return unsupported(format!("only 'pci' addresses are supported for the {} device", it.model));
    }
    let in_file = matches!(it.model, MemoryModel::Nvdimm | MemoryModel::VirtioPmem);
    if in_file && it.source.as_ref().is_none_or(|it| it.path.is_none()) {
        return detail(format!("path is required for model '{}'", it.model));
    }
    let discards = it.discard.is_some_and(YesNo::is_on);
    let on_node = matches!(it.model, MemoryModel::Dimm | MemoryModel::Nvdimm | MemoryModel::VirtioMem);
    match target.node {
        None if on_node && cells > 0 => {
            return unsupported("target NUMA node needs to be specified for memory device");
        }
        Some(node) if usize::try_from(node).is_ok_and(|node| node >= cells) => {
            return detail(format!(
                "can't add memory backend for guest node '{node}' as the guest has only '{cells}' NUMA nodes configured"
            ));
        }
        _ => {}
    }
    match it.model {
        MemoryModel::Nvdimm if it.uuid.is_some() => unsupported("UUID is not supported for NVDIMM device"),
        MemoryModel::Nvdimm if discards => unsupported("discard is not supported for nvdimms"),
        MemoryModel::VirtioPmem if discards => unsupported("discard is not supported for virtio-pmem"),
        MemoryModel::VirtioPmem if target.node.is_some() => unsupported("virtio-pmem does not support NUMA nodes"),
        MemoryModel::VirtioMem => virtio(it),
        MemoryModel::SgxEpc => unsupported("sgx epc isn't supported by this QEMU binary"),
        _ => Ok(()),
    }
}

/// The least block the guest plugs, in KiB: a transparent huge page.
const LEAST_BLOCK: u64 = 2048;

fn virtio(it: &MemoryDevice) -> Result<()> {
    let (size, block) = (it.size().kib, it.target.block.map_or(0, |it| it.kib));
    let requested = it.target.requested.map_or(0, |it| it.kib);
    if block.is_power_of_two() && block < LEAST_BLOCK {
        return detail(format!("block size too small, must be at least {LEAST_BLOCK}KiB"));
    }
    if !block.is_power_of_two() {
        return detail("block size must be a power of two");
    }
    if requested > size {
        return detail(format!("requested size must be smaller than or equal to @size ({size}KiB)"));
    }
    if !requested.is_multiple_of(block) {
        return detail(format!("requested size must be an integer multiple of block size ({block}KiB)"));
    }
    Ok(())
}
