//! The fuzz targets with random input for a moment each: a build without a fuzzer finds the coarse faults, too.
//! `cargo xtask fuzz` runs the same targets under libFuzzer.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use virtbus_proto::testing::{Source, shapes};

mod targets;

const SPAN: Duration = Duration::from_secs(2);

/// Runs a target on variations of the seeds.
fn check(target: fn(&[u8]), seeds: &[Vec<u8>]) {
    let mut source = Source::new(7);
    let end = Instant::now() + SPAN;
    while Instant::now() < end {
        for _ in 0..100 {
            let mut bytes = seeds[below(&mut source, seeds.len())].clone();
            for _ in 0..below(&mut source, 8) {
                mutate(&mut bytes, seeds, &mut source);
            }
            target(&bytes);
        }
    }
}

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], source: &mut Source) {
    let at = below(source, bytes.len() + 1);
    match source.below(5) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, source.word().to_be_bytes()[0]),
        2 => {
            let other = &seeds[below(source, seeds.len())];
            let from = below(source, other.len() + 1);
            bytes.splice(at..at, other[from..].iter().copied().take(64));
        }
        3 if at < bytes.len() => bytes[at] ^= 1 << source.below(8),
        _ if at < bytes.len() => drop(bytes.drain(at..(at + below(source, 16)).min(bytes.len()))),
        _ => bytes.extend(source.word().to_be_bytes()),
    }
}

fn below(source: &mut Source, bound: usize) -> usize {
    usize::try_from(source.below(bound as u64)).unwrap()
}

#[test]
fn frames() {
    let frame =
        [0, 0, 0, 32, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut with_fds = frame;
    with_fds[19] = 4;
    let two = [&[7][..], &frame, &frame].concat();
    check(targets::frame, &[two, [&[1][..], &with_fds].concat(), [&[255][..], &[0xff; 40]].concat()]);
}

#[test]
fn rows() {
    let mut source = Source::new(1);
    let mut seeds = Vec::new();
    for (number, row) in (0u16..).zip(shapes()) {
        for (direction, shape) in [row.arguments, row.reply].iter().enumerate() {
            if let Ok(payload) = (shape.sample)(&mut source) {
                let head = [&number.to_be_bytes()[..], &[u8::try_from(direction).unwrap()]].concat();
                seeds.push([head, payload].concat());
            }
        }
    }
    check(targets::row, &seeds);
}

#[test]
fn domains() {
    check(targets::xml, &seeds("xml"));
}

#[test]
fn other_documents() {
    check(targets::documents, &seeds("documents"));
}

#[test]
fn images() {
    check(targets::image, &seeds("image"));
}

#[test]
fn monitor_lines() {
    check(targets::qmp, &seeds("qmp"));
}

/// The files that the fuzzer starts from, too.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    fs::read_dir(dir).unwrap().map(|it| fs::read(it.unwrap().path()).unwrap()).collect()
}
