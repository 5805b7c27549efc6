//! Strict reading, which clients ask for with a VALIDATE flag: what a document's schema refuses is refused under one code,
//! before anything else is said about it. Which parts a schema has is in the documents; what more it demands, each adds.

use virtbus_xml::{Document, Error, ErrorKind, Node, Xml};

/// Reads a document, refusing what nobody knows and what `demands` refuses.
///
/// # Errors
/// Malformed text and another root under their own kinds; all else as [`ErrorKind::Unknown`].
pub(crate) fn read<T: Xml>(
    text: &str,
    root: &str,
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
        if node.child("uuid").is_some_and(|it| it.text().is_empty()) {
            return Err(refused(node, "the UUID is empty"));
        }
        demands(node)?;
        Ok(value)
    };
    read().map_err(|error| Error { kind: ErrorKind::Unknown, ..error })
}

/// The error for what the schema does not allow.
pub(crate) fn refused(node: Node<'_>, why: impl Into<String>) -> Error {
    node.error(ErrorKind::Unknown, why)
}

/// Whether a text is an absolute path with something behind its first slash.
pub(crate) fn is_absolute(path: &str) -> bool {
    path.len() > 1 && path.starts_with('/')
}
