//! Strict reading, which clients ask for with a VALIDATE flag: what a document's schema refuses is refused under one code,
//! before anything else is said about it. Which parts a schema has is in the documents; what more it demands, each adds.

use virtbus_xml::{Document, Error, ErrorKind, Node, Xml};

/// Reads a document, refusing what nobody knows and what `demands` refuses. Of the attributes in `free`, named by the ends of their
/// paths, the schema takes any text: their faults keep their own kinds.
///
/// # Errors
/// Malformed text and another root under their own kinds; all else as [`ErrorKind::Unknown`].
pub(crate) fn read<T: Xml>(
    text: &str,
    root: &str,
    free: &[&str],
    demands: impl FnOnce(Node<'_>) -> Result<(), Error>,
) -> Result<T, Error> {
    let document = Document::parse(text)?;
    let node = document.root_named(root)?;
    let read = || {
        if node.namespace().is_some() {
            return Err(refused(node, "it is of another namespace"));
        }
        let value = T::read(node)?;
        document.refuse_unknown()?;
        if let Some(uuid) = node.child("uuid").filter(|it| it.text().is_empty() || it.text().trim() != it.text()) {
            return Err(refused(uuid, "the UUID is empty, or has blanks around it"));
        }
        demands(node)?;
        Ok(value)
    };
    read().map_err(|error| match free.iter().any(|it| error.path.ends_with(it)) {
        true => error,
        false => Error { kind: ErrorKind::Unknown, ..error },
    })
}

/// The error for what the schema does not allow.
pub(crate) fn refused(node: Node<'_>, why: impl Into<String>) -> Error {
    node.error(ErrorKind::Unknown, why)
}

/// Sizes are numbers in units that are known; a mode is a number, a format has a type.
pub(crate) fn check_sizes(node: Node<'_>) -> Result<(), Error> {
    for size in ["capacity", "allocation", "available"].iter().flat_map(|it| node.children(it)) {
        if size.text().parse::<u64>().is_err() || size.text().starts_with('+') {
            return Err(refused(size, "no number of bytes"));
        }
        if let Some(unit) = size.attr("unit").filter(|it| !is_unit(it.value())) {
            return Err(refused(size, format!("there is no unit \"{}\"", unit.value())));
        }
    }
    Ok(())
}

/// What is said of `<permissions>` and `<format>` of a part is complete.
pub(crate) fn check_part(part: Node<'_>) -> Result<(), Error> {
    let mode = part.descend(&["permissions", "mode"]);
    if let Some(mode) =
        mode.filter(|it| it.text().is_empty() || it.text().bytes().any(|it| !(b'0'..=b'7').contains(&it)))
    {
        return Err(refused(mode, "a mode is a number of base 8"));
    }
    match part.child("format").filter(|it| it.attr("type").is_none_or(|it| it.value().is_empty())) {
        Some(format) => Err(format.missing("@type")),
        None => Ok(()),
    }
}

/// `b`, `bytes`, or a prefix alone, with `b` or with `ib`, large or small.
fn is_unit(unit: &str) -> bool {
    let unit = unit.to_ascii_lowercase();
    if matches!(unit.as_str(), "b" | "byte" | "bytes") {
        return true;
    }
    let mut chars = unit.chars();
    chars.next().is_some_and(|it| "kmgtpe".contains(it)) && matches!(chars.as_str(), "" | "b" | "ib")
}

/// Whether a text is an absolute path with something behind its first slash.
pub(crate) fn is_absolute(path: &str) -> bool {
    path.len() > 1 && path.starts_with('/')
}
