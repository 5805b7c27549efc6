//! What is known of a domain without asking its guest: all from the engine's published views.

use virtbus_api::{
    document,
    flags::{MessageFlags, VcpuFlags, XmlFlags},
    hypervisor::SecurityLabel,
};
use virtbus_proto::{
    table::{
        DomainGetAutostart, DomainGetAutostartOnce, DomainGetAutostartOnceReply, DomainGetAutostartReply,
        DomainGetInfo, DomainGetMaxMemory, DomainGetMaxMemoryReply, DomainGetMaxVcpus, DomainGetMaxVcpusReply,
        DomainGetMessages, DomainGetMessagesReply, DomainGetOsType, DomainGetOsTypeReply, DomainGetSecurityLabel,
        DomainGetSecurityLabelList, DomainGetSecurityLabelListReply, DomainGetSecurityLabelReply, DomainGetState,
        DomainGetVcpusFlags, DomainGetVcpusFlagsReply, DomainGetXmlDesc, DomainGetXmlDescReply,
        DomainHasManagedSaveImage, DomainHasManagedSaveImageReply, DomainIsActive, DomainIsActiveReply,
        DomainIsPersistent, DomainIsPersistentReply, DomainIsUpdated, DomainIsUpdatedReply,
    },
    xdr::Chars,
};

use crate::{Hypervisor, from_wire, routes::Routes, to_wire};

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on_view(|cx, a: DomainGetState| {
            from_wire::no_flags(&a, a.flags)?;
            Ok(to_wire::state(cx.driver.state(&from_wire::domain(&a.dom))?))
        })
        .on_view(|cx, a: DomainGetInfo| Ok(to_wire::info(&cx.driver.info(&from_wire::domain(&a.dom))?)))
        .on_view(|cx, a: DomainGetXmlDesc| {
            let flags: XmlFlags = from_wire::flags(&a, a.flags)?;
            let xml = document::format_domain(&*cx.driver.xml(&from_wire::domain(&a.dom), flags)?, flags);
            Ok(DomainGetXmlDescReply { xml })
        })
        .on_view(|cx, a: DomainGetOsType| {
            Ok(DomainGetOsTypeReply { r#type: cx.driver.os_type(&from_wire::domain(&a.dom))? })
        })
        .on_view(|cx, a: DomainGetMaxMemory| {
            Ok(DomainGetMaxMemoryReply { memory: cx.driver.max_memory(&from_wire::domain(&a.dom))? })
        })
        .on_view(|cx, a: DomainGetMaxVcpus| {
            let vcpus = cx.driver.vcpus(&from_wire::domain(&a.dom), VcpuFlags::MAXIMUM)?;
            Ok(DomainGetMaxVcpusReply { num: to_wire::signed(vcpus) })
        })
        .on_view(|cx, a: DomainGetVcpusFlags| {
            let vcpus = cx.driver.vcpus(&from_wire::domain(&a.dom), from_wire::flags(&a, a.flags)?)?;
            Ok(DomainGetVcpusFlagsReply { num: to_wire::signed(vcpus) })
        })
        .on_view(|cx, a: DomainIsActive| {
            let active = cx.driver.state(&from_wire::domain(&a.dom))?.is_active();
            Ok(DomainIsActiveReply { active: to_wire::boolean(active) })
        })
        .on_view(|cx, a: DomainIsPersistent| {
            let persistent = cx.driver.is_persistent(&from_wire::domain(&a.dom))?;
            Ok(DomainIsPersistentReply { persistent: to_wire::boolean(persistent) })
        })
        .on_view(|cx, a: DomainIsUpdated| {
            let updated = cx.driver.is_updated(&from_wire::domain(&a.dom))?;
            Ok(DomainIsUpdatedReply { updated: to_wire::boolean(updated) })
        })
        .on_view(|cx, a: DomainGetAutostart| {
            let autostart = cx.driver.autostart(&from_wire::domain(&a.dom))?;
            Ok(DomainGetAutostartReply { autostart: to_wire::boolean(autostart) })
        })
        .on_view(|cx, a: DomainGetAutostartOnce| {
            let autostart = cx.driver.autostart_once(&from_wire::domain(&a.dom))?;
            Ok(DomainGetAutostartOnceReply { autostart: to_wire::boolean(autostart) })
        })
        .on_view(|cx, a: DomainHasManagedSaveImage| {
            from_wire::no_flags(&a, a.flags)?;
            let saved = cx.driver.has_managed_save(&from_wire::domain(&a.dom))?;
            Ok(DomainHasManagedSaveImageReply { result: to_wire::boolean(saved) })
        })
        .on_view(|cx, a: DomainGetMessages| {
            let flags: MessageFlags = from_wire::flags(&a, a.flags)?;
            Ok(DomainGetMessagesReply { msgs: cx.driver.messages(&from_wire::domain(&a.dom), flags)? })
        })
        .on_view(|cx, a: DomainGetSecurityLabel| {
            let labels = cx.driver.security_labels(&from_wire::domain(&a.dom))?;
            // One label is asked for: the first driver's, an empty one where nothing is labelled.
            Ok(label(labels.first().unwrap_or(&SecurityLabel::default())))
        })
        .on_view(|cx, a: DomainGetSecurityLabelList| {
            let labels = cx.driver.security_labels(&from_wire::domain(&a.dom))?;
            let ret = to_wire::count(labels.len());
            Ok(DomainGetSecurityLabelListReply { labels: labels.iter().map(label).collect(), ret })
        })
}

fn label(it: &SecurityLabel) -> DomainGetSecurityLabelReply {
    DomainGetSecurityLabelReply { label: Chars::terminated(&it.label), enforcing: to_wire::boolean(it.enforcing) }
}
