//! A domain's life: defining, starting, stopping and all between.

use virtbus_api::{
    Error, document,
    flags::{DefineFlags, DestroyFlags, ShutdownFlags, StartFlags, UndefineFlags, XmlFlags},
};
use virtbus_proto::table::{
    ConnectDomainXmlFromNative, ConnectDomainXmlFromNativeReply, ConnectDomainXmlToNative,
    ConnectDomainXmlToNativeReply, DomainCreate, DomainCreateWithFlags, DomainCreateWithFlagsReply, DomainCreateXml,
    DomainCreateXmlReply, DomainDefineXml, DomainDefineXmlFlags, DomainDefineXmlFlagsReply, DomainDefineXmlReply,
    DomainDestroy, DomainDestroyFlags, DomainReboot, DomainRename, DomainRenameReply, DomainReset, DomainResume,
    DomainSetAutostart, DomainSetAutostartOnce, DomainShutdown, DomainShutdownFlags, DomainSuspend, DomainUndefine,
    DomainUndefineFlags,
};

use crate::{
    Hypervisor,
    from_wire::{self, domain},
    routes::Routes,
    to_wire,
};

pub(crate) fn routes() -> Routes<Hypervisor> {
    definition(Routes::<Hypervisor>::default())
        .on(|cx, a: DomainCreateXml| async move {
            let flags: StartFlags = from_wire::flags(&a, a.flags)?;
            let document = document::parse_domain(&a.xml_desc, flags.contains(StartFlags::VALIDATE))?;
            let started = cx.driver.create(document, flags, cx.lease()?).await?;
            Ok(DomainCreateXmlReply { dom: to_wire::domain(&started) })
        })
        .on(|cx, a: DomainCreate| async move {
            cx.driver.start(&domain(&a.dom), StartFlags::empty(), cx.lease()?).await?;
            Ok(())
        })
        .on(|cx, a: DomainCreateWithFlags| async move {
            let started = cx.driver.start(&domain(&a.dom), from_wire::flags(&a, a.flags)?, cx.lease()?).await?;
            Ok(DomainCreateWithFlagsReply { dom: to_wire::domain(&started) })
        })
        .on(|cx, a: DomainSuspend| async move { Ok(cx.driver.suspend(&domain(&a.dom)).await?) })
        .on(|cx, a: DomainResume| async move { Ok(cx.driver.resume(&domain(&a.dom)).await?) })
        .on(|cx, a: DomainReset| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.reset(&domain(&a.dom)).await?)
        })
        .on(|cx, a: DomainReboot| async move {
            Ok(cx.driver.reboot(&domain(&a.dom), from_wire::flags(&a, a.flags)?).await?)
        })
        .on(|cx, a: DomainShutdown| async move {
            Ok(cx.driver.shutdown(&domain(&a.dom), ShutdownFlags::empty()).await?)
        })
        .on(|cx, a: DomainShutdownFlags| async move {
            Ok(cx.driver.shutdown(&domain(&a.dom), from_wire::flags(&a, a.flags)?).await?)
        })
        .on(|cx, a: DomainDestroy| async move {
            Ok(cx.driver.destroy(&domain(&a.dom), DestroyFlags::empty()).await?)
        })
        .on(|cx, a: DomainDestroyFlags| async move {
            Ok(cx.driver.destroy(&domain(&a.dom), from_wire::flags(&a, a.flags)?).await?)
        })
}

/// What changes definitions.
fn definition(routes: Routes<Hypervisor>) -> Routes<Hypervisor> {
    routes
        .on(|cx, a: DomainDefineXml| async move {
            let defined = cx.driver.define(document::parse_domain(&a.xml, false)?, DefineFlags::empty()).await?;
            Ok(DomainDefineXmlReply { dom: to_wire::domain(&defined) })
        })
        .on(|cx, a: DomainDefineXmlFlags| async move {
            let flags: DefineFlags = from_wire::flags(&a, a.flags)?;
            let document = document::parse_domain(&a.xml, flags.contains(DefineFlags::VALIDATE))?;
            let defined = cx.driver.define(document, flags).await?;
            Ok(DomainDefineXmlFlagsReply { dom: to_wire::domain(&defined) })
        })
        .on(|cx, a: DomainUndefine| async move {
            Ok(cx.driver.undefine(&domain(&a.dom), UndefineFlags::empty()).await?)
        })
        .on(|cx, a: DomainUndefineFlags| async move {
            Ok(cx.driver.undefine(&domain(&a.dom), from_wire::flags(&a, a.flags)?).await?)
        })
        .on(|cx, a: DomainSetAutostart| async move {
            Ok(cx.driver.set_autostart(&domain(&a.dom), a.autostart != 0).await?)
        })
        .on(|cx, a: DomainSetAutostartOnce| async move {
            Ok(cx.driver.set_autostart_once(&domain(&a.dom), a.autostart != 0).await?)
        })
        .on(|cx, a: DomainRename| async move {
            from_wire::no_flags(&a, a.flags)?;
            let name = a.new_name.ok_or_else(|| Error::invalid_arg("a new name is missing"))?;
            cx.driver.rename(&domain(&a.dom), &name).await?;
            Ok(DomainRenameReply { retcode: 0 })
        })
        .on_view(|cx, a: ConnectDomainXmlFromNative| {
            from_wire::no_flags(&a, a.flags)?;
            let document = cx.driver.xml_from_native(&a.native_format, &a.native_config)?;
            let domain_xml = document::format_domain(&document, XmlFlags::INACTIVE);
            Ok(ConnectDomainXmlFromNativeReply { domain_xml })
        })
        .on(|cx, a: ConnectDomainXmlToNative| async move {
            from_wire::no_flags(&a, a.flags)?;
            let document = document::parse_domain(&a.domain_xml, false)?;
            let native_config = cx.driver.xml_to_native(&a.native_format, document).await?;
            Ok(ConnectDomainXmlToNativeReply { native_config })
        })
}
