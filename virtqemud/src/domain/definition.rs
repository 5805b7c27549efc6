//! A definition as it is held in memory: its text, and the document while somebody uses it.
//!
//! A document takes five times the room of its text and most definitions on a host are never looked at, so the text is
//! kept and read when asked for. The documents used last stay, so that asking again costs nothing.
//!
//! A file of our own layout (and libvirt's, which is the same) is not read as a whole when the daemon starts: its first
//! lines say name and UUID. A background task reads each once and takes out what is broken.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use uuid::Uuid;
use virtbus_api::{Error, Result};
use virtbus_schema::{FormatOptions, domain::Domain};

/// A definition is kept with its secrets and without run-time state.
const AT_REST: FormatOptions = FormatOptions { secure: true, inactive: true, migratable: false, status: false };

/// Documents that stay although nobody holds them.
const RECENT: usize = 256;

static RECENTLY_USED: Mutex<VecDeque<Arc<Domain>>> = Mutex::new(VecDeque::new());

/// A definition.
#[derive(Debug)]
pub(crate) struct Definition {
    text: Box<str>,
    read: Mutex<Weak<Domain>>,
}

impl Definition {
    /// A definition of this document, in the form it is kept.
    pub(crate) fn new(document: Arc<Domain>) -> Self {
        let text = document.format(AT_REST).into_boxed_str();
        let read = Mutex::new(Arc::downgrade(&document));
        keep(document);
        Self { text, read }
    }

    /// The definition in a file, with its name and UUID.
    ///
    /// # Errors
    /// What is wrong with the document, as far as that was looked at.
    pub(crate) fn from_file(text: &str) -> std::result::Result<(String, Uuid, Self), String> {
        let (name, uuid) = match first_lines(text) {
            Some(found) => found,
            None => {
                let document = Domain::parse(text).map_err(|error| error.to_string())?;
                let uuid = document.uuid.ok_or_else(|| "it has no UUID".to_owned())?;
                (document.name, uuid)
            }
        };
        let body = text.find("<domain").and_then(|at| text.get(at..)).unwrap_or(text);
        Ok((name, uuid, Self { text: body.into(), read: Mutex::default() }))
    }

    /// The text that is kept.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The document.
    ///
    /// # Errors
    /// When the file it came from is broken.
    pub(crate) fn document(&self) -> Result<Arc<Domain>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = read.upgrade() {
            return Ok(document);
        }
        let document =
            Domain::parse(&self.text).map_err(|error| Error::internal("its definition is broken").caused_by(error))?;
        let document = Arc::new(document);
        *read = Arc::downgrade(&document);
        keep(Arc::clone(&document));
        Ok(document)
    }

    /// Whether the text can be read; leaves nothing behind.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        if self.read.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0 {
            return Ok(());
        }
        Domain::parse(&self.text).map(drop).map_err(|error| error.to_string())
    }
}

fn keep(document: Arc<Domain>) {
    let mut recent = RECENTLY_USED.lock().unwrap_or_else(PoisonError::into_inner);
    if recent.len() >= RECENT {
        recent.pop_front();
    }
    recent.push_back(document);
}

/// Name and UUID of a document in the layout that daemons write: right below the root, one on a line. `None` when in
/// doubt.
fn first_lines(text: &str) -> Option<(String, Uuid)> {
    let text = match text.strip_prefix("<!--") {
        Some(rest) => rest.split_once("-->")?.1.trim_start(),
        None => text,
    };
    let (root, rest) = text.strip_prefix("<domain ")?.split_once('\n')?;
    let rest = rest.strip_prefix("  <name>")?;
    let (name, rest) = rest.split_once("</name>\n  <uuid>")?;
    let (uuid, _) = rest.split_once("</uuid>\n")?;
    let plain = root.ends_with('>') && !root.ends_with("/>") && !name.contains(['<', '&', '\n']);
    let whole = text.trim_end().ends_with("</domain>");
    (plain && whole && !name.is_empty()).then_some(())?;
    Some((name.to_owned(), Uuid::try_parse(uuid).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "11111111-2222-4333-8444-555555555555";

    fn file(name: &str) -> String {
        format!(
            "<!--\nWARNING\n-->\n\n<domain type='qemu'>\n  <name>{name}</name>\n  <uuid>{UUID}</uuid>\n  \
             <memory unit='KiB'>65536</memory>\n  <os>\n    <type arch='x86_64'>hvm</type>\n  </os>\n</domain>\n"
        )
    }

    #[test]
    fn the_first_lines_suffice() {
        let uuid = Uuid::try_parse(UUID).expect("a UUID");
        assert_eq!(first_lines(&file("vm")), Some(("vm".to_owned(), uuid)));
        let (name, found, definition) = Definition::from_file(&file("vm")).expect("understood");
        assert_eq!((name.as_str(), found), ("vm", uuid));
        assert!(definition.text().starts_with("<domain"));
        assert_eq!(definition.document().expect("reads").name, "vm");
        definition.check().expect("reads");
    }

    #[test]
    fn what_is_in_doubt_is_read_whole() {
        for text in [file("a&amp;b"), file("vm").replace("  <name>", "<name>"), file("vm").replace("</domain>", "")] {
            assert_eq!(first_lines(&text), None, "{text}");
        }
        let (name, ..) = Definition::from_file(&file("a&amp;b")).expect("understood");
        assert_eq!(name, "a&b");
        Definition::from_file(&file("vm").replace("</domain>", "")).expect_err("cut off");
        let (.., broken) = Definition::from_file(&file("vm").replace("</os>", "")).expect("its first lines are right");
        broken.check().expect_err("broken");
        broken.document().expect_err("broken");
    }
}
