//! Documents of networks, ports, pools, volumes and secrets, under libFuzzer.
#![no_main]

#[path = "../targets.rs"]
#[allow(dead_code, reason = "the other targets are in it as well")]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::documents(data));
