//! The trait that `#[derive(Xml)]` implements, and the steps its generated code is made of.

use crate::describe::{Describe, Texts};
use crate::document::{Document, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Hex, Value};
use crate::writer::{FormatOptions, Writer};

/// A type that is the inside of an element: its attributes and its content. The element's name belongs to the field that holds it.
pub trait Xml: Sized {
    /// Reads the value from its element.
    ///
    /// # Errors
    /// The first fault, with its place.
    fn read(node: Node<'_>) -> Result<Self>;

    /// Writes the attributes.
    fn write_attrs(&self, w: &mut Writer);

    /// Writes text and child elements.
    fn write_content(&self, w: &mut Writer);

    /// Names everything the type can hold.
    fn describe(to: &mut dyn Describe);

    /// Holds the element against the declaration, for strict reading: the values are of their types and nothing is missing. What
    /// is not asked for here does not belong there ([`crate::Document::refuse_unknown`]).
    ///
    /// # Errors
    /// The first part that has another form.
    fn examine(node: Node<'_>) -> Result<()> {
        crate::form::own_text(node);
        Self::read(node).map(drop)
    }

    /// Whether an optional element says nothing and counts as absent.
    #[must_use]
    fn is_absent(_: Node<'_>) -> bool {
        false
    }

    /// Writes the whole element.
    fn write(&self, name: &str, w: &mut Writer) {
        w.start(name);
        self.write_attrs(w);
        self.write_content(w);
        w.end(name);
    }

    /// Writes the whole element unless it would be empty.
    fn write_unless_empty(&self, name: &str, w: &mut Writer) {
        let mark = w.mark();
        w.start(name);
        self.write_attrs(w);
        self.write_content(w);
        w.end_unless_empty(name, mark);
    }
}

/// A value is an element with that text.
impl<T: Value> Xml for T {
    fn read(node: Node<'_>) -> Result<Self> {
        node.read_text()
    }

    fn write_attrs(&self, _: &mut Writer) {}

    fn write_content(&self, w: &mut Writer) {
        w.text(self);
    }

    fn describe(to: &mut dyn Describe) {
        to.text(Texts::of::<T>());
    }

    fn examine(node: Node<'_>) -> Result<()> {
        let text = crate::form::own_text(node);
        T::strict(&text).map_err(|fault| node.fault(&text, fault))
    }

    fn is_absent(node: Node<'_>) -> bool {
        T::EMPTY_IS_ABSENT && node.text().is_empty()
    }
}

/// Reads a document whose root has this name.
///
/// # Errors
/// Malformed text, another root, or the first fault inside.
pub fn from_str<T: Xml>(text: &str, root: &str) -> Result<T> {
    T::read(Document::parse(text)?.root_named(root)?)
}

/// As [`from_str`], but refuses what the declaration does not name, and what has another form than it asks for.
///
/// # Errors
/// As [`from_str`]; [`ErrorKind::Unknown`] for anything about the form.
pub fn from_str_strict<T: Xml>(text: &str, root: &str) -> Result<T> {
    let document = Document::parse(text)?;
    let form = |error: Error| Error { kind: ErrorKind::Unknown, ..error };
    T::examine(document.root_named(root)?).map_err(form)?;
    document.refuse_unknown()?;
    document.refuse_stray_text()?;
    // What reading misses the form misses as well: which of its forms a part has is known only now.
    T::read(document.root()).map_err(|error| match error.kind {
        ErrorKind::Missing | ErrorKind::NoName | ErrorKind::NoSource | ErrorKind::NoTarget => form(error),
        _ => error,
    })
}

/// Writes a document.
#[must_use]
pub fn to_string<T: Xml>(value: &T, root: &str, options: FormatOptions) -> String {
    let mut w = Writer::new(options);
    value.write(root, &mut w);
    w.finish()
}

// Steps of generated code: `path` leads from `node` to the element that has the attribute or child.

/// A required attribute.
///
/// # Errors
/// It is missing or not such a value.
pub fn attr<T: Value>(node: Node<'_>, path: &[&str], name: &str, kind: ErrorKind) -> Result<T> {
    match optional_attr(node, path, name, kind)? {
        Some(value) => Ok(value),
        None => Err(missing_attr(node, path, name)),
    }
}

/// An attribute that may be absent.
///
/// # Errors
/// It is not such a value.
pub fn optional_attr<T: Value>(node: Node<'_>, path: &[&str], name: &str, kind: ErrorKind) -> Result<Option<T>> {
    let Some(attr) = node.descend(path).and_then(|it| it.attr(name)) else { return Ok(None) };
    attr.read().map(Some).map_err(|error| error.under(kind))
}

/// An attribute that may be absent, and counts as absent when it is empty.
///
/// # Errors
/// It is not such a value.
pub fn blank_attr<T: Value>(node: Node<'_>, path: &[&str], name: &str, kind: ErrorKind) -> Result<Option<T>> {
    match node.descend(path).and_then(|it| it.attr(name)).filter(|it| !it.value().is_empty()) {
        Some(attr) => attr.read().map(Some).map_err(|error| error.under(kind)),
        None => Ok(None),
    }
}

/// An attribute that counts as absent when it is not such a value. No error is made only to be thrown away: finding its place
/// costs a walk through the document.
#[must_use]
pub fn lenient_attr<T: Value>(node: Node<'_>, path: &[&str], name: &str) -> Option<T> {
    let attr = node.descend(path)?.attr(name)?;
    T::from_text(attr.value()).ok()
}

/// An attribute that must be there if its element is.
///
/// # Errors
/// It is missing or not such a value.
pub fn attr_of_optional<T: Value>(node: Node<'_>, path: &[&str], name: &str, kind: ErrorKind) -> Result<Option<T>> {
    match node.descend(path) {
        None => Ok(None),
        Some(element) => attr(element, &[], name, kind).map(Some),
    }
}

/// A required attribute in hexadecimal, as any unsigned type.
///
/// # Errors
/// It is missing, no number, or too large for the type.
pub fn hex_attr<T: TryFrom<u64>, const W: usize>(
    node: Node<'_>,
    path: &[&str],
    name: &str,
    kind: ErrorKind,
) -> Result<T> {
    match optional_hex_attr::<T, W>(node, path, name, kind)? {
        Some(value) => Ok(value),
        None => Err(missing_attr(node, path, name)),
    }
}

/// An attribute in hexadecimal that may be absent.
///
/// # Errors
/// It is no number, or too large for the type.
pub fn optional_hex_attr<T: TryFrom<u64>, const W: usize>(
    node: Node<'_>,
    path: &[&str],
    name: &str,
    kind: ErrorKind,
) -> Result<Option<T>> {
    let Some(attr) = node.descend(path).and_then(|it| it.attr(name)) else { return Ok(None) };
    let number: Hex<W> = attr.read().map_err(|error| error.under(kind))?;
    match T::try_from(number.0) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(attr.error(kind, format!("{} is too large here", attr.value()))),
    }
}

