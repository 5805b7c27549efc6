//! `<shmem>`: memory shared among guests, alone or with a server that rings their doorbells.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::Address;
use virtbus_schema::domain::device::small::{MegaSize, Shmem, ShmemModel, ShmemMsi, ShmemRole, ShmemServer};
use virtbus_schema::xml::OnOff;

use super::address::{Place, place};
use super::chardev::{Backend, Chardev, Socket};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Memory { qom_type: &'static str, id: String, mem_path: String, size: u64, share: bool }

    struct Device<'a> {
        driver: &'static str,
        id: &'a str,
        memdev: Option<String>,
        chardev: Option<String>,
        vectors: Option<u32>,
        ioeventfd: Option<bool>,
        master: Option<&'static str>,
        #[serde(flatten)]
        place: Place,
    }
}

/// MiB of plain shared memory whose size is not said.
const USUAL_MIB: u64 = 4;

impl QemuDevice for Shmem {
    fn address(&self) -> AddressKind {
        AddressKind::Pci
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Shmem { name, role, model, size, server, msi, info } = self;
        let id = alias::of(self)?;
        if !matches!(info.address, None | Some(Address::Pci(_))) {
            return Err(Error::unsupported_config("only 'pci' addresses are supported for the shared memory device"));
        }
        let mut device = Device {
            id,
            master: role.map(|it| if it == ShmemRole::Master { "on" } else { "off" }),
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
            ..Device::default()
        };
        match model {
            Some(ShmemModel::IvshmemPlain) => {
                cx.needs("ivshmem-plain", "<shmem>")?;
                let memdev = format!("shmmem-{id}");
                let mib = size.map_or(USUAL_MIB, |MegaSize { mib }| mib);
                let memory = Memory {
                    qom_type: "memory-backend-file",
                    id: memdev.clone(),
                    mem_path: format!("/dev/shm/{name}"),
                    size: mib.saturating_mul(1 << 20),
                    share: true,
                };
                device.driver = "ivshmem-plain";
                device.memdev = Some(memdev.clone());
                Ok(vec![Part::object(memdev, &memory)?, Part::device(id, &device)?])
            }
            Some(ShmemModel::IvshmemDoorbell) => {
                cx.needs("ivshmem-doorbell", "<shmem>")?;
                let Some(ShmemServer { path }) = server else {
                    return Err(Error::unsupported_config(
                        "shmem model 'ivshmem-doorbell' is supported only with server option enabled",
                    ));
                };
                let path = path.clone().unwrap_or_else(|| format!("/var/lib/libvirt/shmem-{name}-sock"));
                let chardev = Chardev::new(format!("char{id}"), Backend::Unix { path, socket: Socket::default() });
                device.driver = "ivshmem-doorbell";
                device.chardev = Some(chardev.id().to_owned());
                let ShmemMsi { vectors, ioeventfd } = msi.unwrap_or_default();
                (device.vectors, device.ioeventfd) = (vectors, ioeventfd.map(OnOff::is_on));
                // The role is one of plain memory.
                device.master = None;
                Ok(vec![Part::Chardev(chardev), Part::device(id, &device)?])
            }
            Some(ShmemModel::Ivshmem) | None => Err(Error::unsupported_config("ivshmem device is no longer supported")),
        }
    }
}
