//! Version 2 on a directory that looks like one; version 1 on the host, where that has it and lets us.

use super::*;

/// A directory with the files a kernel would have made in it.
fn fake(at: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(at).expect("a directory");
    for (name, content) in files {
        fs::write(at.join(name), content).expect("a file");
    }
}

#[test]
fn version_2_is_told_in_its_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    fake(root, &[("cgroup.controllers", "cpuset cpu io memory pids"), ("cgroup.subtree_control", "memory")]);
    let machine = root.join("machine");
    fake(&machine, &[("cgroup.subtree_control", "")]);
    let vm = machine.join("vm");
    let files =
        ["cgroup.procs", "cpu.weight", "memory.max", "memory.swap.max", "io.weight", "cpuset.cpus", "cpuset.mems"];
    fake(&vm, &files.map(|it| (it, "")));
    fake(&vm, &[("cpu.max", "max 100000\n")]);
    let group = Group::make(&Mounts::unified(root), Path::new("machine/vm")).expect("made");
    assert!(Controller::ALL.into_iter().all(|it| group.has(it)));
    let said = |name: &str| fs::read_to_string(vm.join(name)).expect("a file");
    group.add_process(4711).expect("added");
    assert_eq!(said("cgroup.procs"), "4711");
    group.set_cpu_shares(200).expect("set");
    assert_eq!((said("cpu.weight").as_str(), group.cpu_shares().expect("read")), ("200", 200));
    group.set_cpu_limit(CpuLimit { period: None, quota: Some(5000) }).expect("set");
    assert_eq!(said("cpu.max").lines().next(), Some("5000 100000"));
    group.set_memory_limit(Some(1024)).expect("set");
    group.set_swap_limit(Some(3072), Some(1024)).expect("set");
    assert_eq!((said("memory.max"), said("memory.swap.max")), ("1048576".to_owned(), "2097152".to_owned()));
    assert!(group.set_swap_limit(Some(1), Some(1024)).is_err());
    group.set_io_weight(300).expect("set");
    assert_eq!(said("io.weight"), "default 300");
    group.set_nodes(&[0].into(), true).expect("set");
    assert_eq!(said("cpuset.mems"), "0");
    let error = group.set_device_limits(root, DeviceLimits::default()).expect_err("a directory");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_host_without_groups_says_so() {
    let error = Group::at(&Mounts::default(), Path::new("machine")).expect_err("none");
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
}

#[test]
fn threads_have_limits_of_their_own() {
    let Ok(mounts) = Mounts::read() else { return };
    let name = format!("virtbus-test-{}", std::process::id());
    // Without the right to make one (an ordinary user, a container) there is nothing to see.
    let Ok(group) = Group::make(&mounts, Path::new(&name)) else { return };
    if !group.has(Controller::Cpu) {
        return group.remove().expect("removed");
    }
    let mut child = crate::process::Spawn::new("sleep").arg("60").spawn().expect("a process");
    group.add_process(child.pid()).expect("moved");
    let threads = group.threads("vcpu0").expect("made");
    threads.add_thread(child.pid()).expect("moved");
    threads.set_cpu_limit(CpuLimit { period: Some(100_000), quota: Some(50_000) }).expect("set");
    let limit = threads.cpu_limit().expect("read");
    assert_eq!(limit, CpuLimit { period: Some(100_000), quota: Some(50_000) });
    assert!(group.exists());
    child.signal(nix::sys::signal::Signal::SIGKILL).expect("killed");
    while child.try_exited().expect("a child").is_none() {
        #[allow(clippy::disallowed_methods, reason = "a test may block")]
        std::thread::sleep(Duration::from_millis(5));
    }
    group.remove().expect("removed");
    assert!(!group.exists());
}
