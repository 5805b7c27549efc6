//! The language bindings as their users have them: each script walks the lifecycle with events and prints what it saw.

use std::fs;

use virtbus_tests::ledger::tests_dir;
use virtbus_tests::world::{DOORS, Door, World};

fn check_script(interpreter: &str, name: &str) {
    check_script_by(&DOORS, interpreter, name);
}

fn check_script_by(doors: &[Door], interpreter: &str, name: &str) {
    let script = tests_dir().join("clients").join(name);
    for &door in doors {
        let world = World::start();
        fs::copy(&script, world.files().join(name)).unwrap();
        let out = world.client(interpreter, door).arg(name).output().unwrap();
        let (printed, said) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        let log = || world.stack.log("virtqemud");
        assert!(out.status.success(), "{name} through {door:?}: {}\n{printed}\n{said}\n{}", out.status, log());
    }
}

// Debian's bindings are built for Debian's python, whichever comes first on the path.
#[test]
fn python() {
    check_script("/usr/bin/python3", "lifecycle.py");
}

#[test]
fn python_with_pools_secrets_and_networks() {
    check_script("/usr/bin/python3", "objects.py");
}

/// The other door is D-Bus, and both are in the script.
#[test]
fn python_with_what_is_made_to_hurt() {
    check_script_by(&[Door::Direct], "/usr/bin/python3", "hostile.py");
}

#[test]
fn perl() {
    check_script("/usr/bin/perl", "lifecycle.pl");
}
