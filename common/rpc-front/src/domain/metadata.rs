//! Title, description and foreign metadata.

use virtbus_api::hypervisor::MetadataKind;
use virtbus_proto::{
    Procedure,
    table::{DomainGetMetadata, DomainGetMetadataReply, DomainSetMetadata},
};

use crate::{
    Hypervisor,
    error::{Fault, Result},
    from_wire::{self, domain},
    routes::Routes,
};

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on_view(|cx, a: DomainGetMetadata| {
            let kind = kind(&a, a.r#type, a.uri.clone())?;
            let metadata = cx.driver.metadata(&domain(&a.dom), &kind, from_wire::flags(&a, a.flags)?)?;
            Ok(DomainGetMetadataReply { metadata })
        })
        .on(|cx, a: DomainSetMetadata| async move {
            let kind = kind(&a, a.r#type, a.uri.clone())?;
            let impact = from_wire::flags(&a, a.flags)?;
            check(&kind, &a)?;
            Ok(cx.driver.set_metadata(&domain(&a.dom), kind, a.metadata, a.key, impact).await?)
        })
}

/// `virDomainMetadataType` with the namespace that the third one needs.
fn kind<P: Procedure>(_args: &P, number: i32, uri: Option<String>) -> Result<MetadataKind> {
    let function = P::ENTRY.api.unwrap_or(P::ENTRY.name);
    match (number, uri) {
        (0, _) => Ok(MetadataKind::Description),
        (1, _) => Ok(MetadataKind::Title),
        (2, Some(uri)) => Ok(MetadataKind::Element { uri }),
        (2, None) => Err(Fault::argument(P::ENTRY, "uri", format!("uri in {function} must not be NULL"))),
        _ => Err(Fault::argument(P::ENTRY, "type", format!("unknown metadata type {number} in {function}"))),
    }
}

fn check(kind: &MetadataKind, a: &DomainSetMetadata) -> Result<()> {
    let refuse = |argument: &str, text: &str| Err(Fault::argument(DomainSetMetadata::ENTRY, argument, text.to_owned()));
    match kind {
        MetadataKind::Title if a.metadata.as_ref().is_some_and(|it| it.contains('\n')) => {
            refuse("metadata", "metadata title can't contain newlines")
        }
        MetadataKind::Element { .. } if a.metadata.is_some() && a.key.is_none() => {
            refuse("key", "key in virDomainSetMetadata must not be NULL")
        }
        MetadataKind::Title | MetadataKind::Description | MetadataKind::Element { .. } => Ok(()),
    }
}
