//! An XML document as a tree of plain strings, for reading schemas and introspection. It checks nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its name as written.
    pub name: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Elements inside it, in order.
    pub children: Vec<Element>,
    /// All text directly inside it, trimmed.
    pub text: String,
}

impl Element {
    /// Reads a file; the document's root comes back.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
        Self::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Parses a document.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        // The outermost holds the root as its only child.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|why| why.to_string())? {
                Event::Start(start) => open.push(Self::of(&start)?),
                Event::Empty(start) => {
                    let element = Self::of(&start)?;
                    open.last_mut().ok_or("no parent")?.children.push(element);
                }
                Event::End(_) => {
                    let element = open.pop().ok_or("no element")?;
                    open.last_mut().ok_or("no parent")?.children.push(element);
                }
                Event::Text(text) => {
                    open.last_mut().ok_or("no parent")?.text.push_str(text.trim());
                }
                Event::Eof => break,
                _ => {}
            }
        }
        open.pop().and_then(|it| it.children.into_iter().next()).ok_or_else(|| "no root".to_owned())
    }

    /// An attribute, or the empty string.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// The children of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |it| it.name == name)
    }

    fn of(start: &BytesStart<'_>) -> Result<Self, String> {
        let mut attributes = BTreeMap::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|why| why.to_string())?;
            attributes.insert(attribute.key.as_ref().to_owned(), attribute.value.into_owned());
        }
        Ok(Self { name: start.name().as_ref().to_owned(), attributes, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_tree() {
        let root = Element::parse("<?xml version='1.0'?>\n<a x='1'><b>t</b><!-- c --><b y='2'/></a>\n").unwrap();
        assert_eq!((root.name.as_str(), root.attribute("x")), ("a", "1"));
        let b: Vec<_> = root.all("b").collect();
        assert_eq!((b[0].text.as_str(), b[1].attribute("y")), ("t", "2"));
    }
}
