//! The life of guests, with real QEMU: start, pause, end, survive the daemon, be stuck.

#![allow(clippy::disallowed_methods, reason = "a test's own tasks need no name")]

mod stand;

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use virtbus_api::{
    ErrorCode,
    event::Lifecycle,
    flags::{
        ConsoleFlags, DefineFlags, DestroyFlags, Impact, ListFilter, ShutdownFlags, StartFlags, UndefineFlags, XmlFlags,
    },
    hypervisor::{Consoles, Domains, Guest, Jobs, KeyCodeSet, Metadata, MetadataKind, Monitor, State},
    refs::LeaseGuard,
};

use stand::{Stand, document, lifecycle, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_with_its_events() {
    let stand = Stand::new().await;
    let qemu = &stand.qemu;
    let mut events = qemu.events();
    let vm = stand.define("vm").await;
    assert_eq!(lifecycle(&mut events), [Lifecycle::DefinedAdded]);
    assert_eq!(qemu.state(&vm).expect("known"), State::ShutoffUnknown);

    let started = stand.start(&vm, StartFlags::empty()).await;
    assert_eq!(started.id, Some(1));
    assert_eq!(lifecycle(&mut events), [Lifecycle::ResumedUnpaused, Lifecycle::StartedBooted]);
    assert_eq!(qemu.state(&vm).expect("known"), State::RunningBooted);
    let again = qemu.start(&vm, StartFlags::empty(), stand.guard.lease()).await.expect_err("runs already");
    assert_eq!(again.message(), "Requested operation is not valid: domain is already running");

    qemu.suspend(&vm).await.expect("paused");
    qemu.suspend(&vm).await.expect("already paused");
    assert_eq!(qemu.state(&vm).expect("known"), State::PausedUser);
    qemu.resume(&vm).await.expect("resumed");
    assert_eq!(qemu.state(&vm).expect("known"), State::RunningUnpaused);
    let running = qemu.resume(&vm).await.expect_err("runs already");
    assert_eq!(running.message(), "Requested operation is not valid: domain is already running");
    assert_eq!(lifecycle(&mut events), [Lifecycle::SuspendedPaused, Lifecycle::ResumedUnpaused]);
    qemu.reset(&vm).await.expect("reset");
    qemu.send_key(&vm, KeyCodeSet::Linux, 0, &[30]).await.expect("a key");
    assert_eq!(qemu.lookup_by_id(1).expect("found").uuid, vm.uuid);
    assert!(qemu.info(&vm).expect("known").cpu_time_ns > 0);

    stand.destroy(&vm).await;
    assert_eq!(lifecycle(&mut events), [Lifecycle::ShutdownHost, Lifecycle::StoppedDestroyed]);
    assert_eq!(qemu.state(&vm).expect("known"), State::ShutoffDestroyed);
    let off = qemu.destroy(&vm, DestroyFlags::empty()).await.expect_err("is off");
    assert_eq!(off.message(), "Requested operation is not valid: domain is not running");
    assert!(!stand.root.path().join("lib/domain-1-vm").exists());
    assert!(!stand.root.path().join("run/qemu/vm.xml").exists());
    let log = std::fs::read_to_string(stand.root.path().join("log/vm.log")).expect("a log");
    assert!(log.contains(": starting up libvirt version: 11.3.0"), "{log}");
    assert!(log.trim_end().ends_with(": shutting down, reason=destroyed"), "{log}");

    qemu.undefine(&vm, UndefineFlags::empty()).await.expect("undefined");
    assert_eq!(lifecycle(&mut events), [Lifecycle::UndefinedRemoved]);
    let gone = qemu.state(&vm).expect_err("gone");
    assert_eq!(gone.code, ErrorCode::NoDomain);
    assert!(qemu.list(ListFilter::empty()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transient_domains_vanish_and_names_are_unique() {
    let stand = Stand::new().await;
    let qemu = &stand.qemu;
    let mut one = document("one");
    one.uuid = Some(uuid::Uuid::from_u128(7));
    let live = qemu.create(one.clone(), StartFlags::PAUSED, stand.guard.lease()).await.expect("runs");
    assert_eq!(qemu.state(&live).expect("known"), State::PausedUser);
    assert!(!qemu.is_persistent(&live).expect("known"));
    let again = qemu.create(one.clone(), StartFlags::PAUSED, stand.guard.lease()).await.expect_err("runs");
    assert_eq!(again.message(), "Requested operation is not valid: domain 'one' is already active");
    let other = qemu.define(document("one"), DefineFlags::empty()).await.expect_err("the name is taken");
    let uuid = uuid::Uuid::from_u128(7);
    assert_eq!(other.message(), format!("operation failed: domain 'one' already exists with uuid {uuid}"));
    let mut two = document("two");
    two.uuid = Some(uuid);
    let taken = qemu.define(two, DefineFlags::empty()).await.expect_err("the uuid is taken");
    assert_eq!(taken.message(), format!("operation failed: domain 'one' is already defined with uuid {uuid}"));
    let autostart = qemu.set_autostart(&live, true).await.expect_err("transient");
    assert!(autostart.message().ends_with("cannot set autostart for transient domain"));

    qemu.define(one, DefineFlags::empty()).await.expect("persistent now");
    assert!(qemu.is_persistent(&live).expect("known"));
    qemu.undefine(&live, UndefineFlags::empty()).await.expect("transient again");
    stand.destroy(&live).await;
    assert!(qemu.list(ListFilter::empty()).is_empty());
}

#[test]
fn a_guest_outlives_its_daemon() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("one");
    let first = runtime();
    let (root, vm, off, pid) = first.block_on(async {
        let stand = Stand::new().await;
        let vm = stand.define("vm").await;
        stand.start(&vm, StartFlags::empty()).await;
        let off = stand.define("off").await;
        let pid = stand.pid("vm");
        (stand.root, vm, off, pid)
    });
    // As kill -9 does: every task ends where it stands.
    first.shutdown_background();
    runtime().block_on(async {
        let qemu = virtqemud::driver::Qemu::new(stand::config(root.path()));
        let stand = Stand { root, qemu, guard: LeaseGuard::new(2) };
        stand.qemu.load().await.expect("loads");
        let qemu = &stand.qemu;
        assert_eq!(qemu.state(&vm).expect("known"), State::RunningBooted);
        assert_eq!(qemu.state(&off).expect("known"), State::ShutoffUnknown);
        assert_eq!(qemu.lookup_by_id(1).expect("found").uuid, vm.uuid);
        let mut events = qemu.events();
        qemu.suspend(&vm).await.expect("paused");
        assert_eq!(lifecycle(&mut events), [Lifecycle::SuspendedPaused]);
        let said = qemu.monitor_command(&vm, "{\"execute\":\"query-status\"}", false).await.expect("answered");
        assert!(said.starts_with("{\"return\":{\"status\":\"paused\""), "{said}");
        qemu.open_console(&vm, None, ConsoleFlags::empty()).await.expect("the console works");
        assert_eq!(stand.pid("vm"), pid);
        let next = stand.start(&off, StartFlags::PAUSED).await;
        assert_eq!(next.id, Some(2), "ids go on");
        stand.destroy(&off).await;
        stand.destroy(&vm).await;
        assert!(!stand.root.path().join("lib/domain-1-vm").exists());
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_qemu_holds_up_nobody() {
    let stand = Stand::new().await;
    let (stuck, well) = (stand.define("stuck").await, stand.define("well").await);
    stand.start(&stuck, StartFlags::empty()).await;
    stand.start(&well, StartFlags::empty()).await;
    let pid = stand.pid("stuck");
    kill(pid, Signal::SIGSTOP).expect("stopped");
    let qemu = stand.qemu.clone();
    let asked = stuck.clone();
    let command = tokio::spawn(async move { qemu.suspend(&asked).await });
    tokio::time::sleep(Duration::from_millis(100)).await;

    let begun = Instant::now();
    let qemu = &stand.qemu;
    assert_eq!(qemu.state(&stuck).expect("known"), State::RunningBooted);
    qemu.xml(&stuck, XmlFlags::empty()).expect("known");
    qemu.info(&stuck).expect("known");
    assert_eq!(qemu.control_info(&stuck).expect("known").state, 2);
    assert_eq!(qemu.list(ListFilter::ACTIVE).len(), 2);
    qemu.suspend(&well).await.expect("paused");
    qemu.resume(&well).await.expect("resumed");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());

    let late = command.await.expect("no panic").expect_err("nobody answers");
    assert_eq!(late.code, ErrorCode::OperationTimeout);
    assert!(late.message().contains("'stop'"), "{late}");
    let begun = Instant::now();
    stand.destroy(&stuck).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(stand.qemu.state(&stuck).expect("known"), State::ShutoffDestroyed);
    stand.destroy(&well).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_takes_its_guest_along_and_a_crash_is_noticed() {
    let stand = Stand::new().await;
    let (leased, crashing) = (stand.define("leased").await, stand.define("crashing").await);
    let client = LeaseGuard::new(9);
    stand.qemu.start(&leased, StartFlags::AUTODESTROY, client.lease()).await.expect("started");
    stand.start(&crashing, StartFlags::empty()).await;
    drop(client);
    until("the lease ends", || stand.qemu.state(&leased).expect("known") == State::ShutoffDestroyed).await;
    kill(stand.pid("crashing"), Signal::SIGKILL).expect("killed");
    until("the crash is seen", || stand.qemu.state(&crashing).expect("known") == State::ShutoffCrashed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consoles_have_one_reader() {
    let stand = Stand::new().await;
    let vm = stand.define("vm").await;
    stand.start(&vm, StartFlags::empty()).await;
    let mut one = stand.qemu.open_console(&vm, None, ConsoleFlags::empty()).await.expect("opened");
    one.write_all(b"x").await.expect("written");
    let second = stand.qemu.open_console(&vm, None, ConsoleFlags::empty()).await;
    let refused = second.err().expect("one is there");
    assert_eq!(refused.message(), "operation failed: Active console session exists for this domain");
    let two = stand.qemu.open_console(&vm, Some("serial0"), ConsoleFlags::FORCE).await.expect("taken");
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), one.read_to_end(&mut rest)).await.expect("it ends").expect("read");
    drop((one, two));
    stand.qemu.open_console(&vm, None, ConsoleFlags::empty()).await.expect("free again");
    stand.destroy(&vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_can_be_renamed_and_described() {
    let stand = Stand::new().await;
    let qemu = &stand.qemu;
    let vm = stand.define("vm").await;
    qemu.set_autostart(&vm, true).await.expect("set");
    qemu.rename(&vm, "other").await.expect("renamed");
    assert_eq!(qemu.lookup_by_name("other").expect("found").uuid, vm.uuid);
    assert_eq!(qemu.lookup_by_name("vm").expect_err("gone").code, ErrorCode::NoDomain);
    let same = qemu.rename(&vm, "other").await.expect_err("the same");
    assert_eq!(same.message(), "Requested operation is not valid: Can't rename domain to itself");
    let title = |text: &str| Some(text.to_owned());
    qemu.set_metadata(&vm, MetadataKind::Title, title("A title"), None, Impact::CONFIG).await.expect("set");
    let kind = MetadataKind::Element { uri: "http://x.example/1".to_owned() };
    qemu.set_metadata(&vm, kind.clone(), title("<a b='c'/>"), title("x"), Impact::empty()).await.expect("set");

    let again = stand.restarted().await;
    assert!(again.autostart(&vm).expect("known"));
    assert_eq!(again.metadata(&vm, &MetadataKind::Title, Impact::empty()).expect("there"), "A title");
    assert_eq!(again.metadata(&vm, &kind, Impact::empty()).expect("there"), "<a b=\"c\"/>");
    let none = again.metadata(&vm, &MetadataKind::Description, Impact::empty()).expect_err("none");
    assert_eq!(none.code, ErrorCode::NoDomainMetadata);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_and_ends_are_quick_and_failures_say_why() {
    let stand = Stand::new().await;
    let vm = stand.define("vm").await;
    stand.start(&vm, StartFlags::PAUSED).await;
    stand.destroy(&vm).await;
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let begun = Instant::now();
        stand.start(&vm, StartFlags::PAUSED).await;
        starts.push(begun.elapsed());
        let begun = Instant::now();
        stand.destroy(&vm).await;
        ends.push(begun.elapsed());
    }
    starts.sort();
    ends.sort();
    println!("start {:?}, destroy {:?}", starts[2], ends[2]);
    assert!(starts[2] < Duration::from_secs(2) && ends[2] < Duration::from_millis(500));
    let agent = stand.start(&vm, StartFlags::empty()).await;
    let none = stand.qemu.shutdown(&agent, ShutdownFlags::GUEST_AGENT).await.expect_err("no agent");
    assert_eq!(none.message(), "argument unsupported: QEMU guest agent is not configured");
    stand.destroy(&vm).await;

    let mut broken = document("broken");
    broken.os.kernel = Some("/no/such/kernel".to_owned());
    let broken = stand.qemu.define(broken, DefineFlags::empty()).await.expect("defined");
    let error = stand.qemu.start(&broken, StartFlags::empty(), stand.guard.lease()).await.expect_err("no kernel");
    assert!(error.message().contains("/no/such/kernel"), "{error}");
    assert_eq!(stand.qemu.state(&broken).expect("known"), State::ShutoffFailed);
}
