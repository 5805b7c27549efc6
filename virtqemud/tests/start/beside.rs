//! Processes beside QEMU: their end is noticed, and they end with the guest.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use virtbus_api::{
    flags::MessageFlags,
    hypervisor::{Domains, State},
};

use super::stand::{Stand, until};
use super::started;

fn pid_in(path: &std::path::Path) -> Option<Pid> {
    Some(Pid::from_raw(std::fs::read_to_string(path).ok()?.trim().parse().ok()?))
}

pub(crate) fn installed(program: &str) -> bool {
    virtbus_host::process::find_program(program).is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tpm_that_dies_is_told_and_the_guest_goes_on() {
    if !installed("swtpm") || !installed("swtpm_setup") {
        return;
    }
    let stand = Stand::new().await;
    let tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>";
    let vm = started(&stand, "vm", "", tpm).await;
    let pid = pid_in(&stand.root.path().join("run/qemu/swtpm/1-vm-swtpm.pid")).expect("a pid file");
    // It is another daemon's to notice as well.
    let again = stand.restarted().await;
    until("taken over", || again.state(&vm).is_ok_and(|it| it == State::PausedUser)).await;
    kill(pid, Signal::SIGKILL).expect("killed");
    let begun = Instant::now();
    let told = |qemu: &virtqemud::driver::Qemu| {
        let said = qemu.messages(&vm, MessageFlags::empty()).expect("known");
        said.iter().any(|it| it.contains("swtpm of vm ended unexpectedly (ended by SIGKILL); the guest has no TPM"))
    };
    until("it is told", || told(&stand.qemu)).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    until("the other tells it too", || {
        let said = again.messages(&vm, MessageFlags::empty()).expect("known");
        said.iter().any(|it| it.contains("swtpm of 1-vm ended unexpectedly"))
    })
    .await;
    assert_eq!(stand.qemu.state(&vm).expect("known"), State::PausedUser);
    stand.destroy(&vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_of_its_own_comes_back() {
    if !installed("passt") {
        return;
    }
    let stand = Stand::new().await;
    let card = "<interface type='user'><backend type='passt'/><model type='virtio'/></interface>";
    let vm = started(&stand, "vm", "", card).await;
    let file = stand.root.path().join("run/qemu/passt/1-vm-net0-passt.pid");
    let first = pid_in(&file).expect("a pid file");
    tokio::time::sleep(Duration::from_secs(3)).await;
    kill(first, Signal::SIGKILL).expect("killed");
    until("another one", || pid_in(&file).is_some_and(|it| it != first)).await;
    let second = pid_in(&file).expect("a pid file");
    until("its start is told", || {
        let said = stand.qemu.messages(&vm, MessageFlags::empty()).expect("known");
        said.iter().any(|it| it.contains("passt of net0 was started again"))
    })
    .await;
    stand.destroy(&vm).await;
    until("it ends with its guest", || kill(second, None).is_err()).await;
    assert!(!file.exists());
}
