//! Which crate may depend on which: the table of ARCHITECTURE.md, checked against `cargo metadata`.

use std::path::Path;

use anyhow::Result;
use cargo_metadata::{DependencyKind, MetadataCommand};

/// What an engine's daemon may depend on: its library on what lies below the fronts, its `main.rs` on all of it.
const ENGINE: &[&str] = &[
    "virtbus-api",
    "virtbus-schema",
    "virtbus-store",
    "virtbus-host",
    "virtbus-rpc",
    "virtbus-rpc-front",
    "virtbus-dbus-front",
    "virtbus-dbus-remote",
    "virtbus-daemon",
    "zbus",
];

/// What one crate may depend on beyond that.
const BEYOND: &[(&str, &str)] = &[("virtqemud", "virtbus-qmp")];

/// A crate, and everything of ours (and `zbus`) that it may depend on. The order is the order of the levels.
const ALLOWED: &[(&str, &[&str])] = &[
    ("virtbus-xml-derive", &[]),
    ("virtbus-proto", &[]),
    ("virtbus-host", &[]),
    ("virtbus-polkit", &["zbus"]),
    ("virtbus-xml", &["virtbus-xml-derive"]),
    ("virtbus-rpc", &["virtbus-proto", "virtbus-host", "virtbus-polkit"]),
    ("virtbus-qmp", &["virtbus-host"]),
    ("virtbus-daemon", &["virtbus-host"]),
    ("virtbus-schema", &["virtbus-xml"]),
    ("virtbus-api", &["virtbus-schema"]),
    ("virtbus-rpc-front", &["virtbus-api", "virtbus-schema", "virtbus-proto", "virtbus-rpc"]),
    ("virtbus-dbus-front", &["virtbus-api", "virtbus-schema", "virtbus-polkit", "zbus"]),
    ("virtbus-dbus-remote", &["virtbus-api", "virtbus-schema", "zbus"]),
    ("virtbus-store", &["virtbus-schema"]),
    ("virtbus-sim", &["virtbus-api", "virtbus-schema"]),
    ("virtstoraged", ENGINE),
    ("virtnetworkd", ENGINE),
    ("virtqemud", ENGINE),
    ("virtproxyd", &["virtbus-proto", "virtbus-rpc", "virtbus-daemon", "zbus"]),
    ("xtask", &["virtbus-proto"]),
    // A test may look at everything; what it does with that is for its reviewer.
    ("virtbus-tests", &["xtask"]),
];

/// Names that a library part of a daemon must not say: `main.rs` alone joins engine and fronts.
const FRONTS: &[&str] = &[
    "virtbus_rpc_front",
    "virtbus_dbus_front",
    "virtbus_dbus_remote",
    "virtbus_rpc",
    "virtbus_proto",
    "virtbus_daemon",
    "zbus",
];

/// The files of composition roots, beside `main.rs` itself.
const ROOTS: &[&str] = &["virtnetworkd/src/settings.rs", "virtqemud/src/settings.rs", "virtstoraged/src/settings.rs"];

/// Where an engine is a client of a service of the host that is reached over D-Bus alone. What is ours speaks it in the fronts.
const HOST_SERVICES: &[&str] = &["virtnetworkd/src/dhcp/resolved", "virtnetworkd/src/firewall/firewalld"];

/// The libraries that hold an engine.
const ENGINES: &[&str] = &["virtnetworkd/src/", "virtqemud/src/", "virtstoraged/src/"];

pub(super) fn problems(top: &Path) -> Result<Vec<String>> {
    let metadata = MetadataCommand::new().manifest_path(top.join("Cargo.toml")).no_deps().exec()?;
    let ours: Vec<_> = metadata.packages.iter().map(|it| it.name.to_string()).collect();
    let mut problems = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = ALLOWED.iter().find(|it| it.0 == name) else {
            problems.push(format!("{name}: a new crate; say in xtask/src/tidy/edges.rs what it may depend on"));
            continue;
        };
        let dependencies = package.dependencies.iter().filter(|it| it.kind != DependencyKind::Development);
        for dependency in dependencies.map(|it| it.name.as_str()) {
            let counts = dependency == "zbus" || ours.iter().any(|it| it == dependency);
            if counts && !allowed.contains(&dependency) && !BEYOND.contains(&(name, dependency)) {
                problems.push(format!("{name}: must not depend on {dependency}"));
            }
        }
    }
    problems.extend(engines_naming_fronts(top)?);
    Ok(problems)
}

fn engines_naming_fronts(top: &Path) -> Result<Vec<String>> {
    let files = super::files(top)?;
    let engine = |it: &&super::File| ENGINES.iter().any(|dir| it.name.starts_with(dir)) && it.is_rust();
    let mut problems = Vec::new();
    for file in
        files.iter().filter(engine).filter(|it| !it.name.ends_with("src/main.rs") && !ROOTS.contains(&&*it.name))
    {
        let text = file.text()?;
        for (number, line) in (1..).zip(text.lines()).filter(|it| !it.1.trim_start().starts_with("//")) {
            let is_path = |name: &&&str| line.contains(&format!("{name}::"));
            let is_client = HOST_SERVICES.iter().any(|it| file.name.starts_with(it));
            for name in FRONTS.iter().filter(is_path).filter(|it| **it != "zbus" || !is_client) {
                problems.push(format!("{}:{number}: an engine must not name {name}", file.name));
            }
        }
    }
    Ok(problems)
}
