//! Title, description and foreign metadata of networks. The order of the checks is the reference's (observed).

use virtbus_api::{Error, ErrorDomain, flags::NetworkUpdateFlags, hypervisor::MetadataKind};
use virtbus_proto::{
    Procedure,
    table::{NetworkGetMetadata, NetworkGetMetadataReply, NetworkSetMetadata},
};

use crate::{
    Network,
    client::Context,
    error::{Fault, Result},
    from_wire::{self, network},
    routes::Routes,
};

/// `VIR_NETWORK_METADATA_TITLE`
const TITLE: i32 = 1;
/// `VIR_NETWORK_METADATA_ELEMENT`
const ELEMENT: i32 = 2;

pub(crate) fn routes() -> Routes<Network> {
    Routes::<Network>::default()
        .on_view(|cx, a: NetworkGetMetadata| {
            let impact: NetworkUpdateFlags = from_wire::flags(&a, a.flags)?;
            if impact.is_all() {
                let text = "Flags 'VIR_NETWORK_UPDATE_AFFECT_LIVE' and 'VIR_NETWORK_UPDATE_AFFECT_CONFIG' are mutually \
                            exclusive";
                return Err(Fault::argument(NetworkGetMetadata::ENTRY, "ctl", text.to_owned()));
            }
            needs_uri(&a, a.r#type, a.uri.as_deref())?;
            let kind = kind(cx, &a.network, a.r#type, a.uri.clone())?;
            Ok(NetworkGetMetadataReply { metadata: cx.driver.metadata(&network(&a.network), &kind, impact)? })
        })
        .on(|cx, a: NetworkSetMetadata| async move {
            let impact = from_wire::flags(&a, a.flags)?;
            let refuse =
                |argument: &str, text: &str| Err(Fault::argument(NetworkSetMetadata::ENTRY, argument, text.to_owned()));
            if a.r#type == TITLE && a.metadata.as_ref().is_some_and(|it| it.contains('\n')) {
                return refuse("metadata", "metadata title can't contain newlines");
            }
            needs_uri(&a, a.r#type, a.uri.as_deref())?;
            if a.r#type == ELEMENT && a.metadata.is_some() && a.key.is_none() {
                return refuse("key", "key in virNetworkSetMetadata must not be NULL");
            }
            let kind = kind(&cx, &a.network, a.r#type, a.uri.clone())?;
            Ok(cx.driver.set_metadata(&network(&a.network), kind, a.metadata, a.key, impact).await?)
        })
}

fn needs_uri<P: Procedure>(_args: &P, number: i32, uri: Option<&str>) -> Result<()> {
    if number != ELEMENT || uri.is_some() {
        return Ok(());
    }
    let function = P::ENTRY.api.unwrap_or(P::ENTRY.name);
    Err(Fault::argument(P::ENTRY, "uri", format!("uri in {function} must not be NULL")))
}

/// `virNetworkMetadataType`; an unknown one is a fault of a network that exists.
fn kind(
    cx: &Context<Network>,
    net: &virtbus_proto::types::Network,
    number: i32,
    uri: Option<String>,
) -> Result<MetadataKind> {
    match (number, uri) {
        (0, _) => Ok(MetadataKind::Description),
        (TITLE, _) => Ok(MetadataKind::Title),
        (ELEMENT, Some(uri)) => Ok(MetadataKind::Element { uri }),
        _ => {
            cx.driver.is_active(&network(net))?;
            let fault = Error::invalid_arg(format!("unknown metadata type '{number}'"));
            Err(fault.in_domain(ErrorDomain::Network).into())
        }
    }
}
