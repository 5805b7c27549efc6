//! Title, description and foreign metadata.

use async_trait::async_trait;
use virtbus_api::{
    DomainRef, Error, ErrorCode, Result,
    flags::Impact,
    hypervisor::{Metadata, MetadataKind},
};
use virtbus_schema::xml::{RawElement, RawPart, Writer};

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
        let missing = |what: &str| Error::new(ErrorCode::NoDomainMetadata, what);
        match kind {
            MetadataKind::Description => {
                document.description.clone().ok_or_else(|| missing("Requested metadata element is not present"))
            }
            MetadataKind::Title => {
                document.title.clone().ok_or_else(|| missing("Requested metadata element is not present"))
            }
            MetadataKind::Element { uri } => {
                let elements = document.metadata.iter().flat_map(|it| &it.elements);
                let element = elements.into_iter().find(|it| it.namespace() == Some(uri));
                element.map(plain).ok_or_else(|| missing("Requested metadata element is not present"))
            }
        }
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

fn strip(element: &mut RawElement, prefix: &str) {
    if let Some(local) = element.name.strip_prefix(prefix) {
        element.name = local.to_owned();
    }
    for part in &mut element.parts {
        if let RawPart::Element(child) = part {
            strip(child, prefix);
        }
    }
}

/// The element as it was given: without the namespace and prefix it is kept under.
fn plain(element: &RawElement) -> String {
    let mut element = element.clone();
    if let Some((prefix, _)) = element.name.clone().split_once(':') {
        let declaration = format!("xmlns:{prefix}");
        element.attrs.retain(|(name, _)| *name != declaration);
        strip(&mut element, &format!("{prefix}:"));
    }
    let mut w = Writer::new(virtbus_schema::FormatOptions::default());
    element.put(&mut w);
    w.finish().trim_end().to_owned()
}
