//! Why what is not served is not: `reasons.txt`, held against the ledgers of procedures and of the bus.

use std::collections::BTreeSet;
use std::fs;

use virtbus_tests::ledger::tests_dir;

fn read(name: &str) -> String {
    fs::read_to_string(tests_dir().join("coverage").join(name)).unwrap()
}

/// The open names of a ledger, in the form that words are looked for in.
fn open_names(ledger: &str, name: fn(&str) -> &str) -> Vec<String> {
    let plain = |it: &str| it.to_lowercase().replace(['_', '.'], "");
    read(ledger).lines().filter_map(|it| it.strip_prefix("- ")).map(|it| plain(name(it))).collect()
}

#[test]
fn what_is_not_served_has_a_reason() {
    let text = read("reasons.txt");
    let lines: Vec<_> = text.lines().filter(|it| !it.starts_with('#')).map(|it| it.split_once(": ").unwrap()).collect();
    let procedures = open_names("rpc.txt", |it| it.split_whitespace().nth(2).unwrap());
    let members = open_names("dbus.txt", |it| it.split(' ').next().unwrap().trim_start_matches("org.libvirt."));
    let mut used = BTreeSet::new();
    for name in procedures.iter().chain(&members) {
        let found = lines.iter().find_map(|(words, _)| {
            let found: Vec<_> = words.split(' ').filter(|it| name.contains(it)).collect();
            (!found.is_empty()).then_some(found)
        });
        used.extend(
            found.unwrap_or_else(|| panic!("{name} is not served, and tests/coverage/reasons.txt says not why")),
        );
    }
    let words = lines.iter().flat_map(|it| it.0.split(' '));
    let idle: Vec<_> = words.filter(|it| !used.contains(it)).collect();
    assert!(idle.is_empty(), "words of tests/coverage/reasons.txt that no open name has: {idle:?}");
}
