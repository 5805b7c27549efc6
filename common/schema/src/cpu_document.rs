//! `<cpu>` by itself: what is compared with the host's, and what a common denominator is looked for of.

use virtbus_xml::{Document, Error, ErrorKind, Node, Xml};

use crate::domain::Cpu;

/// A CPU that is asked about.
#[derive(Debug, Clone, PartialEq)]
pub enum CpuDocument {
    /// As capabilities have it: it says what it is.
    Known(KnownCpu),
    /// As a domain has it: it says what is wanted.
    Wanted(Box<Cpu>),
}

/// A CPU as capabilities have it; topology and the like say nothing about what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = KnownCpu::check_parts, check = KnownCpu::check)]
pub struct KnownCpu {
    #[xml(child)]
    pub arch: String,
    #[xml(child)]
    pub model: String,
    #[xml(child)]
    pub vendor: Option<String>,
    /// What it has beyond the model.
    #[xml(children = "feature")]
    pub features: Vec<KnownFeature>,
}

/// `<feature name='aes'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct KnownFeature {
    #[xml(attr)]
    pub name: String,
}

impl CpuDocument {
    /// The root element's name.
    pub const ROOT: &'static str = "cpu";

    /// Reads a CPU; one with an architecture says what it is, one without what is wanted.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document = Document::parse(text)?;
        let root = Self::root(&document)?;
        if root.child("arch").is_some() {
            KnownCpu::read(root).map(Self::Known)
        } else {
            Cpu::read(root).map(|cpu| Self::Wanted(Box::new(cpu)))
        }
    }

    /// Reads a CPU as [`Self::parse`], and refuses in a guest's CPU what its schema does not know.
    ///
    /// # Errors
    /// The first fault or stray part, with its place.
    pub fn parse_strict(text: &str) -> Result<Self, Error> {
        let document = Document::parse(text)?;
        let root = Self::root(&document)?;
        if root.child("arch").is_some() {
            return Self::parse(text);
        }
        virtbus_xml::from_str_strict(text, Self::ROOT).map(|cpu| Self::Wanted(Box::new(cpu)))
    }

    /// The reference takes another element for a fault of the document, not for another kind of document.
    fn root<'d>(document: &'d Document<'_>) -> Result<Node<'d>, Error> {
        document.root_named(Self::ROOT).map_err(|error| Error { kind: ErrorKind::BadValue, ..error })
    }
}

impl KnownCpu {
    /// Reads a CPU that says what it is.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document = Document::parse(text)?;
        Self::read(CpuDocument::root(&document)?)
    }

    fn check_parts(node: Node<'_>) -> Result<(), Error> {
        if node.attr("mode").is_some() {
            return Err(node.error(ErrorKind::Unsupported, "a mode is for the CPU of a guest"));
        }
        for part in ["arch", "model"] {
            if node.child(part).is_none_or(|it| it.text().is_empty()) {
                return Err(node.missing(part));
            }
        }
        Ok(())
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        for (at, feature) in self.features.iter().enumerate() {
            if self.features.iter().take(at).any(|it| it.name == feature.name) {
                let text = format!("CPU feature '{}' specified more than once", feature.name);
                return Err(node.error(ErrorKind::BadValue, text));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_and_what_is_wanted() {
        let known = "<cpu><arch>x86_64</arch><model>Nehalem</model><vendor>Intel</vendor><feature name='aes'/></cpu>";
        let Ok(CpuDocument::Known(cpu)) = CpuDocument::parse(known) else { panic!("it says what it is") };
        assert_eq!((cpu.model.as_str(), cpu.features.len()), ("Nehalem", 1));
        assert!(matches!(CpuDocument::parse("<cpu mode='host-model'/>"), Ok(CpuDocument::Wanted(_))));
        let kind = |text: &str| KnownCpu::parse(text).expect_err("refused").kind;
        assert_eq!(kind("<cpu><arch>x86_64</arch></cpu>"), ErrorKind::Missing);
        assert_eq!(kind("<foo/>"), ErrorKind::BadValue);
        assert_eq!(kind("<cpu mode='host-model'/>"), ErrorKind::Unsupported);
        let twice = "<cpu><arch>a</arch><model>b</model><feature name='x'/><feature name='x'/></cpu>";
        assert_eq!(kind(twice), ErrorKind::BadValue);
    }
}
