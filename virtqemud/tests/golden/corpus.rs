//! A corpus recorded elsewhere: `GOLDEN_DIR` is a directory with `index.json` and `cases/KIND/NAME/`.
//!
//! `GOLDEN_ONLY` is a prefix of the names to run, `GOLDEN_KVM` takes the cases that were recorded with KVM. Faults are grouped, the
//! most frequent first.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use virtbus_api::Error;
use virtbus_api::storage::SecretValue;
use virtbus_schema::domain::Domain;
use virtbus_schema::xml::FormatOptions;
use virtqemud::device::secret::{SecretUse, Secrets, Wanted};
use virtqemud::machine;
use virtqemud::process::capabilities::QemuCaps;

use crate::support::{caps, command_line, difference, installed};

/// Right and all, by what was compared, and names by fault.
#[derive(Default)]
struct Score {
    counts: BTreeMap<&'static str, (usize, usize)>,
    faults: BTreeMap<String, Vec<String>>,
}

impl Score {
    fn add(&mut self, what: &'static str, name: &str, fault: Option<String>) {
        let count = self.counts.entry(what).or_default();
        count.1 += 1;
        match fault {
            None => count.0 += 1,
            Some(fault) => self.faults.entry(format!("{what} {fault}")).or_default().push(name.to_owned()),
        }
    }

    fn share(&self, what: &str) -> f64 {
        let (right, all) = self.counts.get(what).copied().unwrap_or((1, 1));
        right as f64 / all as f64
    }
}

fn shown(want: &str, got: &str) -> Option<String> {
    difference(want, got).map(|(_, want, got)| format!("want {}\n    got  {}", want.trim(), got.trim()))
}

const AT_REST: FormatOptions = FormatOptions { secure: true, inactive: true, migratable: false, status: false };

/// What is dumped and defined again is the same: as a definition, as a running guest shows itself, and as its status is kept.
pub(crate) fn defined_again(domain: &Domain, caps: &QemuCaps) -> Result<(), String> {
    for options in [AT_REST, FormatOptions { inactive: false, ..AT_REST }, FormatOptions { status: true, ..AT_REST }] {
        let first = domain.format(options);
        let mut again = Domain::parse(&first).map_err(|error| format!("{options:?}: {error}"))?;
        if options.inactive {
            machine::complete_with(&mut again, caps, Some(&installed())).map_err(|error| format!("again: {error}"))?;
        }
        if let Some(difference) = shown(&first, &again.format(options)) {
            return Err(format!("{options:?}: {difference}"));
        }
    }
    Ok(())
}

/// The code libvirt's clients see.
fn complete(text: &str, caps: &QemuCaps, strict: bool) -> Result<Domain, (i32, String)> {
    let parsed = if strict { Domain::parse_strict(text) } else { Domain::parse(text) };
    let mut domain = parsed.map_err(|error| (error.kind.code(), error.to_string()))?;
    let fault = |error: Error| (error.code.number(), error.to_string());
    let emulator = machine::emulator(&domain, |_| true).map_err(fault)?;
    if emulator != caps.binary {
        // Another emulator was missing on the recording host as it is in our snapshot.
        return Err((38, format!("no capabilities of {}", emulator.display())));
    }
    machine::complete_with(&mut domain, caps, Some(&installed())).map_err(fault)?;
    Ok(domain)
}

/// A secret that was defined before, by all names it has.
fn known(text: &str) -> Vec<(Wanted, SecretValue)> {
    let between = |before: &str, after: &str| Some(text.split_once(before)?.1.split_once(after)?.0.to_owned());
    let value = || SecretValue::new(b"gold-secret-value".to_vec());
    let uuid = between("<uuid>", "</uuid>").and_then(|it| it.parse().ok()).map(Wanted::Uuid);
    let usage = between("<target>", "</target>").map(|it| Wanted::Usage(SecretUse::Iscsi, it));
    let usage = usage.or_else(|| between("<name>", "</name>").map(|it| Wanted::Usage(SecretUse::Ceph, it)));
    let usage = usage.or_else(|| between("<volume>", "</volume>").map(|it| Wanted::Usage(SecretUse::Volume, it)));
    uuid.into_iter().chain(usage).map(|it| (it, value())).collect()
}

/// Strict reading: as the index has it, which knows what the reference said.
fn validate(case: &Value, name: &str, text: &str, caps: &QemuCaps, score: &mut Score) {
    let Some(want) = case["validate"].as_object() else { return };
    let got = complete(text, caps, true).err();
    let code = want.get("code").and_then(Value::as_i64);
    // Which of two faults is met first, an unknown part or another, is not part of the contract; that it is refused is.
    let right = got.as_ref().map(|(number, _)| i64::from(*number)) == code;
    score.add("validate", name, (!right).then(|| format!("want {code:?}\n    got  {got:?}")));
}

