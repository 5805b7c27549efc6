//! A parsed document: a flat arena of nodes that borrow from the text, and the cursor over it that notes what was asked for.
//! It knows nothing of any schema; whatever nobody asked for can be listed afterwards.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use crate::error::{Error, ErrorKind, Fault, Result, hint_for};
use crate::names;
use crate::value::Value;

pub(crate) const NONE: u32 = u32::MAX;

/// How many unknown parts are listed: finding the place of one costs a walk over its siblings.
const MAX_UNKNOWN: usize = 100;

#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// The name as written, with its prefix.
    Element(&'a str),
    Text(Cow<'a, str>),
}

#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) content: Content<'a>,
    pub(crate) parent: u32,
    pub(crate) first_child: u32,
    pub(crate) next: u32,
    pub(crate) first_attr: u32,
    pub(crate) attr_count: u32,
    pub(crate) offset: u32,
    pub(crate) used: Cell<bool>,
}

#[derive(Debug)]
pub(crate) struct AttrEntry<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Cow<'a, str>,
    pub(crate) used: Cell<bool>,
}

/// A well-formed document in memory.
#[derive(Debug)]
pub struct Document<'a> {
    pub(crate) text: &'a str,
    pub(crate) nodes: Vec<Entry<'a>>,
    pub(crate) attrs: Vec<AttrEntry<'a>>,
}

impl<'a> Document<'a> {
    /// The root element.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node { document: self, id: 0 }
    }

    /// The root element, which must have this name.
    ///
    /// # Errors
    /// [`ErrorKind::WrongRoot`] when the root is another element.
    pub fn root_named(&self, name: &str) -> Result<Node<'_>> {
        let root = self.root();
        if root.local_name() == name {
            return Ok(root);
        }
        Err(root.error(ErrorKind::WrongRoot, format!("expecting root element '{name}', not '{}'", root.name())))
    }

    /// Elements and attributes that reading did not ask for, as paths with their lines; the first hundred.
    #[must_use]
    pub fn unknown(&self) -> Vec<Unknown> {
        let mut found = Vec::new();
        let mut id = 0;
        while let Some(entry) = self.nodes.get(id as usize).filter(|_| found.len() < MAX_UNKNOWN) {
            let node = Node { document: self, id };
            let is_element = matches!(entry.content, Content::Element(_));
            if is_element && id != 0 && !entry.used.get() {
                found.push(Unknown { path: node.path(), line: node.line() });
                id = node.after_subtree();
                continue;
            }
            for attr in node.attrs_raw().iter().filter(|it| !it.used.get() && !names::is_declaration(it.name)) {
                found.push(Unknown { path: format!("{}/@{}", node.path(), attr.name), line: node.line() });
            }
            id += 1;
        }
        found
    }

    /// For strict reading: text where only elements belong.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] with the place.
    pub fn refuse_stray_text(&self) -> Result<()> {
        let stray = |entry: &Entry<'_>| match &entry.content {
            Content::Text(text) => !entry.used.get() && !text.trim().is_empty(),
            Content::Element(_) => false,
        };
        match (0..)
            .zip(&self.nodes)
            .find(|(_, entry)| stray(entry))
            .and_then(|(id, _)| Node { document: self, id }.parent())
        {
            Some(around) => Err(around.error(ErrorKind::Unknown, "text does not belong here")),
            None => Ok(()),
        }
    }

    /// For strict reading: the first element or attribute that reading did not ask for, as an error.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] with the place.
    pub fn refuse_unknown(&self) -> Result<()> {
        match self.unknown().into_iter().next() {
            None => Ok(()),
            Some(Unknown { path, line }) => Err(Error {
                kind: ErrorKind::Unknown,
                path,
                line,
                message: "not known here, or given twice".to_owned(),
                hint: None,
            }),
        }
    }
}

/// An element or attribute that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Where it stands.
    pub path: String,
    /// The line of its element.
    pub line: u32,
}

/// A cursor on one element.
#[derive(Debug, Clone, Copy)]
pub struct Node<'d> {
    pub(crate) document: &'d Document<'d>,
    pub(crate) id: u32,
}

/// One attribute of an element.
#[derive(Debug, Clone, Copy)]
pub struct Attr<'d> {
    node: Node<'d>,
    entry: &'d AttrEntry<'d>,
}

