//! Documents as the reference writes them: read and written again they are the same, byte for byte.
//!
//! `domains/` holds documents of ours that libvirt 11.3 (test:///default) took and dumped. With `VIRTBUS_GOLDEN` set to a folder of
//! recorded cases (`domain/NAME/{in,out}.xml`), those are replayed as well.

// A missing fixture should fail the test where it is read.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;
use virtbus_schema::{
    Domain, Error, FormatOptions,
    xml::{Document, Xml},
};

const AT_REST: FormatOptions = FormatOptions { secure: true, inactive: true, migratable: false, status: false };

fn documents(folder: &Path) -> Vec<(String, String)> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "xml"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn own() -> Vec<(String, String)> {
    documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/domains"))
}

/// The first line where two texts part.
fn difference(want: &str, got: &str) -> Option<String> {
    let mut lines = want.lines().zip(got.lines()).enumerate();
    match lines.find(|(_, (want, got))| want != got) {
        Some((at, (want, got))) => Some(format!("line {}\n want {want}\n got  {got}", at + 1)),
        None if want.lines().count() == got.lines().count() => None,
        None => Some("one ends early".to_owned()),
    }
}

fn check_round_trip(name: &str, text: &str) -> Result<(), String> {
    let document = Document::parse(text).map_err(|error| format!("{name}: {error}"))?;
    let domain = document.root_named("domain").and_then(Domain::read).map_err(|error| format!("{name}: {error}"))?;
    if let Some(unknown) = document.unknown().first() {
        return Err(format!("{name}: {} has no field", unknown.path));
    }
    match difference(text, &domain.format(AT_REST)) {
        Some(difference) => Err(format!("{name}: {difference}")),
        None => Ok(()),
    }
}