/// Refuses a number that is zero.
///
/// # Errors
/// It is.
pub fn nonzero<T: Default + PartialEq>(
    found: Option<T>,
    node: Node<'_>,
    path: &[&str],
    name: &str,
) -> Result<Option<T>> {
    if found.as_ref().is_some_and(|it| *it == T::default()) {
        let element = node.descend(path).unwrap_or(node);
        return Err(element.error(ErrorKind::BadValue, format!("{name} is zero")));
    }
    Ok(found)
}

fn missing_attr(node: Node<'_>, path: &[&str], name: &str) -> Error {
    match node.descend(path) {
        Some(element) => element.missing(&format!("@{name}")),
        None => node.missing(&path.join("/")),
    }
}

/// A required child element.
///
/// # Errors
/// It is missing or does not read.
pub fn child<T: Xml>(node: Node<'_>, path: &[&str], name: &str, kind: ErrorKind) -> Result<T> {
    match node.descend(path).and_then(|it| it.child(name)) {
        Some(child) => T::read(child).map_err(|error| error.under(kind)),
        None => {
            let mut steps = path.to_vec();
            steps.push(name);
            Err(node.missing(&steps.join("/")))
        }
    }
}

/// A child element that may be absent; of several the first counts.
///
/// # Errors
/// It does not read.
pub fn optional_child<T: Xml>(node: Node<'_>, path: &[&str], name: &str, kind: ErrorKind) -> Result<Option<T>> {
    let Some(child) = node.descend(path).and_then(|it| it.child(name)).filter(|it| !T::is_absent(*it)) else {
        return Ok(None);
    };
    T::read(child).map(Some).map_err(|error| error.under(kind))
}

/// A child element that may be absent, and counts as absent when its text is empty; of several the first counts.
///
/// # Errors
/// It does not read.
pub fn blank_child<T: Xml>(node: Node<'_>, path: &[&str], name: &str, kind: ErrorKind) -> Result<Option<T>> {
    let child = node.descend(path).and_then(|it| it.child(name));
    match child.filter(|it| !it.text().is_empty()) {
        Some(child) => T::read(child).map(Some).map_err(|error| error.under(kind)),
        None => Ok(None),
    }
}

/// All child elements of a name.
///
/// # Errors
/// The first that does not read.
pub fn children<T: Xml>(node: Node<'_>, path: &[&str], name: &str, kind: ErrorKind) -> Result<Vec<T>> {
    let Some(parent) = node.descend(path) else { return Ok(Vec::new()) };
    parent.children(name).map(|it| T::read(it).map_err(|error| error.under(kind))).collect()
}

/// The text of the element; `None` when there is none.
///
/// # Errors
/// It is not such a value.
pub fn optional_text<T: Value>(node: Node<'_>, kind: ErrorKind) -> Result<Option<T>> {
    if node.text().is_empty() {
        return Ok(None);
    }
    node.read_text().map(Some).map_err(|error| error.under(kind))
}

/// Opens the elements of a path.
pub fn start_path(w: &mut Writer, path: &[&str]) {
    for name in path {
        w.start(name);
    }
}

/// Closes the elements of a path.
pub fn end_path(w: &mut Writer, path: &[&str]) {
    for name in path.iter().rev() {
        w.end(name);
    }
}
