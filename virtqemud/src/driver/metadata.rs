//! Title, description and foreign metadata.

use async_trait::async_trait;
use virtbus_api::{
    DomainRef, Error, ErrorCode, Result,
    flags::Impact,
    hypervisor::{Metadata, MetadataKind},
    metadata,
};
use virtbus_schema::Domain;

use super::Qemu;
use crate::domain::{command::Command, view::View};

/// What `impact` means for this domain, with nothing left open.
fn explicit(view: &View, impact: Impact) -> Result<Impact> {
    let active = view.live.is_some();
    let impact = match (impact.is_empty(), active) {
        (false, _) => impact,
        (true, true) => Impact::LIVE,
        (true, false) => Impact::CONFIG,
    };
    if impact.contains(Impact::LIVE) && !active {
        return Err(Error::invalid_operation("domain is not running"));
    }
    if impact.contains(Impact::CONFIG) && view.definition.is_none() {
        return Err(Error::invalid_operation("transient domains do not have any persistent config"));
    }
    Ok(impact)
}

#[async_trait]
impl Metadata for Qemu {
    fn metadata(&self, domain: &DomainRef, kind: &MetadataKind, impact: Impact) -> Result<String> {
        let view = self.view(domain)?;
        let impact = explicit(&view, impact)?;
        let document = if impact.contains(Impact::CONFIG) { view.defined()? } else { view.document()? };
        let Domain { title, description, metadata, .. } = &*document;
        let found = metadata::read(kind, title.as_deref(), description.as_deref(), metadata.as_ref());
        let missing = || Error::new(ErrorCode::NoDomainMetadata, "Requested metadata element is not present");
        found.ok_or_else(missing)
    }

    async fn set_metadata(
        &self,
        domain: &DomainRef,
        kind: MetadataKind,
        value: Option<String>,
        key: Option<String>,
        impact: Impact,
    ) -> Result<()> {
        let impact = explicit(&*self.view(domain)?, impact)?;
        self.tell(domain, Command::SetMetadata { kind, value, key, impact }).await
    }
}
