//! A network's life: defining, starting, changing, stopping.

use virtbus_api::{
    Error, ErrorCode, ErrorDomain, document,
    flags::{NetworkCreateFlags, NetworkDefineFlags},
    network::UpdateCommand,
};
use virtbus_proto::table::{
    NetworkCreate, NetworkCreateXml, NetworkCreateXmlFlags, NetworkCreateXmlFlagsReply, NetworkCreateXmlReply,
    NetworkDefineXml, NetworkDefineXmlFlags, NetworkDefineXmlFlagsReply, NetworkDefineXmlReply, NetworkDestroy,
    NetworkSetAutostart, NetworkUndefine, NetworkUpdate,
};
use virtbus_schema::{NetworkSection, SectionKind};

use crate::{
    Network,
    error::Result,
    from_wire::{self, network},
    routes::Routes,
    to_wire,
};

pub(crate) fn routes() -> Routes<Network> {
    Routes::<Network>::default()
        .on(|cx, a: NetworkDefineXml| async move {
            let document = document::parse_network(&a.xml, false)?;
            let net = to_wire::network(&cx.driver.define(document, NetworkDefineFlags::empty()).await?);
            Ok(NetworkDefineXmlReply { net })
        })
        .on(|cx, a: NetworkDefineXmlFlags| async move {
            let flags: NetworkDefineFlags = from_wire::flags(&a, a.flags)?;
            let document = document::parse_network(&a.xml, flags.contains(NetworkDefineFlags::VALIDATE))?;
            Ok(NetworkDefineXmlFlagsReply { net: to_wire::network(&cx.driver.define(document, flags).await?) })
        })
        .on(|cx, a: NetworkCreateXml| async move {
            let document = document::parse_network(&a.xml, false)?;
            let net = to_wire::network(&cx.driver.create(document, NetworkCreateFlags::empty()).await?);
            Ok(NetworkCreateXmlReply { net })
        })
        .on(|cx, a: NetworkCreateXmlFlags| async move {
            let flags: NetworkCreateFlags = from_wire::flags(&a, a.flags)?;
            let document = document::parse_network(&a.xml, flags.contains(NetworkCreateFlags::VALIDATE))?;
            Ok(NetworkCreateXmlFlagsReply { net: to_wire::network(&cx.driver.create(document, flags).await?) })
        })
        .on(|cx, a: NetworkCreate| async move { Ok(cx.driver.start(&network(&a.net)).await?) })
        .on(|cx, a: NetworkDestroy| async move { Ok(cx.driver.destroy(&network(&a.net)).await?) })
        .on(|cx, a: NetworkUndefine| async move { Ok(cx.driver.undefine(&network(&a.net)).await?) })
        .on(|cx, a: NetworkSetAutostart| async move {
            Ok(cx.driver.set_autostart(&network(&a.net), a.autostart != 0).await?)
        })
        // Command and section stand on the wire as they are named. Clients older than libvirt 7.2 exchange them unless they
        // learn from feature 16 that they need not; it is answered with yes, and the reference does no more (observed).
        .on(|cx, a: NetworkUpdate| async move {
            let flags = from_wire::flags(&a, a.flags)?;
            let net = network(&a.net);
            // An unknown network counts before a command that makes no sense.
            cx.driver.is_active(&net)?;
            let command = command(a.command)?;
            let section = NetworkSection { kind: section(a.section)?, text: a.xml };
            Ok(cx.driver.update(&net, command, section, u32::try_from(a.parent_index).ok(), flags).await?)
        })
}

fn command(number: u32) -> Result<UpdateCommand> {
    let known = i32::try_from(number).ok().and_then(UpdateCommand::from_number);
    Ok(known.ok_or_else(|| unsupported(format!("unrecognized network update command code {number}")))?)
}

fn section(number: u32) -> Result<SectionKind> {
    let known = i32::try_from(number).ok().and_then(SectionKind::from_number);
    Ok(known.ok_or_else(|| unsupported("can't update unrecognized section of network".to_owned()))?)
}

fn unsupported(text: String) -> Error {
    Error::new(ErrorCode::OperationUnsupported, text).in_domain(ErrorDomain::Network)
}
