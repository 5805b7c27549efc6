//! Walks through the daemons in the lab, a virtual machine whose kernel has what others lack: LVM, file servers and clients,
//! rates. Each walk is a script; what it says has to be what stands beside it (`UPDATE_GOLDEN=1` rewrites it), which is
//! what the reference says to the same script where it can be asked.
//!
//! One machine serves all walks of a run, one after another. `WHO=reference` runs the reference instead.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]
#![allow(clippy::print_stderr, reason = "what the lab logged is for whoever reads the failure")]

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use virtbus_tests::ledger::{check_file, tests_dir};
use xtask::lab::Lab;

/// How long a walk may take; alone on two cores it takes a fifth of that.
const PATIENCE: Duration = Duration::from_secs(600);

fn script(name: &str) -> String {
    let path = tests_dir().join("lab").join(name).with_extension("sh");
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Runs a walk, and leaves the machine as it was found.
fn walk(name: &str) {
    static LAB: LazyLock<Mutex<Lab>> = LazyLock::new(|| Mutex::new(Lab::boot().expect("a lab")));
    let mut lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let who = std::env::var("WHO").unwrap_or_else(|_| "ours".to_owned());
    let parts = [format!("WHO={who}\n"), script("hands"), script("server"), script(name), script("leave")];
    let said = lab.run(&parts.concat(), PATIENCE).expect("the lab");
    let logs = lab.run("tail -n 40 /run/*.log; dmesg | tail -n 20", PATIENCE).expect("the lab").out;
    let shown = std::panic::catch_unwind(|| {
        check_file(&format!("lab/{name}.txt"), &said.out);
    });
    if let Err(difference) = shown {
        eprintln!("{}\n{logs}", said.err);
        std::panic::resume_unwind(difference);
    }
    assert_eq!(said.code, 0, "{}\n{logs}", said.err);
}

#[test]
fn a_volume_group_from_bare_disks_and_back() {
    walk("logical");
}

#[test]
fn file_systems_and_partitions() {
    walk("files");
}

#[test]
fn a_file_server() {
    walk("netfs");
}

#[test]
fn control_groups() {
    walk("groups");
}

#[test]
fn a_tpm_and_its_secret() {
    walk("tpm");
}

#[test]
fn functions_of_the_host() {
    walk("functions");
}

/// Of what runs here; the reference is told the same by other means.
#[test]
fn rates_and_vlans() {
    if std::env::var_os("WHO").is_none() {
        walk("rates");
    }
}

/// Not with the reference, which would wait without end.
#[test]
fn a_file_server_that_does_not_answer() {
    if std::env::var_os("WHO").is_none() {
        walk("hang");
    }
}
