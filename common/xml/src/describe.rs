//! What a type can hold, without a value: the elements, attributes and value lists that its declaration names.
//! The coverage ledger and the reference documentation are made from this.

use std::collections::BTreeMap;

use crate::decode::Xml;

/// Receives the parts of a type in the order they are written.
pub trait Describe {
    /// An attribute, with the texts it may have where there is a list.
    fn attr(&mut self, name: &str, values: &'static [&'static str]);

    /// The text of the current element.
    fn text(&mut self, values: &'static [&'static str]);

    /// A child element of a Rust type begins; `false` asks not to go into it.
    fn open(&mut self, name: &str, type_name: &'static str) -> bool;

    /// The child element ends; also called when it was not gone into.
    fn close(&mut self);

    /// Any content at all, kept as it is; `name` is empty when the element's name is free as well.
    fn raw(&mut self, name: &str);
}

/// Describes one child element.
pub fn child<T: Xml>(to: &mut dyn Describe, name: &str) {
    if to.open(name, std::any::type_name::<T>()) {
        T::describe(to);
    }
    to.close();
}

/// Describes elements that lead to something inside them.
pub fn within(to: &mut dyn Describe, path: &[&str], inside: &mut dyn FnMut(&mut dyn Describe)) {
    match path.split_first() {
        None => inside(to),
        Some((name, rest)) => {
            if to.open(name, "") {
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
    fn attr(&mut self, name: &str, values: &'static [&'static str]) {
        self.found.insert(format!("{}/@{name}", self.here()), values);
    }

    fn text(&mut self, values: &'static [&'static str]) {
        self.found.insert(self.here(), values);
    }

    fn open(&mut self, name: &str, type_name: &'static str) -> bool {
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
