//! How long definitions take to read and to write: the documents of `tests/domains`, or files named as arguments.
//!
//! `cargo run --release -p virtbus-schema --example reading [FILE...]`

// A measurement by hand: it prints, and a file that is not there ends it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use virtbus_schema::{Domain, FormatOptions, xml::Document};

const ROUNDS: u32 = 2000;

fn files() -> Vec<std::path::PathBuf> {
    let named: Vec<_> = std::env::args_os().skip(1).map(Into::into).collect();
    if !named.is_empty() {
        return named;
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/domains");
    let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    found.sort();
    found
}

/// The time of one of many rounds.
fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        std::hint::black_box(work());
    }
    begun.elapsed() / ROUNDS
}

fn main() {
    println!("{:>8} {:>12} {:>12} {:>12}", "bytes", "parsed", "read", "written");
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let domain = Domain::parse(&text).unwrap();
        let parsed = time(|| Document::parse(&text).unwrap().root().line());
        let read = time(|| Domain::parse(&text).unwrap());
        let written = time(|| domain.format(FormatOptions::default()));
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        println!("{:>8} {parsed:>12.1?} {read:>12.1?} {written:>12.1?}  {name}", text.len());
    }
}
