//! Headers of disk images, under libFuzzer.
#![no_main]

#[path = "../targets.rs"]
#[allow(dead_code, reason = "the other targets are in it as well")]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::image(data));
