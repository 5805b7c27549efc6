//! What is refused, and under which code: `tests/golden/refused/*.txt`, a fragment a line, recorded from the reference.

use virtbus_schema::domain::Domain;
use virtqemud::machine;

use crate::support::{caps, golden, installed};

/// A guest with these devices, and with these parts beside them.
fn guest(devices: &str, beside: &str) -> String {
    format!(
        "<domain type='qemu'><name>t</name><uuid>90d00000-0000-4000-8000-00000000dd01</uuid><memory>1048576</memory>\
         <vcpu>4</vcpu>{beside}<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>\
         <emulator>/usr/bin/qemu-system-x86_64</emulator>{devices}</devices></domain>"
    )
}

#[test]
fn documents_are_refused_under_the_codes_of_the_reference() {
    let (caps, installed) = (caps(), installed());
    let code = |read: Result<Domain, virtbus_schema::xml::Error>| -> i32 {
        let mut domain = match read {
            Ok(domain) => domain,
            Err(error) => return error.kind.code(),
        };
        machine::complete_with(&mut domain, &caps, Some(&installed)).map_or_else(|error| error.code.number(), |()| 0)
    };
    let mut faults = Vec::new();
    let mut cases = 0;
    for entry in std::fs::read_dir(golden().join("refused")).expect("the cases are there") {
        let path = entry.expect("readable").path();
        let of_devices = path.file_stem().is_some_and(|it| it == "devices");
        let text = std::fs::read_to_string(&path).expect("readable");
        for line in text.lines().filter(|it| !it.starts_with('#')) {
            let mut parts = line.splitn(3, ' ');
            let mut number = || parts.next().and_then(|it| it.parse::<i32>().ok()).expect("a code");
            let wanted = (number(), number());
            let fragment = parts.next().expect("a fragment");
            let document = if of_devices { guest(fragment, "") } else { guest("", fragment) };
            let got = (code(Domain::parse(&document)), code(Domain::parse_strict(&document)));
            cases += 1;
            if got != wanted {
                faults.push(format!("want {wanted:?}, got {got:?}: {line}"));
            }
        }
    }
    assert!(cases >= 90, "only {cases} cases found");
    assert!(faults.is_empty(), "{} of {cases}:\n{}", faults.len(), faults.join("\n"));
}
