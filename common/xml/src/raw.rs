//! Elements nobody interprets, kept whole: foreign metadata and what has no field yet.

use std::collections::{HashMap, HashSet};

use crate::decode::Xml;
use crate::describe::Describe;
use crate::document::{Content, Node};
use crate::error::Result;
use crate::names;
use crate::writer::Writer;

/// One part of a kept element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPart {
    /// A child element.
    Element(RawElement),
    /// Text between.
    Text(String),
}

/// An element kept as it was written, with the namespace declarations it needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawElement {
    /// The name with its prefix.
    pub name: String,
    /// The attributes in order, declarations first.
    pub attrs: Vec<(String, String)>,
    /// Texts and child elements in order.
    pub parts: Vec<RawPart>,
}

impl RawElement {
    /// Copies an element with everything in it; all of it counts as known.
    #[must_use]
    pub fn take(node: Node<'_>) -> Self {
        node.keep_all();
        let mut element = Self::copy(node);
        element.declare_prefixes(node);
        element
    }

    fn copy(node: Node<'_>) -> Self {
        let attrs = node.attrs_raw();
        let (declarations, others): (Vec<_>, Vec<_>) = attrs.iter().partition(|it| names::is_declaration(it.name));
        Self {
            name: node.name().to_owned(),
            attrs: declarations.iter().chain(&others).map(|it| (it.name.to_owned(), it.value.to_string())).collect(),
            parts: node
                .nodes()
                .map(|it| match it.content() {
                    Content::Element(_) => RawPart::Element(Self::copy(it)),
                    Content::Text(text) => RawPart::Text(text.to_string()),
                })
                .collect(),
        }
    }

    /// Brings along the declarations of prefixes that stand on an element outside.
    fn declare_prefixes(&mut self, node: Node<'_>) {
        let mut search = Prefixes::default();
        search.visit(self);
        if search.used.is_empty() {
            return;
        }
        let outside = node.declarations();
        let declare = |prefix: &&str| {
            let uri = outside.get(prefix).filter(|uri| !uri.is_empty())?;
            let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
            Some((name, (*uri).to_owned()))
        };
        let mut attrs: Vec<_> = search.used.iter().rev().filter_map(declare).collect();
        attrs.append(&mut self.attrs);
        self.attrs = attrs;
    }

    /// The namespace declared on the element itself.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        let (prefix, _) = names::split(&self.name);
        let declaration = self.attrs.iter().find(|(name, _)| names::declared_prefix(name) == Some(prefix));
        declaration.map(|(_, uri)| uri.as_str()).filter(|it| !it.is_empty())
    }

    /// Writes the element at its place in a document, in the layout libxml2 gives such copies (double quotes).
    pub fn put(&self, w: &mut Writer) {
        w.fragment(|out, depth| {
            self.dump(out, depth, true);
            out.push('\n');
        });
    }

    fn dump(&self, out: &mut String, depth: usize, layout: bool) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attrs {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(out, value, true);
            out.push('"');
        }
        if self.parts.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        // One text among the parts makes blanks significant: then nothing inside is laid out.
        let layout = layout && !self.parts.iter().any(|it| matches!(it, RawPart::Text(_)));
        for part in &self.parts {
            if layout {
                new_line(out, depth + 1);
            }
            match part {
                RawPart::Element(it) => it.dump(out, depth + 1, layout),
                RawPart::Text(text) => escape(out, text, false),
            }
        }
        if layout {
            new_line(out, depth);
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }
}

/// Prefixes used in an element without a declaration in there, in the order they are met.
#[derive(Default)]
struct Prefixes<'e> {
    /// Those declared around the place being visited, and how often.
    declared: HashMap<&'e str, usize>,
    used: Vec<&'e str>,
    seen: HashSet<&'e str>,
}

impl<'e> Prefixes<'e> {
    fn visit(&mut self, element: &'e RawElement) {
        let declared = || element.attrs.iter().filter_map(|(name, _)| names::declared_prefix(name));
        for prefix in declared() {
            *self.declared.entry(prefix).or_default() += 1;
        }
        let attrs = element.attrs.iter().map(|(name, _)| name).filter(|name| !names::is_declaration(name));
        let own = std::iter::once(names::split(&element.name).0);
        for prefix in own.chain(attrs.map(|it| names::split(it).0).filter(|it| !it.is_empty())) {
            let is_declared = self.declared.get(prefix).is_some_and(|count| *count > 0);
            if prefix != "xml" && !is_declared && self.seen.insert(prefix) {
                self.used.push(prefix);
            }
        }
        for part in &element.parts {
            if let RawPart::Element(element) = part {
                self.visit(element);
            }
        }
        for prefix in declared() {
            self.declared.entry(prefix).and_modify(|count| *count -= 1);
        }
    }
}

/// libxml2 indents no further than 60 blanks, so that depth does not multiply a document.
const MAX_INDENT: usize = 30;

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth.min(MAX_INDENT) {
        out.push_str("  ");
    }
}

fn escape(out: &mut String, text: &str, in_attr: bool) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#13;"),
            '"' if in_attr => out.push_str("&quot;"),
            '\n' if in_attr => out.push_str("&#10;"),
            '\t' if in_attr => out.push_str("&#9;"),
            // libxml2 keeps other letters in texts, but not in attributes.
            c if in_attr && !c.is_ascii() => out.push_str(&format!("&#x{:X};", u32::from(c))),
            _ => out.push(c),
        }
    }
}

/// As the content of a typed field it is written in libvirt's own layout, under the field's name.
impl Xml for RawElement {
    fn read(node: Node<'_>) -> Result<Self> {
        Ok(Self::take(node))
    }

    fn write_attrs(&self, w: &mut Writer) {
        for (name, value) in &self.attrs {
            w.attr_str(name, value);
        }
    }

    fn write_content(&self, w: &mut Writer) {
        for part in &self.parts {
            match part {
                RawPart::Element(it) => it.write(&it.name, w),
                RawPart::Text(text) => w.text_str(text),
            }
        }
    }

    fn describe(to: &mut dyn Describe) {
        to.raw("");
    }
}

/// The content of an element whose children are all kept, such as `<metadata>`: each is in a namespace of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawContent {
    /// The child elements in order.
    pub elements: Vec<RawElement>,
}

impl RawContent {
    /// The element of a namespace.
    #[must_use]
    pub fn in_namespace(&self, uri: &str) -> Option<&RawElement> {
        self.elements.iter().find(|it| it.namespace() == Some(uri))
    }
}

impl Xml for RawContent {
    /// Keeps the first element of each namespace; one in no namespace belongs to nobody and is left out.
    fn read(node: Node<'_>) -> Result<Self> {
        node.keep_all();
        let mut seen = HashSet::new();
        let is_first = |it: &Node<'_>| it.namespace().is_some_and(|uri| seen.insert(uri.to_owned()));
        Ok(Self { elements: node.elements().filter(is_first).map(RawElement::take).collect() })
    }

    fn write_attrs(&self, _: &mut Writer) {}

    fn write_content(&self, w: &mut Writer) {
        for element in &self.elements {
            element.put(w);
        }
    }

    fn describe(to: &mut dyn Describe) {
        to.raw("");
    }
}

/// The child elements of `node` that no field asked for.
#[must_use]
pub fn rest(node: Node<'_>) -> Vec<RawElement> {
    node.elements().filter(|it| !it.is_known()).map(RawElement::take).collect()
}
