//! What the simulator reads from, and writes into, a domain's document.

use uuid::Uuid;
use virtbus_api::{Error, ErrorCode, Result, hypervisor::MetadataKind};
use virtbus_schema::{
    Domain, FormatOptions,
    xml::{self, RawElement},
};

/// The document's UUID, made up where it has none; so a document without one never replaces another.
pub(crate) fn settle_uuid(it: &mut Domain) -> Uuid {
    *it.uuid.get_or_insert_with(new_uuid)
}

/// A UUID that nothing else here has. Nobody guesses UUIDs of the simulator, so a count is as good as chance.
pub(crate) fn new_uuid() -> Uuid {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    let number = u128::from(COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    Uuid::from_u128(0x5105_1051_5105_4105_8105_0000_0000_0000 + number)
}

/// The memory that the guest may have.
pub(crate) fn max_memory_kib(it: &Domain) -> u64 {
    it.memory.size.kib
}

/// The memory that the guest has.
pub(crate) fn memory_kib(it: &Domain) -> u64 {
    it.current_memory.map_or(it.memory.size.kib, |it| it.kib)
}

/// Title, description, or the element of a namespace as text.
pub(crate) fn metadata(it: &Domain, kind: &MetadataKind) -> Option<String> {
    match kind {
        MetadataKind::Title => it.title.clone(),
        MetadataKind::Description => it.description.clone(),
        MetadataKind::Element { uri } => {
            let mut element = it.metadata.as_ref()?.in_namespace(uri)?.clone();
            // Whoever asks for a namespace knows it: it is left out, with its prefix.
            element.attrs.retain(|(name, value)| !(name.starts_with("xmlns") && value == uri));
            let name = local_name(&element.name).to_owned();
            Some(xml::to_string(&element, &name, FormatOptions::default()).trim_end().to_owned())
        }
    }
}

/// Sets metadata, or removes it.
pub(crate) fn set_metadata(it: &mut Domain, kind: &MetadataKind, value: Option<&str>, key: Option<&str>) -> Result<()> {
    match kind {
        MetadataKind::Title => it.title = value.map(str::to_owned),
        MetadataKind::Description => it.description = value.map(str::to_owned),
        MetadataKind::Element { uri } => {
            let new = value.map(|text| element(text, uri, key.unwrap_or_default())).transpose()?;
            let content = it.metadata.get_or_insert_default();
            content.elements.retain(|it| it.namespace() != Some(uri));
            content.elements.extend(new);
            if content.elements.is_empty() {
                it.metadata = None;
            }
        }
    }
    Ok(())
}

/// The element that `text` describes, in the namespace `uri` under the prefix `key`.
fn element(text: &str, uri: &str, key: &str) -> Result<RawElement> {
    let bad = |it: xml::Error| Error::new(ErrorCode::XmlDetail, it.to_string());
    let mut it = RawElement::take(xml::Document::parse(text).map_err(bad)?.root());
    it.name = format!("{key}:{}", local_name(&it.name));
    it.attrs.insert(0, (format!("xmlns:{key}"), uri.to_owned()));
    Ok(it)
}

fn local_name(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, name)| name)
}
