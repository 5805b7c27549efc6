//! Documents made from the declarations themselves: each part, each form and each listed value of every document, with others
//! beside it by chance. What is read of one is written so that the same is read again.
//!
//! Nothing here names a part: a field that is declared is tested. `GENERATED_ROUNDS` makes more documents of each part (default 1),
//! `GENERATED_ONLY` takes the parts whose place begins so.

// A document that is not as it should be fails the test where it is.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use virtbus_schema::capabilities::Capabilities;
use virtbus_schema::domain_capabilities::DomainCapabilities;
use virtbus_schema::domain_status::DomainStatus;
use virtbus_schema::network_status::NetworkStatus;
use virtbus_schema::storage_pool_status::StoragePoolStatus;
use virtbus_schema::xml::{Document, FormatOptions, RawElement, RawPart, Writer, Xml, from_str, sample, to_string};
use virtbus_schema::{
    Domain, KnownCpu, Network, NetworkPort, Secret, StoragePool, StoragePoolCapabilities, StorageVolume,
};

/// All that a document can say.
const ALL: FormatOptions = FormatOptions { secure: true, inactive: false, migratable: false, status: true };

/// The ways in which documents are written: for a client, as a definition, for another host, as the state of a guest.
const WAYS: [FormatOptions; 4] = [
    FormatOptions { secure: false, inactive: false, migratable: false, status: false },
    FormatOptions { secure: true, inactive: true, migratable: false, status: false },
    FormatOptions { secure: true, inactive: true, migratable: true, status: false },
    ALL,
];

/// Written and read again it is the same, and in every way of writing the text is the same from then on.
fn check<T: Xml + PartialEq + Debug>(root: &str, value: &T) -> Result<(), String> {
    let read = |text: &str| from_str::<T>(text, root).map_err(|error| format!("{error}\n{text}"));
    for options in WAYS {
        let first = to_string(value, root, options);
        let again = read(&first)?;
        let second = to_string(&again, root, options);
        if first != second {
            return Err(format!("{options:?} {}", difference(&first, &second)));
        }
        if options == ALL && again != *value {
            return Err(format!("lost {}\n{first}", difference(&format!("{value:#?}"), &format!("{again:#?}"))));
        }
    }
    Ok(())
}

/// The document without the parts whose absence makes no difference to what is written: they need not come back.
fn without_silent<T: Xml>(root: &str, text: &str) -> String {
    let written = |text: &str| from_str::<T>(text, root).map(|it| to_string(&it, root, ALL)).ok();
    let whole = Document::parse(text).map(|it| RawElement::take(it.root())).unwrap();
    let mut text = text_of(&whole);
    let wanted = written(&text);
    let mut number = 0;
    loop {
        let mut less = Document::parse(&text).map(|it| RawElement::take(it.root())).unwrap();
        if !remove(&mut less, &mut (number + 1)) {
            return text;
        }
        let less = text_of(&less);
        if written(&less) == wanted {
            text = less;
            number = 0;
        } else {
            number += 1;
        }
    }
}

fn text_of(element: &RawElement) -> String {
    let mut w = Writer::new(ALL);
    element.put(&mut w);
    w.finish()
}

/// Removes one attribute or element, counted from the inside; `false` when there are not so many.
fn remove(element: &mut RawElement, countdown: &mut usize) -> bool {
    let mut at = 0;
    while let Some(part) = element.parts.get_mut(at) {
        if let RawPart::Element(inner) = part {
            if remove(inner, countdown) {
                return true;
            }
            *countdown -= 1;
            if *countdown == 0 {
                element.parts.remove(at);
                return true;
            }
        }
        at += 1;
    }
    if *countdown <= element.attrs.len() {
        element.attrs.remove(*countdown - 1);
        return true;
    }
    *countdown -= element.attrs.len();
    false
}

/// The places of a document's elements and attributes.
fn places(text: &str) -> BTreeSet<String> {
    fn add(element: &RawElement, around: &str, to: &mut BTreeSet<String>) {
        let path = if around.is_empty() { element.name.clone() } else { format!("{around}/{}", element.name) };
        to.extend(element.attrs.iter().map(|(name, _)| format!("{path}/@{name}")));
        for part in &element.parts {
            if let RawPart::Element(inner) = part {
                add(inner, &path, to);
            }
        }
        to.insert(path);
    }
    let mut found = BTreeSet::new();
    add(&RawElement::take(Document::parse(text).unwrap().root()), "", &mut found);
    found
}

/// The first line where two texts part, with what is around it.
fn difference(one: &str, other: &str) -> String {
    let at = one.lines().zip(other.lines()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| text.lines().skip(at.saturating_sub(3)).take(7).collect::<Vec<_>>().join("\n");
    let line = |text: &str| text.lines().nth(at).unwrap_or("the end").trim().to_owned();
    format!("{} | {}\nwas\n{}\nis\n{}", line(one), line(other), part(one), part(other))
}

/// A sequence of chances that is the same in each run.
fn chances(seed: usize) -> Vec<u32> {
    let mut state = seed as u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 32) as u32
    };
    (0..600).map(|_| next()).collect()
}

