//! Text to [`Document`]: quick-xml cuts the text into events, this module refuses what is not well-formed and keeps the bounds.
//! It accepts what the reference accepts: document types are read over, unbound prefixes are no fault, comments are dropped.

use std::borrow::Cow;
use std::cell::Cell;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::document::{AttrEntry, Content, Document, Entry, NONE, line_at};
use crate::entity::{Entities, is_xml_char};
use crate::error::{Error, ErrorKind, Result};
use crate::names;

/// The longest document that is read.
pub const MAX_DOCUMENT: usize = 16 << 20;
/// How deep elements may nest, as libxml2 has it.
pub const MAX_DEPTH: usize = 256;
/// How many elements, texts and attributes a document may have.
pub const MAX_NODES: usize = 1_000_000;
/// How many attributes an element may have: each is compared with those before it.
const MAX_ATTRIBUTES: usize = 256;
/// The longest attribute value, as libxml2 has it.
const MAX_VALUE: usize = 10_000_000;

impl<'a> Document<'a> {
    /// Parses bytes as a client sent them; only UTF-8 is XML to libvirt.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] with the line.
    pub fn parse_bytes(bytes: &'a [u8]) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(error) => {
                let good = bytes.get(..error.valid_up_to()).and_then(|it| std::str::from_utf8(it).ok()).unwrap_or("");
                Err(malformed(good, good.len(), "not proper UTF-8"))
            }
        }
    }

    /// Parses a document.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] with the line, when the text is not well-formed or beyond the bounds.
    pub fn parse(text: &'a str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.len() > MAX_DOCUMENT {
            return Err(malformed(text, 0, format!("document is longer than {} MiB", MAX_DOCUMENT >> 20)));
        }
        if let Some(at) = find_foreign_character(text.as_bytes()) {
            return Err(malformed(text, at, "character that XML does not allow"));
        }
        let mut builder = Builder {
            document: Document { text, nodes: Vec::with_capacity(128), attrs: Vec::with_capacity(128) },
            open: Vec::with_capacity(16),
            last: Vec::with_capacity(16),
            pending: None,
            pending_at: 0,
            entities: Entities::default(),
            seen_root: false,
            seen_doctype: false,
        };
        builder.run().map_err(|(at, message)| malformed(text, at, message))?;
        Ok(builder.document)
    }
}

fn malformed(text: &str, at: usize, message: impl Into<String>) -> Error {
    Error {
        kind: ErrorKind::Malformed,
        path: String::new(),
        line: line_at(text, at),
        message: message.into(),
        hint: None,
    }
}

/// The first control character, U+FFFE or U+FFFF; everything else in a `str` is a character of XML.
fn find_foreign_character(bytes: &[u8]) -> Option<usize> {
    // Most documents have neither: a look at all bytes without a branch is several times faster than a search.
    let odd = |byte: &u8| (*byte < 32 && !matches!(byte, b'\t' | b'\n' | b'\r')) || *byte == 0xef;
    if !bytes.iter().fold(false, |found, byte| found | odd(byte)) {
        return None;
    }
    bytes.iter().enumerate().position(|(at, byte)| match byte {
        0..=8 | 11 | 12 | 14..=31 => true,
        0xef => bytes.get(at + 1) == Some(&0xbf) && bytes.get(at + 2).is_some_and(|it| *it >= 0xbe),
        _ => false,
    })
}

type Step<T> = std::result::Result<T, (usize, String)>;

fn fail<T>(at: usize, message: impl Into<String>) -> Step<T> {
    Err((at, message.into()))
}

struct Builder<'a> {
    document: Document<'a>,
    /// The open elements, outermost first.
    open: Vec<u32>,
    /// For each open element, its last child so far.
    last: Vec<u32>,
    /// Character data not yet a node: text, CDATA and references run together.
    pending: Option<Cow<'a, str>>,
    pending_at: usize,
    entities: Entities,
    seen_root: bool,
    seen_doctype: bool,
}