fn replay(directory: &Path, case: &Value, caps: &QemuCaps, score: &mut Score) {
    let name = case["id"].as_str().unwrap_or_default();
    let (kind, name) = name.split_once('/').unwrap_or_default();
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).ok();
    let Some(text) = read("in.xml") else { return };
    let error = |file: &str| {
        let error: Value = serde_json::from_str(&read(file)?).ok()?;
        Some((error["code"].as_i64()?, error["message"].as_str().unwrap_or_default().replace(name, "NAME")))
    };
    let secrets = Secrets::new(
        [0; 32],
        (1..9).filter_map(|it| read(&format!("pre-{it}.xml"))).flat_map(|it| known(&it)).collect(),
    );
    validate(case, name, &text, caps, score);
    let done = complete(&text, caps, false);
    let (error_kind, xml) = if kind == "domain" { ("error", "xml") } else { ("invalid-error", "invalid-xml") };
    if let Some((code, message)) = error("error.json") {
        let got = done.err();
        let right = got.as_ref().is_some_and(|(number, _)| i64::from(*number) == code);
        score.add(error_kind, name, (!right).then(|| format!("want {code} {message}\n    got  {got:?}")));
        return;
    }
    let domain = match done {
        Ok(domain) => domain,
        Err(error) => return score.add(xml, name, Some(format!("{error:?}"))),
    };
    if let Some(want) = read("out.xml") {
        score.add(xml, name, shown(&want, &domain.format(AT_REST)));
    }
    score.add("fixed-point", name, defined_again(&domain, caps).err());
    if let Some((code, message)) = error("argv_error.json") {
        let got = command_line(domain, caps, secrets).map_err(|error| (error.code.number(), error.to_string()));
        let right = got.as_ref().is_err_and(|(number, _)| i64::from(*number) == code);
        let got = got.map(drop);
        score.add("argv-error", name, (!right).then(|| format!("want {code} {message}\n    got  {got:?}")));
    } else if let Some(want) = read("argv.txt") {
        let fault = match command_line(domain, caps, secrets) {
            Ok(got) => shown(&want, &got.replace('\\', "\\\\")),
            Err(error) => Some(error.to_string()),
        };
        score.add("argv", name, fault);
    }
}

#[test]
fn corpus_of_the_reference() {
    let Some(directory) = std::env::var_os("GOLDEN_DIR") else {
        eprintln!(
            "SKIPPED: GOLDEN_DIR names no corpus; definitions, command lines and fixed points of it are not compared"
        );
        return;
    };
    let directory = Path::new(&directory);
    let only = std::env::var("GOLDEN_ONLY").unwrap_or_default();
    let with_kvm = std::env::var_os("GOLDEN_KVM").is_some();
    let index = std::fs::read(directory.join("index.json")).expect("the corpus has an index");
    let index: Value = serde_json::from_slice(&index).expect("which is JSON");
    let caps = caps();
    let mut score = Score::default();
    for case in index["cases"].as_array().expect("with cases") {
        let id = case["id"].as_str().expect("each has an id");
        let Some((kind, name)) = id.split_once('/').filter(|(_, it)| it.starts_with(&only)) else { continue };
        if !matches!(kind, "domain" | "invalid-domain") || !name.contains(&only) {
            continue;
        }
        let needs_kvm = case["needs"].as_array().is_some_and(|it| it.iter().any(|it| it == "kvm"));
        let elsewhere = case["raw"].as_bool() == Some(true) || case["mask"].is_array() || case["pad"].is_u64();
        let of_the_host = case["host_specific"].as_bool() == Some(true);
        if needs_kvm == with_kvm && !elsewhere && !of_the_host {
            replay(&directory.join("cases").join(id), case, &caps, &mut score);
        }
    }
    let mut faults: Vec<_> = score.faults.iter().collect();
    faults.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    for (fault, names) in faults.iter().take(if only.is_empty() { 400 } else { 60 }) {
        eprintln!("{} x {}: {fault}", names.len(), names.iter().take(3).cloned().collect::<Vec<_>>().join(" "));
    }
    eprintln!("{:?}", score.counts);
    if only.is_empty() && !with_kvm {
        // What was reached once; raise it with what is done.
        assert!(score.share("xml") > 0.95, "definitions: {:?}", score.counts);
        assert!(score.share("argv") > 0.80, "command lines: {:?}", score.counts);
        assert!(score.share("error") > 0.90, "errors: {:?}", score.counts);
        assert!(score.share("fixed-point") > 0.99, "what is dumped changes when it is defined: {:?}", score.counts);
        assert!(score.share("validate") > 0.75, "strict reading: {:?}", score.counts);
    }
}
