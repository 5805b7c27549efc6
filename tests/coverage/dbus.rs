//! Methods, properties and signals of libvirt-dbus's interfaces, against the introspection that our daemons give.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use virtbus_tests::ledger::{Ledger, check_file, tests_dir, updating};
use virtbus_tests::tree::Element;

/// Where the package libvirt-dbus puts its interfaces; read only to write the ledger anew.
const REFERENCE: &str = "/usr/share/dbus-1/interfaces";

#[test]
fn the_ledger_is_true() {
    let path = tests_dir().join("coverage/dbus.txt");
    let mut names = Ledger::names(&fs::read_to_string(path).unwrap_or_default());
    if updating() {
        let files = xml_files(Path::new(REFERENCE));
        let theirs =
            files.iter().filter(|it| it.file_name().is_some_and(|it| it.to_string_lossy().starts_with("org.libvirt.")));
        let fresh: BTreeSet<_> = theirs.flat_map(|it| members(it)).collect();
        if !fresh.is_empty() {
            names = fresh;
        }
    }
    assert!(!names.is_empty(), "tests/coverage/dbus.txt names nothing");
    let ours: BTreeSet<_> = xml_files(&tests_dir().join("golden/dbus")).iter().flat_map(|it| members(it)).collect();
    let mut ledger = Ledger::default();
    for name in &names {
        ledger.add(name, ours.contains(name));
    }
    for name in ours.difference(&names) {
        ledger.add_extra(name);
    }
    let heading = "Members of libvirt-dbus's interfaces, whichever daemon has them: served when our introspection has it with\n\
                   the same signature.";
    check_file("coverage/dbus.txt", &ledger.text(heading));
}

fn xml_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|it| it.path());
    entries.filter(|it| it.extension().is_some_and(|it| it == "xml")).collect()
}

/// Each member as `interface.Name kind(signature)`. A name can stand for a method and for a signal.
fn members(file: &Path) -> Vec<String> {
    let root = Element::read(file).unwrap();
    let interfaces = if root.name == "interface" { vec![root] } else { root.children };
    let mut found = Vec::new();
    for interface in interfaces.iter().filter(|it| it.attribute("name").starts_with("org.libvirt.")) {
        for member in &interface.children {
            let kind = match member.name.as_str() {
                "method" => format!("method({}) -> ({})", types(member, &["in", ""]), types(member, &["out"])),
                "signal" => format!("signal({})", types(member, &["out", "in", ""])),
                "property" => format!("property {} {}", member.attribute("type"), member.attribute("access")),
                _ => continue,
            };
            found.push(format!("{}.{} {kind}", interface.attribute("name"), member.attribute("name")));
        }
    }
    found
}

/// The types of the arguments that go in one of these directions; a method's argument without one goes in.
fn types(member: &Element, directions: &[&str]) -> String {
    member
        .all("arg")
        .filter(|it| directions.contains(&it.attribute("direction")))
        .map(|it| it.attribute("type"))
        .collect()
}
