//! Volumes: finding, making, changing, deleting.

use virtbus_api::{
    Error, ErrorDomain, document,
    flags::{VolumeCreateFlags, VolumeInfoFlags, VolumeResizeFlags},
    storage::WipeAlgorithm,
};
use virtbus_proto::{
    Procedure,
    table::{
        StoragePoolListAllVolumes, StoragePoolListAllVolumesReply, StoragePoolListVolumes, StoragePoolListVolumesReply,
        StoragePoolNumOfVolumes, StoragePoolNumOfVolumesReply, StorageVolCreateXml, StorageVolCreateXmlFrom,
        StorageVolCreateXmlFromReply, StorageVolCreateXmlReply, StorageVolDelete, StorageVolGetInfo,
        StorageVolGetInfoFlags, StorageVolGetInfoFlagsReply, StorageVolGetInfoReply, StorageVolGetPath,
        StorageVolGetPathReply, StorageVolGetXmlDesc, StorageVolGetXmlDescReply, StorageVolLookupByKey,
        StorageVolLookupByKeyReply, StorageVolLookupByName, StorageVolLookupByNameReply, StorageVolLookupByPath,
        StorageVolLookupByPathReply, StorageVolResize, StorageVolWipe, StorageVolWipePattern,
    },
};

use crate::{
    Storage,
    error::{Fault, Result},
    from_wire::{self, pool, volume},
    routes::Routes,
    to_wire,
};

/// Volumes in one answer (`REMOTE_STORAGE_VOL_LIST_MAX`).
const LIST_MAX: usize = 16_384;

pub(crate) fn routes() -> Routes<Storage> {
    change(find(Routes::<Storage>::default()))
        .on(|cx, a: StorageVolGetXmlDesc| async move {
            from_wire::no_flags(&a, a.flags)?;
            let document = cx.driver.volume_xml(&volume(&a.vol)).await?;
            Ok(StorageVolGetXmlDescReply { xml: document::format_volume(&document) })
        })
        .on(|cx, a: StorageVolGetInfo| async move {
            let info = cx.driver.volume_info(&volume(&a.vol)).await?;
            let r#type = info.kind as i8;
            Ok(StorageVolGetInfoReply { r#type, capacity: info.capacity, allocation: info.allocation })
        })
        .on(|cx, a: StorageVolGetInfoFlags| async move {
            let flags: VolumeInfoFlags = from_wire::flags(&a, a.flags)?;
            let info = cx.driver.volume_info(&volume(&a.vol)).await?;
            let physical = flags.contains(VolumeInfoFlags::PHYSICAL);
            let allocation = if physical { info.physical } else { info.allocation };
            Ok(StorageVolGetInfoFlagsReply { r#type: info.kind as i8, capacity: info.capacity, allocation })
        })
        .on_view(|cx, a: StorageVolGetPath| {
            Ok(StorageVolGetPathReply { name: cx.driver.volume_path(&volume(&a.vol))? })
        })
}

fn find(routes: Routes<Storage>) -> Routes<Storage> {
    routes
        .on_view(|cx, a: StoragePoolListAllVolumes| {
            from_wire::no_flags(&a, a.flags)?;
            let found = cx.driver.volumes(&pool(&a.pool))?;
            let (vols, ret) = to_wire::list(a.need_results, &found, LIST_MAX, "volumes", to_wire::volume)?;
            Ok(StoragePoolListAllVolumesReply { vols, ret })
        })
        .on_view(|cx, a: StoragePoolNumOfVolumes| {
            Ok(StoragePoolNumOfVolumesReply { num: to_wire::count(cx.driver.volumes(&pool(&a.pool))?.len()) })
        })
        .on_view(|cx, a: StoragePoolListVolumes| {
            let room = from_wire::room(a.maxnames, "maxnames", LIST_MAX, "REMOTE_STORAGE_VOL_LIST_MAX")?;
            let names = cx.driver.volumes(&pool(&a.pool))?.into_iter().map(|it| it.name);
            Ok(StoragePoolListVolumesReply { names: names.take(room).collect() })
        })
        .on_view(|cx, a: StorageVolLookupByName| {
            let found = cx.driver.lookup_volume(&pool(&a.pool), &a.name)?;
            Ok(StorageVolLookupByNameReply { vol: to_wire::volume(&found) })
        })
        .on_view(|cx, a: StorageVolLookupByKey| {
            Ok(StorageVolLookupByKeyReply { vol: to_wire::volume(&cx.driver.lookup_volume_by_key(&a.key)?) })
        })
        .on_view(|cx, a: StorageVolLookupByPath| {
            Ok(StorageVolLookupByPathReply { vol: to_wire::volume(&cx.driver.lookup_volume_by_path(&a.path)?) })
        })
}

fn change(routes: Routes<Storage>) -> Routes<Storage> {
    routes
        .on(|cx, a: StorageVolCreateXml| async move {
            let flags: VolumeCreateFlags = from_wire::flags(&a, a.flags)?;
            let pool = pool(&a.pool);
            // An unknown pool counts before a document that makes no sense.
            cx.driver.is_active(&pool)?;
            let document = document::parse_volume(&a.xml, flags.contains(VolumeCreateFlags::VALIDATE))?;
            let created = cx.driver.create_volume(&pool, document, flags).await?;
            Ok(StorageVolCreateXmlReply { vol: to_wire::volume(&created) })
        })
        .on(|cx, a: StorageVolCreateXmlFrom| async move {
            let flags: VolumeCreateFlags = from_wire::flags(&a, a.flags)?;
            let pool = pool(&a.pool);
            cx.driver.is_active(&pool)?;
            let document = document::parse_volume(&a.xml, flags.contains(VolumeCreateFlags::VALIDATE))?;
            let created = cx.driver.create_volume_from(&pool, document, &volume(&a.clonevol), flags).await?;
            Ok(StorageVolCreateXmlFromReply { vol: to_wire::volume(&created) })
        })
        .on(|cx, a: StorageVolDelete| async move {
            // The backend reads the flags: the volume is looked for first (observed).
            cx.driver.volume_path(&volume(&a.vol))?;
            Ok(cx.driver.delete_volume(&volume(&a.vol), from_wire::flags(&a, a.flags)?).await?)
        })
        .on(|cx, a: StorageVolResize| async move {
            let flags = VolumeResizeFlags::from_bits_retain(a.flags);
            if a.capacity == 0 && !flags.intersects(VolumeResizeFlags::DELTA | VolumeResizeFlags::SHRINK) {
                let text = "capacity in virStorageVolResize cannot be zero without 'delta' or 'shrink' flags set";
                return Err(Fault::argument(StorageVolResize::ENTRY, "capacity", text.to_owned()));
            }
            Ok(cx.driver.resize_volume(&volume(&a.vol), a.capacity, from_wire::flags(&a, a.flags)?).await?)
        })
        .on(|cx, a: StorageVolWipe| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.wipe_volume(&volume(&a.vol), WipeAlgorithm::Zero).await?)
        })
        .on(|cx, a: StorageVolWipePattern| async move {
            from_wire::no_flags(&a, a.flags)?;
            let algorithm = algorithm(a.algorithm)?;
            Ok(cx.driver.wipe_volume(&volume(&a.vol), algorithm).await?)
        })
}

/// The algorithm is checked before the volume is looked for (observed).
fn algorithm(number: u32) -> Result<WipeAlgorithm> {
    let unknown = || Error::invalid_arg(format!("wiping algorithm {number} not supported"));
    Ok(WipeAlgorithm::from_number(number).ok_or_else(|| unknown().in_domain(ErrorDomain::Storage))?)
}