impl<'a> Builder<'a> {
    fn run(&mut self) -> Step<()> {
        let text = self.document.text;
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            let at = offset(reader.buffer_position());
            let event = reader.read_event().map_err(|error| (offset(reader.error_position()), error.to_string()))?;
            let end = offset(reader.buffer_position());
            match event {
                Event::Start(_) => self.start(at, text.get(at + 1..end.saturating_sub(1)).unwrap_or(""))?,
                Event::Empty(_) => {
                    self.start(at, text.get(at + 1..end.saturating_sub(2)).unwrap_or(""))?;
                    self.end()?;
                }
                Event::End(_) => self.end()?,
                Event::Text(part) => self.characters(at, part.into_inner(), false)?,
                Event::CData(part) => self.characters(at, part.into_inner(), true)?,
                Event::GeneralRef(name) => self.reference(at, &name.into_inner())?,
                Event::Decl(_) => declaration(at, text.get(at..end).unwrap_or(""))?,
                Event::DocType(inside) => {
                    if self.seen_root || self.seen_doctype {
                        return fail(at, "document type declaration in the wrong place");
                    }
                    self.seen_doctype = true;
                    self.entities.declare(&inside.into_inner()).map_err(|message| (at, message))?;
                }
                Event::PI(pi) => {
                    if !names::is_name(pi.target()) {
                        return fail(at, "processing instruction without a name");
                    }
                }
                Event::Comment(_) => {}
                Event::Eof => break,
            }
        }
        if let Some(open) = self.open.last() {
            let name = self.name_of(*open);
            return fail(text.len(), format!("premature end: element '{name}' is not closed"));
        }
        if !self.seen_root {
            return fail(text.len(), if text.is_empty() { "document is empty" } else { "start tag expected" });
        }
        Ok(())
    }

    fn name_of(&self, id: u32) -> &'a str {
        match self.document.nodes.get(id as usize).map(|it| &it.content) {
            Some(Content::Element(name)) => name,
            _ => "",
        }
    }

    fn start(&mut self, at: usize, tag: &'a str) -> Step<()> {
        self.flush(false)?;
        if self.open.is_empty() && self.seen_root {
            return fail(at, "extra content at the end of the document");
        }
        if self.open.len() > MAX_DEPTH {
            return fail(at, format!("elements nest deeper than {MAX_DEPTH}"));
        }
        let name_len = tag.find(is_space).unwrap_or(tag.len());
        let (name, rest) = tag.split_at(name_len);
        if !names::is_name(name) {
            return fail(at, format!("invalid element name '{}'", excerpt(name)));
        }
        let first_attr = self.document.attrs.len();
        self.attributes(at, rest)?;
        let attr_count = self.document.attrs.len() - first_attr;
        let id = self.push(at, Content::Element(name), first_attr, attr_count)?;
        self.seen_root = true;
        self.open.push(id);
        self.last.push(NONE);
        Ok(())
    }

    fn end(&mut self) -> Step<()> {
        self.flush(true)?;
        self.open.pop();
        self.last.pop();
        Ok(())
    }

    fn push(&mut self, at: usize, content: Content<'a>, first_attr: usize, attr_count: usize) -> Step<u32> {
        let nodes = &mut self.document.nodes;
        if nodes.len().max(self.document.attrs.len()) >= MAX_NODES {
            return fail(at, format!("more than {MAX_NODES} elements and attributes"));
        }
        // Both are below MAX_NODES and the text below MAX_DOCUMENT, so they fit.
        let small = |it: usize| u32::try_from(it).unwrap_or(NONE);
        let id = small(nodes.len());
        let parent = self.open.last().copied().unwrap_or(NONE);
        let before = self.last.last().copied().unwrap_or(NONE);
        if let Some(last) = nodes.get_mut(before as usize) {
            last.next = id;
        } else if let Some(parent) = nodes.get_mut(parent as usize) {
            parent.first_child = id;
        }
        if let Some(last) = self.last.last_mut() {
            *last = id;
        }
        nodes.push(Entry {
            content,
            parent,
            first_child: NONE,
            next: NONE,
            first_attr: small(first_attr),
            attr_count: small(attr_count),
            offset: small(at),
            used: Cell::new(false),
        });
        Ok(id)
    }

    fn attributes(&mut self, at: usize, mut rest: &'a str) -> Step<()> {
        let first = self.document.attrs.len();
        loop {
            let trimmed = rest.trim_start_matches(is_space);
            if trimmed.is_empty() {
                return Ok(());
            }
            if trimmed.len() == rest.len() {
                return fail(at, "attributes are not separated by blanks");
            }
            // Byte by byte: names and values are short.
            let Some(equals) = trimmed.bytes().position(|it| it == b'=') else {
                return fail(at, format!("attribute without a value near '{}'", excerpt(trimmed)));
            };
            let (name, tail) = (&trimmed[..equals], &trimmed[equals + 1..]);
            let name = name.trim_end_matches(is_space);
            if !names::is_name(name) {
                return fail(at, format!("invalid attribute name '{}'", excerpt(name)));
            }
            let tail = tail.trim_start_matches(is_space);
            let Some(quote) = tail.bytes().next().filter(|it| matches!(it, b'"' | b'\'')) else {
                return fail(at, format!("value of attribute '{name}' is not quoted"));
            };
            let body = &tail[1..];
            let Some(end) = body.bytes().position(|it| it == quote) else {
                return fail(at, format!("value of attribute '{name}' is not closed"));
            };
            let value = self.value(at, &body[..end])?;
            let attrs = &mut self.document.attrs;
            if attrs.iter().skip(first).any(|it| it.name == name) {
                return fail(at, format!("attribute '{name}' is given twice"));
            }
            if attrs.len() - first >= MAX_ATTRIBUTES {
                return fail(at, format!("more than {MAX_ATTRIBUTES} attributes"));
            }
            attrs.push(AttrEntry { name, value, used: Cell::new(false) });
            rest = &body[end + 1..];
        }
    }

    /// An attribute value: references expanded, line breaks and tabs turned to blanks.
    fn value(&mut self, at: usize, raw: &'a str) -> Step<Cow<'a, str>> {
        if raw.len() > MAX_VALUE {
            return fail(at, "attribute value is too long");
        }
        if !raw.bytes().any(|it| matches!(it, b'&' | b'<' | b'\t' | b'\n' | b'\r')) {
            return Ok(Cow::Borrowed(raw));
        }
        if raw.contains('<') {
            return fail(at, "'<' is not allowed in an attribute value");
        }
        let mut out = String::with_capacity(raw.len());
        let mut parts = raw.split('&');
        out.extend(parts.next().unwrap_or("").replace("\r\n", "\n").chars().map(blank));
        for part in parts {
            let Some((name, tail)) = part.split_once(';').filter(|(name, _)| is_reference(name)) else {
                return fail(at, "'&' does not start a reference");
            };
            self.entities.expand(name, &mut out).map_err(|message| (at, message))?;
            out.extend(tail.replace("\r\n", "\n").chars().map(blank));
        }
        Ok(Cow::Owned(out))
    }

    fn reference(&mut self, at: usize, name: &str) -> Step<()> {
        if self.open.is_empty() || !is_reference(name) {
            return fail(at, "'&' does not start a reference");
        }
        if self.pending.is_none() {
            self.pending_at = at;
        }
        let text = self.pending.get_or_insert(Cow::Borrowed("")).to_mut();
        self.entities.expand(name, text).map_err(|message| (at, message))
    }

    fn characters(&mut self, at: usize, part: Cow<'a, str>, cdata: bool) -> Step<()> {
        if self.open.is_empty() {
            if !cdata && part.bytes().all(|it| is_space(it.into())) {
                return Ok(());
            }
            let message =
                if self.seen_root { "extra content at the end of the document" } else { "start tag expected" };
            return fail(at, message);
        }
        if !cdata && part.contains("]]>") {
            return fail(at, "']]>' is not allowed in text");
        }
        let part = if part.contains('\r') { Cow::Owned(part.replace("\r\n", "\n").replace('\r', "\n")) } else { part };
        match &mut self.pending {
            None => {
                self.pending = Some(part);
                self.pending_at = at;
            }
            Some(before) => before.to_mut().push_str(&part),
        }
        Ok(())
    }

    /// Turns the collected character data into a node, unless it is only layout between elements.
    fn flush(&mut self, at_end: bool) -> Step<()> {
        let Some(text) = self.pending.take() else { return Ok(()) };
        if text.is_empty() {
            return Ok(());
        }
        let blank = text.bytes().all(|it| is_space(it.into()));
        let before = self.last.last().copied().unwrap_or(NONE);
        if blank && !(at_end && before == NONE) && !self.is_mixed(before) {
            return Ok(());
        }
        self.push(self.pending_at, Content::Text(text), self.document.attrs.len(), 0)?;
        Ok(())
    }

    /// Whether the open element already has text beside elements: then blanks are content, as libxml2 has it.
    fn is_mixed(&self, last: u32) -> bool {
        let is_text =
            |id: u32| self.document.nodes.get(id as usize).is_some_and(|it| matches!(it.content, Content::Text(_)));
        let first = self.open.last().and_then(|id| self.document.nodes.get(*id as usize)).map(|it| it.first_child);
        last != NONE && (is_text(last) || first.is_some_and(is_text))
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn blank(c: char) -> char {
    if is_space(c) { ' ' } else { c }
}

fn is_reference(name: &str) -> bool {
    name.starts_with('#') || names::is_name(name)
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).filter(|c| is_xml_char(*c)).collect()
}

/// `<?xml version='1.x' encoding='...' standalone='...'?>`: only at the very start.
fn declaration(at: usize, text: &str) -> Step<()> {
    if at != 0 {
        return fail(at, "the XML declaration is allowed only at the start of the document");
    }
    let inside = text.trim_start_matches("<?xml").trim_end_matches("?>");
    let mut order = 0;
    for (name, value) in pseudo_attributes(inside).ok_or((0, "malformed XML declaration".to_owned()))? {
        let rank = match name {
            "version" if value.len() > 2 && value.starts_with("1.") => 1,
            "encoding" if is_known_encoding(value) => 2,
            "encoding" => return fail(0, format!("unsupported encoding {}", excerpt(value))),
            "standalone" if matches!(value, "yes" | "no") => 3,
            _ => return fail(0, format!("malformed XML declaration: {name}")),
        };
        if rank <= order || (order == 0 && rank != 1) {
            return fail(0, "malformed XML declaration");
        }
        order = rank;
    }
    if order == 0 { fail(0, "malformed XML declaration: no version") } else { Ok(()) }
}

fn pseudo_attributes(mut rest: &str) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_matches(is_space);
        if rest.is_empty() {
            return Some(found);
        }
        let (name, tail) = rest.split_once('=')?;
        let tail = tail.trim_start_matches(is_space);
        let quote = tail.chars().next().filter(|it| matches!(it, '"' | '\''))?;
        let (value, after) = tail[1..].split_once(quote)?;
        found.push((name.trim_end_matches(is_space), value));
        rest = after;
    }
}

/// Encodings the reference knows; the text itself is always UTF-8, whatever is declared.
fn is_known_encoding(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let prefixes = [
        "utf",
        "iso-",
        "iso_",
        "iso8859",
        "us-ascii",
        "ascii",
        "windows-",
        "cp",
        "ibm",
        "koi8",
        "euc-",
        "shift",
        "gb",
        "big5",
        "latin",
        "ucs",
        "macintosh",
        "html",
    ];
    prefixes.iter().any(|it| name.starts_with(it))
}
