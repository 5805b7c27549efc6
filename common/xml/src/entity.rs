//! References: the predefined ones, characters by number, and flat texts declared in the document itself.
//! Nothing is ever loaded, and a declared text that refers to another one is refused, so expansion cannot multiply.

use std::collections::BTreeMap;

/// How much text declared entities may add to a document.
const MAX_EXPANSION: usize = 1 << 20;

/// The entities a document type declaration defines.
#[derive(Debug, Default)]
pub(crate) struct Entities {
    declared: BTreeMap<String, Option<String>>,
    external_subset: bool,
    expanded: usize,
}

impl Entities {
    /// Reads the inside of `<!DOCTYPE ...>`: only general entity declarations matter.
    pub(crate) fn declare(&mut self, doctype: &str) -> Result<(), String> {
        let (head, mut rest) = doctype.split_once('[').unwrap_or((doctype, ""));
        self.external_subset = head.contains("SYSTEM") || head.contains("PUBLIC");
        while let Some(at) = rest.find("<!ENTITY") {
            rest = rest[at + "<!ENTITY".len()..].trim_start();
            let name_end = rest.find(char::is_whitespace).ok_or("entity declaration without a value")?;
            let (name, tail) = rest.split_at(name_end);
            let tail = tail.trim_start();
            let quote = tail.chars().next().filter(|c| matches!(c, '"' | '\''));
            match quote {
                Some(quote) => {
                    let body = &tail[1..];
                    let end = body.find(quote).ok_or("entity value not closed")?;
                    self.declared.entry(name.to_owned()).or_insert_with(|| Some(body[..end].to_owned()));
                    rest = &body[end + 1..];
                }
                // A parameter entity or an external one: never loaded, expands to nothing.
                None => {
                    self.declared.entry(name.to_owned()).or_insert(None);
                    rest = tail;
                }
            }
        }
        Ok(())
    }

    /// Appends what `&name;` stands for.
    pub(crate) fn expand(&mut self, name: &str, out: &mut String) -> Result<(), String> {
        if let Some(number) = name.strip_prefix('#') {
            out.push(character(number)?);
            return Ok(());
        }
        match name {
            "lt" => out.push('<'),
            "gt" => out.push('>'),
            "amp" => out.push('&'),
            "apos" => out.push('\''),
            "quot" => out.push('"'),
            _ => match self.declared.get(name) {
                Some(Some(text)) if text.contains(['&', '<']) => {
                    return Err(format!("entity '{name}' refers to others or to markup; only plain text is expanded"));
                }
                Some(Some(text)) => {
                    self.expanded = self.expanded.saturating_add(text.len());
                    if self.expanded > MAX_EXPANSION {
                        return Err("entities expand to too much text".to_owned());
                    }
                    out.push_str(text);
                }
                Some(None) => {}
                None if self.external_subset => {}
                None => return Err(format!("entity '{name}' is not defined")),
            },
        }
        Ok(())
    }
}

fn character(number: &str) -> Result<char, String> {
    let code = match number.strip_prefix('x') {
        Some(hex) if hex.bytes().all(|it| it.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok(),
        None if number.bytes().all(|it| it.is_ascii_digit()) => number.parse().ok(),
        _ => None,
    };
    code.and_then(char::from_u32)
        .filter(|c| is_xml_char(*c))
        .ok_or_else(|| format!("&#{number}; is not a character of XML"))
}

/// Whether XML 1.0 allows the character.
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
