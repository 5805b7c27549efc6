//! Who is booted from first: `<boot order>` of devices, else the kinds of `<os>`.

use std::collections::BTreeMap;

use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::DiskDevice;
use virtbus_schema::domain::os::BootKind;

/// The turn of each device that is booted from, by alias, from 1. Of each kind in `<os>` only the first device counts.
pub(super) fn indices(domain: &Domain) -> BTreeMap<String, u32> {
    let devices = &domain.devices;
    let mut found = BTreeMap::new();
    let mut ordered = devices
        .disks
        .iter()
        .map(|it| (&it.info.alias, &it.info.boot))
        .chain(devices.interfaces.iter().map(|it| (&it.info.alias, &it.info.boot)))
        .chain(devices.filesystems.iter().map(|it| (&it.info.alias, &it.info.boot)))
        .chain(devices.hostdevs.iter().map(|it| (&it.info.alias, &it.info.boot)))
        .chain(devices.redirdevs.iter().map(|it| (&it.info.alias, &it.info.boot)))
        .filter_map(|(alias, boot)| Some((alias.as_ref()?.name.clone(), boot.as_ref()?.order)))
        .peekable();
    if ordered.peek().is_some() {
        found.extend(ordered);
        return found;
    }
    for (turn, boot) in (1..).zip(&domain.os.boot) {
        let disk = |wanted: fn(DiskDevice) -> bool| {
            let first = devices.disks.iter().find(|it| wanted(it.device));
            first.and_then(|it| it.info.alias.as_ref())
        };
        let alias = match boot.dev {
            BootKind::Hd => disk(|it| matches!(it, DiskDevice::Disk | DiskDevice::Lun)),
            BootKind::Cdrom => disk(|it| it == DiskDevice::Cdrom),
            BootKind::Fd => disk(|it| it == DiskDevice::Floppy),
            BootKind::Network => devices.interfaces.first().and_then(|it| it.info.alias.as_ref()),
        };
        if let Some(alias) = alias {
            found.entry(alias.name.clone()).or_insert(turn);
        }
    }
    found
}
