//! Strict reading: whether a document has the form its declaration gives it. Generated code is made of these steps.
//!
//! Reading takes what it knows and passes over the rest, as libvirt does; this asks more. Every element, attribute and text has
//! to be one the declaration names, each once, of its type, and in the form the declaration asks for. Whether the values make
//! sense together is not asked here.

use std::borrow::Cow;

use crate::decode::Xml;
use crate::document::{Content, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// What is asked of a text besides its type.
pub type Form = Option<fn(&str) -> bool>;

fn refuse(node: Node<'_>, what: &str, text: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    let mut error = node.error(ErrorKind::Unknown, format!("\"{shown}\" has not the form it should have"));
    if !what.is_empty() {
        error.path.push('/');
        error.path.push_str(what);
    }
    error
}

fn suits(form: Form, text: &str) -> bool {
    form.is_none_or(|form| form(text))
}

/// An attribute: `must` be there, or must be if its element is.
///
/// # Errors
/// It is missing, not such a value, or has another form.
pub fn attr<T: Value>(
    node: Node<'_>,
    path: &[&str],
    name: &str,
    must: bool,
    with_element: bool,
    form: Form,
) -> Result<()> {
    let Some(element) = node.descend(path) else {
        return if must { Err(node.missing(&path.join("/"))) } else { Ok(()) };
    };
    let Some(attr) = element.attr(name) else {
        return if must || with_element { Err(element.missing(&format!("@{name}"))) } else { Ok(()) };
    };
    T::strict(attr.value()).map_err(|fault| attr.fault(fault))?;
    if suits(form, attr.value()) { Ok(()) } else { Err(refuse(element, &format!("@{name}"), attr.value())) }
}

/// A child element.
///
/// # Errors
/// It is missing or has another form.
pub fn child<T: Xml>(node: Node<'_>, path: &[&str], name: &str, must: bool, form: Form) -> Result<()> {
    match node.descend(path).and_then(|it| it.child(name)) {
        Some(child) => one::<T>(child, form),
        None if must => Err(node.missing(name)),
        None => Ok(()),
    }
}

fn one<T: Xml>(child: Node<'_>, form: Form) -> Result<()> {
    T::examine(child)?;
    if form.is_some() && !suits(form, &child.text()) {
        return Err(refuse(child, "", &child.text()));
    }
    Ok(())
}

/// All child elements of a name; `must` there be one.
///
/// # Errors
/// One has another form.
pub fn children<T: Xml>(node: Node<'_>, path: &[&str], name: &str, must: bool, form: Form) -> Result<()> {
    let mut any = false;
    if let Some(parent) = node.descend(path) {
        for child in parent.children(name) {
            any = true;
            one::<T>(child, form)?;
        }
    }
    if must && !any { Err(node.missing(name)) } else { Ok(()) }
}

/// An empty child element.
pub fn flag(node: Node<'_>, path: &[&str], name: &str) {
    let _ = node.descend(path).and_then(|it| it.child(name));
}

/// Whatever else there is.
pub fn rest(node: Node<'_>) {
    for child in node.elements().filter(|it| !it.is_known()) {
        child.keep_all();
    }
}

/// The text of the element.
///
/// # Errors
/// It is no such value, or has another form; or there is none, though there `must` be.
pub fn text<T: Value>(node: Node<'_>, must: bool, form: Form) -> Result<()> {
    let text = own_text(node);
    if text.is_empty() && !must {
        return Ok(());
    }
    T::strict(&text).map_err(|fault| node.fault(&text, fault))?;
    if suits(form, &text) { Ok(()) } else { Err(refuse(node, "", &text)) }
}

/// The text; it counts as known.
pub fn own_text(node: Node<'_>) -> Cow<'_, str> {
    for part in node.nodes() {
        if matches!(part.content(), Content::Text(_)) {
            part.keep_all();
        }
    }
    node.text()
}
