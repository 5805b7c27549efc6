//! What a type can hold, without a value: the elements, attributes and texts that its declaration names, how often, and in which
//! of its forms. The coverage ledger, the reference documentation and the documents of property tests are made from this.

use std::collections::BTreeMap;

use crate::decode::Xml;
use crate::value::Value;

/// How often a part occurs in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurs {
    /// It is required.
    Once,
    /// It may be absent.
    Maybe,
    /// There may be any number of it.
    Any,
}

/// What a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts {
    /// All of them, where there is a list.
    pub listed: &'static [&'static str],
    /// Some of them: the ends of the range, and what is odd but allowed.
    pub samples: &'static [&'static str],
    /// Whether any text is one.
    pub is_free: bool,
}

impl Texts {
    /// The texts of a type.
    #[must_use]
    pub const fn of<T: Value>() -> Self {
        Self { listed: T::VALUES, samples: T::SAMPLES, is_free: T::IS_FREE }
    }

    /// The units of sizes; reading takes more spellings than one would list.
    pub const UNITS: Self =
        Self { listed: &[], samples: &["KiB", "bytes", "b", "k", "MiB", "MB", "G", "TiB", "E", ""], is_free: false };
}

/// Receives the parts of a type in the order they are written.
pub trait Describe {
    /// An attribute.
    fn attr(&mut self, name: &str, texts: Texts);

    /// The text of the current element.
    fn text(&mut self, texts: Texts);

    /// A child element of a Rust type begins, of which there is one or that is one of several; `false` asks not to go into it. An
    /// element without a type leads to something inside it.
    fn open(&mut self, name: &str, type_name: &'static str, occurs: Occurs) -> bool;

    /// The child element ends; also called when it was not gone into.
    fn close(&mut self);

    /// Any content at all, kept as it is; `name` is empty when the element's name is free as well.
    fn raw(&mut self, name: &str);

    /// How often the part that follows is wanted; to list parts, once. `place` is `a/b` or `a/@b`, empty for the text.
    fn times(&mut self, _place: &str, _occurs: Occurs) -> usize {
        1
    }

    /// The forms that an attribute chooses between follow.
    fn choose(&mut self, attr: &str, forms: &'static [&'static str]) {
        self.attr(attr, Texts { listed: forms, samples: forms, is_free: false });
    }

    /// One of the forms follows; whether its parts are wanted.
    fn form(&mut self, _number: usize) -> bool {
        true
    }

    /// No more forms.
    fn chosen(&mut self) {}
}

/// Describes one child element that is there.
pub fn child<T: Xml>(to: &mut dyn Describe, name: &str) {
    occurring::<T>(to, name, Occurs::Once);
}

/// Describes a child element that may be absent.
pub fn optional_child<T: Xml>(to: &mut dyn Describe, name: &str) {
    if to.times(name, Occurs::Maybe) > 0 {
        occurring::<T>(to, name, Occurs::Maybe);
    }
}

/// Describes any number of child elements.
pub fn children<T: Xml>(to: &mut dyn Describe, name: &str) {
    for _ in 0..to.times(name, Occurs::Any) {
        occurring::<T>(to, name, Occurs::Any);
    }
}

/// Describes one element of so many.
pub fn occurring<T: Xml>(to: &mut dyn Describe, name: &str, occurs: Occurs) {
    if to.open(name, std::any::type_name::<T>(), occurs) {
        T::describe(to);
    }
    to.close();
}

/// Describes elements that lead to something inside them.
pub fn within(to: &mut dyn Describe, path: &[&str], inside: &mut dyn FnMut(&mut dyn Describe)) {
    match path.split_first() {
        None => inside(to),
        Some((name, rest)) => {
            if to.open(name, "", Occurs::Once) {
                within(to, rest, inside);
            }
            to.close();
        }
    }
}

/// All paths a type knows, as `domain/devices/disk/target/@bus`, each with its value list.
///
/// A type that contains itself is gone into once. Content that is kept as it is ends in `/*`.
#[must_use]
pub fn paths<T: Xml>(root: &str) -> BTreeMap<String, &'static [&'static str]> {
    let mut collector = Paths::default();
    child::<T>(&mut collector, root);
    collector.found
}

#[derive(Default)]
struct Paths {
    steps: Vec<String>,
    types: Vec<&'static str>,
    found: BTreeMap<String, &'static [&'static str]>,
}

impl Paths {
    fn here(&self) -> String {
        self.steps.join("/")
    }
}

impl Describe for Paths {
    fn attr(&mut self, name: &str, texts: Texts) {
        self.found.insert(format!("{}/@{name}", self.here()), texts.listed);
    }

    fn text(&mut self, texts: Texts) {
        self.found.insert(self.here(), texts.listed);
    }

    fn open(&mut self, name: &str, type_name: &'static str, _: Occurs) -> bool {
        let fresh = type_name.is_empty() || !self.types.contains(&type_name);
        self.steps.push(name.to_owned());
        self.types.push(type_name);
        self.found.entry(self.here()).or_default();
        fresh
    }

    fn close(&mut self) {
        self.steps.pop();
        self.types.pop();
    }

    fn raw(&mut self, name: &str) {
        let path = if name.is_empty() { format!("{}/*", self.here()) } else { format!("{}/{name}/*", self.here()) };
        self.found.insert(path, &[]);
    }
}