#[test]
fn recorded_documents_come_back_byte_for_byte() {
    let failures: Vec<_> = own().iter().filter_map(|(name, text)| check_round_trip(name, text).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn golden_cases_come_back_byte_for_byte() {
    let Some(golden) = std::env::var_os("VIRTBUS_GOLDEN") else {
        println!("skipped: VIRTBUS_GOLDEN names no folder of recorded cases");
        return;
    };
    let mut failures = Vec::new();
    let cases = std::fs::read_dir(Path::new(&golden).join("domain")).unwrap();
    for case in cases.map(|it| it.unwrap().path()) {
        if let Ok(text) = std::fs::read_to_string(case.join("out.xml")) {
            failures.extend(check_round_trip(&case.display().to_string(), &text).err());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn place(text: &str) -> Error {
    Domain::parse(text).unwrap_err()
}

#[test]
fn errors_say_where_and_what_was_meant() {
    let text = "<domain type='kvm'>\n<name>a</name><memory>1</memory><os><type>hvm</type></os>\n<devices>\n\
        <disk><source file='/a'/><target dev='vda'/></disk>\n<disk><source file='/b'/><target dev='vdb' bus='viritio'/></disk>\n\
        </devices></domain>";
    let error = place(text);
    assert_eq!(error.kind.code(), 27);
    let shown = error.to_string();
    assert!(
        shown.starts_with("domain/devices/disk[2]/target/@bus: unknown value \"viritio\" (line 5); expected one of"),
        "{shown}"
    );
    assert!(shown.ends_with("did you mean \"virtio\"?"), "{shown}");
}

#[test]
fn faults_have_the_codes_of_the_reference() {
    let domain = |inside: &str| {
        format!("<domain type='kvm'><name>a</name><memory>1</memory><os><type>hvm</type></os>{inside}</domain>")
    };
    let cases = [
        ("<domain/>".to_owned(), 21),
        ("<DOMAIN/>".to_owned(), 27),
        ("<domain".to_owned(), 35),
        (domain("<uuid>x</uuid>"), 1),
        (domain("<clock offset='mars'/>"), 67),
        (domain("<vcpu cpuset='x'>1</vcpu>"), 8),
        (domain("<memory unit='EiB'>99</memory>").replace("<memory>1</memory>", ""), 82),
        (domain("<devices><disk><source file='/a'/></disk></devices>"), 20),
        (domain("<devices><filesystem><target dir='x'/></filesystem></devices>"), 19),
    ];
    for (text, code) in cases {
        assert_eq!(place(&text).kind.code(), code, "{text}");
    }
}

/// An interface's source that lacks what its kind needs would be written as none at all, and not be read again.
#[test]
fn a_source_has_what_its_kind_of_interface_needs() {
    let domain = |kind: &str, source: &str| {
        format!(
            "<domain type='kvm'><name>a</name><memory>1</memory><os><type>hvm</type></os><devices><interface type='{kind}'>\
             <mac address='52:54:00:00:00:01'/>{source}</interface></devices></domain>"
        )
    };
    let socket = "<source address='1' port='5'/>";
    let lacking = [
        ("network", "<source bridge='x' portgroup='y'/>", "@network"),
        ("bridge", "<source network='x'/>", "@bridge"),
        ("internal", "<source/>", "@name"),
        ("direct", "<source mode='vepa'/>", "@dev"),
        ("vdpa", "<source/>", "@dev"),
        ("server", "<source address='1'/>", "@port"),
        ("client", "<source port='5'/>", "@address"),
        ("mcast", "<source address='1'/>", "@port"),
        ("udp", socket, "local"),
        ("udp", "<source address='1' port='5'><local port='6'/></source>", "local/@address"),
        ("vds", "<source portgroupid='x'/>", "@switchid"),
    ];
    for (kind, source, what) in lacking {
        let error = place(&domain(kind, source));
        let path = format!("domain/devices/interface/source/{what}");
        assert_eq!((error.path, error.kind.code()), (path, 27), "{kind} {source}");
    }
    let switch = "c6d8aa2b-1a2b-4f5e-8a3b-2b6f0d1a2b3c";
    let completed = [
        ("direct", "<source dev='x'/>", "<source dev='x' mode='vepa'/>"),
        ("client", "<source address='1' port='5'><local port='6'/></source>", socket),
        ("network", "<source network=''/>", "<source network=''/>"),
        ("network", "<source network='n' portid='7'/>", "<source network='n'/>"),
        ("vds", &format!("<source switchid='{switch}' portid='+07'/>"), "portid='7' connectionid='0'/>"),
    ];
    let error = place(&domain("vds", &format!("<source switchid='{switch}' portid='{switch}'/>")));
    assert_eq!(error.kind.code(), 27, "{error}");
    for (kind, source, want) in completed {
        let written = Domain::parse(&domain(kind, source)).unwrap().format(AT_REST);
        assert!(written.contains(want), "{kind} {source}: {written}");
    }
}

#[test]
fn strict_reading_refuses_what_nobody_knows() {
    let text = "<domain type='kvm'><name>a</name><memory>1</memory><os><type>hvm</type></os><devices><disk colour='red'>\
        <source file='/a'/><target dev='vda'/></disk></devices></domain>";
    assert!(Domain::parse(text).is_ok());
    let error = Domain::parse_strict(text).unwrap_err();
    assert_eq!((error.path.as_str(), error.kind.code()), ("domain/devices/disk/@colour", 92));
}

#[test]
fn the_qemu_namespace_is_matched_by_uri() {
    let text = "<domain type='kvm' xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><name>a</name><memory>1</memory>\
        <os><type>hvm</type></os><q:commandline><q:arg value='-x'/></q:commandline></domain>";
    let domain = Domain::parse(text).unwrap();
    let written = domain.format(AT_REST);
    assert!(
        written.starts_with("<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"),
        "{written}"
    );
    assert!(written.contains("  <qemu:commandline>\n    <qemu:arg value='-x'/>\n  </qemu:commandline>\n"), "{written}");
    let other = text.replace("domain/qemu/1.0", "domain/other/1.0");
    assert!(Domain::parse(&other).unwrap().qemu.commandline.is_none());
}

#[test]
fn every_declared_value_is_read() {
    for (path, values) in virtbus_schema::xml::describe::paths::<Domain>("domain") {
        let mut seen = std::collections::BTreeSet::new();
        assert!(values.iter().all(|it| seen.insert(it)), "{path} lists a value twice");
    }
}

/// One small change of a document: a piece cut out, doubled, or a value exchanged.
fn mutate(text: &str, (kind, at, to): (u8, usize, usize)) -> String {
    let lines: Vec<_> = text.lines().collect();
    let quoted: Vec<_> = text.split('\'').collect();
    let (line, value, other) =
        (at % lines.len(), (at % (quoted.len() / 2).max(1)) * 2 + 1, (to % (quoted.len() / 2).max(1)) * 2 + 1);
    match kind {
        0 => lines.iter().enumerate().filter(|(it, _)| *it != line).map(|(_, it)| *it).collect::<Vec<_>>().join("\n"),
        1 => lines
            .iter()
            .enumerate()
            .flat_map(|(it, text)| vec![*text; 1 + usize::from(it == line)])
            .collect::<Vec<_>>()
            .join("\n"),
        2 if quoted.len() > 2 => {
            let mut changed = quoted.clone();
            changed[value] = quoted[other];
            changed.join("'")
        }
        _ => text.get(..at % text.len()).unwrap_or(text).to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400.max(ProptestConfig::default().cases), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is accepted is in its normal form after one round: written and read again it is the same value.
    #[test]
    fn what_is_accepted_survives(which in 0_usize..100, changes in prop::collection::vec((0_u8..4, 0_usize..10_000, 0_usize..10_000), 1..4)) {
        let documents = own();
        let (name, text) = &documents[which % documents.len()];
        let text = changes.into_iter().fold(text.clone(), |text, change| if text.len() < 10 { text } else { mutate(&text, change) });
        if let Ok(domain) = Domain::parse(&text) {
            let written = domain.format(AT_REST);
            let again = Domain::parse(&written);
            prop_assert!(again.is_ok(), "{name}: {again:?}\n{written}");
            prop_assert_eq!(again.unwrap().format(AT_REST), written);
        }
    }
}
