//! Title, description and foreign metadata of an object, as the user's calls see them: whose document it is, is not known here.

use virtbus_schema::{
    FormatOptions,
    xml::{Document, RawContent, RawElement, RawPart, Writer},
};

use crate::{
    error::{Error, ErrorCode, Result},
    hypervisor::MetadataKind,
};

/// A change of one of them, checked.
#[derive(Debug, Clone)]
pub struct Change {
    kind: MetadataKind,
    text: Option<String>,
    element: Option<RawElement>,
}

/// The three places of a document.
#[derive(Debug)]
pub struct Places<'a> {
    /// `<title>`.
    pub title: &'a mut Option<String>,
    /// `<description>`.
    pub description: &'a mut Option<String>,
    /// `<metadata>`.
    pub metadata: &'a mut Option<RawContent>,
}

impl Change {
    /// The change to `value`, or the removal with `None`; `key` is the prefix for an element's namespace.
    ///
    /// # Errors
    /// `INVALID_ARG` for a title of several lines or an element without key; `XML_ERROR` for one that is none.
    pub fn new(kind: &MetadataKind, value: Option<&str>, key: Option<&str>) -> Result<Self> {
        let mut change = Self { kind: kind.clone(), text: None, element: None };
        match (kind, value) {
            (_, None) => {}
            (MetadataKind::Title, Some(text)) if text.contains('\n') => {
                return Err(Error::invalid_arg("metadata title can't contain newlines"));
            }
            // An empty text removes, as the reference has it.
            (MetadataKind::Title | MetadataKind::Description, Some(text)) => {
                change.text = Some(text.to_owned()).filter(|it| !it.is_empty());
            }
            (MetadataKind::Element { uri }, Some(text)) => {
                let key = key.ok_or_else(|| Error::invalid_arg("a metadata element needs a key for its namespace"))?;
                change.element = Some(element(text, key, uri)?);
            }
        }
        Ok(change)
    }

    /// Makes the change.
    pub fn apply(&self, places: Places<'_>) {
        let Places { title, description, metadata } = places;
        match &self.kind {
            MetadataKind::Title => title.clone_from(&self.text),
            MetadataKind::Description => description.clone_from(&self.text),
            MetadataKind::Element { uri } => {
                let content = metadata.get_or_insert_with(RawContent::default);
                content.elements.retain(|it| it.namespace() != Some(uri));
                content.elements.extend(self.element.clone());
                if content.elements.is_empty() {
                    *metadata = None;
                }
            }
        }
    }

    /// How events name what has changed: `virDomainMetadataType` (and the network's, which is the same), and an element's
    /// namespace.
    pub fn told(&self) -> (i32, Option<String>) {
        match &self.kind {
            MetadataKind::Description => (0, None),
            MetadataKind::Title => (1, None),
            MetadataKind::Element { uri } => (2, Some(uri.clone())),
        }
    }
}

/// What a document says there; `None` for nothing. An element is given as it was set: without the namespace and prefix it is
/// kept under.
pub fn read(
    kind: &MetadataKind,
    title: Option<&str>,
    description: Option<&str>,
    metadata: Option<&RawContent>,
) -> Option<String> {
    match kind {
        MetadataKind::Title => title.map(str::to_owned),
        MetadataKind::Description => description.map(str::to_owned),
        MetadataKind::Element { uri } => metadata?.in_namespace(uri).map(plain),
    }
}

/// Puts an element and all in it that has no namespace of its own under the prefix `key`.
fn adopt(element: &mut RawElement, key: &str) {
    if element.attrs.iter().any(|(name, uri)| name == "xmlns" && !uri.is_empty()) {
        return;
    }
    if !element.name.contains(':') {
        element.name = format!("{key}:{}", element.name);
    }
    for part in &mut element.parts {
        if let RawPart::Element(child) = part {
            adopt(child, key);
        }
    }
}

/// The element in `text`, put into the namespace `uri` under the prefix `key`.
fn element(text: &str, key: &str, uri: &str) -> Result<RawElement> {
    let malformed = |error: virtbus_schema::Error| {
        Error::new(ErrorCode::XmlError, format!("failed to parse metadata XML: {error}"))
    };
    let document = Document::parse(text).map_err(malformed)?;
    let mut element = RawElement::take(document.root());
    adopt(&mut element, key);
    let declaration = format!("xmlns:{key}");
    element.attrs.retain(|(name, _)| *name != declaration);
    element.attrs.insert(0, (declaration, uri.to_owned()));
    Ok(element)
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

fn plain(element: &RawElement) -> String {
    let mut element = element.clone();
    if let Some((prefix, _)) = element.name.clone().split_once(':') {
        let declaration = format!("xmlns:{prefix}");
        element.attrs.retain(|(name, _)| *name != declaration);
        strip(&mut element, &format!("{prefix}:"));
    }
    let mut w = Writer::new(FormatOptions::default());
    element.put(&mut w);
    w.finish().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_comes_back_as_it_was_set_and_goes_again() {
        let kind = MetadataKind::Element { uri: "urn:x".to_owned() };
        let (mut title, mut description, mut metadata) = (None, None, None);
        let mut set = |value: Option<&str>| {
            let change = Change::new(&kind, value, Some("k")).expect("it is XML");
            let places = Places { title: &mut title, description: &mut description, metadata: &mut metadata };
            change.apply(places);
            read(&kind, None, None, metadata.as_ref())
        };
        assert_eq!(set(Some("<a b='1'><c/></a>")).as_deref(), Some("<a b=\"1\">\n  <c/>\n</a>"));
        assert_eq!(set(None), None);
        assert!(metadata.is_none());
        assert!(Change::new(&MetadataKind::Title, Some("a\nb"), None).is_err());
    }
}
