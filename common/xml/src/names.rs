//! Names and namespaces: prefixes, declarations, and the namespaces libvirt's own schemas use.

/// The namespaces that schema names such as `qemu:commandline` stand for; documents may use any prefix.
pub const NAMESPACES: &[(&str, &str)] = &[
    ("dnsmasq", "http://libvirt.org/schemas/network/dnsmasq/1.0"),
    ("fs", "http://libvirt.org/schemas/storagepool/fs/1.0"),
    ("qemu", "http://libvirt.org/schemas/domain/qemu/1.0"),
    ("rbd", "http://libvirt.org/schemas/storagepool/rbd/1.0"),
];

/// The namespace a schema prefix stands for.
#[must_use]
pub fn namespace_of(prefix: &str) -> Option<&'static str> {
    NAMESPACES.iter().find(|(name, _)| *name == prefix).map(|(_, uri)| *uri)
}

/// Prefix (may be empty) and local part.
pub(crate) fn split(name: &str) -> (&str, &str) {
    // Names are short: looking byte by byte beats setting up a search.
    match name.bytes().position(|it| it == b':') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => ("", name),
    }
}

/// The prefix that an attribute declares a namespace for; the empty one for `xmlns` itself.
pub(crate) fn declared_prefix(attr: &str) -> Option<&str> {
    let rest = attr.strip_prefix("xmlns")?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix(':') }
}

pub(crate) fn is_declaration(attr: &str) -> bool {
    declared_prefix(attr).is_some()
}

/// Whether a text is a Name of XML 1.0.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    if name.bytes().next().is_some_and(|it| it.is_ascii_alphabetic()) && name.bytes().all(is_plain) {
        return true;
    }
    let mut chars = name.chars();
    chars.next().is_some_and(is_start) && chars.all(|c| is_start(c) || is_later(c))
}

fn is_start(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '_' | ':' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn is_later(c: char) -> bool {
    matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
