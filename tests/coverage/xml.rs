//! Elements, attributes and listed values of a domain document, against what the schema's types declare.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use virtbus_schema::domain::Domain;
use virtbus_tests::ledger::{Ledger, check_file, tests_dir, updating};

use crate::rng::Grammar;

/// Where the reference's package puts its schemas; read only to write the ledger anew.
const REFERENCE: &str = "/usr/share/libvirt/schemas/domain.rng";

#[test]
fn the_ledger_is_true() {
    let path = tests_dir().join("coverage/xml.txt");
    let mut names = Ledger::names(&fs::read_to_string(path).unwrap_or_default());
    if updating() && Path::new(REFERENCE).exists() {
        names = Grammar::read(Path::new(REFERENCE)).unwrap().paths("domain");
    }
    assert!(!names.is_empty(), "tests/coverage/xml.txt names nothing");
    let ours = virtbus_xml::describe::paths::<Domain>("domain");
    let mut ledger = Ledger::default();
    for name in &names {
        ledger.add(name, knows(&ours, name));
    }
    for path in extra(&ours, &names) {
        ledger.add_extra(path);
    }
    let heading = "Paths of a domain document, and the values that an attribute or element may have where there is a list.\n\
                   A path is served when the schema's types declare it, a value when they accept it.";
    check_file("coverage/xml.txt", &ledger.text(heading));
}

/// `name` is a path, or `path = value`.
fn knows(ours: &BTreeMap<String, &'static [&'static str]>, name: &str) -> bool {
    match name.split_once(" = ") {
        // A path without a list takes any text.
        Some((path, value)) => ours.get(path).is_some_and(|list| list.is_empty() || list.contains(&value)),
        None => ours.contains_key(name) || ours.keys().any(|it| is_parent(name, it)),
    }
}

/// An element without attributes and text of its own is known by what is inside it.
fn is_parent(path: &str, of: &str) -> bool {
    of.strip_prefix(path).is_some_and(|it| it.starts_with('/'))
}

/// What only we declare: a sign of a misspelt name, or of something that the reference's schema forgot.
fn extra(ours: &BTreeMap<String, &'static [&'static str]>, names: &BTreeSet<String>) -> Vec<String> {
    let known = |path: &str| names.contains(path) || path.ends_with("/*");
    ours.keys().filter(|it| !known(it)).cloned().collect()
}