/// Reaches what a type declares, and sees it written. Chance does not find every place, for values have to agree: `missed` is how
/// many of a hundred it may miss. Of a document of many parts some are taken, evenly; `GENERATED_ALL` takes all.
fn check_all<T: Xml + PartialEq + Debug>(root: &str, missed: usize) {
    let rounds = std::env::var("GENERATED_ROUNDS").map_or(1, |it| it.parse().unwrap());
    let only = std::env::var("GENERATED_ONLY").unwrap_or_default();
    let inner = ["domstatus/domain/", "networkstatus/network/", "poolstate/pool/"];
    let is_wanted =
        |it: &sample::Target| it.path.starts_with(&only) && !inner.iter().any(|inner| it.path.starts_with(inner));
    let targets: Vec<_> = sample::targets::<T>(root).into_iter().filter(is_wanted).collect();
    let step = if std::env::var_os("GENERATED_ALL").is_some() { 1 } else { targets.len() / 220 + 1 };
    let mut tried = 0;
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    let mut refused: BTreeMap<String, (Vec<String>, String)> = BTreeMap::new();
    for (number, target) in targets.iter().enumerate().step_by(step) {
        tried += 1;
        let (mut written, mut last) = (0, None);
        for attempt in 0..rounds.max(ATTEMPTS) {
            if written >= rounds {
                break;
            }
            match sample::document::<T>(root, Some(target), &chances(number + attempt * 100_003)) {
                Ok((value, text)) => {
                    if let Err(fault) = check_but_silent(root, &value, &text) {
                        faults.entry(essence(&fault)).or_insert_with(|| format!("{target:?}: {fault}\nof {text}"));
                    }
                    let out = to_string(&value, root, ALL);
                    // One that says nothing where it stands may say something elsewhere.
                    let is_seen = !target.path.contains('@') || places(&out).contains(&target.path);
                    written += usize::from(is_seen);
                    last = Some("it says nothing".to_owned());
                }
                Err(why) => last = Some(format!("{}\n{}", why.error, why.text)),
            }
        }
        if let Some(why) = last.filter(|_| written == 0) {
            let name = target.value.map_or_else(|| target.path.clone(), |it| format!("{} = {it}", target.path));
            refused.entry(essence(&why)).or_insert((Vec::new(), why)).0.push(name);
        }
    }
    for (names, why) in refused.values() {
        println!("not seen: {names:#?}\n{why}");
    }
    for fault in faults.values() {
        println!("{fault}");
    }
    let unseen: usize = refused.values().map(|(names, _)| names.len()).sum();
    println!("{root}: {tried} of {} parts, {unseen} not seen", targets.len());
    assert_eq!(faults.len(), 0, "{root}: faults");
    assert!(unseen * 100 <= missed * tried, "{root}: {unseen} of {tried} were never read and written");
}

/// How often a part is tried.
const ATTEMPTS: usize = 4;

/// What faults of one cause have in common.
fn essence(fault: &str) -> String {
    fault.lines().take(1).flat_map(str::chars).filter(|it| !it.is_ascii_digit()).collect()
}

fn check_but_silent<T: Xml + PartialEq + Debug>(root: &str, value: &T, text: &str) -> Result<(), String> {
    check(root, value).or_else(|_| {
        let text = without_silent::<T>(root, text);
        check(root, &from_str::<T>(&text, root).unwrap())
    })
}

#[test]
fn domains() {
    // Devices must agree with their kind, which chance often misses.
    check_all::<Domain>(Domain::ROOT, 34);
}

#[test]
fn networks() {
    check_all::<Network>(Network::ROOT, 30);
    check_all::<NetworkPort>(NetworkPort::ROOT, 5);
}

#[test]
fn storage() {
    check_all::<StoragePool>(StoragePool::ROOT, 30);
    check_all::<StorageVolume>(StorageVolume::ROOT, 8);
    check_all::<Secret>(Secret::ROOT, 0);
}

#[test]
fn capabilities() {
    check_all::<Capabilities>("capabilities", 1);
    check_all::<DomainCapabilities>("domainCapabilities", 3);
    check_all::<StoragePoolCapabilities>("storagepoolCapabilities", 0);
    check_all::<KnownCpu>("cpu", 0);
}

/// What a daemon keeps of what runs; the document in it has been seen by itself.
#[test]
fn states() {
    check_all::<DomainStatus>(DomainStatus::ROOT, 0);
    check_all::<NetworkStatus>(NetworkStatus::ROOT, 0);
    check_all::<StoragePoolStatus>(StoragePoolStatus::ROOT, 0);
}

/// A document of a kind, whatever is in it, is the same when it is written and read again.
fn check_any<T: Xml + PartialEq + Debug>(root: &str, which: usize, chances: &[u32]) -> Result<(), TestCaseError> {
    let targets = sample::targets::<T>(root);
    // The remainder by a small number has chosen the kind.
    let target = &targets[which / 4 % targets.len()];
    let Ok((value, text)) = sample::document::<T>(root, Some(target), chances) else { return Ok(()) };
    check_but_silent(root, &value, &text).map_err(|fault| TestCaseError::fail(format!("{fault}\nof {text}")))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        max_shrink_iters: 300,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_domain(which in any::<usize>(), chances in prop::collection::vec(any::<u32>(), 0..200)) {
        check_any::<Domain>(Domain::ROOT, which, &chances)?;
    }

    #[test]
    fn any_other_document(which in any::<usize>(), chances in prop::collection::vec(any::<u32>(), 0..200)) {
        match which % 4 {
            0 => check_any::<Network>(Network::ROOT, which, &chances)?,
            1 => check_any::<NetworkPort>(NetworkPort::ROOT, which, &chances)?,
            2 => check_any::<StoragePool>(StoragePool::ROOT, which, &chances)?,
            _ => check_any::<StorageVolume>(StorageVolume::ROOT, which, &chances)?,
        }
    }
}
