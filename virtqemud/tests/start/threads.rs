//! vCPUs in any order, and where threads run.

use std::collections::BTreeSet;

use virtbus_api::{
    ErrorCode,
    flags::{StartFlags, XmlFlags},
    hypervisor::{Domains, State},
};
use virtbus_host::schedule;

use super::stand::Stand;
use super::{ask, started, text};

const VCPUS: &str = "<vcpu current='3'>4</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>\
    <vcpu id='1' enabled='no' hotpluggable='yes'/><vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>\
    <vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/></vcpus>";

/// (processor, thread)
async fn vcpus(stand: &Stand, vm: &virtbus_api::DomainRef) -> Vec<(u64, i32)> {
    let cpus = ask(stand, vm, r#"{"execute":"query-cpus-fast"}"#).await;
    let one = |it: &serde_json::Value| {
        let thread = it["thread-id"].as_i64().expect("a number");
        (it["cpu-index"].as_u64().expect("a number"), i32::try_from(thread).expect("a number"))
    };
    let mut all: Vec<_> = cpus.as_array().expect("a list").iter().map(one).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vcpus_are_plugged_in_any_order() {
    let stand = Stand::new().await;
    let vm = started(&stand, "vm", VCPUS, "").await;
    let there: Vec<u64> = vcpus(&stand, &vm).await.iter().map(|(id, _)| *id).collect();
    assert_eq!(there, [0, 2, 3]);
    let slots = ask(&stand, &vm, r#"{"execute":"query-hotpluggable-cpus"}"#).await;
    let named = |it: &serde_json::Value| it["qom-path"].as_str().map(str::to_owned);
    let plugged: BTreeSet<String> = slots.as_array().expect("a list").iter().filter_map(named).collect();
    assert!(
        plugged.contains("/machine/peripheral/vcpu2") && plugged.contains("/machine/peripheral/vcpu3"),
        "{plugged:?}"
    );
    let live = stand.qemu.xml(&vm, XmlFlags::empty()).expect("known");
    assert_eq!(live.vcpu.online(), 3);
    stand.destroy(&vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_run_where_and_as_the_document_says() {
    let online = virtbus_host::cpu::Topology::read().online();
    let (Some(first), Some(last)) = (online.first(), online.last()) else { panic!("a host without processors") };
    let stand = Stand::new().await;
    let top = format!(
        "<vcpu cpuset='{last}'>2</vcpu><iothreads>2</iothreads><cputune><vcpupin vcpu='0' cpuset='{first}'/>\
         <emulatorpin cpuset='{first}'/><iothreadpin iothread='2' cpuset='{first}'/><emulatorsched scheduler='batch'/>\
         <vcpusched vcpus='1' scheduler='batch'/><iothreadsched iothreads='1' scheduler='idle'/></cputune>"
    );
    let vm = started(&stand, "vm", &top, "").await;
    let at = |tid: i32| schedule::pinned(tid).expect("a thread");
    let policy = |tid: i32| schedule::policy_number(tid).expect("a thread");
    let (first, last) = (BTreeSet::from([*first]), BTreeSet::from([*last]));
    let cpus = vcpus(&stand, &vm).await;
    assert_eq!((at(cpus[0].1), at(cpus[1].1)), (first.clone(), last.clone()));
    // SCHED_OTHER, SCHED_BATCH, SCHED_IDLE.
    assert_eq!((policy(cpus[0].1), policy(cpus[1].1)), (0, 3));
    let threads = ask(&stand, &vm, r#"{"execute":"query-iothreads"}"#).await;
    let thread = |id: &str| {
        let found = threads.as_array().expect("a list").iter().find(|it| it["id"] == id).expect("there");
        i32::try_from(found["thread-id"].as_i64().expect("a number")).expect("a number")
    };
    assert_eq!((at(thread("iothread1")), at(thread("iothread2"))), (last, first.clone()));
    assert_eq!((policy(thread("iothread1")), policy(thread("iothread2"))), (5, 0));
    let pid = stand.pid("vm").as_raw();
    assert_eq!((at(pid), policy(pid)), (first, 3));
    stand.destroy(&vm).await;

    let nowhere = stand.define_text(&text("nowhere", "<vcpu cpuset='4095'>1</vcpu>", "")).await;
    let error = stand.qemu.start(&nowhere, StartFlags::PAUSED, stand.guard.lease()).await.expect_err("no such one");
    assert_eq!(error.code, ErrorCode::SystemError);
    assert!(error.message().contains("cannot set CPU affinity"), "{error}");
    assert_eq!(stand.qemu.state(&nowhere).expect("known"), State::ShutoffFailed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_kept_by_control_groups() {
    let stand = Stand::new().await;
    let top = "<memtune><hard_limit unit='MiB'>900</hard_limit></memtune><vcpu>1</vcpu><cputune><shares>512</shares>\
        <period>100000</period><quota>50000</quota><emulator_period>100000</emulator_period>\
        <emulator_quota>60000</emulator_quota></cputune>";
    let vm = stand.define_text(&text("limited", top, "")).await;
    match stand.qemu.start(&vm, StartFlags::PAUSED, stand.guard.lease()).await {
        Ok(_) => {}
        // A machine that lets nobody make groups says so, naming the element.
        Err(error) if error.code == ErrorCode::ConfigUnsupported && error.message().contains("<cputune>") => return,
        Err(error) => panic!("{error}"),
    }
    let pid = stand.pid("limited").as_raw();
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its groups");
    let path = groups.lines().find_map(|it| it.split_once("machine/qemu-1-limited")).expect("in a group of its own").1;
    let path = format!("machine/qemu-1-limited{}", path.trim_end_matches("/emulator"));
    let mounts = virtbus_host::cgroup::Mounts::read().expect("mounts");
    let group = virtbus_host::cgroup::Group::at(&mounts, std::path::Path::new(&path)).expect("groups");
    assert_eq!(group.cpu_shares().expect("shares"), 512);
    assert_eq!(group.below("vcpu0").cpu_limit().expect("a limit").quota, Some(50_000));
    assert_eq!(group.below("emulator").cpu_limit().expect("a limit").quota, Some(60_000));
    stand.destroy(&vm).await;
    assert!(!group.exists(), "gone with the guest");
}