impl<'d> Attr<'d> {
    /// The value, unescaped.
    #[must_use]
    pub fn value(self) -> &'d str {
        &self.entry.value
    }

    /// The value as a `T`.
    ///
    /// # Errors
    /// The place and why the text is no such value.
    pub fn read<T: Value>(self) -> Result<T> {
        T::from_text(&self.entry.value).map_err(|fault| self.fault(fault))
    }

    /// An error at this attribute.
    #[must_use]
    pub fn error(self, kind: ErrorKind, message: impl Into<String>) -> Error {
        let mut error = self.node.error(kind, message);
        error.path.push_str("/@");
        error.path.push_str(self.entry.name);
        error
    }

    /// An error about a value that is not of its type.
    #[must_use]
    pub fn fault(self, fault: Fault) -> Error {
        let mut error = self.node.fault(&self.entry.value, fault);
        error.path.push_str("/@");
        error.path.push_str(self.entry.name);
        error
    }
}

impl<'d> Node<'d> {
    fn entry(self) -> &'d Entry<'d> {
        // An id is only ever made from a position in the arena.
        &self.document.nodes[self.id as usize]
    }

    /// The name as written, with its prefix.
    #[must_use]
    pub fn name(self) -> &'d str {
        match &self.entry().content {
            Content::Element(name) => name,
            Content::Text(_) => "",
        }
    }

    /// The name without its prefix.
    #[must_use]
    pub fn local_name(self) -> &'d str {
        names::split(self.name()).1
    }

    /// The namespace this element is in, by the declarations above it.
    #[must_use]
    pub fn namespace(self) -> Option<&'d str> {
        self.resolve(names::split(self.name()).0)
    }

    pub(crate) fn resolve(self, prefix: &str) -> Option<&'d str> {
        let mut at = Some(self);
        while let Some(node) = at {
            for attr in node.attrs_raw() {
                if names::declared_prefix(attr.name) == Some(prefix) {
                    return Some(&*attr.value).filter(|it| !it.is_empty());
                }
            }
            at = node.parent();
        }
        None
    }

    /// The namespaces declared on this element and those around it, by prefix; an empty one takes a prefix back.
    pub(crate) fn declarations(self) -> HashMap<&'d str, &'d str> {
        let mut found = HashMap::new();
        let mut at = Some(self);
        while let Some(node) = at {
            for attr in node.attrs_raw() {
                if let Some(prefix) = names::declared_prefix(attr.name) {
                    found.entry(prefix).or_insert(&*attr.value);
                }
            }
            at = node.parent();
        }
        found
    }

    /// Whether this element is meant by a schema name: a plain name has no prefix, `qemu:arg` is matched by namespace.
    #[must_use]
    pub fn is(self, name: &str) -> bool {
        self.is_named(names::split(name))
    }

    fn is_named(self, (prefix, local): (&str, &str)) -> bool {
        let own = self.name();
        if prefix.is_empty() {
            return own == local;
        }
        names::split(own).1 == local && self.namespace() == names::namespace_of(prefix)
    }

    /// The element around this one.
    #[must_use]
    pub fn parent(self) -> Option<Node<'d>> {
        match self.entry().parent {
            NONE => None,
            id => Some(Node { id, ..self }),
        }
    }

    pub(crate) fn attrs_raw(self) -> &'d [AttrEntry<'d>] {
        let entry = self.entry();
        let first = entry.first_attr as usize;
        self.document.attrs.get(first..first + entry.attr_count as usize).unwrap_or_default()
    }

    /// An attribute by name; it counts as known from now on.
    #[must_use]
    pub fn attr(self, name: &str) -> Option<Attr<'d>> {
        let entry = self.attrs_raw().iter().find(|it| it.name == name)?;
        entry.used.set(true);
        Some(Attr { node: self, entry })
    }

    /// All child elements in order; they do not count as known.
    pub fn elements(self) -> impl Iterator<Item = Node<'d>> {
        self.nodes().filter(|it| matches!(it.entry().content, Content::Element(_)))
    }

    pub(crate) fn nodes(self) -> impl Iterator<Item = Node<'d>> {
        let at = |id| if id == NONE { None } else { Some(Node { document: self.document, id }) };
        std::iter::successors(at(self.entry().first_child), move |it| at(it.entry().next))
    }

    pub(crate) fn content(self) -> &'d Content<'d> {
        &self.entry().content
    }

    /// The child elements of this name, in order; they count as known as they are met.
    pub fn children(self, name: &str) -> impl Iterator<Item = Node<'d>> {
        let name = names::split(name);
        self.nodes().filter(move |it| it.is_named(name)).inspect(|it| it.entry().used.set(true))
    }

    /// The first child element of this name; it counts as known.
    #[must_use]
    pub fn child(self, name: &str) -> Option<Node<'d>> {
        self.children(name).next()
    }

    /// The element at the end of a path of names below this one; empty path is this element.
    #[must_use]
    pub fn descend(self, path: &[&str]) -> Option<Node<'d>> {
        path.iter().try_fold(self, |at, name| at.child(name))
    }

    /// Whether a reader already asked for this element.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.entry().used.get()
    }

    /// Counts this element and everything in it as known.
    pub fn keep_all(self) {
        for id in self.id..self.after_subtree() {
            let node = Node { id, ..self };
            node.entry().used.set(true);
            for attr in node.attrs_raw() {
                attr.used.set(true);
            }
        }
    }

    /// The first id behind this subtree: ids are in document order.
    fn after_subtree(self) -> u32 {
        let mut at = self;
        loop {
            let next = at.entry().next;
            if next != NONE {
                return next;
            }
            match at.parent() {
                Some(parent) => at = parent,
                None => return u32::try_from(self.document.nodes.len()).unwrap_or(NONE),
            }
        }
    }

    /// The text of this element and everything below it.
    #[must_use]
    pub fn text(self) -> Cow<'d, str> {
        let mut text = Cow::Borrowed("");
        for id in self.id + 1..self.after_subtree() {
            if let Content::Text(part) = (Node { id, ..self }).content() {
                if text.is_empty() {
                    text = Cow::Borrowed(part);
                } else {
                    text.to_mut().push_str(part);
                }
            }
        }
        text
    }

    /// The text as a `T`.
    ///
    /// # Errors
    /// The place and why the text is no such value.
    pub fn read_text<T: Value>(self) -> Result<T> {
        let text = self.text();
        T::from_text(&text).map_err(|fault| self.fault(&text, fault))
    }

    /// The line this element starts on.
    #[must_use]
    pub fn line(self) -> u32 {
        line_at(self.document.text, self.entry().offset as usize)
    }

    /// Where this element is, as `domain/devices/disk[2]`; an index is given only where siblings share the name.
    #[must_use]
    pub fn path(self) -> String {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(node) = at {
            let name = node.name();
            let mut step = name.to_owned();
            if let Some(parent) = node.parent() {
                let twins = || parent.elements().filter(|it| it.name() == name);
                if twins().nth(1).is_some() {
                    let index = twins().take_while(|it| it.id != node.id).count() + 1;
                    step = format!("{name}[{index}]");
                }
            }
            steps.push(step);
            at = node.parent();
        }
        steps.reverse();
        steps.join("/")
    }

    /// An error at this element.
    #[must_use]
    pub fn error(self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, path: self.path(), line: self.line(), message: message.into(), hint: None }
    }

    /// An error about an attribute or child that is not there.
    #[must_use]
    pub fn missing(self, what: &str) -> Error {
        let mut error = match what.strip_prefix('@') {
            Some(_) => self.error(ErrorKind::Missing, "missing required attribute"),
            None => self.error(ErrorKind::Missing, "missing required element"),
        };
        error.path.push('/');
        error.path.push_str(what);
        error
    }

    /// An error about an attribute that chooses between forms and names none of them.
    #[must_use]
    pub fn bad_tag(self, attr: &str, allowed: &'static [&'static str]) -> Error {
        match self.attr(attr) {
            Some(attr) => attr.fault(Fault::NotOneOf(allowed)),
            None => self.missing(&format!("@{attr}")),
        }
    }

    /// An error about a text that is not a value of its type.
    #[must_use]
    pub fn fault(self, found: &str, fault: Fault) -> Error {
        let shown: String = found.chars().take(80).collect();
        match fault {
            Fault::NotOneOf(allowed) => self
                .error(ErrorKind::BadValue, format!("unknown value \"{shown}\""))
                .with_hint(hint_for(found, allowed)),
            Fault::NotA(what) => self.error(ErrorKind::BadValue, format!("\"{shown}\" is not {what}")),
            Fault::Other(kind, message) => self.error(kind, message),
        }
    }
}

/// The line of a byte offset, counted from 1.
pub(crate) fn line_at(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let breaks = before.iter().filter(|it| **it == b'\n').count();
    u32::try_from(breaks).unwrap_or(u32::MAX).saturating_add(1)
}
