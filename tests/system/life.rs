//! From READY=1 to the end: signals, draining, leaving when idle, and what the clients of a killed proxy see.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use virtbus_tests::host::Host;
use xtask::client::Client;
use xtask::command::wait_for;

use super::{command, start, start_guest};

const MONITOR: [&str; 4] = ["qemu-monitor-command", "vm", "--hmp", "info status"];

fn connect(host: &Host, socket: &str) -> Client {
    Client::open(&host.path(format!("/run/libvirt/{socket}"))).unwrap()
}

#[test]
fn a_call_under_way_is_finished_before_the_end() {
    let host = Host::new();
    let mut virtqemud = start(&host, "virtqemud", &[]);
    let mut virtproxyd = start(&host, "virtproxyd", &[]);
    start_guest(&host);
    host.signal("qemu-system", "STOP");
    let ask = |uri: &str| {
        let mut virsh = host.command("virsh");
        virsh.args(["-c", uri]).args(MONITOR).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let calls = ["qemu:///system?mode=direct", "qemu:///system?mode=legacy"].map(ask);
    // Nothing outside tells when both calls are in the daemon.
    std::thread::sleep(Duration::from_secs(1));
    host.signal("virtqemud", "TERM");
    host.signal("virtproxyd", "TERM");
    virtqemud.expect("STOPPING=1");
    virtproxyd.expect("STOPPING=1");
    assert!(host.virsh(&["-c", "qemu:///system?mode=direct", "list"]).is_err(), "it takes new clients");
    host.signal("qemu-system", "CONT");
    for call in calls {
        let out = call.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert!(text.contains("VM status: running"), "{text}\n{}\n{}", virtqemud.log(), virtproxyd.log());
    }
    assert_eq!((virtqemud.code(), virtproxyd.code()), (Some(0), Some(0)));
    assert_eq!(host.pids("qemu-system").len(), 1);
}

#[test]
fn it_leaves_when_idle_and_not_before() {
    let host = Host::new();
    let mut virtqemud = start(&host, "virtqemud", &["--timeout", "1"]);
    let mut virtproxyd = start(&host, "virtproxyd", &["--timeout", "1"]);
    let client = connect(&host, "libvirt-sock");
    assert!(virtproxyd.ended(Duration::from_secs(3)).is_none(), "it left a client alone");
    assert!(virtqemud.ended(Duration::ZERO).is_none(), "it left the proxy's client alone");
    start_guest(&host);
    drop(client);
    assert_eq!(virtproxyd.code(), Some(0));
    assert!(virtqemud.ended(Duration::from_secs(3)).is_none(), "it left a guest alone");
    host.virsh(&["destroy", "vm"]).unwrap();
    virtqemud.expect("STOPPING=1");
    assert_eq!(virtqemud.code(), Some(0));
    // One that finds a guest of its predecessor stays for it.
    let mut keeper = start(&host, "virtqemud", &[]);
    host.virsh(&["start", "vm"]).unwrap();
    host.signal("virtqemud", "TERM");
    keeper.code();
    let mut keeper = start(&host, "virtqemud", &["--timeout", "1"]);
    assert!(keeper.ended(Duration::from_secs(3)).is_none(), "it left a guest alone");
    host.signal("qemu-system", "KILL");
    assert_eq!(keeper.code(), Some(0));
}

#[test]
fn a_second_one_refuses_and_harms_nothing() {
    let host = Host::new();
    for daemon in ["virtqemud", "virtproxyd"] {
        let _first = start(&host, daemon, &[]);
        let pid = host.pids(daemon)[0];
        let mut second = host.begin("second", &mut command(&host, daemon, &[]));
        assert_eq!(second.code(), Some(1));
        assert_eq!(second.log(), format!("{daemon}: another daemon (pid {pid}) holds /run/{daemon}.pid\n"));
        // Another pid file leaves the sockets, which answer.
        let mut third = host.begin("third", &mut command(&host, daemon, &["--pid-file", "/run/other.pid"]));
        assert_eq!(third.code(), Some(1));
        assert!(third.log().contains("-sock: another process listens there"), "{}", third.log());
        assert!(!host.path("/run/other.pid").exists());
    }
    assert_eq!((host.pids("virtqemud").len(), host.pids("virtproxyd").len()), (1, 1));
    host.virsh(&["list"]).unwrap();
    host.virsh(&["-c", "qemu:///system?mode=legacy", "list"]).unwrap();
}

#[test]
fn a_killed_one_is_followed_without_cleaning_up() {
    let host = Host::new();
    let mut first = start(&host, "virtqemud", &[]);
    start_guest(&host);
    host.signal("virtqemud", "KILL");
    first.code();
    assert!(host.path("/run/libvirt/virtqemud-sock").exists() && host.path("/run/virtqemud.pid").exists());
    let refused = host.virsh(&["list"]).unwrap_err();
    assert!(refused.contains("/run/libvirt/virtqemud-sock': Connection refused"), "{refused}");
    let _second = start(&host, "virtqemud", &[]);
    assert_eq!(host.virsh(&["domstate", "vm"]).unwrap(), "running");
}

#[test]
fn the_configuration_is_read_again_upon_a_signal() {
    let host = Host::new();
    for daemon in ["virtqemud", "virtproxyd"] {
        let file = format!("/etc/libvirt/{daemon}.conf");
        host.write(&file, "log_level = 3\nlog_outputs = \"1:stderr\"\n");
        let mut running = start(&host, daemon, &[]);
        assert!(!running.log().contains(" info : listening"), "{}", running.log());

        host.write(&file, "log_level = \"much\"\n");
        host.signal(daemon, "HUP");
        running.expect("RELOADING=1");
        running.expect("READY=1");
        running.expect_log(&format!("{file}:1: log_level: expected an unsigned integer"));

        host.write(&file, &format!("log_level = 1\nlog_outputs = \"1:file:/run/log/{daemon}.told\"\n"));
        host.signal(daemon, "HUP");
        running.expect("RELOADING=1");
        running.expect("READY=1");
        assert!(host.read(&format!("/run/log/{daemon}.told")).contains("configuration"), "{}", running.log());

        // At the start the same mistake is an end, with a status of its own.
        host.signal(daemon, "TERM");
        assert_eq!(running.code(), Some(0));
        host.write(&file, "\nmax_clients = \"many\"\n");
        let mut wrong = host.begin("wrong", &mut command(&host, daemon, &[]));
        assert_eq!(wrong.code(), Some(64));
        let said = wrong.log();
        assert_eq!(said, format!("{daemon}: {file}:2: max_clients: expected an unsigned integer below 2^32\n"));
        std::fs::remove_file(host.path(&file)).unwrap();
        host.write(&file, "no_such_key = 1\n");
        let unknown = start(&host, daemon, &[]);
        unknown.expect_log(&format!("{file}:1: no_such_key is not known here and is ignored"));
    }
}

#[test]
fn a_killed_proxy_is_an_error_and_the_next_one_works() {
    let host = Host::new();
    let _virtqemud = start(&host, "virtqemud", &[]);
    let mut proxy = start(&host, "virtproxyd", &[]);
    start_guest(&host);
    // A person at virsh's own prompt.
    let mut shell = host.command("virsh");
    shell.args(["-c", "qemu:///system?mode=legacy"]);
    let log = std::fs::File::create(host.path("/run/log/shell")).unwrap();
    let mut shell = shell.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let mut keys = shell.stdin.take().unwrap();
    let mut typed = |line: &str| keys.write_all(format!("{line}\n").as_bytes()).unwrap();
    let shows = |text: &str| {
        let seen = wait_for(super::BOOT, || host.read("/run/log/shell").contains(text).then_some(()));
        assert!(seen.is_some(), "{text:?} was not shown: {}", host.read("/run/log/shell"));
    };
    typed("domstate vm");
    shows("running");
    // A call that waits while the proxy dies.
    host.signal("qemu-system", "STOP");
    let mut waiting = host.command("virsh");
    waiting.args(["-c", "qemu:///system?mode=legacy"]).args(MONITOR);
    let waiting = waiting.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    host.signal("virtproxyd", "KILL");
    proxy.code();
    let out = waiting.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("End of file while reading data"), "{said}");
    host.signal("qemu-system", "CONT");

    let refused = host.virsh(&["-c", "qemu:///system?mode=legacy", "list"]).unwrap_err();
    assert!(refused.contains("libvirt-sock': Connection refused"), "{refused}");
    let _proxy = start(&host, "virtproxyd", &[]);
    // virsh notices, says so, and connects again.
    typed("domid vm");
    typed("domname 1");
    typed("quit");
    shows("vm\n");
    assert!(shell.wait().unwrap().success(), "{}", host.read("/run/log/shell"));
    assert_eq!(host.virsh(&["-c", "qemu:///system?mode=legacy", "domstate", "vm"]).unwrap(), "running");
    // What the killed one held open at virtqemud is gone.
    let clients = || {
        let mut admin = host.command("virt-admin");
        let list = admin.args(["-c", "virtqemud:///system", "client-list", "virtqemud"]).output().unwrap();
        String::from_utf8_lossy(&list.stdout).lines().filter(|it| it.contains("unix")).count()
    };
    assert!(wait_for(super::BOOT, || (clients() == 0).then_some(())).is_some(), "{} clients", clients());
}
