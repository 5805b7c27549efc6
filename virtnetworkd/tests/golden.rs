//! A corpus recorded from the reference: `GOLDEN_DIR` is a directory with `index.json` and `cases/KIND/NAME/`.
//!
//! `GOLDEN_ONLY` is a part of the names to run. Without `GOLDEN_DIR` the test says that it is skipped.

// A broken corpus should fail the test where it is read.
#![allow(clippy::expect_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use virtbus_api::{error::Error, network::UpdateCommand};
use virtbus_schema::{FormatOptions, Network, NetworkSection, SectionKind};
use virtnetworkd::update;

/// Right and all, by what was compared, and faults with their names.
#[derive(Default)]
struct Score {
    counts: BTreeMap<&'static str, (usize, usize)>,
    faults: Vec<String>,
}

impl Score {
    fn add(&mut self, what: &'static str, name: &str, fault: Option<String>) {
        let count = self.counts.entry(what).or_default();
        count.1 += 1;
        match fault {
            None => count.0 += 1,
            Some(fault) => self.faults.push(format!("{what} {name}: {fault}")),
        }
    }
}

type Done = Result<Network, (i32, String)>;

fn read(text: &str, strict: bool) -> Done {
    let network = if strict { Network::parse_strict(text) } else { Network::parse(text) };
    network.map_err(|fault| (fault.kind.code(), fault.to_string()))
}

fn updated(network: &str, part: &str, case: &Value) -> Done {
    let network = read(network, false)?;
    let number = |name: &str| case[name].as_i64().and_then(|it| i32::try_from(it).ok());
    let kind = number("section").and_then(SectionKind::from_number);
    let command = number("command").and_then(UpdateCommand::from_number);
    // Numbers that nobody knows are refused by the fronts.
    let (Some(kind), Some(command)) = (kind, command) else { return Err((84, "unknown number".to_owned())) };
    let section = NetworkSection { kind, text: part.to_owned() };
    let parent = number("parentIndex").and_then(|it| u32::try_from(it).ok());
    update::apply(&network, command, &section, parent).map_err(|error: Error| (error.code.number(), error.to_string()))
}

/// What is dumped and defined again is the same.
fn defined_again(network: &Network, options: FormatOptions) -> Option<String> {
    let first = network.format(options);
    match read(&first, false) {
        Ok(again) => difference(&first, &again.format(options)),
        Err((code, message)) => Some(format!("{code} {message}")),
    }
}

fn replay(directory: &Path, case: &Value, kind: &str, name: &str, score: &mut Score) {
    let file = |file: &str| std::fs::read_to_string(directory.join(file)).ok();
    let Some(text) = file("in.xml") else { return };
    let done = match kind {
        "netupdate" => updated(&file("network.xml").unwrap_or_default(), &text, case),
        _ => read(&text, false),
    };
    if let Some(want) = case["validate"].as_object() {
        let want = want.get("code").and_then(Value::as_i64);
        let got = read(&text, true).err();
        let right = got.as_ref().map(|(code, _)| i64::from(*code)) == want;
        score.add("validate", name, (!right).then(|| format!("want {want:?}, got {got:?}")));
    }
    let options = FormatOptions { inactive: true, secure: true, ..FormatOptions::default() };
    if let Ok(network) = &done {
        score.add("fixed-point", name, defined_again(network, options));
    }
    if let Some(error) = file("error.json") {
        let error: Value = serde_json::from_str(&error).expect("an error is JSON");
        let right = done.as_ref().err().is_some_and(|(code, _)| Some(i64::from(*code)) == error["code"].as_i64());
        let got = done.map(drop);
        score.add("error", name, (!right).then(|| format!("want {} {}, got {got:?}", error["code"], error["message"])));
    } else if let Some(want) = file("out.xml") {
        let fault = match done {
            Ok(network) => difference(&want, &network.format(options)),
            Err((code, message)) => Some(format!("{code} {message}")),
        };
        score.add("xml", name, fault);
    }
}

fn difference(want: &str, got: &str) -> Option<String> {
    let (mut want, mut got) = (want.lines(), got.lines());
    loop {
        match (want.next(), got.next()) {
            (None, None) => return None,
            (a, b) if a != b => return Some(format!("want {a:?}, got {b:?}")),
            _ => {}
        }
    }
}

#[test]
fn corpus_of_the_reference() {
    let Some(directory) = std::env::var_os("GOLDEN_DIR") else {
        eprintln!("skipped: GOLDEN_DIR names no corpus");
        return;
    };
    let directory = Path::new(&directory);
    let only = std::env::var("GOLDEN_ONLY").unwrap_or_default();
    let index = std::fs::read(directory.join("index.json")).expect("the corpus has an index");
    let index: Value = serde_json::from_slice(&index).expect("which is JSON");
    let mut score = Score::default();
    for case in index["cases"].as_array().expect("with cases") {
        let id = case["id"].as_str().expect("each has an id");
        let Some((kind, name)) = id.split_once('/').filter(|(_, it)| it.contains(&only)) else { continue };
        // Random values and what is already defined are the engine's matter.
        let elsewhere =
            case["raw"].as_bool() == Some(true) || case["mask"].is_array() || name == "dupuuid" || name == "longname5k";
        if matches!(kind, "network" | "invalid-network" | "netupdate") && !elsewhere {
            replay(&directory.join("cases").join(id), case, kind, name, &mut score);
        }
    }
    for fault in &score.faults {
        eprintln!("{fault}");
    }
    for (what, (right, all)) in &score.counts {
        eprintln!("{what}: {right} of {all}");
        assert!(right * 100 >= all * 95, "{what}: {right} of {all}");
    }
}
