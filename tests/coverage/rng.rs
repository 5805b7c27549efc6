//! Reads a RELAX NG grammar for the names in it: every path from a root element, and listed values. It validates nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use virtbus_tests::tree::Element;

/// How often an element may stand in a path: a disk's backing store contains another one, and so on.
const NESTING: usize = 1;

/// The definitions of a grammar and of all it includes.
#[derive(Debug, Default)]
pub(crate) struct Grammar {
    defines: BTreeMap<String, Vec<Element>>,
    start: Vec<Element>,
}

impl Grammar {
    /// Reads a schema file with its includes.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let mut grammar = Self::default();
        grammar.add(&Element::read(file)?, file)?;
        Ok(grammar)
    }

    fn add(&mut self, root: &Element, file: &Path) -> Result<(), String> {
        for item in &root.children {
            match item.name.as_str() {
                "include" => {
                    let path = file.with_file_name(item.attribute("href"));
                    self.add(&Element::read(&path)?, &path)?;
                    // An include may redefine what it includes.
                    self.add(item, file)?;
                }
                "define" => {
                    let parts = self.defines.entry(item.attribute("name").to_owned()).or_default();
                    if item.attribute("combine").is_empty() {
                        parts.clear();
                    }
                    parts.extend(item.children.iter().cloned());
                }
                "start" => self.start.clone_from(&item.children),
                "div" => self.add(item, file)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Every path below the element `root`, which the grammar starts with.
    pub(crate) fn paths(&self, root: &str) -> BTreeSet<String> {
        let mut walk = Walk { grammar: self, steps: Vec::new(), refs: Vec::new(), prefix: "", found: BTreeSet::new() };
        walk.all(&self.start);
        walk.found.retain(|it| it == root || it.starts_with(&format!("{root}/")));
        walk.found
    }
}

struct Walk<'a> {
    grammar: &'a Grammar,
    steps: Vec<String>,
    /// The definitions that are being walked, since the last element: one that refers to itself ends there.
    refs: Vec<String>,
    /// What stands before the names of the namespace that elements are in.
    prefix: &'static str,
    found: BTreeSet<String>,
}

impl Walk<'_> {
    fn all(&mut self, patterns: &[Element]) {
        for pattern in patterns {
            self.one(pattern);
        }
    }

    fn one(&mut self, pattern: &Element) {
        match pattern.name.as_str() {
            "element" => {
                let outside = self.prefix;
                self.prefix = prefix(pattern.attribute("ns")).unwrap_or(outside);
                self.named(pattern, self.prefix);
                self.prefix = outside;
            }
            "attribute" => self.named(pattern, "@"),
            "ref" => {
                let name = pattern.attribute("name").to_owned();
                let Some(parts) = self.grammar.defines.get(&name) else { return };
                if !self.refs.contains(&name) {
                    self.refs.push(name);
                    self.all(parts);
                    self.refs.pop();
                }
            }
            "value" => {
                let here = self.steps.join("/");
                self.found.insert(format!("{here} = {}", pattern.text));
            }
            // Names stand for themselves above; what is excluded is not part of the language.
            "name" | "anyName" | "nsName" | "except" | "param" | "data" => {}
            _ => self.all(&pattern.children),
        }
    }

    fn named(&mut self, pattern: &Element, sign: &str) {
        for name in names(pattern) {
            let step = format!("{sign}{name}");
            if self.steps.iter().filter(|it| **it == step).count() > NESTING {
                continue;
            }
            self.steps.push(step);
            self.found.insert(self.steps.join("/"));
            let refs = std::mem::take(&mut self.refs);
            self.all(&pattern.children);
            self.refs = refs;
            self.steps.pop();
        }
    }
}

/// The prefix by which documents name a namespace; `None` where the pattern names none and the one outside goes on.
fn prefix(namespace: &str) -> Option<&'static str> {
    let (_, tail) = namespace.split_once("/schemas/domain/")?;
    Some(match tail.split('/').next()? {
        "qemu" => "qemu:",
        "lxc" => "lxc:",
        "bhyve" => "bhyve:",
        "xen" => "xen:",
        _ => "",
    })
}

/// The names of an element or attribute pattern: an attribute, a child, or a choice of them; `*` for any.
fn names(pattern: &Element) -> Vec<String> {
    if !pattern.attribute("name").is_empty() {
        return vec![pattern.attribute("name").to_owned()];
    }
    let Some(class) = pattern.children.first() else { return Vec::new() };
    match class.name.as_str() {
        "name" => vec![class.text.clone()],
        "choice" => class.all("name").map(|it| it.text.clone()).collect(),
        _ => vec!["*".to_owned()],
    }
}

#[test]
fn paths_follow_references_and_end_in_recursion() {
    let text = "<grammar>
        <start><ref name='a'/></start>
        <define name='a'><element name='a'><optional><attribute name='t'><choice><value>x</value><value>y</value></choice>
            </attribute></optional><ref name='b'/></element></define>
        <define name='b'><element name='b'><empty/></element><optional><ref name='a'/></optional></define>
    </grammar>";
    let mut grammar = Grammar::default();
    grammar.add(&Element::parse(text).unwrap(), Path::new("x.rng")).unwrap();
    let paths = grammar.paths("a");
    for path in ["a", "a/@t", "a/@t = x", "a/@t = y", "a/b", "a/a/b"] {
        assert!(paths.contains(path), "{path}: {paths:?}");
    }
    assert!(!paths.contains("a/a/a"), "{paths:?}");
}
