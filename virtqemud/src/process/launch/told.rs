//! What QEMU is told and asked by its monitor before the guest runs.
//!
//! One write for nearly all of it: QEMU's answers come back while nothing else waits. Only vCPUs that are plugged take a second
//! one, since the slots they go into are QEMU's to say.

use std::time::Duration;

use virtbus_qmp::{
    Client,
    commands::{
        Balloon, BlockSetIoThrottle, ChardevInfo, CpuInfo, IothreadInfo, QueryChardev, QueryCpusFast,
        QueryHotpluggableCpus, QueryIothreads, SetAction, SetLink, SetPassword,
    },
};
use virtbus_schema::domain::{
    Domain, LifecycleAction,
    device::{
        disk::{Disk, DiskBus, DiskKind, IoTune},
        graphics::Graphics,
        interface::LinkState,
        memballoon::MemballoonModel,
    },
};

use super::vcpus;

/// What QEMU answered.
pub(super) struct Answers {
    pub(super) cpus: Vec<CpuInfo>,
    pub(super) chardevs: Vec<ChardevInfo>,
    pub(super) iothreads: Vec<IothreadInfo>,
}

/// Shakes hands, tells and asks; `up` is how long each answer may take.
///
/// # Errors
/// QEMU refuses something, or its connection ends.
pub(super) async fn tell(client: &Client, document: &Domain, up: Duration) -> Result<Answers, virtbus_qmp::Error> {
    let mut batch = client.batch();
    let cpus = batch.add(&QueryCpusFast);
    let chardevs = batch.add(&QueryChardev);
    let threads =
        (document.iothreads.is_some() || !document.iothreadids.is_empty()).then(|| batch.add(&QueryIothreads));
    let slots = vcpus::any_to_plug(document).then(|| batch.add(&QueryHotpluggableCpus));
    let action = on_reboot(document).map(|action| batch.add(&action));
    let balloon = balloon(document).map(|balloon| batch.add(&balloon));
    let passwords: Vec<_> = passwords(document).iter().map(|it| batch.add(it)).collect();
    let limits: Vec<_> = document.devices.disks.iter().filter_map(limit).map(|it| batch.add(&it)).collect();
    let pulled: Vec<_> = pulled(document).map(|it| batch.add(&it)).collect();
    batch.send();
    client.ready(up).await?;
    let mut cpus = cpus.reply(up).await?;
    let chardevs = chardevs.reply(up).await?;
    let iothreads = match threads {
        Some(threads) => threads.reply(up).await?,
        None => Vec::new(),
    };
    let slots = match slots {
        Some(slots) => Some(slots.reply(up).await?),
        None => None,
    };
    if let Some(action) = action {
        action.reply(up).await?;
    }
    if let Some(balloon) = balloon {
        balloon.reply(up).await?;
    }
    for password in passwords {
        password.reply(up).await?;
    }
    for limit in limits {
        limit.reply(up).await?;
    }
    for link in pulled {
        link.reply(up).await?;
    }
    if let Some(slots) = slots {
        let mut batch = client.batch();
        let plugged: Vec<_> = vcpus::plugs(document, slots).iter().map(|it| batch.add(it)).collect();
        let asked = batch.add(&QueryCpusFast);
        batch.send();
        for it in plugged {
            it.reply(up).await?;
        }
        cpus = asked.reply(up).await?;
    }
    Ok(Answers { cpus, chardevs, iothreads })
}

/// What QEMU is told for a guest that must not reboot.
fn on_reboot(document: &Domain) -> Option<SetAction> {
    let restart = document.on_reboot == LifecycleAction::Restart;
    (!restart).then(|| SetAction { reboot: Some("shutdown"), ..SetAction::default() })
}

/// What a guest is told that is to begin with less memory than it may have.
fn balloon(document: &Domain) -> Option<Balloon> {
    let current = document.current_memory?.kib;
    let has = document.devices.memballoons.first().is_some_and(|it| it.model != MemballoonModel::None);
    (has && current < document.memory.size.kib).then(|| Balloon { value: current.saturating_mul(1024) })
}

/// The network cables that are not plugged in when the guest starts: QEMU has no word for that on its command line.
fn pulled(document: &Domain) -> impl Iterator<Item = SetLink> {
    let down = document.devices.interfaces.iter().filter(|it| it.link == Some(LinkState::Down));
    let names = down.filter_map(|it| it.info.alias.as_ref());
    names.map(|it| SetLink { name: it.name.clone(), up: false })
}

/// The passwords of displays, which QEMU takes by its monitor alone.
fn passwords(document: &Domain) -> Vec<SetPassword> {
    let of = |it: &Graphics| match it {
        Graphics::Vnc(vnc) => vnc.passwd.clone().map(|password| ("vnc", password)),
        Graphics::Spice(spice) => spice.passwd.clone().map(|password| ("spice", password)),
        _ => None,
    };
    let found = document.devices.graphics.iter().filter_map(of);
    found.map(|(protocol, password)| SetPassword { protocol, password, connected: None }).collect()
}

/// The limits of a disk. A drive without a medium takes none.
fn limit(disk: &Disk) -> Option<BlockSetIoThrottle> {
    let tune = disk.iotune.as_ref().filter(|it| **it != IoTune::default())?;
    let empty = disk.source.is_none() || disk.kind == DiskKind::VhostUser;
    (!empty).then(|| throttle(drive_path(disk), tune))
}

/// How QEMU knows the drive: its id, or the object within it that does the reading.
fn drive_path(disk: &Disk) -> String {
    let alias = disk.info.alias.as_ref().map_or("", |it| it.name.as_str());
    match disk.target.bus {
        Some(DiskBus::Virtio) => format!("/machine/peripheral/{alias}/virtio-backend"),
        Some(DiskBus::Usb) => format!("/machine/peripheral/{alias}/{alias}.0/legacy[0]"),
        _ => alias.to_owned(),
    }
}

/// What is not said is not limited; a burst lasts a second unless more is said.
fn throttle(id: String, it: &IoTune) -> BlockSetIoThrottle {
    let rate = |it: Option<u64>| it.unwrap_or(0);
    let length = |it: Option<u64>| it.filter(|it| *it > 0);
    BlockSetIoThrottle {
        id,
        bps: rate(it.total_bytes_sec),
        bps_rd: rate(it.read_bytes_sec),
        bps_wr: rate(it.write_bytes_sec),
        iops: rate(it.total_iops_sec),
        iops_rd: rate(it.read_iops_sec),
        iops_wr: rate(it.write_iops_sec),
        bps_max: rate(it.total_bytes_sec_max),
        bps_rd_max: rate(it.read_bytes_sec_max),
        bps_wr_max: rate(it.write_bytes_sec_max),
        iops_max: rate(it.total_iops_sec_max),
        iops_rd_max: rate(it.read_iops_sec_max),
        iops_wr_max: rate(it.write_iops_sec_max),
        bps_max_length: length(it.total_bytes_sec_max_length),
        bps_rd_max_length: length(it.read_bytes_sec_max_length),
        bps_wr_max_length: length(it.write_bytes_sec_max_length),
        iops_max_length: length(it.total_iops_sec_max_length),
        iops_rd_max_length: length(it.read_iops_sec_max_length),
        iops_wr_max_length: length(it.write_iops_sec_max_length),
        iops_size: rate(it.size_iops_sec),
        group: it.group_name.clone(),
    }
}
