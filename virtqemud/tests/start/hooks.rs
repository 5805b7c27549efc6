//! Scripts of the administrator hear of every turn, and can keep a guest from starting.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use virtbus_api::{
    ErrorCode,
    flags::StartFlags,
    hypervisor::{Domains, State},
};

use super::stand::{Stand, until};
use super::text;

fn script(root: &Path, body: &str) {
    let path = root.join("etc/hooks/qemu");
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
}

#[test]
fn a_new_daemon_tells_that_it_took_the_guest_over() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("one");
    let first = runtime();
    let (root, vm) = first.block_on(async {
        let stand = Stand::new().await;
        let vm = stand.define_text(&text("vm", "", "")).await;
        stand.start(&vm, StartFlags::PAUSED).await;
        (stand.root, vm)
    });
    // As kill -9 does: every task ends where it stands.
    first.shutdown_background();
    let log = root.path().join("hooks.log");
    script(root.path(), &format!("echo \"$*\" >> {}; exit 1", log.display()));
    runtime().block_on(async {
        let qemu = virtqemud::driver::Qemu::new(super::stand::config(root.path()));
        qemu.load().await.expect("loads");
        until("it is told", || std::fs::read_to_string(&log).is_ok_and(|it| it == "vm reconnect begin -\n")).await;
        // A script that fails ends nobody's guest.
        until("it is taken over", || qemu.state(&vm).is_ok_and(|it| it == State::PausedUser)).await;
        qemu.destroy(&vm, virtbus_api::flags::DestroyFlags::empty()).await.expect("destroyed");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_turn_is_told() {
    let stand = Stand::new().await;
    let log = stand.root.path().join("hooks.log");
    let note = format!("echo \"$* $(grep -c '<name>vm</name>')\" >> {}", log.display());
    script(stand.root.path(), &note);
    let told = || std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
    let vm = stand.define_text(&text("vm", "", "")).await;
    stand.start(&vm, StartFlags::empty()).await;
    assert_eq!(told(), ["vm prepare begin - 1", "vm start begin - 1", "vm started begin - 1"]);
    stand.destroy(&vm).await;
    let ends = ["vm stopped end - 1", "vm release end destroyed 1"];
    assert!(ends.iter().all(|it| told().iter().any(|said| said == it)), "{:?}", told());

    for operation in ["prepare", "start", "started"] {
        std::fs::write(&log, "").expect("written");
        script(stand.root.path(), &format!("{note}\n[ $2 != {operation} ] || {{ echo not today >&2; exit 1; }}"));
        let error = stand.qemu.start(&vm, StartFlags::empty(), stand.guard.lease()).await.expect_err(operation);
        assert_eq!(error.code, ErrorCode::HookScriptFailed, "{operation}: {error}");
        assert!(error.message().contains("not today"), "{error}");
        until("it is off", || stand.qemu.state(&vm).is_ok_and(|it| it == State::ShutoffFailed)).await;
        until("the end is told", || told().iter().any(|it| it == "vm release end failed 1")).await;
        assert!(!stand.root.path().join("run/qemu/vm.xml").exists());
    }
}
