//! The project's own cases, `tests/golden/domain/NAME.{xml,out.xml,argv}`.

use virtbus_schema::domain::Domain;
use virtbus_schema::xml::FormatOptions;
use virtqemud::device::secret::Secrets;
use virtqemud::machine;

use crate::support::{caps, command_line, difference, golden, installed};

#[test]
fn definitions_are_filled_in_as_by_the_reference() {
    let (caps, installed) = (caps(), installed());
    let mut cases = 0;
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(golden().join("domain")).expect("the cases are there") {
        let path = entry.expect("readable").path();
        let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(name) = name.strip_suffix(".xml").filter(|it| !it.ends_with(".out")) else { continue };
        let read =
            |suffix: &str| std::fs::read_to_string(path.with_file_name(format!("{name}.{suffix}"))).expect("recorded");
        cases += 1;
        let mut domain = Domain::parse(&read("xml")).expect("a definition");
        if let Err(error) = machine::complete_with(&mut domain, &caps, Some(&installed)) {
            faults.push(format!("{name}: {error}"));
            continue;
        }
        let options = FormatOptions { secure: true, inactive: true, ..FormatOptions::default() };
        let out = domain.format(options);
        if let Some((line, want, got)) = difference(&read("out.xml"), &out) {
            faults.push(format!("{name}.out.xml:{line}\n  want {want}\n  got  {got}"));
        }
        // Once more: what is filled in stays as it is. Only disks whose bus was not named move once, in the reference as well.
        let mut again = Domain::parse(&out).expect("our own document");
        machine::complete_with(&mut again, &caps, Some(&installed)).expect("complete already");
        if let Some((line, want, got)) = difference(&out, &again.format(options))
            && name != "disk-order"
        {
            faults.push(format!("{name} changes when it is completed again, line {line}\n  was {want}\n  is  {got}"));
        }
        match command_line(domain, &caps, Secrets::default()) {
            Err(error) => faults.push(format!("{name}.argv: {error}")),
            Ok(got) => {
                if let Some((line, want, got)) = difference(&read("argv"), &got) {
                    faults.push(format!("{name}.argv:{line}\n  want {want}\n  got  {got}"));
                }
            }
        }
    }
    assert!(cases >= 40, "only {cases} cases found");
    assert!(faults.is_empty(), "{} of {cases}:\n{}", faults.len(), faults.join("\n"));
}
