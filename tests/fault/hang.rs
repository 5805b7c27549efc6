//! A QEMU that hangs (SIGSTOP): its reads are answered, its commands fail in time, nobody else notices.

use std::fs;
use std::time::{Duration, Instant};

use virtbus_proto::table::domain::{
    DomainDestroy, DomainGetInfo, DomainGetState, DomainGetXmlDesc, DomainLookupByName, DomainSuspend,
};
use virtbus_tests::world::{Door, World};
use xtask::processes;

use super::{client, code};

/// Longer than any deadline a user should have to wait for.
const DEADLINE: Duration = Duration::from_secs(60);
/// A read that is answered from what is published, on a busy machine.
const AT_ONCE: Duration = Duration::from_millis(250);
const OPERATION_TIMEOUT: i32 = 68;

#[test]
fn a_stopped_qemu_holds_up_nobody() {
    let world = World::start();
    for name in ["stuck", "other"] {
        world.write("one.xml", &world.domain(name, ""));
        world.virsh(Door::Proxy, &["define", "one.xml"]);
        world.virsh(Door::Proxy, &["start", name]);
    }
    let mut reader = client(&world, Door::Proxy);
    let mut lookup = |name: &str| reader.call(&DomainLookupByName { name: name.into() }).unwrap().dom;
    let (stuck, other) = (lookup("stuck"), lookup("other"));
    let pid = fs::read_to_string(world.stack.root().join("run/libvirt/qemu/stuck.pid")).unwrap();
    let pid: i32 = pid.trim().parse().unwrap();
    processes::signal(pid, nix::sys::signal::Signal::SIGSTOP);

    std::thread::scope(|scope| {
        let suspend = scope.spawn(|| {
            let begin = Instant::now();
            let mut writer = client(&world, Door::Proxy);
            (writer.call(&DomainSuspend { dom: stuck.clone() }), begin.elapsed())
        });
        // While that call waits.
        std::thread::sleep(Duration::from_millis(200));
        let mut slowest = Duration::ZERO;
        for _ in 0..100 {
            let begin = Instant::now();
            for dom in [&stuck, &other] {
                reader.call(&DomainGetInfo { dom: dom.clone() }).unwrap();
                reader.call(&DomainGetState { dom: dom.clone(), flags: 0 }).unwrap();
                reader.call(&DomainGetXmlDesc { dom: dom.clone(), flags: 0 }).unwrap();
            }
            slowest = slowest.max(begin.elapsed());
        }
        assert!(slowest < AT_ONCE, "six reads took up to {slowest:?}");
        let begin = Instant::now();
        world.virsh(Door::Proxy, &["suspend", "other"]);
        world.virsh(Door::Proxy, &["resume", "other"]);
        assert!(begin.elapsed() < Duration::from_secs(3), "the other guest's commands took {:?}", begin.elapsed());

        let (answer, time) = suspend.join().unwrap();
        let why = answer.expect_err("a stopped QEMU cannot suspend");
        assert_eq!(code(&why), Some(OPERATION_TIMEOUT), "{why:#}");
        assert!(why.to_string().contains("stuck"), "the message names the guest: {why:#}");
        assert!(time < DEADLINE, "it took {time:?}");
    });

    let begin = Instant::now();
    client(&world, Door::Proxy).call(&DomainDestroy { dom: stuck }).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(20), "destroying it took {:?}", begin.elapsed());
    assert!(!processes::is_running(pid));
    assert_eq!(world.virsh(Door::Proxy, &["domstate", "stuck"]), "shut off");
    assert_eq!(world.virsh(Door::Proxy, &["domstate", "other"]), "running");
}
