//! The syntax: `key = value` separated by line ends or semicolons, `#` comments; values are whole numbers, strings in
//! single, double or triple double quotes (without escapes), and lists in brackets.
//!
//! Seen of libvirt 11.3.0; accepted beyond it: comments between the items of a list.

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Number(i64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Value>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: Value,
    /// Where the key stands, counted from 1.
    pub(super) line: usize,
}

/// A place where the text is not in the syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// Lists within lists deeper than this are refused.
const DEEPEST: usize = 8;

/// Reads all entries of `text`.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, Fault> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut entries = Vec::new();
    loop {
        reader.skip_blank_and(|c| c == '\n' || c == ';');
        if reader.rest.is_empty() {
            return Ok(entries);
        }
        let line = reader.line;
        let key = reader.key()?;
        reader.skip_spaces();
        if !reader.take('=') {
            return Err(reader.fault("expected '=' after the key"));
        }
        reader.skip_spaces();
        let value = reader.value(0)?;
        reader.skip_spaces();
        match reader.peek() {
            None | Some('\n' | ';' | '#') => entries.push(Entry { key, value, line }),
            Some(_) => return Err(reader.fault("expected the end of the line after the value")),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    fn fault(&self, what: &'static str) -> Fault {
        Fault { line: self.line, what }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Drops the first `length` bytes, which must end between characters.
    fn advance(&mut self, length: usize) -> String {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken.to_owned()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest.starts_with(wanted);
        if found {
            self.advance(wanted.len_utf8());
        }
        found
    }

    fn skip_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let length = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        self.advance(length)
    }

    fn skip_spaces(&mut self) {
        self.skip_while(|c| matches!(c, ' ' | '\t' | '\r'));
    }

    /// Skips spaces, comments and what `also` names.
    fn skip_blank_and(&mut self, also: impl Fn(char) -> bool) {
        loop {
            let skipped = self.skip_while(|c| matches!(c, ' ' | '\t' | '\r') || also(c));
            if self.rest.starts_with('#') {
                self.skip_while(|c| c != '\n');
            } else if skipped.is_empty() {
                return;
            }
        }
    }

    fn key(&mut self) -> Result<String, Fault> {
        if !self.peek().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
            return Err(self.fault("expected a key"));
        }
        Ok(self.skip_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/')))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        match self.peek() {
            Some('"' | '\'') => self.text().map(Value::Text),
            Some('[') => self.list(depth),
            Some('0'..='9' | '-' | '+') => self.number(),
            _ => Err(self.fault("expected a value: a number, a quoted string or a list in brackets")),
        }
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let (sign, digits) = match self.peek() {
            Some('-') => ("-", 1),
            Some('+') => ("", 1),
            _ => ("", 0),
        };
        self.advance(digits);
        let digits = self.skip_while(|c| c.is_ascii_digit());
        let number = format!("{sign}{digits}").parse();
        number.map(Value::Number).map_err(|_| self.fault("expected a whole number of at most 63 bits"))
    }

    fn text(&mut self) -> Result<String, Fault> {
        let (quote, one_line) = match self.peek() {
            Some('\'') => ("'", true),
            _ if self.rest.starts_with("\"\"\"") => ("\"\"\"", false),
            _ => ("\"", true),
        };
        let begun = self.line;
        self.advance(quote.len());
        let end = self.rest.find(quote).filter(|end| !one_line || !self.rest[..*end].contains('\n'));
        let Some(end) = end else { return Err(Fault { line: begun, what: "the string is not closed" }) };
        let text = self.advance(end);
        self.advance(quote.len());
        Ok(text)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        if depth >= DEEPEST {
            return Err(self.fault("lists are nested too deeply"));
        }
        let begun = self.line;
        let unclosed = Fault { line: begun, what: "the list is not closed" };
        self.advance(1);
        let mut items = Vec::new();
        loop {
            self.skip_blank_and(|c| c == '\n');
            match self.peek() {
                None => return Err(unclosed),
                Some(']') => break,
                Some(_) => items.push(self.value(depth + 1)?),
            }
            self.skip_blank_and(|c| c == '\n');
            match self.peek() {
                None => return Err(unclosed),
                Some(',') => drop(self.advance(1)),
                Some(']') => break,
                Some(_) => return Err(self.fault("expected ',' or ']' in the list")),
            }
        }
        self.advance(1);
        Ok(Value::List(items))
    }
}
