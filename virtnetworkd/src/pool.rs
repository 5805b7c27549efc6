//! The virtual functions of a network card, as the pool of a network.

use std::path::Path;

use virtbus_api::{Error, Result};
use virtbus_schema::{
    Network,
    domain::device::address::PciAddress,
    network::{ForwardAddress, ForwardDevice, ForwardInterface, ForwardMode},
};

use crate::fault::{self, Faults as _};

/// Where the kernel shows network devices.
const DEVICES: &str = "/sys/class/net";
/// And PCI devices.
const PCI_DEVICES: &str = "/sys/bus/pci/devices";

/// The virtual functions of the device `pf`: by PCI address for `mode='hostdev'`, else by name.
///
/// # Errors
/// `INTERNAL_ERROR`: it has none that could be used.
pub(crate) fn functions_of(pf: &str, mode: ForwardMode) -> Result<(Vec<ForwardInterface>, Vec<ForwardAddress>)> {
    functions_below(Path::new(DEVICES), pf, mode)
}

fn functions_below(
    devices: &Path,
    pf: &str,
    mode: ForwardMode,
) -> Result<(Vec<ForwardInterface>, Vec<ForwardAddress>)> {
    let device = devices.join(pf).join("device");
    let (mut interfaces, mut addresses) = (Vec::new(), Vec::new());
    for number in 0.. {
        let function = device.join(format!("virtfn{number}"));
        let Ok(target) = std::fs::read_link(&function) else { break };
        if mode == ForwardMode::Hostdev {
            let address = target.file_name().and_then(|it| it.to_str()).and_then(pci_address);
            let device = address.map(ForwardDevice::Pci);
            addresses.extend(device.map(|device| ForwardAddress { device, connections: None }));
        } else {
            // One that a guest has has no name at the moment.
            let names = std::fs::read_dir(function.join("net")).into_iter().flatten().flatten();
            let names = names.filter_map(|it| it.file_name().into_string().ok());
            interfaces.extend(names.take(1).map(|dev| ForwardInterface { dev, connections: None }));
        }
    }
    if interfaces.is_empty() && addresses.is_empty() {
        return Err(fault::internal(format!("No usable Vf's present on SRIOV PF {pf}")));
    }
    Ok((interfaces, addresses))
}

/// Refuses a pool of PCI devices one of which is no virtual function of this host.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` naming the device.
pub(crate) fn check_functions(network: &Network) -> Result<()> {
    for ForwardAddress { device: ForwardDevice::Pci(it), .. } in network.forward.iter().flat_map(|it| &it.addresses) {
        let name = format!("{:04x}:{:02x}:{:02x}.{:x}", it.domain, it.bus, it.slot, it.function);
        if !Path::new(PCI_DEVICES).join(&name).join("physfn").exists() {
            let text = format!("device '{name}' in network '{}' is not an SR-IOV Virtual Function", network.name);
            return Err(Error::unsupported_config(text).of_networks());
        }
    }
    Ok(())
}

/// `0000:01:10.2`.
fn pci_address(text: &str) -> Option<PciAddress> {
    let (rest, function) = text.rsplit_once('.')?;
    let mut numbers = rest.splitn(3, ':').map(|it| u32::from_str_radix(it, 16).ok());
    let (domain, bus, slot) = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some(PciAddress { domain, ..PciAddress::new(bus, slot, function.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_by_name_and_by_address() {
        let dir = tempfile::tempdir().expect("a directory");
        let device = dir.path().join("eth0/device");
        std::fs::create_dir_all(&device).expect("made");
        for (number, name) in ["eth1", "eth2"].into_iter().enumerate() {
            let pci = dir.path().join(format!("0000:01:10.{number}"));
            std::fs::create_dir_all(pci.join("net").join(name)).expect("made");
            std::os::unix::fs::symlink(&pci, device.join(format!("virtfn{number}"))).expect("linked");
        }
        let (interfaces, _) = functions_below(dir.path(), "eth0", ForwardMode::Passthrough).expect("some");
        assert_eq!(interfaces.iter().map(|it| it.dev.as_str()).collect::<Vec<_>>(), ["eth1", "eth2"]);
        let (_, addresses) = functions_below(dir.path(), "eth0", ForwardMode::Hostdev).expect("some");
        let ForwardDevice::Pci(second) = addresses[1].device;
        assert_eq!((second.domain, second.bus, second.slot, second.function), (0, 1, 0x10, 1));
        assert!(functions_below(dir.path(), "eth9", ForwardMode::Hostdev).is_err());
    }
}
